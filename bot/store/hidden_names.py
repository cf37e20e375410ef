"""Names of people whose data were erased: kept as keyed hashes, so that no later export brings them back."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping

from bot.spend.records import NOBODYS_OWN, Actor, key_user
from bot.store.builder import sa, tables
from bot.store.bulk import insert_missing, select_in
from bot.store.columns import ACTORS
from bot.store.connection import Connection
from bot.store.database import Database
from bot.store.people import ERASED, normalised_email
from bot.store.settings import read_setting_in, write_setting_in

_SALT = "erasure_salt"

KEY_USER = "key_user"
"""The kind of what is kept, hidden, of the name in an erased person's keys."""

_BETWEEN = re.compile(r"[^a-z0-9]", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s/\\,;:<>()\[\]\"']+@[^\s/\\,;:<>()\[\]\"']+")


def is_erased(database: Database, address: str) -> bool:
    """Whether the data of whoever has an address were erased."""
    with database.read() as connection:
        return bool(erased_ids(connection, database.workspace_id, [Actor("email", normalised_email(address))]))


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
        for actor in erased_ids(connection, workspace_id, list(actors_of)):
            path = path.replace(actors_of[actor], ERASED)
    return path


def erased_ids(connection: Connection, workspace_id: int, named: list[Actor]) -> dict[Actor, int]:
    """Actors among these whose person was erased: they are known by their hash alone."""
    salt = known_salt(connection, workspace_id)
    if salt is None:
        return {}
    named = [actor for actor in named if actor.kind not in NOBODYS_OWN]
    hidden: dict[str, list[Actor]] = defaultdict(list)
    users = {actor: key_user(actor) for actor in named if key_user(actor)}
    living = known_users(connection, workspace_id, set(users.values()))
    for actor in named:
        hidden[hidden_name(salt, actor)].append(actor)
        if actor in users and users[actor] not in living:  # else it may be theirs who is still here
            hidden[hidden_name(salt, Actor(KEY_USER, users[actor]))].append(actor)
    sql = "SELECT name, id FROM actors WHERE workspace_id = ? AND name IN"
    ids: dict[str, int] = dict(select_in(connection, sql, [workspace_id], sorted(hidden)))
    found = {actor: int(ids[name]) for name, some in hidden.items() if name in ids for actor in some}
    # Its own name says more than whose key it is.
    own = {actor: int(ids[name]) for actor in named if (name := hidden_name(salt, actor)) in ids}
    return found | own


def erased_names(connection: Connection, workspace_id: int, ids: Mapping[Actor, int]) -> dict[int, set[int]]:
    """For machines, gateways and organizations among some actors, those of the same name that erased people had."""
    named = [actor for actor in ids if actor.kind in NOBODYS_OWN]
    salt = known_salt(connection, workspace_id) if named else None
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
    return {ids[actor]: found[hidden] for actor in named if (hidden := hidden_name(salt, actor)) in found}


def erased_users(connection: Connection, workspace_id: int, users: set[str]) -> set[str]:
    """Those of some names of users with which the address of an erased person began."""
    salt = known_salt(connection, workspace_id)
    if salt is None:
        return set()
    hidden = {hidden_name(salt, Actor(KEY_USER, user)): user for user in users}
    sql = "SELECT name FROM actors WHERE workspace_id = ? AND kind = 'key_user' AND name IN"
    return {hidden[name] for (name,) in select_in(connection, sql, [workspace_id], sorted(hidden))}


def known_users(connection: Connection, workspace_id: int, users: set[str]) -> set[str]:
    """Those of some names of users with which the address of somebody here begins."""
    found = set()
    for user in users:
        begins = tables.people.c.email.startswith(f"{user}@", autoescape=True)
        query = sa.select(tables.people.c.id).where(tables.people.c.workspace_id == workspace_id, begins).limit(1)
        if connection.execute(query).first() is not None:
            found.add(user)
    return found


def hide_new_keys(connection: Connection, workspace_id: int, erased: dict[Actor, int]) -> dict[Actor, int]:
    """An actor of its own, under its hidden name, for each key that is an erased person's by its owner's name alone."""
    keys = [actor for actor in erased if key_user(actor)]
    if not keys:
        return {}
    salt = erasure_salt(connection, workspace_id)
    whose = sa.select(tables.actors.c.id, tables.actors.c.person_id).where(
        tables.actors.c.id.in_({erased[key] for key in keys})
    )
    person_of = {row.id: row.person_id for row in connection.execute(whose)}
    rows = [(workspace_id, key.kind, hidden_name(salt, key), person_of[erased[key]], None) for key in keys]
    insert_missing(connection, ACTORS, rows)
    sql = "SELECT name, id FROM actors WHERE workspace_id = ? AND kind = 'api_key' AND name IN"
    ids: dict[str, int] = dict(select_in(connection, sql, [workspace_id], [row[2] for row in rows]))
    return {key: int(ids[hidden_name(salt, key)]) for key in keys}


def known_salt(connection: Connection, workspace_id: int) -> str | None:
    """What erased names are hashed with; None while nobody was erased."""
    return read_setting_in(connection, workspace_id, _SALT)


def erasure_salt(connection: Connection, workspace_id: int) -> str:
    """The same, made where there is none yet."""
    found = known_salt(connection, workspace_id)
    if found is None:
        from secrets import token_hex  # which loads as much as ten modules of ours

        found = token_hex(16)
        write_setting_in(connection, workspace_id, _SALT, found)
    return found


def hidden_name(salt: str, actor: Actor) -> str:
    """The name under which an erased person's actor is stored."""
    digest = hashlib.blake2b(f"{actor.kind}\0{actor.name}".encode(), key=bytes.fromhex(salt), digest_size=16)
    return f"{ERASED} {digest.hexdigest()}"
