"""How fast tables of usage come in and are stored: ``python -m bench.store``.

Each figure stands beside its yardstick, measured in the same run: csv.reader with int(), pydantic models, a plain
append to a keyed table, a binary COPY into one.
"""

import csv
import sqlite3
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import compress
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import psycopg
from pydantic import BaseModel

from bot.exports import usage_columns
from bot.exports.analytics_api import AnalyticsApi
from bot.exports.console_usage import ConsoleUsage
from bot.exports.reader import MAX_COUNT, Export
from bot.imports import Importer
from bot.pricing import TokenUsage, default_price_book, list_cost
from bot.spend.records import Actor, UsageRecord
from bot.store.alerting import AlertPolicy
from bot.store.bulk import insert_rows, run_sql, select_rows, uncollected
from bot.store.columns import USAGE_DAILY
from bot.store.database import Database, open_database
from bot.store.recording import FileTally, record
from bot.store.tally import Tally
from bot.store.values import number_day
from tests.conftest import new_database
from tests.postgres import postgres_server

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
POLICY = AlertPolicy(Decimal(12), NOW.date())
FIRST = date(2026, 7, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(100)]
ROWS = 1_000_000
MODELS = ["claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5"]  # with a price on every day of a million rows
BAD = ((4, "12.5"), (5, "-1"), (6, "1e3"), (7, "n/a"), (8, "99999999999999"), (0, "yesterday"), (9, "1,2"))
"""What is wrong with a row: the place of a column, and its text."""

HEADER = (
    "usage_date_utc,model_version,api_key,workspace,usage_input_tokens_no_cache,usage_output_tokens,"
    "usage_input_tokens_cache_read,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,web_search_count"
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server:
        small = open_database(f"sqlite:///{folder}/small.db")
        rows_of_csv(Path(folder), small)
        pages_of_analytics(small)
        thirty_rows(small)
        small.close()
        million_rows("SQLite", f"sqlite:///{folder}/large.db", append_sqlite(Path(folder)), "1.3")
        url = new_database(server, "claudecost_bench")
        million_rows("PostgreSQL", url, copy_postgres(url), "2.5")


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def importer(database: Database) -> Importer:
    return Importer(database, ZoneInfo("UTC"), default_price_book(), POLICY)


def usage_of(row: int) -> tuple[date, int, int, tuple[int, ...]]:
    """The day, person, model and counts of one made-up row; no two rows share the first three."""
    day, rest = divmod(row, ROWS // 100)
    person, model = divmod(rest, len(MODELS))
    return FIRST + timedelta(days=day), person, model, (row % 977, row % 4001, row % 100_003, row % 9001, row % 7, 0)


def rows_of_csv(folder: Path, database: Database) -> None:
    """Goal 4: a CSV of a million rows, some of them bad, against csv.reader with int() and sums by key.

    There are 333,400 keys of day, model and person: three tokens of each have rows of their own. Both come to the
    exact cost. Ours is read by column, as with the extra ``fast``, and without collecting garbage, as the command does.
    """
    path = folder / "usage.csv"
    with path.open("w") as file:
        print(HEADER, "token_id", sep=",", file=file)
        for row in range(ROWS):
            day, number, token, counts = usage_of(row)
            person, model = divmod(number, len(MODELS))
            named = [str(day), MODELS[model], f"claude_code_key_user{person}_abcd", "Default"]
            values = [*named, *map(str, counts), f"token_{token}"]
            if row % 1031 == 0:
                place, wrong = BAD[row // 1031 % len(BAD)]
                values[place] = wrong
            print(",".join(values), file=file)

    book = default_price_book()
    prices = {(str(day), model): book.rates(model, day) for day in DAYS for model in MODELS}

    def yardstick() -> Decimal:
        sums: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * 6)
        usd, bad = Decimal(0), []
        with path.open(newline="") as file:
            reader = csv.reader(file)
            next(reader)
            for values in reader:
                try:
                    counts = [int(value) for value in values[4:-1]]
                    _, _, _, _, _, _ = counts
                    rates = prices[values[0], values[1]]
                    if max(counts) > MAX_COUNT or min(counts) < 0:
                        raise ValueError(values)
                except (ValueError, KeyError):
                    bad.append((reader.line_num, values))
                    continue
                key = values[0], values[1], values[2]
                sums[key] = [a + b for a, b in zip(sums[key], counts, strict=True)]
                for count, price in zip(counts[:5], rates, strict=False):
                    usd += count * price / 1_000_000
                usd += counts[5] * rates.web_search
        return usd

    ours = importer(database)

    def read() -> Decimal:
        with path.open("rb") as file:
            tally, problems = ours.tally_of(ConsoleUsage().read(Export(path.name, file, NOW), ours.context()))
        assert len(problems) == 970
        usd, lines = Decimal(0), list(tally.lines)
        for number, day in tally.dailies():
            for line, (model, *_) in enumerate(lines):
                chosen = [one == line for one in day.lines]
                usage = TokenUsage(*(sum(compress(column, chosen)) for column in day.values[:6]))
                usd += list_cost(usage, model, number_day(number), book).usd
        return usd

    assert read() == yardstick()
    base = seconds(yardstick)
    with uncollected():
        print(f"a CSV of a million rows read: {seconds(read) / base:.2f} x csv.reader and int() (goal: 0.20)")
        stored = seconds(lambda: list(ours.import_path(path, NOW)))
        print(f"  read and stored: {stored / base:.2f} x (goal: 0.40)")
    usage_columns.MANY_BYTES = path.stat().st_size + 1
    print(f"  row by row, without the extra: {seconds(read) / base:.2f} x")


def pages_of_analytics(database: Database) -> None:
    """Goal 5: 200 pages of 1,000 records, validated, against pydantic models of the same pages."""
    pages = [msgspec.json.encode({"data": [_analytics(row) for row in range(1000)], "has_more": True})] * 200
    ours = importer(database)
    context = ours.context()

    def yardstick() -> None:
        for page in pages:
            _PydanticPage.model_validate_json(page)

    def read() -> None:
        for page in pages:
            reading = AnalyticsApi().read(Export("page.json", BytesIO(page), NOW), context)
            found = sum(isinstance(one, UsageRecord) for one in reading)
            assert found == 1000

    ratio = seconds(read) / seconds(yardstick)
    print(f"200 pages of the Analytics API: {ratio:.2f} x pydantic models (goal: 0.18)")


def _analytics(row: int) -> dict[str, object]:
    _, person, model, counts = usage_of(row)
    tokens = dict(zip(("input", "output", "cache_read", "cache_creation"), counts, strict=False))
    tool = {"accepted": 3, "rejected": 1}
    return {
        "date": "2026-11-20T00:00:00Z",
        "actor": {"type": "user_actor", "email_address": f"person{person}.{row}@example.com"},
        "organization_id": "org_1",
        "customer_type": "api",
        "terminal_type": "vscode",
        "core_metrics": {
            "num_sessions": 3,
            "lines_of_code": {"added": 100, "removed": 20},
            "commits_by_claude_code": 1,
            "pull_requests_by_claude_code": 0,
        },
        "tool_actions": dict.fromkeys(("edit_tool", "multi_edit_tool", "notebook_edit_tool", "write_tool"), tool),
        "model_breakdown": [
            {"model": MODELS[model], "tokens": tokens, "estimated_cost": {"currency": "USD", "amount": 123}}
        ],
    }


class _PydanticActor(BaseModel):
    type: str
    email_address: str | None = None


class _PydanticTokens(BaseModel):
    input: int
    output: int
    cache_read: int
    cache_creation: int


class _PydanticCost(BaseModel):
    currency: str
    amount: int


class _PydanticModel(BaseModel):
    model: str
    tokens: _PydanticTokens
    estimated_cost: _PydanticCost


class _PydanticLines(BaseModel):
    added: int
    removed: int


class _PydanticMetrics(BaseModel):
    num_sessions: int
    lines_of_code: _PydanticLines
    commits_by_claude_code: int
    pull_requests_by_claude_code: int


class _PydanticAction(BaseModel):
    accepted: int
    rejected: int


class _PydanticActions(BaseModel):
    edit_tool: _PydanticAction
    multi_edit_tool: _PydanticAction
    notebook_edit_tool: _PydanticAction
    write_tool: _PydanticAction


class _PydanticRecord(BaseModel):
    date: datetime
    actor: _PydanticActor
    organization_id: str
    customer_type: str
    terminal_type: str
    core_metrics: _PydanticMetrics
    tool_actions: _PydanticActions
    model_breakdown: list[_PydanticModel]


class _PydanticPage(BaseModel):
    data: list[_PydanticRecord]
    has_more: bool


def thirty_rows(database: Database) -> None:
    """Goal 8: thirty new rows of a team of 200 stored, totals refreshed, the alert rule evaluated, committed."""
    book = default_price_book()
    took = []
    for number in range(60):
        day, first = divmod(number * 30, 600)
        records = [
            UsageRecord(
                1,
                NOW.date() - timedelta(days=day % 2),
                Actor("email", f"dana{(first + row) // 3}@example.com"),
                MODELS[row % 3],
                TokenUsage(1000 + number, 50),
                part="" if day < 2 else "later",
            )
            for row in range(30)
        ]
        files = [FileTally("otlp", Tally(records), [])]
        took.append(seconds(lambda files=files: record(database, "bench", files, NOW, POLICY, book)))  # type: ignore[misc]
    print(f"30 new rows: {statistics.median(took) * 1000:.1f} ms from arrival to commit (goal: 3 ms)")


Append = Callable[[list[tuple[int, ...]]], None]


def append_sqlite(folder: Path) -> Append:
    def append(rows: list[tuple[int, ...]]) -> None:
        with sqlite3.connect(folder / "append.db") as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(
                "CREATE TABLE usage (day INTEGER, person INTEGER, model INTEGER, a INTEGER, b INTEGER, c INTEGER, "
                "d INTEGER, e INTEGER, f INTEGER, PRIMARY KEY (day, person, model)) WITHOUT ROWID"
            )
            connection.executemany("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.close()

    return append


def copy_postgres(url: str) -> Append:
    def append(rows: list[tuple[int, ...]]) -> None:
        with psycopg.connect(url.replace("+psycopg", "")) as connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE bench_usage (day int4, person int8, model int8, a int8, b int8, c int8, d int8, e int8, "
                "f int8, PRIMARY KEY (day, person, model))"
            )
            with cursor.copy("COPY bench_usage FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["int4"] + ["int8"] * 8)
                for row in rows:
                    copy.write_row(row)

    return append


def million_rows(kind: str, url: str, append: Append, goal: str) -> None:
    """Goal 6: a million daily rows into the store, and the same again, against a plain append of the same rows.

    The yardstick writes rows and nothing else. Ours makes the roll-ups of 333,400 people's days as well.
    """
    plain = [(day.toordinal(), person, model, *counts) for day, person, model, counts in map(usage_of, range(ROWS))]
    base = seconds(lambda: append(plain))
    tally = Tally(
        UsageRecord(row, day, Actor("email", f"p{person}@example.com"), MODELS[model], TokenUsage(*counts))
        for row in range(ROWS)
        for day, person, model, counts in [usage_of(row)]
    )
    database = open_database(url)
    book = default_price_book()
    files = [FileTally("bench", tally, [])]
    first = seconds(lambda: record(database, "bench", files, NOW, POLICY, book))
    again = seconds(lambda: record(database, "bench", files, NOW, POLICY, book))
    alone = rows_alone(database)
    database.close()
    print(f"a million daily rows into {kind}: {alone / base:.2f} x a plain append (goal: {goal})")
    print(f"  the same again: {again / base:.2f} x (goal: {goal}); with what follows from them: {first / base:.2f} x")


def rows_alone(database: Database) -> float:
    """Seconds that it takes to write all rows that are stored of days, without what follows from them."""
    names, key = (", ".join(some) for some in (USAGE_DAILY.names, USAGE_DAILY.key))
    with database.write() as connection:
        rows = select_rows(connection, f"SELECT {names} FROM usage_daily ORDER BY {key}", ())
        run_sql(connection, "DELETE FROM usage_daily" if database.is_sqlite else "TRUNCATE usage_daily", ())
        took = seconds(lambda: insert_rows(connection, USAGE_DAILY, rows))
        connection.rollback()
    return took


if __name__ == "__main__":
    main()
