"""The advisor: which plan fits whom, from the usage that is stored."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple, Protocol, TypeVar

from bot.pricing import PriceBook, PricingError, TokenUsage, list_cost
from bot.pricing.plans import API, Commitment, Plan, PlanBook
from bot.pricing.tiers import (
    HISTORY_DAYS,
    STEADY_DAYS,
    Advice,
    DayUse,
    Seats,
    TeamAdvice,
    Usage,
    advise,
    advise_team,
)
from bot.spend.amounts import ZERO, Quantity
from bot.spend.days import ONE_DAY, Period
from bot.spend.workdays import WorkCalendar
from bot.store.bulk import batches
from bot.store.database import Database
from bot.store.people import people_of_team, person_by_email
from bot.store.quantities import Share, shares, stored_period
from bot.store.ranges import fuller_ranges
from bot.store.teams import find_team

NOT_MODELLED = (
    "rate limits within a day (five-hour windows)",
    "how well another tool would do the same work",
    "what a change of tools costs",
    "keys in pipelines, which cannot use seats",
    "taxes and currency",
)
"""What no figure here holds; every recommendation says so."""


AT_ONCE = 100
"""People whose usage is looked at together."""

_T = TypeVar("_T")


class Track(Protocol):
    """Hands on what it is given, and may show how far it is."""

    def __call__(self, things: Sequence[_T], /) -> Iterable[_T]: ...


class Recommendation(NamedTuple):
    """Advice for people and, where there is more than one, for all of them together, by the prices of ``on``.

    ``newer`` names plans whose first price is newer than the usage; ``unpriced_tokens`` are in no figure; ``unknown``
    are addresses on seats of the team's plans file that nobody here has. ``without_days_usd`` is what totals of several
    days say beyond their people's days, which is in no figure either.
    """

    on: date
    people: list[Advice]
    team: TeamAdvice | None
    plans: list[Plan]
    newer: list[str]
    unpriced_tokens: int = 0
    unknown: tuple[str, ...] = ()
    without_days_usd: Decimal = ZERO


class Advisor:
    """Recommends plans to one workspace's people."""

    def __init__(
        self, database: Database, book: PriceBook, plans: PlanBook, calendar: Callable[[], WorkCalendar]
    ) -> None:
        self.database = database
        self.book = book
        self.plans = plans
        self.calendar = calendar

    def for_person(self, email: str, today: date) -> Recommendation | None:
        """The advice for one person; None if nobody here has that address."""
        person = person_by_email(self.database, email)
        if person is None:
            return None
        return self._recommend(today, {person.id: person.label}, with_team=False)

    def for_team(self, today: date, team: str | None = None, track: Track = iter) -> Recommendation | None:
        """The advice for a team, or for everybody with an address; None if there is no such team.

        People are looked at in groups, which go through ``track``: of thousands it takes minutes.
        """
        members = self._members(team)
        return None if members is None else self._recommend(today, members, with_team=True, track=track)

    def mix(self, today: date, team: str | None, most: int) -> TeamAdvice | None:
        """What ``for_team`` says of all together, without advice for each; None of more than ``most`` people."""
        members = self._members(team)
        if not members or len(members) > most:
            return None
        on = self._on(today)
        plans = self._plans(members, on)
        usages, _ = self._usages(members, on)
        return advise_team(usages, plans, self._paid(members, today, plans), self.plans.max_vendors)

    def _members(self, team: str | None) -> dict[int, str] | None:
        named = find_team(self.database, team) if team is not None else None
        if team is not None and named is None:
            return None
        return people_of_team(self.database, named.id if named else None)

    def _recommend(
        self, today: date, members: dict[int, str], *, with_team: bool, track: Track = iter
    ) -> Recommendation:
        on = self._on(today)
        plans = self._plans(members, on)
        used: list[Usage] = []
        people: list[Advice] = []
        unpriced = 0
        by_name = sorted(members.items(), key=lambda member: member[1])
        for some in track(list(batches(by_name, AT_ONCE))):
            found, left_out = self._usages(dict(some), on)
            used += found
            people += (advise(usage, plans) for usage in found)
            unpriced += left_out
        team = None
        if with_team and used:
            team = advise_team(used, plans, self._paid(members, today, plans), self.plans.max_vendors)
        newer = [name for name in self.plans.later_than(on) if name not in {plan.name for plan in plans}]
        unknown = self._unknown() if with_team else ()
        totals = (one for one in fuller_ranges(self.database, _looked_at(on)) if one.of.person_id in members)
        without_days = sum((one.more_usd for one in totals), ZERO)
        return Recommendation(on, people, team, plans, newer, unpriced, unknown, without_days)

    def _on(self, today: date) -> date:
        """The day whose prices hold: the newest with usage."""
        stored = stored_period(self.database)
        return min(today, stored.end - ONE_DAY) if stored else today

    def _plans(self, members: dict[int, str], on: date) -> list[Plan]:
        """The plans of a day to choose from, with those that these people are on."""
        seats = map(self._seats.get, (label.lower() for label in members.values()))
        return self.plans.with_current(on, {seat.plan if seat else API for seat in seats})

    def _paid(self, members: dict[int, str], today: date, plans: Sequence[Plan]) -> list[Seats]:
        """The seats that these people can have for nothing more: paid beyond today, and nobody else's."""
        labels, known = {label.lower() for label in members.values()}, {plan.id for plan in plans}
        paid = []
        for one in self.plans.commitments:
            others = sum(person.lower() not in labels for person in one.people)
            is_paid = one.renews is None or one.renews > today
            if is_paid and one.plan in known and one.seats > others:
                paid.append(Seats(one.plan, one.seats - others))
        return paid

    @cached_property
    def _seats(self) -> dict[str, Commitment]:
        """The paid seat of each address, in small letters, of which the team's file says one."""
        return {person.lower(): one for one in reversed(self.plans.commitments) for person in one.people}

    def _unknown(self) -> tuple[str, ...]:
        """The addresses on seats that nobody here has."""
        named = [person for one in self.plans.commitments for person in one.people]
        return tuple(person for person in named if person_by_email(self.database, person) is None)

    def _usages(self, members: dict[int, str], on: date) -> tuple[list[Usage], int]:
        period = _looked_at(on)
        of_person: dict[int, list[Share]] = defaultdict(list)
        for share in shares(self.database, period, members):
            of_person[share.person_id].append(share)
        holidays = self.calendar().holidays_in(period)
        usages, unpriced = [], 0
        for person_id, label in sorted(members.items(), key=lambda member: member[1]):
            quantities = [share.quantity for share in of_person[person_id]]
            days, left_out = self._days(quantities)
            unpriced += left_out
            opus, other, as_opus = self._mix(quantities)
            seat = self._seats.get(label.lower())
            current, renews = (seat.plan, seat.renews) if seat else (API, None)
            usages.append(
                Usage(label, days, period.end, current, holidays, opus, other, as_opus, renews),
            )
        return usages, unpriced

    def _days(self, quantities: Iterable[Quantity]) -> tuple[list[DayUse], int]:
        """API-equivalent days, and the tokens that have no price."""
        usd: dict[date, Decimal] = defaultdict(lambda: ZERO)
        long: dict[date, Decimal] = defaultdict(lambda: ZERO)
        beside: dict[date, Decimal] = defaultdict(lambda: ZERO)
        unpriced = 0
        for quantity in quantities:
            cost = self._list_usd(quantity, quantity.usage)
            if cost is None and quantity.usage.tokens:
                unpriced += quantity.usage.tokens
                continue
            if cost is None:
                usd[quantity.day] += quantity.reported_usd or ZERO
                long[quantity.day] += quantity.reported_usd or ZERO
                continue
            written = quantity.usage.cache_write_5m + quantity.usage.cache_write_1h
            for_an_hour = quantity.usage._replace(cache_write_5m=0, cache_write_1h=written)
            usd[quantity.day] += cost
            family = self.book.model(quantity.model, quantity.day).family
            if self.plans.is_beside(family, quantity.conditions.speed, quantity.day):
                long[quantity.day] += cost
                beside[quantity.day] += cost
            else:
                long[quantity.day] += self._list_usd(quantity, for_an_hour) or cost
        return [DayUse(day, usd[day], long[day], beside[day]) for day in sorted(usd) if usd[day]], unpriced

    def _mix(self, quantities: Sequence[Quantity]) -> tuple[Decimal, Decimal, Decimal]:
        """What was used on Opus, on other models, and what the latter would have cost on that day's Opus."""
        opus = other = as_opus = ZERO
        for quantity in quantities:
            cost = self._list_usd(quantity, quantity.usage)
            if cost is None:
                continue
            if self.book.model(quantity.model, quantity.day).family == "opus":
                opus += cost
                continue
            other += cost
            try:
                as_opus += list_cost(quantity.usage, "opus", quantity.day, self.book).usd
            except PricingError:
                as_opus += cost
        return opus, other, as_opus

    def _list_usd(self, quantity: Quantity, usage: TokenUsage) -> Decimal | None:
        """List price: what a source states may be net of discounts or nothing under a seat. None without a price."""
        if not usage.tokens and quantity.reported_usd is not None:
            return None
        try:
            return list_cost(usage, quantity.model, quantity.day, self.book, quantity.conditions).usd
        except PricingError:
            return None


def _looked_at(on: date) -> Period:
    """The days whose usage decides, up to the newest."""
    return Period(on - timedelta(days=HISTORY_DAYS + STEADY_DAYS - 1), on + ONE_DAY)
