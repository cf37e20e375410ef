"""When a digest is due, and which days it covers: own arithmetic, right on every day of every zone."""

from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.spend.days import ONE_DAY, due_at, spend_day
from bot.spend.digest import DAILY, MONTHLY, WEEKLY
from bot.spend.workdays import WorkCalendar
from bot.store.subscriptions import Subscription

LONGEST_PAUSE = 31
"""Days that one daily digest covers at the most, after a long holiday or outage."""

CLOCKS_APART = timedelta(days=3)
"""By so many days the last day that was told may lie before the day on which a subscription began."""

LATE_MONTH = timedelta(days=7)
"""A monthly digest that an outage kept back is news for so long; a weekly one until its next comes."""


class DueDigest(NamedTuple):
    """A digest that is owed: of the days from ``start`` to ``day``, both counted, until ``expires_at``."""

    start: date
    day: date
    expires_at: datetime


def digest_due(
    subscription: Subscription, now: datetime, calendar: WorkCalendar | None = None, spend_zone: ZoneInfo | None = None
) -> DueDigest | None:
    """The digest that is owed at ``now``: a daily one from its time on until the local day ends; else None.

    After an outage this is still one digest, of the newest days, not one for each day that was missed. Its days are
    finished ones: where the channel's clock is hours ahead of ``spend_zone`` (its own where None), a daily digest
    tells the last day that is over when it is due, and a rarer one waits until its last day is over.
    """
    calendar = calendar or WorkCalendar()
    today = spend_day(now, subscription.zone)
    issued = _issue_day(subscription, today, calendar)
    if issued is None:
        return None
    due = due_at(issued, subscription.at, subscription.zone)
    if due > now or (subscription.since is not None and due <= subscription.since):
        return None
    start, day = covered_from(subscription, issued, calendar), _covered_to(subscription, issued)
    expires = due_at(_news_until(subscription, issued), time(0), subscription.zone)
    if spend_zone is not None and subscription.edition == DAILY:
        # At its time and not at this moment: later on the same local day, one day more may be over.
        unfinished = max(day - spend_day(due, spend_zone) + ONE_DAY, timedelta(0))
        start, day = start - unfinished, day - unfinished
    elif spend_zone is not None and day >= spend_day(now, spend_zone):
        return None
    return DueDigest(start, day, expires)


def caught_up(due: DueDigest, told_to: date | None, subscription: Subscription) -> DueDigest:
    """A daily digest of all days after ``told_to``, the last told one: none is told twice, none lost to an outage."""
    if told_to is None or subscription.edition != DAILY:
        return due
    since = date.min if subscription.since is None else subscription.since.astimezone(subscription.zone).date()
    # Days of a time without the subscription are owed to nobody; where its clock is ahead, the day before is.
    after = told_to + ONE_DAY if told_to + CLOCKS_APART >= since else since
    untold = max(after, due.day - (LONGEST_PAUSE - 1) * ONE_DAY)
    return due._replace(start=min(untold, due.day))


def _issue_day(subscription: Subscription, today: date, calendar: WorkCalendar) -> date | None:
    """The day whose digest is the one of today: today itself, or of a rarer edition the last one not too old."""
    late = (_news_until(subscription, today) - today).days if subscription.edition == MONTHLY else today.isoweekday()
    latest = 1 if subscription.edition == DAILY else late
    days = (today - back * ONE_DAY for back in range(latest))
    return next((day for day in days if is_issued(subscription, day, calendar)), None)


def _news_until(subscription: Subscription, issued: date) -> date:
    """The day on which a digest is news no more: tomorrow the next daily one is."""
    if subscription.edition == WEEKLY:
        return issued + timedelta(days=8 - issued.isoweekday())
    return issued + (LATE_MONTH if subscription.edition == MONTHLY else ONE_DAY)


def is_issued(subscription: Subscription, day: date, calendar: WorkCalendar) -> bool:
    """Whether a digest comes out on a day: not on other weekdays and holidays, and rarer editions once a period."""
    if subscription.edition == WEEKLY:
        monday = day - timedelta(days=day.isoweekday() - 1)
        return day == _first(subscription, [monday + n * ONE_DAY for n in range(7)], calendar)
    if subscription.edition == MONTHLY:
        return day == _first(subscription, [day.replace(day=1) + n * ONE_DAY for n in range(28)], calendar)
    return _comes_on(subscription, day, calendar)


def covered_from(subscription: Subscription, today: date, calendar: WorkCalendar) -> date:
    """The first day that the digest of ``today`` covers."""
    if subscription.edition == WEEKLY:
        return today - timedelta(days=today.isoweekday() + 6)
    if subscription.edition == MONTHLY:
        return (today.replace(day=1) - ONE_DAY).replace(day=1)
    for back in range(1, LONGEST_PAUSE):
        if _comes_on(subscription, today - back * ONE_DAY, calendar):
            return today - back * ONE_DAY
    return today - LONGEST_PAUSE * ONE_DAY


def _covered_to(subscription: Subscription, today: date) -> date:
    if subscription.edition == WEEKLY:
        return today - timedelta(days=today.isoweekday())
    return today.replace(day=1) - ONE_DAY if subscription.edition == MONTHLY else today - ONE_DAY


def _first(subscription: Subscription, days: list[date], calendar: WorkCalendar) -> date:
    """The first of some days that a rarer edition comes on.

    Where they are holidays, it comes on the next working day, or else on the last before.
    """
    wanted = (day for day in days if _comes_on(subscription, day, calendar))
    chosen = next((day for day in days if day.isoweekday() in subscription.weekdays), days[0])
    working = [day for day in days if calendar.is_working(day)]
    others = [*(day for day in working if day > chosen), *reversed([day for day in working if day < chosen]), chosen]
    return next(wanted, others[0])


def _comes_on(subscription: Subscription, day: date, calendar: WorkCalendar) -> bool:
    is_holiday = day in calendar.holidays(day.year)
    return day.isoweekday() in subscription.weekdays and not is_holiday
