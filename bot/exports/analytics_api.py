"""Claude Code Analytics API: the JSON pages of GET /v1/organizations/usage_report/claude_code, single or as a list.

Source: Admin API reference and guide (2026-08-21). Days are UTC days. ``estimated_cost.amount`` is a number of cents.
Cache writes are not split by lifetime; they are taken as 5-minute writes, the cheaper of the two.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw, Struct

from bot.exports.reader import (
    Count,
    Export,
    Page,
    Reading,
    ReadingContext,
    UnreadableExport,
    as_day,
    as_name,
    cents,
    decoded,
    decoded_pages,
    documents,
    email_actor,
    has_keys,
    more_pages,
    shortened,
    why,
)
from bot.pricing import PriceConditions, TokenUsage
from bot.spend.records import API, SUBSCRIPTION, Actor, Problem, Sessions, UsageRecord

_UNKNOWN_SIZE = PriceConditions(prompt_tier="unknown")


class _Tokens(Struct, gc=False):
    input: Count | None = 0
    output: Count | None = 0
    cache_read: Count | None = 0
    cache_creation: Count | None = 0


class _EstimatedCost(Struct, gc=False):
    amount: Decimal | None = None
    currency: str = "USD"


class _ModelUsage(Struct, gc=False):
    model: str
    tokens: _Tokens | None = None
    estimated_cost: _EstimatedCost | None = None


class _Actor(Struct, gc=False):
    email_address: str | None = None
    api_key_name: str | None = None


_NO_TOKENS = _Tokens()


class _CoreMetrics(Struct, gc=False):
    num_sessions: Any = None


class _Outer(Struct, gc=False):
    date: str
    actor: _Actor
    customer_type: str | None = None
    subscription_type: str | None = None
    terminal_type: str | None = None
    organization_id: str | None = None
    core_metrics: _CoreMetrics | None = None


class _Record(_Outer, gc=False):
    model_breakdown: list[_ModelUsage] | None = None


class _RawRecord(_Outer, gc=False):
    model_breakdown: list[Raw] | None = None


class _Page(Page):
    data: list[Raw] | None = None
    error: Any = None
    body: Any = None


class _SoundPage(Page):
    data: list[_Record]


_MAX_SESSIONS = 10**6
_RECORDS = msgspec.json.Decoder(_Record)
_RAW_RECORDS = msgspec.json.Decoder(_RawRecord)
_MODELS = msgspec.json.Decoder(_ModelUsage)
_SOUND_PAGE = msgspec.json.Decoder(_SoundPage)
_SOUND_PAGES = msgspec.json.Decoder(list[_SoundPage])


class AnalyticsApi:
    name = "claude_code_analytics_api"
    title = "Claude Code Analytics API"
    utc_days = True
    names_people = True

    def recognises(self, head: bytes) -> bool:
        is_usage = has_keys(head, "actor", "model_breakdown") or has_keys(head, "actor", "core_metrics")
        return is_usage or (has_keys(head, "data", "has_more") and _is_empty(head))

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per entry of each record's model_breakdown; ``row`` counts the records over all pages from 1."""
        text = export.document()
        sound = _sound_pages(text)
        if sound is not None:
            for row, record in enumerate(_records(sound), start=1):
                yield from _found(row, record)
            yield from more_pages(sound)
            return
        row = 0
        first_seen: dict[bytes, int] = {}
        pages = _pages(text)
        yield from more_pages(pages)
        for page in pages:
            for raw in page.data or []:
                row += 1
                first = first_seen.setdefault(bytes(raw), row)
                if first != row:
                    yield Problem(row, f"Record {row} repeats record {first} and was counted once.")
                    continue
                yield from _read_record(row, raw)


def _is_empty(head: bytes) -> bool:
    """Whether it holds pages, and nothing in them, as of a weekend."""
    bare = b"".join(head.split())
    return 0 < bare.count(b'"data":[]') == bare.count(b'"data":')


def _sound_pages(text: bytes) -> list[_SoundPage] | None:
    """All pages at once, which is faster; None where any is damaged, or any two may be the same."""
    try:
        pages = _SOUND_PAGES.decode(text) if text[:1] == b"[" else [_SOUND_PAGE.decode(text)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    told_apart = {
        (one.date, one.actor.email_address, one.actor.api_key_name, one.terminal_type, one.organization_id)
        for one in _records(pages)
    }
    return pages if len(told_apart) == sum(len(page.data) for page in pages) else None


def _records(pages: list[_SoundPage]) -> Iterator[_Record]:
    return (record for page in pages for record in page.data)


def _pages(text: bytes) -> list[_Page]:
    what = "page of the Claude Code Analytics API"
    pages = decoded_pages(text, _Page, what)
    if b'"actor"' in text and all(page.data is page.error is page.body is None for page in pages):
        # The records without the pages around them, as a list or one after another.
        return [_Page(data=decoded(text, list[Raw], what) if text[:1] == b"[" else [*map(Raw, documents(text))])]
    for page in pages:
        if page.data is None:
            error = page.body.get("error") if isinstance(page.body, dict) else page.error
            said = error.get("message") if isinstance(error, dict) else None
            raise UnreadableExport(
                f"it is an error from the API, not usage: “{shortened(said)}”" if said else "a page has no “data” list"
            )
    return pages


def _read_record(row: int, raw: Raw) -> list[UsageRecord | Sessions | Problem]:
    try:
        try:
            return _found(row, _RECORDS.decode(raw))
        except (msgspec.ValidationError, UnicodeDecodeError):
            return _found(row, _RAW_RECORDS.decode(raw))  # what is wrong with one model costs that one alone
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return [Problem(row, f"Record {row} was left out: {why(error, raw)}.")]


def _found(row: int, record: _Record | _RawRecord) -> list[UsageRecord | Sessions | Problem]:
    """What one record says."""
    found: list[UsageRecord | Sessions | Problem] = []
    try:
        day = as_day(record.date, "date")
        actor = _actor(record.actor.email_address, record.actor.api_key_name)
    except ValueError as error:
        return [Problem(row, f"Record {row} was left out: {error}.")]
    sessions = record.core_metrics.num_sessions if record.core_metrics else None
    if type(sessions) is int and 0 < sessions < _MAX_SESSIONS:
        # Only ever said beside the spend: an odd count costs nothing but itself.
        found.append(Sessions(row, day, actor, sessions))
    billing = SUBSCRIPTION if record.customer_type == SUBSCRIPTION else API
    part = _part(record.terminal_type, record.subscription_type, record.organization_id)
    for entry in record.model_breakdown or []:
        try:
            used = entry if isinstance(entry, _ModelUsage) else _MODELS.decode(entry)
            found.append(_read_model(row, day, actor, billing, part, used))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            said = why(error, msgspec.json.encode(entry))
            found.append(Problem(row, f"A model of record {row} was left out: {said}."))
    return found


def _read_model(row: int, day: date, actor: Actor, billing: str, part: str, entry: _ModelUsage) -> UsageRecord:
    tokens = entry.tokens or _NO_TOKENS
    usage = TokenUsage(tokens.input or 0, tokens.output or 0, tokens.cache_read or 0, tokens.cache_creation or 0)
    reported = _reported_usd(entry.estimated_cost, usage)
    return UsageRecord(row, day, actor, as_name(entry.model, "model"), usage, _UNKNOWN_SIZE, billing, part, reported)


@lru_cache(maxsize=4096)
def _part(*names: str | None) -> str:
    return " ".join(filter(None, names))


@lru_cache(maxsize=65536)
def _actor(email_address: str | None, api_key_name: str | None) -> Actor:
    if email_address:
        return email_actor(as_name(email_address, "email_address"))
    if api_key_name:
        return Actor("api_key", as_name(api_key_name, "api_key_name"))
    raise ValueError("its actor has neither email_address nor api_key_name")


def _reported_usd(cost: _EstimatedCost | None, usage: TokenUsage) -> Decimal | None:
    """Dollars from cents. Zero for tokens that were used means that no cost is known, not that it was free."""
    usd = None if cost is None or cost.amount is None else cents(cost.amount, "estimated_cost")
    if cost is None or usd is None or (usd == 0 and usage.tokens):
        return None
    if cost.currency != "USD":
        raise ValueError(f"its estimated_cost is in {shortened(cost.currency)}; only USD can be read")
    return usd
