"""Why a day cost what it did, and what would have made it cheaper, in dollars. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from bot.pricing import Cost, PriceBook, PricingError, TokenUsage, list_cost
from bot.spend.amounts import ZERO, Quantity

MAIN_SHARE = Decimal("0.4")
"""A kind of token is a cause if it makes this share of the list price."""

MIN_SAVING_USD = Decimal(1)
CACHED_SHARE = Decimal("0.9")
SUBAGENT_SHARE = Decimal("0.2")
"""The part of a day's work that searches, tests and look-ups in subagents can well be."""


class Saving(NamedTuple):
    """Something to do, and the dollars of the day's list price that it would have saved."""

    what: str
    usd: Decimal


def largest_kind(used: Iterable[Quantity], book: PriceBook) -> tuple[str, Decimal] | None:
    """The kind of token that most of the list price is for, with its dollars; None if no kind stands out."""
    by_kind: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for quantity in used:
        cost = _priced(quantity, quantity.usage, book)
        for line in cost.lines if cost else ():
            by_kind[line.kind] += line.usd
    if not by_kind:
        return None
    kind = max(by_kind, key=lambda name: (by_kind[name], name))
    return (kind, by_kind[kind]) if by_kind[kind] >= MAIN_SHARE * sum(by_kind.values(), ZERO) else None


def best_saving(used: Iterable[Quantity], book: PriceBook) -> Saving | None:
    """What would have saved the most, worked out by pricing the changed day; None under MIN_SAVING_USD."""
    found: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for quantity in used:
        now = _priced(quantity, quantity.usage, book)
        if now is None:
            continue
        model = book.model(quantity.model, quantity.day)
        if model.family in ("opus", "fable") and book.has_family("sonnet", quantity.day):
            sonnet = book.current("sonnet", quantity.day)
            try:
                then = list_cost(quantity.usage, sonnet.id, quantity.day, book).usd
            except PricingError:
                then = now.usd
            found[f"{sonnet.name} for the {model.family.title()} part"] += max(ZERO, now.usd - then)
        if model.family in ("opus", "fable", "sonnet") and book.has_family("haiku", quantity.day):
            haiku = book.current("haiku", quantity.day)
            try:
                then = list_cost(quantity.usage, haiku.id, quantity.day, book).usd
            except PricingError:
                then = now.usd
            found[f"{haiku.name} in subagents for a fifth of the work"] += SUBAGENT_SHARE * max(ZERO, now.usd - then)
        read = next((line.usd for line in now.lines if line.kind == "cache_read"), ZERO)
        found["/clear between tasks and /compact within long ones, so that half as much context is read again"] += (
            read / 2
        )
        usage = quantity.usage
        cached = int(usage.input * CACHED_SHARE)
        if cached:
            changed = usage._replace(input=usage.input - cached, cache_read=usage.cache_read + cached)
            then_cached = _priced(quantity, changed, book)
            found["keeping 90 % of the input in the cache"] += now.usd - (then_cached.usd if then_cached else now.usd)
    if not found:
        return None
    what = max(found, key=lambda name: (found[name], name))
    return Saving(what, found[what]) if found[what] >= MIN_SAVING_USD else None


def _priced(quantity: Quantity, usage: TokenUsage, book: PriceBook) -> Cost | None:
    try:
        return list_cost(usage, quantity.model, quantity.day, book, quantity.conditions)
    except PricingError:
        return None
