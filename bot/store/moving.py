"""Copying everything from one database into another that is still empty, as when a team outgrows SQLite."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from bot.store.builder import sa, tables
from bot.store.bulk import Row, insert_rows, run_sql, select_rows
from bot.store.columns import Columns
from bot.store.connection import Connection
from bot.store.database import Database, DatabaseProblem, connect, database_errors, migrate, open_database

_AT_ONCE = 10_000
_MADE = ("settings",)
"""Of these any command makes some where there are none: they do not say that somebody uses a database."""

_SLACKS = ("slack_bots", "slack_installations")
"""Slack's own tables of installations, whose columns only the database describes."""

Track = Callable[[Sequence[str]], Iterable[str]]
"""What shows how far a loop over the names of tables is."""


def copy_everything(url: str, target: Database, track: Track = lambda names: names) -> int:
    """Copy all rows of the database at ``url``, of all workspaces, into ``target``; returns how many those are.

    The source is brought up to date first. All of them or none. Raises DatabaseProblem where there is nothing to copy
    from, or somebody uses the target already.
    """
    source = _existing(url)
    migrate(target)
    if source.shown_url == target.shown_url:
        raise DatabaseProblem(f"{source.shown_url} is the database of the settings itself; name the one to copy from.")
    try:
        with source.read() as old, target.write() as new:
            ours = [table.name for table in tables.metadata.sorted_tables]
            found = [name for name in (*ours, *_SLACKS) if select_rows(new, f"SELECT 1 FROM {name} LIMIT 1", ())]  # noqa: S608
            if used := [name for name in found if name not in _MADE]:
                raise DatabaseProblem(
                    f"{target.shown_url} is in use already (there is something in {used[0]}). Nothing was copied; name "
                    "an empty database in DATABASE_URL."
                )
            for name in _MADE:
                run_sql(new, f"DELETE FROM {name}", ())  # noqa: S608
            count = 0
            for name in track([*ours, *_SLACKS]):
                count += _copy_slacks(old, new, name) if name in _SLACKS else _copy(old, new, name)
                if not new.is_sqlite:
                    _count_on(new, name)
            return count
    finally:
        source.close()


def _existing(url: str) -> Database:
    """The database to copy from, brought up to date. Raises DatabaseProblem, also where there is none of ours."""
    named = re.fullmatch(r"sqlite:///(?P<file>[^?]*)(\?.*)?", url)
    if named and not (Path(named["file"]).is_file() and Path(named["file"]).stat().st_size):
        raise DatabaseProblem(f"There is no database at {url} to copy from.")
    try:
        found = connect(url)
        try:
            with found.read() as connection:
                select_rows(connection, "SELECT version_num FROM alembic_version", ())
        except database_errors() as error:
            why = str(error).strip().partition("\n")[0].rstrip(".")
            raise DatabaseProblem(
                f"There is no database of claudecost at {found.shown_url} to copy from: {why}."
            ) from error
        finally:
            found.close()
        return open_database(url)
    except DatabaseProblem as error:
        raise DatabaseProblem(str(error).replace("DATABASE_URL", "--from")) from error


def _copy(old: Connection, new: Connection, name: str) -> int:
    """Copy one of our tables, as the databases hold it."""
    columns = tables.metadata.tables[name].columns
    flags = [place for place, column in enumerate(columns) if isinstance(column.type, sa.Boolean)]
    described = Columns(name, (), tuple(column.name for column in columns))
    count = 0
    for rows in _batches(old, described):
        if flags and old.is_sqlite:
            rows = [_with_flags(row, flags) for row in rows]
        insert_rows(new, described, rows)
        count += len(rows)
    return count


def _batches(connection: Connection, columns: Columns) -> Iterator[list[Row]]:
    names = ", ".join(f'"{name}"' for name in columns.names)
    # Of PostgreSQL only a cursor with a name leaves the rows there until they are asked for.
    cursor = connection.driver.cursor() if connection.is_sqlite else connection.driver.cursor("copied")
    cursor.execute(f"SELECT {names} FROM {columns.table}")  # noqa: S608
    while rows := cursor.fetchmany(_AT_ONCE):
        yield rows
    cursor.close()


def _with_flags(row: Row, flags: Iterable[int]) -> Row:
    """A row with true and false where SQLite has 1 and 0."""
    values = list(row)
    for place in flags:
        values[place] = None if values[place] is None else bool(values[place])
    return tuple(values)


def _copy_slacks(old: Connection, new: Connection, name: str) -> int:
    reading, writing = (sa.Table(name, sa.MetaData(), autoload_with=each.built) for each in (old, new))
    rows = [dict(row) for row in old.execute(sa.select(reading)).mappings()]
    if rows:
        new.execute(sa.insert(writing), rows)
    return len(rows)


def _count_on(connection: Connection, name: str) -> None:
    """Let PostgreSQL number new rows after those that were copied with their numbers."""
    columns = select_rows(
        connection, "SELECT 1 FROM information_schema.columns WHERE table_name = ? AND column_name = 'id'", (name,)
    )
    if columns:
        run_sql(
            connection,
            f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), MAX(id)) FROM {name} HAVING MAX(id) > 0",  # noqa: S608
            (),
        )
