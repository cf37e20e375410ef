"""Messages as people read them, and what keeps them harmless and within Slack's limits."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from slack_sdk.models.blocks import Block as SlackBlock

from bot.ask import Refusal, answer, ask, parse
from bot.ledger import OwnDay, OwnSpend
from bot.pricing import STANDARD, PriceBook, TokenUsage
from bot.slack.blocks.answer import answer_message, refusal_message
from bot.slack.blocks.digest import digest_message
from bot.slack.blocks.help import failure_message, help_message, no_database_message
from bot.slack.blocks.message import Message, escape, percent, section
from bot.slack.blocks.personal import alert_message, no_own_spend_message, own_spend_message
from bot.slack.blocks.plain import as_text
from bot.spend.amounts import Amount, Quantity
from bot.spend.digest import DigestFacts, Freshness, ModelSpend, PeopleCount, digest_facts
from bot.store.people import Person
from tests.conftest import TODAY
from tests.usage import DAY, opus_for

FRESH = Freshness(DAY, datetime(2026, 11, 20, 6, 10, tzinfo=UTC), utc_days=False)
PEOPLE = PeopleCount(14, 1, 1, Decimal("4.10"), 1)
HOSTILE = "<!channel> *bold* & <https://evil.example|click> \u202e\x00\n=cmd()"


def usual_day(book: PriceBook, *extra: Quantity, people: PeopleCount = PEOPLE) -> DigestFacts:
    days = [date(2026, 11, day) for day in (12, 5)] + [date(2026, 10, day) for day in (29, 22)]
    earlier = [Quantity(day, "claude-opus-5-5", STANDARD, "api", opus_for(169), None) for day in days]
    day = [
        Quantity(DAY, "claude-opus-5-5", STANDARD, "api", opus_for(96), None),
        # Sonnet 5.5 at 2 per million, Haiku 4.5 at 1
        Quantity(DAY, "claude-sonnet-5-5", STANDARD, "api", TokenUsage(35_500_000), None),
        Quantity(DAY, "claude-haiku-4-5", STANDARD, "api", TokenUsage(17_200_000), None),
    ]
    return digest_facts(DAY, "Europe/Paris", [*earlier, *day, *extra], people, Decimal(12), FRESH, book)


def test_the_digest_of_a_usual_day(book: PriceBook) -> None:
    # 96 + 71 + 17.20 = 184.20; 184.20 / 169 = 1.0899; the month: 169 + 169 + 184.20; shares 52.1, 38.5 and 9.3 %
    assert as_text(digest_message(usual_day(book))).splitlines() == [
        "Claude Code spend · Thu 19 Nov (Europe/Paris day)",
        "$184.20 across 14 people · 9 % above a usual Thursday ($169.00)",
        # Mondays to Fridays from the 2nd to the 19th, and in all of November 2026
        "November so far: $522.20 · 14 of 21 working days",
        # Since Fri 23 Oct: 3 x 169 + 184.20 on 20 working days is 34.56 a day, and 7 are left: 522.20 + 241.92.
        # Variance (3 x 169^2 + 184.20^2 - 20 x 34.56^2) / 19 = 5,038.15; 1.28 x sqrt(7 x 5,038.15) = 240.38
        "Forecast: $764.12 ($523.74 to $1,004)",
        "By model: Opus 5.5 $96.00 (52 %) · Sonnet 5.5 $71.00 (39 %) · Haiku 4.5 $17.20 (9 %)",
        "Worth a look:",
        "• 1 person reached the daily limit ($12.00 unless they or their team set another); told privately",
        "• $4.10 is from 1 key or machine that no person is assigned to",
        "Usage to Thu 19 Nov, received Fri 20 Nov 07:10 Europe/Paris",
        "List price estimate, price book of 2026-11-22; not an invoice",
    ]


def test_the_digest_names_what_has_no_price(book: PriceBook) -> None:
    # 1,000,000 of 24M + 35.5M + 17.2M + 1M = 77.7M tokens
    unknown = Quantity(DAY, "claude-zephyr-9", STANDARD, "api", TokenUsage(1_000_000), None)
    line = "• 1,000,000 tokens (1 %) had no price (claude-zephyr-9) and are in no dollar figure here"
    assert line in as_text(digest_message(usual_day(book, unknown))).splitlines()


def test_a_day_without_any_price_is_no_zero(book: PriceBook) -> None:
    searches = Quantity(DAY, "claude-zephyr-9", STANDARD, "api", TokenUsage(web_searches=500), None)
    facts = digest_facts(DAY, "UTC", [searches], PEOPLE, Decimal(12), FRESH, book)
    text = as_text(digest_message(facts))
    assert "No price across 14 people" in text
    assert "• 500 web searches had no price (claude-zephyr-9) and are in no dollar figure here" in text
    assert "$0" not in text


@pytest.mark.parametrize(
    ("told", "said"),
    [(2, "; told privately"), (1, "; 1 told privately"), (0, "their team set another)")],
)
def test_only_who_was_told_is_called_told(book: PriceBook, told: int, said: str) -> None:
    people = PeopleCount(14, 2, told, Decimal(0), 0)
    line = next(
        line for line in as_text(digest_message(usual_day(book, people=people))).splitlines() if "limit" in line
    )
    assert line.endswith(said)


def test_the_digest_of_a_quiet_day_has_nothing_to_look_at(book: PriceBook) -> None:
    text = as_text(digest_message(usual_day(book, people=PeopleCount(14, 0, 0, Decimal(0), 0))))
    assert "Worth a look" not in text


def test_a_day_without_data_says_so_and_never_zero(book: PriceBook) -> None:
    facts = digest_facts(
        date(2026, 11, 20), "Europe/Paris", [], PeopleCount(0, 0, 0, Decimal(0), 0), Decimal(12), FRESH, book
    )
    assert as_text(digest_message(facts)).splitlines() == [
        "Claude Code spend · Fri 20 Nov (Europe/Paris day)",
        "No usage data for Fri 20 Nov yet.",
        "Usage to Thu 19 Nov, received Fri 20 Nov 07:10 Europe/Paris",
    ]
    assert "$0" not in json.dumps(digest_message(facts).blocks)


def test_utc_days_are_called_so(book: PriceBook) -> None:
    facts = usual_day(book)._replace(freshness=FRESH._replace(utc_days=True))
    assert as_text(digest_message(facts)).startswith("Claude Code spend · Thu 19 Nov (UTC day)")


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (Amount(Decimal(5), list_usd=Decimal(5)), "List price estimate, price book of 2026-11-22; not an invoice"),
        (
            Amount(Decimal(5), reported_usd=Decimal(5)),
            "Cost as the usage source states it, else list price estimate, price book of 2026-11-22; not an invoice",
        ),
        (
            Amount(Decimal(5), Decimal(3), Decimal(2)),
            "Cost as the usage source states it, else list price estimate, price book of 2026-11-22; not an invoice",
        ),
        (
            Amount(Decimal(5), Decimal(5), covered_usd=Decimal(5)),
            "List price estimate, price book of 2026-11-22; API-equivalent: a subscription may already cover it",
        ),
        (
            Amount(Decimal(5), Decimal(5), covered_usd=Decimal(2)),
            "List price estimate, price book of 2026-11-22; $2.00 of it is API-equivalent, used under a subscription",
        ),
    ],
)
def test_every_dollar_says_what_it_is(book: PriceBook, amount: Amount, said: str) -> None:
    assert as_text(digest_message(usual_day(book)._replace(amount=amount))).endswith(said)


LABEL = "list price estimate, price book of 2026-11-22"


def test_a_price_that_rests_on_short_prompts_says_so(book: PriceBook) -> None:
    unknown = STANDARD._replace(prompt_tier="unknown")
    haiku = [Quantity(DAY, "claude-haiku-5-5", unknown, "api", TokenUsage(10**7), None)]
    facts = digest_facts(DAY, "UTC", haiku, PEOPLE, Decimal(12), FRESH, book)
    assert "$1.00 of it takes all prompts for short ones" in as_text(digest_message(facts))
    others = [
        Quantity(DAY, "claude-haiku-5-5", STANDARD, "api", TokenUsage(10**7), None),
        Quantity(DAY, "claude-haiku-5-5", unknown, "api", TokenUsage(10**7), Decimal(1)),
        Quantity(DAY, "claude-haiku-4-5", unknown, "api", TokenUsage(10**7), None),
    ]
    facts = digest_facts(DAY, "UTC", others, PEOPLE, Decimal(12), FRESH, book)
    assert "short ones" not in as_text(digest_message(facts))


DANA = Person(7, "dana@example.com", "dana@example.com", None, None)
OWN = OwnDay(
    DANA,
    DAY,
    Amount(Decimal("18.40"), list_usd=Decimal("18.40")),
    [ModelSpend("Opus 5.5", Decimal("16.19")), ModelSpend("Sonnet 5.5", Decimal("2.21"))],
    Decimal("9.10"),
    23,
)


def test_the_alert_names_the_day_and_the_reason() -> None:
    message = alert_message(OWN, Decimal(12), 1, LABEL)
    assert message.text == "You passed $12.00 on Thu 19 Nov: $18.40"
    assert as_text(message).splitlines() == [
        "You passed $12.00 on Thu 19 Nov: $18.40",
        "Your usual active day is $9.10 (median of 23)",
        "Mostly Opus 5.5: $16.19 (88 %)",
        "UTC day · sent once for this day and amount · only you see this · /claudecost me shows more",
        "List price estimate, price book of 2026-11-22; not an invoice",
    ]


def test_a_higher_step_says_how_many_times_the_limit() -> None:
    assert alert_message(OWN, Decimal(9), 2, LABEL).text.startswith("You passed $18.00 (2 times your limit)")
    assert alert_message(OWN, Decimal("9.20"), 2, LABEL).text.startswith("You reached $18.40 (2 times your limit)")
    assert alert_message(OWN, Decimal(12), 2, LABEL, settled="x").text.startswith("Thu 19 Nov was restated to $18.40")
    unpriced = OWN._replace(amount=Amount(unpriced_tokens=5), models=[])
    said = alert_message(unpriced, Decimal(12), 1, LABEL, settled="x").text
    assert said == "What you used on Thu 19 Nov has no price by now, so nothing says that it reached $12.00"


def test_own_spend_names_the_newest_day() -> None:
    own = OwnSpend(OWN, Amount(Decimal("140.20")), 13, Decimal(12))
    assert as_text(own_spend_message(own, TODAY, LABEL)).splitlines()[:2] == [
        "You spent $18.40 on Thu 19 Nov, your newest day with usage",
        "November so far: $140.20 on 13 active days · your daily limit is $12.00",
    ]


def test_an_answer_shows_total_formula_assumption_and_price_date(book: PriceBook) -> None:
    message = answer_message(answer(parse("500k in 80k out opus", TODAY, book), book))
    assert message.text == "$3.60 on Claude Opus 5.5 at list price of 2026-11-23"
    assert as_text(message).splitlines() == [
        "$3.60  on Claude Opus 5.5",
        "input 500k × $4.00/M = $2.00 · output 80k × $20.00/M = $1.60",
        "“opus” means Opus 5.5, the newest Opus on 2026-11-23.",
        "Priced as one request; Haiku 5.5 costs more when a prompt is over 100,000 tokens. "
        "In requests of at most 100,000 tokens each it is $0.09.",
        "If 90 % of the input were cache reads: $1.89.",
        "Sonnet 5.5: $1.80 · Haiku 5.5: $0.45 · Fable 5.2: $7.20",
        "Prices of 2026-11-23 · list price estimate, price book of 2026-11-22",
        "/claudecost 500,000 in 80,000 out opus",
    ]


def test_a_long_assumption_is_shown_whole(book: PriceBook) -> None:
    text = as_text(answer_message(answer(parse("1m in haiku 5.5", TODAY, book), book)))
    assert "In requests of at most 100,000 tokens each it is $0.10." in text


def test_a_refusal_quotes_and_offers_a_question_that_works() -> None:
    message = refusal_message(Refusal("I could not read “80z”.", "500k in 80k out opus"))
    assert as_text(message).splitlines()[:2] == ["I could not read “80z”.", "Try  /claudecost 500k in 80k out opus"]


def every_message(book: PriceBook, name: str) -> list[Message]:
    unknown = Quantity(DAY, name, STANDARD, "api", TokenUsage(1_000_000), None)
    own = OWN._replace(models=[ModelSpend(name, Decimal("18.40"))])
    return [
        digest_message(usual_day(book, unknown)),
        digest_message(usual_day(book)._replace(models=[ModelSpend(name, Decimal("184.20"))])),
        alert_message(own, Decimal(12), 1, LABEL),
        own_spend_message(OwnSpend(own, Amount(Decimal(1)), 1, Decimal(12)), TODAY, LABEL),
        no_own_spend_message(name),
        no_own_spend_message(None),
        answer_message(answer(parse("500k in 80k out opus vs sonnet us x 3", TODAY, book), book)),
        refusal_message(Refusal(f"I could not read “{name}”.", name)),
        help_message(),
        failure_message("abcd1234"),
        no_database_message("abcd1234"),
    ]


@pytest.mark.parametrize("name", ["Opus 5.5", HOSTILE, "x" * 5000, "🙂" * 300, "שלום" * 100])
def test_no_name_breaks_a_message_or_makes_a_mention(book: PriceBook, name: str) -> None:
    for message in every_message(book, name):
        assert message.text
        assert len(message.blocks) <= 50
        parsed = SlackBlock.parse_all(message.blocks)
        assert [block.to_dict()["type"] for block in parsed] == [block["type"] for block in message.blocks]
        for text in texts(message.blocks):
            assert 0 < len(text) <= 3000
            assert "<" not in text
            assert not any(mark in text for mark in ("\u202e", "\x00"))


def texts(blocks: Any) -> list[str]:
    """Every text of every block, however deep."""
    if isinstance(blocks, list):
        return [text for block in blocks for text in texts(block)]
    if isinstance(blocks, dict):
        own = [blocks["text"]] if isinstance(blocks.get("text"), str) else []
        return own + [text for value in blocks.values() if not isinstance(value, str) for text in texts(value)]
    return []


def test_escape_keeps_ordinary_names() -> None:
    assert escape("claude-opus-5-5") == "claude-opus-5-5"
    assert escape(" a <b> & c\nd ") == "a &lt;b&gt; &amp; c d"
    assert escape("x" * 100) == "x" * 79 + "…"


@pytest.mark.parametrize(
    ("fraction", "said"), [("0", "0 %"), ("0.001", "<1 %"), ("0.005", "1 %"), ("0.385", "39 %"), ("12", "1,200 %")]
)
def test_percent(fraction: str, said: str) -> None:
    assert percent(Decimal(fraction)) == said


def test_a_section_is_cut_at_slacks_limit() -> None:
    assert len(section("x" * 4000)["text"]["text"]) == 3000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("999 in", "999"),
        ("500k in", "500k"),
        ("317,420 in", "317.42k"),
        ("9.44m in", "9.44M"),
        ("10042390 in", "10,042,390"),
    ],
)
def test_amounts_are_shown_exactly(book: PriceBook, words: str, said: str) -> None:
    text = as_text(answer_message(ask(f"{words} opus", TODAY, book)))
    assert f"input {said} × $4.00/M" in text
