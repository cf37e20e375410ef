"""The Anthropic Admin API: usage of Claude Code day by day, and the cost rows of the analytics beta, page by page.

Rate limits and passing failures are waited out by urllib3, which honours ``retry-after`` up to LONGEST_WAIT. Cursors
are opaque.
"""

import json
import math
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from time import monotonic
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry

from bot.exports.reader import shortened

USAGE_PATH = "/v1/organizations/usage_report/claude_code"
COST_PATH = "/v1/organizations/analytics/cost"
COST_BETA = "analytics-usage-cost-2026-08-24"
API_VERSION = "2023-06-01"
USER_AGENT = "claudecost/0.1 (self-hosted Slack app)"
PAGE_SIZE = 1000
MAX_PAGES = 1000
MAX_BYTES = 128 * 1024 * 1024
"""Of all pages of one report; they are taken as a whole."""

SLOWEST_ANSWER = 120
"""Seconds from which on an answer that trickles in is given up."""

_CHUNK = 1024 * 1024

LONGEST_WAIT = 60
"""Seconds that are waited at a time; who is told to come back later does so at the next run."""

PASSING = (429, 500, 502, 503, 504, 529)
_TODO = {
    400: "the API does not take what was asked; look for a newer version of claudecost",
    401: "set ANTHROPIC_ADMIN_KEY to an Admin key (sk-ant-admin…) that has not expired",
    403: "the key lacks a right; use an Admin key of the organisation's owner",
    404: "this organisation has no such report; it is for organisations of the Claude Console",
}


_TODO |= dict.fromkeys((301, 302, 303, 307, 308), "the key is sent nowhere else; set ANTHROPIC_BASE_URL to the API")


class FeedProblem(Exception):
    """A feed cannot go on; one sentence that says why and what to do."""


class AnswerProblem(FeedProblem):
    """One answer cannot be read; others may well be."""


class Stopped(Exception):
    """The process was told to stop while something was waited for."""


class _Patience(Retry):
    """Waits as the API asks for, unless that is too long; and no longer than until ``stopped`` is set."""

    stopped = threading.Event()

    def new(self, **kw: Any) -> Self:
        again = super().new(**kw)
        again.stopped = self.stopped
        return again

    def parse_retry_after(self, retry_after: str) -> float:
        try:
            return super().parse_retry_after(retry_after)
        except (InvalidHeader, ValueError, OverflowError):
            pass  # a date beyond the calendar, or more digits than a number has
        try:
            seconds = float(retry_after)
        except ValueError:
            return 0
        return max(0.0, seconds) if math.isfinite(seconds) else 0

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Self:
        if response is not None and (self.get_retry_after(response) or 0) > LONGEST_WAIT:
            raise MaxRetryError(_pool, str(url))
        return super().increment(method, url, response, error, _pool, _stacktrace)

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        asked = self.get_retry_after(response) if response is not None else None
        if self.stopped.wait(asked or self.get_backoff_time()):
            raise Stopped


class AdminApi:
    """Reads reports with one Admin key. Raises FeedProblem for whatever does not pass by itself.

    Once ``stopped`` is set, nothing is waited for any more: Stopped is raised.
    """

    def __init__(
        self, key: str, base_url: str, retries: int = 5, backoff: int = 1, stopped: threading.Event | None = None
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.headers = {"x-api-key": key, "anthropic-version": API_VERSION, "user-agent": USER_AGENT}
        self.stopped = stopped or threading.Event()
        self.waiting = _Patience(
            total=retries,
            status_forcelist=PASSING,
            allowed_methods=("GET",),
            backoff_factor=backoff,
            respect_retry_after_header=True,
            raise_on_status=False,
        )
        self.waiting.stopped = self.stopped
        self.is_failing = False
        """Whether the last answer failed for all the waiting: for the next one nothing is waited but its limits."""

        self.pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=10, read=60))

    @property
    def shown_url(self) -> str:
        """The address without a password that may stand in it."""
        address = urlsplit(self.base_url)
        return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()

    def claude_code_usage(self, day: date) -> Iterator[bytes]:
        """The pages of one UTC day."""
        yield from self._pages(USAGE_PATH, {"starting_at": day.isoformat(), "limit": PAGE_SIZE}, {})

    def analytics_cost(self, start: date, end: date) -> Iterator[bytes]:
        """The pages of cost by person, model and UTC day from ``start`` to before ``end``, 31 days at the most."""
        query = {
            "starting_at": f"{start}T00:00:00Z",
            "ending_at": f"{end}T00:00:00Z",
            "time_bucket_width": "1d",
            "limit": PAGE_SIZE,
            "group_by[]": ["actor", "model", "product"],
        }
        yield from self._pages(COST_PATH, query, {"anthropic-beta": COST_BETA})

    def _pages(self, path: str, query: dict[str, Any], headers: dict[str, str]) -> Iterator[bytes]:
        page: str | None = None
        seen: set[str] = set()
        size = 0
        while True:
            if self.stopped.is_set():
                raise Stopped
            body = self._get(path, query | ({"page": page} if page else {}), headers, MAX_BYTES - size)
            size += len(body)
            yield body
            page = _next_page(body, path)
            if page is None:
                return
            if page in seen:
                raise AnswerProblem(f"{path} goes round in circles at the page “{shortened(page)}”; try again later.")
            seen.add(page)
            if len(seen) >= MAX_PAGES:
                raise AnswerProblem(f"{path} has over {MAX_PAGES:,} pages. It is tried again.")

    def _get(self, path: str, query: dict[str, Any], headers: dict[str, str], most: int) -> bytes:
        """The body of an answer, of ``most`` bytes at the most."""
        url = f"{self.base_url}{path}?{urlencode(query, doseq=True)}"
        try:
            answer, body = self._read(url, {**self.headers, **headers}, most)
        except (HTTPError, MaxRetryError) as error:
            if isinstance(_innermost(error), (NewConnectionError, NameResolutionError, ConnectTimeoutError, SSLError)):
                raise FeedProblem(
                    f"{self.shown_url} cannot be reached: {_reason(error)}. It is tried again."
                ) from error
            self.is_failing = True
            raise AnswerProblem(f"{path} did not answer whole: {_reason(error)}. It is tried again.") from error
        self.is_failing = answer.status >= 500
        if answer.status != 200:
            said = _refusal(path, answer.status, body, answer.headers.get("request-id"))
            said = said.replace(self.headers["x-api-key"], "[the key]")
            # Of one day alone the API may say that; of its key or its limits it is for all of them.
            raise (AnswerProblem if answer.status == 400 or answer.status >= 500 else FeedProblem)(said)
        if len(body) > most:
            raise AnswerProblem(f"{path} answered with over {MAX_BYTES // 2**20} MB. It is tried again.")
        return body

    def _read(self, url: str, headers: dict[str, str], most: int) -> tuple[BaseHTTPResponse, bytes]:
        """An answer and its body, of little more than ``most`` bytes. What breaks off is asked for again."""
        waiting = self.waiting.new(status_forcelist=(429,), read=0, other=0) if self.is_failing else self.waiting
        while True:
            # Not to where an answer points: the key would go there as well.
            answer = self.pool.request(
                "GET", url, headers=headers, redirect=False, retries=waiting, preload_content=False
            )
            try:
                return answer, self._body(answer, most)
            except (ProtocolError, ReadTimeoutError) as error:
                waiting = waiting.increment("GET", url, error=error)
                waiting.sleep()
            finally:
                answer.close()  # what is left of it is not worth waiting for
                answer.release_conn()

    def _body(self, answer: BaseHTTPResponse, most: int) -> bytes:
        body, began = bytearray(), monotonic()
        while len(body) <= most and (chunk := answer.read1(_CHUNK, decode_content=True)):
            body += chunk
            if self.stopped.is_set():
                raise Stopped
            if monotonic() - began > SLOWEST_ANSWER:
                raise AnswerProblem(f"An answer was not whole after {SLOWEST_ANSWER} seconds. It is tried again.")
        return bytes(body)


def _next_page(body: bytes, path: str) -> str | None:
    try:
        page = json.loads(body)
        rows, has_more, following = page.get("data"), page.get("has_more"), page.get("next_page")
    except (ValueError, AttributeError, RecursionError) as error:
        start = shortened(body[:80].decode("utf-8", "replace"))
        raise AnswerProblem(f"{path} answered with “{start}”, which is no page of JSON. It is tried again.") from error
    if not isinstance(rows, list):
        raise AnswerProblem(
            f"{path} answered “{shortened(_said(body))}”, which holds no list of data. It is tried again."
        )
    if has_more and not following:
        raise AnswerProblem(
            f"{path} says that there is more, but not where, so the day is incomplete. It is tried again."
        )
    return str(following) if has_more else None


def _innermost(error: BaseException) -> BaseException:
    while isinstance(inner := getattr(error, "reason", None), BaseException):
        error = inner
    return error


def _reason(error: BaseException) -> str:
    """The innermost reason, such as "[Errno 111] Connection refused", without the objects around it."""
    error = _innermost(error)
    return shortened(str(error).rpartition("): ")[2] or type(error).__name__, 160)


def _said(body: bytes) -> str:
    """What an answer says is wrong, else how it begins."""
    try:
        error = json.loads(body)["error"]
        return f"{error['type']}: {error['message']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return body[:80].decode("utf-8", "replace") or "nothing"


def _refusal(path: str, status: int, body: bytes, request_id: str | None) -> str:
    """The API's own words, and what to do."""
    said = _said(body)
    where = f" (request {shortened(request_id)})" if request_id else ""
    todo = _TODO.get(status, "it is tried again" if status in PASSING else "look at the settings of the key")
    return f"{path} answered {status}, “{shortened(said, 200)}”{where}: {todo}."


def recent_days(today: date, count: int) -> list[date]:
    """The last days up to and including a day, oldest first."""
    return [today - timedelta(days=back) for back in range(count - 1, -1, -1)]
