"""Money and tokens that stand beside others in one file: none of them is lost, and none counts twice."""

import json
import os
from datetime import date
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from bot.pricing import PriceBook
from bot.spend.amounts import Amount
from bot.spend.records import Problem
from bot.store.database import Database
from tests.exports.test_samples import NOW, imported, importer, ledger_of

MODEL, UNKNOWN = "claude-opus-5", "claude-unheard-of"
"""The first at $5 per million tokens, the second without a price."""


def spent(database: Database, book: PriceBook) -> Amount:
    return ledger_of(database, book).spend(None, None, ()).total


def by_person(database: Database, book: PriceBook) -> dict[str, Decimal]:
    rows = ledger_of(database, book).spend(None, None, ("person",)).rows
    return {row.group[0]: row.amount.usd for row in rows}


def load(database: Database, book: PriceBook, path: Path, document: Any) -> list[Problem]:
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return [problem for report in imported(database, book, path) for problem in report.problems]


def analytics(*costs: int | None, model: str = MODEL) -> dict[str, Any]:
    """A record of a million tokens for each cost in cents; of one that is None, without a cost."""
    rows: list[dict[str, Any]] = []
    for number, cost in enumerate(costs):
        used = {"model": model, "tokens": {"input": 10**6, "output": 0, "cache_read": 0, "cache_creation": 0}}
        said = {} if cost is None else {"estimated_cost": {"currency": "USD", "amount": cost}}
        rows.append(
            {
                "date": "2026-11-20T00:00:00Z",
                "actor": {"type": "user_actor", "email_address": "ada@example.com"},
                "customer_type": "api",
                "terminal_type": "vscode",
                "core_metrics": {"num_sessions": number},
                "model_breakdown": [used | said],
            }
        )
    return {"data": rows, "has_more": False}


class TestACostThatSomeRowsDoNotState:
    @pytest.mark.parametrize("costs", sorted(set(permutations([10_000, None, 2_000, None])), key=str))
    def test_leaves_that_of_the_others(
        self, database: Database, book: PriceBook, tmp_path: Path, costs: tuple[int | None, ...]
    ) -> None:
        """$100 and $20 are stated; two million tokens at $5 are not."""
        for _ in range(2):
            assert load(database, book, tmp_path / "usage.json", analytics(*costs)) == []
        assert spent(database, book).usd == 130
        assert spent(database, book).reported_usd == 120
        assert spent(database, book).usage.input == 4_000_000

    def test_is_known_later(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        for costs, usd in (
            ((None, None), 10),  # 2M x $5
            ((10_000, None), 105),
            ((10_000, 2_000), 120),
            ((None, None), 10),
            ((10_000, None), 105),
        ):
            load(database, book, tmp_path / "usage.json", analytics(*costs))
            assert spent(database, book).usd == usd

    @pytest.mark.parametrize("costs", [(10_500, 10_500), (None, None), (10_000, None)])
    @pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0)])
    def test_of_an_older_export_does_not_come_back(
        self,
        database: Database,
        book: PriceBook,
        tmp_path: Path,
        costs: tuple[int | None, ...],
        order: tuple[int, ...],
    ) -> None:
        """$100 and a million tokens without a cost ten hours ago; two hours ago both cost something, or neither."""
        files = [analytics(9_000, None, None), analytics(*costs)]
        for place in order:
            path = tmp_path / f"usage-{place}.json"
            path.write_text(json.dumps(files[place]), encoding="utf-8")
            os.utime(path, (NOW.timestamp() - 3600 * (10 - 8 * place),) * 2)
            list(importer(database, book).import_files([path], NOW))
        assert spent(database, book).usd == sum(5 if cost is None else Decimal(cost) / 100 for cost in costs)
        assert spent(database, book).usage.input == 2_000_000

    def test_has_no_price_either(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        load(database, book, tmp_path / "usage.json", analytics(50, None, model=UNKNOWN))
        assert (spent(database, book).usd, spent(database, book).unpriced_tokens) == (Decimal("0.50"), 1_000_000)

    def test_of_a_total_without_days(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        """A month of two projects, of which one has no cost."""
        used = {"modelName": MODEL, "inputTokens": 10**6}
        rows = [
            {"period": "2026-10", "modelBreakdowns": [used | {"cost": 7}]},
            {"period": "2026-10", "modelBreakdowns": [used]},
        ]
        for number in (2, 2, 1):
            load(database, book, tmp_path / "month.json", {"monthly": rows[:number]})
            assert spent(database, book).usd == (7 if number == 1 else 12)


def activity(spend: str, tokens: int, **keys: tuple[str, int]) -> dict[str, Any]:
    """A day of LiteLLM: what a model came to, and what of that the keys did that are listed."""

    def metrics(usd: str, count: int) -> dict[str, Any]:
        return {"spend": float(usd), "prompt_tokens": count, "completion_tokens": 0}

    listed = {key: {"metrics": metrics(*said), "metadata": {"key_alias": key}} for key, said in keys.items()}
    models = {MODEL: {"metrics": metrics(spend, tokens), "api_key_breakdown": listed}}
    day = {"date": "2026-11-20", "metrics": metrics(spend, tokens), "breakdown": {"models": models}}
    return {"results": [day], "metadata": {"total_spend": float(spend)}}


class TestKeysOfLiteLlm:
    def test_that_are_not_listed_count_until_they_are(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        path = tmp_path / "activity.json"
        for document, expected in (
            (activity("0.75", 300, a=("0.50", 200)), {"a": "0.50", "(no key)": "0.25"}),
            (activity("0.75", 300, a=("0.50", 200)), {"a": "0.50", "(no key)": "0.25"}),
            (activity("0.75", 300), {"(no key)": "0.75"}),
            (activity("0.75", 300, a=("0.50", 200), b=("0.25", 100)), {"a": "0.50", "b": "0.25"}),
            (activity("0.75", 300, a=("0.50", 200)), {"a": "0.50", "(no key)": "0.25"}),
            (activity("0.50", 200, a=("0.50", 200)), {"a": "0.50"}),
        ):
            assert load(database, book, path, document) == []
            found = {name: usd for name, usd in by_person(database, book).items() if usd}
            assert found == {f"unassigned ({name})": Decimal(usd) for name, usd in expected.items()}

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_come_to_the_newest_file_in_any_order(
        self, database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
    ) -> None:
        """Ten hours, six and two ago: without b, with it, and without it again while there is more."""
        files = [
            activity("0.75", 300, a=("0.50", 200)),
            activity("0.75", 300, a=("0.50", 200), b=("0.25", 100)),
            activity("1.00", 400, a=("0.50", 200)),
        ]
        for place in (*order, *order):
            path = tmp_path / f"activity-{place}.json"
            path.write_text(json.dumps(files[place]), encoding="utf-8")
            os.utime(path, (NOW.timestamp() - 3600 * (10 - 4 * place),) * 2)
            list(importer(database, book).import_files([path], NOW))
        found = {name: usd for name, usd in by_person(database, book).items() if usd}
        assert found == {"unassigned (a)": Decimal("0.50"), "unassigned ((no key))": Decimal("0.50")}

    def test_sums_of_floats_leave_nothing(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        load(database, book, tmp_path / "a.json", activity("0.30000000000000004", 3, a=("0.1", 1), b=("0.2", 2)))
        assert set(by_person(database, book)) == {"unassigned (a)", "unassigned (b)"}


def attributes(said: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": str(value)}} for name, value in said.items()]


def event(email: str, day: int, usd: str, named: str = "attribute") -> dict[str, Any]:
    said = {"user.email": email, "session.id": "s", "request_id": f"r{day}", "model": MODEL, "cost_usd": usd}
    said |= {"event.name": "api_request"} if named == "attribute" else {}
    record: dict[str, Any] = {"timeUnixNano": str(nanoseconds(day)), "attributes": attributes(said)}
    record |= {"body": {"stringValue": "claude_code.api_request"}} if named == "body" else {}
    record |= {"eventName": "claude_code.api_request"} if named == "record" else {}
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}


def point(email: str, day: int, usd: str) -> dict[str, Any]:
    said = {"user.email": email, "session.id": "s", "model": MODEL}
    one = {"timeUnixNano": str(nanoseconds(day)), "asDouble": float(usd), "attributes": attributes(said)}
    sums = {"name": "claude_code.cost.usage", "sum": {"aggregationTemporality": 1, "dataPoints": [one]}}
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": [sums]}]}]}


def nanoseconds(day: int) -> int:
    return int(NOW.replace(day=day, hour=10).timestamp()) * 10**9


class TestOneFileOfEventsAndMetrics:
    @pytest.mark.parametrize("is_reversed", [False, True])
    def test_both_count_for_days_of_people_that_the_others_lack(
        self, database: Database, book: PriceBook, tmp_path: Path, is_reversed: bool
    ) -> None:
        bodies = [
            event("ann@example.com", 3, "4.5"),
            point("ann@example.com", 2, "4"),
            point("ann@example.com", 3, "4.4"),  # the same day as the event
            point("bob@example.com", 3, "8"),
        ]
        lines = [json.dumps(one) for one in (reversed(bodies) if is_reversed else bodies)]
        for _ in range(2):
            assert load(database, book, tmp_path / "otlp.jsonl", "\n".join(lines)) == []
            assert by_person(database, book) == {"ann@example.com": Decimal("8.5"), "bob@example.com": Decimal(8)}

    @pytest.mark.parametrize("indent", [None, 2])
    def test_half_a_character_does_not_matter(
        self, database: Database, book: PriceBook, tmp_path: Path, indent: int | None
    ) -> None:
        body = event("ann@example.com", 3, "4.5")
        attribute = {"key": "skill.name", "value": {"stringValue": "half \ud83d"}}
        body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["attributes"].append(attribute)
        for text in (json.dumps(body, indent=indent), "\n".join([json.dumps(body)] * 2)):
            assert load(database, book, tmp_path / "otlp.json", text) == []
            assert spent(database, book).usd == Decimal("4.5")

    def test_one_body_may_hold_both(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        body = event("ann@example.com", 3, "4.5") | point("bob@example.com", 3, "8")
        assert load(database, book, tmp_path / "otlp.json", body) == []
        assert by_person(database, book) == {"ann@example.com": Decimal("4.5"), "bob@example.com": Decimal(8)}

    def test_what_cannot_be_read_of_one_leaves_the_other(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        body = event("ann@example.com", 3, "4.5") | {"resourceMetrics": 1}
        (problem,) = load(database, book, tmp_path / "otlp.json", body)
        assert problem.problem.startswith("Its metrics were left out: it is no OTLP metrics body, or it was cut short")
        assert spent(database, book).usd == Decimal("4.5")

    def test_what_is_wrong_with_either_is_told_again(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        lines = [
            event("ann@example.com", 3, "1"),
            event("ann@example.com", 4, "soon"),
            point("ann@example.com", 2, "2"),
        ]
        path = tmp_path / "otlp.jsonl"
        path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        for _ in range(2):
            found = importer(database, book).import_files([path], NOW, is_remembered=True)
            assert [len(report.problems) for report in found] == [1, 0]

    def test_the_format_that_is_said_is_the_only_one(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        path = tmp_path / "otlp.jsonl"
        path.write_text(
            f"{json.dumps(event('ann@example.com', 3, '1'))}\n{json.dumps(point('ann@example.com', 2, '2'))}"
        )
        (report,) = importer(database, book).import_files([path], NOW, "otlp_metrics")
        assert [one.problem for one in report.problems] == [
            "The events in it were left out: --format says otlp_metrics; without it they count too."
        ]
        assert spent(database, book).usd == 2

    @pytest.mark.parametrize("named", ["attribute", "record", "body"])
    def test_an_event_is_known_wherever_its_name_stands(
        self, database: Database, book: PriceBook, tmp_path: Path, named: str
    ) -> None:
        load(database, book, tmp_path / "otlp.json", event("ann@example.com", 3, "1.25", named))
        assert spent(database, book).usd == Decimal("1.25")


def test_a_row_of_a_cost_report_without_an_amount_is_no_zero(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    results = [{"amount": "125.5", "currency": "USD"}, {"amount": None, "currency": "USD"}, {"currency": "USD"}]
    bucket = {"starting_at": "2026-11-20T00:00:00Z", "ending_at": "2026-11-21T00:00:00Z", "results": results}
    problems = load(database, book, tmp_path / "cost.json", {"data": [bucket], "has_more": False})
    assert [one.problem.partition(" was left out: ")[2] for one in problems] == [
        "it has neither an amount nor tokens."
    ] * 2
    assert spent(database, book).usd == Decimal("1.255")


def test_lines_of_empty_cells_are_no_rows(database: Database, book: PriceBook, tmp_path: Path) -> None:
    header = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens"
    row = f"2026-11-20,{MODEL},ci,1000000,0"
    text = "\n".join([",,,,", header, ",,,,", row, " , ,,,", ",,"])
    assert load(database, book, tmp_path / "usage.csv", text) == []
    assert spent(database, book).usd == 5


def test_a_run_that_cost_something_and_names_no_model_is_told(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    runs: list[dict[str, Any]] = [
        {"type": "result", "session_id": "s", "total_cost_usd": usd, "modelUsage": {}} for usd in (0.3, 0)
    ]
    (problem,) = load(database, book, tmp_path / "runs.jsonl", "\n".join(map(json.dumps, runs)))
    assert problem.problem == "Run 1 was left out: it cost $0.3, and its modelUsage names no model."


def test_what_copilot_charged_for_nobody_is_shown(database: Database, book: PriceBook, tmp_path: Path) -> None:
    text = (
        "date,username,product,sku,model,quantity,unit_type,applied_cost_per_quantity,gross_amount,net_amount\n"
        "2026-11-20,,copilot,copilot_ai_credit,gpt-5,100,ai-credits,0.01,1.00,1.00\n"
    )
    assert load(database, book, tmp_path / "copilot.csv", text) == []
    (github,) = ledger_of(database, book).spend(date(2026, 11, 20), date(2026, 11, 21), ()).others
    assert github.charged_usd == 1
