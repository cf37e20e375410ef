"""Which source speaks for a person's day when several do."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple


class SourceDay(NamedTuple):
    """What one source says about one person's day."""

    source: str
    tokens: int
    usd: Decimal


def fullest(candidates: Iterable[SourceDay]) -> SourceDay:
    """The source with the most tokens, then the most dollars, then the first name; never a sum of sources.

    Every source can only under-report (an API lags, a transcript folder is one machine), so the fullest is closest.
    """
    return min(candidates, key=lambda day: (-day.tokens, -day.usd, day.source))
