"""Small builders of usage for tests."""

import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from bot.exports.reader import Export
from bot.policy import Policy
from bot.pricing import TokenUsage, default_price_book
from bot.spend.days import milliseconds
from bot.spend.records import Actor, Member, Problem, Record, Request, RequestRows, UsageRecord, request_of
from bot.store.alerting import AlertPolicy
from bot.store.database import Database
from bot.store.recording import FileTally, Recorded, record
from bot.store.tally import Tally
from bot.store.teams import MIN_TEAM, Team, set_team

DAY = date(2026, 11, 19)
NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
POLICY = AlertPolicy(Decimal("12.00"), date(2026, 11, 20))
DANA = Actor("email", "dana@example.com")


def utc_policy() -> Policy:
    """UTC days, $12 a day, nothing else chosen."""
    return Policy(timezone=ZoneInfo("UTC"), limit_usd=Decimal(12))


def crowded_team(database: Database, name: str, members: Sequence[str], **values: Any) -> Team:
    """A team of these and of enough others who use nothing, so that it has figures of its own."""
    idle = [f"idle{number}.{name.lower()}@example.com" for number in range(MIN_TEAM)]
    source = "enterprise_members"
    tally = Tally(Member(row, email) for row, email in enumerate(idle, start=2))
    record(database, source, [FileTally("members.csv", tally, [])], NOW, POLICY, default_price_book())
    return set_team(database, name, [*members, *idle], **values)


def opus_for(usd: str | int | Decimal) -> TokenUsage:
    """Opus 5.5 input that costs this many dollars at $4 per million tokens."""
    tokens = Decimal(usd) / 4 * 10**6
    assert tokens == int(tokens)
    return TokenUsage(input=int(tokens))


def one_by_one(found: Iterable[Record | Problem]) -> Iterator[Record | Problem]:
    """What a reader finds, with requests that it tells together as a record each."""
    for one in found:
        if not isinstance(one, RequestRows):
            yield one
            continue
        for row, name, counts, nano, told_apart, request_id, at in one.requests:
            reported = None if nano is None else Decimal(nano).scaleb(-9)
            model, conditions, part = one.names[name]
            usage, request = TokenUsage(*counts), request_of(told_apart, request_id, at)
            yield UsageRecord(
                row, one.day, one.actor, model, usage, conditions, part=part, reported_usd=reported, request=request
            )


def used(
    usage: TokenUsage,
    day: date = DAY,
    actor: Actor = DANA,
    model: str = "claude-opus-5-5",
    *,
    part: str = "",
    reported: str | None = None,
    billing: str = "api",
    request: Request | None = None,
) -> UsageRecord:
    """One record, of Dana on Opus 5.5 unless said otherwise."""
    usd = None if reported is None else Decimal(reported)
    return UsageRecord(1, day, actor, model, usage, part=part, reported_usd=usd, billing=billing, request=request)


def request(key: str, *, sidechain: bool = False) -> Request:
    return Request(key.encode().ljust(16, b"."), milliseconds(datetime(2026, 11, 19, 10, tzinfo=UTC)), sidechain)


def store(
    database: Database,
    *records: UsageRecord,
    source: str = "console_usage_csv",
    policy: AlertPolicy = POLICY,
    keep: bool = True,
    now: datetime = NOW,
) -> Recorded:
    """Record usage as one file of a source, imported at ``now``."""
    files = [FileTally("file", Tally(records), [])]
    (recorded,) = record(database, source, files, now, policy, default_price_book(), keep=keep)
    return recorded


def as_export(data: bytes | str, name: str = "export") -> Export:
    """Bytes or text as a file to read."""
    raw = data.encode() if isinstance(data, str) else data
    return Export(name, io.BytesIO(raw), NOW)
