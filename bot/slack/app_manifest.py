"""The app's manifest for Socket Mode or, with an address, for HTTP."""

from typing import Any

from bot.slack.blocks.answer import COMMAND
from bot.slack.scopes import SCOPES

Manifest = dict[str, Any]
EVENTS = ("app_home_opened", "app_mention", "message.im")
REMOVAL_EVENTS = ("app_uninstalled", "tokens_revoked")
"""What an installation for several workspaces must hear of; it has an address."""

EVENTS_PATH, REDIRECT_PATH = "/slack/events", "/slack/oauth_redirect"


def manifest(base_url: str | None = None) -> Manifest:
    """What api.slack.com takes under “From a manifest”; Socket Mode unless a public https address is given."""
    address = None if base_url is None else {"url": base_url.rstrip("/") + EVENTS_PATH}
    request = {} if address is None else {"request_url": address["url"]}
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "claudecost",
            "description": "What Claude Code costs - questions, a daily digest, private warnings",
            "background_color": "#2f3136",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "claudecost", "always_online": True},
            "slash_commands": [
                {
                    "command": COMMAND,
                    "description": "Price tokens, see your own spend, read the digest",
                    "usage_hint": "500k in 80k out opus | me | digest | help",
                    "should_escape": True,
                    **(address or {}),
                }
            ],
        },
        "oauth_config": {
            "scopes": {"bot": list(SCOPES)},
            **({"redirect_urls": [base_url.rstrip("/") + REDIRECT_PATH]} if base_url else {}),
        },
        "settings": {
            "event_subscriptions": {**request, "bot_events": [*EVENTS, *(REMOVAL_EVENTS if base_url else ())]},
            "interactivity": {"is_enabled": True, **request},
            "org_deploy_enabled": False,
            "socket_mode_enabled": base_url is None,
            "token_rotation_enabled": False,
        },
    }
