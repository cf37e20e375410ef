"""The plan book, and what a team says of its own."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from bot.ask import Refusal, monthly_spend
from bot.pricing import PriceBook
from bot.pricing.errors import PriceBookError
from bot.pricing.plans import default_plan_book, plan_book_with

ARTICLE = date(2026, 3, 28)
NOW = date(2026, 11, 24)


def test_the_article_s_table_stands_as_it_was() -> None:
    book = default_plan_book()
    fees = {plan.name: plan.usd for plan in book.on(ARTICLE) if not plan.is_api}
    assert fees == {
        "Claude Pro": 20,
        "Claude Max 5x": 100,
        "Claude Max 20x": 200,
        "Copilot Pro": 10,
        "Copilot Business": 19,
        "Cursor Pro": 20,
        "Windsurf Pro": 20,
    }
    typical = book.typical(ARTICLE)
    assert typical is not None
    # The two rows of the API: 22 days at $6 and at $12
    assert 22 * typical.average == 132
    assert 22 * typical.p90 == 264


def test_what_the_api_costs_changed_in_april() -> None:
    book = default_plan_book()
    found = {day: book.typical(day) for day in (date(2026, 4, 9), date(2026, 4, 10))}
    assert [row.average for row in found.values() if row] == [Decimal(6), Decimal(13)]
    assert [row.p90 for row in found.values() if row] == [Decimal(12), Decimal(30)]


def test_every_plan_of_today_has_a_source_and_a_price() -> None:
    plans = default_plan_book().on(NOW)
    assert len(plans) == 20
    for plan in plans:
        assert len(plan.source) > 10
        assert plan.price.monthly is not None or plan.price.annual is not None


def test_a_plan_is_not_applied_before_its_first_price() -> None:
    book = default_plan_book()
    assert "Claude Team Standard" in book.later_than(date(2026, 9, 13))
    assert "Claude Team Standard" not in book.later_than(date(2026, 9, 14))
    assert book.later_than(NOW) == []


def test_copilot_has_dollars_since_its_credits() -> None:
    limits = {
        day: next(plan.limit for plan in default_plan_book().on(day) if plan.id == "copilot-business")
        for day in (date(2026, 5, 31), date(2026, 6, 1))
    }
    assert limits[date(2026, 5, 31)] is None
    assert limits[date(2026, 6, 1)] is not None


class TestOwnFile:
    def test_a_team_s_prices_seats_and_wishes(self, tmp_path: Path) -> None:
        path = tmp_path / "plans.toml"
        path.write_text(
            """
            max_vendors = 1
            leave_out = ["windsurf-pro"]

            [[plans]]
            id = "claude-team-standard"
            name = "Claude Team Standard"
            vendor = "anthropic"
            tool = "Claude Code"
            min_seats = 5
            [[plans.prices]]
            from = 2026-01-01
            monthly = "22.50"
            source = "our contract"

            [[commitments]]
            plan = "claude-max-5x"
            seats = 2
            people = ["dana@example.com"]
            renews = 2027-03-01
            """,
            encoding="utf-8",
        )
        book = plan_book_with(path)
        plans = {plan.id: plan for plan in book.on(NOW)}
        assert plans["claude-team-standard"].usd == Decimal("22.50")
        assert plans["claude-team-standard"].source == "our contract"
        assert "windsurf-pro" not in plans
        assert (book.max_vendors, book.commitments[0].seats) == (1, 2)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("nonsense", "is no TOML"),
            ('leave_out = ["gold"]', "“gold” is no plan; plans are api, "),
            ('[[commitments]]\nplan = "claude-pro"\nseats = 0', "commitments.1.seats is wrong"),
            (
                '[[plans]]\nid = "x"\nname = "X"\nvendor = "v"\ntool = "t"\n'
                '[[plans.prices]]\nfrom = 2026-01-01\nsource = "s"',
                "plans.1.prices.1 is wrong: a price row needs monthly, annual or both",
            ),
            (
                '[[plans]]\nid = "x"\nname = "X"\nvendor = "v"\ntool = "t"\n[[plans.prices]]\nfrom = 2026-01-01\n'
                'monthly = "9"\nsource = "s"\n[[plans.limits]]\nfrom = 2026-01-01\n'
                'per = "week"\nlow = "5"\nhigh = "4"\nlow_source = "s"\nhigh_source = "s"',
                "low 5 is over high 4",
            ),
            ('leave_out = ["api"]', "“api” is what tokens cost"),
            (
                'leave_out = ["claude-pro"]\n[[commitments]]\nplan = "claude-pro"\nseats = 1',
                "are paid for, so it cannot",
            ),
            (
                '[[commitments]]\nplan = "claude-pro"\nseats = 1\npeople = ["a@x.org", "b@x.org"]',
                "2 people are on 1 seats of claude-pro",
            ),
            (
                '[[commitments]]\nplan = "claude-pro"\nseats = 1\npeople = ["a@x.org"]\n'
                '[[commitments]]\nplan = "claude-max-5x"\nseats = 1\npeople = ["A@x.org"]',
                "“a@x.org” stands there twice",
            ),
            ("monthly = 1" + "0" * 5000, "is no TOML: a number in it is beyond all size"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path: Path, text: str, said: str) -> None:
        path = tmp_path / "plans.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(PriceBookError, match=said):
            plan_book_with(path)

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(PriceBookError, match="cannot be read"):
            plan_book_with(tmp_path / "no.toml")


class TestMonthlySpend:
    @pytest.mark.parametrize(
        ("text", "usd"),
        [
            ("$6 a day", "132"),  # 6 x 22
            ("$12/day", "264"),
            ("12 usd per working day", "264"),
            ("$50 a week", "220"),  # 50 / 5 x 22
            ("$200 a month", "200"),
            ("$1,200", "1200"),
            ("$2400 per year", "200"),
            ("500k in 80k out opus", "79.2"),  # 3.60 x 22
            ("500k in 80k out opus x 22", "79.2"),
            ("500k in 80k out opus x 10", "36"),
        ],
    )
    def test_amounts_and_questions(self, book: PriceBook, text: str, usd: str) -> None:
        assert monthly_spend(text, NOW, book).usd.quantize(Decimal("0.000001")) == Decimal(usd)

    @pytest.mark.parametrize("text", ["$0 a day", "-5 a day", "$6 a fortnight", "lots", "$99999999999 a day"])
    def test_the_rest_is_refused(self, book: PriceBook, text: str) -> None:
        with pytest.raises(Refusal):
            monthly_spend(text, NOW, book)
