"""Dollars, worked out by hand from the published prices; the sums stand beside each case."""

import subprocess
import sys
from datetime import date
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.pricing import (
    STANDARD,
    NoPriceForCondition,
    PriceBook,
    PriceConditions,
    PricingError,
    TokenPrices,
    TokenUsage,
    UnknownModel,
    default_price_book,
    list_cost,
)
from bot.pricing.cost import UNITS_PER_NANO, unit_prices, units, usd_of_units
from tests.conftest import TODAY

FAST = PriceConditions(speed="fast")
BATCH = PriceConditions(service_tier="batch")
US = PriceConditions(inference_geo="us")
LONG = PriceConditions(prompt_tier="long")
MILLION = 10**6


def cost(
    usage: TokenUsage, model: str, book: PriceBook, conditions: PriceConditions = STANDARD, on: date = TODAY
) -> Decimal:
    return list_cost(usage, model, on, book, conditions).usd


@pytest.mark.parametrize(
    ("thousands_in", "thousands_out", "usd"),
    [
        (18, 3, "0.099"),  # 18K x 3 = 0.054, 3K x 15 = 0.045
        (120, 20, "0.66"),  # 0.36 + 0.30
        (500, 80, "2.70"),  # 1.50 + 1.20
        (1500, 200, "7.50"),  # 4.50 + 3.00
    ],
)
def test_four_sessions_on_sonnet_4_6(book: PriceBook, thousands_in: int, thousands_out: int, usd: str) -> None:
    usage = TokenUsage(thousands_in * 1000, thousands_out * 1000)
    assert cost(usage, "sonnet-4.6", book) == Decimal(usd)


@pytest.mark.parametrize(
    ("usage", "model", "conditions", "usd"),
    [
        # Claude Code 2.1.330's own costUSD for these
        (TokenUsage(24, 1000, 40000, 6000, 0, 2), "claude-sonnet-5-5", PriceConditions(), "0.049048"),
        (TokenUsage(1000, 500, 20000, 2000, 1000), "claude-sonnet-5-5", PriceConditions(), "0.018"),
        (TokenUsage(12, 500, 20000, 0, 3000).times(9), "claude-sonnet-4-6", US, "0.3122064"),
        # the Analytics guide's 141 cents, before its rounding
        (TokenUsage(100000, 35000, 10000, 5000), "claude-opus-5", PriceConditions(), "1.41125"),
        # a real row of a Console export
        (TokenUsage(109911, 34988, 0, 2528), "claude-opus-5", PriceConditions(), "1.440055"),
    ],
)
def test_figures_of_other_programs_come_out_to_the_last_digit(
    book: PriceBook, usage: TokenUsage, model: str, conditions: PriceConditions, usd: str
) -> None:
    assert cost(usage, model, book, conditions) == Decimal(usd)


@pytest.mark.parametrize(
    ("conditions", "usd"),
    [
        (PriceConditions(), "4"),
        (FAST, "8"),
        (BATCH, "2"),  # half
        (US, "4.4"),  # 1.1 times
        (PriceConditions("fast", "us"), "8.8"),
        (PriceConditions("standard", "us", "batch"), "2.2"),
    ],
)
def test_conditions_stack_on_opus_5_5(book: PriceBook, conditions: PriceConditions, usd: str) -> None:
    assert cost(TokenUsage(input=MILLION), "opus-5.5", book, conditions) == Decimal(usd)


def test_fast_and_us_hold_for_caches_too(book: PriceBook) -> None:
    usage = TokenUsage(input=MILLION, cache_read=MILLION, cache_write_1h=MILLION)
    # (8 + 0.40 + 16) x 1.1
    assert cost(usage, "opus-5.5", book, PriceConditions("fast", "us")) == Decimal("26.84")


def test_web_searches_cost_one_cent_under_every_condition(book: PriceBook) -> None:
    searches = TokenUsage(web_searches=3)
    for conditions in (PriceConditions(), BATCH, US, FAST):
        assert cost(searches, "opus-5.5", book, conditions) == Decimal("0.03")


def test_a_prompt_at_the_limit_is_base_and_one_token_more_is_long(book: PriceBook) -> None:
    assert book.prompt_tier("haiku-5.5", TODAY, 100_000) == "base"
    assert book.prompt_tier("haiku-5.5", TODAY, 100_001) == "long"
    # all tokens of the request: 0.50 + 2.50
    assert cost(TokenUsage(MILLION, MILLION), "haiku-5.5", book, LONG) == Decimal("3")
    assert cost(TokenUsage(MILLION, MILLION), "haiku-5.5", book) == Decimal("0.6")


def test_long_prompts_cost_the_same_where_the_price_has_no_tier(book: PriceBook) -> None:
    assert cost(TokenUsage(MILLION), "opus-5.5", book, LONG) == Decimal("4")
    assert cost(TokenUsage(MILLION), "opus-4.6", book, LONG, date(2026, 3, 12)) == Decimal("10")
    assert cost(TokenUsage(MILLION), "opus-4.6", book, LONG, date(2026, 3, 13)) == Decimal("5")


@pytest.mark.parametrize(
    ("model", "conditions", "said"),
    [
        ("sonnet-5.5", FAST, "Sonnet 5.5 has no fast price"),
        ("opus-4.6", FAST, "from 2026-02-05 until 2026-06-29"),
        ("opus-4.5", US, "Opus 4.5 has no US-only geography price"),
        ("opus-5.5", PriceConditions("fast", service_tier="batch"), "no fast batch price"),
        ("opus-5.5", PriceConditions(service_tier="priority"), "no “priority” service tier price"),
        ("opus-5.5", PriceConditions(inference_geo="eu"), "no “eu” geography price"),
        ("opus-5.5", PriceConditions(speed="turbo"), "no “turbo” speed price"),
    ],
)
def test_a_condition_without_a_price_is_named(
    book: PriceBook, model: str, conditions: PriceConditions, said: str
) -> None:
    with pytest.raises(NoPriceForCondition, match=said):
        cost(TokenUsage(1), model, book, conditions)


def test_an_unknown_model_is_refused_with_the_known_ones(book: PriceBook) -> None:
    with pytest.raises(UnknownModel, match=r"gpt-9.*opus 5\.5, 5, 4\.8"):
        cost(TokenUsage(1), "gpt-9", book)


def test_lines_are_the_kinds_used_and_add_up(book: PriceBook) -> None:
    found = list_cost(TokenUsage(500_000, 80_000, web_searches=2), "opus-5.5", TODAY, book)
    assert [(line.kind, line.tokens, line.price, line.usd) for line in found.lines] == [
        ("input", 500_000, Decimal(4), Decimal("2.00")),
        ("output", 80_000, Decimal(20), Decimal("1.60")),
        ("web_search", 2, Decimal("0.01"), Decimal("0.02")),
    ]
    assert sum(line.usd for line in found.lines) == found.usd == Decimal("3.62")


def test_the_engine_loads_no_slack_sql_or_http_module() -> None:
    banned = ("slack_bolt", "slack_sdk", "sqlalchemy", "psycopg", "flask", "http.client", "urllib.request", "requests")
    script = f"import sys, bot.pricing; print([name for name in {banned!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


@given(
    counts=st.tuples(*[st.integers(0, 10**13)] * 6),
    model=st.sampled_from([model.id for model in default_price_book().models]),
    conditions=st.builds(
        PriceConditions,
        speed=st.sampled_from(["standard", "fast"]),
        inference_geo=st.sampled_from(["global", "us"]),
        service_tier=st.sampled_from(["standard", "batch"]),
        prompt_tier=st.sampled_from(["base", "long", "unknown"]),
    ),
)
def test_units_are_the_same_dollars(counts: tuple[int, ...], model: str, conditions: PriceConditions) -> None:
    book = default_price_book()
    try:
        rates = book.rates(model, TODAY, conditions)
    except PricingError:
        return
    with localcontext(prec=80):
        by_kind = [count * price for count, price in zip(counts, rates, strict=True)]
        usd = sum(by_kind[:5], Decimal(0)) / 10**6 + by_kind[5]
    assert usd_of_units(units(counts, unit_prices(rates))) == usd


def test_units_hold_a_price_with_every_factor() -> None:
    # $4 per million x 0.5 (batch) x 1.1 (US) x 0.876543 (12.3457 % off) = $1.9283946 per million
    prices = unit_prices(TokenPrices(*[Decimal(4) * Decimal("0.5") * Decimal("1.1") * Decimal("0.876543")] * 5))
    assert usd_of_units(units((1, 0, 0, 0, 0, 0), prices)) == Decimal("0.0000019283946")
    assert units((1, 1, 1, 1, 1, 9), prices) == 5 * 19283946 * UNITS_PER_NANO // 10**4
