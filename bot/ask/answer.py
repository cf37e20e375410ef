"""The answer to a cost question: total, formula, what was assumed, other models, and what would make it cheaper."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from bot.ask.grammar import Refusal
from bot.ask.question import Question, parse
from bot.pricing import CostLine, Model, PriceBook, PriceConditions, PricingError, TokenUsage, list_cost
from bot.pricing.money import shown
from bot.pricing.price_book import DEFAULT_FAMILY
from bot.pricing.session import SessionCost, SessionPlan, session_cost

COMPARED_FAMILIES = ("opus", "sonnet", "haiku")
CACHED_SHARE = 90
COMPACT_AT = 100_000
CLAUDE_MD_LINES = 200
"""What the documentation recommends for CLAUDE.md since March 2026."""

MIN_SAVING_USD = Decimal("0.01")


class Total(NamedTuple):
    """Dollars, exact, and the kinds that they are made of."""

    usd: Decimal
    lines: list[CostLine]


class Alternative(NamedTuple):
    """The same question on another model."""

    model: Model
    usd: Decimal


class Saving(NamedTuple):
    """Something to do differently, and the dollars that the whole question would cost less."""

    what: str
    usd: Decimal


class Answer(NamedTuple):
    """Dollars, exact. ``cost`` covers the whole question, all ``question.times`` of it.

    ``if_cached`` is the total if CACHED_SHARE % of the input were cache reads; None where that would change nothing.
    ``session`` is one session turn by turn, where one was asked about.
    """

    question: Question
    model: Model
    cost: Total
    session: SessionCost | None
    alternatives: list[Alternative]
    savings: list[Saving]
    if_cached: Decimal | None
    assumptions: list[str]
    prices_as_of: date
    price_label: str


def ask(text: str, today: date, book: PriceBook) -> Answer:
    """Read a question and answer it. Raises Refusal, whose suggestion is always a question that has an answer."""
    try:
        return answer(parse(text, today, book), book)
    except Refusal as refusal:
        try:
            answer(parse(refusal.suggestion, today, book), book)
        except Refusal:
            raise Refusal(refusal.sentence) from None
        raise


def answer(question: Question, book: PriceBook) -> Answer:
    """Price a question. Raises Refusal where the price book has no price for it."""
    named = [book.model(name, question.day) for name in question.models]
    try:
        model = named[0] if named else book.current(DEFAULT_FAMILY, question.day)
        session = _session(question, question.session, model, book) if question.session else None
        cost = _total(question, model, book)
        savings = _savings(question, question.session, model, book) if question.session else []
    except (PricingError, ValueError) as error:
        raise Refusal(_sentence(error)) from error
    return Answer(
        question=question,
        model=model,
        cost=cost,
        session=session,
        alternatives=_alternatives(question, model, named[1:], book),
        savings=savings,
        if_cached=_if_cached(question, model, book),
        assumptions=[
            *question.assumptions,
            *_model_assumption(question, model),
            *_prompt_assumption(question, model, book),
            *filter(None, [book.age_warning(question.asked_on)]),
        ],
        prices_as_of=book.as_of,
        price_label=book.label,
    )


def _total(question: Question, model: Model, book: PriceBook) -> Total:
    if question.session is not None:
        session = _session(question, question.session, model, book)
        times = question.times
        lines = [line._replace(tokens=line.tokens * times, usd=line.usd * times) for line in session.lines]
        return Total(session.usd * times, lines)
    return _usage_total(question, question.usage, model, book)


def _usage_total(question: Question, usage: TokenUsage, model: Model, book: PriceBook) -> Total:
    conditions = _conditions(question, usage, model, book)
    cost = list_cost(usage.times(question.times), model.id, question.day, book, conditions)
    return Total(cost.usd, cost.lines)


def _session(question: Question, plan: SessionPlan, model: Model, book: PriceBook) -> SessionCost:
    return session_cost(plan, model.id, question.day, book, question.conditions)


def _conditions(question: Question, usage: TokenUsage, model: Model, book: PriceBook) -> PriceConditions:
    tier = book.prompt_tier(model.id, question.day, usage.prompt_tokens)
    return question.conditions._replace(prompt_tier=tier)


def _alternatives(question: Question, model: Model, named: list[Model], book: PriceBook) -> list[Alternative]:
    found = []
    for other in named or _current_models(question.day, book):
        if other.id == model.id:
            continue
        try:
            found.append(Alternative(other, _total(question, other, book).usd))
        except PricingError:
            if named:
                sentence = f"{other.name} cannot be compared here: it has no price under these conditions."
                raise Refusal(sentence) from None
    return found


def _current_models(day: date, book: PriceBook) -> list[Model]:
    return [book.current(family, day) for family in COMPARED_FAMILIES if book.has_family(family, day)]


def _savings(question: Question, plan: SessionPlan, model: Model, book: PriceBook) -> list[Saving]:
    """What would make this session cheaper, each worked out by pricing the changed session; the largest first."""
    now = _session(question, plan, model, book).usd
    found = []
    for what, sessions in _changes(plan):
        try:
            then = sum((_session(question, changed, model, book).usd for changed in sessions), Decimal(0))
        except (PricingError, ValueError):
            continue
        usd = (now - then) * question.times
        if usd >= MIN_SAVING_USD:
            found.append(Saving(what, usd))
    return sorted(found, key=lambda saving: -saving.usd)


def _changes(plan: SessionPlan) -> list[tuple[str, list[SessionPlan]]]:
    """What could be done, and the session or sessions that it would make of this one."""
    half = plan.turns // 2
    found = []
    if half:
        agents = plan.subagents // 2
        halves = [
            plan._replace(turns=half, subagents=agents, cold_turns=plan.cold_turns // 2),
            plan._replace(
                turns=plan.turns - half,
                subagents=plan.subagents - agents,
                cold_turns=plan.cold_turns - plan.cold_turns // 2,
            ),
        ]
        found.append(("/clear half-way, between two tasks", halves))
    if plan.compact_at is None or plan.compact_at > COMPACT_AT:
        found.append((f"/compact at {COMPACT_AT:,} tokens", [plan._replace(compact_at=COMPACT_AT)]))
    if plan.subagents and plan.subagent_model != "haiku":
        found.append(("Haiku for the subagents", [plan._replace(subagent_model="haiku")]))
    if plan.claude_md_lines > CLAUDE_MD_LINES:
        shorter = plan._replace(claude_md_lines=CLAUDE_MD_LINES)
        found.append((f"CLAUDE.md cut to {CLAUDE_MD_LINES} lines", [shorter]))
    return found


def _if_cached(question: Question, model: Model, book: PriceBook) -> Decimal | None:
    usage = question.usage
    if not usage.input or usage.cache_read or usage.cache_write_5m or usage.cache_write_1h:
        return None
    read = usage.input * CACHED_SHARE // 100
    cached = usage._replace(input=usage.input - read, cache_read=read)
    return _usage_total(question, cached, model, book).usd


def _model_assumption(question: Question, model: Model) -> list[str]:
    if not question.models:
        return [f"No model was named, so this is {model.name}, the current {model.family.title()} on {question.day}."]
    name = question.models[0]
    if any(c.isdigit() for c in name):
        return []
    return [f"“{name}” means {model.name}, the newest {model.family.title()} on {question.day}."]


def _prompt_assumption(question: Question, model: Model, book: PriceBook) -> list[str]:
    row = book.price_at(model.id, question.day)
    if row.long_prompt is None or question.usage.prompt_tokens <= row.long_prompt.over_tokens:
        return []
    base = list_cost(question.usage.times(question.times), model.id, question.day, book, question.conditions)
    limit = f"{row.long_prompt.over_tokens:,}"
    return [
        f"Priced as one request; {model.name} costs more when a prompt is over {limit} tokens. "
        f"In requests of at most {limit} tokens each it is {shown(base.usd)}."
    ]


def _sentence(error: Exception) -> str:
    text = str(error)
    return text if text.endswith(".") else f"I cannot work that out: {text}."
