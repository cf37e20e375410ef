"""The Home tab: one's own figures for everybody, and how the installation is doing for admins."""

from datetime import date
from typing import NamedTuple

from bot.ledger import OwnSpend
from bot.pricing.money import shown
from bot.slack.blocks.message import Block, actions, button, context, counted, escape, header, quoting_section, section
from bot.slack.blocks.message import short_day as day_words
from bot.slack.blocks.personal import ALERT_LIMIT, about, no_own_spend_message, own_spend_message
from bot.store.people import Wishes

HOME_UNMUTE = "home_unmute"
MAX_LINES = 8


class Health(NamedTuple):
    """How the installation is doing, in lines for admins."""

    feeds: list[str]
    subscriptions: list[str]
    unassigned: list[tuple[str, str]]
    stuck: list[str]
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
        ("Not delivered", health.stuck, "Nothing is stuck."),
    ):
        shown_lines = [f"• {escape(line, 300)}" for line in lines[:MAX_LINES]] or [nothing]
        more = [f"and {len(lines) - MAX_LINES} more"] if len(lines) > MAX_LINES else []
        blocks.append(quoting_section(f"{title}:", *shown_lines, *more))
    if health.unassigned:
        names = [f"• {escape(name)}: {usd}" for name, usd in health.unassigned[:MAX_LINES]]
        what = counted(len(health.unassigned), "name")
        hint = "claudecost link NAME E-MAIL says whose it is"
        blocks.append(quoting_section(f"Unassigned, {what}:", *names, hint))
    blocks.append(context(health.prices))
    return blocks
