"""How fast a digest's facts and message are, against the same six questions on the base table: python -m bench.digest.

The questions are asked twice: of the tokens in the base table, multiplied with a small table of prices (which is faster
than to sum each kind of token and to price the sums afterwards), and of dollars that lie ready in each of its rows.

10,000 people, 90 days and three models, from a stream that goes on until now; once more with three years stored, which
must take as long.
"""

import statistics
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from time import perf_counter
from zoneinfo import ZoneInfo

from sqlalchemy import text

from bot.ledger import Ledger
from bot.policy import Policy
from bot.pricing import default_price_book
from bot.pricing.cost import UNITS_PER_NANO as UNITS
from bot.pricing.cost import unit_prices
from bot.slack.blocks.digest import digest_message
from bot.store.database import Database, open_database
from bot.store.ranges import every_span, refresh_ranges
from bot.store.rollups import Rollups

LAST = date(2026, 11, 19)
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
PEOPLE, MODELS = 10_000, ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5")
ROUNDS = 15
ALERTS = 50
DAY = LAST.year * 10000 + LAST.month * 100 + LAST.day
KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_searches")
USD = f"SUM({' + '.join(f'u.{kind} * p.{kind}' for kind in KINDS)}) AS usd"
JOIN = "AS u JOIN line_prices AS p ON p.line_id = u.line_id"
ROWS = f"FROM usage_daily {JOIN} WHERE workspace_id = 1 AND day"
SIX_QUESTIONS = (
    f"SELECT {USD} {ROWS} = {DAY}",
    f"SELECT actor_id, {USD} {ROWS} = {DAY} GROUP BY actor_id ORDER BY usd DESC LIMIT 10",
    f"SELECT u.line_id, {USD} {ROWS} = {DAY} GROUP BY u.line_id",
    f"SELECT day, {USD} {ROWS} > {DAY - 7} GROUP BY day",
    f"SELECT {USD} {ROWS} BETWEEN {DAY // 100 * 100 + 1} AND {DAY}",
    f"SELECT actor_id, {USD} {ROWS} = {DAY} GROUP BY actor_id HAVING usd > 12000000000",
)
"""The day, the ten largest, models, seven days, the month, who is over $12: in nanodollars, which dollars come from."""

READY = tuple(question.replace(USD, "SUM(reported_usd) AS usd").replace(JOIN, "AS u") for question in SIX_QUESTIONS)
"""The same of dollars that need no price: the stricter yardstick."""

_IMPORT = "workspace_id, source_id, path, imported_at, accepted, rejected, unchanged, restated, first_day, last_day"
_DELIVERY = "workspace_id, key, kind, target, day, step, state, due_at, fence, attempts"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/digest.db")
        fill_names(database)
        fill(database, 90, 0, with_base=True)
        policy = Policy(timezone=ZoneInfo("UTC"), limit_usd=Decimal(12))
        ledger = Ledger(database, default_price_book(), lambda: policy)

        def digest() -> None:
            digest_message(ledger.digest(LAST, NOW))

        def base(questions: tuple[str, ...]) -> None:
            with database.read() as connection:
                for question in questions:
                    connection.built.exec_driver_sql(question).all()

        ours, facts = median(digest), median(lambda: ledger.digest(LAST, NOW))
        theirs, ready = median(lambda: base(SIX_QUESTIONS)), median(lambda: base(READY))
        print(f"digest, {PEOPLE:,} people x 90 days x 3 models: {ours * 1000:.1f} ms (goal: 50), its facts alone")
        shown = f"{ready * 1000:.0f} ms"
        print(f"  {facts / ready:.3f} x the six questions on the base table with its dollars ready ({shown})")
        print(f"  {facts / theirs:.3f} x the same with its tokens priced ({theirs * 1000:.0f} ms; goal of both: 0.02)")
        fill(database, 3 * 365 - 90, 90, with_base=False)
        longer = median(digest)
        print(f"  with three years stored: {longer / ours:.2f} x as long (goal: 1)")
        own = median(lambda: ledger.own_spend("p77@example.com", LAST))
        month = median(lambda: ledger.spend(LAST.replace(day=1), LAST, ()))
        print(f"  then a person's own figures {own * 1000:.1f} ms, the month's spend {month * 1000:.1f} ms")
        fill_ranges(database)
        print(f"  with everybody's totals of the month beside their days {median(digest) * 1000:.0f} ms (goal: 50)")
        database.close()


def median(call: Callable[[], object]) -> float:
    """Median seconds of a call, after one to warm up."""
    call()
    found = []
    for _ in range(ROUNDS):
        start = perf_counter()
        call()
        found.append(perf_counter() - start)
    return statistics.median(found)


def fill_names(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO sources (id, workspace_id, name) VALUES (1, 1, 'bench')"))
        raw = connection.driver
        people = [(n, 1, f"p{n}@example.com", f"p{n}@example.com", 0) for n in range(1, PEOPLE + 1)]
        columns = "id, workspace_id, email, name, is_organization"
        raw.executemany(f"INSERT INTO people ({columns}) VALUES (?, ?, ?, ?, ?)", people)
        actors = [(n, 1, "email", f"p{n}@example.com", n) for n in range(1, PEOPLE + 1)]
        raw.executemany("INSERT INTO actors (id, workspace_id, kind, name, person_id) VALUES (?, ?, ?, ?, ?)", actors)
        raw.execute(f"CREATE TABLE line_prices (line_id INTEGER PRIMARY KEY, {', '.join(KINDS)})")
        book = default_price_book()
        for number, model in enumerate(MODELS, start=1):
            price = unit_prices(book.rates(model, LAST))
            raw.execute("INSERT INTO line_prices VALUES (?, ?, ?, ?, ?, ?, ?)", (number, *(p // UNITS for p in price)))
            values = (number, model, "standard", "global", "standard", "base", "api", "", "anthropic")
            raw.execute("INSERT INTO usage_lines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def fill_ranges(database: Database) -> None:
    """A total of each person and model of the month so far, some of which say more than the days."""
    with database.write() as connection:
        raw = connection.driver
        start = DAY // 100 * 100 + 1
        rows = [(start, DAY + 1, p, line, p * 7919 % 60_000_000) for p in range(1, PEOPLE + 1) for line in (1, 2, 3)]
        raw.executemany("INSERT INTO usage_ranges VALUES (1, 1, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, NULL)", rows)
        refresh_ranges(Rollups(connection, 1, default_price_book()), every_span(connection, 1))


def fill(database: Database, days: int, before: int, *, with_base: bool) -> None:
    """Roll-ups, arrivals and alerts of so many days that end so many days before the last, and base rows if asked."""
    with database.write() as connection:
        raw = connection.driver
        for back in range(before, before + days):
            day = LAST - timedelta(days=back)
            number = day.year * 10000 + day.month * 100 + day.day
            used = [(p * 7919 + back * 104729) % 4_000_000 for p in range(1, PEOPLE + 1)]
            if with_base:
                people = range(1, PEOPLE + 1)
                rows = [
                    (1, number, 1, p, line, used[p - 1], 0, 0, 0, 0, 0, used[p - 1] * 7000 // 3)
                    for p in people
                    for line in (1, 2, 3)
                ]
                counts = "input, output, cache_read, cache_write_5m, cache_write_1h, web_searches"
                columns = f"workspace_id, day, source_id, actor_id, line_id, {counts}, reported_usd"
                raw.executemany(f"INSERT INTO usage_daily ({columns}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", rows)
            spent = [(1, number, p, 1, used[p - 1] * 3, used[p - 1] * 7000, 0) for p in range(1, PEOPLE + 1)]
            raw.executemany("INSERT INTO person_days VALUES (?, ?, ?, ?, ?, ?, ?)", spent)
            models = [(1, number, line, 0, sum(used), 0, 0, 0, 0, 0, None, PEOPLE) for line in (1, 2, 3)]
            raw.executemany("INSERT INTO model_days VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", models)
            start = int(datetime.combine(day, time(0), UTC).timestamp())
            count = (int(NOW.timestamp()) - start) // 600 if back == 0 else 144
            arrivals = [(1, 1, "stream", start + 600 * place, 1, 0, 0, 0, number, number) for place in range(count)]
            raw.executemany(f"INSERT INTO imports ({_IMPORT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", arrivals)
            alerts = [
                (1, f"alert:{p}:{day}:1", "alert", str(p), number, 1, "sent", start, 1, 1) for p in range(1, ALERTS + 1)
            ]
            raw.executemany(f"INSERT INTO deliveries ({_DELIVERY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", alerts)


if __name__ == "__main__":
    main()
