"""The one function in which a token count meets a price."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from bot.pricing.price_book import PriceBook, TokenPrices
from bot.pricing.usage import STANDARD, PriceConditions, TokenUsage

_PER_TOKEN = Decimal("0.000001")


class CostLine(NamedTuple):
    """One kind of a cost: ``tokens`` (or searches) at ``price`` dollars per million tokens (or per search)."""

    kind: str
    tokens: int
    price: Decimal
    usd: Decimal


class Cost(NamedTuple):
    """What a usage costs at list price, exactly: ``usd`` in US dollars, unrounded."""

    usd: Decimal
    usage: TokenUsage
    rates: TokenPrices

    @property
    def lines(self) -> list[CostLine]:
        """The kinds that were used, each with its own dollars; their sum is ``usd``."""
        tokens = [
            CostLine(kind, count, price, count * price * _PER_TOKEN)
            for (kind, count), price in zip(list(self.usage.by_kind().items())[:5], self.rates, strict=False)
            if count
        ]
        searches = self.usage.web_searches
        if searches:
            tokens.append(CostLine("web_search", searches, self.rates.web_search, searches * self.rates.web_search))
        return tokens


def list_cost(
    usage: TokenUsage, model: str, day: date, book: PriceBook, conditions: PriceConditions = STANDARD
) -> Cost:
    """The list-price cost of ``usage`` on ``model`` with the prices that held on ``day``.

    Exact: Decimal all the way, no rounding. ``model`` may be any name that ``PriceBook.model`` knows.
    Raises UnknownModel, NoPriceOnDate or NoPriceForCondition; never answers with a neighbour's price.
    """
    rates = book.rates(model, day, conditions)
    usd = (
        usage.input * rates.input
        + usage.output * rates.output
        + usage.cache_read * rates.cache_read
        + usage.cache_write_5m * rates.cache_write_5m
        + usage.cache_write_1h * rates.cache_write_1h
    ) * _PER_TOKEN + usage.web_searches * rates.web_search
    return Cost(usd, usage, rates)
