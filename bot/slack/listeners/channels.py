"""Commands about a channel's digests; admins alone change them."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from slack_sdk import WebClient

from bot.ask import Refusal
from bot.slack.access import NOT_ADMIN, NOT_MEMBER, Access
from bot.slack.blocks.answer import refusal_message
from bot.slack.listeners.replies import Command, Reply, say, say_lines
from bot.slack.subscribing import EXAMPLE, Defaults, Unreadable, in_words, read_subscription
from bot.spend.days import ONE_DAY
from bot.spend.digest import EDITIONS
from bot.store.audit import note_change
from bot.store.database import Database
from bot.store.subscriptions import Subscription, all_subscriptions, subscribe, unsubscribe
from bot.store.teams import TOO_SMALL, Team, find_team


class Channels:
    """The listeners of subscribe, unsubscribe and subscriptions."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        defaults: Callable[[], Defaults],
        settled: Callable[[], list[Subscription]],
        access: Access,
        tells_too_much: Callable[[Team], bool],
    ) -> None:
        """``settled`` are subscriptions of the settings, which no command ends; of some teams no total is told."""
        self.tells_too_much = tells_too_much
        self.database = database
        self.clock = clock
        self.defaults = defaults
        self.settled = settled
        self.access = access

    def subscribe(self, reply: Reply, command: Command, _client: WebClient) -> None:
        """Let this channel have a digest."""
        if not self.access.is_admin(command["user_id"]):
            say_lines(reply, NOT_ADMIN)
            return
        if str(command["channel_id"]).startswith("D"):
            say(
                reply,
                refusal_message(Refusal("A digest comes into a channel; say it there, not in a message.", EXAMPLE)),
            )
            return
        said = " ".join(str(command["text"]).split()[1:])
        try:
            wanted = read_subscription(said, command["channel_id"], self.defaults())
        except Unreadable as error:
            say(reply, refusal_message(Refusal(str(error), EXAMPLE)))
            return
        if wanted.team:
            team = find_team(self.database, wanted.team)
            if team is None:
                say(reply, refusal_message(Refusal(f"No team is called “{wanted.team}”.", EXAMPLE)))
                return
            if self.tells_too_much(team):
                say_lines(reply, TOO_SMALL)
                return
            wanted = wanted._replace(team=team.name)
        # What the settings asked for so far must not cost the channel today's digest, at whatever time it comes now.
        is_asked_for = any(one.is_same(wanted) for one in self.settled())
        subscribe(self.database, wanted, self.clock() - (ONE_DAY if is_asked_for else timedelta(0)))
        note_change(self.database, self.clock(), command["user_id"], f"subscribed {wanted.channel}: {in_words(wanted)}")
        say_lines(reply, f"This channel gets the {in_words(wanted)}. Invite me, if you have not: /invite @claudecost")

    def unsubscribe(self, reply: Reply, command: Command, _client: WebClient) -> None:
        """End this channel's digests, or one edition."""
        if not self.access.is_admin(command["user_id"]):
            say_lines(reply, NOT_ADMIN)
            return
        words = " ".join(str(command["text"]).split()[1:])
        said = re.fullmatch(rf"({'|'.join(EDITIONS)})?(?: ?team (.+))?", words, re.IGNORECASE)
        if said is None:
            say(reply, refusal_message(Refusal(f"I could not read “{words}”.", "unsubscribe weekly team core")))
            return
        edition, team = said.groups()
        ended = unsubscribe(self.database, command["channel_id"], edition and edition.lower(), team)
        if ended:
            what = f"ended {ended} digests of {command['channel_id']}"
            note_change(self.database, self.clock(), command["user_id"], what)
        left = [one for one in self.settled() if one.channel == command["channel_id"]]
        also = " The one of CLAUDECOST_DIGEST_CHANNEL stays, as the settings say so." if left else ""
        say_lines(reply, (f"Ended {ended} of this channel's digests." if ended else "There was none to end.") + also)

    def list_them(self, reply: Reply, command: Command, _client: WebClient) -> None:
        """What this channel gets; admins see every channel."""
        if not self.access.is_member(command["user_id"]):
            say_lines(reply, NOT_MEMBER)
            return
        found = [*self.settled(), *all_subscriptions(self.database)]
        here = command["channel_id"]
        if not self.access.is_admin(command["user_id"]):
            found = [one for one in found if one.channel == here]
        lines = [f"{'here' if one.channel == here else one.channel}: {in_words(one)}" for one in found]
        say_lines(reply, *(lines or ["This channel gets no digest."]))
