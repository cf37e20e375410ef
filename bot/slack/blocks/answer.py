"""The answer to a cost question, and the refusal of one."""

from decimal import Decimal

from bot.ask import Answer, Refusal, written
from bot.ask.answer import CACHED_SHARE
from bot.pricing import CostLine, PriceConditions
from bot.pricing.money import exact, shown
from bot.pricing.session import SessionCost
from bot.slack.blocks.message import (
    MAX_SENTENCE,
    Block,
    Message,
    actions,
    button,
    context,
    escape,
    quoting_section,
    section,
)

COMMAND = "/claudecost"
MAX_VALUE = 2000
"""Characters that a button's value may have."""

MAX_HOURS = 8

_KINDS = {
    "input": "input",
    "output": "output",
    "cache_read": "cache read",
    "cache_write_5m": "cache write (5 min)",
    "cache_write_1h": "cache write (1 h)",
    "web_search": "web searches",
}


RUN = "run"
"""How the names of buttons begin in Slack's payloads whose value is a command to run."""

SHARE = "answer_share"
"""What the button is called in Slack's payloads; its value is the question."""


def answer_message(answer: Answer, *, is_shared: bool = False) -> Message:
    """Total first, then the formula, what was assumed, other models, and the price date."""
    question = answer.question
    total = shown(answer.cost.usd)
    model = f"Claude {answer.model.name}"
    each = f", {question.times:,} times ({shown(answer.cost.usd / question.times)} each)" if question.times > 1 else ""
    formula = " · ".join(_formula(line) for line in answer.cost.lines)
    blocks = [section(f"*{total}*  on {model}{each}", formula)]
    if answer.session is not None:
        blocks.append(section(*_session(answer.session)))
    notes = [*answer.assumptions]
    if answer.if_cached is not None:
        notes.append(f"If {CACHED_SHARE} % of the input were cache reads: {shown(answer.if_cached)}.")
    if notes:
        blocks.append(quoting_section(*(escape(note, MAX_SENTENCE) for note in notes)))
    if answer.savings:
        blocks.append(
            section("*Cheaper*", *(f"• {saving.what} saves {shown(saving.usd)}" for saving in answer.savings))
        )
    if answer.alternatives:
        others = " · ".join(f"{other.model.name}: *{shown(other.usd)}*" for other in answer.alternatives)
        blocks.append(section(others))
    blocks.append(
        context(
            f"Prices of {question.day}{_conditions(question.conditions)} · {answer.price_label}",
            f"{COMMAND} {escape(written(question), MAX_SENTENCE)}",
        )
    )
    if not is_shared and len(written(question)) <= MAX_VALUE:
        blocks.append(actions(button(SHARE, "Share here", written(question))))
    kind = answer.price_label.split()[0]
    return Message(f"{total} on {model} at {kind} price of {question.day}", blocks)


def answer_view(blocks: list[Block]) -> Block:
    """A window that shows an answer where no message can, without the buttons that need one."""
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": "claudecost"},
        "close": {"type": "plain_text", "text": "Close"},
        "blocks": [block for block in blocks if block["type"] != "actions"],
    }


def refusal_message(refusal: Refusal, *, runs: bool = False) -> Message:
    """What could not be read, and a question that works; with ``runs``, a button that asks it."""
    sentence = escape(refusal.sentence, MAX_SENTENCE)
    suggestion = f"{COMMAND} {escape(refusal.suggestion).replace('`', ' ')}"
    return Message(
        f"{sentence} Try: {suggestion}",
        [
            quoting_section(sentence),
            section(f"Try  `{suggestion}`"),
            *([actions(button(RUN, "Run that", refusal.suggestion[:MAX_VALUE]))] if runs else []),
            context(f"{COMMAND} help lists everything that can be asked."),
        ],
    )


def _why(read: int, written: int) -> str:
    if written > read:
        return f"cold turns write the context again: {written:,} tokens to the cache"
    return f"every turn reads the context again: {read:,} tokens from the cache"


def _session(session: SessionCost) -> list[str]:
    """Why a session costs more than its new tokens, with its own numbers, and how it grows by the hour."""
    read = sum(turn.usage.cache_read for turn in session.turns)
    written = sum(turn.usage.cache_write_5m + turn.usage.cache_write_1h for turn in session.turns)
    contexts = f" in {session.plan.members} contexts" if session.plan.members > 1 else ""
    flat = f"Counting its {session.new_tokens:,} new tokens{contexts} once, without a cache, would give"
    lines = [
        f"{flat} {shown(session.flat_usd)}; the session costs {session.ratio.quantize(Decimal('0.1'))} times that, "
        f"as {_why(read * session.plan.members, written * session.plan.members)}.",
    ]
    hours = session.by_hour
    if len(hours) > 1:
        picked = hours if len(hours) <= MAX_HOURS else [*hours[: MAX_HOURS - 1], hours[-1]]
        lines.append(
            "By the hour: " + " · ".join(f"{hour}: {shown(usd)} (context {_amount_near(c)})" for hour, c, usd in picked)
        )
    if len(session.parts) > 1:
        lines.append(" · ".join(f"{part.name} {shown(part.usd)}" for part in session.parts))
    return lines


def _amount_near(tokens: int) -> str:
    return f"{tokens // 1000:,}k" if tokens >= 1000 else str(tokens)


def _formula(line: CostLine) -> str:
    if line.kind == "web_search":
        return f"{line.tokens:,} web searches × ${exact(line.price)} = {shown(line.usd)}"
    return f"{_KINDS[line.kind]} {_amount(line.tokens)} × ${exact(line.price)}/M = {shown(line.usd)}"


def _amount(tokens: int) -> str:
    """In the largest unit that shows it exactly with three decimals at most ("9.44M", "317.42k"), else in full."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if tokens >= size:
            is_exact = tokens % (size // 1000) == 0
            return f"{(Decimal(tokens) / size).normalize():f}{letter}" if is_exact else f"{tokens:,}"
    return str(tokens)


def _conditions(conditions: PriceConditions) -> str:
    words = {
        "fast": conditions.speed == "fast",
        "batch": conditions.service_tier == "batch",
        "US only": conditions.inference_geo == "us",
    }
    return "".join(f", {word}" for word, holds in words.items() if holds)
