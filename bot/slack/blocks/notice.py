"""Messages to the admins about the installation itself."""

from datetime import datetime, timedelta

from bot.slack.blocks.message import MAX_SENTENCE, Message, actions, button, context, escape, quoting_section, short_day


def silence_sentence(source: str, last_at: datetime, zone: str, usual: timedelta) -> str:
    """That a source has brought nothing for longer than usual; ``last_at`` is told in ``zone``."""
    return (
        f"{source} has brought nothing since {short_day(last_at.date())} {last_at:%H:%M} {zone}; lately the longest "
        f"usual pause was {_length(usual)} of working days. Digests and alerts may miss usage: look at what feeds it."
    )


SEND_AGAIN = "send_again"
"""What the button is called in Slack's payloads; its value is the key of a message that was not delivered."""


def notice_message(text: str, key: str | None = None, *, is_for_admins: bool = True) -> Message:
    """One sentence for an admin, and where to look, or for whom it concerns; ``key`` is of one to send again."""
    basis = "to admins only · claudecost doctor shows every feed" if is_for_admins else "to you only"
    sentence = escape(text, MAX_SENTENCE)
    return Message(
        sentence,
        [
            quoting_section(sentence),
            *([actions(button(SEND_AGAIN, "Send again", key))] if key else []),
            context(f"Sent once, {basis}"),
        ],
    )


def _length(span: timedelta) -> str:
    hours = int(span.total_seconds()) // 3600
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} hours" if hours >= 2 else f"{int(span.total_seconds()) // 60} minutes"
