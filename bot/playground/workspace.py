"""The stand-in's memory: users, channels and messages, as a Slack workspace would keep them."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

BOT_TOKEN = "xoxb-playground-bot"
APP_TOKEN = "xapp-playground-app"
SIGNING_SECRET = "playground-signing-secret"
BOT_USER = "U0BOT"
BOT_ID = "B0BOT"
APP_ID = "A0CLAUDECO"
TEAM_ID = "T0PLAYGRND"

Fields = dict[str, Any]


class User(NamedTuple):
    """A member of the workspace."""

    id: str
    name: str
    email: str
    tz: str = "Europe/Paris"
    team: str = TEAM_ID
    deleted: bool = False
    is_bot: bool = False
    is_admin: bool = False
    is_guest: bool = False


HANGS = -1
"""The status of a call that gets no answer while its client waits."""


class Fault(NamedTuple):
    """What goes wrong with the next call of a Web API method.

    ``keeps`` says whether the workspace does the work all the same; ``status`` 0 closes the connection without answer,
    and HANGS keeps it open for HANG_SECONDS.
    A ``body`` that is a string is sent as HTML, as proxies do.
    """

    method: str
    status: int
    keeps: bool
    body: Fields | list[Any] | str | None = None
    headers: dict[str, str] | None = None


@dataclass
class Workspace:
    """One workspace. All methods may be called from any thread."""

    users: list[User]
    channels: dict[str, str]
    messages: dict[str, list[Fields]] = field(default_factory=dict)
    ephemeral: list[Fields] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    calls: list[tuple[str, Fields]] = field(default_factory=list)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    homes: dict[str, Fields] = field(default_factory=dict)
    views: list[Fields] = field(default_factory=list)
    socket_url: str | None = None
    rotated: list[str] = field(default_factory=list)
    """Tokens that were given in exchange for others."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    """What the workspace's own clock says."""

    _views: int = 0
    _last: int = 1_795_345_678_000_000

    def post(self, channel: str, message: Fields) -> Fields:
        """Keep a message in a channel under a ts of its own."""
        with self.lock:
            kept = {
                "type": "message",
                "user": BOT_USER,
                "bot_id": BOT_ID,
                "app_id": APP_ID,
                "ts": self._next_ts(),
                **message,
            }
            self.messages.setdefault(channel, []).append(kept)
            return kept

    def edit(self, channel: str, ts: str, changes: Fields) -> Fields | None:
        """Change a message; None if there is none with that ts."""
        with self.lock:
            message = next((one for one in self.messages.get(channel, []) if one["ts"] == ts), None)
            if message is not None:
                message.update({name: changes[name] for name in ("text", "blocks", "metadata") if name in changes})
            return message

    def new_file(self, name: str) -> str:
        """The id of a file that is going to be uploaded."""
        with self.lock:
            file_id = f"F{len(self.files):07d}"
            self.files[file_id] = (name, b"")
            return file_id

    def keep_file(self, file_id: str, data: bytes) -> None:
        """Keep what was uploaded."""
        with self.lock:
            self.files[file_id] = (self.files[file_id][0], data)

    def show(self, view: Fields, trigger: str) -> Fields:
        """Open a window for whoever's press the trigger is of."""
        with self.lock:
            self._views += 1
            shown = {"id": f"V{self._views:04d}", **view}
            self.views.append({"trigger_id": trigger, **shown})
            return shown

    def whisper(self, message: Fields) -> None:
        """Keep a message that only one person sees."""
        with self.lock:
            self.ephemeral.append({**message, "at": self._next_ts()})

    def _next_ts(self) -> str:
        now = int(self.clock().timestamp()) * 10**6
        self._last = max(self._last + 1_000_123, now)
        return f"{self._last // 10**6}.{self._last % 10**6:06d}"

    def user_by_email(self, email: str) -> User | None:
        return next((user for user in self.users if user.email.lower() == email.lower()), None)

    def user_by_id(self, user_id: str) -> User | None:
        return next((user for user in self.users if user.id == user_id), None)

    def has_channel(self, channel: str) -> bool:
        return channel in self.channels or channel.startswith("D")

    def direct_channel(self, user_id: str) -> str:
        """The id of the bot's direct messages with a user."""
        return f"D{user_id[1:]}"

    def next_fault(self, method: str) -> Fault | None:
        """Take the first fault that waits for this method."""
        with self.lock:
            for fault in self.faults:
                if fault.method == method:
                    self.faults.remove(fault)
                    return fault
        return None

    def called(self, method: str) -> int:
        """How often a Web API method was called."""
        with self.lock:
            return sum(1 for name, _ in self.calls if name == method)
