"""What somebody spends in a month, in words: an amount of dollars, or a cost question."""

import re
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from bot.ask.answer import ask
from bot.ask.grammar import Refusal, normalised
from bot.pricing import PriceBook
from bot.pricing.money import shown

WORKING_DAYS = 22
EXAMPLE = "plans $6 a day"
MAX_MONTH = Decimal(10**9)
_AMOUNT = re.compile(
    r"\$? ?(?P<usd>\d{1,3}(?:,\d{3})+(?:\.\d{1,9})?|\d{1,9}(?:\.\d{1,9})?) ?(?:\$|usd|dollars?)?"
    r"(?: ?(?:an?|per|each|every|/) ?(?:working |active |work )?(?P<per>day|week|month|year))?",
    re.ASCII,
)
_IN_A_MONTH = {"day": Decimal(WORKING_DAYS), "week": Decimal(WORKING_DAYS) / 5, "month": Decimal(1)}
_IN_A_MONTH["year"] = Decimal(1) / 12


class MonthlySpend(NamedTuple):
    """Dollars at API prices of a month of WORKING_DAYS, and how they came about."""

    usd: Decimal
    formula: str

    @property
    def daily_usd(self) -> Decimal:
        """Dollars of one working day."""
        return self.usd / WORKING_DAYS


def monthly_spend(text: str, today: date, book: PriceBook) -> MonthlySpend:
    """Read "$6 a day", "$200 a month" or a cost question, which is a working day's unless it says how often.

    Raises Refusal.
    """
    match = _AMOUNT.fullmatch(normalised(text))
    if match and ("$" in text or "usd" in text.lower() or "dollar" in text.lower() or match["per"]):
        usd = Decimal(match["usd"].replace(",", ""))
        per = match["per"] or "month"
        month = usd * _IN_A_MONTH[per]
        if not 0 < month <= MAX_MONTH:
            raise Refusal(f"“{text.strip()[:60]}” is no spend that plans can be compared for.", EXAMPLE)
        return MonthlySpend(month, _formula(usd, per))
    answer = ask(text, today, book)
    cost, times = answer.cost.usd, answer.question.times
    if times > 1:
        return MonthlySpend(cost, f"{shown(cost / times)} × {times:,}")
    return MonthlySpend(cost * WORKING_DAYS, f"{shown(cost)} × {WORKING_DAYS} working days")


def _formula(usd: Decimal, per: str) -> str:
    if per == "month":
        return f"{shown(usd)} a month"
    if per == "year":
        return f"{shown(usd)} ÷ 12"
    days = f"{WORKING_DAYS} working days"
    return f"{shown(usd)} × {days}" if per == "day" else f"{shown(usd)} ÷ 5 × {days}"
