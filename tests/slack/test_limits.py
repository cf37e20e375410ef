"""Every message and view for one person and for ten thousand, with names that want to be something else."""

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.advice import Recommendation
from bot.ask import Refusal, ask
from bot.imports import FileReport
from bot.ledger import Explanation, OwnDay, OwnPeriod, OwnSpend
from bot.pricing import STANDARD, PriceBook, TokenUsage
from bot.pricing.plans import default_plan_book
from bot.pricing.tiers import DayUse, Usage, advise, advise_team
from bot.slack.blocks.answer import answer_message, refusal_message
from bot.slack.blocks.digest import digest_message
from bot.slack.blocks.explanation import explanation_message
from bot.slack.blocks.home import Health, Own, home_view
from bot.slack.blocks.imported import import_view, imported_message, refused_message
from bot.slack.blocks.menu import menu_message
from bot.slack.blocks.notice import notice_message
from bot.slack.blocks.personal import (
    alert_message,
    comparison_message,
    no_own_spend_message,
    own_period_message,
    own_spend_message,
)
from bot.slack.blocks.plans import own_recommendation_message, team_recommendation_message
from bot.slack.blocks.settings import saved_view, settings_view
from bot.spend.amounts import Amount, Quantity, amount
from bot.spend.causes import Comparison, Saving
from bot.spend.days import Period
from bot.spend.digest import Freshness, ModelSpend, PeopleCount, digest_facts
from bot.spend.records import Actor, Problem
from bot.store.answers import Answered
from bot.store.audit import Look
from bot.store.people import Person, Wishes
from bot.store.recording import DayChange, Recorded
from bot.store.teams import Team
from tests.slack.limits import problems
from tests.usage import DAY, NOW, utc_policy

NAMES = (
    "<!channel> <!here> <@U001> <#C001>",
    "*bold* _it_ ~no~ `code` ```block```",
    "<https://evil.example|click me> https://evil.example",
    "=HYPERLINK(1) +1 -1 @SUM",
    "😀👨‍👩‍👧‍👦" * 20,
    "\u202eright-to-left\u202c عربى עברית",
    "a\nb\rc\x00d\u2028e",
    "&amp; & < > \" ' \\",
    "x" * 200,
    "@" * 200 + ">" * 200 + "&" * 200,
)
LABEL = "list price estimate, price book of 2026-11-22"
SIZES = (1, 14, 500, 10_000)


def name(number: int) -> str:
    return f"{NAMES[number % len(NAMES)]}{number}"[:200]


def person(number: int) -> Person:
    return Person(number, f"{name(number)}@example.com", name(number), "U001", None)


def quantities(count: int) -> list[Quantity]:
    """As many models as people, each on five Thursdays; some without a price, with names of all kinds."""
    chosen = random.Random(count)
    known = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
    found = []
    for number in range(min(count, 2000)):
        model = known[number % 3] if number % 2 else name(number)
        usd = Decimal(chosen.randrange(1, 10**9)) if number % 3 == 0 else None
        for week in range(5):
            day = DAY - timedelta(weeks=week)
            usage = TokenUsage(chosen.randrange(1, 10**12), chosen.randrange(1, 10**11))
            found.append(Quantity(day, model, STANDARD, "api", usage, usd))
    return found


def said(count: int, book: PriceBook) -> dict[str, Any]:
    """Every message and view, by what it is."""
    used = quantities(count)
    fresh = Freshness(DAY, NOW, utc_days=True, silent=tuple((name(n), NOW) for n in range(min(count, 12))))
    people = PeopleCount(
        count, count // 2, count // 3, Decimal(10**9), count, tuple(name(n) for n in range(min(count, 50)))
    )
    team = name(count)
    facts = {
        edition: digest_facts(
            DAY,
            "America/Argentina/ComodRivadavia",
            used,
            people,
            Decimal("123456.789"),
            fresh,
            book,
            start=start,
            edition=edition,
            team=team,
            budget_usd=Decimal(10**7),
        )
        for edition, start in (("daily", DAY), ("weekly", DAY - timedelta(days=6)), ("monthly", date(2026, 11, 1)))
    }
    whole = Amount()
    for quantity in used:
        whole = whole.plus(amount(quantity, book))
    models = [ModelSpend(name(n), Decimal(n)) for n in range(min(count, 50))]
    own = OwnDay(
        person(count),
        DAY,
        whole,
        models,
        Decimal(99),
        60,
        ("cache_read", whole.usd),
        Saving("x" * 80, Decimal(5)),
        "UTC",
    )
    spend = OwnSpend(own, whole, 20, Decimal(12))
    sources = {name(n): whole for n in range(min(count, 12))}
    details = [(next(iter(sources)), name(n), quantity, whole) for n, quantity in enumerate(used)]
    days = [DayUse(DAY - timedelta(days=back), Decimal(20), Decimal(20)) for back in range(60, 0, -1)]
    usages = [Usage(name(n), days, DAY) for n in range(min(count, 30))]
    plans = default_plan_book().on(DAY)
    advice = [advise(usage, plans) for usage in usages]
    unknown = tuple(name(n) for n in range(min(count, 30)))
    found = Recommendation(DAY, advice, advise_team(usages, plans), plans, [name(1)], 10**12, unknown)
    lines = [name(n) for n in range(min(count, 300))]
    looks = [Look(NOW, "U014", name(n)) for n in range(5)]
    health = Health(
        lines,
        lines,
        [(Actor("api_key", line), "$1.00") for line in lines],
        [(line, line) for line in lines],
        looks,
        LABEL,
    )
    changes = [DayChange(DAY - timedelta(days=n), Decimal(1), Decimal(2)) for n in range(min(count, 40))]
    recorded = Recorded(1, 2, 3, [DAY], changes, [])
    report = FileReport(
        name(7), "console_usage_csv", recorded, [Problem(n, name(n) * 9) for n in range(min(count, 99))]
    )
    reports = [report, report._replace(refused=name(3) * 9)] * min(count, 20)
    wishes = Wishes(date(2027, 1, 1), None, None, True)
    week = OwnPeriod(Period(DAY - timedelta(days=6), DAY + timedelta(days=1)), whole, [(DAY, whole)], "UTC", DAY)
    answers = [Answered(name(n) * 9, name(n)) for n in range(3)]
    everything = Own("a@example.com", spend, wishes, week, answers)
    teams = [Team(n, name(n), None, None, Decimal(5)) for n in range(min(count, 300))]
    return {
        **{
            f"{edition} digest": digest_message(one, plans="Plans: another mix would save about $1")
            for edition, one in facts.items()
        },
        "corrected": digest_message(facts["daily"], corrected="Corrected 10:42: $1 → $2"),
        "no data": digest_message(facts["daily"]._replace(amount=None)),
        "alert": alert_message(own, Decimal(12), 4, LABEL, plan="At your usual day, a plan would be less"),
        "settled alert": alert_message(own, Decimal(12), 1, LABEL, settled="Muted until Mon 23 Nov"),
        "me": own_spend_message(spend, DAY, LABEL, looks[:3]),
        "me week": own_period_message(
            OwnPeriod(Period(DAY, DAY), whole, [(DAY, whole) for _ in range(1, 31)], "UTC", DAY), "in November", LABEL
        ),
        "nothing": no_own_spend_message(name(count)),
        "menu": menu_message(spend, DAY, LABEL, is_admin=True),
        "compare": comparison_message(Comparison(Decimal(5), [(name(n), Decimal(n)) for n in range(12)], 9), 30, LABEL),
        "explain": explanation_message(Explanation(person(count), DAY, name(0), sources, details), LABEL),
        "recommend": own_recommendation_message(found._replace(people=advice[:1])),
        "recommend team": team_recommendation_message(found, name(count)),
        "imported": imported_message(reports),
        "refused file": refused_message(name(count) * 20),
        "notice": notice_message(name(count) * 20, "digest:C1:2026-11-19"),
        "home": home_view(everything, DAY, LABEL, health, names=True),
        "home of nobody": home_view(Own(name(count), None, None, None), DAY, LABEL, None),
        "settings": settings_view(utc_policy(), teams),
        "import": import_view(),
        "settings saved": saved_view([name(n) for n in range(min(count, 60))]),
    }


@pytest.mark.parametrize("count", SIZES)
def test_everything_is_within_slack_s_limits_and_harmless(book: PriceBook, count: int) -> None:
    for what, message in said(count, book).items():
        shown = message if isinstance(message, dict) else {"text": message.text, "blocks": message.blocks}
        assert problems(shown) == [], (what, problems(shown))


@pytest.mark.parametrize("text", [*NAMES, *(f"{odd} 5k in" for odd in NAMES), "plans " + NAMES[0], "9" * 400])
def test_whatever_is_asked(book: PriceBook, text: str) -> None:
    try:
        message = answer_message(ask(text, DAY, book))
    except Refusal as refusal:
        message = refusal_message(refusal, runs=True)
    assert problems({"text": message.text, "blocks": message.blocks}) == []


def test_the_checks_can_fail() -> None:
    """What they are for: each of these would be refused or would ping everybody."""
    long = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    loud = {"type": "section", "text": {"type": "mrkdwn", "text": "hello <!channel>"}}
    empty = {"type": "context", "elements": []}
    for block in (long, loud, empty, {"type": "poem"}):
        assert problems({"text": "x", "blocks": [block]})
    assert problems({"text": "<!here>", "blocks": []})
    assert problems({"text": "x", "blocks": [long] * 51})
