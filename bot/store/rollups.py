"""The roll-ups day x person and day x model, kept up to date for what an import touched and nothing else."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Connection, and_, cast, delete, func, insert, literal, select, type_coerce

from bot.pricing import PriceBook
from bot.spend.amounts import Amount, amount
from bot.spend.precedence import SourceDay, fullest
from bot.spend.records import ANTHROPIC, GATEWAY
from bot.store.bulk import batches, insert_rows, replace_rows
from bot.store.quantities import COUNTS, LINE, read_quantity, summed
from bot.store.tables import (
    actors,
    day_number,
    model_days,
    people,
    person_days,
    sources,
    to_nano,
    usage_daily,
    usage_lines,
)

MANY_PEOPLE = 200
"""From so many touched people of one day on, the day's models are added up anew instead of by difference."""

_Contributions = dict[tuple[int, bool], tuple[int, ...]]


class DayRollup:
    """One day's roll-ups while the usage of some people is being changed: make it before, ``refresh`` it after."""

    def __init__(
        self, connection: Connection, workspace_id: int, day: date, people_ids: Collection[int], book: PriceBook
    ) -> None:
        self.connection = connection
        self.workspace_id = workspace_id
        self.day = day
        self.organization = _organization_ids(connection, workspace_id)
        self.people_ids = sorted({*people_ids, *self.organization})
        self.book = book
        self.is_whole_day = len(self.people_ids) > MANY_PEOPLE
        self.before = {} if self.is_whole_day else self._contributions()

    def refresh(self) -> None:
        """Bring both roll-ups up to date with usage_daily."""
        if self.is_whole_day and self._refresh_whole_day():
            return
        known = [person for person in self.people_ids if person not in self.organization]
        self._refresh_people(known)
        if self.organization:
            self._refresh_organization()
        if self.is_whole_day:
            _add_up_models(self.connection, self.workspace_id, self.day)
        else:
            self._shift_models(self.before, self._contributions())

    def _refresh_whole_day(self) -> bool:
        """Work out everybody's day and the models from one pass over the day's usage; False if no people have any."""
        table = usage_daily.c
        query = self._usage(table.line_id, func.count()).group_by(table.line_id)
        if self.organization:
            query = query.where(actors.c.person_id.not_in(self.organization))
        said: dict[int, dict[tuple[int, str], Amount]] = defaultdict(lambda: defaultdict(Amount))
        lines: dict[tuple[int, int], list[tuple[tuple[int, bool], tuple[int, ...]]]] = defaultdict(list)
        for person_id, source_id, source, line_id, count, *rest in self.connection.execute(query):
            quantity = read_quantity(self.day, rest)
            cost = amount(quantity, self.book)
            said[person_id][source_id, source] = said[person_id][source_id, source].plus(cost)
            reported = quantity.reported_usd
            sums = (*quantity.usage, to_nano(reported or Decimal(0)), count)
            lines[person_id, source_id].append(((line_id, reported is not None), sums))
        if not said:
            return False
        rows = [self._person_row(who, said[who]) for who in sorted(said)]
        models: _Contributions = {}
        for row in rows:
            for key, values in lines[row[2], row[3]]:
                models[key] = _plus(models.get(key), values)
        day = (self.workspace_id, day_number(self.day))
        for rolled_up in (person_days, model_days):
            where = rolled_up.c.workspace_id == self.workspace_id
            self.connection.execute(delete(rolled_up).where(where, rolled_up.c.day == self.day))
        insert_rows(self.connection, person_days, rows)
        insert_rows(self.connection, model_days, [self._model_row(day, key, models[key]) for key in sorted(models)])
        return True

    def _model_row(self, day: tuple[int, int], key: tuple[int, bool], values: tuple[int, ...]) -> tuple[Any, ...]:
        return (*day, *key, *values[:-2], values[-2] if key[1] else None, values[-1])

    def _refresh_organization(self) -> None:
        """The organization speaks for a day only while no source with people does; a gateway bills on top of it."""
        spent = person_days.c
        others = (
            select(spent.person_id)
            .join(actors, actors.c.person_id == spent.person_id)
            .where(
                spent.workspace_id == self.workspace_id,
                spent.day == self.day,
                spent.person_id.not_in(self.organization),
                actors.c.kind != GATEWAY,
            )
        )
        if self.connection.execute(others.limit(1)).first() is None:
            self._refresh_people(self.organization)
        else:
            self._forget(self.organization)

    def _forget(self, people_ids: Iterable[int]) -> None:
        spent = person_days.c
        self.connection.execute(
            delete(person_days).where(
                spent.workspace_id == self.workspace_id, spent.day == self.day, spent.person_id.in_(people_ids)
            )
        )

    def _refresh_people(self, people_ids: list[int]) -> None:
        for some in batches(people_ids, 500):
            said: dict[int, dict[tuple[int, str], Amount]] = defaultdict(lambda: defaultdict(Amount))
            for person_id, source_id, source, *rest in self.connection.execute(self._usage_of(some)):
                cost = amount(read_quantity(self.day, rest), self.book)
                said[person_id][source_id, source] = said[person_id][source_id, source].plus(cost)
            self._forget(some)
            insert_rows(self.connection, person_days, [self._person_row(who, said[who]) for who in sorted(said)])

    def _usage_of(self, people_ids: Collection[int]) -> Any:
        return self._usage().where(actors.c.person_id.in_(people_ids))

    def _usage(self, *more: Any) -> Any:
        table = usage_daily.c
        return (
            select(actors.c.person_id, table.source_id, sources.c.name, *more, *LINE, *summed(usage_daily))
            .join(actors, table.actor_id == actors.c.id)
            .join(sources, table.source_id == sources.c.id)
            .join(usage_lines, table.line_id == usage_lines.c.id)
            .where(
                table.workspace_id == self.workspace_id,
                table.day == self.day,
                usage_lines.c.vendor == ANTHROPIC,
            )
            .group_by(actors.c.person_id, table.source_id, sources.c.name, *LINE, table.reported_usd.is_not(None))
        )

    def _person_row(self, person_id: int, said: dict[tuple[int, str], Amount]) -> tuple[Any, ...]:
        best = fullest(SourceDay(source, cost.usage.tokens, cost.usd) for (_, source), cost in said.items())
        source_id, cost = next((key[0], cost) for key, cost in said.items() if key[1] == best.source)
        return (
            self.workspace_id,
            day_number(self.day),
            person_id,
            source_id,
            cost.usage.tokens,
            to_nano(cost.usd),
            cost.unpriced_tokens,
        )

    def _contributions(self) -> _Contributions:
        """What these people add to the day's models: counts, reported nanodollars (or None) and rows by line."""
        query = _day_sums(self.workspace_id, self.day).where(actors.c.person_id.in_(self.people_ids))
        return {(row[0], bool(row[1])): tuple(row[2:]) for row in self.connection.execute(query)}

    def _shift_models(self, before: _Contributions, after: _Contributions) -> None:
        moved = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        if not moved:
            return
        table = model_days.c
        columns = (*COUNTS(model_days), type_coerce(table.reported_usd, BigInteger), table.row_count)
        query = select(table.line_id, table.is_reported, *columns).where(
            table.workspace_id == self.workspace_id,
            table.day == self.day,
            table.line_id.in_({line_id for line_id, _ in moved}),
        )
        stored = {(row[0], bool(row[1])): tuple(row[2:]) for row in self.connection.execute(query)}
        rows = []
        for key in sorted(moved):
            values = _minus(_plus(stored.get(key), after.get(key)), before.get(key))
            if values[-1]:
                rows.append(self._model_row((self.workspace_id, day_number(self.day)), key, values))
            else:
                self._forget_model(*key)
        replace_rows(self.connection, model_days, rows)

    def _forget_model(self, line_id: int, is_reported: bool) -> None:
        table = model_days.c
        self.connection.execute(
            delete(model_days).where(
                table.workspace_id == self.workspace_id,
                table.day == self.day,
                table.line_id == line_id,
                table.is_reported == is_reported,
            )
        )


def _plus(one: tuple[int, ...] | None, other: tuple[int, ...] | None) -> tuple[int, ...]:
    return tuple((mine or 0) + (theirs or 0) for mine, theirs in zip(one or _NOTHING, other or _NOTHING, strict=True))


def _minus(one: tuple[int, ...], other: tuple[int, ...] | None) -> tuple[int, ...]:
    return tuple(mine - (theirs or 0) for mine, theirs in zip(one, other or _NOTHING, strict=True))


_NOTHING = (0,) * 8


def _day_sums(workspace_id: int, day: date) -> Any:
    """Counts, reported nanodollars and rows by line and is_reported, of the fullest source of each person."""
    table, winner = usage_daily.c, person_days.c
    is_reported = table.reported_usd.is_not(None)
    counts = [_whole_sum(column) for column in COUNTS(usage_daily)]
    reported = _whole_sum(type_coerce(table.reported_usd, BigInteger))
    return (
        select(table.line_id, is_reported, *counts, reported, func.count())
        .join(actors, table.actor_id == actors.c.id)
        .join(
            person_days,
            and_(
                winner.workspace_id == table.workspace_id,
                winner.day == table.day,
                winner.person_id == actors.c.person_id,
                winner.source_id == table.source_id,
            ),
        )
        .where(table.workspace_id == workspace_id, table.day == day)
        .group_by(table.line_id, is_reported)
    )


def _whole_sum(column: Any) -> Any:
    return cast(func.sum(column), BigInteger)


def _add_up_models(connection: Connection, workspace_id: int, day: date) -> None:
    connection.execute(delete(model_days).where(model_days.c.workspace_id == workspace_id, model_days.c.day == day))
    sums = _day_sums(workspace_id, day).subquery()
    line_id, is_reported, *values = sums.c
    names = ["workspace_id", "day", "line_id", "is_reported", *(column.name for column in COUNTS(model_days))]
    connection.execute(
        insert(model_days).from_select(
            [*names, "reported_usd", "row_count"],
            select(literal(workspace_id), literal(day_number(day)), line_id, is_reported, *values),
        )
    )


def _organization_ids(connection: Connection, workspace_id: int) -> list[int]:
    query = select(people.c.id).where(people.c.workspace_id == workspace_id, people.c.is_organization)
    return list(connection.execute(query).scalars())
