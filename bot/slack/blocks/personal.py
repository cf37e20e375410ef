"""What only the person concerned sees: the alert about a day, and their own spend."""

from datetime import date
from decimal import Decimal

from bot.ledger import OwnDay, OwnSpend
from bot.pricing.money import rounded, shown
from bot.slack.blocks.labels import money_label
from bot.slack.blocks.message import (
    Message,
    context,
    counted,
    escape,
    percent,
    quoting_section,
    section,
    short_day,
)
from bot.spend.amounts import ZERO


def alert_message(own: OwnDay, limit_usd: Decimal, step: int, price_label: str) -> Message:
    """The private message to a person whose day reached ``step`` times their limit."""
    reached = shown(limit_usd) if step == 1 else f"{shown(limit_usd * step)} ({step} times your limit)"
    fact = f"You passed {reached} on {short_day(own.day)}: {rounded(own.amount.usd)}"
    blocks = [section(f"*{fact}*"), quoting_section(_usual(own), *_mostly(own))]
    blocks.append(
        context(
            "Sent once for this day and amount · only you see this · /claudecost me shows more",
            money_label(own.amount, price_label),
        )
    )
    return Message(fact, blocks)


def own_spend_message(own: OwnSpend, today: date, price_label: str) -> Message:
    """A person's newest day and month so far."""
    latest = own.latest
    when = "today" if latest.day == today else f"on {short_day(latest.day)}, your newest day with usage"
    fact = f"You spent {rounded(latest.amount.usd)} {when}"
    month = f"{latest.day:%B} so far: {rounded(own.month_usd)} on {counted(own.month_days, 'active day')}"
    lines = [f"{month} · your daily limit is {shown(own.limit_usd)}", _usual(latest), *_mostly(latest)]
    if latest.amount.unpriced_tokens:
        lines.append(f"{latest.amount.unpriced_tokens:,} tokens had no price and are in no figure here")
    blocks = [
        section(f"*{fact}*"),
        quoting_section(*lines),
        context("Only you see this", money_label(latest.amount, price_label)),
    ]
    return Message(fact, blocks)


def no_own_spend_message(email: str | None) -> Message:
    """Nothing is known of the person who asks."""
    if email is None:
        sentence = "I cannot see your e-mail address in Slack, so I do not know which usage is yours."
        hint = "An admin has to grant the app the scope users:read.email."
    else:
        sentence = f"I have no usage for {escape(email)}."
        hint = "If you use another address with Claude, or an API key, ask an admin to connect it with you."
    return Message(sentence, [quoting_section(sentence, hint)])


def _usual(own: OwnDay) -> str:
    if own.usual_usd is None:
        return f"Too few active days so far to say what is usual for you ({own.usual_days})"
    return f"Your usual active day is {rounded(own.usual_usd)} (median of {own.usual_days})"


def _mostly(own: OwnDay) -> list[str]:
    if not own.models or own.amount.usd == ZERO:
        return []
    first = own.models[0]
    return [f"Mostly {escape(first.name or '')}: {rounded(first.usd)} ({percent(first.usd / own.amount.usd)})"]
