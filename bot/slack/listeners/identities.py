"""“link KEY @person”: an admin says whose a name in the exports is."""

from collections.abc import Callable
from datetime import datetime

from slack_sdk import WebClient

from bot.ask import Refusal
from bot.pricing import PriceBook
from bot.slack.access import NOT_ADMIN, Access
from bot.slack.blocks.answer import refusal_message
from bot.slack.directory import Directory
from bot.slack.listeners.replies import Command, Reply, say, say_lines
from bot.store.alerting import AlertPolicy
from bot.store.audit import note_change
from bot.store.database import Database
from bot.store.identity import BY_ADMIN, UnknownIdentity, link_actor

EXAMPLE = "link claude_code_key_dana_ab12 dana@example.com"


class Identities:
    """The listener of link."""

    def __init__(
        self,
        database: Database,
        book: PriceBook,
        directory: Directory,
        access: Access,
        clock: Callable[[], datetime],
        policy: Callable[[], AlertPolicy],
    ) -> None:
        self.database = database
        self.book = book
        self.directory = directory
        self.access = access
        self.clock = clock
        self.policy = policy

    def link(self, reply: Reply, command: Command, _client: WebClient) -> None:
        """Give a key, account or address, with all its history, to a person."""
        if not self.access.is_admin(command["user_id"]):
            say_lines(reply, NOT_ADMIN)
            return
        words = str(command["text"]).split()[1:]
        email = self.directory.address_in(words[1]) if len(words) == 2 else None
        if email is None:
            what = f"“{' '.join(words)}” is no name and person" if words else "Say a name and whose it is"
            say(reply, refusal_message(Refusal(f"{what}.", EXAMPLE)))
            return
        try:
            self.give(words[0], email, command["user_id"])
        except UnknownIdentity as error:
            say(reply, refusal_message(Refusal(str(error), EXAMPLE)))
            return
        say_lines(reply, f"{words[0]} is {email} from now on, with all its history.")

    def give(self, name: str, email: str, who: str) -> None:
        """Link a name to an address, and keep who said so. Raises UnknownIdentity."""
        now = self.clock()
        link_actor(self.database, name, email, BY_ADMIN, self.book, self.policy(), now)
        note_change(self.database, now, who, f"linked {name} to {email}")
