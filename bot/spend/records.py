"""One line of a usage export, in our words, and what could not be read."""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from bot.pricing import STANDARD, PriceConditions, TokenUsage

SUBSCRIPTION = "subscription"
API = "api"


class Actor(NamedTuple):
    """Who an export names. ``kind`` is "email", "api_key" or "machine"; only an e-mail address is a person."""

    kind: str
    name: str


class Request(NamedTuple):
    """One API request, for sources that know single requests.

    ``key`` identifies the request over all files; ``at`` carries its zone; ``sidechain`` is a subagent's copy.
    """

    key: bytes
    at: datetime
    sidechain: bool


class UsageRecord(NamedTuple):
    """What one actor used of one model on one spend day, under one set of conditions.

    ``part`` is what else the source tells rows apart by (terminal, workspace, …), so that a row replaces only itself.
    ``reported_usd`` is what the source says it cost, exact to the nanodollar; None where it says nothing.
    ``row`` is the 1-based place in the file that a problem would name.
    """

    row: int
    day: date
    actor: Actor
    model: str
    usage: TokenUsage
    conditions: PriceConditions = STANDARD
    billing: str = API
    part: str = ""
    reported_usd: Decimal | None = None
    request: Request | None = None


class Problem(NamedTuple):
    """One row that was left out, and one sentence that says why."""

    row: int
    problem: str
