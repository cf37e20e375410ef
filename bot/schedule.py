"""When a digest is due, and which days it covers: own arithmetic, right on every day of every zone."""

from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from bot.spend.days import ONE_DAY, due_at, spend_day
from bot.spend.digest import MONTHLY, WEEKLY
from bot.spend.workdays import WorkCalendar
from bot.store.subscriptions import Subscription

LONGEST_PAUSE = 14
"""Days that one daily digest covers at the most, after a long holiday."""


class DueDigest(NamedTuple):
    """A digest that is owed: of the days from ``start`` to ``day``, both counted, until ``expires_at``."""

    start: date
    day: date
    expires_at: datetime


def digest_due(subscription: Subscription, now: datetime, calendar: WorkCalendar | None = None) -> DueDigest | None:
    """The digest that is owed at ``now``: from its time on until the local day ends; else None.

    After an outage this is still one digest, of the newest days, not one for each day that was missed.
    """
    calendar = calendar or WorkCalendar()
    today = spend_day(now, subscription.zone)
    due = due_at(today, subscription.at, subscription.zone)
    if not is_issued(subscription, today, calendar) or due > now:
        return None
    if subscription.since is not None and due <= subscription.since:
        return None
    start = covered_from(subscription, today, calendar)
    # Yesterday's digest is news until midnight; then the next one is.
    return DueDigest(start, _covered_to(subscription, today), due_at(today + ONE_DAY, time(0), subscription.zone))


def is_issued(subscription: Subscription, day: date, calendar: WorkCalendar) -> bool:
    """Whether a digest comes out on a day: not on other weekdays and holidays, and rarer editions once a period."""
    if not _comes_on(subscription, day, calendar):
        return False
    if subscription.edition == WEEKLY:
        return not any(_comes_on(subscription, day - back * ONE_DAY, calendar) for back in range(1, day.isoweekday()))
    if subscription.edition == MONTHLY:
        return not any(_comes_on(subscription, day - back * ONE_DAY, calendar) for back in range(1, day.day))
    return True


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


def _comes_on(subscription: Subscription, day: date, calendar: WorkCalendar) -> bool:
    is_holiday = day in calendar.holidays(day.year)
    return day.isoweekday() in subscription.weekdays and not is_holiday
