"""The settings window: admins alone open and save it, and each change is kept with who and when."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from slack_bolt import Ack
from slack_sdk import WebClient

from bot.policy import TITLES, Policies, PolicyProblem
from bot.slack.access import NOT_ADMIN, Access
from bot.slack.blocks.answer import answer_view
from bot.slack.blocks.message import Block, Message, by_whom, context, escape, quoting_section, section
from bot.slack.blocks.settings import (
    changed_values,
    chosen_budgets,
    open_settings_button,
    saved_view,
    settings_view,
)
from bot.slack.listeners.failures import failed_message
from bot.slack.listeners.replies import Command, Reply, say, say_lines
from bot.store.audit import last_entries, note_change
from bot.store.database import Database
from bot.store.teams import all_teams, set_team

MAX_ERROR = 150
MAX_CHANGES = 30


class SettingsWindow:
    """The listeners of the settings."""

    def __init__(
        self,
        database: Database,
        policies: Policies,
        access: Access,
        hasty_access: Access,
        clock: Callable[[], datetime],
    ) -> None:
        self.database = database
        self.policies = policies
        self.access = access
        self.hasty_access = hasty_access
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

    def show_changes(self, reply: Reply, command: Command, _client: WebClient) -> None:
        """The last changes and looks at people's figures, for admins."""
        if not self.access.is_admin(command["user_id"]):
            say_lines(reply, NOT_ADMIN)
            return
        zone = self.policies().timezone
        found = last_entries(self.database, MAX_CHANGES)
        lines = [
            f"• {one.at.astimezone(zone):%Y-%m-%d %H:%M} {by_whom(one.who)} {escape(one.what, 150)}"
            f"{f' ({escape(one.whose)})' if one.whose else ''}"
            for one in found
        ]
        sentence = "The last changes, and looks at people's figures" if lines else "Nothing was changed so far."
        parts = [quoting_section(*lines[start : start + 10]) for start in range(0, len(lines), 10)]
        say(reply, Message(sentence, [section(f"*{sentence}*"), *parts, context(f"{zone.key} · only you see this")]))

    def open(self, ack: Ack, body: dict[str, Any], client: WebClient) -> None:
        """Open it from a button; Slack lets it be opened within seconds of the press alone."""
        ack()
        if self.access.is_admin(body["user"]["id"]):
            client.views_open(trigger_id=body["trigger_id"], view=self._view())

    def check(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        """Say beside each entry what is wrong with it, else that it is being saved: Slack waits for three seconds."""
        user = body["user"]["id"]
        if not self.hasty_access.is_admin(user):
            ack(response_action="errors", errors={"timezone": NOT_ADMIN[:MAX_ERROR]})
            return
        entries = changed_values(view)
        try:
            chosen_budgets(entries)
        except ValueError as error:
            ack(response_action="errors", errors={str(error): "Write an amount of dollars above 0, such as 4000"})
            return
        try:
            self.policies.check({name: entries[name] for name in TITLES if name in entries})
        except PolicyProblem as problem:
            ack(response_action="errors", errors={name: said[:MAX_ERROR] for name, said in problem.sentences.items()})
            return
        ack(response_action="update", view=saved_view(None))

    def save(self, body: dict[str, Any], view: dict[str, Any], client: WebClient) -> None:
        """Let what was chosen hold, and say so in the window."""
        user, entries = body["user"]["id"], changed_values(view)
        try:
            budgets = chosen_budgets(entries)
            self.policies.check(chosen := {name: entries[name] for name in TITLES if name in entries})
        except (ValueError, PolicyProblem):
            return  # the window says what is wrong
        if not self.access.is_admin(user):
            return
        try:
            said = saved_view(self._saved(chosen, budgets, user))
        except Exception as error:
            said = answer_view(failed_message("settings", error).blocks)
        client.views_update(view_id=view["id"], view=said)

    def _saved(self, chosen: dict[str, str], budgets: dict[int, Decimal | None], user: str) -> list[str]:
        now = self.clock()
        changed = self.policies.choose(chosen, user, now)
        for team, _ in all_teams(self.database):
            if team.id in budgets and budgets[team.id] != team.budget_usd:
                usd = budgets[team.id]
                set_team(self.database, team.name, (), budget_usd=usd)
                said = "none" if usd is None else f"{usd:f}"
                changed.append(f"monthly budget of {team.name}: {said}")
                note_change(self.database, now, user, f"changed the monthly budget of {team.name} to {said}")
        return changed

    def _view(self) -> Block:
        return settings_view(self.policies(), [team for team, _ in all_teams(self.database)])
