"""Which of several things that are said counts: rows of nothing, totals beside days, older exports, odd names."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from sqlalchemy import select

from bot.pricing import PriceBook, TokenUsage
from bot.spend.days import Period
from bot.spend.records import Actor
from bot.store.audit import write_audit
from bot.store.database import Database
from bot.store.erasure import erase_person
from bot.store.identity import BY_ADMIN, contest_key
from bot.store.linking import link_actor
from bot.store.quantities import people_on
from bot.store.ranges import fuller_ranges, total_across, totals_around
from bot.store.recording import FileTally, record
from bot.store.tables import actors, audit, imports, session_days
from bot.store.tally import Tally
from tests.exports.test_same_usage import (
    KIM,
    MODEL,
    SEATS,
    activity,
    analytics_row,
    assistant,
    beta_row,
    bucket,
    by_person,
    dated,
    limits,
    load,
    load_of,
    page_of_the_console,
    session,
    usd,
    write,
)
from tests.exports.test_samples import NOW, POLICY, ledger_of
from tests.usage import DAY, opus_for, request, store, used

CONSOLE = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens"


def report(first: int, last: int, *rows: tuple[str, int]) -> tuple[str, str]:
    """The name and the text of a spend report of days of November: who, and their dollars without any tokens."""
    said = [f"{who},a1,Claude Code,{MODEL},1,0,0,{dollars},{dollars},u1,0,0,0,0,0,," for who, dollars in rows]
    return f"spend-report-2026-11-{first:02}-to-2026-11-{last:02}.csv", "\n".join([SEATS, *said, ""])


def organization(first: int, until: int, dollars: int) -> dict[str, Any]:
    said = {"amount": f"{dollars}00", "currency": "USD", "description": "API", "cost_type": "tokens", "model": MODEL}
    return bucket(f"2026-11-{first:02}T00:00:00Z", f"2026-11-{until:02}T00:00:00Z", said)


def others_first(database: Database) -> None:
    """So that the ids of people, names and lines differ, as they do in every team's database."""
    several = (used(opus_for(1), actor=Actor("api_key", f"k{number}")) for number in range(7))
    store(database, *several, source="console_usage_csv")


class TestRowsOfNothing:
    @pytest.mark.parametrize("order", [(0, 5), (5, 0)])
    def test_one_beside_usage_takes_nothing_away(
        self, database: Database, book: PriceBook, order: tuple[int, ...]
    ) -> None:
        for counts in ((2, 0, 0), (0, 2, 0)):
            assert store(database, *(used(opus_for(dollars)) for dollars in order))[:3] == counts
        assert usd(database, book) == 5

    def test_dollars_without_tokens_add_up(self, database: Database, book: PriceBook) -> None:
        for _ in range(2):
            store(database, used(TokenUsage(), reported="5"), used(TokenUsage(), reported="3"))
        assert usd(database, book) == 8

    def test_a_stated_cost_of_zero_makes_no_tokens_free(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        line = json.loads(assistant("m", "2026-11-10T10:00:00Z", MODEL, input_tokens=10**6)) | {"costUSD": 0}
        load(database, book, write(tmp_path, "t.jsonl", json.dumps(line)))
        assert usd(database, book) == 5

    def test_sessions_that_cannot_be_are_none(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        rows = [
            analytics_row(f"p{number}", "2026-11-18") | {"core_metrics": {"num_sessions": sessions}}
            for number, sessions in enumerate((-5, 0, 7, 10**9))
        ]
        load(database, book, write(tmp_path, "days.json", {"data": rows, "has_more": False}))
        with database.read() as connection:
            assert connection.execute(select(session_days.c.sessions)).scalars().all() == [7]


class TestOneRequestToldTwice:
    def test_lines_without_a_message_id_are_told_apart_by_all_they_say(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        """Of 1M and 2M input tokens, $5 and $10."""
        lines = [
            json.dumps(json.loads(assistant("", at, MODEL, input_tokens=millions * 10**6)) | {"uuid": at})
            for at, millions in (("2026-11-10T10:00:01Z", 1), ("2026-11-10T10:00:02Z", 2))
        ]
        nameless = [line.replace('"id": "", ', "").replace('"id":"",', "") for line in lines]
        path = write(tmp_path, "t.jsonl", "\n".join([*nameless, nameless[0]]))
        load(database, book, path, path)
        assert usd(database, book) == 15

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_the_fullest_counts_whenever_it_was(
        self, database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
    ) -> None:
        told = [(1, 1_000_000, 5), (0, 200_000, 1), (2, 400_000, 2)]
        logs = [
            {
                "request_id": "r",
                "api_key": "k",
                "model": MODEL,
                "startTime": f"2026-11-10T10:00:0{second}Z",
                "prompt_tokens": tokens,
                "spend": dollars,
            }
            for second, tokens, dollars in (told[place] for place in order)
        ]
        load(database, book, write(tmp_path, "logs.json", json.dumps(logs)))
        assert usd(database, book) == 5


class TestOrganizationsTotals:
    """What a source says of the organization as a whole counts only where nobody else's usage is known."""

    def test_one_counts_alone(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        load(database, book, write(tmp_path, "cost.json", organization(1, 8, 40)))
        assert usd(database, book) == 40

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    @pytest.mark.parametrize(("first", "last", "total"), [(1, 7, 9), (10, 12, 49)])
    def test_one_does_not_count_beside_a_persons_of_the_same_days(
        self,
        database: Database,
        book: PriceBook,
        tmp_path: Path,
        order: tuple[int, ...],
        first: int,
        last: int,
        total: int,
    ) -> None:
        files = [
            write(tmp_path, "cost.json", organization(1, 8, 40)),
            write(tmp_path, *report(first, last, ("ada@example.com", 9))),
        ]
        load(database, book, *(files[place] for place in order))
        assert usd(database, book) == total

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_a_day_does_not_count_within_one_of_several_peoples_totals(
        self, database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
    ) -> None:
        files = [
            write(tmp_path, "cost.json", organization(3, 4, 15)),
            write(tmp_path, *report(1, 7, ("ada@example.com", 9))),
            write(tmp_path, *report(10, 12, ("bo@example.com", 4))),
        ]
        load(database, book, *(files[place] for place in order))
        assert usd(database, book) == 13


class TestTotalsBesideDays:
    @pytest.mark.parametrize("content", [page_of_the_console(), limits()])
    def test_the_first_day_of_a_month_that_goes_on(
        self, database: Database, book: PriceBook, tmp_path: Path, content: str | dict[str, Any]
    ) -> None:
        path = write(tmp_path, "page.txt", content)
        dated(path, (NOW - datetime(2026, 11, 1, 12, tzinfo=UTC)).total_seconds() / 3600)
        load(database, book, path)
        assert usd(database, book) == 100

    def test_the_page_of_the_console_is_of_its_month(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        path = write(tmp_path, "page.csv", page_of_the_console())
        dated(path, 0)
        (found,) = load(database, book, path)
        assert found.recorded.ranges == [(date(2026, 11, 1), date(2026, 11, 25))]

    def test_a_session_that_says_less_than_its_days_does_not_count(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        """Days of $5 each, and a session over both that says $5."""
        rows = [analytics_row("ada", f"2026-11-{day}") for day in (10, 11)]
        load(database, book, write(tmp_path, "days.json", {"data": rows, "has_more": False}))
        sessions = {"sessions": [session("s", "2026-11-10", "2026-11-11", 1)]}
        load_of(database, book, "ada@example.com", write(tmp_path, "sessions.json", sessions))
        assert usd(database, book) == 10

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_a_longer_report_tells_no_day_apart(
        self, database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
    ) -> None:
        """$5 on the 1st, and so $4 on the 2nd; a report of the 2nd to the 4th says nothing of a day."""
        told = ((1, 1, 5), (1, 2, 9), (2, 4, 4))
        files = [write(tmp_path, *report(first, last, ("ada@example.com", usd))) for first, last, usd in told]
        load(database, book, *(files[place] for place in order))
        assert ledger_of(database, book).spend(date(2026, 11, 2), date(2026, 11, 3), ()).total.usd == 4
        assert usd(database, book) == 9

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_a_report_without_rows_takes_no_other_reports_day(
        self, database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
    ) -> None:
        """$10 up to the 10th, nothing said of the time up to the 11th, and $7 in a report of the 12th alone."""
        reports = [report(1, 10, ("ada@example.com", 10)), report(1, 11), report(12, 12, ("ada@example.com", 7))]
        load(database, book, *(write(tmp_path, *reports[place]) for place in order))
        assert ledger_of(database, book).spend(date(2026, 11, 12), date(2026, 11, 13), ()).total.usd == 7
        assert usd(database, book) == 17

    def test_a_total_is_told_of_on_its_days_alone(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        load(database, book, write(tmp_path, *report(10, 12, ("ada@example.com", 9))))
        with database.read() as connection:
            (who,) = connection.execute(select(actors.c.person_id).where(actors.c.kind == "email")).scalars()
        said = {day: totals_around(database, who, date(2026, 11, day)) for day in (9, 10, 12, 13)}
        assert {day: [(one.start.day, one.until.day, one.usd) for one in some] for day, some in said.items()} == {
            9: [],
            10: [(10, 13, Decimal(9))],
            12: [(10, 13, Decimal(9))],
            13: [],
        }

    def test_a_total_that_lies_across_is_told_of_unless_another_one_counts(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        days = Period(date(2026, 11, 1), date(2026, 11, 15))
        load(database, book, write(tmp_path, *report(10, 20, ("ada@example.com", 9))))
        across = Period(date(2026, 11, 10), date(2026, 11, 21))
        assert total_across(database, days, fuller_ranges(database, days)) == across
        load(database, book, write(tmp_path, *report(1, 12, ("ada@example.com", 9))))
        assert total_across(database, days, fuller_ranges(database, days)) is None


class TestSpendLimits:
    @pytest.mark.parametrize(
        ("period", "days", "ranges"),
        [
            ("daily", [date(2026, 11, 24)], []),
            ("weekly", [], [(date(2026, 11, 23), date(2026, 11, 25))]),  # the 24th is a Tuesday
            ("monthly", [], [(date(2026, 11, 1), date(2026, 11, 25))]),
        ],
    )
    def test_each_is_of_its_period_so_far(
        self,
        database: Database,
        book: PriceBook,
        tmp_path: Path,
        period: str,
        days: list[date],
        ranges: list[tuple[date, date]],
    ) -> None:
        page = limits()
        page["data"][0]["period"] = period
        path = write(tmp_path, "limits.json", page)
        dated(path, 0)
        (found,) = load(database, book, path)
        assert (found.recorded.days, found.recorded.ranges) == (days, ranges)
        assert [one.usd for one in people_on(database, date(2026, 11, 24))] == [100] * len(days)

    def test_another_period_is_none(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        page = limits()
        page["data"][0]["period"] = "yearly"
        (found,) = load(database, book, write(tmp_path, "limits.json", page))
        assert "expected daily, weekly or monthly" in found.problems[0].problem


class TestOlderExports:
    @pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1)])
    def test_the_only_key_that_gets_an_owner_counts_once(
        self, database: Database, book: PriceBook, tmp_path: Path, order: tuple[int, ...]
    ) -> None:
        others_first(database)
        paths = []
        for hours, key in ((30, ("kims-old", None, 5)), (6, ("kims-old", KIM, 6))):
            paths.append(write(tmp_path, f"{hours}.json", activity(a=key)))
            dated(paths[-1], hours)
        load(database, book, *(paths[place] for place in order))
        assert by_person(database, book)[KIM] == 6
        assert usd(database, book) == 6 + 7

    def test_what_a_newer_table_of_copilot_lacks_is_added(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        header = "date,username,sku,model,quantity,gross_amount,net_amount\n"

        def row(model: str, dollars: int) -> str:
            return f"2026-11-20,dev,copilot_ai_credit,{model},200,{dollars},{dollars}\n"

        newer, older = row("Claude Sonnet 4.6", 9), row("Claude Sonnet 4.6", 8) + row("Claude Opus 4.6", 3)
        for rows, hours in ((newer, 2), (older, 100)):
            path = write(tmp_path, f"{hours}.csv", header + rows)
            dated(path, hours)
            load(database, book, path)
        (copilot,) = ledger_of(database, book).spend(None, None, ()).others
        assert copilot.charged_usd == 12

    def test_rows_that_do_not_count_are_counted(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        outdated = []
        for cents, hours in (("1500", 2), ("1000", 100), ("1500", 50)):
            page = beta_row(actor={"user_id": "u1", "email_address": "ada@example.com"})
            page["data"][0]["cost"]["amount"] = cents
            path = write(tmp_path, f"{hours}.json", page)
            dated(path, hours)
            outdated += [found.recorded.outdated for _ in range(2) for found in load(database, book, path)]
        assert outdated == [0, 0, 1, 1, 0, 0]


class TestNames:
    def test_an_address_stands_for_a_key_wherever_litellm_says_it(
        self, database: Database, book: PriceBook, tmp_path: Path
    ) -> None:
        page = activity(a=("alias", None, 5))
        said = page["results"][0]["breakdown"]["models"][MODEL]["api_key_breakdown"]["a"]["metadata"]
        said["user_id"] = KIM
        load(database, book, write(tmp_path, "a.json", page))
        assert by_person(database, book) == {KIM: 5}

    def test_a_key_in_a_spend_report_is_no_address(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        load(database, book, write(tmp_path, *report(10, 10, ("ci-key", 4))))
        assert by_person(database, book) == {"unassigned (ci-key)": 4}

    @pytest.mark.parametrize("named", ["event_name", "body"])
    def test_an_event_in_protobuf_is_known_wherever_its_name_stands(
        self, database: Database, book: PriceBook, tmp_path: Path, named: str
    ) -> None:
        body = ExportLogsServiceRequest()
        scope = body.resource_logs.add().scope_logs.add()
        scope.scope.name = "com.anthropic.claude_code.events"
        event = scope.log_records.add()
        event.time_unix_nano = int(datetime(2026, 11, 10, 10, tzinfo=UTC).timestamp()) * 10**9
        if named == "body":
            event.body.string_value = "claude_code.api_request"
        else:
            event.event_name = "claude_code.api_request"
        for name, value in (("user.email", KIM), ("model", MODEL), ("session.id", "s"), ("request_id", "r")):
            said = event.attributes.add()
            said.key, said.value.string_value = name, value
        said = event.attributes.add()
        said.key, said.value.int_value = "input_tokens", 10**6
        path = tmp_path / "logs.pb"
        path.write_bytes(body.SerializeToString())
        load(database, book, path)
        assert by_person(database, book) == {KIM: 5}

    def test_an_erased_persons_key_is_in_no_path(self, database: Database, book: PriceBook, tmp_path: Path) -> None:
        load(database, book, write(tmp_path, "d.json", {"data": [analytics_row("dana", "2026-11-18")]}))
        row = f"2026-11-19,{MODEL},claude_code_key_dana_aaaa,1000000,0"
        load(database, book, write(tmp_path, "usage of claude_code_key_dana_aaaa.csv", f"{CONSOLE}\n{row}\n"))
        erase_person(database, "dana@example.com", "admin", NOW)
        with database.read() as connection:
            paths = connection.execute(select(imports.c.path)).scalars().all()
        assert len(paths) == 2
        assert not any("dana_aaaa" in path for path in paths)

    def test_looks_at_a_linked_names_figures_alone_move(self, database: Database, book: PriceBook) -> None:
        keys = [Actor("api_key", name) for name in ("one", "two")]
        store(database, *(used(opus_for(1), actor=key) for key in keys))
        whose = select(actors.c.name, actors.c.person_id)
        with database.write() as connection:
            before = dict(connection.execute(whose).all())
            for name, person_id in before.items():
                write_audit(connection, database.workspace_id, NOW, "U1", f"looked at {name}", person_id)
        link_actor(database, "one", KIM, BY_ADMIN, book, POLICY, NOW)
        with database.read() as connection:
            after = dict(connection.execute(whose).all())
            looks = dict(connection.execute(select(audit.c.what, audit.c.person_id)).all())
        assert after["one"] != before["one"]
        assert looks == {"looked at one": after["one"], "looked at two": before["two"]}

    def test_a_contested_key_goes_to_nobody_by_itself(self, database: Database, book: PriceBook) -> None:
        key = "claude_code_key_kim_ab12"
        store(database, used(opus_for(3), actor=Actor("api_key", key)))
        contest_key(database, key)
        store(database, used(opus_for(5), actor=Actor("email", KIM)))
        assert by_person(database, book) == {KIM: 5, f"unassigned ({key})": 3}


def test_what_a_stream_brings_within_minutes_is_one_arrival(database: Database, book: PriceBook) -> None:
    at = datetime(2026, 11, 20, 8, tzinfo=UTC)
    for minute in range(1, 4):  # the last body has no usage
        rows = [used(opus_for(1), request=request(f"r{minute}"))] if minute < 3 else []
        files = [FileTally("over HTTP", Tally(rows), [])]
        record(database, "otlp_events", files, at.replace(minute=minute), POLICY, book, is_stream=True)
    with database.read() as connection:
        (row,) = connection.execute(select(imports)).mappings().all()
    assert (row["accepted"], row["first_day"], row["last_day"]) == (2, DAY, DAY)
