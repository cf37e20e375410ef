"""The questions asked about spend: quantities by day, model and person, and how current they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from bot.pricing import PriceConditions, TokenUsage
from bot.spend.amounts import Quantity
from bot.spend.days import ONE_DAY, Period
from bot.spend.records import ANTHROPIC, API, GATEWAY, ORGANIZATION, SUBSCRIPTION
from bot.store.builder import sa, tables
from bot.store.bulk import select_in, select_rows
from bot.store.columns import COUNTS, LINE
from bot.store.connection import Connection
from bot.store.database import Database
from bot.store.people import ERASED, Person, people_labels
from bot.store.values import day_number, from_nano, instant, number_day, to_nano


class PersonDay(NamedTuple):
    """One person's day: the cost shown, in US dollars, and tokens without a price."""

    person: Person
    day: date
    usd: Decimal
    unpriced_tokens: int


class Share(NamedTuple):
    """A quantity of one person from one source."""

    person_id: int
    person: str
    source: str
    quantity: Quantity


class LastImport(NamedTuple):
    """The newest import: which source and file, when it came, and the newest day that any source has."""

    source: str
    path: str
    imported_at: datetime
    last_day: date | None
    rejected: int


def line_columns() -> list[sa.Column[str]]:
    """What is used at what conditions."""
    return [tables.usage_lines.c[name] for name in LINE]


def summed(table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """Sums of the count columns, then of the reported dollars, as whole numbers in both databases."""
    counted = (table.c[name] for name in COUNTS)
    counts: list[sa.ColumnElement[Any]] = [sa.cast(sa.func.sum(column), sa.BigInteger) for column in counted]
    return [*counts, sa.cast(sa.func.sum(table.c.reported_usd), table.c.reported_usd.type)]


def read_quantity(day: date, values: Sequence[Any]) -> Quantity:
    """A quantity from the LINE columns followed by ``summed`` columns."""
    model, speed, geo, service, prompt, billing, *counts, reported = values
    conditions = PriceConditions(speed, geo, service, prompt)
    return Quantity(day, model, conditions, billing, TokenUsage(*counts), reported)


def quantities(database: Database, period: Period) -> list[Quantity]:
    """What everybody used in a period, by day and kind of line, from each person's fullest source, oldest first."""
    values = (database.workspace_id, day_number(period.start), day_number(period.end))
    with database.read() as connection:
        found = select_rows(connection, _MODEL_DAYS, values)
        lines = lines_by_id(connection, {row[1] for row in found})
    days = {number: number_day(number) for number in {row[0] for row in found}}
    return [
        Quantity(days[row[0]], *lines[row[1]], TokenUsage(*row[2:8]), None if row[8] is None else from_nano(row[8]))
        for row in found
        if row[1] in lines
    ]


# What every digest asks goes to the driver: the query builder takes longer to ask than these take to answer.
_MODEL_DAYS = (
    f"SELECT day, line_id, {', '.join(COUNTS)}, reported_usd "  # noqa: S608
    "FROM model_days WHERE workspace_id = ? AND day >= ? AND day < ? ORDER BY day, line_id, is_reported"
)


def lines_by_id(connection: Connection, ids: Iterable[int]) -> dict[int, tuple[str, PriceConditions, str]]:
    """Model, conditions and billing of those lines that are of Anthropic's."""
    found = select_in(connection, _LINES, (ANTHROPIC,), ids)
    return {line_id: (model, PriceConditions(*conditions), billing) for line_id, model, *conditions, billing in found}


_LINES = f"SELECT id, {', '.join(LINE)} FROM usage_lines WHERE vendor = ? AND id IN"  # noqa: S608


def shares(
    database: Database, period: Period, people_ids: Collection[int] | None = None, *, by_day: bool = True
) -> list[Share]:
    """The same, told apart by person and source as well; of some people only if asked.

    Without ``by_day`` days are added up, and stand under the first of them.
    """
    table, winner = tables.usage_daily.c, tables.person_days.c
    each = (tables.actors.c.person_id, table.source_id, table.line_id)
    by = (table.day, *each) if by_day else each
    query = (
        sa.select(table.day if by_day else sa.func.min(table.day), *each, *summed(tables.usage_daily))
        .join(tables.actors, table.actor_id == tables.actors.c.id)
        .join(
            tables.person_days,
            sa.and_(
                winner.workspace_id == table.workspace_id,
                winner.day == table.day,
                winner.person_id == tables.actors.c.person_id,
                winner.source_id == table.source_id,
            ),
        )
        .where(table.workspace_id == database.workspace_id)
        .group_by(*by, table.reported_usd.is_not(None))
        .order_by(*by)
    )
    with database.read() as connection:
        if people_ids is None or len(people_ids) > _LOOKED_UP:
            query = query.where(table.day >= period.start, table.day < period.end)
        else:
            query = query.where(*_rows_of(tables.usage_daily, database, period, people_ids))
        found = connection.execute(query).all()
        # Names are looked up once each: to sort and group by them takes many times as long.
        labels = people_labels(database, {row[1] for row in found})
        titles: dict[int, str] = dict(select_in(connection, _SOURCES, (), {row[2] for row in found}))
        lines = lines_by_id(connection, {row[3] for row in found})
    return [
        Share(person_id, labels[person_id], titles[source_id], Quantity(when, *lines[line_id], TokenUsage(*c), usd))
        for when, person_id, source_id, line_id, *c, usd in found
        if line_id in lines and (people_ids is None or person_id in people_ids)
    ]


_SOURCES = "SELECT id, name FROM sources WHERE id IN"

_LOOKED_UP = 1000
"""Up to so many people are looked up; of more, everybody's rows are read and theirs are picked."""


def _rows_of(
    table: sa.Table, database: Database, period: Period, people_ids: Collection[int]
) -> list[sa.ColumnElement[bool]]:
    """Conditions that name the whole key, so that a few people's rows are found among everybody's of many days.

    With the values themselves: before PostgreSQL has statistics, it would not look up what comes from other tables.
    To be asked for within the ``read`` that uses them: in between, an actor may move to somebody else.
    """
    theirs = sa.select(tables.actors.c.id).where(tables.actors.c.person_id.in_(people_ids))
    known = sa.select(tables.sources.c.id).where(tables.sources.c.workspace_id == database.workspace_id)
    with database.read() as connection:
        of_actors, of_sources = connection.execute(theirs).scalars().all(), connection.execute(known).scalars().all()
    is_who = table.c.actor_id.in_(of_actors if len(of_actors) <= _LOOKED_UP else theirs)
    return [table.c.day.in_(period.days), table.c.source_id.in_(of_sources), is_who]


def _claude_usage(database: Database, by: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    """Sums of what was used of Claude in groups, those with a stated cost apart; ``read_quantity`` reads each."""
    table = tables.usage_daily.c
    return (
        sa.select(*by, *summed(tables.usage_daily))
        .select_from(tables.usage_daily)
        .join(tables.usage_lines, table.line_id == tables.usage_lines.c.id)
        .where(table.workspace_id == database.workspace_id, tables.usage_lines.c.vendor == ANTHROPIC)
        .group_by(*by, table.reported_usd.is_not(None))
        .order_by(*by)
    )


def quantities_of(database: Database, period: Period, people_ids: Collection[int]) -> list[Quantity]:
    """What some people used in a period, from the fullest source of each, by day, model, conditions and billing."""
    table, winner = tables.usage_daily.c, tables.person_days.c
    by = (table.day, *line_columns())
    query = (
        _claude_usage(database, by)
        .join(tables.actors, table.actor_id == tables.actors.c.id)
        .join(
            tables.person_days,
            sa.and_(
                winner.workspace_id == table.workspace_id,
                winner.day == table.day,
                winner.person_id == tables.actors.c.person_id,
                winner.source_id == table.source_id,
            ),
        )
    )
    with database.read() as connection:
        query = query.where(*_rows_of(tables.usage_daily, database, period, people_ids))
        return [read_quantity(day, rest) for day, *rest in connection.execute(query)]


def active_people(database: Database, period: Period) -> set[int]:
    """The ids of everybody who used anything in a period."""
    values = (database.workspace_id, day_number(period.start), day_number(period.end))
    with database.read() as connection:
        return {row[0] for row in select_rows(connection, _ACTIVE, values)}


_ACTIVE = "SELECT DISTINCT person_id FROM person_days WHERE workspace_id = ? AND day >= ? AND day < ?"


def people_on(database: Database, day: date) -> list[PersonDay]:
    """Everybody who used anything on a day, the largest spend first."""
    return _person_days(database, tables.person_days.c.day == day)


class Headcount(NamedTuple):
    """How many people used anything in a period and reached their limit on a day of it; the rest is unassigned.

    ``told`` of those who reached it know. Who was erased is in none of the counts.
    """

    active: int
    over_limit: int
    told: int
    unassigned_usd: Decimal
    unassigned_actors: int


def headcount(
    database: Database, period: Period, limit_usd: Decimal, members: Collection[int] | None, told: Collection[int] = ()
) -> Headcount:
    """Counts of a period, of some people only where ``members`` are given; the limit holds for who has no other."""
    days = [day_number(day) for day in period.days]
    where, values = f"person_days.workspace_id = ? AND day IN ({_places(days)})", [database.workspace_id, *days]
    if members is not None:
        where, values = f"{where} AND person_id IN ({_places(members)})", [*values, *members]
    usual = to_nano(limit_usd)
    # Most people have an address and the usual limit: they are counted without looking each of them up.
    counted = _COUNTED if len(days) == 1 else _COUNTED_ONCE
    special = f"person_days.person_id IN ({_SPECIAL} UNION SELECT id FROM people WHERE id IN ({_places(told)}))"  # noqa: S608
    with database.read() as connection:
        active, over = select_rows(connection, f"{counted} FROM person_days WHERE {where}", [usual, *values])[0]
        rows = select_rows(
            connection, f"{_SPECIAL_DAYS} WHERE {where} AND {special}", [*values, *[database.workspace_id] * 3, *told]
        )
    nameless = {who for who, _, email, *_ in rows if email is None}
    nobody = {who for who, _, email, name, *_ in rows if email is None and not name.startswith(ERASED)}
    as_usual = {who for who, usd, *_ in rows if usd >= usual}
    really = {
        who
        for who, usd, email, _, own, of_team in rows
        if email is not None and usd >= (own if own is not None else usual if of_team is None else of_team)
    }
    unassigned_usd = sum(usd for who, usd, *_ in rows if who in nobody)
    return Headcount(
        active - len(nameless),
        (over or 0) - len(as_usual) + len(really),
        len(really.intersection(told)),
        from_nano(unassigned_usd),
        len(nobody),
    )


_COUNTED = "SELECT COUNT(*), COUNT(*) FILTER (WHERE usd >= ?)"
_COUNTED_ONCE = "SELECT COUNT(DISTINCT person_id), COUNT(DISTINCT CASE WHEN usd >= ? THEN person_id END)"
_SPECIAL_DAYS = (
    "SELECT person_id, usd, email, people.name, people.limit_usd, teams.limit_usd FROM person_days "
    "JOIN people ON people.id = person_id LEFT JOIN teams ON teams.id = people.team_id"
)
_SPECIAL = (
    "SELECT id FROM people WHERE workspace_id = ? AND email IS NULL "
    "UNION SELECT id FROM people WHERE workspace_id = ? AND limit_usd IS NOT NULL "
    "UNION SELECT people.id FROM teams JOIN people ON people.team_id = teams.id "
    "WHERE teams.workspace_id = ? AND teams.limit_usd IS NOT NULL"
)


def _places(values: Collection[int]) -> str:
    return ", ".join("?" * len(values)) or "NULL"


def over_limit(
    database: Database, period: Period, limit_usd: Decimal, members: Collection[int] | None, min_people: int
) -> list[str]:
    """The addresses of those over their limit on a day of a period who do not hide them, in alphabetical order.

    Only of days on which ``min_people`` used anything: with fewer, a day's total tells what each one spent.
    """
    spent = tables.person_days.c
    active = (
        sa.select(spent.day)
        .join(tables.people, spent.person_id == tables.people.c.id)
        .where(tables.people.c.email.is_not(None))
    )
    active = active.where(spent.workspace_id == database.workspace_id, spent.day.in_(period.days))
    if members is not None:
        active = active.where(spent.person_id.in_(members))
    crowded = active.group_by(spent.day).having(sa.func.count() >= min_people)
    query = (
        sa.select(tables.people.c.email)
        .distinct()
        .select_from(tables.person_days)
        .join(tables.people, spent.person_id == tables.people.c.id)
        .outerjoin(tables.teams, tables.people.c.team_id == tables.teams.c.id)
        .where(
            spent.workspace_id == database.workspace_id,
            spent.day.in_(period.days),
            spent.day.in_(crowded),
            _is_over(limit_usd),
            tables.people.c.hides_name.is_not(True),
        )
        .order_by(tables.people.c.email)
    )
    if members is not None:
        query = query.where(spent.person_id.in_(members))
    with database.read() as connection:
        return list(connection.execute(query).scalars())


def _is_over(limit_usd: Decimal) -> sa.ColumnElement[bool]:
    usd = tables.person_days.c.usd
    own, of_team = tables.people.c.limit_usd, sa.type_coerce(tables.teams.c.limit_usd, tables.people.c.limit_usd.type)
    return sa.and_(
        tables.people.c.email.is_not(None), usd >= sa.func.coalesce(own, of_team, sa.literal(limit_usd, usd.type))
    )


def person_history(database: Database, person_id: int, period: Period) -> list[PersonDay]:
    """One person's active days in a period, oldest first."""
    spent = tables.person_days.c
    found = _person_days(database, spent.person_id == person_id, spent.day.in_(period.days))
    return sorted(found, key=lambda entry: entry.day)


def session_history(database: Database, person_id: int, period: Period) -> dict[date, int]:
    """How many sessions a person began on each day of a period, by the source that counts the most."""
    table = tables.session_days.c
    query = (
        sa.select(table.day, table.source_id, sa.cast(sa.func.sum(table.sessions), sa.BigInteger))
        .where(table.workspace_id == database.workspace_id)
        .group_by(table.day, table.source_id)
    )
    found: dict[date, int] = {}
    with database.read() as connection:
        query = query.where(*_rows_of(tables.session_days, database, period, [person_id]))
        for day, _, count in connection.execute(query):
            found[day] = max(found.get(day, 0), int(count))
    return found


def stored_period(database: Database) -> Period | None:
    """From the first day with usage to the day after the last, or None while there is none."""
    with database.read() as connection:
        first, last = select_rows(connection, _STORED_DAYS, [database.workspace_id] * 2)[0]
    return Period(number_day(first), number_day(last) + ONE_DAY) if first else None


def last_day_before(database: Database, day: date) -> date | None:
    """The newest day with usage before a day; None where there is none."""
    with database.read() as connection:
        ((found,),) = select_rows(connection, _LAST_DAY_BEFORE, (database.workspace_id, day_number(day)))
    return None if found is None else number_day(found)


def _ends(start: sa.Column[date], end: sa.Column[date], mine: sa.ColumnElement[bool]) -> sa.Select[date, date]:
    """The least and the greatest: each looked up in the index of days, where together they would scan all of it."""
    least, greatest = sa.select(sa.func.min(start)).where(mine), sa.select(sa.func.max(end)).where(mine)
    return sa.select(least.scalar_subquery(), greatest.scalar_subquery())


_STORED_DAYS = (
    "SELECT (SELECT min(day) FROM model_days WHERE workspace_id = ?), "
    "(SELECT max(day) FROM model_days WHERE workspace_id = ?)"
)
_LAST_DAY_BEFORE = "SELECT max(day) FROM model_days WHERE workspace_id = ? AND day < ?"


def last_import(database: Database) -> LastImport | None:
    """The newest import that brought any day, or None before the first."""
    query = (
        sa.select(
            tables.sources.c.name,
            tables.imports.c.path,
            tables.imports.c.imported_at,
            tables.imports.c.last_day,
            tables.imports.c.rejected,
        )
        .join(tables.sources, tables.imports.c.source_id == tables.sources.c.id)
        .where(tables.imports.c.workspace_id == database.workspace_id, tables.imports.c.last_day.is_not(None))
        .order_by(tables.imports.c.imported_at.desc(), tables.imports.c.id.desc())
        .limit(1)
    )
    with database.read() as connection:
        row = connection.execute(query).first()
    return LastImport(*row) if row else None


class ImportSpan(NamedTuple):
    """From which to which day (both counted) a source last brought rows, and when."""

    source: str
    first_day: date
    last_day: date
    imported_at: datetime


def import_spans(database: Database, first: date, last: date) -> list[ImportSpan]:
    """What imports brought that reach into some days, both counted."""
    values = (database.workspace_id, day_number(last), day_number(first))
    with database.read() as connection:
        found = select_rows(connection, _IMPORT_SPANS, values)
    return [ImportSpan(name, number_day(one), number_day(other), instant(at)) for name, one, other, at in found]


def day_source_names(database: Database) -> list[str]:
    """The sources that ever brought a day, and not totals of several days alone."""
    with database.read() as connection:
        return [row[0] for row in select_rows(connection, _DAY_SOURCE_NAMES, [database.workspace_id])]


_DAY_SOURCE_NAMES = (
    "SELECT name FROM sources WHERE workspace_id = ? AND EXISTS (SELECT 1 FROM imports "
    "WHERE imports.workspace_id = sources.workspace_id AND source_id = sources.id AND last_day IS NOT NULL)"
)
_IMPORT_SPANS = (
    "SELECT name, first_day, last_day, MAX(imported_at) FROM imports JOIN sources ON sources.id = source_id "
    "WHERE imports.workspace_id = ? AND first_day <= ? AND last_day >= ? GROUP BY name, first_day, last_day"
)


class DaySource(NamedTuple):
    """When a source that speaks for somebody's day last brought something: of that day, and of that day or later.

    ``is_received`` says that it brings usage by itself, as it happens. ``of_day_at`` may be None: the day was brought
    by an import that is not kept any more.
    """

    source: str
    of_day_at: datetime | None
    last_at: datetime
    is_received: bool


def day_sources(
    database: Database, day: date, received: str, members: Collection[int] | None = None
) -> list[DaySource]:
    """The sources that speak for the day of somebody, of some people only where ``members`` are given.

    ``received`` is the path of what is no file.
    """
    mine, number = database.workspace_id, day_number(day)
    whose = "" if members is None else f" AND person_id IN ({_places(members)})"
    values = (number, received, mine, number, mine, number, *(members or ()))
    with database.read() as connection:
        found = select_rows(connection, _DAY_SOURCES.format(whose), values)
    return [
        DaySource(name, None if of_day is None else instant(of_day), instant(last), by_itself > 0)
        for name, of_day, last, by_itself in found
    ]


# Of the few sources that brought the day it asks if somebody's is theirs, not of everybody's rows which source it is.
_DAY_SOURCES = (
    "SELECT sources.name, max(CASE WHEN first_day <= ? THEN imported_at END), max(imported_at), "
    "sum(CASE WHEN path = ? THEN 1 ELSE 0 END) "
    "FROM imports JOIN sources ON sources.id = imports.source_id "
    "WHERE imports.workspace_id = ? AND last_day >= ? GROUP BY sources.id, sources.name "
    "HAVING EXISTS (SELECT 1 FROM person_days WHERE workspace_id = ? AND day = ? AND source_id = sources.id{})"
)


class SetAside(NamedTuple):
    """What sources say of an organization's day as a whole while people speak for it.

    ``gateways_usd`` is what gateways bill on top of it.
    """

    sources: dict[str, list[Quantity]]
    gateways_usd: Decimal


def set_aside(database: Database, period: Period) -> dict[date, SetAside]:
    """The days of a period that people speak for, of which something is known of the organization as a whole."""
    found: dict[date, SetAside] = {}
    with database.read() as connection:
        whole = [row[0] for row in select_rows(connection, _ORGANIZATION, (database.workspace_id, ORGANIZATION))]
        if not whole:
            return found
        table, spent = tables.usage_daily.c, tables.person_days.c
        by = (table.day, tables.sources.c.name, *line_columns())
        query = _claude_usage(database, by).join(tables.sources, table.source_id == tables.sources.c.id)
        rows = connection.execute(query.where(*_rows_of(tables.usage_daily, database, period, whole))).all()
        days = (spent.workspace_id == database.workspace_id, spent.day.in_({day for day, *_ in rows}))
        told = set(connection.execute(sa.select(spent.day).where(*days, spent.person_id.in_(whole))).scalars())
        gateways = sa.select(tables.actors.c.person_id).where(tables.actors.c.kind == GATEWAY)
        usd = sa.select(spent.day, sa.cast(sa.func.sum(spent.usd), spent.usd.type)).group_by(spent.day)
        billed: dict[date, Decimal] = dict(connection.execute(usd.where(*days, spent.person_id.in_(gateways))).all())
    for day, source, *rest in rows:
        if day not in told:
            of_day = found.setdefault(day, SetAside(defaultdict(list), billed.get(day, Decimal(0))))
            of_day.sources[source].append(read_quantity(day, rest))
    return found


_ORGANIZATION = "SELECT DISTINCT person_id FROM actors WHERE workspace_id = ? AND kind = ?"


def people_of_sources(database: Database, day: date, names: Iterable[str], members: Collection[int] | None) -> set[int]:
    """The people, some only where ``members`` are given, for whom one of these sources speaks on a day."""
    spent = tables.person_days.c
    query = (
        sa.select(spent.person_id)
        .join(tables.people, spent.person_id == tables.people.c.id)
        .join(tables.sources, spent.source_id == tables.sources.c.id)
        .where(
            spent.workspace_id == database.workspace_id,
            spent.day == day,
            tables.sources.c.name.in_(names),
            tables.people.c.email.is_not(None),
        )
    )
    if members is not None:
        query = query.where(spent.person_id.in_(members))
    with database.read() as connection:
        return set(connection.execute(query).scalars())


def usd_by_source(
    database: Database, days: Collection[date], members: Collection[int] | None, *, absent: date | None = None
) -> dict[str, Decimal]:
    """What was spent on some days by the source that speaks for it, of some people only where ``members`` are given.

    With ``absent`` only what those spent of whom nothing is known on that day.
    """
    spent, mine = tables.person_days.c, tables.person_days.c.workspace_id == database.workspace_id
    query = (
        sa.select(tables.sources.c.name, sa.cast(sa.func.sum(spent.usd), spent.usd.type))
        .join(tables.sources, spent.source_id == tables.sources.c.id)
        .where(mine, spent.day.in_(days))
        .group_by(tables.sources.c.name)
    )
    if members is not None:
        query = query.where(spent.person_id.in_(members))
    if absent is not None:
        query = query.where(spent.person_id.not_in(sa.select(spent.person_id).where(mine, spent.day == absent)))
    with database.read() as connection:
        return dict(connection.execute(query).all())


def _person_days(database: Database, *where: sa.ColumnElement[bool]) -> list[PersonDay]:
    spent = tables.person_days.c
    query = (
        sa.select(
            tables.people.c.id,
            tables.people.c.email,
            tables.people.c.name,
            tables.people.c.slack_user_id,
            sa.func.coalesce(
                tables.people.c.limit_usd, sa.type_coerce(tables.teams.c.limit_usd, tables.people.c.limit_usd.type)
            ),
            spent.day,
            spent.usd,
            spent.unpriced_tokens,
        )
        .join(tables.people, spent.person_id == tables.people.c.id)
        .outerjoin(tables.teams, tables.people.c.team_id == tables.teams.c.id)
        .where(spent.workspace_id == database.workspace_id, *where)
        .order_by(spent.usd.desc(), tables.people.c.email, tables.people.c.name)
    )
    with database.read() as connection:
        return [PersonDay(Person(*row[:5]), *row[5:]) for row in connection.execute(query)]


class VendorSpend(NamedTuple):
    """What was used of another vendor's product: what it charged, and what a plan's allowance covered, in dollars."""

    vendor: str
    charged_usd: Decimal
    covered_usd: Decimal


def vendor_spend(database: Database, period: Period) -> list[VendorSpend]:
    """What was used of other vendors' products in a period; it is in no figure of Claude.

    Of a person's day the source counts that says the most, as for Claude: they are never added up.
    """
    table, line = tables.usage_daily.c, tables.usage_lines.c
    charged, covered = (
        sa.func.sum(sa.case((line.billing == billing, sa.func.coalesce(table.reported_usd, 0)), else_=0))
        for billing in (API, SUBSCRIPTION)
    )
    day = (line.vendor, tables.actors.c.person_id, table.day)
    said = (
        sa.select(
            line.vendor,
            charged.label("charged"),
            covered.label("covered"),
            sa.func.row_number()
            .over(partition_by=day, order_by=((charged + covered).desc(), table.source_id))
            .label("place"),
        )
        .join(tables.usage_lines, table.line_id == line.id)
        .join(tables.actors, table.actor_id == tables.actors.c.id)
        .where(
            table.workspace_id == database.workspace_id,
            table.day >= period.start,
            table.day < period.end,
            line.vendor != ANTHROPIC,
        )
        .group_by(*day, table.source_id)
        .subquery()
        .c
    )
    dollars = (sa.cast(sa.func.sum(each), table.reported_usd.type) for each in (said.charged, said.covered))
    query = sa.select(said.vendor, *dollars).where(said.place == 1).group_by(said.vendor).order_by(said.vendor)
    others = sa.select(line.id).where(line.vendor != ANTHROPIC).limit(1)
    with database.read() as connection:
        if connection.execute(others).first() is None:
            return []  # as in most places, where looking through everybody's usage would be in vain
        return [VendorSpend(vendor, charged, covered) for vendor, charged, covered in connection.execute(query)]


def stored_everything(database: Database) -> Period | None:
    """Like ``stored_period``, with totals of several days and other vendors' usage as well."""
    daily, ranges = tables.usage_daily.c, tables.usage_ranges.c
    with database.read() as connection:
        of_days = _ends(daily.day, daily.day, daily.workspace_id == database.workspace_id)
        first, last = connection.execute(of_days).one()
        of_ranges = _ends(ranges.start, ranges.until, ranges.workspace_id == database.workspace_id)
        start, until = connection.execute(of_ranges).one()
    starts = [day for day in (first, start) if day]
    ends = [day for day in (date.fromordinal(last.toordinal() + 1) if last else None, until) if day]
    return Period(min(starts), max(ends)) if starts else None


def day_details(database: Database, person_id: int, day: date) -> list[tuple[str, str, Quantity]]:
    """(source, name in it, quantity) of everything that any source says of a person's day."""
    table = tables.usage_daily.c
    by = (tables.sources.c.name, tables.actors.c.name, *line_columns())
    query = (
        _claude_usage(database, by)
        .join(tables.actors, table.actor_id == tables.actors.c.id)
        .join(tables.sources, table.source_id == tables.sources.c.id)
        .where(table.day == day, tables.actors.c.person_id == person_id)
    )
    with database.read() as connection:
        return [(source, actor, read_quantity(day, rest)) for source, actor, *rest in connection.execute(query)]
