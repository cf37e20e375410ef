"""Who is who: which person is behind the names that exports use, and how one is forgotten.

Exports name people by e-mail address, API key, account id or login. An address is a person. Other names find theirs
through an export that gives both, through the rule for Claude Code's keys, through Slack, or through an admin; until
then what they spend is *unassigned*. Whoever moves to another person takes all of its history along.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from html import escape
from typing import Any, NamedTuple
from unicodedata import normalize

from bot.pricing import PriceBook
from bot.spend.amounts import ZERO
from bot.spend.days import Period
from bot.spend.records import NOBODYS_OWN, ORGANIZATION, Actor, Member
from bot.store.alerting import AlertPolicy, owe_alerts
from bot.store.answers import forget_answers
from bot.store.audit import write_audit
from bot.store.builder import sa, tables
from bot.store.bulk import analyze_grown, insert_missing, replace_rows, run_in, run_sql, select_in, select_rows
from bot.store.columns import ACTORS, MEMBERS, PEOPLE
from bot.store.connection import Connection
from bot.store.database import Database
from bot.store.deliveries import NOTICE
from bot.store.people import ERASED, normalised_email
from bot.store.ranges import fuller_ranges, refresh_ranges, spans_of
from bot.store.read_files import forget_read_files
from bot.store.rollups import Rollups
from bot.store.settings import read_setting_in, write_setting_in

BY_EXPORT, BY_RULE, BY_SLACK, BY_ADMIN = "export", "rule", "slack", "admin"
BY_LINK = "link"
"""Of an address that no export has named, but a link alone."""

CONTESTED = "contested"
"""Of a device that exports tell beside two people, and a key that Slack knows two for: nobody's until an admin says."""

CLAUDE_CODE_KEY = re.compile(r"claude_code_key_(?P<user>.+)_[A-Za-z0-9]{4}")
"""Claude Code makes a key of its own for each user of a Console organisation and names it like this."""

_SALT = "erasure_salt"
_BETWEEN = re.compile(r"[^a-z0-9]", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s/\\,;:<>()\[\]\"']+@[^\s/\\,;:<>()\[\]\"']+")
_PLAIN = re.compile(r"[\w.@+-]+", re.ASCII)
CUT_FROM = 20
"""Messages show so many letters of a long name at least."""

KEY_USER = "key_user"
"""The kind of what is kept, hidden, of the name in an erased person's keys."""


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
        erased = _erased_ids(connection, workspace_id, missing)
        added = [actor for actor in missing if actor not in erased]
        _add_actors(connection, workspace_id, added)
        hidden = _hide_new_keys(connection, workspace_id, erased)
        found = known_actors(connection, workspace_id, wanted) | erased | hidden
        if any(actor.kind == "email" for actor in added):
            _follow_rule(connection, workspace_id, book, moved)
    return found


class Learned(NamedTuple):
    """How much of a directory was new, and those of its members whose account was another address's, with that one.

    An account is one person's, whose address may have changed; but who has the other address now only people know.
    """

    new: int
    moved: list[tuple[Member, str]]


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
    addresses = {Actor("email", member.email) for member in told}
    accounts = {Actor(member.kind, member.account) for member in told if member.account is not None}
    erased = _erased_ids(connection, workspace_id, sorted(addresses | accounts))
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
    people = sorted((listed[one] for one in changed), key=lambda one: one.email)
    replace_rows(connection, MEMBERS, [(workspace_id, one.email, one.name, False, one.seat) for one in people])
    if told:
        _follow_rule(connection, workspace_id, book, moved)
    emails: dict[int, str | None] = dict(select_in(connection, _EMAILS, (), sorted({owner for _, owner in elsewhere})))
    return Learned(new, [(member, email) for member, owner in elsewhere if (email := emails[owner]) is not None])


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
        person_id = _person_of_email(connection, database.workspace_id, address)
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
        # Of keys that only come along, what an export said of their owner still tells which export is the newer one.
        is_said = (
            tables.actors.c.kind == "api_key",
            tables.actors.c.linked_by == BY_EXPORT,
            tables.actors.c.id.not_in(named),
        )
        said = set(
            connection.execute(sa.select(tables.actors.c.id).where(tables.actors.c.id.in_(found), *is_said)).scalars()
        )
        for actor_id in found:
            whose = BY_EXPORT if actor_id in said else by
            _move(connection, database.workspace_id, actor_id, person_id, whose, book, moved)
        before -= {one for one in before if _forget_linked(connection, one, person_id)}
        _follow_rule(connection, database.workspace_id, book, moved)
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
        nobodys = {entry.actor: _key_user(entry.actor) for entry in unassigned(database, date.max)}
        others = _erased_users(connection, database.workspace_id, set(nobodys.values()))
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


def erase_person(database: Database, email: str, who: str, now: datetime) -> int:
    """Forget who somebody is. Totals stay, under a name that says nothing; returns that person's id.

    The names are kept as keyed hashes, so that a later export of the same usage is not counted as somebody else's.
    Raises UnknownIdentity where nobody has that address.
    """
    with database.write_usage() as connection:
        main = _main_address(connection, database.workspace_id, normalised_email(email))
        if main not in (None, normalised_email(email)):
            raise UnknownIdentity(f"“{email}” was linked to {main}, and both are one person here: erase {main}.")
        person_id = connection.execute(_own_row(database.workspace_id, normalised_email(email))).scalar()
        if person_id is None:
            raise UnknownIdentity(f"Nobody here has the address “{email}”, so there is nothing to erase.")
        salt = _salt(connection, database.workspace_id)
        rows = connection.execute(
            sa.select(tables.actors.c.id, tables.actors.c.kind, tables.actors.c.name, tables.actors.c.linked_by).where(
                tables.actors.c.person_id == person_id
            )
        )
        addresses, names = {normalised_email(email)}, {normalised_email(email)}
        for actor_id, kind, name, linked_by in rows.all():
            # What an export said of a key's owner still tells which of two exports is the newer one.
            by = BY_EXPORT if linked_by == BY_EXPORT else None
            # A key that was hidden as it was taken for another erased person's stays so.
            hidden = name if name.startswith(ERASED) else _hidden(salt, Actor(kind, name))
            # What comes later under a name that nobody bears is another actor's, and unassigned again.
            hidden += f" {person_id}" if kind in NOBODYS_OWN else ""
            connection.execute(
                sa.update(tables.actors).where(tables.actors.c.id == actor_id).values(name=hidden, linked_by=by)
            )
            names |= {name} if kind == "email" or _key_user(Actor(kind, name)) else set()
            addresses |= {name} if kind == "email" else set()
        for address in addresses:
            # Keys bear their owner's name as well, and may come in a later export.
            owner = _hidden(salt, Actor(KEY_USER, address.split("@")[0]))
            insert_missing(connection, ACTORS, [(database.workspace_id, KEY_USER, owner, person_id, None)])
        nobody = {
            "email": None,
            "name": f"{ERASED} {person_id}",
            "slack_user_id": None,
            "limit_usd": None,
            "seat": None,
            "muted_until": None,
            "planned_day": None,
            "planned_before": None,
            "quiet_hours": None,
            "hides_name": None,
        }
        # An address that was linked to another has a row of its own still.
        mine = (tables.people.c.workspace_id == database.workspace_id, tables.people.c.email.in_(addresses))
        theirs = connection.execute(sa.select(tables.people.c.id, tables.people.c.slack_user_id).where(*mine)).all()
        for row_id, user in theirs:
            if user is not None:
                forget_answers(connection, database.workspace_id, user)
            connection.execute(sa.update(tables.people).where(tables.people.c.id == row_id).values(**nobody))
            _forget_messages(connection, database.workspace_id, row_id)
        names |= _hide_nobodys_keys(connection, database.workspace_id, salt, addresses)
        for name in sorted(names, key=len, reverse=True):  # one may be a part of another
            _forget_mentions(connection, database.workspace_id, name, f"{ERASED} {person_id}")
        write_audit(connection, database.workspace_id, now, who, "erased a person's data", person_id)
    database.write_out()
    return int(person_id)


def _hide_nobodys_keys(connection: Connection, workspace_id: int, salt: str, addresses: set[str]) -> set[str]:
    """Hide keys that bear the name of erased people alone, and were nobody's as several had it; returns their names."""
    users = {address.split("@")[0] for address in addresses}
    users -= _known_users(connection, workspace_id, users)
    found = set()
    for actor_id, name, person_id in connection.execute(_waiting_keys(workspace_id)).all():
        key = Actor("api_key", name)
        if _key_user(key) in users:
            found.add(name)
            connection.execute(
                sa.update(tables.actors).where(tables.actors.c.id == actor_id).values(name=_hidden(salt, key))
            )
            connection.execute(
                sa.update(tables.people).where(tables.people.c.id == person_id).values(name=f"{ERASED} {person_id}")
            )
    return found


def _own_row(workspace_id: int, address: str) -> sa.Select[int]:
    """The person who is known by an address."""
    return sa.select(tables.people.c.id).where(
        tables.people.c.workspace_id == workspace_id, tables.people.c.email == address
    )


def _main_address(connection: Connection, workspace_id: int, address: str) -> str | None:
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


def _meant(
    connection: Connection, workspace_id: int, named: list[int], address: str, person_id: int
) -> tuple[list[int], int]:
    """Which actors are to move, and to whom: ``person_id``, whose ``address`` is, or the one who is known by it.

    An address that is linked to itself goes its own way again. Where both are one person already, but known by another
    address, that one gives way. An address that is linked to somebody else's takes along what was known to be theirs.
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
    # Keys that the rule gave them follow the rule afterwards.
    is_given = tables.actors.c.linked_by.is_distinct_from(BY_RULE)
    theirs = (
        connection.execute(sa.select(tables.actors.c.id).where(tables.actors.c.person_id.in_(mains), is_given))
        .scalars()
        .all()
    )
    is_itself = [(row.kind, row.name) for row in rows] == [("email", address)]
    if is_itself or person_id in mains:
        person_id = connection.execute(_own_row(workspace_id, address)).scalar() or person_id
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


def _forget_messages(connection: Connection, workspace_id: int, person_id: int) -> None:
    table = tables.deliveries.c
    own = (table.workspace_id == workspace_id, table.kind == "alert", table.target == str(person_id))
    connection.execute(
        sa.update(tables.deliveries).where(*own).values(payload=None, channel=None, ts=None, problem=None)
    )
    waiting = table.state.in_(("due", "sending", "held", "failed"))
    connection.execute(sa.update(tables.deliveries).where(*own, waiting).values(state="expired"))


def _forget_mentions(connection: Connection, workspace_id: int, name: str, instead: str) -> None:
    """Put other words in the place of a name wherever it was written down, in whatever letters, and forget messages."""
    without = _without(connection, workspace_id, name, instead)
    # SQLite knows the letter case of ASCII alone, and JSON spells other letters in its own way.
    plain = max(_PLAIN.findall(name[:CUT_FROM].lower()), key=len, default="")
    forget_read_files(connection, workspace_id, plain, lambda said: without(said) != said)
    of_imports = tables.import_problems.c.import_id.in_(
        sa.select(tables.imports.c.id).where(tables.imports.c.workspace_id == workspace_id)
    )
    columns = (
        tables.audit.c.what,
        tables.settings.c.value,
        tables.feeds.c.problem,
        tables.read_files.c.problem,
        tables.imports.c.path,
    )
    places = [(column, column.table.c.workspace_id == workspace_id) for column in columns]
    for column, is_mine in [*places, (tables.import_problems.c.problem, of_imports)]:
        may_be_named = sa.func.lower(column).contains(plain, autoescape=True)
        for (said,) in connection.execute(sa.select(column).where(is_mine, may_be_named).distinct()).all():
            if without(said) != said:
                connection.execute(
                    sa.update(column.table).where(is_mine, column == said).values({column: without(said)})
                )
    sent = tables.deliveries.c
    may_be_named = sa.or_(
        *(sa.func.lower(column).contains(plain, autoescape=True) for column in (sent.key, sent.payload))
    )
    told = sa.select(sent.id, sent.kind, sent.key, sent.payload).where(sent.workspace_id == workspace_id, may_be_named)
    nothing = {"key": sa.literal("erased:") + sa.cast(sent.id, sa.Text), "payload": None, "problem": None}
    state = sa.case((sent.state.in_(("due", "sending", "held")), "expired"), else_=sent.state)
    for message_id, kind, key, payload in connection.execute(told).all():
        said = json.loads(payload or "null")
        spared = _in_texts(said, without)
        if kind == NOTICE and (spared != said or without(key) != key):
            connection.execute(sa.update(tables.deliveries).where(sent.id == message_id).values(**nothing, state=state))
        elif spared != said:
            connection.execute(
                sa.update(tables.deliveries).where(sent.id == message_id).values(payload=json.dumps(spared))
            )


def _without(connection: Connection, workspace_id: int, name: str, instead: str) -> Callable[[str], str]:
    """What takes a name out of a text: all of it, and not where it is a part of another name that is known."""
    is_longer = (tables.actors.c.name.contains(name, autoescape=True), tables.actors.c.name != name)
    query = sa.select(tables.actors.c.name).where(tables.actors.c.workspace_id == workspace_id, *is_longer).distinct()
    others = sorted(connection.execute(query).scalars(), key=len, reverse=True)
    kept, gone = ("|".join(spelling for one in some for spelling in _spelt(one)) for some in (others, [name]))
    found = re.compile(rf"(?<![^\W_])(?:({kept or '(?!)'})|{gone})(?![^\W_])", re.IGNORECASE)
    return lambda text: found.sub(lambda match: match[1] or instead, text)


def _spelt(name: str) -> list[str]:
    """Patterns of a name as texts have it: with accents by themselves, safe for Slack, and cut where it is long."""
    whole = dict.fromkeys(escape(normalize(form, name), quote=False) for form in ("NFC", "NFD")) | {name: None}
    cut = [f"{one[:end]}…" for one in whole for end in range(len(one) - 1, CUT_FROM - 1, -1)]
    return [re.escape(one) for one in (*whole, *cut)]


def _in_texts(said: Any, change: Callable[[str], str]) -> Any:
    """The same message with all its texts changed."""
    if isinstance(said, dict):
        return {key: _in_texts(value, change) for key, value in said.items()}
    if isinstance(said, list):
        return [_in_texts(one, change) for one in said]
    return change(said) if isinstance(said, str) else said


def stored_actors(connection: Connection, workspace_id: int, wanted: set[Actor]) -> dict[Actor, int]:
    """The ids of those of some actors that an export has named, erased people's among them."""
    return _erased_ids(connection, workspace_id, sorted(wanted)) | known_actors(connection, workspace_id, wanted)


def known_actors(connection: Connection, workspace_id: int, wanted: set[Actor]) -> dict[Actor, int]:
    """The ids of those of some actors that an export has named."""
    sql = "SELECT kind, name, id FROM actors WHERE workspace_id = ? AND name IN"
    rows = select_in(connection, sql, [workspace_id], sorted({actor.name for actor in wanted}))
    found = {Actor(kind, name): int(actor_id) for kind, name, actor_id in rows}
    return {actor: actor_id for actor, actor_id in found.items() if actor in wanted}


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
    salt = _known_salt(connection, workspace_id)
    hidden = [] if salt is None else [_hidden(salt, Actor("api_key", bare))]
    query = sa.select(tables.actors.c.id).where(
        tables.actors.c.workspace_id == workspace_id, tables.actors.c.name.in_(hidden)
    )
    return list(connection.execute(query).scalars())


def _add_actors(connection: Connection, workspace_id: int, missing: list[Actor]) -> None:
    addresses = {actor.name for actor in missing if actor.kind == "email"}
    insert_missing(connection, PEOPLE, [(workspace_id, email, email, False) for email in sorted(addresses)])
    sql = "SELECT email, id FROM people WHERE workspace_id = ? AND email IN"
    person_of: dict[str, int] = dict(select_in(connection, sql, [workspace_id], sorted(addresses)))
    by_user = _people_by_user(connection, workspace_id) if any(a.kind == "api_key" for a in missing) else {}
    behind: dict[Actor, tuple[int, str | None]] = {}
    strangers = []
    for actor in missing:
        if actor.kind == "email":
            behind[actor] = person_of[actor.name], BY_EXPORT
        elif actor.kind == ORGANIZATION:
            behind[actor] = _organization(connection, workspace_id), None
        elif (owner := by_user.get(_key_user(actor))) is not None:
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


def _person_of_email(connection: Connection, workspace_id: int, email: str) -> int | None:
    """Whoever an address is of, made where it is nobody's; None where that person was erased."""
    if _erased_ids(connection, workspace_id, [Actor("email", email)]):
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
        _move(connection, workspace_id, owner.actor_id, nobody, CONTESTED, book, moved)
        return _Owner(owner.actor_id, nobody, CONTESTED)
    if owner.linked_by is not None:
        return owner
    _move(connection, workspace_id, owner.actor_id, person_id, BY_EXPORT, book, moved)
    return _Owner(owner.actor_id, person_id, BY_EXPORT)


_EMAILS = "SELECT id, email FROM people WHERE id IN"
_NAMED_BY = "UPDATE actors SET linked_by = ? WHERE workspace_id = ? AND kind = 'email' AND name = ?"
_NAMED_IN = "UPDATE actors SET linked_by = ? WHERE workspace_id = ? AND kind = 'email' AND linked_by = ? AND name IN"
_PEOPLE = "SELECT id, email, name, seat FROM people WHERE id IN"
_OF_EMAILS = "SELECT name, person_id FROM actors WHERE workspace_id = ? AND kind = 'email' AND name IN"
_OWNERS = "SELECT kind, name, id, person_id, linked_by FROM actors WHERE workspace_id = ? AND name IN"


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
    hidden = _hidden(_salt(connection, workspace_id), account)
    owner = _owners(connection, workspace_id, [account]).get(account)
    if owner is None:
        insert_missing(connection, ACTORS, [(workspace_id, account.kind, hidden, person_id, BY_EXPORT)])
        return True
    now = _claimed(connection, workspace_id, member, person_id, owner, book, moved)
    if now is not owner and now.person_id == person_id:
        renamed = sa.update(tables.actors).where(tables.actors.c.id == now.actor_id)
        connection.execute(renamed.values(name=hidden))
    return now is not owner


def _follow_rule(connection: Connection, workspace_id: int, book: PriceBook, moved: PersonDays) -> None:
    """Give Claude Code's keys that nobody is behind to the one person whose address begins like the key's user.

    A key that was given to somebody by this rule, or by Slack, is nobody's again once a second person has such an
    address: in whatever order exports come, they end in the same.
    """
    _undo_rule(connection, workspace_id, book, moved)
    waiting = connection.execute(_waiting_keys(workspace_id)).all()
    by_user = _people_by_user(connection, workspace_id) if waiting else {}
    users = {actor_id: _key_user(Actor("api_key", name)) for actor_id, name, _ in waiting}
    # What waits may be of somebody who was erased since.
    erased = _erased_users(connection, workspace_id, by_user.keys() & users.values())
    for actor_id, user in users.items():
        owner = by_user.get(user)
        if owner is not None and user not in erased:
            _move(connection, workspace_id, actor_id, owner, BY_RULE, book, moved)


def _waiting_keys(workspace_id: int) -> sa.Select[int, str, int]:
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
        owner = by_user.get(_key_user(Actor(kind, name)))
        if owner is not None and owner != person_id:
            _move(connection, workspace_id, actor_id, owner, BY_RULE, book, moved)
        elif owner is None:
            added = tables.people.insert().values(workspace_id=workspace_id, name=name).returning(tables.people.c.id)
            _move(connection, workspace_id, actor_id, connection.execute(added).scalar_one(), None, book, moved)


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


def is_claude_code_key(actor: Actor) -> bool:
    """Whether it is a key that Claude Code made, and named after its user."""
    return bool(_key_user(actor))


def _key_user(actor: Actor) -> str:
    match = CLAUDE_CODE_KEY.fullmatch(actor.name) if actor.kind == "api_key" else None
    return match["user"].lower() if match else ""


def _move(
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


def _erased_ids(connection: Connection, workspace_id: int, named: list[Actor]) -> dict[Actor, int]:
    """Actors among these whose person was erased: they are known by their hash alone."""
    salt = _known_salt(connection, workspace_id)
    if salt is None:
        return {}
    named = [actor for actor in named if actor.kind not in NOBODYS_OWN]
    hidden: dict[str, list[Actor]] = defaultdict(list)
    users = {actor: _key_user(actor) for actor in named if _key_user(actor)}
    living = _known_users(connection, workspace_id, set(users.values()))
    for actor in named:
        hidden[_hidden(salt, actor)].append(actor)
        if actor in users and users[actor] not in living:  # else it may be theirs who is still here
            hidden[_hidden(salt, Actor(KEY_USER, users[actor]))].append(actor)
    sql = "SELECT name, id FROM actors WHERE workspace_id = ? AND name IN"
    ids: dict[str, int] = dict(select_in(connection, sql, [workspace_id], sorted(hidden)))
    found = {actor: int(ids[name]) for name, some in hidden.items() if name in ids for actor in some}
    # Its own name says more than whose key it is.
    own = {actor: int(ids[name]) for actor in named if (name := _hidden(salt, actor)) in ids}
    return found | own


def erased_names(connection: Connection, workspace_id: int, ids: Mapping[Actor, int]) -> dict[int, set[int]]:
    """For machines, gateways and organizations among some actors, those of the same name that erased people had."""
    named = [actor for actor in ids if actor.kind in NOBODYS_OWN]
    salt = _known_salt(connection, workspace_id) if named else None
    if salt is None:
        return {}
    query = sa.select(tables.actors.c.id, tables.actors.c.name).where(
        tables.actors.c.workspace_id == workspace_id,
        tables.actors.c.kind.in_(NOBODYS_OWN),
        tables.actors.c.name.startswith(f"{ERASED} "),
    )
    found: dict[str, set[int]] = defaultdict(set)
    for actor_id, name in connection.execute(query):
        found[" ".join(name.split()[:3])].add(actor_id)
    return {ids[actor]: found[hidden] for actor in named if (hidden := _hidden(salt, actor)) in found}


def _erased_users(connection: Connection, workspace_id: int, users: set[str]) -> set[str]:
    """Those of some names of users with which the address of an erased person began."""
    salt = _known_salt(connection, workspace_id)
    if salt is None:
        return set()
    hidden = {_hidden(salt, Actor(KEY_USER, user)): user for user in users}
    sql = "SELECT name FROM actors WHERE workspace_id = ? AND kind = 'key_user' AND name IN"
    return {hidden[name] for (name,) in select_in(connection, sql, [workspace_id], sorted(hidden))}


def _known_users(connection: Connection, workspace_id: int, users: set[str]) -> set[str]:
    """Those of some names of users with which the address of somebody here begins."""
    found = set()
    for user in users:
        begins = tables.people.c.email.startswith(f"{user}@", autoescape=True)
        query = sa.select(tables.people.c.id).where(tables.people.c.workspace_id == workspace_id, begins).limit(1)
        if connection.execute(query).first() is not None:
            found.add(user)
    return found


def _hide_new_keys(connection: Connection, workspace_id: int, erased: dict[Actor, int]) -> dict[Actor, int]:
    """An actor of its own, under its hidden name, for each key that is an erased person's by its owner's name alone."""
    keys = [actor for actor in erased if _key_user(actor)]
    if not keys:
        return {}
    salt = _salt(connection, workspace_id)
    whose = sa.select(tables.actors.c.id, tables.actors.c.person_id).where(
        tables.actors.c.id.in_({erased[key] for key in keys})
    )
    person_of = {row.id: row.person_id for row in connection.execute(whose)}
    rows = [(workspace_id, key.kind, _hidden(salt, key), person_of[erased[key]], None) for key in keys]
    insert_missing(connection, ACTORS, rows)
    sql = "SELECT name, id FROM actors WHERE workspace_id = ? AND kind = 'api_key' AND name IN"
    ids: dict[str, int] = dict(select_in(connection, sql, [workspace_id], [row[2] for row in rows]))
    return {key: int(ids[_hidden(salt, key)]) for key in keys}


def is_erased(database: Database, address: str) -> bool:
    """Whether the data of whoever has an address were erased."""
    with database.read() as connection:
        return bool(_erased_ids(connection, database.workspace_id, [Actor("email", normalised_email(address))]))


def names_erased(database: Database, path: str) -> bool:
    """Whether a path has the address of somebody whose data were erased in it."""
    with database.read() as connection:
        return without_erased(connection, database.workspace_id, path) != path


def without_erased(connection: Connection, workspace_id: int, path: str) -> str:
    """A path as it may be kept: without the addresses of people whose data were erased."""
    for word in _ADDRESS.findall(path):
        # An address may stand between other words, and end where the suffix of a file begins.
        user, _, host = word.rpartition("@")
        users = [user[start:] for start in (0, *(found.end() for found in _BETWEEN.finditer(user)))]
        hosts = [host[:end] for end in (len(host), *(found.start() for found in _BETWEEN.finditer(host)))]
        spelt = [f"{one}@{other}" for one in users[:20] for other in hosts[:20]]
        actors_of = {Actor("email", normalised_email(one)): one for one in spelt}
        for actor in _erased_ids(connection, workspace_id, list(actors_of)):
            path = path.replace(actors_of[actor], ERASED)
    return path


def _known_salt(connection: Connection, workspace_id: int) -> str | None:
    """What erased names are hashed with; None while nobody was erased."""
    return read_setting_in(connection, workspace_id, _SALT)


def _salt(connection: Connection, workspace_id: int) -> str:
    found = _known_salt(connection, workspace_id)
    if found is None:
        found = secrets.token_hex(16)
        write_setting_in(connection, workspace_id, _SALT, found)
    return found


def _hidden(salt: str, actor: Actor) -> str:
    digest = hashlib.blake2b(f"{actor.kind}\0{actor.name}".encode(), key=bytes.fromhex(salt), digest_size=16)
    return f"{ERASED} {digest.hexdigest()}"
