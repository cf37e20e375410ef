"""Exports as people save them: page after page, with line breaks in a cell, with other tools' usage beside Claude's."""

import json
import tarfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.pricing import PriceBook
from bot.store.database import Database
from tests.conftest import SAMPLES
from tests.exports.test_same_usage import MODEL, REPORT, usd, write
from tests.exports.test_samples import imported, ledger_of

LOG = {"api_key": "k", "model": MODEL, "startTime": "2026-11-10T10:00:00Z", "completion_tokens": 500}
LOG |= {"prompt_tokens": 10_000, "spend": 0.0}
PAID = {**LOG, "spend": 1.25}


def pages() -> list[dict[str, Any]]:
    """Two pages of the Analytics API: the guide's, and the same a day later."""
    text = (SAMPLES / "claude_code_analytics_api/doc_guide_2026-08-21.json").read_text(encoding="utf-8")
    return [json.loads(text), json.loads(text.replace("2025-09-08", "2025-09-09"))]


@pytest.mark.parametrize("between", ["", "\n", " \r\n\n"])
@pytest.mark.parametrize("indent", [None, 2])
def test_pages_one_after_another_are_a_list_of_pages(
    database: Database, book: PriceBook, tmp_path: Path, between: str, indent: int | None
) -> None:
    both = pages()
    told = between.join(json.dumps(page, indent=indent) for page in both)
    records = [record for page in both for record in page["data"]]
    one_by_one = between.join(json.dumps(record, indent=indent) for record in records)
    (loop,) = imported(database, book, write(tmp_path, "loop.json", told))
    (as_list,) = imported(database, book, write(tmp_path, "list.json", json.dumps(both)))
    assert loop.refused is None
    assert (loop.recorded.accepted, loop.problems) == (as_list.recorded.unchanged, [])
    assert len(loop.recorded.days) == 2
    for text in (json.dumps(records), one_by_one):
        (bare,) = imported(database, book, write(tmp_path, "records.json", text))
        assert (bare.refused, bare.recorded.unchanged, bare.problems) == (None, loop.recorded.accepted, [])


def test_a_page_that_is_cut_short_after_a_whole_one_is_said_to_be(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    first, second = map(json.dumps, pages())
    (report,) = imported(database, book, write(tmp_path, "cut.json", first + second[:200]))
    assert "cut short" in str(report.refused)


def test_logs_one_a_line_are_a_list_of_logs(database: Database, book: PriceBook, tmp_path: Path) -> None:
    told = "\n".join(json.dumps({**PAID, "request_id": key}) for key in ("a", "b", "c"))
    (report,) = imported(database, book, write(tmp_path, "logs.jsonl", told))
    assert (report.format, report.recorded.accepted, report.problems) == ("litellm_spend_logs", 3, [])
    assert usd(database, book) == Decimal("3.75")


@pytest.mark.parametrize(
    ("said", "dollars"),
    [
        ({"cache_hit": "True"}, "0"),  # the gateway had the answer already
        ({"cache_hit": True}, "0"),
        ({"status": "failure"}, "0"),
        ({"cache_hit": "False", "status": "success"}, "0.0625"),  # 10,000 x $5 + 500 x $25 per million
        ({}, "0.0625"),  # the gateway knows no price of it
    ],
)
def test_nothing_was_paid_for_what_the_gateway_had_or_what_failed(
    database: Database, book: PriceBook, tmp_path: Path, said: dict[str, Any], dollars: str
) -> None:
    imported(database, book, write(tmp_path, "logs.json", json.dumps([{**LOG, **said, "request_id": "a"}])))
    assert usd(database, book) == Decimal(dollars)


def test_a_report_that_does_not_split_the_prompt_has_no_price_of_what_a_seat_covers(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """1.1 million of Opus 5.5: 100,000 plain x $4, 900,000 read x $0.20, 100,000 written x $5, 20,000 out x $20."""
    name = "spend-report-2026-11-01-to-2026-11-19.csv"
    older = ",".join(REPORT.split(",")[:9])
    known = "ada@x.com,a1,Claude Code,claude-opus-5-5,10,1100000,20000,0,0"
    found = []
    for told in (f"{older}\n{known}\n", f"{REPORT}{known},u1,100000,900000,100000,0,0,,\n"):
        (report,) = imported(database, book, write(tmp_path, name, told))
        assert (report.refused, report.problems) == (None, [])
        total = ledger_of(database, book).spend(None, None, ()).total
        found.append((total.usd, total.unpriced_tokens))
    assert found == [(Decimal(0), 1_120_000), (Decimal("1.48"), 0)]


def test_line_breaks_in_a_cell_are_of_the_cell(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """A thousand tokens of Opus 5 a row, at $5 a million; a quote that does not end costs its own line alone."""
    header = "usage_date_utc,model_version,api_key,workspace,usage_input_tokens_no_cache,usage_output_tokens\r\n"
    row = "2026-11-05,claude-opus-5,{},{},1000,0\r\n"
    cells = ("D", '"Team A\r\nEU"', '"A ""big""\n\nteam, really"', '"never ends', "E")
    told = header + "".join(row.format(f"k{place}", cell) for place, cell in enumerate(cells))
    (report,) = imported(database, book, write(tmp_path, "usage.csv", told))
    assert (report.recorded.accepted, [problem.row for problem in report.problems]) == (4, [8])
    assert "a quote in it does not end" in report.problems[0].problem
    assert usd(database, book) == Decimal("0.02")


def test_what_is_told_by_agent_mixes_nothing(database: Database, book: PriceBook, tmp_path: Path) -> None:
    def agent(name: str, model: str) -> dict[str, Any]:
        return {"agent": name, "modelBreakdowns": [{"modelName": model, "inputTokens": 10**6, "cost": 5}]}

    claude, codex = agent("claude", MODEL), agent("codex", "gpt-5.5")
    rows = [{"period": "2026-11-05", "agents": [claude, codex]}, {"period": "2026-11-06", "agents": [codex]}]
    (report,) = imported(database, book, write(tmp_path, "c.json", {"daily": rows, "totals": {}}))
    assert [problem.problem for problem in report.problems] == ["Row 2 was left out: it is of codex alone."]
    assert usd(database, book) == 5


@pytest.mark.parametrize(("section", "period"), [("session", "s1"), ("weekly", "2026-11-02"), ("daily", "2026-11-05")])
def test_a_row_of_another_agent_is_left_out(
    database: Database, book: PriceBook, tmp_path: Path, section: str, period: str
) -> None:
    used = [{"modelName": MODEL, "inputTokens": 10**6, "cost": 5}]
    row = {"period": period, "metadata": {"lastActivity": "2026-11-05T10:00:00.000Z"}, "modelBreakdowns": used}
    rows = [{**row, "agent": agent} for agent in ("codex", "claude", "opencode")]
    (report,) = imported(database, book, write(tmp_path, "c.json", {section: rows, "totals": {}}))
    assert [problem.problem for problem in report.problems] == [
        "Row 1 was left out: it is of codex alone.",
        "Row 3 was left out: it is of opencode alone.",
    ]
    assert report.recorded.accepted == 1
    assert usd(database, book) == 5


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"uncached_input_tokens": -1}, "uncached_input_tokens is “-1”: expected int >= 0"),
        ({"amount": 41}, "amount is “41”: expected str, got int"),
    ],
)
def test_what_is_wrong_with_a_report_is_quoted(
    database: Database, book: PriceBook, tmp_path: Path, result: dict[str, Any], said: str
) -> None:
    sound = {"amount": "1", "currency": "USD"} if "amount" in result else {"uncached_input_tokens": 1, "model": MODEL}
    bucket = {"starting_at": "2026-11-05T00:00:00Z", "ending_at": "2026-11-06T00:00:00Z"}
    told = {"data": [{**bucket, "results": [sound, {**sound, **result}]}], "has_more": False}
    (report,) = imported(database, book, write(tmp_path, "report.json", told))
    assert [problem.problem for problem in report.problems] == [f"Result 2 was left out: {said}."]


@pytest.mark.parametrize("keys", [1, 1000])
def test_lists_of_other_things_are_no_transcripts(
    database: Database, book: PriceBook, tmp_path: Path, keys: int
) -> None:
    """The API keys of an organization, which say who made them; an index of sessions; an answer of the API."""
    key = {"id": "apikey_1", "type": "api_key", "name": "ci", "created_by": {"id": "user_1", "type": "user"}}
    listed = {"data": [key] * keys, "has_more": False}
    index = {"version": 1, "entries": [{"sessionId": "s", "messageCount": 3}] * keys}
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "usage": {"input_tokens": 1}}
    for told in (listed, index, answer):
        (report,) = imported(database, book, write(tmp_path, "list.json", told))
        assert "is no known export" in str(report.refused)


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "sep"])
def test_what_only_looks_like_another_thing_says_what_to_do(
    database: Database, book: PriceBook, tmp_path: Path, kind: str
) -> None:
    inside = write(tmp_path, "usage.csv", "usage_date_utc,model_version,api_key\n")
    path = tmp_path / f"saved.{kind}"
    if kind == "sep":
        path.write_text(f"sep=,\n{inside.read_text(encoding='utf-8')}", encoding="utf-8")
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as archive:
            archive.add(inside, "usage.csv")
    (report,) = imported(database, book, path)
    expected = "remove it" if kind == "sep" else "it is a tar archive; import its files, or pack them as zip"
    assert expected in str(report.refused)
