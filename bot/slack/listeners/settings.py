"""The settings window: admins alone open and save it, and each change is kept with who and when."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from slack_bolt import Ack
from slack_sdk import WebClient

from bot.policy import Policies, PolicyProblem
from bot.slack.access import NOT_ADMIN, Access
from bot.slack.blocks.message import Block, Message, section
from bot.slack.blocks.settings import (
    chosen_budgets,
    chosen_values,
    open_settings_button,
    saved_view,
    settings_view,
)
from bot.slack.listeners.replies import Command, Reply, say, say_lines
from bot.store.audit import note_change
from bot.store.database import Database
from bot.store.teams import all_teams, set_team

MAX_ERROR = 150


class SettingsWindow:
    """The listeners of the settings."""

    def __init__(self, database: Database, policies: Policies, access: Access, clock: Callable[[], datetime]) -> None:
        self.database = database
        self.policies = policies
        self.access = access
        self.clock = clock

    def show(self, reply: Reply, command: Command, client: WebClient) -> None:
        """Open it; where nothing can be opened, as after a mention, offer a button that does."""
        if not self.access.is_admin(command["user_id"]):
            say_lines(reply, NOT_ADMIN)
        elif command.get("trigger_id"):
            client.views_open(trigger_id=command["trigger_id"], view=self._view())
        else:
            sentence = "The settings open in a window."
            say(reply, Message(sentence, [section(sentence), open_settings_button()]))

    def open(self, ack: Ack, body: dict[str, Any], client: WebClient) -> None:
        """Open it from a button; Slack lets it be opened within seconds of the press alone."""
        ack()
        if self.access.is_admin(body["user"]["id"]):
            client.views_open(trigger_id=body["trigger_id"], view=self._view())

    def save(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        """Let what was chosen hold, or say beside each entry what is wrong with it."""
        user, values = body["user"]["id"], view["state"]["values"]
        if not self.access.is_admin(user):
            ack(response_action="errors", errors={"timezone": NOT_ADMIN[:MAX_ERROR]})
            return
        try:
            budgets = chosen_budgets(values)
        except ValueError as error:
            ack(response_action="errors", errors={str(error): "Write an amount of dollars above 0, such as 4000"})
            return
        now = self.clock()
        try:
            changed = self.policies.choose(chosen_values(values), user, now)
        except PolicyProblem as problem:
            ack(response_action="errors", errors={name: said[:MAX_ERROR] for name, said in problem.sentences.items()})
            return
        for team, _ in all_teams(self.database):
            if team.id in budgets and budgets[team.id] != team.budget_usd:
                usd = budgets[team.id]
                set_team(self.database, team.name, (), budget_usd=usd)
                said = "none" if usd is None else f"{usd:f}"
                changed.append(f"monthly budget of {team.name}: {said}")
                note_change(self.database, now, user, f"changed the monthly budget of {team.name} to {said}")
        ack(response_action="update", view=saved_view(changed))

    def _view(self) -> Block:
        return settings_view(self.policies(), [team for team, _ in all_teams(self.database)])
