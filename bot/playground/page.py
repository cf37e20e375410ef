"""``claudecost playground``: the stand-in for a workspace as a web page, in which one is any person of the team."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

from flask import Flask, Response, jsonify, request

from bot.app import Installation
from bot.playground.demo import ADMIN, CHANNEL, NOW, ZONE, Stage, staged, team_workspace
from bot.playground.dispatch import send_command, send_event, send_interaction
from bot.playground.generate_export import MAIN_FILE, RESTATED_FILE
from bot.playground.server import served
from bot.playground.workspace import HANGS, Fault, Fields, User, Workspace
from bot.slack.blocks.answer import COMMAND

FAULTS = {
    "429": Fault("chat.postMessage", 429, False, {"ok": False, "error": "ratelimited"}, {"Retry-After": "30"}),
    "lost": Fault("chat.postMessage", 0, True),
    "500": Fault("chat.postMessage", 500, True, {"ok": False, "error": "internal_error"}),
}
"""What can be made to go wrong with the next message: refused for now, kept without an answer, kept with an error."""

KEPT_SECONDS = 0.3
"""The stand-in has kept a message so soon, and its client still waits for the answer."""

HEADER = "X-Playground"
"""Sent by the page alone: no other page in the browser can act here."""


class Theatre:
    """The stage and its clock, which only moves when somebody moves it."""

    def __init__(self, stage: Stage, now: datetime) -> None:
        self.stage = stage
        self.now = now
        self.presses = 0
        self.is_crashing = False
        self.lock = threading.Lock()

    @property
    def workspace(self) -> Workspace:
        return self.stage.workspace

    @property
    def installation(self) -> Installation:
        return self.stage.installation

    def command(self, user: User, channel: str, text: str) -> None:
        """Type the slash command as somebody."""
        said = text.strip()
        words = said.removeprefix(COMMAND).strip() if said.startswith(COMMAND) else said
        url = f"{self.stage.slack_url}/respond/{user.id}/{channel}"
        self._take(send_command(self.stage.app_url, user, channel, words, url, self._trigger(user)), user, channel)

    def press(self, user: User, pressed: Fields) -> None:
        """Press a button of a message or of the Home tab as somebody."""
        channel, ts = pressed.get("channel"), pressed.get("ts")
        found = [one for one in self.workspace.messages.get(str(channel), []) if one["ts"] == ts]
        place = {"channel": {"id": channel}} if channel else {"view": {"type": "home"}}
        self.presses += 1
        payload: Fields = {
            "type": "block_actions",
            "user": {"id": user.id},
            "trigger_id": self._trigger(user),
            "container": {"type": "message", "channel_id": channel, "message_ts": ts} if channel else {"type": "view"},
            "response_url": f"{self.stage.slack_url}/respond/{user.id}/{channel}?ts={ts}",
            "message": found[0] if found else {},
            "actions": [
                {
                    "type": pressed.get("type", "button"),
                    "block_id": pressed.get("block_id") or "b",
                    "action_ts": str(self.presses),
                    "action_id": pressed["action_id"],
                    **{name: pressed[name] for name in ("value", "selected_user") if name in pressed},
                }
            ],
            **place,
        }
        send_interaction(self.stage.app_url, payload)

    def submit(self, user: User, view: Fields, values: Fields) -> Fields:
        """Submit a window; what is wrong in it comes back."""
        payload = {"type": "view_submission", "user": {"id": user.id}, "view": {**view, "state": {"values": values}}}
        answer = send_interaction(self.stage.app_url, payload)
        said: Fields = json.loads(answer) if answer.strip() else {}
        if said.get("response_action") != "errors":
            self.workspace.views.clear()
        if said.get("response_action") == "update":
            self.workspace.show({**said["view"], "id": view["id"]}, self._trigger(user))
        return said

    def change(self, user: User, view: Fields, values: Fields, action: Fields) -> None:
        """Type or choose something in a window that asks to be told."""
        payload = {
            "type": "block_actions",
            "user": {"id": user.id},
            "trigger_id": self._trigger(user),
            "container": {"type": "view", "view_id": view["id"]},
            "view": {**view, "state": {"values": values}},
            "actions": [action],
        }
        send_interaction(self.stage.app_url, payload)

    def drop(self, user: User, name: str, data: bytes) -> None:
        """Drop a file into one's messages with the bot."""
        file, channel = self.keep(name, data), self.workspace.direct_channel(user.id)
        said = self.workspace.post(channel, {"user": user.id, "bot_id": None, "text": f"(a file: {name})"})
        event = {"type": "message", "subtype": "file_share", "channel_type": "im", "channel": channel, "user": user.id}
        send_event(self.stage.app_url, {**event, "files": [file], "ts": said["ts"]})

    def keep(self, name: str, data: bytes) -> Fields:
        """Keep a file as Slack does, and describe it as Slack does."""
        file_id = self.workspace.new_file(name)
        self.workspace.keep_file(file_id, data)
        url = f"{self.stage.slack_url}/files/{file_id}"
        return {"id": file_id, "name": name, "size": len(data), "url_private_download": url}

    def open_home(self, user: User) -> None:
        """Open the Home tab as somebody."""
        send_event(self.stage.app_url, {"type": "app_home_opened", "user": user.id, "tab": "home", "channel": "D"})

    def move(self, until: datetime) -> int:
        """Move the clock on; the bot's turns are made as it passes."""
        with self.lock:
            sent = 0
            while self.now < until:
                self.now = min(until, self.now + timedelta(hours=1))
                sent += self.turn()
            return sent

    def turn(self) -> int:
        """One turn of the bot's jobs."""
        if self.is_crashing:
            self._crash()
        jobs = self.installation.jobs
        sent = jobs.tick(self.now)
        jobs.correct_digests(self.now)
        self.installation.delete_old(self.now)
        return sent

    def _crash(self) -> None:
        """Let a worker process make the turn, and kill it once Slack has its message and before it knows."""
        workspace, settings = self.workspace, self.installation.settings
        workspace.faults.append(Fault("chat.postMessage", HANGS, True))
        waiting = len(workspace.faults)
        command = [sys.executable, "-m", "bot.playground.worker", settings.database, self.stage.slack_url]
        with subprocess.Popen([*command, self.now.isoformat()]) as worker:
            while worker.poll() is None:
                if len(workspace.faults) < waiting:
                    time.sleep(KEPT_SECONDS)
                    worker.kill()
                    self.is_crashing = False
                time.sleep(0.02)
        if self.is_crashing:
            # Nothing was to be sent: the next turn's worker crashes.
            workspace.faults.pop()

    def bring(self, path: Path) -> str:
        """Import one of the bundled exports, and say what came of it."""
        reports = list(self.installation.importer().import_path(path, self.now))
        recorded = reports[0].recorded
        self.turn()
        return f"{path.name}: {recorded.accepted} accepted, {recorded.restated} restated"

    def seen_by(self, user: User) -> Fields:
        """All that one person can see."""
        workspace = self.workspace
        direct = workspace.direct_channel(user.id)
        with workspace.lock:
            rooms = {**{channel: f"#{name}" for channel, name in workspace.channels.items()}, direct: "claudecost"}
            said = {room: list(workspace.messages.get(room, [])) for room in rooms}
            for room, messages in said.items():
                whispers = [one for one in workspace.ephemeral if one["user"] == user.id and one["channel"] == room]
                messages += [{**one, "only_you": True, "ts": one.get("at", "")} for one in whispers]
                messages.sort(key=lambda one: str(one["ts"]))
            views = [view for view in workspace.views if str(view.get("trigger_id", "")).startswith(f"{user.id}.")]
            return {
                "now": self.now.strftime("%a %d %b %Y %H:%M"),
                "users": [{"id": one.id, "name": one.name, "admin": one.id == ADMIN} for one in workspace.users],
                "rooms": [{"id": room, "name": name} for room, name in rooms.items()],
                "messages": said,
                "home": workspace.homes.get(user.id),
                "view": views[-1] if views else None,
                "faults": len(workspace.faults) + self.is_crashing,
            }

    def _trigger(self, user: User) -> str:
        self.presses += 1
        return f"{user.id}.{self.presses}"

    def _take(self, acknowledgement: bytes, user: User, channel: str) -> None:
        """An answer that came in the acknowledgement is shown like any other."""
        if acknowledgement.strip():
            self.workspace.whisper({"user": user.id, "channel": channel, **json.loads(acknowledgement)})


def create_page(theatre: Theatre) -> Flask:
    """The page, and what it may do."""
    app = Flask("claudecost-playground")
    text = Path(__file__).with_name("page.html").read_text(encoding="utf-8")

    def somebody() -> User:
        user = theatre.workspace.user_by_id(str(request.values.get("user") or _said().get("user")))
        return user or theatre.workspace.users[0]

    def _said() -> Fields:
        return request.get_json(silent=True) or {}

    @app.before_request
    def only_the_page() -> Response | None:
        if request.method == "POST" and request.headers.get(HEADER) is None:
            return Response("only the playground's own page may act here", status=403)
        return None

    @app.get("/")
    def page() -> Response:
        return Response(text, content_type="text/html; charset=utf-8")

    @app.get("/state")
    def state() -> Response:
        return jsonify(theatre.seen_by(somebody()))

    @app.get("/files/<file_id>")
    def file(file_id: str) -> Response:
        found = theatre.workspace.files.get(file_id)
        return Response(found[1], content_type="image/png") if found else Response("no such file", status=404)

    @app.post("/command")
    def command() -> Response:
        said = _said()
        theatre.command(somebody(), str(said.get("channel") or CHANNEL), str(said.get("text") or "")[:2000])
        return jsonify({})

    @app.post("/press")
    def press() -> Response:
        theatre.press(somebody(), _said())
        return jsonify({})

    @app.post("/submit")
    def submit() -> Response:
        said = _said()
        return jsonify(theatre.submit(somebody(), said["view"], said["values"]))

    @app.post("/change")
    def change() -> Response:
        said = _said()
        theatre.change(somebody(), said["view"], said["values"], said["action"])
        return jsonify({})

    @app.post("/close")
    def close() -> Response:
        theatre.workspace.views.clear()
        return jsonify({})

    @app.post("/home")
    def home() -> Response:
        theatre.open_home(somebody())
        return jsonify({})

    @app.post("/drop")
    def drop() -> Response:
        theatre.drop(somebody(), str(request.values.get("name") or "export")[:120], request.get_data())
        return jsonify({})

    @app.post("/upload")
    def upload() -> Response:
        return jsonify(theatre.keep(str(request.values.get("name") or "export")[:120], request.get_data()))

    @app.post("/clock")
    def clock() -> Response:
        tomorrow = datetime.combine(theatre.now.date() + timedelta(days=1), clock_time(9), tzinfo=ZONE)
        until = tomorrow if _said().get("to") == "tomorrow" else theatre.now + timedelta(hours=1)
        return jsonify({"sent": theatre.move(until)})

    @app.post("/late-data")
    def late_data() -> Response:
        return jsonify({"said": theatre.bring(RESTATED_FILE)})

    @app.post("/fault")
    def fault() -> Response:
        kind = str(_said().get("kind"))
        theatre.is_crashing = theatre.is_crashing or kind == "crash"
        if kind in FAULTS:
            theatre.workspace.faults.append(FAULTS[kind])
        return jsonify({})

    return app


@contextmanager
def opened_theatre(folder: str) -> Iterator[Theatre]:
    """The stand-in with three weeks of usage, on the morning after, a minute before the digest."""
    clock: list[Theatre] = []
    start = NOW - timedelta(minutes=1)
    with staged(
        team_workspace(), f"sqlite:///{folder}/playground.db", lambda: clock[0].now if clock else start
    ) as stage:
        theatre = Theatre(stage, start)
        clock.append(theatre)
        theatre.bring(MAIN_FILE)
        yield theatre


@contextmanager
def playground(port: int = 0) -> Iterator[str]:
    """The page's address, while the block runs."""
    with (
        tempfile.TemporaryDirectory(prefix="claudecost-playground-") as folder,
        opened_theatre(folder) as theatre,
        served(create_page(theatre), port) as url,
    ):
        yield url
