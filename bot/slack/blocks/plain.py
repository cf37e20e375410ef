"""A message as plain text, the way a person reads it: for the terminal."""

import re
from html import unescape

from bot.slack.blocks.message import Block, Message

_BOLD = re.compile(r"(?<!\w)\*(\S(?:[^*\n]*\S)?)\*(?!\w)")


def as_text(message: Message) -> str:
    """The blocks from top to bottom, without markup, one block a paragraph."""
    return "\n".join(_block(block) for block in message.blocks if block["type"] != "actions")


def _block(block: Block) -> str:
    if block["type"] == "image":
        return str(block["alt_text"])
    if block["type"] == "context":
        return "\n".join(_plain(element) for element in block["elements"])
    return _plain(block["text"])


def _plain(element: Block) -> str:
    text = str(element["text"])
    if element["type"] == "mrkdwn":
        text = unescape(_BOLD.sub(r"\1", text).replace("`", ""))
    return text
