"""The alert rule: who passed which step of their limit on a day."""

import re
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.spend.days import ONE_DAY, due_at

DEFAULT_LIMIT_USD = Decimal("12.00")
"""Per person and day. Anthropic's documentation gave $12 as the 90th percentile until 2026-04-09, and $30 since."""

MAX_LIMIT = Decimal(100_000)
"""The largest daily limit that a person may set."""

STEPS = (1, 2, 4)
"""Multiples of the limit worth a message; a person hears of each step once a day, of the highest new one only."""

MAX_AGE_DAYS = 1
"""A spend day older than yesterday makes no alert: by then it is history, and the digest tells it."""


MAX_AHEAD_DAYS = 1
"""West of Greenwich the UTC day of an export begins in the evening before."""


class QuietHours(NamedTuple):
    """From one time to another on a person's own clock, over midnight where the first is the later: no messages."""

    start: time
    end: time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    def until(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """When they end, if ``now`` lies in them; else None."""
        local = now.astimezone(zone)
        if self.start <= self.end:
            is_quiet = self.start <= local.time() < self.end
        else:
            is_quiet = local.time() >= self.start or local.time() < self.end
        if not is_quiet:
            return None
        day = local.date() if local.time() < self.end else local.date() + ONE_DAY
        end = due_at(day, self.end, zone)
        # Where clocks go back, the end comes twice, and the first time may be over.
        return end if end > now else datetime.combine(day, self.end.replace(fold=1), tzinfo=zone).astimezone(UTC)


OFF = "off"


def read_quiet_hours(said: str) -> QuietHours | None:
    """Quiet hours from words such as "21:00-07:00" or "21-7"; None for "off". Raises ValueError."""
    if said.strip().lower() == OFF:
        return None
    times = re.fullmatch(r"(\d{1,2})(?::(\d\d))? ?(?:-|–|to) ?(\d{1,2})(?::(\d\d))?", said.strip().lower(), re.ASCII)
    try:
        if times:
            hour, minute, end_hour, end_minute = (int(part or 0) for part in times.groups())
            found = QuietHours(time(hour, minute), time(end_hour, end_minute))
            if found.start != found.end:
                return found
    except ValueError:
        pass
    raise ValueError("it takes two times of the day, as in 21:00-07:00, or off")


def read_limit(said: str) -> Decimal | None:
    """A daily limit in dollars from words such as "12.50"; None where they are none over $0 and up to MAX_LIMIT."""
    usd = Decimal(said) if re.fullmatch(r"\d{1,6}(\.\d{1,2})?", said, re.ASCII) else None
    return usd if usd is not None and 0 < usd <= MAX_LIMIT else None


class Alert(NamedTuple):
    """A person whose spend of a day reached ``step`` times the limit."""

    person: str
    usd: Decimal
    limit_usd: Decimal
    step: int


def step_reached(usd: Decimal, limit_usd: Decimal) -> int | None:
    """The highest step that ``usd`` reaches (exactly at the limit counts), or None below the limit."""
    reached = [step for step in STEPS if usd >= step * limit_usd]
    return reached[-1] if reached else None


def newly_reached(usd: Decimal, limit_usd: Decimal, told: set[int]) -> int | None:
    """The step to tell now: the highest one reached, unless it or a higher one was told already."""
    step = step_reached(usd, limit_usd)
    return step if step is not None and all(step > before for before in told) else None
