"""Why a day cost what it did, and what would have made it cheaper, in dollars. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from bot.pricing import Cost, Model, PriceBook, PricingError, TokenUsage, list_cost
from bot.spend.amounts import ZERO, Quantity

MAIN_SHARE = Decimal("0.4")
"""A kind of token is a cause if it makes this share of the list price."""

CACHE_WRITES = "cache_write"
"""What the kinds of cache writes are together, whatever their lifetime."""

MIN_SAVING_USD = Decimal(1)
CACHED_SHARE = Decimal("0.9")
SUBAGENT_SHARE = Decimal("0.2")
"""The part of a day's work that searches, tests and look-ups in subagents can well be."""


class Saving(NamedTuple):
    """Something to do, and the dollars of the day's list price that it would have saved."""

    what: str
    usd: Decimal


def largest_kind(used: Iterable[Quantity], book: PriceBook) -> tuple[str, Decimal] | None:
    """The kind of token that most of the list price is for, with its dollars; None if no kind stands out.

    Cache writes of both lifetimes are one kind, CACHE_WRITES.
    """
    by_kind: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for quantity in used:
        cost = _priced(quantity, quantity.usage, book)
        for line in cost.lines if cost else ():
            by_kind[CACHE_WRITES if line.kind.startswith(CACHE_WRITES) else line.kind] += line.usd
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
            then = _usd_on(sonnet, quantity, quantity.day, book)
            found[f"{sonnet.name} for the {model.family.title()} part"] += max(ZERO, now.usd - (then or now.usd))
        if model.family in ("opus", "fable", "sonnet") and book.has_family("haiku", quantity.day):
            haiku = book.current("haiku", quantity.day)
            then = _usd_on(haiku, quantity, quantity.day, book)
            found[f"{haiku.name} in subagents for a fifth of the work"] += SUBAGENT_SHARE * max(
                ZERO, now.usd - (then or now.usd)
            )
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


class Comparison(NamedTuple):
    """List prices of the same tokens: as they were used, and all on the newest model of each family.

    ``families`` names the model; None in place of dollars where some of the usage has no price on it.
    """

    usd: Decimal
    families: list[tuple[str, Decimal | None]]
    unpriced_tokens: int = 0


def compared(used: Iterable[Quantity], book: PriceBook, day: date) -> Comparison:
    """What usage would have cost on the newest model of each family of a day, the dearest first."""
    costs = [(quantity, _priced(quantity, quantity.usage, book)) for quantity in used]
    priced = [(quantity, cost) for quantity, cost in costs if cost is not None]
    unpriced = sum(quantity.usage.tokens for quantity, cost in costs if cost is None)
    found: list[tuple[str, Decimal | None]] = []
    for family in book.families:
        if not book.has_family(family, day):
            continue
        model = book.current(family, day)
        # At the day's prices of today's models: that is what a change of model would bring.
        parts = [_usd_on(model, quantity, day, book) for quantity, _ in priced]
        found.append((model.name, None if None in parts else sum(filter(None, parts), ZERO)))
    ranked = sorted(found, key=lambda one: (one[1] is None, -(one[1] or ZERO), one[0]))
    return Comparison(sum((cost.usd for _, cost in priced), ZERO), ranked, unpriced)


def _usd_on(model: Model, quantity: Quantity, day: date, book: PriceBook) -> Decimal | None:
    """What a quantity would cost on another model, at standard speed and else as it was; None without a price."""
    try:
        return list_cost(quantity.usage, model.id, day, book, quantity.conditions._replace(speed="standard")).usd
    except PricingError:
        return None


def _priced(quantity: Quantity, usage: TokenUsage, book: PriceBook) -> Cost | None:
    try:
        return list_cost(usage, quantity.model, quantity.day, book, quantity.conditions)
    except PricingError:
        return None
