"""Totals of several days, of sources that know no days: whose they are, and which of them say more than the days."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from bot.pricing import PriceBook, TokenUsage
from bot.pricing.cost import UNITS_PER_NANO, units
from bot.spend.amounts import Quantity
from bot.spend.days import ONE_DAY, Period
from bot.spend.precedence import ROUNDED_USD, SourceDay, fullest
from bot.spend.records import GATEWAY, ORGANIZATION, SESSION
from bot.store.bulk import Row, insert_rows, run_in, run_sql, select_in, select_rows
from bot.store.columns import COUNTS, PERSON_RANGES
from bot.store.connection import Connection
from bot.store.database import Database
from bot.store.quantities import lines_by_id
from bot.store.rollups import MANY_PEOPLE, Rollups
from bot.store.settings import read_setting_in, write_setting_in
from bot.store.values import day_number, from_nano, number_day

KEPT_FROM = "kept_from"
"""The name under which the database keeps the first day, as YYYYMMDD, whose usage was not deleted for its age."""

_FAR = day_number(date.max)
_Total = TypeVar("_Total")


class Span(NamedTuple):
    """The days that totals of a source are of, as YYYYMMDD: from ``start`` to before ``until``."""

    until: int
    start: int
    source_id: int

    def holds(self, day: int) -> bool:
        return self.start <= day < self.until


def tells_days(source: str) -> bool:
    """Whether successive totals of a source that start on the same day are told apart into days."""
    return not source.startswith(_GOING_ON) and not source.endswith(f"_{SESSION}")


_GOING_ON = ("console_claude_code_csv", "spend_limits", "ccusage")
"""Sources whose last day may go on: what a later total of theirs says more was not used on the days after it alone."""


class RangeOf(NamedTuple):
    """Whose total of several days it is, from ``start`` to before ``until``, and which source says it."""

    person_id: int
    start: date
    until: date
    source: str


class FullerRange(NamedTuple):
    """A total of several days that says more than the person's ``days`` within them, by ``more_usd``.

    Of a day and of the total fractions of a nanodollar are cut off. ``parts`` are the stored totals that it is the sum
    of: one, or several of single sessions that lasted over different days; none where nothing takes the days' place.
    """

    of: RangeOf
    more_usd: Decimal
    days: int
    parts: tuple[RangeOf, ...]


class PersonTotal(NamedTuple):
    """What a source says of a person's days from ``start`` to before ``until`` together, in US dollars.

    ``is_fuller`` says that this is more than what is known of the days themselves.
    """

    source: str
    start: date
    until: date
    usd: Decimal
    is_fuller: bool


class RangeShare(NamedTuple):
    """What one person used in several days together, of one line; the quantity stands under the first with a price."""

    of: RangeOf
    quantity: Quantity


def has_ranges(database: Database, period: Period | None = None) -> bool:
    """Whether a total of several days is known, or one that lies within a period."""
    with database.read() as connection:
        if period is None:
            return bool(select_rows(connection, _ANY, [database.workspace_id]))
        return bool(_within(connection, database.workspace_id, period))


def total_across(database: Database, period: Period, fuller: Collection[FullerRange]) -> Period | None:
    """The days of some person's total that lies only in part within a period and says more than what is counted there.

    ``fuller`` are the totals that count in it: where one of the person's overlaps, most of it is told already.
    """
    mine, (start, end) = database.workspace_id, map(day_number, period)
    told: dict[int, list[RangeOf]] = defaultdict(list)
    for one in fuller:
        told[one.of.person_id].append(one.of)
    with database.read() as connection:
        nobody = {row[0] for row in select_rows(connection, _NOBODY, (mine, ORGANIZATION, GATEWAY))}
        for span in _spans(connection, mine, start):
            if span.start >= end or (span.start >= start and span.until <= end):
                continue
            first, after = number_day(span.start), number_day(span.until)
            for person_id, *_ in select_rows(connection, _FULLER, (mine, *span)):
                is_told = any(of.start < after and first < of.until for of in told[person_id])
                if person_id not in nobody and not is_told:
                    return Period(first, after)
    return None


def fuller_ranges(database: Database, period: Period) -> list[FullerRange]:
    """The totals within a period that say more than their people's days: of thousands of people in no time.

    Of a source's totals of a person that start on the same day the longest counts, of all that overlap those that
    together say most.
    The organization's count only where nobody else's usage is known, as its days do: those that lie within other
    people's totals are in the list as well, without parts.
    """
    mine = database.workspace_id
    with database.read() as connection:
        spans = _within(connection, mine, period)
        names: dict[int, str] = dict(select_in(connection, _NAMES, (), {span.source_id for span in spans}))
        chains: dict[tuple[int, int], list[Span]] = defaultdict(list)
        sessions: dict[int, list[Span]] = defaultdict(list)
        for span in spans:
            if names[span.source_id].endswith(f"_{SESSION}"):
                sessions[span.source_id].append(span)
            else:
                chains[span.start, span.source_id].append(span)
        found = [row for chain in chains.values() for row in _of_chain(connection, mine, chain, names)]
        found += [row for of in sessions.values() for row in _of_sessions(connection, mine, of, names)]
        fuller = [one.total for one in (_without_overlaps(found) if len(spans) > 1 else found)]
        return _beside_organization(connection, mine, period, fuller) if fuller else []


class _Sized(NamedTuple):
    """A total, its tokens, and how many of them are more than those of the person's days within it."""

    total: FullerRange
    tokens: int
    more_tokens: int


def _of_chain(
    connection: Connection, workspace_id: int, chain: list[Span], names: Mapping[int, str]
) -> Iterator[_Sized]:
    """The fuller totals of spans that begin on the same day, the shortest first: of each person the longest alone."""
    *shorter, longest = chain
    yield from (_sized(row, longest, names) for row in select_rows(connection, _FULLER, (workspace_id, *longest)))
    between = [longest]
    for span in reversed(shorter):
        values = (workspace_id, *span, workspace_id, *longest)
        rows = select_rows(connection, f"{_FULLER} AND person_id NOT IN ({_PERSONS})", values)
        later = _persons_of(connection, workspace_id, between[1:], {row[0] for row in rows})
        yield from (_sized(row, span, names) for row in rows if row[0] not in later)
        between.append(span)


def _persons_of(connection: Connection, workspace_id: int, spans: list[Span], people_ids: set[int]) -> set[int]:
    """Those of some people of whom a total of one of these spans is known."""
    found: set[int] = set()
    for span in spans if people_ids else ():
        rows = select_in(connection, f"{_PERSONS} AND person_id IN", (workspace_id, *span), sorted(people_ids))
        found |= {row[0] for row in rows}
    return found


def _of_sessions(
    connection: Connection, workspace_id: int, spans: list[Span], names: Mapping[int, str]
) -> Iterator[_Sized]:
    """The fuller sums of single sessions, each of which stands in one span alone: those that overlap are one total."""
    of_people: dict[int, list[tuple[Span, Row]]] = defaultdict(list)
    for span in spans:
        for person_id, *size in select_rows(connection, _SIZES, (workspace_id, *span)):
            of_people[person_id].append((span, tuple(size)))
    for person_id, said in of_people.items():
        for parts in _overlapping(said, lambda one: (one[0].start, one[0].until)):
            start, until = min(span.start for span, _ in parts), max(span.until for span, _ in parts)
            whole = Span(until, start, parts[0][0].source_id)
            tokens, usd = sum(size[0] for _, size in parts), sum(size[1] for _, size in parts)
            day_tokens, day_usd, days = parts[0][1][2:]
            if len(parts) > 1:
                totals = _day_totals(connection, workspace_id, whole, [person_id])
                day_tokens, day_usd, days = totals.get(person_id, (0, 0, 0))
            if _says_more(names[whole.source_id], tokens, usd, (day_tokens, day_usd, days)):
                one = _sized((person_id, tokens, usd, days, day_tokens, day_usd), whole, names)
                sessions = tuple(_range_of(person_id, span, names) for span, _ in parts)
                yield one._replace(total=one.total._replace(parts=sessions))


def _overlapping(totals: Iterable[_Total], span_of: Callable[[_Total], tuple[Any, Any]]) -> list[list[_Total]]:
    """Totals of a person, by their first days and those after their last, in groups of which none overlaps another."""
    groups: list[list[_Total]] = []
    end: Any = None
    for one in sorted(totals, key=lambda one: span_of(one)[0]):
        start, until = span_of(one)
        if groups and start < end:
            groups[-1].append(one)
            end = max(end, until)
        else:
            groups.append([one])
            end = until
    return groups


def _sized(row: Row, span: Span, names: Mapping[int, str]) -> _Sized:
    person_id, tokens, usd, days, day_tokens, day_usd = row
    of = _range_of(person_id, span, names)
    return _Sized(FullerRange(of, from_nano(usd - day_usd), days, (of,)), tokens, tokens - day_tokens)


def _range_of(person_id: int, span: Span, names: Mapping[int, str]) -> RangeOf:
    return RangeOf(person_id, number_day(span.start), number_day(span.until), names[span.source_id])


def _without_overlaps(found: list[_Sized]) -> list[_Sized]:
    """Of each person's totals those whose days do not overlap and that together say most."""
    of_people: dict[int, list[_Sized]] = defaultdict(list)
    for one in found:
        of_people[one.total.of.person_id].append(one)
    groups = (group for mine in of_people.values() for group in _overlapping(mine, _days_of))
    return [one for group in groups for one in (_fullest_apart(group) if len(group) > 1 else group)]


def _days_of(one: _Sized) -> tuple[date, date]:
    return one.total.of.start, one.total.of.until


def _fullest_apart(totals: list[_Sized]) -> list[_Sized]:
    """Those that say more tokens than the days and the other totals in their place, then dollars, then are fewer.

    Totals of dollars alone, and those in one group with them, compare by dollars: as of a day, by more than rounding.
    """
    by_dollars = any(not one.tokens for one in totals)
    ordered = sorted(totals, key=lambda one: (one.total.of.until, one.total.of))
    ends = [one.total.of.until for one in ordered]
    # Of the first so many totals what the best choice comes to, and whether the last one is in it.
    best: list[tuple[tuple[Decimal, Decimal, int], bool]] = [((Decimal(0), Decimal(0), 0), False)]
    for place, (total, tokens, more_tokens) in enumerate(ordered):
        more = total.more_usd - (0 if tokens else ROUNDED_USD)
        first, second = (more, Decimal(more_tokens)) if by_dollars else (Decimal(more_tokens), more)
        (others_first, others_second, number), _ = best[bisect_right(ends, total.of.start, hi=place)]
        with_it = (others_first + first, others_second + second, number - 1)
        best.append((with_it, True) if with_it > best[place][0] else (best[place][0], False))
    chosen, place = [], len(ordered)
    while place:
        place -= 1
        if best[place + 1][1]:
            chosen.append(ordered[place])
            place = bisect_right(ends, ordered[place].total.of.start, hi=place)
    return chosen


def _beside_organization(
    connection: Connection, workspace_id: int, period: Period, fuller: list[FullerRange]
) -> list[FullerRange]:
    nobody = {row[0]: row[1] for row in select_rows(connection, _NOBODY, (workspace_id, ORGANIZATION, GATEWAY))}
    organization = [person_id for person_id, kind in nobody.items() if kind == ORGANIZATION]
    if not organization:
        return fuller
    theirs = [one.of for one in fuller if one.of.person_id not in nobody]

    def is_known(of: RangeOf) -> bool:
        within = (workspace_id, day_number(of.start), day_number(of.until))
        return any(of.start < one.until and one.start < of.until for one in theirs) or bool(
            select_rows(connection, _SOMEBODY.format(_places(nobody)), (*within, *nobody))
        )

    found = [one for one in fuller if one.of.person_id not in organization or not is_known(one.of)]
    within = (workspace_id, workspace_id, *map(day_number, period))
    for person_id, number, _, usd in select_in(connection, _DAYS_OF, within, organization):
        day = number_day(number)
        if any(one.start <= day < one.until for one in theirs):
            found.append(FullerRange(RangeOf(person_id, day, day + ONE_DAY, ""), -from_nano(usd), 1, ()))
    return found


def totals_around(database: Database, person_id: int, day: date) -> list[PersonTotal]:
    """The totals of several days of a person in which a day lies, the later ends last."""
    mine, number, found = database.workspace_id, day_number(day), []
    with database.read() as connection:
        names: dict[int, str] = dict(select_rows(connection, _SOURCES, (mine,)))
        for span in _spans(connection, mine, number):
            values = (mine, *span, person_id)
            for usd, is_fuller in select_rows(connection, _TOTAL_OF, values) if span.holds(number) else ():
                first, after = number_day(span.start), number_day(span.until)
                found.append(PersonTotal(names[span.source_id], first, after, from_nano(usd), bool(is_fuller)))
    return found


def range_shares(database: Database, ranges: Collection[RangeOf], book: PriceBook) -> list[RangeShare]:
    """What some totals of several days say, line by line, each under the first day on which it has a price."""
    mine, found = database.workspace_id, []
    of_spans: dict[tuple[str, date, date], dict[int, RangeOf]] = defaultdict(dict)
    for of in ranges:
        of_spans[of.source, of.start, of.until][of.person_id] = of
    with database.read() as connection:
        ids = {name: source_id for source_id, name in select_rows(connection, _SOURCES, (mine,))}
        for (name, start, until), of_people in sorted(of_spans.items()):
            rows = select_rows(connection, _TOTALS, (mine, day_number(until), day_number(start), ids[name]))
            lines = lines_by_id(connection, {row[1] for row in rows})
            found += [
                RangeShare(of_people[person_id], Quantity(day, *lines[line_id], TokenUsage(*counts), usd))
                for person_id, line_id, *counts, nano in rows
                if person_id in of_people and line_id in lines
                for usd in [None if nano is None else from_nano(nano)]
                for day in [book.first_priced(lines[line_id][0], start, until)]
            ]
    return found


def refresh_ranges(rollups: Rollups, said: Collection[Span] = (), people_ids: Collection[int] | None = None) -> None:
    """Bring the roll-up of totals up to date with those days that were rolled up anew, once all of them are.

    Of the spans in ``said`` the totals themselves have changed as well, of some people or of everybody.
    """
    for span in said:
        _write(rollups.connection, rollups.workspace_id, span, _said(rollups, span, people_ids), people_ids)
    is_done = set(said) if people_ids is None else set()
    for span in _spans(rollups.connection, rollups.workspace_id, min(rollups.changed, default=_FAR)):
        touched = [people for day, people in rollups.changed.items() if span.holds(day)]
        if touched and span not in is_done:
            of_days = None if None in touched else {one for people in touched for one in people or ()}
            _compare(rollups.connection, rollups.workspace_id, span, of_days)


def span_usd(connection: Connection, workspace_id: int, span: Span) -> Decimal:
    """What the totals of a span say of everybody, in US dollars, as it is rolled up at this moment."""
    ((usd,),) = select_rows(connection, _SPAN_USD, (workspace_id, *span))
    return from_nano(int(usd or 0))


def forget_ranges_before(connection: Connection, workspace_id: int, day: date) -> None:
    """Follow the deletion of totals, and of the days before ``day`` that lie within others."""
    before = int(read_setting_in(connection, workspace_id, KEPT_FROM) or 0)
    write_setting_in(connection, workspace_id, KEPT_FROM, str(max(before, day_number(day))))
    kept = set(every_span(connection, workspace_id))
    for span in _spans(connection, workspace_id, 0):
        if span not in kept:
            run_sql(connection, _DELETE, (workspace_id, *span))
        elif span.start < day_number(day):
            fuller = [row[0] for row in select_rows(connection, _FULLER, (workspace_id, *span))]
            _compare(connection, workspace_id, span, fuller)


def spans_of(rollups: Rollups, person_id: int) -> list[Span]:
    """The spans of which totals of a person's are rolled up."""
    connection, mine = rollups.connection, rollups.workspace_id
    return [span for span in _spans(connection, mine, 0) if select_rows(connection, _IS_OF, (mine, *span, person_id))]


def every_span(connection: Connection, workspace_id: int) -> list[Span]:
    """The spans of all totals that are stored, rolled up or not."""
    return [Span(*row) for row in select_rows(connection, _EVERY_SPAN, (workspace_id,))]


def _within(connection: Connection, workspace_id: int, period: Period) -> list[Span]:
    """The spans of totals that lie within a period, the later ends last."""
    start, end = map(day_number, period)
    return [span for span in _spans(connection, workspace_id, start, end) if span.start >= start]


def _spans(connection: Connection, workspace_id: int, after: int, to: int = _FAR) -> Iterator[Span]:
    """The spans that end after one day and up to another, looked up one by one: each has a row of every person."""
    span = Span(after, _FAR, 0)
    while found := select_rows(connection, _NEXT_SPAN, (workspace_id, *span, to)):
        span = Span(*found[0])
        yield span


def _said(rollups: Rollups, span: Span, people_ids: Collection[int] | None) -> list[Row]:
    """(person, tokens, nanodollars) of what the totals of a span say."""
    rows = list(_of_people(rollups.connection, _TOTALS, (rollups.workspace_id, *span), people_ids))
    prices = rollups.prices(span.start, {row[1] for row in rows}, span.until)
    tokens: dict[int, int] = defaultdict(int)
    spent: dict[int, int] = defaultdict(int)
    for person_id, line_id, *counts, reported in rows:
        if line_id not in prices:
            continue
        price = prices[line_id]
        tokens[person_id] += sum(counts[:5])
        if reported is not None:
            spent[person_id] += reported * UNITS_PER_NANO
        elif price is not None:
            spent[person_id] += units(counts, price)
    return [(person_id, count, spent[person_id] // UNITS_PER_NANO) for person_id, count in sorted(tokens.items())]


def _compare(connection: Connection, workspace_id: int, span: Span, people_ids: Collection[int] | None) -> None:
    """Compare what is rolled up of a span with what the same people's days come to now."""
    stored = sorted(_of_people(connection, _ROLLED_UP, (workspace_id, *span), people_ids))
    if stored:
        _write(connection, workspace_id, span, stored, people_ids)


def _write(
    connection: Connection, workspace_id: int, span: Span, said: list[Row], people_ids: Collection[int] | None
) -> None:
    """Replace what is rolled up of a span, of some people or of everybody.

    A total that said no more than all of its days says no more once some of them are not kept any longer.
    """
    fixed = (workspace_id, *span)
    no_more: dict[int, Row] = {}
    if span.start < int(read_setting_in(connection, workspace_id, KEPT_FROM) or 0):
        no_more = {row[0]: row[1:] for row in select_rows(connection, f"{_ROLLED_UP} AND NOT is_fuller", fixed)}
    if people_ids is None:
        run_sql(connection, _DELETE, fixed)
    else:
        run_in(connection, f"{_DELETE} AND person_id IN", fixed, sorted(people_ids))
    days = _day_totals(connection, workspace_id, span, [row[0] for row in said])
    ((_, name),) = select_in(connection, _NAMES, (), [span.source_id])
    # Of one day it is the day itself, or what a later total has left of it.
    is_told = tells_days(name) and number_day(span.start) + ONE_DAY == number_day(span.until)
    rows = []
    for person_id, tokens, usd in said:
        day_tokens, day_usd, count = days.get(person_id, (0, 0, 0))
        said_before = no_more.get(person_id, (-1, -1))
        is_fuller = not is_told and (tokens > said_before[0] or usd > said_before[1])
        is_fuller = is_fuller and _says_more(name, tokens, usd, (day_tokens, day_usd, count))
        rows.append((person_id, tokens, usd, count, day_tokens, day_usd, is_fuller))
    insert_rows(connection, PERSON_RANGES, rows, fixed)


def _says_more(source: str, tokens: int, usd: int, by_day: tuple[int, int, int]) -> bool:
    """Whether a total of so many tokens and nanodollars says more than the days, as ``_day_totals`` has them."""
    day_tokens, day_usd, count = by_day
    # Each day lacks less than a nanodollar: a total of the same usage says no more than its days.
    if tokens == day_tokens and day_usd <= usd <= day_usd + count:
        return False
    days = SourceDay("days", day_tokens, from_nano(day_usd))
    return fullest([days, SourceDay(source, tokens, from_nano(usd))]) is not days


def _day_totals(
    connection: Connection, workspace_id: int, span: Span, people_ids: list[int]
) -> dict[int, tuple[int, int, int]]:
    """What the days of a span come to by person: tokens, nanodollars and how many days they are."""
    within = (workspace_id, span.start, span.until)
    if len(people_ids) > MANY_PEOPLE:
        return {row[0]: (int(row[1]), int(row[2]), row[3]) for row in select_rows(connection, _DAY_TOTALS, within)}
    found: dict[int, tuple[int, int, int]] = {}
    for person_id, _, tokens, usd in select_in(connection, _DAYS_OF, (workspace_id, *within), people_ids):
        before = found.get(person_id, (0, 0, 0))
        found[person_id] = (before[0] + tokens, before[1] + usd, before[2] + 1)
    return found


def _of_people(connection: Connection, sql: str, fixed: Row, people_ids: Collection[int] | None) -> Iterable[Row]:
    if people_ids is None:
        return select_rows(connection, sql, fixed)
    return select_in(connection, f"{sql} AND person_id IN", fixed, sorted(people_ids))


def _places(values: Collection[int]) -> str:
    return ", ".join("?" * len(values))


_SPAN = "workspace_id = ? AND until = ? AND start = ? AND source_id = ?"
_ANY = "SELECT start FROM usage_ranges WHERE workspace_id = ? LIMIT 1"
_EVERY_SPAN = "SELECT DISTINCT until, start, source_id FROM usage_ranges WHERE workspace_id = ?"
_NEXT_SPAN = (
    "SELECT until, start, source_id FROM person_ranges WHERE workspace_id = ? "
    "AND (until, start, source_id) > (?, ?, ?) AND until <= ? ORDER BY until, start, source_id LIMIT 1"
)
_TOTAL_OF = f"SELECT usd, is_fuller FROM person_ranges WHERE {_SPAN} AND person_id = ?"  # noqa: S608
_SPAN_USD = f"SELECT SUM(usd) FROM person_ranges WHERE {_SPAN}"  # noqa: S608
_IS_OF = f"SELECT person_id FROM person_ranges WHERE {_SPAN} AND person_id = ?"  # noqa: S608
_SOURCES = "SELECT id, name FROM sources WHERE workspace_id = ?"
_NAMES = "SELECT id, name FROM sources WHERE id IN"
_FULLER = f"SELECT person_id, tokens, usd, days, day_tokens, day_usd FROM person_ranges WHERE {_SPAN} AND is_fuller"  # noqa: S608
_SIZES = f"SELECT person_id, tokens, usd, day_tokens, day_usd, days FROM person_ranges WHERE {_SPAN}"  # noqa: S608
_PERSONS = f"SELECT person_id FROM person_ranges WHERE {_SPAN}"  # noqa: S608
_NOBODY = "SELECT person_id, kind FROM actors WHERE workspace_id = ? AND kind IN (?, ?)"
_SOMEBODY = (
    "SELECT person_id FROM person_days WHERE workspace_id = ? AND day >= ? AND day < ? "
    "AND person_id NOT IN ({}) LIMIT 1"
)
_ROLLED_UP = f"SELECT person_id, tokens, usd FROM person_ranges WHERE {_SPAN}"  # noqa: S608
_DELETE = f"DELETE FROM person_ranges WHERE {_SPAN}"  # noqa: S608
_TOTALS = (
    f"SELECT person_id, line_id, {', '.join(COUNTS)}, reported_usd "  # noqa: S608
    "FROM usage_ranges JOIN actors ON actors.id = actor_id "
    "WHERE usage_ranges.workspace_id = ? AND until = ? AND start = ? AND source_id = ?"
)
_DAY_TOTALS = (
    "SELECT person_id, SUM(tokens), SUM(usd), COUNT(*) FROM person_days "
    "WHERE workspace_id = ? AND day >= ? AND day < ? GROUP BY person_id"
)
_DAYS_OF = (
    "SELECT person_id, day, tokens, usd FROM person_days WHERE workspace_id = ? AND day IN "
    "(SELECT day FROM model_days WHERE workspace_id = ? AND day >= ? AND day < ?) AND person_id IN"
)
