"""Totals of several days, of sources that know no days: whose they are, and how much they say beside the days."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import and_, func, select

from bot.pricing import PriceBook
from bot.pricing.cost import UNITS_PER_NANO, units, usd_of_units
from bot.spend.amounts import Quantity
from bot.spend.days import Period
from bot.spend.precedence import SourceDay
from bot.spend.records import ANTHROPIC
from bot.store.bulk import select_rows
from bot.store.database import Database
from bot.store.people import spender_label
from bot.store.quantities import COUNTS, LINE, read_quantity, summed
from bot.store.rollups import Rollups
from bot.store.tables import actors, day_number, from_nano, number_day, people, sources, usage_lines, usage_ranges


class RangeOf(NamedTuple):
    """Whose total of several days it is, from ``start`` to before ``until``, and which source says it."""

    person_id: int
    start: date
    until: date
    source: str


class RangeShare(NamedTuple):
    """What one person used from ``start`` to before ``until``, as a source says that knows no days."""

    start: date
    until: date
    person_id: int
    person: str
    source: str
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
            RangeShare(start, until, person_id, spender_label(email, name), source, read_quantity(start, rest))
            for start, until, person_id, email, name, source, *rest in connection.execute(query)
        ]


def has_ranges(database: Database, period: Period | None = None) -> bool:
    """Whether a total of several days is known, or one that lies within a period."""
    mine, within = database.workspace_id, [] if period is None else [day_number(day) for day in period]
    with database.read() as connection:
        return bool(select_rows(connection, _ANY_RANGE if period is None else _RANGE_WITHIN, [mine, *within]))


_ANY_RANGE = "SELECT start FROM usage_ranges WHERE workspace_id = ? LIMIT 1"
_RANGE_WITHIN = "SELECT start FROM usage_ranges WHERE workspace_id = ? AND start >= ? AND until <= ? LIMIT 1"


def range_sizes(database: Database, period: Period, book: PriceBook) -> dict[RangeOf, SourceDay]:
    """How much each total of ``range_shares`` says, in tokens and dollars: of thousands of people in no time."""
    mine, found = database.workspace_id, {}
    with database.read() as connection:
        rollups = Rollups(connection, mine, book)
        within = (mine, day_number(period.start), day_number(period.end))
        for source_id, start, until in select_rows(connection, _LONGEST, within):
            rows = select_rows(connection, _OF_PEOPLE, (mine, source_id, start, until))
            prices = rollups.prices(start, {row[1] for row in rows})
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
            name, first, after = rollups.source_names[source_id], number_day(start), number_day(until)
            for person_id, count in tokens.items():
                size = SourceDay(name, count, usd_of_units(spent[person_id]))
                found[RangeOf(person_id, first, after, name)] = size
    return found


def person_totals(database: Database, period: Period) -> dict[int, tuple[int, Decimal]]:
    """What each person's days of a period come to: tokens and US dollars."""
    values = (database.workspace_id, day_number(period.start), day_number(period.end))
    with database.read() as connection:
        return {row[0]: (int(row[1]), from_nano(row[2])) for row in select_rows(connection, _TOTALS, values)}


_LONGEST = (
    "SELECT source_id, start, MAX(until) FROM usage_ranges "
    "WHERE workspace_id = ? AND start >= ? AND until <= ? GROUP BY source_id, start"
)
_OF_PEOPLE = (
    f"SELECT person_id, line_id, {', '.join(column.name for column in COUNTS(usage_ranges))}, reported_usd "  # noqa: S608
    "FROM usage_ranges JOIN actors ON actors.id = actor_id "
    "WHERE usage_ranges.workspace_id = ? AND source_id = ? AND start = ? AND until = ?"
)
_TOTALS = (
    "SELECT person_id, SUM(tokens), SUM(usd) FROM person_days "
    "WHERE workspace_id = ? AND day >= ? AND day < ? GROUP BY person_id"
)
