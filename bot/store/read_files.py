"""Files that were read to their end, so that an unchanged one need not be read again."""

from datetime import date
from typing import NamedTuple

from sqlalchemy import select

from bot.store.database import Database
from bot.store.tables import read_files
from bot.store.upsert import upsert


class FileState(NamedTuple):
    """One file as it is now. ``changed_at`` is in nanoseconds; ``settings`` is what else its reading depends on."""

    path: str
    size: int
    changed_at: int
    settings: str


class ReadFile(NamedTuple):
    """What a file held when it was read."""

    format: str
    rows: int
    days: list[date]


def find_read_file(database: Database, state: FileState) -> ReadFile | None:
    """What is remembered of a file, if it is the same as then."""
    table = read_files.c
    query = select(table.format, table.row_count, table.days).where(
        table.workspace_id == database.workspace_id,
        table.path == state.path,
        table.size == state.size,
        table.changed_at == state.changed_at,
        table.settings == state.settings,
    )
    with database.read() as connection:
        row = connection.execute(query).first()
    return ReadFile(row[0], row[1], [date.fromisoformat(day) for day in row[2].split(",") if day]) if row else None


def remember_read_file(database: Database, state: FileState, format_name: str, rows: int, days: list[date]) -> None:
    """Keep that a file was read to its end."""
    row = {
        "workspace_id": database.workspace_id,
        **state._asdict(),
        "format": format_name,
        "row_count": rows,
        "days": ",".join(day.isoformat() for day in days),
    }
    with database.write() as connection:
        upsert(connection, read_files, [row])
