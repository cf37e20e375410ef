"""Claude Code transcripts: the JSONL files below ~/.claude/projects, as written by Claude Code up to 2.1.330.

One response is written as one line per content block, with the same message id and request id on each; older versions
put partial output counts on the earlier lines, so the fullest line counts. Nothing names the person. No prompt is read.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from bot.exports.reader import MAX_COUNT, Reading, ReadingContext, as_geography, as_name, email_actor, shortened
from bot.pricing import PriceConditions, TokenUsage
from bot.spend.days import spend_day
from bot.spend.records import Actor, Problem, Request, UsageRecord

Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
SYNTHETIC = "<synthetic>"
THIS_MACHINE = Actor("machine", "transcripts")
_NANO = Decimal("0.000000001")


class _CacheCreation(Struct):
    ephemeral_5m_input_tokens: Count = 0
    ephemeral_1h_input_tokens: Count = 0


class _ServerToolUse(Struct):
    web_search_requests: Count | None = 0


class _Usage(Struct):
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_input_tokens: Count | None = 0
    cache_creation_input_tokens: Count | None = 0
    cache_creation: _CacheCreation | None = None
    server_tool_use: _ServerToolUse | None = None
    service_tier: str | None = None
    inference_geo: str | None = None
    speed: str | None = None


class _Message(Struct):
    id: str | None = None
    role: str | None = None
    model: str | None = None
    usage: _Usage | None = None


class _Line(Struct):
    message: _Message | None = None
    type: str | None = None
    timestamp: str | None = None
    request_id: str | None = field(default=None, name="requestId")
    sidechain: bool | None = field(default=None, name="isSidechain")
    cost: Decimal | None = field(default=None, name="costUSD")


class _Head(Struct):
    """The field that tells whether a line can be a response; the rest, prompts among it, is not looked at."""

    type: str | None = None


_LINES = msgspec.json.Decoder(_Line)
_HEADS = msgspec.json.Decoder(_Head)


class Transcripts:
    name = "transcripts"
    title = "Claude Code transcripts"
    utc_days = False
    names_people = False

    def recognises(self, head: bytes) -> bool:
        for line in head.splitlines()[:50]:
            if line[:1] == b"{" and (b'"sessionId"' in line or b'"type":"' in line) and b'"data"' not in line[:20]:
                return True
        return False

    def read(self, data: bytes, context: ReadingContext) -> Reading:
        """One record per line that carries usage; ``row`` is the line. Other lines are passed over."""
        actor = email_actor(context.person) if context.person else THIS_MACHINE
        for row, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
            if line.strip():
                yield from _read_line(row, line, actor, context)


def _read_line(row: int, line: bytes, actor: Actor, context: ReadingContext) -> Iterator[UsageRecord | Problem]:
    try:
        if _HEADS.decode(line).type not in (None, "assistant"):
            return
        entry = _LINES.decode(line)
        message = entry.message
        if message is not None and message.usage is not None and _is_response(entry, message):
            yield _record(row, line, entry, message, message.usage, actor, context)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        yield Problem(row, f"Line {row} was left out: {shortened(error)}.")


def _is_response(entry: _Line, message: _Message) -> bool:
    return message.model != SYNTHETIC and "assistant" in (entry.type, message.role)


def _record(
    row: int, line: bytes, entry: _Line, message: _Message, counts: _Usage, actor: Actor, context: ReadingContext
) -> UsageRecord:
    if entry.timestamp is None:
        raise ValueError("it has no timestamp, so it belongs to no day")
    if message.model is None:
        raise ValueError("it has no model")
    at = _instant(entry.timestamp)
    day = spend_day(at, context.zone)
    usage = _token_usage(counts)
    model = as_name(message.model, "model")
    reported = _reported_usd(entry.cost) if entry.cost or not usage.tokens else None
    return UsageRecord(
        row=row,
        day=day,
        actor=actor,
        model=model,
        usage=usage,
        conditions=PriceConditions(
            speed=counts.speed or "standard",
            inference_geo=as_geography(counts.inference_geo),
            service_tier=counts.service_tier or "standard",
            prompt_tier=context.book.prompt_tier(model, day, usage.prompt_tokens),
        ),
        # Daily rows are all reported or all not; requests of old files, which state a cost, stand apart.
        part="costUSD" if reported is not None else "",
        reported_usd=reported,
        request=Request(_key(entry, message, line), at, bool(entry.sidechain)),
    )


def _token_usage(counts: _Usage) -> TokenUsage:
    split = counts.cache_creation
    written = counts.cache_creation_input_tokens or 0
    long = split.ephemeral_1h_input_tokens if split else 0
    short = split.ephemeral_5m_input_tokens if split else 0
    searches = counts.server_tool_use.web_search_requests if counts.server_tool_use else 0
    return TokenUsage(
        input=counts.input_tokens,
        output=counts.output_tokens,
        cache_read=counts.cache_read_input_tokens or 0,
        # Before the split was written, every cache write was a 5-minute one.
        cache_write_5m=short + max(0, written - short - long),
        cache_write_1h=long,
        web_searches=searches or 0,
    )


def _key(entry: _Line, message: _Message, line: bytes) -> bytes:
    """What makes two lines one response: message id and request id; without a message id, the line itself."""
    named = f"{message.id}\0{entry.request_id or ''}".encode() if message.id else None
    return hashlib.blake2b(named or line.strip(), digest_size=16).digest()


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"its timestamp “{shortened(text)}” is no ISO 8601 time") from None
    if at.tzinfo is None:
        raise ValueError(f"its timestamp “{shortened(text)}” has no zone")
    return at


def _reported_usd(cost: Decimal | None) -> Decimal | None:
    if cost is None:
        return None
    if not cost.is_finite() or not 0 <= cost < 10**9:
        raise ValueError(f"its costUSD is {shortened(cost)}; expected 0 or more")
    return cost.quantize(_NANO)
