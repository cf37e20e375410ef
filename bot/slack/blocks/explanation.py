"""Where a person's figure of a day comes from."""

from bot.exports.formats import source_reader, source_said
from bot.ledger import Explanation
from bot.pricing.money import rounded
from bot.slack.blocks.labels import list_label, spent
from bot.slack.blocks.message import Message, context, counted, escape, quoting_section, section, short_day
from bot.spend.days import ONE_DAY
from bot.spend.precedence import LESSER

MAX_ROWS = 12
MAX_TOTALS = 5
MAX_LINE = 200
NOT_COUNTED = ", and not counted"


def explanation_message(found: Explanation, price_label: str) -> Message:
    """Every source that knows the day, which one speaks, and its rows."""
    who, day = escape(found.person.label), short_day(found.day)
    totals = [escape(line, MAX_LINE) for line in totals_in_lines(found)]
    if found.taken is None:
        sentence = f"No source knows of any Claude usage of {who} on {day}{' alone' if totals else ''}."
        return Message(sentence, [quoting_section(sentence, *totals)])
    source = escape(source_reader(found.taken))
    fact = f"{who} on {day} ({found.zone} day): {spent(found.sources[found.taken])}, from {source}"
    fact += "" if found.is_counted else NOT_COUNTED
    ranked = sorted(found.sources.items(), key=lambda item: -item[1].usage.tokens)
    lines = [
        f"{'→' if name == found.taken else '•'} {escape(source_said(name))}: {of.usage.tokens:,} tokens, {spent(of)}"
        for name, of in ranked
    ]
    rows = [
        f"• {escape(name)}: {escape(quantity.model)} {quantity.usage.tokens:,} tokens, {spent(amount)}"
        f"{'' if amount.told_usd is None else ' stated' if quantity.reported_usd is not None else ' list price'}"
        for source, name, quantity, amount in found.details
        if source == found.taken
    ]
    more = [f"and {counted(len(rows) - MAX_ROWS, 'row')} more"] if len(rows) > MAX_ROWS else []
    return Message(
        fact,
        [
            quoting_section(f"*{fact}*", *lines),
            quoting_section("Its rows:", *rows[:MAX_ROWS], *more),
            *([quoting_section(*totals)] if totals else []),
            section(rule_of(found)),
            context("Only you see this", f"{list_label(price_label)}, where the source states no cost"),
        ],
    )


def rule_of(found: Explanation) -> str:
    """Why the source speaks that does, or why none."""
    if not found.is_counted:
        return "What an organization used as a whole counts only on days of which nobody's own usage is known."
    if any(LESSER.get(source) in found.sources for source in found.sources):
        return (
            "Events speak before metrics, which repeat them; of the other sources the fullest does. None are added up."
        )
    return "The fullest single source speaks; they are never added up, as each can only know too little."


def totals_in_lines(found: Explanation) -> list[str]:
    """What is said of several days together in which the day lies; of many the longest."""
    return [
        f"{source_said(one.source)}: {rounded(one.usd)} for {short_day(one.start)} to "
        f"{short_day(one.until - ONE_DAY)} together"
        f"{', more than these days say' if one.is_fuller else ''}"
        for one in found.totals[-MAX_TOTALS:]
    ]
