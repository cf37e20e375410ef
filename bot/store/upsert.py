"""INSERT … ON CONFLICT of a single row, built in the dialect of the connection; ``bulk`` has that of many."""

from __future__ import annotations

from typing import Any

from bot.store.builder import sa
from bot.store.connection import Connection


def upsert(connection: Connection, table: sa.Table, row: dict[str, Any]) -> None:
    """Insert a row; where its primary key exists already, replace the other columns."""
    insert = _insert(connection, table)
    key = [column.name for column in table.primary_key]
    replaced = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in key}
    connection.execute(insert.on_conflict_do_update(index_elements=key, set_=replaced), row)


def insert_new(connection: Connection, table: sa.Table, row: dict[str, Any], *key: str) -> None:
    """Insert a row; where one with the same unique key exists already, leave that one alone."""
    connection.execute(_insert(connection, table).on_conflict_do_nothing(index_elements=list(key)), row)


def _insert(connection: Connection, table: sa.Table) -> Any:
    if connection.is_sqlite:
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # takes a twentieth of a second that SQLite does not need

    return postgresql.insert(table)
