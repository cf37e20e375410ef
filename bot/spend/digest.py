"""What a digest says about one day, worked out from daily quantities. Pure; the words are made in bot/slack/blocks."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import NamedTuple

from bot.pricing import PriceBook, PricingError
from bot.spend.amounts import ZERO, Amount, Quantity, amount
from bot.spend.days import ONE_DAY, month_to_date

WEEKS_COMPARED = 4
"""A day is compared with the median of the last four same weekdays; fewer say too little."""

MIN_WEEKDAYS = 5
"""With fewer same weekdays, the median of the last Mondays to Fridays stands in, if there are at least this many."""

MIN_BASELINE_USD = Decimal(1)
TOP_MODELS = 3
LOOKBACK = timedelta(weeks=WEEKS_COMPARED)


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


class PeopleCount(NamedTuple):
    """How many people used anything, reached their limit, and were told so; and what nobody is named for."""

    active: int
    over_limit: int
    told: int
    unassigned_usd: Decimal
    unassigned_actors: int


class Freshness(NamedTuple):
    """How current the data are: the newest day stored, when it came (UTC), and if its days are UTC days.

    ``silent`` names the sources that have brought nothing for longer than usual, each with its last moment (UTC).
    """

    last_day: date
    received_at: datetime
    utc_days: bool
    silent: tuple[tuple[str, datetime], ...] = ()


class DigestFacts(NamedTuple):
    """All figures of one digest. ``models`` sum exactly to ``amount.usd``; ``amount`` is None without data."""

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

    @property
    def change(self) -> Decimal | None:
        """The day against the usual one, as a fraction (0.09 is 9 % more); None where that would mislead."""
        if self.amount is None or self.baseline is None or self.baseline.usd < MIN_BASELINE_USD:
            return None
        return self.amount.usd / self.baseline.usd - 1


def digest_facts(
    day: date,
    zone: str,
    quantities: Iterable[Quantity],
    people: PeopleCount,
    limit_usd: Decimal,
    freshness: Freshness | None,
    book: PriceBook,
) -> DigestFacts:
    """Facts of ``day`` from the quantities of its month and of the LOOKBACK before it (other days are ignored)."""
    priced = [(quantity, amount(quantity, book)) for quantity in quantities]
    by_day: dict[date, Amount] = defaultdict(Amount)
    for quantity, cost in priced:
        by_day[quantity.day] = by_day[quantity.day].plus(cost)
    month = month_to_date(day)
    today = [(quantity, cost) for quantity, cost in priced if quantity.day == day]
    return DigestFacts(
        day=day,
        zone=zone,
        amount=by_day.get(day),
        baseline=_baseline(day, by_day),
        month_usd=sum((cost.usd for when, cost in by_day.items() if month.start <= when < month.end), ZERO),
        models=_models(today, book),
        people=people,
        limit_usd=limit_usd,
        unpriced=_unpriced(today),
        freshness=freshness,
        prices_as_of=book.as_of,
        price_label=book.label,
    )


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


def _baseline(day: date, by_day: dict[date, Amount]) -> Baseline | None:
    same = [
        by_day[when].usd for weeks in range(1, WEEKS_COMPARED + 1) if (when := day - timedelta(weeks=weeks)) in by_day
    ]
    if len(same) == WEEKS_COMPARED:
        return Baseline(day.strftime("%A"), median(same), len(same))
    recent = [day - count * ONE_DAY for count in range(1, LOOKBACK.days + 1)]
    weekdays = [by_day[when].usd for when in recent if when.weekday() < 5 and when in by_day]
    if day.weekday() < 5 and len(weekdays) >= MIN_WEEKDAYS:
        return Baseline("weekday", median(weekdays), len(weekdays))
    return None


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
