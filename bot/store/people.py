"""People: who they are in Slack, their own limit, and how lists name them. Who is who is decided in identity.py."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from unicodedata import normalize

from bot.spend.records import GATEWAY, ORGANIZATION
from bot.store.builder import sa, tables
from bot.store.bulk import select_in, select_rows
from bot.store.connection import Connection
from bot.store.database import Database

_ALIKE = 0.85
"""From 0 to 1, as difflib counts: a letter more, less or in another place of an address of ten."""

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


def not_people(database: Database) -> set[int]:
    """The ids of those that stand for a whole organization, or for what a gateway bills to nobody named."""
    query = (
        sa.select(tables.people.c.id)
        .join(tables.actors, tables.actors.c.person_id == tables.people.c.id)
        .where(
            tables.actors.c.workspace_id == database.workspace_id,
            tables.actors.c.kind.in_((ORGANIZATION, GATEWAY)),
            tables.people.c.email.is_(None),  # else somebody pays it
        )
    )
    with database.read() as connection:
        return set(connection.execute(query).scalars())


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
    query = sa.select(tables.people.c.id).where(tables.people.c.workspace_id == database.workspace_id).limit(2)
    with database.read() as connection:
        return len(connection.execute(query).all()) == 1


def nameless_people(database: Database) -> dict[int, bool]:
    """The ids of those without an address, each with whether they were erased.

    Of the others nobody is known to be behind them, or they are the organization.
    """
    query = sa.select(tables.people.c.id, tables.people.c.name)
    query = query.where(tables.people.c.workspace_id == database.workspace_id, tables.people.c.email.is_(None))
    with database.read() as connection:
        return {person_id: name.startswith(ERASED) for person_id, name in connection.execute(query)}


def _person() -> list[sa.ColumnElement[Any]]:
    """What a Person is made of; the limit is their own, else their team's."""
    who, team = tables.people.c, tables.teams.c
    of_team = sa.select(team.limit_usd).where(team.id == who.team_id).scalar_subquery()
    limit = sa.func.coalesce(who.limit_usd, of_team, type_=who.limit_usd.type)
    return [who.id, who.email, who.name, who.slack_user_id, limit]


def person_by_email(database: Database, email: str) -> Person | None:
    """The person whose that e-mail address is, in any letter case."""
    address, mine = normalised_email(email), tables.people.c.workspace_id == database.workspace_id
    linked = sa.select(tables.actors.c.person_id).where(
        tables.actors.c.workspace_id == database.workspace_id,
        tables.actors.c.kind == "email",
        tables.actors.c.name == address,
    )
    query = sa.select(*_person()).where(
        mine, sa.or_(tables.people.c.id == linked.scalar_subquery(), tables.people.c.email == address)
    )
    with database.read() as connection:
        # Of an address that was linked to another, the other person speaks.
        rows = [Person(*row) for row in connection.execute(query)]
    return next((row for row in rows if row.email != address), rows[0] if rows else None)


def similar_address(database: Database, email: str) -> str | None:
    """The known address that looks most like one that nobody has; None where somebody has it, or none does."""
    from difflib import get_close_matches  # for refusals alone

    wanted = normalised_email(email)
    query = sa.select(tables.actors.c.name).where(
        tables.actors.c.workspace_id == database.workspace_id, tables.actors.c.kind == "email"
    )
    with database.read() as connection:
        known = list(connection.execute(query).scalars())
    return None if wanted in known else next(iter(get_close_matches(wanted, known, 1, _ALIKE)), None)


def person_by_name(database: Database, name: str) -> Person | None:
    """The spender that lists show under this name: an address, a key, "unassigned (key)".

    A name of several kinds is told by its kind as well, "account:name". Raises AmbiguousName where several have it.
    """
    bare = name.removeprefix("unassigned (").removesuffix(")") if name.startswith("unassigned (") else name
    kind, _, of_kind = bare.partition(":")
    is_meant = sa.or_(
        tables.people.c.name == bare,
        tables.actors.c.name == bare,
        sa.and_(tables.actors.c.kind == kind, tables.actors.c.name == of_kind),
    )
    query = (
        sa.select(*_person(), tables.actors.c.kind, tables.actors.c.name)
        # Who was linked to another has no names and no usage.
        .join(tables.actors, tables.actors.c.person_id == tables.people.c.id)
        .where(tables.people.c.workspace_id == database.workspace_id, is_meant)
        .order_by(tables.people.c.email, tables.actors.c.kind, tables.actors.c.name)
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
        sa.select(*_person(), tables.people.c.seat, tables.actors.c.name)
        # An address that was linked to another is that person's.
        .join(tables.actors, tables.actors.c.person_id == tables.people.c.id)
        .where(tables.people.c.workspace_id == database.workspace_id, tables.people.c.email.is_not(None))
        .order_by(tables.people.c.email, tables.actors.c.kind, tables.actors.c.name)
    )
    found: dict[int, tuple[Person, str | None, list[str]]] = {}
    with database.read() as connection:
        for *person, seat, name in connection.execute(query):
            entry = found.setdefault(person[0], (Person(*person), seat, []))
            if name and name != entry[0].email:
                entry[2].append(name)
    return list(found.values())


def is_somebody() -> sa.ColumnElement[bool]:
    """Who is known by an address; nothing is left of one that was linked to another, which stands for both."""
    who = tables.people.c
    return sa.and_(who.email.is_not(None), who.id.in_(sa.select(tables.actors.c.person_id)))


def people_of_team(database: Database, team_id: int | None) -> dict[int, str]:
    """The labels of a team's people, or of everybody with an address, by id and in the order of their addresses."""
    query = sa.select(tables.people.c.id, tables.people.c.email).where(
        tables.people.c.workspace_id == database.workspace_id, is_somebody()
    )
    with database.read() as connection:
        if team_id is not None:
            query = query.where(tables.people.c.team_id == team_id)
        return {row.id: row.email for row in connection.execute(query.order_by(tables.people.c.email))}


def members_of_team(database: Database, team_id: int) -> set[int]:
    """The ids of all whose usage is a team's, also of who was erased."""
    with database.read() as connection:
        return set(
            connection.execute(sa.select(tables.people.c.id).where(tables.people.c.team_id == team_id)).scalars()
        )


def addresses_of_team(database: Database, team_id: int) -> list[tuple[int, int]]:
    """The ids of the addresses of a team's people, each with the id of whose it is."""
    query = (
        sa.select(tables.actors.c.id, tables.actors.c.person_id)
        .join(tables.people, tables.actors.c.person_id == tables.people.c.id)
        .where(tables.people.c.team_id == team_id, tables.people.c.email.is_not(None), tables.actors.c.kind == "email")
        .order_by(tables.actors.c.id)
    )
    with database.read() as connection:
        return [(address, person_id) for address, person_id in connection.execute(query)]


def team_of(database: Database, person_id: int) -> str | None:
    """The name of the team that a person is in."""
    query = (
        sa.select(tables.teams.c.name)
        .join(tables.people, tables.people.c.team_id == tables.teams.c.id)
        .where(tables.people.c.id == person_id)
    )
    with database.read() as connection:
        found: str | None = connection.execute(query).scalar()
    return found


def person_by_id(database: Database, person_id: int) -> Person | None:
    """The person with that id."""
    query = sa.select(*_person()).where(
        tables.people.c.workspace_id == database.workspace_id, tables.people.c.id == person_id
    )
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
    query = sa.select(*(tables.people.c[name] for name in Wishes._fields)).where(tables.people.c.id == person_id)
    with database.read() as connection:
        found = Wishes(*connection.execute(query).one())
    return found._replace(hides_name=bool(found.hides_name))


def plan_day(database: Database, person_id: int, day: date) -> None:
    """A person planned to work much on a day: no alerts about it."""
    mine = (tables.people.c.workspace_id == database.workspace_id, tables.people.c.id == person_id)
    is_new = (tables.people.c.planned_day.is_(None), tables.people.c.planned_day != day)
    with database.write() as connection:
        connection.execute(
            sa.update(tables.people)
            .where(*mine, sa.or_(*is_new))
            .values(planned_before=tables.people.c.planned_day, planned_day=day)
        )


def set_wishes(database: Database, person_id: int, **values: Any) -> None:
    """Change ``limit_usd``, ``muted_until``, ``planned_day``, ``quiet_hours`` or ``hides_name`` of a person."""
    mine = (tables.people.c.workspace_id == database.workspace_id, tables.people.c.id == person_id)
    with database.write() as connection:
        connection.execute(sa.update(tables.people).where(*mine).values(**values))


def ids_of_one(connection: Connection, person_id: int) -> list[int]:
    """The ids of a person: their own, and those of the addresses that were linked to theirs."""
    return sorted({person_id, *(row[0] for row in select_rows(connection, _LINKED, (person_id,)))})


def ids_by_now(connection: Connection, people_ids: Iterable[int]) -> set[int]:
    """The ids of some people: of an address that was linked to another, that of the other person."""
    by_now = {person_id: person_id for person_id in people_ids}
    by_now |= {row[0]: row[1] for row in select_in(connection, _BY_NOW, (), sorted(by_now))}
    return set(by_now.values())


_LINKED = (
    "SELECT people.id FROM people JOIN actors ON actors.workspace_id = people.workspace_id "
    "AND actors.kind = 'email' AND actors.name = people.email WHERE actors.person_id = ?"
)
_BY_NOW = (
    "SELECT people.id, actors.person_id FROM people JOIN actors ON actors.workspace_id = people.workspace_id "
    "AND actors.kind = 'email' AND actors.name = people.email WHERE people.id IN"
)


def remember_slack_user(database: Database, person_id: int, slack_user_id: str) -> None:
    """Keep the Slack user found for a person, so that it is looked up once."""
    with database.write() as connection:
        connection.execute(
            sa.update(tables.people).where(tables.people.c.id == person_id).values(slack_user_id=slack_user_id)
        )


def normalised_email(email: str) -> str:
    """E-mail addresses are compared without letter case and outer blanks, and however an accent is encoded."""
    return normalize("NFC", email.strip().lower())
