"""Which workspaces the database has rows of, and under which number."""

from typing import NamedTuple

from bot.store.builder import sa, tables
from bot.store.database import SINGLE_WORKSPACE, Database
from bot.store.upsert import insert_new


class Workspace(NamedTuple):
    """A workspace's number in every table, Slack's ids of it and of its organisation, and who installed it first."""

    id: int
    team_id: str
    enterprise_id: str | None
    installer: str | None


def known_workspaces(database: Database) -> list[Workspace]:
    """Every workspace that was ever installed, in the order of their numbers."""
    columns = (
        tables.workspaces.c.id,
        tables.workspaces.c.team_id,
        tables.workspaces.c.enterprise_id,
        tables.workspaces.c.installer,
    )
    with database.read() as connection:
        return [Workspace(*row) for row in connection.execute(sa.select(*columns).order_by(tables.workspaces.c.id))]


class OtherWorkspace(Exception):
    """The rows of the database are another workspace's; one sentence that says so and what to do."""


def remember_single(database: Database, team_id: str, enterprise_id: str | None) -> None:
    """The token of the settings is of this workspace: it keeps its rows if several workspaces are served later.

    Raises OtherWorkspace where the rows that a token sees are not its own.
    """
    known = {one.id: one.team_id for one in known_workspaces(database)}
    ours = known.get(SINGLE_WORKSPACE)
    if ours == team_id:
        return
    if ours is not None:
        raise OtherWorkspace(
            f"SLACK_BOT_TOKEN is of the workspace {team_id}, and the database has what {ours} spent. Give {team_id} a "
            "DATABASE_URL of its own, or serve both with SLACK_CLIENT_ID."
        )
    if team_id in known.values():
        raise OtherWorkspace(f"The database has {team_id} as one of several workspaces: leave SLACK_BOT_TOKEN out.")
    with database.write() as connection:
        row = {"id": SINGLE_WORKSPACE, "team_id": team_id, "enterprise_id": enterprise_id}
        insert_new(connection, tables.workspaces, row, "id")


def remember_installed(database: Database, team_id: str, enterprise_id: str | None, installer: str) -> None:
    """A workspace installed the app. The first installer stays its admin, whoever installs it again.

    The number of SINGLE_WORKSPACE is kept for the workspace of a token, whose rows are nobody else's.
    """
    with database.write_usage() as connection:
        known = sa.select(tables.workspaces.c.installer).where(tables.workspaces.c.team_id == team_id)
        found = connection.execute(known).first()
        if found is None:
            newest = connection.execute(sa.select(sa.func.max(tables.workspaces.c.id))).scalar() or SINGLE_WORKSPACE
            row = {"id": newest + 1, "team_id": team_id, "enterprise_id": enterprise_id, "installer": installer}
            connection.execute(sa.insert(tables.workspaces).values(**row))
        else:
            values = {"enterprise_id": enterprise_id, "installer": found.installer or installer}
            connection.execute(
                sa.update(tables.workspaces).where(tables.workspaces.c.team_id == team_id).values(**values)
            )
