"""What a cost question asks, and the one function that reads it."""

import re
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from bot.ask.grammar import EXAMPLE, FAMILIES, MARKS_OF_TWO, Item, Refusal, normalised, scan
from bot.pricing import PriceBook, PriceConditions, PricingError, TokenUsage
from bot.pricing.session import (
    CHECK_INPUT,
    CHECK_OUTPUT,
    CHECKS_PER_HOUR,
    TEAM_IN_PLAN_MODE,
    TURNS_PER_HOUR,
    SessionPlan,
)
from bot.pricing.usage import KINDS

MAX_LENGTH = 2000
MAX_TOKENS = 10**12
MAX_TIMES = 10**6
MAX_HOURS = 1000


PRESETS = {
    "bug fix": TokenUsage(18_000, 3_000),
    "feature": TokenUsage(120_000, 20_000),
    "refactor": TokenUsage(500_000, 80_000),
    "agent team": TokenUsage(1_500_000, 200_000),
}
AUTONOMOUS_HOUR = TokenUsage(200_000 + CHECKS_PER_HOUR * CHECK_INPUT, 30_000)
"""Typical sessions, and an hour on its own with auto mode's checks: the sizes of the article of 2026-03-28."""


class Question(NamedTuple):
    """What was asked. ``models`` are names as written, empty if none was named; ``day`` is the price day.

    ``usage`` is one request, or ``session`` is one session turn by turn; the question asks for it ``times`` over.
    """

    usage: TokenUsage
    models: tuple[str, ...]
    conditions: PriceConditions
    day: date
    times: int
    assumptions: tuple[str, ...]
    asked_on: date
    session: SessionPlan | None = None


_SESSION_PARTS = (
    "turns",
    "turns_per_hour",
    "compact",
    "subagents",
    "cold",
    "checks",
    "plan_mode",
    "cache_1h",
    "claude_md",
)


_WRITTEN = {
    "input": "in",
    "output": "out",
    "cache_read": "cached",
    "cache_write_5m": "cache write 5m",
    "cache_write_1h": "cache write 1h",
    "web_search": "searches",
}
_UNITS = {"k": 10**3, "thousand": 10**3, "m": 10**6, "mn": 10**6, "mio": 10**6, "mil": 10**6, "million": 10**6}
_UNITS |= {"b": 10**9, "bn": 10**9, "billion": 10**9}


def parse(text: str, today: date, book: PriceBook) -> Question:
    """Read a cost question. Raises Refusal.

    A question is any sequence of the parts that FORMS lists, in any order, in upper or lower case, between filler
    words. An amount is 500000, 500,000, 500 000, 500k, 1.2M, 1.2 million or 1 mio, and must be a whole number of
    tokens. Where a part can be read in one sensible way only by assuming something, the assumption is stated; what can
    be read in two ways, contradicts itself or is no part is refused by quoting it.
    """
    if len(text) > MAX_LENGTH:
        raise Refusal(f"That question has {len(text):,} characters; at most {MAX_LENGTH:,} can be read.")
    items = _without_prepositions(list(scan(normalised(text), book.own_names, book.own_prefixes)))
    _check_contradictions(items)
    items = _with_families(items)
    counts, assumptions = _counts(items)
    session = _session(items, counts, assumptions)
    usage = _usage(counts, items, assumptions) if session is None else TokenUsage()
    if session is None and usage == TokenUsage():
        raise Refusal("Tell me how many tokens: a number and “in” or “out”, and a model if you like.")
    conditions = PriceConditions(
        speed="fast" if _has(items, "fast") else "standard",
        inference_geo="us" if _has(items, "us") else "global",
        service_tier="batch" if _has(items, "batch") else "standard",
    )
    if conditions.inference_geo == "us":
        assumptions.append("“us” is read as US-only inference, which costs more per token.")
    named = [item.text for item in items if item.kind in _MODELS]
    models = tuple(dict.fromkeys(named))
    if len(named) > len(models) and any(item.kind == "mark" and item.text in _COMPARING for item in items):
        twice = next(name for name in models if named.count(name) > 1)
        raise Refusal(f"“{twice}” is compared with itself; conditions hold for all of a question, so ask twice.")
    _check_own_subagents(items)
    if session is not None:
        models = _main_models(items, models)
    day = _day(items, today)
    _check_models(models, day, book, text)
    return Question(usage, models, conditions, day, _times(items), tuple(assumptions), today, session)


FORMS = (
    ("amounts", "500k in · 80k out · 2M cache read · 300k cached · 100k cache write [1h] · 3 searches · 500k/80k"),
    ("numbers", "500000 · 500,000 · 500 000 · 500k · 1.2M · 1.2 million · 1 mio"),
    ("from the cache", "80% cached · 400k of it cached (a part of the input)"),
    ("models", "opus · opus 4.6 · claude-opus-4-6 · claude-haiku-4-5-20251001 · opus vs sonnet vs haiku"),
    ("conditions", "fast · batch · us"),
    ("how often", "x 20 · 20 times · per day for 22 days · for 14 people; several multiply"),
    ("price day", "on 2026-03-28"),
    ("typical sizes", "bug fix · feature · refactor · agent team · autonomous 8h · 5 bug fixes"),
    ("a session, turn by turn", "session 60 turns · 12 turns an hour · 3 cold turns · 1h cache · compact at 100k"),
    ("in a session", "3 haiku subagents · agent team · auto mode · 60 checks an hour · claude.md 500 lines"),
)
"""Everything that a question can say, as ``help`` shows it: what it is about, and how it is written."""


def _check_contradictions(items: list[Item]) -> None:
    """Refuse conditions that exclude each other, and a cache that is there and not there."""
    said = {item.kind: item.text for item in reversed(items)}
    for one, others in _EXCLUDES.items():
        for other in others:
            if one in said and other in said:
                raise Refusal(f"“{said[one]}” and “{said[other]}” contradict each other; say one of the two.")
    if "plain" in said:
        cached = [i for i in items if i.kind in ("cached", "cached_part") or i.value.startswith("cache_")]
        if cached:
            raise Refusal(f"“{said['plain']}” and “{cached[0].text}” contradict each other; say one of the two.")
    for item in items:
        if item.kind == "money":
            raise Refusal(f"“{item.text}” is an amount of money; a question takes tokens, such as 500k in.")
        if item.kind == "both":
            raise Refusal(f"“{item.text}” asks for two prices; ask once with it and once without.")
        if item.kind == "other_day":
            raise Refusal(
                f"“{item.text}” is no day that I can read: write it as 2026-03-28.", f"{EXAMPLE} on 2026-03-28"
            )


_EXCLUDES = {
    "fast": ("standard_speed", "standard"),
    "batch": ("standard_tier", "standard"),
    "us": ("global",),
}


def _with_families(items: list[Item]) -> list[Item]:
    """Give the "4.8" of "opus 4.6 vs 4.8" its family."""
    found: list[Item] = []
    family = ""
    for item in items:
        if item.kind == "model":
            family = next((name for name in FAMILIES.split("|") if name in item.text), "")
        if item.kind == "version":
            if not family:
                raise Refusal(f"“{item.text}” names a version without a model, such as opus {item.value}.")
            item = Item("model", f"{family} {item.value}", "")
        found.append(item)
    return found


_MODELS = ("model", "other_model")


def _check_own_subagents(items: list[Item]) -> None:
    """Refuse "house-model subagents": the name would pass for the session's own model."""
    for before, item in pairwise(items):
        is_theirs = item.kind == "subagents" and item.text.startswith("subagent") and before.kind in _MODELS
        if is_theirs and not any(family in before.text for family in FAMILIES.split("|")):
            raise Refusal(f"Subagents can be on opus, sonnet, haiku or fable, not on “{before.text}”.")


def _main_models(items: list[Item], models: tuple[str, ...]) -> tuple[str, ...]:
    """The session's own model: named by itself, or together with the subagents' as in "opus subagents use haiku"."""
    main = next((_agent_models(item.text)[1] for item in items if item.kind == "subagents"), None)
    if main is None or main in models:
        return models
    if models:
        raise Refusal(f"Both “{models[0]}” and “{main}” are said to be the session's model; say one of the two.")
    return (main,)


def _agent_models(text: str) -> tuple[str | None, str | None]:
    """(the subagents' model, the session's model) as the words about subagents name them."""
    found = re.findall(rf"(?:claude-)?(?:{FAMILIES})(?:[- ]\d(?:[-.]\d)?(?:-\d{{8}})?)?", text)
    named = [name if re.search(r"\d", name) else name.removeprefix("claude-") for name in found]
    if len(named) < 2:
        return (named[0] if named else None), None
    is_their_model_first = re.match(r"\d", text) is not None or " on " in text
    return (named[0], named[1]) if is_their_model_first else (named[1], named[0])


def written(question: Question) -> str:
    """The question in words that ``parse`` reads as the same question (asked on the same day)."""
    parts = [f"{count:,} {_WRITTEN[kind]}" for kind, count in question.usage.by_kind().items() if count]
    if question.session is not None:
        parts += _written_session(question.session)
    conditions = question.conditions
    parts += ["fast"] * (conditions.speed == "fast") + ["batch"] * (conditions.service_tier == "batch")
    parts += ["us only"] * (conditions.inference_geo == "us")
    parts.append(" vs ".join(question.models))
    parts += [f"x {question.times:,}"] * (question.times > 1)
    parts += [f"on {question.day}"] * (question.day != question.asked_on)
    return " ".join(part for part in parts if part)


def _written_session(plan: SessionPlan) -> list[str]:
    usual = SessionPlan(plan.turns)
    subagents = f"{plan.subagents} {plan.subagent_model or ''} subagents".replace("  ", " ")
    said = {
        f"session {plan.turns:,} turns": True,
        f"{plan.turns_per_hour} turns an hour": plan.turns_per_hour != usual.turns_per_hour,
        f"{plan.cold_turns} cold turns": plan.cold_turns > 0,
        "1h cache": plan.cache_lifetime == "1h",
        f"compact at {plan.compact_at or 0:,}": plan.compact_at is not None,
        subagents: plan.subagents > 0,
        "agent team": plan.members > 1,
        f"{plan.checks_per_hour} checks an hour": plan.checks_per_hour > 0,
        f"claude.md {plan.claude_md_lines} lines": plan.claude_md_lines > 0,
    }
    return [words for words, holds in said.items() if holds]


def _without_prepositions(items: list[Item]) -> list[Item]:
    """Drop the "in" of "in opus" and "in batch", unless an amount beside it has no other kind."""
    kept: list[Item] = []
    for place, item in enumerate(items):
        after = items[place + 1] if place + 1 < len(items) else None
        is_preposition = item.text == "in" and after is not None and after.kind in _AFTER_IN
        is_after_amount = bool(kept) and kept[-1].kind == "number" and _is_free(kept)
        if not is_preposition or is_after_amount or _begins_with_amount(items[place + 1 :]):
            kept.append(item)
    return kept


def _begins_with_amount(items: list[Item]) -> bool:
    """Whether the first of the amounts and kinds is an amount without a kind behind it."""
    kinds = [item.kind for item in items if item.kind in ("kind", "number")]
    return kinds[:1] == ["number"] and kinds[1:2] != ["kind"]


def _is_free(items: list[Item]) -> bool:
    """Whether the last amount is left without a kind when neighbours pair from left to right."""
    waiting = ""
    for item in items:
        if item.kind in ("kind", "number"):
            waiting = "" if waiting and waiting != item.kind else item.kind
    return waiting == "number"


_AFTER_IN = ("model", "other_model", "fast", "batch", "us", "standard", "global", "times", "day", "preset")


def _has(items: list[Item], kind: str) -> bool:
    return any(item.kind == kind for item in items)


def _counts(items: list[Item]) -> tuple[dict[str, int], list[str]]:
    """Pair each amount with the kind beside it; neighbours pair from left to right, so both orders can be mixed."""
    parts = _with_lifetimes([item for item in items if item.kind in ("kind", "number", "lifetime")])
    counts: dict[str, int] = {}
    alone: list[Item] = []
    assumptions: list[str] = []
    position = 0
    while position < len(parts):
        here, after = parts[position], parts[position + 1] if position + 1 < len(parts) else None
        if after is not None and {here.kind, after.kind} == {"kind", "number"}:
            kind, number = (here, after) if here.kind == "kind" else (after, here)
            _add(counts, kind, number, assumptions)
            position += 2
        elif here.kind == "kind":
            raise Refusal(
                f"“{here.text}” has no number beside it.", f"500k {here.text}" if here.text != "in" else EXAMPLE
            )
        else:
            alone.append(here)
            position += 1
    if len(alone) > 2:
        raise Refusal(f"I do not know what “{alone[-1].text}” counts: write “in”, “out” or “cache read” beside it.")
    for item in alone:
        _check_alone(item, items, is_first_amount=not counts.keys() & {"input", "output"})
    _place_alone(counts, alone, assumptions)
    return counts, assumptions


def _check_alone(item: Item, items: list[Item], *, is_first_amount: bool) -> None:
    """Refuse an amount without a kind where nothing says that it stands for tokens in or out."""
    place = next(index for index, other in enumerate(items) if other is item)
    before = items[place - 1] if place else None
    after = items[place + 1] if place + 1 < len(items) else None
    around = [other for other in (before, after) if other is not None and other.kind == "mark"]
    is_joined = any(mark.text in MARKS_OF_TWO for mark in around)
    is_counted = after is not None and after.kind == "mark" and after.text not in (*MARKS_OF_TWO, "on", "per")
    is_placed = is_first_amount or (before is not None and before.kind in ("kind", "number"))
    is_small = re.fullmatch(r"\d{1,3}([.,]\d+)?", item.text) is not None and not (before and before.text == "/")
    if is_joined or is_counted or is_small or not is_placed or (before is not None and before.text == "on"):
        raise Refusal(f"I do not know what “{item.text}” counts: write “in”, “out” or “cache read” beside it.")


def _with_lifetimes(parts: list[Item]) -> list[Item]:
    """Join the "1h" of "cache write 100k 1h" with its cache write."""
    joined: list[Item] = []
    for part in parts:
        if part.kind != "lifetime":
            joined.append(part)
            continue
        near = [index for index in range(max(0, len(joined) - 2), len(joined)) if joined[index].value == "cache_write"]
        if not near:
            raise Refusal(f"“{part.text}” belongs to a cache write, as in “100k cache write 1h”.")
        joined[near[-1]] = joined[near[-1]]._replace(value="cache_write_1h")
    return joined


def _add(counts: dict[str, int], kind: Item, number: Item, assumptions: list[str]) -> None:
    name = kind.value
    if name == "cache_write":
        name = "cache_write_5m"
        assumptions.append("Cache writes are 5-minute writes; say “cache write 1h” for 1-hour ones.")
    if name in counts:
        raise Refusal(f"“{number.text} {kind.text}” gives {_plain(name)} a second time; say it once.")
    if (name == "cache_read" and "input" in counts) or (name == "input" and "cache_read" in counts):
        assumptions.append("The cache reads are counted besides the input; say “400k of it cached” for a part of it.")
    counts[name] = _amount(number.text)


def _place_alone(counts: dict[str, int], alone: list[Item], assumptions: list[str]) -> None:
    free = [kind for kind in ("input", "output") if kind not in counts]
    if len(alone) > len(free):
        raise Refusal(f"I do not know what “{alone[-1].text}” counts: write “in”, “out” or “cache read” beside it.")
    for item, kind in zip(alone, free, strict=False):
        counts[kind] = _amount(item.text)
        assumptions.append(f"“{item.text}” is taken as {kind} tokens.")


def _amount(text: str) -> int:
    match = re.fullmatch(r"([\d.,_' ]*\d|a|one)\s?([a-z]*)", f"0{text}" if text.startswith(".") else text)
    if match is None:
        raise Refusal(f"I could not read “{text}”. Numbers look like 80k, 1.2M or 80,000.")
    digits, unit = "1" if match[1] in ("a", "one") else match[1], match[2]
    if unit and re.fullmatch(r"[1-9]\d{0,2},\d{3}" + (r"|[1-9]\d{0,2}\.\d{3}" if unit == "k" else ""), digits):
        raise Refusal(f"“{text}” can be read as more than one number.", f"{re.sub('[.,]', '', digits)}{unit}", text)
    if re.fullmatch(r"\d{1,3}(?:\.\d{3}){2,}", digits):
        digits = digits.replace(".", "")
    is_grouped = re.fullmatch(r"\d{1,3}(?:[,_' ]\d{3})+(?:\.\d+)?", digits) is not None
    if is_grouped and not (unit and re.fullmatch(r"\d+,\d{3}", digits)):
        digits = re.sub(r"[,_' ]", "", digits)
    elif re.fullmatch(r"\d+[.,]\d+", digits) and (unit or re.fullmatch(r"\d+\.(?!\d{3}$)\d+", digits)):
        digits = digits.replace(",", ".")
    elif not digits.isdigit():
        plain = re.sub(r"\D", "", digits)
        raise Refusal(f"“{text}” can be read as more than one number.", f"{int(plain[:12] or 0):,}", text)
    if len(digits) > 20:
        raise Refusal(f"“{text[:30]}” is more than {MAX_TOKENS:,} tokens.")
    tokens = Decimal(digits) * _UNITS.get(unit, 1)
    if tokens != int(tokens):
        raise Refusal(f"“{text}” is not a whole number of tokens.", f"{round(tokens):,}", text)
    if tokens > MAX_TOKENS:
        raise Refusal(f"“{text}” is more than {MAX_TOKENS:,} tokens.")
    return int(tokens)


def _usage(counts: dict[str, int], items: list[Item], assumptions: list[str]) -> TokenUsage:
    """The tokens of the question: its amounts or its presets, a share or a part of the input moved to the cache."""
    presets = _presets(items, counts, assumptions)
    if presets is not None:
        counts = {kind: count for kind, count in presets.by_kind().items() if count}
    read, sentence = _cached(counts, items)
    if read is not None:
        counts |= {"input": counts["input"] - read, "cache_read": read}
        assumptions.append(sentence)
    return TokenUsage(*(counts.get(kind, 0) for kind in KINDS))


def _cached(counts: dict[str, int], items: list[Item]) -> tuple[int | None, str]:
    """How much of the input is read from the cache, and the sentence that says so; None where nothing is said."""
    shares = {item.value.replace(",", "."): item for item in items if item.kind == "cached"}
    parts = [item for item in items if item.kind == "cached_part"]
    if len(shares) > 1:
        raise Refusal(f"Two cached shares are given: {' % and '.join(sorted(shares))} %. Say one.")
    if len(parts) > 1 or (parts and shares):
        raise Refusal(f"“{parts[-1].text}” says a second time how much is cached; say it once.")
    if not shares and not parts:
        return None, ""
    said = (parts or list(shares.values()))[0]
    if "cache_read" in counts:
        raise Refusal("The cached input is given twice, as an amount and as a share; say one of the two.")
    if not counts.get("input"):
        if counts:
            raise Refusal(f"“{said.text}” is a part of the input, and no input is given.", f"{EXAMPLE} 80% cached")
        return None, ""
    if parts:
        read = _amount(parts[0].value.strip())
        if read > counts["input"]:
            raise Refusal(
                f"“{said.text}” is more than the {counts['input']:,} tokens of input.", f"{EXAMPLE} 80% cached"
            )
        return read, f"{read:,} tokens of the input are read from the cache, the rest is plain input."
    share = Decimal(next(iter(shares)))
    if share > 100:
        raise Refusal(f"“{share}% cached” is more than all of the input.", f"{EXAMPLE} 80% cached")
    plain = f"{share.normalize():f} % of the input is read from the cache, the rest is plain input."
    return int(counts["input"] * share / 100), plain


def _presets(items: list[Item], counts: dict[str, int], assumptions: list[str]) -> TokenUsage | None:
    """The tokens of named kinds of session; None where none is named."""
    named = [item for item in items if item.kind in ("preset", "autonomous")]
    if not named:
        return None
    if counts:
        raise Refusal(f"“{named[0].text}” has tokens of its own; say either that or amounts.", f"{named[0].text} opus")
    compared = [
        item for item in items if item.kind == "mark" and item.text in ("vs", "versus", "against", "or", "than")
    ]
    if len(named) > 1 and compared:
        raise Refusal(
            f"I can compare models, not sizes: ask for “{named[0].text}” and “{named[1].text}” one after the other.",
            f"{named[0].text} opus",
        )
    total = TokenUsage()
    for item in named:
        one = _preset_usage(item)
        total = total.plus(one)
        assumptions.append(
            f"“{item.text}” is taken as {one.input:,} tokens in and {one.output:,} out, before any caching."
        )
    if len(named) > 1:
        assumptions.append("They are added up.")
    return total


_COMPARING = ("vs", "versus", "against", "or", "than")


def _preset_usage(item: Item) -> TokenUsage:
    if item.kind == "preset":
        name = "bug fix" if item.value.startswith("bug") else item.value
        count = re.match(r"[\d,]+", item.text)
        times = _whole(count[0]) if count else 1
        if times < 1:
            raise Refusal(f"“{item.text}” is none at all.", f"{name} opus")
        return PRESETS[name].times(times)
    hours = int(item.value or 1)
    if not 1 <= hours <= MAX_HOURS:
        raise Refusal(f"“{item.text}” is not from 1 to {MAX_HOURS} hours.", "autonomous 8h")
    return AUTONOMOUS_HOUR.times(hours)


def _session(items: list[Item], counts: dict[str, int], assumptions: list[str]) -> SessionPlan | None:
    """The session that is described, if its turns are."""
    said: dict[str, Item] = {}
    for item in items:
        if item.kind in _SESSION_PARTS:
            if item.kind in said:
                raise Refusal(f"“{said[item.kind].text}” and “{item.text}” say the same thing twice; say it once.")
            said[item.kind] = item
    if "turns" not in said:
        if said:
            first = next(iter(said.values()))
            raise Refusal(
                f"“{first.text}” belongs to a session: say how many turns it has.", f"session 60 turns {first.text}"
            )
        return None
    if counts or any(item.kind in ("cached", "cached_part") for item in items):
        raise Refusal(
            f"A session of {said['turns'].text} works out its own tokens; leave the amounts out.", "session 60 turns"
        )
    plain = next((item for item in items if item.kind == "plain"), None)
    if plain is not None:
        raise Refusal(
            f"“{plain.text}” does not go with a session, as Claude Code always caches; say how many turns find the "
            "cache cold, such as 59 cold turns.",
            "session 60 turns 59 cold turns",
        )
    presets = [item for item in items if item.kind in ("preset", "autonomous") and item.value != "agent team"]
    if presets:
        raise Refusal(
            f"“{presets[0].text}” and “{said['turns'].text}” are two kinds of session; say one.", "session 60 turns"
        )
    is_team = "plan_mode" in said or any(item.value == "agent team" for item in items)
    plan = SessionPlan(
        turns=_whole(said["turns"].value),
        turns_per_hour=max(1, _whole(said["turns_per_hour"].value)) if "turns_per_hour" in said else TURNS_PER_HOUR,
        cache_lifetime="1h" if "cache_1h" in said else "5m",
        cold_turns=_whole(said["cold"].value) if "cold" in said else 0,
        compact_at=_amount(said["compact"].value.strip(" .,")) if "compact" in said else None,
        subagents=_subagents(said["subagents"].text) if "subagents" in said else 0,
        subagent_model=_agent_models(said["subagents"].text)[0] if "subagents" in said else None,
        members=TEAM_IN_PLAN_MODE if is_team else 1,
        checks_per_hour=_whole(said["checks"].value or str(CHECKS_PER_HOUR)) if "checks" in said else 0,
        claude_md_lines=_whole(said["claude_md"].value) if "claude_md" in said else 0,
    )
    assumptions.append(
        f"{plan.turns:,} turns that each add {plan.growth:,} tokens to a first context of {plan.base:,} "
        f"and write {plan.output:,}; {plan.turns_per_hour} turns an hour."
    )
    if not plan.cold_turns:
        assumptions.append("Its turns follow each other while the cache is warm; say “3 cold turns” for longer pauses.")
    elif plan.cold_turns < plan.turns - 1:
        assumptions.append("Its other turns follow each other while the cache is warm.")
    if _has(items, "batch"):
        assumptions.append("Claude Code itself has no batch mode; this is the price of the same requests by the API.")
    if plan.subagents:
        whose = plan.subagent_model or "the session's model"
        if _agent_models(said["subagents"].text)[1]:
            assumptions.append(f"“{said['subagents'].text}” is read as subagents on {whose}.")
        assumptions.append(f"Each subagent is taken to make {plan.subagent_turns} requests on {whose}.")
    if plan.checks_per_hour:
        assumptions.append(
            f"Each of auto mode's {plan.checks_per_hour} checks an hour is taken as {CHECK_INPUT:,} tokens in and "
            f"{CHECK_OUTPUT} out on a Sonnet."
        )
    if is_team:
        assumptions.append(f"An agent team is taken as {TEAM_IN_PLAN_MODE} such contexts (teammates in plan mode).")
    return plan


def _subagents(text: str) -> int:
    count = re.match(r"\d+", text)
    return _whole(count[0]) if count else 1


def _whole(text: str) -> int:
    digits = text.replace(",", "")
    if not digits.isdigit() or len(digits) > 6:
        raise Refusal(f"“{text[:30]}” is too large a number here.", "session 60 turns")
    return int(digits)


def _times(items: list[Item]) -> int:
    times = 1
    for item in items:
        if item.kind == "times":
            times *= int(item.value.replace(",", "")[:12])
    if not 1 <= times <= MAX_TIMES:
        raise Refusal(f"I can multiply by 1 to {MAX_TIMES:,}, not by {times:,}.", f"{EXAMPLE} x 20")
    return times


def _day(items: list[Item], today: date) -> date:
    days = {item.value for item in items if item.kind == "day"}
    if len(days) > 1:
        raise Refusal(f"Two days are given: {' and '.join(sorted(days))}. Prices can be asked for one day at a time.")
    if not days or days == {"today"}:
        return today
    text = days.pop()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refusal(f"“{text}” is not a day of the calendar.", f"{EXAMPLE} on {today}") from None


def _check_models(models: tuple[str, ...], day: date, book: PriceBook, text: str) -> None:
    """Refuse names that mean no model before any price is looked up."""
    for name in models:
        try:
            book.model(name, day)
        except PricingError as error:
            raise Refusal(str(error), re.sub(re.escape(name), "opus", normalised(text), count=1)) from error


def _plain(kind: str) -> str:
    return kind.replace("_", " ")
