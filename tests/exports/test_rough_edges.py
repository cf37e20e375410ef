"""Exports as they come in the wild: cut, packed, with nulls, odd names and figures that cannot be."""

import json
import os
import shlex
import tracemalloc
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from errno import EACCES
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from bot.exports.containers import files_below
from bot.exports.formats import recognise
from bot.exports.reader import ReadingContext, whole_characters
from bot.feeds import Feeds, folder_feed
from bot.imports import FileReport, Importer
from bot.pricing import PriceBook
from bot.spend.records import UsageRecord
from bot.store.alerting import AlertPolicy
from bot.store.database import Database
from bot.store.feeds import feed_states
from bot.store.identity import BY_ADMIN
from bot.store.linking import link_actor
from bot.store.tables import imports
from tests.conftest import SAMPLES
from tests.exports.test_samples import NOW, imported, importer, ledger_of
from tests.usage import as_export

CONSOLE = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens"
"""A row of a million input tokens on Opus 5 is $5."""


def usd(database: Database, book: PriceBook) -> Decimal:
    return ledger_of(database, book).spend(None, None, ()).total.usd


def reading_at(database: Database, book: PriceBook, at: datetime) -> Importer:
    return Importer(database, ZoneInfo("UTC"), book, AlertPolicy(Decimal(12), at.date()))


def test_linked_folders_are_looked_into_once(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside / "deep", outside):
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text("x")
    (inside / "more").symlink_to(outside)
    (inside / "again").symlink_to(inside / "deep")
    (outside / "back").symlink_to(inside)
    found = [path.relative_to(tmp_path).as_posix() for path in files_below(inside)]
    assert found == ["in/deep/a.csv", "in/more/a.csv"]


def test_an_organizations_day_is_over_nobodys_limit(database: Database, book: PriceBook, tmp_path: Path) -> None:
    results = [{"amount": "99900", "currency": "USD"}]
    bucket = {"starting_at": "2026-11-20T00:00:00Z", "ending_at": "2026-11-21T00:00:00Z", "results": results}
    (tmp_path / "cost.json").write_text(json.dumps({"data": [bucket], "has_more": False}))
    (tmp_path / "openrouter.csv").write_text(
        "Date,Slug,Usage,BYOK Usage,Requests,Prompt Tokens,Completion Tokens,Reasoning Tokens\n"
        "2026-11-20,anthropic/claude-opus-5,50,0,1,1,1,0\n"
    )
    imported(database, book, tmp_path)
    assert usd(database, book) > 0
    assert ledger_of(database, book).alerts(date(2026, 11, 20)) == []
    # Unless somebody is said to be behind it.
    link_actor(database, "OpenRouter", "kim@x.com", BY_ADMIN, book, AlertPolicy(Decimal(12), NOW.date()), NOW)
    assert [one.person for one in ledger_of(database, book).alerts(date(2026, 11, 20))] == ["kim@x.com"]


def refusals(reports: list[FileReport]) -> list[str]:
    return [report.refused for report in reports if report.refused]


def event(number: int, **said: Any) -> str:
    """One body with one event of a million input tokens on Opus 5."""
    told = {
        "event.name": "api_request",
        "session.id": "s",
        "request_id": f"r{number}",
        "model": "claude-opus-5",
        **said,
    }
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in told.items()]
    attributes.append({"key": "input_tokens", "value": {"intValue": 1_000_000}})
    at = int(datetime(2026, 11, 5, 10, tzinfo=UTC).timestamp()) * 10**9
    record = {"timeUnixNano": str(at + number), "attributes": attributes}
    return json.dumps({"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": [record]}]}]})


def analytics(**model: Any) -> dict[str, Any]:
    said = {"model": "claude-opus-5", **model}
    actor = {"email_address": "dana@x.com"}
    return {"data": [{"date": "2026-11-05T00:00:00Z", "actor": actor, "model_breakdown": [said]}], "has_more": False}


class TestOtlpLines:
    def test_a_file_that_is_being_written_to_counts_up_to_its_last_whole_line(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        path = tmp_path / "logs.jsonl"
        path.write_text(f"{event(1)}\n{{broken\n{event(2)}\n{event(3)[:200]}", encoding="utf-8")
        (report,) = imported(database, book, path)
        assert [problem.row for problem in report.problems] == [2, 4]
        assert all(problem.problem.startswith("Body ") for problem in report.problems)
        assert usd(database, book) == 10

    def test_a_stated_zero_is_no_price(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        path = tmp_path / "logs.json"
        path.write_text(event(1, cost_usd="0"), encoding="utf-8")
        imported(database, book, path)
        assert usd(database, book) == 5


@pytest.mark.parametrize(
    "model",
    [
        {"tokens": {"input": 10**6, "output": None}, "estimated_cost": {"currency": "USD"}},
        {"tokens": {"input": 10**6}, "estimated_cost": {"currency": "USD", "amount": None}},
        {"tokens": {"input": 10**6, "cache_creation": None}, "estimated_cost": None},
    ],
)
def test_nulls_and_omitted_fields_cost_no_tokens(
    database: Database, book: PriceBook, tmp_path: Path, model: dict[str, Any]
) -> None:
    path = tmp_path / "page.json"
    path.write_text(json.dumps(analytics(**model)), encoding="utf-8")
    assert [report.problems for report in imported(database, book, path)] == [[]]
    assert usd(database, book) == 5


def test_a_console_export_without_its_input_column_is_refused(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    path = tmp_path / "usage.csv"
    header = CONSOLE.replace("usage_input_tokens_no_cache", "usage_input_tokens")
    path.write_text(f"{header}\n2026-11-05,claude-opus-5,k,1000000,0\n", encoding="utf-8")
    (said,) = refusals(imported(database, book, path))
    assert "its header has no column usage_input_tokens_no_cache" in said


def test_one_damaged_member_leaves_the_others_of_an_archive(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    path = tmp_path / "exports.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for day in (5, 6, 7):
            archive.writestr(f"{day}.csv", f"{CONSOLE}\n2026-11-0{day},claude-opus-5,k,1000000,0\n")
    damaged = bytearray(path.read_bytes())
    second = damaged.index(b"6.csv") + len("6.csv")
    damaged[second + 12 : second + 30] = bytes(18)
    path.write_bytes(damaged)
    (said,) = refusals(imported(database, book, path))
    assert said.startswith(f"6.csv in {path} was not imported: ")
    assert usd(database, book) == 10


def test_a_file_whose_name_is_in_no_encoding(database: Database, book: PriceBook, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"usage-\xff.csv")
    path.write_text(f"{CONSOLE}\n2026-11-05,claude-opus-5,k,1000000,0\n", encoding="utf-8")
    for accepted in (1, 0):
        (report,) = importer(database, book).import_files([path], NOW)
        assert report.path.endswith(r"usage-\xff.csv")
        assert report.recorded.accepted == accepted
    assert usd(database, book) == 5


def test_text_that_postgresql_cannot_hold(database: Database, book: PriceBook, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text(f"{CONSOLE}\n2026-11-05,claude-opus-5,k,1\0,0\n2026-11-05,claude-opus-5,k,1000000,0\n", "utf-8")
    (report,) = imported(database, book, path)
    assert len(report.problems) == 1
    odd = tmp_path / "logs.json"
    odd.write_text(event(1, speed="fa\0st"), encoding="utf-8")
    assert refusals(imported(database, book, odd)) == []
    total = ledger_of(database, book).spend(None, None, ()).total
    # The row's $5, and the event's million tokens at a speed that has no price.
    assert (total.usd, total.unpriced_tokens) == (Decimal(5), 10**6)


def test_figures_that_add_up_to_more_than_a_database_holds(database: Database, book: PriceBook, tmp_path: Path) -> None:
    header = f"{CONSOLE},web_search_count"
    (tmp_path / "a.csv").write_text(f"{header}\n2026-11-05,claude-opus-5,k,0,0,9999999999999\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text(f"{header}\n2026-11-05,claude-opus-5,k,1000000,0,0\n", encoding="utf-8")
    (said,) = refusals(imported(database, book, tmp_path))
    assert said.startswith(f"{tmp_path / 'a.csv'} was not imported: its figures add up to more than can be stored, so")
    assert usd(database, book) == 5


def test_spend_in_another_currency_is_left_out(database: Database, book: PriceBook, tmp_path: Path) -> None:
    entry = {
        "period": "monthly",
        "period_to_date_spend": "100",
        "actor": {"type": "user_actor", "user_id": "u", "email_address": "dana@x.com"},
    }
    path = tmp_path / "limits.json"
    path.write_text(json.dumps({"data": [{**entry, "currency": "EUR"}, entry], "has_more": False}), encoding="utf-8")
    (report,) = imported(database, book, path)
    assert [problem.problem for problem in report.problems] == [
        "Entry 1 was left out: its spend is in EUR; only USD can be read."
    ]


def test_a_watched_folder_reads_an_unchanged_file_once(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """Also one with a wrong row in it, which is read again once the file changes."""
    path = tmp_path / "usage.csv"
    path.write_text(f"{CONSOLE}\n2026-11-05,claude-opus-5,k,many,0\n2026-11-05,claude-opus-5,k,1000000,0\n", "utf-8")
    os.utime(path, (NOW.timestamp() - 60,) * 2)
    feeds = Feeds(database, [folder_feed(tmp_path, lambda: importer(database, book))])
    for minutes in range(5):
        feeds.collect(NOW + timedelta(minutes=minutes))
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(imports)).scalar_one() == 1
    path.write_text(f"{CONSOLE}\n2026-11-05,claude-opus-5,k,2000000,0\n", encoding="utf-8")
    os.utime(path, (NOW.timestamp() - 30,) * 2)
    feeds.collect(NOW + timedelta(minutes=9))
    assert usd(database, book) == 10


def test_a_watched_folder_reads_again_what_was_dated_ahead(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """Rows of 20 and 30 November, read on the 24th and on 1 December."""
    path = tmp_path / "usage.csv"
    rows = "".join(f"2026-11-{day},claude-opus-5,k,1000000,0\n" for day in (20, 30))
    path.write_text(f"{CONSOLE}\n{rows}", encoding="utf-8")
    os.utime(path, (NOW.timestamp() - 60,) * 2)
    for at, dollars in ((NOW, 5), (NOW + timedelta(days=7), 10)):
        Feeds(database, [folder_feed(tmp_path, partial(reading_at, database, book, at))]).collect(at)
        assert usd(database, book) == dollars


def test_a_busy_log_that_may_not_be_read_keeps_no_other_file_back(
    database: Database, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, usage = tmp_path / "busy.jsonl", tmp_path / "usage.csv"
    secret.write_text("{}\n", encoding="utf-8")
    usage.write_text(f"{CONSOLE}\n2026-11-05,claude-opus-5,k,1000000,0\n", encoding="utf-8")
    for path, seconds in ((secret, 1), (usage, 60)):
        os.utime(path, (NOW.timestamp() - seconds,) * 2)
    opened = Path.open

    def open_some(path: Path, *how: Any, **more: Any) -> Any:
        if path == secret:
            raise PermissionError(EACCES, "Permission denied")
        return opened(path, *how, **more)

    monkeypatch.setattr(Path, "open", open_some)
    Feeds(database, [folder_feed(tmp_path, lambda: importer(database, book))]).collect(NOW)
    assert usd(database, book) == 5
    (state,) = feed_states(database)
    assert "cannot be read: Permission denied" in str(state.problem)


EMPTY_BUCKET = {"starting_at": "2026-11-07T00:00:00Z", "ending_at": "2026-11-08T00:00:00Z", "results": []}


@pytest.mark.parametrize(
    ("document", "format_name"),
    [
        ({"data": [EMPTY_BUCKET, EMPTY_BUCKET], "has_more": False, "next_page": None}, "admin_usage_report"),
        ({"results": [], "metadata": {"total_spend": 0, "page": 1}}, "litellm_activity"),
        ({"totals": {}, "daily": []}, "ccusage"),
    ],
)
def test_an_export_of_nothing_is_one_all_the_same(
    database: Database, book: PriceBook, tmp_path: Path, document: dict[str, Any], format_name: str
) -> None:
    path = tmp_path / "weekend.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    (report,) = imported(database, book, path)
    assert (report.refused, report.format, report.rows) == (None, format_name, 0)


def test_what_a_file_says_twice_counts_once(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """$1.25 of the Console, $4 of a report, and a million tokens of Opus 5, which are $5, each said twice."""
    cost = "2026-11-05,claude-opus-5,k,1.25\n"
    (tmp_path / "cost.csv").write_text(f"usage_date_utc,model,api_key,cost_usd\n{cost}{cost}", encoding="utf-8")
    row = "ada@x.com,Claude Code,,4\n"
    (tmp_path / "spend-report-2026-11-01-to-2026-11-01.csv").write_text(
        f"user_email,product,model,total_net_spend_usd\n{row}{row}", encoding="utf-8"
    )
    result = {"api_key_id": "apikey_1", "model": "claude-opus-5", "uncached_input_tokens": 10**6, "output_tokens": 0}
    page = {"data": [{**EMPTY_BUCKET, "results": [result]}], "has_more": False}
    (tmp_path / "pages.json").write_text(json.dumps([page, page]), encoding="utf-8")
    reports = imported(database, book, tmp_path)
    assert [len(report.problems) for report in reports] == [1, 1, 1]
    assert all("repeat" in report.problems[0].problem for report in reports)
    assert usd(database, book) == Decimal("10.25")


def test_what_macos_puts_beside_files_is_passed_over(database: Database, book: PriceBook, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "exports.zip", "w") as archive:
        archive.writestr("usage.csv", f"{CONSOLE}\n2026-11-05,claude-opus-5,k,1000000,0\n")
        archive.writestr("__MACOSX/._usage.csv", b"\0\5\x16\7")
        archive.writestr(".DS_Store", b"\0\0\0\1Bud1")
    (tmp_path / "._exports.csv").write_bytes(b"\0\5\x16\7")
    assert [report.refused for report in imported(database, book, tmp_path)] == [None]
    assert usd(database, book) == 5


def test_a_watched_folder_reads_an_archive_once(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """An older export in an archive says $5 of a day, a newer one beside it $15."""
    row = f"{CONSOLE}\n2026-11-05,claude-opus-5,k,{{}},0\n"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("old.csv", row.format(1_000_000))
        archive.writestr("other.csv", row.format(2_000_000).replace(",k,", ",k2,"))
    (tmp_path / "b.csv").write_text(row.format(3_000_000), encoding="utf-8")
    for path in tmp_path.iterdir():
        os.utime(path, (NOW.timestamp() - 60,) * 2)
    feeds = Feeds(database, [folder_feed(tmp_path, lambda: importer(database, book))])
    for minutes in range(3):
        feeds.collect(NOW + timedelta(minutes=minutes))
        assert usd(database, book) == 15 + 10
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(imports)).scalar_one() == 3


def test_one_transcript_that_overflows_leaves_those_that_are_stored_with_it(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    sound = {"id": "m", "role": "assistant", "model": "claude-opus-5", "usage": {"input_tokens": 10**6}}
    entry = {"type": "assistant", "timestamp": "2026-11-05T10:00:00Z", "sessionId": "s", "requestId": "r"}
    (tmp_path / "a.jsonl").write_text(json.dumps({**entry, "message": sound}), encoding="utf-8")
    lines = [
        json.dumps({**entry, "message": {**sound, "id": f"m{n}"}, "costUSD": 999_999_999, "requestId": f"r{n}"})
        for n in range(12)
    ]
    (tmp_path / "b.jsonl").write_text("\n".join(lines), encoding="utf-8")
    reports = list(importer(database, book).import_files([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], NOW))
    assert [report.refused is not None for report in reports] == [False, True]
    assert usd(database, book) == 5


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"timeUnixNano": 1.5}, "timeUnixNano is “1.5”"),
        ({"attributes": [{"key": 7}]}, "key is “7”"),
        ("no record", "Expected `object`, got `str`"),
    ],
)
def test_a_damaged_event_costs_itself_alone(
    database: Database, book: PriceBook, tmp_path: Path, said: Any, problem: str
) -> None:
    body = json.loads(event(1))
    body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].append(said)
    path = tmp_path / "logs.json"
    path.write_text(json.dumps(body), encoding="utf-8")
    (report,) = imported(database, book, path)
    assert usd(database, book) == 5
    assert [problem in one.problem for one in report.problems] == [True], report.problems


def test_nulls_in_otlp_are_nothing(database: Database, book: PriceBook, tmp_path: Path) -> None:
    body = json.loads(event(1))
    record = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    record["attributes"].append({"key": "user.email", "value": None})
    record["observedTimeUnixNano"] = None
    body["resourceLogs"] += [{"resource": None, "scopeLogs": None}, {"scopeLogs": [{"logRecords": None}]}]
    body["resourceLogs"][0]["resource"] = None
    path = tmp_path / "logs.json"
    path.write_text(json.dumps(body), encoding="utf-8")
    (report,) = imported(database, book, path)
    assert usd(database, book) == 5
    assert report.problems == []


@pytest.mark.parametrize("cost", ["sNaN", "NaN", "Infinity"])
def test_a_cost_that_is_no_number_costs_its_row(database: Database, book: PriceBook, tmp_path: Path, cost: str) -> None:
    model = {"modelName": "claude-opus-5", "inputTokens": 10**6, "cost": cost}
    ccusage = {"daily": [{"date": "2026-11-05", "modelBreakdowns": [model, {**model, "cost": 5}]}]}
    page = analytics(tokens={"input": 10**6}, estimated_cost={"amount": cost, "currency": "USD"})
    for name, document in (("c.json", ccusage), ("a.json", page)):
        path = tmp_path / name
        path.write_text(json.dumps(document), encoding="utf-8")
        (report,) = imported(database, book, path)
        assert (report.refused, len(report.problems)) == (None, 1)
        assert cost in report.problems[0].problem
    assert usd(database, book) == 5


@pytest.mark.parametrize("name", ["\0", " "])
def test_a_name_that_is_none_costs_its_row(database: Database, book: PriceBook, tmp_path: Path, name: str) -> None:
    used = {"model": "claude-opus-5", "uncached_input_tokens": 10**6, "output_tokens": 0}
    results = [{**used, "user_email": name, "account_id": None}, {**used, "account_id": "u1"}]
    bucket = {"starting_at": "2026-11-05T00:00:00Z", "ending_at": "2026-11-06T00:00:00Z", "results": results}
    path = tmp_path / "usage.json"
    path.write_text(json.dumps({"data": [bucket], "has_more": False}), encoding="utf-8")
    (report,) = importer(database, book).import_files([path], NOW, "admin_usage_report")
    assert (report.refused, len(report.problems)) == (None, 1)
    assert usd(database, book) == 5


def test_a_run_that_is_cut_leaves_the_others(database: Database, book: PriceBook, tmp_path: Path) -> None:
    run = {"total_cost_usd": 5, "session_id": "s", "modelUsage": {"claude-opus-5": {"inputTokens": 10**6}}}
    path = tmp_path / "runs.jsonl"
    path.write_text(f"{json.dumps(run)}\n{json.dumps({**run, 'session_id': 't'})[:-9]}", encoding="utf-8")
    os.utime(path, (NOW.timestamp() - 60,) * 2)
    (report,) = imported(database, book, path)
    assert usd(database, book) == 5
    assert [problem.row for problem in report.problems] == [2]


def test_runs_that_were_written_one_below_the_other_are_all_read(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    runs = [
        {"total_cost_usd": 5, "session_id": name, "modelUsage": {"claude-opus-5": {"inputTokens": 10**6}}}
        for name in "stuv"
    ]
    path = tmp_path / "runs.json"
    texts = (json.dumps(run, indent=indent) for run, indent in zip(runs, (None, 2, None, 2), strict=True))
    path.write_text("\ufeff" + "\n\n".join(texts) + "\n", encoding="utf-8")
    os.utime(path, (NOW.timestamp() - 60,) * 2)
    (report,) = imported(database, book, path)
    assert report.problems == []
    assert usd(database, book) == 20


def test_what_tools_returned_is_no_export(database: Database, book: PriceBook, tmp_path: Path) -> None:
    folder = tmp_path / "project" / "session" / "tool-results"
    folder.mkdir(parents=True)
    (folder / "r.json").write_text(json.dumps(analytics(tokens={"input": 10**6})), encoding="utf-8")
    assert list(files_below(tmp_path)) == []


def own_line(**more: Any) -> str:
    return json.dumps({"sessionId": "s", "timestamp": "2026-11-05T10:00:00Z", **more}, separators=(",", ":"))


OPUS = {"id": "m", "role": "assistant", "model": "claude-opus-5", "usage": {"input_tokens": 10**6, "output_tokens": 0}}
SNAPSHOT = {"type": "file-history-snapshot", "messageId": "u", "snapshot": {"files": ["/src/a.py"]}}


@pytest.mark.parametrize(
    "before",
    [
        json.dumps({**SNAPSHOT, "snapshot": {"files": ["/src/a.py"] * 9000}}),
        "\n".join([json.dumps(SNAPSHOT)] * 60),
        json.dumps(
            {
                "parentUuid": None,
                "isSidechain": False,
                "message": {"role": "user", "content": "x" * 70_000},
                "type": "user",
                "sessionId": "s",
            }
        ),
    ],
    ids=["a long line", "many lines", "its own words last"],
)
def test_a_transcript_is_known_whatever_it_begins_with(
    database: Database, book: PriceBook, tmp_path: Path, before: str
) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(f"{before}\n{own_line(type='assistant', requestId='r', message=OPUS)}\n", encoding="utf-8")
    (report,) = imported(database, book, path)
    assert (report.refused, report.format) == (None, "transcripts")
    assert usd(database, book) == 5


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_lines_of_one_response_on_both_sides_of_midnight_are_of_the_first_day(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, int]
) -> None:
    """A resumed session copies the second line alone."""
    moments = ("2026-11-04T23:59:59.900Z", "2026-11-05T00:00:00.100Z")
    lines = [own_line(type="assistant", requestId="r", message=OPUS) for _ in moments]
    lines = [line.replace("2026-11-05T10:00:00Z", at) for line, at in zip(lines, moments, strict=True)]
    for number, text in enumerate(("\n".join(lines), lines[1])):
        (tmp_path / f"{number}.jsonl").write_text(text, encoding="utf-8")
    for number in order:
        imported(database, book, tmp_path / f"{number}.jsonl")
    rows = ledger_of(database, book).spend(None, None, ("day",)).rows
    assert {row.group[0]: row.amount.usd for row in rows} == {"2026-11-04": 5}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"usage_date_utc;model;api_key;cost_usd\n2026-11-05;m;k;1,25\n", "save it as a CSV with commas"),
        (b"usage_date_utc\tmodel\tcost_usd\n2026-11-05\tm\t1.25\n", "save it as a CSV with commas"),
        (b"sep=,\nusage_date_utc,model\n", "is for spreadsheets alone; remove it"),
        (f"{CONSOLE}\n".encode("utf-16"), "it is text in UTF-16; save it as UTF-8"),
    ],
)
def test_a_table_that_was_saved_otherwise_says_how_to_save_it(
    database: Database, book: PriceBook, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "saved.csv"
    path.write_bytes(content)
    (report,) = imported(database, book, path)
    assert said in (report.refused or "")


def test_a_file_of_bad_rows_tells_of_the_first_ones(
    database: Database, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.imports.MAX_PROBLEMS", 3)
    path = tmp_path / "s.jsonl"
    path.write_text('{"type":"user","sessionId":"s"}\n' + "x\n" * 7 + "\n", encoding="utf-8")
    (report,) = importer(database, book).import_files([path], NOW)
    assert report.rejected == 7
    assert [problem.problem for problem in report.problems] == [
        *(f"Line {row} was left out: it is no JSON object." for row in (2, 3, 4)),
        "4 more rows were left out, of which row 5 is the first; the rows before say what is wrong.",
    ]
    with database.read() as connection:
        assert connection.execute(select(imports.c.rejected)).scalar_one() == 7


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("x\n" * 8, "none of its first 8 rows can be read, as: Row 2 was left out: it has 1 columns where"),
        ("\n" * 8, "after line 1 it has over 6 empty lines; export it again."),
    ],
)
def test_a_table_of_nothing_but_bad_or_empty_rows_is_refused(
    database: Database,
    book: PriceBook,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rows: str,
    said: str,
) -> None:
    monkeypatch.setattr("bot.imports.MAX_PROBLEMS", 3)
    monkeypatch.setattr("bot.imports.HOPELESS", 5)
    monkeypatch.setattr("bot.exports.reader.MAX_EMPTY", 6)
    header = "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,cost_type\n"
    path = tmp_path / "cost.csv"
    path.write_text(header + rows, encoding="utf-8")
    (report,) = importer(database, book).import_files([path], NOW)
    assert said in str(report.refused)


def test_histograms_of_other_programs_are_no_reason_to_refuse(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """A collector's file: 1,000 points of 160 buckets, 5 bytes for each, beside one event of Claude Code."""
    point = {"timeUnixNano": "1", "positive": {"offset": 1, "bucketCounts": ["10"] * 160}}
    body = json.loads(event(1))
    metric = {"name": "http", "exponentialHistogram": {"dataPoints": [point] * 1_000}}
    body["resourceMetrics"] = [{"scopeMetrics": [{"metrics": [metric]}]}]
    path = tmp_path / "all.json"
    path.write_text(json.dumps(body, separators=(",", ":")), encoding="utf-8")
    (report,) = importer(database, book).import_files([path], NOW)
    assert (report.refused, report.rows) == (None, 1)


def test_a_run_without_its_models_or_its_end_is_named(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """Beside a sound one: what the same run said while it went on is no run."""
    said = {"type": "result", "session_id": "s", "total_cost_usd": 1}
    models = {"claude-opus-5": {"inputTokens": 10, "outputTokens": 5, "costUSD": 1}}
    runs = [
        {"type": "system", "session_id": "s"},
        {"type": "assistant", "input": {"total_cost_usd": 9, "modelUsage": {}}},
        {**said, "uuid": "a", "modelUsage": models},
        {**said, "uuid": "b"},
        {**said, "uuid": "c", "modelUsage": models},
    ]
    path = tmp_path / "runs.jsonl"
    path.write_text("\n".join(map(json.dumps, runs))[:-30], encoding="utf-8")
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    (report,) = importer(database, book).import_files([path], NOW)
    assert report.rows == 1
    assert [problem.problem[:30] for problem in report.problems] == [
        "Run 3 was left out: it has no ",
        "Run 4 was left out: Input data",
    ]


def test_an_address_in_a_proposed_command_is_one_word_of_a_shell(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    path = tmp_path / "users.json"
    for email in ("o'brien@example.com", "obrien@example.com"):
        user = {"id": "user_1", "email": email, "role": "user", "added_at": "2026-01-01T00:00:00Z", "type": "user"}
        path.write_text(json.dumps({"data": [user], "first_id": "user_1", "has_more": False}), encoding="utf-8")
        (report,) = importer(database, book).import_files([path], NOW)
        assert report.refused is None
    (problem,) = report.problems
    words = shlex.split(problem.problem.partition("run: ")[2])
    assert words == ["claudecost", "link", "o'brien@example.com", "obrien@example.com"]


def test_a_lone_persons_use_of_cursor_says_nothing_of_claude(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """No digest may say that nobody used Claude: nothing is known of it."""
    (sample,) = (SAMPLES / "cursor_json").glob("*.json")
    page = json.loads(sample.read_text(encoding="utf-8"))
    page["usageEvents"] = [{**page["usageEvents"][0], "timestamp": "1762336800000"}]  # 2025-11-05 10:00 UTC
    path = tmp_path / "events.json"
    path.write_text(json.dumps(page), encoding="utf-8")
    (report,) = importer(database, book).import_files([path], NOW)
    assert report.recorded.days == [date(2025, 11, 5)]
    assert not ledger_of(database, book).digest(date(2025, 11, 5)).is_idle


def test_empty_pages_of_many_days_are_a_quiet_time(database: Database, book: PriceBook, tmp_path: Path) -> None:
    page = json.dumps({"data": [], "has_more": False, "next_page": None})
    path = tmp_path / "pages.json"
    for text in ("\n".join([page] * 40), f"[{','.join([page] * 40)}]"):
        path.write_text(text, encoding="utf-8")
        (report,) = importer(database, book).import_files([path], NOW)
        assert (report.format, report.rows, report.refused) == ("claude_code_analytics_api", 0, None)


def test_ccusage_without_models_says_how_to_get_them(database: Database, book: PriceBook, tmp_path: Path) -> None:
    row = {"date": "2026-11-05", "inputTokens": 10, "cacheCreationTokens": 0, "totalCost": 0.1, "modelsUsed": ["x"]}
    path = tmp_path / "daily.json"
    path.write_text(json.dumps({"daily": [row]}), encoding="utf-8")
    (report,) = importer(database, book).import_files([path], NOW)
    assert report.problems[0].problem == "Row 1 was left out: it has no modelBreakdowns; run ccusage with --breakdown."


def test_spend_limits_come_page_after_page(database: Database, book: PriceBook, tmp_path: Path) -> None:
    entries = [
        {"period": "monthly", "period_to_date_spend": "150", "actor": {"type": "user_actor", "email_address": name}}
        for name in ("dana@example.com", "kim@example.com")
    ]
    pages = [{"data": [entries[0]], "next_page": "page_2"}, {"data": [entries[1]], "next_page": None}]
    path = tmp_path / "limits.json"
    for text in ("\n".join(map(json.dumps, pages)), json.dumps(pages)):
        path.write_text(text, encoding="utf-8")
        (report,) = importer(database, book).import_files([path], NOW)
        assert (report.rows, report.problems, report.has_more) == (2, [], False)


def test_pages_of_cursor_say_that_more_follow(database: Database, book: PriceBook, tmp_path: Path) -> None:
    (sample,) = (SAMPLES / "cursor_json").glob("*.json")
    page = json.loads(sample.read_text(encoding="utf-8"))
    path = tmp_path / "events.json"
    for has_next in (True, False):
        page["pagination"]["hasNextPage"] = has_next
        path.write_text(json.dumps(page), encoding="utf-8")
        (report,) = importer(database, book).import_files([path], NOW)
        assert report.has_more == has_next


@pytest.mark.parametrize("value", ["1", "{}", '""'])
def test_a_document_of_many_small_values_is_refused_before_they_fill_the_memory(
    database: Database, book: PriceBook, tmp_path: Path, value: str
) -> None:
    path = tmp_path / "page.json"
    path.write_text(f'{{"data":[{{"actor":1,"model_breakdown":2}}{f",{value}" * 200_000}]}}', encoding="utf-8")
    (report,) = importer(database, book).import_files([path], NOW)
    assert "it holds 200,001 values in" in str(report.refused)


def test_a_protobuf_body_of_nothing_is_refused_before_it_fills_the_memory(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    (sample, *_) = sorted((SAMPLES / "otel" / "otlp_pb").glob("*metrics*"))
    path = tmp_path / "metrics.pb"
    for more, said in (
        (b"\x0a\x00" * 200_000, "empty records in"),
        (b"\x00" * 17 * 2**20, "it is one protobuf body of over 16 MB; save each by itself"),
    ):
        path.write_bytes(sample.read_bytes() + more)
        (report,) = importer(database, book).import_files([path], NOW)
        assert said in str(report.refused)


@pytest.mark.parametrize("is_by_line", [True, False])
def test_many_events_are_read_in_little_memory(book: PriceBook, is_by_line: bool) -> None:
    """Each of them says a thousand letters that are not looked at: a body is held as text, of lines one."""
    bodies = [json.loads(event(number, other="x" * 1000)) for number in range(5_000)]
    if is_by_line:
        text = "\n".join(map(json.dumps, bodies))
    else:
        records = [body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0] for body in bodies]
        text = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
    export = as_export(text)
    tracemalloc.start()
    found = sum(
        isinstance(one, UsageRecord) for one in recognise(export).read(export, ReadingContext(ZoneInfo("UTC"), book))
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 5_000
    assert peak < (1_000_000 if is_by_line else 3.2 * len(text))


def test_what_is_wrong_in_a_watched_folder_is_said_until_it_is_mended(
    database: Database, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive with a member that is no export, whose name would move the cursor; it is read once."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("new\n\x1b[31mred.csv", "nothing\n1\n")
    os.utime(path, (NOW.timestamp() - 60,) * 2)
    read: list[str] = []
    real = Importer._read_files

    def spied(self: Importer, path: Path, *rest: Any, **options: Any) -> Any:
        read.append(path.name)
        return real(self, path, *rest, **options)

    monkeypatch.setattr(Importer, "_read_files", spied)
    feeds = Feeds(database, [folder_feed(tmp_path, lambda: importer(database, book))])
    for minutes in range(3):
        feeds.collect(NOW + timedelta(minutes=minutes))
        (state,) = feed_states(database)
        assert str(state.problem).startswith(f"new\\n\\x1b[31mred.csv in {path} was not imported: ")
    assert read == ["a.zip"]


def test_each_file_of_a_watched_folder_has_its_own_problem(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """Neither a good file hides what is wrong with others, nor does one that was mended or taken away stay wrong."""
    feeds = Feeds(database, [folder_feed(tmp_path, lambda: importer(database, book))])

    def said_after(minutes: int, **cells: str | None) -> str | None:
        for name, cell in cells.items():
            path = tmp_path / f"{name}.csv"
            if cell is None:
                path.unlink()
                continue
            path.write_text(f"{CONSOLE}\n2026-11-05,claude-opus-5,k,{cell},0\n", encoding="utf-8")
            os.utime(path, (NOW.timestamp() + 60 * (minutes - 1),) * 2)
        feeds.collect(NOW + timedelta(minutes=minutes))
        (state,) = feed_states(database)
        assert not state.is_failing
        return state.problem

    both = said_after(0, a="many", b="few", c="1")
    assert str(both).startswith(f"{tmp_path / 'a.csv'}: Row 2 was left out: ")
    assert str(both).endswith(" There are problems with 1 more.")
    assert said_after(1) == both
    few = str(said_after(2, a="2"))
    assert few.startswith(f"{tmp_path / 'b.csv'}: Row 2 was left out: ")
    assert "“few”" in few
    assert "There are" not in few
    assert said_after(3, d="3") == few
    assert said_after(4, b=None) is None


def test_a_file_of_a_clock_that_is_ahead_is_read(database: Database, book: PriceBook, tmp_path: Path) -> None:
    feeds = Feeds(database, [folder_feed(tmp_path, lambda: importer(database, book))])
    for seconds, found in ((5, 0), (86400, 1)):
        path = tmp_path / f"{seconds}.csv"
        path.write_text(f"{CONSOLE}\n2026-11-05,claude-opus-5,k,1000000,0", encoding="utf-8")
        os.utime(path, (NOW.timestamp() + seconds,) * 2)
        feeds.collect(NOW + timedelta(minutes=found))
        assert feed_states(database)[0].received == found


def test_a_log_that_is_never_at_rest_is_read_line_by_line(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """Two responses, written just now: at first the second has no end yet. A table is left until it is at rest."""
    feeds = Feeds(database, [folder_feed(tmp_path, lambda: importer(database, book))])
    lines = [own_line(type="assistant", requestId="r", message={**OPUS, "id": name}) for name in ("m1", "m2")]
    table = f"{CONSOLE}\n2026-11-05,claude-opus-5,k,1000000,0\n"
    for minute, (log, found) in enumerate((("\n".join(lines), 0), ("\n".join((*lines, "")), 2))):
        now = NOW + timedelta(minutes=minute)
        for name, text in (("log.jsonl", log), ("usage.csv", table)):
            (tmp_path / name).write_text(text, encoding="utf-8")
            os.utime(tmp_path / name, (now.timestamp() - 1,) * 2)
        feeds.collect(now)
        assert feed_states(database)[0].received == found


def test_a_transcript_with_one_good_line_among_many_bad_ones_is_read(
    database: Database, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.imports.MAX_PROBLEMS", 3)
    monkeypatch.setattr("bot.imports.HOPELESS", 5)
    entry = {"type": "assistant", "sessionId": "s", "timestamp": "2026-11-05T10:00:00Z", "requestId": "r"}
    message = {"id": "m", "role": "assistant", "model": "claude-opus-5", "usage": {"input_tokens": 10**6}}
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps({**entry, "message": message}) + "\n" + "x\n" * 20, encoding="utf-8")
    (report,) = importer(database, book).import_files([path], NOW)
    assert (report.refused, report.rows, report.rejected) == (None, 1, 20)


def test_events_that_only_their_time_tells_apart_all_count(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """Three of one session, as a collector leaves them that drops ids; sent again they change nothing."""
    bodies = []
    for second in range(3):
        body = json.loads(event(second * 10**9))
        (record,) = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
        record["attributes"] = [one for one in record["attributes"] if one["key"] != "request_id"]
        bodies.append(json.dumps(body))
    path = tmp_path / "logs.jsonl"
    path.write_text("\n".join([*bodies, bodies[0]]), encoding="utf-8")
    for _ in range(2):
        (report,) = imported(database, book, path)
        assert report.problems == []
        assert usd(database, book) == 15


@pytest.mark.parametrize("half", [r"\ud83d", r"\uDC00", r"\\\ud83d", r"\ud83d\ud83d\ude00", r"\uDE00\uD83D"])
def test_half_a_character_in_what_was_said_costs_nothing(
    database: Database, book: PriceBook, tmp_path: Path, half: str
) -> None:
    """As where a program cuts a text within one: JSON.stringify writes what is left as an escape."""
    message = {"id": "m", "role": "assistant", "model": "claude-opus-5", "usage": {"input_tokens": 10**6}}
    line = {"type": "assistant", "sessionId": "s", "timestamp": "2026-11-05T10:00:00Z", "message": message}
    page = analytics(tokens={"input": 5})
    page["data"][0]["terminal_type"] = "HALF"
    files = {
        "said.jsonl": json.dumps({**line, "requestId": "r", "cwd": "HALF"}),
        "events.json": event(7, prompt="HALF"),
        "page.json": json.dumps(page),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.write_text(text.replace("HALF", half), encoding="utf-8")
        (report,) = importer(database, book).import_files([path], NOW)
        assert (report.refused, report.problems) == (None, [])
        assert report.rows == 1


@pytest.mark.parametrize("sound", [r"\ud83d\ude00", r"\\ud83d", r"\\\\ud83d x", r"\u00e9", "é", r"\"\\"])
def test_whole_characters_stay_as_they_are(sound: str) -> None:
    said = f'"{sound}"'.encode()
    assert json.loads(whole_characters(said)) == json.loads(said)
    assert whole_characters(said) == said
