"""Values that the installation remembers by name."""

from sqlalchemy import Connection, select

from bot.store.database import Database
from bot.store.tables import settings
from bot.store.upsert import upsert


def read_setting(database: Database, name: str) -> str | None:
    """The remembered value, or None."""
    with database.read() as connection:
        return read_setting_in(connection, database.workspace_id, name)


def read_setting_in(connection: Connection, workspace_id: int, name: str) -> str | None:
    """The same as a part of a larger change."""
    query = select(settings.c.value).where(settings.c.workspace_id == workspace_id, settings.c.name == name)
    found: str | None = connection.execute(query).scalar()
    return found


def write_setting(database: Database, name: str, value: str) -> None:
    """Remember a value under a name, in place of an earlier one."""
    with database.write() as connection:
        write_setting_in(connection, database.workspace_id, name, value)


def write_setting_in(connection: Connection, workspace_id: int, name: str, value: str) -> None:
    """The same as a part of a larger change."""
    upsert(connection, settings, [{"workspace_id": workspace_id, "name": name, "value": value}])
