"""ccusage JSON, in every shape of its versions 18 to 20, and ``claude -p --output-format json``.

ccusage says nobody's name, merges cache writes (taken as 5-minute writes, the cheaper) and follows the local days of
the machine it ran on. Where one file has several sections, the one with the finest days is read and the others are
passed over, as all of them count the same requests. Sessions, weeks and months are totals without days.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from operator import le
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import astuple, replace

from bot.exports.reader import (
    SYNTHETIC,
    Count,
    Export,
    Reading,
    ReadingContext,
    UnreadableExport,
    as_day,
    as_instant,
    as_name,
    canonical,
    decoded,
    has_keys,
    money,
    shortened,
    why,
)
from bot.pricing import PriceConditions, PricingError, TokenUsage
from bot.spend.days import ONE_DAY, milliseconds, next_month, so_far, spend_day
from bot.spend.records import Problem, Request, UsageRecord, View, request_key

_SECTIONS = ("daily", "projects", "blocks", "entries", "sessions", "session", "weekly", "monthly")
"""Finest first; "projects" holds daily rows by project, "entries" the requests of one session."""

_ALL_AGENTS = "all"
"""Which agent a row says it is of that adds up those of its metadata."""

_EMPTY = re.compile(
    rb'\{\s*(?:"totals"\s*:\s*\{[^{}]*\}\s*,\s*)?'
    rb'"(?:daily|weekly|monthly|sessions?|blocks|projects)"\s*:\s*[\[{]\s*[\]}]'
)


class _Breakdown(Struct, rename="camel"):
    model_name: str
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_creation_tokens: Count = 0
    cache_read_tokens: Count = 0
    cost: Decimal | None = None
    missing_pricing: bool = False


class _Agent(Struct, rename="camel"):
    agent: str = "claude"
    model_breakdowns: list[Raw] = []


class _Metadata(Struct, rename="camel"):
    agents: list[str] = []
    last_activity: str | None = None


class _Row(Struct, rename="camel"):
    period: str | None = None
    date: str | None = None
    week: str | None = None
    month: str | None = None
    agent: str | None = None
    agents: list[_Agent] = []
    metadata: _Metadata | None = None
    model_breakdowns: list[Raw] = []
    session_id: str | None = None
    first_activity: str | None = None
    last_activity: str | None = None
    project: str | None = None


class _BlockCounts(Struct, rename="camel"):
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_creation_input_tokens: Count = 0
    cache_read_input_tokens: Count = 0


class _Block(
    Struct, rename={"start_time": "startTime", "token_counts": "tokenCounts", "cost": "costUSD", "is_gap": "isGap"}
):
    start_time: str
    token_counts: _BlockCounts
    cost: Decimal | None = None
    is_gap: bool = False
    models: list[str] = []


class _Entry(Struct, rename="camel"):
    timestamp: str
    model: str
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_creation_tokens: Count = 0
    cache_read_tokens: Count = 0
    cost: Decimal | None = msgspec.field(default=None, name="costUSD")


class Ccusage:
    name = "ccusage"
    title = "ccusage JSON"
    utc_days = False
    names_people = False

    def recognises(self, head: bytes) -> bool:
        start = head.lstrip()
        return start[:1] == b"{" and (
            has_keys(head, "modelBreakdowns")
            or has_keys(head, "cacheCreationTokens", "totalCost")
            or has_keys(head, "tokenCounts", "startTime")
            or _EMPTY.match(start) is not None
        )

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per row and model; ``row`` counts the rows from 1."""
        document = decoded(export.document(), dict[str, Raw], self.title)
        section = next((name for name in _SECTIONS if name in document), None)
        if section is None:
            raise UnreadableExport(f"it has none of the sections {', '.join(_SECTIONS)}")
        if section != "daily":
            yield View("entry" if section == "entries" else section.removesuffix("s"))
        written = spend_day(export.written_at, context.zone)
        session = decoded(bytes(document.get("sessionId", b'""')), str, self.title)
        found = _read_rows(document[section], section, written, session, context)
        yield from _as_one_range(found) if section.startswith("session") else found


def _read_rows(document: Raw, section: str, written: date, session: str, context: ReadingContext) -> Reading:
    """The rows of a section; ``session`` is whose requests entries are."""
    first_seen: dict[tuple[str, bytes], int] = {}
    for number, (project, raw) in enumerate(_section_rows(document, section), start=1):
        first = first_seen.setdefault((project, bytes(raw)), number)
        if first != number:
            yield Problem(number, f"Row {number} repeats row {first} and was counted once.")
            continue
        try:
            if section == "entries":
                yield from _read_entry(number, session, msgspec.json.decode(raw, type=_Entry), context)
            else:
                yield from _read_row(number, section, project, raw, written, context)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            yield Problem(number, f"Row {number} was left out: {why(error, raw)}.")


def _as_one_range(found: Reading) -> Reading:
    """Sessions overlap; where one lasted several days, all of them are known for their whole time together alone."""
    entries = list(found)
    records = [entry for entry in entries if isinstance(entry, UsageRecord)]
    if all(record.until is None for record in records):
        yield from entries
        return
    start = min(record.day for record in records)
    until = max(record.until or record.day + ONE_DAY for record in records)
    for entry in entries:
        yield replace(entry, day=start, until=until) if isinstance(entry, UsageRecord) else entry


def _section_rows(raw: Raw, section: str) -> Iterator[tuple[str, Raw]]:
    if section == "projects":
        for project, rows in decoded(bytes(raw), dict[str, list[Raw]], "ccusage JSON").items():
            yield from ((project, row) for row in rows)
    else:
        yield from (("", row) for row in decoded(bytes(raw), list[Raw], "ccusage JSON"))


def _read_row(number: int, section: str, project: str, raw: Raw, written: date, context: ReadingContext) -> Reading:
    if section == "blocks":
        yield from _read_block(number, msgspec.json.decode(raw, type=_Block), context)
        return
    row = msgspec.json.decode(raw, type=_Row)
    day, until = _days(row, section, written, context)
    part = " ".join(as_name(word, "name") for word in (project, row.session_id or _session(row, section)) if word)
    others, is_told_apart = sorted({agent.agent for agent in row.agents} - {"claude"}), bool(row.agents)
    if row.agents:
        breakdowns = [entry for agent in row.agents if agent.agent == "claude" for entry in agent.model_breakdowns]
    else:
        is_told_apart = row.agent not in (None, _ALL_AGENTS)
        named = [row.agent] if row.agent and is_told_apart else row.metadata.agents if row.metadata else []
        others = sorted(set(named) - {"claude"})
        breakdowns = [] if others else row.model_breakdowns
    if is_told_apart and not breakdowns and others:
        yield Problem(number, f"Row {number} was left out: it is of {', '.join(others)} alone.")
    elif others and not is_told_apart:
        said = f"it mixes in {', '.join(others)}; run ccusage claude {section} --json, or add --by-agent"
        yield Problem(number, f"Row {number} was left out: {said}.")
    if not breakdowns and not others:
        raise ValueError("it has no modelBreakdowns; run ccusage with --breakdown")
    for entry in breakdowns:
        try:
            used = msgspec.json.decode(entry, type=_Breakdown)
            yield _record(number, day, until, part, used, context)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            yield Problem(number, f"A model of row {number} was left out: {why(error, entry)}.")


def _session(row: _Row, section: str) -> str | None:
    return row.period if section == "session" else None


def _days(row: _Row, section: str, written: date, context: ReadingContext) -> tuple[date, date | None]:
    """The day of a row, or its first day and the day after its last, if the file was written on a day."""
    if section in ("daily", "projects"):
        return as_day(row.date or row.period or "", "date"), None
    if section == "weekly":
        monday = as_day(row.week or row.period or row.date or "", "week")
        return monday, so_far(monday, monday + timedelta(days=7), written)
    if section == "monthly":
        first = as_day(f"{row.month or row.period or row.date or ''}-01", "month")
        return first, so_far(first, next_month(first), written)
    last_said = row.last_activity or (row.metadata.last_activity if row.metadata else None) or ""
    last = _activity(last_said, context)
    first = _activity(row.first_activity, context) if row.first_activity else last
    # A session that starts nowhere may have begun on any earlier day; its last day alone would be a guess.
    if row.first_activity is None:
        first = last.replace(day=1)
        return first, so_far(first, next_month(first), written)
    return first, None if first == last else last + ONE_DAY


def _activity(text: str, context: ReadingContext) -> date:
    return (
        as_day(text, "lastActivity") if len(text) == 10 else spend_day(as_instant(text, "lastActivity"), context.zone)
    )


def _record(
    number: int, day: date, until: date | None, part: str, used: _Breakdown, context: ReadingContext
) -> UsageRecord:
    usage = TokenUsage(used.input_tokens, used.output_tokens, used.cache_read_tokens, used.cache_creation_tokens)
    name = as_name(used.model_name, "modelName")
    cost = None if used.cost is None else money(used.cost, "cost")
    is_unknown = used.missing_pricing or cost is None or (cost == 0 and usage.tokens)
    return UsageRecord(
        row=number,
        day=day,
        actor=context.someone,
        model=name.removesuffix("-fast"),
        usage=usage,
        conditions=PriceConditions(speed="fast" if name.endswith("-fast") else "standard", prompt_tier="unknown"),
        part=part,
        reported_usd=None if is_unknown else cost,
        until=until,
    )


def _read_entry(number: int, session: str, entry: _Entry, context: ReadingContext) -> Reading:
    if entry.model == SYNTHETIC:
        return
    day = spend_day(as_instant(entry.timestamp, "timestamp"), context.zone)
    part, used = as_name(f"session {session}", "sessionId"), _Breakdown(*astuple(entry)[1:])
    yield _record(number, day, None, part, used, context)


def _read_block(number: int, block: _Block, context: ReadingContext) -> Reading:
    if block.is_gap:
        return
    counts = block.token_counts
    models = sorted({as_name(model, "model") for model in block.models} - {SYNTHETIC})
    one = models[0] if len(models) == 1 else f"several ({', '.join(models)})"[:200]
    usage = TokenUsage(
        counts.input_tokens,
        counts.output_tokens,
        counts.cache_read_input_tokens,
        counts.cache_creation_input_tokens,
    )
    cost = money(block.cost or Decimal(0), "costUSD")
    started = as_instant(block.start_time, "startTime")
    yield UsageRecord(
        row=number,
        day=spend_day(started, context.zone),
        actor=context.someone,
        model=one.removesuffix("-fast"),
        usage=usage,
        conditions=PriceConditions(speed="fast" if one.endswith("-fast") else "standard", prompt_tier="unknown"),
        # A block that is still going on is told again with more in it, and maybe with another list of models.
        part=f"block {started.isoformat()}",
        reported_usd=None if not cost and usage.tokens else cost,
    )


class _ModelUse(Struct, rename="camel"):
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_input_tokens: Count = 0
    cache_creation_input_tokens: Count = 0
    cache_creation_ephemeral_5m_input_tokens: Count = msgspec.field(
        default=0, name="cacheCreationEphemeral5mInputTokens"
    )
    cache_creation_ephemeral_1h_input_tokens: Count = msgspec.field(
        default=0, name="cacheCreationEphemeral1hInputTokens"
    )
    web_search_requests: Count = 0
    cost_usd: Decimal | None = msgspec.field(default=None, name="costUSD")
    cost_basis: str | None = None


class _Run(Struct):
    model_usage: dict[str, Raw] | None = msgspec.field(default=None, name="modelUsage")
    session_id: str | None = None
    uuid: str | None = None
    total_cost_usd: Any = None


_Keys = tuple[str, str | None]
"""What tells a run from others, and what told it apart in older versions, if that is another."""

_MODEL_USAGE = b'"modelUsage"'
_NO_MODEL_USAGE = "no modelUsage; update Claude Code, whose newer versions write it"
_STARTS = re.compile(rb"^(?=[{\[])", re.MULTILINE)


class ClaudePrint:
    name = "claude_print"
    title = "output of claude -p --output-format json"
    utc_days = False
    names_people = False

    def recognises(self, head: bytes) -> bool:
        return has_keys(head, "total_cost_usd", "modelUsage") or has_keys(head, "total_cost_usd", "session_id")

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per run and model. A run carries no date: it counts on the day that the file was written."""
        text = export.document()
        # One run a line, or over several that are indented, as jq writes them.
        runs = [text] if _is_one(text) else _STARTS.split(text)
        lines = list(filter(None, map(bytes.strip, runs)))
        # A list is all that one process said; of lines nobody knows where one ends.
        said = [list(map(bytes, decoded(line, list[Raw], self.title))) for line in lines if line[:1] == b"["]
        said.append([line for line in lines if line[:1] != b"["])
        if not any(_MODEL_USAGE in raw for stream in said for raw in stream):
            raise UnreadableExport(f"it has {_NO_MODEL_USAGE}")
        number = 1
        for stream in said:
            results = [raw for raw in stream if _is_result(raw)]
            yield from _read_results(number, results, export, context, is_stream=len(results) < len(stream))
            number += len(results)


def _is_result(raw: bytes) -> bool:
    """Whether it may be what a run says at its end: what it says while it goes on tells no cost."""
    return _MODEL_USAGE in raw or b'"total_cost_usd"' in raw or not _is_one(raw)


def _read_results(
    first: int, results: list[bytes], export: Export, context: ReadingContext, *, is_stream: bool
) -> Reading:
    """Results, numbered from ``first``; in a stream each one of a session may restate the ones before it."""
    last: dict[str, tuple[dict[str, Raw], _Keys]] = {}
    for number, raw in enumerate(results, first):
        try:
            run = msgspec.json.decode(raw, type=_Run)
            if run.model_usage is None and run.total_cost_usd is None:
                continue  # what a run says while it goes on, of which the words are in it somewhere
            if run.model_usage is None:
                raise ValueError(f"it has {_NO_MODEL_USAGE}")
            if not run.model_usage and run.total_cost_usd:
                raise ValueError(f"it cost ${shortened(run.total_cost_usd)}, and its modelUsage names no model")
            # A session that goes on is several runs, each with usage of its own.
            keys = run.uuid or _digest(canonical(raw)), None if run.uuid else run.session_id or _digest(raw)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            yield Problem(number, f"Run {number} was left out: {why(error, raw)}.")
            continue
        if is_stream and run.session_id:
            before, known = last.get(run.session_id, ({}, keys))
            keys = known if _is_restated(before, run.model_usage) else keys
            last[run.session_id] = run.model_usage, keys
        yield from _read_run(number, run.model_usage, keys, export, context)


def _is_restated(before: dict[str, Raw], after: dict[str, Raw]) -> bool:
    """Whether nothing that a result says is less in a later one.

    Of one process that is asked again and again each result is the total of all so far, as its makers say:
    https://github.com/anthropics/claude-code/issues/83239.
    """
    try:
        earlier, later = (
            {model: _run_usage(msgspec.json.decode(raw, type=_ModelUse)) for model, raw in usage.items()}
            for usage in (before, after)
        )
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return all(model in later and all(map(le, used, later[model])) for model, used in earlier.items())


def _is_one(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=Raw)
    except msgspec.DecodeError:
        return False
    return True


def _digest(raw: bytes) -> str:
    return hashlib.blake2b(raw, digest_size=16).hexdigest()


def _read_run(number: int, usage: dict[str, Raw], keys: _Keys, export: Export, context: ReadingContext) -> Reading:
    key, former = keys
    day = spend_day(export.written_at, context.zone)
    for name, entry in usage.items():
        try:
            used = msgspec.json.decode(entry, type=_ModelUse)
            model = as_name(re.sub(r"\[1m\]$", "", name), "model")
            request = Request(
                request_key(f"{key}\0{name}".encode()),
                milliseconds(export.written_at),
                former=None if former is None else request_key(f"{former}\0{name}".encode()),
            )
            yield UsageRecord(
                row=number,
                day=day,
                actor=context.someone,
                model=model,
                usage=_run_usage(used),
                conditions=PriceConditions(prompt_tier="unknown"),
                part="run",
                reported_usd=_run_cost(used, model, day, context),
                request=request,
            )
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            yield Problem(number, f"A model of run {number} was left out: {why(error, entry)}.")


def _run_usage(used: _ModelUse) -> TokenUsage:
    long = used.cache_creation_ephemeral_1h_input_tokens
    short = max(used.cache_creation_ephemeral_5m_input_tokens, used.cache_creation_input_tokens - long, 0)
    return TokenUsage(
        used.input_tokens, used.output_tokens, used.cache_read_input_tokens, short, long, used.web_search_requests
    )


def _run_cost(used: _ModelUse, model: str, day: date, context: ReadingContext) -> Decimal | None:
    """What Claude Code worked out, unless it did not know the model and took another one's price."""
    cost = None if used.cost_usd is None else money(used.cost_usd, "costUSD")
    return cost if cost and used.cost_basis != "unknown" and is_priced(model, day, context) else None


def is_priced(model: str, day: date, context: ReadingContext) -> bool:
    """Whether the price book knows the model. For others Claude Code states the price of a model that it does know."""
    try:
        context.book.price_at(context.book.model(model, day).id, day)
    except PricingError:
        return False
    return True
