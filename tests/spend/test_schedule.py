"""When digests come and which days they cover, on every day of every zone."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from bot.schedule import DueDigest, caught_up, covered_from, digest_due, is_issued
from bot.spend.days import due_at, spend_day
from bot.spend.workdays import UnknownCountry, WorkCalendar
from bot.store.subscriptions import WORKDAYS, Subscription

PARIS = ZoneInfo("Europe/Paris")
NINE = time(9)
ANYWHERE = WorkCalendar()
TIMES = (time(0), time(0, 30), time(1, 30), time(2, 30), time(9), time(23, 59))


@pytest.mark.parametrize("chunk", range(8))
def test_one_digest_for_each_local_day_of_every_zone(chunk: int) -> None:
    """Ticks stand at each due moment of 2026 and 2027, and a second before it."""
    zones = sorted(available_timezones())[chunk::8]
    first, last = date(2025, 12, 31), date(2028, 1, 1)
    days = [first + timedelta(days=count) for count in range((last - first).days + 1)]
    for name in zones:
        zone = ZoneInfo(name)
        for at in TIMES:
            subscription = Subscription("C1", at, zone)
            told: dict[date, datetime] = {}
            before = None
            for day in days:
                due = due_at(day, at, zone)
                assert before is None or due > before
                before = due
                assert due.astimezone(zone).date() == day
                found = digest_due(subscription, due)
                assert found is not None
                assert found.day == day - timedelta(days=1)
                assert found.day not in told
                told[found.day] = due
                early = digest_due(subscription, due - timedelta(seconds=1))
                assert early is None or early.day < found.day
                assert found.expires_at > due
            assert len(told) == len(days)


@pytest.mark.parametrize(
    ("spend", "channel"),
    [
        ("UTC", "Australia/Sydney"),
        ("America/Los_Angeles", "Asia/Tokyo"),
        ("UTC", "Asia/Kolkata"),
        ("Pacific/Midway", "Pacific/Kiritimati"),
        ("Asia/Tokyo", "America/Los_Angeles"),
    ],
)
@pytest.mark.parametrize("weekdays", [WORKDAYS, frozenset(range(1, 8))])
def test_a_channel_in_another_zone_than_the_spend_days_has_one_digest_a_day_at_its_time(
    spend: str, channel: str, weekdays: frozenset[int]
) -> None:
    """Ticks come every half hour of a spring's months; all days are finished ones, and each is told once."""
    spend_zone, subscription = ZoneInfo(spend), Subscription("C1", NINE, ZoneInfo(channel), weekdays)
    now = datetime(2026, 2, 1, tzinfo=UTC)
    told: list[DueDigest] = []
    comes: dict[date, DueDigest] = {}
    while now < datetime(2026, 5, 1, tzinfo=UTC):
        found = digest_due(subscription, now, ANYWHERE, spend_zone)
        local = now.astimezone(subscription.zone)
        if found is not None and comes.setdefault(local.date(), found) == found and found not in told:
            assert (local.hour, local.minute) == (9, 0) or not told
            assert found.day < spend_day(now, spend_zone)
            told.append(found)
        assert found is None or comes[local.date()] == found
        now += timedelta(minutes=30)
    assert len(told) == len(comes) > 60
    for earlier, later in pairwise(told):
        assert later.start == earlier.day + timedelta(days=1)


def due(subscription: Subscription, local: str, calendar: WorkCalendar = ANYWHERE) -> tuple[str, str] | None:
    now = datetime.fromisoformat(local).replace(tzinfo=subscription.zone).astimezone(UTC)
    found = digest_due(subscription, now, calendar)
    return (found.start.isoformat(), found.day.isoformat()) if found else None


class TestDaily:
    workdays = Subscription("C1", NINE, PARIS, WORKDAYS)

    @pytest.mark.parametrize(
        ("now", "covered"),
        [
            ("2026-11-20T09:00", ("2026-11-19", "2026-11-19")),  # a Friday
            ("2026-11-21T09:00", None),
            ("2026-11-22T23:00", None),
            ("2026-11-23T08:59", None),
            ("2026-11-23T09:00", ("2026-11-20", "2026-11-22")),  # Monday: Friday to Sunday
            ("2026-11-24T09:00", ("2026-11-23", "2026-11-23")),
        ],
    )
    def test_weekends_wait_for_monday(self, now: str, covered: tuple[str, str] | None) -> None:
        assert due(self.workdays, now) == covered

    def test_holidays_wait_for_the_next_working_day(self) -> None:
        germany = WorkCalendar("DE")
        # 25 and 26 December 2026 are a Friday and a Saturday, 1 January a Friday.
        assert due(self.workdays, "2026-12-25T09:00", germany) is None
        assert due(self.workdays, "2026-12-28T09:00", germany) == ("2026-12-24", "2026-12-27")
        assert due(self.workdays, "2026-12-25T09:00") == ("2026-12-24", "2026-12-24")

    def test_every_day_is_told_once_whatever_the_weekdays(self) -> None:
        for weekdays in ({1}, {1, 4}, {2, 3, 7}, set(range(1, 8))):
            subscription = Subscription("C1", NINE, PARIS, frozenset(weekdays))
            told: list[date] = []
            for count in range(60):
                day = date(2026, 9, 1) + timedelta(days=count)
                if is_issued(subscription, day, ANYWHERE):
                    start = covered_from(subscription, day, ANYWHERE)
                    told += [start + timedelta(days=n) for n in range((day - start).days)]
            assert told == [told[0] + timedelta(days=n) for n in range(len(told))]

    def test_what_was_due_before_it_was_asked_for_is_not_owed(self) -> None:
        since = datetime(2026, 11, 20, 9, 30, tzinfo=PARIS)
        subscription = Subscription("C1", NINE, PARIS, since=since)
        assert due(subscription, "2026-11-20T10:00") is None
        assert due(subscription, "2026-11-21T09:00") == ("2026-11-20", "2026-11-20")


class TestCatchUp:
    """Monday's digest of Friday to Sunday never came: Tuesday's covers these days too."""

    workdays = Subscription("C1", NINE, PARIS, WORKDAYS)
    tuesday = DueDigest(date(2026, 11, 23), date(2026, 11, 23), datetime(2026, 11, 25, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("told_to", "start"),
        [
            (date(2026, 11, 19), date(2026, 11, 20)),
            (date(2026, 11, 22), date(2026, 11, 23)),
            (date(2026, 9, 1), date(2026, 10, 24)),  # 31 days with Monday
            (None, date(2026, 11, 23)),  # its first digest ever
        ],
    )
    def test_what_was_not_told_is_covered(self, told_to: date | None, start: date) -> None:
        found = caught_up(self.tuesday, told_to, self.workdays)
        assert (found.start, found.day) == (start, date(2026, 11, 23))

    def test_the_day_before_a_subscription_whose_clock_is_ahead_is_not_lost(self) -> None:
        """It began on the 20th of May in Berlin, when the 19th was not over in Los Angeles; the 18th was told."""
        since = datetime(2026, 5, 19, 23, tzinfo=UTC)
        asked = Subscription("C1", time(5, 30), ZoneInfo("Europe/Berlin"), frozenset({3, 5}), since=since)
        friday = DueDigest(date(2026, 5, 20), date(2026, 5, 20), datetime(2026, 5, 23, tzinfo=UTC))
        assert caught_up(friday, date(2026, 5, 18), asked).start == date(2026, 5, 19)
        assert caught_up(friday, date(2026, 5, 10), asked).start == date(2026, 5, 20)


class TestRarerEditions:
    def test_a_week_whose_day_is_a_holiday_comes_on_a_working_day(self) -> None:
        """Friday the 25th and Saturday the 26th of December 2026 are holidays in Germany."""
        fridays = Subscription("C1", NINE, PARIS, frozenset({5}), edition="weekly")
        days = [date(2026, 12, 21) + timedelta(days=count) for count in range(7)]
        calendar = WorkCalendar("DE")
        assert [day for day in days if is_issued(fridays, day, calendar)] == [date(2026, 12, 24)]

    def test_a_week_comes_on_its_first_day_with_a_digest(self) -> None:
        weekly = Subscription("C1", NINE, PARIS, WORKDAYS, "weekly")
        assert due(weekly, "2026-11-23T09:00") == ("2026-11-16", "2026-11-22")
        assert due(weekly, "2026-11-23T08:59") is None
        # Easter Monday, 29 March 2027
        germany = WorkCalendar("DE")
        assert due(weekly, "2027-03-29T09:00", germany) is None
        assert due(weekly, "2027-03-30T09:00", germany) == ("2027-03-22", "2027-03-28")

    def test_a_month_comes_on_its_first_day_with_a_digest(self) -> None:
        monthly = Subscription("C1", NINE, PARIS, WORKDAYS, "monthly")
        # 1 November 2026 is a Sunday.
        assert due(monthly, "2026-11-01T09:00") is None
        assert due(monthly, "2026-11-02T09:00") == ("2026-10-01", "2026-10-31")

    def test_a_week_whose_only_day_is_a_holiday_comes_on_the_next(self) -> None:
        mondays = Subscription("C1", NINE, PARIS, frozenset({1}), "weekly")
        germany = WorkCalendar("DE")
        # Easter Monday, 29 March 2027
        assert due(mondays, "2027-03-29T09:00", germany) is None
        assert due(mondays, "2027-03-30T09:00", germany) == ("2027-03-22", "2027-03-28")

    def test_a_week_or_month_that_an_outage_kept_back_comes_late(self) -> None:
        weekly = Subscription("C1", NINE, PARIS, WORKDAYS, "weekly")
        monthly = Subscription("C1", NINE, PARIS, WORKDAYS, "monthly")
        assert due(weekly, "2026-11-29T23:59") == ("2026-11-16", "2026-11-22")
        assert due(weekly, "2026-11-30T00:00") is None
        assert due(monthly, "2026-11-08T23:59") == ("2026-10-01", "2026-10-31")
        assert due(monthly, "2026-11-09T00:00") is None
        # asked for on Tuesday: last week's came out before
        asked = weekly._replace(since=datetime(2026, 11, 24, 8, tzinfo=PARIS))
        assert due(asked, "2026-11-24T09:00") is None


class TestWorkCalendar:
    def test_working_days_of_a_month(self) -> None:
        from bot.spend.days import Period

        november = Period(date(2026, 11, 1), date(2026, 12, 1))
        assert WorkCalendar().working_days(november) == 21
        # 11 November, Armistice Day, is a Wednesday.
        assert WorkCalendar("FR").working_days(november) == 20

    @pytest.mark.parametrize("where", ["XX", "DE-XX", "de"])
    def test_unknown_countries_are_refused(self, where: str) -> None:
        with pytest.raises(UnknownCountry, match="“"):
            WorkCalendar(where)
