"""The calculator's window over signed HTTP: the same engine and the same blocks as the command."""

import json
import time
from typing import Any

import pytest
from slack_sdk.models.blocks import Block as SlackBlock

from bot.playground.demo import CHANNEL, Stage
from bot.playground.dispatch import send_command, send_interaction
from bot.playground.workspace import Fault
from bot.slack.blocks.calculator import Entries

USER = "U003"


def opened(stage: Stage) -> dict[str, Any]:
    user = stage.workspace.users[2]
    send_command(stage.app_url, user, CHANNEL, "calculator", f"{stage.slack_url}/respond/{USER}/{CHANNEL}", "U003.1")
    deadline = time.monotonic() + 5
    while not stage.workspace.views and time.monotonic() < deadline:
        time.sleep(0.01)
    (view,) = stage.workspace.views
    return view


def values(**entries: str) -> dict[str, Any]:
    """What Slack sends of the window's state."""
    chosen = {"preset", "model", "cached"}
    return {
        name: {
            f"calculator_{name}": {"type": "static_select", "selected_option": {"value": value}}
            if name in chosen
            else {"type": "plain_text_input", "value": value}
        }
        for name, value in entries.items()
    }


def change(stage: Stage, view: dict[str, Any], state: dict[str, Any]) -> str:
    action = {"type": "plain_text_input", "block_id": "tokens", "action_id": "calculator_tokens", "action_ts": "1"}
    payload = {
        "type": "block_actions",
        "user": {"id": USER},
        "container": {"type": "view", "view_id": view["id"]},
        "view": {**view, "state": {"values": state}},
        "actions": [action],
    }
    send_interaction(stage.app_url, payload)
    return json.dumps(stage.workspace.views[0], ensure_ascii=False)


def submit(stage: Stage, view: dict[str, Any], state: dict[str, Any]) -> Any:
    payload = {"type": "view_submission", "user": {"id": USER}, "view": {**view, "state": {"values": state}}}
    answer = send_interaction(stage.app_url, payload)
    return json.loads(answer) if answer.strip() else None


def test_it_opens_with_an_answer_and_is_a_window_that_slack_takes(stage: Stage) -> None:
    view = opened(stage)
    # 500k x $4 + 80k x $20 a million = 2.00 + 1.60
    assert "*$3.60*" in json.dumps(view)
    assert len(view["title"]["text"]) <= 24
    for block in view["blocks"]:
        parsed = SlackBlock.parse(block)
        assert parsed is not None
        parsed.validate_json()


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        # 1M x $10 a million
        ({"tokens": "1M out", "model": "sonnet"}, "*$10.00*"),
        # 1M of input, 80 % of it at $0.20 and the rest at $4, twice on each of 22 days: 44 x 0.96
        ({"tokens": "1M in", "model": "opus", "cached": "80", "times": "2", "days": "22"}, "*$42.24*"),
        ({"tokens": "1M out", "model": "fable vs haiku vs opus vs sonnet"}, "Claude Fable"),
        ({"tokens": "nonsense", "model": "opus"}, "I could not read “nonsense”"),
        ({"tokens": "", "model": "opus"}, "Tell me how many tokens"),
        ({"preset": "session 60 turns", "tokens": "", "model": "opus"}, "on Claude Opus 5.5"),
    ],
)
def test_what_is_typed_and_chosen_is_worked_out_at_once(stage: Stage, entries: dict[str, str], said: str) -> None:
    view = opened(stage)
    assert said in change(stage, view, values(**entries))


def test_fast_mode_counts(stage: Stage) -> None:
    view = opened(stage)
    state = values(tokens="1M out", model="opus")
    options = [{"value": "fast"}]
    state["conditions"] = {"calculator_conditions": {"type": "checkboxes", "selected_options": options}}
    assert ", fast" in change(stage, view, state)


def test_the_answer_is_shared_where_it_was_asked(stage: Stage) -> None:
    view = opened(stage)
    assert view["submit"]["text"] == "Share here"
    assert submit(stage, view, values(tokens="1M out", model="sonnet")) is None
    (message,) = stage.workspace.messages[CHANNEL]
    assert message["text"].startswith("$10.00 on Claude Sonnet 5.5")
    assert f"Asked by <@{USER}>" in json.dumps(message["blocks"])


def test_nonsense_is_not_shared(stage: Stage) -> None:
    view = opened(stage)
    answer = submit(stage, view, values(tokens="1M uot", model="sonnet"))
    assert answer["response_action"] == "errors"
    assert stage.workspace.messages == {}


def test_the_usual_entries_are_a_question() -> None:
    assert Entries().question == "500k in 80k out opus"


def test_the_last_change_holds_however_fast_somebody_types(stage: Stage) -> None:
    view = opened(stage)
    conflict = {"ok": False, "error": "hash_conflict"}
    stage.workspace.faults.append(Fault("views.update", 200, keeps=False, body=conflict))
    assert "$20.00" in change(stage, view, values(tokens="1M out", model="opus"))


def test_an_address_that_slack_forgot_is_said_in_the_window(stage: Stage) -> None:
    view = {**opened(stage), "private_metadata": f"{stage.slack_url}/nowhere"}
    answer = submit(stage, view, values(tokens="1M out", model="opus"))
    assert answer["errors"]["tokens"].startswith("Slack no longer takes an answer from this window")
