"""Digests in every situation: their words, their corrections, their pictures, their editions."""

import json
import random
import statistics
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from slack_sdk.models.blocks import Block as SlackBlock
from sqlalchemy import update

from bot.app import Installation
from bot.cli import _post_digest
from bot.playground.demo import CHANNEL, NOW, Stage
from bot.playground.workspace import Fault
from bot.pricing import STANDARD, PriceBook, TokenUsage
from bot.slack.blocks.digest import EXPECTED, digest_message
from bot.slack.blocks.plain import as_text
from bot.slack.blocks.trend import trend_block, trend_in_words
from bot.slack.charts import png, trend_spec
from bot.spend.amounts import Quantity
from bot.spend.digest import DigestFacts, Freshness, PeopleCount, digest_facts, is_correction
from bot.spend.records import Actor
from bot.spend.workdays import WorkCalendar
from bot.store import deliveries
from bot.store.alerting import AlertPolicy
from bot.store.deliveries import all_deliveries
from bot.store.identity import BY_ADMIN
from bot.store.linking import link_actor
from bot.store.recording import FileTally, record
from bot.store.subscriptions import WORKDAYS, Subscription, subscribe, unsubscribe
from bot.store.tables import imports
from bot.store.tally import Tally
from bot.store.teams import find_team, set_team
from tests.slack.presses import button_of, press, wait_for
from tests.usage import crowded_team, opus_for, store, used

FRIDAY = date(2026, 11, 20)
PEOPLE = PeopleCount(14, 0, 0, Decimal(0), 0)
NOBODY = PeopleCount(0, 0, 0, Decimal(0), 0)


def fresh(day: date, hours: int = 31) -> Freshness:
    """Data to a day that came so many hours after it began."""
    at = datetime.combine(day, time(0), UTC) + timedelta(hours=hours)
    return Freshness(day, at, utc_days=True, is_partial=hours < 24)


def opus(usd: str | int, day: date) -> Quantity:
    return Quantity(day, "claude-opus-5-5", STANDARD, "api", opus_for(usd), None)


def weeks_before(day: date, usd: int, count: int = 4) -> list[Quantity]:
    return [opus(usd, day - timedelta(weeks=week)) for week in range(1, count + 1)]


def facts(book: PriceBook, day: date, *quantities: Quantity, people: PeopleCount = PEOPLE, **more: Any) -> DigestFacts:
    more.setdefault("freshness", fresh(day))
    freshness = more.pop("freshness")
    return digest_facts(day, "UTC", quantities, people, Decimal(12), freshness, book, **more)


def lines(found: DigestFacts, **more: Any) -> list[str]:
    message = digest_message(found, **more)
    for block in message.blocks:
        parsed = SlackBlock.parse(block)
        assert parsed is not None
        parsed.validate_json()
    text = as_text(message).splitlines()
    # What stands above the buttons is read in ten seconds.
    assert len(text) <= 12
    assert sum(map(len, text)) <= 1500
    return text


class TestSituations:
    """Each is drawn from its own made-up team; the sums stand beside."""

    def test_a_usual_day_within_a_budget(self, book: PriceBook) -> None:
        found = facts(book, FRIDAY, opus(50, FRIDAY), *weeks_before(FRIDAY, 40), budget_usd=Decimal(1000))
        # 50 / 40; the month: 50 + 40 + 40; 130 of 1,000; working days 2-6, 9-13, 16-20 of November
        assert lines(found)[:3] == [
            "Claude Code spend · Fri 20 Nov (UTC day)",
            "$50.00 across 14 people · 25 % above a usual Friday ($40.00)",
            "November so far: $130.00 of $1,000 budget (13 %) · 15 of 21 working days",
        ]
        assert lines(found)[3].endswith(", within the budget")

    def test_no_data(self, book: PriceBook) -> None:
        found = facts(book, FRIDAY, *weeks_before(FRIDAY, 40), people=NOBODY, freshness=fresh(date(2026, 11, 13)))
        assert lines(found) == [
            "Claude Code spend · Fri 20 Nov (UTC day)",
            "No usage data for Fri 20 Nov yet.",
            "Usage to Fri 13 Nov, received Sat 14 Nov 07:00 UTC",
        ]

    def test_partial_data(self, book: PriceBook) -> None:
        found = facts(book, FRIDAY, opus(20, FRIDAY), *weeks_before(FRIDAY, 40), freshness=fresh(FRIDAY, 16))
        text = lines(found)
        assert text[1] == "$20.00 across 14 people, so far · a usual Friday is $40.00"
        assert "Usage to Fri 20 Nov, before all of the last day had come, received Fri 20 Nov 16:00 UTC" in text

    def test_the_first_day_ever(self, book: PriceBook) -> None:
        text = lines(facts(book, FRIDAY, opus(20, FRIDAY)))
        assert text[1] == "$20.00 across 14 people · too few earlier days to say what is usual"
        assert text[2] == "November so far: $20.00 · 15 of 21 working days"
        assert text[3].startswith("By model: Opus 5.5 $20.00")

    def test_a_weekend(self, book: PriceBook) -> None:
        saturday = date(2026, 11, 21)
        text = lines(facts(book, saturday, opus(5, saturday), *weeks_before(saturday, 4)))
        assert text[1] == "$5.00 across 14 people · 25 % above a usual Saturday ($4.00)"

    def test_a_monday_covers_friday_to_sunday(self, book: PriceBook) -> None:
        days = [FRIDAY + timedelta(days=count) for count in range(3)]
        spent = [opus(usd, day) for usd, day in zip((30, 5, 1), days, strict=True)]
        before = [quantity for day in days for quantity in weeks_before(day, 8)]
        text = lines(facts(book, days[-1], *spent, *before, start=FRIDAY))
        # 30 + 5 + 1 = 36 against 3 x 8 = 24
        assert text[:2] == [
            "Claude Code spend · Fri 20 Nov to Sun 22 Nov (UTC days)",
            "$36.00 across 14 people · 50 % above a usual Friday to Sunday ($24.00)",
        ]

    def test_a_holiday_is_no_working_day(self, book: PriceBook) -> None:
        found = facts(book, FRIDAY, opus(50, FRIDAY), calendar=WorkCalendar("FR"))
        # 11 November is a holiday in France.
        assert lines(found)[2] == "November so far: $50.00 · 14 of 20 working days"

    def test_the_first_and_the_last_day_of_a_month(self, book: PriceBook) -> None:
        first, last = date(2026, 10, 1), date(2026, 10, 31)
        assert lines(facts(book, first, opus(50, first)))[2] == "October so far: $50.00 · 1 of 22 working days"
        ended = facts(book, last, opus(50, last), *(opus(10, date(2026, 10, day)) for day in range(5, 31)))
        assert ended.month.forecast is None
        assert lines(ended)[2] == "October so far: $310.00 · 22 of 22 working days"

    def test_everything_at_once_is_still_read_in_ten_seconds(self, book: PriceBook) -> None:
        earlier = [opus(40, FRIDAY - timedelta(days=back)) for back in range(1, 29)]
        unknown = Quantity(FRIDAY, "claude-zephyr-9", STANDARD, "api", TokenUsage(input=10**6), None)
        people = PeopleCount(14, 5, 3, Decimal(5), 2, ("ada@example.com", "dana@example.com", "freya@example.com"))
        silent = fresh(FRIDAY)._replace(silent=(("Claude Code Analytics API", NOW),))
        found = facts(
            book,
            FRIDAY,
            *earlier,
            opus(200, FRIDAY),
            unknown,
            people=people,
            freshness=silent,
            budget_usd=Decimal(1300),
        )
        text = lines(found, corrected="Corrected 10:42: $148.90 → $200.00")
        said = " ".join(text)
        for part in ("budget is at risk", "times the usual", "and 2 more", "had no price", "no person", "silent since"):
            assert part in said
        assert "Corrected 10:42" in said

    def test_a_restated_day(self, book: PriceBook) -> None:
        text = lines(facts(book, FRIDAY, opus(50, FRIDAY)), corrected="Corrected 10:42: $48.90 → $50.00")
        assert "Corrected 10:42: $48.90 → $50.00 · Usage to Fri 20 Nov, received Sat 21 Nov 07:00 UTC" in text

    def test_a_model_without_a_price(self, book: PriceBook) -> None:
        unknown = Quantity(FRIDAY, "claude-zephyr-9", STANDARD, "api", TokenUsage(12_500_000), None)
        text = lines(facts(book, FRIDAY, opus(50, FRIDAY), unknown))
        # half of 25 million tokens
        assert "• 12,500,000 tokens (50 %) had no price (claude-zephyr-9) and are in no dollar figure here" in text

    def test_a_team_of_one(self, book: PriceBook) -> None:
        text = lines(facts(book, FRIDAY, opus(50, FRIDAY), people=PeopleCount(1, 1, 1, Decimal(0), 0), team="core"))
        assert text[0] == "Claude Code spend · core · Fri 20 Nov (UTC day)"
        assert text[1].startswith("$50.00 across 1 person")

    def test_a_team_of_five_thousand(self, book: PriceBook) -> None:
        people = PeopleCount(5_000, 700, 700, Decimal("1234.5"), 40)
        models = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5", "claude-opus-4-6", "claude-opus-5"]
        spent = [Quantity(FRIDAY, model, STANDARD, "api", TokenUsage(10**10), None) for model in models]
        found = facts(book, FRIDAY, *spent, people=people, budget_usd=Decimal(10**6))
        # 10,000 million tokens at $4, $2, $1, $5 and $5
        text = lines(found)
        assert text[1].startswith("$170,000 across 5,000 people")
        assert (
            "By model: Opus 4.6 $50,000 (29 %) · Opus 5 $50,000 (29 %) · Opus 5.5 $40,000 (24 %) · other $30,000"
            in (text[3])
        )

    def test_a_week_and_a_month(self, book: PriceBook) -> None:
        sunday = date(2026, 11, 22)
        week = [opus(10, sunday - timedelta(days=back)) for back in range(35)]
        text = lines(facts(book, sunday, *week, start=date(2026, 11, 16), edition="weekly"))
        assert text[:2] == [
            "Claude Code week · Mon 16 Nov to Sun 22 Nov (UTC days)",
            "$70.00 across 14 people · like a usual week ($70.00)",
        ]
        november = [opus(2, date(2026, 11, 1) + timedelta(days=n)) for n in range(30)]
        october = [opus(1, date(2026, 10, 1) + timedelta(days=n)) for n in range(31)]
        start = date(2026, 11, 1)
        monthly = facts(book, date(2026, 11, 30), *november, *october, start=start, edition="monthly")
        # 30 x 2 = 60 against 31 x 1
        assert lines(monthly)[:2] == [
            "Claude Code month · November 2026 (UTC days)",
            "$60.00 across 14 people · 94 % above October ($31.00)",
        ]

    def test_a_month_that_is_over_is_held_against_its_budget(self, book: PriceBook) -> None:
        november = [opus(2, date(2026, 11, 1) + timedelta(days=n)) for n in range(30)]
        month = facts(
            book, date(2026, 11, 30), *november, start=date(2026, 11, 1), edition="monthly", budget_usd=Decimal(80)
        )
        assert lines(month)[2] == "75 % of the budget ($80.00)"

    def test_models_of_long_names_are_told_apart(self, book: PriceBook) -> None:
        arn = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abcdefgh"
        stated = [Quantity(FRIDAY, arn + end, STANDARD, "api", TokenUsage(), Decimal(4)) for end in "12"]
        # the last 33 letters of each
        shown = " · ".join(f"…ation-inference-profile/abcdefgh{end} $4.00 (50 %)" for end in "12")
        assert f"By model: {shown}" in lines(facts(book, FRIDAY, *stated))

    def test_of_many_silent_sources_one_is_named(self, book: PriceBook) -> None:
        at = datetime(2026, 11, 18, 9, tzinfo=UTC)
        for count, said in ((1, "a silent since Wed 18 Nov"), (3, "a silent since Wed 18 Nov, 2 more silent")):
            freshness = fresh(FRIDAY)._replace(silent=tuple((name, at) for name in "abc"[:count]))
            assert lines(facts(book, FRIDAY, opus(4, FRIDAY), freshness=freshness))[-2].endswith(f" · {said}")

    def test_of_many_models_without_a_price_some_are_named(self, book: PriceBook) -> None:
        unknown = [Quantity(FRIDAY, f"model-{n}", STANDARD, "api", TokenUsage(10**6 + n), None) for n in range(5)]
        text = lines(facts(book, FRIDAY, opus(4, FRIDAY), *unknown))
        # five of six million tokens
        said = "5,000,010 tokens (83 %) had no price (model-4, model-3, model-2 and 2 more)"
        assert f"• {said} and are in no dollar figure here" in text

    def test_a_key_without_a_price_is_no_zero(self, book: PriceBook) -> None:
        for usd, said in (
            (Decimal(4), "$4.00 is from 1 key or machine that no person is assigned to"),
            (Decimal(0), "1 key or machine that no person is assigned to, without a price"),
        ):
            people = PeopleCount(1, 0, 0, usd, 1)
            assert f"• {said}" in lines(facts(book, FRIDAY, opus(4, FRIDAY), people=people))

    def test_a_day_well_above_its_weekday_says_why(self, book: PriceBook) -> None:
        sonnet = Quantity(FRIDAY, "claude-sonnet-5-5", STANDARD, "api", TokenUsage(5_000_000), None)
        found = facts(book, FRIDAY, opus(90, FRIDAY), sonnet, *weeks_before(FRIDAY, 40))
        # 90 + 10 = 100 is 2.5 times 40 and $60 more; Opus grew by 50
        assert "• The day is 2.5 times the usual one, mostly Opus 5.5 ($50.00 more)" in lines(found)
        buttons = digest_message(found).blocks[-1]["elements"]
        assert [one["text"]["text"] for one in buttons] == ["My spend", "This was expected"]

    def test_the_reason_is_measured_by_the_same_median(self, book: PriceBook) -> None:
        days = [FRIDAY - timedelta(weeks=week) for week in range(1, 5)]
        before = [opus(usd, day) for usd, day in zip((10, 10, 10, 1000), days, strict=True)]
        found = facts(book, FRIDAY, opus(100, FRIDAY), *before).anomaly
        # The median of 10, 10, 10 and 1,000 is 10: ten times that, and $90 more.
        assert found is not None
        assert (found.times, found.more_usd) == (Decimal(10), Decimal(90))

    def test_a_day_of_a_weekend_digest_stands_out_by_itself(self, book: PriceBook) -> None:
        sunday = date(2026, 11, 22)
        friday = date(2026, 11, 20)
        found = facts(book, sunday, *weeks_before(friday, 40), opus(100, friday), opus(5, sunday), start=friday)
        assert "• Fri 20 Nov is 2.5 times the usual one, mostly Opus 5.5 ($60.00 more)" in lines(found)

    def test_other_weekdays_make_no_anomaly(self, book: PriceBook) -> None:
        before = [opus(40, FRIDAY - timedelta(days=back)) for back in (1, 2, 3, 4, 8, 9)]
        assert facts(book, FRIDAY, opus(100, FRIDAY), *before).anomaly is None

    def test_a_team_s_name_is_harmless_in_the_text(self, book: PriceBook) -> None:
        message = digest_message(facts(book, FRIDAY, opus(5, FRIDAY), team="<!channel> & co"))
        assert "<!channel>" not in message.text

    @pytest.mark.parametrize(("usual", "usd"), [(40, 79), (9, 28)])
    def test_less_than_twice_or_little_money_is_no_anomaly(self, book: PriceBook, usual: int, usd: int) -> None:
        """79 is under 2 x 40; 28 is over 2 x 9, but only $19 more."""
        assert facts(book, FRIDAY, opus(usd, FRIDAY), *weeks_before(FRIDAY, usual)).anomaly is None

    def test_a_month_without_spend_so_far_keeps_its_line(self, book: PriceBook) -> None:
        """Friday to Sunday 1 November, with nothing on the Sunday."""
        sunday, friday = date(2026, 11, 1), date(2026, 10, 30)
        found = facts(book, sunday, opus(20, friday), start=friday, budget_usd=Decimal(1000))
        assert lines(found)[2] == "November so far: nothing of $1,000 budget (0 %) · 0 of 21 working days"

    def test_a_month_of_which_nothing_is_known_yet_has_no_forecast(self, book: PriceBook) -> None:
        """Friday to Sunday 1 November, and nothing has come since Friday."""
        sunday, friday = date(2026, 11, 1), date(2026, 10, 30)
        found = facts(book, sunday, opus(20, friday), start=friday, budget_usd=Decimal(1000))
        assert found.freshness is not None
        found = found._replace(freshness=found.freshness._replace(last_day=friday))
        assert lines(found)[2] == "November so far: no data yet"
        assert "Forecast" not in "".join(lines(found))

    def test_longer_than_a_week_is_compared_with_nothing(self, book: PriceBook) -> None:
        every = [opus(10, FRIDAY - timedelta(days=back)) for back in range(60)]
        found = facts(book, FRIDAY, *every, start=FRIDAY - timedelta(days=9))
        assert lines(found)[1] == "$100.00 across 14 people"

    def test_a_month_after_one_that_partly_had_no_price(self, book: PriceBook) -> None:
        last = date(2026, 10, 31)
        september = [
            Quantity(date(2026, 9, day), "claude-opus-5", STANDARD, "api", TokenUsage(2 * 10**6), None)  # $10
            for day in range(1, 30)
        ]
        unpriced = Quantity(date(2026, 9, 30), "claude-zephyr-9", STANDARD, "api", TokenUsage(10**6), None)
        for before, said in ((september, "290.00"), ([*september, unpriced], "too few earlier days")):
            found = facts(book, last, opus(580, last), *before, start=date(2026, 10, 1), edition="monthly")
            assert said in lines(found)[1]

    def test_long_names_fit(self, book: PriceBook) -> None:
        models = [f"anthropic/bedrock/{letter * 90}" for letter in "abcdefgh"]
        people = PeopleCount(9, 6, 0, Decimal(5), 1, tuple(f"{letter * 70}@example.com" for letter in "xyz"))
        unpriced = [Quantity(FRIDAY, model, STANDARD, "api", TokenUsage(10**6), None) for model in models[4:]]
        stated = [
            Quantity(FRIDAY, model, STANDARD, "api", TokenUsage(10**6), Decimal(90 - place))
            for place, model in enumerate(models[:4])
        ]
        zone = "America/Argentina/ComodRivadavia"
        found = facts(
            book, FRIDAY, *stated, *unpriced, *weeks_before(FRIDAY, 40), people=people, budget_usd=Decimal(4000)
        )._replace(team="T" * 80, start=FRIDAY - timedelta(days=2), freshness=None, zone=zone)
        assert lines(found)[0].endswith(f"T… · Wed 18 Nov to Fri 20 Nov ({zone} days)")


class TestPicture:
    def test_there_is_none_without_dollars(self, stage: Stage) -> None:
        unpriced = used(TokenUsage(10**6), date(2026, 11, 19), model="house-large")
        store(stage.installation.database, unpriced, policy=NO_ALERTS)
        stage.installation.jobs.tick(NOW)
        (message,) = posted(stage)
        assert [block["type"] for block in message["blocks"] if block["type"] == "image"] == []
        assert "No price across 1 person" in message["text"]
        assert stage.workspace.called("files.getUploadURLExternal") == 0

    def test_the_bars_add_up_to_the_days(self, book: PriceBook) -> None:
        found = facts(book, FRIDAY, opus(50, FRIDAY), opus(7, date(2026, 11, 7)), *weeks_before(FRIDAY, 40))
        assert [day.day for day in found.trend] == [date(2026, 11, 7) + timedelta(days=n) for n in range(14)]
        spent = {day.day: sum(day.models.values()) for day in found.trend if day.models}
        assert spent == {date(2026, 11, 7): 7, date(2026, 11, 13): 40, FRIDAY: 50}
        words = trend_in_words(found)
        assert words == "Spend of the last 14 days: Sat 7 Nov $7.00, Fri 13 Nov $40.00, Fri 20 Nov $50.00"
        bars = trend_spec(found)["layer"][1]["data"]["values"]
        assert [(bar["day"], bar["usd"]) for bar in bars] == [("Sat|7 Nov", 7), ("Fri|13 Nov", 40), ("Fri|20 Nov", 50)]

    def test_it_says_whose_days_they_are(self, book: PriceBook) -> None:
        spec = trend_spec(facts(book, FRIDAY, opus(50, FRIDAY))._replace(team="core"))
        assert spec["title"]["text"] == "Claude Code spend of core, 7 Nov to 20 Nov"
        assert spec["title"]["subtitle"] == "$50.00 in 14 UTC days, by model"

    def test_a_model_that_is_called_other_is_not_left_out(self, book: PriceBook) -> None:
        """Six models of $60 to $10, and $5 of one that an export calls "other", which is in the rest as well."""
        names = ["a", "b", "c", "d", "other", "f", "g"]
        used_up = [
            Quantity(FRIDAY, name, STANDARD, "api", TokenUsage(), Decimal(70 - 10 * place))
            for place, name in enumerate(names)
        ]
        spec = trend_spec(facts(book, FRIDAY, *used_up))
        bars = [bar["usd"] for bar in spec["layer"][1]["data"]["values"]]
        assert sum(bars) == 70 + 60 + 50 + 40 + 30 + 20 + 10

    def test_small_days_are_not_zero_and_long_names_stand_in_columns(self, book: PriceBook) -> None:
        name = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0/with-a-long-profile"
        cents = Quantity(FRIDAY, name, STANDARD, "api", TokenUsage(), Decimal("0.004"))
        spec = trend_spec(facts(book, FRIDAY, cents))
        assert spec["layer"][-1]["data"]["values"][0]["text"] == "<$0.01"
        assert spec["layer"][1]["encoding"]["color"]["legend"]["columns"] == 3
        assert (
            "columns" not in trend_spec(facts(book, FRIDAY, opus(5, FRIDAY)))["layer"][1]["encoding"]["color"]["legend"]
        )

    def test_it_is_a_png(self, book: PriceBook) -> None:
        drawn = png(trend_spec(facts(book, FRIDAY, opus(50, FRIDAY), budget_usd=Decimal(900))))
        assert drawn.startswith(b"\x89PNG")
        assert 20_000 < len(drawn) < 1_000_000

    def test_slack_s_own_chart_has_a_point_a_day(self, book: PriceBook) -> None:
        import slackblocks as sb

        block = trend_block(facts(book, FRIDAY, opus(50, FRIDAY)))
        series = [
            sb.DataSeries(one["name"], [sb.DataPoint(**point) for point in one["data"]])
            for one in block["chart"]["series"]
        ]
        axes = sb.AxisConfig(**block["chart"]["axis_config"])
        sb.DataVisualizationBlock(block["title"], sb.BarChart(series, axes))
        assert len(block["chart"]["series"][0]["data"]) == 14


@pytest.fixture
def bot(stage: Stage) -> Installation:
    store(stage.installation.database, used(opus_for(100), day=date(2026, 11, 19)), policy=NO_ALERTS)
    return stage.installation


NO_ALERTS = AlertPolicy(Decimal(10**6), date(2026, 11, 20))


def posted(stage: Stage) -> list[dict[str, Any]]:
    return stage.workspace.messages.get(CHANNEL, [])


class TestDelivery:
    def test_the_picture_is_uploaded_and_shown(self, stage: Stage, bot: Installation) -> None:
        bot.jobs.tick(NOW)
        (message,) = posted(stage)
        shown = [block for block in message["blocks"] if block["type"] == "image"]
        assert [block["slack_file"]["id"] for block in shown] == list(stage.workspace.files)
        assert stage.workspace.files["F0000000"][1].startswith(b"\x89PNG")
        assert "Thu 19 Nov $100.00" in shown[0]["alt_text"]

    def test_without_an_upload_it_goes_out_all_the_same(self, stage: Stage, bot: Installation) -> None:
        stage.workspace.faults.append(Fault("files.getUploadURLExternal", 500, keeps=False))
        bot.jobs.tick(NOW)
        assert [block["type"] for block in posted(stage)[0]["blocks"]].count("image") == 0
        assert posted(stage)[0]["text"].startswith("Claude Code spend · Thu 19 Nov")

    def test_a_picture_that_slack_is_still_looking_at_is_waited_for(
        self, stage: Stage, bot: Installation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bot.slack.delivery.PICTURE_WAITS", (0, 0))
        refusal = {"ok": False, "error": "invalid_blocks", "errors": ["invalid slack file"]}
        stage.workspace.faults += [Fault("chat.postMessage", 200, keeps=False, body=refusal) for _ in range(2)]
        bot.jobs.tick(NOW)
        assert "image" in [block["type"] for block in posted(stage)[0]["blocks"]]
        assert stage.workspace.called("chat.postMessage") == 3

    def test_a_picture_that_never_comes_is_left_out(
        self, stage: Stage, bot: Installation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bot.slack.delivery.PICTURE_WAITS", (0, 0))
        refusal = {"ok": False, "error": "invalid_blocks"}
        stage.workspace.faults += [Fault("chat.postMessage", 200, keeps=False, body=refusal) for _ in range(3)]
        bot.jobs.tick(NOW)
        (message,) = posted(stage)
        assert "image" not in [block["type"] for block in message["blocks"]]
        assert "header" in [block["type"] for block in message["blocks"]]

    def test_each_edition_and_team_has_its_own(self, stage: Stage, bot: Installation) -> None:
        crowded_team(bot.database, "core", ["dana@example.com"])
        paris, monday = ZoneInfo("Europe/Paris"), datetime(2026, 11, 23, 9, tzinfo=ZoneInfo("Europe/Paris"))
        for edition, team in (("daily", "core"), ("weekly", "")):
            subscribe(bot.database, Subscription("C2", time(9), paris, edition=edition, team=team), NOW)
        stage.workspace.channels["C2"] = "other"
        bot.jobs.tick(monday)
        titles = sorted(message["text"].split(" (")[0] for message in stage.workspace.messages["C2"])
        assert titles == [
            "Claude Code spend · core · Sun 22 Nov",
            "Claude Code week · Mon 16 Nov to Sun 22 Nov",
        ]
        bot.jobs.tick(monday + timedelta(hours=2))
        assert len(stage.workspace.messages["C2"]) == 2

    def test_a_monthly_one_says_what_another_mix_of_plans_would_save(
        self, stage: Stage, bot: Installation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """$30 on each day of November is $900 a month on the API; a Max 20x carries $210 a week for $200: $700 less.

        A Max 5x leaves 4 x (210 - 123) + (60 - 123 x 2/7) = $372.86 to pay, and costs $100: $472.86.
        """
        days = [used(opus_for(30), day=date(2026, 11, day)) for day in range(1, 31)]
        store(bot.database, *days, policy=NO_ALERTS)
        paris = ZoneInfo("Europe/Paris")
        december = datetime(2026, 12, 1, 9, tzinfo=paris)
        said = []
        for channel, most, is_broken in (("C2", 1, False), ("C3", 0, False), ("C4", 1, True)):
            stage.workspace.channels[channel] = channel.lower()
            monkeypatch.setattr("bot.jobs.MOST_ADVISED", most)
            if is_broken:
                monkeypatch.setattr("bot.advice.advise_team", lambda *_: 1 / 0)
            subscribe(bot.database, Subscription(channel, time(9), paris, edition="monthly"), NOW)
            bot.jobs.tick(december)
            (message,) = stage.workspace.messages[channel]
            said.append(json.dumps(message["blocks"], ensure_ascii=False))
        assert "Plans: another mix would save about $700.00 a month (1 person on another plan)" in said[0]
        # Of too many people, and where it cannot be worked out, the rest goes out without it.
        assert [("Plans: " in one, "$900" in one) for one in said[1:]] == [(False, True), (False, True)]

    def test_an_outage_over_a_monday_loses_no_day(self, stage: Stage, bot: Installation) -> None:
        subscribe(
            bot.database, Subscription("C2", time(9), ZoneInfo("Europe/Paris"), WORKDAYS), NOW - timedelta(days=1)
        )
        stage.workspace.channels["C2"] = "other"
        bot.jobs.tick(NOW)  # Friday
        bot.jobs.tick(NOW + timedelta(days=4))  # Tuesday
        bot.jobs.tick(NOW + timedelta(days=4, hours=1))
        titles = [message["text"].split(" (")[0] for message in stage.workspace.messages["C2"]]
        assert titles == ["Claude Code spend · Thu 19 Nov", "Claude Code spend · Fri 20 Nov to Mon 23 Nov"]

    def test_a_digest_that_is_too_late_after_an_outage_is_told_by_the_next(
        self, stage: Stage, bot: Installation
    ) -> None:
        """Saturday's cannot be posted, the process stops, and starts again just as Sunday's is due."""
        stage.workspace.channels["C2"] = "other"
        paris = ZoneInfo("Europe/Paris")
        subscribe(bot.database, Subscription("C2", time(9), paris), NOW - timedelta(days=1))
        bot.jobs.tick(NOW)  # Friday
        stage.workspace.faults.append(
            Fault("chat.postMessage", 200, keeps=False, body={"ok": False, "error": "token_revoked"})
        )
        bot.jobs.tick(NOW + timedelta(days=1))
        bot.jobs.tick(NOW + timedelta(days=2, minutes=1))
        bot.jobs.tick(NOW + timedelta(days=2, minutes=2))
        titles = [message["text"].split(" (")[0] for message in stage.workspace.messages["C2"]]
        assert titles == ["Claude Code spend · Thu 19 Nov", "Claude Code spend · Fri 20 Nov to Sat 21 Nov"]

    def test_a_minute_before_midnight_is_time_enough_and_else_the_next_tells_both(
        self, stage: Stage, bot: Installation
    ) -> None:
        stage.workspace.channels["C2"] = "other"
        paris = ZoneInfo("Europe/Paris")
        subscribe(bot.database, Subscription("C2", time(23, 59), paris), NOW - timedelta(days=1))
        for day, clock_time in ((20, time(23, 58)), (20, time(23, 59, 40)), (21, time(23, 58)), (22, time(0, 0, 5))):
            bot.jobs.tick(datetime.combine(date(2026, 11, day), clock_time, paris))
        bot.jobs.tick(datetime.combine(date(2026, 11, 22), time(23, 59), paris))
        titles = [message["text"].split(" (")[0] for message in stage.workspace.messages["C2"]]
        assert titles == ["Claude Code spend · Thu 19 Nov", "Claude Code spend · Fri 20 Nov to Sat 21 Nov"]

    def test_a_quiet_channel_hears_after_an_outage_of_the_days_with_usage(
        self, stage: Stage, bot: Installation
    ) -> None:
        stage.workspace.channels["C2"] = "other"
        paris = ZoneInfo("Europe/Paris")
        subscribe(bot.database, Subscription("C2", time(9), paris, skips_unchanged=True), NOW - timedelta(days=1))
        bot.jobs.tick(NOW)  # Friday
        for day in (22, 24):
            store(bot.database, used(opus_for(3), day=date(2026, 11, day)), policy=NO_ALERTS)
        bot.jobs.tick(NOW + timedelta(days=5))  # Wednesday
        titles = [message["text"].split(" (")[0] for message in stage.workspace.messages["C2"]]
        assert titles == ["Claude Code spend · Thu 19 Nov", "Claude Code spend · Sun 22 Nov to Tue 24 Nov"]

    def test_a_time_moved_to_earlier_today_costs_no_digest(self, stage: Stage, bot: Installation) -> None:
        paris = ZoneInfo("Europe/Paris")
        stage.workspace.channels["C2"] = "other"
        subscribe(bot.database, Subscription("C2", time(11), paris), NOW - timedelta(days=1))
        bot.jobs.tick(NOW)
        subscribe(bot.database, Subscription("C2", time(7), paris), NOW)
        bot.jobs.tick(NOW + timedelta(minutes=1))
        assert len(stage.workspace.messages["C2"]) == 1

    def test_a_channel_whose_clock_is_ahead_hears_of_finished_days(self, stage: Stage, bot: Installation) -> None:
        """At 09:00 of Friday in Auckland it is 21:00 of Thursday in Paris, whose Wednesday is the last that is over."""
        stage.workspace.channels["C2"] = "other"
        auckland = ZoneInfo("Pacific/Auckland")
        store(bot.database, used(opus_for(7), day=date(2026, 11, 18)), policy=NO_ALERTS)
        subscribe(bot.database, Subscription("C2", time(9), auckland), datetime(2026, 11, 17, tzinfo=UTC))
        bot.jobs.tick(datetime(2026, 11, 20, 9, tzinfo=auckland))
        bot.jobs.tick(datetime(2026, 11, 21, 9, tzinfo=auckland))
        titles = [message["text"].split(" (")[0] for message in stage.workspace.messages["C2"]]
        assert titles == ["Claude Code spend · Wed 18 Nov", "Claude Code spend · Thu 19 Nov"]

    def test_a_day_posted_by_hand_does_not_stand_for_a_weekend(self, stage: Stage, bot: Installation) -> None:
        stage.workspace.channels["C2"] = "other"
        subscribe(
            bot.database, Subscription("C2", time(9), ZoneInfo("Europe/Paris"), WORKDAYS), NOW - timedelta(days=9)
        )
        bot.jobs.tick(NOW)
        sunday = date(2026, 11, 22)
        deliveries.owe_digest(bot.database, "C2", sunday, NOW, covered=deliveries.Scope("daily", sunday, ""))
        bot.jobs.sender.send_due(NOW + timedelta(days=3))
        bot.jobs.tick(NOW + timedelta(days=3, minutes=1))
        bot.jobs.tick(NOW + timedelta(days=3, minutes=2))
        titles = [message["text"].split(" (")[0] for message in stage.workspace.messages["C2"]]
        assert titles == [
            "Claude Code spend · Thu 19 Nov",
            "Claude Code spend · Sun 22 Nov",
            "Claude Code spend · Fri 20 Nov to Sun 22 Nov",
        ]

    def test_a_channel_that_asks_again_is_owed_nothing_of_the_time_between(
        self, stage: Stage, bot: Installation
    ) -> None:
        stage.workspace.channels["C2"] = "other"
        daily = Subscription("C2", time(9), ZoneInfo("Europe/Paris"))
        subscribe(bot.database, daily, NOW - timedelta(days=1))
        bot.jobs.tick(NOW)
        unsubscribe(bot.database, "C2")
        subscribe(bot.database, daily, NOW + timedelta(days=9, hours=2))
        bot.jobs.tick(NOW + timedelta(days=10))
        titles = [message["text"].split(" (")[0] for message in stage.workspace.messages["C2"]]
        assert titles == ["Claude Code spend · Thu 19 Nov", "Claude Code spend · Sun 29 Nov"]

    def test_a_channel_may_skip_days_without_usage(self, stage: Stage, bot: Installation) -> None:
        stage.workspace.channels["C2"] = "other"
        asked = Subscription("C2", time(9), ZoneInfo("Europe/Paris"), skips_unchanged=True)
        subscribe(bot.database, asked, NOW - timedelta(days=3))
        for days in range(3):
            bot.jobs.tick(NOW + timedelta(days=days))
        assert [message["text"][:32] for message in stage.workspace.messages["C2"]] == [
            "Claude Code spend · Thu 19 Nov ("
        ]


class TestRules:
    def test_one_message_a_second_and_channel(
        self, stage: Stage, bot: Installation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waited: list[float] = []
        monkeypatch.setattr("bot.slack.delivery.PACE", 1.0)
        monkeypatch.setattr("bot.slack.delivery.time.sleep", waited.append)
        for number in range(3):
            deliveries.owe_digest(bot.database, CHANNEL, date(2026, 11, 19 - number), NOW)
        bot.jobs.sender.send_due(NOW)
        assert len(posted(stage)) == 3
        assert [round(seconds) for seconds in waited] == [1, 2]

    def test_a_new_admin_hears_of_no_old_failures_and_once_of_a_channel_that_is_gone(
        self, stage: Stage, bot: Installation
    ) -> None:
        for back in range(12):
            day = date(2026, 11, 19) - timedelta(days=back)
            deliveries.owe_digest(bot.database, "CGONE", day, NOW)
        bot.jobs.sender.send_due(NOW)
        bot.jobs.admins = ("U001",)
        bot.jobs.tick(NOW)
        bot.jobs.tick(NOW + timedelta(minutes=1))
        notices = [one for one in all_deliveries(bot.database) if one.kind == "notice"]
        assert [one.key for one in notices] == ["notice:failed:digest:CGONE:2026-11-19:U001"]

    def test_of_a_channel_that_stays_gone_the_admins_hear_once(self, stage: Stage, bot: Installation) -> None:
        bot.jobs.admins = ("U001",)
        every = Subscription("CGONE", time(7), ZoneInfo("UTC"))
        subscribe(bot.database, every, NOW - timedelta(days=1))
        for days in range(21):
            for minutes in (0, 1):
                bot.jobs.tick(NOW + timedelta(days=days, minutes=minutes))
        told = [one for one in all_deliveries(bot.database) if one.kind == "notice" and "CGONE" in one.key]
        assert len(told) == 1

    def test_what_failed_is_told_to_the_admins_once(self, stage: Stage, bot: Installation) -> None:
        bot.jobs.admins = ("U002",)
        stage.workspace.faults.append(
            Fault("chat.postMessage", 200, keeps=False, body={"ok": False, "error": "is_archived"})
        )
        for minutes in range(4):
            bot.jobs.tick(NOW + timedelta(minutes=minutes))
        (message,) = stage.workspace.messages["D002"]
        assert message["text"].startswith("The digest of 2026-11-19 (digest:C0ENG:2026-11-19) was not sent")
        assert "is_archived" in message["text"]
        assert "/invite" not in message["text"]

    def test_the_admins_hear_how_the_app_comes_into_a_channel(self, stage: Stage, bot: Installation) -> None:
        bot.jobs.admins = ("U002",)
        outside = {"ok": False, "error": "not_in_channel"}
        stage.workspace.faults.append(Fault("chat.postMessage", 200, keeps=False, body=outside))
        for minutes in range(2):
            bot.jobs.tick(NOW + timedelta(minutes=minutes))
        (message,) = stage.workspace.messages["D002"]
        assert "not_in_channel" in message["text"]
        assert "Invite the app to that channel with /invite; the next digest tells its days as well." in message["text"]

    def test_people_whom_no_alert_reaches_are_listed_to_the_admins_once(self, stage: Stage, bot: Installation) -> None:
        bot.jobs.admins = ("U002",)
        gone = [Actor("email", f"gone{number:02}@example.com") for number in range(12)]
        for days, usd, who in ((1, 13, gone[:11]), (1, 25, gone[:11]), (0, 13, gone)):
            day = date(2026, 11, 20) - timedelta(days=days)
            store(bot.database, *(used(opus_for(usd), day, actor) for actor in who))
            bot.jobs.tick(NOW)
            bot.jobs.tick(NOW + timedelta(minutes=1))
        told = [one["text"] for one in stage.workspace.messages["D002"] if "No alert reaches" in one["text"]]
        assert len(told) == 2
        assert told[0].startswith("No alert reaches 11 people (gone00@example.com, gone01@example.com, ")
        assert "gone09@example.com and 1 more)" in told[0]
        assert "users_not_found" in told[0]
        assert told[1].startswith("No alert reaches 1 person (gone11@example.com): ")

    def test_a_quiet_channel_is_told_of_dollars_without_tokens(self, stage: Stage) -> None:
        bot = stage.installation
        quiet = Subscription(CHANNEL, time(7), ZoneInfo("UTC"), skips_unchanged=True)
        subscribe(bot.database, quiet, NOW - timedelta(days=1))
        dollars = used(TokenUsage(), date(2026, 11, 19), reported="2.66")
        store(bot.database, dollars, source="console_cost_csv", policy=NO_ALERTS)
        bot.jobs.tick(NOW)
        assert [message["text"].split(": ")[1][:5] for message in posted(stage)] == ["$2.66"]

    def test_a_day_that_an_export_speaks_for_is_not_missing(self, stage: Stage) -> None:
        bot = stage.installation
        bot.jobs.admins = ("U001",)
        days = [date(2026, 11, 18), date(2026, 11, 20)]
        store(bot.database, *(used(opus_for(5), day) for day in days), policy=NO_ALERTS)
        deliveries.owe_digest(bot.database, CHANNEL, date(2026, 11, 19), NOW)
        bot.jobs.tick(NOW)
        bot.jobs.correct_digests(NOW)
        bot.jobs.tick(NOW + timedelta(minutes=1))
        assert [message["text"] for message in posted(stage)] == [
            "Claude Code spend · Thu 19 Nov (UTC day): Nobody used Claude on Thu 19 Nov."
        ]
        assert "D001" not in stage.workspace.messages

    def test_totals_of_several_days_are_in_a_month_and_its_models(self, stage: Stage) -> None:
        """A report of October says $600 of Ada and $30 of a key; of Bo's own $40 on the 5th it says $10."""
        bot = stage.installation
        october, november = date(2026, 10, 1), date(2026, 11, 1)
        ada, bo, key = Actor("email", "ada@example.com"), Actor("email", "bo@example.com"), Actor("api_key", "ci")
        report = [
            replace(used(opus_for(usd), october, who, model), until=november)
            for who, usd, model in ((ada, 600, "claude-opus-5-5"), (key, 30, "claude-opus-5-5"), (bo, 10, "nobodys"))
        ]
        store(bot.database, *report, source="spend_report_csv", policy=NO_ALERTS)
        alone = bot.ledger.digest(date(2026, 10, 31), start=october, edition="monthly")
        assert "Totals of several days alone were imported" in lines(alone)
        assert alone.told_usd == 630
        store(bot.database, used(opus_for(40), date(2026, 10, 5), bo), policy=NO_ALERTS)
        facts = bot.ledger.digest(date(2026, 10, 31), start=october, edition="monthly")
        assert facts.amount is not None
        assert facts.amount.usd == facts.month_usd == 670  # 600 + 30 + 40
        assert {model.name: model.usd for model in facts.models} == {"Opus 5.5": Decimal(670)}
        assert facts.people == PeopleCount(2, 1, 0, Decimal(30), 1)
        assert lines(facts)[1].startswith("$670.00 across 2 people")

    def test_an_idle_month_is_idle_whatever_totals_there_are(self, stage: Stage) -> None:
        bot = stage.installation
        days = [date(2026, 8, 1), date(2026, 11, 5)]
        store(bot.database, *(used(opus_for(5), day) for day in days), policy=NO_ALERTS)
        june = replace(used(opus_for(9), date(2026, 6, 1)), until=date(2026, 7, 1))
        store(bot.database, june, source="spend_report_csv", policy=NO_ALERTS)
        october = bot.ledger.digest(date(2026, 10, 31), start=date(2026, 10, 1), edition="monthly")
        assert "Nobody used Claude in October 2026." in lines(october)

    def test_an_older_total_leaves_the_forecast_alone(self, stage: Stage) -> None:
        bot = stage.installation
        day = date(2026, 11, 19)
        store(
            bot.database,
            *(used(opus_for(10), day - timedelta(days=back)) for back in range(30) if back % 7 < 5),
            policy=NO_ALERTS,
        )
        before = bot.ledger.digest(day).month
        august = replace(used(opus_for(99), date(2026, 8, 1)), until=date(2026, 9, 1))
        store(bot.database, august, source="spend_report_csv", policy=NO_ALERTS)
        assert before.forecast is not None
        assert bot.ledger.digest(day).month == before

    def test_an_expected_day_is_no_longer_worth_a_word(self, stage: Stage) -> None:
        bot = stage.installation
        days = [date(2026, 11, 19) - timedelta(weeks=week) for week in range(1, 5)]
        store(bot.database, *(used(opus_for(40), day=day) for day in days), policy=NO_ALERTS)
        store(bot.database, used(opus_for(100), day=date(2026, 11, 19)), policy=NO_ALERTS)
        bot.jobs.tick(NOW)
        (message,) = posted(stage)
        assert "2.5 times the usual one" in json.dumps(message["blocks"])
        press(stage, EXPECTED, button_of(message, EXPECTED)["value"], message=message)
        wait_for(lambda: "2.5 times" not in json.dumps(posted(stage)[0]["blocks"]))
        assert "2.5 times" not in json.dumps(posted(stage)[0]["blocks"])
        assert "image" in [block["type"] for block in posted(stage)[0]["blocks"]]


def test_a_team_s_digest_is_posted_as_the_team_s(stage: Stage, bot: Installation) -> None:
    boss = Actor("email", "boss@example.com")
    store(bot.database, used(opus_for(500), day=date(2026, 11, 19), actor=boss), policy=NO_ALERTS)
    crowded_team(bot.database, "core", ["dana@example.com"])
    _post_digest(bot, CHANNEL, date(2026, 11, 19), "core")
    (message,) = posted(stage)
    assert message["text"].startswith("Claude Code spend · core · Thu 19 Nov")
    assert "$100.00 across 1 person" in message["text"]
    assert "$600" not in json.dumps(message)
    assert message["metadata"]["event_payload"]["key"] == f"digest:{CHANNEL}:daily:core:2026-11-19"


def test_an_expected_day_of_a_team_shows_that_team_alone(stage: Stage) -> None:
    """The button edits the message that it stands in: no other team's figure comes into the channel."""
    bot = stage.installation
    stage.workspace.channels["C2"] = "core"
    boss = Actor("email", "boss@example.com")
    for week in range(5):
        day = date(2026, 11, 19) - timedelta(weeks=week)
        usd = (100, 500) if week == 0 else (40, 460)
        mine, theirs = used(opus_for(usd[0]), day=day), used(opus_for(usd[1]), day=day, actor=boss)
        store(bot.database, mine, theirs, policy=NO_ALERTS)
    crowded_team(bot.database, "core", ["dana@example.com"])
    covered = deliveries.Scope("daily", date(2026, 11, 19), "core")
    deliveries.owe_digest(bot.database, "C2", date(2026, 11, 19), NOW, covered=covered)
    bot.jobs.sender.send_due(NOW)
    (message,) = stage.workspace.messages["C2"]
    press(stage, EXPECTED, button_of(message, EXPECTED)["value"], channel="C2", message=message)
    wait_for(lambda: "2.5 times" not in json.dumps(message["blocks"]))
    said = json.dumps(stage.workspace.messages["C2"][0])
    assert "$100.00" in said
    assert "2.5 times" not in said
    assert "$600" not in said
    team, everybody = find_team(bot.database, "core"), bot.ledger.digest(date(2026, 11, 19))
    assert bot.ledger.digest(date(2026, 11, 19), team=team).anomaly is None
    assert everybody.amount is not None
    assert everybody.amount.usd == 600


class TestCorrection:
    def restate(self, bot: Installation, usd: str) -> None:
        store(bot.database, used(opus_for(usd), day=date(2026, 11, 19)), policy=NO_ALERTS)

    def test_the_same_message_is_edited(self, stage: Stage, bot: Installation) -> None:
        bot.jobs.tick(NOW)
        before = dict(posted(stage)[0])
        self.restate(bot, "104")
        assert bot.jobs.correct_digests(NOW + timedelta(minutes=102)) == 1
        (after,) = posted(stage)
        assert after["ts"] == before["ts"]
        assert "Corrected 10:42: $100.00 → $104.00" in json.dumps(after["blocks"], ensure_ascii=False)
        assert after["metadata"] == before["metadata"]
        assert bot.jobs.correct_digests(NOW + timedelta(minutes=104)) == 0

    @pytest.mark.parametrize(("usd", "count"), [("100.5", 0), ("101", 0), ("101.04", 1), ("98.96", 1)])
    def test_only_a_change_of_over_a_percent_or_a_dollar(
        self, stage: Stage, bot: Installation, usd: str, count: int
    ) -> None:
        bot.jobs.tick(NOW)
        self.restate(bot, usd)
        assert bot.jobs.correct_digests(NOW + timedelta(hours=1)) == count

    def test_not_after_three_days(self, stage: Stage, bot: Installation) -> None:
        bot.jobs.tick(NOW)
        self.restate(bot, "150")
        assert bot.jobs.correct_digests(NOW + timedelta(days=3, minutes=1)) == 0
        assert bot.jobs.correct_digests(NOW + timedelta(days=3, minutes=-1)) == 1

    def test_no_data_is_corrected_once_there_is_some(self, stage: Stage) -> None:
        bot = stage.installation
        bot.jobs.tick(NOW)
        assert posted(stage)[0]["text"].endswith("No usage data for Thu 19 Nov yet.")
        self.restate(bot, "20")
        assert bot.jobs.correct_digests(NOW + timedelta(hours=1)) == 1
        assert "no total → $20.00" in json.dumps(posted(stage)[0]["blocks"], ensure_ascii=False)

    def test_what_slack_did_not_take_is_tried_again(self, stage: Stage, bot: Installation) -> None:
        bot.jobs.tick(NOW)
        self.restate(bot, "150")
        stage.workspace.faults.append(Fault("chat.update", 500, keeps=False))
        assert bot.jobs.correct_digests(NOW + timedelta(hours=1)) == 0
        assert bot.jobs.correct_digests(NOW + timedelta(hours=2)) == 1

    def test_two_processes_correct_once(self, stage: Stage, bot: Installation) -> None:
        bot.jobs.tick(NOW)
        self.restate(bot, "150")
        (seen,) = all_deliveries(bot.database, ["sent"])
        assert deliveries.claim_correction(bot.database, seen, NOW)
        assert not deliveries.claim_correction(bot.database, seen, NOW)
        deliveries.mark_corrected(bot.database, seen, Decimal(150), NOW, is_partial=False)
        assert not deliveries.claim_correction(bot.database, seen, NOW)

    def test_a_crash_before_the_edit_loses_no_correction(self, stage: Stage, bot: Installation) -> None:
        bot.jobs.tick(NOW)
        self.restate(bot, "150")
        (seen,) = all_deliveries(bot.database, ["sent"])
        assert deliveries.claim_correction(bot.database, seen, NOW)  # and then its process is gone
        assert bot.jobs.correct_digests(NOW + timedelta(seconds=59)) == 0
        assert bot.jobs.correct_digests(NOW + timedelta(seconds=61)) == 1

    def test_without_its_picture_it_is_corrected_as_well(self, stage: Stage, bot: Installation) -> None:
        bot.jobs.tick(NOW)
        self.restate(bot, "150")
        stage.workspace.faults.append(Fault("files.getUploadURLExternal", 500, keeps=False))
        assert bot.jobs.correct_digests(NOW + timedelta(hours=1)) == 1
        assert "$100.00 → $150.00" in json.dumps(posted(stage)[0]["blocks"], ensure_ascii=False)

    def test_a_day_that_had_no_price_had_no_total(self, stage: Stage) -> None:
        bot = stage.installation
        unknown = replace(used(opus_for(100), day=date(2026, 11, 19)), model="claude-unheard-of-9")
        store(bot.database, unknown, policy=NO_ALERTS)
        bot.jobs.tick(NOW)
        assert ": No price " in posted(stage)[0]["text"]
        self.restate(bot, "20")
        assert bot.jobs.correct_digests(NOW + timedelta(hours=1)) == 1
        assert "no total → $20.00" in json.dumps(posted(stage)[0]["blocks"], ensure_ascii=False)

    def test_a_total_that_is_gone_is_taken_back(self, stage: Stage, bot: Installation) -> None:
        bot.jobs.tick(NOW)
        unknown = used(opus_for(100), day=date(2026, 11, 19), model="claude-unheard-of-9")
        files = [FileTally("file", Tally([unknown]), [])]
        record(bot.database, "console_usage_csv", files, NOW, NO_ALERTS, bot.book, whole_days=[unknown.day])
        assert bot.jobs.correct_digests(NOW + timedelta(hours=1)) == 1
        (message,) = posted(stage)
        assert ": No price " in message["text"]
        assert "$100.00 → no total" in json.dumps(message["blocks"], ensure_ascii=False)

    def test_a_partial_day_is_completed_without_a_change_of_the_total(self, stage: Stage, bot: Installation) -> None:
        with bot.database.write() as connection:
            connection.execute(update(imports).values(imported_at=datetime(2026, 11, 19, 16, tzinfo=UTC)))
        bot.jobs.tick(NOW)
        assert ", so far" in posted(stage)[0]["text"]
        self.restate(bot, "100")  # the same total, received the morning after
        assert bot.jobs.correct_digests(NOW + timedelta(minutes=30)) == 1
        assert ", so far" not in posted(stage)[0]["text"]
        assert "Complete since 09:30" in json.dumps(posted(stage)[0]["blocks"])
        assert bot.jobs.correct_digests(NOW + timedelta(minutes=32)) == 0

    def test_what_looks_the_same_is_no_correction(self, stage: Stage) -> None:
        bot = stage.installation
        self.restate(bot, "0.10")
        bot.jobs.tick(NOW)
        self.restate(bot, "0.104")
        assert bot.jobs.correct_digests(NOW + timedelta(hours=1)) == 0

    def test_what_slack_will_never_take_is_told_to_the_admins(self, stage: Stage, bot: Installation) -> None:
        bot.jobs.admins = ("U001",)
        bot.jobs.tick(NOW)
        self.restate(bot, "150")
        refusal = {"ok": False, "error": "cant_update_message"}
        stage.workspace.faults.append(Fault("chat.update", 200, keeps=False, body=refusal))
        assert bot.jobs.correct_digests(NOW + timedelta(hours=1)) == 0
        assert bot.jobs.correct_digests(NOW + timedelta(hours=2)) == 0
        bot.jobs.tick(NOW + timedelta(hours=2))
        told = [message["text"] for message in stage.workspace.messages["D001"]]
        assert told == [
            "The digest of 2026-11-19 in C0ENG could not be edited (cant_update_message). Corrected 10:00: $100.00 → "
            "$150.00."
        ]

    def test_a_day_without_data_is_told_to_the_admins_once(self, stage: Stage) -> None:
        bot = stage.installation
        bot.jobs.admins = ("U001",)
        bot.jobs.tick(NOW)
        for hours in (1, 2):
            bot.jobs.correct_digests(NOW + timedelta(hours=hours))
            bot.jobs.tick(NOW + timedelta(hours=hours))
        told = [message["text"] for message in stage.workspace.messages.get("D001", [])]
        assert told == [
            "The digest of 2026-11-19 had no usage data to tell. Import the day's export within 3 days of the message, "
            "and it is edited; claudecost doctor says how the feeds are."
        ]

    def test_of_one_outage_there_is_one_message(self, stage: Stage) -> None:
        """Usage to Thursday 19; nothing of the Friday, Monday and Tuesday after; Wednesday again, and no Thursday."""
        bot = stage.installation
        bot.jobs.admins = ("U001",)

        def told() -> list[str]:
            found = deliveries.all_deliveries(bot.database)
            return [str(one.payload)[24:34] for one in found if one.kind == "notice" and one.payload]

        def days_go_by(*days: int) -> None:
            for day in days:
                now = datetime(2026, 11, day, 9, tzinfo=UTC)
                bot.jobs.tick(now)
                bot.jobs.correct_digests(now + timedelta(minutes=30))

        store(bot.database, used(opus_for(5), date(2026, 11, 19)), policy=NO_ALERTS)
        days_go_by(20, 23, 24, 25)
        assert told() == ["2026-11-22"]
        store(bot.database, used(opus_for(5), date(2026, 11, 25)), policy=NO_ALERTS)
        days_go_by(26)
        assert told() == ["2026-11-22"]
        days_go_by(27)
        assert told() == ["2026-11-22", "2026-11-26"]

    @pytest.mark.parametrize(
        ("before", "after", "expected"),
        [("50", "50.50", False), ("50", "50.51", True), ("5000", "5001.01", True), ("0", "0.01", True)],
    )
    def test_the_bounds(self, before: str, after: str, expected: bool) -> None:
        assert is_correction(Decimal(before), Decimal(after)) is expected


@pytest.mark.parametrize("seed", range(4))
def test_every_figure_is_what_sql_adds_up(stage: Stage, book: PriceBook, seed: int) -> None:
    """Everything is added up again from usage_daily: input alone, at $4, $2 and $0.10 a million tokens.

    Two sources speak for some people's days, and the one with more tokens counts; one key is nobody's, one model has no
    price, two people have limits of their own, one team has a budget.
    """
    chosen = random.Random(seed)
    bot, thursday = stage.installation, date(2026, 11, 19)
    prices = {"claude-opus-5-5": 4_000, "claude-sonnet-5-5": 2_000, "claude-haiku-5-5": 100, "nobodys-model": 0}
    who = [Actor("email", f"p{number}@example.com") for number in range(6)] + [Actor("api_key", "ci")]
    for source in ("console_usage_csv", "transcripts"):
        days = [thursday - timedelta(days=back) for back in range(45) if chosen.random() < 0.8]
        rows = [
            used(TokenUsage(chosen.randrange(1, 6_000_000)), day=day, actor=actor, model=model)
            for day in days
            for actor in who
            for model in prices
            if chosen.random() < 0.4
        ]
        store(bot.database, *rows, source=source, policy=NO_ALERTS)
    with bot.database.write() as connection:
        connection.built.exec_driver_sql("UPDATE people SET limit_usd = 3000000000 WHERE email = 'p1@example.com'")
        connection.built.exec_driver_sql("UPDATE people SET limit_usd = 900000000000 WHERE email = 'p2@example.com'")
    set_team(bot.database, "core", ["p0@example.com", "p1@example.com", "p2@example.com"], budget_usd=Decimal(500))
    with bot.database.read() as connection:
        rows_of = connection.built.exec_driver_sql(
            "SELECT usage_daily.day, sources.name, people.id, people.email, people.limit_usd, usage_lines.model, "
            "usage_daily.input FROM usage_daily JOIN sources ON sources.id = source_id JOIN actors ON actors.id = "
            "actor_id JOIN people ON people.id = actors.person_id JOIN usage_lines ON usage_lines.id = line_id"
        ).all()
    for team in (None, "core"):
        mine = [row for row in rows_of if team is None or row[3] in {f"p{n}@example.com" for n in range(3)}]
        # day -> person -> model -> nanodollars, from the source with the most tokens
        tokens: Counter[tuple[int, int, str]] = Counter()
        for day, source, person, _, _, _, count in mine:
            tokens[day, person, source] += count
        spent: dict[int, Counter[tuple[int, str]]] = defaultdict(Counter)
        for day, source, person, _, _, model, count in mine:
            rivals = {name: size for (d, p, name), size in tokens.items() if (d, p) == (day, person)}
            if source == max(rivals, key=lambda name: (rivals[name], name)):
                spent[day][person, model] += count * prices[model]
        total = {day: sum(of.values()) for day, of in spent.items()}
        emails = {row[2]: (row[3], row[4]) for row in mine}
        today: Counter[int] = Counter()
        for (person, _), nano in spent[20261119].items():
            today[person] += nano
        over = [
            person
            for person, nano in today.items()
            if emails[person][0] and nano >= (emails[person][1] or 12_000_000_000)
        ]
        found = bot.ledger.digest(thursday, team=find_team(bot.database, team) if team else None)

        def nanos(usd: Decimal) -> int:
            return int(usd * 10**9)

        assert found.amount is not None
        assert nanos(found.amount.usd) == total[20261119]
        assert nanos(found.month_usd) == sum(usd for day, usd in total.items() if day >= 20261101)
        assert found.month.budget_usd == (500 if team else None)
        by_model: Counter[str] = Counter()
        for (_, model), usd in spent[20261119].items():
            if model != "nobodys-model":
                by_model[model] += usd
        assert {model.id: nanos(model.usd) for model in found.models} == dict(by_model)
        assert found.people.active == len([person for person in today if emails[person][0]])
        assert found.people.over_limit == len(over)
        assert nanos(found.people.unassigned_usd) == sum(n for p, n in today.items() if not emails[p][0])
        assert found.people.unassigned_actors == len([p for p in today if not emails[p][0]])
        unpriced = sum(
            count
            for day, source, person, _, _, model, count in mine
            if (day, model) == (20261119, "nobodys-model")
            and tokens[day, person, source]
            == max(size for (d, p, _), size in tokens.items() if (d, p) == (day, person))
        )
        assert found.unpriced == ([("nobodys-model", unpriced)] if unpriced else [])
        thursdays = [total.get(int(f"{thursday - timedelta(weeks=w):%Y%m%d}")) for w in range(1, 5)]
        if all(usd is not None for usd in thursdays):
            assert found.baseline is not None
            assert nanos(found.baseline.usd) == statistics.median(usd for usd in thursdays if usd is not None)
        for trend in found.trend:
            assert nanos(sum(trend.models.values(), Decimal(0))) == total.get(int(f"{trend.day:%Y%m%d}"), 0)


def test_a_team_s_digest_is_not_corrected_by_who_comes_and_goes(stage: Stage, bot: Installation) -> None:
    """The difference would be what somebody spent."""
    boss = Actor("email", "boss@example.com")
    store(bot.database, used(opus_for(500), day=date(2026, 11, 19), actor=boss), policy=NO_ALERTS)
    crowded_team(bot.database, "core", ["dana@example.com", "boss@example.com"])
    _post_digest(bot, CHANNEL, date(2026, 11, 19), "core")
    assert posted(stage)[0]["text"].count("$600.00") == 1
    set_team(bot.database, "other", ["boss@example.com"])
    assert bot.jobs.correct_digests(NOW) == 0
    assert "$100" not in json.dumps(posted(stage))
    set_team(bot.database, "core", ["boss@example.com"])
    store(bot.database, used(opus_for(501), day=date(2026, 11, 19), actor=boss), policy=NO_ALERTS)
    store(bot.database, used(opus_for(520), day=date(2026, 11, 19), actor=boss), policy=NO_ALERTS)
    assert bot.jobs.correct_digests(NOW) == 1
    assert "$620" in json.dumps(posted(stage))


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("boss@example.com", "new@example.com"),
        ("freelance@example.com", "dana@example.com"),
        ("boss@example.com", "dana@example.com"),
    ],
)
def test_a_team_s_digest_is_not_corrected_by_an_address_that_is_linked(
    stage: Stage, bot: Installation, book: PriceBook, name: str, whose: str
) -> None:
    """Of Dana's $100 in one source and the boss's $500 in another the fuller counts, once both are one person's."""
    others = {"boss@example.com": "transcripts", "freelance@example.com": "console_usage_csv"}
    for address, source in others.items():
        row = used(opus_for(500), day=date(2026, 11, 19), actor=Actor("email", address))
        store(bot.database, row, source=source, policy=NO_ALERTS)
    crowded_team(bot.database, "core", ["dana@example.com", "boss@example.com"])
    _post_digest(bot, CHANNEL, date(2026, 11, 19), "core")
    assert posted(stage)[0]["text"].count("$600.00") == 1
    for main in (whose, name):
        link_actor(bot.database, name, main, BY_ADMIN, book, NO_ALERTS, NOW)
        assert bot.jobs.correct_digests(NOW) == 0
    assert "Corrected" not in json.dumps(posted(stage))
