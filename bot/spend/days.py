"""Spend days: calendar days in the installation's zone, half-open periods of them, and the moment a time falls due."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)


class Period(NamedTuple):
    """Days from ``start`` (inclusive) to ``end`` (exclusive)."""

    start: date
    end: date

    @property
    def days(self) -> list[date]:
        """Its days, in order."""
        return list(map(date.fromordinal, range(self.start.toordinal(), self.end.toordinal())))


def spend_day(at: datetime, zone: ZoneInfo) -> date:
    """The calendar day in ``zone`` that an instant falls on. Raises ValueError where the calendar has none."""
    try:
        return at.astimezone(zone).date()
    except OverflowError as error:
        raise ValueError(f"“{at.isoformat()}” is on no day of the calendar in {zone.key}") from error


def milliseconds(at: datetime) -> int:
    """A moment in whole milliseconds since 1970, in UTC."""
    return int(at.timestamp() * 1000)


def day_around(at: int, zone: ZoneInfo) -> tuple[date, int, int]:
    """The calendar day in ``zone`` of a moment since 2012, when it begins and when it ends (exclusive).

    Moments are in milliseconds since 1970. Before 2012 there were zones in which a day of a few minutes came twice.
    """
    day = spend_day(datetime.fromtimestamp(at // 1000, UTC), zone)
    start, end = (milliseconds(due_at(each, time(), zone)) for each in (day, day + ONE_DAY))
    return day, start, end


def so_far(start: date, until: date, written: date) -> date:
    """The end (exclusive) of what a total of the days from ``start`` to before ``until`` can tell of.

    One that was ``written`` while they went on tells nothing of the days that came after that.
    """
    return min(until, written + ONE_DAY) if start <= written else until


def next_month(day: date) -> date:
    """The first day of the month after that of ``day``."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def month_to_date(day: date) -> Period:
    """The month of ``day`` up to and including it."""
    return Period(day.replace(day=1), day + ONE_DAY)


def due_at(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which a wall-clock time comes on a day.

    A time that a clock change skips comes as much later as the gap is long, or as much earlier where later would be
    the next day; one that comes twice counts the first time.
    """
    due = datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
    if due.astimezone(zone).date() == day:
        return due
    return datetime.combine(day, at.replace(fold=1), tzinfo=zone).astimezone(UTC)
