"""HTTP: Slack's signed requests, OpenTelemetry, metrics and a health check, served by gunicorn with threads."""

import io
import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_bolt.request import BoltRequest
from slack_sdk.signature import SignatureVerifier

from bot.app import Installation
from bot.exports.formats import RECEIVED
from bot.exports.otlp import LOGS, METRICS
from bot.health import METRICS_TYPE, metrics_page
from bot.imports import TOO_LARGE, is_overflow
from bot.settings import Settings
from bot.slack.app_manifest import REDIRECT_PATH
from bot.sources import otlp_http
from bot.spend.records import Problem
from bot.store.database import database_errors
from bot.workspaces import INSTALL_PATH, Workspaces

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

SLACK_PATH = "/slack/events"
HEALTH_PATH = "/healthz"
METRICS_PATH = "/metrics"
EVENTS = {LOGS: "events", METRICS: "metrics"}
MAX_BODY = 1_000_000
MAX_TIMESTAMP = 12
THREADS = 8
RECEIVING = 5
"""Threads that may store usage at once: while it waits for the database, the others answer Slack and health checks."""

RETRY_AFTER = "1"
"""Seconds after which to come again where too much comes in, or the database does not answer."""

logger = logging.getLogger(__name__)


class WebApp:
    """The WSGI application of one installation; without a signing secret it takes nothing from Slack."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        token = installation.settings.otlp_token
        self.token = token.value if token else ""
        self._receiving = BoundedSemaphore(RECEIVING)
        self.slack: SlackRequestHandler | None = None
        if installation.settings.slack_signing_secret is not None:
            self.slack = SlackRequestHandler(installation.slack_app(is_socket_mode=False), path=SLACK_PATH)
            self.verifier = SignatureVerifier(installation.settings.secret("SLACK_SIGNING_SECRET"))

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == HEALTH_PATH:
            return _plain(start_response, HTTPStatus.OK, "ok", is_head=_is_head(environ))
        if path == METRICS_PATH and self.token:
            return self._metrics(environ, start_response)
        if path in otlp_http.PATHS and self.token:
            return self._receive(environ, start_response)
        if path != SLACK_PATH or self.slack is None:
            return _plain(start_response, HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.phrase)
        refused = _refused(environ) or _unsigned(environ, self.verifier)
        if refused is not None:
            return _plain(start_response, refused, refused.phrase)
        try:
            return self.slack(environ, start_response)
        except Exception:
            # Bolt answers for its listeners; what it cannot even parse was signed, and is still no reason to fail.
            logger.exception("a signed request could not be read")
            return _plain(start_response, HTTPStatus.BAD_REQUEST, HTTPStatus.BAD_REQUEST.phrase)

    def _receive(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Usage over OpenTelemetry: read, stored, and answered as the specification says."""
        is_json = environ.get("CONTENT_TYPE", "").lower().startswith(otlp_http.JSON)
        content_type = otlp_http.JSON if is_json else otlp_http.PROTOBUF
        try:
            body = otlp_http.accept(environ, self.token)
            if not self._receiving.acquire(blocking=False):
                raise otlp_http.Refused(503, "Too much comes in at once; try again.")
            try:
                problems = self._store(body)
            finally:
                self._receiving.release()
            first = problems[0].problem if problems else ""
            answer = otlp_http.success(body.kind, sum(one.rows for one in problems), first, is_json=body.is_json)
            return _answer(start_response, HTTPStatus.OK, content_type, answer)
        except otlp_http.Refused as refused:
            said = otlp_http.failure(refused, is_json=is_json)
            return _answer(start_response, HTTPStatus(refused.status), content_type, said)
        except Exception as error:
            if is_overflow(error):
                said = otlp_http.failure(otlp_http.Refused(400, TOO_LARGE), is_json=is_json)
                return _answer(start_response, HTTPStatus.BAD_REQUEST, content_type, said)
            # Asked to try again, a client keeps what it has; 503 is what the specification calls retryable.
            if isinstance(error, database_errors()):
                logger.warning("usage from OpenTelemetry could not be stored: %s", str(error).partition("\n")[0])
            else:
                logger.exception("usage from OpenTelemetry could not be stored")
            said = otlp_http.failure(otlp_http.Refused(503, "It could not be stored; try again."), is_json=is_json)
            return _answer(start_response, HTTPStatus.SERVICE_UNAVAILABLE, content_type, said)

    def _store(self, body: otlp_http.Body) -> list[Problem]:
        """Store what came in; returns what was left out of it. Raises Refused."""
        importer = self.installation.importer()
        tally, problems = importer.tally_of(otlp_http.read(body, importer.context()))
        if tally.rows or problems:
            now = self.installation.clock()
            importer.store(f"otlp_{EVENTS[body.kind]}", tally, problems, RECEIVED, now, is_stream=True)
        return problems

    def _metrics(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """How feeds and deliveries are doing, for Prometheus."""
        if not otlp_http.is_authorized(environ, self.token):
            return _plain(start_response, HTTPStatus.UNAUTHORIZED, HTTPStatus.UNAUTHORIZED.phrase)
        try:
            text = metrics_page(self.installation, self.installation.clock())
        except database_errors() as error:
            logger.warning("the metrics cannot be told: %s", str(error).partition("\n")[0])
            said = "The database cannot be asked; try again."
            return _plain(start_response, HTTPStatus.SERVICE_UNAVAILABLE, said, is_head=_is_head(environ))
        return _answer(start_response, HTTPStatus.OK, METRICS_TYPE, text, is_head=_is_head(environ))


class SharedWebApp:
    """The WSGI application of several workspaces: a signed request goes to the workspace that it came from."""

    def __init__(self, workspaces: Workspaces) -> None:
        self.workspaces = workspaces
        self.installing = SlackRequestHandler(workspaces.oauth_app(), path=SLACK_PATH)
        self.verifier = SignatureVerifier(workspaces.settings.secret("SLACK_SIGNING_SECRET"))
        self._handlers: dict[str, tuple[Installation, SlackRequestHandler]] = {}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == HEALTH_PATH:
            return _plain(start_response, HTTPStatus.OK, "ok", is_head=_is_head(environ))
        if path in (INSTALL_PATH, REDIRECT_PATH):
            return self.installing(environ, start_response)
        refused = _refused(environ) or _unsigned(environ, self.verifier) if path == SLACK_PATH else HTTPStatus.NOT_FOUND
        if refused is not None:
            return _plain(start_response, refused, refused.phrase)
        try:
            return self._dispatch(environ, start_response)
        except Exception:
            logger.exception("a signed request could not be read")
            return _plain(start_response, HTTPStatus.BAD_REQUEST, HTTPStatus.BAD_REQUEST.phrase)

    def _dispatch(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        request = BoltRequest(body=body.decode(), headers={"content-type": [environ.get("CONTENT_TYPE", "")]})
        team, event = request.context.team_id, request.body.get("event") or {}
        if event.get("type") == "app_uninstalled" or (
            event.get("type") == "tokens_revoked" and event.get("tokens", {}).get("bot")
        ):
            self.workspaces.forget(str(team), request.body.get("event_time"))
            return _plain(start_response, HTTPStatus.OK, "")
        installation = self.workspaces.of(str(team)) if team else None
        if installation is None and request.body.get("type") != "url_verification":
            return _plain(start_response, HTTPStatus.OK, "This workspace has not installed the app; an admin can.")
        handler = self._handler(str(team), installation) if installation else self.installing
        return handler(environ, start_response)

    def _handler(self, team: str, installation: Installation) -> SlackRequestHandler:
        made_for, found = self._handlers.get(team, (None, None))
        if found is None or made_for is not installation:
            found = SlackRequestHandler(installation.slack_app(is_socket_mode=False), path=SLACK_PATH)
            self._handlers[team] = (installation, found)
        return found


def _unsigned(environ: "WSGIEnvironment", verifier: SignatureVerifier) -> HTTPStatus | None:
    """Read the body once and check its signature before anything looks into it."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    try:
        is_ours = verifier.is_valid(
            body=body.decode(),
            timestamp=environ.get("HTTP_X_SLACK_REQUEST_TIMESTAMP", ""),
            signature=environ.get("HTTP_X_SLACK_SIGNATURE", ""),
        )
    except UnicodeDecodeError:
        is_ours = False  # Slack sends UTF-8 alone
    return None if is_ours else HTTPStatus.UNAUTHORIZED


def serve(
    settings: Settings,
    app: "Callable[[], WSGIApplication]",
    in_worker: Callable[[], Callable[[], object]] | None = None,
) -> None:
    """Serve HTTP until the process is told to stop.

    ``app`` and ``in_worker`` are called in the serving process, and what the latter returns when that ends.
    """
    from gunicorn.app.base import BaseApplication

    stops: list[Callable[[], object]] = []

    class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
        def load_config(self) -> None:
            self.cfg.set("bind", settings.address)
            self.cfg.set("workers", 1)
            self.cfg.set("threads", THREADS)
            self.cfg.set("worker_class", "gthread")
            self.cfg.set("control_socket_disable", True)
            if in_worker is not None:
                self.cfg.set("post_worker_init", lambda _worker: stops.append(in_worker()))
            self.cfg.set("worker_exit", lambda _server, _worker: [stop() for stop in stops])

        def load(self) -> Any:
            return app()

    Server().run()


def _refused(environ: "WSGIEnvironment") -> HTTPStatus | None:
    """What must not reach the signature check: it would take any size, and fail on odd headers instead of refusing."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        return HTTPStatus.BAD_REQUEST
    if int(length) > MAX_BODY:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    timestamp = environ.get("HTTP_X_SLACK_REQUEST_TIMESTAMP", "")
    signature = environ.get("HTTP_X_SLACK_SIGNATURE", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= MAX_TIMESTAMP and signature.isascii()):
        return HTTPStatus.UNAUTHORIZED
    return None


def _plain(start_response: "StartResponse", status: HTTPStatus, text: str, *, is_head: bool = False) -> Iterable[bytes]:
    return _answer(start_response, status, "text/plain; charset=utf-8", text.encode(), is_head=is_head)


def _answer(
    start_response: "StartResponse", status: HTTPStatus, content_type: str, body: bytes, *, is_head: bool = False
) -> Iterable[bytes]:
    headers = [("content-type", content_type), ("content-length", str(len(body)))]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("retry-after", RETRY_AFTER))
    start_response(f"{status.value} {status.phrase}", headers)
    return [] if is_head else [body]


def _is_head(environ: "WSGIEnvironment") -> bool:
    return environ.get("REQUEST_METHOD") == "HEAD"
