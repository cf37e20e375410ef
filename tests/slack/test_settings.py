"""The settings window, over signed HTTP: who may, what is refused, what holds from then on, and what is kept of it."""

import json
import time as clock
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy.exc import OperationalError

from bot.app import Installation
from bot.playground.demo import ADMIN, NOW, Stage
from bot.playground.dispatch import send_interaction
from bot.pricing import TokenUsage
from bot.slack.access import NOT_ADMIN
from bot.slack.blocks.digest import digest_message
from bot.slack.blocks.home import HIDE
from bot.spend.days import milliseconds
from bot.spend.records import Actor, Request
from bot.store.audit import last_entries
from bot.store.deliveries import all_deliveries
from bot.store.people import person_by_email, set_wishes
from bot.store.settings import write_setting
from bot.store.teams import find_team, set_team
from tests.slack.presses import press_at_home, wait_for
from tests.slack.test_http import ask
from tests.slack.test_http import whispered as whispers
from tests.usage import DAY, opus_for, store, used

AS_IT_IS = {
    "timezone": "Europe/Paris",
    "limit_usd": "12",
    "budget_usd": "",
    "names": "off",
    "quiet_hours": "21:00-07:00",
    "holidays": "",
    "retention_days": "",
    "picture": "image",
}
PEOPLE = [f"{name}@example.com" for name in ("ada", "finn", "freya", "hugo", "noor")]


def save(stage: Stage, user: str = ADMIN, opened: Mapping[str, str] | None = None, **changed: Any) -> dict[str, Any]:
    """Submit the window with some entries changed since it was opened; what Slack is answered."""
    opened = {**AS_IT_IS, **(opened or {})}
    values: dict[str, Any] = {
        name: {"value": {"type": "plain_text_input", "value": text}} for name, text in opened.items()
    }
    for name, text in changed.items():
        values[name] = {"value": {"type": "plain_text_input", "value": text or None}}
    for name in ("names", "picture"):
        chosen = values[name]["value"]["value"]
        values[name] = {"value": {"type": "radio_buttons", "selected_option": {"value": chosen}}}
    view = {"id": "V1", "type": "modal", "callback_id": "settings", "state": {"values": values}}
    view["private_metadata"] = json.dumps(opened)
    stage.workspace.views[:] = [{"id": "V1", "type": "modal", "blocks": []}]
    received = send_interaction(stage.app_url, {"type": "view_submission", "user": {"id": user}, "view": view})
    answer: dict[str, Any] = json.loads(received)
    deadline = clock.monotonic() + 10
    while answer["response_action"] == "update" and clock.monotonic() < deadline:
        if stage.workspace.views[0]["blocks"]:
            # Settings are saved after the acknowledgement, which Slack waits three seconds for.
            assert "Saving" in json.dumps(answer["view"])
            return {"response_action": "update", "view": stage.workspace.views[0]}
        clock.sleep(0.01)
    return answer


def team_of_five(stage: Stage, *usd: int) -> None:
    """A day's spend of the first so many of five people."""
    records = [used(opus_for(n), actor=Actor("email", who)) for who, n in zip(PEOPLE, usd, strict=False)]
    store(stage.installation.database, *records)


def digest_text(stage: Stage) -> str:
    return json.dumps(digest_message(stage.installation.ledger.digest(DAY)).blocks)


class TestWindow:
    def test_it_opens_for_admins_with_what_holds_now(self, stage: Stage) -> None:
        set_team(stage.installation.database, "core", [], budget_usd=Decimal("500.50"))
        assert ask(stage, "settings", 13) is None
        deadline = clock.monotonic() + 5
        while not stage.workspace.views and clock.monotonic() < deadline:
            clock.sleep(0.01)
        (view,) = stage.workspace.views
        inputs = {block["block_id"]: block["element"] for block in view["blocks"] if block["type"] == "input"}
        assert [*inputs] == ["timezone", "limit_usd", "budget_usd", "team|1", *[*AS_IT_IS][3:]]
        assert inputs["timezone"]["initial_value"] == "Europe/Paris"
        assert inputs["team|1"]["initial_value"] == "500.5"
        assert inputs["names"]["initial_option"]["value"] == "off"
        assert "initial_value" not in inputs["budget_usd"]

    def test_nobody_else_opens_or_saves_it(self, stage: Stage) -> None:
        assert ask(stage, "settings", 0) is None
        assert whispers(stage, 1)[0]["text"] == NOT_ADMIN
        assert stage.workspace.views == []
        assert save(stage, "U001", limit_usd="99")["errors"] == {"timezone": NOT_ADMIN}
        assert stage.installation.policy().limit_usd == 12

    @pytest.mark.parametrize(
        ("name", "said", "why"),
        [
            ("timezone", "Europe/Pari", "“Europe/Pari” is no time zone: it is no IANA time zone, such as Europe/Paris"),
            ("quiet_hours", "late", "“late” is no quiet hours: it takes two times of the day"),
            ("holidays", "ZZ", "“ZZ” is no holiday calendar"),
            ("limit_usd", "0", "“0” is no daily limit: it must be over 0."),
            ("limit_usd", "NaN", "“NaN” is no daily limit"),
            ("limit_usd", "", "“” is no daily limit"),
            ("budget_usd", "-5", "“-5” is no monthly budget"),
            ("retention_days", "30", "“30” is no retention: it must be at least 90."),
            ("retention_days", "9.5", "“9.5” is no retention"),
            ("team|1", "-1", "Write an amount of dollars above 0"),
        ],
    )
    def test_what_is_wrong_is_said_beside_it_and_nothing_holds(
        self, stage: Stage, name: str, said: str, why: str
    ) -> None:
        set_team(stage.installation.database, "core", [])
        answer = save(stage, opened=None, **{"limit_usd": "20", name: said})
        assert answer["response_action"] == "errors"
        assert answer["errors"][name].startswith(why)
        assert stage.installation.policy().limit_usd == 12
        assert last_entries(stage.installation.database) == []

    def test_what_is_saved_holds_at_once_and_is_kept_with_who_and_when(self, stage: Stage) -> None:
        set_team(stage.installation.database, "core", [], budget_usd=Decimal(1))
        answer = save(
            stage, timezone="America/New_York", limit_usd="20", holidays="DE-BY", opened=None, **{"team|1": "750"}
        )
        said = json.dumps(answer["view"], ensure_ascii=False)
        assert answer["response_action"] == "update"
        for line in (
            "time zone: Europe/Paris → America/New_York",
            "daily limit: 12 → 20",
            "holiday calendar: none → DE-BY",
            "monthly budget of core: 750",
        ):
            assert line in said
        policy = stage.installation.policy()
        assert (policy.timezone.key, policy.holidays) == ("America/New_York", "DE-BY")
        assert policy.limit_usd == 20
        team = find_team(stage.installation.database, "core")
        assert team is not None
        assert team.budget_usd == 750
        entries = last_entries(stage.installation.database, 9)
        assert {(entry.who, entry.at) for entry in entries} == {(ADMIN, NOW)}
        assert [entry.what for entry in entries] == [
            "changed the monthly budget of core to 750",
            "changed the holiday calendar: none → DE-BY",
            "changed the daily limit: 12 → 20",
            "changed the time zone: Europe/Paris → America/New_York",
        ]

    def test_what_is_as_before_is_no_change(self, stage: Stage) -> None:
        assert "Nothing was changed." in json.dumps(save(stage)["view"])
        assert last_entries(stage.installation.database) == []
        assert stage.installation.policy.chosen == []

    def test_two_admins_at_once_do_not_undo_each_other(self, stage: Stage) -> None:
        save(stage, limit_usd="20")
        assert "monthly budget: none → 4000" in json.dumps(save(stage, budget_usd="4000")["view"], ensure_ascii=False)
        policy = stage.installation.policy()
        assert (policy.limit_usd, policy.budget_usd) == (Decimal(20), Decimal(4000))
        assert [entry.what for entry in last_entries(stage.installation.database)] == [
            "changed the monthly budget: none → 4000",
            "changed the daily limit: 12 → 20",
        ]

    def test_what_two_processes_save_at_once_is_all_kept(self, stage: Stage) -> None:
        from bot.policy import Policies

        bot = stage.installation
        others = [Policies(bot.settings, lambda: bot.database) for _ in range(2)]
        assert {other().limit_usd for other in others} == {Decimal(12)}
        others[0].choose({"limit_usd": "20"}, "U1", NOW)
        others[1].choose({"budget_usd": "4000"}, "U2", NOW)
        policy = bot.policy.read()
        assert (policy.limit_usd, policy.budget_usd) == (Decimal(20), Decimal(4000))

    def test_back_to_the_environment_s_value(self, stage: Stage) -> None:
        save(stage, limit_usd="20")
        assert stage.installation.policy.chosen == ["daily limit 20"]
        save(stage, opened={"limit_usd": "20"}, limit_usd="12")
        assert stage.installation.policy.chosen == []


class TestWhatHolds:
    def test_another_process_follows(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        from bot.policy import Policies

        other = Policies(stage.installation.settings, lambda: stage.installation.database)
        assert other().limit_usd == 12
        save(stage, limit_usd="20")
        assert other().limit_usd == 12
        monkeypatch.setattr("bot.policy.FOLLOWED_SECONDS", 0.0)
        assert other().limit_usd == 20

    def test_what_was_kept_and_cannot_be_read_any_more_leaves_the_rest(self, stage: Stage) -> None:
        write_setting(stage.installation.database, "policy", json.dumps({"timezone": "Mars/Base", "limit_usd": "15"}))
        again = Installation(stage.installation.settings, clock=stage.installation.clock)
        with closing(again.database):
            policy = again.policy()
        assert (policy.timezone.key, policy.limit_usd) == ("Europe/Paris", Decimal(15))
        write_setting(stage.installation.database, "policy", json.dumps({"timezone": "Mars/Base"}))
        assert stage.installation.policy().timezone.key == "Europe/Paris"
        assert "daily limit: 12 → 20" in json.dumps(save(stage, limit_usd="20")["view"], ensure_ascii=False)
        assert stage.installation.policy().limit_usd == 20

    def test_what_another_version_kept_besides_is_passed_over(self, stage: Stage) -> None:
        from bot.policy import Policies

        kept = {"limit_usd": "15", "retention_days": "+400", "later": "x"}
        write_setting(stage.installation.database, "policy", json.dumps(kept))
        policies = Policies(stage.installation.settings, lambda: stage.installation.database)
        assert (policies.read().retention_days, policies.chosen) == (400, ["daily limit 15", "retention 400"])
        save(stage, limit_usd="20")
        assert stage.installation.policy().limit_usd == 20

    def test_alerts_go_by_the_new_limit(self, stage: Stage) -> None:
        save(stage, limit_usd="30")
        team_of_five(stage, 20)
        assert stage.installation.ledger.alerts(DAY) == []
        save(stage, limit_usd="15")
        (alert,) = stage.installation.ledger.alerts(DAY)
        assert (alert.usd, alert.limit_usd, alert.step) == (Decimal(20), Decimal(15), 1)

    def test_names_in_groups_of_five_and_not_who_hides(self, stage: Stage) -> None:
        team_of_five(stage, 30, 20, 13, 5, 1)
        assert "@example.com" not in digest_text(stage)
        save(stage, names="on")
        assert (
            "unless they or their team set another): ada@example.com, finn@example.com, freya@example.com"
            in digest_text(stage)
        )
        finn = person_by_email(stage.installation.database, "finn@example.com")
        assert finn is not None
        set_wishes(stage.installation.database, finn.id, hides_name=True)
        assert "their team set another): ada@example.com, freya@example.com and 1 more" in digest_text(stage)

    def test_waiting_alerts_follow_at_once(self, stage: Stage) -> None:
        bot, night = stage.installation, NOW.replace(hour=21)
        team_of_five(stage, 8)
        bot.jobs.tick(night)
        assert [one for one in all_deliveries(bot.database) if one.kind == "alert"] == []
        save(stage, limit_usd="5")
        bot.jobs.tick(night)
        assert [one.state for one in all_deliveries(bot.database) if one.kind == "alert"] == ["due"]
        save(stage, opened={"limit_usd": "5"}, limit_usd="5", quiet_hours="off")
        bot.jobs.tick(night)
        assert [one.state for one in all_deliveries(bot.database) if one.kind == "alert"] == ["sent"]

    def test_no_names_on_a_day_with_few_people(self, stage: Stage) -> None:
        """Friday five people, Sunday one: Monday's digest of three days names nobody of Sunday."""
        save(stage, names="on")
        team_of_five(stage, 2, 2, 2, 2, 2)
        freya = Actor("email", "freya@example.com")
        store(stage.installation.database, used(opus_for(50), day=DAY + timedelta(days=2), actor=freya))
        facts = stage.installation.ledger.digest(DAY + timedelta(days=2), start=DAY)
        said = json.dumps(digest_message(facts).blocks)
        assert "1 person reached" in said
        assert "@example.com" not in said

    def test_no_names_in_smaller_groups(self, stage: Stage) -> None:
        save(stage, names="on")
        team_of_five(stage, 30, 20, 13, 5)
        assert "3 people reached" in digest_text(stage)
        assert "@example.com" not in digest_text(stage)

    def test_a_person_keeps_their_name_out_in_the_home_tab(self, stage: Stage) -> None:
        team_of_five(stage, 30, 20, 13, 5, 1)
        save(stage, names="on")
        press_at_home(stage, "U001", action_id="home_name", value=HIDE)
        wait_for(lambda: "U001" in stage.workspace.homes)
        assert "Yours is kept out of digests" in json.dumps(stage.workspace.homes["U001"])
        assert "ada@example.com" not in digest_text(stage)


class TestRetention:
    def test_older_usage_goes_and_the_rest_stays(self, stage: Stage) -> None:
        bot, today = stage.installation, date(2026, 11, 20)
        kept, gone = today - timedelta(days=90), today - timedelta(days=91)
        store(
            bot.database,
            used(opus_for(3), day=kept, reported="3"),
            used(opus_for(4), day=gone, reported="4"),
            used(opus_for(5), day=DAY),
        )
        assert bot.delete_old(NOW) == 0
        save(stage, retention_days="90")
        assert bot.delete_old(NOW) == 1
        assert bot.delete_old(NOW) == 0
        assert bot.ledger.spend(None, None, ()).total.usd == 8
        assert bot.ledger.digest(gone).amount is None
        whole = bot.ledger.digest(kept).amount
        assert whole is not None
        assert whole.usd == 3
        assert last_entries(bot.database, 1)[0].what == f"deleted 1 rows of usage before {kept}"
        assert all(one.day >= kept for one in all_deliveries(bot.database))

    def test_what_is_not_kept_does_not_come_back_with_an_old_file(self, stage: Stage, tmp_path: Path) -> None:
        bot, export = stage.installation, tmp_path / "usage.csv"
        header = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens"
        rows = ("2026-08-21,claude-opus-4-6,ci,1000000,0", "2026-08-22,claude-opus-4-6,ci,2000000,0")
        export.write_text("\n".join((header, *rows, "")), encoding="utf-8")
        (report,) = bot.importer().import_path(export, NOW)
        assert (report.recorded.accepted, report.problems) == (2, [])
        save(stage, retention_days="90")
        assert bot.delete_old(NOW) == 1
        (report,) = bot.importer().import_path(export, NOW)
        assert (report.problems, report.not_kept) == ([], 1)
        assert bot.ledger.spend(None, None, ()).total.usage.input == 2_000_000

    def test_nothing_is_deleted_while_it_is_not_known_what_to_keep(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bot = stage.installation
        save(stage, retention_days="730")
        bot.policy.settings = replace(bot.settings, retention_days=90)
        store(bot.database, used(opus_for(3), day=date(2026, 3, 1), reported="3"))

        def locked(*_: object) -> None:
            raise OperationalError("SELECT", {}, Exception("database is locked"))

        with monkeypatch.context() as patched:
            patched.setattr("bot.policy.read_setting", locked)
            with pytest.raises(OperationalError):
                bot.delete_old(NOW)
        assert bot.delete_old(NOW) == 0
        assert bot.ledger.spend(None, None, ()).total.usd == 3

    def test_counts_since_a_start_stay_right(self, stage: Stage) -> None:
        """1M on the last day that goes, 3M by the next: the next day used 2M, before and after."""
        bot, first = stage.installation, date(2026, 8, 21)
        for day, tokens in ((first, 1), (first + timedelta(days=1), 3)):
            at = milliseconds(datetime.combine(day, time(12), UTC))
            request = Request(str(day).encode() * 2, at, series=b"series", restates=True)
            usage = replace(used(TokenUsage(input=tokens * 10**6), day=day), request=request)
            store(bot.database, usage, source="otlp_metrics")
        assert bot.ledger.spend(None, None, ()).total.usage.input == 3_000_000
        save(stage, retention_days="90")
        bot.delete_old(NOW)
        assert bot.ledger.spend(None, None, ()).total.usage.input == 2_000_000
        at = milliseconds(datetime(2026, 8, 22, 13, tzinfo=UTC))
        again = Request(b"later" * 3, at, series=b"other", restates=True)
        more = replace(used(TokenUsage(input=5), day=date(2026, 8, 22)), request=again)
        store(bot.database, more, source="otlp_metrics")
        assert bot.ledger.spend(None, None, ()).total.usage.input == 2_000_005
