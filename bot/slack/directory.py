"""Who is who between people and Slack users."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.slack.errors import Meaning, classify
from bot.store.database import Database
from bot.store.people import Person, remember_slack_user

_USER = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_ADDRESS = re.compile(r"[^@\s<>|]+@[^@\s<>|]+")


class Member(NamedTuple):
    """A person of this workspace, or a guest in it. ``email`` is None where the app may not see it."""

    email: str | None
    is_workspace_admin: bool
    is_guest: bool = False


class Directory:
    """Finds the Slack user of a person by e-mail address, and the address of a Slack user."""

    def __init__(
        self, database: Database, client: WebClient, known: Callable[[], tuple[str, str] | None] = lambda: None
    ) -> None:
        """``known`` says Slack's ids of the workspace and its organisation, where they are known without asking."""
        self.database = database
        self.client = client
        self.known = known
        self._workspace: tuple[str, str] | None = None

    def slack_user_of(self, person: Person) -> str:
        """The Slack user id of a person with an e-mail address; remembered once found. Raises SlackApiError."""
        if person.slack_user_id:
            return person.slack_user_id
        found = str(self._person_with(person.email or "")["id"])
        remember_slack_user(self.database, person.id, found)
        return found

    def _person_with(self, email: str) -> dict[str, Any]:
        """The user of this workspace with an e-mail address. Raises SlackApiError, also where it is nobody of ours."""
        answer = self.client.users_lookupByEmail(email=email)
        user: dict[str, Any] = answer["user"]
        if self._is_member(user):
            return user
        raise SlackApiError("nobody of ours", {"ok": False, "error": "users_not_found"})  # type: ignore[no-untyped-call]

    def zone_of(self, slack_user_id: str, otherwise: ZoneInfo) -> ZoneInfo:
        """The time zone in a user's profile; ``otherwise`` where there is none or Slack does not say."""
        try:
            return ZoneInfo(str(self.client.users_info(user=slack_user_id)["user"].get("tz") or otherwise.key))
        except (SlackApiError, OSError, KeyError, ValueError):
            return otherwise

    def has_address(self, email: str) -> bool:
        """Whether somebody in this workspace has that e-mail address. Raises SlackApiError where Slack does not say."""
        try:
            self._person_with(email)
            return True
        except SlackApiError as error:
            if error.response.get("error") == "users_not_found":
                return False
            raise

    def direct_channel(self, slack_user_id: str) -> str:
        """The channel id of the bot's direct messages with a user. Raises SlackApiError."""
        return str(self.client.conversations_open(users=slack_user_id)["channel"]["id"])

    def email_of(self, slack_user_id: str) -> str | None:
        """The e-mail address of a person of this workspace, or None where the app may not see it."""
        found = self.member(slack_user_id)
        return found.email if found else None

    def address_in(self, said: str) -> str | None:
        """The e-mail address that somebody wrote, or of the person whom they mentioned; None if it is neither."""
        user = _USER.fullmatch(said)
        if user:
            return self.email_of(user[1])
        return said if _ADDRESS.fullmatch(said) else None

    def member(self, slack_user_id: str) -> Member | None:
        """A person of this workspace; None for people of others, deactivated ones, bots, and where the app may not see.

        Anybody may write any address into a profile of a workspace of their own, and meet the app in a shared channel.
        Raises SlackApiError or OSError where Slack did not answer, and the next time may.
        """
        try:
            user = dict(self.client.users_info(user=slack_user_id)["user"])
            if not self._is_member(user):
                return None
        except (SlackApiError, OSError) as error:
            if classify(error).meaning in (Meaning.RETRY, Meaning.UNCERTAIN):
                raise
            return None
        email = user.get("profile", {}).get("email")
        is_admin = any(user.get(role) for role in ("is_admin", "is_owner", "is_primary_owner"))
        is_guest = bool(user.get("is_restricted") or user.get("is_ultra_restricted"))
        return Member(str(email) if email else None, is_admin, is_guest)

    def _is_member(self, user: dict[str, Any]) -> bool:
        """Whether it is a person of this workspace who still works here."""
        is_nobody = user.get("deleted") or user.get("is_bot") or user.get("is_stranger")
        return not is_nobody and self._is_here(user)

    def _is_here(self, user: dict[str, Any]) -> bool:
        """Whether a user belongs to the app's workspace, or to its organisation of several."""
        self._workspace = self._workspace or self.known()
        if self._workspace is None:
            own = self.client.auth_test()
            self._workspace = (str(own["team_id"]), str(own.get("enterprise_id") or ""))
        team, enterprise = self._workspace
        organisation = user.get("enterprise_user") or {}
        is_ours = bool(enterprise) and organisation.get("enterprise_id") == enterprise
        return is_ours or team in (user.get("team_id"), *organisation.get("teams", []))
