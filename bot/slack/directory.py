"""Who is who between people and Slack users."""

from zoneinfo import ZoneInfo

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.store.database import Database
from bot.store.people import Person, remember_slack_user


class Directory:
    """Finds the Slack user of a person by e-mail address, and the address of a Slack user."""

    def __init__(self, database: Database, client: WebClient) -> None:
        self.database = database
        self.client = client

    def slack_user_of(self, person: Person) -> str:
        """The Slack user id of a person with an e-mail address; remembered once found. Raises SlackApiError."""
        if person.slack_user_id:
            return person.slack_user_id
        found = str(self.client.users_lookupByEmail(email=person.email or "")["user"]["id"])
        remember_slack_user(self.database, person.id, found)
        return found

    def zone_of(self, slack_user_id: str, otherwise: ZoneInfo) -> ZoneInfo:
        """The time zone in a user's profile; ``otherwise`` where there is none or Slack does not say."""
        try:
            return ZoneInfo(str(self.client.users_info(user=slack_user_id)["user"].get("tz") or otherwise.key))
        except (SlackApiError, OSError, KeyError, ValueError):
            return otherwise

    def has_address(self, email: str) -> bool:
        """Whether somebody in this workspace has that e-mail address. Raises SlackApiError where Slack does not say."""
        try:
            return not self.client.users_lookupByEmail(email=email)["user"].get("deleted", False)
        except SlackApiError as error:
            if error.response.get("error") == "users_not_found":
                return False
            raise

    def direct_channel(self, slack_user_id: str) -> str:
        """The channel id of the bot's direct messages with a user. Raises SlackApiError."""
        return str(self.client.conversations_open(users=slack_user_id)["channel"]["id"])

    def email_of(self, slack_user_id: str) -> str | None:
        """The e-mail address in a user's profile, or None where the app may not see it."""
        try:
            profile = self.client.users_info(user=slack_user_id)["user"].get("profile", {})
        except SlackApiError:
            return None
        email = profile.get("email")
        return str(email) if email else None
