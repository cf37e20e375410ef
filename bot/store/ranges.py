"""Totals of several days, of sources that know no days: whose they are, and which of them say more than the days."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, select

from bot.pricing import TokenUsage
from bot.pricing.cost import UNITS_PER_NANO, units
from bot.spend.amounts import Quantity
from bot.spend.days import Period
from bot.spend.precedence import SourceDay, fullest
from bot.spend.records import ANTHROPIC
from bot.store.bulk import Row, insert_rows, run_in, run_sql, select_in, select_rows
from bot.store.database import Database
from bot.store.people import spender_label
from bot.store.quantities import COUNTS, LINE, lines_by_id, read_quantity, summed
from bot.store.rollups import MANY_PEOPLE, Rollups
from bot.store.tables import (
    actors,
    day_number,
    from_nano,
    number_day,
    people,
    person_ranges,
    sources,
    usage_lines,
    usage_ranges,
)

_FAR = day_number(date.max)


class Span(NamedTuple):
    """The days that totals of a source are of, as YYYYMMDD: from ``start`` to before ``until``."""

    until: int
    start: int
    source_id: int

    def holds(self, day: int) -> bool:
        return self.start <= day < self.until


class RangeOf(NamedTuple):
    """Whose total of several days it is, from ``start`` to before ``until``, and which source says it."""

    person_id: int
    start: date
    until: date
    source: str


class FullerRange(NamedTuple):
    """A total of several days that says more than the person's ``days`` within them, by ``more_usd``.

    Of a day and of the total fractions of a nanodollar are cut off.
    """

    of: RangeOf
    more_usd: Decimal
    days: int


class RangeShare(NamedTuple):
    """What one person used in several days together, of one line; the quantity stands under the first of them."""

    of: RangeOf
    person: str
    quantity: Quantity


def range_shares(database: Database, period: Period) -> list[RangeShare]:
    """Totals of several days that lie within a period. Of totals that start on the same day the longest alone."""
    table = usage_ranges.c
    longest = (
        select(table.source_id, table.start, func.max(table.until).label("until"))
        .where(table.workspace_id == database.workspace_id, table.start >= period.start, table.until <= period.end)
        .group_by(table.source_id, table.start)
        .subquery()
    )
    by = (table.start, table.until, people.c.id, people.c.email, people.c.name, sources.c.name, *LINE)
    query = (
        select(*by, *summed(usage_ranges))
        .join(actors, table.actor_id == actors.c.id)
        .join(people, actors.c.person_id == people.c.id)
        .join(sources, table.source_id == sources.c.id)
        .join(usage_lines, table.line_id == usage_lines.c.id)
        .join(
            longest,
            and_(
                longest.c.source_id == table.source_id,
                longest.c.start == table.start,
                longest.c.until == table.until,
            ),
        )
        .where(table.workspace_id == database.workspace_id, usage_lines.c.vendor == ANTHROPIC)
        .group_by(*by, table.reported_usd.is_not(None))
        .order_by(table.start, people.c.email, people.c.name, sources.c.name, *LINE)
    )
    with database.read() as connection:
        return [
            RangeShare(RangeOf(person_id, start, until, source), spender_label(email, name), read_quantity(start, rest))
            for start, until, person_id, email, name, source, *rest in connection.execute(query)
        ]


def has_ranges(database: Database, period: Period | None = None) -> bool:
    """Whether a total of several days is known, or one that lies within a period."""
    with database.read() as connection:
        if period is None:
            return bool(select_rows(connection, _ANY, [database.workspace_id]))
        return bool(_within(connection, database.workspace_id, period))


def fuller_ranges(database: Database, period: Period) -> list[FullerRange]:
    """The totals within a period that say more than their people's days: of thousands of people in no time.

    Of a source's totals that start on the same day the longest counts, of a person's that overlap the fullest.
    """
    mine = database.workspace_id
    with database.read() as connection:
        longest = {(span.start, span.source_id): span for span in _within(connection, mine, period)}
        names: dict[int, str] = dict(select_in(connection, _NAMES, (), {source_id for _, source_id in longest}))
        rows = []
        for span in longest.values():
            first = (names[span.source_id], number_day(span.start), number_day(span.until))
            rows += [(*row, *first) for row in select_rows(connection, _SIZES, (mine, *span))]
    if len(longest) > 1:
        rows = _without_overlaps(rows)
    return [
        FullerRange(RangeOf(person_id, start, until, name), from_nano(usd - day_usd), days)
        for person_id, _, usd, days, day_usd, is_fuller, name, start, until in rows
        if is_fuller
    ]


def range_quantities(database: Database, ranges: Collection[RangeOf]) -> list[Quantity]:
    """What some totals of several days come to together, under the first of their days."""
    mine, found = database.workspace_id, []
    of_spans: dict[tuple[date, date, str], set[int]] = defaultdict(set)
    for of in ranges:
        of_spans[of.start, of.until, of.source].add(of.person_id)
    with database.read() as connection:
        ids = {name: source_id for source_id, name in select_rows(connection, _SOURCES, (mine,))}
        for (start, until, name), people_ids in of_spans.items():
            span = Span(day_number(until), day_number(start), ids[name])
            sums: dict[tuple[int, bool], list[Row]] = defaultdict(list)
            for person_id, line_id, *counts, reported in select_rows(connection, _TOTALS, (mine, *span)):
                if person_id in people_ids:
                    sums[line_id, reported is None].append((*counts, reported or 0))
            lines = lines_by_id(connection, {line_id for line_id, _ in sums})
            for (line_id, is_priced), rows in sums.items():
                *whole, usd = map(sum, zip(*rows, strict=True))
                reported_usd = None if is_priced else from_nano(usd)
                if line_id in lines:
                    found.append(Quantity(start, *lines[line_id], TokenUsage(*whole), reported_usd))
    return found


def _without_overlaps(rows: list[Row]) -> list[Row]:
    """Of each person's totals whose days overlap, the one with the most tokens, then dollars."""
    claimed: dict[int, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (-row[1], -row[2], row[0], row[7], row[8], row[6])):
        start, until, mine = row[7], row[8], claimed[row[0]]
        if not any(start < other[8] and other[7] < until for other in mine):
            mine.append(row)
    return [row for mine in claimed.values() for row in mine]


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


def forget_ranges_before(connection: Connection, workspace_id: int, day: date) -> None:
    """Follow the deletion of totals, and of the days before ``day`` that lie within others."""
    kept = set(every_span(connection, workspace_id))
    for span in _spans(connection, workspace_id, 0):
        if span not in kept:
            run_sql(connection, _DELETE, (workspace_id, *span))
        elif span.start < day_number(day):
            _compare(connection, workspace_id, span, None)


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
    prices = rollups.prices(span.start, {row[1] for row in rows})
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
    """Replace what is rolled up of a span, of some people or of everybody."""
    fixed = (workspace_id, *span)
    if people_ids is None:
        run_sql(connection, _DELETE, fixed)
    else:
        run_in(connection, f"{_DELETE} AND person_id IN", fixed, sorted(people_ids))
    days = _day_totals(connection, workspace_id, span, [row[0] for row in said])
    ((_, name),) = select_in(connection, _NAMES, (), [span.source_id])
    rows = []
    for person_id, tokens, usd in said:
        day_tokens, day_usd, count = days.get(person_id, (0, 0, 0))
        # Each day lacks less than a nanodollar, and a total of the same usage says no more than its days.
        by_day = SourceDay("days", day_tokens, from_nano(day_usd + count))
        is_fuller = fullest([by_day, SourceDay(name, tokens, from_nano(usd))]) is not by_day
        rows.append((person_id, tokens, usd, count, day_tokens, day_usd, is_fuller))
    insert_rows(connection, person_ranges, rows, fixed)


def _day_totals(
    connection: Connection, workspace_id: int, span: Span, people_ids: list[int]
) -> dict[int, tuple[int, int, int]]:
    """What the days of a span come to by person: tokens, nanodollars and how many days they are."""
    within = (workspace_id, span.start, span.until)
    if len(people_ids) > MANY_PEOPLE:
        return {row[0]: (int(row[1]), int(row[2]), row[3]) for row in select_rows(connection, _DAY_TOTALS, within)}
    found: dict[int, tuple[int, int, int]] = {}
    for person_id, tokens, usd in select_in(connection, _DAYS_OF, (workspace_id, *within), people_ids):
        before = found.get(person_id, (0, 0, 0))
        found[person_id] = (before[0] + tokens, before[1] + usd, before[2] + 1)
    return found


def _of_people(connection: Connection, sql: str, fixed: Row, people_ids: Collection[int] | None) -> Iterable[Row]:
    if people_ids is None:
        return select_rows(connection, sql, fixed)
    return select_in(connection, f"{sql} AND person_id IN", fixed, sorted(people_ids))


_SPAN = "workspace_id = ? AND until = ? AND start = ? AND source_id = ?"
_ANY = "SELECT start FROM usage_ranges WHERE workspace_id = ? LIMIT 1"
_EVERY_SPAN = "SELECT DISTINCT until, start, source_id FROM usage_ranges WHERE workspace_id = ?"
_NEXT_SPAN = (
    "SELECT until, start, source_id FROM person_ranges WHERE workspace_id = ? "
    "AND (until, start, source_id) > (?, ?, ?) AND until <= ? ORDER BY until, start, source_id LIMIT 1"
)
_IS_OF = f"SELECT person_id FROM person_ranges WHERE {_SPAN} AND person_id = ?"  # noqa: S608
_SOURCES = "SELECT id, name FROM sources WHERE workspace_id = ?"
_NAMES = "SELECT id, name FROM sources WHERE id IN"
_SIZES = f"SELECT person_id, tokens, usd, days, day_usd, is_fuller FROM person_ranges WHERE {_SPAN}"  # noqa: S608
_ROLLED_UP = f"SELECT person_id, tokens, usd FROM person_ranges WHERE {_SPAN}"  # noqa: S608
_DELETE = f"DELETE FROM person_ranges WHERE {_SPAN}"  # noqa: S608
_TOTALS = (
    f"SELECT person_id, line_id, {', '.join(column.name for column in COUNTS(usage_ranges))}, reported_usd "  # noqa: S608
    "FROM usage_ranges JOIN actors ON actors.id = actor_id "
    "WHERE usage_ranges.workspace_id = ? AND until = ? AND start = ? AND source_id = ?"
)
_DAY_TOTALS = (
    "SELECT person_id, SUM(tokens), SUM(usd), COUNT(*) FROM person_days "
    "WHERE workspace_id = ? AND day >= ? AND day < ? GROUP BY person_id"
)
_DAYS_OF = (
    "SELECT person_id, tokens, usd FROM person_days WHERE workspace_id = ? AND day IN "
    "(SELECT day FROM model_days WHERE workspace_id = ? AND day >= ? AND day < ?) AND person_id IN"
)
