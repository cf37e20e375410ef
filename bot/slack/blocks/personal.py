"""What only the person concerned sees: the alert about a day, and their own spend."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from bot.ledger import OwnDay, OwnPeriod, OwnSpend
from bot.pricing.money import rounded, shown
from bot.slack.blocks.labels import list_label, money_label, own_fact, spent, unpriced
from bot.slack.blocks.message import (
    Block,
    Message,
    actions,
    button,
    context,
    counted,
    escape,
    percent,
    quoting_section,
    section,
    short_day,
)
from bot.spend.alerts import MAX_LIMIT
from bot.spend.amounts import ZERO, Amount
from bot.spend.causes import CACHE_WRITES, Comparison
from bot.spend.days import ONE_DAY
from bot.store.audit import Look

ALERT_PLANNED, ALERT_MUTE, ALERT_LIMIT = "alert_planned", "alert_mute", "alert_limit"
"""What the buttons of an alert are called in Slack's payloads; their value is person and day, see ``about``."""


def alert_message(
    own: OwnDay, limit_usd: Decimal, step: int, price_label: str, *, plan: str | None = None, settled: str | None = None
) -> Message:
    """The private message to a person whose day reached ``step`` times their limit.

    ``plan`` says what a subscription would mean; ``settled``, what was done about it, takes the place of the buttons.
    """
    reached = shown(limit_usd) if step == 1 else f"{shown(limit_usd * step)} ({step} times your limit)"
    did = "reached" if own.amount.usd == limit_usd * step else "passed"
    fact = f"You {did} {reached} on {short_day(own.day)}: {rounded(own.amount.usd)}"
    if own.amount.told_usd is None:
        fact = f"What you used on {short_day(own.day)} has no price by now, so nothing says that it reached {reached}"
    elif own.amount.usd < limit_usd * step:
        fact = f"{short_day(own.day)} was restated to {rounded(own.amount.usd)}, which is below {reached}"
    lines = [_usual(own), *_mostly(own)]
    if own.saving is not None:
        left = own.amount.usd - own.saving.usd
        lines.append(f"Try: {own.saving.what}, which would have made it about {rounded(left)}")
    lines += unpriced(own.amount)
    blocks = [section(f"*{fact}*"), quoting_section(*lines, *([plan] if plan else []))]
    if settled is None:
        value = about(own.person.id, own.day, limit_usd, step)
        blocks.append(
            actions(
                button(ALERT_PLANNED, "Planned work", value),
                button(ALERT_MUTE, "Mute until Monday", value),
                button(ALERT_LIMIT, "Change my limit", value),
            )
        )
    blocks.append(
        context(
            *([settled] if settled else []),
            f"{own.zone} day · sent once for this day and amount · only you see this · /claudecost me shows more",
            money_label(own.amount, price_label),
        )
    )
    return Message(fact, blocks)


def about(person_id: int, day: date, limit_usd: Decimal, step: int) -> str:
    """The value of an alert's buttons: whose, of which day, and what was told."""
    return f"{person_id}|{day}|{limit_usd}|{step}"


def limit_modal(own: OwnDay, limit_usd: Decimal, where: str) -> Block:
    """The window in which a person sets their own daily limit; ``where`` names the message to edit."""
    choices = [(Decimal(12), "what nine in ten stayed under, by the documentation of March 2026")]
    choices.append((Decimal(30), "the same since April 2026, with an average of $13"))
    twice = ZERO if own.usual_usd is None else (2 * own.usual_usd).quantize(Decimal("0.01"))
    if twice and twice <= MAX_LIMIT and twice not in dict(choices):
        choices.append((twice, "twice your usual active day"))
    options = [
        {
            "text": {"type": "plain_text", "text": shown(usd)},
            "description": {"type": "plain_text", "text": why},
            "value": str(usd),
        }
        for usd, why in choices
    ]
    return {
        "type": "modal",
        "callback_id": ALERT_LIMIT,
        "private_metadata": where,
        "title": {"type": "plain_text", "text": "My daily limit"},
        "submit": {"type": "plain_text", "text": "Save"},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [
            section(f"Your limit is {shown(limit_usd)} a day; you hear of it once at 1, 2 and 4 times that."),
            {
                "type": "input",
                "block_id": "choice",
                "optional": True,
                "label": {"type": "plain_text", "text": "Choose one"},
                "element": {"type": "radio_buttons", "action_id": "usd", "options": options},
            },
            {
                "type": "input",
                "block_id": "own",
                "optional": True,
                "label": {"type": "plain_text", "text": "Or an amount of your own, in dollars"},
                "element": {
                    "type": "number_input",
                    "action_id": "usd",
                    "is_decimal_allowed": True,
                    "min_value": "0.01",
                    "max_value": str(MAX_LIMIT),
                },
            },
        ],
    }


def own_spend_message(own: OwnSpend, today: date, price_label: str, looks: Sequence[Look] = ()) -> Message:
    """A person's newest day and month so far, and who else looked at their figures."""
    latest = own.latest
    when = "today" if latest.day == today else f"on {short_day(latest.day)}, your newest day with usage"
    fact = own_fact(latest.amount, when)
    month = f"{latest.day:%B} so far: {spent(own.month)} on {counted(own.month_days, 'active day')}"
    lines = [f"{month} · your daily limit is {shown(own.limit_usd)}", _usual(latest), *_mostly(latest)]
    lines += unpriced(own.month)
    lines += [f"<@{look.who}> looked at {escape(look.what)} on {short_day(look.at.date())}" for look in looks]
    blocks = [
        section(f"*{fact}*"),
        quoting_section(*lines),
        context("Only you see this", f"{latest.zone} days", money_label(own.month, price_label)),
    ]
    return Message(fact, blocks)


def own_period_message(own: OwnPeriod, what: str, price_label: str) -> Message:
    """A person's own week or month: the total, the dearest days, and what the dollars are."""
    fact = own_fact(own.amount, what)
    first, last = own.period.start, own.period.end - ONE_DAY
    days = f"{short_day(last)} ({own.zone} day)"
    if first != last:
        days = f"{short_day(first)} to {short_day(last)} ({own.zone} days)"
    if not own.days:
        is_known = own.known_to is not None and own.known_to >= last
        fact = f"You spent nothing {what}" if is_known else f"No usage of yours is known {what} so far"
        reaches = f"usage reaches {short_day(own.known_to)}" if own.known_to is not None else "nothing was imported"
        return Message(fact, [section(f"*{fact}*"), context("Only you see this", days, reaches)])
    dearest = sorted(own.days, key=lambda one: (-one[1].usd, one[0]))[:3]
    each = f", {rounded(own.amount.usd / len(own.days))} each on average" if own.amount.told_usd is not None else ""
    lines = [
        f"On {counted(len(own.days), 'active day')}{each}",
        f"Dearest: {' · '.join(f'{short_day(day)} {spent(cost)}' for day, cost in dearest)}",
        *unpriced(own.amount),
    ]
    basis = context("Only you see this", days, money_label(own.amount, price_label))
    return Message(fact, [section(f"*{fact}*"), section(*lines), basis])


def comparison_message(found: Comparison, days: int, price_label: str) -> Message:
    """What a person's own usage would have cost on the newest model of each family."""
    fact = f"Your last {days} days at list prices: {rounded(found.usd)}"
    if not found.usd:
        return Message(fact := f"You used nothing with a price in the last {days} days", [section(f"*{fact}*")])
    lines = []
    for name, usd in found.families:
        if usd is None:
            lines.append(f"• all on {escape(name)}: not priced for all of it")
            continue
        change = usd / found.usd - 1
        versus = f"{percent(abs(change))} {'more' if change > 0 else 'less'}" if change else "the same"
        lines.append(f"• all on {escape(name)}: {rounded(usd)}, {versus}")
    lines += unpriced(Amount(unpriced_tokens=found.unpriced_tokens))
    basis = context(
        "Only you see this",
        "The same tokens on another model; another model may well need more or fewer",
        f"{list_label(price_label)}; not an invoice",
    )
    return Message(fact, [section(f"*{fact}*"), section(*lines), basis])


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
    line = f"Mostly {escape(first.name or '')}: {rounded(first.usd)} ({percent(first.usd / own.amount.usd)})"
    if own.kind is not None:
        kind, usd = own.kind
        line += f"; {percent(usd / own.amount.usd)} of the cost is {_KINDS[kind]}"
    if own.sessions is not None:
        line += f"; in {own.sessions.sessions:,} sessions, usually {own.sessions.usual.normalize():f}"
    return [line]


_KINDS = {
    "input": "input that no cache held",
    "output": "output",
    "cache_read": "cache reads",
    CACHE_WRITES: "cache writes",
    "web_search": "web searches",
}
