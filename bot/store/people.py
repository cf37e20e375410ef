"""People: who they are in Slack, their own limit, and how lists name them. Who is who is decided in identity.py."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from unicodedata import normalize

from sqlalchemy import Connection, and_, func, or_, select, update

from bot.store.bulk import select_in
from bot.store.database import Database
from bot.store.tables import actors, people, teams

ERASED = "erased person"
"""How the name of somebody begins whose data were removed."""


class AmbiguousName(Exception):
    """Several have a name; one sentence that quotes it and says what to write instead."""


class Person(NamedTuple):
    """One spender. ``email`` is None while nobody is known to be behind an actor; ``name`` is what people read.

    ``limit_usd`` is their own daily limit, else their team's; None where neither has one.
    """

    id: int
    email: str | None
    name: str
    slack_user_id: str | None
    limit_usd: Decimal | None

    @property
    def label(self) -> str:
        """How lists name the spender: see ``spender_label``."""
        return spender_label(self.email, self.name)


def spender_label(email: str | None, name: str) -> str:
    """The e-mail address, or the actor's name marked as unassigned."""
    return email or (name if name.startswith(ERASED) else f"unassigned ({name})")


def is_unassigned(label: str) -> bool:
    """Whether a ``spender_label`` is of somebody without an address."""
    return label.startswith((ERASED, "unassigned ("))


def people_labels(database: Database, people_ids: Iterable[int]) -> dict[int, str]:
    """The labels of some people, by id."""
    with database.read() as connection:
        who = select_in(connection, "SELECT id, email, name FROM people WHERE id IN", (), people_ids)
        return {person_id: spender_label(email, name) for person_id, email, name in who}


def is_one_person(database: Database) -> bool:
    """Whether all usage that is known is one spender's."""
    query = select(people.c.id).where(people.c.workspace_id == database.workspace_id).limit(2)
    with database.read() as connection:
        return len(connection.execute(query).all()) == 1


def nameless_people(database: Database) -> dict[int, bool]:
    """The ids of those without an address, each with whether they were erased.

    Of the others nobody is known to be behind them, or they are the organization.
    """
    query = select(people.c.id, people.c.name)
    query = query.where(people.c.workspace_id == database.workspace_id, people.c.email.is_(None))
    with database.read() as connection:
        return {person_id: name.startswith(ERASED) for person_id, name in connection.execute(query)}


_TEAM_LIMIT = select(teams.c.limit_usd).where(teams.c.id == people.c.team_id).scalar_subquery()
_LIMIT = func.coalesce(people.c.limit_usd, _TEAM_LIMIT, type_=people.c.limit_usd.type)
_PERSON = (people.c.id, people.c.email, people.c.name, people.c.slack_user_id, _LIMIT)


def person_by_email(database: Database, email: str) -> Person | None:
    """The person whose that e-mail address is, in any letter case."""
    address, mine = normalised_email(email), people.c.workspace_id == database.workspace_id
    linked = select(actors.c.person_id).where(
        actors.c.workspace_id == database.workspace_id, actors.c.kind == "email", actors.c.name == address
    )
    query = select(*_PERSON).where(mine, or_(people.c.id == linked.scalar_subquery(), people.c.email == address))
    with database.read() as connection:
        # Of an address that was linked to another, the other person speaks.
        rows = [Person(*row) for row in connection.execute(query)]
    return next((row for row in rows if row.email != address), rows[0] if rows else None)


def person_by_name(database: Database, name: str) -> Person | None:
    """The spender that lists show under this name: an address, a key, "unassigned (key)".

    A name of several kinds is told by its kind as well, "account:name". Raises AmbiguousName where several have it.
    """
    bare = name.removeprefix("unassigned (").removesuffix(")") if name.startswith("unassigned (") else name
    kind, _, of_kind = bare.partition(":")
    is_meant = or_(people.c.name == bare, actors.c.name == bare, and_(actors.c.kind == kind, actors.c.name == of_kind))
    query = (
        select(*_PERSON, actors.c.kind, actors.c.name)
        .join(actors, actors.c.person_id == people.c.id)  # who was linked to another has no names and no usage
        .where(people.c.workspace_id == database.workspace_id, is_meant)
        .order_by(people.c.email, actors.c.kind, actors.c.name)
    )
    found: dict[int, tuple[Person, str]] = {}
    with database.read() as connection:
        for *values, of, said in connection.execute(query):
            person = Person(*values)
            found.setdefault(person.id, (person, person.email or f"{of}:{said}"))
    if len(found) > 1:
        others = ", ".join(f"“{said}”" for _, said in found.values())
        raise AmbiguousName(f"“{bare}” is the name of several here: say {others} instead.")
    return next((person for person, _ in found.values()), None)


def all_people(database: Database) -> list[tuple[Person, str | None, list[str]]]:
    """Everybody with an address: who, their seat, and the names that exports use for them."""
    query = (
        select(*_PERSON, people.c.seat, actors.c.name)
        .join(actors, actors.c.person_id == people.c.id)  # an address that was linked to another is that person's
        .where(people.c.workspace_id == database.workspace_id, people.c.email.is_not(None))
        .order_by(people.c.email, actors.c.kind, actors.c.name)
    )
    found: dict[int, tuple[Person, str | None, list[str]]] = {}
    with database.read() as connection:
        for *person, seat, name in connection.execute(query):
            entry = found.setdefault(person[0], (Person(*person), seat, []))
            if name and name != entry[0].email:
                entry[2].append(name)
    return list(found.values())


IS_SOMEBODY = and_(people.c.email.is_not(None), people.c.id.in_(select(actors.c.person_id)))
"""Who is known by an address; nothing is left of one that was linked to another, which stands for both."""


def people_of_team(database: Database, team_id: int | None) -> dict[int, str]:
    """The labels of a team's people, or of everybody with an address, by id and in the order of their addresses."""
    query = select(people.c.id, people.c.email).where(people.c.workspace_id == database.workspace_id, IS_SOMEBODY)
    with database.read() as connection:
        if team_id is not None:
            query = query.where(people.c.team_id == team_id)
        return {row.id: row.email for row in connection.execute(query.order_by(people.c.email))}


def members_of_team(database: Database, team_id: int) -> set[int]:
    """The ids of all whose usage is a team's, also of who was erased."""
    with database.read() as connection:
        return set(connection.execute(select(people.c.id).where(people.c.team_id == team_id)).scalars())


def addresses_of_team(database: Database, team_id: int) -> list[tuple[int, int]]:
    """The ids of the addresses of a team's people, each with the id of whose it is."""
    query = (
        select(actors.c.id, actors.c.person_id)
        .join(people, actors.c.person_id == people.c.id)
        .where(people.c.team_id == team_id, people.c.email.is_not(None), actors.c.kind == "email")
        .order_by(actors.c.id)
    )
    with database.read() as connection:
        return [(address, person_id) for address, person_id in connection.execute(query)]


def team_of(database: Database, person_id: int) -> str | None:
    """The name of the team that a person is in."""
    query = select(teams.c.name).join(people, people.c.team_id == teams.c.id).where(people.c.id == person_id)
    with database.read() as connection:
        found: str | None = connection.execute(query).scalar()
    return found


def person_by_id(database: Database, person_id: int) -> Person | None:
    """The person with that id."""
    query = select(*_PERSON).where(people.c.workspace_id == database.workspace_id, people.c.id == person_id)
    with database.read() as connection:
        row = connection.execute(query).first()
    return Person(*row) if row else None


class Wishes(NamedTuple):
    """What a person said about their own alerts: none before ``muted_until``, none for ``planned_day``.

    Alerts are about two days at most, so that one more planned day before it is enough.
    ``hides_name`` keeps their name out of digests that say names.
    ``quiet_hours`` is as they said it: two times, or "off"; None where the installation's hold.
    """

    muted_until: date | None
    planned_day: date | None
    quiet_hours: str | None = None
    hides_name: bool = False
    planned_before: date | None = None

    def allow(self, day: date) -> bool:
        """Whether an alert about a day is wanted."""
        return day not in (self.planned_day, self.planned_before) and (
            self.muted_until is None or day >= self.muted_until
        )


def wishes_of(database: Database, person_id: int) -> Wishes:
    """What a person said about their own alerts."""
    query = select(*(people.c[name] for name in Wishes._fields)).where(people.c.id == person_id)
    with database.read() as connection:
        found = Wishes(*connection.execute(query).one())
    return found._replace(hides_name=bool(found.hides_name))


def plan_day(database: Database, person_id: int, day: date) -> None:
    """A person planned to work much on a day: no alerts about it."""
    mine = (people.c.workspace_id == database.workspace_id, people.c.id == person_id)
    is_new = (people.c.planned_day.is_(None), people.c.planned_day != day)
    with database.write() as connection:
        connection.execute(
            update(people).where(*mine, or_(*is_new)).values(planned_before=people.c.planned_day, planned_day=day)
        )


def set_wishes(database: Database, person_id: int, **values: Any) -> None:
    """Change ``limit_usd``, ``muted_until``, ``planned_day``, ``quiet_hours`` or ``hides_name`` of a person."""
    mine = (people.c.workspace_id == database.workspace_id, people.c.id == person_id)
    with database.write() as connection:
        connection.execute(update(people).where(*mine).values(**values))


def person_of_slack_user(database: Database, slack_user_id: str) -> Person | None:
    """The person whose Slack user was found earlier."""
    query = select(*_PERSON).where(
        people.c.workspace_id == database.workspace_id, people.c.slack_user_id == slack_user_id
    )
    with database.read() as connection:
        row = connection.execute(query).first()
    return Person(*row) if row else None


def ids_of_one(connection: Connection, person_id: int) -> list[int]:
    """The ids of a person: their own, and those of the addresses that were linked to theirs."""
    linked = select(people.c.id).join(actors, _IS_ADDRESS).where(actors.c.person_id == person_id)
    return sorted({person_id, *connection.execute(linked).scalars()})


def ids_by_now(connection: Connection, people_ids: Iterable[int]) -> set[int]:
    """The ids of some people: of an address that was linked to another, that of the other person."""
    by_now = {person_id: person_id for person_id in people_ids}
    by_now |= {row[0]: row[1] for row in select_in(connection, _BY_NOW, (), sorted(by_now))}
    return set(by_now.values())


_IS_ADDRESS = and_(
    actors.c.workspace_id == people.c.workspace_id, actors.c.kind == "email", actors.c.name == people.c.email
)
_BY_NOW = (
    "SELECT people.id, actors.person_id FROM people JOIN actors ON actors.workspace_id = people.workspace_id "
    "AND actors.kind = 'email' AND actors.name = people.email WHERE people.id IN"
)


def remember_slack_user(database: Database, person_id: int, slack_user_id: str) -> None:
    """Keep the Slack user found for a person, so that it is looked up once."""
    with database.write() as connection:
        connection.execute(update(people).where(people.c.id == person_id).values(slack_user_id=slack_user_id))


def normalised_email(email: str) -> str:
    """E-mail addresses are compared without letter case and outer blanks, and however an accent is encoded."""
    return normalize("NFC", email.strip().lower())
