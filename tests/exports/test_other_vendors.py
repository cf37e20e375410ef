"""Cursor's usage in every form that it exports: beside Claude's spend, what was charged and what a plan covered."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.pricing import PriceBook
from bot.store.database import Database
from tests.exports.test_samples import NOW, importer, ledger_of

HEADER = "Kind,Model,Max Mode,Input (w/ Cache Write),Input (w/o Cache Write),Cache Read,Output Tokens,Total Tokens,Cost"


def load(database: Database, book: PriceBook, path: Path, text: str, person: str | None = None) -> list[str]:
    """Import one file; returns what is said of it."""
    path.write_text(text, encoding="utf-8")
    (report,) = importer(database, book).import_files([path], NOW, person=person)
    return [report.refused] if report.refused else [one.problem for one in report.problems]


def event(kind: str, at: int, **said: Any) -> dict[str, Any]:
    tokens = {"inputTokens": 10, "outputTokens": 5, "cacheWriteTokens": 3, "cacheReadTokens": 7}
    used = {"tokenUsage": tokens | said.pop("tokens", {})}
    named = {} if "owningUser" in said else {"userEmail": "dana@example.com"}
    return {
        "timestamp": str(1_795_000_000_000 + at),
        "model": "claude-4.5-sonnet",
        "kind": kind,
        **used,
        **named,
        **said,
    }


def cursor_of(database: Database, book: PriceBook) -> tuple[Decimal, Decimal]:
    (cursor,) = ledger_of(database, book).spend(None, None, ()).others
    assert cursor.vendor == "cursor"
    return cursor.charged_usd, cursor.covered_usd


@pytest.mark.parametrize("key", ["usageEvents", "usageEventsDisplay"])
def test_what_is_charged_is_told_from_what_is_included_and_what_is_free(
    database: Database, book: PriceBook, tmp_path: Path, key: str
) -> None:
    events = [
        event("Usage-based", 1, chargedCents=21.5),
        event("USAGE_EVENT_KIND_USAGE_BASED", 2, chargedCents=8, owningUser="123"),
        event("On-Demand", 3, tokens={"totalCents": 40.25}),  # before it was told what is charged
        event("Included in Business", 4, chargedCents=8),
        event("USAGE_EVENT_KIND_INCLUDED_IN_ULTRA", 5, chargedCents=5.5),
        event("Errored, Not Charged", 6, chargedCents=12),
        event("USAGE_EVENT_KIND_ERRORED_NOT_CHARGED", 7, chargedCents=12),
        event("User API Key", 8, chargedCents=0),
    ]
    for _ in range(2):
        assert load(database, book, tmp_path / "cursor.json", json.dumps({key: events})) == []
        # 21.5 + 8 + 40.25 cents, and 8 + 5.5.
        assert cursor_of(database, book) == (Decimal("0.6975"), Decimal("0.135"))


def test_an_event_of_no_account_counts(database: Database, book: PriceBook, tmp_path: Path) -> None:
    events = [
        event("Usage-based", 1, chargedCents=4, userEmail=""),
        event("Usage-based", 2, chargedCents=2, tokenUsage=None),
    ]
    assert load(database, book, tmp_path / "cursor.json", json.dumps({"usageEvents": events})) == []
    assert cursor_of(database, book) == (Decimal("0.06"), Decimal(0))


def test_a_teams_table(database: Database, book: PriceBook, tmp_path: Path) -> None:
    rows = [
        "Date,User,Cloud Agent ID," + HEADER,
        "2026-11-12T10:00:00.000Z,dana@example.com,,Included,claude-4.5-sonnet,No,28342,775,105891,21282,156290,Included",
        '2026-11-12T11:00:00.000Z,erin@example.com,,On-Demand,gpt-5,No,0,100,0,10,110,"$1,000.12"',
        '2026-11-12T12:00:00.000Z,erin@example.com,,"Errored, No Charge",gpt-5,No,0,0,0,0,0,-',
        "2026-11-12T13:00:00.000Z,,,Usage-based,gpt-5,No,0,1,0,1,2,0.5",
        "2026-11-12T14:00:00.000Z,dana@example.com,,Included in Pro,auto,No,0,1,0,1,2,0.19",
        "2026-11-12T15:00:00.000Z,dana@example.com,,Usage-based,auto,No,broken,1,0,1,2,0.19",
        "2026-11-12T16:00:00.000Z,dana@example.com,,Usage-based,auto,No,0,1,0,1,2,US$0.15",
    ]
    for _ in range(2):
        assert load(database, book, tmp_path / "usage.csv", "\n".join(rows)) == [
            "Row 7 was left out: Input (w/ Cache Write) is “broken”; expected a whole number of 0 or more.",
            "Row 8 was left out: Cost is “US$0.15”; expected dollars of 0 or more such as 12.34.",
        ]
        assert cursor_of(database, book) == (Decimal("1000.62"), Decimal("0.19"))


def test_the_table_of_one_person_is_whose_it_is_said_to_be(database: Database, book: PriceBook, tmp_path: Path) -> None:
    old = HEADER.replace("Kind,", "Date,").replace("Max Mode,", "") + ",Cost to you"
    rows = [old, "2026-11-12,gpt-4o,10,5,0,15,30,$0.10,$0.10", "2026-11-13,gpt-4o-mini,0,0,0,5,5,NaN,NaN"]
    path = tmp_path / "usage.csv"
    assert load(database, book, path, "\n".join(rows), person="dana@example.com") == []
    assert cursor_of(database, book) == (Decimal("0.1"), Decimal(0))
    # The same usage as a list of events counts once.
    twice = [event("Usage-based", 1, chargedCents=10, timestamp="1794441600000")]
    assert load(database, book, tmp_path / "cursor.json", json.dumps({"usageEvents": twice})) == []
    assert cursor_of(database, book) == (Decimal("0.1"), Decimal(0))


def test_another_report_of_github_is_refused_with_the_one_to_take(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    text = "date,product,sku,quantity,gross_amount,net_amount,username\n2026-11-01,copilot,premium,1,0.04,0.04,dana"
    said = "it names no models; of GitHub's reports, export the one of AI usage, which does."
    assert load(database, book, tmp_path / "a.csv", text) == [f"{tmp_path / 'a.csv'} was not imported: {said}"]
