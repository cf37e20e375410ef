"""What people see of their own usage: what has no price is never $0, and each figure says whose day and what it is."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from bot.ledger import Ledger
from bot.pricing import PriceBook, TokenUsage
from bot.slack.blocks.explanation import explanation_message
from bot.slack.blocks.home import Own, home_view
from bot.slack.blocks.menu import menu_message
from bot.slack.blocks.message import Message
from bot.slack.blocks.personal import comparison_message, own_period_message, own_spend_message
from bot.slack.blocks.plain import as_text
from bot.spend.days import Period
from bot.spend.records import Actor
from bot.store.database import Database
from tests.usage import DANA, DAY, opus_for, store, used, utc_policy

WEEK = Period(DAY - timedelta(days=6), DAY + timedelta(days=1))


def views(database: Database, book: PriceBook) -> dict[str, str]:
    """Every view of Dana's, as text."""
    ledger = Ledger(database, book, utc_policy)
    spend, week = ledger.own_spend(DANA.name, DAY), ledger.own_period(DANA.name, WEEK)
    compared, explained = ledger.own_comparison(DANA.name, WEEK), ledger.explain(DANA.name, DAY)
    assert spend is not None
    assert week is not None
    assert compared is not None
    assert explained is not None
    home = home_view(Own(DANA.name, spend, None, week, []), DAY, book.label, None, names=False)
    return {
        "menu": as_text(menu_message(spend, DAY, book.label, is_admin=False)),
        "me": as_text(own_spend_message(spend, DAY, book.label)),
        "week": as_text(own_period_message(week, "in the last 7 days", book.label)),
        "compare": as_text(comparison_message(compared, 30, book.label)),
        "explain": as_text(explanation_message(explained, book.label)),
        "home": as_text(Message("", [block for block in home["blocks"] if block["type"] != "header"])),
    }


def test_what_has_no_price_is_no_zero(database: Database, book: PriceBook) -> None:
    store(database, used(TokenUsage(10**6), model="nobodys"))
    said = views(database, book)
    assert {name for name, text in said.items() if "$0.00" in text} == set()
    for name in ("menu", "me"):
        assert "What you used today has no price" in said[name]
    assert "What you used in the last 7 days has no price" in said["week"]
    assert "1,000,000 tokens, no price\n" in said["explain"] + "\n"
    assert "list price\n" not in said["explain"]
    assert "no price" in said["home"]


@pytest.mark.parametrize(
    ("unpriced", "words"),
    [(TokenUsage(10**6), "1,000,000 tokens had no price"), (TokenUsage(web_searches=7), "7 web searches had no price")],
)
def test_what_is_in_no_figure_is_said_beside_it(
    database: Database, book: PriceBook, unpriced: TokenUsage, words: str
) -> None:
    store(database, used(opus_for(4)), used(unpriced, model="nobodys"))
    said = views(database, book)
    for name in ("menu", "me", "week", "home"):
        assert "$4.00" in said[name]
        assert words in said[name]


def test_dollars_say_what_they_are_and_days_whose(database: Database, book: PriceBook) -> None:
    store(database, used(opus_for(4), billing="subscription"))
    said = views(database, book)
    for name in ("menu", "me", "week"):
        assert "API-equivalent: a subscription may already cover it" in said[name]
        assert "UTC days" in said[name]
    assert "price book of" in said["compare"]
    assert "all on Opus 5.5: $4.00, the same" in said["compare"]
    ledger = Ledger(database, book, utc_policy)
    week = ledger.own_period(DANA.name, WEEK)
    assert week is not None
    assert (week.amount.usd, [(day, cost.usd) for day, cost in week.days]) == (Decimal(4), [(DAY, Decimal(4))])
    assert ledger.own_period(DANA.name, Period(date(2026, 1, 1), date(2026, 2, 1))) is not None


def test_nothing_is_said_of_days_that_are_known_alone(database: Database, book: PriceBook) -> None:
    """Dana used something a week ago; what is stored reaches to DAY by somebody else's usage."""
    store(database, used(opus_for(4), DAY - timedelta(days=7)), used(opus_for(1), actor=Actor("email", "e@x.com")))
    ledger = Ledger(database, book, utc_policy)
    for days, said in ((0, "You spent nothing today"), (1, "No usage of yours is known today so far")):
        day = DAY + timedelta(days=days)
        own = ledger.own_period(DANA.name, Period(day, day + timedelta(days=1)))
        assert own is not None
        message = own_period_message(own, "today", book.label)
        assert message.text == said
        assert f"{day:%a} {day.day} Nov (UTC day)\nusage reaches Thu 19 Nov" in as_text(message)
