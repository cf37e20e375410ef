"""The shared pricing engine: the one place where a token count meets a price. Pure; imports nothing of ours."""

from bot.pricing.cost import Cost, CostLine, list_cost, usd_at
from bot.pricing.errors import NoPriceForCondition, NoPriceOnDate, PricingError, UnknownModel
from bot.pricing.price_book import Model, PriceBook, TokenPrices, default_price_book, price_book_with
from bot.pricing.usage import STANDARD, UNSPLIT, PriceConditions, TokenUsage

__all__ = [
    "STANDARD",
    "UNSPLIT",
    "Cost",
    "CostLine",
    "Model",
    "NoPriceForCondition",
    "NoPriceOnDate",
    "PriceBook",
    "PriceConditions",
    "PricingError",
    "TokenPrices",
    "TokenUsage",
    "UnknownModel",
    "default_price_book",
    "list_cost",
    "price_book_with",
    "usd_at",
]
