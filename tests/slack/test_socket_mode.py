"""The same listeners over Socket Mode: a real process, a real WebSocket, no public address."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from bot import process
from bot.playground.demo import CHANNEL, team_workspace
from bot.playground.server import served
from bot.playground.web_api import create_web_api
from bot.playground.workspace import APP_TOKEN, BOT_TOKEN, Workspace
from tests.ports import free_port


class Socket:
    """Slack's end of the WebSocket: sends envelopes, collects acknowledgements."""

    def __init__(self) -> None:
        self.outgoing: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.acknowledged: queue.Queue[dict[str, Any]] = queue.Queue()
        self.connected = threading.Event()

    def handle(self, connection: ServerConnection) -> None:
        connection.send(json.dumps({"type": "hello", "num_connections": 1}))
        self.connected.set()
        reader = threading.Thread(target=self._read, args=(connection,), daemon=True)
        reader.start()
        while (envelope := self.outgoing.get()) is not None:
            connection.send(json.dumps(envelope))

    def _read(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            for text in connection:
                self.acknowledged.put(json.loads(text))

    def command(self, text: str, response_url: str) -> dict[str, Any]:
        """Send a slash command; returns the payload of its acknowledgement."""
        payload = {
            "command": "/claudecost",
            "text": text,
            "user_id": "U001",
            "team_id": "T0PLAYGRND",
            "channel_id": CHANNEL,
            "response_url": response_url,
            "trigger_id": "1.2.3",
        }
        self.outgoing.put({"type": "slash_commands", "envelope_id": text, "payload": payload})
        answer = self.acknowledged.get(timeout=10)
        assert answer["envelope_id"] == text
        return dict(answer.get("payload") or {})


@contextmanager
def slack_with_socket(workspace: Workspace) -> Iterator[tuple[str, Socket]]:
    socket = Socket()
    with serve(socket.handle, "127.0.0.1", 0) as server, served(create_web_api(workspace)) as url:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        workspace.socket_url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        try:
            yield url, socket
        finally:
            socket.outgoing.put(None)
            server.shutdown()


def _asked(url: str, data: bytes | None = None) -> int:
    """The status of the answer to a request with the bearer token."""
    headers = {"authorization": "Bearer a-long-secret-word", "content-type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_beside_http_a_token_that_is_refused_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = ["ratelimited", "invalid_auth", ""]

    class Handler:
        def connect(self) -> None:
            if answer := answers.pop(0):
                raise SlackApiError("refused", {"error": answer})  # type: ignore[no-untyped-call]

    monkeypatch.setattr(process, "RECONNECT_SECONDS", 0)
    process._keep_connecting(Handler(), threading.Event())  # type: ignore[arg-type]
    assert answers == []
    assert "Slack refuses SLACK_APP_TOKEN (invalid_auth)" in caplog.text


@pytest.mark.parametrize("takes_usage", [False, True])
def test_run_serves_commands_and_jobs_in_one_process(database_url: str, takes_usage: bool) -> None:
    workspace = team_workspace()
    address = f"127.0.0.1:{free_port()}"
    with slack_with_socket(workspace) as (url, socket):
        environment = {
            "PATH": os.environ["PATH"],
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "SLACK_API_URL": f"{url}/api/",
            "DATABASE_URL": database_url,
            "CLAUDECOST_DIGEST_CHANNEL": CHANNEL,
            "CLAUDECOST_DIGEST_TIME": "00:00",
            "CLAUDECOST_DIGEST_WEEKDAYS": "1234567",
            **({"CLAUDECOST_OTLP_TOKEN": "a-long-secret-word", "CLAUDECOST_BIND": address} if takes_usage else {}),
        }
        command = [sys.executable, "-m", "bot", "run"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
            try:
                assert socket.connected.wait(30)
                answer = socket.command("500k in 80k out opus", f"{url}/respond/U001/{CHANNEL}")
                assert answer["text"].startswith("$3.60 on Claude Opus 5.5")
                assert socket.command("me", f"{url}/respond/U001/{CHANNEL}") == {}
                if takes_usage:
                    assert _asked(f"http://{address}/v1/logs", b"{}") == 200
                    assert _asked(f"http://{address}/metrics") == 200
                    assert _asked(f"http://{address}/slack/events", b"command=x") == 404
                deadline = time.monotonic() + 20
                while CHANNEL not in workspace.messages and time.monotonic() < deadline:
                    time.sleep(0.1)
            finally:
                process.send_signal(signal.SIGTERM)
                said = process.stderr.read().decode() if process.stderr else ""
                process.wait(20)
        assert process.returncode == 0, said
        assert "Traceback" not in said
        assert BOT_TOKEN not in said
        assert [message["user"] for message in workspace.ephemeral] == ["U001"]
        # the digest of yesterday was due at midnight
        assert len(workspace.messages[CHANNEL]) == 1
