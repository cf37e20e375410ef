"""“link KEY @person”: an admin says whose a name in the exports is."""

from collections.abc import Callable
from datetime import date, datetime

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.ask import Refusal
from bot.pricing import PriceBook
from bot.slack.access import NOT_ADMIN, Access
from bot.slack.blocks.answer import refusal_message
from bot.slack.directory import Directory
from bot.slack.listeners.replies import Command, Reply, say, say_lines
from bot.store.alerting import AlertPolicy
from bot.store.audit import note_change, note_look
from bot.store.database import Database
from bot.store.deliveries import owe_notice
from bot.store.identity import BY_ADMIN, UnknownIdentity
from bot.store.linking import link_actor
from bot.store.people import Person, person_by_id, similar_address

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
        name = " ".join(words[:-1]).strip("“”\"'")  # the person is the last word
        email = self.directory.address_in(words[-1]) if name else None
        if email is None:
            what = f"“{' '.join(words)}” is no name and person" if words else "Say a name and whose it is"
            say(reply, refusal_message(Refusal(f"{what}.", EXAMPLE)))
            return
        similar = similar_address(self.database, email)
        try:
            self.give(name, email, command["user_id"])
        except UnknownIdentity as error:
            say(reply, refusal_message(Refusal(str(error), EXAMPLE)))
            return
        lines = [f"{name} is {email} from now on, with all its history."]
        if similar is not None:
            lines.append(f"Nobody had that address before. If you meant {similar}, link it to that.")
        say_lines(reply, *lines)

    def give(self, name: str, email: str, who: str, kind: str | None = None) -> None:
        """Link a name to an address, keep who said so, and tell whoever had it. Raises UnknownIdentity."""
        now, policy = self.clock(), self.policy()
        before = link_actor(self.database, name, email, BY_ADMIN, self.book, policy, now, kind)
        note_change(self.database, now, who, f"linked {name} to {email}")
        for person_id in sorted(before):
            person = person_by_id(self.database, person_id)
            note_look(self.database, now, who, person_id, f"the usage under {name}, and gave it to {email}")
            if person is not None:
                self._tell(person, name, email, policy.today, now)

    def _tell(self, before: Person, name: str, email: str, today: date, now: datetime) -> None:
        """Their figures are somebody else's from now on: nobody finds that out by accident."""
        try:
            user = self.directory.slack_user_of(before)
        except (SlackApiError, OSError):
            return  # nobody of this workspace any more, as after a change of address
        text = f"An admin counts the usage under {name}, which was yours, as that of {email} from now on."
        about = f"linked:{before.id}:{name}:{email}:{now.isoformat()}"
        owe_notice(self.database, about, user, text, today, now, is_for_admins=False)
