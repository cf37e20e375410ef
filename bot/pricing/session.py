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

from bot.pricing.cost import Cost, CostLine, list_cost
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
CLASSIFIER = "claude-sonnet-5"
"""Auto mode asks a classifier before actions: rate and size as of March 2026, the model since August."""

TURNS_PER_HOUR = 10
MAX_TURNS = 10_000
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

    @property
    def ratio(self) -> Decimal:
        """How many times the flat estimate the session costs."""
        return self.usd / self.flat_usd

    @property
    def new_tokens(self) -> int:
        """Tokens that entered one main context, each counted once."""
        return self.plan.base + self.plan.turns * self.plan.growth

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

    Raises ValueError for a plan that cannot be (the sentence says why), and the errors of ``list_cost``.
    """
    _check(plan)
    pricer = _Pricer(book, day, conditions)
    turns = [
        Turn(number, _hour(number, plan), context, kind, usage, pricer.price(usage, model))
        for number, context, kind, usage in _requests(plan)
    ]
    pricer.repeat(plan.members)
    parts = [Part("main", model, *pricer.taken())]
    for name, agent, usages in _others(plan, model):
        for usage in usages:
            pricer.price(usage, agent)
        parts.append(Part(name, agent, *pricer.taken()))
    flat = list_cost(_flat(plan), model, day, book, conditions).usd
    return SessionCost(plan, sum((part.usd for part in parts), Decimal(0)), turns, parts, pricer.lines, flat)


class _Pricer:
    """Prices requests and remembers what came together since it was last asked."""

    def __init__(self, book: PriceBook, day: date, conditions: PriceConditions) -> None:
        self.book = book
        self.day = day
        self.conditions = conditions
        self.lines: list[CostLine] = []
        self._costs: list[Cost] = []

    def price(self, usage: TokenUsage, model: str) -> Decimal:
        tier = self.book.prompt_tier(model, self.day, usage.prompt_tokens)
        self._costs.append(list_cost(usage, model, self.day, self.book, self.conditions._replace(prompt_tier=tier)))
        return self._costs[-1].usd

    def repeat(self, times: int) -> None:
        self._costs *= times

    def taken(self) -> tuple[TokenUsage, Decimal]:
        usage, usd = TokenUsage(), Decimal(0)
        for cost in self._costs:
            usage = usage.plus(cost.usage)
            usd += cost.usd
            self.lines = _merged(self.lines, cost.lines)
        self._costs = []
        return usage, usd


def _merged(lines: list[CostLine], more: list[CostLine]) -> list[CostLine]:
    """Lines of the same kind and price as one."""
    merged = {(line.kind, line.price): line for line in lines}
    for line in more:
        before = merged.get((line.kind, line.price))
        tokens, usd = (before.tokens, before.usd) if before else (0, Decimal(0))
        merged[line.kind, line.price] = line._replace(tokens=tokens + line.tokens, usd=usd + line.usd)
    return list(merged.values())


def _requests(plan: SessionPlan) -> Iterator[tuple[int, int, str, TokenUsage]]:
    """(turn, context, kind, usage) of one main context."""
    base, context, cached = plan.base, plan.base, 0
    returned = plan.subagents * SUBAGENT_RETURN
    cold = _cold_turns(plan)
    for number in range(1, plan.turns + 1):
        share = returned * number // plan.turns - returned * (number - 1) // plan.turns
        if plan.compact_at is not None and number > 1 and context + plan.growth + share > plan.compact_at:
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


def _others(plan: SessionPlan, model: str) -> Iterator[tuple[str, str, list[TokenUsage]]]:
    if plan.subagents:
        # Subagents cache for five minutes, whatever the main context does.
        each = SessionPlan(plan.subagent_turns, base_context=SUBAGENT_BASE, growth=plan.growth, output=plan.output)
        usages = [usage for _, _, _, usage in _requests(each)]
        yield "subagents", plan.subagent_model or model, usages * plan.subagents * plan.members
    checks = plan.checks_per_hour * plan.turns // plan.turns_per_hour * plan.members
    if checks:
        yield "auto-mode checks", CLASSIFIER, [TokenUsage(CHECK_INPUT, CHECK_OUTPUT)] * checks


def _flat(plan: SessionPlan) -> TokenUsage:
    """Every new token once as plain input, and the output: no cache, no re-reading."""
    new = plan.base + plan.turns * plan.growth
    agents = plan.subagents * (SUBAGENT_BASE + plan.subagent_turns * plan.growth)
    output = (plan.turns + plan.subagents * plan.subagent_turns) * plan.output
    return TokenUsage(new + agents, output).times(plan.members)


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
