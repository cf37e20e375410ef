"""Which source speaks for a person's day when several do."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple


class SourceDay(NamedTuple):
    """What one source says about one person's day."""

    source: str
    tokens: int
    usd: Decimal


ROUNDED_USD = Decimal("0.05")
"""What a day's rows may come to more by being rounded to cents, each of them."""

LESSER = {"otlp_metrics": "otlp_events"}
"""A source that is not used where another one knows the same person's day: metrics repeat what the events say."""


def fullest(candidates: Iterable[SourceDay]) -> SourceDay:
    """The source with the most tokens, then the most dollars, then the first name; never a sum of sources.

    Every source can only under-report (an API lags, a transcript folder is one machine), so the fullest is closest. A
    source that knows dollars alone speaks where it knows over ROUNDED_USD more than the fullest one with tokens.
    """
    days = list(candidates)
    known = {day.source for day in days}
    spoken = [day for day in days if LESSER.get(day.source) not in known]
    counting = [day for day in spoken if day.tokens]
    best = min(counting, key=lambda day: (-day.tokens, -day.usd, day.source), default=None)
    dollars = min((day for day in spoken if not day.tokens), key=lambda day: (-day.usd, day.source), default=None)
    return dollars if dollars and (best is None or dollars.usd > best.usd + ROUNDED_USD) else best or spoken[0]
