"""The alert rule, due times, and which source speaks."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, available_timezones

import pytest

from bot.schedule import digest_due
from bot.spend.alerts import DEFAULT_LIMIT_USD, STEPS, newly_reached, step_reached
from bot.spend.days import Period, day_around, due_at, milliseconds, month_to_date, spend_day
from bot.spend.precedence import SourceDay, fullest
from bot.store.subscriptions import Subscription


def test_the_default_is_twelve_dollars() -> None:
    assert Decimal(12) == DEFAULT_LIMIT_USD
    assert STEPS == (1, 2, 4)


@pytest.mark.parametrize(
    ("usd", "step"),
    [("11.999999999", None), ("12", 1), ("12.01", 1), ("23.99", 1), ("24", 2), ("47.99", 2), ("48", 4), ("960", 4)],
)
def test_steps_at_the_default_limit(usd: str, step: int | None) -> None:
    assert step_reached(Decimal(usd), DEFAULT_LIMIT_USD) == step


@pytest.mark.parametrize(
    ("usd", "told", "step"),
    [
        (13, set(), 1),
        (13, {1}, None),
        (30, {1}, 2),
        (30, {2}, None),
        (13, {2}, None),
        (60, {1, 2}, 4),
        (5, set(), None),
    ],
)
def test_a_step_is_new_only_above_all_that_were_told(usd: int, told: set[int], step: int | None) -> None:
    assert newly_reached(Decimal(usd), DEFAULT_LIMIT_USD, told) == step


def test_the_fullest_source_has_most_tokens_then_most_dollars() -> None:
    api, csv, local = (
        SourceDay("api", 100, Decimal(5)),
        SourceDay("csv", 100, Decimal(6)),
        SourceDay("local", 90, Decimal(9)),
    )
    assert fullest([api, csv, local]) == csv
    assert fullest([local]) == local
    dollars = SourceDay("console_cost_csv", 0, local.usd + Decimal("0.05"))
    assert fullest([local, dollars]) == local
    assert fullest([local, dollars._replace(usd=dollars.usd + Decimal("0.01"))]).tokens == 0


def test_a_month_to_date_is_half_open() -> None:
    assert month_to_date(date(2026, 2, 28)) == Period(date(2026, 2, 1), date(2026, 3, 1))


def test_an_instant_belongs_to_the_day_of_the_zone() -> None:
    at = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert spend_day(at, ZoneInfo("UTC")) == date(2026, 11, 22)
    assert spend_day(at, ZoneInfo("Europe/Paris")) == date(2026, 11, 23)


@pytest.mark.parametrize(
    ("zone", "day", "at", "due"),
    [
        ("UTC", "2026-11-20", "09:00", "2026-11-20T09:00"),
        ("Europe/Paris", "2026-11-20", "09:00", "2026-11-20T08:00"),
        ("Europe/Paris", "2026-07-20", "09:00", "2026-07-20T07:00"),
        ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:30"),  # skipped: comes at 03:30
        ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30"),  # twice: the first one
        ("Asia/Beirut", "2026-03-29", "00:00", "2026-03-28T22:00"),  # midnight skipped: comes at 01:00
    ],
)
def test_due_times_on_ordinary_days_and_clock_changes(zone: str, day: str, at: str, due: str) -> None:
    found = due_at(date.fromisoformat(day), time.fromisoformat(at), ZoneInfo(zone))
    assert found == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_due_times_come_in_the_order_of_days_in_every_zone() -> None:
    days = [date.fromordinal(date(2026, 1, 1).toordinal() + count) for count in range(365)]
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        for at in (time(0, 0), time(2, 30)):
            due = [due_at(day, at, zone) for day in days]
            assert due == sorted(set(due)), (name, at)


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-11-20T07:59", None),
        ("2026-11-20T08:00", "2026-11-19"),
        ("2026-11-20T22:59", "2026-11-19"),  # 23:59 in Paris: late, still that day's
        ("2026-11-20T23:00", None),  # midnight in Paris: too late
        ("2026-11-25T08:00", "2026-11-24"),  # after an outage: the newest day alone
    ],
)
def test_a_digest_is_due_from_its_time_until_the_day_ends(now: str, day: str | None) -> None:
    subscription = Subscription("C1", time(9), ZoneInfo("Europe/Paris"))
    found = digest_due(subscription, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert (found.day if found else None) == (date.fromisoformat(day) if day else None)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo"])
def test_days_of_many_moments_are_those_of_each(zone: str) -> None:
    """A second before, at and after each midnight of a year, and halfway between, in zones of every kind of offset."""
    each = [datetime(2025, 12, 31, tzinfo=ZoneInfo(zone)) + timedelta(days=number) for number in range(369)]
    midnights = {milliseconds(midnight) for midnight in each}
    for midnight in each[1:-1]:
        for seconds in (-1, 0, 1, 12 * 3600):
            at = midnight.astimezone(UTC) + timedelta(seconds=seconds)
            day, start, end = day_around(milliseconds(at), ZoneInfo(zone))
            assert day == at.astimezone(ZoneInfo(zone)).date()
            assert start <= milliseconds(at) < end
            assert {start, end} <= midnights
