"""Teams: named sets of people, each with an own limit, a month's budget and a lead."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from bot.store.builder import sa, tables
from bot.store.connection import Connection
from bot.store.database import Database
from bot.store.people import is_somebody, normalised_email

MIN_TEAM = 3
"""A total of fewer people tells each of them, or whoever else sees it, what the other one spent."""


MAX_TEAM_NAME = 80


class UnknownMember(Exception):
    """Somebody is to join a team of whom no export has told; one sentence that quotes the address."""


class Team(NamedTuple):
    """``limit_usd`` is a person's day, ``budget_usd`` the team's month; ``lead`` is a Slack user id."""

    id: int
    name: str
    lead: str | None
    limit_usd: Decimal | None
    budget_usd: Decimal | None


def _team() -> list[sa.Column[Any]]:
    return [tables.teams.c[name] for name in Team._fields]


def find_team(database: Database, name: str) -> Team | None:
    """The team of that name, in any letter case."""
    with database.read() as connection:
        return _named(connection, database.workspace_id, name)


def _named(connection: Connection, workspace_id: int, name: str) -> Team | None:
    # Compared here: databases fold the case of A to Z at most, or by a locale of theirs.
    rows = connection.execute(sa.select(*_team()).where(tables.teams.c.workspace_id == workspace_id))
    wanted = name.strip().casefold()
    return next((team for team in (Team(*row) for row in rows) if team.name.casefold() == wanted), None)


def all_teams(database: Database) -> list[tuple[Team, list[str]]]:
    """Every team with the addresses of its people."""
    query = (
        sa.select(*_team(), tables.people.c.email)
        .select_from(tables.teams)
        .outerjoin(tables.people, sa.and_(tables.people.c.team_id == tables.teams.c.id, is_somebody()))
        .where(tables.teams.c.workspace_id == database.workspace_id)
        .order_by(tables.teams.c.name, tables.people.c.email)
    )
    found: dict[int, tuple[Team, list[str]]] = {}
    with database.read() as connection:
        for *team, email in connection.execute(query):
            entry = found.setdefault(team[0], (Team(*team), []))
            if email:
                entry[1].append(email)
    return list(found.values())


TOO_SMALL = (
    f"A team of fewer than {MIN_TEAM} people has no figures of its own: they would tell what each one spent. "
    "An admin adds people with claudecost team."
)


def is_too_small(database: Database, team: Team, fewest: int = MIN_TEAM) -> bool:
    """Whether a team has fewer people than a total is told of: it would tell what each of them spent."""
    query = (
        sa.select(sa.func.count()).select_from(tables.people).where(tables.people.c.team_id == team.id, is_somebody())
    )
    with database.read() as connection:
        return int(connection.execute(query).scalar_one()) < fewest


def set_team(database: Database, name: str, members: Sequence[str], **values: Any) -> Team:
    """Make a team or change it; ``members`` join it and leave the one they were in. Raises UnknownMember."""
    with database.write() as connection:
        known = _named(connection, database.workspace_id, name)
        if known is None:
            row = {"workspace_id": database.workspace_id, "name": name.strip(), **values}
            team_id = connection.execute(
                sa.insert(tables.teams).values(**row).returning(tables.teams.c.id)
            ).scalar_one()
        else:
            team_id = known.id
        if known is not None and values:
            connection.execute(sa.update(tables.teams).where(tables.teams.c.id == team_id).values(**values))
        for email in members:
            # Of an address that was linked to another, the other person joins.
            whose = sa.select(tables.actors.c.person_id).where(
                tables.actors.c.workspace_id == database.workspace_id,
                tables.actors.c.kind == "email",
                tables.actors.c.name == normalised_email(email),
            )
            joined = sa.update(tables.people).where(tables.people.c.id == whose.scalar_subquery())
            if connection.execute(joined.values(team_id=team_id)).rowcount != 1:
                raise UnknownMember(f"Nobody here has the address “{email}”; claudecost people lists everybody.")
    found = find_team(database, name)
    assert found is not None  # noqa: S101 - it was written just now
    return found
