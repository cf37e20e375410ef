"""The figures of an article on session costs (28 March 2026), worked out again with that day's prices.

Its claims are quoted as numbers; everything beside them is computed here from the price book and the session sizes.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from bot.ask.question import PRESETS
from bot.pricing import PriceBook, TokenUsage, list_cost
from bot.pricing.money import shown
from bot.pricing.plans import PlanBook, default_plan_book
from bot.pricing.session import (
    CHECK_INPUT,
    CHECK_OUTPUT,
    CHECKS_PER_HOUR,
    TEAM_IN_PLAN_MODE,
    SessionCost,
    SessionPlan,
    session_cost,
)

PUBLISHED = date(2026, 3, 28)
MODEL, SMALL_MODEL = "claude-sonnet-4-6", "claude-haiku-4-5"
WORKING_DAYS = 22
PLANS = {
    "copilot-pro": 10,
    "copilot-business": 19,
    "cursor-pro": 20,
    "windsurf-pro": 20,
    "claude-pro": 20,
    "claude-max-5x": 100,
    "claude-max-20x": 200,
}
"""The subscriptions of the article's table, in dollars a month; its other two rows are what the API costs."""

CACHED = {"bug fix": "0.07", "feature": "0.45", "refactor": "1.20"}
CLAIMED = {"bug fix": "0.10", "feature": "0.66", "refactor": "2.70", "agent team": "7.50"}
_MILLION = Decimal(10**6)
_HALF_CENT = Decimal("0.005")


class Claim(NamedTuple):
    """One figure of the article: what it says, what comes out and how, whether they agree, and why not."""

    what: str
    said: str
    ours: str
    formula: str
    agrees: bool | None
    """Whether it comes out; None where the article does not give enough to tell."""

    why: str = ""


def article_claims(book: PriceBook) -> list[Claim]:
    """Every figure of the article beside ours, in the article's order.

    ``book`` is the shipped price book: the article is about list prices, whatever a team's own contract says.
    """
    plans = default_plan_book()
    return [
        *_table(book),
        _cache_factors(book),
        *_sessions(book),
        *_cached_sessions(book),
        _team_on_haiku(book),
        *_auto_mode(book),
        *_plans(plans),
        *_months(plans),
        _team_day(plans),
        *_comparisons(plans),
        *_days(plans),
        _haiku_saves(book),
        _thirty_messages(book),
        *_invoice_line(book),
        _compaction(book),
    ]


TABLE = {
    "claude-sonnet-4-6": ("3.00", "15.00", "0.30", "3.75"),
    "claude-opus-4-6": ("5.00", "25.00", "0.50", "6.25"),
    "claude-haiku-4-5": ("1.00", "5.00", "0.10", "1.25"),
}
"""The article's price table: input, output, cache read and 5-minute cache write per million tokens."""


def _table(book: PriceBook) -> Iterator[Claim]:
    for model, said in TABLE.items():
        rates = book.rates(model, PUBLISHED)[:4]
        name = book.model(model, PUBLISHED).name
        ours = ", ".join(f"${rate:.2f}" for rate in rates)
        formula = f"the price book on {PUBLISHED}: input, output, cache read, cache write"
        yield Claim(
            f"{name} per million tokens",
            ", ".join(f"${price}" for price in said),
            ours,
            formula,
            all(rate == Decimal(price) for rate, price in zip(rates, said, strict=True)),
        )


def _cache_factors(book: PriceBook) -> Claim:
    rates = book.rates(MODEL, PUBLISHED)
    long, short, read = (rate / rates.input for rate in (rates.cache_write_1h, rates.cache_write_5m, rates.cache_read))
    return Claim(
        "what caching costs, in input prices",
        "1 h write 2x (5 min 1.25x, read 0.1x by its table)",
        f"{long:f}x, {short:f}x, {read:f}x",
        f"${rates.cache_write_1h} ÷ ${rates.input}, ${rates.cache_write_5m} ÷ ${rates.input}, "
        f"${rates.cache_read} ÷ ${rates.input}",
        (long, short, read) == (Decimal(2), Decimal("1.25"), Decimal("0.1")),
    )


def _plan_usd(plan_id: str, plans: PlanBook) -> Decimal:
    return next(plan.usd for plan in plans.on(PUBLISHED) if plan.id == plan_id)


def _daily(plans: PlanBook) -> tuple[Decimal, Decimal]:
    """What an active day cost by the documentation: on average, and at the 90th percentile."""
    typical = plans.typical(PUBLISHED)
    assert typical is not None  # noqa: S101 - the shipped book has that day, and a test says so
    return typical.average, typical.p90


def _plans(plans: PlanBook) -> Iterator[Claim]:
    for plan in plans.on(PUBLISHED):
        if plan.id in PLANS:
            said, source = PLANS[plan.id], f"the plan book on {PUBLISHED}"
            yield Claim(f"{plan.name} a month", f"${said}", shown(plan.usd), source, plan.usd == said)


def _team_day(plans: PlanBook) -> Claim:
    average, _ = _daily(plans)
    usd = TEAM_IN_PLAN_MODE * average
    return Claim(
        "agent teams, against an average day",
        "about 7x the tokens",
        f"{shown(usd)} a day",
        f"{TEAM_IN_PLAN_MODE} × ${average:f}",
        True if TEAM_IN_PLAN_MODE == 7 else None,
        "The documentation says so of teams whose members run in plan mode.",
    )


def _sessions(book: PriceBook) -> Iterator[Claim]:
    for name, usage in PRESETS.items():
        usd = _usd(usage, book)
        formula = (
            f"{usage.input // 1000:,}k × {_price('input', book)} + {usage.output // 1000:,}k × {_price('output', book)}"
        )
        yield Claim(f"{name} session", f"${CLAIMED[name]}", shown(usd), formula, _near(usd, CLAIMED[name]))


def _cached_sessions(book: PriceBook) -> Iterator[Claim]:
    for name, claimed in CACHED.items():
        usage = PRESETS[name]
        full, least = _usd(usage, book), _usd(TokenUsage(output=usage.output, cache_read=usage.input), book)
        share = _share_read(usage, Decimal(claimed), "input", book)
        others = (_percent(_share_read(usage, Decimal(claimed), kind, book)) for kind in _WRITES)
        reachable = share <= 1
        why = (
            f"If the rest is written to the cache: {' (5 min) or '.join(others)} (1 h)."
            if reachable
            else (
                f"The output alone is {shown(_usd(TokenUsage(output=usage.output), book))}; "
                f"with every input token read from the cache it is {shown(least)}."
            )
        )
        formula = (
            f"cache reads needed: ({shown(full)} − ${claimed}) ÷ ({shown(full)} − {shown(least)}) = {_percent(share)}"
        )
        yield Claim(
            f"{name} session with caching", f"${claimed}", f"{shown(least)} at the least", formula, reachable, why
        )


_WRITES = ("cache_write_5m", "cache_write_1h")


def _share_read(usage: TokenUsage, claimed: Decimal, rest: str, book: PriceBook) -> Decimal:
    """The share of the input that must be cache reads for a session to cost ``claimed``, the rest being ``rest``."""
    none = TokenUsage(output=usage.output)._replace(**{rest: usage.input})
    every = TokenUsage(output=usage.output, cache_read=usage.input)
    return (_usd(none, book) - claimed) / (_usd(none, book) - _usd(every, book))


def _team_on_haiku(book: PriceBook) -> Claim:
    usage = PRESETS["agent team"]
    sonnet = _usd(TokenUsage(output=usage.output, cache_read=usage.input), book)
    haiku = list_cost(usage, SMALL_MODEL, PUBLISHED, book).usd
    shares = ", ".join(
        f"{_percent(part)} → {_percent(_share_read_beside_haiku(usage, part, book))}"
        for part in (Decimal("0.5"), Decimal("0.8"), Decimal(5) / 6)
    )
    why = (
        f"Not on Sonnet alone ({shown(sonnet)} with every read cached); on Haiku alone it is {shown(haiku)} without a "
        f"cache. The share of Haiku is not stated; by share of Haiku, the cache reads that $3.00 needs: {shares}."
    )
    return Claim(
        "agent team with Haiku subagents and caching",
        "$3.00",
        f"{shown(haiku)} to {shown(sonnet)}",
        "all Haiku, no cache; all Sonnet, all cached",
        haiku <= 3 <= sonnet,
        why,
    )


def _share_read_beside_haiku(usage: TokenUsage, part: Decimal, book: PriceBook) -> Decimal:
    """The share of cache reads at which a team costs $3.00 with ``part`` of its tokens on Haiku."""

    def mixed(used: TokenUsage) -> Decimal:
        return part * list_cost(used, SMALL_MODEL, PUBLISHED, book).usd + (1 - part) * _usd(used, book)

    none, every = mixed(usage), mixed(TokenUsage(output=usage.output, cache_read=usage.input))
    return (none - 3) / (none - every)


def _auto_mode(book: PriceBook) -> Iterator[Claim]:
    base = _usd(TokenUsage(200_000, 30_000), book)
    checks = _usd(TokenUsage(CHECKS_PER_HOUR * CHECK_INPUT), book)
    answers = _usd(TokenUsage(output=CHECKS_PER_HOUR * CHECK_OUTPUT), book)
    context = _usd(TokenUsage(cache_read=100_000 * CHECKS_PER_HOUR), book)
    hour, price = base + checks, _price("input", book)
    yield Claim(
        "an hour on its own, base",
        "$1.05",
        shown(base),
        f"200k × {price} + 30k × {_price('output', book)}",
        _near(base, "1.05"),
    )
    yield Claim(
        "its 60 classifier checks",
        "$0.36",
        shown(checks),
        f"{CHECKS_PER_HOUR} × {CHECK_INPUT:,} × {price}",
        _near(checks, "0.36"),
        f"The checks' own output is left out ({shown(answers)} at {CHECK_OUTPUT} tokens each).",
    )
    yield Claim("that hour in total", "$1.41", shown(hour), f"{shown(base)} + {shown(checks)}", _near(hour, "1.41"))
    yield Claim(
        "eight such hours",
        "about $11",
        shown(hour * 8),
        f"8 × {shown(hour)}",
        round(hour * 8) == 11,
        "Linear, though the text says that context grows: "
        f"a context of 100k read at each check adds {shown(context)} an hour.",
    )


def _months(plans: PlanBook) -> Iterator[Claim]:
    for name, daily, claimed in zip(("average", "90th percentile"), _daily(plans), (132, 264), strict=True):
        month = daily * WORKING_DAYS
        yield Claim(f"API month, {name}", f"${claimed}", shown(month), f"{WORKING_DAYS} × ${daily}", month == claimed)


def _comparisons(plans: PlanBook) -> Iterator[Claim]:
    month = _daily(plans)[0] * WORKING_DAYS
    cursor, copilot = _plan_usd("cursor-pro", plans), _plan_usd("copilot-business", plans)
    more = month - cursor
    yield Claim("more a month than Cursor Pro", "$112", shown(more), f"{shown(month)} − {shown(cursor)}", more == 112)
    yield Claim(
        "Cursor Pro for three months of API fees",
        "12 months",
        f"{_tenth(3 * more / cursor)} months",
        f"3 × {shown(more)} ÷ {shown(cursor)}",
        _tenth(3 * more / cursor) == "12.0",
        f"By the whole fee it is {_tenth(3 * month / cursor)} months. A year of Cursor Pro is "
        f"{_hundredth(12 * cursor / more)} months of the excess, {_hundredth(12 * cursor / month)} of the fee.",
    )
    months = month / cursor
    yield Claim(
        "Cursor Pro for one month of API fees",
        "6 months",
        f"{_tenth(months)} months",
        f"{shown(month)} ÷ {shown(cursor)}",
        int(months) == 6,
    )
    seats = (month / copilot).quantize(Decimal("0.01"))
    yield Claim(
        "Copilot Business seats for it",
        "6.5 seats",
        f"{seats} seats",
        f"{shown(month)} ÷ {shown(copilot)}",
        seats == Decimal("6.5"),
        f"Almost seven; 6.5 would be {shown(month / Decimal('6.5'))} a seat.",
    )


def _days(plans: PlanBook) -> Iterator[Claim]:
    average, p90 = _daily(plans)
    low, high = (month / average for month in (100, 200))
    days = f"{_tenth(low)} to {_tenth(high)} days"
    yield Claim(
        "$100 to $200 a month at $6 a day", "a month", days, "$100 ÷ $6, $200 ÷ $6", low <= WORKING_DAYS <= high
    )
    heavy = Decimal(500) / WORKING_DAYS
    formula = f"$500 ÷ {WORKING_DAYS}"
    yield Claim("$500 a month of a heavy user", "above $12 a day", f"{shown(heavy)} a day", formula, heavy > p90)
    light = _plan_usd("claude-pro", plans) / WORKING_DAYS
    said = "under $20 a month"
    yield Claim("where paying per token wins", said, f"{shown(light)} a day", f"$20 ÷ {WORKING_DAYS}", light < 1)


def _compaction(book: PriceBook) -> Claim:
    plain, compacted = (
        session_cost(SessionPlan(60, compact_at=limit), MODEL, PUBLISHED, book) for limit in (None, 100_000)
    )
    share = 1 - _input_usd(compacted) / _input_usd(plain)
    why = "It depends on how long the session goes on and at which context; the article gives neither."
    formula = f"60 turns compacted at 100k: 1 − {shown(_input_usd(compacted))} ÷ {shown(_input_usd(plain))} of input"
    return Claim("saved on input by /compact", "50 to 70 %", _percent(share), formula, None, why)


def _input_usd(session: SessionCost) -> Decimal:
    return sum((line.usd for line in session.lines if line.kind != "output"), Decimal(0))


def _haiku_saves(book: PriceBook) -> Claim:
    share = 1 - book.rates(SMALL_MODEL, PUBLISHED).input / book.rates(MODEL, PUBLISHED).input
    small, large = (f"${book.rates(name, PUBLISHED).input.normalize():f}" for name in (SMALL_MODEL, MODEL))
    return Claim(
        "saved on subagents with Haiku",
        "60 to 70 %",
        _percent(share),
        f"1 − {small} ÷ {large}",
        Decimal("0.6") <= share <= Decimal("0.7"),
        _haiku_since(book),
    )


def _haiku_since(book: PriceBook) -> str:
    small, large = book.current("haiku", book.as_of), book.current("sonnet", book.as_of)
    prices = [book.rates(model.id, book.as_of).input for model in (small, large)]
    return f"With {small.name} and {large.name}, the ones of {book.as_of}, it is {_percent(1 - prices[0] / prices[1])}."


def _thirty_messages(book: PriceBook) -> Claim:
    session = session_cost(SessionPlan(30), MODEL, PUBLISHED, book)
    prompts = sum(turn.usage.prompt_tokens for turn in session.turns)
    return Claim(
        "input tokens of a 30-message session",
        "150,000",
        f"{prompts:,}",
        f"each turn reads a context that grows from {session.turns[0].context:,} to {session.turns[-1].context:,}",
        prompts <= 200_000,
        "150,000 are 5,000 a message, less than a first request. Most are cache reads: "
        f"the session costs {shown(session.usd)}, {_tenth(session.ratio)} times what its new tokens give.",
    )


def _invoice_line(book: PriceBook) -> Iterator[Claim]:
    rates = book.rates(MODEL, PUBLISHED)
    plain, cached = Decimal(30) / rates.input, Decimal(30) / rates.cache_read
    turns = cached * _MILLION / LARGE_CONTEXT
    yield Claim(
        "a $30 invoice line for one wasted context",
        "possible",
        f"{plain:.0f}M input, or {cached:.0f}M cache reads",
        f"$30 ÷ price per million; {turns:.0f} turns that read {LARGE_CONTEXT:,} tokens each",
        turns <= LONG_SESSION,
    )


LARGE_CONTEXT, LONG_SESSION = 500_000, 500
"""A context of half a window, and more turns than which nobody wastes in one session."""


def _usd(usage: TokenUsage, book: PriceBook) -> Decimal:
    return list_cost(usage, MODEL, PUBLISHED, book).usd


def _price(kind: str, book: PriceBook) -> str:
    return f"${getattr(book.rates(MODEL, PUBLISHED), kind).normalize():f}/M"


def _near(usd: Decimal, claimed: str) -> bool:
    """Whether a claim of whole cents is what ``usd`` rounds to."""
    return abs(usd - Decimal(claimed)) <= _HALF_CENT


def _percent(share: Decimal) -> str:
    return f"{(share * 100).quantize(Decimal('0.1')).normalize():f} %"


def _hundredth(value: Decimal) -> str:
    return str(value.quantize(Decimal("0.01")))


def _tenth(value: Decimal) -> str:
    return str(value.quantize(Decimal("0.1")))
