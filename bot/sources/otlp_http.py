"""OTLP over HTTP: what may come in, and the answers that the OpenTelemetry specification asks for."""

import gzip
import hmac
import io
import json
import zlib
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from bot.exports.otlp import LOGS, METRICS, VALUE_BYTES, decode_events, decode_points, event_records, point_records
from bot.exports.reader import Reading, ReadingContext, UnreadableExport, check_values, shortened

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

PATHS = {"/v1/logs": LOGS, "/v1/metrics": METRICS}
MAX_BODY = 4 * 1024 * 1024
_TAKEN = 64 * 1024 * 1024
_PIECE = 1024 * 1024
MAX_UNPACKED = 16 * 1024 * 1024
JSON, PROTOBUF = "application/json", "application/x-protobuf"
_INVALID_ARGUMENT = 3
_UNAUTHENTICATED = 16
_UNAVAILABLE = 14


class Refused(Exception):
    """A request that is answered with an error; ``status`` is HTTP's, the text a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


class Body(NamedTuple):
    """One request's body: "logs" or "metrics", unpacked, in JSON or protobuf."""

    kind: str
    data: bytes
    is_json: bool


def is_authorized(environ: "WSGIEnvironment", token: str) -> bool:
    """Whether a request brings the bearer token."""
    scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    is_right = hmac.compare_digest(given.strip().encode("latin-1", "replace"), token.encode())
    return scheme.lower() == "bearer" and is_right


def accept(environ: "WSGIEnvironment", token: str) -> Body:
    """Check a request and read its body. Raises Refused."""
    if not is_authorized(environ, token):
        raise Refused(401, "The bearer token is missing or wrong; see OTEL_EXPORTER_OTLP_HEADERS.")
    if environ.get("REQUEST_METHOD") != "POST":
        raise Refused(405, "Send it by POST.")
    content_type = environ.get("CONTENT_TYPE", "").split(";")[0].strip().lower()
    if content_type not in (JSON, PROTOBUF):
        raise Refused(415, f"The content type is “{content_type[:60]}”; expected {JSON} or {PROTOBUF}.")
    data = _unpacked(_sent(environ), environ.get("HTTP_CONTENT_ENCODING", ""))
    return Body(PATHS[environ["PATH_INFO"]], data, content_type == JSON)


def _sent(environ: "WSGIEnvironment") -> bytes:
    """The bytes of the body, whether its length was said or it came in chunks. Raises Refused."""
    length = environ.get("CONTENT_LENGTH") or ""
    if not length:
        if "chunked" not in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            raise Refused(411, "It says no length; send Content-Length or chunks.")
        length = str(_TAKEN)
    elif not (length.isascii() and length.isdigit()):
        raise Refused(400, "The content length is no number.")
    try:
        # One that is too large is taken nearly whole: a client that is still sending would see no answer.
        data = _read_up_to(environ["wsgi.input"], min(int(length), _TAKEN))
    except (ConnectionError, TimeoutError):
        raise
    except Exception as error:
        # Servers have errors of their own for a chunk that is none or was cut; sent again, it is no better.
        raise Refused(400, f"The body's chunks cannot be read: {shortened(error)}.") from error
    if data is None:
        raise Refused(413, f"The body is over {MAX_BODY // 2**20} MB; make smaller batches.")
    return data


def _read_up_to(file: BinaryIO, size: int) -> bytes | None:
    """So many bytes, or all; None, and none of them in memory, where they are over MAX_BODY."""
    data: bytes | None = b""
    left = size
    while left and (chunk := file.read(min(left, _PIECE))):
        left -= len(chunk)
        data = data + chunk if data is not None and len(data) + len(chunk) <= MAX_BODY else None
    return data


def read(body: Body, context: ReadingContext) -> Reading:
    """The usage in a body. Raises Refused for one that cannot be decoded."""
    try:
        check_values(body.data, VALUE_BYTES)
        if body.kind == LOGS:
            return event_records(decode_events(body.data, is_json=body.is_json), context)
        return point_records(decode_points(body.data, is_json=body.is_json), context)
    except UnreadableExport as error:
        raise Refused(400, f"The body cannot be read: {error}.") from error


def success(kind: str, rejected: int, sentence: str, *, is_json: bool) -> bytes:
    """The answer to an accepted request, saying how many of its records were left out and why."""
    if is_json:
        name = "rejectedLogRecords" if kind == LOGS else "rejectedDataPoints"
        said = {"partialSuccess": {name: str(rejected), "errorMessage": sentence}} if rejected else {}
        return json.dumps(said, ensure_ascii=False).encode()
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

    if kind == LOGS:
        logs = ExportLogsServiceResponse()
        if rejected:
            logs.partial_success.rejected_log_records = rejected
            logs.partial_success.error_message = sentence
        return logs.SerializeToString()
    metrics = ExportMetricsServiceResponse()
    if rejected:
        metrics.partial_success.rejected_data_points = rejected
        metrics.partial_success.error_message = sentence
    return metrics.SerializeToString()


def failure(refused: Refused, *, is_json: bool) -> bytes:
    """The body of an error: google.rpc.Status, which protobuf writes as a code and a message."""
    code = {401: _UNAUTHENTICATED, 503: _UNAVAILABLE}.get(refused.status, _INVALID_ARGUMENT)
    if is_json:
        return json.dumps({"code": code, "message": str(refused)}, ensure_ascii=False).encode()
    text = str(refused).encode()
    # Field 1 is a varint, field 2 a string; the sentences are short, but a length may need two bytes.
    size = bytes([len(text)]) if len(text) < 128 else bytes([len(text) & 0x7F | 0x80, len(text) >> 7])
    return b"\x08" + bytes([code]) + b"\x12" + size + text


def _unpacked(data: bytes, encoding: str) -> bytes:
    if encoding.strip().lower() in ("", "identity"):
        return data
    if encoding.strip().lower() != "gzip":
        raise Refused(415, f"The content encoding is “{encoding[:60]}”; expected gzip or none.")
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            unpacked = packed.read(MAX_UNPACKED + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Refused(400, f"The body is no gzip: {error}.") from error
    if len(unpacked) > MAX_UNPACKED:
        raise Refused(413, f"The body unpacks to over {MAX_UNPACKED // 2**20} MB; make smaller batches.")
    return unpacked
