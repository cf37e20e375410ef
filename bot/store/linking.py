"""Who is who by hand: an admin, or Slack, says that a name is a person's."""

from __future__ import annotations

from datetime import datetime

from bot.pricing import PriceBook
from bot.spend.records import Actor
from bot.store.alerting import AlertPolicy, owe_alerts
from bot.store.builder import sa, tables
from bot.store.bulk import run_in, run_sql
from bot.store.connection import Connection
from bot.store.database import Database
from bot.store.hidden_names import hidden_name, known_salt
from bot.store.identity import (
    BY_EXPORT,
    BY_LINK,
    BY_RULE,
    PersonDays,
    UnknownIdentity,
    follow_rule,
    known_actors,
    move_actor,
    person_of_address,
    person_of_email,
)
from bot.store.people import normalised_email
from bot.store.recording.totals import tell_apart_again

_KEPT = (
    "slack_user_id",
    "limit_usd",
    "seat",
    "team_id",
    "muted_until",
    "planned_day",
    "planned_before",
    "quiet_hours",
    "hides_name",
)
"""What is kept of a person beside their names."""

_SAID_OTHERWISE = "UPDATE actors SET beside = NULL WHERE id IN"
_GIVEN_TO = "UPDATE actors SET beside = ? WHERE kind <> 'email' AND id IN"
"""Where that address is linked to another one and goes its own way again, they go with it."""

_NAMED_BY = "UPDATE actors SET linked_by = ? WHERE workspace_id = ? AND kind = 'email' AND name = ?"


def link_actor(
    database: Database,
    name: str,
    email: str,
    by: str,
    book: PriceBook,
    policy: AlertPolicy,
    now: datetime,
    kind: str | None = None,
) -> set[int]:
    """Say that a key, account or address is a person's, who may reach a limit by that; of one kind only if said.

    What was kept of an address, such as its team and limit, is the person's from then on where they have none of their
    own. An address that goes its own way again has it as before; the person keeps it, but for the Slack user.
    Returns the ids of people whose it was. Raises UnknownIdentity for a name that no export has used.
    """
    with database.write_usage() as connection:
        found = _actors_named(connection, database.workspace_id, name, kind)
        if not found:
            raise UnknownIdentity(f"No export has named “{name}”. claudecost people lists the names that are known.")
        address = normalised_email(email)
        is_new = not known_actors(connection, database.workspace_id, {Actor("email", address)})
        person_id = person_of_email(connection, database.workspace_id, address)
        if person_id is None:
            raise UnknownIdentity(f"The data of {email} were erased; nothing is linked to that address any more.")
        if is_new:
            run_sql(connection, _NAMED_BY, (BY_LINK, database.workspace_id, address))
        named = found
        found, person_id = _meant(connection, database.workspace_id, named, address, person_id)
        _take_along(connection, database.workspace_id, named, person_id)
        moved: PersonDays = set()
        owners = sa.select(tables.people.c.id).join(tables.actors, tables.actors.c.person_id == tables.people.c.id)
        owners = owners.where(
            tables.actors.c.id.in_(found), tables.people.c.email.is_not(None), tables.people.c.id != person_id
        )
        before = set(connection.execute(owners).scalars())
        # Of what only comes along an export still says whose it is, and of keys so which export is the newer one.
        is_said = (
            tables.actors.c.kind != "email",
            tables.actors.c.linked_by == BY_EXPORT,
            tables.actors.c.id.not_in(named),
        )
        said = set(
            connection.execute(sa.select(tables.actors.c.id).where(tables.actors.c.id.in_(found), *is_said)).scalars()
        )
        for actor_id in found:
            whose = BY_EXPORT if actor_id in said else by
            move_actor(connection, database.workspace_id, actor_id, person_id, whose, book, moved)
        run_in(connection, _SAID_OTHERWISE, (), named)
        (given,) = known_actors(connection, database.workspace_id, {Actor("email", address)}).values()
        run_in(connection, _GIVEN_TO, (given,), named)
        before -= {one for one in before if _forget_linked(connection, one, person_id)}
        follow_rule(connection, database.workspace_id, book, moved)
        concerned = {person_id, *before, *(one for _, one in moved)}
        moved |= tell_apart_again(connection, database.workspace_id, concerned, book)
        owe_alerts(connection, database.workspace_id, moved, policy, now)
    return before


def _forget_linked(connection: Connection, before: int, person_id: int) -> bool:
    """Let go of an address that only a link has named, such as by a slip of the pen, once nothing is its own.

    It would stand in the way of whoever really has such a name. Returns whether it went; the person without a name
    stays, as another one with the same id would take over what was told to them.
    """
    person = connection.execute(sa.select(tables.people).where(tables.people.c.id == before)).mappings().one()
    actors = connection.execute(sa.select(tables.actors).where(tables.actors.c.person_id == before)).mappings().all()
    is_known = person["name"] != person["email"] or any(person[name] is not None for name in _KEPT)
    if is_known or [(one["name"], one["linked_by"]) for one in actors] != [(person["email"], BY_LINK)]:
        return False
    actor_id = actors[0]["id"]
    for table in (tables.usage_daily, tables.usage_ranges, tables.session_days, tables.seen_requests):
        if connection.execute(sa.select(table.c.actor_id).where(table.c.actor_id == actor_id).limit(1)).first():
            return False
    # Who looked at the name's figures has looked at those of whose it is now.
    looks = sa.update(tables.audit).where(tables.audit.c.person_id == before)
    connection.execute(looks.values(person_id=person_id))
    connection.execute(sa.delete(tables.actors).where(tables.actors.c.id == actor_id))
    connection.execute(sa.update(tables.people).where(tables.people.c.id == before).values(email=None, name=""))
    return True


def _actors_named(connection: Connection, workspace_id: int, name: str, kind: str | None) -> list[int]:
    """Actors by name as an export has it, else in any letter case."""
    bare = name.strip()
    for is_named in (tables.actors.c.name == bare, sa.func.lower(tables.actors.c.name) == bare.lower()):
        query = sa.select(tables.actors.c.id).where(tables.actors.c.workspace_id == workspace_id, is_named)
        query = query if kind is None else query.where(tables.actors.c.kind == kind)
        found = list(connection.execute(query).scalars())
        if found:
            return found
    # A key that is known by its hash, as whoever it was taken for was erased.
    salt = known_salt(connection, workspace_id)
    hidden = [] if salt is None else [hidden_name(salt, Actor("api_key", bare))]
    query = sa.select(tables.actors.c.id).where(
        tables.actors.c.workspace_id == workspace_id, tables.actors.c.name.in_(hidden)
    )
    return list(connection.execute(query).scalars())


def _meant(
    connection: Connection, workspace_id: int, named: list[int], address: str, person_id: int
) -> tuple[list[int], int]:
    """Which actors are to move, and to whom: ``person_id``, whose ``address`` is, or the one who is known by it.

    An address that is linked to itself goes its own way again. Where both are one person already, but known by another
    address, that one gives way. An address that is linked to somebody else's takes along what was known to be theirs,
    and wherever it goes, what exports name beside it.
    """
    rows = connection.execute(
        sa.select(
            tables.actors.c.id,
            tables.actors.c.kind,
            tables.actors.c.name,
            tables.actors.c.person_id,
            tables.people.c.email,
        )
        .join(tables.people, tables.actors.c.person_id == tables.people.c.id)
        .where(tables.actors.c.id.in_(named))
    ).all()
    mains = {row.person_id for row in rows if row.kind == "email" and row.name == row.email}
    actor = tables.actors.c
    is_beside = sa.and_(actor.beside.in_(named), actor.person_id.in_({row.person_id for row in rows}))
    # Keys that the rule gave them follow the rule afterwards.
    is_given = actor.linked_by.is_distinct_from(BY_RULE)
    along = sa.select(actor.id).where(sa.or_(actor.person_id.in_(mains), is_beside), is_given)
    theirs = connection.execute(along).scalars().all()
    is_itself = [(row.kind, row.name) for row in rows] == [("email", address)]
    if is_itself or person_id in mains:
        person_id = connection.execute(person_of_address(workspace_id, address)).scalar() or person_id
    return sorted({*named, *theirs}), person_id


def _take_along(connection: Connection, workspace_id: int, named: list[int], person_id: int) -> None:
    """Give a person what is kept of the address among some actors; see ``link_actor``."""
    is_own = sa.and_(
        tables.people.c.workspace_id == tables.actors.c.workspace_id, tables.people.c.email == tables.actors.c.name
    )
    query = sa.select(tables.people, tables.actors.c.person_id.label("before")).join(tables.actors, is_own)
    query = query.where(
        tables.people.c.workspace_id == workspace_id, tables.actors.c.kind == "email", tables.actors.c.id.in_(named)
    )
    kept = connection.execute(query).mappings().first()
    if kept is None or kept["before"] == person_id:
        return
    if kept["before"] != kept["id"]:
        # Whom it leaves, Slack is asked for anew, and of others who took its Slack user along.
        user = sa.and_(
            tables.people.c.workspace_id == workspace_id, tables.people.c.slack_user_id == kept["slack_user_id"]
        )
        left = sa.or_(tables.people.c.id == kept["before"], sa.and_(user, tables.people.c.id != kept["id"]))
        connection.execute(sa.update(tables.people).where(left).values(slack_user_id=None))
    person = connection.execute(sa.select(tables.people).where(tables.people.c.id == person_id)).mappings().one()
    if person_id != kept["id"] and kept["slack_user_id"] == person["slack_user_id"]:
        # It has that from the person, and not the other way round.
        connection.execute(sa.update(tables.people).where(tables.people.c.id == kept["id"]).values(slack_user_id=None))
    lacking = {name: kept[name] for name in _KEPT if person[name] is None}
    if person["name"] == person["email"] and kept["name"] != kept["email"]:
        lacking["name"] = kept["name"]
    if lacking:
        connection.execute(sa.update(tables.people).where(tables.people.c.id == person_id).values(**lacking))
