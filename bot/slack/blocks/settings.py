"""The window in which admins choose what holds for the workspace, and what they are told when it is saved."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bot.policy import MIN_GROUP, TITLES, Policy
from bot.settings import read_usd
from bot.slack.blocks.message import Block, actions, button, escape, one_line, quoting_section, section
from bot.store.teams import Team

SETTINGS = "settings"
"""What the window and the button that opens it are called in Slack's payloads."""

TEAM_BLOCK = "team|"
"""How the block of a team's budget is called, before the team's id."""

MAX_TEAMS = 40
"""Teams whose budgets fit into one window; claudecost team sets those of more."""

MAX_LABEL = 150
MAX_SAID = 20
_VALUE = "value"
_ON, _OFF = "on", "off"
_PICTURES = {"image": "A picture", "native": "Slack's own chart", "off": "None"}


def open_settings_button() -> Block:
    """A row with the button that opens the window."""
    return actions(button(SETTINGS, "Settings", "-"))


def settings_view(policy: Policy, teams: Sequence[Team]) -> Block:
    """The window, filled with what holds now, which it also remembers: only what differs from it is a change."""
    opened = {name: policy.said(name) for name in TITLES} | {
        f"{TEAM_BLOCK}{team.id}": _plain(team) for team in teams[:MAX_TEAMS]
    }
    blocks: list[Block] = [
        section("These hold for the whole workspace at once. Each change is kept with your name."),
        _text("timezone", "Time zone of a day", policy, "Days already imported keep theirs until they are read again."),
        _number("limit_usd", "Daily limit of a person without an own one, $", policy.said("limit_usd")),
        _number("budget_usd", "Budget of a month for everybody, $", policy.said("budget_usd"), optional=True),
        *(
            _number(
                f"{TEAM_BLOCK}{team.id}",
                f"Budget of a month for {one_line(team.name, MAX_LABEL - 30)}, $",
                _plain(team),
                optional=True,
            )
            for team in teams[:MAX_TEAMS]
        ),
        _choice(
            "names",
            "Names of people over their limit in digests",
            {_OFF: "Off", _ON: f"On, in groups of {MIN_GROUP} active people and more"},
            policy.said("names"),
            "Everybody can keep their own name out, in the Home tab.",
        ),
        _text("quiet_hours", "Quiet hours of alerts", policy, "On each person's own clock: 21:00-07:00, or off."),
        _text(
            "holidays",
            "Holidays of",
            policy,
            "A country or a part of it: FR, US, DE-BY. Empty for none.",
            optional=True,
        ),
        _number(
            "retention_days",
            "Delete usage older than so many days",
            policy.said("retention_days"),
            "At least 90. Empty keeps everything.",
            optional=True,
        ),
        _choice("picture", "Picture in digests", _PICTURES, policy.picture),
    ]
    return {
        "type": "modal",
        "callback_id": SETTINGS,
        "private_metadata": json.dumps(opened),
        "title": _plain_text("Settings"),
        "submit": _plain_text("Save"),
        "close": _plain_text("Cancel"),
        "blocks": blocks,
    }


def saved_view(changed: Sequence[str] | None) -> Block:
    """What the window becomes while it is saved (None), and once it is."""
    said = [f"• {escape(one, 200)}" for one in changed[:MAX_SAID]] if changed else ["Nothing was changed."]
    said = ["Saving …"] if changed is None else said
    return {
        "type": "modal",
        "title": _plain_text("Settings"),
        "close": _plain_text("Close"),
        "blocks": [quoting_section(*(["Saved:"] if changed else []), *said)],
    }


def changed_values(view: Block) -> dict[str, str]:
    """What somebody changed in the window: texts by the names of settings, and of the blocks of teams' budgets."""
    opened = json.loads(view["private_metadata"])
    said = {name: _said(entry) for name, entry in view["state"]["values"].items()}
    return {name: text for name, text in said.items() if text != opened.get(name, "")}


def chosen_budgets(changed: dict[str, str]) -> dict[int, Decimal | None]:
    """The budgets of teams by their id. Raises ValueError with the name of the block that is wrong."""
    found: dict[int, Decimal | None] = {}
    for name, said in changed.items():
        if name.startswith(TEAM_BLOCK):
            try:
                found[int(name.removeprefix(TEAM_BLOCK))] = read_usd(said) if said else None
            except ValueError:
                raise ValueError(name) from None
    return found


def _said(entry: dict[str, Any]) -> str:
    state = entry[_VALUE]
    return str(state.get("value") or (state.get("selected_option") or {}).get("value") or "").strip()


def _plain(team: Team) -> str:
    return "" if team.budget_usd is None else f"{team.budget_usd.normalize():f}"


def _text(name: str, label: str, policy: Policy, hint: str, *, optional: bool = False) -> Block:
    element = {"type": "plain_text_input", "max_length": 80, **_initial(policy.said(name))}
    return _input(name, label, element, hint, optional=optional)


def _number(name: str, label: str, value: str, hint: str = "", *, optional: bool = False) -> Block:
    is_dollars = name != "retention_days"
    element = {"type": "number_input", "is_decimal_allowed": is_dollars, **_initial(value)}
    return _input(name, label, element, hint, optional=optional)


def _choice(name: str, label: str, choices: dict[str, str], value: str, hint: str = "") -> Block:
    options = {key: {"text": _plain_text(text), "value": key} for key, text in choices.items()}
    element = {"type": "radio_buttons", "options": list(options.values()), "initial_option": options[value]}
    return _input(name, label, element, hint)


def _input(name: str, label: str, element: Block, hint: str, *, optional: bool = False) -> Block:
    return {
        "type": "input",
        "block_id": name,
        "optional": optional,
        "label": _plain_text(label),
        "element": {**element, "action_id": _VALUE},
        **({"hint": _plain_text(hint)} if hint else {}),
    }


def _initial(value: str) -> dict[str, str]:
    return {"initial_value": value} if value else {}


def _plain_text(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}
