"""The HTTP processes as they run in service: gunicorn, signed requests, a clean end."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bot.playground.demo import CHANNEL, team_workspace
from bot.playground.dispatch import send_command
from bot.playground.server import served
from bot.playground.web_api import create_web_api
from bot.playground.workspace import BOT_TOKEN, SIGNING_SECRET, Workspace
from tests.ports import free_port


@contextmanager
def started(command: str, workspace: Workspace, database_url: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A ``claudecost`` process and the address that it serves, once it answers."""
    with served(create_web_api(workspace)) as slack:
        address = f"127.0.0.1:{free_port()}"
        environment = {
            "PATH": os.environ["PATH"],
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_API_URL": f"{slack}/api/",
            "DATABASE_URL": database_url,
            "CLAUDECOST_DIGEST_CHANNEL": CHANNEL,
            "CLAUDECOST_DIGEST_TIME": "00:00",
            "CLAUDECOST_DIGEST_WEEKDAYS": "1234567",
            "CLAUDECOST_BIND": address,
        }
        with subprocess.Popen(
            [sys.executable, "-m", "bot", command], env=environment, stderr=subprocess.PIPE
        ) as process:
            try:
                _wait_until_healthy(f"http://{address}/healthz")
                yield f"http://{address}", process
            finally:
                if process.poll() is None:
                    process.kill()


def _wait_until_healthy(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.parametrize(("command", "digests"), [("web", 0), ("run", 1)])
def test_http_is_served_and_ended_cleanly(command: str, digests: int, database_url: str) -> None:
    workspace = team_workspace()
    with started(command, workspace, database_url) as (url, process):
        events = f"{url}/slack/events"
        answer = json.loads(send_command(events, workspace.users[0], CHANNEL, "500k in 80k out opus", url))
        assert answer["text"].startswith("$3.60 on Claude Opus 5.5")
        forged = urllib.request.Request(events, data=b"command=%2Fclaudecost")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(forged, timeout=5)
        deadline = time.monotonic() + 10
        while len(workspace.messages.get(CHANNEL, [])) < digests and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read().decode() if process.stderr else ""
        assert process.wait(20) == 0, said
    assert len(workspace.messages.get(CHANNEL, [])) == digests
    assert "Traceback" not in said
