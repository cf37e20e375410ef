"""A team's own prices: discounts, further models and names, and what is wrong with a file."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.ask import ask
from bot.pricing import PriceBook, PriceConditions, TokenUsage, list_cost, price_book_with
from bot.pricing.errors import PriceBookError
from tests.conftest import TODAY

MILLION = TokenUsage(10**6, 10**6, web_searches=1)
OWN = """
[sources]
contract = "order form 7 of 2026-06-30"

[[discounts]]
model = "*"
percent = "10"
from = 2026-07-01

[[discounts]]
model = "opus"
percent = "15"
from = 2026-07-01

[[discounts]]
model = "claude-opus-5-5"
percent = "20"
from = 2026-11-01

[[names]]
name = "gateway/large"
model = "claude-opus-4-6"

[[prefixes]]
prefix = "eu.anthropic."
factor = "1.1"

[[models]]
id = "house-model"
name = "House 1"
family = "house"
released = 2026-01-01

[[models.prices]]
from = 2026-01-01
input = "1"
output = "2"
cache_read = "0.1"
cache_write_5m = "1.25"
cache_write_1h = "2"
source = "contract"
"""


def written(folder: Path, text: str) -> PriceBook:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return price_book_with(path)


@pytest.mark.parametrize(
    ("name", "on", "usd"),
    [
        ("sonnet-5.5", "2026-11-23", "10.81"),  # (2 + 10) x 0.9, and the search at its price
        ("opus-5", "2026-11-23", "25.51"),  # (5 + 25) x 0.85
        ("opus-5.5", "2026-10-31", "20.41"),  # (4 + 20) x 0.85
        ("opus-5.5", "2026-11-01", "19.21"),  # (4 + 20) x 0.8
        ("opus-4.6", "2026-06-30", "30.01"),  # before the contract
        ("gateway/large", "2026-11-23", "25.51"),
        ("eu.anthropic.claude-opus-4-6-v1:0", "2026-11-23", "28.06"),  # 30 x 1.1 x 0.85
        ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "2026-06-01", "6.61"),  # 6 x 1.1
        ("house-model", "2026-06-01", "3.01"),
        ("house", "2026-11-23", "2.71"),  # 3 x 0.9
    ],
)
def test_discounts_names_prefixes_and_models(tmp_path: Path, name: str, on: str, usd: str) -> None:
    book = written(tmp_path, OWN)
    assert list_cost(MILLION, name, date.fromisoformat(on), book).usd == Decimal(usd)


def test_own_names_can_be_asked_about(tmp_path: Path) -> None:
    book = written(tmp_path, OWN)
    # House 1: (1 + 2) x 0.9; the gateway's name: Opus 4.6, (5 + 25) x 0.85
    for words, usd in (("house-model", "2.70"), ("house", "2.70"), ("gateway/large", "25.50")):
        assert ask(f"1m in 1m out {words}", TODAY, book).cost.usd == Decimal(usd)


def test_discounts_stack_with_conditions(tmp_path: Path) -> None:
    book = written(tmp_path, OWN)
    us = PriceConditions(inference_geo="us", service_tier="batch")
    # 4 x 0.5 x 1.1 x 0.8
    assert list_cost(TokenUsage(10**6), "opus-5.5", TODAY, book, us).usd == Decimal("1.76")


def test_messages_say_that_prices_are_the_contracts(tmp_path: Path, book: PriceBook) -> None:
    assert written(tmp_path, OWN).label == "contract price estimate, price book of 2026-11-22"
    assert book.label == "list price estimate, price book of 2026-11-22"


def test_another_file_is_another_price_book(tmp_path: Path, book: PriceBook) -> None:
    prints = {book.fingerprint, written(tmp_path, OWN).fingerprint, written(tmp_path, OWN + "\n").fingerprint}
    assert len(prints) == 3


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            'percent = "10"',
            'percent = "110"',
            r"own\.toml: discounts\.0\.percent is wrong: it is '[\d.]+'; it takes a number from 0 to 100",
        ),
        ('percent = "10"', 'percent = "ten"', r"own\.toml: discounts\.0\.percent is wrong"),
        (
            'model = "opus"',
            'model = "opera"',
            r"own\.toml: discounts\.1\.model is wrong: it is 'opera'; it takes a model id",
        ),
        ('model = "claude-opus-4-6"', 'model = "gpt-9"', r"own\.toml: names\.0\.model is wrong: it is 'gpt-9'"),
        ('factor = "1.1"', 'factor = "0"', r"own\.toml: prefixes\.0\.factor is wrong"),
        ('input = "1"\n', "", r"own\.toml: models\.0\.prices\.0\.input is missing"),
        (
            'source = "contract"',
            'source = "hearsay"',
            r"own\.toml: models\.0\.prices\.0\.source names the source 'hearsay'",
        ),
        ("[[names]]", "[[nicknames]]", r"own\.toml: nicknames is no field"),
        (
            '"order form 7 of 2026-06-30"',
            "7",
            r"own\.toml: sources\.contract is wrong: expected `str`, got `int`; it is '7'",
        ),
        (
            'input = "1"',
            'input = "nan"',
            r"own\.toml: models\.0\.prices\.0\.input is wrong: it is 'NaN'; it takes a number",
        ),
        ('input = "1"', 'input = "1.0000001"', r"input is wrong: it is '1\.0000001'; .* at most 6 decimals"),
        ('input = "1"', "input = 1e99999999999999999999", r"own\.toml is not valid TOML: a number or a table in it is"),
        ('input = "1"', "input = [1]", r"own\.toml: models\.0\.prices\.0\.input is wrong: .*; it is '\[1\]'"),
        ("released = 2026-01-01", 'released = "May"', r"own\.toml: models\.0\.released is wrong: .*; it is 'May'"),
        ('name = "House 1"', 'name = " "', r"own\.toml: models\.0\.name is wrong: it is blank"),
        (
            'input = "1"',
            f"input = {'[' * 300}1{']' * 300}",
            r"own\.toml( is not valid TOML|: models\.0\.prices\.0\.input is wrong)",
        ),
        ("[sources]", "[sources", r"own\.toml is not valid TOML"),
    ],
)
def test_what_is_wrong_is_named_by_row_and_field(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert before in OWN
    with pytest.raises(PriceBookError, match=said):
        written(tmp_path, OWN.replace(before, after, 1))


def test_numbers_may_stand_in_quotes_or_without(tmp_path: Path) -> None:
    long = 'long_prompt = { over_tokens = %s, prices = { input = %s, output = "4", cache_read = "0.2", '
    long += 'cache_write_5m = "2.5", cache_write_1h = "4" } }'
    for over, price in (('"200000"', '"2.25"'), ("200000", "2.25")):
        book = written(tmp_path, f"{OWN}{long % (over, price)}\n")
        limit = book.price_at("house-model", date(2026, 11, 1)).long_prompt
        assert limit is not None
        assert (limit.over_tokens, limit.prices.input) == (200_000, Decimal("2.25"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PriceBookError, match=r"CLAUDECOST_PRICES names .*nowhere\.toml, which cannot be read"):
        price_book_with(tmp_path / "nowhere.toml")


def test_a_price_book_grows_old(book: PriceBook) -> None:
    newest = date(2026, 11, 10)
    assert book.age_warning(newest + timedelta(days=60)) is None
    assert book.age_warning(newest + timedelta(days=61)) == (
        "The newest price is of 2026-11-10, 61 days ago: look for a newer version of claudecost."
    )
