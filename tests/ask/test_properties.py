"""What holds for every question: short here, 20,000 examples in ``make soak``."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.ask import EXAMPLE, Refusal, ask, parse, written
from bot.ask.question import Question
from bot.pricing import PriceConditions, TokenUsage, default_price_book, list_cost
from bot.pricing.session import SessionPlan
from tests.conftest import TODAY

BOOK = default_price_book()
WORDS = [
    *EXAMPLE.split(),
    *"x 20 % cached = cache write 1h fast batch us vs sonnet haiku on 2026-03-28 session 60 turns compact at".split(),
    *"subagents claude.md lines bug fix agent team autonomous 8h auto mode cold 5k 1,000 ' “ - \u00a0 ½".split(),
]

counts = st.integers(0, 10**9)
usages = st.builds(TokenUsage, counts, counts, counts, counts, counts, st.integers(0, 1000))
models = st.sampled_from([model.id for model in BOOK.models])
plans = st.fixed_dictionaries(
    {
        "turns": st.integers(11, 200),
        "turns_per_hour": st.integers(1, 60),
        "cold_turns": st.integers(0, 10),
        "compact_at": st.none() | st.integers(100_000, 10**6),
        "cache_lifetime": st.sampled_from(["5m", "1h"]),
        "subagents": st.integers(1, 5),
        "subagent_model": st.none() | st.sampled_from(["haiku", "sonnet 4.6", "haiku 4.5"]),
        "members": st.sampled_from([1, 7]),
        "checks_per_hour": st.integers(0, 100),
        "claude_md_lines": st.integers(0, 1000),
    }
).map(lambda fields: SessionPlan(**fields))  # type: ignore[arg-type]
conditions = st.sampled_from([PriceConditions(), PriceConditions(service_tier="batch")])


def cost(usage: TokenUsage, model: str, under: PriceConditions = PriceConditions()) -> Decimal:  # noqa: B008
    return list_cost(usage, model, TODAY, BOOK, under).usd


@settings(deadline=None)
@given(usages, usages, models, conditions)
def test_cost_adds_up_over_usage_and_over_kinds(
    one: TokenUsage, other: TokenUsage, model: str, under: PriceConditions
) -> None:
    assert cost(one.plus(other), model, under) == cost(one, model, under) + cost(other, model, under)
    alone = [TokenUsage()._replace(**{field: count}) for field, count in one._asdict().items()]
    assert sum((cost(kind, model, under) for kind in alone), Decimal(0)) == cost(one, model, under)


@settings(deadline=None)
@given(usages, usages, models, conditions)
def test_more_tokens_never_cost_less(one: TokenUsage, more: TokenUsage, model: str, under: PriceConditions) -> None:
    assert cost(one.plus(more), model, under) >= cost(one, model, under)


def questions() -> st.SearchStrategy[Question]:
    return st.builds(
        Question,
        usage=usages,
        models=st.lists(models, unique=True, max_size=3).map(tuple),
        conditions=st.builds(
            PriceConditions,
            speed=st.sampled_from(["standard", "fast"]),
            inference_geo=st.sampled_from(["global", "us"]),
            service_tier=st.sampled_from(["standard", "batch"]),
            prompt_tier=st.just("base"),
        ),
        day=st.sampled_from([TODAY, date(2026, 11, 12)]),
        times=st.integers(1, 1000),
        assumptions=st.just(()),
        asked_on=st.just(TODAY),
        session=st.none() | plans,
    )


@settings(deadline=None)
@given(questions())
def test_what_an_answer_prints_is_the_same_question(question: Question) -> None:
    if question.session is not None:
        question = question._replace(usage=TokenUsage())
    assume(question.session is not None or question.usage != TokenUsage())
    again = parse(written(question), TODAY, BOOK)
    assert again._replace(assumptions=()) == question


def never_anything_but_a_refusal(text: str) -> None:
    try:
        ask(text, TODAY, BOOK)
    except Refusal as refusal:
        ask(refusal.suggestion, TODAY, BOOK)


texts = st.text(max_size=80) | st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=14).map(" ".join)


@settings(max_examples=500, deadline=None)
@given(texts)
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    never_anything_but_a_refusal(text)


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None)
@given(texts)
def test_twenty_thousand_texts_raise_nothing_but_refusals(text: str) -> None:
    never_anything_but_a_refusal(text)


@settings(max_examples=100, deadline=None)
@given(st.permutations(["500k in", "80k out", "opus", "x 3", "on 2026-11-01", "2M cache read"]))
def test_the_order_of_the_parts_does_not_matter(parts: list[str]) -> None:
    # 3 x (500k x 4 + 80k x 20 + 2M x 0.20) = 3 x (2.00 + 1.60 + 0.40)
    assert ask(" ".join(parts), TODAY, BOOK).cost.usd == Decimal("12")


ORDERED = [
    ["500k in", "80k out", "opus"],
    ["in 500k", "out 80k", "opus 4.8"],
    ["500k input", "300k cached", "80k output", "claude-sonnet-5-5"],
]


@pytest.mark.parametrize("condition", ["in us", "in batch", "in fast mode", "fast", "batch", "in the us"])
@pytest.mark.parametrize("amounts", ORDERED)
def test_a_condition_may_stand_anywhere(amounts: list[str], condition: str) -> None:
    # A number directly before "in" makes it that number's kind, so those orders say something else.
    if "fast" in condition and "sonnet" in amounts[-1]:
        amounts = [*amounts[:-1], "opus"]
    totals = set()
    for place in range(len(amounts) + 1):
        words = [*amounts[:place], condition, *amounts[place:]]
        if place == 0 or not (condition.startswith("in") and words[place - 1][-1] in "0123456789kM"):
            totals.add(ask(" ".join(words), TODAY, BOOK).cost.usd)
    assert len(totals) == 1
