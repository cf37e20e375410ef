"""The ledger: questions about a team's spend, answered from what is stored and priced with the price book."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from statistics import median
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from bot.exports.formats import (
    CONTINUOUS,
    LAGS,
    RECEIVED,
    has_utc_days,
    knows_claude,
    knows_everybody,
    source_reader,
    source_title,
)
from bot.policy import MIN_GROUP, Policy
from bot.pricing import PriceBook, TokenUsage
from bot.spend.alerts import Alert, step_reached
from bot.spend.amounts import ZERO, Amount, Quantity, amount, total
from bot.spend.causes import Comparison, Saving, best_saving, compared, largest_kind
from bot.spend.days import ONE_DAY, Period, due_at, month_to_date
from bot.spend.digest import (
    DAILY,
    MONTHLY,
    Arrival,
    DigestFacts,
    Freshness,
    ModelSpend,
    PeopleCount,
    digest_facts,
    model_id,
    model_name,
    needed_period,
)
from bot.spend.precedence import ROUNDED_USD, SourceDay, fullest
from bot.spend.workdays import WorkCalendar
from bot.store import deliveries
from bot.store.audit import Look, looks_at
from bot.store.bulk import batches
from bot.store.database import Database
from bot.store.deliveries import Delivery
from bot.store.feeds import SilentSource, silent_sources
from bot.store.people import (
    Person,
    is_one_person,
    members_of_team,
    nameless_people,
    not_people,
    people_labels,
    person_by_email,
    person_by_id,
    person_by_name,
)
from bot.store.quantities import (
    VendorSpend,
    active_people,
    day_details,
    day_source_names,
    day_sources,
    headcount,
    import_spans,
    last_import,
    over_limit,
    people_of_sources,
    people_on,
    person_history,
    quantities,
    quantities_of,
    session_history,
    set_aside,
    shares,
    stored_everything,
    stored_period,
    usd_by_source,
    vendor_spend,
)
from bot.store.ranges import (
    FullerRange,
    PersonTotal,
    RangeOf,
    fuller_ranges,
    has_ranges,
    range_shares,
    total_across,
    totals_around,
)
from bot.store.settings import read_setting
from bot.store.teams import MIN_TEAM, Team, is_too_small

PEOPLE_AT_ONCE = 1000

HISTORY = timedelta(days=60)
MIN_USUAL_DAYS = 5
"""A person's usual day is the median of their other active days in HISTORY; fewer days than this say too little."""

BURST_TIMES, BURST_SESSIONS = 2, 3
"""Sessions are a cause where they are twice the usual number and so many more."""

AWAITED_DAYS, AWAITED_SHARE = 5, Decimal("0.05")
"""A source is waited for that told such a share of what was spent on the last so many working days."""

COMPARED_DAYS = timedelta(days=30)
TOLERANCE = Decimal("0.02")
"""By so much of the list price a stated cost may differ before an admin hears of it."""

GROUPS = ("person", "day", "model", "source")


class SpendRow(NamedTuple):
    """One group of a spend report: its values for the chosen groups, in their order, and its amount."""

    group: tuple[str, ...]
    amount: Amount


Told = tuple[str, str, str, Quantity, bool]
"""When it was used, by whom, which source says so, how much, and whether it is of several days together."""


class Beyond(NamedTuple):
    """By how many US dollars reports of the organization as a whole say more than its people used on ``days``."""

    usd: Decimal
    days: list[date]


class SpendReport(NamedTuple):
    """Spend of a period, half-open; ``rows`` add up to ``total``. ``period`` is None while nothing is stored.

    ``undated_usd`` is the part of the total that is known for several days together only; ``others`` is what was used
    of other vendors' products, in no other figure. ``across`` are the days of a total that lies in the period only in
    part, so that it is not in these figures; nor is ``beyond``.
    """

    period: Period | None
    total: Amount
    rows: list[SpendRow]
    undated_usd: Decimal = ZERO
    others: tuple[VendorSpend, ...] = ()
    across: Period | None = None
    beyond: Beyond | None = None


class Burst(NamedTuple):
    """Many more sessions on a day than the median of a person's other days."""

    sessions: int
    usual: Decimal


class StatedCost(NamedTuple):
    """US dollars that sources stated up to a day, and the list price of the same usage."""

    last: date
    stated_usd: Decimal
    list_usd: Decimal


class OwnDay(NamedTuple):
    """One person's day: what it cost, by model, and what is usual for them (None while too little is known).

    ``kind`` is the kind of token that made the largest part of the cost, with its dollars; ``saving`` is what would
    have made the day cheaper the most. Both are worked out at list price, and scaled to what was paid for what has one.
    ``zone`` is whose day it is. ``sessions`` are said where they are many more than usual.
    """

    person: Person
    day: date
    amount: Amount
    models: list[ModelSpend]
    usual_usd: Decimal | None
    usual_days: int
    kind: tuple[str, Decimal] | None = None
    saving: Saving | None = None
    zone: str = "UTC"
    sessions: Burst | None = None


class OwnSpend(NamedTuple):
    """What a person sees of their own spend: their newest day with usage, and the month that it lies in."""

    latest: OwnDay
    month: Amount
    month_days: int
    limit_usd: Decimal


class OwnPeriod(NamedTuple):
    """What a person sees of a period of their own: the total, and each active day, oldest first, in a zone.

    ``known_to`` is the newest day of which anybody's usage is known.
    """

    period: Period
    amount: Amount
    days: list[tuple[date, Amount]]
    zone: str
    known_to: date | None


class Explanation(NamedTuple):
    """A person's day: what each source says, which one is taken, and the rows: source, name, quantity, cost."""

    person: Person
    day: date
    taken: str | None
    sources: dict[str, Amount]
    details: list[tuple[str, str, Quantity, Amount]]
    zone: str = "UTC"
    """Whose day it is, for the source that speaks."""

    totals: tuple[PersonTotal, ...] = ()
    """What is said of several days together, in which the day lies."""

    is_counted: bool = True
    """False of an organization's day of which people's usage is known."""


def expected_key(day: date, team: str | None) -> str:
    """The setting that says that a day which stood out was expected, of a team or of everybody."""
    return f"expected:{team or ''}:{day}"


def _written_for_an_hour(quantity: Quantity) -> Quantity:
    used = quantity.usage
    written = used.cache_write_5m + used.cache_write_1h
    return quantity._replace(usage=used._replace(cache_write_5m=0, cache_write_1h=written))


class Ledger:
    """Answers for one workspace, by the policy that holds at the moment of asking."""

    def __init__(self, database: Database, book: PriceBook, policy: Callable[[], Policy]) -> None:
        self.database = database
        self.book = book
        self.policy = policy

    @property
    def zone(self) -> ZoneInfo:
        """Whose days spend days are."""
        return self.policy().timezone

    @property
    def limit_usd(self) -> Decimal:
        """The daily limit of people without their own."""
        return self.policy().limit_usd

    @property
    def calendar(self) -> WorkCalendar:
        """The working days."""
        return self.policy().calendar

    def spend(self, start: date | None, end: date | None, by: Iterable[str]) -> SpendReport:
        """Spend from ``start`` (inclusive) to ``end`` (exclusive), of all that is stored where None, in groups.

        Totals of several days count where they lie in the period as a whole and are fuller than the person's days.
        """
        stored = stored_everything(self.database)
        if stored is None and (start is None or end is None):
            return SpendReport(None, Amount(), [])
        period = (
            Period(start or stored.start, end or stored.end) if stored else Period(start or date.min, end or date.max)
        )
        if period.start >= period.end:
            return SpendReport(None, Amount(), [])
        groups = list(by)
        found: dict[tuple[str, ...], Amount] = defaultdict(Amount)
        undated = ZERO
        fuller = fuller_ranges(self.database, period)
        # Who used it and where that is known from does not matter to every group.
        is_by_person = bool({"person", "source"}.intersection(groups))
        dated = (
            self._by_person(period, fuller, by_day="day" in groups) if is_by_person else self._by_day(period, fuller)
        )
        for when, person, source, quantity, is_undated in [*dated, *self._undated(fuller)]:
            cost = amount(quantity, self.book)
            values = {
                "person": person,
                "day": when,
                "model": model_id(quantity.model, quantity.day, self.book),
                "source": source_reader(source),
            }
            group = tuple(values[name] for name in groups)
            found[group] = found[group].plus(cost)
            undated += cost.usd if is_undated else ZERO
        whole = reduce(Amount.plus, found.values(), Amount())
        rows = [SpendRow(group, found[group]) for group in sorted(found)]
        others, across = tuple(vendor_spend(self.database, period)), total_across(self.database, period, fuller)
        return SpendReport(period, whole, rows, undated, others, across, self._beyond(period, fuller))

    def _beyond(
        self, period: Period, fuller: Collection[FullerRange] = (), *, is_same_zone: bool = False
    ) -> Beyond | None:
        """What reports of the organization say over what counts in their place, where that is over TOLERANCE of it.

        Of all days together: theirs and people's may begin at different hours, if not ``is_same_zone``. Totals of
        people may count in the place of its days as well.
        """
        said, known, days = ZERO, ZERO, []
        found = set_aside(self.database, period)
        used: dict[date, list[Quantity]] = defaultdict(list)
        for quantity in quantities(self.database, period) if found else ():
            used[quantity.day].append(quantity)
        for day, (sources, gateways_usd) in found.items():
            zone = self.zone_of(day) if is_same_zone else ""
            comparable = [name for name in sources if not zone or self._zone_of([name]) == zone]
            if comparable:
                said += max(total(sources[name], self.book).usd for name in comparable)
                people = total(used[day], self.book)
                # Neither what seats cover nor what gateways bill is in an organization's reports.
                known += people.usd - people.covered_usd - gateways_usd
                days.append(day)
        replaced = {one.of.start: -one.more_usd for one in fuller if not one.parts}
        said += sum(replaced.values(), ZERO)
        totals = (one for one in fuller if one.parts and any(one.of.start <= day < one.of.until for day in replaced))
        known += sum((one.more_usd for one in totals), ZERO)
        days += replaced
        more = said - known
        return Beyond(more, sorted(days)) if more > max(ROUNDED_USD, TOLERANCE * known) else None

    def _by_day(self, period: Period, fuller: list[FullerRange]) -> list[Told]:
        """What everybody used together, day by day, without the days that totals stand for."""
        used = self._instead(quantities(self.database, period), fuller, ())
        return [(one.day.isoformat(), "", "", one, False) for one in used]

    def _by_person(self, period: Period, fuller: list[FullerRange], *, by_day: bool) -> list[Told]:
        """The same of each person and source. Without ``by_day`` days of the same prices add up where they can."""
        instead: dict[int, list[RangeOf]] = defaultdict(list)
        for one in fuller:
            if one.days:
                instead[one.of.person_id].append(one.of)
        if by_day:
            found = shares(self.database, period)
        else:
            ends = [*self.book.changes(*period), period.end]
            parts = map(Period, [period.start, *ends[:-1]], ends)
            summed = (share for part in parts for share in shares(self.database, part, by_day=False))
            found = [share for share in summed if share.person_id not in instead]
            found += shares(self.database, period, instead.keys()) if instead else []
        return [
            (share.quantity.day.isoformat(), share.person, share.source, share.quantity, False)
            for share in found
            if not any(of.start <= share.quantity.day < of.until for of in instead.get(share.person_id, ()))
        ]

    def _undated(self, fuller: list[FullerRange]) -> list[Told]:
        """What the totals of several days say that stand in the place of days."""
        found = range_shares(self.database, [part for one in fuller for part in one.parts], self.book)
        labels = people_labels(self.database, {share.of.person_id for share in found})
        return [
            (f"{of.start}/{of.until - ONE_DAY}", labels[of.person_id], of.source, quantity, True)
            for of, quantity in found
        ]

    def digest(
        self,
        day: date,
        now: datetime | None = None,
        *,
        start: date | None = None,
        edition: str = DAILY,
        team: Team | None = None,
    ) -> DigestFacts:
        """The facts of a digest of the days from ``start`` to ``day``, of a team or of everybody.

        With ``now``, also which sources have fallen silent by then. All figures are of one moment.
        """
        policy = self.policy()
        with self.database.read():
            return self._digest(policy, day, now, start or day, edition, team)

    def _digest(
        self, policy: Policy, day: date, now: datetime | None, first: date, edition: str, team: Team | None
    ) -> DigestFacts:
        limit_usd = policy.limit_usd if team is None or team.limit_usd is None else team.limit_usd
        period = needed_period(first, day, edition)
        members = None if team is None else members_of_team(self.database, team.id)
        used = quantities(self.database, period) if members is None else quantities_of(self.database, period, members)
        unused = set(period.days).difference(quantity.day for quantity in used)
        covered = Period(first, day + ONE_DAY).days
        untold = covered if unused.issuperset(covered) else []
        reported = self._reported([*filter(policy.calendar.is_working, unused), *untold])
        people = self._people(policy, Period(first, day + ONE_DAY), limit_usd, members)
        unheard = {when for when in unused.intersection(covered) if policy.calendar.is_working(when)} - reported
        if unheard and not any(self._is_told_by_source().values()):
            unheard = set()  # of a day without usage nothing is ever heard then
        usual = [when for when in reversed(period.days) if when < first and when not in unused]
        usual = [when for when in usual if policy.calendar.is_working(when)][:AWAITED_DAYS]
        freshness = self._freshness(covered, set(covered) - unused, unheard, usual, now, members)

        def facts_of(used: Iterable[Quantity], people: PeopleCount, expected: Collection[date] = ()) -> DigestFacts:
            return digest_facts(
                day=day,
                zone=policy.timezone.key,
                quantities=used,
                people=people,
                limit_usd=limit_usd,
                freshness=freshness,
                book=self.book,
                start=first,
                edition=edition,
                team=None if team is None else team.name,
                budget_usd=policy.budget_usd if team is None else team.budget_usd,
                calendar=policy.calendar,
                reported=reported,
                expected=expected,
            )

        facts = facts_of(used, people)
        if members is None:
            beyond = self._beyond(Period(first, day + ONE_DAY), is_same_zone=True)
            facts = facts._replace(beyond_usd=beyond.usd if beyond else ZERO)
        if untold and reported.issuperset(covered):
            facts = facts._replace(is_idle=True)
        if facts.anomaly is not None:
            expected = [when for when in covered if read_setting(self.database, expected_key(when, facts.team))]
            facts = facts_of(used, people, expected)._replace(beyond_usd=facts.beyond_usd) if expected else facts
        if members is not None or not has_ranges(self.database):
            return facts
        facts = facts._replace(has_totals=True)
        if edition == MONTHLY:
            # A month is told with what is known of it as a whole alone, and compared with such a one.
            for month in (Period((first - ONE_DAY).replace(day=1), first), Period(first, day + ONE_DAY)):
                fuller = fuller_ranges(self.database, month)
                if fuller:
                    used = self._instead(used, fuller, (told[3] for told in self._undated(fuller)))
                    people = people if month.end == first else self._counted(people, month, fuller)
            told = facts_of(used, people)
            is_idle = facts.is_idle and told.amount is None
            if told.freshness is not None:
                known = [Period(one.of.start, one.of.until).days for one in fuller]
                missing = tuple(when for when in told.freshness.missing if not any(when in days for days in known))
                told = told._replace(freshness=told.freshness._replace(missing=missing))
            return told._replace(trend=facts.trend, has_totals=True, is_idle=is_idle, beyond_usd=facts.beyond_usd)
        fuller = fuller_ranges(self.database, month_to_date(day))
        if not fuller:
            return facts
        whole = facts.month_usd + sum((one.more_usd for one in fuller), ZERO)
        return facts._replace(month_usd=whole, month=facts.month._replace(usd=whole, forecast=None))

    def _instead(self, used: list[Quantity], fuller: list[FullerRange], totals: Iterable[Quantity]) -> list[Quantity]:
        """What was used with these totals in the place of the days that they say more than."""
        if not fuller:
            return used
        found: dict[tuple[Any, ...], Quantity] = {}

        def add(quantity: Quantity, times: int = 1) -> None:
            *line, usage, usd = quantity
            key = (*line, usd is None)
            before = found[key] if key in found else quantity._replace(usage=TokenUsage(), reported_usd=usd and ZERO)
            whole = usd if before.reported_usd is None or usd is None else before.reported_usd + times * usd
            found[key] = before._replace(usage=before.usage.plus(usage.times(times)), reported_usd=whole)

        for quantity in used:
            add(quantity)
        known: dict[Period, list[int]] = defaultdict(list)
        for one in fuller:
            if one.days:
                known[Period(one.of.start, one.of.until)].append(one.of.person_id)
        for period, people_ids in known.items():
            for some in batches(people_ids, PEOPLE_AT_ONCE):
                for quantity in quantities_of(self.database, period, some):
                    add(quantity, -1)
        for quantity in totals:
            add(quantity)
        return [found[key] for key in sorted(found) if any(found[key].usage) or found[key].reported_usd]

    def _counted(self, by_day: PeopleCount, period: Period, fuller: list[FullerRange]) -> PeopleCount:
        """The same count with those people of whom totals of several days alone are known."""
        more_usd: dict[int, Decimal] = defaultdict(lambda: ZERO)
        for one in fuller:
            more_usd[one.of.person_id] += one.more_usd
        without_days = more_usd.keys() - active_people(self.database, period)
        nameless = nameless_people(self.database)
        nobody = {who for who in more_usd if nameless.get(who) is False}
        covered = Counter(one.of.person_id for one in fuller if not one.parts)
        gone = [who for who, days in covered.items() if days == len(person_history(self.database, who, period))]
        return by_day._replace(
            active=by_day.active + len(without_days - nameless.keys()),
            unassigned_usd=by_day.unassigned_usd + sum((more_usd[person_id] for person_id in nobody), ZERO),
            unassigned_actors=by_day.unassigned_actors + len(without_days & nobody) - len(gone),
        )

    def tells_too_much(self, team: Team, fewest: int = MIN_TEAM) -> bool:
        """Whether a team's total would tell what its people spent, where names are not to be said."""
        return not self.policy().names and is_too_small(self.database, team, fewest)

    def alerts(self, day: date) -> list[Alert]:
        """Who reached which step of their limit on a day, the largest spend first; unassigned spenders included.

        What is known of an organization or a gateway alone is nobody's day.
        """
        found, nobody = [], not_people(self.database)
        for entry in people_on(self.database, day):
            if entry.person.id in nobody:
                continue
            limit = self.limit_of(entry.person)
            step = step_reached(entry.usd, limit)
            if step is not None:
                found.append(Alert(entry.person.label, entry.usd, limit, step))
        return found

    def own_day(self, person: Person, day: date) -> OwnDay:
        """What a person spent on a day, and what is usual for them."""
        models: dict[str, Decimal] = defaultdict(lambda: ZERO)
        whole, paid = Amount(), ZERO
        found = shares(self.database, Period(day, day + ONE_DAY), [person.id])
        used = [share.quantity for share in found]
        for quantity in used:
            cost = amount(quantity, self.book)
            whole = whole.plus(cost)
            paid += cost.usd if cost.list_usd else ZERO
            if not (cost.unpriced_tokens or cost.unpriced_searches):
                models[model_name(quantity.model, day, self.book)] += cost.usd
        history = person_history(self.database, person.id, Period(day - HISTORY, day))
        usual = [entry.usd for entry in history if entry.usd]
        scale = paid / whole.list_usd if whole.list_usd else ZERO
        kind, saving = largest_kind(used, self.book), best_saving(used, self.book)
        return OwnDay(
            person,
            day,
            whole,
            sorted((ModelSpend(name, usd) for name, usd in models.items()), key=lambda model: -model.usd),
            median(usual) if len(usual) >= MIN_USUAL_DAYS else None,
            len(usual),
            (kind[0], kind[1] * scale) if kind else None,
            Saving(saving.what, saving.usd * scale) if saving else None,
            self._zone_of({share.source for share in found}),
            self._burst(person, day),
        )

    def _burst(self, person: Person, day: date) -> Burst | None:
        counts = session_history(self.database, person.id, Period(day - HISTORY, day + ONE_DAY))
        today = counts.pop(day, 0)
        usual = Decimal(median(counts.values())) if len(counts) >= MIN_USUAL_DAYS else None
        is_burst = usual is not None and today >= BURST_TIMES * usual and today >= usual + BURST_SESSIONS
        return Burst(today, usual) if usual is not None and is_burst else None

    def own_spend(self, email: str, today: date) -> OwnSpend | None:
        """A person's own spend up to and including ``today``; None if nothing is known of them."""
        person = person_by_email(self.database, email)
        history = person_history(self.database, person.id, Period(today - HISTORY, today + ONE_DAY)) if person else []
        if person is None or not history:
            return None
        latest = history[-1].day
        month = self._own_period(person, month_to_date(latest))
        return OwnSpend(self.own_day(person, latest), month.amount, len(month.days), self.limit_of(person))

    def own_period(self, email: str, period: Period) -> OwnPeriod | None:
        """A person's own active days of a period; None if nothing is known of them."""
        person = person_by_email(self.database, email)
        return None if person is None else self._own_period(person, period)

    def _own_period(self, person: Person, period: Period) -> OwnPeriod:
        found = shares(self.database, period, [person.id])
        days: dict[date, Amount] = defaultdict(Amount)
        for share in found:
            days[share.quantity.day] = days[share.quantity.day].plus(amount(share.quantity, self.book))
        whole = reduce(Amount.plus, days.values(), Amount())
        known, zone = stored_period(self.database), self._zone_of({share.source for share in found})
        return OwnPeriod(period, whole, sorted(days.items()), zone, None if known is None else known.end - ONE_DAY)

    def own_comparison(self, email: str, period: Period) -> Comparison | None:
        """What a person's own usage of a period would have cost on other models; None if nothing is known of them."""
        person = person_by_email(self.database, email)
        if person is None:
            return None
        used = [share.quantity for share in shares(self.database, period, [person.id])]
        return compared(used, self.book, period.end - ONE_DAY)

    def explain(self, name: str, day: date) -> Explanation | None:
        """Where a person's figure of a day comes from; None if nobody has that address or name.

        Raises AmbiguousName where several have it.
        """
        person = person_by_email(self.database, name) or person_by_name(self.database, name)
        if person is None:
            return None
        found: dict[tuple[str, str], list[Quantity]] = defaultdict(list)
        for source, actor, quantity in day_details(self.database, person.id, day):
            if any(quantity.usage) or quantity.reported_usd:  # sources list whoever only opened a session as well
                found[source, actor].append(quantity)
        sources: dict[str, Amount] = defaultdict(Amount)
        for (source, _), of in found.items():
            sources[source] = sources[source].plus(total(of, self.book))
        details = [
            (source, actor, quantity, amount(quantity, self.book))
            for (source, actor), of in sorted(found.items())
            for quantity in of
        ]
        taken = fullest(SourceDay(s, a.usage.tokens, a.usd) for s, a in sources.items()).source if sources else None
        totals = tuple(totals_around(self.database, person.id, day))
        is_counted = taken is None or bool(person_history(self.database, person.id, Period(day, day + ONE_DAY)))
        zone = self._zone_of([taken or ""])
        return Explanation(person, day, taken, dict(sources), details, zone, totals, is_counted)

    def zone_of(self, day: date) -> str:
        """Whose day it is, for the sources that speak for somebody's."""
        return self._zone_of(one.source for one in day_sources(self.database, day, RECEIVED))

    def _zone_of(self, speaking: Iterable[str]) -> str:
        """Whose days the figures of some sources are."""
        return "UTC" if any(map(has_utc_days, speaking)) else self.zone.key

    def what(self, delivery: Delivery) -> str:
        """What a message is, for admins; of an alert without its step, which would say how much somebody spent."""
        if delivery.kind == deliveries.NOTICE:
            about = delivery.key.removeprefix(f"{deliveries.NOTICE}:").removesuffix(f":{delivery.target}")
            return f"notice to {delivery.target} of {delivery.day} ({about})"
        if delivery.kind != deliveries.ALERT:
            return f"digest of {delivery.day} ({delivery.key})"
        person = person_by_id(self.database, int(delivery.target))
        return f"alert for {person.label} of {delivery.day}" if person else f"alert of {delivery.day}"

    def looks_at(self, person: Person) -> list[Look]:
        """The last looks of others at a person's figures, on the clock of the installation."""
        found = looks_at(self.database, person.id)
        return [look._replace(at=look.at.astimezone(self.zone)) for look in found]

    def alert_steps(self, person: Person, day: date) -> set[int]:
        """The steps of a day that a person was, or is about to be, told of."""
        with self.database.read() as connection:
            return deliveries.alert_steps(connection, self.database.workspace_id, person.id, day)

    def limit_of(self, person: Person) -> Decimal:
        """The daily limit in force for a person."""
        return person.limit_usd if person.limit_usd is not None else self.limit_usd

    def _people(self, policy: Policy, period: Period, limit_usd: Decimal, members: set[int] | None) -> PeopleCount:
        """Counts of a period, with names where the policy lets them be said."""
        told = deliveries.told_people(self.database, period)
        count = PeopleCount(*headcount(self.database, period, limit_usd, members, told))
        if not policy.names:
            return count
        return count._replace(named=tuple(over_limit(self.database, period, limit_usd, members, MIN_GROUP)))

    def _freshness(
        self,
        covered: list[date],
        used: Collection[date],
        unheard: Collection[date],
        usual: Collection[date],
        now: datetime | None,
        members: set[int] | None,
    ) -> Freshness | None:
        """How current the sources of some days are; of all sources, where the days have none.

        ``unheard`` are working days of which no source spoke: those after all that is known are still to come, and
        others are told as missing, unless usage of somebody else is known of them. ``usual`` are the last working days
        with usage before these.
        """
        period, zone = stored_period(self.database), self.zone.key
        arrivals = [(day, one) for day in covered if day in used for one in self._arrivals(day, members)]
        newest = None if arrivals else last_import(self.database)
        if newest is not None:
            utc_days = has_utc_days(newest.source)
            arrivals = [(covered[-1], Arrival(newest.source, newest.imported_at, utc_days=utc_days))]
        last_day = period.end - ONE_DAY if period is not None else newest.last_day if newest is not None else None
        if last_day is None or not arrivals:
            return None
        late = [(day, one) for day, one in arrivals if one.is_late(day, zone, now)]
        people: set[int] = set()
        if len(late) < len(arrivals):  # where nothing is all there, nobody need be counted to say so
            for day in {day for day, _ in late}:
                names = [one.source for when, one in late if when == day]
                theirs = people_of_sources(self.database, day, names, members)
                people |= theirs
                usd = usd_by_source(self.database, [day], members)
                if not theirs and sum(usd.get(name, ZERO) for name in names) < AWAITED_SHARE * sum(usd.values()):
                    late = [one for one in late if one[0] != day]  # as of a single key, which somebody exports weekly
        missing = [day for day in unheard if day <= last_day and not day_sources(self.database, day, RECEIVED)]
        silent = [one for one in self.silent_sources(now) if not one.is_given_up(now)] if now else []
        silent.sort(key=lambda one: (knows_everybody(one.name), one.last_at), reverse=True)
        return Freshness(
            last_day,
            min(one.at for _, one in late) if late else max(one.at for _, one in arrivals),
            any(one.utc_days for _, one in arrivals),
            tuple((source_title(one.name), one.last_at) for one in silent),
            is_partial=bool(late) or any(day > last_day for day in unheard),
            late_people=len(people),
            missing=tuple(sorted(missing)),
            awaited=self._awaited(arrivals, usual, members) if usual and newest is None else (),
        )

    def _awaited(
        self, arrivals: Iterable[tuple[date, Arrival]], usual: Collection[date], members: set[int] | None
    ) -> tuple[str, ...]:
        """What people call the sources that know everybody and have told nothing of one of the ``arrivals``' days yet.

        Those count that told AWAITED_SHARE of ``usual`` days, of people of whom nothing else is known on such a day.
        """
        told: dict[date, set[str]] = defaultdict(set)
        for day, one in arrivals:
            told[day].add(source_reader(one.source))
        names = [name for name in day_source_names(self.database) if knows_everybody(name)]
        readers, found = set(map(source_reader, names)), set[str]()
        is_working = self.policy().calendar.is_working
        for day in [day for day, spoke in told.items() if readers - spoke and is_working(day)]:
            silent = readers - told[day] - self._spoke_of(day, min(usual))
            if not silent:
                continue
            usd: dict[str, Decimal] = defaultdict(lambda: ZERO)
            for name, some in usd_by_source(self.database, usual, members, absent=day).items():
                usd[source_reader(name)] += some
            least = AWAITED_SHARE * sum(usd_by_source(self.database, usual, members).values())
            found |= {reader for reader in silent if usd[reader] and usd[reader] >= least}
        return tuple(sorted(map(source_title, found)))

    def _spoke_of(self, day: date, since: date) -> set[str]:
        """The readers of what brought a day once it was over, on the clock that its source knows.

        An export of several days that goes back to before ``day``, and has usage on or after ``since``, also speaks of
        the days after its last usage, up to when it came.
        """
        found = set()
        for one in import_spans(self.database, since, day):
            zone = ZoneInfo("UTC") if has_utc_days(one.source) else self.zone
            is_of_day = one.last_day >= day or one.last_day > one.first_day
            if one.first_day <= day and is_of_day and one.imported_at >= due_at(day + ONE_DAY, time(0), zone):
                found.add(source_reader(one.source))
        return found

    def stated_beside_list(self, today: date) -> StatedCost | None:
        """What sources stated for the last COMPARED_DAYS, where list prices differ by more than TOLERANCE of them."""
        stored = stored_period(self.database)
        if stored is None:
            return None
        last = min(today, stored.end - ONE_DAY)
        used = quantities(self.database, Period(last - COMPARED_DAYS + ONE_DAY, last + ONE_DAY))
        stated = [amount(quantity, self.book) for quantity in used if quantity.reported_usd is not None]
        both = reduce(Amount.plus, (one for one in stated if one.list_usd), Amount())
        # Sources that do not tell how long cache writes last are priced as if all of them lasted five minutes.
        most = sum((amount(_written_for_an_hour(one), self.book).list_usd for one in used if one.reported_usd), ZERO)
        is_close = (1 - TOLERANCE) * both.list_usd <= both.reported_usd <= (1 + TOLERANCE) * max(both.list_usd, most)
        return None if is_close else StatedCost(last, both.reported_usd, both.list_usd)

    def silent_sources(self, now: datetime) -> list[SilentSource]:
        """Sources that have brought nothing for longer than is usual on working days."""
        policy = self.policy()
        return silent_sources(
            self.database,
            now,
            lambda start, end: policy.calendar.working_time(start, end, policy.timezone),
            source_reader,
        )

    def _reported(self, days: Collection[date]) -> set[date]:
        """Those of some days that a source which knows everybody spoke for once they were over, or the only person's.

        A day on which it told no usage is then one on which nobody used anything.
        """
        if not days:
            return set()
        is_told = self._is_told_by_source()
        zones = {name: UTC if has_utc_days(name) else self.zone for name in is_told}
        spans = [
            (one.first_day, min(one.last_day, one.imported_at.astimezone(zones[one.source]).date() - ONE_DAY))
            for one in import_spans(self.database, min(days), max(days))
            if is_told[one.source]
        ]
        return {day for day in days if any(first <= day <= last for first, last in spans)}

    def _is_told_by_source(self) -> dict[str, bool]:
        """Of each source that knows days, whether it also tells of days without usage."""
        found = {name: knows_everybody(name) for name in day_source_names(self.database)}
        is_alone = not any(found.values()) and is_one_person(self.database)
        return {name: knows_claude(name) for name in found} if is_alone else found

    def _arrivals(self, day: date, members: set[int] | None) -> list[Arrival]:
        """When the sources that speak for somebody's day last brought it."""
        found = []
        for one in day_sources(self.database, day, RECEIVED, members):
            at = one.last_at if one.source in CONTINUOUS else one.of_day_at
            if at is not None:
                lag = LAGS.get(source_reader(one.source), timedelta(0))
                found.append(Arrival(one.source, at, has_utc_days(one.source), one.is_received, lag))
        return found
