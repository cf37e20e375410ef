"""Who spends: people, and the actors that exports name them by."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection, select, update

from bot.spend.records import Actor
from bot.store.database import Database
from bot.store.tables import actors, people
from bot.store.upsert import insert_missing


class Person(NamedTuple):
    """One spender. ``email`` is None while nobody is known to be behind an actor; ``name`` is what people read."""

    id: int
    email: str | None
    name: str
    slack_user_id: str | None
    limit_usd: Decimal | None

    @property
    def label(self) -> str:
        """How lists name the spender: the e-mail address, or the actor's name marked as unassigned."""
        return self.email or f"unassigned ({self.name})"


_PERSON = (people.c.id, people.c.email, people.c.name, people.c.slack_user_id, people.c.limit_usd)


def person_by_email(database: Database, email: str) -> Person | None:
    """The person with that e-mail address, in any letter case."""
    query = select(*_PERSON).where(
        people.c.workspace_id == database.workspace_id, people.c.email == normalised_email(email)
    )
    with database.read() as connection:
        row = connection.execute(query).first()
    return Person(*row) if row else None


def person_by_id(database: Database, person_id: int) -> Person | None:
    """The person with that id."""
    query = select(*_PERSON).where(people.c.workspace_id == database.workspace_id, people.c.id == person_id)
    with database.read() as connection:
        row = connection.execute(query).first()
    return Person(*row) if row else None


def remember_slack_user(database: Database, person_id: int, slack_user_id: str) -> None:
    """Keep the Slack user found for a person, so that it is looked up once."""
    with database.write() as connection:
        connection.execute(update(people).where(people.c.id == person_id).values(slack_user_id=slack_user_id))


def actor_ids(connection: Connection, workspace_id: int, named: Iterable[Actor]) -> dict[Actor, int]:
    """The ids of these actors; a new one gets the person with that e-mail, else one of its own without e-mail."""
    wanted = set(named)
    found = _known_actors(connection, workspace_id, wanted)
    missing = sorted(wanted - found.keys())
    if missing:
        _add_actors(connection, workspace_id, missing)
        found = _known_actors(connection, workspace_id, wanted)
    return found


def normalised_email(email: str) -> str:
    """E-mail addresses are compared without letter case and outer blanks."""
    return email.strip().lower()


def _known_actors(connection: Connection, workspace_id: int, wanted: set[Actor]) -> dict[Actor, int]:
    query = select(actors.c.kind, actors.c.name, actors.c.id).where(actors.c.workspace_id == workspace_id)
    rows = ((Actor(kind, name), actor_id) for kind, name, actor_id in connection.execute(query))
    return {actor: actor_id for actor, actor_id in rows if actor in wanted}


def _add_actors(connection: Connection, workspace_id: int, missing: list[Actor]) -> None:
    by_email = [actor for actor in missing if actor.kind == "email"]
    insert_missing(
        connection,
        people,
        [{"workspace_id": workspace_id, "email": actor.name, "name": actor.name} for actor in by_email],
        "workspace_id",
        "email",
    )
    for actor in missing:
        connection.execute(
            actors.insert().values(
                workspace_id=workspace_id,
                kind=actor.kind,
                name=actor.name,
                person_id=_person_behind(connection, workspace_id, actor),
            )
        )


def _person_behind(connection: Connection, workspace_id: int, actor: Actor) -> int:
    if actor.kind == "email":
        query = select(people.c.id).where(people.c.workspace_id == workspace_id, people.c.email == actor.name)
        return int(connection.execute(query).scalar_one())
    added = people.insert().values(workspace_id=workspace_id, name=actor.name).returning(people.c.id)
    return int(connection.execute(added).scalar_one())
