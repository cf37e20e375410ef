"""The bare command: one's own numbers, and the next steps as buttons."""

from datetime import date

from bot.ledger import OwnSpend
from bot.pricing.money import shown
from bot.slack.blocks.answer import COMMAND, RUN
from bot.slack.blocks.labels import money_label, own_fact, spent, unpriced
from bot.slack.blocks.message import Block, Message, actions, button, context, counted, section, short_day

_BUTTONS = (
    ("My spend", "me"),
    ("Calculator", "calculator"),
    ("Digest", "digest"),
    ("Recommend a plan", "recommend"),
    ("Help", "help"),
)
_FOR_ADMINS = (("Digests of channels", "subscriptions"), ("Settings", "settings"))


def menu_message(own: OwnSpend | None, today: date, price_label: str, *, is_admin: bool) -> Message:
    """What a person has spent, in two lines, and buttons that run commands."""
    if own is None:
        fact = "Ask what tokens cost, or see what is known"
        lines, basis = [], []
    else:
        latest = own.latest
        when = "today" if latest.day == today else f"on {short_day(latest.day)}"
        fact = own_fact(latest.amount, when)
        month = f"{latest.day:%B} so far: {spent(own.month)} on {counted(own.month_days, 'active day')}"
        lines = [f"{month} · your daily limit is {shown(own.limit_usd)}", *unpriced(own.month)]
        basis = [f"{latest.zone} days", money_label(own.month, price_label)]
    chosen = (*_BUTTONS, *(_FOR_ADMINS if is_admin else ()))
    return Message(
        fact,
        [
            section(f"*{fact}*", *lines),
            section(f"Ask for instance `{COMMAND} 500k in 80k out opus`"),
            run_buttons(chosen),
            context("Only you see this", *basis),
        ],
    )


def run_buttons(chosen: tuple[tuple[str, str], ...]) -> Block:
    """Buttons that run commands: each a label and the words after the command."""
    return actions(*(button(f"{RUN}_{number}", label, words) for number, (label, words) in enumerate(chosen)))
