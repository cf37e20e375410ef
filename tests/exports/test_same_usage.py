"""What one usage comes to when it is said in several ways: never twice, never lost. Opus 5 costs $5.00/M input."""

import io
import json
import os
import struct
import threading
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from bot.exports.reader import Export
from bot.imports import FileReport
from bot.ledger import Beyond
from bot.pricing import PriceBook
from bot.slack.blocks.imported import imported_message
from bot.slack.blocks.plain import as_text
from bot.spend.records import Actor, Member
from bot.store.database import Database
from bot.store.erasure import erase_person
from bot.store.identity import BY_ADMIN
from bot.store.linking import link_actor
from bot.store.quantities import people_on
from bot.store.recording import FileTally, rebuild_rollups, record
from bot.store.tables import read_files, session_days, usage_lines
from bot.store.tally import Tally
from tests.conftest import SAMPLES
from tests.exports.test_samples import NOW, POLICY, imported, importer, ledger_of
from tests.usage import opus_for, store, used

MODEL = "claude-opus-5"
KIM = "kim@example.com"


def assistant(
    message: str, at: str, model: str, request: str | None = "r", *, sidechain: bool = False, **usage: int
) -> str:
    """One line of a transcript."""
    entry = {
        "type": "assistant",
        "timestamp": at,
        "sessionId": "s",
        "isSidechain": sidechain,
        "requestId": request,
        "message": {"id": message, "role": "assistant", "model": model, "usage": usage},
    }
    return json.dumps(entry)


SEATS = (
    "user_email,account_uuid,product,model,total_requests,total_prompt_tokens,total_completion_tokens,"
    "total_net_spend_usd,total_gross_spend_usd,user_id,total_uncached_input_tokens,total_cache_read_tokens,"
    "total_cache_write_5m_tokens,total_cache_write_1h_tokens,total_web_search_count,slack_channel_id,teams_channel_id"
)
"""The header of a spend report."""


def write(folder: Path, name: str, content: str | dict[str, Any]) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def usd(database: Database, book: PriceBook) -> Decimal:
    return ledger_of(database, book).spend(None, None, ()).total.usd


def by_person(database: Database, book: PriceBook) -> dict[str, Decimal]:
    rows = ledger_of(database, book).spend(None, None, ("person",)).rows
    return {row.group[0]: row.amount.usd for row in rows}


def bucket(start: str, end: str, *results: dict[str, Any]) -> dict[str, Any]:
    return {"data": [{"starting_at": start, "ending_at": end, "results": list(results)}], "has_more": False}


def usage(tokens: int, **dimensions: Any) -> dict[str, Any]:
    return {"model": MODEL, "uncached_input_tokens": tokens, "output_tokens": 0, **dimensions}


def day(*results: dict[str, Any]) -> dict[str, Any]:
    return bucket("2026-11-10T00:00:00Z", "2026-11-11T00:00:00Z", *results)


def load(database: Database, book: PriceBook, *paths: Path) -> list[FileReport]:
    return [report for path in paths for report in imported(database, book, path)]


def test_rows_without_a_person_are_unassigned_where_others_name_one(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    page = day(usage(1_000_000, account_id="user_A"), usage(5_000_000, account_id=None))
    load(database, book, write(tmp_path, "usage.json", page))
    # 1M x $5 = $5 and 5M x $5 = $25
    assert by_person(database, book) == {
        "unassigned (user_A)": Decimal(5),
        "unassigned ((nobody named))": Decimal(25),
    }


def test_pages_may_cut_a_day_between_hours(database: Database, book: PriceBook, tmp_path: Path) -> None:
    pages = []
    for number, hours in enumerate((range(12), range(12, 23))):
        entries = [
            {
                "starting_at": f"2026-11-10T{hour:02}:00:00Z",
                "ending_at": f"2026-11-10T{hour + 1:02}:00:00Z",
                "results": [usage(100_000, account_id="user_A")],
            }
            for hour in hours
        ]
        pages.append(write(tmp_path, f"p{number}.json", {"data": entries, "has_more": not number}))
    load(database, book, *pages, *pages)
    assert usd(database, book) == Decimal("11.5")  # 23 x 100,000 x $5/M


def test_another_grouping_is_the_same_usage(database: Database, book: PriceBook, tmp_path: Path) -> None:
    whole = day({"amount": "1000.50", "currency": "USD"})
    parts = day(
        {"amount": "600.50", "currency": "USD", "description": "Opus 5 input", "model": MODEL},
        {"amount": "400.00", "currency": "USD", "description": "Opus 5 output", "model": MODEL},
    )
    load(database, book, write(tmp_path, "a.json", whole), write(tmp_path, "b.json", parts))
    assert usd(database, book) == Decimal("10.005")


@pytest.mark.parametrize(
    "finer",
    [
        [usage(600_000, account_id="a", speed="standard"), usage(400_000, account_id="a", speed="fast")],
        [usage(600_000, account_id="a", inference_geo="global"), usage(400_000, account_id="a", inference_geo="us")],
        [usage(600_000, account_id="a", context_window="0-200k"), usage(400_000, account_id="a", context_window=">")],
        [usage(600_000, account_id="a", workspace_id="w"), usage(400_000, account_id="a", workspace_id=None)],
        [usage(1_000_000, account_id="a", model=None)],
    ],
)
def test_a_finer_or_coarser_grouping_is_the_same_usage(
    database: Database, book: PriceBook, tmp_path: Path, finer: list[dict[str, Any]]
) -> None:
    parts = write(tmp_path, "parts.json", day(*finer))
    load(database, book, parts, write(tmp_path, "plain.json", day(usage(1_000_000, account_id="a"))))
    assert ledger_of(database, book).spend(None, None, ()).total.usage.tokens == 1_000_000


def test_workspaces_are_parts_of_the_organization(database: Database, book: PriceBook, tmp_path: Path) -> None:
    parts = day({"amount": "600", "workspace_id": "w1"}, {"amount": "400", "workspace_id": None})
    load(database, book, write(tmp_path, "a.json", parts), write(tmp_path, "b.json", day({"amount": "1000"})))
    assert usd(database, book) == 10


def test_a_newer_header_is_the_same_usage(database: Database, book: PriceBook, tmp_path: Path) -> None:
    start = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens"
    old = write(tmp_path, "old.csv", f"{start}\n2026-11-10,{MODEL},key,1000000,0\n")
    new = write(tmp_path, "new.csv", f"{start},inference_geo\n2026-11-10,{MODEL},key,1000000,0,us\n")
    load(database, book, old, new, old)
    assert usd(database, book) == Decimal("5.5")  # 1M x $5 x 1.1 for the US


@pytest.mark.parametrize(
    ("fuller", "dollars"),
    [
        # 1M x $5, and $6.25 or $10 for the cache writes: 0.4M for five minutes and 0.6M for an hour
        ("usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h\n{row},400000,600000", "13.5"),
        ("workspace\n{part},600000,0,Default\n{part},400000,0,Other", "5"),
        ("usage_type\n{part},600000,0,standard\n{part},400000,0,batch", "5"),
        ("usage_input_tokens_cache_read\n{row},1000000", "5.5"),
    ],
)
def test_an_export_with_fewer_columns_takes_nothing_away(
    database: Database, book: PriceBook, tmp_path: Path, fuller: str, dollars: str
) -> None:
    start = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens"
    part = f"2026-11-10,{MODEL},key"
    row = f"{part},1000000,0"
    new = write(tmp_path, "new.csv", f"{start},{fuller.format(part=part, row=row)}\n")
    load(database, book, new, write(tmp_path, "old.csv", f"{start}\n{row}\n"))
    assert usd(database, book) == Decimal(dollars)


def test_both_exports_of_litellm_are_the_same_usage(database: Database, book: PriceBook, tmp_path: Path) -> None:
    used = {"spend": 5, "prompt_tokens": 1_000_000}

    def activity(key: str, **metadata: str) -> dict[str, Any]:
        model = {"metrics": used, "api_key_breakdown": {key: {"metrics": used, "metadata": metadata}}}
        return {"date": "2026-11-10", "metrics": used, "breakdown": {"models": {MODEL: model}}}

    def log(key: str, user: str, alias: str) -> dict[str, Any]:
        said = {"user": user, "metadata": json.dumps({"user_api_key_alias": alias})}
        return {"request_id": key, "api_key": key, "model": MODEL, "startTime": "2026-11-10T10:00:00Z", **used, **said}

    days = [
        activity("hash1", key_alias="ada"),
        activity("hash2", key_alias="bob", user_email="bob@example.com"),
        activity("hash3"),
    ]
    logs = [log("hash1", "ada@example.com", "ada"), log("hash2", "u2", "bob"), log("hash3", "cy@example.com", "cy")]
    paths = [write(tmp_path, "a.json", {"results": days}), write(tmp_path, "b.json", json.dumps(logs))]
    load(database, book, *paths, *paths)
    assert by_person(database, book) == {f"{name}@example.com": Decimal(5) for name in ("ada", "bob", "cy")}


def activity(**keys: tuple[str, str | None, int]) -> dict[str, Any]:
    """One day of LiteLLM's: by key its alias, its user and what it spent in dollars."""
    breakdown = {
        key: {
            "metrics": {"spend": usd, "prompt_tokens": usd * 1000},
            "metadata": {"key_alias": alias, "user_email": user},
        }
        for key, (alias, user, usd) in keys.items()
    }
    models = {MODEL: {"metrics": {}, "api_key_breakdown": breakdown}}
    return {"results": [{"date": "2026-11-10", "metrics": {}, "breakdown": {"models": models}}], "metadata": {}}


def kims_keys(folder: Path, **others: tuple[str, str | None, int]) -> list[Path]:
    """An older export, in which Kim's old key with $5 has no owner yet and her new one has $3; a newer one, with $6."""
    paths = []
    for name, hours, old in (("older.json", 30, ("kims-old", None, 5)), ("newer.json", 6, ("kims-old", KIM, 6))):
        paths.append(write(folder, name, activity(a=old, b=("kims-new", KIM, 3), **others)))
        dated(paths[-1], hours)
    return paths


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1, 1)])
def test_a_key_of_litellm_that_gets_an_owner_counts_once(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """Kim's old key spent $5 and then $6, her new one $3: $9 as of the newer export; Lee's key without a user $2."""
    paths = kims_keys(tmp_path, c=("lees", None, 2))
    load(database, book, *(paths[place] for place in order))
    assert by_person(database, book) == {"kim@example.com": Decimal(9), "unassigned (lees)": Decimal(2)}


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1, 1)])
def test_a_key_of_litellm_whose_owner_was_erased_counts_once(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """Kim's old key spent $5 and then $6, her new one $3. She is erased after the first import: $9 of the newer one."""
    paths = kims_keys(tmp_path)
    load(database, book, paths[order[0]])
    number = erase_person(database, "kim@example.com", "admin", NOW)
    load(database, book, *(paths[place] for place in order[1:]))
    assert by_person(database, book) == {f"erased person {number}": Decimal(9)}


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1, 1)])
@pytest.mark.parametrize("main", ["ada@example.com", "zoe@example.com"])
def test_a_key_of_litellm_of_somebody_with_two_addresses_counts_once(
    database: Database, book: PriceBook, tmp_path: Path, main: str, order: tuple[int, ...]
) -> None:
    """Kim's old key spent $5 and then $6, her new one $3. Her address is linked after the first import: $9."""
    paths = kims_keys(tmp_path)
    load(database, book, paths[order[0]])
    link_actor(database, "kim@example.com", main, BY_ADMIN, book, POLICY, NOW)
    load(database, book, *(paths[place] for place in order[1:]))
    assert by_person(database, book) == {main: Decimal(9)}


def enterprise(usd: int, email: str | None, account: str = "user_1") -> dict[str, Any]:
    actor = {"type": "user_actor", "user_id": account, "email_address": email}
    row = {"actor": actor, "model": MODEL, "amount": f"{usd}00", "currency": "USD", "product": None}
    return {"data": [row | {"starting_at": "2026-11-10T00:00:00Z", "ending_at": "2026-11-11T00:00:00Z"}]}


def counts_once(
    database: Database,
    book: PriceBook,
    folder: Path,
    exports: tuple[dict[str, Any], dict[str, Any]],
    order: tuple[int, ...],
) -> bool:
    """Whether $6 of the newer export count, and not the $4 of the older one besides, of whoever is not Bo."""
    paths = []
    for name, hours, document in (("older.json", 30, exports[0]), ("newer.json", 6, exports[1])):
        paths.append(write(folder, name, document))
        dated(paths[-1], hours)
    load(database, book, *(paths[place] for place in order))
    return sum(spent for who, spent in by_person(database, book).items() if who != "bo@example.com") == 6


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1, 1)])
@pytest.mark.parametrize(
    "exports",
    [
        (activity(k=("laptop", KIM, 4)), activity(k=("laptop", None, 6))),  # the key has no user any more
        (enterprise(4, KIM), enterprise(6, None)),  # the account was deleted
        (enterprise(4, None), enterprise(6, KIM)),
        (enterprise(4, "kim@old.example"), enterprise(6, KIM)),  # she has another address now
    ],
)
def test_an_account_counts_once_whatever_it_is_called(
    database: Database,
    book: PriceBook,
    tmp_path: Path,
    exports: tuple[dict[str, Any], dict[str, Any]],
    order: tuple[int, ...],
) -> None:
    assert counts_once(database, book, tmp_path, exports, order)


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1, 1)])
def test_the_newer_export_says_whose_an_account_is(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
) -> None:
    exports = enterprise(4, "kim@old.example"), enterprise(6, KIM)
    assert counts_once(database, book, tmp_path, exports, order)
    assert by_person(database, book) == {KIM: 6}


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 0, 1)])
def test_a_key_of_litellm_that_changes_hands_counts_once(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
) -> None:
    exports = activity(k=("laptop", KIM, 4)), activity(k=("laptop", "lee@example.com", 6))
    assert counts_once(database, book, tmp_path, exports, order)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize(("before", "after"), [(KIM, None), (None, KIM), ("kim@old.example", KIM)])
def test_an_account_in_rows_of_whole_days_counts_once(
    database: Database,
    book: PriceBook,
    tmp_path: Path,
    before: str | None,
    after: str | None,
    order: tuple[int, ...],
) -> None:
    """Of a usage report by day, in which 800k and then 1.2M tokens are $4 and $6."""

    def of_day(tokens: int, email: str | None) -> dict[str, Any]:
        actor = {"type": "user_actor", "user_id": "user_1", "email_address": email}
        return bucket("2026-11-10T00:00:00Z", "2026-11-11T00:00:00Z", usage(tokens, actor=actor, product="claude_code"))

    exports = of_day(800_000, before), of_day(1_200_000, after)
    assert counts_once(database, book, tmp_path, exports, order)
    if before and after:
        link_actor(database, before, after, BY_ADMIN, book, POLICY, NOW)
    assert counts_once(database, book, tmp_path, exports, (0, 1, 0))


def test_who_gives_a_key_away_and_keeps_another_one_keeps_what_is_hers(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """Kim's two keys came to $4 and $3 of one model; the first is Lee's now, with $6, and hers has no such usage."""
    before = activity(k=("laptop", KIM, 4), other=("ci", KIM, 3))
    after = activity(k=("laptop", "lee@example.com", 6))
    model = after["results"][0]["breakdown"]["models"]
    model["claude-sonnet-5"] = activity(other=("ci", KIM, 3))["results"][0]["breakdown"]["models"][MODEL]
    for number, document in enumerate((before, after, after)):
        load(database, book, write(tmp_path, f"{number}.json", document))
    assert by_person(database, book) == {"lee@example.com": 6, KIM: 3}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_account_counts_once_among_many(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of so many names that a day's rows are all looked at."""
    monkeypatch.setattr("bot.store.recording.source.FEW_ACTORS", 0)
    path = write(tmp_path, "others.json", enterprise(50, "bo@example.com", "user_2"))
    dated(path, 40)
    load(database, book, path)
    assert counts_once(database, book, tmp_path, (enterprise(4, "kim@old.example"), enterprise(6, KIM)), order)
    assert by_person(database, book)["bo@example.com"] == 50


def test_an_account_that_a_file_names_in_two_ways_is_two(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """Kim's laptop has no user any more, and her other key has: $6 and $3, whatever she had before."""
    before = activity(k=("laptop", KIM, 4), other=("ci", KIM, 1))
    after = activity(k=("laptop", None, 6), other=("ci", KIM, 3))
    for number, document in enumerate((before, after, after)):
        load(database, book, write(tmp_path, f"{number}.json", document))
    assert sum(by_person(database, book).values()) == 9


def test_a_key_of_several_people_is_nobodys(database: Database, book: PriceBook, tmp_path: Path) -> None:
    log = {"api_key": "k", "model": MODEL, "startTime": "2026-11-10T10:00:00Z", "spend": 5, "prompt_tokens": 1}
    logs = [{**log, "request_id": user, "user": user} for user in ("ada@example.com", "bob@example.com", "service")]
    load(database, book, write(tmp_path, "logs.json", json.dumps(logs)))
    assert by_person(database, book) == {
        "ada@example.com": Decimal(5),
        "bob@example.com": Decimal(5),
        "unassigned (service)": Decimal(5),
    }


def test_sessions_of_several_days_add_up(database: Database, book: PriceBook, tmp_path: Path) -> None:
    def session(name: str, first: str, last: str, dollars: int) -> dict[str, Any]:
        used = {"modelName": MODEL, "inputTokens": dollars * 200_000, "cost": dollars}
        return {"sessionId": name, "firstActivity": first, "lastActivity": last, "modelBreakdowns": [used]}

    sessions = [
        session("a", "2026-11-10", "2026-11-12", 5),
        session("b", "2026-11-10", "2026-11-11", 10),
        session("c", "2026-11-11", "2026-11-13", 2),
        session("d", "2026-11-12", "2026-11-12", 1),
    ]
    path = write(tmp_path, "sessions.json", {"sessions": sessions})
    load(database, book, path, path)
    assert usd(database, book) == 18


def test_dollars_of_a_month_are_not_lost_to_one_token(database: Database, book: PriceBook, tmp_path: Path) -> None:
    page = 'User,Spend this Month (USD),Lines this Month\nchris@example.com,"1,083.56",10\n'
    month = write(tmp_path, "claude_code_team_2026_10.csv", page)
    load(database, book, month)
    line = assistant("m", "2026-10-12T10:00:00Z", MODEL, input_tokens=1000)
    transcript = write(tmp_path, "t.jsonl", line)
    list(importer(database, book).import_files([transcript], NOW, person="chris@example.com"))
    assert usd(database, book) == Decimal("1083.56")


def test_an_overage_does_not_stand_for_what_the_seat_covers(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    for last, tokens, spent in ((18, 1_000_000, "0"), (19, 2_000_000, "0"), (20, 2_100_000, "0.05")):
        row = f"ada@example.com,a1,Claude Code,{MODEL},1,{tokens},0,{spent},{spent},u1,{tokens},0,0,0,0,,"
        name = f"spend-report-2026-11-01-to-2026-11-{last}.csv"
        load(database, book, write(tmp_path, name, f"{SEATS}\n{row}\n"))
    ledger = ledger_of(database, book)
    assert ledger.spend(None, None, ()).total.usd == Decimal("10.5")  # 2.1M x $5
    explained = ledger.explain("ada@example.com", date(2026, 11, 19))
    assert explained is not None
    assert explained.sources["spend_report_csv"].usd == 5


@pytest.mark.parametrize(
    ("model", "split", "spent", "dollars", "unpriced"),
    [
        # An overage of a cent is charged, and is no price of a million tokens.
        ("claude-unheard-of", True, "0.01", "0.01", 1_000_000),
        ("claude-unheard-of", True, "5.00", "5", 0),
        (MODEL, True, "0.60", "5", 0),  # that is what 120,000 tokens cost; the others, which the seat covers, $4.40
        (MODEL, False, "0.60", "0.60", 0),  # at $0.50 per million tokens read from a cache
        (MODEL, False, "0.01", "0.01", 1_000_000),
    ],
)
def test_dollars_of_a_report_are_believed_if_they_can_be_the_price(
    database: Database,
    book: PriceBook,
    tmp_path: Path,
    model: str,
    split: bool,
    spent: str,
    dollars: str,
    unpriced: int,
) -> None:
    header = "user_email,product,model,total_prompt_tokens,total_completion_tokens,total_net_spend_usd"
    row = f"ada@example.com,Claude Code,{model},1000000,0,{spent}"
    if split:
        header, row = f"{header},total_uncached_input_tokens", f"{row},1000000"
    load(database, book, write(tmp_path, "spend-report-2026-11-10-to-2026-11-10.csv", f"{header}\n{row}\n"))
    total = ledger_of(database, book).spend(None, None, ()).total
    assert (total.usd, total.unpriced_tokens) == (Decimal(dollars), unpriced)


@pytest.mark.parametrize(
    ("charged", "total", "day"),
    [
        ((19, 30), 50, 11),  # more than the day's $10: of what the seat covered before, some is charged
        ((21, 22), 50, 10),  # of which the seat covers the other $9
        ((0, 5), 50, 10),
        ((0, 0), 50, 10),
        ((40, 50), 50, 10),
    ],
)
def test_what_is_charged_on_top_of_a_seat_counts_on_its_day(
    database: Database, book: PriceBook, tmp_path: Path, charged: tuple[int, int], total: int, day: int
) -> None:
    """Of a model at $5 per million tokens: 8M up to the 10th and 10M up to the 11th."""
    for last, millions, usd in ((10, 8, charged[0]), (11, 10, charged[1])):
        row = f"ada@example.com,a1,Claude Code,{MODEL},1,{millions}000000,0,{usd},{usd},u1,{millions}000000,0,0,0,0,,"
        load(database, book, write(tmp_path, f"spend-report-2026-11-01-to-2026-11-{last}.csv", f"{SEATS}\n{row}\n"))
    ledger = ledger_of(database, book)
    assert ledger.spend(date(2026, 11, 1), date(2026, 11, 12), ()).total.usd == total
    assert ledger.spend(date(2026, 11, 1), date(2026, 11, 12), ()).total.reported_usd == charged[1]
    explained = ledger.explain("ada@example.com", date(2026, 11, 11))
    assert explained is not None
    assert explained.sources["spend_report_csv"].usd == day


@pytest.mark.parametrize("others", [[(0, 0, 2), (0, 0, 0)], [(0, 1, 2)], []])
def test_a_row_beside_it_moves_nobody_s_days(
    database: Database, book: PriceBook, tmp_path: Path, others: list[tuple[int, int, int]]
) -> None:
    """Bo's 2M tokens of the first day are charged on the second; Ada's rows say net, gross and million tokens."""
    for day, net in ((1, 0), (2, 4)):
        said = [("bo", net, net, 2), *(("ada", *one) for one in others)]
        rows = [
            f"{who}@example.com,a{number},Claude Code,{MODEL},1,{tokens},0,{usd},{gross},,{tokens},0,0,0,0,,"
            for number, (who, usd, gross, millions) in enumerate(said)
            for tokens in [millions * 10**6]
        ]
        name = f"spend-report-2026-11-01-to-2026-11-0{day}.csv"
        load(database, book, write(tmp_path, name, "\n".join([SEATS, *rows, ""])))
    ledger = ledger_of(database, book)
    for day, usd, tokens in ((1, 10, 2_000_000), (2, 4, 0)):
        explained = ledger.explain("bo@example.com", date(2026, 11, day))
        assert explained is not None
        found = explained.sources["spend_report_csv"]
        assert found.usd == usd
        assert found.usage.input == tokens


def test_what_is_charged_before_a_discount_tells_whether_a_seat_covers_it(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """A contract that takes 70 % off $5 leaves $1.50."""
    row = f"ada@example.com,a1,Claude Code,{MODEL},1,1000000,0,1.50,5.00,u1,1000000,0,0,0,0,,"
    load(database, book, write(tmp_path, "spend-report-2026-11-10-to-2026-11-10.csv", f"{SEATS}\n{row}\n"))
    assert usd(database, book) == Decimal("1.50")


def report(*rows: tuple[str, str, int, int, int, float]) -> str:
    """Address, product, thousand tokens of input, output and read from a cache, and dollars that are charged."""
    lines = [
        f"{who}@example.com,,{product},{MODEL},1,0,{output}000,{usd},{usd},,{fresh}000,{read}000,0,0,0,,"
        for who, product, fresh, output, read, usd in rows
    ]
    return "\n".join([SEATS, *lines, ""])


def days_of(database: Database, book: PriceBook) -> list[tuple[str, int, Any]]:
    """Of the first days of November who spent how much, each rounded to a tenth of a cent."""
    found = []
    for day in range(1, 6):
        some = ledger_of(database, book).spend(date(2026, 11, day), date(2026, 11, day + 1), ("person",))
        found += [(row.group[0].partition("@")[0], day, round(row.amount.usd, 3)) for row in some.rows]
    return found


def load_month(database: Database, book: PriceBook, folder: Path, order: Sequence[int], *reports: str) -> None:
    for place in order:
        name = f"spend-report-2026-11-01-to-2026-11-0{place + 1}.csv"
        load(database, book, write(folder, name, reports[place]))


ORDERS = [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1, 0)]


@pytest.mark.parametrize("order", ORDERS)
def test_a_day_of_a_seat_costs_what_its_own_tokens_cost(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """2M input at $5 and 2M read at $0.50 are covered; then 400k output at $25 a day, $10 each, are charged whole."""
    rows = [("ada", "Claude Code", 2000, 400 * day, 2000, 10 * day) for day in range(3)]
    load_month(database, book, tmp_path, order, *(report(row) for row in rows))
    assert days_of(database, book) == [("ada", 1, 11), ("ada", 2, 10), ("ada", 3, 10)]


@pytest.mark.parametrize("order", ORDERS)
def test_what_was_taken_back_of_a_day_takes_its_dollars_along(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """1M input for $5, then 200k output for $5 more, then half of the first day's input is taken back."""
    rows = [(1000, 0, 5), (1000, 200, 10), (500, 200, 7.5)]
    reports = [report(("ada", "Claude Code", fresh, output, 0, usd)) for fresh, output, usd in rows]
    load_month(database, book, tmp_path, order, *reports)
    assert days_of(database, book) == [("ada", 1, Decimal("2.5")), ("ada", 2, 5)]


def test_a_day_that_a_later_report_takes_from_is_told_as_that(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    for day, usd in ((1, 5), (2, 3)):
        name = f"spend-report-2026-11-01-to-2026-11-0{day}.csv"
        (told,) = load(database, book, write(tmp_path, name, report(("ada", "Chat", 200 * usd, 0, 0, usd))))
    assert [(one.day.day, one.before, one.after) for one in told.moved] == [(1, Decimal(5), Decimal(3))]
    assert told.why_moved == ", as successive reports tell it apart now"


@pytest.mark.parametrize("order", ORDERS)
def test_whoever_left_keeps_the_days_until_then(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """Bo's $15 are in the reports of the first two days alone, and in the total of all days as well."""
    ada, bo = [("ada", "Chat", 200 * day, 0, 0, day) for day in (1, 2, 3)], ("bo", "Chat", 3000, 0, 0, 15)
    reports = report(ada[0], bo), report(ada[1], bo), report(ada[2])
    load_month(database, book, tmp_path, order, *reports)
    assert days_of(database, book) == [("ada", 1, 1), ("bo", 1, 15), ("ada", 2, 1), ("ada", 3, 1)]
    assert ledger_of(database, book).spend(date(2026, 11, 1), date(2026, 11, 4), ()).total.usd == 18


@pytest.mark.parametrize("order", ORDERS)
def test_a_product_that_is_called_otherwise_goes_on(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """$5 a day, of a product whose word changes, beside $1 a day of another one."""
    reports = [
        report(("ada", "Chat", 200 * day, 0, 0, day), ("ada", product, 1000 * day, 0, 0, 5 * day))
        for day, product in ((1, "Claude Code"), (2, "Claude Code"), (3, "claude_code"))
    ]
    load_month(database, book, tmp_path, order, *reports)
    assert days_of(database, book) == [("ada", day, 6) for day in (1, 2, 3)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"Claude Code": 5, "Chat": 1}, {"claude_code": 5, "chat": 1}),
        ({"Chat": 1, "Cowork": 5}, {"Chat & Cowork": 6}),
        ({"Chat & Cowork": 6}, {"Chat": 1, "Cowork": 5}),
        ({"Claude Code": 5, "Chat": 1}, {"Claude Code": 6}),
    ],
)
def test_products_that_are_told_apart_otherwise_go_on(
    database: Database,
    book: PriceBook,
    tmp_path: Path,
    order: tuple[int, ...],
    before: dict[str, int],
    after: dict[str, int],
) -> None:
    """$6 a day at $5 per million tokens, in words that are others from the third day on."""
    reports = [
        report(*(("ada", product, 200 * usd * day, 0, 0, usd * day) for product, usd in products.items()))
        for day, products in ((1, before), (2, before), (3, after))
    ]
    load_month(database, book, tmp_path, order, *reports)
    assert days_of(database, book) == [("ada", day, 6) for day in (1, 2, 3)]


@pytest.mark.parametrize("order", ORDERS)
def test_a_model_that_is_spelled_otherwise_goes_on(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """$6 a day of two products, the model of one of them in another spelling on the second day and after."""
    rows = [(("Claude Code", 1000 * day, 5 * day), ("Chat", 200 * day, day)) for day in (1, 2, 3)]
    reports = [report(*(("ada", product, fresh, 0, 0, usd) for product, fresh, usd in some)) for some in rows]
    reports[1] = reports[1].replace(f"Claude Code,{MODEL}", f"Claude Code,{MODEL}-20260801")
    reports[2] = reports[2].replace(MODEL, f"anthropic/{MODEL}")
    load_month(database, book, tmp_path, order, *reports)
    assert days_of(database, book) == [("ada", day, 6) for day in (1, 2, 3)]


@pytest.mark.parametrize("order", ORDERS)
def test_what_states_no_cost_beside_what_does_keeps_its_price(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """A day's $5 say what they are before the seat; 200k tokens of another product beside them say nothing: $1."""
    seat = "{who},,{product},{model},1,0,0,0,{gross},,{fresh}000,0,0,0,0,,"
    reports = [
        "\n".join(
            [
                SEATS,
                *(
                    seat.format(who="ada@example.com", product=what, model=MODEL, gross=gross * day, fresh=fresh * day)
                    for what, gross, fresh in (("Claude Code", 5, 1000), (word, 0, 200))
                ),
                "",
            ]
        )
        for day, word in ((1, "Chat"), (2, "Chat"), (3, "chat"))
    ]
    load_month(database, book, tmp_path, order, *reports)
    assert days_of(database, book) == [("ada", day, 6) for day in (1, 2, 3)]


HAIKU = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens"


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1)])
def test_an_export_of_one_spelling_takes_the_other_one_from_nobody(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """A whole export has a million tokens of Haiku 4.5 under its alias and two under its id, a later one the alias."""
    alias, dated = (
        "2026-11-19,claude-haiku-4-5,key-1,1000000,0",
        "2026-11-19,claude-haiku-4-5-20251001,key-1,2000000,0",
    )
    exports = []
    for number, rows in enumerate(([alias, dated], [alias])):
        path = write(tmp_path, f"usage{number}.csv", "\n".join([HAIKU, *rows, ""]))
        written = datetime(2026, 11, 20, 6 * number + 2, tzinfo=UTC).timestamp()
        os.utime(path, (written, written))
        exports.append(path)
    for place in order:
        load(database, book, exports[place])
    assert usd(database, book) == 3


@pytest.mark.parametrize("is_later_first", [False, True])
def test_a_model_counts_once_however_two_exports_spell_it(
    database: Database, book: PriceBook, tmp_path: Path, is_later_first: bool
) -> None:
    """A million tokens of Haiku 4.5 at $1, in a later export under the model's whole id; of Opus there is more."""
    exports = []
    for number, model in enumerate(("claude-haiku-4-5", "claude-haiku-4-5-20251001")):
        rows = [f"2026-11-19,{model},key-1,1000000,0", f"2026-11-19,claude-opus-5-5,key-1,{number + 1}000000,0"]
        path = write(tmp_path, f"usage{number}.csv", "\n".join([HAIKU, *rows, ""]))
        written = datetime(2026, 11, 20, 8 * number + 2, tzinfo=UTC).timestamp()
        os.utime(path, (written, written))
        exports.append(path)
    for path in (*exports[:: -1 if is_later_first else 1], exports[-1]):
        load(database, book, path)
    assert usd(database, book) == 9


def test_models_count_each_where_one_export_has_both_spellings(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    rows = [f"2026-11-19,claude-haiku-4-5{ending},key-1,1000000,0" for ending in ("", "-20251001")]
    path = write(tmp_path, "usage.csv", "\n".join([HAIKU, *rows, ""]))
    for _ in range(2):
        load(database, book, path)
        assert usd(database, book) == 2


@pytest.mark.parametrize("linked_after", [0, 1, 2, 3])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_an_address_that_changes_in_a_month_goes_on_once_it_is_linked(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...], linked_after: int
) -> None:
    """$5 a day, which the third report has under a new address; linked before it, after it, or before all of them."""
    reports = [
        report((who, "Claude Code", 1000 * day, 0, 0, 5 * day)) for day, who in ((1, "ada"), (2, "ada"), (3, "ada.new"))
    ]
    for number, place in enumerate((*order, None)):
        if number == linked_after:
            store(database, used(opus_for(0), actor=Actor("email", "ada@example.com")))
            link_actor(database, "ada@example.com", "ada.new@example.com", BY_ADMIN, book, POLICY, NOW)
        if place is not None:
            load_month(database, book, tmp_path, [place], *reports)
    assert days_of(database, book) == [("ada.new", day, 5) for day in (1, 2, 3)]
    assert ledger_of(database, book).spend(date(2026, 11, 1), date(2026, 11, 4), ()).total.usd == 15
    # They go their own ways again, as if they had never been one.
    link_actor(database, "ada@example.com", "ada@example.com", BY_ADMIN, book, POLICY, NOW)
    assert days_of(database, book) == [("ada", 1, 5), ("ada", 2, 5), ("ada.new", 3, 15)]


def test_an_address_that_changed_is_told_once_for_all_its_accounts(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    told = []
    for day, who in ((1, "ada"), (2, "ada.new")):
        row = f"{who}@example.com,a1,Claude Code,{MODEL},1,{day}000000,0,{5 * day},{5 * day},u1,{day}000000,0,0,0,0,,"
        path = write(tmp_path, f"spend-report-2026-11-01-to-2026-11-0{day}.csv", f"{SEATS}\n{row}\n")
        told += [problem.problem for one in load(database, book, path) for problem in one.problems]
    (sentence,) = told
    assert sentence.endswith("claudecost link ada@example.com ada.new@example.com")


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_whose_account_it_is_may_be_said_at_any_time(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """$5 a day, which reports call a key at first and Kim later; that it is hers a list of users says."""
    reports = [
        report((who, "Claude Code", 1000 * day, 0, 0, 5 * day)).replace("user_kim@example.com", "user_kim")
        for day, who in ((1, "user_kim"), (2, "user_kim"), (3, "kim"))
    ]
    for place in order:
        if place < 3:
            load_month(database, book, tmp_path, [place], *reports)
            continue
        named = [FileTally("keys.json", Tally([Member(1, KIM, account="user_kim", kind="api_key")]), [])]
        record(database, "litellm_activity", named, NOW, POLICY, book)
    assert days_of(database, book) == [("kim", day, 5) for day in (1, 2, 3)]


@pytest.mark.parametrize("is_linked_first", [False, True])
def test_reports_that_begin_later_hold_whatever_they_call_somebody(
    database: Database, book: PriceBook, tmp_path: Path, is_linked_first: bool
) -> None:
    """Of the 3rd two series of reports tell, the later one under Ada's new address alone: it came to $2."""
    both = ("ada@example.com", "ada.new@example.com")
    store(database, *(used(opus_for(0), actor=Actor("email", address)) for address in both))
    if is_linked_first:
        link_actor(database, *both, BY_ADMIN, book, POLICY, NOW)
    for last, who in ((2, "ada"), (3, "ada"), (4, "ada.new")):
        text = report((who, "Claude Code", 200 * last, 0, 0, last))
        load(database, book, write(tmp_path, f"spend-report-2026-11-01-to-2026-11-0{last}.csv", text))
    for last in (3, 4):
        text = report(("ada.new", "Claude Code", 400 * (last - 2), 0, 0, 2 * (last - 2)))
        load(database, book, write(tmp_path, f"spend-report-2026-11-03-to-2026-11-0{last}.csv", text))
    if not is_linked_first:
        link_actor(database, *both, BY_ADMIN, book, POLICY, NOW)
    assert days_of(database, book) == [("ada.new", 3, 2), ("ada.new", 4, 2)]


def test_a_total_that_is_restated_says_what_it_was(database: Database, book: PriceBook, tmp_path: Path) -> None:
    change: list[tuple[Decimal, Decimal]]
    for usd, change in ((10, []), (10, []), (8, [(Decimal(10), Decimal(8))])):
        row = f"ada@example.com,a1,Claude Code,{MODEL},1,0,0,{usd},{usd},u1,0,0,0,0,0,,"
        name = f"spend-report-2026-11-01-to-2026-11-10{' (1)' * (usd == 8)}.csv"
        (report,) = load(database, book, write(tmp_path, name, f"{SEATS}\n{row}\n"))
        changes = report.recorded.range_changes
        assert [(one.start, one.until) for one in changes] == [(date(2026, 11, 1), date(2026, 11, 11))] * len(change)
        assert [(one.before, one.after) for one in changes] == change
    assert as_text(imported_message([report])).splitlines()[1] == "• Sun 1 Nov to Tue 10 Nov together: $10.00 → $8.00"


def test_a_day_that_a_later_report_restates_says_that_in_all_periods(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """Ada's first day came to $50, and to $40 in the report of two days, which Bo is not in any more: his $2 stay."""
    rows = [
        f"{who}@example.com,a1,Claude Code,{MODEL},1,0,0,{usd},{usd},u1,0,0,0,0,0,,"
        for who, usd in (("ada", 50), ("bo", 2), ("ada", 40))
    ]
    for last, some in ((1, rows[:2]), (2, rows[2:])):
        name = f"spend-report-2026-11-01-to-2026-11-0{last}.csv"
        load(database, book, write(tmp_path, name, "\n".join([SEATS, *some, ""])))
    ledger = ledger_of(database, book)
    for end in (2, 3):
        assert ledger.spend(date(2026, 11, 1), date(2026, 11, end), ()).total.usd == 42


def test_a_sidechain_repeats_a_response_under_another_request(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    at = "2026-11-10T10:00:00Z"
    main = [
        assistant("m1", at, MODEL, request="r1", input_tokens=1_000_000),
        assistant("m2", at, MODEL, request=None, input_tokens=1_000_000),
    ]
    side = [
        assistant("m1", at, MODEL, request="r9", sidechain=True, input_tokens=1_000_000),
        assistant("m2", at, MODEL, request="r8", sidechain=True, input_tokens=1_000_000),
        assistant("m3", at, MODEL, request="r7", sidechain=True, input_tokens=1_000_000),
    ]
    load(
        database,
        book,
        write(tmp_path, "main.jsonl", "\n".join(main)),
        write(tmp_path, "side.jsonl", "\n".join(side)),
    )
    assert usd(database, book) == 15  # three responses of 1M x $5


def test_the_day_of_a_run_stays_where_it_was(database: Database, book: PriceBook, tmp_path: Path) -> None:
    run = {"type": "result", "total_cost_usd": 5, "session_id": "s", "modelUsage": {MODEL: {"inputTokens": 1_000_000}}}
    for name, at in (("a.json", 1_794_300_000), ("b.json", 1_794_900_000)):
        path = write(tmp_path, name, run)
        os.utime(path, (at, at))
        load(database, book, path)
    rows = ledger_of(database, book).spend(None, None, ("day",)).rows
    assert [(row.group[0], row.amount.usd) for row in rows] == [("2026-11-10", Decimal(5))]


HOUR = ("2026-11-10T01:00:00Z", "2026-11-10T02:00:00Z")


def test_rows_of_one_hour_add_up_whatever_tells_them_apart(database: Database, book: PriceBook, tmp_path: Path) -> None:
    rows = [
        usage(1_000_000, account_id="a", inference_geo="global"),
        usage(1_000_000, account_id="a", inference_geo="not_available"),
        usage(1_000_000, account_id="a", api_key_id="k1"),
        usage(1_000_000, account_id="a", api_key_id="k2"),
        usage(1_000_000, account_id="a", session_id="s1"),
    ]
    path = write(tmp_path, "hour.json", bucket(*HOUR, *rows))
    load(database, book, path, path)
    assert usd(database, book) == 25


def test_an_hour_can_be_restated_to_less(database: Database, book: PriceBook, tmp_path: Path) -> None:
    for tokens in (2_000_000, 1_000_000):
        load(database, book, write(tmp_path, "hour.json", bucket(*HOUR, usage(tokens, account_id="a"))))
    assert usd(database, book) == 5


def test_an_hour_and_its_minutes_are_the_same_usage(database: Database, book: PriceBook, tmp_path: Path) -> None:
    hour = write(tmp_path, "hour.json", bucket(*HOUR, usage(1_000_000, account_id="a")))
    minutes = [
        bucket(f"2026-11-10T01:{at}:00Z", f"2026-11-10T01:{at + 1}:00Z", usage(500_000, account_id="a"))["data"][0]
        for at in (10, 30)
    ]
    load(database, book, hour, write(tmp_path, "minutes.json", {"data": minutes, "has_more": False}), hour)
    assert usd(database, book) == 5


def test_pages_of_one_report_add_up_where_a_dimension_is_null(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    def cost(cents: str, **group: Any) -> dict[str, Any]:
        actor = {"type": "user_actor", "email_address": "a@example.com"}
        row = {"starting_at": "2026-11-10T00:00:00Z", "ending_at": "2026-11-11T00:00:00Z"}
        return {
            "data": [{**row, "group": {"actor": actor, "model": MODEL, **group}, "cost": {"amount": cents}}],
            "has_more": False,
        }

    load(
        database,
        book,
        write(tmp_path, "p1.json", cost("500", workspace_id="w1", product="claude_code")),
        write(tmp_path, "p2.json", cost("200", workspace_id=None, product=None)),
    )
    assert usd(database, book) == 7


@pytest.mark.parametrize("name", ["session_id", "api_key_id", "slack_channel_id", "claude_tag_user_id", "newer_id"])
@pytest.mark.parametrize("end", ["2026-11-11T00:00:00Z", "2026-11-13T00:00:00Z"])
def test_pages_of_the_beta_add_up_whatever_tells_their_rows_apart(
    database: Database, book: PriceBook, tmp_path: Path, name: str, end: str
) -> None:
    def page(value: str | None, cents: str, who: str = "Ada") -> dict[str, Any]:
        actor = {"type": "user_actor", "email_address": "a@example.com", "name": who}
        group = {"actor": actor, "model": MODEL, name: value}
        return {
            "data": [
                {"starting_at": "2026-11-10T00:00:00Z", "ending_at": end, "group": group, "cost": {"amount": cents}}
            ]
        }

    pages = [page("one", "500"), page("two", "200"), page(None, "100"), page("one", "400", "Ada L.")]
    for number, one in enumerate(pages):
        load(database, book, write(tmp_path, f"p{number}.json", one))
    assert usd(database, book) == 7  # the first was restated to $4, then $2 and $1


def test_a_damaged_first_line_costs_itself_alone(database: Database, book: PriceBook, tmp_path: Path) -> None:
    lines = [assistant(f"m{n}", "2026-11-10T10:00:00Z", MODEL, input_tokens=1_000_000) for n in range(3)]
    (report,) = load(database, book, write(tmp_path, "t.jsonl", "\n".join(["@@ damaged", *lines])))
    assert (report.recorded.accepted, len(report.problems)) == (3, 1)
    assert usd(database, book) == 15


@pytest.mark.parametrize(
    "finer",
    [
        [{"model": MODEL}, {"model": "claude-haiku-5-5"}],
        [{"speed": "standard"}, {"speed": "fast"}],
        [{"service_tier": "standard"}, {"service_tier": "batch"}],
        [{"cost_type": "tokens"}, {"cost_type": "web_search"}],
    ],
)
def test_the_beta_by_finer_groups_is_no_further_usage(
    database: Database, book: PriceBook, tmp_path: Path, finer: list[dict[str, str]]
) -> None:
    def page(*groups: dict[str, str], cents: str) -> dict[str, Any]:
        actor = {"type": "user_actor", "email_address": "a@example.com"}
        times = {"starting_at": "2026-11-10T00:00:00Z", "ending_at": "2026-11-11T00:00:00Z"}
        rows = [{**times, "group": {"actor": actor, **group}, "cost": {"amount": cents}} for group in groups]
        return {"data": rows, "has_more": False}

    plain = {} if "model" in finer[0] else {"model": MODEL}
    for name, content in (
        ("coarse.json", page(plain, cents="700")),
        ("fine.json", page(*({**plain, **group} for group in finer), cents="350")),
    ):
        load(database, book, write(tmp_path, name, content))
    assert usd(database, book) == 7


def test_the_rows_of_a_day_take_the_place_of_its_bucket(database: Database, book: PriceBook, tmp_path: Path) -> None:
    times = {"starting_at": "2026-11-19T00:00:00Z", "ending_at": "2026-11-20T00:00:00Z"}
    row = {"model": MODEL, "product": None, "uncached_input_tokens": 1_000_000, "output_tokens": 0}
    by_bucket = {"data": [{**times, "results": [{"user_email": "dana@example.com", **row}]}]}
    actor = {"type": "user", "email_address": "dana@example.com"}
    files = [
        write(tmp_path, "buckets.json", by_bucket),
        write(tmp_path, "users.json", {"data": [{**times, "actor": actor, **row}]}),
    ]
    for paths in (files[:1], files[1:], files, files[::-1]):
        load(database, book, *paths)
        assert usd(database, book) == 5  # a million at $5


def test_the_rows_of_a_day_take_the_place_of_what_totals_tell_of_it(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    def total(first: int, until: int, tokens: int) -> dict[str, Any]:
        times = {"starting_at": f"2026-11-{first:02}T00:00:00Z", "ending_at": f"2026-11-{until:02}T00:00:00Z"}
        group = {"actor": {"type": "user", "email_address": "dana@example.com"}, "model": MODEL}
        return {**times, "group": group, "usage": {"uncached_input_tokens": tokens, "output_tokens": 0}}

    totals = write(tmp_path, "t.json", {"data": [total(1, 19, 5_000_000), total(1, 20, 6_000_000)]})
    of_day = write(tmp_path, "day.json", {"data": [total(19, 20, 1_000_000)]})
    for path in (totals, of_day, totals, of_day):
        load(database, book, path)
        dated = sum((one.usd for one in people_on(database, date(2026, 11, 19))), Decimal(0))
        assert dated == 5  # of the last day alone: a million at $5


def test_a_seat_that_begins_to_pay_keeps_its_earlier_days(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """A million tokens of Opus 5 a day, at $5; on the 5th the month's net goes from nothing to $13."""
    header = (
        "user_email,account_uuid,product,model,total_requests,total_prompt_tokens,total_completion_tokens,"
        "total_net_spend_usd,total_gross_spend_usd,user_id,total_uncached_input_tokens,total_cache_read_tokens,"
        "total_cache_write_5m_tokens,total_cache_write_1h_tokens,total_web_search_count,slack_channel_id,"
        "teams_channel_id"
    )
    reading = importer(database, book)
    for day in range(1, 6):
        net, tokens = 13 if day == 5 else 0, day * 10**6
        row = f"ada@x.com,a1,Claude Code,claude-opus-5,1,{tokens},0,{net},{net},u1,{tokens},0,0,0,0,,"
        path = tmp_path / f"spend-report-2026-11-01-to-2026-11-{day:02}.csv"
        path.write_text(f"{header}\n{row}\n", encoding="utf-8")
        assert [report.problems for report in reading.import_files([path], NOW)] == [[]]
    rows = ledger_of(database, book).spend(None, None, ("day",)).rows
    assert [(row.group[0][-2:], row.amount.usd, row.amount.usage.input) for row in rows] == [
        *((f"{day:02}", Decimal(5), 10**6) for day in range(1, 5)),
        ("05", Decimal(13), 10**6),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "spend_report_2026_11_01_to_2026_11_19.csv",
        "Spend-Report-2026-11-01-TO-2026-11-19.CSV",
        "spend-report-2026-11-01-to-2026-11-19-0b1c-2041-11ab-9f.csv",
    ],
)
def test_the_range_of_a_report_is_read_from_names_alike(
    database: Database, book: PriceBook, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_text(
        "user_email,product,model,total_requests,total_net_spend_usd\nada@x.com,Claude Code,,1,5\n", encoding="utf-8"
    )
    reading = importer(database, book)
    (report,) = reading.import_files([path], NOW)
    assert report.recorded.ranges == [(date(2026, 11, 1), date(2026, 11, 20))]


@pytest.mark.parametrize("name", ["spend-report-2026-11-01.csv", "spend-0b1c-2041-11ab-9f.csv", "report.csv"])
def test_a_report_whose_name_says_no_range_is_refused(
    database: Database, book: PriceBook, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_text("user_email,product,model,total_net_spend_usd\nada@x.com,Claude Code,,5\n", encoding="utf-8")
    reading = importer(database, book)
    (report,) = reading.import_files([path], NOW)
    assert "the days it covers stand in its file name alone" in (report.refused or "")


def test_days_beyond_the_calendar_are_left_out(database: Database, book: PriceBook, tmp_path: Path) -> None:
    line = (
        '{"type":"assistant","sessionId":"s","timestamp":"%s","requestId":"r%d","message":{"id":"m%d",'
        '"role":"assistant","model":"claude-opus-5","usage":{"input_tokens":1000000,"output_tokens":0}}}\n'
    )
    times = ["2026-11-05T10:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(line % (at, n, n) for n, at in enumerate(times)), encoding="utf-8")
    reading = importer(database, book, "Europe/Paris")
    (report,) = reading.import_files([path], NOW)
    assert [problem.row for problem in report.problems] == [2, 3]
    assert all("is of no year in which there was usage" in problem.problem for problem in report.problems)
    assert ledger_of(database, book).spend(None, None, ()).total.usd == 5


def ccusage_days(*days: tuple[int, int]) -> dict[str, Any]:
    rows = [
        {
            "date": f"2026-11-0{day}",
            "inputTokens": tokens,
            "outputTokens": 0,
            "cacheCreationTokens": 0,
            "cacheReadTokens": 0,
            "totalTokens": tokens,
            "totalCost": tokens * 5 / 10**6,
            "modelsUsed": [MODEL],
            "modelBreakdowns": [{"modelName": MODEL, "inputTokens": tokens, "cost": tokens * 5 / 10**6}],
        }
        for day, tokens in days
    ]
    return {"daily": rows, "totals": {}}


def test_ccusage_that_is_said_whose_it_is_counts_once(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """Two days of Opus 5 at $5, first nobody's, then Dana's; another machine's day stays nobody's."""
    ours = write(tmp_path, "c.json", ccusage_days((5, 10**6), (6, 10**6)))
    reading = importer(database, book)
    list(reading.import_files([ours], NOW))
    for _ in range(2):
        (again,) = reading.import_files([ours], NOW, person="dana@x.com")
        assert again.changes == []
    assert by_person(database, book) == {"dana@x.com": Decimal(10)}
    list(reading.import_files([write(tmp_path, "d.json", ccusage_days((6, 2 * 10**6)))], NOW))
    assert by_person(database, book) == {"dana@x.com": Decimal(10), "unassigned (this machine)": Decimal(10)}
    link_actor(database, "this machine", "ada@x.com", BY_ADMIN, book, POLICY, NOW)
    list(reading.import_files([tmp_path / "d.json"], NOW, person="bo@x.com"))
    assert by_person(database, book)["ada@x.com"] == 10


@pytest.mark.parametrize("order", [(None, "dana@x.com"), ("dana@x.com", None), (None, "dana@x.com", None)])
def test_ccusage_of_a_machine_that_is_linked_counts_once(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[str | None, ...]
) -> None:
    """The machine is Dana's, and its days of $5 come under her name as well; the second day grows in between."""
    reading = importer(database, book)
    list(reading.import_files([write(tmp_path, "0.json", ccusage_days((4, 10**6)))], NOW))
    link_actor(database, "this machine", "dana@x.com", BY_ADMIN, book, POLICY, NOW)
    for number, person in enumerate(order):
        path = write(tmp_path, f"{number + 1}.json", ccusage_days((5, 10**6), (6, (number + 1) * 10**6)))
        list(reading.import_files([path], NOW, person=person))
    assert by_person(database, book) == {"dana@x.com": Decimal(10 + 5 * len(order))}


@pytest.mark.parametrize(
    "steps",
    [
        ("a", "b dana"),
        ("a", "b", "b dana"),
        ("a", "b", "a dana", "b dana"),
        ("b", "a dana", "b dana"),
        ("a dana", "b"),
        ("b dana", "b"),
        ("a dana", "b", "b dana"),
        ("early", "b dana"),
    ],
)
def test_ccusage_that_grows_counts_once_whether_it_is_said_whose_it_is_or_not(
    database: Database, book: PriceBook, tmp_path: Path, steps: tuple[str, ...]
) -> None:
    """Opus 5 at $5: a million each on the 5th and 6th, and then two more on the 6th and one on the 7th."""
    files = {
        "a": write(tmp_path, "a.json", ccusage_days((5, 10**6), (6, 10**6))),
        "b": write(tmp_path, "b.json", ccusage_days((5, 10**6), (6, 3 * 10**6), (7, 10**6))),
        "early": write(tmp_path, "early.json", ccusage_days((5, 5 * 10**5), (6, 3 * 10**6))),
    }
    reading = importer(database, book)
    for step in steps:
        file, _, who = step.partition(" ")
        list(reading.import_files([files[file]], NOW, person=f"{who}@x.com" if who else None))
    assert by_person(database, book) == {"dana@x.com": Decimal(25)}


def test_days_that_are_smaller_are_of_somebody_else(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """Opus 5 at $5: 1, 2 and 9 million of nobody's machine, and one each day of Bob's; of the first either's."""
    reading = importer(database, book)
    theirs = write(tmp_path, "n.json", ccusage_days((5, 10**6), (6, 2 * 10**6), (7, 9 * 10**6)))
    bobs = write(tmp_path, "b.json", ccusage_days((5, 10**6), (6, 10**6), (7, 10**6)))
    list(reading.import_files([theirs], NOW))
    list(reading.import_files([bobs], NOW, person="bob@x.com"))
    assert by_person(database, book) == {"bob@x.com": Decimal(15), "unassigned (this machine)": Decimal(55)}


@pytest.mark.parametrize("shape", ["weekly", "monthly", "sessions"])
@pytest.mark.parametrize("order", [(None, "dana@x.com"), ("dana@x.com", None), (None, "dana@x.com", None)])
def test_totals_of_ccusage_count_once_whether_it_is_said_whose_they_are_or_not(
    database: Database, book: PriceBook, tmp_path: Path, shape: str, order: tuple[str | None, ...]
) -> None:
    """A million of Opus 5 at $5; a second session or week goes on in between."""
    used = {"modelName": MODEL, "inputTokens": 10**6, "cost": 5}
    shapes: dict[str, list[dict[str, Any]]] = {
        "weekly": [
            {"week": "2026-11-02", "modelBreakdowns": [used]},
            {"week": "2026-11-09", "modelBreakdowns": [used]},
        ],
        "monthly": [{"month": month, "modelBreakdowns": [used]} for month in ("2026-10", "2026-11")],
        "sessions": [session("a", "2026-11-02", "2026-11-06", 1), session("b", "2026-11-02", "2026-11-07", 1)],
    }
    told = shapes[shape]
    reading = importer(database, book)
    for number, person in enumerate(order):
        grown = [told[0], {**told[1], "modelBreakdowns": [{**used, "inputTokens": 3 * 10**6, "cost": 15}]}]
        path = write(tmp_path, f"{number}.json", {shape: told if number == 0 else grown})
        list(reading.import_files([path], NOW, person=person))
        if number == 0 and shape == "sessions":
            told = [told[0], session("b", "2026-11-02", "2026-11-09", 1)]
    assert by_person(database, book) == {"dana@x.com": Decimal(20)}


REPORT = (
    "user_email,account_uuid,product,model,total_requests,total_prompt_tokens,total_completion_tokens,"
    "total_net_spend_usd,total_gross_spend_usd,user_id,total_uncached_input_tokens,total_cache_read_tokens,"
    "total_cache_write_5m_tokens,total_cache_write_1h_tokens,total_web_search_count,slack_channel_id,teams_channel_id\n"
)
ORGANIZATIONS = ("aaaaaaaa-0b1c-4041-81ab-0123456789ab", "bbbbbbbb-0b1c-4041-81ab-0123456789ab")


def session(name: str, first: str, last: str, millions: int) -> dict[str, Any]:
    """One of ``ccusage session --json``, of so many million tokens of Opus 5 at $5."""
    used = {"modelName": MODEL, "inputTokens": millions * 10**6, "cost": 5 * millions}
    return {"sessionId": name, "firstActivity": first, "lastActivity": last, "modelBreakdowns": [used]}


def load_of(database: Database, book: PriceBook, person: str, path: Path) -> FileReport:
    (report,) = importer(database, book).import_files([path], NOW, person=person)
    assert report.refused is None
    return report


def test_sessions_of_one_person_leave_another_persons_day_alone(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """Dana's session of one day is $20. Erik's two files tell $10 and then $15, of one session that goes on."""
    dana = write(tmp_path, "dana.json", {"sessions": [session("d", "2026-11-20", "2026-11-20", 4)]})
    load_of(database, book, "dana@example.com", dana)
    for last, millions in (("2026-11-19", 2), ("2026-11-20", 3)):
        erik = write(tmp_path, "erik.json", {"sessions": [session("e", "2026-11-02", last, millions)]})
        load_of(database, book, "erik@example.com", erik)
    assert by_person(database, book) == {"dana@example.com": 20, "erik@example.com": 15}
    assert [one.person.label for one in people_on(database, date(2026, 11, 20))] == ["dana@example.com"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_session_that_goes_on_in_the_next_month_counts_once(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, int]
) -> None:
    """October's file has a at $5 and b at $10; in November's a has come to $15, b is deleted, and c is new at $5."""
    october = {"sessions": [session("a", "2026-10-02", "2026-10-20", 1), session("b", "2026-10-05", "2026-10-07", 2)]}
    november = {"sessions": [session("a", "2026-10-02", "2026-11-04", 3), session("c", "2026-11-03", "2026-11-04", 1)]}
    files = [write(tmp_path, "october.json", october), write(tmp_path, "november.json", november)]
    for place in (*order, *order):
        load_of(database, book, "dana@example.com", files[place])
    assert usd(database, book) == 15 + 10 + 5


def test_sessions_that_overlap_are_one_total_beside_the_days(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """Of the 5th $5 are known by the day; sessions of $5, growing to $15, $10 and $5 lasted over it: $30 in all."""
    used = {"modelName": MODEL, "inputTokens": 10**6, "cost": 5}
    day = write(tmp_path, "d.json", {"daily": [{"date": "2026-11-05", "modelBreakdowns": [used]}]})
    load_of(database, book, "dana@example.com", day)
    first = [session("a", "2026-11-02", "2026-11-06", 1), session("b", "2026-11-02", "2026-11-07", 2)]
    then = [session("a", "2026-11-02", "2026-11-14", 3), session("c", "2026-11-10", "2026-11-15", 1)]
    for number, sessions in enumerate((first, then)):
        load_of(database, book, "dana@example.com", write(tmp_path, f"{number}.json", {"sessions": sessions}))
    ledger, last = ledger_of(database, book), date(2026, 11, 20)
    assert usd(database, book) == 30
    assert ledger.digest(last).month_usd == 30
    month = ledger.digest(last, start=date(2026, 11, 1), edition="monthly")
    assert month.amount is not None
    assert month.amount.usd == 30
    # With $25 of that day neither part says more, but both together do.
    more = write(
        tmp_path,
        "m.json",
        {"daily": [{"date": "2026-11-05", "modelBreakdowns": [{**used, "inputTokens": 5 * 10**6, "cost": 25}]}]},
    )
    load_of(database, book, "dana@example.com", more)
    assert usd(database, book) == 30
    assert ledger.digest(last).month_usd == 30


def test_reports_of_two_organizations_are_told_apart(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """One has reports up to the 18th and 19th, the other up to the 17th and 19th: of that one no day is known."""
    for organization, person, last, millions in (
        (0, "ada", 18, 1),
        (1, "erik", 17, 20),
        (0, "ada", 19, 2),
        (1, "erik", 19, 21),
    ):
        row = f"{person}@example.com,a1,Claude Code,{MODEL},1,{millions}000000,0,0,0,,{millions}000000,0,0,0,0,,\n"
        name = f"spend-report-{ORGANIZATIONS[organization]}-2026-11-01-to-2026-11-{last}.csv"
        load(database, book, write(tmp_path, name, REPORT + row))
    assert by_person(database, book) == {"ada@example.com": 10, "erik@example.com": 105}
    (known,) = people_on(database, date(2026, 11, 19))
    assert known.person.label == "ada@example.com"
    assert known.usd == 5
    rows = ledger_of(database, book).spend(None, None, ("person", "source")).rows
    assert {row.group for row in rows} == {
        ("ada@example.com", "spend_report_csv"),
        ("erik@example.com", "spend_report_csv"),
    }


def test_a_report_whose_usage_is_paid_for_after_all_is_the_same_report(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """Of $5 as much as was charged is paid for; the rest is another row."""
    for net, found in ((0, (1, 0, 0)), (4, (1, 0, 1)), (4, (0, 2, 0)), (0, (0, 0, 1)), (5, (0, 0, 1)), (0, (0, 0, 1))):
        row = f"ada@example.com,a1,Claude Code,{MODEL},1,1000000,0,{net},{net},,1000000,0,0,0,0,,\n"
        path = write(tmp_path, "spend-report-2026-11-01-to-2026-11-19.csv", REPORT + row)
        (report,) = load(database, book, path)
        assert report.recorded[:3] == found
        total = ledger_of(database, book).spend(None, None, ()).total
        assert total.usd == 5
        assert total.reported_usd == net
    cost = ledger_of(database, book).spend(None, None, ()).total
    assert cost.covered_usd == 5
    assert cost.usage.input == 10**6


def test_a_total_of_the_organization_does_not_add_to_its_people(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """$10 of people's days and the organization's $25 of the month; then its days beside the people's month."""
    days = {"data": [analytics_row("ada", "2026-11-05"), analytics_row("bo", "2026-11-06")], "has_more": False}
    load(database, book, write(tmp_path, "days.json", days))
    month = {
        "starting_at": "2026-11-01T00:00:00Z",
        "ending_at": "2026-11-20T00:00:00Z",
        "group": {"product": "claude_code", "model": MODEL},
        "cost": {"amount": "2500", "list_amount": "2500", "currency": "USD", "requests": 1},
    }
    load(database, book, write(tmp_path, "month.json", {"data": [month], "has_more": False, "next_page": None}))
    assert usd(database, book) == 10
    assert ledger_of(database, book).digest(date(2026, 11, 19)).month_usd == 10


def test_a_months_total_of_people_stands_for_the_organizations_days(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """The cost report tells $20 and $5 of two days, the Claude Code page whose they were; $3 are of October."""
    for start, end, cents in (("10-31", "11-01", "300"), ("11-05", "11-06", "2000"), ("11-06", "11-07", "500")):
        said = {"amount": cents, "currency": "USD", "description": "Claude Code", "cost_type": "tokens", "model": MODEL}
        report = bucket(f"2026-{start}T00:00:00Z", f"2026-{end}T00:00:00Z", said)
        load(database, book, write(tmp_path, f"cost-{start}.json", report))
    page = "User,Spend this Month (USD),Lines this Month\nada@example.com,20.00,10\nbo@example.com,5.00,10\n"
    load(database, book, write(tmp_path, "claude_code_team_2026_11.csv", page))
    people = {"ada@example.com": 20, "bo@example.com": 5, "unassigned (organization)": 3}
    assert by_person(database, book) == people
    ledger = ledger_of(database, book)
    assert ledger.digest(date(2026, 11, 30)).month_usd == 25
    november = ledger.digest(date(2026, 11, 30), start=date(2026, 11, 1), edition="monthly")
    assert november.amount is not None
    assert november.amount.usd == 25
    assert (november.people.active, november.people.unassigned_actors) == (2, 0)
    assert ledger.spend(None, None, ()).beyond is None
    said = {"amount": "1500", "currency": "USD", "description": "API", "cost_type": "tokens", "model": MODEL}
    report = bucket("2026-11-15T00:00:00Z", "2026-11-16T00:00:00Z", said)
    load(database, book, write(tmp_path, "cost.json", report))
    assert by_person(database, book) == people
    # 20 + 5 + 15 of the report beside people's 25
    days = [date(2026, 11, day) for day in (5, 6, 15)]
    assert ledger.spend(None, None, ()).beyond == Beyond(Decimal(15), days)


def analytics_row(person: str, on: str) -> dict[str, Any]:
    """A million tokens of Opus 5 on a day, at $5."""
    used = {"model": MODEL, "tokens": {"input": 10**6, "output": 0, "cache_read": 0, "cache_creation": 0}}
    return {
        "date": f"{on}T00:00:00Z",
        "actor": {"type": "user_actor", "email_address": f"{person}@example.com"},
        "customer_type": "api",
        "terminal_type": "vscode",
        "model_breakdown": [used],
    }


def test_a_smaller_total_is_not_lost_to_a_larger_one_that_says_less_than_the_days(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """On the 3rd $25; the month says $20, a week after it $15 that no day knows of: $40 at least."""
    days = {"data": [analytics_row("ada", "2026-11-03")], "has_more": False}
    days["data"][0]["model_breakdown"][0]["tokens"]["input"] = 5 * 10**6  # type: ignore[index]
    load(database, book, write(tmp_path, "days.json", days))
    for section, name, millions in (("monthly", "2026-10", 4), ("weekly", "2026-10-12", 3), ("monthly", "2026-11", 4)):
        used = {"modelName": MODEL, "inputTokens": millions * 10**6, "cost": 5 * millions}
        file = {section: [{"month" if section == "monthly" else "week": name, "modelBreakdowns": [used]}]}
        load_of(database, book, "ada@example.com", write(tmp_path, f"{name}.json", file))
    assert usd(database, book) == 25 + 20  # October's month, in which the week lies
    week = {"weekly": [{"week": "2026-11-09", "modelBreakdowns": [{**used, "inputTokens": 3 * 10**6, "cost": 15}]}]}
    load_of(database, book, "ada@example.com", write(tmp_path, "week.json", week))
    assert usd(database, book) == 25 + 20 + 15


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0, 1, 1), (1, 1, 0)])
@pytest.mark.parametrize("before", [1, 4])
def test_an_older_export_changes_nothing_that_a_newer_one_says(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...], before: int
) -> None:
    """Ten hours ago a day had come to $5, or $20, and later to $15, with $10 of Bo's: files may come in any order."""
    newer = {"data": [million("ada", 3), million("bo", 2)], "has_more": False}
    older = {"data": [million("ada", before), million("cy", 1)], "has_more": False}
    files = [write(tmp_path, "usage (1).json", newer), write(tmp_path, "usage.json", older)]
    for path, hours in zip(files, (2, 10), strict=True):
        dated(path, hours)
    seen = set()
    for place in order:
        (report,) = load(database, book, files[place])
        is_late = place == 1 and 0 in seen
        assert report.outdated == is_late * (
            "1 row says something else than a newer export of the same days, which counts"
        )
        assert (report.problems, report.rejected) == ([], 0)  # it was read, and is among the unchanged
        seen.add(place)
    assert usd(database, book) == 25 + 5  # of Cy the older one alone knows
    # What was written within the hour of the other is the last word.
    dated(files[1], 2.5)
    load(database, book, files[1])
    assert usd(database, book) == 5 * before + 10 + 5


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0)])
def test_sessions_of_a_day_are_those_of_the_newest_export(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """Ada had begun 3 sessions ten hours ago, and 5 later; of Bo the older page alone says anything."""
    pages = [{"ada": 3, "bo": 2}, {"ada": 5}]
    paths = []
    for number, page in enumerate(pages):
        rows = [{**million(who, 1), "core_metrics": {"num_sessions": began}} for who, began in page.items()]
        paths.append(write(tmp_path, f"{number}.json", {"data": rows, "has_more": False}))
        dated(paths[-1], 10 - 5 * number)
    load(database, book, *(paths[place] for place in order))
    with database.read() as connection:
        assert sorted(connection.execute(select(session_days.c.sessions)).scalars()) == [2, 5]


def test_another_persons_newer_export_says_nothing_of_ones_own(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """Dana's ccusage says $10 and, written later, $5; Erik's is newer than both."""
    for name, who, millions, hours in (("a", "dana", 2, 100), ("c", "erik", 1, 2), ("b", "dana", 1, 50)):
        used = {"modelName": MODEL, "inputTokens": millions * 10**6, "cost": 5 * millions}
        path = write(tmp_path, f"{name}.json", {"daily": [{"date": "2026-11-20", "modelBreakdowns": [used]}]})
        dated(path, hours)
        load_of(database, book, f"{who}@example.com", path)
    assert by_person(database, book) == {"dana@example.com": 5, "erik@example.com": 5}


def test_an_older_page_of_single_rows_takes_nothing_away(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """Of the beta and of Copilot: $15 and then the older $10; $9 charged with $5 covered, then $10 charged."""
    for number, (cents, hours) in enumerate((("1500", 2), ("1000", 100))):
        page = beta_row(actor={"user_id": "u1", "email_address": "ada@example.com"})
        page["data"][0]["cost"]["amount"] = cents
        path = write(tmp_path, f"{number}.json", page)
        dated(path, hours)
        load(database, book, path)
    assert usd(database, book) == 15
    header = "date,username,sku,model,quantity,gross_amount,net_amount\n"
    for gross, net, hours in (("14", "9", 2), ("8", "8", 100)):
        path = write(
            tmp_path, "c.csv", f"{header}2026-11-20,dev,copilot_ai_credit,Claude Sonnet 4.6,200,{gross},{net}\n"
        )
        dated(path, hours)
        load(database, book, path)
    (copilot,) = ledger_of(database, book).spend(None, None, ()).others
    assert copilot.charged_usd == 9
    assert copilot.covered_usd == 5


def dated(path: Path, hours: float) -> None:
    """Let a file have been written so many hours ago."""
    at = NOW.timestamp() - hours * 3600
    os.utime(path, (at, at))


def million(person: str, millions: int) -> dict[str, Any]:
    row = analytics_row(person, "2026-11-20")
    row["model_breakdown"][0]["tokens"]["input"] = millions * 10**6
    return row


def block(models: list[str], millions: int, start: str = "2026-11-20T10:00:00.000Z") -> dict[str, Any]:
    """A block of ccusage, of so many million tokens at $5."""
    counts = {"inputTokens": millions * 10**6, "outputTokens": 0}
    return {"startTime": start, "tokenCounts": counts, "costUSD": 5 * millions, "models": models, "isGap": False}


def test_a_block_that_goes_on_with_another_model_is_the_same_block(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """$5 of Opus, then $15 of Opus and Haiku; somebody else's block from the same hour is $5; then it is said whose."""
    first, then = block([MODEL], 1), block([MODEL, "claude-haiku-4-5"], 3)
    load(database, book, write(tmp_path, "0.json", {"blocks": [first]}))
    load_of(database, book, "dana@example.com", write(tmp_path, "1.json", {"blocks": [first]}))
    load_of(database, book, "erik@example.com", write(tmp_path, "2.json", {"blocks": [first]}))
    for _ in range(2):
        load_of(database, book, "dana@example.com", write(tmp_path, "3.json", {"blocks": [then]}))
    assert by_person(database, book) == {"dana@example.com": 15, "erik@example.com": 5}


def beta_row(hours: int = 24, **group: Any) -> dict[str, Any]:
    """A row of the beta's cost of $10."""
    row = {
        "starting_at": "2026-11-20T00:00:00Z",
        "ending_at": "2026-11-21T00:00:00Z" if hours == 24 else f"2026-11-20T{hours:02}:00:00Z",
        "group": {"model": MODEL, "product": "claude_code", **group},
        "cost": {"amount": "1000", "list_amount": "1000", "currency": "USD", "requests": 1},
    }
    return {"data": [row], "has_more": False, "next_page": None}


@pytest.mark.parametrize("hours", [1, 24])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"workspace_id": None, "speed": None}),
        ({"actor": {"user_id": "u1", "email_address": None}}, {"actor": {"user_id": "u1", "email_address": "a@x.com"}}),
        ({"actor": {"user_id": "u1", "name": None}}, {"actor": {"user_id": "u1", "name": "Ada", "deleted": True}}),
    ],
)
def test_a_row_that_is_told_more_of_is_the_same_row(
    database: Database, book: PriceBook, tmp_path: Path, hours: int, before: dict[str, Any], after: dict[str, Any]
) -> None:
    for number, group in enumerate((before, after, after)):
        load(database, book, write(tmp_path, f"{number}.json", beta_row(hours, **group)))
        assert usd(database, book) == 10
    load(database, book, write(tmp_path, "other.json", beta_row(hours, **{**after, "workspace_id": "w2"})))
    assert usd(database, book) == 20


def test_rows_without_an_address_are_whose_id_they_have(database: Database, book: PriceBook, tmp_path: Path) -> None:
    nameless = beta_row(actor={"user_id": "u1", "email_address": None}, workspace_id="w1")
    named = beta_row(actor={"user_id": "u1", "email_address": "ada@example.com"}, workspace_id="w2")
    load(database, book, write(tmp_path, "1.json", nameless), write(tmp_path, "2.json", named))
    assert by_person(database, book) == {"ada@example.com": 20}


def test_an_event_of_cursor_with_one_more_field_is_the_same_event(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    event = {
        "timestamp": "1795600000000",
        "userEmail": "d@x.com",
        "model": "claude-4.5-sonnet",
        "tokenUsage": {"inputTokens": 1, "outputTokens": 2, "cacheWriteTokens": 3, "cacheReadTokens": 4},
        "chargedCents": 20,
    }
    later = {**event, "timestamp": "1795600000001"}
    for number, events in enumerate(([event], [{**event, "isHeadless": False}], [event, later])):
        load(database, book, write(tmp_path, f"{number}.json", {"usageEvents": events}))
    (cursor,) = ledger_of(database, book).spend(None, None, ()).others
    assert cursor.charged_usd == Decimal("0.40")


def test_copilot_dollars_that_a_plan_covers_after_all_are_not_charged_as_well(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    header = "date,username,sku,model,quantity,gross_amount,net_amount\n"
    for net, charged, covered in (("2", 2, 0), ("0", 0, 2), ("0.5", Decimal("0.5"), Decimal("1.5"))):
        row = f"2026-11-20,dev,copilot_ai_credit,Claude Sonnet 4.6,200,2,{net}\n"
        load(database, book, write(tmp_path, "c.csv", header + row))
        (copilot,) = ledger_of(database, book).spend(None, None, ()).others
        assert (copilot.charged_usd, copilot.covered_usd) == (charged, covered)


def test_what_other_files_say_twice_counts_once(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """$3 of LiteLLM, $4 of OpenRouter, $5 on the Claude Code page, $6 of the spend limits and $2 of ccusage."""
    metrics = {"spend": 3, "prompt_tokens": 10, "completion_tokens": 1}
    litellm = {"date": "2026-11-20", "metrics": metrics, "breakdown": {"models": {MODEL: {"metrics": metrics}}}}
    limit = {
        "actor": {"user_id": "u1", "email_address": "f@x.com"},
        "period": "monthly",
        "period_to_date_spend": "600",
    }
    row = {"date": "2026-11-20", "modelBreakdowns": [{"modelName": MODEL, "inputTokens": 1, "cost": 2}]}
    router = f"2026-11-20,anthropic/{MODEL},4,10,1\n"
    page = "e@x.com,5.00,10\n"
    files: dict[str, str | dict[str, Any]] = {
        "l.json": {"results": [litellm, litellm], "metadata": {}},
        "o.csv": f"Date,Slug,Usage,Prompt Tokens,Completion Tokens\n{router}{router}",
        "claude_code_2026_11.csv": f"User,Spend this Month (USD),Lines this Month\n{page}{page}",
        "s.json": {"data": [limit, limit], "has_more": False},
        "c.json": {"daily": [row, row]},
    }
    for name, content in files.items():
        (report,) = load(database, book, write(tmp_path, name, content))
        assert [("repeats" in problem.problem) for problem in report.problems] == [True], name
    assert usd(database, book) == 3 + 4 + 5 + 6 + 2


def test_an_answer_about_one_organization_leaves_another_ones_rows(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """$5 of the one from a file; the feed of the other brings $10 of that day, later $5 alone."""

    def page(organization: int, *people: str) -> dict[str, Any]:
        rows = [{**analytics_row(who, "2026-11-20"), "organization_id": ORGANIZATIONS[organization]} for who in people]
        return {"data": rows, "has_more": False}

    load(database, book, write(tmp_path, "file.json", page(0, "ada")))
    for people, dollars in ((("bo", "cy"), 15), (("bo",), 10)):
        body = Export("feed", io.BytesIO(json.dumps(page(1, *people)).encode()), NOW)
        whole = [date(2026, 11, 20)]
        importer(database, book).import_export(body, NOW, "claude_code_analytics_api", whole_days=whole)
        assert usd(database, book) == dollars


def test_new_keys_of_an_erased_person_do_not_replace_each_other(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    days = {"data": [analytics_row("dana", "2026-11-19")], "has_more": False}
    load(database, book, write(tmp_path, "days.json", days))
    erase_person(database, "dana@example.com", "admin", NOW)
    header = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens\n"
    for _ in range(2):
        for number, letters in enumerate(("aaaa", "bbbb"), start=1):
            row = f"2026-11-20,{MODEL},claude_code_key_dana_{letters},{number}000000,0\n"
            load(database, book, write(tmp_path, f"{number}.csv", header + row))
    (whole,) = by_person(database, book).values()
    assert whole == 5 + 5 + 10
    log = assistant("m", "2026-11-20T10:00:00Z", MODEL, input_tokens=1)
    load_of(database, book, "dana@example.com", write(tmp_path, "t.jsonl", log))
    with database.read() as connection:
        kept = connection.execute(select(read_files.c.settings)).scalars().all()
    assert not any("dana" in settings for settings in kept)


def test_another_makers_model_that_once_counted_as_claude_is_moved(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """Older versions took gpt-6 for Claude: the same file again says whose it is, and it counts once."""
    used = {"spend": 7, "prompt_tokens": 10, "completion_tokens": 1}
    page = {"results": [{"date": "2026-11-20", "metrics": used, "breakdown": {"models": {"gpt-6": {"metrics": used}}}}]}
    path = write(tmp_path, "l.json", {**page, "metadata": {}})
    load(database, book, path)
    with database.write() as connection:
        connection.execute(update(usage_lines).values(vendor="anthropic"))
    rebuild_rollups(database, book)
    assert usd(database, book) == 7
    load(database, book, path)
    spent = ledger_of(database, book).spend(None, None, ())
    assert spent.total.usd == 0
    assert [(other.vendor, other.charged_usd) for other in spent.others] == [("openai", Decimal(7))]


def test_a_total_in_dollars_is_not_lost_to_a_small_one_that_has_tokens(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """The month came to $1,083.56; a report of its first five days to $10.00."""
    page = 'User,Spend this Month (USD),Lines this Month\nada@x.com,"1,083.56",7\n'
    row = f"ada@x.com,a1,Claude Code,{MODEL},1,1000000,300000,10.00,10.00,,1000000,0,0,0,0,,\n"
    files = [
        write(tmp_path, "claude_code_team_2026_11.csv", page),
        write(tmp_path, "spend-report-2026-11-01-to-2026-11-05.csv", REPORT + row),
    ]
    for file in (*files, files[0]):
        assert load(database, book, file)[0].refused is None
    assert by_person(database, book) == {"ada@x.com": Decimal("1083.56")}


def test_another_vendors_dollars_are_never_added_up_over_sources(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """One request of GPT-5 for $5, in LiteLLM's daily activity and in its log."""
    used = {"metrics": {"spend": 5.0, "prompt_tokens": 100000, "completion_tokens": 100}}
    key = {**used, "metadata": {"key_alias": "k-ada", "user_email": "ada@x.com"}}
    model = {**used, "api_key_breakdown": {"h1": key}}
    activity = {"date": "2026-11-18", **used, "breakdown": {"models": {"gpt-5": model}}}
    log = {"request_id": "r2", "api_key": "h1", "spend": 5.0, "prompt_tokens": 100000, "completion_tokens": 100}
    who = {"user_api_key_alias": "k-ada", "user_api_key_user_email": "ada@x.com"}
    logs = [{**log, "startTime": "2026-11-18T05:00:00Z", "model": "gpt-5", "user": "", "metadata": who}]
    for name, told in (
        ("a.json", {"results": [activity], "metadata": {"total_spend": 5}}),
        ("l.json", json.dumps(logs)),
    ):
        (report,) = load(database, book, write(tmp_path, name, told))
        assert report.recorded.accepted == 1
        spent = ledger_of(database, book).spend(None, None, ())
        assert [(other.vendor, other.charged_usd) for other in spent.others] == [("openai", Decimal(5))]


def test_the_report_of_an_import_says_which_days_it_tells_apart(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """$10 up to the 17th and $30 up to the 18th: that day is known by itself. A negative row brings nothing."""
    found = []
    for last, spent in ((17, 10), (18, 30), (19, -5)):
        row = f"ada@x.com,a1,Claude Code,{MODEL},1,{spent}00000,0,{spent}.00,{spent}.00,u1,{spent}00000,0,0,0,0,,\n"
        path = write(tmp_path, f"spend-report-2026-11-01-to-2026-11-{last}.csv", REPORT + row)
        (report,) = load(database, book, path)
        found.append((report.recorded.accepted, report.rejected, report.recorded.days))
    assert found == [(1, 0, []), (1, 0, [date(2026, 11, 18)]), (0, 1, [])]


def test_a_pipe_is_read_like_a_file(database: Database, book: PriceBook, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    text = assistant("m", "2026-11-05T10:00:00Z", MODEL, input_tokens=10**6)
    writing = threading.Thread(target=lambda: path.write_text(text, encoding="utf-8"))
    writing.start()
    (report,) = load(database, book, path)
    writing.join()
    assert report.refused is None
    assert usd(database, book) == 5


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_report_of_one_day_holds_beside_those_of_the_month(
    database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """The month came to $10 up to the 17th and to $30 up to the 18th, of which the 18th itself says $19."""
    files = []
    for first, last, spent in ((1, 17, 10), (1, 18, 30), (18, 18, 19)):
        row = f"ada@x.com,a1,Claude Code,{MODEL},1,{spent}00000,0,{spent}.00,{spent}.00,u1,{spent}00000,0,0,0,0,,\n"
        name = f"spend-report-2026-11-{first:02}-to-2026-11-{last}.csv"
        files.append(write(tmp_path, name, REPORT + row))
    for place in (*order, order[0]):
        assert load(database, book, files[place])[0].refused is None
    explained = ledger_of(database, book).explain("ada@x.com", date(2026, 11, 18))
    assert explained is not None
    assert explained.sources["spend_report_csv"].usd == 19


def test_a_report_up_to_the_end_of_the_month_covers_no_days_to_come(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """Exported on three days, by name up to the 30th, or up to the day before, of which the first two say nothing."""
    for written, last, spent in ((17, 30, 10), (18, 30, 30), (19, 18, 60)):
        row = f"ada@x.com,a1,Claude Code,{MODEL},1,{spent}00000,0,{spent}.00,{spent}.00,u1,{spent}00000,0,0,0,0,,\n"
        path = write(tmp_path, f"spend-report-2026-11-01-to-2026-11-{last}.csv", REPORT + row)
        at = datetime(2026, 11, written, 20, tzinfo=UTC).timestamp()
        os.utime(path, (at, at))
        assert load(database, book, path)[0].refused is None
    ledger = ledger_of(database, book)
    assert ledger.spend(None, None, ()).total.usd == 60
    for day, spent in ((17, 20), (18, 30)):
        explained = ledger.explain("ada@x.com", date(2026, 11, day))
        assert explained is not None
        assert explained.sources["spend_report_csv"].usd == spent


@pytest.mark.parametrize(
    "sample",
    [
        "claude_code_analytics_api/doc_guide_2026-08-21.json",
        "admin_usage_messages/api_reference.json",
        "admin_usage_messages/users_list.json",
        "admin_cost_report/api_reference.json",
        "litellm/user_daily_activity.json",
        "spend_limits_effective/sample.json",
    ],
)
def test_a_page_that_more_follow_is_not_taken_for_all(
    database: Database, book: PriceBook, tmp_path: Path, sample: str
) -> None:
    page = json.loads((SAMPLES / sample).read_text(encoding="utf-8"))
    where = page.get("metadata", page)
    where.pop("has_more", None)
    where.pop("next_page", None)
    named = {"next_page": "page_2"}
    for said, has_more in (
        ({}, False),
        (named, True),
        ({"has_more": False}, False),
        ({"has_more": True}, True),
        ({"next_page": None}, True),
    ):
        where.update(said)
        (report,) = load(database, book, write(tmp_path, "page.json", page))
        assert (report.refused, report.has_more) == (None, has_more)


def test_of_several_pages_the_last_says_whether_more_follow(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    page = json.loads((SAMPLES / "claude_code_analytics_api/doc_guide_2026-08-21.json").read_text(encoding="utf-8"))
    first, last = {**page, "has_more": True, "next_page": "page_2"}, {"data": [], "has_more": False}
    for pages, has_more in (([first, last], False), ([first, first], True), ([last, first], True)):
        (report,) = load(database, book, write(tmp_path, "pages.json", json.dumps(pages)))
        assert (report.refused, report.has_more) == (None, has_more)


def test_an_older_file_of_a_session_brings_no_second_one(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """A million of Opus 5 at $5 that nobody is named for; two million with Dana's name; and the first file again."""
    reading = importer(database, book)
    old = write(tmp_path, "old.json", {"sessions": [session("a", "2026-11-02", "2026-11-05", 1)]})
    new = write(tmp_path, "new.json", {"sessions": [session("a", "2026-11-02", "2026-11-06", 2)]})
    for path, person in ((old, None), (new, "dana@x.com"), (old, None), (old, None), (new, "dana@x.com"), (new, None)):
        list(reading.import_files([path], NOW, person=person))
        assert len(by_person(database, book)) == 1
    assert by_person(database, book) == {"dana@x.com": Decimal(10)}


def test_a_newer_file_that_names_nobody_counts_once_with_an_older_one_that_does(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """A million a day of Opus 5 at $5; on the second day there is another one in the newer file."""
    reading = importer(database, book)
    newer = write(tmp_path, "newer.json", ccusage_days((5, 10**6), (6, 2 * 10**6)))
    older = write(tmp_path, "older.json", ccusage_days((5, 10**6), (6, 10**6)))
    for path, person in ((newer, None), (older, "dana@x.com"), (newer, None)):
        list(reading.import_files([path], NOW, person=person))
    assert by_person(database, book) == {"dana@x.com": Decimal(15)}


def test_a_report_of_the_month_and_one_of_a_day_count_that_day_once(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    """The month came to $5 on the 4th and to $15 on the 5th, which are a day late; of the 4th itself $10 are said."""
    for written, first, last, spent in ((4, 1, 30, 5), (5, 1, 30, 15), (5, 4, 4, 10)):
        row = f"ada@x.com,a1,Claude Code,{MODEL},1,{spent}00000,0,{spent}.00,{spent}.00,u1,{spent}00000,0,0,0,0,,\n"
        name = f"spend-report-2026-11-{first:02}-to-2026-11-{last:02}.csv"
        path = write(tmp_path, name, REPORT + row)
        os.utime(path, (datetime(2026, 11, written, 20, tzinfo=UTC).timestamp(),) * 2)
        assert load(database, book, path)[0].refused is None
    assert ledger_of(database, book).spend(None, None, ()).total.usd == 15


@pytest.mark.parametrize("is_newer_first", [False, True])
@pytest.mark.parametrize(("charged", "covered"), [("1.20", "1.80"), ("3.00", "0")])
def test_what_a_plan_covered_at_noon_is_not_added_to_what_the_day_came_to(
    database: Database, book: PriceBook, tmp_path: Path, charged: str, covered: str, is_newer_first: bool
) -> None:
    """Copilot at noon: $1.00, all covered. The next day: $3.00, of which a part or all was charged after all."""
    header = "date,username,product,sku,model,quantity,gross_amount,net_amount,input,output\n"
    files = []
    for day, gross, net, tokens in ((20, "1.00", "0", 1000), (21, "3.00", charged, 3000)):
        row = f"2026-11-20,dana,copilot,copilot_ai_credit,Claude Sonnet 4.6,100,{gross},{net},{tokens},0\n"
        path = write(tmp_path, f"{day}.csv", header + row)
        os.utime(path, (datetime(2026, 11, day, 12, tzinfo=UTC).timestamp(),) * 2)
        files.append(path)
    reading = importer(database, book)
    for path in [*(reversed(files) if is_newer_first else files), files[0]]:
        (report,) = reading.import_files([path], datetime(2026, 11, 22, tzinfo=UTC))
        assert report.refused is None
    (other,) = ledger_of(database, book).spend(None, None, ()).others
    assert (other.charged_usd, other.covered_usd) == (Decimal(charged), Decimal(covered))


def page_of_the_console() -> str:
    return 'User,Spend this Month (USD),Lines this Month\ndana@example.com,"100.00",29041\n'


def limits() -> dict[str, Any]:
    actor = {"type": "user_actor", "user_id": "u", "email_address": "dana@example.com"}
    return {"data": [{"actor": actor, "currency": "USD", "period": "monthly", "period_to_date_spend": "10000"}]}


def month_of_ccusage() -> dict[str, Any]:
    used = {"modelName": MODEL, "inputTokens": 20_000_000, "outputTokens": 0, "cost": 100}
    return {"monthly": [{"month": "2026-11", "modelBreakdowns": [used]}]}


@pytest.mark.parametrize(
    ("content", "person"),
    [(page_of_the_console(), None), (limits(), None), (month_of_ccusage(), "dana@example.com")],
    ids=["console", "limits", "ccusage"],
)
def test_a_total_of_a_month_that_goes_on_leaves_the_days_after_it(
    database: Database, book: PriceBook, tmp_path: Path, content: Any, person: str | None
) -> None:
    """On the 15th the month had come to $100, and on the 16th to as much; from the 17th on six days of $5 follow."""
    days = [analytics_row("dana", f"2026-11-{day}") for day in range(17, 23)]
    load(database, book, write(tmp_path, "days.json", {"data": days, "has_more": False}))
    for day in (15, 16):
        path = write(tmp_path, f"{day}.txt", content)
        dated(path, (NOW - datetime(2026, 11, day, 12, tzinfo=UTC)).total_seconds() / 3600)
        (report,) = importer(database, book).import_files([path], NOW, person=person)
        assert not report.problems
    assert usd(database, book) == 130
    assert [one.usd for one in people_on(database, date(2026, 11, 16))] == []  # it makes no days
    facts = ledger_of(database, book).digest(date(2026, 11, 22), NOW)
    assert facts.month_usd == 130


@pytest.mark.parametrize("is_first", [True, False])
def test_a_zip_says_in_universal_time_when_its_files_were_written(
    database: Database, book: PriceBook, tmp_path: Path, is_first: bool
) -> None:
    """The older export, $5, was packed in Tokyo, where the clock shows nine hours more; the newer one says $15."""
    newer = write(tmp_path, "newer.json", {"data": [million("ada", 3)], "has_more": False})
    dated(newer, 5)
    older = datetime.fromtimestamp(NOW.timestamp() - 10 * 3600, UTC)
    member = zipfile.ZipInfo("older.json", (older + timedelta(hours=9)).timetuple()[:6])
    member.extra = struct.pack("<HHBi", 0x5455, 5, 1, int(older.timestamp()))
    packed = tmp_path / "older.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(member, json.dumps({"data": [million("ada", 1)], "has_more": False}))
    load(database, book, *((packed, newer) if is_first else (newer, packed)))
    assert usd(database, book) == 15


@pytest.mark.parametrize("is_first", [True, False])
def test_a_month_in_a_zip_without_times_ends_with_a_later_page(
    database: Database, book: PriceBook, tmp_path: Path, is_first: bool
) -> None:
    """On the 5th the month had come to $100, and on the 22nd to $300."""
    page = "User,Spend this Month (USD),Lines this Month\nada@x.com,{},10\n"
    packed, newer = tmp_path / "older.zip", write(tmp_path, "claude_code_team_2026_11.csv", page.format("300.00"))
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("claude_code_team_2026_11.csv"), page.format("100.00"))
    for path, day in ((packed, 5), (newer, 22)):
        dated(path, (NOW - datetime(2026, 11, day, 12, tzinfo=UTC)).total_seconds() / 3600)
    load(database, book, *((packed, newer) if is_first else (newer, packed)))
    assert usd(database, book) == 300


def test_a_key_that_two_reports_name_counts_once(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """The usage of the key CI, and its cost with the id that it has there: $5."""
    row = {**million("ada", 1), "actor": {"type": "api_actor", "api_key_name": "CI"}}
    actor = {"type": "api_actor", "user_id": "apikey_1", "email_address": None, "name": "CI", "deleted": False}
    times = {"starting_at": "2026-11-20T00:00:00Z", "ending_at": "2026-11-21T00:00:00Z"}
    cost = {**times, "group": {"actor": actor, "model": MODEL}, "cost": {"amount": "500", "currency": "USD"}}
    for name, one in (("usage.json", row), ("cost.json", cost)):
        load(database, book, write(tmp_path, name, {"data": [one], "has_more": False}))
    assert by_person(database, book) == {"unassigned (CI)": Decimal(5)}
