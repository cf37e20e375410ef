"""One line of a usage export, in our words, and what could not be read."""

import hashlib
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

from bot.pricing import STANDARD, PriceConditions, TokenUsage

SUBSCRIPTION = "subscription"
API = "api"


ANTHROPIC, GITHUB, CURSOR = "anthropic", "github", "cursor"
"""Whose product was used. Only the first is Claude spend; the others are kept apart from it."""

MACHINE, ORGANIZATION, GATEWAY = "machine", "organization", "gateway"
NOBODYS_OWN = (MACHINE, ORGANIZATION, GATEWAY)
"""Kinds of names that nobody bears: whose usage it is can be said, and tomorrow it may be somebody else's."""


class Actor(NamedTuple):
    """Who an export names. Only an "email" is a person by itself.

    ``kind`` is "email", "api_key", "account" (an id of an account or user), "login" (a name at another vendor),
    MACHINE, GATEWAY for what one bills to nobody named, or ORGANIZATION for a source that knows no people at all.
    """

    kind: str
    name: str


_CLAUDE_CODE_KEY = re.compile(r"claude_code_key_(?P<user>.+)_[A-Za-z0-9]{4}")
"""Claude Code makes a key of its own for each user of a Console organisation and names it like this."""


def is_claude_code_key(actor: Actor) -> bool:
    """Whether it is a key that Claude Code made, and named after its user."""
    return bool(key_user(actor))


def key_user(actor: Actor) -> str:
    """The user after whom Claude Code named a key, in small letters; nothing for other actors."""
    match = _CLAUDE_CODE_KEY.fullmatch(actor.name) if actor.kind == "api_key" else None
    return match["user"].lower() if match else ""


NO_KEY = "(no key)"
"""The API key of usage of which an export names no key."""

THIS_MACHINE = Actor(MACHINE, "this machine")
"""Whose usage is that names nobody, until it is said."""


class Request(Struct, frozen=True, gc=False):
    """One API request, for sources that know single requests.

    ``key`` identifies the request over all files; ``at`` is in milliseconds since 1970; ``sidechain`` is a subagent's
    copy.
    ``series`` is set where the figures count up since a start, and names what counts: the day's share is then the
    difference to the day before. ``restates`` says that the latest word on it holds, even if it is less; else the
    fullest does. ``former`` is a key under which the same actor's, or nobody's, may be stored already. ``name`` is set
    where ``key`` is of the message that was answered: of one message each request of the main conversation counts, and
    a subagent's copy only where there is none.
    """

    key: bytes
    at: int
    sidechain: bool = False
    series: bytes | None = None
    restates: bool = False
    former: bytes | None = None
    name: str | None = None


def request_key(told_apart: bytes) -> bytes:
    """The key of a request by all that tells it from others."""
    return hashlib.blake2b(told_apart, digest_size=16).digest()


def request_of(told_apart: str | bytes, request: str | None, at: int) -> Request:
    """A request as ``RequestRow`` tells of it: by the id of its message or a key of its own, and by its own id."""
    if isinstance(told_apart, bytes):
        return Request(told_apart, at, request is None)
    # So are the requests named under which older versions stored the second and further ones of a message.
    name = None if request is None else f"{told_apart}\0{request}"
    return Request(request_key(told_apart.encode()), at, request is None, name=name)


class UsageRecord(Struct, frozen=True, gc=False):
    """What one actor used of one model on one spend day, or from it to before ``until``, under one set of conditions.

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
    until: date | None = None
    vendor: str = ANTHROPIC


class UsageRows(NamedTuple):
    """Many records of one spend day, column by column: of row n ``names[name[n]]`` used ``counts[kind][n]``.

    A name is an actor, a model, conditions and a part. ``made_of[n]`` is how many rows of the file the row is the sum
    of; ``rows`` are the numbers of all of them.
    """

    day: date
    names: list[tuple[Actor, str, PriceConditions, str]]
    name: Sequence[int]
    counts: Sequence[Sequence[int]]
    made_of: Sequence[int]
    rows: Sequence[int]


RequestRow = tuple[int, int, tuple[int, ...], int | None, str | bytes, str | None, int]
"""One of many single requests; a plain tuple, as there are a great many.

Its row in the file; the place of its model, conditions and part in the names; its counts in the order of TokenUsage;
what the source says it cost, in nanodollars; the id of the message that was answered, or else a key of its own; its id,
None for a subagent's copy and empty where it has none; and when it was, in milliseconds since 1970.
"""


class RequestRows(NamedTuple):
    """Many single requests that one actor made on one spend day, each of them in the file once."""

    day: date
    actor: Actor
    names: list[tuple[str, PriceConditions, str]]
    requests: list[RequestRow]

    @property
    def rows(self) -> list[int]:
        """The numbers of their rows."""
        return [row for row, *_ in self.requests]

    @property
    def made_of(self) -> list[int]:
        """How many rows of the file each of them is: one."""
        return [1] * len(self.requests)


class Sessions(NamedTuple):
    """How many sessions an actor began on a day, as the row of a source says it; rows of a day add up."""

    row: int
    day: date
    actor: Actor
    sessions: int


class Member(NamedTuple):
    """A person that a directory names: no usage, but who is behind an address or an account id.

    ``kind`` is the kind of actor that ``account`` is. ``is_device`` says that it is the id of a device, which several
    people may use; an account is one person's, also where their address changes.
    """

    row: int
    email: str
    name: str | None = None
    account: str | None = None
    seat: str | None = None
    kind: str = "account"
    is_device: bool = False


SESSION = "session"
"""The view of sources that know single sessions: one that goes on is the same session, and none of it counts twice."""


class View(NamedTuple):
    """Which of several views of the same usage a file holds: each is a source of its own, so that they never add up.

    ``is_of_one_organization`` says that the name is an organization's, which has exports of its own.
    """

    name: str
    is_of_one_organization: bool = False


class Covered(NamedTuple):
    """The days from ``start`` to before ``until`` that a file tells totals of, also where it has no rows."""

    start: date
    until: date


class MorePages(NamedTuple):
    """Said once of a file whose last page says that more follow, which the file does not hold."""


class AlsoHolds(NamedTuple):
    """Said of a file in which there is more, that another reader reads: its name, and what people call that."""

    reader: str
    what: str


Record = UsageRecord | UsageRows | RequestRows | Sessions | Member | View | Covered | MorePages | AlsoHolds
"""What a reader finds in a file, besides problems."""


class Problem(NamedTuple):
    """One row that was left out, and one sentence that says why; or the first of so many ``rows``."""

    row: int
    problem: str
    rows: int = 1
