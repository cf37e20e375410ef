"""An export dropped into the bot's messages: fetched, imported and reported, for admins."""

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from slack_bolt import Ack
from slack_sdk import WebClient

from bot.imports import Importer
from bot.slack.access import NOT_ADMIN, Access
from bot.slack.blocks.imported import (
    chosen_files,
    import_view,
    imported_message,
    importing_message,
    refused_message,
)
from bot.slack.blocks.message import Message
from bot.slack.directory import Directory
from bot.slack.listeners.failures import failed_message
from bot.slack.listeners.replies import Command, Reply, say_lines
from bot.slack.uploads import Refused, fetched
from bot.store.audit import note_change

HOW = (
    "Drop an export into my messages (the claudecost app, Messages tab): CSV, JSON, zip or gz, up to 20 MB.",
    "Larger ones, and folders: claudecost import on the machine of the bot. docs/sources.md says how to get each.",
)


def brings_files(event: dict[str, Any]) -> bool:
    """A matcher for files that somebody gives the bot in its own messages."""
    return event.get("channel_type") == "im" and bool(event.get("files")) and not event.get("bot_id")


class Uploads:
    """The listeners of files and of “import”."""

    def __init__(
        self,
        importer: Callable[[], Importer],
        access: Access,
        hasty_access: Access,
        directory: Directory,
        clock: Callable[[], datetime],
        token: str,
        api_url: str,
    ) -> None:
        self.importer = importer
        self.access = access
        self.hasty_access = hasty_access
        self.directory = directory
        self.clock = clock
        self.token = token
        self.api_url = api_url

    def show(self, reply: Reply, command: Command, client: WebClient) -> None:
        """Open the window; where nothing can be opened, as after a mention, say how exports are brought here."""
        if not self.access.is_admin(command["user_id"]):
            say_lines(reply, NOT_ADMIN)
        elif command.get("trigger_id"):
            client.views_open(trigger_id=command["trigger_id"], view=import_view())
        else:
            say_lines(reply, *HOW)

    def acknowledge_chosen(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        """The window closes, or says what is wrong."""
        files = chosen_files(view["state"]["values"])
        if not self.hasty_access.is_admin(body["user"]["id"]):
            ack(response_action="errors", errors={"files": NOT_ADMIN})
        elif not files:
            ack(response_action="errors", errors={"files": "Choose at least one file"})
        else:
            ack()

    def take_chosen(self, body: dict[str, Any], view: dict[str, Any], client: WebClient) -> None:
        """Import what was chosen in the window; the messages with whoever chose it say what came of it."""
        files = chosen_files(view["state"]["values"])
        user = body["user"]["id"]
        if not files or not self.access.is_admin(user):
            return
        channel = self.directory.direct_channel(user)
        for file in files:
            self._take(file, user, channel, client)

    def take(self, event: dict[str, Any], client: WebClient) -> None:
        """Import each file; one message a file says how far it is, and then what came of it."""
        channel, user = event["channel"], event.get("user", "")
        for file in event["files"]:
            if not self.access.is_admin(user):
                said = refused_message(NOT_ADMIN)
                client.chat_postMessage(channel=channel, text=said.text, blocks=said.blocks)
                return
            self._take(file, user, channel, client)

    def _take(self, file: dict[str, Any], user: str, channel: str, client: WebClient) -> None:
        said = importing_message(str(file.get("name") or "a file"))
        posted = client.chat_postMessage(channel=channel, text=said.text, blocks=said.blocks)
        try:
            done = self._imported(file, user)
        except Exception as error:
            done = failed_message("an import", error)
        client.chat_update(channel=channel, ts=posted["ts"], text=done.text, blocks=done.blocks)

    def _imported(self, file: dict[str, Any], user: str) -> Message:
        importer = self.importer()
        with tempfile.TemporaryDirectory(prefix="claudecost-upload-") as folder:
            try:
                path = fetched(file, self.token, self.api_url, Path(folder))
            except Refused as refusal:
                return refused_message(str(refusal))
            now = self.clock()
            reports = list(importer.import_path(path, now, is_passing=True))
            note_change(importer.database, now, user, f"imported {path.name}")
            return imported_message(reports)
