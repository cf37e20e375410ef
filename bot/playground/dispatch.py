"""What Slack sends to an app: signed HTTP requests."""

import json
import time
import urllib.request
from typing import Any
from urllib.parse import urlencode

from slack_sdk.signature import SignatureVerifier

from bot.playground.workspace import APP_ID, SIGNING_SECRET, TEAM_ID, User
from bot.slack.blocks.answer import COMMAND

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""What stands on this machine is reached directly, whatever proxy the environment names."""


def send_command(app_url: str, user: User, channel: str, text: str, response_url: str, trigger: str = "1.2.3") -> bytes:
    """Send a slash command as Slack does; returns the body of the app's acknowledgement."""
    body = urlencode(
        {
            "command": COMMAND,
            "text": text,
            "user_id": user.id,
            "user_name": user.name.split()[0].lower(),
            "team_id": TEAM_ID,
            "api_app_id": APP_ID,
            "channel_id": channel,
            "response_url": response_url,
            "trigger_id": trigger,
        }
    )
    request = urllib.request.Request(app_url, data=body.encode(), headers=signed_headers(body, int(time.time())))
    with _DIRECT.open(request, timeout=10) as answer:
        received: bytes = answer.read()
    return received


def send_event(app_url: str, event: dict[str, Any], **around: Any) -> bytes:
    """Send an event as Slack does, with what else is around it; returns the app's acknowledgement."""
    where = {"team_id": TEAM_ID, "api_app_id": APP_ID, "event_id": f"Ev{time.time_ns()}"}
    body = json.dumps({"type": "event_callback", **where, **around, "event": event})
    headers = {**signed_headers(body, int(time.time())), "content-type": "application/json"}
    request = urllib.request.Request(app_url, data=body.encode(), headers=headers)
    with _DIRECT.open(request, timeout=10) as answer:
        received: bytes = answer.read()
    return received


def send_interaction(app_url: str, payload: dict[str, Any]) -> bytes:
    """Send a pressed button or a submitted window as Slack does; returns the app's acknowledgement."""
    body = urlencode({"payload": json.dumps({"team": {"id": TEAM_ID}, "api_app_id": APP_ID, **payload})})
    request = urllib.request.Request(app_url, data=body.encode(), headers=signed_headers(body, int(time.time())))
    with _DIRECT.open(request, timeout=10) as answer:
        received: bytes = answer.read()
    return received


def signed_headers(body: str, timestamp: int, secret: str = SIGNING_SECRET) -> dict[str, str]:
    """The headers of a request that Slack sent at ``timestamp``."""
    signature = SignatureVerifier(secret).generate_signature(timestamp=str(timestamp), body=body)
    return {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": str(timestamp),
        "x-slack-signature": signature or "",
    }
