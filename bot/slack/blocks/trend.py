"""The last two weeks of a digest: in words, and as Slack's own chart."""

from decimal import Decimal

from bot.pricing.money import rounded
from bot.slack.blocks.message import Block, short_day
from bot.spend.digest import DigestFacts, TrendDay

MAX_LABEL = 20


def trend_in_words(facts: DigestFacts) -> str:
    """The figures of the picture, for those who cannot see it."""
    days = ", ".join(f"{short_day(day.day)} {rounded(total(day))}" for day in facts.trend if day.models)
    return f"Spend of the last {len(facts.trend)} days: {days}" if days else "No spend in these days"


def trend_block(facts: DigestFacts) -> Block:
    """Slack's data_visualization block of the daily totals: it cannot stack, so there is one series."""
    labels = [f"{day.day.day} {day.day:%b}" for day in facts.trend]
    points = [{"label": label, "value": _number(total(day))} for label, day in zip(labels, facts.trend, strict=True)]
    return {
        "type": "data_visualization",
        "title": f"Last {len(facts.trend)} days, USD",
        "chart": {
            "type": "bar",
            "series": [{"name": "spend", "data": points}],
            "axis_config": {"categories": labels, "x_label": "day", "y_label": "USD"},
        },
    }


def total(day: TrendDay) -> Decimal:
    """What a day came to."""
    return sum(day.models.values(), Decimal(0))


def _number(usd: Decimal) -> float:
    """Slack draws JSON numbers; cents are enough for a bar."""
    return float(round(usd, 2))
