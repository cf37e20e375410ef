"""Overlapping files in any order, any number of times, with kills in between, end in the same totals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from bench.corpus import write_corpus
from bot.imports import Importer
from bot.ledger import Ledger
from bot.pricing import PriceBook
from bot.spend.amounts import Amount
from bot.store.alerting import AlertPolicy
from bot.store.bulk import Row
from bot.store.database import Database, connect
from bot.store.recording import rebuild_rollups
from bot.store.rollups import DayRollup
from bot.store.tables import metadata
from tests.transcripts import tangled
from tests.usage import utc_policy

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HEADER = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
    "usage_output_tokens,web_search_count,inference_geo,speed"
)


class Killed(BaseException):
    """Stands for a process that ends at once."""


class Step(NamedTuple):
    file: int
    killed_at: int | None


def importer(database: Database, book: PriceBook) -> Importer:
    return Importer(database, ZoneInfo("UTC"), book, AlertPolicy(Decimal(12), date(2026, 11, 24)))


def write_files(folder: Path) -> list[Path]:
    """Pieces of one truth that overlap: transcripts by lines, a CSV by days, an API's days by pages of whole days.

    And what is told again and again, each time a little otherwise: of that the newest holds.
    """
    write_corpus(folder, files=2, turns=12, seed=3, padding=2)
    files = []
    for number, path in enumerate(sorted((folder / "projects").rglob("*.jsonl"))):
        lines = path.read_text(encoding="utf-8").splitlines()
        for part, some in enumerate((lines[: len(lines) * 2 // 3], lines[len(lines) // 3 :], lines)):
            files.append(folder / f"t{number}-{part}.jsonl")
            files[-1].write_text("\n".join(some) + "\n", encoding="utf-8")
    for number in range(3):
        files.append(folder / f"tangled{number}.jsonl")
        files[-1].write_text(tangled(Random(number), 16), encoding="utf-8")
    rows = [
        f"2026-11-{day:02},claude-opus-5-5,{key},Default,standard,≤ 200k,{day * 1000},{day},0,{day * 7},{day},0,global,"
        for day in range(1, 10)
        for key in ("claude_code_key_dana_ab12", "ci")
    ]
    for part, some in enumerate((rows[:12], rows[6:], rows)):
        files.append(folder / f"c{part}.csv")
        files[-1].write_text("\n".join((HEADER, *some)) + "\n", encoding="utf-8")
    for part, days in enumerate(((1, 2, 3), (3, 4), (1, 4))):
        page = {"data": [record(day) for day in days], "has_more": False, "next_page": None}
        files.append(folder / f"a{part}.json")
        files[-1].write_text(json.dumps(page), encoding="utf-8")
    return [*files, *write_reports(folder), *write_restatements(folder)]


def write_reports(folder: Path) -> list[Path]:
    """A month's first days as three spend reports: Bo leaves, a product is called otherwise, a day is restated."""
    header = "user_email,product,model,total_completion_tokens,total_net_spend_usd,total_uncached_input_tokens"
    reports = (
        (("dana", "Claude Code", 1000, 8), ("bo", "Chat", 10, 0)),
        (("dana", "Claude Code", 3000, 12), ("bo", "Chat", 900, 4)),
        (("dana", "claude_code", 2500, 11),),
    )
    files = []
    for last, rows in enumerate(reports, start=1):
        said = [f"{who}@example.com,{what},claude-opus-5-5,7,{usd},{count}000" for who, what, count, usd in rows]
        files.append(folder / f"spend-report-2026-11-01-to-2026-11-0{last}.csv")
        files[-1].write_text("\n".join((header, *said)) + "\n", encoding="utf-8")
    return files


def write_restatements(folder: Path) -> list[Path]:
    """Exports of two days, of which later ones say more and less of them, and name accounts otherwise."""

    def gateway(usd: int, user: str | None) -> dict[str, object]:
        used = {"metrics": {"spend": usd, "prompt_tokens": usd * 1000}, "metadata": {"user_email": user}}
        models = {"claude-opus-5-5": {"metrics": {}, "api_key_breakdown": {"laptop": used}}}
        return {"results": [{"date": "2026-11-12", "metrics": {}, "breakdown": {"models": models}}]}

    def enterprise(cents: int, user: str | None) -> dict[str, object]:
        actor = {"type": "user_actor", "user_id": "user_1", "email_address": user}
        days = {"starting_at": "2026-11-13T00:00:00Z", "ending_at": "2026-11-14T00:00:00Z"}
        return {"data": [{"actor": actor, "amount": str(cents), "currency": "USD", "product": None, **days}]}

    pages = (
        gateway(4, "kim@example.com"),
        gateway(6, None),
        gateway(5, None),
        enterprise(400, "ada@example.com"),
        enterprise(300, None),
        enterprise(600, "ada@example.com"),
    )
    files = []
    for number, page in enumerate(pages):
        files.append(folder / f"r{number}.json")
        files[-1].write_text(json.dumps(page), encoding="utf-8")
        written = NOW.timestamp() - 3600 * (50 - 10 * number)
        os.utime(files[-1], (written, written))
    return files


def record(day: int) -> dict[str, object]:
    tokens = {"input": day * 5000, "output": day, "cache_read": 0, "cache_creation": 0}
    return {
        "date": f"2026-11-{day:02}T00:00:00Z",
        "actor": {"type": "user_actor", "email_address": "dana@example.com"},
        "customer_type": "api",
        "terminal_type": "vscode",
        "model_breakdown": [{"model": "claude-opus-5-5", "tokens": tokens}],
    }


def totals(database: Database, book: PriceBook) -> dict[tuple[str, ...], Amount]:
    ledger = Ledger(database, book, utc_policy)
    return {row.group: row.amount for row in ledger.spend(None, None, ("day", "person", "model", "source")).rows}


def together(database: Database, book: PriceBook) -> dict[tuple[str, ...], Amount]:
    """The same without people and sources, which is read from a roll-up of its own."""
    rows = Ledger(database, book, utc_policy).spend(None, None, ("day", "model")).rows
    return {row.group: row.amount for row in rows}


def summed(found: dict[tuple[str, ...], Amount]) -> dict[tuple[str, ...], Amount]:
    sums: dict[tuple[str, ...], Amount] = defaultdict(Amount)
    for (day, _, model, _), one in found.items():
        sums[day, model] = sums[day, model].plus(one)
    return sums


def empty(database: Database) -> None:
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(text(f"DELETE FROM {table.name}"))


steps = st.lists(st.builds(Step, file=st.integers(0, 23), killed_at=st.none() | st.integers(1, 6)), max_size=16)


def end_in_the_same(database: Database, book: PriceBook, files: list[Path], chosen: list[Step]) -> None:
    empty(database)
    for file in files:
        list(importer(database, book).import_path(file, NOW))
    expected = totals(database, book)
    empty(database)
    for step in chosen:
        with pytest.MonkeyPatch.context() as patch:
            if step.killed_at is not None:
                kill_at(patch, step.killed_at)
            with suppress(Killed):
                list(importer(database, book).import_path(files[step.file], NOW))
    for file in reversed(files):
        list(importer(database, book).import_path(file, NOW))
    assert totals(database, book) == expected
    assert together(database, book) == summed(expected)
    rebuild_rollups(database, book)
    assert totals(database, book) == expected
    assert together(database, book) == summed(expected)


def kill_at(patch: pytest.MonkeyPatch, count: int) -> None:
    """Die in the middle of the transaction, at the ``count``-th day whose roll-ups are brought up to date."""
    real, calls = DayRollup.refresh, [0]

    def refresh(self: DayRollup, added: list[Row] | None = None) -> None:
        calls[0] += 1
        if calls[0] == count:
            raise Killed
        real(self, added)

    patch.setattr(DayRollup, "refresh", refresh)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return write_files(tmp_path)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=steps)
def test_any_order_ends_in_the_same_totals(
    database: Database, book: PriceBook, files: list[Path], chosen: list[Step]
) -> None:
    end_in_the_same(database, book, files, chosen)


@pytest.mark.soak
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=steps)
def test_many_orders_end_in_the_same_totals(
    database: Database, book: PriceBook, files: list[Path], chosen: list[Step]
) -> None:
    end_in_the_same(database, book, files, chosen)


def test_an_import_that_is_killed_leaves_nothing_half_stored(
    database: Database, database_url: str, book: PriceBook, tmp_path: Path
) -> None:
    rows = [
        f"2026-11-{day:02},claude-opus-5-5,key{key},Default,standard,≤ 200k,{key},0,0,0,1,0,global,"
        for day in range(1, 21)
        for key in range(300)
    ]
    path = tmp_path / "usage.csv"
    path.write_text("\n".join((HEADER, *rows)) + "\n", encoding="utf-8")
    environment = {"PATH": "", "HOME": str(tmp_path), "DATABASE_URL": database_url}
    command = [sys.executable, "-m", "bot", "import", str(path)]
    for wait in (0.9, 1.1, 1.3, 1.5):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen = connect(database_url)
        stored = len(totals(seen, book))
        seen.close()
        assert stored in (0, 6000)
    (report,) = importer(database, book).import_path(path, NOW)
    assert report.rows == 6000
    assert len(totals(database, book)) == 6000
