"""Slack's limits for messages, windows and Home tabs, from the tables of ``slackblocks``, and what text may not do."""

import json
import re
from collections.abc import Iterator
from typing import Any

from slackblocks import _limits

MAX_MESSAGE = 13_200
"""Characters of a message's blocks, measured: longer ones are refused without a word (facts of metabase #79908)."""

MAX_TEXT = 4000
LIVE = re.compile(r"<(?![@]U[A-Z0-9]+>)[^>]*>")
"""What Slack would make a mention or link of; only mentions of users, which we write ourselves, are allowed."""

Block = dict[str, Any]


def problems(said: Block) -> list[str]:
    """What Slack would refuse, or show as something else, of a message or view."""
    blocks = said.get("blocks") or []
    found = []
    if said.get("type") in ("modal", "home"):
        found += [f"{len(blocks)} blocks"] if len(blocks) > _limits.VIEW_BLOCKS_MAX_ITEMS else []
        found += _long("private_metadata", said.get("private_metadata", ""), _limits.VIEW_PRIVATE_METADATA_MAX_LENGTH)
        for name in ("title", "submit", "close"):
            found += _long(name, said.get(name, {}).get("text", "x"), _limits.VIEW_TITLE_MAX_LENGTH)
    else:
        found += [f"{len(blocks)} blocks"] if len(blocks) > _limits.MESSAGE_BLOCKS_MAX_ITEMS else []
        found += [] if len(json.dumps(blocks, ensure_ascii=False)) <= MAX_MESSAGE else ["the blocks are too long"]
        found += _long("text", said.get("text", ""), MAX_TEXT)
        found += _live("text", str(said.get("text", "")))
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    found += ["block ids twice"] if len(set(ids)) < len(ids) else []
    for block in blocks:
        found += [f"{block['type']}: {what}" for what in _block(block)]
    return found


def _block(block: Block) -> Iterator[str]:
    kind = block["type"]
    yield from _long("block_id", block.get("block_id", "x"), _limits.BLOCK_ID_MAX_LENGTH)
    if kind == "header":
        yield from _long("text", block["text"]["text"], _limits.HEADER_TEXT_MAX_LENGTH)
    elif kind == "section":
        yield from _text(block["text"], _limits.SECTION_TEXT_MAX_LENGTH)
        if "accessory" in block:
            yield from _element(block["accessory"])
    elif kind == "context":
        if not 1 <= len(block["elements"]) <= _limits.CONTEXT_ELEMENTS_MAX_ITEMS:
            yield f"{len(block['elements'])} elements"
        for element in block["elements"]:
            yield from _text(element, _limits.TEXT_MAX_LENGTH)
    elif kind == "actions":
        if not 1 <= len(block["elements"]) <= _limits.ACTIONS_ELEMENTS_MAX_ITEMS:
            yield f"{len(block['elements'])} elements"
        names = [element["action_id"] for element in block["elements"]]
        if len(set(names)) < len(names):
            yield f"actions twice: {names}"
        for element in block["elements"]:
            yield from _element(element)
    elif kind == "image":
        yield from _long("alt_text", block["alt_text"], _limits.IMAGE_ALT_TEXT_MAX_LENGTH)
    elif kind == "input":
        yield from _long("label", block["label"]["text"], _limits.INPUT_LABEL_MAX_LENGTH)
        yield from _element(block["element"])
    elif kind not in ("divider", "data_visualization"):
        yield "is a kind that is not known here"


def _element(element: Block) -> Iterator[str]:
    yield from _long("action_id", element["action_id"], _limits.ACTION_ID_MAX_LENGTH)
    kind = element["type"]
    if kind == "button":
        yield from _long("button", element["text"]["text"], _limits.BUTTON_TEXT_MAX_LENGTH)
        yield from _long("value", element["value"], _limits.BUTTON_VALUE_MAX_LENGTH)
    options = element.get("options", [])
    most = _limits.SELECT_OPTIONS_MAX_ITEMS if kind == "static_select" else _limits.CHECKBOXES_OPTIONS_MAX_ITEMS
    if len(options) > most:
        yield f"{len(options)} options"
    for option in options:
        yield from _long("option", option["text"]["text"], _limits.OPTION_TEXT_MAX_LENGTH)
        yield from _long("value", option["value"], _limits.OPTION_VALUE_MAX_LENGTH)
        yield from _long("description", option.get("description", {"text": "x"})["text"], 75)
    if "placeholder" in element:
        yield from _long("placeholder", element["placeholder"]["text"], _limits.SELECT_PLACEHOLDER_MAX_LENGTH)


def _text(text: Block, most: int) -> Iterator[str]:
    yield from _long("text", text["text"], most)
    if text["type"] == "mrkdwn":
        yield from _live("text", text["text"])


def _long(name: str, text: str, most: int) -> list[str]:
    return [] if len(text) <= most and (text or name == "private_metadata") else [f"{name} has {len(text)} of {most}"]


def _live(name: str, text: str) -> list[str]:
    return [f"{name} holds {LIVE.findall(text)}"] if LIVE.search(text) else []
