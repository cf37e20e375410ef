"""The Home tab: one's own figures for everybody, and how the installation is doing for admins."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from bot.ledger import OwnSpend
from bot.pricing.money import shown
from bot.slack.blocks.message import Block, actions, button, context, counted, escape, header, quoting_section, section
from bot.slack.blocks.message import short_day as day_words
from bot.slack.blocks.notice import SEND_AGAIN
from bot.slack.blocks.personal import ALERT_LIMIT, about, no_own_spend_message, own_spend_message
from bot.store.people import Wishes

HOME_UNMUTE, HOME_ASSIGN = "home_unmute", "home_assign"
ASSIGN_BLOCK = "assign|"
"""How the block of a picker is called, before the name that is to be assigned."""

MAX_ID = 200
"""Characters of a name that fit into a block's id, of 255."""

MAX_LINES = 8


class Health(NamedTuple):
    """How the installation is doing, in lines for admins.

    ``unassigned`` are names with what was spent under them, ``stuck`` are keys of messages with what keeps them back.
    """

    feeds: list[str]
    subscriptions: list[str]
    unassigned: list[tuple[str, str]]
    stuck: list[tuple[str, str]]
    prices: str


def home_view(
    own: OwnSpend | None, email: str | None, today: date, wishes: Wishes | None, price_label: str, health: Health | None
) -> Block:
    """The view of one person; ``health`` for admins alone."""
    blocks = [header("Your Claude Code spend")]
    if own is None:
        blocks += no_own_spend_message(email).blocks
    else:
        blocks += own_spend_message(own, today, price_label).blocks
        muted = wishes is not None and wishes.muted_until is not None and wishes.muted_until > today
        pressed = [
            button(ALERT_LIMIT, "Change my limit", about(own.latest.person.id, own.latest.day, own.limit_usd, 1))
        ]
        if muted:
            pressed.append(button(HOME_UNMUTE, "End the mute", "-"))
        limit = f"You are told privately when a day passes {shown(own.limit_usd)}"
        until = f"; muted until {day_words(wishes.muted_until)}" if muted and wishes and wishes.muted_until else ""
        blocks += [section(f"{limit}{until}."), actions(*pressed)]
    blocks.append(context("/claudecost help lists everything · only you see this page"))
    if health is not None:
        blocks += _health(health)
    return {"type": "home", "blocks": blocks}


def _health(health: Health) -> list[Block]:
    blocks: list[Block] = [{"type": "divider"}, header("For admins")]
    for title, lines, nothing in (
        ("Sources", health.feeds, "Nothing was imported so far: run `claudecost import FILE`."),
        ("Digests", health.subscriptions, "No channel gets one: /claudecost subscribe in a channel."),
    ):
        shown_lines = [f"• {escape(line, 300)}" for line in lines[:MAX_LINES]] or [nothing]
        blocks.append(quoting_section(f"{title}:", *shown_lines, *_more(lines)))
    blocks.append(
        quoting_section("Not delivered:" if health.stuck else "Everything is delivered.", *_more(health.stuck))
    )
    for key, problem in health.stuck[:MAX_LINES]:
        line = quoting_section(f"• {escape(key)}: {escape(problem, 300)}")
        blocks.append({**line, "accessory": button(SEND_AGAIN, "Send again", key)})
    if health.unassigned:
        what = counted(len(health.unassigned), "name")
        hint = "choose whose it is; its whole history moves along"
        blocks.append(quoting_section(f"Unassigned, {what}: {hint}", *_more(health.unassigned)))
    for name, usd in health.unassigned[:MAX_LINES]:
        line = quoting_section(f"• {escape(name)}: {usd}")
        picker = {"block_id": ASSIGN_BLOCK + name, "accessory": _picker()} if len(name) <= MAX_ID else {}
        blocks.append({**line, **picker})
    blocks.append(context(health.prices))
    return blocks


def _more(lines: Sequence[object]) -> list[str]:
    return [f"the first {MAX_LINES} are here, and {len(lines) - MAX_LINES} more"] if len(lines) > MAX_LINES else []


def _picker() -> Block:
    return {
        "type": "users_select",
        "action_id": HOME_ASSIGN,
        "placeholder": {"type": "plain_text", "text": "Whose is it?"},
    }
