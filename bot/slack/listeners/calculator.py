"""The calculator's window: opened by a command or a button, worked out again with each change, shared on request."""

from collections.abc import Callable
from datetime import date
from http import HTTPStatus
from typing import Any

from slack_bolt import Ack
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookClient

from bot.ask import Answer, Refusal, ask
from bot.pricing import PriceBook
from bot.slack.blocks.answer import answer_message
from bot.slack.blocks.calculator import Entries, calculator_view, open_button, read_entries
from bot.slack.blocks.message import Block, Message, context, section
from bot.slack.clients import HASTY_TIMEOUT
from bot.slack.listeners.replies import Command, Reply, say

NOT_SHARED = "Slack no longer takes an answer from this window; open the calculator again in the channel"
MAX_WINDOWS = 1000


class Calculator:
    """The listeners of the calculator. It knows prices alone, so anybody may use it."""

    def __init__(self, book: PriceBook, today: Callable[[], date]) -> None:
        self.book = book
        self.today = today
        self._newest: dict[str, str] = {}
        """When each open window was last changed, as Slack says it."""

    def show(self, reply: Reply, command: Command, client: WebClient) -> None:
        """Open it; where nothing can be opened, as after a mention, offer a button that does."""
        if not command.get("trigger_id"):
            sentence = "The calculator opens in a window."
            say(reply, Message(sentence, [section(sentence), open_button()]))
            return
        client.views_open(trigger_id=command["trigger_id"], view=self._view(Entries(), command.get("response_url", "")))

    def open(self, ack: Ack, body: dict[str, Any], client: WebClient) -> None:
        """Open it from a button; Slack lets it be opened within seconds of the press alone."""
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=self._view(Entries(), body.get("response_url", "")))

    def change(self, ack: Ack, body: dict[str, Any], client: WebClient) -> None:
        """Something was typed or chosen: work it out again."""
        ack()
        view, at = body["view"], str(body["actions"][0].get("action_ts") or "")
        self._newest[view["id"]] = max(at, self._newest.pop(view["id"], ""))
        while len(self._newest) > MAX_WINDOWS:
            del self._newest[next(iter(self._newest))]
        changed = self._view(read_entries(view["state"]["values"]), view["private_metadata"])
        try:
            client.views_update(view_id=view["id"], hash=view.get("hash"), view=changed)
        except SlackApiError as error:
            # Somebody types faster than Slack answers: the last change holds, whichever update was first.
            if error.response.get("error") != "hash_conflict" or at != self._newest.get(view["id"]):
                return
            client.views_update(view_id=view["id"], view=changed)

    def share(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        """Say the answer in the channel that the window was opened from."""
        entries = read_entries(view["state"]["values"])
        answer = self._answer(entries)
        if isinstance(answer, Refusal):
            ack(response_action="errors", errors={"tokens": answer.sentence[:150]})
            return
        message = answer_message(answer, is_shared=True)
        asked = context(f"Asked by <@{body['user']['id']}>")
        if self._said(view["private_metadata"], message.text, [*message.blocks, asked]):
            ack()
        else:
            ack(response_action="errors", errors={"tokens": NOT_SHARED})

    def _said(self, url: str, text: str, blocks: list[Block]) -> bool:
        """Whether Slack took it; its address of a command holds for half an hour."""
        try:
            hook = WebhookClient(url, timeout=HASTY_TIMEOUT, retry_handlers=[])
            answer = hook.send(text=text, blocks=blocks, response_type="in_channel", replace_original=False)
        except (OSError, ValueError, SlackClientError):
            return False
        return bool(answer.status_code == HTTPStatus.OK)

    def _answer(self, entries: Entries) -> Answer | Refusal:
        try:
            return ask(entries.question, self.today(), self.book)
        except Refusal as refusal:
            return refusal

    def _view(self, entries: Entries, where: str) -> Block:
        day = self.today()
        families = [family for family in self.book.families if self.book.has_family(family, day)]
        models = [*families, " vs ".join(families[:4])]
        return calculator_view(entries, models, self._answer(entries), where)
