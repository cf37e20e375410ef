"""What admins changed and whose figures were looked at: with who and when, and visible to whom it concerns."""

from datetime import datetime
from typing import NamedTuple

from bot.store.builder import sa, tables
from bot.store.connection import Connection
from bot.store.database import Database
from bot.store.people import spender_label

LOOKED_AT = "looked at "


class Look(NamedTuple):
    """What somebody changed or looked at; ``who`` is a Slack user id, or what ran on this machine.

    ``whose`` is the label of the person whom it is about, where it is about one.
    """

    at: datetime
    who: str
    what: str
    whose: str | None = None


def write_audit(
    connection: Connection, workspace_id: int, now: datetime, who: str, what: str, person_id: int | None = None
) -> None:
    """Keep that somebody changed or looked at something."""
    row = {"workspace_id": workspace_id, "at": now, "who": who, "what": what, "person_id": person_id}
    connection.execute(sa.insert(tables.audit).values(**row))


def note_change(database: Database, now: datetime, who: str, what: str, person_id: int | None = None) -> None:
    """Keep that somebody changed something."""
    with database.write() as connection:
        write_audit(connection, database.workspace_id, now, who, what, person_id)


def note_look(database: Database, now: datetime, who: str, person_id: int, what: str) -> None:
    """Keep that somebody looked at a person's figures."""
    note_change(database, now, who, LOOKED_AT + what, person_id)


def last_entries(database: Database, limit: int = 5) -> list[Look]:
    """The last changes and looks, the newest first."""
    query = (
        sa.select(
            tables.audit.c.at, tables.audit.c.who, tables.audit.c.what, tables.people.c.email, tables.people.c.name
        )
        .outerjoin(tables.people, tables.audit.c.person_id == tables.people.c.id)
        .where(tables.audit.c.workspace_id == database.workspace_id)
        .order_by(tables.audit.c.id.desc())
        .limit(limit)
    )
    with database.read() as connection:
        return [
            Look(at, who, what, None if name is None else spender_label(email, name))
            for at, who, what, email, name in connection.execute(query)
        ]


def looks_at(database: Database, person_id: int, limit: int = 3) -> list[Look]:
    """The last looks of others at a person's figures, the newest first."""
    query = (
        sa.select(tables.audit.c.at, tables.audit.c.who, tables.audit.c.what)
        .where(
            tables.audit.c.workspace_id == database.workspace_id,
            tables.audit.c.person_id == person_id,
            tables.audit.c.what.startswith(LOOKED_AT),
        )
        .order_by(tables.audit.c.id.desc())
        .limit(limit)
    )
    with database.read() as connection:
        return [Look(at, who, what.removeprefix(LOOKED_AT)) for at, who, what in connection.execute(query)]
