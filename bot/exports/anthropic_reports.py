"""Anthropic's organisation reports in JSON: Admin usage and cost, Enterprise Analytics, and the beta of August 2026.

All are pages of buckets or rows with the same fields, some of them null. Amounts are decimal strings of **cents**
("123.78912" is $1.2378912). Buckets of a day are UTC days; narrower ones are put on the spend day of their start, and
wider ones are kept as what they are: totals without days. Rows of the beta that are grouped by RBAC group overlap (a
person in two groups stands in both), so they are left out.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from bot.exports.reader import (
    Count,
    Export,
    Page,
    Reading,
    ReadingContext,
    as_geography,
    as_instant,
    as_name,
    decoded_pages,
    email_actor,
    has_keys,
    more_pages,
    shortened,
    text_cents,
    why,
)
from bot.pricing import PriceConditions, TokenUsage
from bot.spend.days import ONE_DAY, milliseconds, next_month, so_far, spend_day
from bot.spend.records import ORGANIZATION, Actor, Member, Problem, Request, UsageRecord, View, request_key

_DAY_LONG = timedelta(days=1)
_KINDS = ("cost_type", "token_type", "description")
"""Dimensions that split a cost by kind; of a report that is grouped by them every row has one.

Other dimensions may be null in all rows of a page (the default workspace, usage without a product), so that they do not
tell one report from another.
"""

_FINER = ("api_key_id", "session_id", "slack_channel_id", "teams_channel_id")
"""Dimensions that a record does not have."""

_CONDITIONS = ("context_window", "inference_geo", "service_tier", "speed")
"""Dimensions that split usage by what its price depends on; a split by kind has them without being asked."""

_BATCHES = "message_batches_api"
"""The product whose usage is all of the batch tier, also where rows are not grouped by that."""


class _CacheCreation(Struct):
    ephemeral_1h_input_tokens: Count = 0
    ephemeral_5m_input_tokens: Count = 0


class _ServerToolUse(Struct):
    web_search_requests: Count | None = 0


class _Actor(Struct):
    type: str | None = None
    user_id: str | None = None
    email_address: str | None = None
    name: str | None = None


class _Dimensions(Struct):
    """What rows are told apart by, in all the reports."""

    model: str | None = None
    product: str | None = None
    workspace_id: str | None = None
    api_key_id: str | None = None
    account_id: str | None = None
    service_account_id: str | None = None
    service_tier: str | None = None
    context_window: str | None = None
    inference_geo: str | None = None
    speed: str | None = None
    cost_type: str | None = None
    token_type: str | None = None
    description: str | None = None
    rbac_group_id: str | None = None
    session_id: str | None = None
    slack_channel_id: str | None = None
    teams_channel_id: str | None = None
    actor: _Actor | None = None
    user: _Actor | None = None
    user_id: str | None = None
    email: str | None = None
    user_email: str | None = None


_WHO = ("actor", "user", "user_id", "email", "user_email")


class _Counts(Struct):
    uncached_input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation: _CacheCreation | None = None
    server_tool_use: _ServerToolUse | None = None


class _Cost(Struct):
    amount: str | None = None
    currency: str | None = "USD"


class _Grouped(Struct):
    """A row of the beta: its dimensions and figures lie one level down."""

    starting_at: str | None
    ending_at: str | None
    group: Raw = Raw(b"{}")
    usage: Raw = Raw(b"{}")
    cost: Raw = Raw(b"{}")


class _Bucket(Struct):
    starting_at: str
    ending_at: str
    results: list[Raw] = []


_T = TypeVar("_T")


class _Page(Page):
    data: list[Raw]


class _Row(Struct):
    """A row of any of the reports. ``group`` is set in the beta, whose pages hold rows and not whole buckets."""

    start: datetime
    end: datetime
    dimensions: _Dimensions
    counts: _Counts
    cost: _Cost
    group: dict[str, Any] | None = None


class _ReportReader:
    utc_days = True
    names_people = True
    name: str
    title: str

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per result; ``row`` counts the results over all pages from 1."""
        text = export.document()
        pages = decoded_pages(text, _Page, self.title)
        # A page that was saved twice, or that lies in two files of a list, says the same once more.
        entries = dict.fromkeys(bytes(raw) for page in pages for raw in page.data)
        repeated = sum(len(page.data) for page in pages) - len(entries)
        rows = [row for entry in entries for row in _rows(Raw(entry))]
        known = [row for row in rows if isinstance(row, _Row)]
        said = [row.dimensions for row in known]
        views = _views(known)
        if views:
            yield View("_".join(views))
        is_by_person = any(map(_names_anybody, said))
        learned: set[tuple[str, str]] = set()
        for number, row in enumerate(rows, start=1):
            if isinstance(row, str):
                yield Problem(number, f"Result {number} was left out: {row}.")
                continue
            try:
                yield _record(number, row, context, is_by_person)
                yield from _members(number, row.dimensions, learned)
            except ValueError as error:
                yield Problem(number, f"Result {number} was left out: {shortened(error, 200)}.")
        if repeated:
            yield Problem(0, f"{repeated:,} entries repeat earlier ones word for word and were counted once.")
        yield from more_pages(pages)


class AdminUsage(_ReportReader):
    name = "admin_usage_report"
    title = "Admin usage report (usage_report/messages)"

    def recognises(self, head: bytes) -> bool:
        is_usage = has_keys(head, "results", "uncached_input_tokens") and not _is_enterprise(head)
        return is_usage or _is_empty(head)


class AdminCost(_ReportReader):
    name = "admin_cost_report"
    title = "Admin cost report"

    def recognises(self, head: bytes) -> bool:
        return has_keys(head, "results", "amount") and not _is_enterprise(head)


class EnterpriseUsage(_ReportReader):
    name = "enterprise_usage_report"
    title = "Enterprise Analytics usage report"

    def recognises(self, head: bytes) -> bool:
        return has_keys(head, "uncached_input_tokens") and _is_enterprise(head) and _has_rows(head)


class EnterpriseCost(_ReportReader):
    name = "enterprise_cost_report"
    title = "Enterprise Analytics cost report"

    def recognises(self, head: bytes) -> bool:
        return has_keys(head, "amount") and _is_enterprise(head) and _has_rows(head)


class BetaUsage(_ReportReader):
    name = "analytics_usage"
    title = "usage page of the analytics beta (2026-08-24)"

    def recognises(self, head: bytes) -> bool:
        return has_keys(head, "group", "usage", "starting_at")


class BetaCost(_ReportReader):
    name = "analytics_cost"
    title = "cost page of the analytics beta (2026-08-24)"

    def recognises(self, head: bytes) -> bool:
        return has_keys(head, "group", "cost", "starting_at")


class SpendLimits:
    name = "spend_limits"
    title = "Spend Limits API (spend_limits/effective)"
    utc_days = True
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return has_keys(head, "period_to_date_spend")

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per person: what the current day, week or month came to when the page was saved."""
        pages = decoded_pages(export.document(), _Page, self.title)
        yield from more_pages(pages)
        first_seen: dict[bytes, int] = {}
        for number, raw in enumerate((raw for page in pages for raw in page.data), start=1):
            first = first_seen.setdefault(bytes(raw), number)
            if first != number:
                yield Problem(number, f"Entry {number} repeats entry {first} and was counted once.")
                continue
            try:
                entry = msgspec.json.decode(raw, type=_Limit)
                if entry.currency not in (None, "USD"):
                    raise ValueError(f"its spend is in {shortened(entry.currency)}; only USD can be read")
                actor = _person(entry.actor)
                if actor is None:
                    raise ValueError("it names nobody")
                written = export.written_at.astimezone(UTC).date()
                start, until = _current(entry.period, written)
                yield UsageRecord(
                    row=number,
                    day=start,
                    actor=actor,
                    model="all models",
                    usage=TokenUsage(),
                    reported_usd=text_cents(entry.period_to_date_spend, "period_to_date_spend"),
                    until=None if entry.period == "daily" else so_far(start, until, written),
                )
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                yield Problem(number, f"Entry {number} was left out: {why(error, raw)}.")


class _Limit(Struct):
    period: str
    period_to_date_spend: str
    actor: _Actor | None = None
    currency: str | None = "USD"


def _is_enterprise(head: bytes) -> bool:
    return b'"product"' in head or b'"user_email"' in head or b'"list_amount"' in head


def _is_empty(head: bytes) -> bool:
    """Whether it holds buckets, and nothing in them, as of a weekend."""
    bare = b"".join(head.split())
    empty = bare.count(b'"results":[]')
    return has_keys(head, "starting_at", "results") and 0 < empty == bare.count(b'"results":')


def _has_rows(head: bytes) -> bool:
    return has_keys(head, "results") or has_keys(head, "actor", "starting_at")


def _views(rows: list[_Row]) -> list[str]:
    """What tells a report from another one of the same usage: by kind, in hours, or grouped otherwise.

    Each is a view of its own, never added to the others. A page holds whole buckets, so that what groups a bucket of a
    day stands on its page. Of narrower buckets and the rows of the beta a day may lie on several pages, so that only
    dimensions tell them apart that hardly any row lacks once they are asked for.
    """
    said = [row.dimensions for row in rows]
    width = min((row.end - row.start for row in rows), default=_DAY_LONG)
    views = ["by_kind"] if _any_has(said, _KINDS) else []
    conditions = () if views else _CONDITIONS
    if rows and width >= _DAY_LONG and all(row.group is None for row in rows):
        views += [name for name in ("product", "workspace_id", *conditions) if _any_has(said, (name,))]
        views += [] if _any_has(said, ("model",)) else ["all_models"]
    elif rows:
        views += [name for name in conditions if _any_has(said, (name,))]
        views += [] if _any_has(said, ("model",)) else ["all_models"]
    return views if width >= _DAY_LONG else [*views, f"{int(width.total_seconds())}s"]


def _any_has(said: list[_Dimensions], names: tuple[str, ...]) -> bool:
    return any(getattr(one, name) for one in said for name in names)


def _rows(raw: Raw) -> Iterator[_Row | str]:
    """The rows of one entry of a page's data, each read by itself so that one bad row costs only that row."""
    group = None
    try:
        if b'"results"' in bytes(raw):
            bucket = msgspec.json.decode(raw, type=_Bucket)
            start, end = as_instant(bucket.starting_at, "starting_at"), as_instant(bucket.ending_at, "ending_at")
            parts: list[tuple[Raw, Raw, Raw]] = [(result, result, result) for result in bucket.results]
        else:
            row = msgspec.json.decode(raw, type=_Grouped)
            if row.starting_at is None or row.ending_at is None:
                raise ValueError("it is of no day, as where the report is asked for without bucket_width=1d")
            start, end = as_instant(row.starting_at, "starting_at"), as_instant(row.ending_at, "ending_at")
            group = msgspec.json.decode(row.group, type=dict[str, Any])
            parts = [(row.group, _object(row.usage), _object(row.cost))]
            if b'"group"' not in bytes(raw):
                # Enterprise's reports by user have such rows as well, but nothing in them lies a level down.
                parts = [(raw, raw, raw)]
                said = msgspec.json.decode(raw, type=dict[str, Any])
                group = {name: value for name, value in said.items() if name in _Dimensions.__struct_fields__}
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        yield why(error, raw)
        return
    for dimensions, counts, cost in parts:
        try:
            yield _Row(
                start,
                end,
                _one(dimensions, _Dimensions),
                _one(counts, _Counts),
                _one(cost, _Cost),
                group,
            )
        except ValueError as error:
            yield str(error)


def _one(raw: Raw, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ValueError(why(error, raw)) from error


def _object(raw: Raw) -> Raw:
    return Raw(b"{}") if bytes(raw) == b"null" else raw


def _record(number: int, row: _Row, context: ReadingContext, is_by_person: bool) -> UsageRecord:
    said = row.dimensions
    if said.rbac_group_id:
        raise ValueError("it is grouped by RBAC group, and people may be in several; export without that grouping")
    if row.end <= row.start:
        raise ValueError("it ends before it starts")
    if row.cost.amount is None and row.counts == _Counts():
        raise ValueError("it has neither an amount nor tokens")
    day, until = _days(row, context)
    actor = _actor(said, is_by_person)
    record = UsageRecord(
        row=number,
        day=day,
        actor=actor,
        model=as_name(said.model or said.cost_type or "all models", "model"),
        usage=_usage(row.counts),
        conditions=PriceConditions(
            speed=said.speed or "standard",
            inference_geo=as_geography(said.inference_geo),
            service_tier=said.service_tier or "standard",
            prompt_tier="long" if (said.context_window or "").startswith((">", "200k-")) else "unknown",
        ),
        part=_part(said),
        reported_usd=_reported(row.cost),
        until=until,
    )
    if row.group is None and row.end - row.start >= _DAY_LONG:
        return record
    # Pages may cut a day anywhere: rows of the beta and buckets of minutes and hours add up like single requests, each
    # of them as it was said last. Every dimension tells them apart, also those that the stored rows do not have.
    former = _key(row, _formerly_told_apart(row, actor))
    key = former if row.group is None else _key(row, _told_apart(row, actor))
    if until is None:
        if said.product == _BATCHES and not said.service_tier:
            # Only here, where a row that is stored as another tier's is replaced.
            record = replace(record, conditions=record.conditions._replace(service_tier="batch"))
        return replace(record, request=Request(key, milliseconds(row.start), restates=True, former=former))
    is_finer = any(value for name, value in (row.group or {}).items() if name in _FINER or name in _newer(row))
    return replace(record, part=f"{record.part} {former.hex()}".strip()) if is_finer else record


def _key(row: _Row, told_apart: Any) -> bytes:
    bucket = f"{row.start.isoformat()} {row.end.isoformat()} {told_apart}"
    return request_key(bucket.encode())


def _told_apart(row: _Row, actor: Actor) -> Any:
    """Every dimension of a row of the beta that says anything. Of a person it is the id, which never changes."""
    said = row.dimensions
    who = said.actor or said.user
    user_id = said.user_id or (who.user_id if who else None)
    others = {name: repr(value) for name, value in (row.group or {}).items() if value is not None and name not in _WHO}
    return sorted({**others, "actor": user_id or f"{actor.kind} {actor.name}"}.items())


def _formerly_told_apart(row: _Row, actor: Actor) -> Any:
    """The same as older versions have it, by which stored rows are known again."""
    if row.group is None or row.end - row.start < _DAY_LONG:
        return (row.dimensions, sorted(_newer(row).items())) if any(_newer(row).values()) else row.dimensions
    return sorted((row.group | {"actor": actor}).items())


def _newer(row: _Row) -> dict[str, Any]:
    """Dimensions that are not known here."""
    return {name: value for name, value in (row.group or {}).items() if name not in _Dimensions.__struct_fields__}


def _days(row: _Row, context: ReadingContext) -> tuple[date, date | None]:
    length = row.end - row.start
    if length < _DAY_LONG:
        return spend_day(row.start, context.zone), None
    first, after = row.start.date(), (row.end - timedelta(microseconds=1)).date() + ONE_DAY
    return first, None if after == first + ONE_DAY else after


def _actor(said: _Dimensions, is_by_person: bool) -> Actor:
    named = _named(said)
    if named is not None:
        return named
    if is_by_person:
        return Actor("api_key", "(nobody named)")
    return Actor(ORGANIZATION, as_name(said.workspace_id or ORGANIZATION, "workspace_id"))


def _names_anybody(said: _Dimensions) -> bool:
    try:
        return _named(said) is not None
    except ValueError:
        return False  # the row itself says so


def _members(number: int, said: _Dimensions, learned: set[tuple[str, str]]) -> Iterator[Member]:
    """The person's id beside the address, by which rows without an address are theirs."""
    for who in filter(None, (said.actor, said.user)):
        if who.user_id and who.email_address and (who.user_id, who.email_address) not in learned:
            learned.add((who.user_id, who.email_address))
            email = email_actor(as_name(who.email_address, "email_address")).name
            yield Member(number, email, account=as_name(who.user_id, "user_id"))


def _named(said: _Dimensions) -> Actor | None:
    """The person or key that a row is of, if it says so."""
    email = said.email or said.user_email
    if email:
        return email_actor(as_name(email, "email"))
    named = _person(said.actor) or _person(said.user)
    if named:
        return named
    for kind, value in (
        ("account", said.account_id or said.user_id),
        ("api_key", said.api_key_id or said.service_account_id),
    ):
        if value and value.strip():
            return Actor(kind, as_name(value, kind))
    return None


def _person(actor: _Actor | None) -> Actor | None:
    if actor is None:
        return None
    if actor.email_address:
        return email_actor(as_name(actor.email_address, "email_address"))
    if actor.type == "api_actor" and actor.name:
        return Actor("api_key", as_name(actor.name, "name"))  # as the analytics of Claude Code call the key
    if actor.user_id:
        return Actor("account", as_name(actor.user_id, "user_id"))
    return Actor("api_key", as_name(actor.name, "name")) if actor.name else None


def _part(said: _Dimensions) -> str:
    workspace = said.workspace_id if said.actor or said.api_key_id or said.account_id else None
    parts: list[Any] = [said.product, workspace, said.cost_type, said.token_type, said.description]
    return " ".join(as_name(part, "part") for part in parts if part)


def _usage(counts: _Counts) -> TokenUsage:
    written, searched = counts.cache_creation, counts.server_tool_use
    return TokenUsage(
        input=counts.uncached_input_tokens or 0,
        output=counts.output_tokens or 0,
        cache_read=counts.cache_read_input_tokens or 0,
        cache_write_5m=written.ephemeral_5m_input_tokens if written else 0,
        cache_write_1h=written.ephemeral_1h_input_tokens if written else 0,
        web_searches=(searched.web_search_requests or 0) if searched else 0,
    )


def _reported(cost: _Cost) -> Any:
    if cost.amount is None:
        return None
    if cost.currency not in (None, "USD"):
        raise ValueError(f"its amount is in {shortened(cost.currency)}; only USD can be read")
    return text_cents(cost.amount, "amount")


def _current(period: str, day: date) -> tuple[date, date]:
    """The day, week (from Monday) or month that ``day`` lies in, half-open."""
    if period == "daily":
        return day, day + ONE_DAY
    if period == "weekly":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    if period == "monthly":
        return day.replace(day=1), next_month(day)
    raise ValueError(f"its period is “{shortened(period)}”; expected daily, weekly or monthly")
