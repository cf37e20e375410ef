"""Plans and recommendations in Slack: what they say, who gets which, and that they fit whatever the team's size."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from slack_sdk.models.blocks import Block as SlackBlock

from bot.advice import Advisor, Recommendation
from bot.advice_reports import recommendation_json
from bot.ask import monthly_spend
from bot.playground.demo import NOW, Stage
from bot.playground.generate_export import MAIN_FILE
from bot.pricing import PriceBook
from bot.pricing.plans import default_plan_book
from bot.pricing.tiers import DayUse, Usage, advise, advise_team, what_if
from bot.slack.blocks.message import Message
from bot.slack.blocks.plain import as_text
from bot.slack.blocks.plans import (
    own_recommendation_message,
    plan_list_message,
    team_recommendation_message,
    what_if_message,
)
from bot.spend.records import Actor
from bot.spend.workdays import WorkCalendar
from bot.store.database import Database
from bot.store.teams import set_team
from tests.slack.test_http import ask, whispered
from tests.usage import opus_for, store, used

DAY = date(2026, 11, 20)
PLANS = default_plan_book().on(DAY)


def people(count: int, usd: int = 10) -> list[Usage]:
    days = [DAY - timedelta(days=back) for back in range(60) if (DAY - timedelta(days=back)).weekday() < 5]
    return [
        Usage(
            f"<!channel>*{number}*@example.com",
            [DayUse(day, Decimal(usd + number % 7), Decimal(usd + number % 7)) for day in sorted(days)],
            DAY + timedelta(days=1),
        )
        for number in range(count)
    ]


def recommendation(count: int, usd: int = 10) -> Recommendation:
    usages = people(count, usd)
    team = advise_team(usages, PLANS) if count > 1 else None
    return Recommendation(DAY, [advise(usage, PLANS) for usage in usages], team, PLANS, [])


def fits(message: Message) -> None:
    assert len(message.text) <= 3000
    assert len(message.blocks) <= 50
    assert len(json.dumps(message.blocks)) < 13_000
    for block in message.blocks:
        parsed = SlackBlock.parse(block)
        assert parsed is not None
        parsed.validate_json()
        texts = block["elements"] if block["type"] == "context" else [block["text"]]
        assert all(0 < len(text["text"]) < 3000 for text in texts)


def test_a_spend_beside_the_plans(book: PriceBook) -> None:
    spent = monthly_spend("$6 a day", DAY, book)
    message = what_if_message(spent, *what_if(spent.daily_usd, PLANS), DAY)
    lines = as_text(message).splitlines()
    # 132 - 46.57 = 85.43; see tests/pricing/test_tiers.py for the sums
    assert lines[:4] == [
        "$132.00 a month at API prices  ($6.00 × 22 working days)",
        "Claude Pro fits: it saves $85.43 a month even if it carries as little as is known.",
        "Claude Team Standard: $25.00 to $28.21 · from 5 seats on · the fee is 5 such days",
        "Claude Pro: $20.00 to $46.57 · the fee is 4 such days",
    ]
    fits(message)


def test_one_person_s_recommendation() -> None:
    message = own_recommendation_message(recommendation(1))
    lines = as_text(message).splitlines()
    # 22 x $10 = $220, $120 more than Max 5x
    assert lines[0] == "Claude Max 5x fits you better than API: about $120.00 a month less"
    assert lines[1] == (
        "You use $220.00 at API prices in an ordinary month, $220.00 in a bad one (from 44 active days; your median "
        "active day is $10.00)"
    )
    assert lines[2] == "On Claude Max 5x: $100.00 in an ordinary month, $100.00 in a bad one"
    assert any(line.startswith("It becomes Claude Pro if you fall below $18") for line in lines)
    fits(message)


def test_a_change_that_newer_usage_calls_for_is_announced() -> None:
    """$1 a day until October, $20 since: the API for now, and Max 5x once it has lasted."""
    (person,) = people(1, 1)
    rise = [day if day.day < date(2026, 11, 1) else DayUse(day.day, Decimal(20), Decimal(20)) for day in person.days]
    advice = advise(person._replace(days=rise), PLANS)
    message = own_recommendation_message(Recommendation(DAY, [advice], None, PLANS, []))
    lines = as_text(message).splitlines()
    assert lines[0].startswith("Stay on API for now: ")
    assert lines[0].endswith(" fits your newest usage")
    assert any("is recommended once your usage has called for it for 30 days" in line for line in lines)
    assert "no change saves" not in as_text(message)


def test_a_plan_that_renews_says_from_when() -> None:
    (person,) = people(1, 1)
    claude = [plan for plan in PLANS if plan.vendor == "anthropic"]
    advice = advise(person._replace(current="claude-max-5x", renews=date(2027, 3, 1)), claude)
    lines = as_text(own_recommendation_message(Recommendation(DAY, [advice], None, claude, []))).splitlines()
    # $22 of usage instead of the fee of $100; Pro at $20 carries it
    assert lines[0] == (
        "From 2027-03-01 on, when Claude Max 5x renews, Claude Pro fits you better than Claude Max 5x: about $80.00 a "
        "month less"
    )
    assert lines[2].endswith("(its fee is $17.00 a month by the year, $20.00 by the month)")


def test_a_plan_that_cannot_be_compared_says_so() -> None:
    (person,) = people(1)
    advice = advise(person._replace(current="windsurf-pro"), PLANS)
    message = own_recommendation_message(Recommendation(DAY, [advice], None, PLANS, []))
    assert message.text.endswith("cannot be compared: its limit is not published in dollars")
    fits(message)


def test_a_spend_that_no_plan_helps(book: PriceBook) -> None:
    spent = monthly_spend("$1 a day", DAY, book)
    message = what_if_message(spent, *what_if(spent.daily_usd, PLANS), DAY)
    assert message.text.endswith("No plan saves more than $10 and 15 % of that: stay on the API.")


@pytest.mark.parametrize("count", [2, 14, 500])
def test_a_team_s_recommendation_fits_and_names_nobody(count: int) -> None:
    message = team_recommendation_message(recommendation(count), "<!here> core & co")
    fits(message)
    assert "@example.com" not in json.dumps(message.blocks)
    assert "<!" not in json.dumps(message.blocks)


def test_the_list_of_plans_fits() -> None:
    message = plan_list_message(PLANS, DAY, (Decimal(13), Decimal(30)))
    # 13 x 22 = 286; 30 x 22 = 660
    assert "on average $286.00 a month ($13.00 × 22 days), for nine in ten up to $660.00" in as_text(message)
    fits(message)


class TestWhoSeesWhat:
    @pytest.fixture(autouse=True)
    def usage(self, stage: Stage) -> None:
        list(stage.installation.importer().import_path(MAIN_FILE, NOW))

    def test_plans_are_answered_at_once(self, stage: Stage) -> None:
        assert ask(stage, "plans $6 a day")["text"].startswith("$132.00 a month at API prices: Claude Pro fits")
        assert ask(stage, "plans")["text"] == "20 plans are known on 2026-11-20"
        assert ask(stage, "plans 500k in 80k out opus x 22")["text"].startswith("$79.20 a month")

    def test_nonsense_is_refused_with_an_example(self, stage: Stage) -> None:
        answer = ask(stage, "plans many")
        assert "Try: /claudecost plans $6 a day" in answer["text"]

    def test_one_s_own_recommendation(self, stage: Stage) -> None:
        assert ask(stage, "recommend") is None
        answer = whispered(stage)[0]
        assert (answer["user"], answer["response_type"]) == ("U001", "ephemeral")
        assert "fits you better than API" in answer["text"]

    def test_a_team_s_recommendation_is_for_admins_and_its_lead(self, stage: Stage) -> None:
        set_team(stage.installation.database, "core", ["dana@example.com", "ada@example.com"], lead="U002")
        ask(stage, "recommend team core", 0)
        assert whispered(stage)[0]["text"].startswith("The recommendation for a team is for its lead and for admins")
        ask(stage, "recommend team core", 1)
        assert "is the least for 2 people" in whispered(stage, 2)[1]["text"]
        ask(stage, "recommend team", 1)
        assert whispered(stage, 3)[2]["text"].startswith("The recommendation for a team is for its lead and for admins")

    def test_what_is_not_understood_is_said(self, stage: Stage) -> None:
        ask(stage, "recommend me something")
        assert whispered(stage)[0]["text"].startswith("I could not read “me something”.")


def test_people_are_looked_at_in_groups(database: Database, book: PriceBook, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [date(2026, 11, day) for day in range(2, 19)]
    spent = zip(("dana", "ada", "kim"), (3, 30, 9), strict=True)
    store(database, *(used(opus_for(usd), day, Actor("email", f"{who}@x.com")) for who, usd in spent for day in days))
    advisor = Advisor(database, book, default_plan_book(), WorkCalendar)
    whole = advisor.for_team(DAY)
    assert whole is not None
    assert [one.person for one in whole.people] == ["ada@x.com", "dana@x.com", "kim@x.com"]
    monkeypatch.setattr("bot.advice.AT_ONCE", 2)
    sizes: list[int] = []

    def track(groups: Sequence[Any]) -> Iterator[Any]:
        sizes.extend(map(len, groups))
        return iter(groups)

    assert advisor.for_team(DAY, None, track) == whole
    assert sizes == [2, 1]


def test_what_totals_say_beyond_the_days_is_told_and_in_no_figure(database: Database, book: PriceBook) -> None:
    """Dana's days of November come to $51, her report of October says $300 and Ada's, who is not asked about, $70."""
    dana, ada = (Actor("email", f"{who}@x.com") for who in ("dana", "ada"))
    store(database, *(used(opus_for(3), date(2026, 11, day), dana) for day in range(2, 19)))
    october = date(2026, 10, 1)
    for who, usd in ((dana, 300), (ada, 70)):
        total = replace(used(opus_for(usd), october, who), until=date(2026, 11, 1))
        store(database, total, source="spend_report_csv")
    advisor = Advisor(database, book, default_plan_book(), WorkCalendar)
    found, whole = advisor.for_person("dana@x.com", DAY), advisor.for_team(DAY)
    assert found is not None
    assert whole is not None
    assert (found.without_days_usd, whole.without_days_usd) == (Decimal(300), Decimal(370))
    assert recommendation_json(found)["without_days_usd"] == "300.00"
    told = "Totals of several days say $300.00 more than the days, which is in no figure: import exports that know days"
    assert told in as_text(own_recommendation_message(found))
