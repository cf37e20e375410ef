"""From words to listeners: the same for the slash command, a mention, a message to the bot, and a button."""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from slack_bolt import Ack, Respond
from slack_sdk import WebClient

from bot.slack.blocks.answer import answer_view
from bot.slack.listeners.failures import answers_failures
from bot.slack.listeners.replies import Command, Reply, first_word, plain

Instant = Callable[[Reply, Command], None]
"""Answers at once: it asks neither the database nor Slack."""

Slow = Callable[[Reply, Command, WebClient], None]

MAX_EVENTS = 1000
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")

logger = logging.getLogger(__name__)


class Router:
    """Finds the listener of a command's first word; whatever is no such word is a question."""

    def __init__(self, question: Instant, instant: Mapping[str, Instant], slow: Mapping[str, Slow]) -> None:
        self.question = question
        self.instant = instant
        self.slow = slow
        self._events: dict[str, None] = {}

    def is_slow(self, command: Command) -> bool:
        """Whether the answer must follow the acknowledgement."""
        command["text"] = plain(str(command.get("text") or ""))
        return first_word(command) in self.slow

    def answer_now(self, ack: Ack, command: Command) -> None:
        """Answer in the acknowledgement."""
        self.instant.get(first_word(command), self.question)(ack, command)

    def acknowledge(self, ack: Ack) -> None:
        """Tell Slack that it arrived; the answer follows."""
        ack()

    @answers_failures
    def answer_later(self, respond: Respond, command: Command, client: WebClient) -> None:
        """Answer by response_url."""
        self.slow[first_word(command)](respond, command, client)

    @answers_failures
    def run_button(self, respond: Respond, body: dict[str, Any], client: WebClient) -> None:
        """A button whose value is a command, for whoever pressed it."""
        command = {
            "text": str(body["actions"][0]["value"]),
            "user_id": body["user"]["id"],
            "channel_id": body.get("channel", {}).get("id", ""),
            "trigger_id": body.get("trigger_id", ""),
            "response_url": body.get("response_url", ""),
        }

        def reply(**said: Any) -> None:
            if body.get("view", {}).get("type") == "home":
                # There is no message to answer on: the answer stands in a window.
                client.views_open(trigger_id=body["trigger_id"], view=answer_view(said["blocks"]))
            else:
                respond(**{**said, "replace_original": False})

        self._answer(reply, command, client)

    def answer_mention(self, event: dict[str, Any], body: dict[str, Any], client: WebClient) -> None:
        """A mention in a channel or a thread: the answer is for whoever wrote it alone."""
        user, channel = event.get("user"), event["channel"]
        if user is None or event.get("bot_id") or self._is_known(body):
            return
        where = {"thread_ts": event["thread_ts"]} if event.get("thread_ts") else {}
        reply = _said_to(client.chat_postEphemeral, channel=channel, user=user, **where)
        self._answer_event(reply, event, body, client)

    def answer_message(self, event: dict[str, Any], body: dict[str, Any], client: WebClient) -> None:
        """A message to the bot itself."""
        if (
            event.get("channel_type") != "im"
            or event.get("subtype")
            or event.get("files")
            or event.get("bot_id")
            or not event.get("user")
            or self._is_known(body)
        ):
            return
        where = {"thread_ts": event["thread_ts"]} if event.get("thread_ts") else {}
        self._answer_event(_said_to(client.chat_postMessage, channel=event["channel"], **where), event, body, client)

    def _is_known(self, body: dict[str, Any]) -> bool:
        """Whether Slack sends an event again that is answered already, as it does after a slow acknowledgement."""
        known, event_id = self._events, str(body.get("event_id") or "")
        if event_id and event_id in known:
            return True
        known[event_id] = None
        while len(known) > MAX_EVENTS:
            del known[next(iter(known))]
        return False

    def _answer_event(self, reply: Reply, event: dict[str, Any], body: dict[str, Any], client: WebClient) -> None:
        said = str(event.get("text") or "")
        text = plain(_without_mention(said, body) if event["type"] == "app_mention" else said)
        command = {"text": text, "user_id": event["user"], "channel_id": event["channel"], "trigger_id": ""}

        @answers_failures
        def answer(respond: Reply) -> None:
            self._answer(respond, command, client)

        answer(respond=reply)

    def _answer(self, reply: Reply, command: Command, client: WebClient) -> None:
        word = first_word(command)
        if word in self.slow:
            self.slow[word](reply, command, client)
        else:
            self.instant.get(word, self.question)(reply, command)


def _without_mention(said: str, body: dict[str, Any]) -> str:
    """The words without the mention of the bot; its first one, where Slack does not say who the bot is."""
    bots = {str(one.get("user_id")) for one in body.get("authorizations") or []}
    found = [match for match in _MENTION.finditer(said) if match[1] in bots] or list(_MENTION.finditer(said))[:1]
    for match in reversed(found):
        said = f"{said[: match.start()]} {said[match.end() :]}"
    return said


def _said_to(method: Callable[..., Any], **where: str) -> Reply:
    def reply(**said: Any) -> None:
        method(**where, text=said["text"], blocks=said.get("blocks") or None)

    return reply
