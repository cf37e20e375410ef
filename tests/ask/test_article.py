"""The article's figures: what comes out and what does not, against an independent check of the article."""

import pytest

from bot.ask.article import Claim, article_claims
from bot.pricing import PriceBook
from bot.slack.blocks.article import article_message
from bot.slack.blocks.plain import as_text


@pytest.fixture
def claims(book: PriceBook) -> dict[str, Claim]:
    return {claim.what: claim for claim in article_claims(book)}


@pytest.mark.parametrize(
    ("what", "said", "ours"),
    [
        ("bug fix session", "$0.10", "$0.099"),
        ("feature session", "$0.66", "$0.66"),
        ("refactor session", "$2.70", "$2.70"),
        ("agent team session", "$7.50", "$7.50"),
        ("an hour on its own, base", "$1.05", "$1.05"),
        ("its 60 classifier checks", "$0.36", "$0.36"),
        ("that hour in total", "$1.41", "$1.41"),
        ("eight such hours", "about $11", "$11.28"),
        ("API month, average", "$132", "$132.00"),
        ("API month, 90th percentile", "$264", "$264.00"),
        ("more a month than Cursor Pro", "$112", "$112.00"),
        ("Cursor Pro for one month of API fees", "6 months", "6.6 months"),
        ("saved on subagents with Haiku", "60 to 70 %", "66.7 %"),
        ("$100 to $200 a month at $6 a day", "a month", "16.7 to 33.3 days"),
        ("$500 a month of a heavy user", "above $12 a day", "$22.73 a day"),
    ],
)
def test_what_comes_out(claims: dict[str, Claim], what: str, said: str, ours: str) -> None:
    assert (claims[what].agrees, claims[what].said, claims[what].ours) == (True, said, ours)


@pytest.mark.parametrize(
    ("what", "said", "ours", "because"),
    [
        ("refactor session with caching", "$1.20", "$1.35 at the least", "= 111.1 %"),
        ("Cursor Pro for three months of API fees", "12 months", "16.8 months", "3 × $112.00 ÷ $20.00"),
        ("Copilot Business seats for it", "6.5 seats", "6.95 seats", "$132.00 ÷ $19.00"),
    ],
)
def test_what_does_not(claims: dict[str, Claim], what: str, said: str, ours: str, because: str) -> None:
    claim = claims[what]
    assert (claim.agrees, claim.said, claim.ours) == (False, said, ours)
    assert because in claim.formula
    assert claim.why


@pytest.mark.parametrize(("name", "share"), [("bug fix", "59.7 %"), ("feature", "64.8 %"), ("refactor", "111.1 %")])
def test_the_cache_reads_that_a_cached_figure_needs(claims: dict[str, Claim], name: str, share: str) -> None:
    assert claims[f"{name} session with caching"].formula.endswith(f"= {share}")


def test_the_message_fits_and_shows_every_figure(claims: dict[str, Claim]) -> None:
    message = article_message(list(claims.values()))
    assert len(message.blocks) <= 50
    assert all(len(block["text"]["text"]) < 3000 for block in message.blocks if block["type"] == "section")
    for claim in claims.values():
        assert f"• {claim.what}: says {claim.said}, ours {claim.ours}" in as_text(message)
