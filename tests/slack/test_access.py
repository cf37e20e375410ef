"""Who may do what: every command, button and window × every kind of person, over signed HTTP."""

import json
import time
from datetime import UTC, date, datetime
from typing import Any

import pytest

from bot.playground.demo import ADMIN, CHANNEL, NOW, Stage
from bot.playground.dispatch import send_command, send_event, send_interaction
from bot.playground.generate_export import MAIN_FILE
from bot.playground.workspace import Fault, User
from bot.slack.access import NOT_ADMIN, NOT_LEAD, NOT_MEMBER, NOT_TEAM
from bot.spend.records import Actor
from bot.store.audit import note_look
from bot.store.deliveries import owe_digest
from bot.store.identity import unassigned
from bot.store.people import person_by_email
from bot.store.subscriptions import all_subscriptions
from bot.store.teams import set_team
from tests.usage import crowded_team, opus_for, store, used

KINDS = ("developer", "lead", "admin", "stranger", "deactivated", "bot", "unknown")
USER = {
    "developer": "U001",
    "lead": "U002",
    "admin": ADMIN,
    "stranger": "U0STRANGER",
    "deactivated": "U0GONE",
    "bot": "U0ROBOT",
    "unknown": "U0NOBODY",
}
OUTSIDE = ("stranger", "deactivated", "bot", "unknown")

NO_EMAIL = "I cannot see your e-mail address in Slack"
NO_USAGE = "I have no usage of yours to go by."
LOOKS = "Only admins look at another person's day"

MATRIX: dict[str, tuple[str | dict[str, str], str]] = {
    # command: (what those inside are told, what those outside are told); a dict where kinds inside differ
    "500k in 80k out opus": ("$3.60 on Claude Opus 5.5", "$3.60 on Claude Opus 5.5"),
    "help": ("Ask /claudecost 500k", "Ask /claudecost 500k"),
    "article": ("", ""),
    "plans": ("20 plans are known", "20 plans are known"),
    "": ("You spent $", "Ask what tokens cost"),
    "me": ("You spent $", NO_EMAIL),
    "me week": ("You spent $", NO_EMAIL),
    "compare": ("Your last 30 days", NO_EMAIL),
    "limit 30": ("Your limit is $30.00", NO_EMAIL),
    "mute 3d": ("Muted until", NO_EMAIL),
    "unmute": ("You hear of", NO_EMAIL),
    "quiet 21-7": ("Your alerts wait", NO_EMAIL),
    "recommend": ("", NO_USAGE),
    "digest": ("Claude Code spend · Thu 19 Nov", NOT_MEMBER),
    "explain 2026-11-19": ("", NO_EMAIL),
    "explain 2026-11-19 freya@example.com": (
        {"developer": LOOKS, "lead": LOOKS, "admin": "freya@example.com on Thu 19 Nov"},
        LOOKS,
    ),
    "team core": (
        {
            "developer": "Claude Code spend · core",
            "lead": "Claude Code spend · core",
            "admin": "Claude Code spend · core",
        },
        NOT_MEMBER,
    ),
    "team other": ({"developer": NOT_TEAM, "lead": NOT_TEAM, "admin": "Claude Code spend · other"}, NOT_MEMBER),
    "recommend team": ({"developer": NOT_LEAD, "lead": NOT_LEAD, "admin": ""}, NOT_LEAD),
    "recommend team core": ({"developer": NOT_LEAD, "lead": "", "admin": ""}, NOT_LEAD),
    "subscribe weekly": ({"developer": NOT_ADMIN, "lead": NOT_ADMIN, "admin": "This channel gets"}, NOT_ADMIN),
    "unsubscribe": ({"developer": NOT_ADMIN, "lead": NOT_ADMIN, "admin": "Ended 1 of"}, NOT_ADMIN),
    "subscriptions": ("daily digest", NOT_MEMBER),
    "import": ({"developer": NOT_ADMIN, "lead": NOT_ADMIN, "admin": "Drop an export"}, NOT_ADMIN),
    "link ci-nightly ada@example.com": (
        {"developer": NOT_ADMIN, "lead": NOT_ADMIN, "admin": "ci-nightly is ada@example.com"},
        NOT_ADMIN,
    ),
    "settings": ({"developer": NOT_ADMIN, "lead": NOT_ADMIN, "admin": "The settings open in a window."}, NOT_ADMIN),
    "changes": ({"developer": NOT_ADMIN, "lead": NOT_ADMIN, "admin": "The last changes"}, NOT_ADMIN),
    "calculator": ("The calculator opens in a window.", "The calculator opens in a window."),
}
REFUSALS = (NO_EMAIL, NO_USAGE, LOOKS, NOT_MEMBER, NOT_ADMIN, NOT_LEAD, NOT_TEAM)


@pytest.fixture(autouse=True)
def people(stage: Stage) -> None:
    """A stranger who claims to be Ada, one who was deactivated, a bot; a team, its lead, and usage."""
    stage.workspace.users += [
        User(USER["stranger"], "Ada Moreau", "ada@example.com", team="T0ELSEWHERE"),
        User(USER["deactivated"], "Gone Away", "freya@example.com", deleted=True),
        User(USER["bot"], "Robot", "ada@example.com", is_bot=True),
    ]
    list(stage.installation.importer().import_path(MAIN_FILE, NOW))
    crowded_team(stage.installation.database, "core", ["ada@example.com"], lead=USER["lead"])
    crowded_team(stage.installation.database, "other", ["freya@example.com"], lead="U006")


def said_to(stage: Stage, user: str, text: str) -> str:
    """The answer to a command as one person."""
    url = f"{stage.slack_url}/respond/{user}/{CHANNEL}"
    someone = User(user, "Some One", "")
    before = len(stage.workspace.ephemeral)
    answer = send_command(stage.app_url, someone, CHANNEL, text, url, "")
    if answer:
        return str(json.loads(answer)["text"])
    deadline = time.monotonic() + 5
    while len(stage.workspace.ephemeral) == before and time.monotonic() < deadline:
        time.sleep(0.005)
    return str(stage.workspace.ephemeral[-1]["text"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_command_for_everybody(stage: Stage, kind: str) -> None:
    for command, (inside, outside) in MATRIX.items():
        expected = outside if kind in OUTSIDE else inside if isinstance(inside, str) else inside[kind]
        said = said_to(stage, USER[kind], command)
        assert said.startswith(expected) or (expected and expected in said), (command, kind, said)
        if expected not in REFUSALS:
            assert not said.startswith(REFUSALS), (command, kind, said)
    if kind != "admin":
        assert all_subscriptions(stage.installation.database) == []
        assert len(unassigned(stage.installation.database, date(2026, 1, 1))) == 1
    if kind in OUTSIDE:
        assert "29.18" not in json.dumps(stage.workspace.ephemeral)


def test_the_matrix_has_every_command(stage: Stage) -> None:
    router = stage.installation.router
    assert {*router.instant, *router.slow} == {command.split(" ")[0] for command in MATRIX} - {"500k"}


@pytest.mark.parametrize("kind", KINDS)
def test_where_slack_does_not_say_who_it_is_nobody_may_anything(stage: Stage, kind: str) -> None:
    refusal = {"ok": False, "error": "internal_error"}
    for command in ("me", "digest", "subscribe weekly", "team core"):
        stage.workspace.faults += [Fault("users.info", 200, keeps=False, body=refusal) for _ in range(3)]
        # Whoever is no admin by their id is told so without asking.
        no_answer = "Slack did not answer my question, so I did nothing"
        allowed = (no_answer, NOT_ADMIN) if command.startswith("subscribe") else (no_answer,)
        assert said_to(stage, USER[kind], command).startswith(allowed)
        stage.workspace.faults.clear()
    assert all_subscriptions(stage.installation.database) == []


def press(stage: Stage, user: str, **action: str) -> None:
    payload = {
        "type": "block_actions",
        "user": {"id": user},
        "channel": {"id": CHANNEL},
        "trigger_id": f"{user}.1",
        "container": {"type": "message", "channel_id": CHANNEL, "message_ts": "1"},
        "message": {"text": "x", "blocks": []},
        "view": {"type": "home"},
        "response_url": f"{stage.slack_url}/respond/{user}/{CHANNEL}",
        "actions": [{"type": "button", "block_id": "b", "action_ts": "1", **action}],
    }
    send_interaction(stage.app_url, payload)


def settled(stage: Stage) -> dict[str, Any]:
    """What can be changed by a press, once nothing happens any more."""
    time.sleep(0.15)
    with stage.installation.database.read() as connection:
        people_rows = connection.built.exec_driver_sql(
            "SELECT email, limit_usd, muted_until, planned_day, hides_name FROM people ORDER BY email"
        ).all()
        settings = connection.built.exec_driver_sql("SELECT name FROM settings WHERE name LIKE 'expected:%%'").all()
        states = connection.built.exec_driver_sql("SELECT key, state FROM deliveries ORDER BY id").all()
        names = connection.built.exec_driver_sql("SELECT COUNT(*) FROM actors WHERE linked_by = 'admin'").scalar_one()
    return {"people": people_rows, "expected": settings, "deliveries": states, "linked": names}


PRESSES = {
    # action: who may
    "alert_planned": {"developer"},
    "alert_mute": {"developer"},
    "digest_expected": {"developer", "lead", "admin"},
    "home_assign": {"admin"},
    "send_again": {"admin"},
    "home_name": {"developer", "lead", "admin"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", PRESSES)
def test_every_button_for_everybody(stage: Stage, action: str, kind: str) -> None:
    """The alert is Ada's, the developer's; whoever else presses its buttons changes nothing."""
    bot = stage.installation
    store(bot.database, used(opus_for(20), day=date(2026, 11, 19), actor=Actor("email", "ada@example.com")))
    owe_digest(bot.database, "CGONE", date(2026, 11, 19), NOW)
    bot.jobs.sender.send_due(NOW)
    alert = next(
        element["value"]
        for message in stage.workspace.messages["D001"]
        for block in message["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
    )
    before = settled(stage)
    pressed = {
        "alert_planned": {"value": alert},
        "alert_mute": {"value": alert},
        "digest_expected": {"value": "2026-11-19|"},
        "home_assign": {"type": "users_select", "block_id": "assign|api_key|ci-nightly", "selected_user": "U001"},
        "send_again": {"value": "digest:CGONE:2026-11-19"},
        "home_name": {"value": "hide"},
    }[action]
    press(stage, USER[kind], action_id=action, **pressed)
    after, deadline = settled(stage), time.monotonic() + 5
    while kind in PRESSES[action] and after == before and time.monotonic() < deadline:
        after = settled(stage)
    assert (before != after) is (kind in PRESSES[action])


@pytest.mark.parametrize("kind", KINDS)
def test_the_window_of_a_limit_is_its_owner_s(stage: Stage, kind: str) -> None:
    bot = stage.installation
    store(bot.database, used(opus_for(20), day=date(2026, 11, 19), actor=Actor("email", "ada@example.com")))
    bot.jobs.sender.send_due(NOW)
    alert = next(
        element["value"]
        for message in stage.workspace.messages["D001"]
        for block in message["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
    )
    press(stage, USER[kind], action_id="alert_limit", value=alert)
    assert [view.get("callback_id") == "alert_limit" for view in stage.workspace.views] == [kind == "developer"]
    view = {
        "id": "V1",
        "type": "modal",
        "callback_id": "alert_limit",
        "private_metadata": json.dumps([alert, None, None]),
        "state": {"values": {"own": {"usd": {"type": "number_input", "value": "77"}}}},
    }
    answer = send_interaction(stage.app_url, {"type": "view_submission", "user": {"id": USER[kind]}, "view": view})
    assert (b"This is not your alert" in answer) is (kind != "developer")


WINDOWS: dict[str, tuple[dict[str, Any], set[str]]] = {
    # window: (what is submitted, who may)
    "settings": (
        {
            "private_metadata": json.dumps({"limit_usd": "12"}),
            "state": {"values": {"limit_usd": {"value": {"type": "number_input", "value": "77"}}}},
        },
        {"admin"},
    ),
    "import_files": (
        {"state": {"values": {"files": {"chosen": {"type": "file_input", "files": [{"id": "F1", "name": "x.csv"}]}}}}},
        {"admin"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window", WINDOWS)
def test_every_window_for_everybody(stage: Stage, window: str, kind: str) -> None:
    submitted, who_may = WINDOWS[window]
    view = {"id": "V1", "type": "modal", "callback_id": window, **submitted}
    answer = send_interaction(stage.app_url, {"type": "view_submission", "user": {"id": USER[kind]}, "view": view})
    assert (NOT_ADMIN.encode() in answer) is (kind not in who_may)
    deadline = time.monotonic() + 5
    is_changed = window == "settings" and kind in who_may
    while is_changed and stage.installation.policy.read().limit_usd != 77 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (stage.installation.policy.read().limit_usd == 77) is is_changed
    direct = stage.workspace.direct_channel(USER[kind])
    while kind in who_may and window == "import_files" and time.monotonic() < deadline:
        if any("is no file that Slack keeps" in one["text"] for one in stage.workspace.messages.get(direct, [])):
            break
        time.sleep(0.01)
    said = [one["text"] for one in stage.workspace.messages.get(direct, [])]
    assert bool(said) is (kind in who_may and window == "import_files")


@pytest.mark.parametrize("kind", KINDS)
def test_the_home_tab_of_everybody(stage: Stage, kind: str) -> None:
    user = USER[kind]
    send_event(stage.app_url, {"type": "app_home_opened", "user": user, "tab": "home", "channel": "D1"})
    deadline = time.monotonic() + 5
    while user not in stage.workspace.homes and time.monotonic() < deadline:
        time.sleep(0.01)
    said = json.dumps(stage.workspace.homes[user])
    assert ("For admins" in said) is (kind == "admin")
    assert ("You spent" in said) is (kind not in OUTSIDE)
    assert (NO_EMAIL in said) is (kind in OUTSIDE)


@pytest.mark.parametrize("kind", ["stranger", "deactivated", "bot"])
def test_no_alert_goes_to_who_claims_an_address(stage: Stage, kind: str) -> None:
    """Somebody outside has the address of a person who has left in their profile."""
    outside = next(user for user in stage.workspace.users if user.id == USER[kind])
    stage.workspace.users = [outside._replace(email="gone@example.com")]
    bot = stage.installation
    store(bot.database, used(opus_for(20), day=date(2026, 11, 19), actor=Actor("email", "gone@example.com")))
    bot.jobs.sender.send_due(NOW)
    assert stage.workspace.direct_channel(USER[kind]) not in stage.workspace.messages
    assert not bot.directory.has_address("gone@example.com")


def test_a_guest_sees_their_own_figures_alone(stage: Stage) -> None:
    stage.workspace.users[0] = stage.workspace.users[0]._replace(is_guest=True)
    assert said_to(stage, "U001", "me").startswith("You spent $")
    assert said_to(stage, "U001", "digest") == NOT_MEMBER


def test_whose_key_it_was_is_told_and_sees_the_look(stage: Stage) -> None:
    bot = stage.installation
    store(bot.database, used(opus_for(3), actor=Actor("api_key", "claude_code_key_freya_ab12")))
    assert said_to(stage, ADMIN, "link claude_code_key_freya_ab12 <@U001>").startswith(
        "claude_code_key_freya_ab12 is ada"
    )
    bot.jobs.sender.send_due(NOW)
    assert (
        "An admin counts the usage under claude_code_key_freya_ab12, which was yours, as that of ada@example.com"
        in (json.dumps(stage.workspace.messages["D006"]))
    )
    said_to(stage, "U006", "me")
    assert f"<@{ADMIN}> looked at the usage under claude_code_key_freya_ab12" in json.dumps(
        stage.workspace.ephemeral[-1]
    )


def test_a_look_at_a_name_follows_it_to_its_person(stage: Stage) -> None:
    assert "ci-nightly" in said_to(stage, ADMIN, "explain 2026-11-19 ci-nightly")
    assert said_to(stage, ADMIN, "link ci-nightly <@U001>").startswith("ci-nightly is ada@example.com")
    assert said_to(stage, USER["developer"], "me")
    assert f"<@{ADMIN}> looked at your figures of 2026-11-19" in json.dumps(stage.workspace.ephemeral[-1])


def test_a_name_that_several_have_is_said_with_what_to_write(stage: Stage) -> None:
    store(stage.installation.database, used(opus_for(3), actor=Actor("account", "ci-nightly")))
    refused = said_to(stage, ADMIN, "explain 2026-11-19 ci-nightly")
    assert "say “account:ci-nightly”, “api_key:ci-nightly” instead" in refused
    assert "account:ci-nightly" not in said_to(stage, ADMIN, "explain 2026-11-19 account:ci-nightly")


def test_slack_s_own_admins_are_admins_where_the_settings_say_so(stage: Stage) -> None:
    stage.workspace.users[2] = stage.workspace.users[2]._replace(is_admin=True)
    assert said_to(stage, "U003", "subscribe weekly") == NOT_ADMIN
    stage.installation.access.follows_slack = True
    assert said_to(stage, "U003", "subscribe weekly").startswith("This channel gets")
    assert said_to(stage, "U004", "subscribe weekly") == NOT_ADMIN


def test_a_lead_of_two_does_not_learn_what_the_other_one_spends(stage: Stage) -> None:
    """A team of two: the total less one's own is the other's, in whatever words it is told."""
    database = stage.installation.database
    stage.workspace.users.append(User("U0DUO", "Duo", "duo@example.com"))
    store(database, used(opus_for(20), day=date(2026, 11, 19), actor=Actor("email", "duo@example.com")))
    set_team(database, "duo", ["ada@example.com", "duo@example.com"], lead="U001")
    for command in ("team duo", "recommend team duo"):
        said = said_to(stage, "U001", command)
        assert "fewer than" in said or "one person" in said.lower(), said
        assert "$" not in said


def test_a_guest_sees_no_team(stage: Stage) -> None:
    stage.workspace.users[0] = stage.workspace.users[0]._replace(is_guest=True)
    for command in ("team", "team core"):
        assert said_to(stage, "U001", command).startswith(NOT_MEMBER)


def test_admins_see_at_whose_figures_was_looked_and_when_it_was_there(stage: Stage) -> None:
    person = person_by_email(stage.installation.database, "freya@example.com")
    assert person is not None
    note_look(stage.installation.database, datetime(2026, 11, 19, 23, 30, tzinfo=UTC), ADMIN, person.id, "your figures")
    said_to(stage, ADMIN, "changes")
    assert "2026-11-20 00:30" in json.dumps(stage.workspace.ephemeral[-1])  # in Paris
    assert "your figures (freya@example.com)" in json.dumps(stage.workspace.ephemeral[-1])
    (look,) = stage.installation.ledger.looks_at(person)
    assert look.at.date() == date(2026, 11, 20)
