"""Money and tokens that stand beside others in one file: none of them is lost, and none counts twice."""

import json
import os
from datetime import date
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.pricing import PriceBook
from bot.spend.amounts import Amount
from bot.spend.records import Problem
from bot.store.database import Database
from bot.store.tables import imports, read_files
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
    record["attributes"] += attributes({"event.name": "claude_code.api_request"}) if named == "whole" else []
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

    @pytest.mark.parametrize("named", ["attribute", "record", "body", "whole"])
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


def test_the_spend_of_a_list_of_members_is_told_of(database: Database, book: PriceBook, tmp_path: Path) -> None:
    header = "Name,Email,Role,Seat Tier,Chats,Estimated Spend (USD)"
    rows = ['Ann,ann@example.com,User,Premium,1,"1,000.50"', "Bob,bob@example.com,User,Standard,2,0.25"]
    (problem,) = load(database, book, tmp_path / "members.csv", "\n".join([header, *rows]))
    assert problem.problem.startswith("The Estimated Spend (USD) of these members, 1,000.75 in all, was not counted: ")
    for nothing in ("", "N/A", "-5"):
        text = f"{header}\nAnn,ann@example.com,User,Pro,1,{nothing}"
        assert load(database, book, tmp_path / "members.csv", text) == []


def test_a_bad_key_of_litellm_costs_itself(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """Of the $8 of all keys, k2's $4 are nobody's while what is said of them cannot be."""
    keys = {name: {"metrics": {"spend": usd, "prompt_tokens": 10}} for name, usd in (("k1", 1), ("k2", -2), ("k3", 3))}
    model = {"metrics": {"spend": 8, "prompt_tokens": 30}, "api_key_breakdown": keys}
    day = {"date": "2026-11-20", "metrics": {}, "breakdown": {"models": {MODEL: model}}}
    (problem,) = load(database, book, tmp_path / "activity.json", {"results": [day]})
    assert problem.problem.startswith(f"Key k2 of {MODEL} on day 1 was left out: its spend is -2; expected 0 or more")
    assert by_person(database, book) == {"unassigned (k1)": 1, "unassigned (k3)": 3, "unassigned ((no key))": 4}


def test_pages_whose_texts_look_like_their_ends(database: Database, book: PriceBook, tmp_path: Path) -> None:
    def page(key: str) -> dict[str, Any]:
        return {"data": [record | {"actor": {"type": "api_actor", "api_key_name": key}}], "has_more": False}

    (record,) = analytics(500)["data"]
    for number, separator in enumerate((" ", "\n", "")):
        text = separator.join(json.dumps(page(key)) for key in (f"a }} {{{number}", f'b}}{{"{number}'))
        assert load(database, book, tmp_path / f"{number}.json", text + " ") == []
    assert sum(by_person(database, book).values()) == 30
    text = json.dumps(page("a} {b")) + " {"
    path = tmp_path / "cut.json"
    path.write_text(text)
    (report,) = imported(database, book, path)
    assert "or it was cut short" in str(report.refused)


def test_figures_that_add_up_to_too_much_are_refused_with_that_reason(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    path = tmp_path / "usage.json"
    path.write_text(json.dumps(analytics(*[99_999_999_900] * 12)))
    (report,) = imported(database, book, path)
    assert report.refused is not None
    assert "its figures add up to more than can be stored" in report.refused


def test_a_time_beyond_the_calendar_costs_its_row(database: Database, book: PriceBook, tmp_path: Path) -> None:
    event = {"userEmail": "ann@example.com", "model": "auto", "kind": "On-Demand", "chargedCents": 4}
    events = [{**event, "timestamp": at} for at in ("99999999999999", "1794441600000")]
    (problem,) = load(database, book, tmp_path / "cursor.json", {"usageEvents": events})
    assert problem.problem.startswith("Event 1 was left out: timestamp is “99999999999999”, of no year")


def test_no_cost_for_tokens_is_none_that_ccusage_knows(database: Database, book: PriceBook, tmp_path: Path) -> None:
    used = {"modelName": MODEL, "inputTokens": 10**6, "cost": 0}
    nothing = {"modelName": UNKNOWN, "inputTokens": 0, "cost": 0}
    day = {"date": "2026-11-20", "modelBreakdowns": [used, nothing]}
    assert load(database, book, tmp_path / "ccusage.json", {"daily": [day]}) == []
    assert spent(database, book).usd == 5  # a million at list price


@pytest.mark.parametrize(("day", "usd"), [(25, 5), (26, 0)])
def test_tomorrow_may_have_begun_elsewhere(
    database: Database, book: PriceBook, tmp_path: Path, day: int, usd: int
) -> None:
    header = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens"
    problems = load(database, book, tmp_path / "usage.csv", f"{header}\n2026-11-{day},{MODEL},ci,1000000,0")
    assert [one.problem for one in problems] == [f"Row 2 was left out: 2026-11-{day} is in the future."][: usd == 0]
    assert ledger_of(database, book).spend(date(2026, 11, day), date(2026, 11, day + 1), ()).total.usd == usd


def test_a_file_tells_of_the_days_that_it_restates(database: Database, book: PriceBook, tmp_path: Path) -> None:
    """A transcript that goes on, $5 and then $15, is imported again together with another one, of $5 on another day."""

    def line(message: str, day: int, millions: int) -> str:
        usage = {"input_tokens": millions * 10**6, "output_tokens": 1}
        said = {"id": message, "model": MODEL, "usage": usage}
        at = f"2026-11-{day}T10:00:00Z"
        return json.dumps({"type": "assistant", "sessionId": "s", "timestamp": at, "message": said})

    (tmp_path / "a.jsonl").write_text(line("a", 10, 1))
    imported(database, book, tmp_path)
    (tmp_path / "a.jsonl").write_text(line("a", 10, 3))
    (tmp_path / "b.jsonl").write_text(line("b", 11, 1))
    first, second = imported(database, book, tmp_path)
    assert [(one.day.day, round(one.before), round(one.after)) for one in first.moved] == [(10, 5, 15)]
    assert [(one.day.day, round(one.before), round(one.after)) for one in second.changes] == [(11, 0, 5)]
    assert second.moved == []


def test_a_file_that_is_passing_goes_by_its_name(database: Database, book: PriceBook, tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    path.write_text(json.dumps(analytics(500)))
    for accepted in (1, 0):
        (report,) = importer(database, book).import_path(path, NOW, is_passing=True)
        assert (report.path, report.recorded.accepted) == ("session.jsonl", accepted)
    path.write_text("dear diary")
    (report,) = importer(database, book).import_path(path, NOW, is_passing=True)
    assert str(report.refused).startswith("session.jsonl was not imported: ")
    with database.read() as connection:
        assert set(connection.execute(select(imports.c.path)).scalars()) == {"session.jsonl"}
        assert connection.execute(select(read_files)).all() == []


def test_the_first_form_of_litellms_activity(database: Database, book: PriceBook, tmp_path: Path) -> None:
    used = {"spend": 0.99, "prompt_tokens": 30, "completion_tokens": 60}
    day = {"date": "2026-11-20", "metrics": used, "breakdown": {"models": {MODEL: used}, "api_keys": {}}}
    assert load(database, book, tmp_path / "activity.json", {"results": [day]}) == []
    assert by_person(database, book) == {"unassigned ((no key))": Decimal("0.99")}


def test_sums_of_litellms_logs_are_refused_with_what_to_ask_for(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    path = tmp_path / "logs.json"
    path.write_text(json.dumps([{"startTime": "2026-11-10", "spend": 1.25, "users": {}, "models": {MODEL: 1.25}}]))
    (report,) = imported(database, book, path)
    assert report.refused is not None
    assert report.refused.endswith("it holds sums of days; ask for /spend/logs with summarize=false.")


def test_a_call_that_failed_before_there_was_a_model_is_no_problem(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    failed = {"request_id": "a", "startTime": "2026-11-10T14:30:00", "spend": 0, "model": "", "status": "failure"}
    paid = failed | {"request_id": "b", "spend": 0.5, "model": MODEL, "status": "success"}
    assert load(database, book, tmp_path / "logs.json", [failed, paid]) == []
    (problem,) = load(database, book, tmp_path / "logs.json", [failed | {"spend": 0.1}])
    assert problem.problem == "Log 1 was left out: model is empty."
    assert spent(database, book).usd == Decimal("0.5")


def test_single_requests_of_openrouter(database: Database, book: PriceBook, tmp_path: Path) -> None:
    header = "generation_id,created_at,cost_total,byok_usage_inference,tokens_prompt,tokens_completion,tokens_cached,"
    header += "model_permaslug,variant,api_key_name"
    rows = [
        "g1,2026-11-12 10:00:00.123,0.0123,0,1000,137,400,anthropic/claude-4.5-sonnet-20250929,standard,dana-key",
        "g1,2026-11-12 10:00:00.123,0.0123,0,1000,137,400,anthropic/claude-4.5-sonnet-20250929,standard,dana-key",
        "g2,2026-11-12 11:00:00,0.001,0.02,10,5,,anthropic/claude-4.5-sonnet-20250929,standard,",
        "g3,2026-11-12 12:00:00,0.5,0,10,5,0,openai/gpt-5,standard,erin-key",
        "g4,2026-11-12 13:00:00,soon,0,10,5,0,openai/gpt-5,standard,erin-key",
    ]
    for _ in range(2):
        (problem,) = load(database, book, tmp_path / "activity.csv", "\n".join([header, *rows]))
        assert problem.problem.startswith("Row 6 was left out: cost_total is “soon”")
        assert by_person(database, book) == {
            "unassigned (dana-key)": Decimal("0.0123"),
            "unassigned (OpenRouter)": Decimal("0.021"),
        }
        assert spent(database, book).usage == (610, 142, 400, 0, 0, 0)  # 1,000 - 400 + 10 of input
    (openai,) = ledger_of(database, book).spend(None, None, ()).others
    assert (openai.vendor, openai.charged_usd) == ("openai", Decimal("0.5"))


def test_the_requests_of_one_session_as_ccusage_lists_them(database: Database, book: PriceBook, tmp_path: Path) -> None:
    def entry(at: str, usd: float, model: str = MODEL) -> dict[str, Any]:
        counts = {"inputTokens": 10, "outputTokens": 20, "cacheCreationTokens": 5, "cacheReadTokens": 900}
        return {"timestamp": at, **counts, "model": model, "costUSD": usd}

    def session(name: str, *entries: dict[str, Any]) -> dict[str, Any]:
        return {"sessionId": name, "totalCost": 1, "totalTokens": 1, "entries": entries}

    first = session("a", entry("2026-11-10T23:59:59.000Z", 1), entry("2026-11-11T00:00:01.000Z", 2))
    second = session("b", entry("2026-11-11T09:00:00.000Z", 4), entry("2026-11-11T09:00:00.000Z", 0, "<synthetic>"))
    for document in (first, second, first):
        assert load(database, book, tmp_path / "session.json", document) == []
    rows = ledger_of(database, book).spend(None, None, ("day", "model")).rows
    assert [(*row.group, row.amount.usd) for row in rows] == [
        ("2026-11-10", MODEL, Decimal(1)),
        ("2026-11-11", MODEL, Decimal(6)),
    ]


def test_what_claude_code_says_itself_is_no_model_of_a_block(
    database: Database, book: PriceBook, tmp_path: Path
) -> None:
    counts = {"inputTokens": 10**6, "outputTokens": 0}
    block = {"startTime": "2026-11-10T05:00:00.000Z", "tokenCounts": counts, "models": [MODEL, "<synthetic>"]}
    assert load(database, book, tmp_path / "blocks.json", {"blocks": [block]}) == []
    (row,) = ledger_of(database, book).spend(None, None, ("model",)).rows
    assert (row.group, row.amount.usd) == ((MODEL,), Decimal(5))


def test_costs_of_no_day_are_told_with_what_to_ask_for(database: Database, book: PriceBook, tmp_path: Path) -> None:
    actor = {"type": "user_actor", "email_address": "ann@example.com"}
    row = {"actor": actor, "starting_at": None, "ending_at": None, "amount": "41280.0", "currency": "USD"}
    (problem,) = load(database, book, tmp_path / "cost.json", {"data": [row | {"product": None}]})
    said = "it is of no day, as where the report is asked for without bucket_width=1d"
    assert problem.problem == f"Result 1 was left out: {said}."


def test_what_copilot_charged_for_nobody_is_shown(database: Database, book: PriceBook, tmp_path: Path) -> None:
    text = (
        "date,username,product,sku,model,quantity,unit_type,applied_cost_per_quantity,gross_amount,net_amount\n"
        "2026-11-20,,copilot,copilot_ai_credit,gpt-5,100,ai-credits,0.01,1.00,1.00\n"
    )
    assert load(database, book, tmp_path / "copilot.csv", text) == []
    (github,) = ledger_of(database, book).spend(date(2026, 11, 20), date(2026, 11, 21), ()).others
    assert github.charged_usd == 1
