"""The private warning: what it says, when it waits, and what its buttons do."""

import json
import time as clock
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.app import Installation
from bot.playground.demo import NOW, Stage
from bot.playground.dispatch import send_interaction
from bot.playground.workspace import Fault
from bot.pricing import STANDARD, PriceBook, PriceConditions, TokenUsage
from bot.slack.blocks.personal import ALERT_LIMIT, ALERT_MUTE, ALERT_PLANNED, about, limit_modal
from bot.spend.alerts import QuietHours
from bot.spend.amounts import Quantity
from bot.spend.causes import Saving, best_saving, compared, largest_kind
from bot.spend.records import Actor, Sessions
from bot.store.alerting import AlertPolicy
from bot.store.deliveries import all_deliveries
from bot.store.linking import link_actor
from bot.store.people import Wishes, person_by_email, plan_day, set_wishes, wishes_of
from bot.store.recording import FileTally, record
from bot.store.tally import Tally
from bot.store.teams import set_team
from tests.slack.presses import press
from tests.slack.test_http import ask, whispered
from tests.usage import opus_for, store, used

ADA = Actor("email", "ada@example.com")
DAY = date(2026, 11, 19)
POLICY = AlertPolicy(Decimal(12), date(2026, 11, 20))


def spends(bot: Installation, usd: int, day: date = DAY, actor: Actor = ADA) -> None:
    store(bot.database, used(opus_for(usd), day=day, actor=actor), policy=POLICY)


def dm(stage: Stage) -> list[dict[str, Any]]:
    return stage.workspace.messages.get("D001", [])


class TestQuietHours:
    quiet = QuietHours(time(21), time(7))

    @pytest.mark.parametrize(
        ("now", "until"),
        [
            ("2026-11-19T20:59", None),
            ("2026-11-19T21:00", "2026-11-20T07:00"),
            ("2026-11-20T06:59", "2026-11-20T07:00"),
            ("2026-11-20T07:00", None),
        ],
    )
    def test_over_midnight(self, now: str, until: str | None) -> None:
        zone = ZoneInfo("America/New_York")
        found = self.quiet.until(datetime.fromisoformat(now).replace(tzinfo=zone), zone)
        assert found == (datetime.fromisoformat(until).replace(tzinfo=zone) if until else None)

    def test_within_a_day(self) -> None:
        siesta = QuietHours(time(13), time(15))
        assert siesta.until(datetime(2026, 11, 19, 14, tzinfo=UTC), ZoneInfo("UTC")) == datetime(
            2026, 11, 19, 15, tzinfo=UTC
        )
        assert siesta.until(datetime(2026, 11, 19, 15, tzinfo=UTC), ZoneInfo("UTC")) is None

    @pytest.mark.parametrize(
        ("zone", "end", "now", "until"),
        [
            # At 06:00 UTC it is 01:00 in New York for the second time, at 01:00 UTC 02:00 in Paris.
            ("America/New_York", time(1, 30), "2026-11-01T05:05", "2026-11-01T05:30"),
            ("America/New_York", time(1, 30), "2026-11-01T06:05", "2026-11-01T06:30"),
            ("Europe/Paris", time(2, 30), "2026-10-25T01:29", "2026-10-25T01:30"),
        ],
    )
    def test_an_end_that_comes_twice_is_never_one_that_is_over(
        self, zone: str, end: time, now: str, until: str
    ) -> None:
        found = QuietHours(time(22), end).until(datetime.fromisoformat(now).replace(tzinfo=UTC), ZoneInfo(zone))
        assert found == datetime.fromisoformat(until).replace(tzinfo=UTC)

    def test_an_alert_waits_until_the_person_wakes(self, stage: Stage) -> None:
        bot = stage.installation
        spends(bot, 13, date(2026, 11, 20))
        night = datetime(2026, 11, 20, 22, 30, tzinfo=ZoneInfo("Europe/Paris"))
        bot.jobs.sender.send_due(night)
        assert dm(stage) == []
        bot.jobs.sender.send_due(night + timedelta(hours=8, minutes=29))
        assert dm(stage) == []
        bot.jobs.sender.send_due(night + timedelta(hours=8, minutes=30))
        assert dm(stage)[0]["text"] == "You passed $12.00 on Fri 20 Nov: $13.00"

    def test_of_a_day_that_is_too_long_ago_by_then_neither_the_person_nor_an_admin_hears(self, stage: Stage) -> None:
        bot = stage.installation
        bot.jobs.admins = ("U002",)
        spends(bot, 13)  # of Thursday, imported on Friday night
        night = datetime(2026, 11, 20, 22, 30, tzinfo=ZoneInfo("Europe/Paris"))
        for hours in (0, 9, 10, 11):
            bot.jobs.sender.send_due(night + timedelta(hours=hours))
            bot.jobs.tell_failures(night + timedelta(hours=hours))
        (alert,) = all_deliveries(bot.database)
        assert alert.state == "expired"
        assert "quiet hours" in (alert.problem or "")
        assert stage.workspace.messages == {}


class TestLimits:
    def test_a_team_s_limit_stands_between_one_s_own_and_everybody_s(self, stage: Stage) -> None:
        bot = stage.installation
        spends(bot, 1, date(2026, 11, 1))
        set_team(bot.database, "core", ["ada@example.com"], limit_usd=Decimal(20))
        spends(bot, 19)
        assert all_deliveries(bot.database) == []
        spends(bot, 21)
        assert [delivery.step for delivery in all_deliveries(bot.database)] == [1]
        person = person_by_email(bot.database, "ada@example.com")
        assert person is not None
        assert bot.ledger.limit_of(person) == 20

    def test_steps_are_told_once_each(self, stage: Stage) -> None:
        bot = stage.installation
        for usd in (13, 14, 25, 30, 49, 60):
            spends(bot, usd)
            bot.jobs.sender.send_due(NOW)
        assert [message["text"] for message in dm(stage)] == [
            "You passed $12.00 on Thu 19 Nov: $13.00",
            "You passed $24.00 (2 times your limit) on Thu 19 Nov: $25.00",
            "You passed $48.00 (4 times your limit) on Thu 19 Nov: $49.00",
        ]

    @pytest.mark.parametrize("is_one_sent", [True, False])
    @pytest.mark.parametrize("main", ["ada@example.com", "bilal@example.com"])
    def test_alerts_of_two_addresses_that_wait_while_they_are_linked_are_one(
        self, stage: Stage, book: PriceBook, main: str, is_one_sent: bool
    ) -> None:
        """Two sources tell the same $13 of one day, each under another of somebody's addresses."""
        bot, bilal = stage.installation, Actor("email", "bilal@example.com")
        spends(bot, 13)
        if is_one_sent:
            bot.jobs.sender.send_due(NOW)
        store(bot.database, used(opus_for(13), day=DAY, actor=bilal), source="transcripts", policy=POLICY)
        other = ({ADA.name, bilal.name} - {main}).pop()
        link_actor(bot.database, other, main, "admin", book, POLICY, NOW)
        bot.jobs.sender.send_due(NOW)
        told = [said for name, channel in stage.workspace.messages.items() if name.startswith("D") for said in channel]
        assert [said["text"] for said in told] == ["You passed $12.00 on Thu 19 Nov: $13.00"]


class TestWhatIsOwed:
    def test_a_step_that_is_no_longer_reached_gives_way_to_a_lower_one(self, stage: Stage) -> None:
        bot = stage.installation
        spends(bot, 25)  # twice the limit
        spends(bot, 13)  # restated before it was told
        bot.jobs.sender.send_due(NOW)
        assert [message["text"] for message in dm(stage)] == ["You passed $12.00 on Thu 19 Nov: $13.00"]
        bot.jobs.sender.send_due(NOW + timedelta(hours=1))
        assert len(dm(stage)) == 1

    def test_a_limit_that_was_raised_counts(self, stage: Stage) -> None:
        bot = stage.installation
        spends(bot, 25)
        person = person_by_email(bot.database, "ada@example.com")
        assert person is not None
        set_wishes(bot.database, person.id, limit_usd=Decimal(20))
        bot.jobs.sender.send_due(NOW)
        assert [message["text"] for message in dm(stage)] == ["You passed $20.00 on Thu 19 Nov: $25.00"]

    def test_west_of_greenwich_the_utc_day_begins_in_the_evening_before(self, stage: Stage) -> None:
        spends(stage.installation, 13, date(2026, 11, 21))
        stage.installation.jobs.sender.send_due(NOW)
        assert len(dm(stage)) == 1
        spends(stage.installation, 99, date(2026, 11, 22))
        stage.installation.jobs.sender.send_due(NOW)
        assert len(dm(stage)) == 1

    def test_a_key_that_is_linked_brings_its_alert(self, stage: Stage, book: PriceBook) -> None:
        bot = stage.installation
        spends(bot, 1)
        spends(bot, 50, actor=Actor("api_key", "ci"))
        link_actor(bot.database, "ci", "ada@example.com", "admin", book, POLICY, NOW)
        bot.jobs.sender.send_due(NOW)
        assert [message["text"] for message in dm(stage)] == [
            "You passed $48.00 (4 times your limit) on Thu 19 Nov: $51.00"
        ]

    @pytest.mark.parametrize("is_sent", [True, False])
    def test_an_alert_of_an_address_that_is_linked_to_another_is_told_once(
        self, stage: Stage, book: PriceBook, is_sent: bool
    ) -> None:
        """Ada's $13, or with $2 of the other address $15: once the limit. The digest knows that she was told."""
        bot = stage.installation
        spends(bot, 13)
        spends(bot, 2, actor=Actor("email", "bilal@example.com"))
        if is_sent:
            bot.jobs.sender.send_due(NOW)
        link_actor(bot.database, ADA.name, "bilal@example.com", "admin", book, POLICY, NOW)
        bot.jobs.sender.send_due(NOW)
        told = [message["text"] for one in stage.workspace.messages.values() for message in one]
        assert told == [f"You passed $12.00 on Thu 19 Nov: ${13 if is_sent else 15}.00"]
        people = bot.ledger.digest(DAY).people
        assert (people.active, people.over_limit, people.told) == (1, 1, 1)

    def test_a_cost_that_a_source_states_for_an_unlisted_model_is_no_one_s_saving(self, stage: Stage) -> None:
        """$100 stated, and $10 of Opus input, of which the cache would save 0.9 x (4 - 0.20) / 4 x $10 = $8.55."""
        bot = stage.installation
        other = used(TokenUsage(1000), day=DAY, actor=ADA, model="someone-elses-model", reported="100")
        unknown = used(TokenUsage(2000, web_searches=7), day=DAY, actor=ADA, model="nobodys-model")
        store(bot.database, used(opus_for(10), day=DAY, actor=ADA), other, unknown, policy=POLICY)
        bot.jobs.sender.send_due(NOW)
        text = json.dumps(dm(stage)[0]["blocks"], ensure_ascii=False)
        assert "which would have made it about $101.45" in text
        assert "of the cost is" not in text or "9 % of the cost is input" in text
        assert "2,000 tokens and 7 web searches had no price and are in no figure here" in text
        assert "UTC day" in text


class TestBurstOfSessions:
    @staticmethod
    def begins(stage: Stage, sessions: int, day: date) -> None:
        tally = Tally([used(opus_for(13), day=day, actor=ADA), Sessions(1, day, ADA, sessions)])
        files = [FileTally("f", tally, [])]
        bot = stage.installation
        record(bot.database, "claude_code_analytics_api", files, NOW, POLICY, bot.book)

    @pytest.mark.parametrize(("sessions", "is_said"), [(9, True), (8, True), (7, False)])
    def test_it_is_said_where_it_is_twice_the_usual(self, stage: Stage, sessions: int, is_said: bool) -> None:
        """Usually the median of 2, 4, 4, 4 and 6."""
        for back, count in enumerate((2, 4, 4, 4, 6), start=1):
            self.begins(stage, count, DAY - timedelta(days=back))
        self.begins(stage, 99, DAY)
        self.begins(stage, sessions, DAY)  # restated
        stage.installation.jobs.sender.send_due(NOW)
        text = json.dumps(dm(stage)[-1]["blocks"], ensure_ascii=False)
        assert (f"; in {sessions} sessions, usually 4" in text) is is_said

    def test_few_days_say_nothing_of_what_is_usual(self, stage: Stage) -> None:
        self.begins(stage, 99, DAY)
        stage.installation.jobs.sender.send_due(NOW)
        assert "sessions, usually" not in json.dumps(dm(stage)[-1]["blocks"])


class TestCauses:
    def test_the_kind_that_makes_most_of_it(self, book: PriceBook) -> None:
        # Opus 5.5: 10M cache reads at $0.20 = $2, 0.05M output at $20 = $1, 0.25M input at $4 = $1
        used_up = [Quantity(DAY, "claude-opus-5-5", STANDARD, "api", TokenUsage(250_000, 50_000, 10_000_000), None)]
        assert largest_kind(used_up, book) == ("cache_read", Decimal(2))

    def test_cache_writes_of_both_lifetimes_are_one_kind(self, book: PriceBook) -> None:
        # Opus 5.5: 0.4M output at $20 = $8, 1.2M 5-minute writes at $5 = $6, 0.75M 1-hour writes at $8 = $6
        usage = TokenUsage(output=400_000, cache_write_5m=1_200_000, cache_write_1h=750_000)
        used_up = [Quantity(DAY, "claude-opus-5-5", STANDARD, "api", usage, None)]
        assert largest_kind(used_up, book) == ("cache_write", Decimal(12))

    def test_nothing_stands_out(self, book: PriceBook) -> None:
        # $1 each of input, output and cache reads
        even = [Quantity(DAY, "claude-opus-5-5", STANDARD, "api", TokenUsage(250_000, 50_000, 5_000_000), None)]
        assert largest_kind(even, book) is None

    def test_the_largest_saving_is_said(self, book: PriceBook) -> None:
        # 5M input at $4 = $20; on Sonnet 5.5 at $2 = $10; with 90 % from the cache 2 + 4.5 x 0.20 = $2.90
        plain = [Quantity(DAY, "claude-opus-5-5", STANDARD, "api", TokenUsage(5_000_000), None)]
        found = best_saving(plain, book)
        assert found is not None
        assert (found.what, found.usd) == ("keeping 90 % of the input in the cache", Decimal("17.10"))
        # 1M output: $20 on Opus, $10 on Sonnet
        written = [Quantity(DAY, "claude-opus-5-5", STANDARD, "api", TokenUsage(output=1_000_000), None)]
        found = best_saving(written, book)
        assert found is not None
        assert (found.what, found.usd) == ("Sonnet 5.5 for the Opus part", Decimal(10))

    def test_who_uses_sonnet_hears_of_haiku(self, book: PriceBook) -> None:
        # 2M output: $20 on Sonnet 5.5, $1 on Haiku 5.5; a fifth of the difference of $19
        written = [Quantity(DAY, "claude-sonnet-5-5", STANDARD, "api", TokenUsage(output=2_000_000), None)]
        found = best_saving(written, book)
        assert found is not None
        assert (found.what, found.usd) == ("Haiku 5.5 in subagents for a fifth of the work", Decimal("3.80"))

    def test_another_model_is_priced_as_the_work_was_done(self, book: PriceBook) -> None:
        """1M output of Opus 5.5: $20; in the US $22 against $11 on Sonnet 5.5; as a batch $10 against $5."""
        us, batch = PriceConditions(inference_geo="us"), PriceConditions(service_tier="batch")
        for conditions, saved in ((us, Decimal(11)), (batch, Decimal(5))):
            written = [Quantity(DAY, "claude-opus-5-5", conditions, "api", TokenUsage(output=10**6), None)]
            assert best_saving(written, book) == Saving("Sonnet 5.5 for the Opus part", saved)
            families = dict(compared(written, book, DAY).families)
            assert families["Opus 5.5"] == 2 * saved
            assert families["Sonnet 5.5"] == saved

    def test_small_savings_are_not_worth_a_line(self, book: PriceBook) -> None:
        little = [Quantity(DAY, "claude-haiku-5-5", STANDARD, "api", TokenUsage(1_000_000), None)]
        assert best_saving(little, book) is None

    def test_the_message_says_them(self, stage: Stage) -> None:
        bot = stage.installation
        for back in range(1, 41):
            spends(bot, 10, DAY - timedelta(days=back))
        spends(bot, 40)
        bot.jobs.sender.send_due(NOW)
        text = json.dumps(dm(stage)[0]["blocks"], ensure_ascii=False)
        assert "Your usual active day is $10.00 (median of 40)" in text
        assert "Mostly Opus 5.5: $40.00 (100 %); 100 % of the cost is input that no cache held" in text
        # 10M input at $4; 9M of them from the cache: 4 + 9 x 0.20 = 5.80
        assert "Try: keeping 90 % of the input in the cache, which would have made it about $5.80" in text
        # 30 days of $10, one of which is the $40 in more than half of the months: 1 - (28/29) ** 22 = 54 %.
        # For Max 5x see docs/tiers.md.
        plan = "By your last 90 days, Claude Max 5x would be about $100.00 a month instead of $330.00"
        assert plan in text
        TestButtons().press(stage, ALERT_PLANNED)
        assert TestButtons().settled(stage, "Planned work")
        assert plan in json.dumps(dm(stage)[0]["blocks"], ensure_ascii=False)

    def test_who_is_rarely_active_hears_of_no_plan(self, stage: Stage) -> None:
        """$10 on one day a week is $43 a month, less than any seat that would carry it."""
        bot = stage.installation
        for weeks in range(1, 13):
            spends(bot, 10, DAY - timedelta(weeks=weeks))
        spends(bot, 13)
        bot.jobs.sender.send_due(NOW)
        text = json.dumps(dm(stage)[0]["blocks"], ensure_ascii=False)
        assert "Your usual active day is $10.00" in text
        assert "a month instead of" not in text


class TestButtons:
    @pytest.fixture
    def told(self, stage: Stage) -> Stage:
        spends(stage.installation, 13)
        stage.installation.jobs.sender.send_due(NOW)
        return stage

    def press(self, stage: Stage, action: str, user: str = "U001", value: str | None = None) -> None:
        person = person_by_email(stage.installation.database, "ada@example.com")
        assert person is not None
        chosen = value or about(person.id, DAY, Decimal(12), 1)
        press(stage, action, chosen, user=user, channel="D001", message=dm(stage)[0])

    def submit(self, stage: Stage, view: dict[str, Any], value: str) -> bytes:
        """Submit the window of a limit with an amount written into it."""
        chosen = {
            "id": "V1",
            "type": "modal",
            "callback_id": ALERT_LIMIT,
            "private_metadata": view["private_metadata"],
            "state": {"values": {"own": {"usd": {"type": "number_input", "value": value}}}},
        }
        return send_interaction(stage.app_url, {"type": "view_submission", "user": {"id": "U001"}, "view": chosen})

    def settled(self, stage: Stage, words: str) -> bool:
        deadline = clock.monotonic() + 5
        while clock.monotonic() < deadline:
            if words in json.dumps(dm(stage)[0]["blocks"], ensure_ascii=False):
                return True
            clock.sleep(0.01)
        return False

    def test_two_planned_days_are_both_remembered(self, told: Stage) -> None:
        database = told.installation.database
        person = person_by_email(database, "ada@example.com")
        assert person is not None
        thursday, friday = date(2026, 11, 19), date(2026, 11, 20)
        for day in (thursday, friday, friday):
            plan_day(database, person.id, day)
        wishes = wishes_of(database, person.id)
        assert [wishes.allow(thursday), wishes.allow(friday), wishes.allow(date(2026, 11, 21))] == [False, False, True]

    def test_planned_work_ends_the_day_s_alerts_and_says_so(self, told: Stage) -> None:
        self.press(told, ALERT_PLANNED)
        assert self.settled(told, "Planned work: nothing more about Thu 19 Nov")
        assert [block["type"] for block in dm(told)[0]["blocks"]].count("actions") == 0
        spends(told.installation, 30)
        told.installation.jobs.sender.send_due(NOW)
        assert len(dm(told)) == 1
        assert [delivery.state for delivery in all_deliveries(told.installation.database)] == ["sent", "expired"]

    def test_mute_lasts_until_monday(self, told: Stage) -> None:
        self.press(told, ALERT_MUTE)
        assert self.settled(told, "Muted until Mon 23 Nov")
        person = person_by_email(told.installation.database, "ada@example.com")
        assert person is not None
        wishes = wishes_of(told.installation.database, person.id)
        assert not wishes.allow(date(2026, 11, 22))
        assert wishes.allow(date(2026, 11, 23))

    def test_nobody_else_can_press_them(self, told: Stage) -> None:
        self.press(told, ALERT_PLANNED, user="U002")
        clock.sleep(0.2)
        person = person_by_email(told.installation.database, "ada@example.com")
        assert person is not None
        assert wishes_of(told.installation.database, person.id).planned_day is None

    def test_each_limit_is_offered_once(self, stage: Stage) -> None:
        """Twice a usual day of $6 is the $12 that is offered anyway."""
        for back in range(1, 7):
            spends(stage.installation, 6, DAY - timedelta(days=back))
        spends(stage.installation, 20)
        person = person_by_email(stage.installation.database, "ada@example.com")
        assert person is not None
        view = limit_modal(stage.installation.ledger.own_day(person, DAY), Decimal(12), "")
        (radio,) = (block["element"] for block in view["blocks"] if block.get("block_id") == "choice")
        assert [option["text"]["text"] for option in radio["options"]] == ["$12.00", "$30.00"]

    def test_a_limit_is_changed_in_a_window(self, told: Stage) -> None:
        self.press(told, ALERT_LIMIT)
        (view,) = told.workspace.views
        assert view["callback_id"] == ALERT_LIMIT
        choices = json.dumps(view["blocks"])
        assert "$12.00" in choices
        assert "$30.00" in choices
        assert self.submit(told, view, "25.50") in (b"", b"{}")
        assert self.settled(told, "Your limit is $25.50 a day now")
        person = person_by_email(told.installation.database, "ada@example.com")
        assert person is not None
        assert person.limit_usd == Decimal("25.50")
        # What was told stays as it was told.
        assert dm(told)[0]["text"] == "You passed $12.00 on Thu 19 Nov: $13.00"

    def test_a_limit_is_kept_where_the_message_is_gone(self, told: Stage) -> None:
        """The window closes at once; that the message cannot be edited any more costs nothing."""
        self.press(told, ALERT_LIMIT)
        (view,) = told.workspace.views
        gone = {"ok": False, "error": "message_not_found"}
        told.workspace.faults.append(Fault("chat.update", 200, keeps=False, body=gone))
        assert self.submit(told, view, "44") in (b"", b"{}")
        deadline, limit = clock.monotonic() + 5, None
        while limit != 44 and clock.monotonic() < deadline:
            person = person_by_email(told.installation.database, "ada@example.com")
            limit = person.limit_usd if person else None
        assert limit == 44

    def test_the_buttons_of_an_address_that_was_linked_since_are_its_owners(self, told: Stage) -> None:
        bot = told.installation
        store(bot.database, used(opus_for(1), day=date(2026, 11, 20), actor=Actor("email", "new@example.com")))
        old = person_by_email(bot.database, "ada@example.com")
        assert old is not None
        value = about(old.id, date(2026, 11, 19), Decimal(12), 1)
        link_actor(bot.database, "ada@example.com", "new@example.com", "admin", bot.book, bot.alert_policy(), NOW)
        self.press(told, ALERT_MUTE, value=value)
        assert self.settled(told, "Muted until Mon 23 Nov")
        new = person_by_email(bot.database, "ada@example.com")
        assert new is not None
        assert new.email == "new@example.com"
        wishes = wishes_of(bot.database, new.id)
        assert wishes is not None
        assert wishes.muted_until == date(2026, 11, 23)
        assert "restated" not in dm(told)[0]["text"]

    @pytest.mark.parametrize("value", ["0", "-5", "lots", "1e9", ""])
    def test_a_limit_that_is_none_is_said_in_the_window(self, told: Stage, value: str) -> None:
        self.press(told, ALERT_LIMIT)
        (view,) = told.workspace.views
        answer = json.loads(self.submit(told, view, value))
        assert answer["response_action"] == "errors"


def test_alerts_that_an_outage_kept_back_are_told_once_with_its_reason(stage: Stage) -> None:
    """Ada passes $12 on each of four days on which Slack refuses the app; admins hear it once."""
    bot, workspace, refusal = stage.installation, stage.workspace, {"ok": False, "error": "invalid_auth"}
    methods = ("users.lookupByEmail", "chat.postMessage", "conversations.open")
    workspace.faults += [Fault(method, 200, keeps=False, body=refusal) for method in methods * 1000]
    for days in range(4):
        now = NOW + timedelta(days=days)
        policy = AlertPolicy(Decimal(12), now.date())
        store(bot.database, used(opus_for(15), now.date(), ADA), policy=policy, now=now)
        for hours in range(24):
            bot.jobs.tick(now + timedelta(hours=hours))
    workspace.faults.clear()
    for minutes in range(0, 60, 10):
        bot.jobs.tick(NOW + timedelta(days=4, minutes=minutes))
    told = [str(message["text"]) for said in workspace.messages.values() for message in said]
    about_alerts = [text for text in told if text.startswith("An alert about Fri 20 Nov did not reach")]
    assert len(about_alerts) == 1
    assert "(ada@example.com): its time was over before it could be sent; before that: " in about_alerts[0]
    assert "(invalid_auth). The next one that is due is sent as usual" in about_alerts[0]


class TestCommands:
    @pytest.fixture(autouse=True)
    def known(self, stage: Stage) -> None:
        spends(stage.installation, 1)

    def said(self, stage: Stage, text: str, count: int) -> str:
        assert ask(stage, text) is None
        return str(whispered(stage, count)[count - 1]["text"])

    def test_limit_mute_and_unmute(self, stage: Stage) -> None:
        assert self.said(stage, "limit $20", 1) == "Your limit is $20.00 a day now."
        assert self.said(stage, "mute 3d", 2) == "Muted until Mon 23 Nov; /claudecost unmute ends it."
        assert self.said(stage, "unmute", 3) == "You hear of expensive days again."
        person = person_by_email(stage.installation.database, "ada@example.com")
        assert person is not None
        assert person.limit_usd == 20
        assert wishes_of(stage.installation.database, person.id) == Wishes(None, None)

    def test_own_quiet_hours(self, stage: Stage) -> None:
        assert self.said(stage, "quiet 12-14", 1) == "Your alerts wait from 12:00 to 14:00 on your own clock."
        bot, noon = stage.installation, datetime(2026, 11, 20, 12, 30, tzinfo=ZoneInfo("Europe/Paris"))
        spends(bot, 13, date(2026, 11, 20))
        bot.jobs.sender.send_due(noon)
        assert dm(stage) == []
        assert self.said(stage, "quiet off", 2) == "Your alerts come at any hour now."
        bot.jobs.sender.send_due(noon + timedelta(hours=1, minutes=31))
        assert len(dm(stage)) == 1
        assert self.said(stage, "quiet usual", 3) == "Your alerts wait as everybody's do here."

    @pytest.mark.parametrize(
        "text",
        ["limit", "limit 0", "limit -5", "limit many", "mute", "mute 0d", "mute 9999d", "quiet 25-7", "quiet 7-7"],
    )
    def test_what_cannot_be_read_is_said(self, stage: Stage, text: str) -> None:
        assert self.said(stage, text, 1).startswith(f"I could not read “{text}”.")
