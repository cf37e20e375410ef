"""The turns that look after the sources: owners asked of Slack, silence told to the admins, a watched folder."""

import os
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select, update

from bot.app import Installation
from bot.doctor import examine
from bot.exports.formats import RECEIVED
from bot.feeds import Feeds, folder_feed
from bot.health import metrics_page
from bot.imports import Importer
from bot.ledger import Beyond, Ledger
from bot.playground.demo import Stage
from bot.playground.workspace import User
from bot.policy import Policy
from bot.pricing import PriceBook, TokenUsage, default_price_book
from bot.slack.blocks.digest import digest_message
from bot.slack.blocks.explanation import explanation_message
from bot.slack.blocks.plain import as_text
from bot.slack.directory import Directory
from bot.spend.digest import DigestFacts
from bot.spend.records import GATEWAY, ORGANIZATION, Actor, Covered, Member, UsageRecord
from bot.store.alerting import AlertPolicy
from bot.store.database import Database
from bot.store.deliveries import all_deliveries
from bot.store.erasure import erase_person
from bot.store.feeds import feed_failed, feed_states, feed_succeeded, last_arrival
from bot.store.identity import BY_ADMIN, unassigned
from bot.store.linking import link_actor
from bot.store.people import AmbiguousName, all_people
from bot.store.recording import FileTally, record
from bot.store.retention import delete_before
from bot.store.tables import deliveries, imports
from bot.store.tally import Tally
from bot.store.teams import Team
from tests.usage import DANA, DAY, POLICY, crowded_team, opus_for, request, store, used, utc_policy

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
KEY = "claude_code_key_zoe_ab12"


class TestOwners:
    def test_slack_is_asked_once_who_is_behind_a_key(self, stage: Stage, book: PriceBook) -> None:
        database = stage.installation.database
        stage.workspace.users.append(User("U0ZOE", "Zoe Known", "zoe@example.com"))
        store(database, used(opus_for(3)), used(opus_for(5), actor=Actor("api_key", KEY)))
        assert stage.installation.jobs.find_owners(NOW) == 1
        rows = stage.installation.ledger.spend(None, None, ("person",)).rows
        assert {row.group[0]: row.amount.usd for row in rows} == {"dana@example.com": 3, "zoe@example.com": 5}
        assert stage.installation.jobs.find_owners(NOW) == 0
        asked = [call for call in stage.workspace.calls if call[0] == "users.lookupByEmail"]
        assert len(asked) == 1

    def test_whoever_slack_does_not_know_stays_unassigned_until_tomorrow(self, stage: Stage) -> None:
        store(stage.installation.database, used(opus_for(3)), used(opus_for(5), actor=Actor("api_key", KEY)))
        for _ in range(3):
            assert stage.installation.jobs.find_owners(NOW) == 0
        asked = [call for call in stage.workspace.calls if call[0] == "users.lookupByEmail"]
        assert len(asked) == 1
        stage.workspace.users.append(User("U0ZOE", "Zoe Known", "zoe@example.com"))
        assert stage.installation.jobs.find_owners(NOW + timedelta(days=1)) == 1

    def test_a_key_of_two_people_in_slack_is_nobody_s(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also where Slack knows one of them at first, and cannot be asked for the other."""
        database, jobs, domains = stage.installation.database, stage.installation.jobs, ("a.example", "b.example")
        stage.workspace.users += [User(f"U0ZOE{at}", "Zoe", f"zoe@{domain}") for at, domain in enumerate(domains)]
        store(database, *(used(opus_for(1), actor=Actor("email", f"ann@{domain}")) for domain in domains))
        store(database, used(opus_for(5), actor=Actor("api_key", KEY)), source="transcripts")
        asked: list[str] = []

        def ask(email: str) -> bool:
            asked.append(email)
            if len(asked) == 2:
                raise OSError("no network")
            return Directory.has_address(jobs.directory, email)

        monkeypatch.setattr(jobs.directory, "has_address", ask)
        for _ in range(3):
            assert jobs.find_owners(NOW) == 0
        assert sorted(asked) == ["zoe@a.example", "zoe@a.example", "zoe@b.example", "zoe@b.example"]
        store(database, used(opus_for(1), actor=Actor("email", "zoe@b.example")))  # the one who comes first
        assert [entry.actor.name for entry in unassigned(database, date(2026, 11, 1))] == [KEY]

    def test_a_key_of_two_known_people_is_asked_for_no_third(self, stage: Stage) -> None:
        database = stage.installation.database
        stage.workspace.users.append(User("U0ZOE", "Zoe Known", "zoe@c.example"))
        names = ("zoe@a.example", "zoe@b.example", "bo@c.example")
        store(database, *(used(opus_for(1), actor=Actor("email", name)) for name in names))
        store(database, used(opus_for(5), actor=Actor("api_key", KEY)), source="transcripts")
        assert stage.installation.jobs.find_owners(NOW) == 0
        assert sorted(person.email or "" for person, *_ in all_people(database)) == sorted(names)

    def test_a_key_that_slack_gave_to_one_is_nobody_s_once_there_are_two(self, stage: Stage) -> None:
        database, jobs = stage.installation.database, stage.installation.jobs
        stage.workspace.users.append(User("U0ZOE", "Zoe Known", "zoe@example.com"))
        store(database, used(opus_for(3)), used(opus_for(5), actor=Actor("api_key", KEY)))
        assert jobs.find_owners(NOW) == 1
        assert unassigned(database, date(2026, 11, 1)) == []
        store(database, used(opus_for(1), actor=Actor("email", "zoe@other.example")))
        assert [entry.actor.name for entry in unassigned(database, date(2026, 11, 1))] == [KEY]


class TestSilence:
    @staticmethod
    def arrive(
        database: Database, book: PriceBook, at: datetime, tokens: int, source: str = "claude_code_analytics_api"
    ) -> None:
        files = [FileTally("usage.json", Tally([used(opus_for(tokens), day=date(2026, 11, 1))]), [])]
        record(database, source, files, at, AlertPolicy(Decimal(12), at.date()), book)

    def test_a_source_that_was_alive_and_falls_silent_is_told_once(self, stage: Stage, book: PriceBook) -> None:
        database, jobs = stage.installation.database, stage.installation.jobs
        jobs.admins = ("U0ADMIN1", "U0ADMIN2")
        start = datetime(2026, 11, 1, 6, tzinfo=UTC)
        for day in range(5):
            self.arrive(database, book, start + timedelta(days=day), day + 1)
        last = start + timedelta(days=4)
        for hours, notices in ((24, 0), (35, 0), (37, 2), (60, 2), (90, 2)):
            jobs.watch_sources(last + timedelta(hours=hours))
            assert len([one for one in all_deliveries(database) if one.kind == "notice"]) == notices
        facts = Ledger(database, book, utc_policy).digest(date(2026, 11, 1), last + timedelta(hours=60))
        assert facts.freshness is not None
        assert facts.freshness.silent == (("Claude Code Analytics API", last),)
        self.arrive(database, book, last + timedelta(hours=91), 9)
        ledger = Ledger(database, book, utc_policy)
        assert ledger.silent_sources(last + timedelta(hours=96)) == []
        # What was owed is not sent any more: it would not be true.
        jobs.tick(last + timedelta(hours=96))
        assert {one.state for one in all_deliveries(database) if one.kind == "notice"} == {"expired"}

    def test_of_silent_sources_the_one_that_knows_everybody_is_named_first(
        self, database: Database, book: PriceBook
    ) -> None:
        start = datetime(2026, 11, 1, 6, tzinfo=UTC)
        for source, hours in (("claude_code_analytics_api", 0), ("transcripts", 5)):
            for day in range(5):
                self.arrive(database, book, start + timedelta(days=day, hours=hours), day + 1, source)
        facts = Ledger(database, book, utc_policy).digest(date(2026, 11, 1), start + timedelta(days=7))
        assert facts.freshness is not None
        assert [name for name, _ in facts.freshness.silent] == ["Claude Code Analytics API", "Claude Code transcripts"]

    @pytest.mark.parametrize("source", ["otlp_events", "claude_code_analytics_api"])
    def test_nights_and_weekends_are_no_silence(self, database: Database, book: PriceBook, source: str) -> None:
        """Two weeks, from the first day on: as people work, every half an hour or every hour; then it ends."""
        ledger = Ledger(database, book, utc_policy)
        monday, tokens = datetime(2026, 11, 2, tzinfo=UTC), 0
        heard: list[datetime] = []
        for hour in range(24 * 14):
            now = monday + timedelta(hours=hour)
            if now.weekday() < 5 and 8 <= now.hour < 18:
                tokens += 1
                self.arrive(database, book, now, tokens, source)
            heard += [now] if ledger.silent_sources(now + timedelta(minutes=59)) else []
        assert heard == []
        last = monday + timedelta(days=11, hours=17)
        silent = [hour for hour in range(24 * 7) if ledger.silent_sources(last + timedelta(hours=hour))]
        # From Friday 17:00 to midnight 7 hours, and of Monday 15.5 more: 1.5 x the 15 hours of a night.
        assert silent[0] == 7 + 48 + 16

    def test_a_feed_that_is_answered_with_nothing_new_is_not_silent(self, database: Database, book: PriceBook) -> None:
        """Every hour from Monday to Wednesday; nobody works on Thursday, and on Friday at 9:00 the key expires."""
        ledger, feed = Ledger(database, book, utc_policy), "Anthropic Admin API, usage"
        monday = datetime(2026, 11, 23, tzinfo=UTC)
        for hour in range(24 * 3):
            if 8 <= hour % 24 < 18:
                self.arrive(database, book, monday + timedelta(hours=hour), hour)
        friday = monday + timedelta(days=4, hours=9)
        assert [source.last_at for source in ledger.silent_sources(friday)] == [monday + timedelta(days=2, hours=17)]
        feed_succeeded(database, feed, friday, friday + timedelta(hours=1), None, 0)
        assert ledger.silent_sources(friday) == []
        feed_failed(database, feed, friday + timedelta(hours=1), friday + timedelta(hours=2), "401")
        # The night is 15 hours: 22.5 hours of working days are 15 of Friday and 7.5 of Monday.
        assert ledger.silent_sources(monday + timedelta(days=7, hours=7)) == []
        (silent,) = ledger.silent_sources(monday + timedelta(days=7, hours=8))
        assert silent.last_at == friday
        # Answered for over three working days with nothing, it is silent since Wednesday.
        tuesday = monday + timedelta(days=8, hours=8)
        feed_succeeded(database, feed, tuesday, tuesday + timedelta(hours=1), None, 0)
        (silent,) = ledger.silent_sources(tuesday)
        assert silent.last_at == monday + timedelta(days=2, hours=17)

    def test_what_a_clock_ahead_brought_hides_no_silence(self, database: Database, book: PriceBook) -> None:
        """Every day from the 1st to the 5th, and once by a clock that was a month ahead."""
        start = datetime(2026, 11, 1, 6, tzinfo=UTC)
        for day in (0, 1, 2, 34, 3, 4):
            self.arrive(database, book, start + timedelta(days=day), day + 1)
        last, ledger = start + timedelta(days=4), Ledger(database, book, utc_policy)
        feed_succeeded(database, "Anthropic Admin API, usage", start + timedelta(days=34), last, None, 0)
        (silent,) = ledger.silent_sources(last + timedelta(days=3))
        assert silent.last_at == last

    def test_an_export_with_a_column_more_is_the_same_source(self, database: Database, book: PriceBook) -> None:
        """A daily CSV gains a column on its sixth day, which makes it another view of what the Console knows."""
        ledger = Ledger(database, book, utc_policy)
        monday = datetime(2026, 11, 2, 8, tzinfo=UTC)
        for day in range(12):
            source = "console_usage_csv" if day < 6 else "console_usage_csv_no_workspace_12ab"
            self.arrive(database, book, monday + timedelta(days=day), day + 1, source)
        last = monday + timedelta(days=11)
        assert ledger.silent_sources(last + timedelta(hours=30)) == []
        (silent,) = ledger.silent_sources(last + timedelta(days=4))
        assert (silent.name, silent.last_at) == ("console_usage_csv", last)

    def test_doctor_says_where_nobody_would_hear_of_it(self, stage: Stage) -> None:
        settings = stage.installation.settings
        for admins, said in (((), ["set CLAUDECOST_ADMINS"]), (("U001",), [])):
            found = replace(settings, admins=admins, slack_admins=True)
            bot = Installation(found, clock=lambda: NOW)
            try:
                assert [check.todo for check in examine(bot, NOW) if check.name == "admins"] == said
            finally:
                bot.close()

    def test_doctor_says_that_nobody_runs_a_feed(self, stage: Stage, tmp_path: Path) -> None:
        found = replace(stage.installation.settings, watch_folder=tmp_path)
        for minutes, said in ((11, ""), (12, "nobody has run it since it was due: start claudecost run or worker")):
            now = NOW + timedelta(minutes=minutes)
            bot = Installation(found, clock=lambda now=now: now)  # type: ignore[misc]
            try:
                bot.feeds.collect(NOW, is_forced=True)
                assert [check.todo for check in examine(bot, now) if check.name == "watched folder"] == [said]
            finally:
                bot.close()

    def test_metrics_say_how_feeds_sources_and_messages_are(
        self, stage: Stage, book: PriceBook, tmp_path: Path
    ) -> None:
        settings = replace(stage.installation.settings, watch_folder=tmp_path)
        now = NOW + timedelta(minutes=3)
        bot = Installation(settings, clock=lambda: now)
        (tmp_path / "a.csv").write_text(
            "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens\n"
            "2026-11-18,claude-opus-5,ci,1000000,0\n2026-11-18,claude-opus-5,other,1000000,0\n"
        )
        os.utime(tmp_path / "a.csv", (0, 0))

        def told() -> dict[tuple[str, str], float]:
            text = metrics_page(bot, now).decode()
            families = text_string_to_metric_families(text)
            return {
                (sample.name.removeprefix("claudecost_"), "".join(sample.labels.values())): sample.value
                for family in families
                for sample in family.samples
            }

        try:
            bot.feeds.collect(NOW, is_forced=True)
            store(bot.database, used(opus_for(13)))
            found = told()
            assert found["feed_last_success_seconds", "watched folder"] == 180
            assert found["feed_next_run_seconds", "watched folder"] == -120  # it is due each minute
            assert found["feed_failing", "watched folder"] == 0
            assert found["feed_rows_total", "watched folder"] == 2
            assert found["feed_lag_days", "watched folder"] == 2
            assert found["newest_day_age_days", ""] == 1
            assert found["deliveries", "due"] == 1
            feed_failed(bot.database, "watched folder", now, now, "It is gone.")
            assert told()["feed_failing", "watched folder"] == 1
            for day in range(5):  # the last time eleven days ago
                self.arrive(bot.database, book, NOW - timedelta(days=15 - day), day + 1)
            assert told()["source_silent_seconds", "claude_code_analytics_api"] == 11 * 24 * 3600 + 180
        finally:
            bot.close()

    def test_doctor_says_what_was_not_delivered(self, stage: Stage) -> None:
        bot = stage.installation

        def said() -> list[tuple[str, str]]:
            return [(check.said, check.todo) for check in examine(bot, NOW) if check.name == "deliveries"]

        assert said() == [("none stuck", "")]
        store(bot.database, used(opus_for(13)))
        assert said() == [("none stuck", "")]  # it is owed, and nothing is wrong with it
        (owed,) = all_deliveries(bot.database)
        with bot.database.write() as connection:
            held = update(deliveries).where(deliveries.c.id == owed.id).values(state="held", problem="It may be there.")
            connection.execute(held)
        ((found, todo),) = said()
        assert (found.startswith("not delivered: the "), found.endswith(": It may be there.")) == (True, True)
        assert todo == "see README, Troubles"

    def test_a_notice_that_slack_refuses_is_called_one(self, stage: Stage, book: PriceBook) -> None:
        bot = stage.installation
        bot.jobs.admins = ("U0NOBODY",)
        for day in range(5):
            self.arrive(bot.database, book, NOW + timedelta(days=day), day + 1)
        bot.jobs.watch_sources(NOW + timedelta(days=10))
        (told,) = all_deliveries(bot.database)
        last = NOW + timedelta(days=4)
        about = f"silent:claude_code_analytics_api:{int(last.timestamp())}"
        assert bot.ledger.what(told) == f"notice to U0NOBODY of 2026-11-30 ({about})"

    def test_days_without_data_are_not_told_beside_a_silence(self, stage: Stage, book: PriceBook) -> None:
        """A daily export of three weeks ends on Friday 20, and is silent from Monday at 20:00 on."""
        database, jobs = stage.installation.database, stage.installation.jobs
        jobs.admins = ("U0ADMIN1",)
        for day in (*range(5), *range(7, 12), *range(14, 19)):
            self.arrive(database, book, datetime(2026, 11, 2, 8, tzinfo=UTC) + timedelta(days=day), day + 1)
        for hour in range(24 * 4, 24 * 10):
            now = NOW + timedelta(hours=hour)
            jobs.watch_sources(now)
            jobs.tick(now)
            jobs.correct_digests(now)
        told = [one for one in all_deliveries(database) if one.kind == "notice"]
        assert [one.key.split(":")[1] for one in told] == ["silent"]

    def test_what_is_kept_for_90_days_is_no_second_message(self, stage: Stage, book: PriceBook) -> None:
        database, jobs = stage.installation.database, stage.installation.jobs
        jobs.admins = ("U0ADMIN1",)
        for day in range(5):
            self.arrive(database, book, NOW + timedelta(days=day), day + 1)
        for days in (10, 110):
            now = NOW + timedelta(days=days)
            delete_before(database, (now - timedelta(days=90)).date(), now)
            jobs.watch_sources(now)
        (told,) = all_deliveries(database)
        assert told.day == date(2026, 11, 30)

    def test_digests_tell_the_newest_silence_first_and_a_source_that_was_given_up_no_more(
        self, database: Database, book: PriceBook
    ) -> None:
        """A daily CSV for a week to 6 November, another for three to the 20th."""
        ledger, monday = Ledger(database, book, utc_policy), datetime(2026, 11, 2, 8, tzinfo=UTC)
        for day in (*range(5), *range(7, 12), *range(14, 19)):
            at = monday + timedelta(days=day)
            self.arrive(database, book, at, day + 1, "console_usage_csv")
            if day < 5:
                self.arrive(database, book, at, day + 1, "claude_code_analytics_api")

        def told(now: datetime) -> list[tuple[str, datetime]]:
            fresh = ledger.digest(date(2026, 11, 1), now).freshness
            assert fresh is not None
            return list(fresh.silent)

        first = ("Claude Code Analytics API", monday + timedelta(days=4))
        second = ("Console usage CSV", monday + timedelta(days=18))
        assert told(monday + timedelta(days=24)) == [second, first]
        # The usual pause is one day: three weeks and two days after it came last.
        assert told(monday + timedelta(days=27)) == [second, first]
        assert told(monday + timedelta(days=27, hours=1)) == [second]
        assert len(ledger.silent_sources(monday + timedelta(days=90))) == 2

    def test_an_outage_does_not_make_the_next_one_usual(self, database: Database, book: PriceBook) -> None:
        """By the hour for three weeks, without Tuesday 17 to Thursday 19; then it ends on Monday 23 at 12:00."""
        ledger, monday = Ledger(database, book, utc_policy), datetime(2026, 11, 2, tzinfo=UTC)
        for day in (*range(5), *range(7, 12), 14, 18, 21):
            for hour in range(8, 18 if day != 21 else 13):
                at = monday + timedelta(days=day, hours=hour)
                self.arrive(database, book, at, 24 * day + hour, "otlp_events")
        # Nights are 15 hours: 22.5 hours after Monday's 12:00.
        assert ledger.silent_sources(monday + timedelta(days=22, hours=10)) == []
        (silent,) = ledger.silent_sources(monday + timedelta(days=22, hours=11))
        assert silent.usual == timedelta(hours=15)

    def test_a_weekly_export_that_ends_is_told(self, database: Database, book: PriceBook) -> None:
        """Five Mondays; the pause is five working days, so that 7.5 without an export are unusual."""
        ledger, monday = Ledger(database, book, utc_policy), datetime(2026, 9, 7, 8, tzinfo=UTC)
        for week in range(5):
            assert ledger.silent_sources(monday + timedelta(weeks=week)) == []
            self.arrive(database, book, monday + timedelta(weeks=week), week + 1, "console_usage_csv")
        last = monday + timedelta(weeks=4)
        # Monday 8:00 to Wednesday of the next week 20:00
        assert ledger.silent_sources(last + timedelta(days=9, hours=12)) == []
        (silent,) = ledger.silent_sources(last + timedelta(days=9, hours=13))
        assert (silent.last_at, silent.usual) == (last, timedelta(days=5))

    def test_two_days_of_many_arrivals_are_enough_for_a_day_without_any(
        self, database: Database, book: PriceBook
    ) -> None:
        ledger, monday = Ledger(database, book, utc_policy), datetime(2026, 11, 2, 8, tzinfo=UTC)
        for hour in (*range(5), *range(24, 29)):
            self.arrive(database, book, monday + timedelta(hours=hour), hour + 1, "otlp_events")
        last = monday + timedelta(hours=28)
        # One and a half times the night of 20 hours are 30.
        assert ledger.silent_sources(last + timedelta(hours=30)) == []
        (silent,) = ledger.silent_sources(last + timedelta(hours=31))
        assert silent.usual == timedelta(hours=20)

    def test_a_few_arrivals_of_two_days_promise_nothing(self, database: Database, book: PriceBook) -> None:
        for hour in (0, 1, 2, 3, 4, 24, 25, 26, 27):
            self.arrive(database, book, NOW + timedelta(hours=hour), hour + 1)
        assert Ledger(database, book, utc_policy).silent_sources(NOW + timedelta(days=30)) == []

    def test_imports_by_hand_on_one_day_promise_nothing(self, database: Database, book: PriceBook) -> None:
        for minute in range(5):
            self.arrive(database, book, NOW + timedelta(hours=minute), minute + 1)
        assert Ledger(database, book, utc_policy).silent_sources(NOW + timedelta(days=9)) == []


class TestWatchedFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        found = tmp_path / "exports"
        found.mkdir()
        return found

    @staticmethod
    def csv(folder: Path, name: str, tokens: int, at: datetime) -> None:
        path = folder / name
        header = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens"
        path.write_text(f"{header}\n2026-11-10,claude-opus-5,key,{tokens},0\n", encoding="utf-8")
        os.utime(path, (at.timestamp(), at.timestamp()))

    def test_what_appears_or_changes_is_imported_and_what_is_being_written_is_left(
        self, database: Database, book: PriceBook, folder: Path
    ) -> None:
        def importer() -> Importer:
            return Importer(database, ZoneInfo("UTC"), book, AlertPolicy(Decimal(12), NOW.date()))

        feeds = Feeds(database, [folder_feed(folder, importer)])
        ledger = Ledger(database, book, utc_policy)
        self.csv(folder, "a.csv", 1_000_000, NOW - timedelta(minutes=5))
        self.csv(folder, "b.csv", 3_000_000, NOW)
        feeds.collect(NOW)
        assert ledger.spend(None, None, ()).total.usd == 5  # 1M x $5
        feeds.collect(NOW + timedelta(minutes=2))
        assert ledger.spend(None, None, ()).total.usd == 15  # the newer file restates the day: 3M x $5
        self.csv(folder, "b.csv", 4_000_000, NOW + timedelta(minutes=3))
        feeds.collect(NOW + timedelta(minutes=6))
        assert ledger.spend(None, None, ()).total.usd == 20
        (state,) = feed_states(database)
        assert (state.newest_day, state.problem) == (date(2026, 11, 10), None)

    def test_a_folder_that_is_gone_is_said(self, database: Database, folder: Path) -> None:
        folder.rmdir()
        Feeds(database, [folder_feed(folder, lambda: None)]).collect(NOW)  # type: ignore[arg-type, return-value]
        (state,) = feed_states(database)
        assert state.problem is not None
        assert state.problem.endswith("is no folder; see CLAUDECOST_WATCH_FOLDER.")


def test_explain_says_which_source_speaks_and_what_the_others_say(database: Database, book: PriceBook) -> None:
    store(database, used(opus_for(5)), source="claude_code_analytics_api")
    store(database, used(opus_for(7)), source="transcripts")
    found = Ledger(database, book, utc_policy).explain("dana@example.com", used(opus_for(1)).day)
    assert found is not None
    assert found.taken == "transcripts"
    assert {name: amount.usd for name, amount in found.sources.items()} == {
        "claude_code_analytics_api": Decimal(5),
        "transcripts": Decimal(7),
    }


def test_explain_takes_the_source_that_counts(database: Database, book: PriceBook) -> None:
    """Events of nothing do not speak; an organization's $50 do not count beside Dana's $4, and alone they do."""
    ledger = Ledger(database, book, utc_policy)
    store(database, used(TokenUsage()), source="otlp_events")
    nothing = ledger.explain(DANA.name, DAY)
    assert nothing is not None
    assert (nothing.taken, nothing.is_counted) == (None, True)
    store(database, used(opus_for(4)), source="otlp_metrics")
    company = Actor(ORGANIZATION, "default")
    earlier = DAY - timedelta(days=1)
    store(database, *(used(opus_for(50), day, company) for day in (DAY, earlier)), source="admin_cost_report")
    said = []
    for name, day in ((DANA.name, DAY), ("organization", DAY), ("organization", earlier)):
        found = ledger.explain(name, day)
        assert found is not None
        said.append(as_text(explanation_message(found, book.label)))
    assert said[0].startswith("dana@example.com on Thu 19 Nov (UTC day): $4.00, from otlp_metrics\n")
    assert "fullest single source speaks" in said[0]
    who = "unassigned (organization) on"
    assert said[1].startswith(f"{who} Thu 19 Nov (UTC day): $50.00, from admin_cost_report, and not counted\n")
    assert "counts only on days of which nobody's own usage is known" in said[1]
    assert said[2].startswith(f"{who} Wed 18 Nov (UTC day): $50.00, from admin_cost_report\n")


def test_what_an_organization_used_beyond_its_people_is_said(database: Database, book: PriceBook) -> None:
    """$50 and $6 of the organization beside Dana's $4 and $9: 50 - 4, none beside $9, and 56 - 13 of both days.

    Where people's days begin at another hour than the report's, one day is not compared.
    """
    company, earlier = Actor(ORGANIZATION, "default"), DAY - timedelta(days=1)
    store(database, used(opus_for(4)), used(opus_for(9), earlier), source="otlp_metrics")
    store(database, used(opus_for(50), DAY, company), used(opus_for(6), earlier, company), source="admin_cost_report")
    utc, paris = (Policy(timezone=ZoneInfo(zone), limit_usd=Decimal(12)) for zone in ("UTC", "Europe/Paris"))
    ledgers = {"utc": Ledger(database, book, lambda: utc), "paris": Ledger(database, book, lambda: paris)}
    digests = {(name, day): ledger.digest(day) for name, ledger in ledgers.items() for day in (DAY, earlier)}
    assert {key: facts.beyond_usd for key, facts in digests.items()} == {
        ("utc", DAY): 46,
        ("utc", earlier): 0,
        ("paris", DAY): 0,
        ("paris", earlier): 0,
    }
    said = as_text(digest_message(digests["utc", DAY]))
    assert "• Reports of the organization as a whole say $46.00 more than its people's usage" in said
    assert ledgers["paris"].spend(None, None, ()).beyond == Beyond(Decimal(43), [earlier, DAY])


def test_an_organization_s_reports_hold_neither_seats_nor_gateways(database: Database, book: PriceBook) -> None:
    """$96 beside Dana's $10, her $100 under a seat and a gateway's $30: 96 - 10. Beside a gateway alone it speaks."""
    company, gateway, earlier = Actor(ORGANIZATION, "default"), Actor(GATEWAY, "LiteLLM"), DAY - timedelta(days=1)
    store(database, used(opus_for(10)), used(opus_for(100), billing="subscription"), source="otlp_metrics")
    store(database, *(used(opus_for(30), day, gateway) for day in (DAY, earlier)), source="litellm_activity")
    store(database, *(used(opus_for(96), day, company) for day in (DAY, earlier)), source="admin_cost_report")
    ledger = Ledger(database, book, utc_policy)
    assert ledger.spend(DAY, DAY + timedelta(days=1), ()).beyond == Beyond(Decimal(86), [DAY])
    assert ledger.spend(earlier, DAY, ()).beyond is None
    assert ledger.spend(earlier, DAY, ()).total.usd == 126


def test_explain_of_who_had_two_addresses_and_was_erased(database: Database, book: PriceBook) -> None:
    rows = (used(opus_for(4), actor=Actor("email", "ann@old.example")), used(opus_for(8)))
    store(database, *rows, source="transcripts")
    link_actor(database, "ann@old.example", DANA.name, BY_ADMIN, book, POLICY, NOW)
    ledger, number = Ledger(database, book, utc_policy), erase_person(database, DANA.name, "admin", NOW)
    found = ledger.explain(f"erased person {number}", DAY)
    assert found is not None
    assert found.sources["transcripts"].usd == 12


def test_explain_of_a_name_that_several_have_says_what_to_write(database: Database, book: PriceBook) -> None:
    """A key and an account of one name used $12 and $16, two people of one name $4 and $8."""
    names = ("alex@a.example", "akim@b.example")
    people = [Member(row, email, "Alex Kim") for row, email in enumerate(names)]
    record(database, "members_csv", [FileTally("m.csv", Tally(people), [])], NOW, POLICY, book)
    who = [*(Actor("email", name) for name in names), Actor("api_key", "ci"), Actor("account", "ci")]
    store(database, *(used(opus_for(usd), actor=actor) for usd, actor in zip((4, 8, 12, 16), who, strict=True)))
    ledger = Ledger(database, book, utc_policy)
    meant: dict[str, list[tuple[str, int]]] = {
        "Alex Kim": [("akim@b.example", 8), ("alex@a.example", 4)],
        "unassigned (ci)": [("account:ci", 16), ("api_key:ci", 12)],
    }
    for name, others in meant.items():
        said = f"is the name of several here: say {', '.join(f'“{other}”' for other, _ in others)} instead."
        with pytest.raises(AmbiguousName, match=re.escape(said)):
            ledger.explain(name, DAY)
        for other, usd in others:
            found = ledger.explain(other, DAY)
            assert found is not None
            assert found.sources["console_usage_csv"].usd == usd


def test_explain_says_what_is_known_of_several_days_together(database: Database, book: PriceBook) -> None:
    """A report says $30 of 1 to 21 November; of the 19th it is known that $5 were used, of the 20th nothing."""
    report = replace(used(opus_for(30), date(2026, 11, 1)), until=date(2026, 11, 22))
    store(database, report, source="spend_report_csv")
    store(database, used(opus_for(5), date(2026, 11, 19)))
    ledger = Ledger(database, book, utc_policy)
    said = []
    for day in (19, 20, 22):
        found = ledger.explain("dana@example.com", date(2026, 11, day))
        assert found is not None
        said.append(as_text(explanation_message(found, book.label)))
    total = "spend_report_csv: $30.00 for Sun 1 Nov to Sat 21 Nov together, more than these days say"
    assert said[0].startswith("dana@example.com on Thu 19 Nov (UTC day): $5.00, from console_usage_csv")
    assert total in said[0]
    assert said[1] == f"No source knows of any Claude usage of dana@example.com on Fri 20 Nov alone.\n{total}"
    assert said[2] == "No source knows of any Claude usage of dana@example.com on Sun 22 Nov."


class TestWhatIsStillToCome:
    """Dana's Thursday of $10 and Kim's of $5, from whichever source, and a digest at 9:00 on Friday."""

    DAY = date(2026, 11, 19)
    EVENING, MORNING = datetime(2026, 11, 19, 17, tzinfo=UTC), datetime(2026, 11, 20, 8, tzinfo=UTC)
    NINE = datetime(2026, 11, 20, 9, tzinfo=UTC)
    KIM = Actor("email", "kim@example.com")

    def come(self, database: Database, source: str, at: datetime, *records: UsageRecord, path: str = "file") -> None:
        files = [FileTally(path, Tally(records), [])]
        record(database, source, files, at, POLICY, default_price_book(), is_stream=path == RECEIVED)

    def digest(
        self, database: Database, book: PriceBook, now: datetime = NINE, team: Team | None = None
    ) -> DigestFacts:
        return Ledger(database, book, utc_policy).digest(self.DAY, now, team=team)

    def test_what_is_received_as_it_happens_is_all_there_once_the_day_is_over(
        self, database: Database, book: PriceBook
    ) -> None:
        self.come(database, "otlp_events", self.EVENING, used(opus_for(10), request=request("1")), path=RECEIVED)
        assert self.digest(database, book, self.EVENING + timedelta(hours=1)).is_partial
        assert not self.digest(database, book).is_partial

    def test_a_stream_came_when_its_last_body_came(self, database: Database, book: PriceBook) -> None:
        """Each ten minutes of it are one arrival: those from 17:00 and from 17:10."""
        for minute in (0, 4, 9, 12):
            at = self.EVENING + timedelta(minutes=minute)
            self.come(database, "otlp_events", at, used(opus_for(1), request=request(str(minute))), path=RECEIVED)
            came = last_arrival(database, RECEIVED)
            assert came is not None
            assert came.at == at
        # One that waited for its turn was there before the last.
        earlier = self.EVENING + timedelta(minutes=11)
        self.come(database, "otlp_events", earlier, used(opus_for(1), request=request("late")), path=RECEIVED)
        assert last_arrival(database, RECEIVED) == came
        with database.read() as connection:
            logged = connection.execute(select(imports.c.accepted).order_by(imports.c.id)).scalars()
            assert list(logged) == [3, 2]

    def test_the_last_hour_of_an_api_that_is_an_hour_late_is_still_to_come(
        self, database: Database, book: PriceBook
    ) -> None:
        midnight = datetime(2026, 11, 20, tzinfo=UTC)
        for minute, is_partial in ((59, True), (60, False)):
            at = midnight + timedelta(minutes=minute)
            self.come(database, "claude_code_analytics_api", at, used(opus_for(10)))
            facts = self.digest(database, book, at)
            assert facts.is_partial is is_partial
            said = digest_message(facts).blocks[-2]["elements"][0]["text"]
            assert ("Usage to Thu 19 Nov, before all of the last day had come, received" in said) is is_partial

    def test_events_in_a_file_are_as_old_as_the_file(self, database: Database, book: PriceBook) -> None:
        self.come(database, "otlp_events", self.EVENING, used(opus_for(10), request=request("1")))
        assert self.digest(database, book).is_partial

    def test_a_later_day_s_transcripts_bring_the_days_before(self, database: Database, book: PriceBook) -> None:
        self.come(database, "transcripts", self.EVENING, used(opus_for(10), request=request("1")))
        assert self.digest(database, book).is_partial
        friday = used(opus_for(1), self.DAY + timedelta(days=1), request=request("2"))
        self.come(database, "transcripts", self.MORNING, friday)
        assert not self.digest(database, book).is_partial

    def test_a_later_day_of_a_report_does_not(self, database: Database, book: PriceBook) -> None:
        self.come(database, "console_usage_csv", self.EVENING, used(opus_for(10)))
        self.come(database, "console_usage_csv", self.MORNING, used(opus_for(1), self.DAY + timedelta(days=1)))
        assert self.digest(database, book).is_partial
        self.come(database, "console_usage_csv", self.MORNING, used(opus_for(10)))
        assert not self.digest(database, book).is_partial

    def test_of_how_many_people_it_is_all_there(self, database: Database, book: PriceBook) -> None:
        self.come(database, "console_usage_csv", self.EVENING, used(opus_for(10)))
        self.come(database, "transcripts", self.MORNING, used(opus_for(5), actor=self.KIM, request=request("1")))
        facts = self.digest(database, book)
        assert facts.freshness is not None
        assert (facts.freshness.late_people, facts.freshness.received_at) == (1, self.EVENING)
        said = digest_message(facts).blocks[1]["text"]["text"]
        assert "across 2 people, partial: 1 of 2 reported" in said
        teams = [crowded_team(database, name, [who]) for name, who in (("D", DANA.name), ("K", self.KIM.name))]
        assert [self.digest(database, book, team=team).is_partial for team in teams] == [True, False]

    @pytest.mark.parametrize(
        ("usual", "is_awaited"),
        [(10, True), (Decimal("0.2"), False)],  # of $15 a day, and of $5.20: under 5 %
    )
    def test_a_source_that_tells_a_good_part_of_other_days_is_awaited(
        self, database: Database, book: PriceBook, usual: Decimal, is_awaited: bool
    ) -> None:
        """Kim's Thursday is there; Dana's came by an API on the days before, and its key has expired since."""
        for day in range(9, 19):
            at = datetime(2026, 11, day + 1, 8, tzinfo=UTC)
            self.come(database, "claude_code_analytics_api", at, used(opus_for(usual), date(2026, 11, day)))
        kims = [
            used(opus_for(5), date(2026, 11, day), actor=self.KIM, request=request(str(day))) for day in range(9, 20)
        ]
        self.come(database, "transcripts", self.MORNING, *kims)
        facts = self.digest(database, book)
        assert facts.is_partial is is_awaited
        if not is_awaited:
            return
        message = digest_message(facts)
        assert "across 1 person, so far · a usual weekday is $15.00" in message.blocks[1]["text"]["text"]
        said = message.blocks[-2]["elements"][0]["text"]
        assert "Usage to Thu 19 Nov, nothing of that day from Claude Code Analytics API yet, received" in said
        # What others tell of Dana is enough, and so is an answer once the day is over, with no usage of it.
        with_other = used(opus_for(1), self.DAY, request=request("d"))
        self.come(database, "otlp_events", self.MORNING, with_other, path=RECEIVED)
        assert not self.digest(database, book).is_partial

    def test_an_answer_without_usage_of_a_day_speaks_of_it_once_it_is_over(
        self, database: Database, book: PriceBook
    ) -> None:
        days = [date(2026, 11, day) for day in range(9, 19)]
        self.come(database, "claude_code_analytics_api", self.EVENING, *(used(opus_for(10), day) for day in days))
        self.come(database, "transcripts", self.MORNING, used(opus_for(5), actor=self.KIM, request=request("1")))
        for at, is_partial in ((self.EVENING, True), (self.MORNING, False)):
            nobody = Tally([Covered(self.DAY, self.DAY + timedelta(days=1))])
            record(database, "claude_code_analytics_api", [FileTally("p.json", nobody, [])], at, POLICY, book)
            assert self.digest(database, book).is_partial is is_partial

    def test_an_export_of_several_days_speaks_of_those_after_its_last_usage(
        self, database: Database, book: PriceBook
    ) -> None:
        """A key that runs on Mondays, in the month's CSV of each morning, beside Dana's days of an API."""
        for day in range(9, 20):
            at = datetime(2026, 11, day + 1, 8, tzinfo=UTC)
            self.come(database, "claude_code_analytics_api", at, used(opus_for(10), date(2026, 11, day)))
            mondays = [used(opus_for(10), date(2026, 11, one), actor=Actor("api_key", "ci")) for one in (2, 9, 16)]
            self.come(database, "console_usage_csv", at, *(one for one in mondays if one.day.day <= day))
        assert not self.digest(database, book).is_partial

    def test_a_key_that_somebody_exports_weekly_is_not_waited_for(self, database: Database, book: PriceBook) -> None:
        """A key's $0.40 so far are of Thursday evening, Dana's $10 of Friday morning."""
        key = used(opus_for(Decimal("0.4")), actor=Actor("api_key", "ci"))
        self.come(database, "console_usage_csv", self.EVENING, key)
        self.come(database, "claude_code_analytics_api", self.MORNING, used(opus_for(10)))
        facts = self.digest(database, book)
        assert facts.freshness is not None
        assert (facts.is_partial, facts.freshness.received_at) == (False, self.MORNING)
        self.come(database, "console_usage_csv", self.EVENING, used(opus_for(1), actor=Actor("api_key", "ci")))
        assert self.digest(database, book).is_partial  # $1 of $11 is over 5 %
