"""Commands about a channel's digests; admins alone change them."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from slack_bolt import Respond

from bot.ask import Refusal
from bot.slack.blocks.answer import refusal_message
from bot.slack.blocks.message import Message, escape, quoting_section
from bot.slack.listeners.failures import answers_failures
from bot.slack.subscribing import EXAMPLE, Defaults, Unreadable, in_words, read_subscription
from bot.spend.digest import EDITIONS
from bot.store.database import Database
from bot.store.subscriptions import Subscription, all_subscriptions, subscribe, unsubscribe
from bot.store.teams import find_team

NOT_ADMIN = "Only admins change what a channel gets (CLAUDECOST_ADMINS); ask one of them."


class Channels:
    """The listeners of subscribe, unsubscribe and subscriptions."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        defaults: Defaults,
        settled: Collection[Subscription],
        admins: Collection[str],
    ) -> None:
        """``settled`` are subscriptions of the settings, which no command ends."""
        self.database = database
        self.clock = clock
        self.defaults = defaults
        self.settled = settled
        self.admins = admins

    @answers_failures
    def subscribe(self, respond: Respond, command: dict[str, Any]) -> None:
        """Let this channel have a digest."""
        if command["user_id"] not in self.admins:
            _say(respond, NOT_ADMIN)
            return
        said = " ".join(str(command["text"]).split()[1:])
        try:
            wanted = read_subscription(said, command["channel_id"], self.defaults)
        except Unreadable as error:
            _reply(respond, refusal_message(Refusal(str(error), EXAMPLE)))
            return
        if wanted.team and find_team(self.database, wanted.team) is None:
            _reply(respond, refusal_message(Refusal(f"No team is called “{wanted.team}”.", EXAMPLE)))
            return
        subscribe(self.database, wanted, self.clock())
        _say(respond, f"This channel gets the {in_words(wanted)}. Invite me, if you have not: /invite @claudecost")

    @answers_failures
    def unsubscribe(self, respond: Respond, command: dict[str, Any]) -> None:
        """End this channel's digests, or one edition."""
        if command["user_id"] not in self.admins:
            _say(respond, NOT_ADMIN)
            return
        words = str(command["text"]).lower().split()[1:]
        if words and (len(words) > 1 or words[0] not in EDITIONS):
            _reply(respond, refusal_message(Refusal(f"I could not read “{' '.join(words)}”.", "unsubscribe weekly")))
            return
        ended = unsubscribe(self.database, command["channel_id"], words[0] if words else None)
        left = [one for one in self.settled if one.channel == command["channel_id"]]
        also = " The one of CLAUDECOST_DIGEST_CHANNEL stays, as the settings say so." if left else ""
        _say(respond, (f"Ended {ended} of this channel's digests." if ended else "There was none to end.") + also)

    @answers_failures
    def list_them(self, respond: Respond, command: dict[str, Any]) -> None:
        """What this channel gets; admins see every channel."""
        found = [*self.settled, *all_subscriptions(self.database)]
        here = command["channel_id"]
        if command["user_id"] not in self.admins:
            found = [one for one in found if one.channel == here]
        lines = [f"{'here' if one.channel == here else one.channel}: {in_words(one)}" for one in found]
        _say(respond, *(lines or ["This channel gets no digest."]))


def _say(respond: Respond, *lines: str) -> None:
    blocks = [quoting_section(*(f"• {escape(line, 300)}" if len(lines) > 1 else escape(line, 300) for line in lines))]
    _reply(respond, Message(lines[0], blocks))


def _reply(respond: Respond, message: Message) -> None:
    respond(text=message.text, blocks=message.blocks, response_type="ephemeral")
