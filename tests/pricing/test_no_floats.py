"""No float touches money: what the engine's annotations and the JSON documents say."""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import pytest

import bot.ask
import bot.pricing
import bot.spend
from bot.ask import ask
from bot.pricing import PriceBook
from bot.pricing.session import SessionPlan, session_cost
from bot.reports import answer_json, history_json, prices_json
from tests.conftest import TODAY

MODULES = [
    importlib.import_module(found.name)
    for package in (bot.pricing, bot.ask, bot.spend)
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


def parts(hint: Any) -> Iterator[Any]:
    yield hint
    for part in get_args(hint):
        yield from parts(part)


def annotated(module: Any) -> Iterator[tuple[str, Any]]:
    """Everything in a module that carries annotations: functions, classes and their methods."""
    for name, member in inspect.getmembers(module):
        if getattr(member, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(member):
            yield name, member
            methods = inspect.getmembers(member, inspect.isfunction)
            yield from ((method, found) for method, found in methods if found.__module__.startswith("bot."))
        elif inspect.isfunction(member):
            yield name, member


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_no_annotation_of_the_engine_is_a_float(module: Any) -> None:
    for name, member in annotated(module):
        for hint in get_type_hints(member).values():
            assert float not in set(parts(hint)), name


def test_the_walk_sees_the_engine() -> None:
    names = {name for module in MODULES for name, _ in annotated(module)}
    assert {"list_cost", "session_cost", "rates", "Cost", "Amount", "Answer", "DigestFacts"} <= names


def test_no_json_document_holds_a_float(book: PriceBook) -> None:
    documents = [
        *(answer_json(ask(text, TODAY, book)) for text in ("100,001 in haiku us", "60 turns opus", "3 searches")),
        prices_json(book, TODAY),
        history_json(book, "opus 4.6", TODAY),
    ]
    for document in documents:
        for value in leaves(json.loads(json.dumps(document))):
            assert not isinstance(value, float)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from leaves(child)
    else:
        yield value


def test_a_session_adds_up_in_decimals(book: PriceBook) -> None:
    found = session_cost(SessionPlan(60), "opus", TODAY, book)
    dollars = [found.usd, found.flat_usd, *(turn.usd for turn in found.turns), *(line.usd for line in found.lines)]
    assert all(type(usd) is Decimal for usd in dollars)
