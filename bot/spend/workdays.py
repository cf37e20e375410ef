"""Working days: Mondays to Fridays that are no public holiday where the team works."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.spend.days import ONE_DAY, Period, due_at


class UnknownCountry(Exception):
    """No such country or part of one; a sentence that quotes it and names what is known."""


class WorkCalendar:
    """The working days of a country ("DE"), of a part of it ("DE-BY"), or of nowhere in particular ("")."""

    def __init__(self, where: str = "") -> None:
        """Raises UnknownCountry."""
        self.where = where
        self._country, _, self._part = where.partition("-")
        self._years: dict[int, frozenset[date]] = {}
        if where:
            _check(self._country, self._part)

    def holidays(self, year: int) -> frozenset[date]:
        """The public holidays of a year."""
        if year not in self._years:
            self._years[year] = frozenset(self._found(year))
        return self._years[year]

    def is_working(self, day: date) -> bool:
        """Whether people work on a day."""
        return day.weekday() < 5 and day not in self.holidays(day.year)

    def working_days(self, period: Period) -> int:
        """How many working days a period has."""
        return sum(map(self.is_working, period.days))

    def working_time(self, start: datetime, end: datetime, zone: ZoneInfo) -> timedelta:
        """How much of the time between two moments lies on working days, as clocks of ``zone`` count them."""
        first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
        if first == last:
            return end - start if self.is_working(first) else timedelta(0)
        days = [day for day in Period(first, last + ONE_DAY).days if self.is_working(day)]
        midnights = ((due_at(day, time(0), zone), due_at(day + ONE_DAY, time(0), zone)) for day in days)
        return sum((min(end, after) - max(start, before) for before, after in midnights), timedelta(0))

    def holidays_in(self, period: Period) -> frozenset[date]:
        """The public holidays of a period."""
        return frozenset(day for day in period.days if day in self.holidays(day.year))

    def _found(self, year: int) -> Iterator[date]:
        if not self.where:
            return
        import holidays  # takes a tenth of a second, and most commands need no calendar

        yield from holidays.country_holidays(self._country, self._part or None, years=year, language="en_US")


def _check(country: str, part: str) -> None:
    import holidays

    known = holidays.list_supported_countries(include_aliases=False)
    if country not in known:
        raise UnknownCountry(f"“{country}” is no country whose holidays are known; write it as US, DE or FR.")
    if part and part not in known[country]:
        raise UnknownCountry(f"“{part}” is no part of {country}; known are {', '.join(known[country]) or 'none'}.")
