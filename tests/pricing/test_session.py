"""A session turn by turn, against sums of arithmetic series worked out by hand."""

from datetime import date
from decimal import Decimal

import pytest

from bot.pricing import PriceBook, TokenUsage
from bot.pricing.session import SessionCost, SessionPlan, session_cost
from tests.conftest import TODAY

MARCH = date(2026, 3, 28)
SIMPLE = SessionPlan(turns=4, turns_per_hour=2, base_context=10_000, growth=1_000, output=100, fresh=0)


def priced(plan: SessionPlan, book: PriceBook, model: str = "opus-5.5", day: date = TODAY) -> SessionCost:
    return session_cost(plan, model, day, book)


def total(cost: SessionCost) -> TokenUsage:
    usage = TokenUsage()
    for turn in cost.turns:
        usage = usage.plus(turn.usage)
    return usage


def test_every_turn_reads_what_the_one_before_wrote(book: PriceBook) -> None:
    found = priced(SIMPLE, book)
    assert [(turn.context, turn.usage.cache_read, turn.usage.cache_write_5m) for turn in found.turns] == [
        (11_000, 0, 11_000),
        (12_000, 11_000, 1_000),
        (13_000, 12_000, 1_000),
        (14_000, 13_000, 1_000),
    ]
    # reads 36,000 x 0.20 + writes 14,000 x 5 + output 400 x 20, per million
    assert found.usd == Decimal("0.0072") + Decimal("0.07") + Decimal("0.008")


def test_sixty_turns_hour_by_hour_and_flat(book: PriceBook) -> None:
    """Sonnet 4.6 in March: base 13,000, growth 4,900, output 290, 4 fresh tokens a turn; ten turns an hour.

    Written: 13,000 + 60 x 4,900 = 307,000. Read: 59 x 13,000 + 4,900 x (1 + … + 59) = 767,000 + 8,673,000 = 9,440,000.
    Output: 17,400. Fresh: 240. 307,000 x 3.75 + 9,440,000 x 0.30 + 17,400 x 15 + 240 x 3 = 4,244,970 per million.
    Flat: 307,000 x 3 + 17,400 x 15 = 1,182,000 per million.
    """
    found = priced(SessionPlan(60), book, "sonnet-4.6", MARCH)
    assert total(found) == TokenUsage(240, 17_400, 9_440_000, 307_000)
    assert found.usd == Decimal("4.24497")
    assert found.flat_usd == Decimal("1.182")
    assert round(found.ratio, 2) == Decimal("3.59")
    assert [hour for hour, _, _ in found.by_hour] == [1, 2, 3, 4, 5, 6]
    # The first hour: written 62,000; read 9 x 13,000 + 4,900 x 45 = 337,500; output 2,900; fresh 40.
    assert found.by_hour[0] == (1, 62_000, Decimal("0.37737"))
    # The sixth: written 49,000; read 10 x 13,000 + 4,900 x (50 + … + 59) = 2,800,500; the same output.
    assert found.by_hour[5] == (6, 307_000, Decimal("1.06752"))
    assert sum(usd for _, _, usd in found.by_hour) == found.usd


def test_a_cold_turn_writes_everything_again(book: PriceBook) -> None:
    found = priced(SIMPLE._replace(cold_turns=1), book)
    assert [turn.kind for turn in found.turns] == ["warm", "warm", "cold", "warm"]
    assert found.turns[2].usage == TokenUsage(0, 100, 0, 13_000)
    # instead of 12,000 read at 0.20, 12,000 more written at 5
    assert found.usd - priced(SIMPLE, book).usd == 12_000 * (Decimal(5) - Decimal("0.20")) / 10**6


def test_an_hour_of_cache_costs_twice_the_input(book: PriceBook) -> None:
    found = priced(SIMPLE._replace(cache_lifetime="1h"), book)
    assert total(found).cache_write_1h == 14_000
    assert found.usd - priced(SIMPLE, book).usd == 14_000 * Decimal(8 - 5) / 10**6


def test_a_compaction_reads_everything_and_goes_on_from_the_summary(book: PriceBook) -> None:
    found = priced(SIMPLE._replace(compact_at=13_000), book)
    # before turn 4: reads 13,000, writes 12 % of 3,000 as output; then 10,000 + 360 + 1,000, all written
    assert [(turn.number, turn.kind) for turn in found.turns] == [
        (1, "warm"),
        (2, "warm"),
        (3, "warm"),
        (4, "compaction"),
        (4, "warm"),
    ]
    assert found.turns[3].usage == TokenUsage(output=360, cache_read=13_000)
    assert found.turns[4].usage == TokenUsage(0, 100, 0, 11_360)


def test_a_team_is_that_many_contexts(book: PriceBook) -> None:
    assert priced(SIMPLE._replace(members=7), book).usd == 7 * priced(SIMPLE, book).usd


def test_subagents_have_contexts_and_a_model_of_their_own(book: PriceBook) -> None:
    plan = SIMPLE._replace(subagents=2, subagent_model="haiku-4.5", subagent_turns=1)
    found = priced(plan, book)
    # Haiku 4.5: one turn each, 4 fresh, 3,670 + 1,000 written, 100 out
    each = (4 * 1 + 4_670 * Decimal("1.25") + 100 * 5) / 10**6
    assert [(part.name, part.model) for part in found.parts] == [("main", "opus-5.5"), ("subagents", "haiku-4.5")]
    assert found.parts[1].usd == 2 * each
    # what they give back, 2 x 420, enters the main context
    assert found.turns[-1].context == 14_840
    assert sum(part.usd for part in found.parts) == sum(line.usd for line in found.lines) == found.usd


def test_auto_mode_asks_the_classifier_by_the_hour(book: PriceBook) -> None:
    found = priced(SIMPLE._replace(checks_per_hour=60), book)
    # 4 turns at 2 an hour: 120 checks of 2,000 in and 50 out on Sonnet 5
    assert found.parts[1].usd == 120 * (2_000 * Decimal(2) + 50 * Decimal(10)) / 10**6


def test_lines_of_claude_md_are_in_every_request(book: PriceBook) -> None:
    longer, shorter = SIMPLE._replace(claude_md_lines=500), SIMPLE._replace(claude_md_lines=200)
    # 300 lines x 20 tokens: written once, read in three turns
    difference = 6_000 * (Decimal(5) + 3 * Decimal("0.20")) / 10**6
    assert priced(longer, book).usd - priced(shorter, book).usd == difference


def test_each_request_has_the_price_of_its_own_prompt(book: PriceBook) -> None:
    plan = SessionPlan(turns=2, base_context=95_000, growth=5_000, output=0, fresh=0)
    found = priced(plan, book, "haiku-5.5")
    # 100,000 is base: 100,000 x 0.125; 105,000 is long: 100,000 x 0.05 + 5,000 x 0.625
    assert [turn.usd for turn in found.turns] == [Decimal("0.0125"), Decimal("0.008125")]


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (SessionPlan(0), "a session has 1 to 2,000 turns, not 0"),
        (SessionPlan(5, cold_turns=5), "5 cold turns are not fewer than 5 turns"),
        (SessionPlan(60, compact_at=5_000), "compacting at 5,000 tokens leaves no room: the least is 22,800"),
        (
            SessionPlan(1_000, members=7, subagents=999),
            "that session has 76,930 requests; at most 50,000 can be worked out",
        ),
    ],
)
def test_what_cannot_be_is_refused(book: PriceBook, plan: SessionPlan, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        priced(plan, book)
