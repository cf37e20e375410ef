"""Files that were read to their end, so that an unchanged one need not be read again."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import NamedTuple

from bot.store.builder import sa, tables
from bot.store.bulk import replace_rows, select_in
from bot.store.columns import READ_FILES
from bot.store.connection import Connection
from bot.store.database import Database


class FileState(NamedTuple):
    """One file as it is now. ``changed_at`` is in nanoseconds; ``settings`` is what else its reading depends on."""

    path: str
    size: int
    changed_at: int
    settings: str


class ReadFile(NamedTuple):
    """What a file held when it was read, and the first thing that was wrong with it."""

    format: str
    rows: int
    days: list[date]
    problem: str | None = None


def find_read_files(database: Database, states: Iterable[FileState]) -> dict[FileState, ReadFile]:
    """What is remembered of those files that are the same as then."""
    wanted = {state.path: state for state in states}
    sql = (
        "SELECT path, size, changed_at, settings, format, row_count, days, problem FROM read_files "
        "WHERE workspace_id = ? AND path IN"
    )
    found = {}
    with database.read() as connection:
        for *state, format_name, rows, days, problem in select_in(connection, sql, [database.workspace_id], wanted):
            read = ReadFile(format_name, rows, [date.fromisoformat(day) for day in days.split(",") if day], problem)
            found[FileState(*state)] = read
    return {state: found[state] for state in wanted.values() if state in found}


def forget_read_files(connection: Connection, workspace_id: int, plain: str, names: Callable[[str], bool]) -> None:
    """Remember no more that files were read for somebody: what the reading depended on, or the path, ``names`` them.

    ``plain`` is a part of the name, in small letters of ASCII.
    """
    table = tables.read_files.c
    either = sa.or_(
        *(sa.func.lower(column).contains(plain, autoescape=True) for column in (table.settings, table.path))
    )
    query = sa.select(table.path, table.settings).where(table.workspace_id == workspace_id, either)
    for path, read_with in connection.execute(query).all():
        if names(path) or names(read_with):
            connection.execute(
                sa.delete(tables.read_files).where(table.workspace_id == workspace_id, table.path == path)
            )


def remember_read_files(database: Database, files: Iterable[tuple[FileState, ReadFile]]) -> None:
    """Keep that files were read to their end."""
    rows = []
    for state, read in files:
        days = ",".join(day.isoformat() for day in read.days)
        rows.append((database.workspace_id, *state, read.format, read.rows, days, read.problem))
    if rows:
        with database.write() as connection:
            replace_rows(connection, READ_FILES, rows)
