"""Made-up histories of an installation: whatever happens in whatever order, each message comes once, none is lost."""

import random
import threading
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import text

from bot.app import Installation
from bot.playground.demo import CHANNEL, team_workspace
from bot.playground.server import served
from bot.playground.web_api import create_web_api
from bot.playground.workspace import Fault, Workspace
from bot.pricing import TokenUsage, default_price_book
from bot.schedule import digest_due
from bot.spend.alerts import STEPS, step_reached
from bot.spend.days import ONE_DAY, Period, spend_day
from bot.spend.records import Actor
from bot.store.alerting import AlertPolicy
from bot.store.database import open_database
from bot.store.deliveries import all_deliveries
from bot.store.people import person_by_email
from bot.store.recording import FileTally, record
from bot.store.subscriptions import EVERY_DAY, Subscription, all_subscriptions, subscribe
from bot.store.tables import metadata
from bot.store.tally import Tally
from tests.slack.test_delivery import settings as slack_settings
from tests.usage import opus_for, used

START = datetime(2026, 3, 27, 6, tzinfo=UTC)
"""Two days before Europe's clocks change."""

PEOPLE = ("ada@example.com", "bilal@example.com", "chiara@example.com")
ZONES = ("Europe/Paris", "America/New_York", "Asia/Kathmandu", "Pacific/Chatham")
LIMIT = Decimal(12)
PARIS = ZoneInfo("Europe/Paris")

DO = st.one_of(
    st.tuples(st.just("tick"), st.integers(1, 400)),
    st.tuples(st.just("ingest"), st.integers(0, 2), st.integers(-30, 60), st.integers(0, 1)),
    st.tuples(st.just("restart")),
    st.tuples(st.just("jump"), st.integers(-120, 360)),
    st.tuples(st.just("pause"), st.integers(60, 2000)),
    st.tuples(st.just("zone"), st.sampled_from(ZONES), st.integers(0, 23)),
    st.tuples(st.just("fault"), st.sampled_from(["lost", "refused", "after", "limited"])),
)
FAULTS = {
    "lost": Fault("chat.postMessage", 0, keeps=True),
    "refused": Fault("chat.postMessage", 0, keeps=False),
    "after": Fault("chat.postMessage", 500, keeps=True, body={"ok": False, "error": "internal_error"}),
    "limited": Fault(
        "chat.postMessage", 429, keeps=False, body={"ok": False, "error": "ratelimited"}, headers={"Retry-After": "30"}
    ),
}


class History:
    """One installation and everything that befalls it."""

    def __init__(self, database_url: str, slack_url: str, workspace: Workspace) -> None:
        self.database_url, self.slack_url, self.workspace = database_url, slack_url, workspace
        self.now = START
        self.latest = START
        self.spent: Counter[tuple[str, date]] = Counter()
        self.owed: set[date] = set()
        self.bot = self.installed()
        self.subscribe("Europe/Paris", 9)

    def installed(self) -> Installation:
        chosen = slack_settings(
            self.database_url,
            self.slack_url,
            CLAUDECOST_PICTURE="off",
            CLAUDECOST_QUIET_HOURS="off",
            CLAUDECOST_DIGEST_WEEKDAYS="1234567",
        )
        return Installation(replace(chosen, digest_channel=None), clock=lambda: self.now)

    def subscribe(self, zone: str, hour: int) -> None:
        subscribe(self.bot.database, Subscription(CHANNEL, time(hour), ZoneInfo(zone), EVERY_DAY), self.now)
        (self.subscription,) = all_subscriptions(self.bot.database)

    def tick(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        due = digest_due(self.subscription, self.now, None, PARIS)
        if due is not None and not any(one.is_unsettled(self.now) for one in all_deliveries(self.bot.database)):
            self.owed.add(due.day)  # else it waits until it is known if Slack has an older one
        is_calm = not self.workspace.faults
        self.bot.jobs.tick(self.now)
        if is_calm:
            # Nothing goes wrong: what was tried for the first time must have gone out.
            tried = [
                one
                for one in all_deliveries(self.bot.database)
                if one.attempts == 1 and (not one.problem or (one.is_late and one.kind == "digest"))
            ]
            assert {one.key: one.state for one in tried if one.state != "sent"} == {}
            self.bot.jobs.correct_digests(self.now)

    def ingest(self, person: int, usd: int, days_ago: int) -> None:
        """Usage comes late, or is restated to less."""
        today = spend_day(self.now, PARIS)
        email, day = PEOPLE[person], today - timedelta(days=days_ago)
        self.spent[email, day] = max(1, self.spent[email, day] + usd)
        tokens = TokenUsage(self.spent[email, day] * 200_000)  # of Opus 4.6, at $5 a million
        usage = used(tokens, day=day, actor=Actor("email", email), model="claude-opus-4-6")
        files = [FileTally("f", Tally([usage]), [])]
        book = self.bot.book
        record(self.bot.database, "console_usage_csv", files, self.now, AlertPolicy(LIMIT, today), book)

    def do(self, what: tuple[object, ...]) -> None:
        kind, *rest = what
        self.latest = max(self.latest, self.now)
        if kind == "tick":
            self.tick(int(str(rest[0])))
        elif kind == "ingest":
            self.ingest(*(int(str(value)) for value in rest))
        elif kind == "restart":
            self.bot.database.close()
            self.bot = self.installed()
        elif kind in ("jump", "pause"):
            self.now += timedelta(minutes=int(str(rest[0])))
        elif kind == "zone":
            self.subscribe(str(rest[0]), int(str(rest[1])))
        else:
            self.workspace.faults.append(FAULTS[str(rest[0])])

    def settle(self) -> None:
        """Time goes on until nothing is left to try: past all that was put off before the clock jumped back."""
        self.workspace.faults.clear()
        self.now = max(self.now, self.latest)
        for _ in range(40):
            self.now += timedelta(minutes=3)
            self.bot.jobs.sender.send_due(self.now)

    def check(self) -> None:
        """Nothing twice, nothing that is still owed, and nobody's highest step untold."""
        keys = Counter(
            message["metadata"]["event_payload"]["key"]
            for messages in self.workspace.messages.values()
            for message in messages
        )
        assert {key: count for key, count in keys.items() if count > 1} == {}
        found = {delivery.key: delivery for delivery in all_deliveries(self.bot.database)}
        assert {d.key: d.state for d in found.values() if d.state not in ("sent", "expired")} == {}
        assert set(keys) == {key for key, delivery in found.items() if delivery.state == "sent"}
        # After an outage one digest tells several days; with another clock one of them may be due again.
        spans = (Period(d.covers.start, d.day + ONE_DAY) for d in found.values() if d.kind == "digest")
        assert self.owed <= {day for span in spans for day in span.days}
        for (email, day), usd in self.spent.items():
            person = person_by_email(self.bot.database, email)
            assert person is not None
            step = step_reached(Decimal(usd), LIMIT) or 0
            alerts = [found.get(f"alert:P{person.id}:{day}:{reached}x") for reached in STEPS if reached >= step]
            assert not step or any(one is not None and (one.state == "sent" or one.is_late) for one in alerts)
        expired = [one for one in found.values() if one.kind == "digest" and one.state == "expired"]
        assert all(one.is_late and one.attempts > 0 for one in expired)


def play(database_url: str, story: list[tuple[object, ...]]) -> None:
    emptied = open_database(database_url)
    with emptied.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(text(f"DELETE FROM {table.name}"))
    emptied.close()
    workspace = team_workspace()
    with served(create_web_api(workspace)) as slack:
        history = History(database_url, slack, workspace)
        for what in story:
            history.do(what)
        history.settle()
        history.check()
        history.bot.database.close()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=st.lists(DO, min_size=5, max_size=25))
@example([("tick", 325), ("pause", 2000), ("pause", 600), ("tick", 79), ("zone", "Pacific/Chatham", 0), ("tick", 1)])
def test_no_history_loses_or_repeats_a_message(database_url: str, story: list[tuple[object, ...]]) -> None:
    play(database_url, story)


@pytest.mark.soak
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=st.lists(DO, min_size=20, max_size=60))
def test_many_histories_lose_and_repeat_nothing(database_url: str, story: list[tuple[object, ...]]) -> None:
    play(database_url, story)


def test_a_digest_comes_each_day_over_three_days_of_jumping_clocks(database_url: str) -> None:
    """72 hours in ticks of half an hour over the change of Europe's clocks, with jumps from -2 to +6 hours."""
    chosen = random.Random(29)
    story: list[tuple[object, ...]] = []
    for _ in range(144):
        story.append(("tick", 30))
        if chosen.random() < 0.1:
            story.append(("jump", chosen.randint(-120, 360)))
    play(database_url, story)


@pytest.mark.parametrize("rounds", [15, pytest.param(150, marks=pytest.mark.soak)])
def test_two_imports_at_once_make_one_alert(database_url: str, rounds: int) -> None:
    """$7 and $7 of one person at the same moment: neither is over $12, together they are."""
    database = open_database(database_url)
    book = default_price_book()
    for number in range(rounds):
        email = f"person{number}@example.com"
        barrier = threading.Barrier(2)

        def bring(part: str, email: str = email, barrier: threading.Barrier = barrier) -> None:
            usage = used(opus_for(7), day=date(2026, 11, 19), actor=Actor("email", email), part=part)
            files = [FileTally(part, Tally([usage]), [])]
            barrier.wait(10)
            now = datetime(2026, 11, 20, 8, tzinfo=UTC)
            record(database, "console_usage_csv", files, now, AlertPolicy(LIMIT, date(2026, 11, 20)), book)

        both = [threading.Thread(target=bring, args=(part,)) for part in ("one", "two")]
        for one in both:
            one.start()
        for one in both:
            one.join(30)
    owed = all_deliveries(database)
    database.close()
    assert len(owed) == rounds
    assert {delivery.step for delivery in owed} == {1}


def test_a_day_before_the_first_digest_is_told_when_another_clock_makes_it_due(database_url: str) -> None:
    """Off for the first digest, of the 26th; the next tells the 27th; on Kathmandu's clock the 26th is due, and new."""
    play(database_url, [("tick", 1), ("pause", 1448), ("tick", 276), ("zone", "Asia/Kathmandu", 0), ("tick", 1)])
