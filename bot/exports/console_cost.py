"""Console cost CSV: dollars by key, model and kind of token, rounded to cents by the Console, in all its headers.

Days are UTC days. There are no counts, so a source that has some speaks before this one where both know a key's day.
"""

from bot.exports.reader import (
    Export,
    Reading,
    ReadingContext,
    as_day,
    as_dollars,
    as_geography,
    as_name,
    csv_dicts,
    first_line,
)
from bot.pricing import PriceConditions, TokenUsage
from bot.spend.records import NO_KEY, Actor, Problem, UsageRecord, View

_OPTIONAL = {"speed", "inference_geo", "usage_type", "context_window", "cost_type", "token_type"}
"""Columns that some headers lack and that rows are told apart by."""

_DAY, _MODEL, _KEY, _COST = "usage_date_utc", "model", "api_key", "cost_usd"


class ConsoleCost:
    name = "console_cost_csv"
    title = "Console cost CSV"
    utc_days = True
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return {_DAY, _MODEL, _COST} <= first_line(head)

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per row; ``row`` is the line of the file, the header being 1."""
        told_apart = sorted(first_line(export.head()) & _OPTIONAL)
        if told_apart:
            # A newer header tells the same dollars apart more finely: a view of its own, never added to the other.
            yield View("_".join(told_apart))
        for number, row in csv_dicts(export, (_DAY, _MODEL, _KEY, _COST), each_once=True):
            try:
                yield _record(number, row)
            except ValueError as error:
                yield Problem(number, f"Row {number} was left out: {error}.")


def _record(number: int, row: dict[str, str] | str) -> UsageRecord:
    if isinstance(row, str):
        raise ValueError(row)
    told_apart = (row.get("workspace"), row.get("token_type"), row.get("cost_type"), row.get("context_window"))
    return UsageRecord(
        row=number,
        day=as_day(row[_DAY], _DAY),
        actor=Actor("api_key", as_name(row[_KEY] or NO_KEY, _KEY)),
        model=as_name(row[_MODEL] or row.get("cost_type") or "other", _MODEL),
        usage=TokenUsage(),
        conditions=PriceConditions(
            speed=row.get("speed") or "standard",
            inference_geo=as_geography(row.get("inference_geo")),
            service_tier="batch" if row.get("usage_type") == "batch" else "standard",
        ),
        part=" ".join(as_name(word, "column") for word in told_apart if word),
        reported_usd=as_dollars(row[_COST], _COST),
    )
