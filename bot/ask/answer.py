"""The answer to a cost question: total, formula, what was assumed, other models, and what would make it cheaper."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from bot.ask.grammar import EXAMPLE, FAMILIES, Refusal, normalised
from bot.ask.question import Question, parse
from bot.pricing import CostLine, Model, PriceBook, PriceConditions, PricingError, TokenUsage, list_cost
from bot.pricing.money import shown
from bot.pricing.price_book import DEFAULT_FAMILY
from bot.pricing.session import SessionCost, SessionPlan, session_cost, session_usd

COMPARED_FAMILIES = ("opus", "sonnet", "haiku", "fable")
MAX_ALTERNATIVES = 3
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
        tries = [refusal.suggestion]
        if refusal.replaced:
            tries = [normalised(text).replace(refusal.replaced, refusal.suggestion, 1), f"{refusal.suggestion} in"]
        raise Refusal(refusal.sentence, _first_answered(tries, today, book)) from None


def _first_answered(questions: list[str], today: date, book: PriceBook) -> str:
    for question in questions:
        try:
            answer(parse(question, today, book), book)
        except Refusal:
            continue
        return question
    return EXAMPLE


def answer(question: Question, book: PriceBook) -> Answer:
    """Price a question. Raises Refusal where the price book has no price for it."""
    try:
        named = [Named(name, book.model(name, question.day)) for name in question.models]
        own = named[0] if named else _named(book.current(DEFAULT_FAMILY, question.day))
        session = _session(question, question.session, own, book) if question.session else None
        cost = _session_total(question, session) if session else _usage_total(question, question.usage, own, book)
        savings = _savings(question, session, own, book) if session else []
    except (PricingError, ValueError) as error:
        raise Refusal(_sentence(error)) from error
    model = own.model
    alternatives = _alternatives(question, own, named[1:], book)
    return Answer(
        question=question,
        model=model,
        cost=cost,
        session=session,
        alternatives=alternatives,
        savings=savings,
        if_cached=_if_cached(question, own, book),
        assumptions=[
            *question.assumptions,
            *_model_assumption(question, model),
            *_prompt_assumption(question, own, book),
            *(said for other in alternatives for said in _prompt_assumption(question, _named(other.model), book)),
            *_day_assumptions(question, model, book),
            *(_session_assumptions(question, session, own, book) if session else []),
            *filter(None, [book.age_warning(question.asked_on)]),
        ],
        prices_as_of=book.as_of,
        price_label=book.label_of(model, question.day),
    )


class Named(NamedTuple):
    """A model under the name that it was asked for by: another platform's name may have another price."""

    name: str
    model: Model


def _named(model: Model) -> Named:
    return Named(model.id, model)


def _session_total(question: Question, session: SessionCost) -> Total:
    times = question.times
    lines = [line._replace(tokens=line.tokens * times, usd=line.usd * times) for line in session.lines]
    return Total(session.usd * times, lines)


def _usage_total(question: Question, usage: TokenUsage, own: Named, book: PriceBook) -> Total:
    conditions = _conditions(question, usage, own.model, book)
    cost = list_cost(usage.times(question.times), own.name, question.day, book, conditions)
    return Total(cost.usd, cost.lines)


def _session(question: Question, plan: SessionPlan, own: Named, book: PriceBook) -> SessionCost:
    return session_cost(plan, own.name, question.day, book, question.conditions)


def _conditions(question: Question, usage: TokenUsage, model: Model, book: PriceBook) -> PriceConditions:
    tier = book.prompt_tier(model.id, question.day, usage.prompt_tokens)
    return question.conditions._replace(prompt_tier=tier)


def _alternatives(question: Question, own: Named, named: list[Named], book: PriceBook) -> list[Alternative]:
    """The models that were named besides, or up to MAX_ALTERNATIVES others that have a price for the question."""
    found: list[Alternative] = []
    for other in named or map(_named, _comparable(own.model, question.day, book)):
        if not named and len(found) == MAX_ALTERNATIVES:
            break
        if other.model.id == own.model.id:
            continue
        try:
            found.append(Alternative(other.model, _whole_usd(question, other, book)))
        except (PricingError, ValueError):
            if named:
                sentence = f"{other.model.name} cannot be compared here: it has no price under these conditions."
                raise Refusal(sentence) from None
    return found


def _whole_usd(question: Question, own: Named, book: PriceBook) -> Decimal:
    if question.session is None:
        return _usage_total(question, question.usage, own, book).usd
    usd = session_usd(question.session, own.name, question.day, book, question.conditions)
    return usd * question.times


def _comparable(model: Model, day: date, book: PriceBook) -> Iterator[Model]:
    """The current model of each family, then the family's own earlier ones, newest first."""
    current = [book.current(family, day) for family in COMPARED_FAMILIES if book.has_family(family, day)]
    yield from current
    shown = {other.id for other in current}
    for other in reversed(book.models):
        if other.family == model.family and other.released <= day and other.id not in shown:
            yield other


def _savings(question: Question, session: SessionCost, own: Named, book: PriceBook) -> list[Saving]:
    """What would make this session cheaper, each worked out by pricing the changed session; the largest first."""
    found = []
    for what, sessions in _changes(session.plan):
        try:
            each = (session_usd(changed, own.name, question.day, book, question.conditions) for changed in sessions)
            then = sum(each, Decimal(0))
        except (PricingError, ValueError):
            continue
        usd = (session.usd - then) * question.times
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


def _if_cached(question: Question, own: Named, book: PriceBook) -> Decimal | None:
    usage = question.usage
    if not usage.input or usage.cache_read or usage.cache_write_5m or usage.cache_write_1h:
        return None
    read = usage.input * CACHED_SHARE // 100
    cached = usage._replace(input=usage.input - read, cache_read=read)
    return _usage_total(question, cached, own, book).usd


def _day_assumptions(question: Question, model: Model, book: PriceBook) -> list[str]:
    found = []
    if question.day > max(book.as_of, question.asked_on):
        found.append(f"{question.day} lies ahead: these are the prices known on {book.as_of}, which may change.")
    if model.retired is not None and question.day >= model.retired:
        found.append(f"{model.name} was retired on {model.retired}; this is its last price.")
    return found


def _session_assumptions(question: Question, session: SessionCost, own: Named, book: PriceBook) -> list[str]:
    """What a long or slow session does by itself."""
    plan, found = session.plan, []
    compactions = sum(turn.kind == "compaction" for turn in session.turns)
    if compactions and plan.compact_at is None:
        found.append(
            f"Claude Code compacts by itself at {session.compacts_at:,} tokens, here {_how_often(compactions)}."
        )
    if plan.compact_at is not None and plan.compact_at > session.compacts_at:
        found.append(f"Claude Code compacts by itself at {session.compacts_at:,} tokens, before {plan.compact_at:,}.")
    minutes = 60 if plan.cache_lifetime == "1h" else 5
    if plan.turns_per_hour * minutes < 60 and plan.turns_per_hour != SessionPlan(1).turns_per_hour:
        cold = session_usd(plan._replace(cold_turns=plan.turns - 1), own.name, question.day, book, question.conditions)
        found.append(
            f"At {plan.turns_per_hour} turns an hour the {minutes}-minute cache is cold each time: "
            f"then it is {shown(cold * question.times)}."
        )
    return found


def _model_assumption(question: Question, model: Model) -> list[str]:
    if not question.models:
        return [f"No model was named, so this is {model.name}, the current {model.family.title()} on {question.day}."]
    name = question.models[0]
    if name.removeprefix("claude-").removeprefix("claude ") in FAMILIES.split("|"):
        return [f"“{name}” means {model.name}, the newest {model.family.title()} on {question.day}."]
    is_plain = name == model.id or any(family in name for family in FAMILIES.split("|"))
    return [] if is_plain else [f"“{name}” means {model.name}."]


def _how_often(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _prompt_assumption(question: Question, own: Named, book: PriceBook) -> list[str]:
    model = own.model
    row = book.price_at(model.id, question.day)
    if row.long_prompt is None or question.usage.prompt_tokens <= row.long_prompt.over_tokens:
        return []
    base = list_cost(question.usage.times(question.times), own.name, question.day, book, question.conditions)
    limit = f"{row.long_prompt.over_tokens:,}"
    return [
        f"Priced as one request; {model.name} costs more when a prompt is over {limit} tokens. "
        f"In requests of at most {limit} tokens each it is {shown(base.usd)}."
    ]


def _sentence(error: Exception) -> str:
    text = str(error)
    return text if text.endswith(".") else f"I cannot work that out: {text}."
