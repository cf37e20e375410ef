"""The real app over signed HTTP: acknowledged at once, refused when forged, and never silent."""

import json
import re
import threading
import time
import urllib.error
import urllib.request
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from bot.ledger import Ledger
from bot.playground.demo import ADMIN, CHANNEL, NOW, Stage
from bot.playground.dispatch import send_command, send_event, send_interaction, signed_headers
from bot.playground.generate_export import MAIN_FILE
from bot.slack.access import NOT_ADMIN, NOT_TEAM
from bot.slack.listeners import commands
from bot.store.database import Database, connect
from bot.store.identity import unassigned
from bot.store.subscriptions import all_subscriptions
from bot.store.teams import all_teams, set_team
from tests.ports import free_port
from tests.usage import crowded_team


def ask(stage: Stage, text: str, number: int = 0) -> Any:
    """Send the command as one of the team; returns the acknowledgement's JSON, or None if it is empty."""
    user = stage.workspace.users[number]
    url = f"{stage.slack_url}/respond/{user.id}/{CHANNEL}"
    answer = send_command(stage.app_url, user, CHANNEL, text, url)
    return json.loads(answer) if answer else None


def whispered(stage: Stage, count: int = 1) -> list[dict[str, Any]]:
    """What came by response_url, once there are ``count`` messages."""
    deadline = time.monotonic() + 5
    while len(stage.workspace.ephemeral) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    return stage.workspace.ephemeral


def status_of(stage: Stage, body: str, headers: dict[str, str]) -> int:
    request = urllib.request.Request(stage.app_url, data=body.encode(), headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


BODY = urlencode({"command": "/claudecost", "text": "5k in", "user_id": "U001", "team_id": "T", "channel_id": "C"})


def test_a_question_is_answered_in_the_acknowledgement(stage: Stage) -> None:
    answer = ask(stage, "500k in 80k out opus")
    assert answer["response_type"] == "ephemeral"
    assert answer["text"] == "$3.60 on Claude Opus 5.5 at list price of 2026-11-20"
    assert answer["blocks"]


def test_a_question_touches_neither_database_nor_slack(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(Database, "read", unreachable)
    monkeypatch.setattr(Database, "write", unreachable)
    assert ask(stage, "500k in 80k out opus")["text"].startswith("$3.60")
    assert ask(stage, "500k in 80k out opus")["text"].startswith("$3.60")
    assert stage.workspace.calls == []


def test_a_refusal_is_as_private_as_an_answer(stage: Stage) -> None:
    answer = ask(stage, "80z out")
    assert answer["response_type"] == "ephemeral"
    assert answer["text"].startswith("I could not read “80z”.")


@pytest.mark.parametrize("text", ["help", "HELP", "help everything there is"])
def test_help_lists_what_can_be_typed(stage: Stage, text: str) -> None:
    assert "/claudecost 500k in 80k out opus" in json.dumps(ask(stage, text))


def test_help_on_a_topic(stage: Stage) -> None:
    said = json.dumps(ask(stage, "help mute"))
    assert "/claudecost limit 20" in said
    assert "/claudecost article" not in said


class TestBareCommand:
    def test_own_numbers_and_buttons(self, stage: Stage) -> None:
        list(stage.installation.importer().import_path(MAIN_FILE, NOW))
        assert ask(stage, "") is None
        answer = whispered(stage)[0]
        assert (answer["user"], answer["response_type"]) == ("U001", "ephemeral")
        # Ada's 19 November of the bundled export, see "me"
        assert re.fullmatch(r"You spent \$\d+\.\d\d on Thu 19 Nov", answer["text"])
        (row,) = [block for block in answer["blocks"] if block["type"] == "actions"]
        assert [one["value"] for one in row["elements"]] == ["me", "calculator", "digest", "recommend", "help"]
        assert len({one["action_id"] for one in row["elements"]}) == 5

    def test_a_button_runs_its_command_for_whoever_presses_it(self, stage: Stage) -> None:
        list(stage.installation.importer().import_path(MAIN_FILE, NOW))
        press_run(stage, "U003", "me")
        press_run(stage, "U003", "500k in 80k out opus")
        first, second = whispered(stage, 2)
        assert first["user"] == second["user"] == "U003"
        assert sorted(said["text"][:9] for said in (first, second)) == ["$3.60 on ", "You spent"]

    def test_a_misspelt_command_can_be_run(self, stage: Stage) -> None:
        answer = ask(stage, "recomend team")
        (row,) = [block for block in answer["blocks"] if block["type"] == "actions"]
        assert row["elements"][0]["value"] == "recommend team"


def press_run(stage: Stage, user: str, words: str) -> None:
    payload = {
        "type": "block_actions",
        "user": {"id": user},
        "channel": {"id": CHANNEL},
        "trigger_id": "1.2.3",
        "response_url": f"{stage.slack_url}/respond/{user}/{CHANNEL}",
        "actions": [{"type": "button", "block_id": "b", "action_id": "run_0", "value": words}],
    }
    send_interaction(stage.app_url, payload)


class TestMentionsAndMessages:
    @pytest.mark.parametrize("text", ["<@U0BOT> 500k in 80k out opus", "<@U0BOT|claudecost>  500k in 80k out opus "])
    def test_a_mention_is_answered_to_its_author(self, stage: Stage, text: str) -> None:
        send_event(stage.app_url, {"type": "app_mention", "user": "U003", "channel": CHANNEL, "text": text, "ts": "1"})
        answer = whispered(stage)[0]
        assert (answer["user"], answer["channel"]) == ("U003", CHANNEL)
        assert answer["text"].startswith("$3.60 on Claude Opus 5.5")

    def test_the_bot_s_own_mention_is_no_part_of_the_question_wherever_it_stands(self, stage: Stage) -> None:
        list(stage.installation.importer().import_path(MAIN_FILE, NOW))
        event = {"type": "app_mention", "user": ADMIN, "channel": CHANNEL, "ts": "1", "thread_ts": "0.5"}
        text = "link ci-nightly <@U002> <@U0BOT>"
        send_event(stage.app_url, event | {"text": text}, authorizations=[{"user_id": "U0BOT", "is_bot": True}])
        answer = whispered(stage)[0]
        assert answer["text"] == "ci-nightly is bilal@example.com from now on, with all its history."
        assert answer["thread_ts"] == "0.5"

    def test_an_event_that_comes_again_is_answered_once(self, stage: Stage) -> None:
        event = {"type": "app_mention", "user": "U003", "channel": CHANNEL, "text": "<@U0BOT> 5k in", "ts": "1"}
        for _ in range(3):
            send_event(stage.app_url, event, event_id="Ev7")
        send_event(stage.app_url, event, event_id="Ev8")
        whispered(stage, 2)
        time.sleep(0.1)
        assert len(stage.workspace.ephemeral) == 2

    def test_a_message_to_the_bot(self, stage: Stage) -> None:
        list(stage.installation.importer().import_path(MAIN_FILE, NOW))
        for text in ("me", "500k in 80k out opus"):
            event = {
                "type": "message",
                "channel_type": "im",
                "user": "U003",
                "channel": "D003",
                "text": text,
                "ts": "1",
            }
            send_event(stage.app_url, event)
        deadline = time.monotonic() + 5
        while len(stage.workspace.messages.get("D003", [])) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        said = sorted(message["text"][:9] for message in stage.workspace.messages["D003"])
        assert said == ["$3.60 on ", "You spent"]

    @pytest.mark.parametrize("more", [{"bot_id": "B0BOT"}, {"subtype": "message_changed"}, {"channel_type": "channel"}])
    def test_the_bot_does_not_talk_to_itself_or_in_channels(self, stage: Stage, more: dict[str, str]) -> None:
        event = {"type": "message", "channel_type": "im", "user": "U003", "channel": "D003", "text": "5k in", "ts": "1"}
        send_event(stage.app_url, event | more)
        send_event(stage.app_url, event | {"text": "7k in"})
        deadline = time.monotonic() + 5
        while not stage.workspace.messages.get("D003") and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        assert len(stage.workspace.messages["D003"]) == 1


class TestMoreCommands:
    @pytest.fixture(autouse=True)
    def usage(self, stage: Stage) -> None:
        list(stage.installation.importer().import_path(MAIN_FILE, NOW))

    def said(self, stage: Stage, text: str, user: int = 0, count: int = 1) -> dict[str, Any]:
        ask(stage, text, user)
        return whispered(stage, count)[count - 1]

    def test_own_usage_on_other_models(self, stage: Stage) -> None:
        answer = self.said(stage, "compare")
        assert answer["text"].startswith("Your last 30 days at list prices: $")
        assert "all on Opus 5.5: $" in json.dumps(answer["blocks"])
        assert self.said(stage, "compare 500k in 80k out opus", 0, 2)["text"].startswith("$3.60")

    def test_where_a_figure_comes_from(self, stage: Stage) -> None:
        answer = self.said(stage, "explain 2026-11-19")
        assert answer["text"].startswith("ada@example.com on Thu 19 Nov (UTC day): $")
        assert answer["text"].endswith("from claude_code_analytics_api")

    def test_a_look_at_another_s_day_is_for_admins_and_seen(self, stage: Stage) -> None:
        assert self.said(stage, "explain 2026-11-19 ada@example.com", 1)["text"].startswith("Only admins look at")
        assert self.said(stage, "explain 2026-11-19 <@U001|ada>", 13, 2)["text"].startswith("ada@example.com on Thu")
        own = self.said(stage, "me", 0, 3)
        assert "<@U014> looked at your figures of 2026-11-19 on Fri 20 Nov" in json.dumps(own["blocks"])

    def test_a_key_is_linked_by_an_admin(self, stage: Stage) -> None:
        (key,) = [entry.actor.name for entry in unassigned(stage.installation.database, date(2026, 1, 1))]
        assert self.said(stage, f"link {key} ada@example.com")["text"] == NOT_ADMIN
        said = self.said(stage, f"link {key} <@U001|ada>", 13, 2)["text"]
        assert said == f"{key} is ada@example.com from now on, with all its history."
        assert unassigned(stage.installation.database, date(2026, 1, 1)) == []
        assert self.said(stage, "link nothing", 13, 3)["text"].startswith("“nothing” is no name and person.")
        assert self.said(stage, "link nosuch ada@example.com", 13, 4)["text"].startswith("No export has named “nosuch”")

    def test_a_team_s_name_may_have_accents_and_any_case(self, stage: Stage) -> None:
        crowded_team(stage.installation.database, "Équipe", ["ada@example.com"])
        set_team(stage.installation.database, "équipe", [], budget_usd=Decimal(5))
        assert [team.name for team, _ in all_teams(stage.installation.database)] == ["Équipe"]
        ask(stage, "team ÉQUIPE", 13)
        assert whispered(stage)[0]["text"].startswith("Claude Code spend · Équipe · Thu 19 Nov")

    def test_a_team_of_two_keeps_what_each_of_them_spent(self, stage: Stage) -> None:
        set_team(stage.installation.database, "duo", ["ada@example.com", "bilal@example.com"], lead="U001")
        set_team(stage.installation.database, "solo", ["freya@example.com"], lead="U001")
        asked = ((0, "team"), (1, "team duo"), (0, "team solo"), (13, "team solo"), (13, "subscribe team duo"))
        for number, (user, text) in enumerate(asked, start=1):
            ask(stage, text, user)
            assert whispered(stage, number)[number - 1]["text"].startswith(
                "A team of fewer than 3 people has no figures"
            )
        assert all_subscriptions(stage.installation.database) == []

    def test_who_cannot_tell_them_apart_sees_a_small_team(self, stage: Stage) -> None:
        set_team(stage.installation.database, "duo", ["ada@example.com", "bilal@example.com"])
        set_team(stage.installation.database, "solo", ["freya@example.com"])
        for number, (user, text) in enumerate(((13, "team duo"), (5, "team")), start=1):
            ask(stage, text, user)
            assert whispered(stage, number)[number - 1]["text"].startswith("Claude Code spend")

    def test_a_team_of_one_gets_no_recommendation(self, stage: Stage) -> None:
        set_team(stage.installation.database, "solo", ["freya@example.com"], lead="U001")
        ask(stage, "recommend team solo")
        assert whispered(stage)[0]["text"].startswith("A team of one person has no recommendation of its own")

    def test_a_limit_of_one_s_own_is_taken_back(self, stage: Stage) -> None:
        for number, text in enumerate(("limit 50", "limit usual", "me"), start=1):
            ask(stage, text)
            said = json.dumps(whispered(stage, number)[number - 1])
        assert "your daily limit is $12.00" in said

    def test_a_team_is_seen_by_its_people_its_lead_and_admins(self, stage: Stage) -> None:
        crowded_team(stage.installation.database, "core", ["ada@example.com"], lead="U002")
        for number, (user, text, expected) in enumerate(
            [
                (0, "team", "Claude Code spend · core · Thu 19 Nov"),
                (1, "team core", "Claude Code spend · core · Thu 19 Nov"),
                (13, "team core", "Claude Code spend · core · Thu 19 Nov"),
                (2, "team core", NOT_TEAM),
                (2, "team nosuch", NOT_TEAM),
                (13, "team nosuch", "No team is called “nosuch”."),
                (2, "team", "You are in no team"),
            ],
            start=1,
        ):
            assert self.said(stage, text, user, number)["text"].startswith(expected)


def test_own_spend_is_acknowledged_before_the_database_answers(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    list(stage.installation.importer().import_path(MAIN_FILE, NOW))
    may_answer = threading.Event()
    real = Ledger.own_spend

    def slow(*args: Any) -> Any:
        assert may_answer.wait(10)
        return real(*args)

    monkeypatch.setattr(Ledger, "own_spend", slow)
    assert ask(stage, "me") is None  # acknowledged while the database still works
    assert stage.workspace.ephemeral == []
    may_answer.set()
    answer = whispered(stage)[0]
    assert (answer["user"], answer["response_type"]) == ("U001", "ephemeral")
    assert answer["text"].startswith("You spent $")
    assert answer["text"].endswith("on Thu 19 Nov, your newest day with usage")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("me today", "No usage of yours is known today so far"),
        # Ada's days in tests/data of 14 to 19 November: see the bundled export
        ("me week", "in the last 7 days"),
        ("me this month", "in November"),
    ],
)
def test_own_spend_of_a_period(stage: Stage, text: str, said: str) -> None:
    list(stage.installation.importer().import_path(MAIN_FILE, NOW))
    assert ask(stage, text) is None
    answer = whispered(stage)[0]
    assert answer["text"].endswith(said)
    with stage.installation.database.read() as connection:
        since = {"me today": 20261120, "me week": 20261114, "me this month": 20261101}[text]
        total = connection.built.exec_driver_sql(
            "SELECT COALESCE(SUM(usd), 0) FROM person_days JOIN people ON people.id = person_days.person_id "
            f"WHERE email = 'ada@example.com' AND day >= {since}"
        ).scalar_one()
    cents = (Decimal(int(total)) / 10**9).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert f"${cents}" in answer["text"] or not total


def test_a_misspelt_command_gets_the_nearest(stage: Stage) -> None:
    assert ask(stage, "recomend team")["text"].startswith("“recomend” is no command. Did you mean “recommend”?")
    assert "Try: /claudecost recommend team" in ask(stage, "recomend team")["text"]


def test_nobody_sees_anothers_spend(stage: Stage) -> None:
    list(stage.installation.importer().import_path(MAIN_FILE, NOW))
    for number in (0, 5):
        ask(stage, "me", number)
    ada, freya = sorted(whispered(stage, 2), key=lambda message: str(message["user"]))
    assert ada["text"] != freya["text"]
    assert "29.18" in freya["text"]
    assert "29.18" not in json.dumps(ada)
    ask(stage, "me freya@example.com", 0)
    assert whispered(stage, 3)[2]["text"].startswith("“freya@example.com” is no time that I can add up")


def test_a_stranger_hears_that_nothing_is_known(stage: Stage) -> None:
    ask(stage, "me")
    assert whispered(stage)[0]["text"] == "I have no usage for ada@example.com."


def test_the_digest_can_be_read_by_one_person_alone(stage: Stage) -> None:
    list(stage.installation.importer().import_path(MAIN_FILE, NOW))
    assert ask(stage, "digest") is None
    answer = whispered(stage)[0]
    assert answer["response_type"] == "ephemeral"
    assert answer["text"].startswith("Claude Code spend · Thu 19 Nov (UTC day): $100.11 across 13 people")
    assert stage.workspace.messages == {}


class TestForgery:
    def test_a_right_signature_passes(self, stage: Stage) -> None:
        assert status_of(stage, BODY, signed_headers(BODY, int(time.time()))) == 200

    def test_a_wrong_secret(self, stage: Stage) -> None:
        assert status_of(stage, BODY, signed_headers(BODY, int(time.time()), "another-secret-0123456789")) == 401

    def test_a_changed_body(self, stage: Stage) -> None:
        assert status_of(stage, BODY + "0", signed_headers(BODY, int(time.time()))) == 401

    @pytest.mark.parametrize("age", [301, -310])  # some seconds may pass on the way
    def test_a_stale_or_future_timestamp(self, stage: Stage, age: int) -> None:
        assert status_of(stage, BODY, signed_headers(BODY, int(time.time()) - age)) == 401

    @pytest.mark.parametrize(
        "changed",
        [
            {"x-slack-signature": ""},
            {"x-slack-signature": "v0=ümlaut"},
            {"x-slack-request-timestamp": "soon"},
            {"x-slack-request-timestamp": "-1"},
            {"x-slack-request-timestamp": ""},
            {"x-slack-request-timestamp": "1" * 400},
        ],
    )
    def test_odd_headers(self, stage: Stage, changed: dict[str, str]) -> None:
        headers = signed_headers(BODY, int(time.time())) | changed
        latin = {name: value.encode().decode("latin-1") for name, value in headers.items()}
        assert status_of(stage, BODY, latin) == 401

    @pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/json"])
    def test_bodies_that_slack_never_sends(self, stage: Stage, content_type: str) -> None:
        headers = signed_headers("{nojson", int(time.time())) | {"content-type": content_type}
        assert status_of(stage, "{nojson", headers) in (400, 404)
        request = urllib.request.Request(stage.app_url, data=b"\xff\xfe", headers=headers)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(request, timeout=5)

    def test_no_signature_at_all(self, stage: Stage) -> None:
        assert status_of(stage, BODY, {}) == 401

    def test_a_huge_body(self, stage: Stage) -> None:
        assert status_of(stage, "x" * 1_000_001, signed_headers("x", int(time.time()))) == 413

    def test_other_paths_and_health(self, stage: Stage) -> None:
        base = stage.app_url.removesuffix("/slack/events")
        with urllib.request.urlopen(f"{base}/healthz", timeout=5) as answer:
            assert (answer.status, answer.read()) == (200, b"ok")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{base}/", timeout=5)


class TestFailures:
    def test_a_listener_that_raises_in_the_acknowledgement(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("boom")

        monkeypatch.setattr(commands, "ask", broken)
        answer = ask(stage, "500k in")
        assert answer["response_type"] == "ephemeral"
        assert answer["text"].startswith("Something went wrong on my side, and nothing was changed.")
        reference = answer["text"].rstrip(".").split()[-1]
        assert f"reference {reference}" in caplog.text
        assert "boom" in caplog.text
        assert "boom" not in json.dumps(answer)

    @pytest.mark.parametrize("text", ["me", "digest"])
    def test_a_listener_that_raises_after_it(
        self, stage: Stage, text: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("boom")

        monkeypatch.setattr(Ledger, "own_spend", broken)
        monkeypatch.setattr(Ledger, "digest", broken)
        assert ask(stage, text) is None
        answer = whispered(stage)[0]
        assert answer["text"].startswith("Something went wrong on my side, and nothing was changed.")
        assert "boom" in caplog.text

    def test_a_database_that_does_not_answer(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        gone = connect(f"postgresql://nobody@127.0.0.1:{free_port()}/none")

        def asking(*_: object) -> None:
            with gone.connections.transaction():
                pass

        monkeypatch.setattr(Ledger, "own_spend", asking)
        assert ask(stage, "me") is None
        answer = whispered(stage)[0]
        assert answer["text"].startswith("My database does not answer, so nothing was changed. Try again in a minute;")
        reference = answer["text"].rstrip(".").split()[-1]
        (logged,) = [record for record in caplog.records if reference in record.getMessage()]
        assert logged.exc_info is None
        assert "refused" in logged.getMessage()
