"""The outbox: each message owed to Slack is one row under a unique key, and is sent effectively once.

A row is *due* until somebody claims it, *sending* from just before Slack is called, and then *sent*. *held* waits for
an admin (nobody can tell whether Slack has it), *failed* will not work, *expired* came too late to be worth sending.
A claim is a lease with a fence: whoever lost the lease can change nothing any more.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from bot.spend.days import Period
from bot.store.builder import sa, tables
from bot.store.bulk import select_in, select_rows
from bot.store.connection import Connection
from bot.store.database import Database
from bot.store.people import ids_by_now, ids_of_one
from bot.store.upsert import insert_new
from bot.store.values import day_number

DIGEST = "digest"
ALERT = "alert"
NOTICE = "notice"
"""A message to an admin about the installation itself."""
SILENT = "silent:"
"""What a notice of a silent source begins with: which source, and since when."""

NOT_ARRIVED = ("held", "failed", "expired")
"""States in which a message stays; some expired because they need not be sent any more."""

TOO_LATE = "its time was over before it could be sent"
LEASE = timedelta(seconds=60)
"""Far longer than one call to Slack may take (10 s), so that an expired lease means that its owner is gone."""


class Delivery(NamedTuple):
    """One message owed. ``send_started_at`` without ``ts`` means that Slack may have it already."""

    id: int
    key: str
    kind: str
    target: str
    day: date
    step: int | None
    state: str
    expires_at: datetime | None
    fence: int
    attempts: int
    send_started_at: datetime | None
    channel: str | None
    payload: dict[str, Any] | None
    ts: str | None
    problem: str | None
    edition: str | None
    usd: Decimal | None
    is_partial: bool | None
    members: str | None
    is_edit_uncertain: bool | None

    @property
    def is_late(self) -> bool:
        """Whether it expired because it could not be sent in time, and not because it need not be."""
        return self.state == "expired" and TOO_LATE in (self.problem or "")

    @property
    def is_planned(self) -> bool:
        """Whether a digest is its channel's of a day; others were posted by hand."""
        return self.expires_at is not None

    def is_unsettled(self, now: datetime) -> bool:
        """Whether it is too late by now for a message of which nobody knows yet if Slack has it."""
        is_late = self.expires_at is not None and self.expires_at <= now
        return is_late and self.state in ("due", "sending") and self.send_started_at is not None

    @property
    def covers(self) -> Scope:
        """Which digest it is: edition, first day and team."""
        edition, start, team = (self.edition or f"daily|{self.day}|").split("|", 2)
        return Scope(edition, date.fromisoformat(start), team)


class Told(NamedTuple):
    """What a message tells: a total, whether the day may not be all, and a hash of the team whose it is."""

    usd: Decimal | None = None
    is_partial: bool = False
    members: str | None = None


class Scope(NamedTuple):
    """The edition of a digest, its first day, and its team (empty for everybody)."""

    edition: str
    start: date
    team: str


def _columns() -> list[sa.Column[Any]]:
    return [tables.deliveries.c[name] for name in Delivery._fields]


def digest_key(channel: str, day: date, edition: str = "daily", team: str = "") -> str:
    """The unique key of a channel's digest whose last day is ``day``. See ``owe_digest`` for a second one."""
    which = "" if (edition, team) == ("daily", "") else f"{edition}:{team}:"
    return f"digest:{channel}:{which}{day}"


def owe_digest(
    database: Database,
    channel: str,
    day: date,
    now: datetime,
    expires_at: datetime | None = None,
    covered: Scope | None = None,
) -> None:
    """Owe a channel the digest of a day, unless it is owed or sent already; after ``expires_at`` it is not sent.

    A digest of the last day alone, which somebody posted by hand, does not stand for one of several days.
    """
    covered = covered or Scope("daily", day, "")
    key = digest_key(channel, day, covered.edition, covered.team)
    known = find_delivery(database, key)
    if known is not None and known.covers.start > covered.start:
        key += f":since:{covered.start}"
    with database.write() as connection:
        _owe(connection, database.workspace_id, key, DIGEST, channel, day, None, now, expires_at, covered=covered)


def told_digests(
    database: Database, channel: str, since: date, edition: str, team: str, now: datetime
) -> list[Delivery]:
    """A channel's digests of an edition and team with a last day since one (inclusive), without those too late.

    One that was never begun and is too late by now will not be told either.
    """
    table = tables.deliveries.c
    query = sa.select(*_columns()).where(
        table.workspace_id == database.workspace_id,
        table.kind == DIGEST,
        table.target == channel,
        table.day >= since,
        table.state != "expired",
        sa.or_(
            table.state != "due",
            table.send_started_at.is_not(None),
            table.expires_at.is_(None),
            table.expires_at > now,
        ),
    )
    with database.read() as connection:
        found = [_read(row) for row in connection.execute(query)]
    return [one for one in found if (one.covers.edition, one.covers.team) == (edition, team)]


def correctable(database: Database, since: datetime) -> list[Delivery]:
    """Digests that were sent since a moment."""
    table = tables.deliveries.c
    query = sa.select(*_columns()).where(
        table.workspace_id == database.workspace_id,
        table.kind == DIGEST,
        table.state == "sent",
        table.ts.is_not(None),
        table.send_started_at >= since,
    )
    with database.read() as connection:
        return [_read(row) for row in connection.execute(query)]


def claim_correction(database: Database, delivery: Delivery, now: datetime) -> bool:
    """Take it on, for the length of a LEASE, to tell a corrected total. False if somebody else does, or has."""
    table = tables.deliveries.c
    before = table.usd.is_(None) if delivery.usd is None else table.usd == delivery.usd
    is_free = sa.or_(table.lease_until.is_(None), table.lease_until < now)
    taken = sa.update(tables.deliveries).where(table.id == delivery.id, before, is_free)
    statement = taken.values(lease_until=now + LEASE, is_edit_uncertain=True)
    with database.write() as connection:
        return connection.execute(statement).rowcount == 1


def mark_corrected(
    database: Database, delivery: Delivery, usd: Decimal | None, now: datetime, *, is_partial: bool
) -> None:
    """The message tells ``usd`` now."""
    values = {"usd": usd, "corrected_at": now, "is_partial": is_partial}
    known = {"lease_until": None, "is_edit_uncertain": False}
    with database.write() as connection:
        connection.execute(
            sa.update(tables.deliveries).where(tables.deliveries.c.id == delivery.id).values(**values, **known)
        )


def release_correction(database: Database, delivery: Delivery, *, is_uncertain: bool) -> None:
    """The message was not changed, or nobody knows if it was; anybody may try again."""
    values = {"lease_until": None, "is_edit_uncertain": is_uncertain}
    with database.write() as connection:
        connection.execute(sa.update(tables.deliveries).where(tables.deliveries.c.id == delivery.id).values(**values))


def owe_notice(
    database: Database,
    about: str,
    user: str,
    text: str,
    day: date,
    now: datetime,
    failed: str | None = None,
    *,
    is_for_admins: bool = True,
) -> None:
    """Owe a Slack user one message, unless they were told the same already: ``about`` says what it is about.

    ``failed`` is the key of a message that can be sent again.
    """
    key = f"notice:{about}:{user}"
    with database.write() as connection:
        said = {"text": text, "failed": failed, "is_for_admins": is_for_admins}
        _owe(connection, database.workspace_id, key, NOTICE, user, day, None, now, None, said)


def reopen(database: Database, key: str, now: datetime) -> None:
    """Let a delivery that waits, was held, failed or expired be sent now, because a person asks for it."""
    with database.write() as connection:
        _reopen(connection, database.workspace_id, key, now, ("due", "held", "failed", "expired"))


def owe_alert(connection: Connection, workspace_id: int, person_id: int, day: date, step: int, now: datetime) -> None:
    """Owe a person the alert of a day and step, in the transaction of the usage that reached it."""
    key = f"alert:P{person_id}:{day}:{step}x"
    _owe(connection, workspace_id, key, ALERT, str(person_id), day, step, now, None)
    # It may have expired because the day was restated below the step; now it is above it again.
    _reopen(connection, workspace_id, key, now, ("expired",))


def alert_steps(connection: Connection, workspace_id: int, person_id: int, day: date) -> set[int]:
    """The steps of that day that the person was, or is about to be, told of; without those that expired untold.

    Under any of their addresses: one that was linked to another may have been told before.
    """
    told = (
        "SELECT step FROM deliveries WHERE workspace_id = ? AND kind = ? AND day = ? "
        "AND step IS NOT NULL AND state <> 'expired' AND target IN"
    )
    names = map(str, ids_of_one(connection, person_id))
    return {row[0] for row in select_in(connection, told, (workspace_id, ALERT, day_number(day)), names)}


def is_told_elsewhere(database: Database, alert: Delivery, person_id: int) -> bool:
    """Whether the person hears of an alert's day and step under another of their addresses.

    Of several that wait still, the first is told.
    """
    table = tables.deliveries.c
    with database.read() as connection:
        same = (
            table.workspace_id == database.workspace_id,
            table.kind == ALERT,
            table.target.in_(list(map(str, ids_of_one(connection, person_id)))),
            table.day == alert.day,
            table.step == alert.step,
            table.id != alert.id,
        )
        is_first = sa.and_(table.state.in_(("due", "sending")), table.id < alert.id)
        query = sa.select(table.id).where(*same, sa.or_(table.state == "sent", is_first)).limit(1)
        return connection.execute(query).first() is not None


def told_people(database: Database, period: Period) -> set[int]:
    """Who was told that they reached a step on a day of a period; ids of people."""
    values = (database.workspace_id, ALERT, day_number(period.start), day_number(period.end))
    with database.read() as connection:
        return ids_by_now(connection, (int(row[0]) for row in select_rows(connection, _TOLD, values)))


_TOLD = (
    "SELECT DISTINCT target FROM deliveries "
    "WHERE workspace_id = ? AND kind = ? AND day >= ? AND day < ? AND state = 'sent'"
)


def claim(database: Database, owner: str, now: datetime) -> Delivery | None:
    """Take the oldest row that is due and that nobody else is sending, for the length of a LEASE."""
    table = tables.deliveries.c
    oldest = (
        sa.select(table.id)
        .where(
            table.workspace_id == database.workspace_id,
            table.state.in_(("due", "sending")),
            table.due_at <= now,
            sa.or_(table.lease_until.is_(None), table.lease_until < now),
        )
        .order_by(table.due_at, table.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = (
        sa.update(tables.deliveries)
        .where(table.id == oldest)
        .values(owner=owner, lease_until=now + LEASE, fence=table.fence + 1, attempts=table.attempts + 1)
        .returning(*_columns())
    )
    with database.write() as connection:
        row = connection.execute(taken).first()
    return _read(row) if row else None


def start_sending(
    database: Database,
    delivery: Delivery,
    channel: str,
    payload: dict[str, Any],
    now: datetime,
    told: Told,
) -> bool:
    """Freeze what is sent and where, just before Slack is called. False if the lease was lost meanwhile."""
    values = {"state": "sending", "channel": channel, "payload": json.dumps(payload), "send_started_at": now}
    return _change(database, delivery, **values, **told._asdict())


def mark_sent(database: Database, delivery: Delivery, channel: str, ts: str) -> bool:
    """Slack has the message under ``ts``."""
    return _change(database, delivery, state="sent", channel=channel, ts=ts, problem=None, lease_until=None)


def put_back(database: Database, delivery: Delivery, due_at: datetime, problem: str) -> bool:
    """Slack surely has nothing; try again from ``due_at`` on."""
    return _change(
        database, delivery, state="due", due_at=due_at, problem=problem, send_started_at=None, lease_until=None
    )


def leave_uncertain(database: Database, delivery: Delivery, due_at: datetime, problem: str) -> bool:
    """Slack may have the message: from ``due_at`` on, look before anything is sent again."""
    return _change(database, delivery, due_at=due_at, problem=problem, lease_until=None)


def close(database: Database, delivery: Delivery, state: str, problem: str) -> bool:
    """End a delivery as "held", "failed" or "expired", with the reason in one sentence."""
    return _change(database, delivery, state=state, problem=problem, lease_until=None)


def all_deliveries(
    database: Database, states: Sequence[str] | None = None, since: date | None = None
) -> list[Delivery]:
    """Deliveries, oldest first; of some states, and of days since one (inclusive), only if asked."""
    query = (
        sa.select(*_columns())
        .where(tables.deliveries.c.workspace_id == database.workspace_id)
        .order_by(tables.deliveries.c.id)
    )
    if states is not None:
        query = query.where(tables.deliveries.c.state.in_(states))
    if since is not None:
        query = query.where(tables.deliveries.c.day >= since)
    with database.read() as connection:
        return [_read(row) for row in connection.execute(query)]


def digests_and_failures(database: Database, since: date) -> list[Delivery]:
    """Digests, and alerts that did not arrive, of days since one (inclusive), oldest first."""
    table = tables.deliveries.c
    is_followed = sa.or_(table.kind == DIGEST, sa.and_(table.kind == ALERT, table.state.in_(NOT_ARRIVED)))
    query = sa.select(*_columns()).where(table.workspace_id == database.workspace_id, table.day >= since, is_followed)
    with database.read() as connection:
        return [_read(row) for row in connection.execute(query.order_by(table.id))]


def count_by_state(database: Database) -> dict[str, int]:
    """How many deliveries are in each state."""
    query = (
        sa.select(tables.deliveries.c.state, sa.func.count())
        .where(tables.deliveries.c.workspace_id == database.workspace_id)
        .group_by(tables.deliveries.c.state)
    )
    with database.read() as connection:
        return {state: int(count) for state, count in connection.execute(query)}


def find_delivery(database: Database, key: str) -> Delivery | None:
    """The delivery with that key."""
    query = sa.select(*_columns()).where(
        tables.deliveries.c.workspace_id == database.workspace_id, tables.deliveries.c.key == key
    )
    with database.read() as connection:
        row = connection.execute(query).first()
    return _read(row) if row else None


def _owe(
    connection: Connection,
    workspace_id: int,
    key: str,
    kind: str,
    target: str,
    day: date,
    step: int | None,
    now: datetime,
    expires_at: datetime | None,
    payload: dict[str, Any] | None = None,
    covered: Scope | None = None,
) -> None:
    row = {
        "workspace_id": workspace_id,
        "key": key,
        "kind": kind,
        "target": target,
        "day": day,
        "step": step,
        "state": "due",
        "due_at": now,
        "expires_at": expires_at,
        "fence": 0,
        "attempts": 0,
        "payload": None if payload is None else json.dumps(payload),
        "edition": None if covered is None else "|".join(map(str, covered)),
    }
    insert_new(connection, tables.deliveries, row, "workspace_id", "key")


def _reopen(connection: Connection, workspace_id: int, key: str, now: datetime, states: tuple[str, ...]) -> None:
    table = tables.deliveries.c
    again = {"state": "due", "due_at": now, "expires_at": None, "problem": None, "send_started_at": None}
    found = (table.workspace_id == workspace_id, table.key == key, table.state.in_(states))
    connection.execute(sa.update(tables.deliveries).where(*found).values(**again, lease_until=None))


def _change(database: Database, delivery: Delivery, **values: Any) -> bool:
    table = tables.deliveries.c
    statement = (
        sa.update(tables.deliveries).where(table.id == delivery.id, table.fence == delivery.fence).values(**values)
    )
    with database.write() as connection:
        return connection.execute(statement).rowcount == 1


def _read(row: Any) -> Delivery:
    values = row._asdict()
    payload = values.pop("payload")
    return Delivery(**values, payload=json.loads(payload) if payload else None)
