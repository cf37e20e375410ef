"""The tables. Counts are BIGINT, money BIGINT nanodollars, days YYYYMMDD integers, instants UTC epoch seconds."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from bot.store.values import day_number, from_nano, instant, number_day, to_nano


class Money(TypeDecorator[Decimal]):
    """US dollars as whole nanodollars, so that SQL sums are exact.

    Finer fractions are cut off, never rounded up: a stored amount reaches a limit only if the exact one does.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else to_nano(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else from_nano(value)


class Day(TypeDecorator[date]):
    """A calendar day as the integer YYYYMMDD: sorts, compares and reads well in both databases."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> int | None:
        return None if value is None else day_number(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> date | None:
        return None if value is None else number_day(value)


class Instant(TypeDecorator[datetime]):
    """A moment as UTC epoch seconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value.timestamp())

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else instant(value)


def _id() -> Column[int]:
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


def _workspace(*, primary_key: bool = False) -> Column[int]:
    return Column("workspace_id", Integer, nullable=False, primary_key=primary_key, autoincrement=False)


def _key(name: str, kind: Any, *parents: ForeignKey) -> Column[Any]:
    return Column(name, kind, *parents, primary_key=True, autoincrement=False)


def _counts() -> list[Column[int]]:
    names = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_searches")
    return [Column(name, BigInteger, nullable=False) for name in names]


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("team_id", Text, nullable=False, unique=True, comment="Slack's id of the workspace"),
    Column("enterprise_id", Text, comment="of the organisation that it belongs to"),
    Column("installer", Text, comment="the Slack user who installed the app first, an admin"),
)
"""The number of each workspace, which stands in every other table."""

settings = Table(
    "settings",
    metadata,
    _workspace(primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

teams = Table(
    "teams",
    metadata,
    _id(),
    _workspace(),
    Column("name", Text, nullable=False),
    Column("lead", Text, comment="the lead's Slack user id"),
    Column("limit_usd", Money),
    Column("budget_usd", Money, comment="dollars of a month"),
    UniqueConstraint("workspace_id", "name"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    _workspace(primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("edition", Text, primary_key=True, comment="daily, weekly or monthly"),
    Column("team", Text, primary_key=True, comment="a team's name; empty for everybody"),
    Column("at", Text, nullable=False, comment="HH:MM on the clock of the zone"),
    Column("zone", Text, nullable=False),
    Column("weekdays", Text, nullable=False, comment="digits of days it comes on, 1 for Monday"),
    Column("skips_unchanged", Boolean, nullable=False),
    Column("since", Instant, nullable=False),
)
"""Digests that channels asked for."""

people = Table(
    "people",
    metadata,
    _id(),
    _workspace(),
    Column("email", Text),
    Column("name", Text, nullable=False),
    Column("slack_user_id", Text),
    Column("limit_usd", Money),
    Column("seat", Text, comment="the seat of a subscription, as a members list names it"),
    Column("is_organization", Boolean, nullable=False, default=False),
    Column("team_id", ForeignKey("teams.id")),
    Column("muted_until", Day, comment="the first day with alerts again"),
    Column("planned_day", Day, comment="a day of planned work: no alert"),
    Column("planned_before", Day, comment="the day of planned work that was said before it"),
    Column("quiet_hours", Text, comment="HH:MM-HH:MM on their own clock, or off; the installation's where null"),
    Column("hides_name", Boolean, comment="whether digests leave the name out where they say names"),
    UniqueConstraint("workspace_id", "email"),
    Index("ix_people_team_id", "team_id"),
    Index("ix_people_limit_usd", "workspace_id"),  # of people with a limit alone (migration 0005)
)
"""One row a spender. Without an e-mail address nobody is known to be behind it yet: the spend is *unassigned*.

The organization stands for sources that know no people; it speaks only for days that no source with people covers.
"""

actors = Table(
    "actors",
    metadata,
    _id(),
    _workspace(),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("person_id", ForeignKey("people.id"), nullable=False, index=True),
    Column("linked_by", Text, comment="who said whose it is: an export, a rule, Slack, an admin; null for nobody"),
    Column(
        "beside",
        Integer,
        comment="the address, as an actor, that exports name beside it; null for none, or if an admin said otherwise",
    ),
    UniqueConstraint("workspace_id", "kind", "name"),
)

sources = Table(
    "sources",
    metadata,
    _id(),
    _workspace(),
    Column("name", Text, nullable=False),
    UniqueConstraint("workspace_id", "name"),
)

usage_lines = Table(
    "usage_lines",
    metadata,
    _id(),
    Column("model", Text, nullable=False),
    Column("speed", Text, nullable=False),
    Column("inference_geo", Text, nullable=False),
    Column("service_tier", Text, nullable=False),
    Column("prompt_tier", Text, nullable=False),
    Column("billing", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("vendor", Text, nullable=False),
    UniqueConstraint(
        "model",
        "speed",
        "inference_geo",
        "service_tier",
        "prompt_tier",
        "billing",
        "part",
        "vendor",
        name="uq_usage_lines",
    ),
)
"""What a row of usage is told apart by, besides day, source and actor. Few rows, shared by all workspaces."""

usage_daily = Table(
    "usage_daily",
    metadata,
    _workspace(primary_key=True),
    _key("day", Day),
    _key("source_id", Integer, ForeignKey("sources.id")),
    _key("actor_id", Integer, ForeignKey("actors.id")),
    _key("line_id", Integer, ForeignKey("usage_lines.id")),
    *_counts(),
    Column("reported_usd", Money),
    sqlite_with_rowid=False,
)

seen_requests = Table(
    "seen_requests",
    metadata,
    _workspace(primary_key=True),
    _key("source_id", Integer, ForeignKey("sources.id")),
    _key("key", LargeBinary),
    Column("at", BigInteger, nullable=False, comment="UTC epoch milliseconds"),
    Column("sidechain", Boolean, nullable=False),
    Column("series", LargeBinary, comment="what counts up since a start; the day's share is the difference"),
    Column("request", BigInteger, comment="which request of the message that the key is of; null for all others"),
    Column("day", Day, nullable=False),
    Column("actor_id", ForeignKey("actors.id"), nullable=False),
    Column("line_id", ForeignKey("usage_lines.id"), nullable=False),
    *_counts(),
    Column("reported_usd", Money),
    Index("ix_seen_requests_day", "workspace_id", "source_id", "day", "actor_id"),
    # Of rows with a series alone (migration 0005): saying so here would load both dialects in every process.
    Index("ix_seen_requests_series", "workspace_id", "source_id", "series"),
    sqlite_with_rowid=False,
)
"""Single requests of sources that know them; their days in usage_daily are added up from here."""

usage_ranges = Table(
    "usage_ranges",
    metadata,
    _workspace(primary_key=True),
    _key("source_id", Integer, ForeignKey("sources.id")),
    _key("start", Day),
    _key("until", Day),
    _key("actor_id", Integer, ForeignKey("actors.id")),
    _key("line_id", Integer, ForeignKey("usage_lines.id")),
    *_counts(),
    Column("reported_usd", Money),
    sqlite_with_rowid=False,
)
"""Totals of several days, from ``start`` to before ``until``, of sources that know no days."""

person_ranges = Table(
    "person_ranges",
    metadata,
    _workspace(primary_key=True),
    _key("until", Day),
    _key("start", Day),
    _key("source_id", Integer),
    _key("person_id", Integer),
    Column("tokens", BigInteger, nullable=False),
    Column("usd", Money, nullable=False),
    Column("days", Integer, nullable=False, comment="on which the person is known to have used anything"),
    Column("day_tokens", BigInteger, nullable=False, comment="what those days come to"),
    Column("day_usd", Money, nullable=False),
    Column("is_fuller", Boolean, nullable=False, comment="whether the total says more than those days"),
    sqlite_with_rowid=False,
)
"""Roll-up of the totals of several days, person by person, beside the same person's days."""

session_days = Table(
    "session_days",
    metadata,
    _workspace(primary_key=True),
    _key("day", Day),
    _key("source_id", Integer, ForeignKey("sources.id")),
    _key("actor_id", Integer, ForeignKey("actors.id")),
    Column("sessions", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How many sessions an actor began on a day, for sources that say it."""

person_days = Table(
    "person_days",
    metadata,
    _workspace(primary_key=True),
    _key("day", Day),
    _key("person_id", Integer, ForeignKey("people.id")),
    Column("source_id", ForeignKey("sources.id"), nullable=False, comment="the fullest source of this person and day"),
    Column("tokens", BigInteger, nullable=False),
    Column("usd", Money, nullable=False),
    Column("unpriced_tokens", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Roll-up, day x person, of the fullest source alone."""

model_days = Table(
    "model_days",
    metadata,
    _workspace(primary_key=True),
    _key("day", Day),
    _key("line_id", Integer, ForeignKey("usage_lines.id")),
    _key("is_reported", Boolean),
    *_counts(),
    Column("reported_usd", Money),
    Column("row_count", BigInteger, nullable=False, comment="of usage_daily; without any the row is removed"),
    sqlite_with_rowid=False,
)
"""Roll-up, day x line, over the fullest source of each person and day."""

imports = Table(
    "imports",
    metadata,
    _id(),
    _workspace(),
    Column("source_id", ForeignKey("sources.id"), nullable=False),
    Column("path", Text, nullable=False),
    Column("imported_at", Instant, nullable=False),
    Column("written_at", Instant, comment="when the file was exported; null for what is no file"),
    Column("accepted", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("unchanged", BigInteger, nullable=False),
    Column("restated", BigInteger, nullable=False),
    Column("first_day", Day),
    Column("last_day", Day),
    Index("ix_imports_imported_at", "workspace_id", "imported_at"),
    Index("ix_imports_source", "workspace_id", "source_id", "imported_at"),
    Index("ix_imports_last_day", "workspace_id", "last_day"),
)

read_files = Table(
    "read_files",
    metadata,
    _workspace(primary_key=True),
    Column("path", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False, comment="the file's time of change in nanoseconds"),
    Column("format", Text, nullable=False),
    Column("settings", Text, nullable=False, comment="what else the reading depended on"),
    Column("row_count", BigInteger, nullable=False),
    Column("days", Text, nullable=False, comment="the days of its rows, with commas between"),
    Column("problem", Text, comment="the first thing that was wrong with it; null for a sound one"),
)
"""Files that were read to their end, so that an unchanged one need not be read again."""

feeds = Table(
    "feeds",
    metadata,
    _workspace(primary_key=True),
    Column("name", Text, primary_key=True),
    Column("started_at", Instant),
    Column("succeeded_at", Instant),
    Column("failed_at", Instant),
    Column("problem", Text),
    Column("next_at", Instant),
    Column("newest_day", Day),
    Column("received", BigInteger, nullable=False),
    Column("usual_lag", BigInteger, comment="seconds between arrivals, the largest lately"),
    Column("arrived_at", Instant, comment="when the feed last brought anything"),
    Column("told_at", Instant, comment="when the admins were told that it is silent"),
)
"""Live feeds: when each last ran, what came of it, and when it runs again."""

audit = Table(
    "audit",
    metadata,
    _id(),
    _workspace(),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("person_id", ForeignKey("people.id"), index=True),
)
"""What admins changed and whose figures were looked at."""

answers = Table(
    "answers",
    metadata,
    _id(),
    _workspace(),
    Column("slack_user_id", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Index("ix_answers_slack_user_id", "workspace_id", "slack_user_id"),
)
"""The last questions of each person, for their Home tab."""

import_problems = Table(
    "import_problems",
    metadata,
    _id(),
    Column("import_id", ForeignKey("imports.id"), nullable=False, index=True),
    Column("row", BigInteger, nullable=False),
    Column("problem", Text, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    _id(),
    _workspace(),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("target", Text, nullable=False, comment="a channel id for a digest, a person id for an alert"),
    Column("day", Day, nullable=False),
    Column("step", Integer),
    Column("state", Text, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("owner", Text),
    Column("lease_until", Instant),
    Column("fence", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("send_started_at", Instant),
    Column("channel", Text),
    Column("payload", Text),
    Column("ts", Text),
    Column("problem", Text),
    Column("usd", Money, comment="the total that was told"),
    Column("corrected_at", Instant),
    Column("is_partial", Boolean, comment="whether it said that the day's data may not be all"),
    Column("edition", Text, comment="of a digest, and its team"),
    Column("members", Text, comment="a hash of who was in the team whose digest it is"),
    Column("is_edit_uncertain", Boolean, comment="whether an edit was begun of which nobody knows if Slack made it"),
    UniqueConstraint("workspace_id", "key"),
    Index("ix_deliveries_day", "workspace_id", "day", "target"),
    Index("ix_deliveries_state", "workspace_id", "state", "due_at"),
    Index("ix_deliveries_kind", "workspace_id", "kind", "send_started_at"),
)
"""The outbox: one row for each message owed to Slack. See bot/store/deliveries.py for the states."""

for _table in (usage_daily, seen_requests, person_days):
    # PostgreSQL asks a question for each row and parent, which took most of an import's time (migration 0006).
    for _check in _table.foreign_key_constraints:
        _check.ddl_if(dialect="sqlite")
