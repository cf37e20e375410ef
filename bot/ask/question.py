"""What a cost question asks, and the one function that reads it."""

import re
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from bot.ask.grammar import EXAMPLE, FAMILIES, Item, Refusal, normalised, scan
from bot.pricing import PriceBook, PriceConditions, PricingError, TokenUsage
from bot.pricing.session import CHECK_INPUT, CHECKS_PER_HOUR, TEAM_IN_PLAN_MODE, TURNS_PER_HOUR, SessionPlan
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

    A question is any sequence of these parts, in any order, in upper or lower case, between filler words::

        amount kind     500k in · 80k out · 2M cache read · 300k cached · 100k cache write [5m|1h] · 3 searches
                        kind first works too: in=500k, output: 80k
        amounts alone   500k/80k (input, then output)
        share           80% cached (of the input)
        model           opus · opus 4.6 · claude-opus-4-6 · claude-haiku-4-5-20251001; several names are compared
        condition       fast · batch · us
        times           x 20 · 20 times · for 22 days · for 14 people; several multiply
        day             on 2026-03-28

    An amount is 500000, 500,000, 500 000, 500k, 1.2M, 1.2 million or 1 mio, and must be a whole number of tokens.
    A session is priced turn by turn, its context growing from one to the next::

        preset          bug fix · feature · refactor · agent team · autonomous 8h
        session         session 60 turns · 12 turns an hour · 3 cold turns · 1h cache · compact at 100k ·
                        3 haiku subagents · agent team · auto mode · claude.md 500 lines

    Where a part can be read in one sensible way only by assuming something, the assumption is stated.
    """
    if len(text) > MAX_LENGTH:
        raise Refusal(f"That question has {len(text):,} characters; at most {MAX_LENGTH:,} can be read.")
    items = _without_prepositions(list(scan(normalised(text), book.own_names)))
    counts, assumptions = _counts(items)
    session = _session(items, counts, assumptions)
    usage = _usage(counts, items, assumptions) if session is None else TokenUsage()
    usage = _preset(items, usage, assumptions) if session is None else usage
    if session is None and usage == TokenUsage():
        raise Refusal("Tell me how many tokens: a number and “in” or “out”, and a model if you like.")
    conditions = PriceConditions(
        speed="fast" if _has(items, "fast") else "standard",
        inference_geo="us" if _has(items, "us") else "global",
        service_tier="batch" if _has(items, "batch") else "standard",
    )
    if conditions.inference_geo == "us":
        assumptions.append("“us” is read as US-only inference, which costs more per token.")
    models = tuple(dict.fromkeys(item.text for item in items if item.kind in ("model", "other_model")))
    day = _day(items, today)
    _check_models(models, day, book, text)
    return Question(usage, models, conditions, day, _times(items), tuple(assumptions), today, session)


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
    """Drop the "in" of "in opus", unless an amount stands before it."""
    kept = []
    for before, item, after in zip([None, *items], items, [*items[1:], None], strict=False):
        is_preposition = item.text == "in" and after is not None and after.kind == "model"
        if not is_preposition or (before is not None and before.kind == "number"):
            kept.append(item)
    return kept


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
    _place_alone(counts, alone, assumptions)
    return counts, assumptions


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
    counts[name] = _amount(number.text)


def _place_alone(counts: dict[str, int], alone: list[Item], assumptions: list[str]) -> None:
    free = [kind for kind in ("input", "output") if kind not in counts]
    if len(alone) > len(free):
        raise Refusal(f"I do not know what “{alone[-1].text}” counts: write “in”, “out” or “cache read” beside it.")
    for item, kind in zip(alone, free, strict=False):
        counts[kind] = _amount(item.text)
        assumptions.append(f"“{item.text}” is taken as {kind} tokens.")


def _amount(text: str) -> int:
    match = re.fullmatch(r"([\d.,_' ]*\d)\s?([a-z]*)", f"0{text}" if text.startswith(".") else text)
    if match is None:
        raise Refusal(f"I could not read “{text}”. Numbers look like 80k, 1.2M or 80,000.")
    digits, unit = match[1], match[2]
    if unit and re.fullmatch(r"[1-9]\d*,\d{3}", digits):
        raise Refusal(f"“{text}” can be read as more than one number.", f"{digits.replace(',', '')}{unit} in")
    if re.fullmatch(r"\d{1,3}(?:[,_' ]\d{3})+(?:\.\d+)?", digits) and not (unit and re.fullmatch(r"\d+,\d{3}", digits)):
        digits = re.sub(r"[,_' ]", "", digits)
    elif re.fullmatch(r"\d+[.,]\d+", digits) and (unit or not re.fullmatch(r"\d+\.\d{3}", digits)):
        digits = digits.replace(",", ".")
    elif not digits.isdigit():
        plain = re.sub(r"\D", "", digits)
        raise Refusal(f"“{text}” can be read as more than one number.", f"{int(plain[:12] or 0):,} in")
    if len(digits) > 20:
        raise Refusal(f"“{text[:30]}” is more than {MAX_TOKENS:,} tokens.")
    tokens = Decimal(digits) * _UNITS.get(unit, 1)
    if tokens != int(tokens):
        raise Refusal(f"“{text}” is not a whole number of tokens.", f"{round(tokens):,} in")
    if tokens > MAX_TOKENS:
        raise Refusal(f"“{text}” is more than {MAX_TOKENS:,} tokens.")
    return int(tokens)


def _usage(counts: dict[str, int], items: list[Item], assumptions: list[str]) -> TokenUsage:
    shares = {item.value for item in items if item.kind == "cached"}
    if len(shares) > 1:
        raise Refusal(f"Two cached shares are given: {' % and '.join(sorted(shares))} %. Say one.")
    if shares:
        share = Decimal(shares.pop())
        if share > 100:
            raise Refusal(f"“{share}% cached” is more than all of the input.", f"{EXAMPLE} 80% cached")
        if "cache_read" in counts:
            raise Refusal("The cached input is given twice, as an amount and as a share; say one of the two.")
        read = int(counts.get("input", 0) * share / 100)
        counts |= {"input": counts.get("input", 0) - read, "cache_read": read}
        assumptions.append(f"{share.normalize():f} % of the input is read from the cache, the rest is plain input.")
    return TokenUsage(*(counts.get(kind, 0) for kind in KINDS))


def _preset(items: list[Item], usage: TokenUsage, assumptions: list[str]) -> TokenUsage:
    """The tokens of a named kind of session, where no amount is given."""
    named = [item for item in items if item.kind in ("preset", "autonomous")]
    if not named:
        return usage
    if usage != TokenUsage():
        raise Refusal(f"“{named[0].text}” has tokens of its own; say either that or amounts.", f"{named[0].text} opus")
    total = TokenUsage()
    for item in named:
        one = _preset_usage(item)
        total = total.plus(one)
        assumptions.append(
            f"“{item.text}” is taken as {one.input:,} tokens in and {one.output:,} out, without a cache."
        )
    return total


def _preset_usage(item: Item) -> TokenUsage:
    if item.kind == "preset":
        return PRESETS["bug fix" if item.value == "bugfix" else item.value]
    hours = int(item.value or 1)
    if not 1 <= hours <= MAX_HOURS:
        raise Refusal(f"“{item.text}” is more than {MAX_HOURS} hours.", "autonomous 8h")
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
    if counts or any(item.kind == "cached" for item in items):
        raise Refusal(
            f"A session of {said['turns'].text} works out its own tokens; leave the amounts out.", "session 60 turns"
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
        subagent_model=next((f for f in FAMILIES.split("|") if f in said["subagents"].text), None)
        if "subagents" in said
        else None,
        members=TEAM_IN_PLAN_MODE if is_team else 1,
        checks_per_hour=_whole(said["checks"].value or str(CHECKS_PER_HOUR)) if "checks" in said else 0,
        claude_md_lines=_whole(said["claude_md"].value) if "claude_md" in said else 0,
    )
    assumptions.append(
        f"{plan.turns:,} turns that each add {plan.growth:,} tokens to a first context of {plan.base:,} "
        f"and write {plan.output:,}; {plan.turns_per_hour} turns an hour."
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
