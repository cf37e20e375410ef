"""Answers: totals, what was assumed, and what other models would cost, worked out by hand."""

from decimal import Decimal

import pytest

from bot.ask import Answer, Refusal, ask
from bot.pricing import PriceBook
from tests.conftest import TODAY


def asked(text: str, book: PriceBook) -> Answer:
    return ask(text, TODAY, book)


@pytest.mark.parametrize(
    ("text", "model", "usd"),
    [
        ("500k in 80k out opus", "claude-opus-5-5", "3.60"),  # 2.00 + 1.60
        ("500k in 80k out opus on 2026-03-28", "claude-opus-4-6", "4.50"),  # 2.50 + 2.00
        ("500k in 80k out opus 4.1", "claude-opus-4-1", "13.50"),  # 7.50 + 6.00
        ("500k in 80k out", "claude-sonnet-5-5", "1.80"),  # 1.00 + 0.80
        ("500k in 80k out opus x 20", "claude-opus-5-5", "72"),
        ("500k in 80% cached opus", "claude-opus-5-5", "0.48"),  # 100k x 4 = 0.40, 400k x 0.20 = 0.08
        ("500k in 80k out opus fast", "claude-opus-5-5", "7.20"),
        ("500k in 80k out opus batch", "claude-opus-5-5", "1.80"),
        ("100k in haiku", "claude-haiku-5-5", "0.01"),  # at the limit
        ("100,001 in haiku", "claude-haiku-5-5", "0.0500005"),  # one token over: all at 0.50
        ("100k in haiku x 10", "claude-haiku-5-5", "0.10"),  # ten prompts at the limit
    ],
)
def test_totals(book: PriceBook, text: str, model: str, usd: str) -> None:
    found = asked(text, book)
    assert (found.model.id, found.cost.usd) == (model, Decimal(usd))


def test_the_other_current_models_are_alternatives(book: PriceBook) -> None:
    # Sonnet 5.5: 500k x 2 + 80k x 10; Haiku 5.5, a long prompt: 500k x 0.50 + 80k x 2.50
    found = asked("500k in 80k out opus", book).alternatives
    assert [(other.model.id, other.usd) for other in found] == [
        ("claude-sonnet-5-5", Decimal("1.80")),
        ("claude-haiku-5-5", Decimal("0.45")),
    ]


def test_named_models_are_compared_with_the_first(book: PriceBook) -> None:
    found = asked("500k in 80k out opus 4.6 vs opus vs haiku 4.5", book)
    assert found.cost.usd == Decimal("4.50")
    assert [(other.model.id, other.usd) for other in found.alternatives] == [
        ("claude-opus-5-5", Decimal("3.60")),
        ("claude-haiku-4-5", Decimal("0.90")),
    ]


def test_the_cached_what_if(book: PriceBook) -> None:
    # 0.9 x 500k x 0.20/M + 0.1 x 500k x 4/M + 1.60
    assert asked("500k in 80k out opus", book).if_cached == Decimal("1.89")
    assert asked("80k out opus", book).if_cached is None
    assert asked("500k in 20k cached opus", book).if_cached is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5k in opus", ["“opus” means Opus 5.5, the newest Opus on 2026-11-23."]),
        ("5k in opus 4.6", []),
        ("5k in", ["No model was named, so this is Sonnet 5.5, the current Sonnet on 2026-11-23."]),
        (
            "1M in haiku 5.5",
            [
                "Priced as one request; Haiku 5.5 costs more when a prompt is over 100,000 tokens. "
                "In requests of at most 100,000 tokens each it is $0.10."
            ],
        ),
        ("5k 1k opus 4.6", ["“5k” is taken as input tokens.", "“1k” is taken as output tokens."]),
        ("5k cache write opus 4.6", ["Cache writes are 5-minute writes; say “cache write 1h” for 1-hour ones."]),
    ],
)
def test_every_assumption_is_stated(book: PriceBook, text: str, said: list[str]) -> None:
    assert asked(text, book).assumptions == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5k in opus 4.6 fast", "Opus 4.6 has no fast price on 2026-11-23"),
        ("5k in opus 4.5 us", "Opus 4.5 has no US-only geography price"),
        ("5k in opus vs sonnet fast", "Sonnet 5.5 cannot be compared here"),
        ("5k in opus 5.5 on 2026-09-21", "Opus 5.5 has no price on 2026-09-21"),
    ],
)
def test_what_has_no_price_is_refused(book: PriceBook, text: str, said: str) -> None:
    with pytest.raises(Refusal, match=said):
        asked(text, book)
