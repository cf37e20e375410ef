"""What a digest says about one day, worked out from daily quantities. Pure; the words are made in bot/slack/blocks."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.pricing import PriceBook, PricingError
from bot.spend.amounts import ZERO, Amount, Quantity, amount
from bot.spend.days import ONE_DAY, Period, due_at, month_to_date
from bot.spend.workdays import WorkCalendar

WEEKS_COMPARED = 4
"""A day is compared with the median of the last four same weekdays; fewer say too little."""

MIN_WEEKDAYS = 5
"""With fewer same weekdays, the median of the last Mondays to Fridays stands in, if there are at least this many."""

MIN_BASELINE_USD = Decimal(1)
TOP_MODELS = 3
LOOKBACK = timedelta(weeks=WEEKS_COMPARED)
TREND_DAYS = 14
TREND_MODELS = 5

MIN_FORECAST_DAYS = 5
"""Working days of the last four weeks that a forecast needs."""

SPREAD = Decimal("1.28")
"""Standard deviations on either side that hold eight months in ten."""

ANOMALY_TIMES, ANOMALY_USD = 2, Decimal(20)
"""A day is worth a word if it is twice the usual one and this much more."""

CORRECTED_USD, CORRECTED_SHARE = Decimal(1), Decimal("0.01")
"""A digest is corrected if its total changed by more than either."""

DAILY, WEEKLY, MONTHLY = "daily", "weekly", "monthly"
EDITIONS = (DAILY, WEEKLY, MONTHLY)


class Baseline(NamedTuple):
    """What is usual: the median of ``samples`` earlier days of the kind that ``name`` says ("Thursday", "weekday")."""

    name: str
    usd: Decimal
    samples: int


class ModelSpend(NamedTuple):
    """One model's share of the day. ``name`` is None for all further models together, and so is its ``id``."""

    name: str | None
    usd: Decimal
    id: str | None = None


class Forecast(NamedTuple):
    """What the month will come to if its working days go on like the last ones: most likely, and from low to high."""

    usd: Decimal
    low: Decimal
    high: Decimal


class Anomaly(NamedTuple):
    """A day well above the usual: how many times, and the model that grew the most, with its growth in dollars."""

    day: date
    times: Decimal
    model: str
    more_usd: Decimal


class Month(NamedTuple):
    """The month of a digest up to its last day: spend, budget, working days so far and in all."""

    usd: Decimal
    budget_usd: Decimal | None
    working_days: int
    all_working_days: int
    forecast: Forecast | None


class TrendDay(NamedTuple):
    """One day of the picture: dollars by model name, the rest under None, and whether people work on it."""

    day: date
    models: dict[str | None, Decimal]
    is_working: bool


class PeopleCount(NamedTuple):
    """How many people used anything, reached their limit, and were told so; and what nobody is named for.

    ``named`` are those over their limit who may be named: some, all or none of them.
    """

    active: int
    over_limit: int
    told: int
    unassigned_usd: Decimal
    unassigned_actors: int
    named: tuple[str, ...] = ()


class Arrival(NamedTuple):
    """When a source last brought a day that it speaks for (UTC), and if its days are UTC days.

    ``is_live`` says that it brings usage as it happens, ``lag`` how much later than it is used it does.
    """

    source: str
    at: datetime
    utc_days: bool
    is_live: bool = False
    lag: timedelta = timedelta(0)

    def is_late(self, day: date, zone: str, now: datetime | None) -> bool:
        """Whether it came before all of the day was told, so that more is to come. ``now`` is None once it is over."""
        over_at = due_at(day + ONE_DAY, time(0), ZoneInfo("UTC" if self.utc_days else zone))
        return self.at < over_at + self.lag and not (self.is_live and (now is None or now >= over_at))


class Freshness(NamedTuple):
    """How current the data are: the newest day stored, when it came (UTC), and if its days are UTC days.

    ``silent`` names the sources that have brought nothing for longer than usual, each with its last moment (UTC), the
    newest first.
    ``is_partial`` says that some came before the last day was over, of ``late_people`` people (0: of everybody), or
    that none has come of the last days yet. ``missing`` are working days before the last of which nothing is known.
    ``awaited`` names sources that tell a good part of other days, and have told nothing of one of these.
    """

    last_day: date
    received_at: datetime
    utc_days: bool
    silent: tuple[tuple[str, datetime], ...] = ()
    is_partial: bool = False
    late_people: int = 0
    missing: tuple[date, ...] = ()
    awaited: tuple[str, ...] = ()


class DigestFacts(NamedTuple):
    """All figures of one digest, of the days from ``start`` to ``day``, both counted.

    ``models`` sum exactly to ``amount.usd``; ``amount`` is None without data. ``team`` is None for everybody.
    """

    day: date
    zone: str
    amount: Amount | None
    baseline: Baseline | None
    month_usd: Decimal
    models: list[ModelSpend]
    people: PeopleCount
    limit_usd: Decimal
    unpriced: list[tuple[str, int]]
    freshness: Freshness | None
    prices_as_of: date
    price_label: str
    start: date
    edition: str
    team: str | None
    month: Month
    anomaly: Anomaly | None
    trend: list[TrendDay]
    is_idle: bool = False
    """Whether a source spoke of all of these days, and nobody used anything."""

    has_totals: bool = False
    """Whether totals of several days were imported, of which no single day is known."""

    beyond_usd: Decimal = ZERO
    """What reports of the organization as a whole say more than is known of its people; it is in no other figure."""

    @property
    def told_usd(self) -> Decimal | None:
        """The total that is told; None without data, and where nothing has a price, so that $0 would be wrong."""
        return None if self.amount is None else self.amount.told_usd

    @property
    def whose_zone(self) -> str:
        """Whose days they are: UTC where a source knows no others."""
        return "UTC" if self.freshness is not None and self.freshness.utc_days else self.zone

    @property
    def is_partial(self) -> bool:
        """Whether some of the data came before the last day was over, or days of some or all sources are missing."""
        fresh = self.freshness
        if fresh is None or self.amount is None:
            return False
        return fresh.is_partial or bool(fresh.missing or fresh.awaited)

    @property
    def is_unfinished(self) -> bool:
        """Whether more may come of the data: some came too early, or none has come yet."""
        return self.is_partial or (self.amount is None and not self.is_idle)

    @property
    def change(self) -> Decimal | None:
        """The day against the usual one, as a fraction (0.09 is 9 % more); None where that would mislead."""
        if self.told_usd is None or self.baseline is None or self.baseline.usd < MIN_BASELINE_USD or self.is_partial:
            return None
        return self.told_usd / self.baseline.usd - 1


def digest_facts(
    day: date,
    zone: str,
    quantities: Iterable[Quantity],
    people: PeopleCount,
    limit_usd: Decimal,
    freshness: Freshness | None,
    book: PriceBook,
    *,
    start: date | None = None,
    edition: str = DAILY,
    team: str | None = None,
    budget_usd: Decimal | None = None,
    calendar: WorkCalendar | None = None,
    reported: Collection[date] | None = None,
    expected: Collection[date] = (),
) -> DigestFacts:
    """Facts of the days from ``start`` (``day`` alone where None) to ``day``.

    The quantities are those of ``needed_period``; other days are ignored. ``reported`` are the working days without
    usage that a source spoke for (all where None): they count as $0, others as unknown. ``expected`` days do not stand
    out, whatever they came to.
    """
    start = start or day
    calendar = calendar or WorkCalendar()
    priced = [(quantity, amount(quantity, book)) for quantity in quantities]
    by_day = _by_day(priced)
    covered = Period(start, day + ONE_DAY).days
    today = [(quantity, cost) for quantity, cost in priced if start <= quantity.day <= day]
    whole = reduce(Amount.plus, (cost for _, cost in today), Amount())
    baseline = _baseline(covered, by_day, edition, calendar)
    month = _month(day, by_day, budget_usd, calendar, reported)
    surprising = [when for when in covered if when not in expected]
    return DigestFacts(
        day=day,
        zone=zone,
        amount=whole if today else None,
        baseline=baseline,
        month_usd=month.usd,
        models=_models(today, book),
        people=people,
        limit_usd=limit_usd,
        unpriced=_unpriced(today),
        freshness=freshness,
        prices_as_of=book.as_of,
        price_label=book.label,
        start=start,
        edition=edition,
        team=team,
        month=month,
        anomaly=_largest_anomaly(surprising, by_day, priced, book) if edition == DAILY else None,
        trend=_trend(day, priced, book, calendar),
    )


def is_correction(before: Decimal | None, after: Decimal | None) -> bool:
    """Whether a total that was told has changed by more than CORRECTED_SHARE or CORRECTED_USD; None is no total."""
    if before is None or after is None:
        return before is not after
    return abs(after - before) > min(CORRECTED_USD, before * CORRECTED_SHARE)


def needed_period(start: date, day: date, edition: str = DAILY) -> Period:
    """The days whose quantities a digest of ``start`` to ``day`` needs."""
    month = month_to_date(day).start
    before = (start - ONE_DAY).replace(day=1) if edition == MONTHLY else start
    # A week more than is compared, to see whether the data began before.
    return Period(min(start - LOOKBACK - timedelta(weeks=1), month, before, day - TREND_DAYS * ONE_DAY), day + ONE_DAY)


def model_name(model: str, day: date, book: PriceBook) -> str:
    """The model's name as people say it ("Opus 5.5"); an unknown model keeps the export's word."""
    try:
        return book.model(model, day).name
    except PricingError:
        return model


def model_id(model: str, day: date, book: PriceBook) -> str:
    """The model's own id, whatever alias or snapshot an export names; an unknown model keeps the export's word."""
    try:
        return book.model(model, day).id
    except PricingError:
        return model


Spent = dict[date, Decimal | None]
"""The dollars of each day with usage; None where nothing of it has a price, so that $0 would be wrong."""


def _by_day(priced: list[tuple[Quantity, Amount]]) -> Spent:
    spent: dict[date, Decimal] = defaultdict(lambda: ZERO)
    with_unpriced = set()
    for quantity, cost in priced:
        spent[quantity.day] += cost.usd
        if cost.unpriced_tokens or cost.unpriced_searches:
            with_unpriced.add(quantity.day)
    return {day: usd if usd or day not in with_unpriced else None for day, usd in spent.items()}


def _baseline(covered: list[date], by_day: Spent, edition: str, calendar: WorkCalendar) -> Baseline | None:
    day = covered[-1]
    if edition == MONTHLY:
        last = {when: usd for when, usd in by_day.items() if _is_month_before(when, day)}
        # A month that the data begin in says nothing about a whole one, nor one in which days have no price.
        if not last or None in last.values() or calendar.working_days(Period(min(last).replace(day=1), min(last))):
            return None
        return Baseline(f"{covered[0] - ONE_DAY:%B}", sum(filter(None, last.values()), ZERO), 1)
    same = _weekday_baseline(covered, by_day)
    if same is not None or len(covered) > 1:
        return same
    recent = [day - count * ONE_DAY for count in range(1, LOOKBACK.days + 1)]
    weekdays = [usd for when in recent if when.weekday() < 5 and (usd := by_day.get(when)) is not None]
    if day.weekday() < 5 and len(weekdays) >= MIN_WEEKDAYS:
        return Baseline("weekday", median(weekdays), len(weekdays))
    return None


def _weekday_baseline(covered: list[date], by_day: Spent) -> Baseline | None:
    """The same days of the last four weeks; None where they overlap, or began before the data do."""
    if len(covered) > 7:
        return None
    same = []
    for weeks in range(1, WEEKS_COMPARED + 1):
        days = [when - timedelta(weeks=weeks) for when in covered]
        known = [usd for when in days if (usd := by_day.get(when)) is not None]
        if known and days[0] >= min(by_day):
            same.append(sum(known, ZERO))
    return Baseline(_span_name(covered), median(same), len(same)) if len(same) == WEEKS_COMPARED else None


def _is_month_before(day: date, other: date) -> bool:
    last = other.replace(day=1) - ONE_DAY
    return (day.year, day.month) == (last.year, last.month)


def _span_name(covered: list[date]) -> str:
    if len(covered) == 1:
        return f"{covered[0]:%A}"
    return "week" if len(covered) == 7 else f"{covered[0]:%A} to {covered[-1]:%A}"


def _month(
    day: date,
    by_day: Spent,
    budget_usd: Decimal | None,
    calendar: WorkCalendar,
    reported: Collection[date] | None,
) -> Month:
    so_far = month_to_date(day)
    following = (so_far.start + timedelta(days=32)).replace(day=1)
    usd = sum((usd for when, usd in by_day.items() if usd and so_far.start <= when < so_far.end), ZERO)
    worked, in_all = calendar.working_days(so_far), calendar.working_days(Period(so_far.start, following))
    rest = Period(so_far.end, following)
    return Month(usd, budget_usd, worked, in_all, _forecast(usd, day, rest, by_day, calendar, reported))


def _forecast(
    usd: Decimal,
    day: date,
    rest: Period,
    by_day: Spent,
    calendar: WorkCalendar,
    reported: Collection[date] | None,
) -> Forecast | None:
    """From the last four weeks' working days and free days, each of which the rest of the month has so many.

    Working days of this month that no source spoke of are still to be told, and count with the rest.
    """
    known = [when for when, usd in by_day.items() if when <= day and usd is not None]
    if not known or rest.start == rest.end:
        return None
    days = Period(max(min(known), day - LOOKBACK + ONE_DAY), day + ONE_DAY).days
    spent = {when: by_day.get(when) or ZERO for when in days}

    def _is_known(when: date) -> bool:
        """A free day without usage is what it is; a working day of which no source spoke is missing."""
        return reported is None or when in known or when in reported

    working = {when for when in days if calendar.is_working(when)}
    worked = [spent[when] for when in days if when in working and _is_known(when)]
    free = [spent[when] for when in days if when not in working]
    if len(worked) < MIN_FORECAST_DAYS:
        return None
    mean = sum(worked, ZERO) / len(worked)
    variance = sum(((one - mean) ** 2 for one in worked), ZERO) / (len(worked) - 1)
    working_ahead = calendar.working_days(rest)
    free_ahead = (rest.end - rest.start).days - working_ahead
    month = month_to_date(day).start
    untold = sum(when >= month and not _is_known(when) for when in working)
    ahead = working_ahead + untold
    likely = usd + ahead * mean + (free_ahead * sum(free, ZERO) / len(free) if free else ZERO)
    around = SPREAD * (variance * ahead).sqrt()
    return Forecast(likely, max(usd, likely - around), likely + around)


def _largest_anomaly(
    covered: list[date], by_day: Spent, priced: list[tuple[Quantity, Amount]], book: PriceBook
) -> Anomaly | None:
    """The covered day that stands out the most from its own weekday."""
    found = (
        _anomaly(day, usd, _weekday_baseline([day], by_day), priced, book)
        for day in covered
        if (usd := by_day.get(day))
    )
    return max((one for one in found if one is not None), key=lambda one: one.times, default=None)


def _anomaly(
    day: date, usd: Decimal, baseline: Baseline | None, priced: list[tuple[Quantity, Amount]], book: PriceBook
) -> Anomaly | None:
    if baseline is None or baseline.name != _span_name([day]) or baseline.usd < MIN_BASELINE_USD:
        return None
    if usd < ANOMALY_TIMES * baseline.usd or usd < baseline.usd + ANOMALY_USD:
        return None
    compared = [day - timedelta(weeks=weeks) for weeks in range(1, WEEKS_COMPARED + 1)]
    spent: dict[str, dict[date, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    for quantity, cost in priced:
        if quantity.day == day or quantity.day in compared:
            spent[model_name(quantity.model, quantity.day, book)][quantity.day] += cost.usd
    grown = {name: of[day] - median(of[when] for when in compared) for name, of in spent.items()}
    model = max(grown, key=lambda name: (grown[name], name))
    return Anomaly(day, usd / baseline.usd, model, grown[model])


def _trend(day: date, priced: list[tuple[Quantity, Amount]], book: PriceBook, calendar: WorkCalendar) -> list[TrendDay]:
    days = [day - count * ONE_DAY for count in reversed(range(TREND_DAYS))]
    spent: dict[date, dict[str, Decimal]] = {when: defaultdict(lambda: ZERO) for when in days}
    totals: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for quantity, cost in priced:
        if quantity.day in spent and cost.usd:
            name = model_name(quantity.model, quantity.day, book)
            spent[quantity.day][name] += cost.usd
            totals[name] += cost.usd
    ranked = sorted(totals, key=lambda name: (-totals[name], name))
    named = set(ranked) if len(ranked) <= TREND_MODELS + 1 else set(ranked[:TREND_MODELS])
    found = []
    for when in days:
        models: dict[str | None, Decimal] = {name: usd for name, usd in spent[when].items() if name in named}
        rest = sum((usd for name, usd in spent[when].items() if name not in named), ZERO)
        found.append(TrendDay(when, models | ({None: rest} if rest else {}), calendar.is_working(when)))
    return found


def _models(priced: list[tuple[Quantity, Amount]], book: PriceBook) -> list[ModelSpend]:
    by_id: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for quantity, cost in priced:
        if not (cost.unpriced_tokens or cost.unpriced_searches):
            by_id[model_id(quantity.model, quantity.day, book)] += cost.usd
    day = priced[0][0].day if priced else date.min
    spent = [ModelSpend(model_name(model, day, book), usd, model) for model, usd in by_id.items()]
    ranked = sorted(spent, key=lambda model: (-model.usd, model.name or ""))
    if len(ranked) <= TOP_MODELS + 1:
        return ranked
    return [*ranked[:TOP_MODELS], ModelSpend(None, sum((model.usd for model in ranked[TOP_MODELS:]), ZERO))]


def _unpriced(priced: list[tuple[Quantity, Amount]]) -> list[tuple[str, int]]:
    tokens: dict[str, int] = defaultdict(int)
    for quantity, cost in priced:
        if cost.unpriced_tokens or cost.unpriced_searches:
            tokens[quantity.model] += cost.unpriced_tokens
    return sorted(tokens.items(), key=lambda item: (-item[1], item[0]))
