"""How a person is forgotten: names, settings and messages go, wherever they were written down; totals stay."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from html import escape
from typing import Any
from unicodedata import normalize

from bot.spend.records import NOBODYS_OWN, Actor, key_user
from bot.store.answers import forget_answers
from bot.store.audit import write_audit
from bot.store.builder import sa, tables
from bot.store.bulk import insert_missing
from bot.store.columns import ACTORS
from bot.store.connection import Connection
from bot.store.database import Database
from bot.store.deliveries import NOTICE
from bot.store.hidden_names import KEY_USER, erasure_salt, hidden_name, known_users
from bot.store.identity import BY_EXPORT, UnknownIdentity, main_address, person_of_address, waiting_keys
from bot.store.people import ERASED, normalised_email
from bot.store.read_files import forget_read_files

_PLAIN = re.compile(r"[\w.@+-]+", re.ASCII)

CUT_FROM = 20
"""Messages show so many letters of a long name at least."""


def erase_person(database: Database, email: str, who: str, now: datetime) -> int:
    """Forget who somebody is. Totals stay, under a name that says nothing; returns that person's id.

    The names are kept as keyed hashes, so that a later export of the same usage is not counted as somebody else's.
    Raises UnknownIdentity where nobody has that address.
    """
    with database.write_usage() as connection:
        main = main_address(connection, database.workspace_id, normalised_email(email))
        if main not in (None, normalised_email(email)):
            raise UnknownIdentity(f"“{email}” was linked to {main}, and both are one person here: erase {main}.")
        person_id = connection.execute(person_of_address(database.workspace_id, normalised_email(email))).scalar()
        if person_id is None:
            raise UnknownIdentity(f"Nobody here has the address “{email}”, so there is nothing to erase.")
        salt = erasure_salt(connection, database.workspace_id)
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
            hidden = name if name.startswith(ERASED) else hidden_name(salt, Actor(kind, name))
            # What comes later under a name that nobody bears is another actor's, and unassigned again.
            hidden += f" {person_id}" if kind in NOBODYS_OWN else ""
            connection.execute(
                sa.update(tables.actors).where(tables.actors.c.id == actor_id).values(name=hidden, linked_by=by)
            )
            names |= {name} if kind == "email" or key_user(Actor(kind, name)) else set()
            addresses |= {name} if kind == "email" else set()
        for address in addresses:
            # Keys bear their owner's name as well, and may come in a later export.
            owner = hidden_name(salt, Actor(KEY_USER, address.split("@")[0]))
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
    users -= known_users(connection, workspace_id, users)
    found = set()
    for actor_id, name, person_id in connection.execute(waiting_keys(workspace_id)).all():
        key = Actor("api_key", name)
        if key_user(key) in users:
            found.add(name)
            connection.execute(
                sa.update(tables.actors).where(tables.actors.c.id == actor_id).values(name=hidden_name(salt, key))
            )
            connection.execute(
                sa.update(tables.people).where(tables.people.c.id == person_id).values(name=f"{ERASED} {person_id}")
            )
    return found


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
