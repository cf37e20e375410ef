"""The calculator's window: opened by a command or a button, worked out again with each change, shared on request."""

from collections.abc import Callable
from datetime import date
from typing import Any

from slack_bolt import Ack
from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient

from bot.ask import Answer, Refusal, ask
from bot.pricing import PriceBook
from bot.slack.blocks.answer import answer_message
from bot.slack.blocks.calculator import Entries, calculator_view, open_button, read_entries
from bot.slack.blocks.message import Block, Message, context, section
from bot.slack.listeners.replies import Command, Reply, say


class Calculator:
    """The listeners of the calculator. It knows prices alone, so anybody may use it."""

    def __init__(self, book: PriceBook, today: Callable[[], date]) -> None:
        self.book = book
        self.today = today

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
        view = body["view"]
        changed = self._view(read_entries(view["state"]["values"]), view["private_metadata"])
        client.views_update(view_id=view["id"], hash=view.get("hash"), view=changed)

    def share(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        """Say the answer in the channel that the window was opened from."""
        entries = read_entries(view["state"]["values"])
        answer = self._answer(entries)
        if isinstance(answer, Refusal):
            ack(response_action="errors", errors={"tokens": answer.sentence[:150]})
            return
        ack()
        message = answer_message(answer, is_shared=True)
        asked = context(f"Asked by <@{body['user']['id']}>")
        WebhookClient(view["private_metadata"]).send(
            text=message.text, blocks=[*message.blocks, asked], response_type="in_channel", replace_original=False
        )

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
