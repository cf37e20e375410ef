"""Writing and reading many rows at once through the driver, many times faster than through the query builder.

Values are what the database holds: days as YYYYMMDD, money in nanodollars, nothing as None.
"""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, TypeVar

from bot.store.builder import tables
from bot.store.columns import Columns
from bot.store.connection import Connection

Row = tuple[Any, ...]
_ROWS_AT_ONCE = 400
_COPIED_FROM = 500
_IN_AT_ONCE = 500
_T = TypeVar("_T")


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector of cycles: it would look through millions of rows, which hold none, again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def insert_rows(connection: Connection, columns: Columns, rows: Sequence[Row], common: Row = ()) -> None:
    """Insert rows, none of which exists yet. Each holds the columns after those in ``common``, in their order."""
    if not rows:
        return
    if connection.is_sqlite:
        _insert_sqlite(connection, columns, rows, common)
    elif len(rows) < _COPIED_FROM:
        _execute_many(connection, _insert(columns), rows, common)
    else:
        _copy(connection, columns, rows, common)


def insert_missing(connection: Connection, columns: Columns, rows: Sequence[Row], common: Row = ()) -> None:
    """Like ``insert_rows``; rows with the same key as a stored one are left out."""
    _insert_beside(connection, columns, rows, common, "DO NOTHING")


def replace_rows(connection: Connection, columns: Columns, rows: Sequence[Row], common: Row = ()) -> None:
    """Like ``insert_rows``; rows with the same key are replaced."""
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns.others)
    _insert_beside(connection, columns, rows, common, f"DO UPDATE SET {changed}")


def _insert_beside(
    connection: Connection, columns: Columns, rows: Sequence[Row], common: Row, where_stored: str
) -> None:
    if not rows:
        return
    on_conflict = f" ON CONFLICT ({', '.join(columns.key)}) {where_stored}"
    if connection.is_sqlite:
        _insert_sqlite(connection, columns, rows, common, on_conflict)
    else:
        _execute_many(connection, _insert(columns) + on_conflict, rows, common)


def select_rows(connection: Connection, sql: str, values: Sequence[Any]) -> list[Row]:
    """Rows of a query, of which every parameter is written as ``?``."""
    cursor = connection.driver.cursor()
    try:
        cursor.execute(sql if connection.is_sqlite else sql.replace("?", "%s"), values)
        found: list[Row] = cursor.fetchall()
        return found
    finally:
        cursor.close()


def select_in(connection: Connection, sql: str, fixed: Sequence[Any], values: Iterable[Any]) -> Iterator[Row]:
    """Rows of a query that ends in ``IN`` and is asked for many values, some hundreds at a time."""
    for some in batches(list(values), _IN_AT_ONCE):
        yield from select_rows(connection, f"{sql} ({', '.join('?' * len(some))})", [*fixed, *some])


def run_sql(connection: Connection, sql: str, values: Sequence[Any]) -> None:
    """A statement whose parameters are written as ``?``."""
    cursor = connection.driver.cursor()
    cursor.execute(sql if connection.is_sqlite else sql.replace("?", "%s"), values)
    cursor.close()


def run_in(connection: Connection, sql: str, fixed: Sequence[Any], values: Sequence[Any]) -> None:
    """A statement that ends in ``IN`` and is for many values, some hundreds at a time."""
    for some in batches(values, _IN_AT_ONCE):
        run_sql(connection, f"{sql} ({', '.join('?' * len(some))})", [*fixed, *some])


def analyze_grown(connection: Connection) -> None:
    """Let PostgreSQL look at tables that are twice as large as when it last did.

    It does so by itself a minute later; until then it takes a table that was just filled for one of a few rows, and may
    plan questions about it that take minutes.
    """
    if connection.is_sqlite:
        return
    found = [name for (name,) in select_rows(connection, _GROWN, [list(_FILLED)])]
    if found:
        run_sql(connection, f"ANALYZE {', '.join(found)}", ())


_FILLED = ("usage_daily", "seen_requests", "person_days", "model_days", "actors", "people")
_GROWN = (
    "SELECT relname FROM pg_class WHERE oid = ANY(?::regclass[]) "
    "AND pg_relation_size(oid) > 2 * 8192 * GREATEST(relpages, 1) ORDER BY relname"
)


def batches(values: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """Slices of at most ``size`` values."""
    return (values[start : start + size] for start in range(0, len(values), size))


def _insert(columns: Columns) -> str:
    names = ", ".join(columns.names)
    return f"INSERT INTO {columns.table} ({names}) VALUES ({', '.join(['%s'] * len(columns.names))})"  # noqa: S608


def _insert_sqlite(
    connection: Connection, columns: Columns, rows: Sequence[Row], common: Row, on_conflict: str = ""
) -> None:
    cursor = connection.driver.cursor()
    names = ", ".join(columns.names)
    # What all rows begin with is handed over once a statement; the numbers of the others follow by themselves.
    places = [f"?{place}" for place in range(1, len(common) + 1)] + ["?"] * (len(columns.names) - len(common))
    one = f"({', '.join(places)})"
    for some in batches(rows, _ROWS_AT_ONCE):
        values = ", ".join([one] * len(some))
        sql = f"INSERT INTO {columns.table} ({names}) VALUES {values}{on_conflict}"  # noqa: S608
        cursor.execute(sql, list(chain(common, *some)))
    cursor.close()


def _execute_many(connection: Connection, sql: str, rows: Sequence[Row], common: Row) -> None:
    with connection.driver.cursor() as cursor:
        cursor.executemany(sql, [(*common, *row) for row in rows])


def _copy(connection: Connection, columns: Columns, rows: Sequence[Row], common: Row) -> None:
    described = tables.metadata.tables[columns.table].c
    types = [_postgres_type(str(described[name].type.compile(connection.built.dialect))) for name in columns.names]
    names = ", ".join(columns.names)
    with (
        connection.driver.cursor() as cursor,
        cursor.copy(f"COPY {columns.table} ({names}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(types)
        for row in rows:
            copy.write_row(common + row)


def _postgres_type(name: str) -> str:
    return {"BIGINT": "int8", "INTEGER": "int4", "TEXT": "text", "BOOLEAN": "bool", "BYTEA": "bytea"}[name.upper()]
