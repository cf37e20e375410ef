"""Two tables of questions: accepted.txt with each sum, refused.txt with the words that the refusal must hold."""

from decimal import Decimal
from math import prod
from pathlib import Path

import pytest

from bot.ask import Refusal, ask
from bot.pricing import PriceBook
from tests.conftest import TODAY


def rows(name: str) -> list[list[str]]:
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.split(" | ")] for line in lines if line and not line.startswith("#")]


def worked_out(expression: str) -> Decimal:
    """The value of a sum of products such as "0.5*4 + 0.08*20"."""
    return sum(
        (prod((Decimal(factor) for factor in term.split("*")), start=Decimal(1)) for term in expression.split("+")),
        Decimal(0),
    )


@pytest.mark.parametrize(("question", "model", "expression"), rows("accepted.txt"))
def test_accepted(book: PriceBook, question: str, model: str, expression: str) -> None:
    found = ask(question, TODAY, book)
    assert (found.model.id, found.cost.usd) == (model, worked_out(expression))
    assert sum(line.usd for line in found.cost.lines) == found.cost.usd


@pytest.mark.parametrize(("question", "words"), rows("refused.txt"))
def test_refused(book: PriceBook, question: str, words: str) -> None:
    with pytest.raises(Refusal) as refused:
        ask(question, TODAY, book)
    assert words in refused.value.sentence
    ask(refused.value.suggestion, TODAY, book)


def test_the_tables_are_long_enough() -> None:
    assert len(rows("accepted.txt")) >= 200
    assert len(rows("refused.txt")) >= 100
