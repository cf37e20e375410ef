"""Which model a name means on a day, and which row of the price book holds."""

from datetime import date, timedelta
from decimal import Decimal
from importlib.resources import files

import pytest
from genai_prices import Usage, calc_price

from bot.pricing import NoPriceOnDate, PriceBook, TokenUsage, UnknownModel, list_cost
from bot.pricing.errors import PriceBookError
from bot.pricing.price_book import read_price_book
from tests.conftest import TODAY


@pytest.mark.parametrize(
    ("alias", "on", "model"),
    [
        ("opus", "2026-03-28", "claude-opus-4-6"),
        ("opus", "2026-04-15", "claude-opus-4-6"),
        ("opus", "2026-04-16", "claude-opus-4-7"),
        ("opus", "2026-11-23", "claude-opus-5-5"),
        ("sonnet", "2026-03-28", "claude-sonnet-4-6"),
        ("sonnet", "2026-11-23", "claude-sonnet-5-5"),
        ("haiku", "2026-10-06", "claude-haiku-4-5"),
        ("haiku", "2026-10-07", "claude-haiku-5-5"),
        ("fable", "2026-11-23", "claude-fable-5-2"),
        ("mythos", "2026-09-01", "claude-mythos-5-1"),
    ],
)
def test_an_alias_means_the_newest_model_released_by_that_day(book: PriceBook, alias: str, on: str, model: str) -> None:
    assert book.model(alias, date.fromisoformat(on)).id == model


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-opus-4-6", "claude-opus-4-6"),
        ("Opus 4.6", "claude-opus-4-6"),
        ("opus-4-6", "claude-opus-4-6"),
        ("OPUS4.6", "claude-opus-4-6"),
        ("anthropic/claude-opus-4.6", "claude-opus-4-6"),
        ("claude-opus-5-5[1m]", "claude-opus-5-5"),
        ("opus 4", "claude-opus-4"),
        ("claude-opus-4-0", "claude-opus-4"),
        ("claude-opus-4-20250514", "claude-opus-4"),
        ("claude-opus-4-1-20250805", "claude-opus-4-1"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-3-5-haiku-20241022", "claude-3-5-haiku"),
        ("claude-3-7-sonnet-latest", "claude-3-7-sonnet"),
        ("haiku 3.5", "claude-3-5-haiku"),
        ("claude-3-opus-20240229", "claude-3-opus"),
        ("claude_sonnet_4_6", "claude-sonnet-4-6"),
        ("claude-opus", "claude-opus-5-5"),
    ],
)
def test_spellings_of_one_model(book: PriceBook, name: str, model: str) -> None:
    assert book.model(name, TODAY).id == model


@pytest.mark.parametrize("name", ["gpt-9", "", "opus 9", "claude", "opus 4.60", "5.5", "sonnet4.6x"])
def test_other_names_are_unknown(book: PriceBook, name: str) -> None:
    with pytest.raises(UnknownModel):
        book.model(name, TODAY)


def test_a_model_has_no_price_before_its_first_row(book: PriceBook) -> None:
    with pytest.raises(NoPriceOnDate, match="Opus 5.5 has no price on 2026-09-21: its first price is of 2026-09-22"):
        list_cost(TokenUsage(1), "opus-5.5", date(2026, 9, 21), book)
    with pytest.raises(NoPriceOnDate, match="fable has no price on 2026-03-28"):
        book.model("fable", date(2026, 3, 28))


def test_usage_is_priced_with_the_row_of_its_day(book: PriceBook) -> None:
    reads = TokenUsage(cache_read=10**6)
    assert list_cost(reads, "sonnet-5.5", date(2026, 10, 6), book).usd == Decimal("0.20")
    assert list_cost(reads, "sonnet-5.5", date(2026, 10, 7), book).usd == Decimal("0.10")


# The published prices: input, output, cache read, 5-minute write, 1-hour write; then the fast input and output.
PUBLISHED = """
    fable-5.2   8    40   0.20 10    16   | 16 80
    mythos-5.2  8    40   0.20 10    16   | 16 80
    fable-5.1   10   50   0.25 12.5  20   |
    mythos-5.1  10   50   0.25 12.5  20   |
    fable-5     10   50   1    12.5  20   |
    mythos-5    10   50   1    12.5  20   |
    opus-5.5    4    20   0.20 5     8    | 8 40
    opus-5      5    25   0.50 6.25  10   | 10 50
    opus-4.8    5    25   0.50 6.25  10   | 10 50
    opus-4.7    5    25   0.50 6.25  10   |
    opus-4.6    5    25   0.50 6.25  10   |
    opus-4.5    5    25   0.50 6.25  10   |
    opus-4.1    15   75   1.50 18.75 30   |
    opus-4      15   75   1.50 18.75 30   |
    sonnet-5.5  2    10   0.10 2.5   4    |
    sonnet-5    2    10   0.20 2.5   4    |
    sonnet-4.6  3    15   0.30 3.75  6    |
    sonnet-4.5  3    15   0.30 3.75  6    |
    sonnet-4    3    15   0.30 3.75  6    |
    sonnet-3.7  3    15   0.30 3.75  6    |
    sonnet-3.5  3    15   0.30 3.75  6    |
    haiku-5.5   0.10 0.50 0.01 0.125 0.20 |
    haiku-4.5   1    5    0.10 1.25  2    |
    haiku-3.5   0.80 4    0.08 1     1.6  |
    haiku-3     0.25 1.25 0.03 0.30  0.50 |
    opus-3      15   75   1.5  18.75 30   |
"""


@pytest.mark.parametrize("line", PUBLISHED.strip().splitlines())
def test_every_published_price_of_today(book: PriceBook, line: str) -> None:
    standard, _, fast = line.partition("|")
    name, *prices = standard.split()
    row = book.price_at(book.model(name, TODAY).id, TODAY)
    assert [row.input, row.output, row.cache_read, row.cache_write_5m, row.cache_write_1h] == [
        Decimal(price) for price in prices
    ]
    assert ([row.fast.input, row.fast.output] if row.fast else []) == [Decimal(price) for price in fast.split()]


def test_every_model_is_in_the_published_list(book: PriceBook) -> None:
    listed = {book.model(line.split()[0], TODAY).id for line in PUBLISHED.strip().splitlines()}
    assert listed == {model.id for model in book.models}


def test_every_row_has_a_source_and_rows_are_in_order(book: PriceBook) -> None:
    for model in book.models:
        starts = [row.start for row in model.prices]
        assert starts == sorted(set(starts))
        assert all(row.source in book.sources for row in model.prices)
        assert model.released == starts[0]


def test_genai_prices_agrees_on_every_model_it_knows(book: PriceBook) -> None:
    """An independent price list. Kinds one by one, below every prompt tier, on today's prices."""
    unknown_there = {"claude-mythos-5", "claude-mythos-5-1"}
    usages = [
        (TokenUsage(input=1000), Usage(input_tokens=1000)),
        (TokenUsage(output=1000), Usage(output_tokens=1000)),
        (TokenUsage(cache_read=1000), Usage(input_tokens=1000, cache_read_tokens=1000)),
        (TokenUsage(cache_write_5m=1000), Usage(input_tokens=1000, cache_write_tokens=1000)),
        (
            TokenUsage(cache_write_1h=1000),
            Usage(input_tokens=1000, cache_write_tokens=1000, cache_write_1h_tokens=1000),
        ),
    ]
    missing = set()
    for model in book.models:
        for ours, theirs in usages:
            try:
                expected = calc_price(theirs, model_ref=model.id, provider_id="anthropic").total_price
            except LookupError:
                missing.add(model.id)
                continue
            assert list_cost(ours, model.id, TODAY, book).usd == expected, (model.id, ours)
    assert missing == unknown_there


TEXT = files("bot.pricing").joinpath("prices.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('input = "8"', 'input = "-8"', r"models\.0\.prices\.0\.input is wrong: it is '-8'; it takes a number from 0"),
        ('input = "8"', 'input = "eight"', r"models\.0\.prices\.0\.input is wrong"),
        ('input = "8"\n', "", r"models\.0\.prices\.0\.input is missing"),
        ("[[models]]", "[models", "prices.toml is not valid TOML"),
        ('source = "probe-only"', 'source = "rumour"', "claude-mythos-5-2 names the source 'rumour'"),
        ("us_routing", "us_rooting", r"us_rooting is no field"),
    ],
)
def test_a_wrong_price_book_names_the_row_and_the_field(before: str, after: str, said: str) -> None:
    assert before in TEXT
    with pytest.raises(PriceBookError, match=said):
        read_price_book(TEXT.replace(before, after, 1), "prices.toml")


def test_a_revoked_row_never_holds() -> None:
    revoked = TEXT.replace('note = "Cache reads halved."', 'revoked = "announced and taken back"', 1)
    book = read_price_book(revoked, "prices.toml")
    assert book.price_at("claude-sonnet-5-5", TODAY).cache_read == Decimal("0.20")


def test_prices_are_never_read_as_floats(book: PriceBook) -> None:
    row = book.price_at("claude-haiku-5-5", TODAY + timedelta(days=1))
    assert isinstance(row.cache_write_5m, Decimal)
    assert str(row.cache_write_5m) == "0.125"
