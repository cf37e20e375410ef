"""Subscriptions of channels, the Home tab, and answers that are shared."""

import json
import time as clock
from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from slack_sdk.models.blocks import Block as SlackBlock

from bot.playground.demo import ADMIN, CHANNEL, NOW, Stage
from bot.playground.dispatch import send_event
from bot.playground.generate_export import MAIN_FILE
from bot.slack.access import NOT_ADMIN
from bot.slack.subscribing import Defaults, Unreadable, in_words, read_subscription
from bot.spend.records import Actor
from bot.store.deliveries import owe_digest
from bot.store.identity import unassigned
from bot.store.people import person_by_email, set_wishes
from bot.store.subscriptions import EVERY_DAY, WORKDAYS, Subscription, all_subscriptions, subscribe
from tests.slack.presses import press, press_at_home, wait_for
from tests.slack.test_http import ask, whispered
from tests.usage import opus_for, store, used

DEFAULTS = Defaults(time(9), ZoneInfo("Europe/Paris"))


class TestWords:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("", "daily digest at 09:00 Europe/Paris, Mondays to Fridays"),
            ("weekdays 09:30 America/New_York", "daily digest at 09:30 America/New_York, Mondays to Fridays"),
            ("mon-fri", "daily digest at 09:00 Europe/Paris, Mondays to Fridays"),
            ("fri-mon 10:00", "daily digest at 10:00 Europe/Paris, Mon, Fri, Sat, Sun"),
            ("tuesday thursdays", "daily digest at 09:00 Europe/Paris, Tue, Thu"),
            ("every day at 8", "daily digest at 08:00 Europe/Paris, every day"),
            ("weekly mon 10:00", "weekly digest at 10:00 Europe/Paris, on Mondays"),
            ("mon,wed,fri 7:15 asia/kathmandu", "daily digest at 07:15 Asia/Kathmandu, Mon, Wed, Fri"),
            (
                "monthly quiet",
                "monthly digest at 09:00 Europe/Paris, on the first working day of each month, not without usage",
            ),
            (
                "digest team Core Platform",
                "daily digest of the team Core Platform at 09:00 Europe/Paris, Mondays to Fridays",
            ),
        ],
    )
    def test_in_any_order(self, words: str, said: str) -> None:
        assert in_words(read_subscription(words, "C1", DEFAULTS)) == said

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("25:00", "“25:00” is no time of the day"),
            ("24:00", "“24:00” is no time of the day"),
            ("Europe/Pari", "I could not read “Europe/Pari”. Did you mean Europe/Paris?"),
            ("month", "I could not read “month”."),
            ("friendship", "I could not read “friendship”."),
            ("daily weekly", "Two editions are given, “daily” and “weekly”; say one of the two."),
            ("09:00 10:00", "Two times are given, “09:00” and “10:00”; say one of the two."),
            ("<!channel>", "I could not read “<!channel>”."),
        ],
    )
    def test_what_cannot_be_read_is_quoted(self, words: str, said: str) -> None:
        with pytest.raises(Unreadable) as refused:
            read_subscription(words, "C1", DEFAULTS)
        assert str(refused.value).startswith(said)


class TestChannels:
    def say(self, stage: Stage, text: str, number: int, user: int = 13) -> str:
        assert ask(stage, text, user) is None
        return str(whispered(stage, number)[number - 1]["text"])

    def test_an_admin_subscribes_and_ends_it(self, stage: Stage) -> None:
        assert self.say(stage, "subscribe every day 10:00", 1).startswith(
            "This channel gets the daily digest at 10:00 Europe/Paris, every day."
        )
        (found,) = all_subscriptions(stage.installation.database)
        assert (found.channel, found.at, found.weekdays) == (CHANNEL, time(10), EVERY_DAY)
        self.say(stage, "subscribe 11:00", 2)
        (found,) = all_subscriptions(stage.installation.database)
        assert (found.at, found.weekdays) == (time(11), WORKDAYS)
        self.say(stage, "subscriptions", 3)
        listed = json.dumps(stage.workspace.ephemeral[2]["blocks"])
        assert "here: daily digest at 11:00 Europe/Paris, Mondays to Fridays" in listed
        assert self.say(stage, "unsubscribe", 4).startswith("Ended 1 of this channel")
        assert all_subscriptions(stage.installation.database) == []

    def test_a_team_of_any_letters_ends(self, stage: Stage) -> None:
        database = stage.installation.database
        subscribe(database, Subscription(CHANNEL, time(9), ZoneInfo("UTC"), team="Équipe"), NOW)
        assert self.say(stage, "unsubscribe team ÉQUIPE", 1).startswith("Ended 1 of this channel")
        assert all_subscriptions(database) == []

    @pytest.mark.parametrize(
        ("words", "left"),
        [
            ("team CORE", {("daily", ""), ("weekly", "")}),
            ("daily team core", {("daily", ""), ("weekly", "")}),
            ("weekly", {("daily", ""), ("daily", "core")}),
            ("weekly team core", {("daily", ""), ("weekly", ""), ("daily", "core")}),
            ("core", {("daily", ""), ("weekly", ""), ("daily", "core")}),
            ("", set()),
        ],
    )
    def test_one_of_several_ends_alone(self, stage: Stage, words: str, left: set[tuple[str, str]]) -> None:
        database = stage.installation.database
        for edition, team in (("daily", ""), ("weekly", ""), ("daily", "core")):
            one = Subscription(CHANNEL, time(9), ZoneInfo("UTC"), edition=edition, team=team)
            subscribe(database, one, NOW)
        said = self.say(stage, f"unsubscribe {words}".strip(), 1)
        assert said.startswith(("Ended", "There was none", f"I could not read “{words}”"))
        assert {(one.edition, one.team) for one in all_subscriptions(database)} == left

    @pytest.mark.parametrize("text", ["subscribe", "unsubscribe", "subscribe weekly"])
    def test_nobody_else_does(self, stage: Stage, text: str) -> None:
        assert self.say(stage, text, 1, user=1) == NOT_ADMIN
        assert all_subscriptions(stage.installation.database) == []

    def test_what_cannot_be_read_gets_an_example(self, stage: Stage) -> None:
        said = self.say(stage, "subscribe hourly", 1)
        assert said.startswith("I could not read “hourly”.")
        assert "/claudecost subscribe weekdays 09:00 Europe/Paris" in said


class TestHome:
    @pytest.fixture(autouse=True)
    def usage(self, stage: Stage) -> None:
        list(stage.installation.importer().import_path(MAIN_FILE, NOW))

    def home(self, stage: Stage, user: str) -> dict[str, Any]:
        send_event(stage.app_url, {"type": "app_home_opened", "user": user, "tab": "home", "channel": "D1"})
        deadline = clock.monotonic() + 5
        while user not in stage.workspace.homes and clock.monotonic() < deadline:
            clock.sleep(0.01)
        view: dict[str, Any] = stage.workspace.homes[user]
        assert view["type"] == "home"
        assert len(view["blocks"]) <= 100
        for block in view["blocks"]:
            parsed = SlackBlock.parse(block)
            assert parsed is not None
            parsed.validate_json()
        return view

    def test_everybody_sees_their_own_and_admins_the_installation(self, stage: Stage) -> None:
        own = json.dumps(self.home(stage, "U001"))
        assert "Your Claude Code spend" in own
        assert "For admins" not in own
        admin = json.dumps(self.home(stage, ADMIN))
        assert "For admins" in admin
        assert "last import: claude_code_analytics_api" in admin
        assert "Unassigned, 1 name" in admin

    def press(self, stage: Stage, user: str, **action: str) -> dict[str, Any]:
        """Press something of the Home tab; the tab that is published then."""
        stage.workspace.homes.pop(user, None)
        press_at_home(stage, user, **action)
        wait_for(lambda: user in stage.workspace.homes)
        return stage.workspace.homes[user]

    @pytest.mark.parametrize(("user", "is_done"), [(ADMIN, True), ("U001", False)])
    def test_an_admin_says_whose_a_name_is(self, stage: Stage, user: str, is_done: bool) -> None:
        view = self.home(stage, ADMIN)
        (row,) = [block for block in view["blocks"] if str(block.get("block_id", "")).startswith("assign|")]
        picker = row["accessory"]
        self.press(
            stage,
            user,
            type=picker["type"],
            action_id=picker["action_id"],
            block_id=row["block_id"],
            selected_user="U001",
        )
        assert (unassigned(stage.installation.database, date(2026, 1, 1)) == []) is is_done

    def test_who_cannot_be_seen_is_said_to_be(self, stage: Stage) -> None:
        self.press(
            stage,
            ADMIN,
            type="users_select",
            action_id="home_assign",
            block_id="assign|api_key|ci",
            selected_user="UNONE",
        )
        (view,) = stage.workspace.views
        assert "Nobody of this workspace whose e-mail address I can see" in json.dumps(view)

    def test_the_end_of_a_mute_brings_what_is_owed(self, stage: Stage) -> None:
        database = stage.installation.database
        person = person_by_email(database, "ada@example.com")
        assert person is not None
        set_wishes(database, person.id, muted_until=date(2026, 12, 1))
        store(database, used(opus_for(40), day=date(2026, 11, 20), actor=Actor("email", "ada@example.com")))
        stage.installation.jobs.sender.send_due(NOW)
        assert "D001" not in stage.workspace.messages
        self.press(stage, "U001", type="button", block_id="b", action_id="home_unmute", value="-")
        stage.installation.jobs.sender.send_due(NOW + timedelta(minutes=1))
        assert any("$40.00" in message["text"] for message in stage.workspace.messages["D001"])

    @pytest.mark.parametrize(("user", "is_done"), [(ADMIN, True), ("U001", False)])
    def test_an_admin_sends_again(self, stage: Stage, user: str, is_done: bool) -> None:
        database = stage.installation.database
        owe_digest(database, "CGONE", date(2026, 11, 19), NOW)
        stage.installation.jobs.sender.send_due(NOW)
        view = self.home(stage, ADMIN)
        (row,) = [block for block in view["blocks"] if block.get("accessory", {}).get("action_id") == "send_again"]
        assert "channel_not_found" in row["text"]["text"]
        stage.workspace.channels["CGONE"] = "back again"
        self.press(stage, user, type="button", block_id="b", action_id="send_again", value=row["accessory"]["value"])
        stage.installation.jobs.sender.send_due(NOW)
        assert bool(stage.workspace.messages.get("CGONE")) is is_done

    def test_a_limit_can_be_changed_from_there(self, stage: Stage) -> None:
        view = self.home(stage, "U001")
        (row,) = [block for block in view["blocks"] if block["type"] == "actions"]
        press_at_home(stage, "U001", **{k: row["elements"][0][k] for k in ("action_id", "value")})
        assert [opened["callback_id"] for opened in stage.workspace.views] == ["alert_limit"]


def test_an_answer_is_shared_with_the_channel(stage: Stage) -> None:
    answer = ask(stage, "500k in 80k out opus")
    (row,) = [block for block in answer["blocks"] if block["type"] == "actions"]
    assert row["elements"][0]["text"]["text"] == "Share here"
    press(stage, row["elements"][0]["action_id"], row["elements"][0]["value"])
    wait_for(lambda: bool(stage.workspace.messages.get(CHANNEL)))
    (shared,) = stage.workspace.messages[CHANNEL]
    assert shared["text"].startswith("$3.60 on Claude Opus 5.5")
    assert [block["type"] for block in shared["blocks"]].count("actions") == 0
