"""Who is who: which person is behind the names that exports use.

Exports name people by e-mail address, API key, account id or login. An address is a person. Other names find theirs
through an export that gives both, through the rule for Claude Code's keys, through Slack, or through an admin; until
then what they spend is *unassigned*. Whoever moves to another person takes all of its history along.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from bot.pricing import PriceBook
from bot.spend.amounts import ZERO
from bot.spend.days import Period
from bot.spend.records import ORGANIZATION, Actor, Member, key_user
from bot.store.builder import sa, tables
from bot.store.bulk import analyze_grown, insert_missing, replace_rows, run_in, select_in, select_rows
from bot.store.columns import ACCOUNTS, ACTORS, MEMBERS, PEOPLE
from bot.store.connection import Connection
from bot.store.database import Database
from bot.store.hidden_names import erased_ids, erased_users, erasure_salt, hidden_name, hide_new_keys
from bot.store.people import ERASED
from bot.store.ranges import fuller_ranges, refresh_ranges, spans_of
from bot.store.rollups import Rollups

BY_EXPORT, BY_RULE, BY_SLACK, BY_ADMIN = "export", "rule", "slack", "admin"

BY_LINK = "link"
"""Of an address that no export has named, but a link alone."""

CONTESTED = "contested"
"""Of a device that exports tell beside two people, and a key that Slack knows two for: nobody's until an admin says."""


class UnknownIdentity(Exception):
    """No such actor or person; one sentence that quotes the name and says what to do."""


class Unassigned(NamedTuple):
    """A name that nobody is known to be behind, and what was spent under it since a day."""

    actor: Actor
    person_id: int
    usd: Decimal


PersonDays = set[tuple[date, int]]
"""Days, each with the id of somebody who used something on it."""


def actor_ids(
    connection: Connection, workspace_id: int, named: Iterable[Actor], book: PriceBook, moved: PersonDays
) -> dict[Actor, int]:
    """The ids of these actors, each new one with the person behind it, or with one of its own where nobody is known.

    Days of which usage becomes somebody's by that are added to ``moved``.
    """
    wanted = set(named)
    found = known_actors(connection, workspace_id, wanted)
    missing = sorted(wanted - found.keys())
    if missing:
        erased = erased_ids(connection, workspace_id, missing)
        added = [actor for actor in missing if actor not in erased]
        _add_actors(connection, workspace_id, added)
        hidden = hide_new_keys(connection, workspace_id, erased)
        found = known_actors(connection, workspace_id, wanted) | erased | hidden
        if any(actor.kind == "email" for actor in added):
            follow_rule(connection, workspace_id, book, moved)
    return found


class Learned(NamedTuple):
    """How much of a directory was new, and those of its members whose account was another address's, with that one.

    An account is one person's, whose address may have changed; but who has the other address now only people know.
    """

    new: int
    readdressed: list[tuple[Member, str]]


class _Listed(NamedTuple):
    """What directories say of a person."""

    email: str
    name: str
    seat: str | None


def learn_members(
    connection: Connection, workspace_id: int, members: Iterable[Member], book: PriceBook, moved: PersonDays
) -> Learned:
    """Remember the names, seats and account ids of a directory.

    Days of which usage becomes somebody's by that are added to ``moved``.
    """
    new, told = 0, list(members)
    if not told:
        return Learned(0, [])
    addresses = {Actor("email", member.email) for member in told}
    accounts = {Actor(member.kind, member.account) for member in told if member.account is not None}
    erased = erased_ids(connection, workspace_id, sorted(addresses | accounts))
    person_of = _people_of_emails(connection, workspace_id, {one.name for one in addresses - erased.keys()})
    run_in(connection, _NAMED_IN, (BY_EXPORT, workspace_id, BY_LINK), sorted(person_of))
    listed = {row[0]: _Listed(*row[1:]) for row in select_in(connection, _PEOPLE, (), sorted({*person_of.values()}))}
    owners = _owners(connection, workspace_id, accounts)
    # Of accounts that nothing has named before, the first who has one is its owner.
    claims = {Actor(one.kind, one.account): person_of.get(one.email) for one in reversed(told) if one.account}
    first = {
        account: who
        for account, who in claims.items()
        if who is not None and account not in owners and account not in erased
    }
    rows = [(workspace_id, *account, person_id, BY_EXPORT) for account, person_id in sorted(first.items())]
    insert_missing(connection, ACTORS, rows)
    analyze_grown(connection)
    owners |= _owners(connection, workspace_id, first)
    changed: set[int] = set()
    elsewhere: list[tuple[Member, int]] = []
    for member in told:
        person_id = person_of.get(member.email)
        if person_id is None:
            # Erased; a list of members does not bring anybody back, and an account that it names is theirs.
            new += _hide_account(connection, workspace_id, member, erased, book, moved)
            continue
        before = listed[person_id]
        if before.email == member.email:  # what is said of another address of one person is not said of that person
            listed[person_id] = _Listed(before.email, member.name or before.name, member.seat or before.seat)
        is_new = listed[person_id] != before
        changed |= {person_id} if is_new else set()
        owner = None if member.account is None else owners.get(account := Actor(member.kind, member.account))
        if owner is not None:
            owners[account] = now = _claimed(connection, workspace_id, member, person_id, owner, book, moved)
            is_new |= (first.pop(account, None) is not None) or now is not owner
            if now is owner and now.person_id != person_id and (now.linked_by, member.kind) == (BY_EXPORT, "account"):
                elsewhere.append((member, now.person_id))
        new += is_new
    _stand_beside(connection, workspace_id, told, owners)
    people = sorted((listed[one] for one in changed), key=lambda one: one.email)
    replace_rows(connection, MEMBERS, [(workspace_id, one.email, one.name, False, one.seat) for one in people])
    follow_rule(connection, workspace_id, book, moved)
    emails: dict[int, str | None] = dict(select_in(connection, _EMAILS, (), sorted({owner for _, owner in elsewhere})))
    return Learned(new, [(member, email) for member, owner in elsewhere if (email := emails[owner]) is not None])


def _stand_beside(
    connection: Connection, workspace_id: int, members: Sequence[Member], owners: Mapping[Actor, _Owner]
) -> None:
    """Remember the address beside which an export names an account, where that alone says whose it is."""
    asked = {
        account: Actor("email", member.email)
        for member in reversed(members)
        if member.account is not None
        for account in [Actor(member.kind, member.account)]
        if account in owners and owners[account].linked_by == BY_EXPORT and owners[account].beside is None
    }
    addresses = known_actors(connection, workspace_id, set(asked.values())) if asked else {}
    rows = [
        (workspace_id, *account, owners[account].person_id, BY_EXPORT, addresses[address])
        for account, address in sorted(asked.items())
        if address in addresses
    ]
    replace_rows(connection, ACCOUNTS, rows)


def unassigned(database: Database, since: date) -> list[Unassigned]:
    """Names without a person, the largest spend since a day (inclusive) first."""
    spent, mine = tables.person_days.c, database.workspace_id
    nobody = (
        tables.people.c.workspace_id == mine,
        tables.people.c.email.is_(None),
        tables.people.c.is_organization.is_(False),
    )
    # Days and people are named one by one: in between lies everybody's usage of all time.
    days = sa.select(tables.model_days.c.day).where(
        tables.model_days.c.workspace_id == mine, tables.model_days.c.day >= since
    )
    totals = (
        sa.select(spent.person_id, sa.cast(sa.func.sum(spent.usd), sa.BigInteger).label("usd"))
        .where(
            spent.workspace_id == mine,
            spent.day.in_(days),
            spent.person_id.in_(sa.select(tables.people.c.id).where(*nobody)),
        )
        .group_by(spent.person_id)
        .subquery()
    )
    query = (
        sa.select(
            tables.actors.c.kind,
            tables.actors.c.name,
            tables.actors.c.person_id,
            sa.type_coerce(totals.c.usd, spent.usd.type),
        )
        .join(tables.people, tables.actors.c.person_id == tables.people.c.id)
        .outerjoin(totals, totals.c.person_id == tables.people.c.id)
        .where(*nobody, tables.actors.c.name.not_like(f"{ERASED}%"))
    )
    with database.read() as connection:
        rows = [Unassigned(Actor(kind, name), who, usd or ZERO) for kind, name, who, usd in connection.execute(query)]
    more: dict[int, Decimal] = defaultdict(Decimal)
    for one in fuller_ranges(database, Period(since, date.max)) if rows else ():
        more[one.of.person_id] += one.more_usd
    rows = [row._replace(usd=row.usd + more[row.person_id]) for row in rows]
    return sorted(rows, key=lambda entry: (-entry.usd, entry.actor))


def is_unassigned(database: Database, actor: Actor) -> bool:
    """Whether there is usage of a name without a person."""
    sql = (
        "SELECT 1 FROM actors JOIN people ON people.id = actors.person_id "
        "WHERE actors.workspace_id = ? AND kind = ? AND actors.name = ? AND email IS NULL AND NOT is_organization"
    )
    with database.read() as connection:
        return bool(select_rows(connection, sql, (database.workspace_id, *actor)))


def possible_addresses(database: Database, limit: int) -> dict[str, list[str]]:
    """Claude Code's keys that nobody is behind, each with the addresses that their owner may have.

    These are the key's user at each domain of the team, the most usual first. Where people are known whose addresses
    begin like that, it is one of theirs; where somebody was erased whose did, the key may have been theirs.
    """
    with database.read() as connection:
        mine = tables.people.c.workspace_id == database.workspace_id
        known = list(
            connection.execute(
                sa.select(tables.people.c.email).where(mine, tables.people.c.email.is_not(None))
            ).scalars()
        )
        nobodys = {entry.actor: key_user(entry.actor) for entry in unassigned(database, date.max)}
        others = erased_users(connection, database.workspace_id, set(nobodys.values()))
    others |= {email.split("@")[0] for email in known}
    domains = [domain for domain, _ in Counter(email.split("@")[-1] for email in known).most_common(limit)]
    asked = {actor.name: user for actor, user in nobodys.items() if domains and user and user not in others}
    return {name: [f"{user}@{domain}" for domain in domains] for name, user in asked.items()}


def contest_key(database: Database, name: str) -> None:
    """Keep that a key which is nobody's may be several people's: it is not given to the first of them that comes."""
    table = tables.actors.c
    key = (table.workspace_id == database.workspace_id, table.kind == "api_key", table.name == name)
    with database.write_usage() as connection:
        connection.execute(sa.update(tables.actors).where(*key, table.linked_by.is_(None)).values(linked_by=CONTESTED))


def person_of_address(workspace_id: int, address: str) -> sa.Select[int]:
    """The person who is known by an address."""
    return sa.select(tables.people.c.id).where(
        tables.people.c.workspace_id == workspace_id, tables.people.c.email == address
    )


def main_address(connection: Connection, workspace_id: int, address: str) -> str | None:
    """The address by which the person is known whose an address is; None where no export has named it."""
    query = (
        sa.select(tables.people.c.email)
        .join(tables.actors, tables.actors.c.person_id == tables.people.c.id)
        .where(
            tables.actors.c.workspace_id == workspace_id,
            tables.actors.c.kind == "email",
            tables.actors.c.name == address,
        )
    )
    return connection.execute(query).scalar()


def stored_actors(connection: Connection, workspace_id: int, wanted: set[Actor]) -> dict[Actor, int]:
    """The ids of those of some actors that an export has named, erased people's among them."""
    return erased_ids(connection, workspace_id, sorted(wanted)) | known_actors(connection, workspace_id, wanted)


def known_actors(connection: Connection, workspace_id: int, wanted: set[Actor]) -> dict[Actor, int]:
    """The ids of those of some actors that an export has named."""
    sql = "SELECT kind, name, id FROM actors WHERE workspace_id = ? AND name IN"
    rows = select_in(connection, sql, [workspace_id], sorted({actor.name for actor in wanted}))
    found = {Actor(kind, name): int(actor_id) for kind, name, actor_id in rows}
    return {actor: actor_id for actor, actor_id in found.items() if actor in wanted}


def _add_actors(connection: Connection, workspace_id: int, missing: list[Actor]) -> None:
    addresses = {actor.name for actor in missing if actor.kind == "email"}
    insert_missing(connection, PEOPLE, [(workspace_id, email, email, False) for email in sorted(addresses)])
    sql = "SELECT email, id FROM people WHERE workspace_id = ? AND email IN"
    person_of: dict[str, int] = dict(select_in(connection, sql, [workspace_id], sorted(addresses)))
    users = {key_user(actor) for actor in missing} - {""}
    by_user = _people_by_user(connection, workspace_id) if users else {}
    # A key may have been an erased person's as well as a living one's of such an address.
    by_user = {user: by_user[user] for user in users & by_user.keys() - erased_users(connection, workspace_id, users)}
    behind: dict[Actor, tuple[int, str | None]] = {}
    strangers = []
    for actor in missing:
        if actor.kind == "email":
            behind[actor] = person_of[actor.name], BY_EXPORT
        elif actor.kind == ORGANIZATION:
            behind[actor] = _organization(connection, workspace_id), None
        elif (owner := by_user.get(key_user(actor))) is not None:
            behind[actor] = owner, BY_RULE
        else:
            strangers.append(actor)
    behind |= {actor: (person_id, None) for actor, person_id in _nobodies(connection, workspace_id, strangers)}
    insert_missing(connection, ACTORS, [(workspace_id, *actor, *behind[actor]) for actor in missing])


def _nobodies(connection: Connection, workspace_id: int, strangers: list[Actor]) -> Iterable[tuple[Actor, int]]:
    """A person of their own for each of some actors whom nobody is known to be behind."""
    return [(actor, _add_person(connection, workspace_id, actor.name)) for actor in strangers]


def _organization(connection: Connection, workspace_id: int) -> int:
    sql = "SELECT id FROM people WHERE workspace_id = ? AND is_organization = ?"
    found = select_rows(connection, sql, (workspace_id, True))
    return int(found[0][0]) if found else _add_person(connection, workspace_id, ORGANIZATION, is_organization=True)


def _add_person(connection: Connection, workspace_id: int, name: str, *, is_organization: bool = False) -> int:
    """Whoever is behind a name that is no address; returns their id."""
    sql = "INSERT INTO people (workspace_id, name, is_organization) VALUES (?, ?, ?) RETURNING id"
    return int(select_rows(connection, sql, (workspace_id, name, is_organization))[0][0])


def person_of_email(connection: Connection, workspace_id: int, email: str) -> int | None:
    """Whoever an address is of, made where it is nobody's; None where that person was erased."""
    if erased_ids(connection, workspace_id, [Actor("email", email)]):
        return None
    return _people_of_emails(connection, workspace_id, {email})[email]


def _people_of_emails(connection: Connection, workspace_id: int, emails: set[str]) -> dict[str, int]:
    """The same of many addresses, none of which is an erased person's."""

    def known() -> dict[str, int]:
        return dict(select_in(connection, _OF_EMAILS, (workspace_id,), sorted(emails)))

    found = known()
    missing = sorted(emails - found.keys())
    if missing:
        _add_actors(connection, workspace_id, [Actor("email", email) for email in missing])
        analyze_grown(connection)
        found = known()
    return found


class _Owner(NamedTuple):
    """Whose an actor is, and who said so."""

    actor_id: int
    person_id: int
    linked_by: str | None
    beside: int | None = None


def _owners(connection: Connection, workspace_id: int, actors: Collection[Actor]) -> dict[Actor, _Owner]:
    """The owners of those of some actors that are known."""
    names = sorted({actor.name for actor in actors})
    found = {
        Actor(kind, name): _Owner(*who) for kind, name, *who in select_in(connection, _OWNERS, (workspace_id,), names)
    }
    return {actor: owner for actor, owner in found.items() if actor in actors}


def _claimed(
    connection: Connection,
    workspace_id: int,
    member: Member,
    person_id: int,
    owner: _Owner,
    book: PriceBook,
    moved: PersonDays,
) -> _Owner:
    """Whose an account is once a directory says that it is a person's; ``owner`` itself where that changes nothing."""
    if member.is_device and owner.linked_by == BY_EXPORT and owner.person_id != person_id:
        # As with keys: in whatever order exports come, they end in the same.
        ((_, nobody),) = _nobodies(connection, workspace_id, [Actor(member.kind, str(member.account))])
        move_actor(connection, workspace_id, owner.actor_id, nobody, CONTESTED, book, moved)
        return _Owner(owner.actor_id, nobody, CONTESTED)
    if owner.linked_by is not None:
        return owner
    move_actor(connection, workspace_id, owner.actor_id, person_id, BY_EXPORT, book, moved)
    return _Owner(owner.actor_id, person_id, BY_EXPORT)


_EMAILS = "SELECT id, email FROM people WHERE id IN"
_NAMED_IN = "UPDATE actors SET linked_by = ? WHERE workspace_id = ? AND kind = 'email' AND linked_by = ? AND name IN"
_PEOPLE = "SELECT id, email, name, seat FROM people WHERE id IN"
_OF_EMAILS = "SELECT name, person_id FROM actors WHERE workspace_id = ? AND kind = 'email' AND name IN"
_OWNERS = "SELECT kind, name, id, person_id, linked_by, beside FROM actors WHERE workspace_id = ? AND name IN"


def _hide_account(
    connection: Connection,
    workspace_id: int,
    member: Member,
    erased: Mapping[Actor, int],
    book: PriceBook,
    moved: PersonDays,
) -> bool:
    """Give an account that is an erased person's to them, under its hidden name; returns whether that was new."""
    if member.account is None or (account := Actor(member.kind, member.account)) in erased:
        return False
    whose = sa.select(tables.actors.c.person_id).where(tables.actors.c.id == erased[Actor("email", member.email)])
    person_id = connection.execute(whose).scalar_one()
    hidden = hidden_name(erasure_salt(connection, workspace_id), account)
    owner = _owners(connection, workspace_id, [account]).get(account)
    if owner is None:
        insert_missing(connection, ACTORS, [(workspace_id, account.kind, hidden, person_id, BY_EXPORT)])
        return True
    now = _claimed(connection, workspace_id, member, person_id, owner, book, moved)
    if now is not owner and now.person_id == person_id:
        renamed = sa.update(tables.actors).where(tables.actors.c.id == now.actor_id)
        connection.execute(renamed.values(name=hidden))
    return now is not owner


def follow_rule(connection: Connection, workspace_id: int, book: PriceBook, moved: PersonDays) -> None:
    """Give Claude Code's keys that nobody is behind to the one person whose address begins like the key's user.

    A key that was given to somebody by this rule, or by Slack, is nobody's again once a second person has such an
    address: in whatever order exports come, they end in the same.
    """
    _undo_rule(connection, workspace_id, book, moved)
    waiting = connection.execute(waiting_keys(workspace_id)).all()
    by_user = _people_by_user(connection, workspace_id) if waiting else {}
    users = {actor_id: key_user(Actor("api_key", name)) for actor_id, name, _ in waiting}
    # What waits may be of somebody who was erased since.
    erased = erased_users(connection, workspace_id, by_user.keys() & users.values())
    for actor_id, user in users.items():
        owner = by_user.get(user)
        if owner is not None and user not in erased:
            move_actor(connection, workspace_id, actor_id, owner, BY_RULE, book, moved)


def waiting_keys(workspace_id: int) -> sa.Select[int, str, int]:
    """Claude Code's keys that nobody is behind: actor, name and the person that stands for it."""
    return (
        sa.select(tables.actors.c.id, tables.actors.c.name, tables.actors.c.person_id)
        .join(tables.people, tables.actors.c.person_id == tables.people.c.id)
        .where(
            tables.actors.c.workspace_id == workspace_id,
            tables.actors.c.kind == "api_key",
            tables.actors.c.linked_by.is_(None),
            tables.actors.c.name.like("claude\\_code\\_key\\_%", escape="\\"),
            tables.people.c.email.is_(None),
        )
    )


def _undo_rule(connection: Connection, workspace_id: int, book: PriceBook, moved: PersonDays) -> None:
    query = sa.select(tables.actors.c.id, tables.actors.c.kind, tables.actors.c.name, tables.actors.c.person_id).where(
        tables.actors.c.workspace_id == workspace_id,
        tables.actors.c.kind == "api_key",
        tables.actors.c.linked_by.in_((BY_RULE, BY_SLACK)),
    )
    given = connection.execute(query).all()
    by_user = _people_by_user(connection, workspace_id) if given else {}
    for actor_id, kind, name, person_id in given:
        owner = by_user.get(key_user(Actor(kind, name)))
        if owner is not None and owner != person_id:
            move_actor(connection, workspace_id, actor_id, owner, BY_RULE, book, moved)
        elif owner is None:
            added = tables.people.insert().values(workspace_id=workspace_id, name=name).returning(tables.people.c.id)
            move_actor(connection, workspace_id, actor_id, connection.execute(added).scalar_one(), None, book, moved)


def _people_by_user(connection: Connection, workspace_id: int) -> dict[str, int]:
    """People by what stands before the @ of their addresses, where that is only one person's."""
    query = (
        sa.select(tables.actors.c.name, tables.actors.c.person_id)
        .join(tables.people, tables.actors.c.person_id == tables.people.c.id)
        .where(
            tables.actors.c.workspace_id == workspace_id,
            tables.actors.c.kind == "email",
            tables.people.c.email.is_not(None),
        )
    )
    found: dict[str, set[int]] = defaultdict(set)
    for email, person_id in connection.execute(query):
        found[email.split("@")[0]].add(person_id)
    return {user: next(iter(ids)) for user, ids in found.items() if len(ids) == 1}


def move_actor(
    connection: Connection,
    workspace_id: int,
    actor_id: int,
    person_id: int,
    by: str | None,
    book: PriceBook,
    moved: PersonDays,
) -> None:
    """Give an actor with all its history to a person; who had it before is removed if nothing is left of them.

    The days that changed hands are added to ``moved``.
    """
    before = connection.execute(sa.select(tables.actors.c.person_id).where(tables.actors.c.id == actor_id)).scalar_one()
    days = sa.select(tables.usage_daily.c.day).where(
        tables.usage_daily.c.workspace_id == workspace_id,
        tables.usage_daily.c.day.in_(
            sa.select(tables.model_days.c.day).where(tables.model_days.c.workspace_id == workspace_id)
        ),
        tables.usage_daily.c.source_id.in_(
            sa.select(tables.sources.c.id).where(tables.sources.c.workspace_id == workspace_id)
        ),
        tables.usage_daily.c.actor_id == actor_id,
    )
    if before != person_id:
        touched = sorted(connection.execute(days.distinct()).scalars())
        moved |= {(day, person_id) for day in touched}
        around = Rollups(connection, workspace_id, book)
        rollups, spans = [around.of(day, {before, person_id}) for day in touched], spans_of(around, before)
        connection.execute(sa.update(tables.actors).where(tables.actors.c.id == actor_id).values(person_id=person_id))
        for rollup in rollups:
            rollup.refresh()
        refresh_ranges(around, spans, {before, person_id})
        left = sa.select(sa.func.count()).select_from(tables.actors).where(tables.actors.c.person_id == before)
        nameless = sa.select(tables.people.c.email).where(tables.people.c.id == before)
        if connection.execute(left).scalar_one() == 0 and connection.execute(nameless).scalar_one() is None:
            # Who looked at the name's figures has looked at this person's.
            connection.execute(
                sa.update(tables.audit).where(tables.audit.c.person_id == before).values(person_id=person_id)
            )
            connection.execute(sa.delete(tables.people).where(tables.people.c.id == before))
    connection.execute(sa.update(tables.actors).where(tables.actors.c.id == actor_id).values(linked_by=by))
