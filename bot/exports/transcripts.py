"""Claude Code transcripts: the JSONL files below ~/.claude/projects, as written by Claude Code up to 2.1.330.

One response is written as one line per content block, with the same message id and request id on each; older versions
put partial output counts on the earlier lines, so the fullest line counts. Nothing names the person. No prompt is read.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
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
from bot.exports.response_lines import look_through
from bot.pricing import PriceConditions
from bot.spend.days import day_around, milliseconds
from bot.spend.records import Problem, RequestRows, request_key

_TYPES = frozenset(
    "user assistant summary system progress attachment file-history-snapshot queue-operation cost-state last-prompt "
    "tools-used atis-latch api-request api-request-blob api-request-shape".split()
)
_TYPE = re.compile(rb'"type"\s*:\s*"(?:%s)"' % "|".join(sorted(_TYPES)).encode())


# What decodes lines has its fields in the order in which Claude Code writes them, where they are found soonest.


class _CacheCreation(Struct, gc=False):
    ephemeral_1h_input_tokens: Count | None = 0
    ephemeral_5m_input_tokens: Count | None = 0


class _ServerToolUse(Struct, gc=False):
    web_search_requests: Count | None = 0


class _Usage(Struct, gc=False):
    input_tokens: Count | None = 0
    cache_creation_input_tokens: Count | None = 0
    cache_read_input_tokens: Count | None = 0
    output_tokens: Count | None = 0
    server_tool_use: _ServerToolUse | None = None
    service_tier: str | None = None
    cache_creation: _CacheCreation | None = None
    inference_geo: str | None = None
    iterations: Any = None
    speed: str | None = None


class _Attempt(_Usage, gc=False):
    """One of the ``iterations`` of a response, which say what is billed: most of them are not in its own counts."""

    type: str | None = None
    model: str | None = None


class _Message(Struct, gc=False):
    id: str | None = None
    model: str | None = None
    usage: _Usage | None = None


class _Line(Struct, gc=False):
    sidechain: bool | None = field(default=None, name="isSidechain")
    message: _Message | None = None
    request_id: str | None = field(default=None, name="requestId")
    timestamp: Annotated[datetime, Meta(tz=True)] | None = None
    cost: Decimal | None = field(default=None, name="costUSD")


class _Progress(Struct, gc=False):
    """How far a subagent is: the line that it wrote."""

    message: msgspec.Raw = msgspec.Raw()


class _ProgressLine(Struct, gc=False):
    data: _Progress | None = None


class _Role(Struct, gc=False):
    role: str | None = None


class _Whose(Struct, gc=False):
    """Who says what a line holds, which is asked of those without a model alone."""

    message: _Role | None = None
    type: str | None = None


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
_PROGRESS_LINES = msgspec.json.Decoder(_ProgressLine)
_WHOSE = msgspec.json.Decoder(_Whose)
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
        for _ in look_through(export.file, lines.take):
            yield from lines.left_out()
        yield from lines.days()


TRANSCRIPTS = Transcripts()


_Response = tuple[int, datetime, str, _Usage, _Line, str | bytes]
"""The fullest line of a response so far, as a plain tuple: most of them are replaced or never looked at again.

Its row, moment, model, counts, what else it says, and what tells the response from others: the message's id, or where
it has none the key of the line.
"""


_Key = bytes | str | tuple[str, str]
"""What tells a response from others; for a further request of one message with the request's id."""


def _is_fuller(response: _Response, other: _Response) -> bool:
    """Earlier lines of one response carry partial counts, so that the one with the most tokens is the final one.

    A line of the main conversation goes before a subagent's copy of it, and of lines that say the same the first.
    """
    _, at, _, usage, line, _ = response
    _, other_at, _, other_usage, other_line, _ = other
    mine, theirs = _tokens(usage), _tokens(other_usage)
    if mine != theirs and bool(line.sidechain) == bool(other_line.sidechain):
        return mine > theirs
    fullness, others = _fullness(usage, line), _fullness(other_usage, other_line)
    return fullness > others or (fullness == others and at < other_at)


def _fullness(usage: _Usage, line: _Line) -> tuple[bool, int, int, tuple[int, ...], Decimal]:
    counts = _counts(usage)
    return not line.sidechain, sum(counts[:5]), counts[1], counts, line.cost or Decimal(0)


_Said = tuple[str, str | None, str | None, str | None, bool, bool]
"""What names are told apart by: a model, speed, geography and tier, whether no cost is stated, and a long prompt."""


class _Day(NamedTuple):
    """What was found of a day, and where in its names each one stands.

    ``limits`` are the prompts up to which (inclusive) the models' base prices hold.
    """

    rows: RequestRows
    places: dict[_Said, int]
    limits: dict[str, int | None]


class _Lines:
    """Takes lines one by one, and keeps of each response the fullest."""

    def __init__(self, context: ReadingContext) -> None:
        self.context = context
        self.responses: dict[_Key, _Response] = {}
        self.models: set[str | None] = set()
        """Those that responses are of, as lines say them."""

        self.last, self.said = _Line(), _Message()
        """The last line that counted, and what it says of its response."""

        self.kept_under: _Key | None = None
        """Where that line is kept; None where it is not."""

        self.year = 0
        """The last one of which it is known that there was usage."""

        self.problems: list[Problem] = []

    def left_out(self) -> list[Problem]:
        """What was wrong with lines since that was asked last."""
        found, self.problems = self.problems, []
        return found

    def take(self, row: int, line: memoryview | None, outline: bytearray | None) -> bool:
        """Take one line, None for one that is too long; returns whether anything is to be told."""
        if line is None:
            self._leave_out(row, f"it is longer than {MAX_LINE // 2**20} MB")
            return True
        try:
            self._add(row, line, outline)
        except _UNREADABLE as error:
            self._take_again(row, bytes(line), error)
            return bool(self.problems)
        return False

    def _take_again(self, row: int, line: bytes, error: Exception) -> None:
        """Take a line with whole characters; say what is wrong with one that may be a response all the same."""
        text = line.strip()
        if not text.startswith(b"{"):
            if text:
                self._leave_out(row, "it is no JSON object")
            return
        whole = whole_characters(line)
        if whole != line:
            try:
                self._add(row, memoryview(whole))
            except _UNREADABLE as again:
                error = again
            else:
                return
        if whole.strip() and not _is_no_response(whole):
            self._leave_out(row, why(error, whole))

    def _leave_out(self, row: int, reason: str) -> None:
        self.problems.append(Problem(row, f"Line {row} was left out: {reason}."))

    def _add(
        self, row: int, line: memoryview, outline: bytearray | None = None, around: memoryview | None = None
    ) -> None:
        """Take one line, which came in another one ``around`` it. Raises ValueError, or what msgspec raises.

        Where its ``outline`` lacks anything that is asked of a response, the whole line is looked at.
        """
        try:
            entry = _LINES.decode(line if outline is None else outline)
        except _UNREADABLE:
            if outline is None:
                raise
            entry, outline = _LINES.decode(line), None
        message, last, at = entry.message, self.last, entry.timestamp
        if message is None:
            progress = _PROGRESS_LINES.decode(line).data
            if progress is not None and bytes(progress.message) not in (b"", b"null"):
                self._add(row, memoryview(progress.message), around=around or line)
            return
        if message.usage is None:
            return
        if (
            message.id
            and message.id == self.said.id
            and entry.request_id == last.request_id
            and entry.sidechain == last.sidechain
            and entry.cost is None
            and at is not None
            and at >= last.timestamp  # type: ignore[operator]  # of what counts it is not None
            # One content block more of a response that is known: half of all lines.
            and (message == self.said or self._has_grown(row, entry, at, message, message.usage))
        ):
            return
        model, counts = message.model, message.usage
        if outline is not None and not (message.id and model and at):
            self._add(row, line)  # they may stand behind its text
            return
        is_new = model not in self.models
        if is_new and not _is_response(model, line):
            return
        if at is None:
            raise ValueError("it has no timestamp, so it belongs to no day")
        if model is None:
            raise ValueError("it has no model")
        others = _billed_beside(counts) if counts.iterations else {}
        if at.year != self.year:
            self.year = of_this_age(at, "timestamp").year
        if entry.cost is not None:
            entry.cost = money(entry.cost, "costUSD")
        if is_new:
            as_name(model, "model")
            self.models.add(model)
        self.last, self.said, self.kept_under = entry, message, None
        told_apart = message.id or request_key(bytes(around or line).strip())
        if counts.output_tokens or not _REFUSED.search(line):  # refused before any output, a request is not billed
            found = row, at, model, counts, entry, told_apart
            is_first = self.responses.setdefault(told_apart, found) is found
            self.kept_under = told_apart if is_first else self._keep(found)
        if others:
            line_without_cost = _Line(request_id=entry.request_id, sidechain=entry.sidechain)
            for what, one in others.items():
                other = one.model or model
                as_name(other, "model")
                self._keep((row, at, other, one, line_without_cost, f"{told_apart!r}\0{what}"))

    def _has_grown(self, row: int, entry: _Line, at: datetime, message: _Message, usage: _Usage) -> bool:
        """Whether a line says more of the response of the last one and nothing else; it is taken then."""
        before = self.said.usage
        if (
            self.kept_under is None
            or message.model is None
            or message.model != self.said.model
            or at.year != self.year
            or usage.iterations
            or not usage.output_tokens
            or before is None
            or _tokens(usage) <= _tokens(before)
        ):
            return False
        self.last, self.said = entry, message
        self.responses[self.kept_under] = row, at, message.model, usage, entry, message.id or ""
        return True

    def _keep(self, found: _Response) -> _Key | None:
        """Keep a line, if it is the fullest of its response; returns where, or None.

        The message id makes two lines one response, as sidechains repeat it under other request ids; but another
        request of the main conversation with the same message id is another response.
        """
        *_, one, told_apart = found
        before = self.responses.get(told_apart)
        key: _Key = told_apart
        if before is not None and isinstance(told_apart, str) and not (one.sidechain or before[4].sidechain):
            request = one.request_id or ""
            if request != (before[4].request_id or ""):
                key = told_apart, request
                before = self.responses.get(key)
        if before is not None and not _is_fuller(found, before):
            return None
        self.responses[key] = found
        return key

    def days(self) -> Iterator[RequestRows]:
        """What the lines came to."""
        found: dict[date, _Day] = {}
        start = end = 0
        for row, moment, model, usage, one, told_apart in self.responses.values():
            at, cost, counts = milliseconds(moment), one.cost, _counts(usage)
            if not start <= at < end:
                day, start, end = day_around(at, self.context.zone)
                if day not in found:
                    found[day] = _Day(RequestRows(day, self.context.someone, [], []), {}, {})
                rows, places, limits = found[day]
            if cost is not None and not cost and any(counts[:5]):
                cost = None
            if model not in limits:
                limits[model] = self.context.book.prompt_limit(as_name(model, "model"), day)
            limit = limits[model]
            is_long = limit is not None and sum(counts[:5]) - counts[1] > limit
            said = model, usage.speed, usage.inference_geo, usage.service_tier, cost is None, is_long
            place = places.get(said)
            if place is None:
                place = places[said] = len(places)
                conditions = _conditions(usage.speed, usage.inference_geo, usage.service_tier, is_long)
                rows.names.append((as_name(model, "model"), conditions, "" if cost is None else STATED))
            nano = None if cost is None else int(cost.scaleb(9))  # of which ``money`` left nothing smaller
            request = None if one.sidechain else one.request_id or ""
            rows.requests.append((row, place, counts, nano, told_apart, request, at))
        for of_day in found.values():
            yield of_day.rows


@lru_cache(1_000)
def _conditions(speed: str | None, geography: str | None, tier: str | None, is_long: bool) -> PriceConditions:
    return PriceConditions(
        speed=speed or "standard",
        inference_geo=as_geography(geography),
        service_tier=tier or "standard",
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


def _is_response(model: str | None, line: memoryview) -> bool:
    if model is None:
        said = _WHOSE.decode(line)
        return (said.message.role if said.type is None and said.message else said.type) == "assistant"
    return model != SYNTHETIC


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
        told = (split.ephemeral_5m_input_tokens or 0) + (split.ephemeral_1h_input_tokens or 0)
        if told > written:
            written = told
    return (usage.input_tokens or 0) + (usage.output_tokens or 0) + (usage.cache_read_input_tokens or 0) + written


def _counts(usage: _Usage) -> tuple[int, ...]:
    """The counts in the order of TokenUsage."""
    split, tools, written = usage.cache_creation, usage.server_tool_use, usage.cache_creation_input_tokens or 0
    if split is None:  # before it was written, every cache write was a 5-minute one
        short, long = written, 0
    else:
        short, long = split.ephemeral_5m_input_tokens or 0, split.ephemeral_1h_input_tokens or 0
        if written > short + long:
            short = written - long
    return (
        usage.input_tokens or 0,
        usage.output_tokens or 0,
        usage.cache_read_input_tokens or 0,
        short,
        long,
        0 if tools is None else tools.web_search_requests or 0,
    )
