"""The dated plan book: what each subscription costs on a day, and how much usage it is known to carry."""

from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self, TypeVar

import tomli
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bot.pricing.errors import PriceBookError

API = "api"
WEEKS_A_MONTH = Decimal("365.25") / 12 / 7
"""A mean month has 4.348 weeks."""

Dollars = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=6)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


class PlanPrice(_Row):
    """What a seat costs a month from ``start`` on: paid by the month, or for a year. ``beyond`` the limit: see Plan."""

    start: date = Field(alias="from")
    monthly: Dollars | None = None
    annual: Dollars | None = None
    beyond: Literal["api", "credits"] = "credits"
    source: str

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if self.monthly is None and self.annual is None:
            raise ValueError("a price row needs monthly, annual or both")
        return self


class PlanLimit(_Row):
    """Usage that a seat carries from ``start`` on, as a range of API-equivalent dollars a week or month."""

    start: date = Field(alias="from")
    per: Literal["week", "month"]
    low: Dollars
    high: Dollars
    low_source: str
    high_source: str

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is over high {self.high}")
        return self

    @property
    def monthly_low(self) -> Decimal:
        """Dollars of a mean month at the low end."""
        return self.low * WEEKS_A_MONTH if self.per == "week" else self.low

    @property
    def monthly_high(self) -> Decimal:
        """Dollars of a mean month at the high end."""
        return self.high * WEEKS_A_MONTH if self.per == "week" else self.high


class _Plan(_Row):
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    vendor: Annotated[str, Field(min_length=1, max_length=40)]
    tool: Annotated[str, Field(min_length=1, max_length=40)]
    min_seats: Annotated[int, Field(ge=1)] = 1
    max_seats: Annotated[int, Field(ge=1)] | None = None
    product: str | None = None
    pooled: bool = False
    note: str = ""
    prices: Annotated[list[PlanPrice], Field(min_length=1)]
    limits: list[PlanLimit] = []


class Typical(_Row):
    """What developers pay by tokens on an active day from ``start`` on: on average, and nine in ten no more than."""

    start: date = Field(alias="from")
    average: Dollars
    p90: Dollars
    source: str


class Beside(_Row):
    """Usage that no Claude seat carries from ``start`` on: of a family of models, or at a speed."""

    start: date = Field(alias="from")
    family: str | None = None
    speed: str | None = None
    source: str


class Commitment(_Row):
    """Seats that are paid for already. They can pass to other people at once, but end only on the day of renewal."""

    plan: str
    seats: Annotated[int, Field(ge=1)]
    people: list[str] = []
    renews: date | None = None

    @model_validator(mode="after")
    def _has_a_seat_for_each(self) -> Self:
        if len(self.people) > self.seats:
            raise ValueError(f"{len(self.people)} people are on {self.seats} seats of {self.plan}")
        return self


class _Content(_Row):
    as_of: date | None = None
    sources: dict[str, str] = {}
    typical: list[Typical] = []
    beside: list[Beside] = []
    plans: list[_Plan] = []
    commitments: list[Commitment] = []
    leave_out: list[str] = []
    max_vendors: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        people = [who.lower() for one in self.commitments for who in one.people]
        for named in ([plan.id for plan in self.plans], people):
            twice = next((name for name in named if named.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"“{twice}” stands there twice")
        return self


class Plan(NamedTuple):
    """One plan as it is on a day. Dollars are per seat and month; ``limit`` is None where none is published.

    ``beyond`` the limit, usage costs API prices ("api") or stops until credits are bought at API prices ("credits").
    A ``pooled`` limit is shared by the seats. Between ``min_seats`` and ``max_seats`` can be bought, all plans of one
    ``product`` counted together; a ``max_seats`` of 1 is a plan that each person buys alone.
    """

    id: str
    name: str
    vendor: str
    tool: str
    min_seats: int
    max_seats: int | None
    product: str
    pooled: bool
    note: str
    price: PlanPrice
    limit: PlanLimit | None
    source: str

    @property
    def usd(self) -> Decimal:
        """The fee of a seat and month: by the month where that can be had, else by the year."""
        return self.price.monthly if self.price.monthly is not None else self.price.annual or Decimal(0)

    @property
    def is_personal(self) -> bool:
        """Whether each person buys it alone, in any number."""
        return self.max_seats == 1

    @property
    def is_api(self) -> bool:
        """Whether it is no subscription at all: usage alone is paid."""
        return self.id == API


class PlanBook:
    """All plans with their dated rows, and what the team said of its own."""

    def __init__(self, content: _Content, own: _Content | None = None) -> None:
        own = own or _Content()
        replaced = {plan.id: plan for plan in own.plans}
        self._products = {plan.id: plan.product or plan.id for plan in content.plans}
        self._products |= {plan.id: plan.product for plan in own.plans if plan.product}
        known = [replaced.pop(plan.id, plan) for plan in content.plans]
        self._plans = [plan for plan in (*known, *replaced.values()) if plan.id not in own.leave_out]
        self._sources = {**content.sources, **own.sources}
        self.as_of = own.as_of or content.as_of
        self._typical = content.typical
        self._beside = content.beside
        self.commitments = own.commitments
        self.max_vendors = own.max_vendors

    def on(self, day: date) -> list[Plan]:
        """The plans that are known on a day, with the rows in force then, the API first."""
        dated = ((plan, _in_force(plan.prices, day)) for plan in self._plans)
        return [self._plan(plan, price, _in_force(plan.limits, day)) for plan, price in dated if price is not None]

    def with_current(self, day: date, current: Collection[str]) -> list[Plan]:
        """The plans of a day and, of those that people are on, each newer one with its first price and no limit:
        what it costs is known then, and what usage of before would have cost on it is not."""
        plans = self.on(day)
        known = {plan.id for plan in plans}
        newer = [plan for plan in self._plans if plan.id in current and plan.id not in known]
        return [*plans, *(self._plan(plan, min(plan.prices, key=lambda row: row.start), None) for plan in newer)]

    def _plan(self, plan: _Plan, price: PlanPrice, limit: PlanLimit | None) -> Plan:
        return Plan(
            plan.id,
            plan.name,
            plan.vendor,
            plan.tool,
            plan.min_seats,
            plan.max_seats,
            self._products.get(plan.id, plan.id),
            plan.pooled,
            plan.note,
            price,
            limit,
            self._sources.get(price.source, price.source),
        )

    def is_beside(self, family: str, speed: str, day: date) -> bool:
        """Whether no Claude seat carries a day's usage of a family of models at a speed."""
        return any(row.start <= day and (row.family == family or row.speed == speed) for row in self._beside)

    def later_than(self, day: date) -> list[str]:
        """The names of plans whose first price is newer than a day, so that they are not applied to it."""
        return [plan.name for plan in self._plans if _in_force(plan.prices, day) is None]

    def typical(self, day: date) -> Typical | None:
        """What the documentation of a day says that developers pay by tokens."""
        return _in_force(self._typical, day)

    def source(self, name: str) -> str:
        """What a row's source stands for."""
        return self._sources.get(name, name)

    def ids(self) -> set[str]:
        """All plans' ids."""
        return {plan.id for plan in self._plans}


_Dated = TypeVar("_Dated", PlanPrice, PlanLimit, Typical)


def _in_force(rows: Iterable[_Dated], day: date) -> _Dated | None:
    held = [row for row in rows if row.start <= day]
    return max(held, key=lambda row: row.start) if held else None


@cache
def default_plan_book() -> PlanBook:
    """The plan book that comes with the program."""
    return PlanBook(_shipped())


def plan_book_with(path: Path) -> PlanBook:
    """The plan book with a team's own file: other prices, plans left out, seats paid for. Raises PriceBookError."""
    try:
        own = _Content.model_validate(tomli.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PriceBookError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (tomli.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PriceBookError(f"{path} is no TOML: {error}.") from error
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        place = ".".join(str(step + 1) if isinstance(step, int) else step for step in wrong["loc"])
        raise PriceBookError(f"{path}: {place} is wrong: {wrong['msg'].removeprefix('Value error, ')}.") from error
    except ValueError as error:
        raise PriceBookError(f"{path} is no TOML: a number in it is beyond all size.") from error
    if API in own.leave_out or any(plan.id == API for plan in own.plans):
        raise PriceBookError(f"{path}: “{API}” is what tokens cost; it can be neither left out nor replaced.")
    book = PlanBook(_shipped(), own)
    for named in (*own.leave_out, *(commitment.plan for commitment in own.commitments)):
        if named not in {plan.id for plan in (*_shipped().plans, *own.plans)}:
            raise PriceBookError(f"{path}: “{named}” is no plan; plans are {', '.join(sorted(book.ids()))}.")
    for commitment in own.commitments:
        if commitment.plan in own.leave_out:
            raise PriceBookError(f"{path}: seats of “{commitment.plan}” are paid for, so it cannot be left out.")
    return book


@cache
def _shipped() -> _Content:
    text = Path(__file__).with_name("plans.toml").read_text(encoding="utf-8")
    return _Content.model_validate(tomli.loads(text))
