"""Readers of formats that no sample covers whole: shapes from the documentation, in memory."""

import gzip
import io
import json
import os
import zipfile
from datetime import date
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from bot.exports.containers import MAX_UNPACKED
from bot.exports.formats import has_utc_days, recognise
from bot.exports.reader import ReadingContext, UnreadableExport, email_actor
from bot.imports import FileReport
from bot.ledger import Ledger
from bot.pricing import PriceBook, TokenUsage
from bot.spend.records import Actor, Covered, Member, Request, UsageRecord, request_key
from bot.store.database import Database
from bot.store.people import normalised_email
from tests.conftest import SAMPLES
from tests.exports.test_readers import HEADER, ROW, read
from tests.exports.test_samples import imported, ledger_of
from tests.usage import as_export, store

USAGE = {
    "uncached_input_tokens": 1,
    "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
    "cache_read_input_tokens": 4,
    "output_tokens": 5,
    "server_tool_use": {"web_search_requests": 6},
}
GROUP = {"actor": {"type": "user_actor", "user_id": "u1", "email_address": "Dana@x.com"}, "model": "claude-opus-5-5"}


def rows_page(*rows: dict[str, Any]) -> str:
    return json.dumps({"data": rows, "has_more": False, "next_page": None})


def beta(start: str, end: str, **fields: Any) -> dict[str, Any]:
    return {"starting_at": start, "ending_at": end, "group": GROUP, **fields}


def test_a_usage_row_of_the_beta(book: PriceBook) -> None:
    (record,), problems = read(rows_page(beta("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", usage=USAGE)), book)
    assert problems == []
    assert (record.actor, record.usage) == (Actor("email", "dana@x.com"), TokenUsage(1, 5, 4, 2, 3, 6))
    assert (record.day, record.until) == (date(2026, 11, 1), None)


@pytest.mark.parametrize(
    ("said", "tier"),
    [
        ({"product": "message_batches_api"}, "batch"),
        ({"product": "message_batches_api", "service_tier": "standard"}, "standard"),
        ({"product": "messages_api"}, "standard"),
        ({}, "standard"),
    ],
)
def test_usage_of_batches_is_of_their_tier(book: PriceBook, said: dict[str, str], tier: str) -> None:
    row = {**beta("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", usage=USAGE), "group": {**GROUP, **said}}
    (record,), _ = read(rows_page(row), book)
    assert record.conditions.service_tier == tier


def test_a_row_without_a_day_is_a_range(book: PriceBook) -> None:
    (record,), _ = read(rows_page(beta("2026-11-01T00:00:00Z", "2026-11-20T00:00:00Z", usage=USAGE)), book)
    assert (record.day, record.until) == (date(2026, 11, 1), date(2026, 11, 20))


def test_an_hour_lies_on_the_spend_day_of_its_start(book: PriceBook) -> None:
    page = rows_page(beta("2026-11-01T23:00:00Z", "2026-11-02T00:00:00Z", usage=USAGE))
    assert read(page, book, "Europe/Paris")[0][0].day == date(2026, 11, 2)


def test_rows_by_group_overlap_and_are_left_out(book: PriceBook) -> None:
    row = beta("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", cost={"amount": "5"})
    records, problems = read(rows_page(row | {"group": {**GROUP, "rbac_group_id": "g1"}}, row), book)
    assert [record.reported_usd for record in records] == [Decimal("0.05")]
    assert "grouped by RBAC group" in problems[0].problem


def test_enterprise_usage_by_person(book: PriceBook) -> None:
    result = {"product": "claude_code", "model": "claude-opus-5-5", "user_email": "dana@x.com", **USAGE}
    bucket = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z", "results": [result]}
    export = as_export(rows_page(bucket))
    assert recognise(export).name == "enterprise_usage_report"
    (record,), _ = read(rows_page(bucket), book)
    assert (record.actor.name, record.part) == ("dana@x.com", "claude_code")


RUN = {
    "type": "result",
    "total_cost_usd": 0.05,
    "session_id": "s1",
    "uuid": "u1",
    "modelUsage": {
        "claude-opus-5-5[1m]": {
            "inputTokens": 10,
            "outputTokens": 20,
            "cacheReadInputTokens": 30,
            "cacheCreationInputTokens": 50,
            "cacheCreationEphemeral5mInputTokens": 10,
            "cacheCreationEphemeral1hInputTokens": 40,
            "webSearchRequests": 1,
            "costUSD": 0.05,
            "costBasis": "list",
        },
        "claude-zephyr-9": {"inputTokens": 5, "outputTokens": 5, "costUSD": 0.9, "costBasis": "unknown"},
    },
}


@pytest.mark.parametrize("text", [json.dumps(RUN), json.dumps(RUN, indent=1), json.dumps([{"type": "system"}, RUN])])
def test_a_run_of_claude_print(book: PriceBook, text: str) -> None:
    records, problems = read(text, book, person="Dana@x.com")
    assert problems == []
    assert [(r.model, r.usage, r.reported_usd) for r in records] == [
        ("claude-opus-5-5", TokenUsage(10, 20, 30, 10, 40, 1), Decimal("0.05")),
        ("claude-zephyr-9", TokenUsage(5, 5), None),  # Claude Code took another model's price
    ]
    assert {record.actor.name for record in records} == {"dana@x.com"}


def test_a_session_that_goes_on_is_several_runs(database: Database, book: PriceBook, tmp_path: Path) -> None:
    # Before runs had ids: 10 + 11 input tokens of the session, of which the first run is saved twice.
    model = {"inputTokens": 10, "outputTokens": 20, "costUSD": 0.05}
    first = {"session_id": "s1", "total_cost_usd": 0.05, "modelUsage": {"claude-opus-5-5": model}}
    second = {**first, "modelUsage": {"claude-opus-5-5": {**model, "inputTokens": 11}}}
    texts = [json.dumps(first), json.dumps(first, indent=1, sort_keys=True), json.dumps(second)]
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.json"
        path.write_text(text)
        os.utime(path, (DAY_ONE, DAY_ONE))
        imported(database, book, path)
    (row,) = ledger_of(database, book).spend(None, None, ("model",)).rows
    assert row.amount.usage.input == 21


@pytest.mark.parametrize(
    ("lines", "counts"),
    [
        # One process that is asked again and again says each time what all came to.
        (["event", ("s1", 10), "event", ("s1", 25), ("s1", 40)], [40]),
        (["event", ("s1", 10), "event", ("s2", 25)], [10, 25]),
        (["event", ("s1", 10), "event", ("s1", 4), ("s1", 9)], [9, 10]),  # another process goes on with the session
        ([("s1", 10), ("s1", 25)], [10, 25]),  # results alone are of a process each
        ([["event", ("s1", 10)], ["event", ("s1", 25)]], [10, 25]),  # so are lists
        ([["event", ("s1", 10), ("s1", 25)]], [25]),
    ],
)
def test_a_process_that_is_asked_again_restates_what_it_said(
    database: Database, book: PriceBook, tmp_path: Path, lines: list[Any], counts: list[int]
) -> None:
    def said(line: Any, uuid: str) -> Any:
        if isinstance(line, list):
            return [said(one, f"{uuid}-{place}") for place, one in enumerate(line)]
        if line == "event":
            return {"type": "system", "subtype": "init", "session_id": "s1"}
        session, count = line
        model = {"inputTokens": count, "outputTokens": 20, "costUSD": count / 100}
        usage = {"total_cost_usd": count / 100, "modelUsage": {"claude-opus-5-5": model}}
        return {"type": "result", "session_id": session, "uuid": uuid, **usage}

    path = tmp_path / "stream.jsonl"
    whole = [json.dumps(said(line, str(place))) for place, line in enumerate(lines)]
    for taken in range(1, len(whole) + 1):  # as it grows
        path.write_text("\n".join(whole[:taken]))
        os.utime(path, (DAY_ONE, DAY_ONE))
        if "result" in path.read_text():
            imported(database, book, path)
    (row,) = ledger_of(database, book).spend(None, None, ("model",)).rows
    assert (row.amount.usage.input, row.amount.usd) == (sum(counts), Decimal(sum(counts)) / 100)


def test_runs_beside_those_that_an_older_version_stored(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """It kept one of a session, the fullest of those with 10 and 12 input tokens: that one stays one, and 10 come."""

    def run(count: int) -> str:
        used = {"claude-opus-5-5": {"inputTokens": count, "outputTokens": 20, "costUSD": 0.05}}
        return json.dumps({"session_id": "s1", "total_cost_usd": 0.05, "modelUsage": used})

    (stored,), _ = read(run(12), book)
    formerly = Request(request_key(b"s1\0claude-opus-5-5"), DAY_ONE * 1000)
    store(database, replace(stored, day=date(2026, 11, 22), request=formerly), source="claude_print")
    path = tmp_path / "runs.json"
    for counts in ((10, 12), (12, 10, 11), (11,)):
        path.write_text("\n".join(map(run, counts)))
        os.utime(path, (DAY_ONE, DAY_ONE))
        imported(database, book, path)
    (row,) = ledger_of(database, book).spend(None, None, ("model",)).rows
    assert row.amount.usage.input == 10 + 11 + 12


def metrics(value: int, at: int, temporality: int, start: int = 1_795_300_000) -> str:
    attributes = {"user.email": "dana@x.com", "session.id": "s", "model": "claude-opus-5-5", "type": "input"}
    point = {
        "attributes": [{"key": key, "value": {"stringValue": text}} for key, text in attributes.items()],
        "startTimeUnixNano": f"{start}000000000",
        "timeUnixNano": f"{at}000000000",
        "asDouble": value,
    }
    total = {"aggregationTemporality": temporality, "dataPoints": [point]}
    metric = {"name": "claude_code.token.usage", "sum": total}
    return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})


@pytest.mark.parametrize(
    ("said", "tokens"),
    [
        ("12", 12),
        ('"12"', 12),
        ("1.2e1", 12),
        ('"1_000"', None),
        ('"\N{FULLWIDTH DIGIT ONE}2"', None),
        ('"\N{ARABIC-INDIC DIGIT ONE}2"', None),
        ('" 12 "', None),
        ('"+5"', None),
        ('"NaN"', None),
        ('"Infinity"', None),
        ("-1", None),
        ("1.5", None),
        ('null,"asInt":"7"', 7),
        ('null,"asInt":"1_0"', None),
    ],
)
def test_numbers_of_points_are_plain(book: PriceBook, said: str, tokens: int | None) -> None:
    records, problems = read(metrics(0, DAY_ONE, 1).replace('"asDouble": 0', f'"asDouble": {said}'), book)
    assert [record.usage.input for record in records] == ([] if tokens is None else [tokens])
    assert len(problems) == (tokens is None)


DAY_ONE, DAY_TWO = 1_795_300_800, 1_795_392_000  # 2026-11-22 and 2026-11-23, both at noon-ish UTC


class TestTemporality:
    def tokens(self, database: Database, book: PriceBook) -> dict[str, int]:
        report = ledger_of(database, book).spend(None, None, ("day",))
        return {row.group[0]: row.amount.usage.input for row in report.rows}

    def test_deltas_are_added_and_the_same_one_is_not(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        for number, (value, at) in enumerate([(100, DAY_ONE), (50, DAY_ONE + 60), (100, DAY_ONE)]):
            (tmp_path / f"{number}.json").write_text(metrics(value, at, 1), encoding="utf-8")
        imported(database, book, tmp_path)
        assert list(self.tokens(database, book).values()) == [150]

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
    def test_counts_since_a_start_are_told_apart_into_days(
        self, database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
    ) -> None:
        points = [(100, DAY_ONE), (150, DAY_ONE + 60), (400, DAY_TWO)]
        for number in order:
            path = tmp_path / f"{number}.json"
            path.write_text(metrics(*points[number], 2), encoding="utf-8")
            imported(database, book, path)
        assert list(self.tokens(database, book).values()) == [150, 250]


REPORT = "user_email,account_uuid,product,model,total_prompt_tokens,total_completion_tokens,total_net_spend_usd\n"


class TestSpendReports:
    def days(self, ledger: Ledger) -> dict[str, str]:
        return {row.group[0]: f"{row.amount.usd:f}" for row in ledger.spend(None, None, ("day",)).rows}

    def write(self, folder: Path, last: int, **dollars: str) -> Path:
        path = folder / f"spend-report-org-2026-11-01-to-2026-11-{last:02}.csv"
        rows = [f"{name}@x.com,a,Claude Code,claude-opus-5-5,0,0,{usd}\n" for name, usd in dollars.items()]
        path.write_text(REPORT + "".join(rows), encoding="utf-8")
        return path

    @pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
    def test_successive_ones_are_told_apart_into_days(
        self, database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
    ) -> None:
        totals = {1: {"ada": "5"}, 2: {"ada": "7.5", "bob": "1"}, 3: {"ada": "7.5", "bob": "4"}}
        for last in order:
            imported(database, book, self.write(tmp_path, last, **totals[last]))
        # 5; 2.5 + 1; 0 + 3
        assert self.days(ledger_of(database, book)) == {
            "2026-11-01": "5.000000000",
            "2026-11-02": "3.500000000",
            "2026-11-03": "3.000000000",
        }

    def test_a_newer_total_that_is_smaller_takes_from_the_days_before(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        for last, usd in ((1, "5"), (2, "9"), (3, "4")):
            imported(database, book, self.write(tmp_path, last, ada=usd))
        assert self.days(ledger_of(database, book)) == {"2026-11-01": "4.000000000"}

    def test_a_restated_one_moves_its_day(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        for last, usd in ((1, "5"), (2, "9"), (2, "10")):
            (report,) = imported(database, book, self.write(tmp_path, last, ada=usd))
        assert report.recorded.restated == 1
        assert self.days(ledger_of(database, book))["2026-11-02"] == "5.000000000"

    def test_a_gap_stays_a_total(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        for last, usd in ((1, "5"), (9, "50")):
            imported(database, book, self.write(tmp_path, last, ada=usd))
        assert self.days(ledger_of(database, book)) == {"2026-11-01/2026-11-09": "50.000000000"}

    @pytest.mark.parametrize("order", [(1, 2, 3), (2, 1, 3), (3, 2, 1)])
    def test_a_report_of_a_quiet_start_of_the_month_has_no_rows(
        self, database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
    ) -> None:
        """The 1st is a Sunday on which nobody used anything; $4 on the 2nd, and $1 more on the 3rd."""
        dollars = {1: {}, 2: {"ada": "4"}, 3: {"ada": "5"}}
        for last in order:
            (report,) = imported(database, book, self.write(tmp_path, last, **dollars[last]))
            assert report.refused is None
        ledger = ledger_of(database, book)
        assert self.days(ledger) == {"2026-11-02": "4.000000000", "2026-11-03": "1.000000000"}
        assert ledger.digest(date(2026, 11, 1)).is_idle

    def test_a_report_whose_rows_are_damaged_does_not_say_that_there_were_none(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        imported(database, book, self.write(tmp_path, 2, ada="30"))
        path = self.write(tmp_path, 1, ada="25")
        path.write_text(path.read_text(encoding="utf-8")[:-25], encoding="utf-8")
        (report,) = imported(database, book, path)
        assert len(report.problems) == 1
        assert self.days(ledger_of(database, book)) == {"2026-11-01/2026-11-02": "30.000000000"}

    @pytest.mark.parametrize("order", list(permutations(((2, {}), (3, {"ada": "30"}), (1, {"ada": "10"})))))
    def test_an_earlier_report_with_rows_overrules_a_later_one_without(
        self, database: Database, book: PriceBook, tmp_path: Path, order: tuple[tuple[int, dict[str, str]], ...]
    ) -> None:
        for last, dollars in order:
            imported(database, book, self.write(tmp_path, last, **dollars))
        days = self.days(ledger_of(database, book))
        assert sum(map(Decimal, days.values())) == 30
        assert "2026-11-03" not in days

    def test_usage_of_a_model_that_came_out_meanwhile_has_its_first_price(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        """A million tokens of Opus 5.5, $4 since 22 September; then a million of Fable 5.2, $8 since 10 November."""
        header = REPORT.replace("total_prompt_tokens", "total_uncached_input_tokens")
        for name, model in (("2026-09-01-to-2026-09-30", "opus-5-5"), ("2026-11-01-to-2026-11-19", "fable-5-2")):
            path = tmp_path / f"spend-report-org-{name}.csv"
            path.write_text(f"{header}ada@x.com,a,Claude Code,claude-{model},1000000,0,0\n", encoding="utf-8")
            (report,) = imported(database, book, path)
            assert report.problems == []
        found = ledger_of(database, book).spend(None, None, ()).total
        assert (found.usd, found.unpriced_tokens) == (Decimal(12), 0)
        assert ledger_of(database, book).digest(date(2026, 11, 19)).month_usd == 8

    def test_a_file_without_its_name_is_refused(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        path = self.write(tmp_path, 9, ada="1").rename(tmp_path / "report.csv")
        (report,) = imported(database, book, path)
        assert "give it its name back" in (report.refused or "")

    def test_it_says_whose_an_account_is(self, book: PriceBook) -> None:
        export = as_export(REPORT + "ada@x.com,acc-1,Claude Code,m,0,0,1\n", "2026-10.csv")
        days, *found = recognise(export).read(export, ReadingContext(ZoneInfo("UTC"), book))
        assert days == Covered(date(2026, 10, 1), date(2026, 11, 1))
        assert isinstance(found[1], UsageRecord)
        assert found[0] == Member(2, "ada@x.com", account="acc-1")


class TestContainers:
    CSV = f"{HEADER}\n{ROW}\n".encode()

    def test_gzip_and_zip_hold_exports(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        (tmp_path / "usage.csv.gz").write_bytes(gzip.compress(self.CSV))
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            archive.writestr("one.csv", self.CSV)
            archive.writestr("folder/two.csv", self.CSV.replace(b"app", b"other"))
        reports = imported(database, book, tmp_path)
        assert [(r.recorded.accepted, r.recorded.unchanged) for r in reports] == [(1, 0), (1, 0), (0, 1)]

    def refused(self, database: Database, book: PriceBook, path: Path) -> str:
        reports: list[FileReport] = imported(database, book, path)
        return reports[-1].refused or ""

    def test_what_unpacks_to_too_much_is_refused_by_its_promise_and_by_its_bytes(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        bomb = tmp_path / "bomb.gz"
        with gzip.open(bomb, "wb", 1) as packed:
            for _ in range(MAX_UNPACKED // 2**24 + 1):
                packed.write(b"0" * 2**24)
        assert f"it unpacks to more than {MAX_UNPACKED // 2**20} MB" in self.refused(database, book, bomb)

    def test_archives_in_archives_and_damaged_ones_are_refused(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as archive:
            archive.writestr("one.csv", self.CSV)
        with zipfile.ZipFile(tmp_path / "nested.zip", "w") as archive:
            archive.writestr("inner.zip", inner.getvalue())
        (tmp_path / "cut.zip").write_bytes(inner.getvalue()[:-30])
        (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(self.CSV)[:-12])
        (tmp_path / "empty.zip").write_bytes(b"PK\x05\x06" + bytes(18))
        assert "holds another archive, inner.zip" in self.refused(database, book, tmp_path / "nested.zip")
        assert "a damaged zip archive" in self.refused(database, book, tmp_path / "cut.zip")
        assert "is a damaged archive" in self.refused(database, book, tmp_path / "cut.csv.gz")
        assert "no file in it" in self.refused(database, book, tmp_path / "empty.zip")

    @pytest.mark.parametrize(
        ("method", "flags", "name", "said"),
        [
            (zipfile.ZIP_BZIP2, 0, "bad.csv", "packed by method 12, not by deflate; pack it again as an ordinary zip"),
            (zipfile.ZIP_LZMA, 0, "bad.csv", "packed by method 14, not by deflate; pack it again as an ordinary zip"),
            (zipfile.ZIP_STORED, 1, "bad.csv", "bad.csv in {} was not imported: it is encrypted; unpack it, or"),
            (zipfile.ZIP_STORED, 0, "\0bad.csv", "a file without a name in {} was not imported: it starts with"),
        ],
    )
    def test_a_file_that_cannot_be_unpacked_costs_itself_alone(
        self, database: Database, book: PriceBook, tmp_path: Path, method: int, flags: int, name: str, said: str
    ) -> None:
        path = tmp_path / "two.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name.replace("\0", "0"), bytes(2**20), method)
            archive.writestr("good.csv", self.CSV)
        data = path.read_bytes().replace(name.replace("\0", "0").encode(), name.encode())
        if flags:
            entry = data.index(b"PK\x01\x02") + 8
            data = data[:entry] + bytes([flags]) + data[entry + 1 :]
        path.write_bytes(data)
        bad, good = imported(database, book, path)
        assert said.format(path) in (bad.refused or "")
        assert good.recorded.accepted == 1

    def test_of_a_file_in_a_zip_no_more_is_unpacked_than_it_is_said_to_have(
        self, database: Database, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Asked for a megabyte of what its entry calls a small file, Python unpacks one, only to drop it."""
        read, asked = zipfile.ZipExtFile.read, list[int]()

        def noted(self: zipfile.ZipExtFile, size: int | None = -1) -> bytes:
            asked.append(size or 0)
            return read(self, size)

        monkeypatch.setattr(zipfile.ZipExtFile, "read", noted)
        with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
            archive.writestr("good.csv", self.CSV)
        (report,) = imported(database, book, tmp_path / "one.zip")
        assert report.recorded.accepted == 1
        assert asked
        assert max(asked) <= len(self.CSV) + 1


def test_errors_of_an_api_are_told_from_usage(database: Database, book: PriceBook) -> None:
    (report,) = imported(database, book, SAMPLES / "claude_code_analytics_api" / "errors.json")
    assert "it is an error from an API, not usage: “The API key provided is invalid" in (report.refused or "")
    with pytest.raises(UnreadableExport, match="invalid x-api-key"):
        recognise(as_export('{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}'))


def test_a_zip_that_promises_ten_gigabytes_is_refused_unread(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    path = tmp_path / "promise.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("usage.csv", HEADER)
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (4_000_000_000).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    (report,) = imported(database, book, path)
    assert "it unpacks to 3,814 MB" in (report.refused or "")


def test_a_download_saved_again_is_the_later_one(database: Database, book: PriceBook, tmp_path: Path) -> None:
    for number, name in enumerate(("usage.csv", "usage (1).csv", "usage (2).csv", "usage (10).csv"), start=1):
        row = f"2026-11-10,claude-opus-5,key,Default,standard,≤ 200k,{number}000000,0,0,0,0,0,global,"
        (tmp_path / name).write_text(f"{HEADER}\n{row}\n", encoding="utf-8")
    imported(database, book, tmp_path)
    assert ledger_of(database, book).spend(None, None, ()).total.usage.input == 4_000_000


def test_openrouter_states_no_dollars_for_tokens_that_no_cost_is_known_of(book: PriceBook) -> None:
    rows = [f"2026-05-12,{slug},0,0,1,1000,10,0" for slug in ("anthropic/claude-new", "anthropic/claude-new:free")]
    header = "Date,Slug,Usage,BYOK Usage,Requests,Prompt Tokens,Completion Tokens,Reasoning Tokens"
    records, _ = read("\n".join([header, *rows]), book)
    assert [record.reported_usd for record in records] == [None, 0]


@pytest.mark.parametrize(
    ("source", "is_utc"),
    [
        ("console_usage_csv", True),
        ("console_usage_csv_inference_geo_speed", True),
        ("admin_cost_report_by_kind", True),
        ("admin_usage_report_3600s", False),
        ("transcripts", False),
        ("ccusage_project", False),
        ("", False),
    ],
)
def test_a_view_has_the_days_of_its_source(source: str, is_utc: bool) -> None:
    assert has_utc_days(source) == is_utc


def test_rows_of_the_enterprise_reports_by_user(book: PriceBook) -> None:
    times = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z"}
    for figures, counted, reported in (
        (USAGE, TokenUsage(1, 5, 4, 2, 3, 6), None),
        ({"amount": "123.5", "list_amount": "150", "currency": "USD"}, TokenUsage(), Decimal("1.235")),
    ):
        rows = [{**GROUP, **times, "product": name, "speed": None, **figures} for name in ("chat", "claude_code")]
        found, problems = read(rows_page(*rows), book)
        assert problems == []
        assert {(record.actor, record.day) for record in found} == {(Actor("email", "dana@x.com"), date(2026, 11, 1))}
        assert [(record.usage, record.reported_usd) for record in found] == [(counted, reported)] * 2
        assert len({record.request for record in found}) == 2


def test_other_makers_models_of_litellm_are_no_claude_spend(book: PriceBook) -> None:
    used = {"spend": 5, "prompt_tokens": 1_000_000}
    models = {
        "openai/gpt-6": "openai",
        "gpt-6": "openai",
        "o3-mini": "openai",
        "vertex_ai/gemini-2.5-pro": "google",
        "bedrock/us.meta.llama3-70b": "meta",
        "bedrock/us.anthropic.claude-opus-5": "anthropic",
        "azure_ai/claude-opus-5": "anthropic",
        "our-alias": "anthropic",
        "metal-coder": "anthropic",
        "house/coder": "house",
    }
    page = {
        "results": [
            {"date": "2026-11-10", "metrics": used, "breakdown": {"models": {m: {"metrics": used} for m in models}}}
        ]
    }
    records, _ = read(json.dumps(page), book)
    assert [record.vendor for record in records] == [*models.values()]


def test_an_accent_is_the_same_however_it_is_encoded() -> None:
    composed, apart = "Zo\u00eb@Example.com", "Zoe\u0308@example.com"
    assert email_actor(composed) == email_actor(apart) == Actor("email", "zo\u00eb@example.com")
    assert normalised_email(apart) == "zo\u00eb@example.com"
