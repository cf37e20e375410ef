"""What all ways of writing a source's usage have in common: the rows of its days, and the roll-ups that follow them."""

from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from bot.pricing import PriceBook
from bot.store.bulk import Row, select_in, select_rows
from bot.store.columns import COUNTS, USAGE_LINES
from bot.store.connection import Connection
from bot.store.ranges import Span, span_usd
from bot.store.recording.lines import source_id
from bot.store.rollups import DayRollup, Rollups
from bot.store.tally import NOT_STATED, Tally, Values, with_cost
from bot.store.values import instant, number_day

OLDER_BY = timedelta(hours=1)
"""An export that is so much older than another one of the same days adds what that one lacks, and changes nothing."""

FEW_ACTORS = 200
COUNT_NAMES = ", ".join(COUNTS)
_DAILY = (
    f"SELECT actor_id, line_id, {COUNT_NAMES}, reported_usd FROM usage_daily "  # noqa: S608
    "WHERE workspace_id = ? AND day = ? AND source_id = ?"
)

DELETE_DAILY = (
    "DELETE FROM usage_daily WHERE workspace_id = ? AND day = ? AND source_id = ? AND actor_id = ? AND line_id = ?"
)
DELETE_RANGE = (
    "DELETE FROM usage_ranges WHERE workspace_id = ? AND source_id = ? "
    "AND start = ? AND until = ? AND actor_id = ? AND line_id = ?"
)


class Counted(NamedTuple):
    """How many rows of a file were new, were there already, or have other figures now."""

    new: int = 0
    same: int = 0
    restated: int = 0

    def plus(self, other: "Counted") -> "Counted":
        return Counted(self.new + other.new, self.same + other.same, self.restated + other.restated)


class Part(NamedTuple):
    """One file's tally, with the ids of its actors and lines by their place."""

    tally: Tally
    actor_of: list[int]
    line_of: list[int]


class Source:
    """One source while files of it are being written, and which days and people that touches."""

    def __init__(
        self, connection: Connection, workspace_id: int, name: str, book: PriceBook, written_at: datetime | None
    ) -> None:
        """``written_at`` is when the oldest of the files was exported; None where nothing can be newer than them."""
        self.connection = connection
        self.workspace_id = workspace_id
        self.name = name
        self.id = source_id(connection, workspace_id, name)
        self.key = (workspace_id, self.id)
        self.rollups = Rollups(connection, workspace_id, book)
        self.touched_people: set[tuple[date, int]] = set()
        self.before: dict[date, Decimal] = {}
        self.spans: set[Span] = set()
        self.spans_before: dict[Span, Decimal] = {}
        """What totals of several days said before."""

        self.written_at = written_at
        self.outdated = 0
        self._person_of: dict[int, int] = {}
        self._newest: dict[int, int | None] = {}
        """When the newest export of a day was written, once that was asked for."""

    def day_key(self, day: int) -> tuple[int, int, int]:
        """What is the same in all rows of a day: workspace, day and source."""
        return self.workspace_id, day, self.id

    def rollup(self, day: int, actor_ids: Iterable[int]) -> DayRollup:
        """The roll-ups of a day before these actors' usage changes; the day's total is remembered."""
        when = number_day(day)
        people_ids = set(self.people_of(set(actor_ids)).values())
        if when not in self.before:
            self.before[when] = self.rollups.day_usd(when)
        self.touched_people |= {(when, person) for person in people_ids}
        return self.rollups.of(when, people_ids)

    def remember_span(self, span: Span) -> None:
        """Take note of what the totals of a span say before they change."""
        if span not in self.spans_before:
            self.spans_before[span] = span_usd(self.connection, self.workspace_id, span)

    def people_of(self, actor_ids: set[int]) -> dict[int, int]:
        """The person behind each of some actors."""
        missing = sorted(actor_ids - self._person_of.keys())
        self._person_of |= {row[0]: row[1] for row in select_in(self.connection, _PERSON_OF, (), missing)}
        return {actor: self._person_of[actor] for actor in actor_ids}

    def dailies(self, day: int, actors_of_file: set[int] | None) -> list[Row]:
        """What is stored of a day, as rows without what is the same in all, in the order of the primary key.

        Of some actors only, unless they are many.
        """
        fixed = self.day_key(day)
        if actors_of_file is None or len(actors_of_file) > FEW_ACTORS:
            return sorted(select_rows(self.connection, _DAILY, fixed))
        return sorted(select_in(self.connection, f"{_DAILY} AND actor_id IN", fixed, sorted(actors_of_file)))

    def kinds(self, line_ids: set[int], *without: str) -> dict[int, int]:
        """For each line the first of those that differ in some columns alone, or in whether their cost is stated."""
        return self._first(line_ids, without, str)

    def kinds_however_spelled(self, line_ids: set[int], *without: str) -> dict[int, int]:
        """The same where one model is the same under each of its spellings."""
        return self._first(line_ids, without, self.rollups.book.spelled_out)

    def _first(self, line_ids: set[int], without: Collection[str], model_of: Callable[[str], str]) -> dict[int, int]:
        columns = [name for name in USAGE_LINES.names if name not in (*without, "part", "model")]
        part, model = ("''" if name in without else name for name in ("part", "model"))
        sql = f"SELECT id, {part}, {model}, {', '.join(columns)} FROM usage_lines WHERE id IN"  # noqa: S608
        first: dict[Row, int] = {}
        found = sorted(select_in(self.connection, sql, (), sorted(line_ids)))
        return {row[0]: first.setdefault((with_cost(row[1]), model_of(row[2]), *row[3:]), row[0]) for row in found}

    def is_older(self, day: int) -> bool:
        """Whether another export of the source, that was written long after this one, told of a day as well."""
        if self.written_at is None:
            return False
        if day not in self._newest:
            sql = (
                "SELECT MAX(written_at) FROM imports "
                "WHERE workspace_id = ? AND source_id = ? AND first_day <= ? AND last_day >= ?"
            )
            ((self._newest[day],),) = select_rows(self.connection, sql, (*self.key, day, day))
        newest = self._newest[day]
        return newest is not None and self.written_at < instant(newest) - OLDER_BY


_PERSON_OF = "SELECT id, person_id FROM actors WHERE id IN"


def summed(rows: list[Row]) -> Row:
    """Six counts and a cost, added up as SQL does: None does not count, and nothing but None comes to None."""
    *counts, reported = zip(*rows, strict=True)
    stated = [nano for nano in reported if nano is not None]
    return (*map(sum, counts), sum(stated) if stated else None)


def as_stored(values: Values) -> Row:
    """A tally's values as columns of a table."""
    return (*values[:-1], None if values[-1] == NOT_STATED else values[-1])
