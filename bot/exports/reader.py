"""What every reader of exports has in common: its shape, and how counts and days are checked."""

import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from bot.pricing import PriceBook
from bot.spend.records import Actor, Problem, UsageRecord

MAX_COUNT = 10**13
MAX_NAME = 200

Reading = Iterator[UsageRecord | Problem]


class UnreadableExport(Exception):
    """A whole file that is refused; one sentence that quotes it and says what to do."""


class ReadingContext(NamedTuple):
    """What a reader needs besides the bytes.

    ``zone`` puts instants on spend days; ``person`` is whose usage it is where the format does not say;
    ``book`` knows at which prompt size a model's price changes.
    """

    zone: ZoneInfo
    book: PriceBook
    person: str | None = None


class Reader(Protocol):
    """One export format. ``name`` is the ``--format`` word and the name of the source in the database.

    ``utc_days`` says that its days are UTC days; ``names_people`` that it says whose usage a row is.
    """

    name: str
    title: str
    utc_days: bool
    names_people: bool

    def recognises(self, head: bytes) -> bool:
        """Whether the first bytes of a file (up to 64 KiB) are of this format."""

    def read(self, data: bytes, context: ReadingContext) -> Reading:
        """The records and problems of one file, in its order. Raises UnreadableExport if none of it can be read."""


def as_count(text: str, field: str) -> int:
    """A count written in plain digits. Raises ValueError with a sentence."""
    if not re.fullmatch(r"[0-9]{1,13}", text, re.ASCII):
        raise ValueError(f"{field} is “{shortened(text)}”; expected a whole number of 0 or more")
    return int(text)


def as_day(text: str, field: str) -> date:
    """The day of "2026-08-05" or "2026-08-05T00:00:00Z". Raises ValueError with a sentence."""
    match = re.fullmatch(r"(\d{4}-\d{2}-\d{2})(?:T00:00:00(?:\.0+)?(?:Z|\+00:00))?", text.strip(), re.ASCII)
    try:
        if match:
            return date.fromisoformat(match[1])
    except ValueError:
        pass
    raise ValueError(f"{field} is “{shortened(text)}”; expected a day such as 2026-08-05")


def as_name(text: str, field: str) -> str:
    """A name without control characters and outer blanks. Raises ValueError with a sentence if nothing is left."""
    name = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_NAME]
    if not name:
        raise ValueError(f"{field} is empty")
    return name


def as_geography(text: str | None) -> str:
    """The inference geography as prices know it: "us", or "global" where nothing else is said."""
    named = (text or "").strip().lower()
    return "global" if named in ("", "global", "not_available", "none", "null") else named


def shortened(text: object) -> str:
    """A value from outside, cut for use in a sentence."""
    words = " ".join(str(text).split())
    return words if len(words) <= 60 else f"{words[:60]}…"


def email_actor(address: str) -> Actor:
    """The actor behind an e-mail address, which is compared without letter case."""
    return Actor("email", address.strip().lower())
