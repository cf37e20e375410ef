"""Buttons pressed as Slack tells of them."""

import json
import time
from collections.abc import Callable
from typing import Any

from bot.playground.demo import CHANNEL, Stage
from bot.playground.dispatch import send_interaction


def press(
    stage: Stage, action_id: str, value: str, *, user: str = "U001", channel: str = CHANNEL, message: Any = None
) -> None:
    """Press a button, of a message if one is given."""
    ts = message["ts"] if message else "1"
    payload = {
        "type": "block_actions",
        "user": {"id": user},
        "trigger_id": f"{user}.1",
        "container": {"type": "message", "channel_id": channel, "message_ts": ts},
        "channel": {"id": channel},
        "message": json.loads(json.dumps(message or {"text": "x", "blocks": []})),
        "response_url": f"{stage.slack_url}/respond/{user}/{channel}{f'?ts={ts}' if message else ''}",
        "actions": [{"type": "button", "block_id": "b", "action_id": action_id, "value": value, "action_ts": "1"}],
    }
    send_interaction(stage.app_url, payload)


def press_at_home(stage: Stage, user: str, **action: str) -> None:
    """Press something of the Home tab: a button, if nothing else is said."""
    payload = {
        "type": "block_actions",
        "user": {"id": user},
        "trigger_id": f"{user}.1",
        "container": {"type": "view"},
        "view": {"type": "home", "id": "V0"},
        "actions": [{"type": "button", "block_id": "b", "action_ts": "1", **action}],
    }
    send_interaction(stage.app_url, payload)


def button_of(message: dict[str, Any], action_id: str) -> dict[str, Any]:
    """The one button of a message with that id."""
    elements = [one for block in message["blocks"] for one in block.get("elements", [])]
    (found,) = [one for one in elements if one.get("action_id") == action_id]
    return dict(found)


def wait_for(is_done: Callable[[], bool]) -> None:
    """Wait until something holds that follows an acknowledgement, five seconds at the most."""
    deadline = time.monotonic() + 5
    while not is_done() and time.monotonic() < deadline:
        time.sleep(0.01)
