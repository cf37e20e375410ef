"""Long-running processes: everything in one, or HTTP and jobs apart; each ends cleanly when told to."""

import logging
import signal
import socket
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial

from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk.errors import SlackApiError

from bot.app import Installation
from bot.jobs import Jobs
from bot.scheduler import (
    COLLECT_SECONDS,
    CORRECT_SECONDS,
    DELETE_SECONDS,
    LEARN_SECONDS,
    OWNERS_SECONDS,
    TICK_SECONDS,
    WATCH_SECONDS,
    Turn,
    start_scheduler,
)
from bot.settings import EXAMPLES, Settings, SettingsProblem
from bot.slack.errors import Meaning, classify
from bot.store.database import Database
from bot.store.workspaces import OtherWorkspace, remember_single
from bot.web import SharedWebApp, WebApp, serve
from bot.workspaces import Workspaces

RECONNECT_SECONDS = 15
PING_SECONDS = 3
"""Between pings in Socket Mode: a dead connection is noticed and replaced in 5 to 23 s instead of a minute."""

logger = logging.getLogger(__name__)


def run(installation: Installation) -> None:
    """Listeners and jobs in this one process: by Socket Mode if there is an app token, else by HTTP.

    Where usage may come over OpenTelemetry, HTTP is served for that beside Socket Mode.
    """
    if installation.settings.slack_app_token is None:
        _check_http(installation, "SLACK_SIGNING_SECRET")
        serve(installation.settings, lambda: WebApp(installation), in_worker=lambda: _start_jobs(installation))
        return
    if installation.settings.otlp_token is not None:
        _run_beside_http(installation)
        return
    stopped = _stop_signal()
    installation.settings.secret("SLACK_BOT_TOKEN")
    installation.database.now()
    _read_books(installation)
    check_token(installation)
    handler = _socket_mode(installation)
    if not _connect(handler, stopped):
        return
    logger.info("connected by Socket Mode")
    _tick_until(stopped, _turns(installation), installation.database, installation.feeds.stopped.set)
    handler.close()  # type: ignore[no-untyped-call]
    installation.close()


def _run_beside_http(installation: Installation) -> None:
    """Socket Mode and jobs in the process that serves HTTP."""
    _check_http(installation, "SLACK_APP_TOKEN")
    try:
        installation.reading.apps_connections_open(app_token=installation.settings.secret("SLACK_APP_TOKEN"))
    except (SlackApiError, OSError) as error:
        code = _outage("SLACK_APP_TOKEN", error)
        logger.warning("no connection to Slack (%s); trying again in %s s", code, RECONNECT_SECONDS)
    stopped = threading.Event()

    def start() -> Callable[[], object]:
        handler = _socket_mode(installation)
        threading.Thread(target=_keep_connecting, args=(handler, stopped), name="Socket Mode", daemon=True).start()
        stop_jobs = _start_jobs(installation)

        def stop() -> None:
            stopped.set()
            stop_jobs()

        return stop

    serve(installation.settings, lambda: WebApp(installation), in_worker=start)


def _start_jobs(installation: Installation) -> Callable[[], object]:
    """Start the jobs beside a server; returns what stops them, and does not wait for a turn under way."""
    scheduler = start_scheduler(_turns(installation), installation.database.now)

    def stop() -> None:
        installation.feeds.stopped.set()
        scheduler.shutdown(wait=False)

    return stop


def _socket_mode(installation: Installation) -> SocketModeHandler:
    return SocketModeHandler(
        installation.slack_app(is_socket_mode=True),
        installation.settings.secret("SLACK_APP_TOKEN"),
        ping_interval=PING_SECONDS,
    )


def _connect(handler: SocketModeHandler, stopped: threading.Event) -> bool:
    """Connect, trying again while Slack cannot be reached. Raises SettingsProblem if Slack refuses the app token."""
    while True:
        try:
            handler.connect()  # type: ignore[no-untyped-call]
            return True
        except (SlackApiError, OSError) as error:
            code = _outage("SLACK_APP_TOKEN", error)
            logger.warning("no connection to Slack (%s); trying again in %s s", code, RECONNECT_SECONDS)
            if stopped.wait(RECONNECT_SECONDS):
                return False


def _keep_connecting(handler: SocketModeHandler, stopped: threading.Event) -> None:
    """The same beside HTTP, which goes on taking usage: a token that Slack refuses now may be taken later."""
    while not stopped.is_set():
        try:
            _connect(handler, stopped)
            return
        except SettingsProblem as problem:
            logger.error("%s Commands do not arrive until then; trying again in %s s", problem, RECONNECT_SECONDS)
        stopped.wait(RECONNECT_SECONDS)


def web(installation: Installation) -> None:
    """HTTP alone; the jobs run in ``worker`` processes."""
    _check_http(installation, "SLACK_SIGNING_SECRET")
    serve(installation.settings, lambda: WebApp(installation))


def worker(installation: Installation) -> None:
    """The jobs alone; any number of workers may run on one PostgreSQL."""
    stopped = _stop_signal()
    installation.settings.secret("SLACK_BOT_TOKEN")
    installation.database.now()
    _read_books(installation)
    check_token(installation)
    _tick_until(stopped, _turns(installation), installation.database, installation.feeds.stopped.set)


def run_shared(workspaces: Workspaces, *, with_jobs: bool) -> None:
    """HTTP for several workspaces, with the jobs of all of them or without."""
    _check_address(workspaces.settings, ("SLACK_CLIENT_SECRET", "SLACK_SIGNING_SECRET"))

    def start() -> Callable[[], object]:
        scheduler = start_scheduler(_shared_turns(workspaces), workspaces.database.now)
        return lambda: scheduler.shutdown(wait=False)

    serve(workspaces.settings, lambda: SharedWebApp(workspaces), in_worker=start if with_jobs else None)


def work_shared(workspaces: Workspaces) -> None:
    """The jobs alone, of several workspaces."""
    stopped = _stop_signal()
    _tick_until(stopped, _shared_turns(workspaces), workspaces.database)


def _shared_turns(workspaces: Workspaces) -> dict[Turn, int]:
    def each(job: Callable[[Jobs, datetime], object]) -> Turn:
        def turn(now: datetime) -> None:
            for installation in workspaces.all():
                try:
                    job(installation.jobs, now)
                except Exception:
                    # One workspace in trouble must not keep the others waiting.
                    logger.exception("a turn of workspace %s failed", installation.database.workspace_id)

        return turn

    return {
        each(Jobs.tick): TICK_SECONDS,
        each(Jobs.watch_sources): WATCH_SECONDS,
        each(Jobs.correct_digests): CORRECT_SECONDS,
        each(Jobs.find_owners): OWNERS_SECONDS,
        workspaces.delete_old: DELETE_SECONDS,
    }


def _check_http(installation: Installation, secret: str) -> None:
    """Refuse what would only fail inside the server's worker process, such as for want of a secret."""
    _check_address(installation.settings, ("SLACK_BOT_TOKEN", secret))
    _read_books(installation)
    check_token(installation)
    # Opened to see that it can be; the worker process must have connections of its own, and closes them at its end.
    installation.database.connections.close()


def _read_books(installation: Installation) -> None:
    """Read the price and plan books, which a team may have changed. Raises PriceBookError."""
    _ = installation.book, installation.plan_book


def _check_address(settings: Settings, secrets: tuple[str, ...]) -> None:
    for name in secrets:
        settings.secret(name)
    address = settings.address
    host, _, port = address.rpartition(":")
    try:
        socket.create_server((host, int(port))).close()
    except OSError as error:
        raise SettingsProblem(f"HTTP cannot be served at {address}: {error}. Set CLAUDECOST_BIND or PORT.") from error


def check_token(installation: Installation) -> None:
    """Ask Slack who the bot is. Raises SettingsProblem if Slack refuses the token; an outage is only logged."""
    try:
        answer = installation.reading.auth_test()
    except (SlackApiError, OSError) as error:
        code = _outage("SLACK_BOT_TOKEN", error)
        logger.warning("Slack cannot be reached now (%s); going on, and trying again as needed", code)
        return
    logger.info("signed in to %s as %s", answer.get("team"), answer.get("user"))
    installation.slack_ids = str(answer["team_id"]), str(answer.get("enterprise_id") or "")
    try:
        remember_single(installation.database, *installation.slack_ids)
    except OtherWorkspace as error:
        raise SettingsProblem(str(error)) from error


def _learn_workspace(installation: Installation) -> None:
    """Ask Slack later whose the token is, where it could not say at the start."""
    if installation.slack_ids is None:
        check_token(installation)


def _outage(token: str, error: SlackApiError | OSError) -> str:
    """Slack's word for an outage that will pass. Raises SettingsProblem where it is the token that Slack refuses."""
    failure = classify(error)
    if failure.meaning is Meaning.INSTALLATION:
        raise SettingsProblem(
            f"Slack refuses {token} ({failure.code}). Set it to {EXAMPLES[token]}, copied again from there."
        ) from error
    return failure.code


def _stop_signal() -> threading.Event:
    """Set once the process is told to stop, by a signal or Ctrl-C."""
    stopped = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    return stopped


def _turns(installation: Installation) -> dict[Turn, int]:
    return {
        installation.jobs.tick: TICK_SECONDS,
        # Each by itself: one that has to wait keeps no other waiting.
        **{partial(installation.feeds.collect_one, feed): COLLECT_SECONDS for feed in installation.feeds.feeds},
        installation.jobs.watch_sources: WATCH_SECONDS,
        installation.jobs.correct_digests: CORRECT_SECONDS,
        installation.jobs.find_owners: OWNERS_SECONDS,
        installation.delete_old: DELETE_SECONDS,
        lambda _now: _learn_workspace(installation): LEARN_SECONDS,
    }


def _tick_until(
    stopped: threading.Event, turns: dict[Turn, int], database: Database, stop: Callable[[], None] = lambda: None
) -> None:
    scheduler = start_scheduler(turns, database.now)
    logger.info("started; digests and alerts are looked at every %s s", TICK_SECONDS)
    stopped.wait()
    logger.info("stopping: a turn under way is ended first")
    stop()
    scheduler.shutdown(wait=True)
