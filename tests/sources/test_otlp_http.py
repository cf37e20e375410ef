"""The OpenTelemetry receiver, as Claude Code speaks to it."""

import gzip
import io
import json
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from threading import Event, Semaphore
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.unreader import IterUnreader
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from bot.app import Installation
from bot.doctor import examine
from bot.imports import Importer
from bot.playground.server import served
from bot.settings import settings_of
from bot.sources.otlp_http import MAX_BODY, Refused, accept
from bot.store.deliveries import all_deliveries
from bot.web import RECEIVING, THREADS, WebApp
from tests.conftest import SAMPLES

TOKEN = "a-token-of-more-than-16-characters"
LOGS = SAMPLES / "otel" / "otlp_json" / "0003_v1_logs.json"


@pytest.fixture
def installation(database_url: str) -> Iterator[Installation]:
    settings = {
        "DATABASE_URL": database_url,
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_SIGNING_SECRET": "0123456789abcdef",
        "CLAUDECOST_OTLP_TOKEN": TOKEN,
    }
    installation = Installation(settings_of(settings))
    yield installation
    installation.database.close()


@pytest.fixture
def url(installation: Installation) -> Iterator[str]:
    with served(WebApp(installation)) as address:
        yield address


def send(url: str, path: str, data: bytes, **headers: str) -> tuple[int, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json", **named}
    request = urllib.request.Request(url + path, data=data, headers=sent)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def later(url: str) -> str | None:
    """After how many seconds a refused body is to come again."""
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(f"{url}/v1/logs", data=b"{}", headers=headers), timeout=10)
    return refused.value.headers["retry-after"]


def usage(installation: Installation) -> Any:
    return installation.ledger.spend(None, None, ()).total


def test_events_in_json_are_stored_once_however_often_they_are_sent(url: str, installation: Installation) -> None:
    for _ in range(3):
        assert send(url, "/v1/logs", LOGS.read_bytes()) == (200, b"{}")
    # 1,000 x 2 + 500 x 10 + 20,000 x 0.10 + 2,000 x 2.5 + 1,000 x 4, per million
    assert str(usage(installation).usd) == "0.018000000"


def test_protobuf_and_gzip_are_understood(url: str, installation: Installation) -> None:
    folder = SAMPLES / "otel" / "otlp_pb"
    packed = gzip.compress((folder / "0002_v1_logs.pb").read_bytes())
    status, body = send(url, "/v1/logs", packed, content_type="application/x-protobuf", content_encoding="gzip")
    assert status == 200
    assert ExportLogsServiceResponse.FromString(body).partial_success.rejected_log_records == 0
    metrics = (folder / "0003_v1_metrics.pb").read_bytes()
    status, body = send(url, "/v1/metrics", metrics, content_type="application/x-protobuf")
    assert (status, ExportMetricsServiceResponse.FromString(body).partial_success.error_message) == (200, "")
    # The metrics tell of the same request as the events, which speak for the day: 0.02904
    assert str(usage(installation).usd) == "0.029040000"


def test_bad_records_are_counted_and_the_rest_is_stored(url: str, installation: Installation) -> None:
    text = LOGS.read_text(encoding="utf-8")
    broken = json.loads(text)
    records = broken["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    request = next(r for r in records if r["body"]["stringValue"] == "claude_code.api_request")
    bad = json.loads(json.dumps(request))
    for attribute in bad["attributes"]:
        if attribute["key"] == "input_tokens":
            attribute["value"] = {"intValue": "-5"}
    records.append(bad)
    status, body = send(url, "/v1/logs", json.dumps(broken).encode())
    partial = json.loads(body)["partialSuccess"]
    assert (status, partial["rejectedLogRecords"]) == (200, "1")
    assert "-5" in partial["errorMessage"]
    assert usage(installation).usage.tokens == 24_500


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (b"{}", {"authorization": "Bearer wrong-token-wrong-token"}, 401),
        (b"{}", {"authorization": ""}, 401),
        (b"{}", {"content_type": "text/plain"}, 415),
        (b"{}", {"content_encoding": "br"}, 415),
        (b"not gzip", {"content_encoding": "gzip"}, 400),
        (b"{", {}, 400),
        (b"\xff\xff", {"content_type": "application/x-protobuf"}, 400),
        (gzip.compress(b"0" * 20_000_000), {"content_encoding": "gzip"}, 413),
        (b"0" * (4 * 1024 * 1024 + 1), {}, 413),
        (b'{"resourceLogs":[%s{}]}' % (b"{}," * 900_000), {}, 400),
    ],
)
def test_what_cannot_be_taken_is_refused(
    url: str, installation: Installation, data: bytes, headers: dict[str, str], status: int
) -> None:
    assert send(url, "/v1/logs", data, **headers)[0] == status
    assert usage(installation).usage.tokens == 0


def test_an_alert_is_owed_by_the_request_that_crosses_the_limit(
    url: str, installation: Installation, tmp_path: Path
) -> None:
    when = installation.today()
    text = LOGS.read_text(encoding="utf-8").replace("2026-11-22", when.isoformat())
    document = json.loads(text)
    (request,) = [
        record
        for record in document["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
        if record["body"]["stringValue"] == "claude_code.api_request"
    ]
    now = int(installation.clock().timestamp() * 10**9)
    for attribute in request["attributes"]:
        if attribute["key"] == "cost_usd_micros":
            attribute["value"] = {"intValue": 7_000_000}
    for number in (1, 2):
        request["timeUnixNano"] = str(now + number)
        for attribute in request["attributes"]:
            if attribute["key"] == "request_id":
                attribute["value"] = {"stringValue": f"req{number}"}
        send(url, "/v1/logs", json.dumps(document).encode())
        assert len(all_deliveries(installation.database)) == number - 1
    assert date.fromisoformat(all_deliveries(installation.database)[0].key.split(":")[2]) == when


def test_metrics_of_the_installation_need_the_token_too(url: str, installation: Installation) -> None:
    """They and doctor know what came last over OpenTelemetry, and that nothing did."""
    request = urllib.request.Request(f"{url}/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    since = 'claudecost_feed_last_success_seconds{feed="OpenTelemetry"}'
    for came, said in ((False, "nothing has come yet; taken at"), (True, "newest day 2026-11")):
        if came:
            send(url, "/v1/logs", LOGS.read_bytes())
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read().decode()
        assert (f"{since} NaN" in text) is not came
        assert ('claudecost_feed_lag_days{feed="OpenTelemetry"}' in text) is came
        (check,) = (one for one in examine(installation, installation.clock()) if one.name == "OpenTelemetry")
        assert said in check.said
        assert not check.todo
    bad = LOGS.read_bytes().replace(b'"intValue":', b'"intValue":-')
    assert send(url, "/v1/logs", bad)[0] == 200
    (check,) = (one for one in examine(installation, installation.clock()) if one.name == "OpenTelemetry")
    assert check.todo.startswith(
        "since yesterday some was not taken; look at what sends it: Event 7 was left out: it counts -"
    )
    assert "claudecost_newest_day_age_days" in text
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{url}/metrics", timeout=10)


def test_what_cannot_be_stored_now_is_asked_for_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the specification wants it, with a Status in the client's own format."""

    def fail(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("bot.imports.Importer.store", fail)
    status, said = send(url, "/v1/logs", LOGS.read_bytes())
    assert (status, json.loads(said)["message"]) == (503, "It could not be stored; try again.")


def test_usage_that_waits_for_the_database_keeps_nobody_else_waiting(
    url: str, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while a large file is imported: so many bodies wait, more are asked to come again."""
    store, may_store, waiting = Importer.store, Event(), Semaphore(0)

    def wait(*given: Any, **more: Any) -> Any:
        waiting.release()
        assert may_store.wait(10)
        return store(*given, **more)

    monkeypatch.setattr(Importer, "store", wait)
    with ThreadPoolExecutor(RECEIVING) as senders:
        sent = [senders.submit(send, url, "/v1/logs", LOGS.read_bytes()) for _ in range(RECEIVING)]
        assert all(waiting.acquire(timeout=10) for _ in range(RECEIVING))
        status, said = send(url, "/v1/logs", LOGS.read_bytes())
        assert (status, json.loads(said)) == (503, {"code": 14, "message": "Too much comes in at once; try again."})
        assert later(url) == "1"
        with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
            assert answer.read() == b"ok"
        may_store.set()
        assert [one.result()[0] for one in sent] == [200] * RECEIVING
    assert send(url, "/v1/logs", LOGS.read_bytes())[0] == 200
    assert RECEIVING < THREADS


def test_while_the_database_is_gone_a_line_says_so(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("the server closed the connection\nand more of it")

    monkeypatch.setattr(Importer, "store", fail)
    monkeypatch.setattr("bot.web.metrics_page", fail)
    assert send(url, "/v1/logs", LOGS.read_bytes())[0] == 503
    request = urllib.request.Request(f"{url}/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(request, timeout=10)
    assert [one.getMessage().partition(": ")[2] for one in caplog.records] == ["the server closed the connection"] * 2
    assert not any(one.exc_info for one in caplog.records)


def environ(data: bytes, **more: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/v1/logs",
        "CONTENT_TYPE": "application/json",
        "HTTP_AUTHORIZATION": f"Bearer {TOKEN}",
        "wsgi.input": io.BytesIO(data),
        **more,
    }


def test_a_body_in_chunks_is_read_whole() -> None:
    data = LOGS.read_bytes()
    packed = gzip.compress(data)
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked"}
    assert accept(environ(data, **chunked), TOKEN).data == data
    assert accept(environ(packed, HTTP_CONTENT_ENCODING="gzip", **chunked), TOKEN).data == data


@pytest.mark.parametrize("sent", [b"zz\r\n{}\r\n0\r\n\r\n", b"5\r\n{}0\r\n\r\n", b"50\r\n{}", b"2\r\n{}\r\n"])
def test_chunks_that_are_broken_are_a_bad_request(sent: bytes) -> None:
    broken = environ(b"", HTTP_TRANSFER_ENCODING="chunked")
    broken["wsgi.input"] = Body(ChunkedReader(SimpleNamespace(version=(1, 1)), IterUnreader(iter([sent]))))
    with pytest.raises(Refused, match="chunks") as refused:
        accept(broken, TOKEN)
    assert refused.value.status == 400


def test_a_body_without_a_length_or_over_the_limit_is_refused() -> None:
    with pytest.raises(Refused, match="Send|send") as refused:
        accept(environ(b"{}"), TOKEN)
    assert refused.value.status == 411
    large = b" " * (MAX_BODY + 1)
    for said in ({"HTTP_TRANSFER_ENCODING": "chunked"}, {"CONTENT_LENGTH": str(len(large))}):
        asked = environ(large, **said)
        with pytest.raises(Refused, match="over 4 MB") as refused:
            accept(asked, TOKEN)
        assert refused.value.status == 413
        # Taken to its end, else a client that is still sending sees a broken connection in place of the answer.
        assert asked["wsgi.input"].read() == b""
    assert accept(environ(b" " * MAX_BODY, CONTENT_LENGTH=str(MAX_BODY)), TOKEN).data == b" " * MAX_BODY


@pytest.mark.parametrize("when", [{}, {"timeUnixNano": "99999999999999999999"}, {"timeUnixNano": "soon"}])
def test_one_event_without_a_time_costs_itself_alone(
    url: str, installation: Installation, when: dict[str, str]
) -> None:
    body = json.loads(LOGS.read_bytes())
    records = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    good = next(record for record in records if "input_tokens" in json.dumps(record))
    bad = {**good, "attributes": [a for a in good["attributes"] if a["key"] != "event.timestamp"]}
    bad = {k: v for k, v in bad.items() if k not in ("timeUnixNano", "observedTimeUnixNano")} | when
    body["resourceLogs"][0]["scopeLogs"][0]["logRecords"] = [bad, good]
    status, answer = send(url, "/v1/logs", json.dumps(body).encode())
    assert status == 200
    assert json.loads(answer)["partialSuccess"]["rejectedLogRecords"] == "1"
    assert usage(installation).usage.tokens > 0


def test_an_absurd_number_is_left_out_at_once(url: str) -> None:
    point = {"attributes": [], "timeUnixNano": "1794300000000000000", "asDouble": "NUMBER"}
    metric = {"name": "claude_code.token.usage", "sum": {"aggregationTemporality": 1, "dataPoints": [point]}}
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})
    started = time.monotonic()
    status, _ = send(url, "/v1/metrics", body.replace('"NUMBER"', "1e9999999").encode())
    assert status == 200
    assert time.monotonic() - started < 3


def test_figures_that_cannot_be_stored_are_refused_for_good(url: str) -> None:
    """Twelve events of $900 million each add up to more than a database holds: to try again would not help."""
    body = json.loads(LOGS.read_bytes())
    told = {"event.name": "api_request", "session.id": "s", "model": "claude-opus-5", "cost_usd": "900000000"}
    records = [
        {
            "timeUnixNano": "1793786400000000000",
            "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in {**told, "request_id": str(n)}.items()],
        }
        for n in range(12)
    ]
    body["resourceLogs"] = [{"scopeLogs": [{"logRecords": records}]}]
    status, said = send(url, "/v1/logs", json.dumps(body).encode())
    assert status == 400
    assert b"add up to more than can be stored" in said


def test_words_of_http_have_no_case(url: str) -> None:
    body = json.loads(LOGS.read_bytes())
    record = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    record["attributes"] = [{"key": "event.name", "value": {"stringValue": "api_request"}}]
    headers = {"authorization": f"bearer {TOKEN}", "content_type": "Application/JSON"}
    status, said = send(url, "/v1/logs", json.dumps(body).encode(), **headers)
    assert status == 200
    assert json.loads(said)["partialSuccess"]["rejectedLogRecords"] == "1"
    assert send(url, "/v1/logs", b"{}", authorization=f"Basic {TOKEN}")[0] == 401


def test_a_look_at_the_head_has_no_body(url: str) -> None:
    for path in ("/healthz", "/metrics"):
        request = urllib.request.Request(url + path, method="HEAD", headers={"authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert int(answer.headers["content-length"]) > 0
            assert answer.read() == b""
