"""Which channel gets which digest, and when."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from bot.store.builder import sa, tables
from bot.store.database import Database
from bot.store.upsert import upsert

EVERY_DAY = frozenset(range(1, 8))
WORKDAYS = frozenset(range(1, 6))


class Subscription(NamedTuple):
    """A channel that gets an edition of the digest at a time on the clock of ``zone``.

    ``weekdays`` are ISO numbers, 1 for Monday: a daily digest of one of them covers all days since the one before.
    ``team`` is empty for everybody. ``since`` is when the channel asked for it; what was due before is not owed.
    """

    channel: str
    at: time
    zone: ZoneInfo
    weekdays: frozenset[int] = EVERY_DAY
    edition: str = "daily"
    team: str = ""
    skips_unchanged: bool = False
    since: datetime | None = None

    def is_same(self, other: Subscription) -> bool:
        """Whether it is the same channel's same edition for the same team: of such, one alone is in force."""
        return (self.channel, self.edition, self.team) == (other.channel, other.edition, other.team)


def _columns() -> list[sa.Column[Any]]:
    names = ("channel", "at", "zone", "weekdays", "edition", "team", "skips_unchanged", "since")
    return [tables.subscriptions.c[name] for name in names]


def all_subscriptions(database: Database) -> list[Subscription]:
    """What the channels asked for."""
    query = (
        sa.select(*_columns())
        .where(tables.subscriptions.c.workspace_id == database.workspace_id)
        .order_by(tables.subscriptions.c.channel, tables.subscriptions.c.edition, tables.subscriptions.c.team)
    )
    with database.read() as connection:
        return [
            Subscription(
                row.channel,
                time.fromisoformat(row.at),
                ZoneInfo(row.zone),
                frozenset(map(int, row.weekdays)),
                row.edition,
                row.team,
                row.skips_unchanged,
                row.since,
            )
            for row in connection.execute(query)
        ]


def subscribe(database: Database, subscription: Subscription, now: datetime) -> None:
    """Let a channel have a digest from ``now`` on, in place of the same one, whose ``since`` it keeps."""
    row = {
        "workspace_id": database.workspace_id,
        "channel": subscription.channel,
        "edition": subscription.edition,
        "team": subscription.team,
        "at": subscription.at.isoformat("minutes"),
        "zone": subscription.zone.key,
        "weekdays": "".join(map(str, sorted(subscription.weekdays))),
        "skips_unchanged": subscription.skips_unchanged,
        "since": now,
    }
    table = tables.subscriptions.c
    same = [table[name] == row[name] for name in ("workspace_id", "channel", "edition", "team")]
    with database.write() as connection:
        # A time that moves to before now must not cost the channel today's digest.
        since = connection.execute(sa.select(table.since).where(*same)).scalar()
        upsert(connection, tables.subscriptions, row | {"since": since or now})


def unsubscribe(database: Database, channel: str, edition: str | None = None, team: str | None = None) -> int:
    """End a channel's digests, or those of one edition or one team; returns how many there were."""
    mine = [tables.subscriptions.c.workspace_id == database.workspace_id, tables.subscriptions.c.channel == channel]
    if edition is not None:
        mine.append(tables.subscriptions.c.edition == edition)
    with database.write() as connection:
        if team is not None:
            # SQLite knows the case of ASCII letters alone.
            known = connection.execute(sa.select(tables.subscriptions.c.team).where(*mine)).scalars()
            wanted = team.strip().casefold()
            mine.append(tables.subscriptions.c.team.in_([one for one in known if one.casefold() == wanted]))
        return int(connection.execute(sa.delete(tables.subscriptions).where(*mine)).rowcount)
