"""The one place where a token count meets a price: ``list_cost`` for one usage, ``units`` for millions of rows."""

from collections.abc import Sequence
from datetime import date
from decimal import Context, Decimal
from functools import lru_cache
from typing import NamedTuple

from bot.pricing.price_book import PriceBook, TokenPrices
from bot.pricing.usage import STANDARD, PriceConditions, TokenUsage

_PER_TOKEN = Decimal("0.000001")

UNITS_PER_NANO = 10**25
"""Units in a nanodollar: fine enough for every price with all its factors, so that integers hold any cost exactly."""

_UNITS_PER_USD = UNITS_PER_NANO * 10**9
_WIDE = Context(prec=80)


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
    return Cost(usd_at(rates, usage), usage, rates)


def usd_at(rates: TokenPrices, usage: TokenUsage) -> Decimal:
    """What ``usage`` costs at these prices, in US dollars, exactly: for who needs nothing else of a Cost."""
    return (
        usage.input * rates.input
        + usage.output * rates.output
        + usage.cache_read * rates.cache_read
        + usage.cache_write_5m * rates.cache_write_5m
        + usage.cache_write_1h * rates.cache_write_1h
    ) * _PER_TOKEN + usage.web_searches * rates.web_search


@lru_cache(maxsize=4096)
def unit_prices(rates: TokenPrices) -> tuple[int, ...]:
    """What one token of each kind, and one search, costs in units: whole numbers, in the order of TokenUsage."""
    searches = _WIDE.multiply(rates.web_search, Decimal(_UNITS_PER_USD))
    tokens = (_WIDE.multiply(price, Decimal(_UNITS_PER_USD // 10**6)) for price in rates[:5])
    return tuple(int(price) for price in (*tokens, searches))


def units(usage: Sequence[int], prices: Sequence[int]) -> int:
    """The list-price cost of one usage in units, exactly: what ``list_cost`` answers, a dozen times faster."""
    return (
        usage[0] * prices[0]
        + usage[1] * prices[1]
        + usage[2] * prices[2]
        + usage[3] * prices[3]
        + usage[4] * prices[4]
        + usage[5] * prices[5]
    )


def usd_of_units(count: int) -> Decimal:
    """Units as US dollars, exactly and without trailing zeros."""
    return _WIDE.divide(Decimal(count), Decimal(_UNITS_PER_USD)).normalize(_WIDE)
