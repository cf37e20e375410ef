"""Which days a digest tells, and what it says of how much of them is known."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from bot.app import Installation
from bot.ledger import Ledger
from bot.playground.demo import CHANNEL, Stage
from bot.playground.workspace import Fault
from bot.pricing import PriceBook, TokenUsage
from bot.slack.blocks.digest import EXPECTED, digest_message
from bot.slack.blocks.plain import as_text
from bot.spend.digest import DigestFacts
from bot.spend.records import Actor
from bot.store import deliveries
from bot.store.alerting import AlertPolicy
from bot.store.database import Database
from bot.store.subscriptions import WORKDAYS, Subscription, subscribe
from bot.store.teams import Team, set_team
from tests.slack.presses import button_of, press, wait_for
from tests.slack.test_http import ask, whispered
from tests.usage import crowded_team, opus_for, request, store, used, utc_policy

NO_ALERTS = AlertPolicy(Decimal(10**6), date(2026, 11, 20))
PARIS = ZoneInfo("Europe/Paris")
THURSDAY = date(2026, 11, 19)
PEOPLE = [Actor("email", f"p{number}@example.com") for number in range(3)]


def text_of(facts: DigestFacts) -> str:
    return as_text(digest_message(facts))


def paris(database: Database, book: PriceBook) -> Ledger:
    return Ledger(database, book, lambda: replace(utc_policy(), timezone=PARIS))


def told(stage: Stage, channel: str = "C2") -> list[str]:
    """What the digests of a channel say: their days, and their total."""
    said = (message["text"] for message in stage.workspace.messages.get(channel, []))
    return [f"{text.split(' · ')[1].split(' (')[0]} {text.split('): ')[1].split(' ')[0]}" for text in said]


@pytest.fixture
def bot(stage: Stage) -> Installation:
    """$20 of every day from October to January, in UTC-independent dollars; a second channel."""
    bot = stage.installation
    stage.workspace.channels["C2"] = "other"
    days = [date(2026, 10, 1) + timedelta(days=count) for count in range(110)]
    store(bot.database, *(used(opus_for(20), day) for day in days), policy=NO_ALERTS, now=at(1, 20, 1, 2027))
    return bot


def at(hour: int, day: int, month: int = 11, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=PARIS)


def run(bot: Installation, first: date, last: date) -> None:
    """The app runs from nine to ten of each day."""
    for count in range((last - first).days + 1):
        now = datetime.combine(first + timedelta(days=count), time(9), PARIS)
        bot.jobs.tick(now)
        bot.jobs.tick(now + timedelta(hours=1))


@pytest.mark.parametrize(
    ("weekdays", "changed_on", "expected"),
    [
        ({1, 4}, 20, ["Thu 19 Nov $20.00", "Fri 20 Nov to Sun 22 Nov $60.00"]),
        ({1}, 18, ["Mon 16 Nov $20.00", "Tue 17 Nov $20.00", "Wed 18 Nov to Sun 22 Nov $100.00"]),
    ],
)
def test_other_weekdays_tell_no_day_twice(
    stage: Stage, bot: Installation, weekdays: set[int], changed_on: int, expected: list[str]
) -> None:
    subscribe(bot.database, Subscription("C2", time(9), PARIS, WORKDAYS), at(12, 16))
    run(bot, date(2026, 11, 17), date(2026, 11, changed_on))
    subscribe(bot.database, Subscription("C2", time(9), PARIS, frozenset(weekdays)), at(12, changed_on))
    run(bot, date(2026, 11, changed_on + 1), date(2026, 11, 23))
    assert told(stage)[-len(expected) :] == expected


@pytest.mark.parametrize("day", [date(2026, 11, 18), THURSDAY])
def test_a_digest_by_hand_after_an_outage_loses_no_day(stage: Stage, bot: Installation, day: date) -> None:
    subscribe(bot.database, Subscription("C2", time(9), PARIS, WORKDAYS), at(12, 16))
    run(bot, date(2026, 11, 17), date(2026, 11, 17))
    deliveries.owe_digest(bot.database, "C2", day, at(8, 20), covered=deliveries.Scope("daily", day, ""))
    run(bot, date(2026, 11, 20), date(2026, 11, 20))
    by_hand = f"{day:%a %d} Nov $20.00"
    assert sorted(told(stage)) == sorted(["Mon 16 Nov $20.00", by_hand, "Tue 17 Nov to Thu 19 Nov $60.00"])


def test_a_digest_that_was_sent_again_or_by_hand_in_its_place_is_not_told_again(
    stage: Stage, bot: Installation
) -> None:
    subscribe(bot.database, Subscription("C2", time(9), PARIS), at(12, 16))
    run(bot, date(2026, 11, 17), date(2026, 11, 17))
    stage.workspace.faults.append(Fault("chat.postMessage", 200, keeps=False, body={"ok": False, "error": "odd_one"}))
    bot.jobs.tick(at(9, 18))
    (held,) = (one for one in deliveries.all_deliveries(bot.database) if one.state == "held")
    deliveries.reopen(bot.database, held.key, at(10, 18))
    run(bot, date(2026, 11, 18), date(2026, 11, 19))
    covered = deliveries.Scope("daily", THURSDAY, "")
    deliveries.owe_digest(bot.database, "C2", THURSDAY, at(8, 20), covered=covered)
    bot.jobs.sender.send_due(at(8, 20))
    run(bot, date(2026, 11, 20), date(2026, 11, 21))
    assert told(stage) == [
        f"{day} $20.00" for day in ("Mon 16 Nov", "Tue 17 Nov", "Wed 18 Nov", "Thu 19 Nov", "Fri 20 Nov")
    ]


def test_days_that_a_channel_did_not_take_are_told_by_the_next_digest(stage: Stage, bot: Installation) -> None:
    """On the 18th and the 19th the app is not in the channel."""
    subscribe(bot.database, Subscription("C2", time(9), PARIS), at(12, 16))
    run(bot, date(2026, 11, 17), date(2026, 11, 17))
    stage.workspace.channels.pop("C2")
    run(bot, date(2026, 11, 18), date(2026, 11, 19))
    stage.workspace.channels["C2"] = "other"
    run(bot, date(2026, 11, 20), date(2026, 11, 21))
    assert told(stage) == ["Mon 16 Nov $20.00", "Tue 17 Nov to Thu 19 Nov $60.00", "Fri 20 Nov $20.00"]


def test_an_earlier_time_where_the_clock_is_ahead_tells_nothing_again(stage: Stage, bot: Installation) -> None:
    """In Tokyo Monday's digest came at ten; at eleven its time becomes eight, when it is Sunday in Paris still."""
    tokyo = ZoneInfo("Asia/Tokyo")
    bot.policy.choose({"timezone": "UTC"}, "U001", at(12, 16))
    subscribe(bot.database, Subscription("C2", time(10), tokyo, WORKDAYS), datetime(2026, 11, 19, 11, tzinfo=tokyo))
    for day in (20, 23):
        bot.jobs.tick(datetime(2026, 11, day, 10, tzinfo=tokyo))
    subscribe(bot.database, Subscription("C2", time(8), tokyo, WORKDAYS), datetime(2026, 11, 19, 11, tzinfo=tokyo))
    for day, hour in ((23, 11), (24, 8), (24, 9)):
        bot.jobs.tick(datetime(2026, 11, day, hour, tzinfo=tokyo))
    assert told(stage) == ["Thu 19 Nov $20.00", "Fri 20 Nov to Sun 22 Nov $60.00"]


def test_two_holidays_in_a_row_on_its_only_weekday_lose_no_week(stage: Stage, bot: Installation) -> None:
    """Christmas and New Year of 2026 are Fridays: on 8 January three weeks are told, 21 x $20."""
    bot.policy.choose({"holidays": "DE"}, "U001", at(12, 1, 12))
    subscribe(bot.database, Subscription("C2", time(9), PARIS, frozenset({5})), at(12, 10, 12))
    run(bot, date(2026, 12, 11), date(2027, 1, 8))
    assert told(stage) == [
        "Fri 4 Dec to Thu 10 Dec $140.00",
        "Fri 11 Dec to Thu 17 Dec $140.00",
        "Fri 18 Dec to Thu 7 Jan $420.00",
    ]


def test_a_quiet_month_of_totals_alone_is_told(stage: Stage) -> None:
    bot = stage.installation
    stage.workspace.channels["C2"] = "other"
    october = [replace(used(opus_for(100), date(2026, 10, 1), who), until=date(2026, 11, 1)) for who in PEOPLE]
    store(bot.database, *october, source="spend_report_csv", policy=NO_ALERTS)
    quiet = Subscription("C2", time(9), PARIS, edition="monthly", skips_unchanged=True)
    subscribe(bot.database, quiet, at(12, 30, 10))
    run(bot, date(2026, 11, 2), date(2026, 11, 2))
    assert told(stage) == ["October 2026 $300.00"]


def test_a_week_of_which_the_last_days_are_unheard_of_is_not_complete(database: Database, book: PriceBook) -> None:
    """4 people use $10 on each working day; the export of Wednesday morning reaches to Tuesday."""
    days = [date(2026, 10, 5) + timedelta(days=count) for count in range(44)]
    people = [Actor("email", f"p{number}@example.com") for number in range(4)]
    used_up = [used(opus_for(10), day, who) for day in days if day.weekday() < 5 for who in people]
    store(database, *used_up, policy=NO_ALERTS, now=datetime(2026, 11, 18, 6, tzinfo=UTC))
    monday = datetime(2026, 11, 23, 9, tzinfo=UTC)
    week = Ledger(database, book, utc_policy).digest(
        date(2026, 11, 22), monday, start=date(2026, 11, 16), edition="weekly"
    )
    assert week.is_unfinished
    assert "$80.00 across 4 people, so far · a usual week is $200.00" in text_of(week)


class TestEdits:
    @pytest.mark.parametrize("answer", [0, 500])
    def test_an_edit_whose_answer_is_lost_is_made_again(self, stage: Stage, bot: Installation, answer: int) -> None:
        """$20, then $30, which Slack shows although its answer is lost; then $20 again."""
        subscribe(bot.database, Subscription("C2", time(9), PARIS), at(12, 19))
        run(bot, date(2026, 11, 20), date(2026, 11, 20))
        stage.workspace.faults.append(Fault("chat.update", answer, keeps=True))
        for minute, usd in ((1, 30), (2, 20), (3, 20)):
            store(bot.database, used(opus_for(usd), THURSDAY), policy=NO_ALERTS)
            bot.jobs.correct_digests(at(11, 20) + timedelta(minutes=minute))
            shown = told(stage)[-1]
            assert shown == f"Thu 19 Nov ${usd}.00"
        (delivery,) = (one for one in deliveries.all_deliveries(bot.database) if one.target == "C2")
        assert delivery.usd == 20
        assert delivery.is_edit_uncertain is False
        assert bot.jobs.correct_digests(at(12, 20)) == 0

    def test_no_data_yet_is_not_left_standing_once_nobody_is_known_to_have_worked(self, stage: Stage) -> None:
        bot = stage.installation
        store(bot.database, used(opus_for(5), date(2026, 11, 18)), policy=NO_ALERTS)
        deliveries.owe_digest(bot.database, CHANNEL, THURSDAY, at(9, 20))
        bot.jobs.sender.send_due(at(9, 20))
        assert stage.workspace.messages[CHANNEL][0]["text"].endswith("No usage data for Thu 19 Nov yet.")
        days = (date(2026, 11, 18), date(2026, 11, 20))
        store(bot.database, *(used(opus_for(5), day) for day in days), policy=NO_ALERTS)
        assert bot.jobs.correct_digests(at(10, 20)) == 1
        (message,) = stage.workspace.messages[CHANNEL]
        assert "Nobody used Claude on Thu 19 Nov." in message["text"]
        assert "Complete since 10:00" in json.dumps(message["blocks"])
        assert bot.jobs.correct_digests(at(11, 20)) == 0


class TestNobody:
    def test_one_persons_machine_does_not_speak_for_the_team(self, database: Database, book: PriceBook) -> None:
        """The Console's export reaches to Wednesday; one person's transcripts have Wednesday and Friday."""
        store(database, *(used(opus_for(5), date(2026, 11, 18), who) for who in PEOPLE))
        own = [used(opus_for(1), day, PEOPLE[0]) for day in (date(2026, 11, 18), date(2026, 11, 20))]
        store(database, *own, source="transcripts", now=datetime(2026, 11, 20, 12, tzinfo=UTC))
        facts = Ledger(database, book, utc_policy).digest(THURSDAY, datetime(2026, 11, 20, 13, tzinfo=UTC))
        assert "No usage data for Thu 19 Nov yet." in text_of(facts)

    def test_of_one_person_alone_it_does(self, database: Database, book: PriceBook) -> None:
        own = [used(opus_for(1), day) for day in (date(2026, 11, 18), date(2026, 11, 20))]
        store(database, *own, source="transcripts", now=datetime(2026, 11, 20, 12, tzinfo=UTC))
        facts = Ledger(database, book, utc_policy).digest(THURSDAY, datetime(2026, 11, 20, 13, tzinfo=UTC))
        assert "Nobody used Claude on Thu 19 Nov." in text_of(facts)

    def test_half_a_day_does_not_say_so_of_a_team(self, database: Database, book: PriceBook) -> None:
        """The last export came on Thursday at ten, when somebody outside of the team had used something."""
        wednesday = [used(opus_for(8), date(2026, 11, 18), who) for who in PEOPLE]
        ten = datetime(2026, 11, 19, 10, tzinfo=UTC)
        store(database, *wednesday, used(opus_for(3), THURSDAY), now=ten)
        team = crowded_team(database, "Core", [one.name for one in PEOPLE])
        now = datetime(2026, 11, 20, 9, tzinfo=UTC)
        ledger = Ledger(database, book, utc_policy)
        assert "No usage data for Thu 19 Nov yet." in text_of(ledger.digest(THURSDAY, now, team=team))
        store(database, *wednesday, used(opus_for(3), THURSDAY), now=now)
        assert "Nobody of the team used Claude on Thu 19 Nov." in text_of(ledger.digest(THURSDAY, now, team=team))


class TestMissingDays:
    """$10 of each working day, a file for each day; those of Tuesday 17 and Wednesday 18 November never came."""

    SUNDAY = date(2026, 11, 22)

    @staticmethod
    def store_days(database: Database, *left_out: int, to: int = 20) -> None:
        days = [
            date(2026, 10, 5) + timedelta(days=count)
            for count in range((date(2026, 11, to) - date(2026, 10, 5)).days + 1)
        ]
        for day in days:
            if day.weekday() < 5 and (day.month, day.day) not in [(11, one) for one in left_out]:
                morning = datetime.combine(day + timedelta(days=1), time(8), UTC)
                store(database, used(opus_for(10), day), policy=NO_ALERTS, now=morning)

    def week(self, database: Database, book: PriceBook, team: Team | None = None) -> DigestFacts:
        now = datetime(2026, 11, 23, 9, tzinfo=UTC)
        start = date(2026, 11, 16)
        return Ledger(database, book, utc_policy).digest(self.SUNDAY, now, start=start, edition="weekly", team=team)

    def test_a_week_says_which_and_is_not_compared(self, database: Database, book: PriceBook) -> None:
        self.store_days(database, 17, 18)
        facts = self.week(database, book)
        assert facts.is_partial
        said = text_of(facts)
        assert "$30.00 across 1 person, so far · a usual week is $50.00" in said
        assert "Usage to Fri 20 Nov, nothing is known of Tue 17 Nov and Wed 18 Nov, received Sat 21 Nov 08:00" in said
        self.store_days(database, 17, 18)
        store(database, *(used(opus_for(10), date(2026, 11, day)) for day in (17, 18)), policy=NO_ALERTS)
        assert "$50.00 across 1 person · like a usual week ($50.00)" in text_of(self.week(database, book))

    def test_a_month_says_how_many(self, database: Database, book: PriceBook) -> None:
        self.store_days(database, 4, 17, 18, to=30)
        ledger = Ledger(database, book, utc_policy)
        now = datetime(2026, 12, 1, 9, tzinfo=UTC)
        facts = ledger.digest(date(2026, 11, 30), now, start=date(2026, 11, 1), edition="monthly")
        # 21 working days without three
        assert "$180.00 across 1 person, so far" in text_of(facts)
        assert "Usage to Mon 30 Nov, nothing is known of 3 working days, received" in text_of(facts)

    def test_days_of_which_an_export_spoke_are_not_missing(self, database: Database, book: PriceBook) -> None:
        self.store_days(database, 17, 18, 19, 20)
        ends = (used(opus_for(10), date(2026, 11, day)) for day in (16, 20))
        store(database, *ends, policy=NO_ALERTS, now=datetime(2026, 11, 21, 8, tzinfo=UTC))
        facts = self.week(database, book)
        assert not facts.is_partial
        assert "$20.00 across 1 person · 60 % below a usual week ($50.00)" in text_of(facts)

    def test_days_on_which_others_used_something_are_not_a_teams_missing_ones(
        self, database: Database, book: PriceBook
    ) -> None:
        """The team's week is of Monday; the others' is of transcripts, which tell nothing of who is not in them."""
        self.store_days(database, 17, 18, 19, 20)
        other = (used(opus_for(1), date(2026, 11, day), PEOPLE[0], request=request(str(day))) for day in range(17, 21))
        store(database, *other, source="transcripts", policy=NO_ALERTS, now=datetime(2026, 11, 21, 8, tzinfo=UTC))
        team = crowded_team(database, "Core", ["dana@example.com"])
        facts = self.week(database, book, team)
        assert facts.freshness is not None
        assert facts.freshness.missing == ()

    def test_days_that_a_total_of_the_month_holds_are_not_missing(self, database: Database, book: PriceBook) -> None:
        self.store_days(database, 17, 18, to=30)
        whole = replace(used(opus_for(500), date(2026, 11, 1)), until=date(2026, 12, 1))
        store(database, whole, source="spend_report_csv", policy=NO_ALERTS)
        ledger = Ledger(database, book, utc_policy)
        now = datetime(2026, 12, 1, 9, tzinfo=UTC)
        facts = ledger.digest(date(2026, 11, 30), now, start=date(2026, 11, 1), edition="monthly")
        assert not facts.is_partial
        assert "$500.00 across 1 person" in text_of(facts)


class TestFreshness:
    def test_of_several_days_each_says_whose_it_is_and_if_it_is_all_there(
        self, database: Database, book: PriceBook
    ) -> None:
        """Friday's came on Friday at 15:00, of a source with UTC days; Sunday's as it happened, of another."""
        friday, sunday = date(2026, 11, 20), date(2026, 11, 22)
        three = datetime(2026, 11, 20, 15, tzinfo=UTC)
        store(database, *(used(opus_for(100), friday, who) for who in PEOPLE), policy=NO_ALERTS, now=three)
        monday = datetime(2026, 11, 23, 5, tzinfo=UTC)
        store(database, used(opus_for(1), sunday, PEOPLE[0]), source="otlp_events", policy=NO_ALERTS, now=monday)
        facts = paris(database, book).digest(sunday, datetime(2026, 11, 23, 8, tzinfo=UTC), start=friday)
        assert facts.is_partial
        said = text_of(facts)
        assert "Fri 20 Nov to Sun 22 Nov (UTC days)" in said
        assert "received Fri 20 Nov 16:00 Europe/Paris" in said
        store(database, *(used(opus_for(100), friday, who) for who in PEOPLE), policy=NO_ALERTS, now=monday)
        assert not paris(database, book).digest(sunday, datetime(2026, 11, 23, 8, tzinfo=UTC), start=friday).is_partial

    def test_a_team_hears_of_its_own_sources_alone(self, database: Database, book: PriceBook) -> None:
        five, seven = (datetime(2026, 11, 20, hour, tzinfo=UTC) for hour in (5, 7))
        own = [used(opus_for(8), THURSDAY, who) for who in PEOPLE]
        store(database, *own, source="otlp_events", policy=NO_ALERTS, now=five)
        store(database, used(opus_for(8), THURSDAY), policy=NO_ALERTS, now=seven)
        team = set_team(database, "Core", [one.name for one in PEOPLE])
        said = text_of(paris(database, book).digest(THURSDAY, team=team))
        assert "Thu 19 Nov (Europe/Paris day)" in said
        assert "received Fri 20 Nov 06:00" in said

    def test_a_day_that_is_not_over_is_told_as_such_to_whoever_asks(self, stage: Stage) -> None:
        bot = stage.installation
        today = bot.today()
        weeks = [used(opus_for(120), today - timedelta(weeks=week), PEOPLE[0]) for week in range(1, 6)]
        store(bot.database, *weeks, used(opus_for(12), today, PEOPLE[0]), source="otlp_events", now=bot.clock())
        ask(stage, f"digest {today}")
        (answer,) = whispered(stage)
        assert "so far" in answer["text"]
        assert "below" not in answer["text"]


def test_without_any_price_there_is_no_comparison(database: Database, book: PriceBook) -> None:
    weeks = [used(opus_for(40), THURSDAY - timedelta(weeks=week)) for week in range(1, 6)]
    store(database, *weeks, used(TokenUsage(10**6), THURSDAY, model="nobodys"), policy=NO_ALERTS)
    said = text_of(Ledger(database, book, utc_policy).digest(THURSDAY))
    assert "No price across 1 person · a usual Thursday is $40.00" in said


def test_an_expected_day_leaves_the_others_to_be_said(stage: Stage) -> None:
    """Of a weekend whose Friday is 5 times and whose Sunday is 4 times the usual one, Friday was expected."""
    bot = stage.installation
    days = [date(2026, 11, 20), date(2026, 11, 22)]
    usual = [used(opus_for(40), day - timedelta(weeks=week)) for day in days for week in range(1, 6)]
    store(bot.database, *usual, *(used(opus_for(usd), day) for usd, day in zip((200, 160), days, strict=True)))
    deliveries.owe_digest(bot.database, CHANNEL, days[1], at(9, 23), covered=deliveries.Scope("daily", days[0], ""))
    bot.jobs.sender.send_due(at(9, 23))
    (message,) = stage.workspace.messages[CHANNEL]
    assert "Fri 20 Nov is 5.0 times" in json.dumps(message["blocks"])
    press(stage, EXPECTED, button_of(message, EXPECTED)["value"], message=message)
    wait_for(lambda: "Fri 20 Nov is" not in text_of(bot.ledger.digest(days[1], start=days[0])))
    assert "Sun 22 Nov is 4.0 times" in text_of(bot.ledger.digest(days[1], start=days[0]))
