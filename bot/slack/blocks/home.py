"""The Home tab: one's own figures for everybody, and how the installation is doing for admins."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from bot.ledger import OwnPeriod, OwnSpend
from bot.pricing.money import shown
from bot.slack.blocks.answer import RUN
from bot.slack.blocks.labels import spent
from bot.slack.blocks.message import (
    Block,
    actions,
    button,
    by_whom,
    context,
    counted,
    escape,
    header,
    quoting_section,
    section,
)
from bot.slack.blocks.message import short_day as day_words
from bot.slack.blocks.notice import SEND_AGAIN
from bot.slack.blocks.personal import ALERT_LIMIT, about, no_own_spend_message, own_spend_message
from bot.slack.blocks.settings import open_settings_button
from bot.spend.amounts import ZERO
from bot.spend.days import ONE_DAY
from bot.spend.records import Actor
from bot.store.answers import Answered
from bot.store.audit import Look
from bot.store.people import Wishes

HOME_UNMUTE, HOME_ASSIGN, HOME_NAME = "home_unmute", "home_assign", "home_name"
HIDE, SHOW = "hide", "show"
"""What the button about one's own name asks for."""

WEEK, BAR = 7, 10
"""Days of the picture, and the characters of its longest bar."""

ASSIGN_BLOCK = "assign|"
"""How the block of a picker is called, before the kind and the name that is to be assigned."""

MAX_ID = 255
"""Characters of a block's id."""

MAX_LINES = 8


class Health(NamedTuple):
    """How the installation is doing, in lines for admins.

    ``unassigned`` are names with what was spent under them; ``stuck``, keys of messages with what each is and what
    keeps it back; ``changes``, the last entries of the audit log.
    """

    feeds: list[str]
    subscriptions: list[str]
    unassigned: list[tuple[Actor, str]]
    stuck: list[tuple[str, str]]
    changes: list[Look]
    prices: str


class Own(NamedTuple):
    """One person's part of the tab. ``week`` are the last days, ``answers`` their last questions; None is unknown.

    ``looks`` are those of others at their figures.
    """

    email: str | None
    spend: OwnSpend | None
    wishes: Wishes | None
    week: OwnPeriod | None
    answers: Sequence[Answered] = ()
    looks: Sequence[Look] = ()


def home_view(own: Own, today: date, price_label: str, health: Health | None, *, names: bool = False) -> Block:
    """The view of one person; ``health`` for admins alone. ``names`` says that digests name people here."""
    blocks = [header("Your Claude Code spend")]
    if own.spend is None:
        blocks += no_own_spend_message(own.email).blocks
    else:
        blocks += own_spend_message(own.spend, today, price_label, own.looks).blocks
        if own.week is not None:
            blocks.append(_week(own.week))
        blocks += _alerts(own.spend, own.wishes, today, names=names)
    if own.answers:
        blocks.append(quoting_section("*Your last questions*"))
    for number, answered in enumerate(own.answers):
        line = quoting_section(f"{escape(answered.question, 200)}: {escape(answered.answer, 200)}")
        blocks.append({**line, "accessory": button(f"{RUN}_{number}", "Ask again", answered.question)})
    blocks.append(context("/claudecost help lists everything · only you see this page"))
    if health is not None:
        blocks += _health(health)
    return {"type": "home", "blocks": blocks}


def _week(week: OwnPeriod) -> Block:
    """A bar a day, the longest for the dearest one."""
    by_day = dict(week.days)
    days = [week.period.start + count * ONE_DAY for count in range((week.period.end - week.period.start).days)]
    most = max((cost.usd for cost in by_day.values()), default=ZERO)
    lines = []
    for day in days:
        cost = by_day.get(day)
        length = max(1, int((cost.usd / most * BAR).to_integral_value())) if cost and cost.usd else 0
        lines.append(f"{day:%a} {day.day:>2} {'█' * length:<{BAR}} {spent(cost) if cost else '–':>9}")
    return section(f"Your last {WEEK} days ({week.zone} days)", "```" + "\n".join(lines) + "```")


def _alerts(own: OwnSpend, wishes: Wishes | None, today: date, *, names: bool) -> list[Block]:
    muted = wishes is not None and wishes.muted_until is not None and wishes.muted_until > today
    pressed = [button(ALERT_LIMIT, "Change my limit", about(own.latest.person.id, own.latest.day, own.limit_usd, 1))]
    if muted:
        pressed.append(button(HOME_UNMUTE, "End the mute", "-"))
    hides = wishes is not None and wishes.hides_name
    pressed.append(button(HOME_NAME, "Let my name be said" if hides else "Keep my name out", SHOW if hides else HIDE))
    until = f"; muted until {day_words(wishes.muted_until)}" if muted and wishes and wishes.muted_until else ""
    said = "Digests say counts, no names." if not names else "Digests name who passed their limit."
    kept = " Yours is kept out of digests." if hides else ""
    limit = f"You are told privately when a day passes {shown(own.limit_usd)}{until}."
    return [section(limit, f"{said}{kept}"), actions(*pressed)]


def _health(health: Health) -> list[Block]:
    blocks: list[Block] = [{"type": "divider"}, header("For admins")]
    blocks.append(open_settings_button())
    for title, lines, nothing in (
        ("Sources", health.feeds, "Nothing was imported so far: run `claudecost import FILE`."),
        ("Digests", health.subscriptions, "No channel gets one: /claudecost subscribe in a channel."),
    ):
        shown_lines = [f"• {escape(line, 300)}" for line in lines[:MAX_LINES]] or [nothing]
        blocks.append(quoting_section(f"{title}:", *shown_lines, *_more(lines)))
    blocks.append(
        quoting_section("Not delivered:" if health.stuck else "Everything is delivered.", *_more(health.stuck))
    )
    for key, said in health.stuck[:MAX_LINES]:
        line = quoting_section(f"• {escape(said, 300)}")
        blocks.append({**line, "accessory": button(SEND_AGAIN, "Send again", key)})
    if health.unassigned:
        what = counted(len(health.unassigned), "name")
        hint = "choose whose it is; its whole history moves along"
        blocks.append(quoting_section(f"Unassigned, {what}: {hint}", *_more(health.unassigned)))
    for actor, usd in health.unassigned[:MAX_LINES]:
        line = quoting_section(f"• {escape(actor.name)} ({escape(actor.kind.replace('_', ' '))}): {usd}")
        block_id = f"{ASSIGN_BLOCK}{actor.kind}|{actor.name}"
        if len(block_id) <= MAX_ID:
            blocks.append({**line, "block_id": block_id, "accessory": _picker()})
        else:
            blocks += [line, context("A name this long is given with claudecost link, in a terminal")]
    if health.changes:
        blocks.append(quoting_section("Last changes and looks:", *map(_change, health.changes)))
    blocks.append(context(health.prices))
    return blocks


def _change(look: Look) -> str:
    whose = f" ({escape(look.whose)})" if look.whose else ""
    return f"• {day_words(look.at.date())}: {by_whom(look.who)} {escape(look.what, 150)}{whose}"


def _more(lines: Sequence[object]) -> list[str]:
    return [f"the first {MAX_LINES} are here, and {len(lines) - MAX_LINES} more"] if len(lines) > MAX_LINES else []


def _picker() -> Block:
    return {
        "type": "users_select",
        "action_id": HOME_ASSIGN,
        "placeholder": {"type": "plain_text", "text": "Whose is it?"},
    }
