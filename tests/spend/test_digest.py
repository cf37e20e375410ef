"""Digest facts, worked out by hand from small teams."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from bot.pricing import STANDARD, PriceBook, TokenUsage
from bot.spend.amounts import Quantity
from bot.spend.digest import DigestFacts, ModelSpend, PeopleCount, digest_facts
from tests.usage import DAY, opus_for

NOBODY = PeopleCount(0, 0, 0, Decimal(0), 0)
WEEK = timedelta(weeks=1)


def quantity(usd: str | int, day: date = DAY, model: str = "claude-opus-5-5") -> Quantity:
    return Quantity(day, model, STANDARD, "api", opus_for(usd), None)


def facts(book: PriceBook, *quantities: Quantity, day: date = DAY) -> DigestFacts:
    return digest_facts(day, "UTC", quantities, NOBODY, Decimal(12), None, book)


def test_a_day_is_compared_with_the_median_of_the_last_four_same_weekdays(book: PriceBook) -> None:
    earlier = [quantity(usd, DAY - weeks * WEEK) for weeks, usd in ((1, 10), (2, 40), (3, 20), (4, 30), (5, 900))]
    found = facts(book, quantity(50), *earlier)
    assert found.baseline is not None
    # median of 10, 20, 30, 40; 50 / 25 - 1
    assert (found.baseline.name, found.baseline.usd, found.baseline.samples) == ("Thursday", Decimal(25), 4)
    assert found.change == 1


def test_with_fewer_same_weekdays_other_weekdays_stand_in(book: PriceBook) -> None:
    # Mon 16 to Wed 18, Thu 12 and Fri 13; the weekend does not count
    days = {date(2026, 11, d): usd for d, usd in ((12, 10), (13, 20), (14, 1), (15, 1), (16, 30), (17, 40), (18, 50))}
    unpriced = quantity(900, date(2026, 11, 11), "claude-zephyr-9")  # a Wednesday that cost nobody knows how much
    found = facts(book, quantity(45), unpriced, *(quantity(usd, day) for day, usd in days.items()))
    assert found.baseline is not None
    assert (found.baseline.name, found.baseline.usd, found.baseline.samples) == ("weekday", Decimal(30), 5)
    assert found.change == Decimal("0.5")


def test_too_few_days_make_no_comparison(book: PriceBook) -> None:
    found = facts(book, quantity(45), *(quantity(10, date(2026, 11, d)) for d in (13, 16, 17, 18)))
    assert (found.baseline, found.change) == (None, None)


def test_a_weekend_is_not_compared_with_weekdays(book: PriceBook) -> None:
    saturday = date(2026, 11, 21)
    found = facts(book, quantity(5, saturday), *(quantity(10, date(2026, 11, d)) for d in range(9, 21)), day=saturday)
    assert found.baseline is None


def test_a_base_under_a_dollar_makes_no_percentage(book: PriceBook) -> None:
    found = facts(book, quantity(5), *(quantity("0.99", DAY - weeks * WEEK) for weeks in range(1, 5)))
    assert found.baseline is not None
    assert found.change is None


def test_a_span_is_compared_with_whole_spans_that_do_not_overlap(book: PriceBook) -> None:
    """$10 on each of 40 days: Friday to Sunday is $30, as ever; from the 24th day of data on that can be said."""
    every = [quantity(10, date(2026, 11, 22) - timedelta(days=back)) for back in range(40)]
    for start, days, expected in ((20, 40, 30), (20, 24, None), (13, 40, None)):
        found = digest_facts(
            date(2026, 11, 22), "UTC", every[:days], NOBODY, Decimal(12), None, book, start=date(2026, 11, start)
        )
        assert (found.baseline and found.baseline.usd) == expected


def test_days_of_which_no_source_spoke_are_no_zeros_in_the_forecast(book: PriceBook) -> None:
    """$100 on each working day but of a week without data: the 21 working days of November make $2,100."""
    days = [date(2026, 11, day) for day in range(2, 21) if date(2026, 11, day).weekday() < 5 and not 9 <= day <= 13]
    used = [quantity(100, day) for day in days]
    friday = date(2026, 11, 20)
    unknown = digest_facts(friday, "UTC", used, NOBODY, Decimal(12), None, book, reported=days)
    assert unknown.month.forecast is not None
    # 10 days so far, 6 working days to come, and 5 that are still to be told
    assert unknown.month.forecast.usd == 1000 + 6 * 100 + 5 * 100
    nothing = digest_facts(friday, "UTC", used, NOBODY, Decimal(12), None, book)
    assert nothing.month.forecast is not None
    # 10 of 15 days, so 6 x $66.67
    assert round(nothing.month.forecast.usd) == 1400


def test_days_off_that_a_source_spoke_of_count_in_the_forecast(book: PriceBook) -> None:
    """$100 a working day but from 26 October to 6 November: 10 x $100 so far, and 6 days of half of that to come."""
    days = [date(2026, 10, 1) + timedelta(days=count) for count in range(51)]
    working = [day for day in days if day.weekday() < 5]
    spent = [quantity(100, day) for day in working if not date(2026, 10, 26) <= day <= date(2026, 11, 6)]
    found = digest_facts(date(2026, 11, 20), "UTC", spent, NOBODY, Decimal(12), None, book, reported=working)
    assert found.month.forecast is not None
    assert found.month.forecast.usd == 1000 + 6 * 50


def test_a_month_that_the_data_begin_in_is_no_measure(book: PriceBook) -> None:
    november = {"day": date(2026, 11, 30), "start": date(2026, 11, 1), "edition": "monthly"}
    for first, expected in ((date(2026, 10, 1), 70), (date(2026, 10, 2), None)):
        days = [quantity(60, first), quantity(10, date(2026, 10, 20)), quantity(90, date(2026, 11, 3))]
        found = digest_facts(
            **november,  # type: ignore[arg-type]
            zone="UTC",
            quantities=days,
            people=NOBODY,
            limit_usd=Decimal(12),
            freshness=None,
            book=book,
        )
        assert (found.baseline and found.baseline.usd) == expected


def test_the_month_runs_up_to_the_day_and_no_further(book: PriceBook) -> None:
    days = [date(2026, 10, 31), date(2026, 11, 1), DAY, DAY + timedelta(days=1)]
    found = facts(book, *(quantity(10, day) for day in days))
    assert found.month_usd == 20


@pytest.mark.parametrize("count", [1, 4, 5, 7])
def test_models_are_the_largest_and_the_rest_and_add_up(book: PriceBook, count: int) -> None:
    names = ["claude-opus-5-5", "claude-opus-5", "claude-opus-4-8", "claude-opus-4-7", "claude-sonnet-5"]
    names += ["claude-sonnet-4-6", "claude-haiku-4-5"]
    found = facts(book, *(quantity(8, model=name) for name in names[:count]))
    assert found.amount is not None
    assert sum(model.usd for model in found.models) == found.amount.usd
    assert len(found.models) == min(count, 4)
    assert (found.models[-1].name is None) == (count > 4)


def test_versions_of_one_model_are_one(book: PriceBook) -> None:
    found = facts(book, quantity(4, model="claude-opus-5-5"), quantity(4, model="claude-opus-5-5[1m]"))
    assert found.models == [ModelSpend("Opus 5.5", Decimal(8), "claude-opus-5-5")]


def test_what_has_no_price_is_named_and_in_no_figure(book: PriceBook) -> None:
    unknown = Quantity(DAY, "claude-zephyr-9", STANDARD, "api", TokenUsage(300, 33), None)
    found = facts(book, quantity(4), unknown)
    assert found.amount is not None
    assert (found.amount.usd, found.amount.unpriced_tokens) == (Decimal(4), 333)
    assert found.unpriced == [("claude-zephyr-9", 333)]
    assert [model.name for model in found.models] == ["Opus 5.5"]


def test_a_day_without_data_has_no_amount(book: PriceBook) -> None:
    assert facts(book, quantity(4, DAY - WEEK)).amount is None
