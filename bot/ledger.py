"""The ledger: questions about a team's spend, answered from what is stored and priced with the price book."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.exports.formats import READERS
from bot.pricing import PriceBook
from bot.spend.alerts import Alert, step_reached
from bot.spend.amounts import ZERO, Amount, amount
from bot.spend.days import ONE_DAY, Period, month_to_date
from bot.spend.digest import (
    LOOKBACK,
    DigestFacts,
    Freshness,
    ModelSpend,
    PeopleCount,
    digest_facts,
    model_id,
    model_name,
)
from bot.store import deliveries
from bot.store.database import Database
from bot.store.people import Person, person_by_email
from bot.store.quantities import (
    day_sources,
    last_import,
    people_on,
    person_history,
    quantities,
    shares,
    stored_period,
)

HISTORY = timedelta(days=60)
MIN_USUAL_DAYS = 5
"""A person's usual day is the median of their other active days in HISTORY; fewer days than this say too little."""

GROUPS = ("person", "day", "model", "source")


class SpendRow(NamedTuple):
    """One group of a spend report: its values for the chosen groups, in their order, and its amount."""

    group: tuple[str, ...]
    amount: Amount


class SpendReport(NamedTuple):
    """Spend of a period, half-open; ``rows`` add up to ``total``. ``period`` is None while nothing is stored."""

    period: Period | None
    total: Amount
    rows: list[SpendRow]


class OwnDay(NamedTuple):
    """One person's day: what it cost, by model, and what is usual for them (None while too little is known)."""

    person: Person
    day: date
    amount: Amount
    models: list[ModelSpend]
    usual_usd: Decimal | None
    usual_days: int


class OwnSpend(NamedTuple):
    """What a person sees of their own spend: their newest day with usage, and the month that it lies in."""

    latest: OwnDay
    month_usd: Decimal
    month_days: int
    limit_usd: Decimal


class Ledger:
    """Answers for one workspace. Days are spend days in ``zone``; ``limit_usd`` holds for people without their own."""

    def __init__(self, database: Database, book: PriceBook, zone: ZoneInfo, limit_usd: Decimal) -> None:
        self.database = database
        self.book = book
        self.zone = zone
        self.limit_usd = limit_usd

    def spend(self, start: date | None, end: date | None, by: Iterable[str]) -> SpendReport:
        """Spend from ``start`` (inclusive) to ``end`` (exclusive), of all that is stored where None, in groups."""
        stored = stored_period(self.database)
        if stored is None and (start is None or end is None):
            return SpendReport(None, Amount(), [])
        period = (
            Period(start or stored.start, end or stored.end) if stored else Period(start or date.min, end or date.max)
        )
        if period.start >= period.end:
            return SpendReport(None, Amount(), [])
        found: dict[tuple[str, ...], Amount] = defaultdict(Amount)
        total = Amount()
        for share in shares(self.database, period):
            cost = amount(share.quantity, self.book)
            day = share.quantity.day
            values = {
                "person": share.person,
                "day": day.isoformat(),
                "model": model_id(share.quantity.model, day, self.book),
                "source": share.source,
            }
            group = tuple(values[name] for name in by)
            found[group] = found[group].plus(cost)
            total = total.plus(cost)
        return SpendReport(period, total, [SpendRow(group, found[group]) for group in sorted(found)])

    def digest(self, day: date) -> DigestFacts:
        """The facts of a day's digest."""
        start = min(day - LOOKBACK, month_to_date(day).start)
        return digest_facts(
            day=day,
            zone=self.zone.key,
            quantities=quantities(self.database, Period(start, day + ONE_DAY)),
            people=self._people(day),
            limit_usd=self.limit_usd,
            freshness=self._freshness(day),
            book=self.book,
        )

    def alerts(self, day: date) -> list[Alert]:
        """Who reached which step of their limit on a day, the largest spend first; unassigned spenders included."""
        found = []
        for entry in people_on(self.database, day):
            limit = self.limit_of(entry.person)
            step = step_reached(entry.usd, limit)
            if step is not None:
                found.append(Alert(entry.person.label, entry.usd, limit, step))
        return found

    def own_day(self, person: Person, day: date) -> OwnDay:
        """What a person spent on a day, and what is usual for them."""
        models: dict[str, Decimal] = defaultdict(lambda: ZERO)
        total = Amount()
        for share in shares(self.database, Period(day, day + ONE_DAY), person.id):
            cost = amount(share.quantity, self.book)
            total = total.plus(cost)
            if not (cost.unpriced_tokens or cost.unpriced_searches):
                models[model_name(share.quantity.model, day, self.book)] += cost.usd
        history = person_history(self.database, person.id, Period(day - HISTORY, day))
        usual = [entry.usd for entry in history if entry.usd]
        return OwnDay(
            person,
            day,
            total,
            sorted((ModelSpend(name, usd) for name, usd in models.items()), key=lambda model: -model.usd),
            median(usual) if len(usual) >= MIN_USUAL_DAYS else None,
            len(usual),
        )

    def own_spend(self, email: str, today: date) -> OwnSpend | None:
        """A person's own spend up to and including ``today``; None if nothing is known of them."""
        person = person_by_email(self.database, email)
        history = person_history(self.database, person.id, Period(today - HISTORY, today + ONE_DAY)) if person else []
        if person is None or not history:
            return None
        latest = history[-1].day
        month = [entry for entry in history if entry.day >= month_to_date(latest).start]
        return OwnSpend(
            self.own_day(person, latest), sum((entry.usd for entry in month), ZERO), len(month), self.limit_of(person)
        )

    def alert_steps(self, person: Person, day: date) -> set[int]:
        """The steps of a day that a person was, or is about to be, told of."""
        with self.database.read() as connection:
            return deliveries.alert_steps(connection, self.database.workspace_id, person.id, day)

    def limit_of(self, person: Person) -> Decimal:
        """The daily limit in force for a person."""
        return person.limit_usd if person.limit_usd is not None else self.limit_usd

    def _people(self, day: date) -> PeopleCount:
        entries = people_on(self.database, day)
        known = [entry for entry in entries if entry.person.email]
        unassigned = [entry for entry in entries if not entry.person.email]
        over = [entry for entry in known if step_reached(entry.usd, self.limit_of(entry.person))]
        unassigned_usd = sum((entry.usd for entry in unassigned), ZERO)
        told = deliveries.told_people(self.database, day)
        return PeopleCount(len(known), len(over), told, unassigned_usd, len(unassigned))

    def _freshness(self, day: date) -> Freshness | None:
        """How current the sources of a day are; of all sources, where the day has none."""
        period, newest = stored_period(self.database), last_import(self.database)
        if period is None or newest is None:
            return None
        received = day_sources(self.database, day) or {newest.source: newest.imported_at}
        utc_days = any(reader.utc_days for reader in READERS if reader.name in received)
        return Freshness(period.end - ONE_DAY, max(received.values()), utc_days)
