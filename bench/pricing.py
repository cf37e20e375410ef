"""How fast the pricing engine is, against genai-prices' calc_price in the same run: ``python -m bench.pricing``.

Ratios are taken round by round and the median is printed, so that a busy machine slows both sides alike.
"""

import resource
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import numpy
from genai_prices import Usage, calc_price

from bot.ask import ask
from bot.pricing import PriceBook, PriceConditions, TokenUsage, default_price_book, list_cost

DAY = date(2026, 11, 23)
MODEL = "claude-opus-5-5"
ROUNDS = 7


def main() -> None:
    book = default_price_book()
    usage = TokenUsage(10_000, 1_000, 40_000, 2_000)
    theirs = Usage(input_tokens=52_000, output_tokens=1_000, cache_read_tokens=40_000, cache_write_tokens=2_000)

    def one_call() -> None:
        list_cost(usage, MODEL, DAY, book)

    def their_call() -> None:
        calc_price(theirs, model_ref=MODEL, provider_id="anthropic")

    def question() -> None:
        ask("500k in 80k out opus", DAY, book)

    ratios, questions = [], []
    for _ in range(ROUNDS):
        ratios.append(seconds(their_call, 500) / seconds(one_call, 20_000))
        questions.append(seconds(question, 500))
    per_row, grown = million_rows(book)
    per_call = seconds(their_call, 20_000)
    print(f"one list_cost: {statistics.median(ratios):.0f} times faster than genai-prices (goal: 50)")
    print(f"one question read and answered: {statistics.median(questions) * 1000:.2f} ms (goal: under 0.5)")
    print(
        f"one million usage rows: {per_call / per_row:,.0f} times faster than genai-prices, extrapolated from 20,000 "
        f"(goal: 1,000); {per_row * 1000:.2f} s a million rows, {grown:.1f} MB more memory at its peak"
    )


ROWS = 1_000_000
_CHUNK = 20_000


def million_rows(book: PriceBook) -> tuple[float, float]:
    """Seconds a row, and megabytes that the peak of memory grew by, to sum mixed rows by group and price the sums.

    The rows are arrays of integers as a columnar reader hands them over; the sums are priced by list_cost.
    """
    days = [DAY - timedelta(days=number) for number in range(90)]
    models = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5", "claude-opus-4-8"]
    random = numpy.random.default_rng(1)
    day = random.integers(0, len(days), ROWS)
    model = random.integers(0, len(models), ROWS)
    batch = random.integers(0, 2, ROWS)
    counts = random.integers(0, 50_000, (5, ROWS))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    groups = len(days) * len(models) * 2
    sums = numpy.zeros((5, groups), dtype=numpy.int64)
    for first in range(0, ROWS, _CHUNK):
        some = slice(first, first + _CHUNK)
        key = (day[some] * len(models) + model[some]) * 2 + batch[some]
        for kind in range(5):
            # Weights are added as doubles: exact, as no sum of a chunk comes near 2**53.
            sums[kind] += numpy.bincount(key, counts[kind, some], groups).astype(numpy.int64)
    total = Decimal(0)
    for group in range(groups):
        usage = TokenUsage(*(int(sums[kind, group]) for kind in range(5)))
        conditions = PriceConditions(service_tier="batch" if group % 2 else "standard")
        name, when = models[group // 2 % len(models)], days[group // 2 // len(models)]
        if name == "claude-haiku-4-5" or when >= date(2026, 9, 28):
            total += list_cost(usage, name, when, book, conditions).usd
    took = time.perf_counter() - start
    assert total > 0
    return took / ROWS, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def seconds(call: Callable[[], None], times: int) -> float:
    """Mean seconds of one call."""
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


if __name__ == "__main__":
    main()
