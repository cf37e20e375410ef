"""Against an independent price list: every model, kind and condition that genai-prices 0.2.3 knows, on three dates.

Where the two differ on purpose, GAPS names the difference and why; a gap that disappears fails the test, so that the
list stays true.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import NamedTuple

from genai_prices import Usage, calc_price

from bot.pricing import NoPriceForCondition, NoPriceOnDate, PriceBook, PriceConditions, TokenUsage, list_cost

DATES = (date(2026, 3, 1), date(2026, 10, 1), date(2026, 11, 23))
STANDARD, BATCH, FAST = PriceConditions(), PriceConditions(service_tier="batch"), PriceConditions(speed="fast")
CONTEXTS: dict[PriceConditions, dict[str, str]] = {
    STANDARD: {},
    BATCH: {"processing": "batch"},
    FAST: {"speed": "fast"},
}
NAMES = {STANDARD: "standard", BATCH: "batch", FAST: "fast"}

# One request each; "long" is over every prompt tier that either side knows.
REQUESTS = {
    "input": (TokenUsage(input=90_000), Usage(input_tokens=90_000)),
    "output": (TokenUsage(output=1_000), Usage(output_tokens=1_000)),
    "cache_read": (TokenUsage(cache_read=90_000), Usage(input_tokens=90_000, cache_read_tokens=90_000)),
    "cache_write_5m": (TokenUsage(cache_write_5m=9_000), Usage(input_tokens=9_000, cache_write_tokens=9_000)),
    "cache_write_1h": (
        TokenUsage(cache_write_1h=9_000),
        Usage(input_tokens=9_000, cache_write_tokens=9_000, cache_write_1h_tokens=9_000),
    ),
    "web_search": (TokenUsage(web_searches=3), Usage(web_searches=3)),
    "long": (
        TokenUsage(200_001, 1_000, 50_000, 3_000, 2_000),
        Usage(
            input_tokens=255_001,
            output_tokens=1_000,
            cache_read_tokens=50_000,
            cache_write_tokens=5_000,
            cache_write_1h_tokens=2_000,
        ),
    ),
}


class Gap(NamedTuple):
    """Where the two differ on one date: a model or condition that one side lacks, or requests priced differently."""

    model: str
    condition: str
    what: str
    on: date


def gaps(book: PriceBook) -> set[Gap]:
    found = set()
    for model in book.models:
        for day in DATES:
            for conditions, name in NAMES.items():
                found |= {Gap(model.id, name, what, day) for what in _compared(model.id, day, conditions, book)}
    return found


def _compared(model: str, day: date, conditions: PriceConditions, book: PriceBook) -> Iterator[str]:
    ours = {name: our_price(model, day, conditions, usage, book) for name, (usage, _) in REQUESTS.items()}
    theirs = {name: their_price(model, day, conditions, usage) for name, (_, usage) in REQUESTS.items()}
    if theirs["input"] is None:
        if ours["input"] is not None:
            yield "only here"
        return
    # A condition that genai-prices does not know is silently priced as standard.
    knows = conditions == STANDARD or theirs["input"] != their_price(model, day, STANDARD, REQUESTS["input"][1])
    if ours["input"] is None or not knows:
        if ours["input"] is not None:
            yield "only here"
        elif knows:
            yield "only there"
        return
    yield from (name for name in REQUESTS if ours[name] != theirs[name])


def our_price(model: str, day: date, conditions: PriceConditions, usage: TokenUsage, book: PriceBook) -> Decimal | None:
    tier = book.prompt_tier(model, day, usage.prompt_tokens)
    try:
        return list_cost(usage, model, day, book, conditions._replace(prompt_tier=tier)).usd
    except (NoPriceOnDate, NoPriceForCondition):
        return None


def their_price(model: str, day: date, conditions: PriceConditions, usage: Usage) -> Decimal | None:
    at = datetime.combine(day, time(12), tzinfo=UTC)
    try:
        found = calc_price(
            usage,
            model_ref=model,
            provider_id="anthropic",
            genai_request_timestamp=at,
            price_context=CONTEXTS[conditions] or None,
        )
    except LookupError:
        return None
    return found.total_price


# model | condition | what differs | on which of the three dates (* for all); grouped by the reason.
GAPS = """
# genai-prices prices a model on days before it was released.
claude-fable-5 standard only-there 2026-03-01
claude-fable-5-1 standard only-there 2026-03-01
claude-fable-5-2 standard,batch,fast only-there 2026-03-01,2026-10-01
claude-mythos-5-2 standard,batch,fast only-there 2026-03-01,2026-10-01
claude-haiku-5-5 standard only-there 2026-03-01,2026-10-01
claude-opus-4-7 standard only-there 2026-03-01
claude-opus-4-8 standard,fast only-there 2026-03-01
claude-opus-5 standard,fast only-there 2026-03-01
claude-opus-5-5 standard,fast only-there 2026-03-01
claude-sonnet-5 standard only-there 2026-03-01
claude-sonnet-5-5 standard only-there 2026-03-01

# It models batch prices from 2026-10-14 on; batch has been half price since 2024.
claude-fable-5 batch only-here 2026-10-01
claude-fable-5-1 batch only-here 2026-10-01
claude-haiku-4-5 batch only-here 2026-03-01,2026-10-01
claude-opus-4-5 batch only-here 2026-03-01,2026-10-01
claude-opus-4-6 batch only-here 2026-03-01,2026-10-01
claude-opus-4-7 batch only-here 2026-10-01
claude-opus-4-8 batch only-here 2026-10-01
claude-opus-5 batch only-here 2026-10-01
claude-opus-5-5 batch only-here 2026-10-01
claude-sonnet-4-5 batch only-here 2026-03-01,2026-10-01
claude-sonnet-4-6 batch only-here 2026-03-01,2026-10-01
claude-sonnet-5 batch only-here 2026-10-01
claude-sonnet-5-5 batch only-here 2026-10-01

# It has no batch prices for retired models.
claude-3-haiku batch only-here *
claude-3-5-haiku batch only-here *
claude-3-opus batch only-here *
claude-3-5-sonnet batch only-here *
claude-3-7-sonnet batch only-here *
claude-opus-4 batch only-here *
claude-opus-4-1 batch only-here *
claude-sonnet-4 batch only-here *

# It does not list these models.
claude-mythos-5 standard,batch only-here 2026-10-01,2026-11-23
claude-mythos-5-1 standard,batch only-here 2026-10-01,2026-11-23

# It has no fast price for Opus 4.6, which had one ($30/$150) until 2026-06-29, as Claude Code's own table says.
claude-opus-4-6 fast only-here 2026-03-01

# It has no web searches for the first generation; the price is one for all models.
claude-3-haiku standard web_search *
claude-3-opus standard web_search *

# Prompts over 200,000 tokens: the beta on Sonnet 4.5 and 4 ended on 2026-04-30, and it has no tier for Sonnet 4 at all.
claude-sonnet-4-5 standard long 2026-10-01,2026-11-23
claude-sonnet-4-5 batch long 2026-11-23
claude-sonnet-4 standard long 2026-03-01

# It has the cache reads of 2026-10-07 for all days of Sonnet 5.5; the release note says $0.20 before.
claude-sonnet-5-5 standard cache_read,long 2026-10-01
"""


def listed_gaps() -> set[Gap]:
    listed = set()
    for line in GAPS.splitlines():
        if line and not line.startswith("#"):
            model, conditions, what, days = line.split()
            dates = DATES if days == "*" else [date.fromisoformat(day) for day in days.split(",")]
            for condition in conditions.split(","):
                listed |= {
                    Gap(model, condition, one.replace("-", " "), day) for one in what.split(",") for day in dates
                }
    return listed


def test_the_two_lists_differ_exactly_where_it_is_listed(book: PriceBook) -> None:
    found, listed = gaps(book), listed_gaps()
    assert sorted(found - listed) == [], "unexplained differences"
    assert sorted(listed - found) == [], "gaps that have closed: take them off the list"


def test_both_lists_have_a_price_for_most_of_what_is_compared(book: PriceBook) -> None:
    usage, theirs = REQUESTS["input"]
    both = [
        (model.id, day)
        for model in book.models
        for day in DATES
        if our_price(model.id, day, STANDARD, usage, book) and their_price(model.id, day, STANDARD, theirs)
    ]
    # 13 models released by 1 March on three dates, 8 more on two, 3 in November alone; two are only here
    assert len(both) == 13 * 3 + 8 * 2 + 3
