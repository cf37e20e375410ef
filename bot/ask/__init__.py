"""A cost question in words, and its answer or a helpful refusal. Pure; uses the pricing engine alone."""

from bot.ask.answer import Alternative, Answer, answer, ask
from bot.ask.grammar import EXAMPLE, Refusal
from bot.ask.monthly import MonthlySpend, monthly_spend
from bot.ask.question import Question, parse, written

__all__ = [
    "EXAMPLE",
    "Alternative",
    "Answer",
    "MonthlySpend",
    "Question",
    "Refusal",
    "answer",
    "ask",
    "monthly_spend",
    "parse",
    "written",
]
