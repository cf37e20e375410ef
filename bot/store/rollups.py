"""The roll-ups day x person and day x model, kept up to date for what an import touched and nothing else.

Rows are read and written through the driver and priced as whole numbers: an import may touch a million of them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import chain
from math import gcd

from bot.pricing import PriceBook, PriceConditions, PricingError
from bot.pricing.cost import UNITS_PER_NANO, unit_prices, units, usd_of_units
from bot.spend.precedence import SourceDay, fullest
from bot.spend.records import ANTHROPIC, GATEWAY, ORGANIZATION
from bot.store.bulk import Row, insert_rows, replace_rows, run_in, run_sql, select_in, select_rows
from bot.store.columns import COUNTS, LINE, MODEL_DAYS, PERSON_DAYS
from bot.store.connection import Connection
from bot.store.values import day_number, number_day

ROLLUP_RULE = 5
"""Goes up when roll-ups are made in another way, so that those that are stored are made anew."""

MANY_PEOPLE = 200
"""From so many touched people of one day on, the day is rolled up anew instead of by difference."""

_NAMES = ", ".join(COUNTS)
_DAY = "workspace_id = ? AND day = ?"
_USED = f"SELECT source_id, actor_id, line_id, {_NAMES}, reported_usd FROM usage_daily WHERE {_DAY}"  # noqa: S608
_USED_BY = f"{_USED} AND source_id IN (SELECT id FROM sources WHERE workspace_id = ?) AND actor_id IN"  # noqa: S608
_MODELS = f"SELECT line_id, is_reported, {_NAMES}, reported_usd, row_count FROM model_days WHERE {_DAY}"  # noqa: S608
_LINES = f"SELECT id, vendor, {', '.join(LINE)} FROM usage_lines WHERE id IN"  # noqa: S608
_SOMEBODY = (
    "SELECT 1 FROM person_days JOIN actors ON actors.person_id = person_days.person_id "  # noqa: S608
    f"WHERE person_days.workspace_id = ? AND day = ? AND kind NOT IN ('{GATEWAY}', '{ORGANIZATION}') LIMIT 1"
)

Models = dict[tuple[int, bool], tuple[int, ...]]
"""By line and whether a cost is stated: the counts, the stated nanodollars and how many rows of usage_daily."""


class _Said:
    """What one source says of one person's day: ``rows`` of usage_daily, their tokens and their cost in units."""

    __slots__ = ("rows", "source_id", "tokens", "units", "unpriced")

    def __init__(self, source_id: int) -> None:
        self.source_id = source_id
        self.tokens = self.units = self.unpriced = 0
        self.rows: list[Row] = []


class Rollups:
    """The roll-ups of one workspace while its usage is being changed, and what is known of it meanwhile."""

    def __init__(self, connection: Connection, workspace_id: int, book: PriceBook) -> None:
        self.connection = connection
        self.workspace_id = workspace_id
        self.book = book
        self._lines: dict[int, tuple[str, ...]] = {}
        self._prices: dict[tuple[int, int, int | None], tuple[int, ...] | None] = {}
        self.changed: dict[int, set[int] | None] = {}
        """Days that were rolled up anew, and of whom; None for everybody."""

    def of(self, day: date, people_ids: Collection[int], *, is_whole_day: bool = False) -> "DayRollup":
        """One day's roll-ups before the usage of these people, or of everybody, changes."""
        return DayRollup(self, day_number(day), people_ids, is_whole_day=is_whole_day)

    def day_usd(self, day: date) -> Decimal:
        """The team's total of a day in US dollars, exact, as it is rolled up at this moment."""
        number = day_number(day)
        rows = select_rows(self.connection, _MODELS, (self.workspace_id, number))
        prices = self.prices(number, {row[0] for row in rows})
        whole = 0
        for line_id, is_reported, *counts, reported, _ in rows:
            if line_id not in prices:
                continue  # another vendor's, as older versions rolled them up
            price = prices[line_id]
            whole += reported * UNITS_PER_NANO if is_reported else units(counts, price) if price else 0
        return usd_of_units(whole)

    def prices(self, day: int, line_ids: Iterable[int], until: int | None = None) -> dict[int, tuple[int, ...] | None]:
        """What these lines cost on a day, in units; None without a price. Other vendors' lines are left out.

        Of several days, up to before ``until``, the first that has a price counts.
        """
        wanted = set(line_ids)
        for line_id, *line in select_in(self.connection, _LINES, (), sorted(wanted - self._lines.keys())):
            self._lines[line_id] = tuple(line)
        found = {}
        for line_id in wanted:
            vendor, model, *conditions, _ = self._lines[line_id]
            if vendor != ANTHROPIC:
                continue
            if (line_id, day, until) not in self._prices:
                when = number_day(day)
                if until is not None:
                    when = self.book.first_priced(model, when, number_day(until))
                self._prices[line_id, day, until] = self._unit_prices(model, when, PriceConditions(*conditions))
            found[line_id] = self._prices[line_id, day, until]
        return found

    def _unit_prices(self, model: str, day: date, conditions: PriceConditions) -> tuple[int, ...] | None:
        try:
            return unit_prices(self.book.rates(model, day, conditions))
        except PricingError:
            return None

    @cached_property
    def organization(self) -> list[int]:
        """The people that stand for a whole organization, once all actors are known."""
        query = "SELECT id FROM people WHERE workspace_id = ? AND is_organization = ?"
        return [row[0] for row in select_rows(self.connection, query, (self.workspace_id, True))]

    @cached_property
    def source_names(self) -> dict[int, str]:
        """The names of the sources by their ids."""
        query = "SELECT id, name FROM sources WHERE workspace_id = ?"
        return {row[0]: row[1] for row in select_rows(self.connection, query, (self.workspace_id,))}

    @cached_property
    def person_of(self) -> dict[int, int]:
        """Everybody's person by actor. Asked for when a whole day is refreshed: by then nobody moves any more."""
        query = "SELECT id, person_id FROM actors WHERE workspace_id = ?"
        return {row[0]: row[1] for row in select_rows(self.connection, query, (self.workspace_id,))}


class DayRollup:
    """One day's roll-ups while the usage of some people is being changed: make it before, ``refresh`` it after."""

    def __init__(self, rollups: Rollups, day: int, people_ids: Collection[int], *, is_whole_day: bool = False) -> None:
        self.rollups = rollups
        self.connection = rollups.connection
        self.day = (rollups.workspace_id, day)
        self.people_ids = sorted({*people_ids, *rollups.organization})
        self.is_whole_day = is_whole_day or len(self.people_ids) > MANY_PEOPLE
        self.before = {} if self.is_whole_day else self._told()
        self.was_empty = self.is_whole_day and not select_rows(self.connection, f"{_USED} LIMIT 1", self.day)

    def refresh(self, added: list[Row] | None = None) -> None:
        """Bring both roll-ups up to date with usage_daily.

        All rows of a day that was empty may be given as ``added``: source, actor, line, counts and reported cost.
        """
        if self.was_empty and added is not None:
            said = self._said(added, self.rollups.person_of)
        else:
            said = self._said(*self._used())
        organization = [self._fullest(who, said.pop(who)) for who in self.rollups.organization if who in said]
        speaking = [self._fullest(who, said[who]) for who in sorted(said)]
        self._forget_people()
        self._insert_people(speaking)
        # The organization speaks for a day only while no source with people does; a gateway bills on top of it.
        if organization and not select_rows(self.connection, _SOMEBODY, self.day):
            self._insert_people(organization)
            speaking += organization
        after = _added_up(row for _, one in speaking for row in one.rows)
        before = self.rollups.changed.get(self.day[1], set())
        self.rollups.changed[self.day[1]] = (
            None if self.is_whole_day or before is None else before.union(self.people_ids)
        )
        if self.is_whole_day:
            run_sql(self.connection, f"DELETE FROM model_days WHERE {_DAY}", self.day)  # noqa: S608
            insert_rows(self.connection, MODEL_DAYS, [self._model_row(key, after[key]) for key in sorted(after)])
        else:
            self._shift_models(after)

    def _used(self) -> tuple[list[Row], dict[int, int]]:
        """What these people used, as every source says it, and the people by actor."""
        if self.is_whole_day:
            return select_rows(self.connection, _USED, self.day), self.rollups.person_of
        query = "SELECT id, person_id FROM actors WHERE person_id IN"
        person_of = {row[0]: row[1] for row in select_in(self.connection, query, (), self.people_ids)}
        fixed = (*self.day, self.rollups.workspace_id)
        return list(select_in(self.connection, _USED_BY, fixed, sorted(person_of))), person_of

    def _said(self, rows: list[Row], person_of: dict[int, int]) -> dict[int, dict[int, _Said]]:
        """What each source says of each person's day."""
        prices = self.rollups.prices(self.day[1], {row[2] for row in rows})
        # In a measure that all of them have in common, numbers are as small as can be, and added up the faster.
        measure = gcd(UNITS_PER_NANO, *chain(*filter(None, prices.values())))
        nano = UNITS_PER_NANO // measure
        small = {line: price and tuple(one // measure for one in price) for line, price in prices.items()}
        found: dict[int, dict[int, _Said]] = defaultdict(dict)
        for row in rows:
            source_id, actor_id, line_id, a, b, c, d, e, searches, reported = row
            if line_id not in small or not (a or b or c or d or e or searches or reported):
                continue  # sources list whoever only opened a session as well
            by_source, price, tokens = found[person_of[actor_id]], small[line_id], a + b + c + d + e
            said = by_source.get(source_id)
            if said is None:
                said = by_source[source_id] = _Said(source_id)
            said.rows.append(row)
            said.tokens += tokens
            if reported is not None:
                said.units += reported * nano
            elif price is not None:
                said.units += (
                    a * price[0] + b * price[1] + c * price[2] + d * price[3] + e * price[4] + searches * price[5]
                )
            else:
                said.unpriced += tokens
        for by_source in found.values():
            for said in by_source.values():
                said.units *= measure
        return found

    def _fullest(self, person_id: int, by_source: dict[int, _Said]) -> tuple[int, _Said]:
        if len(by_source) == 1:
            return person_id, next(iter(by_source.values()))
        names = self.rollups.source_names
        by_name = {names[source_id]: said for source_id, said in by_source.items()}
        best = fullest(SourceDay(name, said.tokens, usd_of_units(said.units)) for name, said in by_name.items())
        return person_id, by_name[best.source]

    def _forget_people(self) -> None:
        delete = f"DELETE FROM person_days WHERE {_DAY}"  # noqa: S608
        if self.is_whole_day:
            run_sql(self.connection, delete, self.day)
        else:
            run_in(self.connection, f"{delete} AND person_id IN", self.day, self.people_ids)

    def _insert_people(self, speaking: list[tuple[int, _Said]]) -> None:
        rows = [
            (person_id, said.source_id, said.tokens, said.units // UNITS_PER_NANO, said.unpriced)
            for person_id, said in speaking
        ]
        insert_rows(self.connection, PERSON_DAYS, rows, self.day)

    def _model_row(self, key: tuple[int, bool], values: tuple[int, ...]) -> Row:
        return (*self.day, *key, *values[:-2], values[-2] if key[1] else None, values[-1])

    def _told(self) -> Models:
        """What these people add to the day's models as it is rolled up now."""
        rows, person_of = self._used()
        query = f"SELECT person_id, source_id FROM person_days WHERE {_DAY} AND person_id IN"  # noqa: S608
        taken = {(row[0], row[1]) for row in select_in(self.connection, query, self.day, self.people_ids)}
        prices = self.rollups.prices(self.day[1], {row[2] for row in rows})
        known = (row for row in rows if row[2] in prices and any(row[3:]))
        return _added_up(row for row in known if (person_of[row[1]], row[0]) in taken)

    def _shift_models(self, after: Models) -> None:
        moved = sorted(key for key in self.before.keys() | after.keys() if self.before.get(key) != after.get(key))
        if not moved:
            return
        stored = {
            (row[0], bool(row[1])): (*row[2:-2], row[-2] or 0, row[-1])
            for row in select_rows(self.connection, _MODELS, self.day)
        }
        rows = []
        for key in moved:
            parts = zip(
                stored.get(key, _NOTHING), after.get(key, _NOTHING), self.before.get(key, _NOTHING), strict=True
            )
            values = tuple(mine + now - then for mine, now, then in parts)
            if values[-1]:
                rows.append(self._model_row(key, values))
            else:
                sql = f"DELETE FROM model_days WHERE {_DAY} AND line_id = ? AND is_reported = ?"  # noqa: S608
                run_sql(self.connection, sql, (*self.day, *key))
        replace_rows(self.connection, MODEL_DAYS, rows)


_NOTHING = (0,) * 8


def _added_up(rows: Iterable[Row]) -> Models:
    by_line: dict[tuple[int, bool], list[Row]] = defaultdict(list)
    for row in rows:
        by_line[row[2], row[9] is not None].append(row)
    found = {}
    for key, some in by_line.items():
        counts = list(zip(*some, strict=True))[3:9]
        found[key] = (*(sum(column) for column in counts), sum(row[9] or 0 for row in some), len(some))
    return found
