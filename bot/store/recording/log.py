"""The log of imports: what each file did."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from bot.spend.days import ONE_DAY
from bot.spend.records import Member, Problem
from bot.store.builder import sa, tables
from bot.store.bulk import Row, insert_rows, select_rows
from bot.store.columns import IMPORT_PROBLEMS
from bot.store.hidden_names import without_erased
from bot.store.recording.source import Source
from bot.store.tally import Tally
from bot.store.values import day_number

ONE_ARRIVAL = timedelta(minutes=10)
"""Of an hour: what a stream brings within each of these is logged as one arrival, at the time of the last of it."""


class DayChange(NamedTuple):
    """The team's total of a day before and after an import, in US dollars."""

    day: date
    before: Decimal
    after: Decimal


class RangeChange(NamedTuple):
    """The totals of several days, from ``start`` to before ``until``, before and after an import, in US dollars."""

    start: date
    until: date
    before: Decimal
    after: Decimal


class Recorded(NamedTuple):
    """What a file did: rows that are new, rows that were there already, and rows whose figures changed.

    ``changes`` are what all files that are stored together did to a day: of those that have it one tells of it.
    ``range_changes``, of totals that said something before, and ``outdated`` stand with the last of them.
    """

    accepted: int
    unchanged: int
    restated: int
    days: list[date]
    changes: list[DayChange]
    ranges: list[tuple[date, date]]
    outdated: int = 0
    """Rows among the unchanged that say something else than a newer export, and do not count."""

    readdressed: Sequence[tuple[Member, str]] = ()
    """Whose account was another address's before, with that address: see ``identity.Learned``."""

    range_changes: Sequence[RangeChange] = ()


class FileTally(NamedTuple):
    """What one file said: its rows added up, and the rows that were left out."""

    path: str
    tally: Tally
    problems: list[Problem]
    written_at: datetime | None = None
    """When the file was exported; None for what is no file."""


def log_files(
    source: Source,
    files: Sequence[FileTally],
    now: datetime,
    recorded: Sequence[Recorded],
    whole_days: Collection[date],
    *,
    is_stream: bool,
) -> None:
    """Keep what was imported when, and what was wrong with it; what a stream brings within ONE_ARRIVAL as one."""
    if is_stream and _is_logged_as_one(source, files[0], now, recorded[0]):
        return  # a stream brings one body at a time
    rows = [
        (*source.key, *_logged(source, file, now, what, whole_days)) for file, what in zip(files, recorded, strict=True)
    ]
    ids = [select_rows(source.connection, _LOG, row)[0][0] for row in rows]
    problems = [
        (import_id, problem.row, problem.problem.replace("\0", "�"))
        for import_id, file in zip(ids, files, strict=True)
        for problem in file.problems
    ]
    insert_rows(source.connection, IMPORT_PROBLEMS, problems)


def _is_logged_as_one(source: Source, file: FileTally, now: datetime, recorded: Recorded) -> bool:
    """Add to what came from the same place a moment ago: a stream of small bodies is one arrival, not thousands."""
    table = tables.imports.c
    start = datetime.fromtimestamp(now.timestamp() // ONE_ARRIVAL.total_seconds() * ONE_ARRIVAL.total_seconds(), UTC)
    query = (
        sa.select(table.id, table.first_day, table.last_day, table.imported_at)
        .where(
            table.workspace_id == source.workspace_id,
            table.source_id == source.id,
            table.path == file.path,
            table.imported_at >= start,
            table.imported_at < start + ONE_ARRIVAL,  # and not what a clock that was ahead has put there
        )
        .order_by(table.id.desc())
        .limit(1)
    )
    last = None if file.problems else source.connection.execute(query).first()
    if last is None:
        return False
    days = sorted({*recorded.days, *filter(None, (last.first_day, last.last_day))})
    source.connection.execute(
        sa.update(tables.imports)
        .where(table.id == last.id)
        .values(
            imported_at=max(now, last.imported_at),
            accepted=table.accepted + recorded.accepted,
            unchanged=table.unchanged + recorded.unchanged,
            restated=table.restated + recorded.restated,
            first_day=days[0] if days else None,
            last_day=days[-1] if days else None,
        )
    )
    return True


_LOGGED = "path, imported_at, written_at, accepted, rejected, unchanged, restated, first_day, last_day"
_LOG = (
    f"INSERT INTO imports (workspace_id, source_id, {_LOGGED}) "  # noqa: S608
    f"VALUES (?, ?, {', '.join('?' * len(_LOGGED.split(',')))}) RETURNING id"
)


def _logged(source: Source, file: FileTally, now: datetime, what: Recorded, whole_days: Collection[date]) -> Row:
    written_at = None if file.written_at is None else int(min(file.written_at, now).timestamp())
    counts = (what.accepted, sum(problem.rows for problem in file.problems), what.unchanged, what.restated)
    days = (min(what.days, default=None), max(what.days, default=None))
    if whole_days:
        days = (min(whole_days), max(whole_days))
    elif file.tally.covered is not None:
        days = (file.tally.covered.start, file.tally.covered.until - ONE_DAY)
    ends = (None if day is None else day_number(day) for day in days)
    path = without_erased(source.connection, source.workspace_id, file.path) if "@" in file.path else file.path
    return (path, int(now.timestamp()), written_at, *counts, *ends)
