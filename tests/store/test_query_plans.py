"""What is asked is looked up, never searched for in all that is stored: it takes as long after three years."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.advice import Advisor
from bot.exports.formats import source_reader
from bot.ledger import Ledger
from bot.policy import Policy
from bot.pricing import PriceBook
from bot.pricing.plans import default_plan_book
from bot.spend.days import month_to_date
from bot.store import deliveries
from bot.store.database import Database, open_database
from bot.store.feeds import silent_sources
from bot.store.teams import Team, find_team, set_team
from tests.usage import DAY, opus_for, store, used

GROWING = ("usage_daily", "seen_requests", "person_days", "model_days", "session_days", "imports", "deliveries")
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
POLICY = Policy(timezone=ZoneInfo("UTC"), limit_usd=Decimal(12), names=True)
Plans = list[tuple[str, str]]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path}/plans.db")
    store(database, used(opus_for(20)), used(opus_for(3)))
    set_team(database, "Core", ["dana@example.com"])
    yield database
    database.close()


@pytest.fixture
def ledger(database: Database, book: PriceBook) -> Ledger:
    return Ledger(database, book, lambda: POLICY)


def plans_of(database: Database, ask: Callable[[], object]) -> Plans:
    """Each query that is asked, with each step that SQLite takes to answer it."""
    asked: list[str] = []
    with database.read() as connection:
        driver = connection.driver
        driver.set_trace_callback(asked.append)
        ask()
        driver.set_trace_callback(None)
        queries = [query for query in asked if query.startswith("SELECT")]
        return [(query, step[3]) for query in queries for step in driver.execute(f"EXPLAIN QUERY PLAN {query}")]


def is_scan(query: str, step: str) -> bool:
    """Whether a step looks through all rows of a table that grows, or through all of one workspace."""
    kind, table, *_ = step.split()
    finds_an_end = "LIMIT 1" in query or "min(" in query
    is_unbounded = kind == "SCAN" or (step.endswith("(workspace_id=?)") and not finds_an_end)
    return kind in ("SCAN", "SEARCH") and table in GROWING and is_unbounded


def core(database: Database) -> Team:
    team = find_team(database, "Core")
    assert team is not None
    return team


def test_a_digest_scans_no_table_that_grows(database: Database, ledger: Ledger) -> None:
    def ask() -> None:
        assert ledger.digest(DAY, NOW).amount is not None
        ledger.spend(month_to_date(DAY).start, DAY + timedelta(days=1), ("model",))

    plans = plans_of(database, ask)
    assert len(plans) > 20
    assert [plan for plan in plans if is_scan(*plan)] == []


def test_what_a_turn_of_the_jobs_asks_scans_no_table_that_grows(database: Database) -> None:
    def ask() -> None:
        deliveries.digests_and_failures(database, DAY)
        deliveries.told_digests(database, "C1", DAY, "daily", "", NOW)
        deliveries.correctable(database, NOW)
        deliveries.told_people(database, month_to_date(DAY))
        silent_sources(database, NOW, lambda start, end: end - start, source_reader)
        with database.read() as connection:
            deliveries.alert_steps(connection, database.workspace_id, 1, DAY)

    plans = plans_of(database, ask)
    assert len(plans) > 5
    assert [plan for plan in plans if is_scan(*plan)] == []


def test_a_persons_and_a_teams_figures_are_not_looked_for_in_everybodys(
    database: Database, ledger: Ledger, book: PriceBook
) -> None:
    advisor = Advisor(database, book, default_plan_book(), lambda: POLICY.calendar)

    def ask() -> None:
        assert ledger.own_spend("dana@example.com", DAY) is not None
        assert ledger.own_period("dana@example.com", month_to_date(DAY)) is not None
        assert advisor.for_person("dana@example.com", DAY) is not None
        assert advisor.for_team(DAY, "Core") is not None
        ledger.digest(DAY, NOW, team=core(database))

    plans = plans_of(database, ask)
    of_everybody = [
        (query, step)
        for query, step in plans
        if step.startswith(("SEARCH usage_daily", "SEARCH session_days", "SEARCH person_days", "SCAN"))
        and "actor_id=?" not in step
        and "person_id=?" not in step
        and step.split()[1] in GROWING
        and "source_id = sources.id)" not in query  # which sources a day has, of whomever
    ]
    assert len(plans) > 40
    assert of_everybody == []
