"""INSERT … ON CONFLICT in the dialect of the connection."""

from __future__ import annotations

from typing import Any

from bot.store.builder import sa
from bot.store.connection import Connection

BATCH = 500


def upsert(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows; where the primary key exists already, replace the other columns."""
    insert = _insert(connection, table)
    key = [column.name for column in table.primary_key]
    replaced = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in key}
    statement = insert.on_conflict_do_update(index_elements=key, set_=replaced)
    for start in range(0, len(rows), BATCH):
        connection.execute(statement, rows[start : start + BATCH])


def insert_missing(connection: Connection, table: sa.Table, rows: list[dict[str, Any]], *key: str) -> None:
    """Insert rows; where a row with the same unique key exists already, leave that one alone."""
    statement = _insert(connection, table).on_conflict_do_nothing(index_elements=list(key))
    for start in range(0, len(rows), BATCH):
        connection.execute(statement, rows[start : start + BATCH])


def _insert(connection: Connection, table: sa.Table) -> Any:
    if connection.is_sqlite:
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # takes a twentieth of a second that SQLite does not need

    return postgresql.insert(table)
