"""Which plan fits: what a person's months would cost on each plan, and which plans a team should buy. Pure.

The method, with its formulas, is described in docs/tiers.md. Dollars are API-equivalent list prices of the usage's own
days; inside, they are whole nanodollars, so that every sum is exact.
"""

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.pricing.plans import Plan

MIN_ACTIVE_DAYS = 10
"""With fewer active days nothing is recommended."""

SURE_ACTIVE_DAYS = 20
"""With fewer active days the confidence is low."""

MIN_SAVING_USD = Decimal(10)
MIN_SAVING_SHARE = Decimal("0.15")
"""A change must save more than both in an ordinary month, and cost no more in a bad one."""

HISTORY_DAYS = 90
"""Days of usage, up to the newest, that months are made of."""

STEADY_DAYS = 30
"""A change is recommended only if the usage up to so many days ago called for it too."""

MONTHS = 1000
SEED = 20260328
WORKING_DAYS, MONTH_DAYS = 22, 30
"""A month is four weeks of five working and two free days, and two working days more."""

_IS_WORKING = np.array([day % 7 < 5 for day in range(MONTH_DAYS)])
_WEEK_STARTS = (0, 7, 14, 21, 28)
_WEEK_DAYS = np.array([7, 7, 7, 7, 2])
_FULL_WEEKS = 4
_NANO = 10**9
_MAX_SCALE = 3000

Nanos = NDArray[np.int64]
Coefficient = Any
"""What the solver computes with. It only chooses: what the choice costs is added up in whole nanodollars."""


class DayUse(NamedTuple):
    """An active day: its usage at API prices, and the same with every cache write made for an hour.

    ``beside_usd`` is the part of both that no Claude seat carries: it is paid in credits at API prices.
    """

    day: date
    usd: Decimal
    long_usd: Decimal
    beside_usd: Decimal = Decimal(0)


class Usage(NamedTuple):
    """One person's active days, oldest first, of a period that ends before ``end``; ``current`` is their plan's id.

    ``renews`` is the day up to which that plan is paid for. ``holidays`` are no working days. ``opus_usd``,
    ``other_usd`` and ``other_as_opus_usd`` are what the period cost on Opus, on other models, and what the latter would
    have cost on Opus.
    """

    person: str
    days: Sequence[DayUse]
    end: date
    current: str = "api"
    holidays: Collection[date] = frozenset()
    opus_usd: Decimal = Decimal(0)
    other_usd: Decimal = Decimal(0)
    other_as_opus_usd: Decimal = Decimal(0)
    renews: date | None = None


class Spread(NamedTuple):
    """What months cost, in US dollars: the mean, an ordinary month (P50) and a bad one (P90)."""

    mean: Decimal
    p50: Decimal
    p90: Decimal


class Option(NamedTuple):
    """One plan for one person.

    ``low`` holds if the plan carries as little as its limit's low end and every cache write is made for an hour;
    ``high`` if it carries as much as the high end. Both are None where no limit is published in dollars.
    ``blocked`` is the share of weeks (or months) in which the limit is reached, at both ends.
    """

    plan: Plan
    low: Spread | None
    high: Spread | None
    blocked: tuple[Decimal, Decimal] | None
    break_even_days: int | None
    """How many days like the person's median active day the fee is worth."""


class Flip(NamedTuple):
    """Where the recommendation changes: at this usage a month, to this plan; and at this share of Opus, if any."""

    usd: Decimal
    plan: Plan
    opus_share: Decimal | None = None


class Advice(NamedTuple):
    """What one person should be on. ``recommended`` is None without enough data.

    ``confidence`` is "none", "low" or "normal". ``waits_for`` is a plan that newer usage calls for, but not yet the
    usage of a month ago. ``renews`` is the day up to which the current plan is paid for.
    """

    person: str
    current: Plan
    recommended: Plan | None
    confidence: str
    active_days: int
    usual_usd: Decimal | None
    month: Spread | None
    options: list[Option]
    flips: list[Flip]
    waits_for: Plan | None = None
    daily_usd: tuple[Decimal, ...] = ()
    """What each active day came to, oldest first."""
    renews: date | None = None

    def option(self, plan: Plan) -> Option:
        """The option of a plan that was looked at."""
        return next(option for option in self.options if option.plan.id == plan.id)


def advise(usage: Usage, plans: Sequence[Plan]) -> Advice:
    """The advice for one person, from plans that one person can buy alone; larger plans are options to look at."""
    current = next(plan for plan in plans if plan.id == usage.current)
    usage = recent(usage)
    active = len(usage.days)
    if active < MIN_ACTIVE_DAYS:
        return Advice(usage.person, current, None, "none", active, None, None, [], [], renews=usage.renews)
    months = sampled(usage)
    usual = _decimal(_quantile(np.array([_nano(day.usd) for day in usage.days]), 50))
    chosen = _best(months, plans, current)
    earlier = recent(usage._replace(end=usage.end - timedelta(days=STEADY_DAYS)))
    before = _best(sampled(earlier), plans, current) if len(earlier.days) >= MIN_ACTIVE_DAYS else chosen
    is_steady = before.id == chosen.id
    recommended = chosen if is_steady else current
    return Advice(
        person=usage.person,
        current=current,
        recommended=recommended,
        confidence="low" if active < SURE_ACTIVE_DAYS else "normal",
        active_days=active,
        usual_usd=usual,
        month=_spread(months.weeks.sum(axis=1)),
        options=[_option(months, plan, usual) for plan in plans],
        flips=_flips(usage, months, plans, current, recommended) if chosen.id == recommended.id else [],
        waits_for=None if chosen.id == recommended.id else chosen,
        daily_usd=tuple(day.usd for day in usage.days),
        renews=usage.renews,
    )


def what_if(daily_usd: Decimal, plans: Sequence[Plan]) -> tuple[Plan, list[Option]]:
    """The best plan for somebody who uses as much on each working day, and what each plan would cost."""
    day = _nano(daily_usd)
    week = [day * int(_IS_WORKING[start : start + 7].sum()) for start in _WEEK_STARTS]
    weeks = np.array([week], np.int64)
    months = Months(weeks, weeks, np.zeros_like(weeks))
    api = next(plan for plan in plans if plan.is_api)
    return _best(months, plans, api), [_option(months, plan, daily_usd) for plan in plans]


def recent(usage: Usage) -> Usage:
    """The part of the usage that months are made of."""
    start = usage.end - timedelta(days=HISTORY_DAYS)
    return usage._replace(days=[day for day in usage.days if start <= day.day < usage.end])


class Months(NamedTuple):
    """Sampled months by week, in nanodollars: as used, with every cache write made for an hour, and the part of both
    that no Claude seat carries."""

    weeks: Nanos
    long_weeks: Nanos
    beside_weeks: Nanos

    def scaled(self, percent: int) -> "Months":
        """The same months with more or less usage."""
        return Months(*(weeks * percent // 100 for weeks in self))


def sampled(usage: Usage) -> Months:
    """MONTHS months drawn from the person's own days since their first: working days and free days apart.

    The draws are the same for everybody and at every call, so that a plan never looks better by chance.
    """
    if not usage.days:
        return Months(*[np.zeros((MONTHS, len(_WEEK_STARTS)), np.int64)] * 3)
    used = {day.day: day for day in usage.days}
    first = min(used)
    calendar = [first + timedelta(days=count) for count in range((usage.end - first).days)]
    is_working = [day.weekday() < 5 and day not in usage.holidays for day in calendar]
    found = []
    for field in ("usd", "long_usd", "beside_usd"):
        amounts = [_nano(getattr(used[day], field)) if day in used else 0 for day in calendar]
        working = np.array([a for a, works in zip(amounts, is_working, strict=True) if works] or [0], np.int64)
        free = np.array([a for a, works in zip(amounts, is_working, strict=True) if not works] or [0], np.int64)
        days = np.where(_IS_WORKING, working[_draws() * len(working) >> 32], free[_draws() * len(free) >> 32])
        # Week after week in memory, as they are summed up again and again.
        found.append(np.asfortranarray(np.add.reduceat(days, _WEEK_STARTS, axis=1)))
    return Months(*found)


@cache
def _draws() -> Nanos:
    """Numbers below 2**32, one for each day of each month."""
    source = random.Random(SEED)  # noqa: S311 - a sample, no secret
    return np.array([[source.getrandbits(32) for _ in range(MONTH_DAYS)] for _ in range(MONTHS)], np.int64)


def month_costs(months: Months, plan: Plan, *, is_low: bool) -> Nanos | None:
    """What each month costs on a plan, fee and usage beyond the limit, at one end of its limit; None if unknown."""
    beyond = _beyond(months, plan, is_low=is_low)
    return None if beyond is None else beyond + _nano(plan.usd)


def _beyond(months: Months, plan: Plan, *, is_low: bool) -> Nanos | None:
    if plan.is_api:
        whole: Nanos = months.weeks.sum(axis=1)
        return whole
    over = _over(months, plan, is_low=is_low)
    if over is None:
        return None
    summed: Nanos = over.sum(axis=1)
    return summed + months.beside_weeks.sum(axis=1) if _is_claude_seat(plan) else summed


def _over(months: Months, plan: Plan, *, is_low: bool) -> Nanos | None:
    """Usage that a limit holds for and that lies beyond it, of each week or (one column) of the month."""
    limit = plan.limit
    if limit is None:
        return None
    over: Nanos
    weeks = months.long_weeks if is_low and _is_claude_seat(plan) else months.weeks
    if _is_claude_seat(plan):
        weeks = weeks - months.beside_weeks
    carried = _nano(limit.low if is_low else limit.high)
    if limit.per == "month":
        over = np.maximum(0, weeks.sum(axis=1, keepdims=True) - carried)
    else:
        over = np.maximum(0, weeks - carried * _WEEK_DAYS // 7)
    return over


def _is_claude_seat(plan: Plan) -> bool:
    """Whether Claude Code is used on it, which keeps the cache for an hour, and for five minutes at API prices."""
    return plan.vendor == "anthropic" and plan.limit is not None and plan.limit.high > 0


def _option(months: Months, plan: Plan, usual: Decimal) -> Option:
    low, high = month_costs(months, plan, is_low=True), month_costs(months, plan, is_low=False)
    if low is None or high is None:
        return Option(plan, None, None, None, _break_even(plan.usd, usual))
    blocked = None
    if plan.price.beyond == "credits":
        blocked = (_blocked(months, plan, is_low=True), _blocked(months, plan, is_low=False))
    return Option(plan, _spread(low), _spread(high), blocked, _break_even(plan.usd, usual))


def _blocked(months: Months, plan: Plan, *, is_low: bool) -> Decimal:
    over = _over(months, plan, is_low=is_low)
    if over is None:
        return Decimal(0)
    whole = over[:, :_FULL_WEEKS]  # of a monthly limit the one column
    return Decimal(int((whole > 0).sum())) / whole.size


def _break_even(fee: Decimal, usual: Decimal) -> int | None:
    return int((fee / usual).to_integral_value(ROUND_CEILING)) if fee and usual else None


def can_buy_alone(plan: Plan) -> bool:
    """Whether one person can be on it without colleagues, and its cost can be worked out."""
    return plan.min_seats == 1 and (plan.is_api or plan.limit is not None)


def _best(months: Months, plans: Sequence[Plan], current: Plan) -> Plan:
    """The cheapest plan on the mean that is worth the change; else the current one. All at the low ends."""
    today = month_costs(months, current, is_low=True)
    if today is None:
        return current
    costs = {plan.id: month_costs(months, plan, is_low=True) for plan in plans if can_buy_alone(plan)}
    cheapest_first = sorted(
        (int(cost.sum()), plan.tool != current.tool, place, plan)
        for place, plan in enumerate(plans)
        if (cost := costs.get(plan.id)) is not None
    )
    for *_, plan in cheapest_first:
        cost = costs[plan.id]
        if plan.id == current.id or (cost is not None and is_worth(cost, today)):
            return plan
    return current


def is_worth(costs: Nanos, today: Nanos) -> bool:
    """Whether months at ``costs`` instead of ``today`` are worth a change."""
    needed = max(_nano(MIN_SAVING_USD), int(_quantile(today, 50) * MIN_SAVING_SHARE))
    return _quantile(today - costs, 50) > needed and _quantile(costs, 90) <= _quantile(today, 90)


def _flips(usage: Usage, months: Months, plans: Sequence[Plan], current: Plan, now: Plan) -> list[Flip]:
    """The nearest usage above and below at which another plan would be recommended."""
    mean = _mean(months.weeks.sum(axis=1))

    def plan_at(percent: int) -> Plan:
        return _best(months.scaled(percent), plans, current)

    found = []
    for far in (0, _MAX_SCALE):
        if plan_at(far).id == now.id:
            continue
        same, other = 100, far
        while abs(other - same) > 1:
            middle = (same + other) // 2
            same, other = (middle, other) if plan_at(middle).id == now.id else (same, middle)
        usd = mean * other / 100
        found.append(Flip(usd, plan_at(other), _opus_share(usage, Decimal(other) / 100)))
    return found


def _opus_share(usage: Usage, factor: Decimal) -> Decimal | None:
    """The share of the cost on Opus at which the usage costs ``factor`` times as much, tokens unchanged."""
    dearer = usage.other_as_opus_usd - usage.other_usd
    now = usage.opus_usd + usage.other_usd
    if factor <= 1 or dearer <= 0 or not now:
        return None
    moved = now * (factor - 1) / dearer
    if moved > 1:
        return None
    return (usage.opus_usd + moved * usage.other_as_opus_usd) / (now * factor)


class Seats(NamedTuple):
    """Seats of a plan that are paid for already, by plan id."""

    plan: str
    seats: int


class TeamPlan(NamedTuple):
    """Who is on which plan, how many seats of each are paid, and what a mean month costs in all."""

    plans: dict[str, str]
    seats: dict[str, int]
    usd: Decimal


class Outlook(NamedTuple):
    """What a team's months cost with a choice, at the low and at the high ends of the limits.

    ``blocked`` is the share of the weeks of those on a seat in which its limit is reached, at both ends.
    """

    low: Spread
    high: Spread
    blocked: tuple[Decimal, Decimal]


class TeamAdvice(NamedTuple):
    """The cheapest mix for a team beside three others; ``same`` is None where no single plan takes everybody.

    ``now`` keeps the seats that are paid for; ``at_renewal`` is free of them. ``is_worth`` says whether changing from
    ``today`` to ``now`` saves enough. ``left_out`` have too little data, ``not_compared`` are on a plan whose limit is
    not published; both stay where they are, and their seats are in all amounts.
    """

    now: TeamPlan
    at_renewal: TeamPlan
    all_api: TeamPlan
    same: TeamPlan | None
    today: TeamPlan
    outlook: Outlook
    outlook_today: Outlook
    is_worth: bool
    left_out: list[str]
    not_compared: list[str]


def advise_team(
    usages: Sequence[Usage],
    plans: Sequence[Plan],
    paid: Sequence[Seats] = (),
    max_vendors: int | None = None,
) -> TeamAdvice:
    """The cheapest mix of plans for a team, exactly, on the mean month at the low end of each limit."""
    usages = [recent(usage) for usage in usages]
    known = {plan.id: plan for plan in plans}
    left_out = [usage for usage in usages if len(usage.days) < MIN_ACTIVE_DAYS]
    enough = [usage for usage in usages if len(usage.days) >= MIN_ACTIVE_DAYS]
    not_compared = [usage for usage in enough if not is_comparable(known[usage.current])]
    compared = [usage for usage in enough if is_comparable(known[usage.current])]
    market = Market(plans, max_vendors, Counter(usage.current for usage in (*left_out, *not_compared)))
    needs = [need_of(usage.person, sampled(usage), market.choices) for usage in compared]
    kept: Counter[str] = Counter()
    for seats in paid:
        kept[seats.plan] += seats.seats
    today = market.priced(needs, {usage.person: usage.current for usage in compared}, kept)
    same = [
        market.priced(needs, everybody, kept)
        for plan in market.choices
        if market.is_allowed(needs, everybody := dict.fromkeys(today.plans, plan.id))
    ]
    now = market.cheapest(needs, kept)
    months = {usage.person: sampled(usage) for usage in compared}
    low, high = market.months(now, months, is_low=True), market.months(now, months, is_low=False)
    low_today, high_today = (market.months(today, months, is_low=is_low) for is_low in (True, False))
    return TeamAdvice(
        now=now,
        at_renewal=market.cheapest(needs, {}),
        all_api=market.priced(needs, dict.fromkeys(today.plans, "api"), kept),
        same=min(same, key=lambda plan: plan.usd, default=None),
        today=today,
        outlook=Outlook(_spread(low), _spread(high), market.blocked(now, months)),
        outlook_today=Outlook(_spread(low_today), _spread(high_today), market.blocked(today, months)),
        is_worth=is_worth(low, low_today),
        left_out=[usage.person for usage in left_out],
        not_compared=[usage.person for usage in not_compared],
    )


def is_comparable(plan: Plan) -> bool:
    """Whether what a plan costs can be worked out."""
    return plan.is_api or plan.limit is not None


class Need(NamedTuple):
    """One person in the choice of a team, in nanodollars of a mean month: all usage, and what each plan leaves."""

    person: str
    usage: int
    beyond: dict[str, int]


def need_of(person: str, months: Months, plans: Sequence[Plan]) -> Need:
    """What a person's mean month leaves to pay beyond each plan's limit."""
    beyond = {}
    for plan in plans:
        left = _beyond(months, plan, is_low=True)
        if left is not None:
            beyond[plan.id] = int(left.sum()) // MONTHS
    return Need(person, int(months.weeks.sum()) // MONTHS, beyond)


class Market:
    """The plans that a team chooses from, and at most how many vendors it wants to deal with.

    ``taken`` counts the seats, by plan id, of people who stay where they are and are in no choice.
    """

    def __init__(
        self, plans: Sequence[Plan], max_vendors: int | None = None, taken: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self.plans = list(plans)
        self.choices = [plan for plan in plans if is_comparable(plan)]
        self.max_vendors = max_vendors
        self.taken = taken

    def products(self) -> list[list[Plan]]:
        """The plans whose seats count together for a minimum and a maximum."""
        by_product: dict[str, list[Plan]] = {}
        for plan in self.plans:
            if not plan.is_api:
                by_product.setdefault(plan.product, []).append(plan)
        return list(by_product.values())

    def seats(self, users: Mapping[str, int], paid: Mapping[str, int]) -> dict[str, int]:
        """Seats of each plan: as many as its people, as are paid for already, and as its product's minimum."""
        found: dict[str, int] = {}
        for product in self.products():
            needed = {plan.id: users.get(plan.id, 0) + self.taken.get(plan.id, 0) for plan in product}
            counts = {plan.id: max(needed[plan.id], paid.get(plan.id, 0)) for plan in product}
            missing = _least_seats(product) - sum(counts.values())
            if any(needed.values()) and missing > 0:
                counts[min(product, key=lambda plan: plan.usd).id] += missing
            found |= {plan_id: count for plan_id, count in counts.items() if count}
        return found

    def priced(self, needs: Sequence[Need], chosen: Mapping[str, str], paid: Mapping[str, int]) -> TeamPlan:
        """What a choice costs in a mean month."""
        seats = self.seats(Counter(chosen.values()), paid)
        total = self._fees(seats)
        for plan in self.choices:
            users = [need for need in needs if chosen[need.person] == plan.id]
            if plan.pooled and plan.limit is not None:
                # A seat that nobody has brings nothing into the pool.
                carried = _nano(plan.limit.monthly_low) * len(users)
                total += max(0, sum(need.usage for need in users) - carried)
            else:
                total += sum(need.beyond[plan.id] for need in users)
        return TeamPlan(dict(chosen), seats, _decimal(total))

    def _fees(self, seats: Mapping[str, int]) -> int:
        return sum(_nano(plan.usd) * seats.get(plan.id, 0) for plan in self.plans)

    def months(self, team: TeamPlan, months: Mapping[str, Months], *, is_low: bool) -> Nanos:
        """What each sampled month costs the whole team."""
        costs: Nanos = np.full(MONTHS, self._fees(team.seats), np.int64)
        for plan in self.choices:
            users = [months[person] for person, chosen in team.plans.items() if chosen == plan.id]
            if plan.pooled and plan.limit is not None:
                carried = plan.limit.monthly_low if is_low else plan.limit.monthly_high
                used = sum((user.weeks.sum(axis=1) for user in users), np.zeros(MONTHS, np.int64))
                costs = costs + np.maximum(0, used - _nano(carried) * len(users))
                continue
            for user in users:
                beyond = _beyond(user, plan, is_low=is_low)
                costs = costs if beyond is None else costs + beyond
        return costs

    def blocked(self, team: TeamPlan, months: Mapping[str, Months]) -> tuple[Decimal, Decimal]:
        """The share of weeks (or months) on a seat with a limit in which it is reached, at its low and high end."""
        plans = {plan.id: plan for plan in self.choices}
        seated = [
            (months[person], plans[chosen])
            for person, chosen in team.plans.items()
            if plans[chosen].price.beyond == "credits" and not plans[chosen].pooled
        ]
        if not seated:
            return Decimal(0), Decimal(0)
        low, high = (
            sum((_blocked(user, plan, is_low=is_low) for user, plan in seated), Decimal(0)) / len(seated)
            for is_low in (True, False)
        )
        return low, high

    def is_allowed(self, needs: Sequence[Need], chosen: Mapping[str, str]) -> bool:
        """Whether no product has more people than it takes and no more vendors are used than wanted."""
        used = Counter(chosen[need.person] for need in needs)
        for product in self.products():
            people = sum(used[plan.id] for plan in product)
            most = _most_people(product, self.taken)
            if people and most is not None and people > most:
                return False
        vendors = {plan.vendor for plan in self.plans if used[plan.id]}
        return self.max_vendors is None or len(vendors) <= self.max_vendors

    def cheapest(self, needs: Sequence[Need], paid: Mapping[str, int]) -> TeamPlan:
        """The cheapest choice there is: a mixed-integer program, solved to its optimum."""
        if not needs:
            return self.priced(needs, {}, paid)
        program = _Program(self, needs, paid)
        return self.priced(needs, program.solved(), paid)


def _least_seats(product: Sequence[Plan]) -> int:
    """The least seats that are sold of a product; of its plans' statements, the strictest."""
    return max(plan.min_seats for plan in product)


def _most_people(product: Sequence[Plan], taken: Mapping[str, int]) -> int | None:
    """How many more people a product takes; None if any number."""
    stated = [plan.max_seats for plan in product if plan.max_seats is not None and not plan.is_personal]
    return max(0, min(stated) - sum(taken.get(plan.id, 0) for plan in product)) if stated else None


class _Program:
    """Variables: who is on which plan (0 or 1), then for each plan its seats, whether it is used and, if it is pooled,
    the usage beyond the pool in dollars, then for each vendor whether it is used."""

    def __init__(self, market: Market, needs: Sequence[Need], paid: Mapping[str, int]) -> None:
        self.market, self.needs, self.paid = market, needs, paid
        self.plans = market.choices
        self.people, self.kinds = len(needs), len(self.plans)
        self.vendors = sorted({plan.vendor for plan in self.plans})
        self.on = self.people * self.kinds
        self.size = self.on + 3 * self.kinds + len(self.vendors)
        self.rows: list[tuple[list[int], list[Coefficient], Coefficient, Coefficient]] = []

    def solved(self) -> dict[str, str]:
        """Each person's plan. Raises RuntimeError where the solver finds none: the API takes everybody."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array

        self._constrain()
        cells = [
            (value, row, column)
            for row, (columns, values, _, _) in enumerate(self.rows)
            for column, value in zip(columns, values, strict=True)
        ]
        values, rows, columns = zip(*cells, strict=True)
        matrix = csr_array((values, (rows, columns)), shape=(len(self.rows), self.size))
        limits = LinearConstraint(matrix, [row[2] for row in self.rows], [row[3] for row in self.rows])
        integral = np.ones(self.size)
        for kind in range(self.kinds):
            integral[self._pool(kind)] = 0
        result = milp(
            self._costs(),
            integrality=integral,
            bounds=Bounds(self._least(), self._most()),
            constraints=limits,
            options={"mip_rel_gap": 0},
        )
        if result.x is None:
            raise RuntimeError(f"no mix of plans was found: {result.message}")
        picked = np.asarray(result.x[: self.on]).reshape(self.people, self.kinds).argmax(axis=1)
        return {need.person: self.plans[kind].id for need, kind in zip(self.needs, picked, strict=True)}

    def _is(self, person: int, kind: int) -> int:
        return person * self.kinds + kind

    def _seats(self, kind: int) -> int:
        return self.on + kind

    def _used(self, kind: int) -> int:
        return self.on + self.kinds + kind

    def _pool(self, kind: int) -> int:
        return self.on + 2 * self.kinds + kind

    def _vendor(self, name: str) -> int:
        return self.on + 3 * self.kinds + self.vendors.index(name)

    def _costs(self) -> list[Coefficient]:
        costs = [0.0] * self.size
        for kind, plan in enumerate(self.plans):
            costs[self._seats(kind)] = np.float64(plan.usd)
            costs[self._pool(kind)] = 1.0
            if not plan.pooled:
                for person, need in enumerate(self.needs):
                    costs[self._is(person, kind)] = need.beyond[plan.id] / _NANO
        return costs

    def _least(self) -> list[Coefficient]:
        least = [0.0] * self.size
        for kind, plan in enumerate(self.plans):
            least[self._seats(kind)] = np.float64(self.paid.get(plan.id, 0))
        return least

    def _most(self) -> list[Coefficient]:
        most = [1.0] * self.size
        for kind, plan in enumerate(self.plans):
            most[self._seats(kind)] = 0.0 if plan.is_api else np.inf
            most[self._pool(kind)] = np.inf if plan.pooled else 0.0
        return most

    def _constrain(self) -> None:
        everybody = range(self.people)
        for person in everybody:
            self.rows.append(([self._is(person, k) for k in range(self.kinds)], [1.0] * self.kinds, 1, 1))
        for kind, plan in enumerate(self.plans):
            users, ones = [self._is(person, kind) for person in everybody], [1.0] * self.people
            if not plan.is_api:
                taken = np.float64(self.market.taken.get(plan.id, 0))
                self.rows.append(([*users, self._seats(kind)], [*ones, -1.0], -np.inf, -taken))
            self.rows.append(([*users, self._used(kind)], [*ones, -np.float64(self.people)], -np.inf, 0))
            if plan.pooled and plan.limit is not None:
                carried = np.float64(plan.limit.monthly_low)
                beyond = [need.usage / _NANO - carried for need in self.needs]
                self.rows.append(([*users, self._pool(kind)], [*beyond, -1.0], -np.inf, 0))
            if self.market.max_vendors is not None:
                self.rows.append(([self._used(kind), self._vendor(plan.vendor)], [1.0, -1.0], -np.inf, 0))
        for product in self.market.products():
            self._constrain_product([kind for kind, plan in enumerate(self.plans) if plan in product])
        if self.market.max_vendors is not None:
            vendors = [self._vendor(name) for name in self.vendors]
            self.rows.append((vendors, [1.0] * len(vendors), 0, self.market.max_vendors))

    def _constrain_product(self, kinds: Sequence[int]) -> None:
        """The least seats of a product, where anybody is on it, and the most people."""
        if not kinds:
            return
        product = [self.plans[kind] for kind in kinds]
        seats, ones = [self._seats(kind) for kind in kinds], [1.0] * len(kinds)
        least = np.float64(_least_seats(product))
        if least > 1:
            for kind in kinds:
                self.rows.append(([*seats, self._used(kind)], [*ones, -least], 0, np.inf))
            if any(self.market.taken.get(plan.id, 0) for plan in product):
                self.rows.append((seats, ones, least, np.inf))
        most = _most_people(product, self.market.taken)
        if most is not None:
            users = [self._is(person, kind) for kind in kinds for person in range(self.people)]
            self.rows.append((users, [1.0] * len(users), 0, most))


def _spread(costs: Nanos) -> Spread:
    return Spread(_mean(costs), _decimal(_quantile(costs, 50)), _decimal(_quantile(costs, 90)))


def _mean(costs: Nanos) -> Decimal:
    return _decimal(int(costs.sum()) // len(costs))


def _quantile(values: Any, percent: int) -> int:
    """The nearest-rank quantile: the smallest value that ``percent`` of all do not exceed."""
    ordered = np.sort(values)
    return int(ordered[-(-percent * len(ordered) // 100) - 1])


def _nano(usd: Decimal) -> int:
    return int(usd * _NANO)


def _decimal(nano: int) -> Decimal:
    return Decimal(nano) / _NANO
