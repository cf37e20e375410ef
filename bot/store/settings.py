"""Values that the installation remembers by name."""

from bot.store.bulk import replace_rows, select_rows
from bot.store.columns import SETTINGS
from bot.store.connection import Connection
from bot.store.database import Database


def read_setting(database: Database, name: str) -> str | None:
    """The remembered value, or None."""
    with database.read() as connection:
        return read_setting_in(connection, database.workspace_id, name)


def read_setting_in(connection: Connection, workspace_id: int, name: str) -> str | None:
    """The same as a part of a larger change."""
    sql = "SELECT value FROM settings WHERE workspace_id = ? AND name = ?"
    found = select_rows(connection, sql, (workspace_id, name))
    return str(found[0][0]) if found else None


def write_setting(database: Database, name: str, value: str) -> None:
    """Remember a value under a name, in place of an earlier one."""
    with database.write() as connection:
        write_setting_in(connection, database.workspace_id, name, value)


def write_setting_in(connection: Connection, workspace_id: int, name: str, value: str) -> None:
    """The same as a part of a larger change."""
    replace_rows(connection, SETTINGS, [(workspace_id, name, value)])
