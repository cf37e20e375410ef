"""An export dropped into the bot's messages: fetched, imported and reported, for admins."""

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from slack_sdk import WebClient

from bot.imports import Importer
from bot.slack.access import NOT_ADMIN, Access
from bot.slack.blocks.imported import imported_message, importing_message, refused_message
from bot.slack.blocks.message import Message
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
        self, importer: Callable[[], Importer], access: Access, clock: Callable[[], datetime], token: str, api_url: str
    ) -> None:
        self.importer = importer
        self.access = access
        self.clock = clock
        self.token = token
        self.api_url = api_url

    def explain(self, reply: Reply, command: Command, _client: WebClient) -> None:
        """How exports are brought here."""
        say_lines(reply, *(HOW if self.access.is_admin(command["user_id"]) else (NOT_ADMIN,)))

    def take(self, event: dict[str, Any], client: WebClient) -> None:
        """Import each file; one message a file says how far it is, and then what came of it."""
        channel, user = event["channel"], event.get("user", "")
        for file in event["files"]:
            said = importing_message(str(file.get("name") or "a file"))
            if not self.access.is_admin(user):
                said = refused_message(NOT_ADMIN)
                client.chat_postMessage(channel=channel, text=said.text, blocks=said.blocks)
                return
            posted = client.chat_postMessage(channel=channel, text=said.text, blocks=said.blocks)
            done = self._imported(file, user)
            client.chat_update(channel=channel, ts=posted["ts"], text=done.text, blocks=done.blocks)

    def _imported(self, file: dict[str, Any], user: str) -> Message:
        importer = self.importer()
        with tempfile.TemporaryDirectory(prefix="claudecost-upload-") as folder:
            try:
                path = fetched(file, self.token, self.api_url, Path(folder))
            except Refused as refusal:
                return refused_message(str(refusal))
            now = self.clock()
            reports = [
                report._replace(
                    path=report.path.replace(f"{folder}/", ""),
                    refused=report.refused.replace(f"{folder}/", "") if report.refused else None,
                )
                for report in importer.import_path(path, now)
            ]
            note_change(importer.database, now, user, f"imported {path.name}")
            return imported_message(reports)
