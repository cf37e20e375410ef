"""How fast the pricing engine is, against genai-prices' calc_price in the same run: ``python -m bench.pricing``.

Ratios are taken round by round and the median is printed, so that a busy machine slows both sides alike.
"""

import statistics
import time
from collections.abc import Callable
from datetime import date

from genai_prices import Usage, calc_price

from bot.ask import ask
from bot.pricing import TokenUsage, default_price_book, list_cost

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
    print(f"one list_cost: {statistics.median(ratios):.0f} times faster than genai-prices (goal: 50)")
    print(f"one question read and answered: {statistics.median(questions) * 1000:.2f} ms (goal: under 0.5)")


def seconds(call: Callable[[], None], times: int) -> float:
    """Mean seconds of one call."""
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


if __name__ == "__main__":
    main()
