"""``claudecost demo``: the real app against the stand-in, from an export to a digest and a private warning."""

import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.panel import Panel

from bot.app import Installation
from bot.playground.dispatch import send_command
from bot.playground.generate_export import LAST_DAY, MAIN_FILE, RESTATED_FILE, TEAM
from bot.playground.server import served
from bot.playground.web_api import create_web_api
from bot.playground.workspace import BOT_TOKEN, SIGNING_SECRET, User, Workspace
from bot.settings import Settings, settings_of
from bot.slack.blocks.message import Message
from bot.slack.blocks.plain import as_text
from bot.terminal import print_import
from bot.web import SLACK_PATH, WebApp

ZONE = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=ZONE)
"""The demo's clock stands at the morning after the last day of the bundled export."""

CHANNEL = "C0ENG"
ADMIN = "U014"
"""The team's last member looks after the bot."""

QUESTION = "500k in 80k out opus"


class Stage(NamedTuple):
    """The workspace, the installed bot, and where its HTTP is."""

    workspace: Workspace
    installation: Installation
    app_url: str
    slack_url: str


def team_workspace() -> Workspace:
    """A workspace with the fictional team and one channel."""
    users = [User(f"U{number:03d}", member.name, member.email) for number, member in enumerate(TEAM, start=1)]
    return Workspace(users, {CHANNEL: "engineering"})


@contextmanager
def staged(workspace: Workspace, database_url: str, clock: Callable[[], datetime] = lambda: NOW) -> Iterator[Stage]:
    """The real app, installed into the stand-in, by whose clock Slack's runs too."""
    workspace.clock = clock
    with served(create_web_api(workspace)) as slack_url:
        installation = Installation(stage_settings(database_url, slack_url), clock=clock)
        with served(WebApp(installation)) as app_url:
            try:
                yield Stage(workspace, installation, app_url + SLACK_PATH, slack_url)
            finally:
                installation.close()


def run_demo() -> None:
    """Tell the story on the terminal."""
    logging.disable(logging.WARNING)
    console = Console(highlight=False, emoji=False, markup=False)
    with (
        tempfile.TemporaryDirectory(prefix="claudecost-demo-") as folder,
        staged(team_workspace(), f"sqlite:///{folder}/claudecost.db") as stage,
    ):
        _import(console, stage, MAIN_FILE, "1  Three weeks of a team's usage export are imported")
        _ask(console, stage)
        _tick(console, stage)
        _import(console, stage, RESTATED_FILE, "5  Late data: 18 November comes again, and replaces what was stored")
    console.print(
        "\nThat was the real app over signed HTTP, with a stand-in for Slack on 127.0.0.1 and a throw-away database.\n"
        "Next:  claudecost playground                          the same in your browser, as any of the team\n"
        "       claudecost ask 2M cache read 30k out opus      price your own question\n"
        "       claudecost import ~/.claude/projects --person you@example.com, then  claudecost spend --by day\n"
        "       README.md, “Install it for your team”          five minutes with your own workspace\n"
        "(From a checkout without installing, .venv/bin/claudecost.)",
        soft_wrap=True,
    )


def _import(console: Console, stage: Stage, path: Path, title: str) -> None:
    console.print(f"\n{title}", style="bold")
    for report in stage.installation.importer().import_path(path, stage.installation.clock()):
        print_import(report._replace(path=path.name))


def _ask(console: Console, stage: Stage) -> None:
    user = stage.workspace.users[0]
    console.print(f"\n2  {user.name} types /claudecost {QUESTION}", style="bold")
    url = f"{stage.slack_url}/respond/{user.id}/{CHANNEL}"
    answer = json.loads(send_command(stage.app_url, user, CHANNEL, QUESTION, url))
    _show(console, f"only {user.name} sees this", Message(answer["text"], answer["blocks"]))


def _tick(console: Console, stage: Stage) -> None:
    stage.installation.jobs.tick(NOW)
    console.print(
        f"\n3  At {NOW:%H:%M} the digest of {LAST_DAY:%A} is posted to #{stage.workspace.channels[CHANNEL]}",
        style="bold",
    )
    for message in stage.workspace.messages[CHANNEL]:
        _show(console, f"#{stage.workspace.channels[CHANNEL]}", Message(message["text"], message["blocks"]))
    private = {channel: said for channel, said in stage.workspace.messages.items() if channel.startswith("D")}
    console.print(
        f"\n4  {len(private)} people who passed $12 that day are told, each alone; one of them reads", style="bold"
    )
    largest = max(private, key=lambda channel: len(private[channel][0]["text"]))
    user = stage.workspace.user_by_id(f"U{largest[1:]}")
    message = private[largest][0]
    _show(console, f"direct message to {user.name if user else largest}", Message(message["text"], message["blocks"]))


def _show(console: Console, where: str, message: Message) -> None:
    console.print(Panel(as_text(message), title=where, title_align="left", width=min(console.width, 100)))


def stage_settings(database_url: str, slack_url: str) -> Settings:
    """Settings of the demo alone: nothing of the environment comes into it."""
    for name in [name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "all_proxy")]:
        del os.environ[name]
    return settings_of(
        {
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_API_URL": f"{slack_url}/api/",
            "DATABASE_URL": database_url,
            "CLAUDECOST_TIMEZONE": ZONE.key,
            "CLAUDECOST_DIGEST_CHANNEL": CHANNEL,
            "CLAUDECOST_ADMINS": ADMIN,
        }
    )
