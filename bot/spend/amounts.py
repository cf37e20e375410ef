"""Quantities priced and added up: the cost shown, the list price, the reported cost, and what has no price."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import reduce
from typing import NamedTuple

from bot.pricing import PriceBook, PriceConditions, PricingError, TokenUsage, usd_at
from bot.spend.records import SUBSCRIPTION

ZERO = Decimal(0)


class Quantity(NamedTuple):
    """Usage summed over rows of one day, model, set of conditions and billing.

    ``reported_usd`` is the sum of what the source stated, or None if these rows state nothing (never a mix).
    """

    day: date
    model: str
    conditions: PriceConditions
    billing: str
    usage: TokenUsage
    reported_usd: Decimal | None


class Amount(NamedTuple):
    """US dollars, exact. ``usd`` is the cost shown: reported where the source states one, else the list price.

    ``covered_usd`` is the part of ``usd`` used under a subscription: API-equivalent, not an invoice.
    ``unpriced_tokens`` and ``unpriced_searches`` have neither a reported cost nor a list price; no dollar holds them.
    ``size_unknown_usd`` is the part that would be more if the prompts were long, which the source does not tell.
    """

    usd: Decimal = ZERO
    list_usd: Decimal = ZERO
    reported_usd: Decimal = ZERO
    covered_usd: Decimal = ZERO
    unpriced_tokens: int = 0
    unpriced_searches: int = 0
    size_unknown_usd: Decimal = ZERO
    usage: TokenUsage = TokenUsage()

    @property
    def has_unpriced(self) -> bool:
        """Whether something of it is in no dollar figure."""
        return bool(self.unpriced_tokens or self.unpriced_searches)

    @property
    def told_usd(self) -> Decimal | None:
        """``usd``; None where nothing of it has a price, so that $0 would be wrong."""
        return None if not self.usd and self.has_unpriced else self.usd

    def plus(self, other: "Amount") -> "Amount":
        """Both amounts together."""
        return Amount(
            self.usd + other.usd,
            self.list_usd + other.list_usd,
            self.reported_usd + other.reported_usd,
            self.covered_usd + other.covered_usd,
            self.unpriced_tokens + other.unpriced_tokens,
            self.unpriced_searches + other.unpriced_searches,
            self.size_unknown_usd + other.size_unknown_usd,
            self.usage.plus(other.usage),
        )


def amount(quantity: Quantity, book: PriceBook) -> Amount:
    """Price one quantity with the prices of its day."""
    listed, reported, usage = _list_usd(quantity, book), quantity.reported_usd, quantity.usage
    usd = listed if reported is None else reported
    if usd is None:
        return Amount(unpriced_tokens=usage.tokens, unpriced_searches=usage.web_searches, usage=usage)
    covered = usd if quantity.billing == SUBSCRIPTION else ZERO
    assumed = usd if _is_size_assumed(quantity, book) else ZERO
    return Amount(usd, listed or ZERO, reported or ZERO, covered, 0, 0, assumed, usage)


def total(quantities: Iterable[Quantity], book: PriceBook) -> Amount:
    """Price each quantity and add them up."""
    return reduce(Amount.plus, (amount(quantity, book) for quantity in quantities), Amount())


def _is_size_assumed(quantity: Quantity, book: PriceBook) -> bool:
    """Whether a list price rests on the assumption that no prompt was over the model's limit."""
    if quantity.reported_usd is not None or quantity.conditions.prompt_tier != "unknown":
        return False
    model = book.model(quantity.model, quantity.day)
    return book.price_at(model.id, quantity.day).long_prompt is not None


def _list_usd(quantity: Quantity, book: PriceBook) -> Decimal | None:
    try:
        return usd_at(book.rates(quantity.model, quantity.day, quantity.conditions), quantity.usage)
    except PricingError:
        return None
