"""The Admin API's client and feeds against a server on 127.0.0.1 that answers in the recorded shapes."""

import gzip
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask, Response, request

from bot.exports.reader import Export
from bot.feeds import BACKFILLED_DAYS, LEASE, Brought, Feed, Feeds, cost_feed, usage_feed
from bot.imports import Importer
from bot.ledger import Ledger
from bot.playground.server import served
from bot.pricing import PriceBook
from bot.sources.admin_api import AdminApi, FeedProblem, Stopped, recent_days
from bot.store.alerting import AlertPolicy
from bot.store.database import Database
from bot.store.feeds import feed_states
from tests.usage import utc_policy

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = date(2026, 11, 24)
KEY = "sk-ant-admin01-test-key"


class Console:
    """A stand-in for the Admin API: pages by day, answers that come first, and what was asked."""

    def __init__(self) -> None:
        self.days: dict[str, list[list[Any]]] = {}
        self.first: deque[Response] = deque()
        self.asked: list[dict[str, str]] = []
        self.costs: list[Any] = []
        self.limit = 1000
        self.broken: set[str] = set()

    def app(self) -> Flask:
        app = Flask("console")

        @app.get("/v1/organizations/usage_report/claude_code")
        def usage() -> Response:
            self.asked.append({**request.args, "agent": request.headers["user-agent"]})
            if request.headers["x-api-key"] != KEY:
                return error(401, "authentication_error", "invalid x-api-key")
            if self.first:
                return self.first.popleft()
            if len(self.asked) > self.limit:
                return error(429, "rate_limit_error", "too many", **{"retry-after": "1800"})
            if request.args["starting_at"] in self.broken:
                return error(500, "api_error", "internal")
            pages = self.days.get(request.args["starting_at"], [[]])
            number = int(request.args.get("page", "p0")[1:])
            more = number + 1 < len(pages)
            return body({"data": pages[number], "has_more": more, "next_page": f"p{number + 1}" if more else None})

        @app.get("/v1/organizations/analytics/cost")
        def cost() -> Response:
            assert request.headers["anthropic-beta"] == "analytics-usage-cost-2026-08-24"
            inside = [
                r for r in self.costs if request.args["starting_at"] <= r["starting_at"] < request.args["ending_at"]
            ]
            return body({"data": inside, "has_more": False, "next_page": None, "data_refreshed_at": NOW.isoformat()})

        return app


def body(document: Any, status: int = 200, **headers: str) -> Response:
    return Response(json.dumps(document), status, {"content-type": "application/json", **headers})


def error(status: int, kind: str, message: str, **headers: str) -> Response:
    return body({"type": "error", "error": {"type": kind, "message": message}}, status, **headers)


def used(email: str, cents: int, day: date, terminal: str = "vscode") -> dict[str, Any]:
    """Opus 5.5 input that costs this many cents at $4 per million tokens, as Anthropic estimates it too."""
    return {
        "date": f"{day}T00:00:00Z",
        "actor": {"type": "user_actor", "email_address": email},
        "customer_type": "api",
        "terminal_type": terminal,
        "model_breakdown": [
            {
                "model": "claude-opus-5-5",
                "tokens": {"input": cents * 2500, "output": 0, "cache_read": 0, "cache_creation": 0},
                "estimated_cost": {"currency": "USD", "amount": cents},
            }
        ],
    }


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
def url(console: Console) -> Iterator[str]:
    with served(console.app()) as address:
        yield address


def feeds_of(database: Database, book: PriceBook, api: AdminApi) -> Feeds:
    def importer() -> Importer:
        return Importer(database, ZoneInfo("UTC"), book, AlertPolicy(Decimal(12), TODAY))

    return Feeds(database, [usage_feed(api, importer), cost_feed(api, importer)])


def spent(database: Database, book: PriceBook, day: date) -> Decimal:
    ledger = Ledger(database, book, utc_policy)
    return ledger.spend(day, day + timedelta(days=1), ()).total.usd


def api_at(url: str, key: str = KEY) -> AdminApi:
    return AdminApi(key, url, retries=3, backoff=0)


def test_all_pages_of_a_day_are_read_in_their_order(url: str, console: Console) -> None:
    console.days["2026-11-24"] = [[used("a@x.com", 1, TODAY)], [used("b@x.com", 2, TODAY)], [used("c@x.com", 3, TODAY)]]
    pages = [json.loads(page) for page in api_at(url).claude_code_usage(TODAY)]
    assert [page["data"][0]["actor"]["email_address"] for page in pages] == ["a@x.com", "b@x.com", "c@x.com"]
    assert [asked.get("page") for asked in console.asked] == [None, "p1", "p2"]
    assert all(asked["limit"] == "1000" and "claudecost" in asked["agent"] for asked in console.asked)


def test_rate_limits_and_passing_failures_are_waited_out(url: str, console: Console) -> None:
    console.days["2026-11-24"] = [[used("a@x.com", 1, TODAY)]]
    console.first += [
        error(429, "rate_limit_error", "slow down", **{"retry-after": "1"}),
        error(500, "api_error", "internal"),
    ]
    start = datetime.now(UTC)
    assert len(list(api_at(url).claude_code_usage(TODAY))) == 1
    assert datetime.now(UTC) - start >= timedelta(seconds=1)
    assert len(console.asked) == 3


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([Response("<html>bad gateway</html>")], "answered with “<html>bad gateway</html>”, which is no page of JSON"),
        ([Response('{"data": [')], "which is no page of JSON"),
        ([body([1])], "which is no page of JSON"),
        ([error(403, "permission_error", "Missing required scopes", **{"request-id": "req_1"})] * 4, "(request req_1)"),
        ([error(500, "api_error", "internal server error")] * 4, "answered 500, “api_error: internal server error”"),
        ([Response("", 404)], "answered 404, “nothing”"),
    ],
)
def test_what_does_not_pass_is_said_in_words(url: str, console: Console, answers: list[Response], said: str) -> None:
    console.first += answers
    with pytest.raises(FeedProblem, match=said.replace("(", r"\(").replace(")", r"\)")):
        list(api_at(url).claude_code_usage(TODAY))


def test_a_server_that_is_not_there_is_said_in_words() -> None:
    with pytest.raises(FeedProblem, match="cannot be reached"):
        list(AdminApi(KEY, "http://127.0.0.1:9", retries=0).claude_code_usage(TODAY))


def test_the_first_run_fetches_ninety_days_and_later_ones_what_may_be_restated(
    database: Database, book: PriceBook, url: str, console: Console
) -> None:
    yesterday = TODAY - timedelta(days=1)
    console.days[str(yesterday)] = [[used("dana@x.com", 700, yesterday), used("dana@x.com", 100, yesterday, "tmux")]]
    feeds = feeds_of(database, book, api_at(url))
    assert feeds.collect(NOW) == 2
    assert len(console.asked) == BACKFILLED_DAYS
    assert spent(database, book, yesterday) == 8
    assert feeds.collect(NOW + timedelta(minutes=5)) == 0
    # Restated: one row is larger, the other is gone.
    console.days[str(yesterday)] = [[used("dana@x.com", 900, yesterday)]]
    console.asked.clear()
    assert feeds.collect(NOW + timedelta(hours=1)) == 1
    assert [asked["starting_at"] for asked in console.asked] == ["2026-11-24", "2026-11-23", "2026-11-22", "2026-11-21"]
    assert spent(database, book, yesterday) == 9
    state = feed_states(database)[1]
    assert (state.newest_day, state.is_failing, state.next_at) == (yesterday, False, NOW + timedelta(hours=2))


def test_an_expired_key_is_kept_as_the_reason_and_nothing_is_lost(
    database: Database, book: PriceBook, url: str, console: Console
) -> None:
    console.days[str(TODAY)] = [[used("dana@x.com", 700, TODAY)]]
    feeds_of(database, book, api_at(url)).collect(NOW)
    expired = feeds_of(database, book, api_at(url, "sk-ant-admin01-expired"))
    assert expired.collect(NOW + timedelta(hours=1)) == 1
    state = feed_states(database)[1]
    assert state.is_failing
    assert "authentication_error: invalid x-api-key" in (state.problem or "")
    assert "set ANTHROPIC_ADMIN_KEY" in (state.problem or "")
    assert spent(database, book, TODAY) == 7


def test_cost_of_the_beta_is_in_cents_and_by_person(
    database: Database, book: PriceBook, url: str, console: Console
) -> None:
    console.costs = [
        {
            "starting_at": "2026-11-23T00:00:00Z",
            "ending_at": "2026-11-24T00:00:00Z",
            "group": {
                "actor": {"type": "user_actor", "user_id": "u1", "email_address": "dana@x.com"},
                "model": "claude-opus-5-5",
                "product": "claude_code",
            },
            "cost": {"amount": "1234.5678", "list_amount": "1300", "currency": "USD", "requests": None},
        }
    ]
    feeds_of(database, book, api_at(url)).collect(NOW)
    assert spent(database, book, date(2026, 11, 23)) == Decimal("12.345678")


def test_feeds_that_two_processes_look_at_run_once(database: Database, book: PriceBook, url: str) -> None:
    one, other = (feeds_of(database, book, api_at(url)) for _ in range(2))
    assert (one.collect(NOW), other.collect(NOW)) == (2, 0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, "holds no list of data"),
        ({"data": None, "has_more": False}, "holds no list of data"),
        ({"data": "x"}, "holds no list of data"),
        ({"type": "error", "error": {"type": "api_error", "message": "oops"}}, "oops"),
    ],
)
def test_an_answer_without_data_is_no_success(
    database: Database, book: PriceBook, url: str, console: Console, answer: Any, said: str
) -> None:
    """The newest day failed; the others are there all the same, and the next run asks for it again."""
    yesterday = TODAY - timedelta(days=1)
    console.days[str(yesterday)] = [[used("dana@x.com", 700, yesterday)]]
    console.first.append(body(answer))
    feeds = feeds_of(database, book, api_at(url))
    feeds.collect(NOW)
    state = feed_states(database)[1]
    assert state.succeeded_at is None
    assert said in (state.problem or "")
    assert spent(database, book, yesterday) == 7
    console.asked.clear()
    feeds.collect(NOW + timedelta(hours=1))
    assert console.asked[0]["starting_at"] == str(TODAY)
    assert not feed_states(database)[1].is_failing


def test_after_a_pause_all_days_since_are_fetched(
    database: Database, book: PriceBook, url: str, console: Console
) -> None:
    """Ten days after the last success: the day of it, three before that, and the ten since."""
    console.days[str(TODAY)] = [[used("dana@x.com", 700, TODAY)]]
    feeds = feeds_of(database, book, api_at(url))
    feeds.collect(NOW)
    console.asked.clear()
    feeds.collect(NOW + timedelta(days=10))
    days = [asked["starting_at"] for asked in console.asked]
    assert (days[0], days[-1], len(days)) == ("2026-12-04", "2026-11-21", 14)


def test_a_limit_holds_back_the_oldest_days_and_the_next_run_goes_on_from_there(
    database: Database, book: PriceBook, url: str, console: Console
) -> None:
    """Forty answers an hour: 40, then 36 new ones beside the last four, then the other 14."""
    seen: set[str] = set()
    console.days[str(TODAY)] = [[used("dana@x.com", 700, TODAY)]]
    for hour, reached in enumerate((40, 76, 90)):
        console.asked.clear()
        console.limit = 40
        feeds_of(database, book, AdminApi(KEY, url, retries=0)).collect(NOW + timedelta(hours=hour))
        asked = [one["starting_at"] for one in console.asked if one["starting_at"] is not None]
        assert asked[0] == str(TODAY)
        seen |= set(asked[:40])
        assert len(seen) == reached
        assert feed_states(database)[1].is_failing is (hour < 2)


def test_a_key_that_saw_nothing_settles_no_day(database: Database, book: PriceBook, url: str, console: Console) -> None:
    """All 90 days answer that nobody used anything, as another organization's key does; then there is $7 of October."""
    early = TODAY - timedelta(days=40)
    feeds = feeds_of(database, book, api_at(url))
    feeds.collect(NOW)
    assert str(feed_states(database)[1].problem).startswith(
        "It answers that nobody used anything on 2026-08-27 or later. See"
    )
    console.days |= {str(day): [[used("dana@x.com", 700, day)]] for day in (early, TODAY)}
    feeds.collect(NOW + timedelta(hours=1))
    assert spent(database, book, early) == 7
    assert feed_states(database)[1].problem is None
    console.asked.clear()
    feeds.collect(NOW + timedelta(hours=2))
    assert [asked["starting_at"] for asked in console.asked] == [str(day) for day in recent_days(TODAY, 4)[::-1]]


def test_cost_of_before_is_asked_for_until_there_is_any(
    database: Database, book: PriceBook, url: str, console: Console
) -> None:
    early = TODAY - timedelta(days=40)
    group = {"actor": {"type": "user_actor", "email_address": "dana@x.com"}, "model": "claude-opus-5-5"}
    feeds = feeds_of(database, book, api_at(url))
    feeds.collect(NOW)
    span = {"starting_at": f"{early}T00:00:00Z", "ending_at": f"{early + timedelta(days=1)}T00:00:00Z"}
    console.costs.append({**span, "group": group, "cost": {"amount": "700", "currency": "USD"}})
    feeds.collect(NOW + timedelta(hours=5))
    assert spent(database, book, early) == 7


def test_what_came_without_usage_waits_for_what_never_came(
    database: Database, book: PriceBook, url: str, console: Console
) -> None:
    """Nobody used anything in the last 50 days, and only 40 answers come in an hour: $7 of before are there in time."""
    early = TODAY - timedelta(days=60)
    console.days[str(early)] = [[used("dana@x.com", 700, early)]]
    for hour in range(2):
        console.asked.clear()
        console.limit = 40
        feeds_of(database, book, AdminApi(KEY, url, retries=0)).collect(NOW + timedelta(hours=hour))
    assert spent(database, book, early) == 7


def test_a_day_of_which_rows_were_left_out_is_asked_for_again(
    database: Database, book: PriceBook, url: str, console: Console
) -> None:
    """$7 and $5 of a day, of which the first answer says the $5 in a way that cannot be read."""
    early = TODAY - timedelta(days=40)
    good, bad = used("dana@x.com", 700, early), used("bo@x.com", 500, early)
    broken = {**bad, "model_breakdown": "all of them"}
    console.days |= {str(TODAY): [[used("dana@x.com", 700, TODAY)]], str(early): [[good, broken]]}
    feeds = feeds_of(database, book, api_at(url))
    feeds.collect(NOW)
    for hour in (1, 2):  # as long as it is wrong, it is told
        feeds.collect(NOW + timedelta(hours=hour))
        assert "usage of 2026-10-15" in str(feed_states(database)[1].problem)
    console.days[str(early)] = [[good, bad]]
    feeds.collect(NOW + timedelta(hours=3))
    assert spent(database, book, early) == 12
    assert feed_states(database)[1].problem is None


def test_a_damaged_answer_takes_nothing_away(database: Database, book: PriceBook, url: str, console: Console) -> None:
    """$7 and $5 of today. Of the next answer the $5 cannot be read, which may be what is stored."""
    good, bad = used("dana@x.com", 700, TODAY), used("bo@x.com", 500, TODAY)
    console.days[str(TODAY)] = [[good, bad]]
    feeds = feeds_of(database, book, api_at(url))
    feeds.collect(NOW)
    console.days[str(TODAY)] = [[used("dana@x.com", 800, TODAY), {**bad, "model_breakdown": "all of them"}]]
    feeds.collect(NOW + timedelta(hours=1))
    assert spent(database, book, TODAY) == 13


def test_a_long_run_stays_this_processs(
    database: Database, book: PriceBook, url: str, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at the clock is three minutes after the last one, so that each day takes nine: the feed stays taken."""
    seconds = iter(range(0, 10**6, 180))
    monkeypatch.setattr("bot.feeds.monotonic", lambda: next(seconds))
    console.days[str(TODAY)] = [[used("dana@x.com", 700, TODAY)]]
    feeds, ran = feeds_of(database, book, api_at(url)), []

    def days(found: Any) -> Iterator[Any]:
        for number, one in enumerate(found):
            yield one
            if number == 30:
                ran.append(feeds.collect_one(feeds.feeds[0], NOW + 30 * timedelta(minutes=9)))

    feeds.collect_one(feeds.feeds[0], NOW, days)
    assert ran == [False]


def test_days_that_keep_failing_keep_no_other_back(
    database: Database, book: PriceBook, url: str, console: Console
) -> None:
    """The newest four days answer 500 for ever: the first is asked for four times, all the others once."""
    early = TODAY - timedelta(days=40)
    console.days[str(early)] = [[used("dana@x.com", 700, early)]]
    console.broken |= {str(day) for day in recent_days(TODAY, 4)}
    feeds_of(database, book, api_at(url)).collect(NOW)
    assert spent(database, book, early) == 7
    assert len(console.asked) == 3 + BACKFILLED_DAYS
    assert str(feed_states(database)[1].problem).startswith("86 of 90 answers came; 2026-11-24: ")


def test_neither_a_password_nor_the_key_is_told(url: str, console: Console) -> None:
    with pytest.raises(FeedProblem, match=r"^http://127\.0\.0\.1:9 cannot be reached: "):
        list(AdminApi(KEY, "http://me:secret@127.0.0.1:9", retries=0).claude_code_usage(TODAY))
    console.first.append(error(403, "permission_error", f"{KEY} is not allowed to"))
    with pytest.raises(FeedProblem, match=r"“permission_error: \[the key\] is not allowed to”"):
        list(api_at(url).claude_code_usage(TODAY))


def test_an_answer_without_anybody_takes_nothing_away_and_is_told(
    database: Database, book: PriceBook, url: str, console: Console
) -> None:
    """Another organization's key sees nothing of what a file and this feed have brought: $4 and $7."""
    page = body({"data": [used("bo@y.com", 400, TODAY - timedelta(days=30))], "has_more": False}).data
    importer = Importer(database, ZoneInfo("UTC"), book, AlertPolicy(Decimal(12), TODAY))
    importer.import_export(Export("bo.json", BytesIO(page), NOW), NOW, "claude_code_analytics_api")
    console.days[str(TODAY)] = [[used("dana@x.com", 700, TODAY)]]
    feeds = feeds_of(database, book, api_at(url))
    feeds.collect(NOW)
    console.days.clear()
    feeds.collect(NOW + timedelta(hours=1))
    assert spent(database, book, TODAY) == 7
    assert spent(database, book, TODAY - timedelta(days=30)) == 4
    state = feed_states(database)[1]
    assert not state.is_failing
    assert str(state.problem).startswith("It answers that nobody used anything on 2026-11-24 or later, where it told")


def test_a_run_that_a_clock_ahead_planned_does_not_hold_up_the_next(
    database: Database, book: PriceBook, url: str, console: Console
) -> None:
    feeds = feeds_of(database, book, api_at(url))
    feeds.collect(NOW + timedelta(days=30))
    assert feeds.collect(NOW) == 2
    assert feeds.collect(NOW + timedelta(minutes=5)) == 0


def test_days_that_a_clock_ahead_fetched_are_fetched_again(
    database: Database, book: PriceBook, url: str, console: Console
) -> None:
    """Twelve days ahead nobody had used anything on the 24th yet; once the clock is right, $7."""
    feeds = feeds_of(database, book, api_at(url))
    feeds.collect(NOW + timedelta(days=12))
    console.days[str(TODAY)] = [[used("dana@x.com", 700, TODAY)]]
    feeds.collect(NOW)
    assert spent(database, book, TODAY) == 7


def test_the_key_follows_no_redirect(database: Database, book: PriceBook, url: str, console: Console) -> None:
    console.days[str(TODAY)] = [[used("dana@x.com", 700, TODAY)]]
    feeds_of(database, book, api_at(url)).collect(NOW)
    keys: list[str] = []
    elsewhere = Flask("elsewhere")

    @elsewhere.get("/")
    def take() -> Response:
        keys.append(request.headers.get("x-api-key", ""))
        return body({"data": [], "has_more": False})

    with served(elsewhere) as other:
        console.first.append(Response("", 302, {"location": other}))
        feeds_of(database, book, api_at(url)).collect(NOW + timedelta(hours=1))
    assert keys == []
    assert "the key is sent nowhere else" in (feed_states(database)[1].problem or "")
    assert spent(database, book, TODAY) == 7


def cost_row(day: date, model: str, cents: str, who: str = "ada@x.com") -> dict[str, Any]:
    """A day of a person and model in the beta's cost."""
    ends = {"starting_at": f"{day}T00:00:00Z", "ending_at": f"{day + timedelta(days=1)}T00:00:00Z"}
    group = {"product": "claude_code", "model": model, "actor": {"user_id": who, "email_address": who}}
    return {**ends, "group": group, "cost": {"amount": cents, "list_amount": cents, "currency": "USD"}}


def test_a_cost_that_was_taken_back_is_gone(url: str, console: Console, database: Database, book: PriceBook) -> None:
    """Yesterday $1.10 of Opus and $0.50 of Sonnet; hours later of Opus alone. The day before stays."""
    yesterday, before = TODAY - timedelta(days=1), TODAY - timedelta(days=2)
    kept = [cost_row(before, "claude-opus-5-5", "200"), cost_row(yesterday, "claude-opus-5-5", "110")]
    feeds = feeds_of(database, book, api_at(url))
    for hours, costs, cents in ((0, [*kept, cost_row(yesterday, "claude-sonnet-5-5", "50")], 160), (5, kept, 110)):
        console.costs = costs
        feeds.collect(NOW + timedelta(hours=hours))
        assert spent(database, book, yesterday) == Decimal(cents) / 100
        assert spent(database, book, before) == 2


def test_what_a_key_lacks_is_said_whole(url: str, console: Console) -> None:
    said = "Missing required scopes. Got: [] Needed: [org:usage_read, org:admin]"
    console.first.append(error(403, "permission_error", said))
    with pytest.raises(FeedProblem, match="org:admin"):
        list(api_at(url).claude_code_usage(TODAY))


def test_what_a_file_brought_of_another_organization_stays(
    url: str, console: Console, database: Database, book: PriceBook
) -> None:
    """$50 from a page that was saved by hand; the feed brings $7 of the same day."""
    yesterday = TODAY - timedelta(days=1)
    page = {"data": [cost_row(yesterday, "claude-opus-5-5", "5000", "zoe@other.com")], "has_more": False}
    taking = Importer(database, ZoneInfo("UTC"), book, AlertPolicy(Decimal(12), TODAY))
    taking.import_export(Export("saved.json", BytesIO(json.dumps(page).encode()), NOW), NOW, "analytics_cost")
    console.costs = [cost_row(yesterday, "claude-opus-5-5", "700")]
    feeds_of(database, book, api_at(url)).collect(NOW)
    assert spent(database, book, yesterday) == 57


def test_a_week_whose_last_days_were_asked_for_is_complete(
    url: str, console: Console, database: Database, book: PriceBook
) -> None:
    """Two people use $15 a day from Monday to Thursday, and nobody anything on Friday."""
    monday = date(2026, 11, 16)
    for day in (monday + timedelta(days=count) for count in range(4)):
        console.days[str(day)] = [[used("a@x.com", 1000, day), used("b@x.com", 500, day)]]
    feeds_of(database, book, api_at(url)).collect(datetime(2026, 11, 23, 6, tzinfo=UTC))
    ledger, now = Ledger(database, book, utc_policy), datetime(2026, 11, 23, 8, tzinfo=UTC)
    week = ledger.digest(date(2026, 11, 22), now, start=monday, edition="weekly")
    assert week.told_usd == 60
    assert not week.is_partial
    assert ledger.digest(date(2026, 11, 20), now).is_idle


@pytest.mark.parametrize("wait", ["90", "86400", "Thu, 26 Nov 2099 10:00:00 GMT"])
def test_a_limit_that_lasts_for_long_is_left_to_the_next_run(url: str, console: Console, wait: str) -> None:
    console.first.append(error(429, "rate_limit_error", "slow down", **{"retry-after": wait}))
    start = datetime.now(UTC)
    with pytest.raises(FeedProblem, match="answered 429, “rate_limit_error: slow down”: it is tried again"):
        list(api_at(url).claude_code_usage(TODAY))
    assert datetime.now(UTC) - start < timedelta(seconds=5)
    assert len(console.asked) == 1


@pytest.mark.parametrize("wait", ["soon", "0.01", "-5", "nan", "", "9" * 5000, "Fri, 31 Dec 99999 23:59:59 GMT"])
def test_a_wait_that_says_nothing_is_none(url: str, console: Console, wait: str) -> None:
    console.first.append(error(429, "rate_limit_error", "slow down", **{"retry-after": wait}))
    assert len(list(api_at(url).claude_code_usage(TODAY))) == 1
    assert len(console.asked) == 2


def test_an_answer_that_breaks_off_is_asked_for_again(url: str, console: Console) -> None:
    console.days[str(TODAY)] = [[used("a@x.com", 1, TODAY)]]
    cut = Response(b'{"data": [')
    cut.headers["content-length"] = "500"
    console.first.append(cut)
    (page,) = api_at(url).claude_code_usage(TODAY)
    assert len(json.loads(page)["data"]) == 1
    assert len(console.asked) == 2


@pytest.mark.parametrize("is_packed", [False, True])
def test_an_answer_without_end_is_not_read_to_it(
    url: str, console: Console, monkeypatch: pytest.MonkeyPatch, is_packed: bool
) -> None:
    """Plain, and packed a thousand times smaller: no more than the limit and one piece is ever in memory."""
    monkeypatch.setattr("bot.sources.admin_api.MAX_BYTES", 2_000_000)
    sent = []

    def pieces() -> Iterator[bytes]:
        packing = gzip.compress(b" " * 10_000_000)
        while True:
            sent.append(1)
            yield packing if is_packed else b" " * 100_000

    console.first.append(Response(pieces(), headers={"content-encoding": "gzip"} if is_packed else {}))
    with pytest.raises(FeedProblem, match="answered with over 1 MB"):
        list(api_at(url).claude_code_usage(TODAY))
    assert len(sent) < 2000  # what the system holds back for a reader, and no more


def test_an_answer_that_trickles_in_is_given_up(url: str, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.sources.admin_api.SLOWEST_ANSWER", 0.3)

    def drops() -> Iterator[bytes]:
        for _ in range(100):
            time.sleep(0.05)
            yield b" "

    console.first.append(Response(drops()))
    start = time.monotonic()
    with pytest.raises(FeedProblem, match="not whole after"):
        list(api_at(url).claude_code_usage(TODAY))
    assert time.monotonic() - start < 2


def test_pages_without_end_are_not_read_to_it(url: str, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.sources.admin_api.MAX_PAGES", 3)
    console.days[str(TODAY)] = [[used("a@x.com", 1, TODAY)]] * 5
    with pytest.raises(FeedProblem, match="has over 3 pages"):
        list(api_at(url).claude_code_usage(TODAY))


def test_between_two_pages_a_run_may_be_stopped(url: str, console: Console) -> None:
    console.days[str(TODAY)] = [[used("a@x.com", 1, TODAY)]] * 5
    stopped = threading.Event()
    pages = AdminApi(KEY, url, stopped=stopped).claude_code_usage(TODAY)
    next(pages)
    stopped.set()
    with pytest.raises(Stopped):
        next(pages)
    assert len(console.asked) == 1


def test_what_nobody_thought_of_is_kept_as_the_reason(database: Database) -> None:
    def run(*_: Any) -> Brought:
        raise ZeroDivisionError("by zero")

    assert Feeds(database, [Feed("odd", timedelta(hours=1), run)]).collect(NOW) == 1
    (state,) = feed_states(database)
    assert (state.is_failing, state.is_running, state.next_at) == (True, False, NOW + timedelta(hours=1))
    assert str(state.problem).startswith("This should not happen: ZeroDivisionError: by zero.")


def test_a_server_that_is_not_there_is_said_with_the_reason() -> None:
    with pytest.raises(FeedProblem, match=r"cannot be reached: .*Connection refused\. It is tried again\.$"):
        list(AdminApi(KEY, "http://127.0.0.1:9", retries=0).claude_code_usage(TODAY))


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([error(400, "invalid_request_error", "no such day")], "answered 400"),
        ([error(500, "api_error", "internal")] * 4, "answered 500"),
        ([body({"data": [], "has_more": True, "next_page": None})], "but not where"),
    ],
)
def test_a_day_that_cannot_be_had_keeps_no_other_back(
    database: Database, book: PriceBook, url: str, console: Console, answers: list[Response], said: str
) -> None:
    """Today, of the 90 days; yesterday's $7 are there, and counted among the rows."""
    yesterday = TODAY - timedelta(days=1)
    console.days[str(yesterday)] = [[used("dana@x.com", 700, yesterday)]]
    console.first += answers
    told: list[str] = []
    feeds_of(database, book, api_at(url)).collect(NOW, tell=lambda name, brought: told.append(f"{name} {brought.rows}"))
    state = feed_states(database)[1]
    assert state.is_failing
    assert str(state.problem).startswith("89 of 90 answers came; 2026-11-24: ")
    assert said in str(state.problem)
    assert (state.received, state.newest_day, state.next_at) == (1, yesterday, NOW + timedelta(hours=1))
    assert spent(database, book, yesterday) == 7
    assert told[0] == "Anthropic Admin API, usage 1"


def test_answers_that_cannot_be_read_end_the_run_once_they_took_too_long(
    database: Database, book: PriceBook, url: str, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = TODAY - timedelta(days=30)
    console.days[str(early)] = [[used("dana@x.com", 700, early)]]
    for patience, asked in ((timedelta(minutes=2), BACKFILLED_DAYS), (timedelta(0), 1)):
        monkeypatch.setattr("bot.feeds.PATIENCE", patience)
        console.first += [error(400, "invalid_request_error", "no")] * 10
        console.asked.clear()
        feeds_of(database, book, api_at(url)).collect(NOW, is_forced=True)
        assert len(console.asked) == asked
        console.first.clear()
    assert spent(database, book, early) == 7


def test_a_run_that_is_stopped_is_due_again_at_once(
    database: Database, book: PriceBook, url: str, console: Console
) -> None:
    """While it waits for the API, and between two days; where a process dies, some minutes later."""
    stopped = threading.Event()
    api = AdminApi(KEY, url, stopped=stopped)

    def feeds() -> Feeds:
        return Feeds(database, [usage_feed(api, lambda: importer)], stopped)

    importer = Importer(database, ZoneInfo("UTC"), book, AlertPolicy(Decimal(12), TODAY))
    console.first.append(error(429, "rate_limit_error", "slow down", **{"retry-after": "50"}))
    start = datetime.now(UTC)

    def stop_once_asked() -> None:
        while not console.asked:
            time.sleep(0.01)
        time.sleep(0.2)  # by then it waits
        stopped.set()

    threading.Thread(target=stop_once_asked, daemon=True).start()
    assert feeds().collect(NOW) == 1
    assert datetime.now(UTC) - start < timedelta(seconds=10)
    assert len(console.asked) == 1
    (state,) = feed_states(database)
    assert (state.is_running, state.is_failing, state.next_at) == (False, True, NOW)
    assert feeds().collect(NOW) == 1
    assert len(console.asked) == 1
    stopped.clear()

    class Killed(BaseException):
        """Stands for a process that ends at once."""

    def die(_days: object) -> Iterator[date]:
        raise Killed
        yield

    with pytest.raises(Killed):
        feeds().collect(NOW + timedelta(seconds=1), die)
    (state,) = feed_states(database)
    assert state.is_running
    assert feeds().collect(NOW + timedelta(minutes=1)) == 0
    assert feeds().collect(NOW + timedelta(seconds=1) + LEASE) == 1
    assert not feed_states(database)[0].is_running
