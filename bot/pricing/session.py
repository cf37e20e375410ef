"""What a whole session costs: a context that grows turn by turn, is read from the cache, and goes cold.

Turn ``t`` adds ``growth`` tokens to a context of C tokens. While the cache is warm it costs a read of C, a write of
what is new, and the output. After a pause longer than the cache's lifetime, or a change that invalidates it, the whole
context is written again. A compaction reads C, writes a summary as output, and goes on from the base and the summary,
which the next turn writes. Every agent of a team has such a context of its own.

The figures that stand in for what is not said are documented or measured ones (November 2026); each names its source.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from bot.pricing.cost import CostLine, list_cost
from bot.pricing.price_book import PriceBook
from bot.pricing.usage import STANDARD, PriceConditions, TokenUsage

BASE_CONTEXT = 13_000
"""Tokens of a first request: system prompt, tools, environment. Measured with Claude Code 2.1.330 on Sonnet 5.5."""

GROWTH = 4_900
OUTPUT = 290
FRESH = 4
"""New, output and uncached tokens of a turn: means of 38,925 turns in 60 sessions (one published data set)."""

TOKENS_PER_CLAUDE_MD_LINE = 20
"""500 lines of CLAUDE.md added about 10,000 tokens to every request; measured."""

SUMMARY_PERCENT = 12
"""Share of the conversation that a compaction's summary keeps; from the documentation's simulator."""

SUBAGENT_BASE = 3_670
SUBAGENT_RETURN = 420
SUBAGENT_TURNS = 10
"""A subagent starts with and gives back this many tokens (documentation); ten turns are an assumption."""

TEAM_IN_PLAN_MODE = 7
"""An agent team uses about seven times the tokens of one session when teammates run in plan mode (documentation)."""

CHECKS_PER_HOUR = 60
CHECK_INPUT = 2_000
CHECK_OUTPUT = 50
CLASSIFIERS = ((date(2026, 6, 30), "claude-sonnet-5"), (date.min, "claude-sonnet-4-6"))
"""Auto mode asks a classifier before actions: rate and size as of March 2026, and the model from a day on."""

AUTO_COMPACTION = {1_000_000: 967_000, 200_000: 167_189}
"""The context, by the model's window, above which Claude Code compacts by itself (documentation; measured)."""

TURNS_PER_HOUR = 10
MAX_TURNS = 2_000
MAX_REQUESTS = 50_000


class SessionPlan(NamedTuple):
    """A session to be priced. Counts are tokens unless the name says otherwise.

    ``cold_turns`` are spread evenly over the session. ``compact_at`` is the context above which a turn is preceded by a
    compaction; None for never. ``members`` is how many independent contexts run the same session.
    """

    turns: int
    turns_per_hour: int = TURNS_PER_HOUR
    base_context: int = BASE_CONTEXT
    growth: int = GROWTH
    output: int = OUTPUT
    fresh: int = FRESH
    cache_lifetime: str = "5m"
    cold_turns: int = 0
    compact_at: int | None = None
    subagents: int = 0
    subagent_model: str | None = None
    subagent_turns: int = SUBAGENT_TURNS
    members: int = 1
    checks_per_hour: int = 0
    claude_md_lines: int = 0

    @property
    def base(self) -> int:
        """What every request starts with, CLAUDE.md included."""
        return self.base_context + self.claude_md_lines * TOKENS_PER_CLAUDE_MD_LINE


class Turn(NamedTuple):
    """One request. ``number`` counts turns from 1 (a compaction has the number of the turn it precedes).

    ``hour`` counts from 1; ``context`` is what the request's prompt holds; ``kind`` is "warm", "cold" or "compaction".
    """

    number: int
    hour: int
    context: int
    kind: str
    usage: TokenUsage
    usd: Decimal


class Part(NamedTuple):
    """One share of a session's cost: the main context, the subagents, or auto mode's checks."""

    name: str
    model: str
    usage: TokenUsage
    usd: Decimal


class SessionCost(NamedTuple):
    """A priced session, in US dollars at list price, exact; ``parts`` add up to ``usd``.

    ``turns`` are those of one main context. ``flat_usd`` is what counting every new token once gives, as plain input
    and output without a cache: the arithmetic of most estimates.
    """

    plan: SessionPlan
    usd: Decimal
    turns: list[Turn]
    parts: list[Part]
    lines: list[CostLine]
    flat_usd: Decimal
    new_tokens: int
    """Tokens that entered any of its contexts, each counted once."""

    compacts_at: int
    """The context above which a turn is preceded by a compaction: the plan's, or the model's window's."""

    @property
    def ratio(self) -> Decimal:
        """How many times the flat estimate the session costs."""
        return self.usd / self.flat_usd

    @property
    def by_hour(self) -> list[tuple[int, int, Decimal]]:
        """(hour, largest context, dollars) of one main context, hour by hour."""
        hours = sorted({turn.hour for turn in self.turns})
        return [
            (
                hour,
                max(turn.context for turn in self.turns if turn.hour == hour),
                sum((turn.usd for turn in self.turns if turn.hour == hour), Decimal(0)),
            )
            for hour in hours
        ]


def session_cost(
    plan: SessionPlan, model: str, day: date, book: PriceBook, conditions: PriceConditions = STANDARD
) -> SessionCost:
    """Price a session request by request, each with the price of its own prompt size.

    ``conditions`` hold for the session's own requests; subagents and checks have the same geography and tier, but
    standard speed. Raises ValueError for a plan that cannot be, with the reason, and the errors of ``list_cost``.
    """
    _check(plan)
    limit = _compacts_at(plan, model, day, book)
    pricer = _Pricer(book, day)
    turns = []
    for number, context, kind, usage in _requests(plan, limit):
        pricer.add(usage, model, conditions, plan.members)
        usd = list_cost(usage, model, day, book, pricer.conditions(usage, model, conditions)).usd
        turns.append(Turn(number, _hour(number, plan), context, kind, usage, usd))
    parts = [Part("main", model, *pricer.taken())]
    for name, agent, requests in _others(plan, model, day):
        for usage, times in requests:
            pricer.add(usage, agent, conditions._replace(speed="standard"), times)
        parts.append(Part(name, agent, *pricer.taken()))
    flat = [(list_cost(u, m, day, book, c).usd, u.tokens - u.output) for u, m, c in _flat(plan, model, conditions)]
    return SessionCost(
        plan=plan,
        usd=sum((part.usd for part in parts), Decimal(0)),
        turns=turns,
        parts=parts,
        lines=pricer.lines,
        flat_usd=sum((usd for usd, _ in flat), Decimal(0)),
        new_tokens=sum(tokens for _, tokens in flat),
        compacts_at=limit,
    )


def session_usd(
    plan: SessionPlan, model: str, day: date, book: PriceBook, conditions: PriceConditions = STANDARD
) -> Decimal:
    """What ``session_cost`` comes to, without its turns: for comparing many sessions. Raises the same errors."""
    _check(plan)
    pricer = _Pricer(book, day)
    for _, _, _, usage in _requests(plan, _compacts_at(plan, model, day, book)):
        pricer.add(usage, model, conditions, plan.members)
    for _, agent, requests in _others(plan, model, day):
        for usage, times in requests:
            pricer.add(usage, agent, conditions._replace(speed="standard"), times)
    return pricer.taken()[1]


class _Pricer:
    """Adds requests up by model and conditions, and prices the sums: cost is additive within those."""

    def __init__(self, book: PriceBook, day: date) -> None:
        self.book = book
        self.day = day
        self.lines: list[CostLine] = []
        self._sums: dict[tuple[str, PriceConditions], TokenUsage] = {}
        self._limits: dict[str, int | None] = {}

    def add(self, usage: TokenUsage, model: str, conditions: PriceConditions, times: int) -> None:
        key = (model, self.conditions(usage, model, conditions))
        more = usage if times == 1 else usage.times(times)
        before = self._sums.get(key)
        self._sums[key] = more if before is None else before.plus(more)

    def conditions(self, usage: TokenUsage, model: str, conditions: PriceConditions) -> PriceConditions:
        """The conditions of one request, its prompt's size among them."""
        if model not in self._limits:
            row = self.book.price_at(self.book.model(model, self.day).id, self.day)
            self._limits[model] = row.long_prompt.over_tokens if row.long_prompt else None
        limit = self._limits[model]
        is_long = limit is not None and usage.prompt_tokens > limit
        return conditions._replace(prompt_tier="long") if is_long else conditions

    def taken(self) -> tuple[TokenUsage, Decimal]:
        """All usage and dollars since the last time."""
        usage, usd = TokenUsage(), Decimal(0)
        for (model, conditions), used in self._sums.items():
            cost = list_cost(used, model, self.day, self.book, conditions)
            usage, usd = usage.plus(used), usd + cost.usd
            self.lines = _merged(self.lines, cost.lines)
        self._sums = {}
        return usage, usd


def _merged(lines: list[CostLine], more: list[CostLine]) -> list[CostLine]:
    """Lines of the same kind and price as one."""
    merged = {(line.kind, line.price): line for line in lines}
    for line in more:
        before = merged.get((line.kind, line.price))
        tokens, usd = (before.tokens, before.usd) if before else (0, Decimal(0))
        merged[line.kind, line.price] = line._replace(tokens=tokens + line.tokens, usd=usd + line.usd)
    return list(merged.values())


def _compacts_at(plan: SessionPlan, model: str, day: date, book: PriceBook) -> int:
    automatic = AUTO_COMPACTION[book.model(model, day).context_window]
    return automatic if plan.compact_at is None else min(plan.compact_at, automatic)


def _requests(plan: SessionPlan, compact_at: int) -> Iterator[tuple[int, int, str, TokenUsage]]:
    """(turn, context, kind, usage) of one main context."""
    base, context, cached = plan.base, plan.base, 0
    returned = plan.subagents * SUBAGENT_RETURN
    cold = _cold_turns(plan)
    for number in range(1, plan.turns + 1):
        share = returned * number // plan.turns - returned * (number - 1) // plan.turns
        if number > 1 and context + plan.growth + share > compact_at:
            summary = (context - base) * SUMMARY_PERCENT // 100
            yield number, context, "compaction", TokenUsage(output=summary, cache_read=context)
            context, cached = base + summary, 0
        context += plan.growth + share
        if number in cold:
            cached = 0
        yield number, context, "cold" if number in cold else "warm", _turn(plan, context, cached)
        cached = context


def _turn(plan: SessionPlan, context: int, cached: int) -> TokenUsage:
    written = context - cached
    if plan.cache_lifetime == "1h":
        return TokenUsage(plan.fresh, plan.output, cached, cache_write_1h=written)
    return TokenUsage(plan.fresh, plan.output, cached, cache_write_5m=written)


def _others(plan: SessionPlan, model: str, day: date) -> Iterator[tuple[str, str, list[tuple[TokenUsage, int]]]]:
    """What else makes requests: a name, its model, and its requests with how often each is made."""
    if plan.subagents:
        # Subagents cache for five minutes, whatever the main context does.
        each = SessionPlan(plan.subagent_turns, base_context=SUBAGENT_BASE, growth=plan.growth, output=plan.output)
        usages = [usage for _, _, _, usage in _requests(each, max(AUTO_COMPACTION.values()))]
        times = plan.subagents * plan.members
        yield "subagents", plan.subagent_model or model, [(usage, times) for usage in usages]
    checks = plan.checks_per_hour * plan.turns // plan.turns_per_hour * plan.members
    if checks:
        classifier = next(name for since, name in CLASSIFIERS if since <= day)
        yield "auto-mode checks", classifier, [(TokenUsage(CHECK_INPUT, CHECK_OUTPUT), checks)]


def _flat(
    plan: SessionPlan, model: str, conditions: PriceConditions
) -> Iterator[tuple[TokenUsage, str, PriceConditions]]:
    """Every new token once as plain input, and the output, each on its own model: no cache, no re-reading."""
    own = TokenUsage(plan.base + plan.turns * plan.growth, plan.turns * plan.output)
    yield own.times(plan.members), model, conditions
    if plan.subagents:
        turns = plan.subagent_turns
        each = TokenUsage(SUBAGENT_BASE + turns * plan.growth, turns * plan.output)
        yield (
            each.times(plan.subagents * plan.members),
            plan.subagent_model or model,
            conditions._replace(speed="standard"),
        )


def _cold_turns(plan: SessionPlan) -> set[int]:
    """Evenly spread turns; the first one is cold by itself and is not counted."""
    return {1 + count * plan.turns // (plan.cold_turns + 1) for count in range(1, plan.cold_turns + 1)}


def _hour(number: int, plan: SessionPlan) -> int:
    return (number - 1) // plan.turns_per_hour + 1


def _check(plan: SessionPlan) -> None:
    if not 1 <= plan.turns <= MAX_TURNS:
        raise ValueError(f"a session has 1 to {MAX_TURNS:,} turns, not {plan.turns:,}")
    if plan.cold_turns >= plan.turns:
        raise ValueError(f"{plan.cold_turns:,} cold turns are not fewer than {plan.turns:,} turns")
    requests = plan.members * (plan.turns + plan.subagents * plan.subagent_turns)
    if requests > MAX_REQUESTS:
        raise ValueError(f"that session has {requests:,} requests; at most {MAX_REQUESTS:,} can be worked out")
    least = plan.base + 2 * plan.growth
    if plan.compact_at is not None and plan.compact_at < least:
        raise ValueError(f"compacting at {plan.compact_at:,} tokens leaves no room: the least is {least:,}")
