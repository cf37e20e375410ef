"""Answers: totals, what was assumed, and what other models would cost, worked out by hand."""

from decimal import Decimal
from pathlib import Path

import pytest

from bot.ask import EXAMPLE, Answer, Refusal, ask
from bot.pricing import PriceBook, price_book_with
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
    # Sonnet 5.5: 500k x 2 + 80k x 10; Haiku 5.5, a long prompt: 500k x 0.50 + 80k x 2.50;
    # Fable 5.2: 500k x 8 + 80k x 40
    found = asked("500k in 80k out opus", book).alternatives
    assert [(other.model.id, other.usd) for other in found] == [
        ("claude-sonnet-5-5", Decimal("1.80")),
        ("claude-haiku-5-5", Decimal("0.45")),
        ("claude-fable-5-2", Decimal("7.20")),
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


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("500k in opus on 2030-01-01", "2030-01-01 lies ahead: these are the prices known on 2026-11-22"),
        ("500k in opus 4.1", "Opus 4.1 was retired on 2026-08-05"),
        ("300 turns opus", "Claude Code compacts by itself at 967,000 tokens, here once"),
        ("60 turns opus 1 turn an hour", "At 1 turns an hour the 5-minute cache is cold each time"),
        ("60 turns opus auto mode", "2,000 tokens in and 50 out on a Sonnet"),
        ("60 turns opus 3 haiku subagents", "Each subagent is taken to make 10 requests on haiku."),
        ("500k in 2M cached opus", "The cache reads are counted besides the input"),
    ],
)
def test_what_an_answer_rests_on_is_said(book: PriceBook, question: str, said: str) -> None:
    assert any(said in assumption for assumption in asked(question, book).assumptions), asked(question, book)


def test_auto_mode_had_another_classifier_before_july(book: PriceBook) -> None:
    # 6 hours x 60 checks x (2,000 x 3 + 50 x 15) on Sonnet 4.6
    found = asked("60 turns opus auto mode on 2026-03-28", book).session
    assert found is not None
    assert (found.parts[1].model, found.parts[1].usd) == ("claude-sonnet-4-6", Decimal("2.43"))


def test_fast_speeds_up_the_session_and_not_its_subagents(book: PriceBook) -> None:
    standard, fast = (asked(f"60 turns opus {words} 3 haiku subagents", book).session for words in ("", "fast"))
    assert standard is not None
    assert fast is not None
    assert fast.parts[0].usd == 2 * standard.parts[0].usd
    assert fast.parts[1].usd == standard.parts[1].usd


def test_a_flat_estimate_has_each_model_at_its_own_price(book: PriceBook) -> None:
    found = asked("60 turns opus 3 haiku subagents", book).session
    assert found is not None
    # 307,000 x 4 + 17,400 x 20; 3 x (3,670 + 10 x 4,900 = 52,670) on Haiku, in all over 100,000: x 0.50, 8,700 x 2.50
    assert found.new_tokens == 307_000 + 158_010
    assert found.flat_usd == Decimal("1.576") + 158_010 * Decimal("0.10") / 10**6 + 8_700 * Decimal("0.50") / 10**6


def test_another_platforms_price_is_asked_for_by_its_name(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[prefixes]]\nprefix = "eu.anthropic."\nfactor = "1.1"\n', encoding="utf-8")
    found = ask("1m in eu.anthropic.claude-opus-4-6-v1:0", TODAY, price_book_with(own))
    assert (found.model.id, found.cost.usd) == ("claude-opus-4-6", Decimal("5.5"))


def test_an_own_model_of_a_known_family_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[sources]\nc = "order"\n[[models]]\nid = "claude-opus-6"\nname = "Opus 6"\nfamily = "opus"\n'
        'released = 2026-11-01\n[[models.prices]]\nfrom = 2026-11-01\ninput = "7"\noutput = "30"\ncache_read = "1"\n'
        'cache_write_5m = "8"\ncache_write_1h = "9"\nsource = "c"\n',
        encoding="utf-8",
    )
    book = price_book_with(own)
    asked_for = {"opus": "7", "opus 6": "7", "claude-opus-6": "7", "opus 5.5": "4", "opus 4.6": "5", "opus 5": "5"}
    for name, usd in asked_for.items():
        assert ask(f"{name} 1m in", TODAY, book).cost.usd == Decimal(usd), name


def test_a_fast_question_has_fast_alternatives(book: PriceBook) -> None:
    # Fable 5.2 fast: 500k x 16; Opus 5 fast: 500k x 10; Opus 4.8 fast: 500k x 10
    found = asked("500k in opus fast", book).alternatives
    assert [(other.model.id, other.usd) for other in found] == [
        ("claude-fable-5-2", Decimal(8)),
        ("claude-opus-5", Decimal(5)),
        ("claude-opus-4-8", Decimal(5)),
    ]


def test_a_saving_is_for_all_the_times(book: PriceBook) -> None:
    once, thrice = (asked(f"60 turns opus{words}", book).savings for words in ("", " x 3"))
    assert [saving.usd for saving in thrice] == [3 * saving.usd for saving in once]
    assert once


@pytest.mark.parametrize(
    "text",
    [
        "a hundred thousand out on sonnet",
        "half a million input tokens on opus",
        "1M in claude opus v4.6",
        "1M in opus46",
        "1M thinking tokens on opus",
    ],
)
def test_a_correction_never_asks_for_another_amount_or_model(text: str, book: PriceBook) -> None:
    with pytest.raises(Refusal) as refused:
        ask(text, TODAY, book)
    assert refused.value.suggestion == EXAMPLE
