"""Claude Code transcripts: the JSONL files below ~/.claude/projects, as written by Claude Code up to 2.1.330.

One response is written as one line per content block, with the same message id and request id on each; older versions
put partial output counts on the earlier lines, so the fullest line counts. Nothing names the person. No prompt is read.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct, field

from bot.exports.reader import (
    MAX_LINE,
    STATED,
    SYNTHETIC,
    Count,
    Export,
    Reading,
    ReadingContext,
    as_geography,
    as_name,
    money,
    of_this_age,
    whole_characters,
    why,
)
from bot.exports.response_lines import response_lines
from bot.pricing import PriceConditions
from bot.spend.days import SpendDays, milliseconds
from bot.spend.records import Problem, RequestRows, request_key

_BRACE = ord("{")
_TYPES = frozenset(
    "user assistant summary system progress attachment file-history-snapshot queue-operation cost-state last-prompt "
    "tools-used atis-latch api-request api-request-blob api-request-shape".split()
)
_TYPE = re.compile(rb'"type"\s*:\s*"(?:%s)"' % "|".join(sorted(_TYPES)).encode())


class _CacheCreation(Struct, gc=False):
    ephemeral_5m_input_tokens: Count | None = 0
    ephemeral_1h_input_tokens: Count | None = 0


class _ServerToolUse(Struct, gc=False):
    web_search_requests: Count | None = 0


class _Usage(Struct, gc=False):
    input_tokens: Count | None = 0
    output_tokens: Count | None = 0
    cache_read_input_tokens: Count | None = 0
    cache_creation_input_tokens: Count | None = 0
    cache_creation: _CacheCreation | None = None
    server_tool_use: _ServerToolUse | None = None
    service_tier: str | None = None
    inference_geo: str | None = None
    speed: str | None = None
    iterations: Any = None


class _Attempt(_Usage, gc=False):
    """One of the ``iterations`` of a response, which say what is billed: most of them are not in its own counts."""

    type: str | None = None
    model: str | None = None


class _Message(Struct, gc=False):
    id: str | None = None
    role: str | None = None
    model: str | None = None
    usage: _Usage | None = None


class _Line(Struct, gc=False):
    message: _Message | None = None
    type: str | None = None
    timestamp: Annotated[datetime, Meta(tz=True)] | None = None
    request_id: str | None = field(default=None, name="requestId")
    sidechain: bool | None = field(default=None, name="isSidechain")
    cost: Decimal | None = field(default=None, name="costUSD")
    data: "_Progress | None" = None


class _Progress(Struct, gc=False):
    """How far a subagent is: the line that it wrote."""

    message: _Line | None = None


class _Head(Struct, gc=False):
    """The field that tells whether a line can be a response; the rest, prompts among it, is not looked at."""

    type: str | None = None


class _AnyLine(Struct, gc=False):
    """What tells a line of a transcript, whichever version wrote it, from other JSON."""

    type: Any = None
    session: Any = field(default=None, name="sessionId")
    message: Any = None


class _OwnLine(Struct, gc=False):
    """What every line of a conversation says of itself."""

    type: str | None = None
    session: str | None = field(default=None, name="sessionId")


_ITERATIONS = ("message", "fallback_message", "advisor_message", "compaction")
_REFUSED = re.compile(rb'"stop_reason"\s*:\s*"refusal"')
_SAID_TYPE = re.compile(rb'"type"\s*:\s*"([^"]*)"')
_INNER = re.compile(rb'"\s*:\s*(?:\[\s*)?\{')
_ANY_LINES = msgspec.json.Decoder(_AnyLine)
_OWN_LINES = msgspec.json.Decoder(_OwnLine)
_LINES = msgspec.json.Decoder(_Line)
_HEADS = msgspec.json.Decoder(_Head)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError)


class Transcripts:
    name = "transcripts"
    title = "Claude Code transcripts"
    utc_days = False
    names_people = False

    def is_certain(self, head: bytes) -> bool:
        """Whether a line is one that Claude Code writes, whatever other words stand in the file."""
        return any(map(_is_own_line, head.split(b"\n", 50)))

    def recognises(self, head: bytes) -> bool:
        return any(map(_may_be_own_line, head.strip().split(b"\n")[:50]))

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """The responses day by day, in the order of their first lines; a row is the number of the fullest line."""
        lines = _Lines(context)
        for row, line in response_lines(export.file):
            if line is None:
                yield Problem(row, f"Line {row} was left out: it is longer than {MAX_LINE // 2**20} MB.")
                continue
            if (not line or line[0] != _BRACE) and not (text := bytes(line).strip()).startswith(b"{"):
                if text:
                    yield Problem(row, f"Line {row} was left out: it is no JSON object.")
                continue
            try:
                lines.add(row, line)
            except _UNREADABLE as error:
                yield from _read_again(lines, row, bytes(line), error)
        yield from lines.days()


TRANSCRIPTS = Transcripts()


def _read_again(lines: "_Lines", row: int, line: bytes, error: Exception) -> Iterator[Problem]:
    """Take a line once more with whole characters; say what is wrong with one that may be a response all the same."""
    whole = whole_characters(line)
    if whole != line:
        try:
            lines.add(row, memoryview(whole))
        except _UNREADABLE as again:
            error = again
        else:
            return
    if whole.strip() and not _is_no_response(whole):
        yield Problem(row, f"Line {row} was left out: {why(error, whole)}.")


class _Response(Struct, gc=False):
    """The fullest line of a response so far."""

    row: int
    at: datetime
    model: str
    counts: _Usage
    sidechain: bool
    cost: Decimal | None
    """What the line says it cost; ``message`` is the message's id, or where it has none the key of the line."""

    message: str | bytes
    request: str | None

    def is_fuller_than(self, other: "_Response") -> bool:
        """Earlier lines of one response carry partial counts, so that the one with the most tokens is the final one.

        A line of the main conversation goes before a subagent's copy of it.
        """
        if self.sidechain == other.sidechain and (tokens := _tokens(self.counts)) != (others := _tokens(other.counts)):
            return tokens > others
        if self.fullness != other.fullness:
            return self.fullness > other.fullness
        return self.at < other.at

    @property
    def fullness(self) -> tuple[bool, int, int, tuple[int, ...], Decimal]:
        counts = _counts(self.counts)
        return not self.sidechain, sum(counts[:5]), counts[1], counts, self.cost or Decimal(0)


class _Day(NamedTuple):
    """What was found of a day, and where in its names each model stands under its conditions.

    ``limits`` are the prompts up to which (inclusive) the models' base prices hold.
    """

    rows: RequestRows
    places: dict[tuple[object, ...], int]
    limits: dict[str, int | None]


class _Lines:
    """Takes lines one by one, and keeps of each response the fullest."""

    def __init__(self, context: ReadingContext) -> None:
        self.context = context
        self.responses: dict[bytes | str | tuple[str, str], _Response] = {}
        self.requests: dict[str, str | None] = {}
        """The first request of the main conversation by message, None while there are subagents' copies alone."""
        self.names: dict[str, str] = {}
        self.last = _Line()

    def add(self, row: int, line: memoryview) -> None:
        """Take one line. Raises ValueError, or what msgspec raises, where it cannot be read."""
        entry = _LINES.decode(line)
        if entry.data is not None and entry.data.message is not None:
            entry = entry.data.message
        message, last = entry.message, self.last
        if message is None or message.usage is None:
            return
        if (
            message == last.message
            and message.id
            and entry.request_id == last.request_id
            and entry.sidechain == last.sidechain
            and entry.cost is None
            and entry.timestamp is not None
            and entry.timestamp >= last.timestamp  # type: ignore[operator]  # of what counts it is not None
        ):
            return  # one content block more of a response that is known: half of all lines
        if not _is_response(entry, message):
            return
        if entry.timestamp is None:
            raise ValueError("it has no timestamp, so it belongs to no day")
        if message.model is None:
            raise ValueError("it has no model")
        counts, is_sidechain = message.usage, bool(entry.sidechain)
        others = _billed_beside(counts) if counts.iterations else {}
        at = of_this_age(entry.timestamp, "timestamp")
        cost = None if entry.cost is None else money(entry.cost, "costUSD")
        self.last = entry
        told_apart = message.id or request_key(bytes(line).strip())
        name = self._name(message.model)
        if counts.output_tokens or not _REFUSED.search(line):  # refused before any output, a request is not billed
            self._keep(_Response(row, at, name, counts, is_sidechain, cost, told_apart, entry.request_id))
        for what, one in others.items():
            name = self._name(one.model or message.model)
            said = f"{told_apart!r}\0{what}"
            self._keep(_Response(row, at, name, one, is_sidechain, None, said, entry.request_id))

    def _name(self, model: str) -> str:
        name = self.names.get(model)
        if name is None:
            name = self.names[model] = as_name(model, "model")
        return name

    def _keep(self, found: _Response) -> None:
        message = found.message
        key = message if isinstance(message, bytes) else self._key(message, found.request, found.sidechain)
        before = self.responses.get(key)
        if before is None or found.is_fuller_than(before):
            self.responses[key] = found

    def _key(self, message: str, request: str | None, is_sidechain: bool) -> str | tuple[str, str]:
        """What makes two lines one response: the message id, as sidechains repeat it under other request ids.

        Another request of the main conversation with the same message id is another response.
        """
        said = None if is_sidechain else request or ""
        first = self.requests.setdefault(message, said)
        if said is None or first == said:
            return message
        if first is None:
            self.requests[message] = said
            return message
        return message, said

    def days(self) -> Iterator[RequestRows]:
        """What the lines came to."""
        days, found = SpendDays(self.context.zone), dict[date, _Day]()
        for one in self.responses.values():
            at, usage, cost, counts = milliseconds(one.at), one.counts, one.cost, _counts(one.counts)
            day = days.day(at)
            of_day = found.get(day)
            if of_day is None:
                of_day = found[day] = _Day(RequestRows(day, self.context.someone, [], []), {}, {})
            if cost is not None and not cost and any(counts[:5]):
                cost = None
            if one.model not in of_day.limits:
                of_day.limits[one.model] = self.context.book.prompt_limit(one.model, day)
            limit = of_day.limits[one.model]
            is_long = limit is not None and sum(counts[:5]) - counts[1] > limit
            name = (one.model, usage.speed, usage.inference_geo, usage.service_tier, cost is None, is_long)
            place = of_day.places.get(name)
            if place is None:
                place = of_day.places[name] = len(of_day.places)
                part = "" if cost is None else STATED
                of_day.rows.names.append((one.model, _conditions(usage, is_long), part))
            told_apart, said = one.message, None
            if isinstance(told_apart, str):
                # So are the requests named under which older versions stored the second and further ones of a message.
                said = None if one.sidechain else f"{told_apart}\0{one.request or ''}"
                told_apart = request_key(told_apart.encode())
            of_day.rows.requests.append((one.row, place, counts, cost, told_apart, at, one.sidechain, said))
        for of_day in found.values():
            yield of_day.rows


def _conditions(usage: _Usage, is_long: bool) -> PriceConditions:
    return PriceConditions(
        speed=usage.speed or "standard",
        inference_geo=as_geography(usage.inference_geo),
        service_tier=usage.service_tier or "standard",
        prompt_tier="long" if is_long else "base",
    )


def _may_be_own_line(line: bytes) -> bool:
    """Whether an object says that it is of a session, or holds a message with its usage."""
    if not line.startswith(b"{"):
        return False
    try:
        found = _ANY_LINES.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        outer = _outer(line)
        has_usage = b'"message"' in line and b'"usage"' in line
        return b'"sessionId"' in outer or _TYPE.search(outer) is not None or has_usage
    has_usage = isinstance(found.message, dict) and "usage" in found.message
    return isinstance(found.session, str) or found.type in _TYPES or has_usage


def _is_own_line(line: bytes) -> bool:
    """Whether an object itself says its session and what it is: words in what it holds are no sign."""
    if not line.startswith(b"{"):
        return False
    try:
        found = _OWN_LINES.decode(line)
        return found.type is not None and found.session is not None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    # The last of the first bytes is cut: of that one, what stands before any object in it.
    outer = _outer(line)
    own = [name for name in (b'"sessionId"', b'"parentUuid"', b'"isSidechain"') if name in outer]
    return len(own) > 1 or (len(own) == 1 and own[0] == b'"sessionId"' and b'"type"' in outer)


def _is_no_response(line: bytes) -> bool:
    """Whether a line that cannot be read as a response is none: a whole one with a usage of its own, or a cut one.

    Onto a cut line the next one may be glued, which says its usage.
    """
    try:
        return _HEADS.decode(line).type not in (None, "assistant")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = _SAID_TYPE.search(_outer(line))
        return b'"usage"' not in line and said is not None and said[1] != b"assistant"


def _outer(line: bytes) -> bytes:
    """What an object says before any object in it."""
    inner = _INNER.search(line)
    return line[: inner.start()] if inner else line


def _is_response(entry: _Line, message: _Message) -> bool:
    if message.model is None:
        return (message.role if entry.type is None else entry.type) == "assistant"
    return message.model != SYNTHETIC


def _billed_beside(counts: _Usage) -> dict[str, _Attempt]:
    """What is billed beside the counts of a response, by a name of its own.

    That are other models that were asked for advice, summaries of what came before, and where one model declined and
    another one answered (the counts are the latter's), the answers that were begun. Source: Claude API documentation,
    "Refusals and fallback", "Compaction" and "Advisor tool" (November 2026).
    """
    iterations = counts.iterations if isinstance(counts.iterations, list) else ()
    said = [one for one in iterations if isinstance(one, dict) and one.get("type") in _ITERATIONS]
    if all(one["type"] == "message" for one in said):
        return {}  # as of nearly all
    attempts = [msgspec.convert(one, _Attempt) for one in said]
    answer = next((one for one in reversed(attempts) if one.type == "fallback_message"), None)
    if answer is not None:
        counts.cache_creation = answer.cache_creation  # the split beside the counts is of the model that declined
    found: dict[str, _Attempt] = {}
    for one in attempts:
        if one.type == "advisor_message" and one.model:
            name = "advice"
        elif one.type == "compaction" or (answer is not None and one is not answer and one.output_tokens):
            name, one.speed = "attempt", counts.speed
        else:
            continue
        one.inference_geo, one.service_tier = counts.inference_geo, counts.service_tier
        found[f"{name} {sum(other.startswith(name) for other in found)}"] = one
    return found


def _tokens(usage: _Usage) -> int:
    """How many tokens ``_counts`` come to."""
    written, split = usage.cache_creation_input_tokens or 0, usage.cache_creation
    if split is not None:
        written = max(written, (split.ephemeral_5m_input_tokens or 0) + (split.ephemeral_1h_input_tokens or 0))
    return (usage.input_tokens or 0) + (usage.output_tokens or 0) + (usage.cache_read_input_tokens or 0) + written


def _counts(usage: _Usage) -> tuple[int, ...]:
    """The counts in the order of TokenUsage."""
    split = usage.cache_creation
    written = usage.cache_creation_input_tokens or 0
    long = (split.ephemeral_1h_input_tokens or 0) if split else 0
    short = (split.ephemeral_5m_input_tokens or 0) if split else 0
    return (
        usage.input_tokens or 0,
        usage.output_tokens or 0,
        usage.cache_read_input_tokens or 0,
        # Before the split was written, every cache write was a 5-minute one.
        short + max(0, written - short - long),
        long,
        (usage.server_tool_use.web_search_requests or 0) if usage.server_tool_use else 0,
    )
