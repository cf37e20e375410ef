"""Claude Code Analytics API: the JSON pages of GET /v1/organizations/usage_report/claude_code, single or as a list.

Source: Admin API reference and guide (2026-08-21). Days are UTC days. ``estimated_cost.amount`` is a number of cents.
Cache writes are not split by lifetime; they are taken as 5-minute writes, the cheaper of the two.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from bot.exports.reader import (
    MAX_COUNT,
    Reading,
    ReadingContext,
    UnreadableExport,
    as_day,
    as_name,
    email_actor,
    shortened,
)
from bot.pricing import PriceConditions, TokenUsage
from bot.spend.records import API, SUBSCRIPTION, Actor, Problem, UsageRecord

Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
_NANO = Decimal("0.000000001")
_MAX_CENTS = Decimal(10**11)


class _Tokens(Struct):
    input: Count = 0
    output: Count = 0
    cache_read: Count = 0
    cache_creation: Count = 0


class _EstimatedCost(Struct):
    amount: Decimal
    currency: str = "USD"


class _ModelUsage(Struct):
    model: str
    tokens: _Tokens = msgspec.field(default_factory=_Tokens)
    estimated_cost: _EstimatedCost | None = None


class _Actor(Struct):
    type: str
    email_address: str | None = None
    api_key_name: str | None = None


class _Record(Struct):
    date: str
    actor: _Actor
    model_breakdown: list[Raw] = []
    customer_type: str | None = None
    subscription_type: str | None = None
    terminal_type: str | None = None
    organization_id: str | None = None


class _Page(Struct):
    data: list[Raw] | None = None
    error: Any = None


class AnalyticsApi:
    name = "claude_code_analytics_api"
    title = "Claude Code Analytics API"
    utc_days = True
    names_people = True

    def recognises(self, head: bytes) -> bool:
        start = head.lstrip(b"\xef\xbb\xbf \r\n\t")
        if start[:1] not in (b"{", b"["):
            return False
        is_empty = b'"data"' in head and b'"has_more"' in head and len(head) < 300
        return (b'"actor"' in head and (b'"model_breakdown"' in head or b'"core_metrics"' in head)) or is_empty

    def read(self, data: bytes, context: ReadingContext) -> Reading:
        """One record per entry of each record's model_breakdown; ``row`` counts the records over all pages from 1."""
        row = 0
        first_seen: dict[bytes, int] = {}
        for page in _pages(data):
            for raw in page.data or []:
                row += 1
                first = first_seen.setdefault(bytes(raw), row)
                if first != row:
                    yield Problem(row, f"Record {row} repeats record {first} and was counted once.")
                    continue
                yield from _read_record(row, raw)


def _pages(data: bytes) -> Iterator[_Page]:
    text = data.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        pages = (
            msgspec.json.decode(text, type=list[_Page]) if text[:1] == b"[" else [msgspec.json.decode(text, type=_Page)]
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableExport(
            f"it is not a page of the Claude Code Analytics API, or it was cut short: {shortened(error)}"
        ) from error
    for page in pages:
        if page.data is None:
            said = page.error.get("message") if isinstance(page.error, dict) else None
            raise UnreadableExport(
                f"it is an error from the API, not usage: “{shortened(said)}”" if said else "a page has no “data” list"
            )
    yield from pages


def _read_record(row: int, raw: Raw) -> Reading:
    try:
        record = msgspec.json.decode(raw, type=_Record)
        day = as_day(record.date, "date")
        actor = _actor(record.actor)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        yield Problem(row, f"Record {row} was left out: {shortened(error)}.")
        return
    for entry in record.model_breakdown:
        try:
            yield _read_model(row, record, day, actor, msgspec.json.decode(entry, type=_ModelUsage))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            yield Problem(row, f"A model of record {row} was left out: {shortened(error)}.")


def _read_model(row: int, record: _Record, day: Any, actor: Actor, entry: _ModelUsage) -> UsageRecord:
    tokens = entry.tokens
    usage = TokenUsage(tokens.input, tokens.output, tokens.cache_read, tokens.cache_creation)
    reported = _reported_usd(entry, usage)
    part = [record.terminal_type, record.subscription_type, record.organization_id]
    return UsageRecord(
        row=row,
        day=day,
        actor=actor,
        model=as_name(entry.model, "model"),
        usage=usage,
        conditions=PriceConditions(prompt_tier="unknown"),
        billing=SUBSCRIPTION if record.customer_type == SUBSCRIPTION else API,
        part=" ".join(word for word in part if word),
        reported_usd=reported,
    )


def _actor(actor: _Actor) -> Actor:
    if actor.email_address:
        return email_actor(as_name(actor.email_address, "email_address"))
    if actor.api_key_name:
        return Actor("api_key", as_name(actor.api_key_name, "api_key_name"))
    raise ValueError("its actor has neither email_address nor api_key_name")


def _reported_usd(entry: _ModelUsage, usage: TokenUsage) -> Decimal | None:
    """Dollars from cents. Zero for tokens that were used means that no cost is known, not that it was free."""
    cost = entry.estimated_cost
    if cost is None or (cost.amount == 0 and usage.tokens):
        return None
    if cost.currency != "USD":
        raise ValueError(f"its estimated_cost is in {shortened(cost.currency)}; only USD can be read")
    if not cost.amount.is_finite() or not 0 <= cost.amount <= _MAX_CENTS:
        raise ValueError(f"its estimated_cost is {shortened(cost.amount)} cents; expected 0 or more")
    return (cost.amount / 100).quantize(_NANO)
