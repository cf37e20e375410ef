"""What a command is, and how listeners answer it."""

import re
from typing import Any, Protocol

from bot.slack.blocks.message import Message, context, escape, quoting_section

Command = dict[str, Any]
"""``text`` after the command, ``user_id``, ``channel_id`` and, where a window may be opened, ``trigger_id``."""


class Reply(Protocol):
    """Bolt's Ack and Respond, and what stands in for them: says something to whoever asked."""

    def __call__(self, *, text: str, blocks: Any = None, response_type: str = "ephemeral") -> Any: ...


MAX_LINES = 32
"""Lines of one answer; each may have 300 characters, and a message 13,200."""

_LINK = re.compile(r"<(?:mailto:|https?://|tel:)[^|>]*\|([^>]*)>")


def plain(text: str) -> str:
    """What was typed: Slack makes links of addresses and escapes three characters; mentions of users stay."""
    typed = _LINK.sub(r"\1", text)
    return typed.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def first_word(command: Command) -> str:
    """The first word after the command, in lower case."""
    words = str(command.get("text") or "").split(maxsplit=1)
    return words[0].lower() if words else ""


def words_after(command: Command) -> str:
    """What follows the first word."""
    return " ".join(str(command["text"]).split()[1:])


def say(reply: Reply, message: Message) -> None:
    """Answer for the eyes of whoever asked alone."""
    reply(text=message.text, blocks=message.blocks, response_type="ephemeral")


def say_lines(reply: Reply, *lines: str) -> None:
    """One sentence, or several as a list."""
    bullets = [f"• {escape(line, 300)}" if len(lines) > 1 else escape(line, 300) for line in lines[:MAX_LINES]]
    more = [context(f"and {len(lines) - MAX_LINES:,} more")] if len(lines) > MAX_LINES else []
    parts = [bullets[start : start + 8] for start in range(0, len(bullets), 8)]
    say(reply, Message(escape(lines[0], 300), [*(quoting_section(*part) for part in parts), *more]))
