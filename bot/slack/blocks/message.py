"""The pieces every message is made of, within Slack's limits, and how text from outside is made harmless."""

import re
import unicodedata
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

Block = dict[str, Any]

MAX_SECTION = 3000
MAX_HEADER = 150
MAX_NAME = 80
MAX_SENTENCE = 700


class Message(NamedTuple):
    """What is posted: the blocks, and the text that stands in where blocks cannot be shown."""

    text: str
    blocks: list[Block]


def escape(text: str, at_most: int = MAX_NAME) -> str:
    """Text from outside, safe inside mrkdwn: no control or direction marks, one line, cut to ``at_most`` characters.

    ``&``, ``<`` and ``>`` are escaped, so that no mention or link can be made of it.
    """
    return one_line(text, at_most).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def one_line(text: str, at_most: int) -> str:
    """The same for plain text, in which nothing need be escaped."""
    visible = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    line = " ".join(visible.split())
    return line if len(line) <= at_most else line[: at_most - 1] + "…"


def header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": text[:MAX_HEADER], "emoji": False}}


def section(*lines: str) -> Block:
    """Our own words, with markup."""
    return {"type": "section", "text": _mrkdwn("\n".join(lines))}


def quoting_section(*lines: str) -> Block:
    """Lines with words from outside: Slack makes no links and mentions of #general or example.com in them."""
    return {"type": "section", "text": {**_mrkdwn("\n".join(lines)), "verbatim": True}}


def context(*lines: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(line) for line in lines]}


def actions(*elements: Block) -> Block:
    """A row of buttons."""
    return {"type": "actions", "elements": list(elements)}


def button(action: str, text: str, value: str) -> Block:
    """A button; ``value`` comes back when it is pressed."""
    label = {"type": "plain_text", "text": text, "emoji": False}
    return {"type": "button", "action_id": action, "text": label, "value": value}


def image(file_id: str, alt_text: str) -> Block:
    """A picture that was uploaded to Slack; ``alt_text`` says the same in words."""
    return {"type": "image", "slack_file": {"id": file_id}, "alt_text": alt_text[:2000]}


def short_day(day: date) -> str:
    """ "Thu 19 Nov"."""
    return f"{day:%a} {day.day} {day:%b}"


def by_whom(who: str) -> str:
    """A mention of a Slack user; whatever else changed something is named."""
    return f"<@{who}>" if re.fullmatch(r"[UW][A-Z0-9]+", who) else escape(who)


def percent(fraction: Decimal) -> str:
    """A fraction of 0 or more as whole percent: "9 %", "<1 %"."""
    if 0 < fraction < Decimal("0.005"):
        return "<1 %"
    return f"{(fraction * 100).quantize(Decimal(1), ROUND_HALF_UP):,} %"


def counted(count: int, one: str, many: str = "") -> str:
    """A count with its noun: "1 person", "14 people"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text[:MAX_SECTION]}
