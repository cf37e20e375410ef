"""Exports of gateways: LiteLLM's daily activity and spend logs, and OpenRouter's two CSVs. Dollars are theirs."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw, Struct

from bot.exports.reader import (
    STATED,
    Count,
    Export,
    Page,
    Reading,
    ReadingContext,
    UnreadableExport,
    as_count,
    as_day,
    as_dollars,
    as_instant,
    as_name,
    csv_dicts,
    decoded,
    decoded_pages,
    documents,
    email_actor,
    first_line,
    has_keys,
    money,
    more_pages,
    shortened,
    why,
)
from bot.pricing import PriceConditions, TokenUsage
from bot.spend.days import milliseconds, spend_day
from bot.spend.records import ANTHROPIC, GATEWAY, NO_KEY, Actor, Member, Problem, Request, UsageRecord, request_key

_UNKNOWN_SIZE = PriceConditions(prompt_tier="unknown")


class _Metrics(Struct):
    spend: Decimal | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None


class _KeyMetadata(Struct):
    key_alias: str | None = None
    user_id: str | None = None
    user_email: str | None = None


class _Key(Struct):
    metrics: _Metrics
    metadata: _KeyMetadata = msgspec.field(default_factory=_KeyMetadata)


class _Model(_Metrics):
    """Its figures are its ``metrics``; the first versions wrote them beside the name, and told no keys of it."""

    metrics: _Metrics | None = None
    api_key_breakdown: dict[str, Raw] = {}


class _Breakdowns(Struct):
    models: dict[str, Raw] = {}


class _Day(Struct):
    date: str
    metrics: _Metrics = msgspec.field(default_factory=_Metrics)
    breakdown: _Breakdowns = msgspec.field(default_factory=_Breakdowns)


class _Activity(Struct):
    results: list[Raw]
    metadata: Page | None = None


class _Owners:
    """Whose the keys of a file are: the activity and the logs name a key by its owner, its alias or its hash."""

    def __init__(self) -> None:
        self._found: dict[str, set[Actor]] = defaultdict(set)

    def add(self, actor: Actor, *names: str | None) -> None:
        """Note a key's names beside the one that its usage is counted under."""
        for name in names:
            if name and name.strip() and name != actor.name:
                self._found[as_name(name, "api key")].add(actor)

    def members(self) -> Iterator[Member]:
        """Who has which key, of those that are one person's alone."""
        for name, owners in self._found.items():
            for kind, owner in owners if len(owners) == 1 else ():
                if kind == "email":
                    yield Member(0, owner, account=name, kind="api_key")


class LiteLlmActivity:
    name = "litellm_activity"
    title = "LiteLLM daily activity"
    utc_days = True
    names_people = True

    def recognises(self, head: bytes) -> bool:
        is_empty = has_keys(head, "results", "metadata", "total_spend") and b'"results":[]' in b"".join(head.split())
        return has_keys(head, "results", "metrics", "spend", "prompt_tokens") or is_empty

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per day, model and key; the file's other breakdowns count the same requests again."""
        text = export.document()
        pages = decoded_pages(text, _Activity, self.title)
        owners = _Owners()
        first_seen: dict[bytes, int] = {}
        for number, raw in enumerate((raw for page in pages for raw in page.results), start=1):
            first = first_seen.setdefault(bytes(raw), number)
            if first != number:
                yield Problem(number, f"Day {number} repeats day {first} and was counted once.")
                continue
            try:
                entry = msgspec.json.decode(raw, type=_Day)
                day = as_day(entry.date, "date")
                if not entry.breakdown.models and (entry.metrics.spend or entry.metrics.prompt_tokens):
                    raise ValueError("it has spend but no breakdown by model; ask for /user/daily/activity with it")
                for name, model in entry.breakdown.models.items():
                    yield from _model_records(number, day, name, model, owners)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                yield Problem(number, f"Day {number} was left out: {why(error, raw)}.")
        yield from owners.members()
        yield from more_pages([page.metadata or Page() for page in pages])


def _model_records(number: int, day: date, name: str, raw: Raw, owners: _Owners) -> Reading:
    try:
        model = msgspec.json.decode(raw, type=_Model)
        known = []
        for key, said in model.api_key_breakdown.items():
            try:
                entry = msgspec.json.decode(said, type=_Key)
                record = _key_record(number, day, name, key, entry)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                whose = f"Key {shortened(key)} of {shortened(name)} on day {number}"
                yield Problem(number, f"{whose} was left out: {why(error, said)}.")
                continue
            owners.add(record.actor, entry.metadata.key_alias, key)
            known.append(entry.metrics)
            yield record
        rest = _of_no_key(model.metrics or model, known)
        if rest is not None:
            yield _key_record(number, day, name, NO_KEY, _Key(rest))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        yield Problem(number, f"A model of day {number} was left out: {why(error, raw)}.")


def _key_record(number: int, day: date, name: str, key: str, entry: _Key) -> UsageRecord:
    usage, spend = _usage(entry.metrics), money(entry.metrics.spend or Decimal(0), "spend")
    return UsageRecord(
        row=number,
        day=day,
        actor=_key_actor(key, entry.metadata),
        model=_model_name(name),
        usage=usage,
        conditions=_UNKNOWN_SIZE,
        reported_usd=spend if spend or not usage.tokens else None,
        vendor=_vendor(name),
    )


def _of_no_key(model: _Metrics, listed: Sequence[_Metrics]) -> _Metrics | None:
    """What a model came to beyond the keys that are listed: LiteLLM lists no more of them than it was asked for."""
    left: dict[str, Any] = {name: getattr(model, name) or 0 for name in _Metrics.__struct_fields__}
    for name in left:
        left[name] = max(0, left[name] - sum(getattr(key, name) or 0 for key in listed))
    # Sums of spend differ by less than can be stored.
    left["spend"] = money(Decimal(left["spend"]), "spend")
    return _Metrics(**left) if any(left.values()) or not listed else None


def _usage(metrics: _Metrics) -> TokenUsage:
    """LiteLLM's prompt tokens hold the cached ones as well."""
    read, written = metrics.cache_read_input_tokens or 0, metrics.cache_creation_input_tokens or 0
    return TokenUsage(
        max(0, (metrics.prompt_tokens or 0) - read - written), metrics.completion_tokens or 0, read, written
    )


def _key_actor(key: str, said: _KeyMetadata) -> Actor:
    if said.user_email or "@" in (said.user_id or ""):
        return email_actor(as_name(said.user_email or said.user_id or "", "user_email"))
    return Actor("api_key", as_name(said.key_alias or said.user_id or key, "api key"))


_CLAUDE_AT = ("anthropic", "bedrock", "vertex_ai", "openrouter")
_OTHERS = re.compile(
    r"(?:^|[/.:])(?:"
    r"(?P<openai>openai\b|gpt-|chatgpt|o[1-9](?:-|$)|codex|text-embedding|whisper|tts-|dall-e)"
    r"|(?P<google>google\b|gemini|gemma|imagen)|(?P<meta>meta\b|llama|codellama)|(?P<amazon>amazon\b|nova-|titan)"
    r"|(?P<mistral>mistral|mixtral|ministral|codestral|devstral|magistral|pixtral)|(?P<deepseek>deepseek)"
    r"|(?P<qwen>qwen|qwq)|(?P<xai>x-?ai\b|grok)|(?P<cohere>cohere|command-|embed-|rerank)"
    r"|(?P<moonshot>moonshot|kimi)|(?P<zhipu>z-?ai\b|glm-)|(?P<minimax>minimax)|(?P<microsoft>microsoft|phi-))"
)
"""Other makers' models by the names they go by, with or without whoever hosts them."""


def _model_name(name: str) -> str:
    return as_name(re.sub(r"^(?:anthropic|bedrock|vertex_ai|openrouter)/", "", name), "model")


def _vendor(name: str) -> str:
    """Whose model it is. A team's own name for one says nothing, and is taken for Claude."""
    lowered = name.lower()
    maker, separator, _ = lowered.partition("/")
    if "claude" in lowered:
        return ANTHROPIC
    if separator and maker not in _CLAUDE_AT:
        return as_name(maker, "model")
    other = _OTHERS.search(lowered)
    return str(other.lastgroup) if other else ANTHROPIC


class _Log(Struct):
    request_id: str
    model: str
    started: str = msgspec.field(name="startTime")
    spend: Decimal = Decimal(0)
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    api_key: str = ""
    user: str | None = None
    metadata: Raw = Raw(b"{}")
    cache_hit: Any = None
    status: Any = None

    @property
    def is_free(self) -> bool:
        """Whether no tokens were paid for: the gateway had the answer already, or the call failed."""
        return self.status == "failure" or str(self.cache_hit).lower() == "true"


class _LogUsage(Struct):
    cache_read_input_tokens: Count | None = 0
    cache_creation_input_tokens: Count | None = 0


class _LogMetadata(Struct):
    user_api_key_alias: str | None = None
    user_api_key_user_email: str | None = None
    usage_object: _LogUsage | None = None
    additional_usage_values: _LogUsage | None = None


class LiteLlmLogs:
    name = "litellm_spend_logs"
    title = "LiteLLM spend logs"
    utc_days = False
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return has_keys(head, "request_id", "spend", "startTime") or _is_of_sums(head)

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per request; ``row`` counts them from 1."""
        owners = _Owners()
        if _is_of_sums(export.head()):
            raise UnreadableExport("it holds sums of days; ask for /spend/logs with summarize=false")
        for number, raw in enumerate(_logs(export.document(), self.title), start=1):
            try:
                log = msgspec.json.decode(raw, type=_Log)
                if not log.model and log.is_free and not (log.spend or log.prompt_tokens or log.completion_tokens):
                    continue  # a call that failed before there was a model
                said = _log_metadata(log.metadata)
                record = _log_record(number, log, said, context)
                owners.add(record.actor, said.user_api_key_alias, log.api_key)
                yield record
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                yield Problem(number, f"Log {number} was left out: {why(error, raw)}.")
        yield from owners.members()


def _is_of_sums(head: bytes) -> bool:
    return has_keys(head, "startTime", "spend", "models") and not has_keys(head, "request_id")


def _logs(text: bytes, title: str) -> Iterator[Raw]:
    if text[:1] == b"[":
        yield from decoded(text, list[Raw], title)
        return
    for document in documents(text):
        page = decoded(document, dict[str, Raw], title)
        if "data" in page:
            yield from decoded(bytes(page["data"]), list[Raw], title)
        elif "request_id" in page:
            yield Raw(document)  # one a line
        else:
            raise UnreadableExport("it has neither a list of logs nor “data”")


def _log_record(number: int, log: _Log, said: _LogMetadata, context: ReadingContext) -> UsageRecord:
    at = _instant(log.started, "startTime")
    usage = _log_usage(log, said)
    spend = money(log.spend, "spend")
    user = said.user_api_key_user_email or log.user or ""
    # Of models that the gateway has no price for it says zero as well.
    is_stated = bool(spend) or not usage.tokens or log.is_free
    return UsageRecord(
        row=number,
        day=spend_day(at, context.zone),
        actor=email_actor(as_name(user, "user"))
        if "@" in user
        else Actor("api_key", as_name(said.user_api_key_alias or user or log.api_key or NO_KEY, "api_key")),
        model=_model_name(log.model),
        usage=usage,
        conditions=_UNKNOWN_SIZE,
        part=STATED if is_stated else "",
        reported_usd=spend if is_stated else None,
        request=Request(request_key(log.request_id.encode()), milliseconds(at)),
        vendor=_vendor(log.model),
    )


def _instant(text: str, field: str) -> datetime:
    """The logs' times are in UTC, where they leave the zone out as well."""
    has_zone = re.search(r"(?:Z|[+-]\d{2}:?\d{2})$", text)
    return as_instant(text if has_zone else f"{text}Z", field)


def _log_metadata(raw: Raw) -> _LogMetadata:
    """The metadata, which is an object or a JSON string of one."""
    text = bytes(raw)
    if text[:1] == b'"':
        text = msgspec.json.decode(text, type=str).encode() or b"{}"
    return msgspec.json.decode(text, type=_LogMetadata) if text[:1] == b"{" else _LogMetadata()


def _log_usage(log: _Log, said: _LogMetadata) -> TokenUsage:
    """The cached share stands in the metadata of newer versions; without it the whole prompt is plain input."""
    split = said.usage_object or said.additional_usage_values or _LogUsage()
    read, written = split.cache_read_input_tokens or 0, split.cache_creation_input_tokens or 0
    return TokenUsage(max(0, log.prompt_tokens - read - written), log.completion_tokens, read, written)


class OpenRouter:
    name = "openrouter_csv"
    title = "OpenRouter activity CSV"
    utc_days = True
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return {"Date", "Slug", "Usage"} <= first_line(head)

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per row; ``row`` is the line of the file. Nobody is named, so the spend stays unassigned."""
        columns = ("Date", "Slug", "Usage", "Prompt Tokens", "Completion Tokens")
        for number, row in csv_dicts(export, columns, each_once=True):
            try:
                if isinstance(row, str):
                    raise ValueError(row)
                usd = as_dollars(row["Usage"], "Usage") + as_dollars(row.get("BYOK Usage") or "0", "BYOK Usage")
                usage = TokenUsage(
                    as_count(row["Prompt Tokens"], "Prompt Tokens"),
                    as_count(row["Completion Tokens"], "Completion Tokens"),
                )
                # No dollars for tokens means that no cost is known, except where the model is called free.
                is_stated = usd or not usage.tokens or row["Slug"].endswith(":free")
                yield UsageRecord(
                    row=number,
                    day=as_day(row["Date"], "Date"),
                    actor=Actor(GATEWAY, "OpenRouter"),
                    model=_openrouter_model(row["Slug"]),
                    usage=usage,
                    conditions=_UNKNOWN_SIZE,
                    reported_usd=usd if is_stated else None,
                    vendor=_openrouter_vendor(row["Slug"]),
                )
            except ValueError as error:
                yield Problem(number, f"Row {number} was left out: {error}.")


_LOG_COLUMNS = ("generation_id", "created_at", "cost_total", "tokens_prompt", "tokens_completion", "model_permaslug")


class OpenRouterLogs:
    name = "openrouter_logs"
    title = "OpenRouter CSV of single requests"
    utc_days = False
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return {"generation_id", "cost_total", "model_permaslug"} <= first_line(head)

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per request; ``row`` is the line. Prompt tokens hold the cached ones; writes are not told."""
        for number, row in csv_dicts(export, _LOG_COLUMNS):
            try:
                if isinstance(row, str):
                    raise ValueError(row)
                yield _openrouter_request(number, row, context)
            except ValueError as error:
                yield Problem(number, f"Row {number} was left out: {error}.")


def _openrouter_request(number: int, row: dict[str, str], context: ReadingContext) -> UsageRecord:
    at, slug = _instant(row["created_at"], "created_at"), row["model_permaslug"]
    own, upstream = (as_dollars(row.get(name) or "0", name) for name in ("cost_total", "byok_usage_inference"))
    prompt, output, read = (
        as_count(row.get(name) or "0", name) for name in ("tokens_prompt", "tokens_completion", "tokens_cached")
    )
    usage = TokenUsage(max(0, prompt - read), output, read)
    key = row.get("api_key_name", "")
    is_stated = bool(own + upstream) or not usage.tokens or row.get("variant") == "free"
    return UsageRecord(
        row=number,
        day=spend_day(at, context.zone),
        actor=Actor("api_key", as_name(key, "api_key_name")) if key else Actor(GATEWAY, "OpenRouter"),
        model=_openrouter_model(slug),
        usage=usage,
        conditions=_UNKNOWN_SIZE,
        part=STATED if is_stated else "",
        reported_usd=own + upstream if is_stated else None,
        request=Request(request_key(as_name(row["generation_id"], "generation_id").encode()), milliseconds(at)),
        vendor=_openrouter_vendor(slug),
    )


def _openrouter_vendor(slug: str) -> str:
    """Claude is Claude wherever it is bought; other makers' models are kept apart from it."""
    maker, separator, _ = slug.partition("/")
    return as_name(maker, "Slug") if separator and maker != ANTHROPIC else ANTHROPIC


def _openrouter_model(slug: str) -> str:
    return as_name(slug.removeprefix("anthropic/"), "Slug")
