"""Each message reaches Slack once, whatever happens to answers and processes, on both databases."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.error import URLError
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from slack_sdk.errors import SlackApiError

from bot.app import Installation
from bot.playground.demo import CHANNEL, NOW, team_workspace
from bot.playground.server import served
from bot.playground.web_api import create_web_api
from bot.playground.workspace import BOT_TOKEN, Fault, Workspace
from bot.pricing import TokenUsage
from bot.settings import Settings, settings_of
from bot.slack.delivery import Sender
from bot.slack.errors import Meaning, classify
from bot.spend.digest import DigestFacts
from bot.spend.records import Actor
from bot.store.alerting import AlertPolicy
from bot.store.deliveries import Delivery, Told, all_deliveries, claim, owe_digest, reopen, start_sending
from bot.store.people import person_by_id
from bot.store.subscriptions import WORKDAYS, Subscription, subscribe, unsubscribe
from tests.usage import DAY, opus_for, store, used


def settings(database_url: str, slack_url: str, **more: Any) -> Settings:
    return settings_of(
        {
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_API_URL": f"{slack_url}/api/",
            "DATABASE_URL": database_url,
            "CLAUDECOST_TIMEZONE": "Europe/Paris",
            "CLAUDECOST_DIGEST_CHANNEL": CHANNEL,
            **more,
        }
    )


@pytest.fixture
def workspace() -> Workspace:
    return team_workspace()


@pytest.fixture
def bot(database_url: str, workspace: Workspace) -> Iterator[Installation]:
    with served(create_web_api(workspace)) as url:
        installation = Installation(settings(database_url, url), clock=lambda: NOW)
        yield installation
        installation.database.close()


def states(installation: Installation) -> list[tuple[str, str]]:
    return [(delivery.key, delivery.state) for delivery in all_deliveries(installation.database)]


def only(installation: Installation) -> Delivery:
    (delivery,) = all_deliveries(installation.database)
    return delivery


DIGEST = f"digest:{CHANNEL}:2026-11-19"


class TestDigest:
    def test_it_is_posted_once_however_often_the_turn_comes(self, bot: Installation, workspace: Workspace) -> None:
        for minutes in (-1, 0, 1, 600):
            bot.jobs.tick(NOW + timedelta(minutes=minutes))
        assert len(workspace.messages[CHANNEL]) == 1
        assert states(bot) == [(DIGEST, "sent")]

    def test_it_carries_text_blocks_and_its_key(self, bot: Installation, workspace: Workspace) -> None:
        bot.jobs.tick(NOW)
        (message,) = workspace.messages[CHANNEL]
        assert message["text"].startswith("Claude Code spend · Thu 19 Nov")
        assert message["blocks"][0]["type"] == "header"
        assert message["metadata"] == {"event_type": "claudecost_delivery", "event_payload": {"key": DIGEST}}
        assert only(bot).ts == message["ts"]

    def test_the_next_day_gets_its_own(self, bot: Installation, workspace: Workspace) -> None:
        bot.jobs.tick(NOW)
        for days in (1, 2, 3):
            bot.jobs.tick(NOW + timedelta(days=days))
        # On Monday the 23rd comes what Friday to Sunday were; the weekend itself has none.
        assert [key for key, _ in states(bot)] == [DIGEST, f"digest:{CHANNEL}:2026-11-22"]
        assert [one["text"] for one in workspace.messages[CHANNEL]][1].startswith(
            "Claude Code spend · Fri 20 Nov to Sun 22 Nov"
        )

    def test_what_the_channel_asks_for_goes_before_what_the_settings_do(
        self, bot: Installation, workspace: Workspace
    ) -> None:
        """The settings say 09:00; at 08:00 the channel asks for 17:00, and on Monday at noon for no digest."""
        early, paris = NOW - timedelta(hours=1), ZoneInfo("Europe/Paris")
        subscribe(bot.database, Subscription(CHANNEL, time(17), paris, WORKDAYS), early)
        told: list[str] = []
        for hours in range(24 * 5):
            if hours == 76:
                unsubscribe(bot.database, CHANNEL)
            bot.jobs.tick(early + timedelta(hours=hours))
            if len(workspace.messages.get(CHANNEL, [])) > len(told):
                told.append(f"{(early + timedelta(hours=hours)).astimezone(paris):%a %H:%M}")
        # Friday at 17:00; on Monday at noon the settings hold again, which said 09:00; then as they say.
        assert told == ["Fri 17:00", "Mon 12:00", "Tue 09:00"]

    def test_other_weekdays_do_not_tell_again_what_was_told(self, bot: Installation, workspace: Workspace) -> None:
        every = Subscription(CHANNEL, time(9), ZoneInfo("Europe/Paris"))
        monday = NOW + timedelta(days=3)
        subscribe(bot.database, every, NOW - timedelta(days=1))
        for hours in range(24 * 3 + 1):
            bot.jobs.tick(NOW + timedelta(hours=hours))
        assert len(workspace.messages[CHANNEL]) == 4  # of Thursday to Sunday
        for weekdays in (WORKDAYS, frozenset({1}), every.weekdays):
            subscribe(bot.database, every._replace(weekdays=weekdays), monday)
            bot.jobs.tick(monday + timedelta(hours=1))
        assert len(workspace.messages[CHANNEL]) == 4


class TestAlert:
    def passes_the_limit(self, bot: Installation, email: str) -> None:
        policy = AlertPolicy(Decimal(12), NOW.date())
        store(bot.database, used(opus_for(13), actor=Actor("email", email)), policy=policy)

    def test_the_person_alone_is_told_and_once(self, bot: Installation, workspace: Workspace) -> None:
        self.passes_the_limit(bot, "ada@example.com")
        bot.jobs.sender.send_due(NOW)
        bot.jobs.sender.send_due(NOW)
        assert list(workspace.messages) == ["D001"]
        assert workspace.messages["D001"][0]["text"] == "You passed $12.00 on Thu 19 Nov: $13.00"
        assert workspace.called("users.lookupByEmail") == 1

    def test_who_is_not_in_slack_is_noted(self, bot: Installation, workspace: Workspace) -> None:
        self.passes_the_limit(bot, "elsewhere@example.com")
        bot.jobs.sender.send_due(NOW)
        assert only(bot).state == "failed"
        assert "users_not_found" in (only(bot).problem or "")
        assert workspace.messages == {}

    def test_what_was_restated_below_the_limit_is_not_told(self, bot: Installation, workspace: Workspace) -> None:
        policy = AlertPolicy(Decimal(12), NOW.date())
        ada = Actor("email", "ada@example.com")
        for usd, told in ((13, 0), (5, 0), (14, 1)):
            store(bot.database, used(opus_for(usd), actor=ada), policy=policy)
            if usd != 13:
                bot.jobs.sender.send_due(NOW)
            assert len(workspace.messages.get("D001", [])) == told
        assert workspace.messages["D001"][0]["text"].endswith("$14.00")

    def test_two_steps_before_one_turn_make_one_message(self, bot: Installation, workspace: Workspace) -> None:
        policy = AlertPolicy(Decimal(12), NOW.date())
        for usd in (13, 29):
            store(bot.database, used(opus_for(usd), actor=Actor("email", "ada@example.com")), policy=policy)
        bot.jobs.sender.send_due(NOW)
        (message,) = workspace.messages["D001"]
        assert message["text"] == "You passed $24.00 (2 times your limit) on Thu 19 Nov: $29.00"

    def test_a_higher_step_that_is_not_reached_any_more_does_not_hide_the_lower(
        self, bot: Installation, workspace: Workspace
    ) -> None:
        policy = AlertPolicy(Decimal(12), NOW.date())
        for usd in (13, 29, 14):
            store(bot.database, used(opus_for(usd), actor=Actor("email", "ada@example.com")), policy=policy)
        bot.jobs.sender.send_due(NOW)
        (message,) = workspace.messages["D001"]
        assert message["text"] == "You passed $12.00 on Thu 19 Nov: $14.00"

    def test_an_old_one_is_not_sent_any_more(self, bot: Installation, workspace: Workspace) -> None:
        self.passes_the_limit(bot, "ada@example.com")
        bot.jobs.sender.send_due(NOW + timedelta(days=1))
        assert only(bot).state == "expired"
        assert workspace.messages == {}


def error(code: str, status: int = 200) -> dict[str, Any]:
    return {"method": "chat.postMessage", "status": status, "body": {"ok": False, "error": code}}


class TestOutage:
    def test_only_the_newest_digest_comes_after_it(self, bot: Installation, workspace: Workspace) -> None:
        workspace.faults.extend(Fault(**error("token_revoked"), keeps=False) for _ in range(4 * 24))
        for hours in range(4 * 24):
            bot.jobs.tick(NOW + timedelta(hours=hours))
        assert workspace.messages == {}
        workspace.faults.clear()
        for minutes in range(0, 60, 5):
            bot.jobs.tick(NOW + timedelta(days=4, hours=2, minutes=minutes))
        keys = [message["metadata"]["event_payload"]["key"] for message in workspace.messages[CHANNEL]]
        assert keys == [f"digest:{CHANNEL}:2026-11-23"]
        assert {state for key, state in states(bot) if key not in keys} == {"expired"}

    def test_a_day_that_slack_may_have_is_told_by_the_next_if_it_has_not(
        self, bot: Installation, workspace: Workspace
    ) -> None:
        """Friday's digest ends in an error of which nobody knows what it did, and the app is off until Monday."""
        bot.jobs.tick(NOW - timedelta(days=1))
        lost = Fault("chat.postMessage", 500, keeps=False)
        workspace.faults.append(lost)
        bot.jobs.tick(NOW)
        assert len(workspace.messages[CHANNEL]) == 1
        for minutes in (0, 1):
            bot.jobs.tick(NOW + timedelta(days=3, minutes=minutes))
        assert [message["text"].split(" (")[0] for message in workspace.messages[CHANNEL]] == [
            "Claude Code spend · Wed 18 Nov",
            "Claude Code spend · Thu 19 Nov to Sun 22 Nov",
        ]

    @pytest.mark.parametrize(("weeks", "days"), [(3, "Fri 20 Nov to Thu 10 Dec"), (5, "Tue 24 Nov to Thu 24 Dec")])
    def test_after_weeks_up_to_a_month_is_caught_up(
        self, bot: Installation, workspace: Workspace, weeks: int, days: str
    ) -> None:
        bot.jobs.tick(NOW)
        bot.jobs.tick(NOW + timedelta(weeks=weeks))
        _, late = workspace.messages[CHANNEL]
        assert late["text"].startswith(f"Claude Code spend · {days}")

    def test_a_round_that_takes_longer_than_a_lease_gives_no_doubles(
        self, bot: Installation, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Slack takes 20 s for each message; another worker looks while the seventh is under way."""
        for number in range(8):
            owe_digest(bot.database, CHANNEL, DAY - timedelta(days=number), NOW)
        passed = 0.0
        monkeypatch.setattr("bot.slack.delivery.time.monotonic", lambda: passed)
        other = Sender(bot.database, bot.posting, bot.reading, bot.jobs.sender.compose)
        real = bot.posting.chat_postMessage

        def slow_post(**fields: Any) -> Any:
            nonlocal passed
            passed += 20
            if passed == 140:
                at = NOW + timedelta(seconds=passed)
                assert claim(bot.database, "another", at) is not None  # the eighth, not the seventh
            return real(**fields)

        monkeypatch.setattr(bot.posting, "chat_postMessage", slow_post)
        bot.jobs.sender.send_due(NOW)
        assert other.send_due(NOW + timedelta(seconds=passed)) == 0
        keys = [message["metadata"]["event_payload"]["key"] for message in workspace.messages[CHANNEL]]
        assert len(keys) == len(set(keys)) == 7

    def test_what_slack_may_have_is_looked_for_even_after_its_time(
        self, bot: Installation, workspace: Workspace
    ) -> None:
        workspace.faults.append(Fault("chat.postMessage", 500, keeps=True))
        evening = NOW.replace(hour=23, minute=59, second=50)
        bot.jobs.tick(evening)
        bot.jobs.sender.send_due(evening + timedelta(minutes=2))
        assert states(bot) == [(DIGEST, "sent")]
        assert len(workspace.messages[CHANNEL]) == 1

    def test_asking_by_hand_lifts_the_time_limit(self, bot: Installation, workspace: Workspace) -> None:
        owe_digest(bot.database, CHANNEL, DAY, NOW, expires_at=NOW)
        reopen(bot.database, DIGEST, NOW)
        bot.jobs.sender.send_due(NOW + timedelta(hours=1))
        assert states(bot) == [(DIGEST, "sent")]


class TestFaults:
    """A fault strikes the first post; then the turn comes again and again for a day."""

    @pytest.mark.parametrize(
        "fault",
        [
            Fault("chat.postMessage", 429, keeps=False, headers={"retry-after": "30"}),
            Fault("chat.postMessage", 0, keeps=True),
            Fault("chat.postMessage", 0, keeps=False),
            Fault("chat.postMessage", 500, keeps=True),
            Fault("chat.postMessage", 503, keeps=False),
            Fault("chat.postMessage", 200, keeps=True, body="<html>a proxy's page</html>"),
            Fault(**error("internal_error"), keeps=True),
            Fault(**error("internal_error"), keeps=False),
            Fault(**error("ratelimited"), keeps=False),
            Fault(**error("invalid_auth"), keeps=False),
            Fault("chat.postMessage", 200, keeps=True, body=[]),
            Fault("chat.postMessage", 200, keeps=False, body=["?"]),
            Fault("chat.postMessage", 200, keeps=True, body={"ok": True}),
        ],
        ids=str,
    )
    def test_the_digest_arrives_exactly_once(self, bot: Installation, workspace: Workspace, fault: Fault) -> None:
        workspace.faults.append(fault)
        for minutes in range(0, 60, 2):
            bot.jobs.tick(NOW + timedelta(minutes=minutes))
        assert len(workspace.messages[CHANNEL]) == 1
        assert states(bot) == [(DIGEST, "sent")]

    @pytest.mark.parametrize("body", [[], ["?"], {"ok": True}])
    @pytest.mark.parametrize("method", ["conversations.open", "users.lookupByEmail"])
    def test_an_odd_answer_about_one_person_keeps_no_channel_waiting(
        self, bot: Installation, workspace: Workspace, method: str, body: Any
    ) -> None:
        store(bot.database, used(opus_for(20), DAY, Actor("email", "ada@example.com")))
        workspace.faults.append(Fault(method, 200, keeps=False, body=body))
        bot.jobs.tick(NOW)
        assert len(workspace.messages[CHANNEL]) == 1
        assert "D001" not in workspace.messages
        bot.jobs.tick(NOW + timedelta(minutes=5))
        assert len(workspace.messages["D001"]) == 1

    def test_a_time_to_wait_that_is_absurd_is_a_day(self, bot: Installation, workspace: Workspace) -> None:
        workspace.faults.append(Fault("chat.postMessage", 429, keeps=False, headers={"retry-after": "9" * 14}))
        bot.jobs.tick(NOW)
        bot.jobs.tick(NOW + timedelta(hours=23))
        assert workspace.called("chat.postMessage") == 1

    def test_slack_is_not_asked_before_the_time_it_named(self, bot: Installation, workspace: Workspace) -> None:
        workspace.faults.append(Fault("chat.postMessage", 429, keeps=False, headers={"retry-after": "30"}))
        bot.jobs.tick(NOW)
        bot.jobs.tick(NOW + timedelta(seconds=30))
        assert workspace.called("chat.postMessage") == 1
        bot.jobs.tick(NOW + timedelta(seconds=31))
        assert workspace.called("chat.postMessage") == 2

    @pytest.mark.parametrize(
        ("code", "state"),
        [("channel_not_found", "failed"), ("is_archived", "failed"), ("some_new_error", "held")],
    )
    def test_what_cannot_work_is_not_tried_again(
        self, bot: Installation, workspace: Workspace, code: str, state: str
    ) -> None:
        workspace.faults.append(Fault(**error(code), keeps=False))
        for minutes in range(0, 60, 2):
            bot.jobs.tick(NOW + timedelta(minutes=minutes))
        assert (only(bot).state, workspace.called("chat.postMessage")) == (state, 1)
        assert code in (only(bot).problem or "")

    def test_refused_blocks_are_replaced_by_plain_text(self, bot: Installation, workspace: Workspace) -> None:
        workspace.faults.append(Fault(**error("invalid_blocks"), keeps=False))
        bot.jobs.tick(NOW)
        (message,) = workspace.messages[CHANNEL]
        assert "blocks" not in message
        assert message["text"].startswith("Claude Code spend")

    def test_an_uncertain_post_is_held_where_the_channel_cannot_be_read(
        self, bot: Installation, workspace: Workspace
    ) -> None:
        workspace.faults.append(Fault("chat.postMessage", 500, keeps=True))
        workspace.faults.append(
            Fault("conversations.history", 200, keeps=False, body={"ok": False, "error": "missing_scope"})
        )
        for minutes in range(0, 60, 2):
            bot.jobs.tick(NOW + timedelta(minutes=minutes))
        assert only(bot).state == "held"
        assert len(workspace.messages[CHANNEL]) == 1


def test_a_message_that_cannot_be_made_does_not_keep_the_others_back(
    bot: Installation, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = bot.ledger.digest

    def broken_for_one_day(day: date, now: datetime | None = None, **more: Any) -> DigestFacts:
        if day == DAY:
            raise RuntimeError("boom")
        return real(day, now, **more)

    monkeypatch.setattr(bot.ledger, "digest", broken_for_one_day)
    for day in (DAY, DAY - timedelta(days=1)):
        owe_digest(bot.database, CHANNEL, day, NOW)
    bot.jobs.sender.send_due(NOW)
    assert [state for _, state in states(bot)] == ["due", "sent"]
    monkeypatch.undo()
    bot.jobs.sender.send_due(NOW + timedelta(seconds=15))
    assert [state for _, state in states(bot)] == ["sent", "sent"]


class TestClaims:
    def test_a_claimed_delivery_is_nobody_elses_until_the_lease_ends(self, bot: Installation) -> None:
        owe_digest(bot.database, CHANNEL, DAY, NOW)
        assert claim(bot.database, "one", NOW) is not None
        assert claim(bot.database, "two", NOW + timedelta(seconds=60)) is None
        assert claim(bot.database, "two", NOW + timedelta(seconds=61)) is not None

    def test_who_lost_the_lease_changes_nothing(self, bot: Installation) -> None:
        owe_digest(bot.database, CHANNEL, DAY, NOW)
        first = claim(bot.database, "one", NOW)
        second = claim(bot.database, "two", NOW + timedelta(seconds=61))
        assert first is not None
        assert second is not None
        assert not start_sending(bot.database, first, CHANNEL, {}, NOW, Told())
        assert start_sending(bot.database, second, CHANNEL, {}, NOW, Told())

    def test_many_workers_share_the_work_without_doubles(self, bot: Installation, workspace: Workspace) -> None:
        for number in range(30):
            owe_digest(bot.database, CHANNEL, DAY - timedelta(days=number), NOW)
        workers = [threading.Thread(target=bot.jobs.sender.send_due, args=(NOW,)) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        keys = [message["metadata"]["event_payload"]["key"] for message in workspace.messages[CHANNEL]]
        assert len(keys) == len(set(keys)) == 30


@contextmanager
def slack_that_never_answers_posts(workspace: Workspace) -> Iterator[tuple[str, threading.Event, threading.Event]]:
    """The stand-in, but each posted message is kept and its answer withheld until ``released``."""
    posted, released = threading.Event(), threading.Event()
    api = create_web_api(workspace)

    def withholding(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = api(environ, start_response)
        if environ["PATH_INFO"] == "/api/chat.postMessage" and not released.is_set():
            posted.set()
            released.wait(30)
        return body

    with served(withholding) as url:
        yield url, posted, released


def start_worker(database_url: str, slack_url: str) -> "subprocess.Popen[bytes]":
    environment = {
        "PATH": os.environ["PATH"],
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_API_URL": f"{slack_url}/api/",
        "DATABASE_URL": database_url,
        "CLAUDECOST_TIMEZONE": "UTC",
        "CLAUDECOST_DIGEST_CHANNEL": CHANNEL,
        "CLAUDECOST_DIGEST_TIME": "00:00",
        "CLAUDECOST_DIGEST_WEEKDAYS": "1234567",
    }
    command = [sys.executable, "-m", "bot", "worker"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_worker_killed_between_sent_and_marked_gives_no_second_digest(
    database_url: str, workspace: Workspace
) -> None:
    with slack_that_never_answers_posts(workspace) as (url, posted, released):
        first = start_worker(database_url, url)
        assert posted.wait(30)
        first.send_signal(signal.SIGKILL)
        first.communicate()
        released.set()
        installation = Installation(settings(database_url, url))
        assert only(installation).state == "sending"
        assert only(installation).ts is None
        # A worker started at once leaves it alone, as the dead one's lease still holds …
        second = start_worker(database_url, url)
        (said,) = [second.stderr.readline()] if second.stderr else [b""]
        assert b"signed in" in said
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=20)
        assert second.returncode == 0
        assert len(workspace.messages[CHANNEL]) == 1
        # … and one that looks after the lease finds the message in the channel.
        later = datetime.now().astimezone() + timedelta(seconds=90)
        installation.jobs.sender.send_due(later)
        assert only(installation).state == "sent"
        assert only(installation).ts == workspace.messages[CHANNEL][0]["ts"]
        assert len(workspace.messages[CHANNEL]) == 1
        installation.database.close()


def answered(status: int, data: Any, headers: dict[str, str] | None = None) -> SlackApiError:
    class Response(dict[str, Any]):
        status_code = status

    response = Response(data if isinstance(data, dict) else {})
    response.headers = headers or {}  # type: ignore[attr-defined]
    return SlackApiError("failed", response)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("codes", "meaning"),
    [
        (
            "ratelimited rate_limited message_limit_exceeded team_added_to_org org_login_required accesslimited",
            Meaning.RETRY,
        ),
        (
            "fatal_error internal_error service_unavailable request_timeout duplicate_message_not_found "
            "duplicate_channel_not_found",
            Meaning.UNCERTAIN,
        ),
        (
            "channel_not_found not_in_channel is_archived restricted_action restricted_action_read_only_channel "
            "ekm_access_denied no_permission team_access_not_granted user_not_found user_disabled user_not_visible "
            "cannot_dm_bot messages_tab_disabled invalid_user_combination method_not_supported_for_channel_type",
            Meaning.TARGET,
        ),
        (
            "invalid_auth not_authed account_inactive token_revoked token_expired missing_scope "
            "not_allowed_token_type access_denied enterprise_is_restricted two_factor_setup_required",
            Meaning.INSTALLATION,
        ),
        (
            "invalid_blocks invalid_blocks_format msg_blocks_too_long msg_too_long no_text too_many_attachments "
            "invalid_metadata_format metadata_too_large metadata_must_be_sent_from_app markdown_text_conflict "
            "invalid_arguments",
            Meaning.PAYLOAD,
        ),
        ("something_new", Meaning.UNKNOWN),
    ],
)
def test_what_slacks_errors_mean(codes: str, meaning: Meaning) -> None:
    for code in codes.split():
        assert classify(answered(200, {"ok": False, "error": code})).meaning is meaning, code


def test_what_other_failures_mean() -> None:
    limited = classify(answered(429, {}, {"Retry-After": "12"}))
    assert (limited.meaning, limited.retry_after) == (Meaning.RETRY, 12)
    assert classify(answered(502, {"error": "channel_not_found"})).meaning is Meaning.UNCERTAIN
    assert classify(answered(200, "<html>")).meaning is Meaning.UNCERTAIN
    refused = URLError(ConnectionRefusedError())
    assert classify(refused).meaning is Meaning.RETRY
    assert classify(TimeoutError()).meaning is Meaning.UNCERTAIN
    assert classify(ConnectionResetError()).meaning is Meaning.UNCERTAIN


def test_the_command_line_posts_a_digest_once(bot: Installation, workspace: Workspace, database_url: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_API_URL": bot.settings.slack_api_url,
        "DATABASE_URL": database_url,
    }
    command = [sys.executable, "-m", "bot", "digest", "--day", "2026-11-19", "--post"]
    for _ in range(2):
        done = subprocess.run([*command, CHANNEL], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert f"The digest of 2026-11-19 is in {CHANNEL}" in done.stderr
    assert len(workspace.messages[CHANNEL]) == 1
    for _ in range(2):
        workspace.faults.append(Fault(**error("not_in_channel"), keeps=False))
        done = subprocess.run([*command, "C0NOWHERE"], env=environment, capture_output=True, text=True)
        assert done.returncode == 2
        assert "not_in_channel" in done.stderr  # asked again, and refused again
    done = subprocess.run([*command, "C0NOWHERE"], env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "was not posted to C0NOWHERE: this channel or person cannot be reached (channel_not_found)" in done.stderr


def test_a_scope_that_look_ups_lack_keeps_no_channel_waiting(
    bot: Installation, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.slack.delivery.time.sleep", lambda _: None)
    people = [Actor("email", f"n{number}@example.com") for number in range(30)]
    store(bot.database, *(used(opus_for(20), DAY, one) for one in people))
    refused = {"ok": False, "error": "missing_scope"}
    workspace.faults += [Fault("users.lookupByEmail", 200, keeps=False, body=refused) for _ in people]
    bot.jobs.tick(NOW)
    assert len(workspace.messages[CHANNEL]) == 1
    waiting = [one for one in all_deliveries(bot.database) if one.kind == "alert"]
    assert {one.state for one in waiting} == {"due"}
    assert all("missing_scope" in (one.problem or "") for one in waiting)


def test_a_limit_or_a_price_that_was_changed_while_the_app_was_off_is_followed(
    bot: Installation, tmp_path: Path
) -> None:
    """Yesterday $11 of one person, and of another 4M tokens of a model that gets a price of $10: $40 are 2 x $12."""
    ada, bo = Actor("email", "ada@example.com"), Actor("email", "bo@example.com")
    store(bot.database, used(opus_for(11), DAY, ada), used(TokenUsage(4 * 10**6), DAY, bo, "claude-nobodys-1"))
    owed = [(one.target, one.step) for one in all_deliveries(bot.database) if one.kind == "alert"]
    assert owed == []
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[sources]\ncontract = "ours"\n'
        '[[models]]\nid = "claude-nobodys-1"\nname = "Nobodys 1"\nfamily = "nobodys"\nreleased = 2026-11-01\n'
        '[[models.prices]]\nfrom = 2026-11-01\ninput = "10"\noutput = "30"\ncache_read = "1"\n'
        'cache_write_5m = "12"\ncache_write_1h = "20"\nsource = "contract"\n',
        encoding="utf-8",
    )
    later = Installation(replace(bot.settings, prices=prices), clock=bot.clock)
    steps = [one.step for one in all_deliveries(later.database) if one.kind == "alert"]
    assert steps == [2]
    stricter = {"prices": prices, "limit_usd": Decimal(5)}
    later = Installation(replace(bot.settings, **stricter), clock=bot.clock)
    found = [(person_by_id(later.database, int(one.target)), one.step) for one in all_deliveries(later.database)]
    assert {(person.email, step) for person, step in found if person is not None} == {
        ("ada@example.com", 2),
        ("bo@example.com", 2),
        ("bo@example.com", 4),
    }
