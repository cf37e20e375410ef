"""What “subscribe weekdays 09:00 Europe/Paris” says. Pure."""

import re
from datetime import time
from difflib import get_close_matches
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from bot.spend.digest import EDITIONS, MONTHLY, WEEKLY
from bot.store.subscriptions import EVERY_DAY, WORKDAYS, Subscription

EXAMPLE = "subscribe weekdays 09:00 Europe/Paris"

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_NAMES = {
    name: number
    for number, (short, full) in enumerate(zip(_DAYS, _FULL, strict=True), start=1)
    for name in (short, full, f"{full}s")
}


class Unreadable(Exception):
    """A word that means nothing here; one sentence that quotes it."""


class Defaults(NamedTuple):
    """What holds where nothing is said."""

    at: time
    zone: ZoneInfo


def read_subscription(words: str, channel: str, defaults: Defaults) -> Subscription:
    """A subscription from words in any order. Raises Unreadable."""
    at, zone, weekdays, edition, team, skips = defaults.at, defaults.zone, WORKDAYS, EDITIONS[0], "", False
    chosen: frozenset[int] = frozenset()
    said: dict[str, str] = {}
    named = re.search(r"\bteam (.+)$", words.strip(), re.IGNORECASE)
    if named:
        team = named[1].strip()[:80]
        words = words[: named.start()]
    for word in words.split():
        lower = word.lower().strip(",.;")
        if lower in EDITIONS:
            edition = _once(said, "editions", lower)
        elif lower in ("weekdays", "workdays"):
            weekdays = WORKDAYS
        elif lower in ("everyday", "every", "day"):
            weekdays = EVERY_DAY
        elif lower == "quiet":
            skips = True
        elif lower in ("digest", "at", "on", "the", "in", "for"):
            continue
        elif re.fullmatch(r"\d{1,2}(:\d{2})?", lower):
            at = _time(_once(said, "times", lower))
        elif (days := _weekdays(lower)) is not None:
            chosen |= days
        else:
            zone = _zone(_once(said, "words", word))
    return Subscription(channel, at, zone, chosen or weekdays, edition, team, skips)


def _once(said: dict[str, str], kind: str, word: str) -> str:
    """The word, if none of its kind was said before. Raises Unreadable."""
    before = said.setdefault(kind, word)
    if before != word:
        raise Unreadable(f"Two {kind} are given, “{before[:40]}” and “{word[:40]}”; say one of the two.")
    return word


def _weekdays(word: str) -> frozenset[int] | None:
    """ISO numbers of "mon,wed,fri", "mon-fri" or "fri-mon"; None if it names no days."""
    found: set[int] = set()
    for part in re.split("[,/+]", word):
        first, _, last = part.partition("-")
        if first not in _DAY_NAMES or (last or first) not in _DAY_NAMES:
            return None
        start, count = _DAY_NAMES[first], (_DAY_NAMES[last or first] - _DAY_NAMES[first]) % 7 + 1
        found |= {(start + step - 1) % 7 + 1 for step in range(count)}
    return frozenset(found)


def _time(text: str) -> time:
    hour, _, minute = text.partition(":")
    try:
        return time(int(hour), int(minute or 0))
    except ValueError:
        raise Unreadable(f"“{text}” is no time of the day, such as 09:00.") from None


def _zone(text: str) -> ZoneInfo:
    known = available_timezones()
    found = next((name for name in known if name.lower() == text.lower()), None)
    if found is not None:
        return ZoneInfo(found)
    near = get_close_matches(text, known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise Unreadable(f"I could not read “{text[:60]}”.{hint}")


def in_words(subscription: Subscription) -> str:
    """A subscription as people say it."""
    days = subscription.weekdays
    when = "every day" if days == EVERY_DAY else "Mondays to Fridays" if days == WORKDAYS else ""
    when = when or ", ".join(_DAYS[day - 1].title() for day in sorted(days))
    if subscription.edition == WEEKLY:
        when = f"on {_FULL[min(days) - 1].title()}s"
    elif subscription.edition == MONTHLY:
        first = "1st" if days == EVERY_DAY else "first working day" if days == WORKDAYS else f"first of {when}"
        when = f"on the {first} of each month"
    whose = f" of the team {subscription.team}" if subscription.team else ""
    quiet = ", not without usage" if subscription.skips_unchanged else ""
    zone = subscription.zone.key
    return f"{subscription.edition} digest{whose} at {subscription.at:%H:%M} {zone}, {when}{quiet}"
