"""What a digest asks is looked up, never searched for in all that is stored: it takes as long after three years."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.ledger import Ledger
from bot.policy import Policy
from bot.pricing import PriceBook
from bot.store.database import open_database
from bot.store.teams import find_team, set_team
from tests.usage import DAY, opus_for, store, used

GROWING = ("usage_daily", "seen_requests", "person_days", "model_days", "session_days", "imports", "deliveries")
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def test_a_digest_scans_no_table_that_grows(tmp_path: Path, book: PriceBook) -> None:
    database = open_database(f"sqlite:///{tmp_path}/plans.db")
    store(database, used(opus_for(20)), used(opus_for(3)))
    set_team(database, "Core", ["dana@example.com"])
    policy = Policy(timezone=ZoneInfo("UTC"), limit_usd=Decimal(12), names=True)
    ledger = Ledger(database, book, lambda: policy)
    asked: list[str] = []
    with database.read() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_trace_callback(asked.append)
        assert ledger.digest(DAY, NOW).amount is not None
        ledger.digest(DAY, NOW, team=find_team(database, "Core"))
        driver.set_trace_callback(None)
        plans = [
            (query, step[3])
            for query in asked
            if query.startswith("SELECT")
            for step in driver.execute(f"EXPLAIN QUERY PLAN {query}")
        ]
    assert len(plans) > 30
    assert [plan for plan in plans if _is_scan(*plan)] == []
    database.close()


def _is_scan(query: str, step: str) -> bool:
    """Whether a step looks through all rows of a table that grows, or through all of one workspace."""
    kind, table, *_ = step.split()
    finds_an_end = "LIMIT 1" in query or "min(" in query
    is_unbounded = kind == "SCAN" or (step.endswith("(workspace_id=?)") and not finds_an_end)
    return kind in ("SCAN", "SEARCH") and table in GROWING and is_unbounded
