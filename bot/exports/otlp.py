"""OpenTelemetry bodies as Claude Code sends them: OTLP logs (events) and metrics, in JSON and protobuf.

An event ``api_request`` is one request, with both lifetimes of cache writes since 2.1.330. A metric point is a count
since the last one (delta) or since the session's start (cumulative). Both describe the same requests: where a person's
day has events, its metrics are not used. JSON may have whole numbers as numbers or as strings; both are read.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from bot.exports.ccusage import is_priced
from bot.exports.reader import (
    BOM,
    MAX_COUNT,
    MAX_DOCUMENT,
    STATED,
    Export,
    Reading,
    ReadingContext,
    UnreadableExport,
    as_instant,
    as_name,
    check_values,
    decoded,
    email_actor,
    has_keys,
    money,
    shortened,
    whole_characters,
    why,
)
from bot.pricing import PriceConditions, TokenUsage
from bot.spend.days import milliseconds, spend_day
from bot.spend.records import MACHINE, Actor, AlsoHolds, Member, Problem, Request, UsageRecord, request_key

if TYPE_CHECKING:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

LOGS, METRICS = "logs", "metrics"
_MAX_PROTOBUF = 16 * 1024 * 1024
_EMPTY_MESSAGES, _FEW_EMPTY = (b"\x0a\x00", b"\x12\x00", b"\x1a\x00"), 20_000
"""How an empty record is written: what is made of its two bytes takes fifty times as much memory."""

VALUE_BYTES = 4
"""For ``check_values``: of other programs' histograms a value may take 5 bytes."""
REQUEST_EVENT = "api_request"
_PREFIX = "claude_code."
TOKENS, COST = "claude_code.token.usage", "claude_code.cost.usage"
CUMULATIVE = 2
_KINDS = {"input": "input", "output": "output", "cacheRead": "cache_read", "cacheCreation": "cache_write_5m"}
_MICRO = Decimal("0.000001")
_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,40})?([eE][+-]?\d{1,3})?", re.ASCII)
_SCOPE = b"com.anthropic.claude_code"

Attributes = dict[str, Any]


class Event(NamedTuple):
    """One log record: when, and what it says; the resource's attributes are among them."""

    at: datetime
    attributes: Attributes


class Point(NamedTuple):
    """One data point of a sum. ``started`` is in nanoseconds; ``cumulative`` says that it counts since then."""

    metric: str
    at: datetime
    started: int
    value: Decimal
    cumulative: bool
    attributes: Attributes


class OtlpEvents:
    name = "otlp_events"
    title = "OpenTelemetry events (OTLP logs)"
    utc_days = False
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return has_keys(head, "resourceLogs") or (_is_protobuf(head) and _SCOPE + b".events" in head)

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per api_request event; ``row`` counts all events from 1."""
        yield from event_records(_bodies(export, LOGS, self.title), context)


class OtlpMetrics:
    name = "otlp_metrics"
    title = "OpenTelemetry metrics (OTLP metrics)"
    utc_days = False
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return has_keys(head, "resourceMetrics") or (_is_protobuf(head) and _SCOPE in head)

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per point of a token or cost sum; ``row`` counts all points from 1."""
        yield from point_records(_bodies(export, METRICS, self.title), context)


def decode_events(body: bytes, *, is_json: bool) -> Iterator[Event | Problem]:
    """The events of one request body, of which each is made when it is asked for. Raises UnreadableExport at once."""
    return _json_events(whole_characters(body)) if is_json else _protobuf_events(body)


def decode_points(body: bytes, *, is_json: bool) -> Iterator[Point | Problem]:
    """The same of the data points of one request body."""
    return _json_points(whole_characters(body)) if is_json else _protobuf_points(body)


def event_records(found: Iterable[Event | Point | Problem | AlsoHolds], context: ReadingContext) -> Reading:
    """The usage that events tell of; other events are passed over."""
    known: set[tuple[str, str]] = set()
    for number, event in enumerate(found, start=1):
        if isinstance(event, Problem | AlsoHolds):
            yield event
        elif isinstance(event, Event) and event.attributes.get("event.name") == REQUEST_EVENT:
            try:
                yield from _members(number, event.attributes, known)
                yield _event_record(number, event, context)
            except ValueError as error:
                yield Problem(number, f"Event {number} was left out: {shortened(error, 200)}.")


def point_records(found: Iterable[Event | Point | Problem | AlsoHolds], context: ReadingContext) -> Reading:
    """The usage that data points tell of; other metrics are passed over."""
    known: set[tuple[str, str]] = set()
    for number, point in enumerate(found, start=1):
        if isinstance(point, Problem | AlsoHolds):
            yield point
        elif isinstance(point, Point) and (point.metric == TOKENS or (point.metric == COST and point.value)):
            try:
                yield from _members(number, point.attributes, known)
                yield _point_record(number, point, context)
            except ValueError as error:
                yield Problem(number, f"Point {number} was left out: {shortened(error, 200)}.")


def _event_record(number: int, event: Event, context: ReadingContext) -> UsageRecord:
    said = event.attributes
    usage = _event_usage(said)
    day = spend_day(event.at, context.zone)
    model = as_name(str(said.get("model") or ""), "model")
    # A request id alone is not enough: ids of different sessions have been seen to be the same.
    if said.get("request_id"):
        identity = f"{said.get('session.id')}\0{said['request_id']}"
    else:
        identity = repr(sorted((name, str(value)) for name, value in said.items()))
        if "event.timestamp" not in said:
            identity = f"{event.at.isoformat()}\0{identity}"
    # Zero for tokens that were used means that no cost is known, not that they were free.
    reported = (_event_cost(said) if is_priced(model, day, context) else None) or (None if usage.tokens else Decimal(0))
    return UsageRecord(
        row=number,
        day=day,
        actor=_actor(said),
        model=model,
        usage=usage,
        conditions=PriceConditions(
            speed=_speed(said), prompt_tier=context.book.prompt_tier(model, day, usage.prompt_tokens)
        ),
        part="" if reported is None else STATED,
        reported_usd=reported,
        request=Request(_digest(identity), milliseconds(event.at)),
    )


def _event_usage(said: Attributes) -> TokenUsage:
    written = _count(said, "cache_creation_tokens")
    long = _count(said, "cache_creation_1h_tokens")
    short = max(_count(said, "cache_creation_5m_tokens"), written - long)
    return TokenUsage(
        _count(said, "input_tokens"), _count(said, "output_tokens"), _count(said, "cache_read_tokens"), short, long
    )


def _event_cost(said: Attributes) -> Decimal | None:
    if "cost_usd_micros" in said:
        return money(_number(said, "cost_usd_micros") * _MICRO, "cost_usd_micros")
    return money(_number(said, "cost_usd"), "cost_usd") if "cost_usd" in said else None


def _point_record(number: int, point: Point, context: ReadingContext) -> UsageRecord:
    said = point.attributes
    day = spend_day(point.at, context.zone)
    model = as_name(str(said.get("model") or ""), "model")
    usage, reported = TokenUsage(), None
    if point.metric == TOKENS:
        kind = _KINDS.get(str(said.get("type")))
        if kind is None:
            raise ValueError(f"its type is “{shortened(said.get('type'))}”; expected {', '.join(_KINDS)}")
        usage = TokenUsage(**{kind: _whole(point.value)})
    elif is_priced(model, day, context):
        reported = money(point.value, COST)
    return UsageRecord(
        row=number,
        day=day,
        actor=_actor(said),
        model=model,
        usage=usage,
        conditions=PriceConditions(speed=_speed(said), prompt_tier="unknown"),
        reported_usd=reported,
        request=_point_request(point, day.isoformat()),
    )


def _point_request(point: Point, day: str) -> Request:
    series = _digest(
        (point.metric, point.started, point.cumulative, sorted((k, str(v)) for k, v in point.attributes.items()))
    )
    if point.cumulative:
        return Request(_digest((series, day)), milliseconds(point.at), series=series)
    return Request(_digest((series, point.at.isoformat())), milliseconds(point.at))


def _speed(said: Attributes) -> str:
    speed = str(said.get("speed") or "normal")
    return "standard" if speed in ("normal", "standard") else speed


def _actor(said: Attributes) -> Actor:
    for name in ("user.email", "enduser.id"):
        value = str(said.get(name) or "")
        if "@" in value:
            return email_actor(as_name(value, name))
    for name in ("enduser.id", "user.account_uuid", "user.account_id", "user.id"):
        if said.get(name):
            return Actor("account", as_name(str(said[name]), name))
    return Actor(MACHINE, "OpenTelemetry without a user")


def _members(number: int, said: Attributes, known: set[tuple[str, str]]) -> Iterator[Member]:
    """The ids that stand beside an address, by which other exports name the same person."""
    email = str(said.get("user.email") or "")
    if "@" not in email:
        return
    for name in ("user.account_uuid", "user.account_id", "user.id"):
        account = str(said.get(name) or "")
        if account and (email, account) not in known:
            known.add((email, account))
            address = email_actor(as_name(email, "user.email")).name
            yield Member(number, address, account=as_name(account, name), is_device=name == "user.id")


def _count(said: Attributes, name: str) -> int:
    return _whole(_number(said, name)) if name in said else 0


def _whole(value: Decimal) -> int:
    # The range comes first: the digits of 1e9999999 as a whole number take minutes.
    if not value.is_finite() or not 0 <= value <= MAX_COUNT or value != int(value):
        raise ValueError(f"it counts {shortened(value)}; expected a whole number from 0 to {MAX_COUNT:,}")
    return int(value)


def _number(said: Attributes, name: str) -> Decimal:
    text = str(said[name])
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{name} is “{shortened(text)}”; expected a number")
    return Decimal(text)


def _digest(value: object) -> bytes:
    return request_key(repr(value).encode())


# Files


def _bodies(export: Export, kind: str, title: str) -> Iterator[Event | Point | Problem | AlsoHolds]:
    """What the bodies in a file hold: one body, a list of them, or one on each line."""
    if not export.head().lstrip().startswith((b"{", b"[")):
        content = export.content()
        yield from decode_events(content, is_json=False) if kind == LOGS else decode_points(content, is_json=False)
        return
    key, other_key = b'"resourceLogs"', b'"resourceMetrics"'
    key, other_key = (key, other_key) if kind == LOGS else (other_key, key)
    passed_over = False
    for number, (body, is_alone) in enumerate(_json_bodies(export, title), start=1):
        passed_over = passed_over or other_key in body
        if key in body or not (b'"resource' in body or _is_json(body)):
            try:
                yield from decode_events(body, is_json=True) if kind == LOGS else decode_points(body, is_json=True)
            except UnreadableExport as error:
                if is_alone:
                    raise
                # As the last line of a file that is being written to.
                yield Problem(number, f"Body {number} was left out: {error}.")
    if passed_over:
        yield AlsoHolds("otlp_metrics", "metrics") if kind == LOGS else AlsoHolds("otlp_events", "events")


def _json_bodies(export: Export, title: str) -> Iterator[tuple[bytes, bool]]:
    """The bodies of a file, each with whether it is the only one; of one on each line there is one in memory."""
    first = whole_characters(export.file.readline(MAX_DOCUMENT).removeprefix(BOM).strip())
    is_by_line = first.startswith(b"{") and _is_json(first)
    if is_by_line and (second := export.file.readline(MAX_DOCUMENT)):
        lines = chain((first, second), iter(lambda: export.file.readline(MAX_DOCUMENT), b""))
        for line in filter(None, map(bytes.strip, lines)):
            check_values(line, VALUE_BYTES)
            yield line, False
        return
    export.file.seek(0)
    text = export.content().removeprefix(BOM).strip()
    check_values(text, VALUE_BYTES)
    text = whole_characters(text)
    if text[:1] == b"[":
        bodies = list(map(bytes, decoded(text, list[Raw], title)))
    else:
        bodies = [text] if _is_json(text) else list(filter(None, map(bytes.strip, text.splitlines())))
    yield from ((body, len(bodies) == 1) for body in bodies)


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _is_protobuf(head: bytes) -> bool:
    return head[:1] == b"\n" and _SCOPE in head


# JSON


class _Value(Struct, rename="camel"):
    string_value: str | None = None
    int_value: int | str | None = None
    double_value: Decimal | None = None
    bool_value: bool | None = None


class _KeyValue(Struct):
    key: str
    value: _Value | None = None


class _Resource(Struct):
    attributes: list[_KeyValue] | None = None


class _LogRecord(Struct, rename="camel"):
    time_unix_nano: int | str | None = 0
    observed_time_unix_nano: int | str | None = 0
    attributes: list[_KeyValue] | None = None
    event_name: str | None = None
    body: Raw = Raw(b"{}")


class _ScopeLogs(Struct, rename="camel"):
    log_records: list[Raw] | None = None


class _ResourceLogs(Struct, rename="camel"):
    resource: _Resource | None = None
    scope_logs: list[_ScopeLogs] | None = None


class _Logs(Struct, rename="camel"):
    """A body, of which a damaged record costs itself alone, and each is decoded when its turn comes."""

    resource_logs: list[_ResourceLogs] | None = None


class _DataPoint(Struct, rename="camel"):
    attributes: list[_KeyValue] | None = None
    start_time_unix_nano: int | str | None = 0
    time_unix_nano: int | str | None = 0
    as_double: Raw = Raw(b"null")
    as_int: int | str | None = None


class _Sum(Struct, rename="camel"):
    data_points: list[Raw] | None = None
    aggregation_temporality: int | str | None = 1


class _Metric(Struct):
    name: str
    sum: _Sum | None = None


class _ScopeMetrics(Struct):
    metrics: list[_Metric] | None = None


class _ResourceMetrics(Struct, rename="camel"):
    resource: _Resource | None = None
    scope_metrics: list[_ScopeMetrics] | None = None


class _Metrics(Struct, rename="camel"):
    resource_metrics: list[_ResourceMetrics] | None = None


_RECORDS, _POINTS = msgspec.json.Decoder(_LogRecord), msgspec.json.Decoder(_DataPoint)


def _json_events(body: bytes) -> Iterator[Event | Problem]:
    return _events_of(decoded(body, _Logs, "OTLP logs body"))


def _events_of(logs: _Logs) -> Iterator[Event | Problem]:
    number = 0
    for resource in logs.resource_logs or ():
        shared = _resource_attributes(resource.resource)
        for record in (record for scope in resource.scope_logs or () for record in scope.log_records or ()):
            number += 1
            try:
                known = _RECORDS.decode(record)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                yield Problem(number, f"Event {number} was left out: {why(error, record)}.")
                continue
            said = shared | _attributes(known.attributes)
            said |= _name(said.get("event.name") or known.event_name or _text(known.body))
            yield _event(number, known.time_unix_nano or known.observed_time_unix_nano or 0, said)


def _name(said: Any) -> Attributes:
    """The name of an event as an attribute, which collectors may have left in the record or its body alone."""
    return {"event.name": str(said).removeprefix(_PREFIX)} if said else {}


def _text(body: Raw) -> str | None:
    try:
        return msgspec.json.decode(body, type=_Value).string_value
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _event(number: int, nanoseconds: int | str, said: Attributes) -> Event | Problem:
    try:
        return Event(_at(nanoseconds, said), said)
    except (ValueError, OverflowError) as error:
        return Problem(number, f"Event {number} was left out: {shortened(error, 200)}.")


def _point(
    number: int, metric: str, at: int | str, started: int | str, value: Decimal, cumulative: bool, said: Attributes
) -> Point | Problem:
    try:
        return Point(metric, _at(at, said), _nanoseconds(started), value, cumulative, said)
    except (ValueError, OverflowError) as error:
        return Problem(number, f"Point {number} was left out: {shortened(error, 200)}.")


def _json_points(body: bytes) -> Iterator[Point | Problem]:
    return _points_of(decoded(body, _Metrics, "OTLP metrics body"))


def _points_of(metrics: _Metrics) -> Iterator[Point | Problem]:
    number = 0
    for resource in metrics.resource_metrics or ():
        shared = _resource_attributes(resource.resource)
        for metric in (metric for scope in resource.scope_metrics or () for metric in scope.metrics or ()):
            if metric.sum is None or metric.name not in (TOKENS, COST):
                continue
            cumulative = metric.sum.aggregation_temporality in (CUMULATIVE, "AGGREGATION_TEMPORALITY_CUMULATIVE")
            for raw in metric.sum.data_points or ():
                number += 1
                try:
                    point = _POINTS.decode(raw)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    yield Problem(number, f"Point {number} was left out: {why(error, raw)}.")
                    continue
                said = shared | _attributes(point.attributes)
                value = _decimal(point.as_int) if bytes(point.as_double) == b"null" else _double(point.as_double)
                at, started = point.time_unix_nano or 0, point.start_time_unix_nano or 0
                yield _point(number, metric.name, at, started, value, cumulative, said)


def _decimal(value: int | str | None) -> Decimal:
    """A whole number in JSON; what is none becomes NaN, which no count accepts."""
    return Decimal(str(value)) if re.fullmatch(r"-?\d{1,20}", str(value), re.ASCII) else Decimal("NaN")


def _double(value: Raw) -> Decimal:
    """A number in JSON, or in quotes as JSON has it; what is none becomes NaN, which no count accepts."""
    text = bytes(value).decode("utf-8", "replace").strip('"')
    return Decimal(text) if _NUMBER.fullmatch(text) else Decimal("NaN")


def _resource_attributes(resource: _Resource | None) -> Attributes:
    return _attributes(resource.attributes) if resource else {}


def _attributes(pairs: list[_KeyValue] | None) -> Attributes:
    return {pair.key: _value(pair.value) if pair.value else None for pair in pairs or ()}


def _value(value: _Value) -> Any:
    for found in (value.string_value, value.int_value, value.double_value, value.bool_value):
        if found is not None:
            return found
    return None


def _at(nanoseconds: int | str, said: Attributes) -> datetime:
    count = _nanoseconds(nanoseconds)
    if count:
        return datetime.fromtimestamp(count // 10**9, UTC).replace(microsecond=count // 1000 % 10**6)
    try:
        return as_instant(str(said.get("event.timestamp")), "event.timestamp")
    except ValueError as error:
        raise ValueError(f"it has no time: {error}") from error


def _nanoseconds(value: int | str) -> int:
    if not re.fullmatch(r"\d{1,19}", str(value), re.ASCII):
        raise ValueError(f"a time in it is “{shortened(value)}”; expected nanoseconds since 1970")
    return int(value)


# Protobuf; its library is loaded only where it is needed


def _protobuf_events(body: bytes) -> Iterator[Event | Problem]:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    request = ExportLogsServiceRequest()
    _parse(request, body, "OTLP logs body")
    return _protobuf_events_of(request)


def _protobuf_events_of(request: "ExportLogsServiceRequest") -> Iterator[Event | Problem]:
    number = 0
    for resource in request.resource_logs:
        shared = _protobuf_attributes(resource.resource.attributes)
        for record in (record for scope in resource.scope_logs for record in scope.log_records):
            number += 1
            said = shared | _protobuf_attributes(record.attributes)
            said |= _name(said.get("event.name") or record.event_name or record.body.string_value)
            yield _event(number, record.time_unix_nano or record.observed_time_unix_nano, said)


def _protobuf_points(body: bytes) -> Iterator[Point | Problem]:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    request = ExportMetricsServiceRequest()
    _parse(request, body, "OTLP metrics body")
    return _protobuf_points_of(request)


def _protobuf_points_of(request: "ExportMetricsServiceRequest") -> Iterator[Point | Problem]:
    number = 0
    for resource in request.resource_metrics:
        shared = _protobuf_attributes(resource.resource.attributes)
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            if metric.name not in (TOKENS, COST):
                continue
            cumulative = metric.sum.aggregation_temporality == CUMULATIVE
            for point in metric.sum.data_points:
                said = shared | _protobuf_attributes(point.attributes)
                is_whole = point.WhichOneof("value") == "as_int"
                value = Decimal(point.as_int) if is_whole else Decimal(repr(point.as_double))
                number += 1
                at, started = point.time_unix_nano, point.start_time_unix_nano
                yield _point(number, metric.name, at, started, value, cumulative, said)


def _parse(request: Any, body: bytes, what: str) -> None:
    from google.protobuf.message import DecodeError

    if len(body) > _MAX_PROTOBUF:
        raise UnreadableExport(f"it is one protobuf body of over {_MAX_PROTOBUF // 2**20} MB; save each by itself")
    nothing = sum(map(body.count, _EMPTY_MESSAGES))
    if nothing > _FEW_EMPTY + len(body) // 32:
        raise UnreadableExport(f"it holds {nothing:,} empty records in {len(body):,} bytes, as no export does")
    try:
        request.ParseFromString(body)
    except (DecodeError, InvalidOperation) as error:
        raise UnreadableExport(f"it is no {what}, or it was cut short: {shortened(error)}") from error


def _protobuf_attributes(pairs: "Iterable[KeyValue]") -> Attributes:
    return {pair.key: _protobuf_value(pair.value) for pair in pairs}


def _protobuf_value(value: "AnyValue") -> Any:
    kind = value.WhichOneof("value")
    if kind == "double_value":
        return Decimal(repr(value.double_value))
    return getattr(value, kind) if kind in ("string_value", "int_value", "bool_value") else None
