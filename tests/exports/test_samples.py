"""Every sample of every format, imported on both databases, against figures that were worked out independently."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.exports.containers import files_below
from bot.imports import ADDITIVE_FORMATS, FileReport, Importer
from bot.ledger import Ledger
from bot.pricing import PriceBook, TokenUsage
from bot.spend.precedence import LESSER
from bot.store.alerting import AlertPolicy
from bot.store.database import Database
from bot.store.feeds import FED_BY
from bot.store.quantities import VendorSpend, vendor_spend
from bot.store.ranges import _GOING_ON
from bot.store.recording.dailies import _NAME_ACCOUNTS, _RETOLD
from tests.conftest import SAMPLES
from tests.usage import utc_policy

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
POLICY = AlertPolicy(Decimal(12), date(2026, 11, 24))


def rows() -> list[list[str]]:
    lines = (Path(__file__).parent / "samples.txt").read_text(encoding="utf-8").splitlines()
    return [line.split(" | ") for line in lines if line and not line.startswith("#")]


def importer(database: Database, book: PriceBook, zone: str = "UTC") -> Importer:
    return Importer(database, ZoneInfo(zone), book, POLICY)


def imported(database: Database, book: PriceBook, path: Path) -> list[FileReport]:
    return list(importer(database, book).import_files(files_below(path), NOW))


def ledger_of(database: Database, book: PriceBook) -> Ledger:
    return Ledger(database, book, utc_policy)


@pytest.mark.parametrize(("sample", "name", "accepted", "rejected", "tokens", "searches", "usd"), rows())
def test_sample(
    database: Database,
    book: PriceBook,
    sample: str,
    name: str,
    accepted: str,
    rejected: str,
    tokens: str,
    searches: str,
    usd: str,
) -> None:
    reports = imported(database, book, SAMPLES / sample)
    assert [report.refused for report in reports if report.refused] == []
    assert {report.format for report in reports} == {name} or name == "-"
    assert sum(report.recorded.accepted for report in reports) == int(accepted)
    assert sum(len(report.problems) for report in reports) == int(rejected)
    total = ledger_of(database, book).spend(None, None, ()).total
    assert total.usage == TokenUsage(*map(int, (*tokens.split("/"), searches)))
    assert total.usd == Decimal(usd)
    again = imported(database, book, SAMPLES / sample)
    assert sum(report.recorded.accepted + report.recorded.restated for report in again) == 0
    assert sum(report.recorded.unchanged for report in again) == int(accepted)
    assert ledger_of(database, book).spend(None, None, ()).total == total


def test_every_format_has_a_sample_or_a_test_of_its_own() -> None:
    from bot.exports.formats import READERS

    shape_only = {"analytics_cost", "analytics_usage", "enterprise_usage_report", "claude_print"}
    shape_only |= {"cursor_csv", "cursor_own_csv", "openrouter_logs"}
    assert {reader.name for reader in READERS} - {row[1] for row in rows()} == shape_only


@pytest.mark.parametrize(
    "name", sorted({*LESSER, *LESSER.values(), *FED_BY, *_GOING_ON, *_RETOLD, *_NAME_ACCOUNTS, *ADDITIVE_FORMATS})
)
def test_rules_about_sources_are_about_readers(name: str) -> None:
    """A rule names a reader, a view of what one reads, or how several begin."""
    from bot.exports.formats import READERS

    assert any(name.startswith(reader.name) or reader.name.startswith(name) for reader in READERS)


def test_other_vendors_stand_apart(database: Database, book: PriceBook) -> None:
    imported(database, book, SAMPLES / "copilot_csv")
    imported(database, book, SAMPLES / "cursor_json")
    report = ledger_of(database, book).spend(None, None, ())
    assert report.total.usd == 0
    assert report.period is not None
    # Copilot: 0.1 and 0.144 charged, 0.025 covered by credits. Cursor: 21.36232 cents charged, 8 included in the plan.
    assert vendor_spend(database, report.period) == [
        VendorSpend("cursor", Decimal("0.2136232"), Decimal("0.08")),
        VendorSpend("github", Decimal("0.244"), Decimal("0.025")),
    ]


def test_views_of_one_data_set_count_once(database: Database, book: PriceBook) -> None:
    for name in ("clean_monthly", "clean_daily", "clean_weekly", "clean_claude_session"):
        imported(database, book, SAMPLES / "ccusage" / f"{name}.json")
    total = ledger_of(database, book).spend(None, None, ()).total
    assert (total.usd, total.usage.tokens) == (Decimal("1.392084"), 216_918)
