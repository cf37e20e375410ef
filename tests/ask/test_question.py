"""The question grammar: one table of what is accepted, one of what is refused."""

from datetime import date
from typing import Any

import pytest

from bot.ask import EXAMPLE, Question, Refusal, ask, parse
from bot.pricing import PriceBook, PriceConditions, TokenUsage
from tests.conftest import TODAY

OPUS = ("opus",)
BOTH = TokenUsage(500_000, 80_000)

ACCEPTED: list[tuple[str, TokenUsage, tuple[str, ...]]] = [
    ("500k in 80k out opus", BOTH, OPUS),
    ("opus 80k out 500k in", BOTH, OPUS),
    ("80k out opus 500k in", BOTH, OPUS),
    ("in 500k out 80k opus", BOTH, OPUS),
    ("80k out in 500k opus", BOTH, OPUS),
    ("in=500k out=80k opus", BOTH, OPUS),
    ("input: 500k, output: 80k, opus", BOTH, OPUS),
    ("500k/80k opus", BOTH, OPUS),
    ("500k 80k opus", BOTH, OPUS),
    ("500,000 in 80,000 out opus", BOTH, OPUS),
    ("500 000 in 80 000 out opus", BOTH, OPUS),
    ("500_000 in 80'000 out opus", BOTH, OPUS),
    ("500000 input 80000 output opus", BOTH, OPUS),
    ("500k input tokens and 80k output tokens on opus", BOTH, OPUS),
    ("500K IN 80K OUT OPUS!", BOTH, OPUS),
    ("0.5M in 0.08M out opus", BOTH, OPUS),
    ("0.5 million in, 80 thousand out, opus", BOTH, OPUS),
    ("0,5m in 80k out opus", BOTH, OPUS),
    ("“500k in” 80k out – opus", BOTH, OPUS),
    ("500k\u00a0in 80k\u202fout opus", BOTH, OPUS),
    ("how much would 500k input and 80k output cost on opus 4.6?", BOTH, ("opus 4.6",)),
    ("opus-4.6 500k in 80k out", BOTH, ("opus-4.6",)),
    ("opus 4.1 500k in 80k out", BOTH, ("opus 4.1",)),
    ("claude-haiku-4-5-20251001 500k in 80k out", BOTH, ("claude-haiku-4-5-20251001",)),
    ("500k in 80k out claude opus 4.6", BOTH, ("claude opus 4.6",)),
    ("opus 5 80k out", TokenUsage(output=80_000), ("opus 5",)),
    ("500k in 80k out", BOTH, ()),
    ("1.2M input", TokenUsage(1_200_000), ()),
    ("1 mio in", TokenUsage(1_000_000), ()),
    ("2b cache read", TokenUsage(cache_read=2_000_000_000), ()),
    ("2M cache read sonnet", TokenUsage(cache_read=2_000_000), ("sonnet",)),
    ("300k cached sonnet", TokenUsage(cache_read=300_000), ("sonnet",)),
    ("cache_read=2M", TokenUsage(cache_read=2_000_000), ()),
    ("100k cache write 1h", TokenUsage(cache_write_1h=100_000), ()),
    ("100k 1h cache writes", TokenUsage(cache_write_1h=100_000), ()),
    ("100k cache write (5m)", TokenUsage(cache_write_5m=100_000), ()),
    ("100k cache creation", TokenUsage(cache_write_5m=100_000), ()),
    ("3 searches", TokenUsage(web_searches=3), ()),
    ("500k in 80% cached", TokenUsage(100_000, cache_read=400_000), ()),
    ("500k in 80 % of the input from cache", TokenUsage(100_000, cache_read=400_000), ()),
    ("500k in 80k out opus vs sonnet vs haiku", BOTH, ("opus", "sonnet", "haiku")),
    ("compare opus 4.6 and opus: 500k in 80k out", BOTH, ("opus 4.6", "opus")),
    ("1_000_000 in", TokenUsage(1_000_000), ()),
    ("what do 500k input and 80k output cost in opus", BOTH, OPUS),
    ("in opus 80k out", TokenUsage(output=80_000), OPUS),
    ("sonnet 5.5 1 000 000 in", TokenUsage(1_000_000), ("sonnet 5.5",)),
]


@pytest.mark.parametrize(("text", "usage", "models"), ACCEPTED)
def test_accepted(book: PriceBook, text: str, usage: TokenUsage, models: tuple[str, ...]) -> None:
    question = parse(text, TODAY, book)
    assert (question.usage, question.models) == (usage, models)
    assert (question.conditions, question.day, question.times) == (PriceConditions(), TODAY, 1)


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        ("fast", {"conditions": PriceConditions(speed="fast")}),
        ("in fast mode", {"conditions": PriceConditions(speed="fast")}),
        ("batch", {"conditions": PriceConditions(service_tier="batch")}),
        ("us-only", {"conditions": PriceConditions(inference_geo="us")}),
        ("on 2026-03-28", {"day": date(2026, 3, 28)}),
        ("x 20", {"times": 20}),
        ("× 20", {"times": 20}),
        ("20 times", {"times": 20}),
        ("per day for 22 days", {"times": 22}),
        ("for 14 people for 22 days", {"times": 308}),
    ],
)
def test_what_else_a_question_can_say(book: PriceBook, words: str, changed: dict[str, Any]) -> None:
    for text in (f"500k in 80k out opus {words}", f"{words} opus 500k in 80k out"):
        question = parse(text, TODAY, book)
        assert question._replace(assumptions=()) == Question(
            BOTH, OPUS, PriceConditions(), TODAY, 1, (), TODAY
        )._replace(**changed)


REFUSED = [
    ("", "Tell me how many tokens", EXAMPLE),
    ("opus", "Tell me how many tokens", EXAMPLE),
    ("500k in 80z out opus", "I could not read “80z”. Numbers look like 80k, 1.2M or 80,000.", EXAMPLE),
    ("1m in gpt-9", "No price for the model “gpt-9”. Known models: fable 5.2", "1m in opus"),
    ("opus 9 500k in", "No price for the model “opus 9”.", "opus 500k in"),
    ("500k in fable on 2026-03-28", "fable has no price on 2026-03-28", "500k in opus on 2026-03-28"),
    ("500k in bananas opus", "I could not read “bananas”.", "500k in opus"),
    ("-5k in", "I could not read “-5k”.", "5k in"),
    ("1e6 in", "I could not read “1e6”.", EXAMPLE),
    ("opus 80k out in", "“in” has no number beside it.", EXAMPLE),
    ("500k in 20k in", "“20k in” gives input a second time; say it once.", EXAMPLE),
    ("500.000 in", "“500.000” can be read as more than one number.", "500,000 in"),
    ("1.5 in", "“1.5” is not a whole number of tokens.", "2 in"),
    ("1 2 3", "I do not know what “3” counts", EXAMPLE),
    ("500k in on 2026-02-30", "“2026-02-30” is not a day of the calendar.", f"{EXAMPLE} on 2026-11-23"),
    ("5 in on 2026-01-01 on 2026-01-02", "Two days are given: 2026-01-01 and 2026-01-02.", EXAMPLE),
    ("500k in 120% cached", "“120% cached” is more than all of the input.", f"{EXAMPLE} 80% cached"),
    ("500k in 10% cached 20% cached", "Two cached shares are given", EXAMPLE),
    ("500k in 5k cached 80% cached", "The cached input is given twice", EXAMPLE),
    ("999999999999999 in", "“999999999999999” is more than 1,000,000,000,000 tokens.", EXAMPLE),
    ("5 in x 0", "I can multiply by 1 to 1,000,000, not by 0.", f"{EXAMPLE} x 20"),
    ("x" * 2001, "That question has 2,001 characters; at most 2,000 can be read.", EXAMPLE),
    ("٥ in", "I could not read “٥”.", EXAMPLE),
]


@pytest.mark.parametrize(("text", "said", "suggestion"), REFUSED)
def test_refused(book: PriceBook, text: str, said: str, suggestion: str) -> None:
    with pytest.raises(Refusal) as refused:
        ask(text, TODAY, book)
    assert refused.value.sentence.startswith(said)
    assert refused.value.suggestion == suggestion
    ask(refused.value.suggestion, TODAY, book)


@pytest.mark.parametrize(
    ("text", "main", "subagents"),
    [
        ("60 turns opus subagents use haiku", "opus", "haiku"),
        ("60 turns opus with haiku for the subagents", "opus", "haiku"),
        ("60 turns, 3 sonnet subagents on opus", "opus", "sonnet"),
        ("60 turns opus 3 haiku 4.5 subagents", "opus", "haiku 4.5"),
        ("60 turns opus 3 subagents on haiku", "opus", "haiku"),
        ("60 turns opus 3 subagents", "opus", None),
    ],
)
def test_whose_model_is_whose_in_a_session(book: PriceBook, text: str, main: str, subagents: str | None) -> None:
    question = parse(text, TODAY, book)
    assert question.session is not None
    assert (question.models, question.session.subagent_model) == ((main,), subagents)
