"""Console usage CSV: the export of the Claude Console's usage page, in its headers of 2025 and 2026.

Days are UTC days, there are no dollars, and people appear as API keys. A row is told apart by every column that is not
a count. Rows that our words do not tell apart (a column of a newer header) are added up within a file, so that a later
export of the same days replaces an earlier one.
"""

import hashlib
from collections.abc import Iterable

from bot.exports.reader import (
    Export,
    Reading,
    ReadingContext,
    as_count,
    as_day,
    as_geography,
    as_name,
    csv_header,
    csv_rows,
    first_line,
    shortened,
)
from bot.pricing import PriceConditions, TokenUsage
from bot.spend.records import Actor, Problem, UsageRecord, View

_DAY, _MODEL, _KEY, _WORKSPACE = "usage_date_utc", "model_version", "api_key", "workspace"
_DEFAULT = "Default"
_INPUT, _OUTPUT = "usage_input_tokens_no_cache", "usage_output_tokens"
_CACHE_WRITE_1H = "usage_input_tokens_cache_write_1h"
_COUNTS = {
    _INPUT: "input",
    _OUTPUT: "output",
    "usage_input_tokens_cache_read": "cache_read",
    "usage_input_tokens_cache_write_5m": "cache_write_5m",
    # The header before lifetimes were told apart; all writes were 5-minute writes then.
    "usage_input_tokens_cache_write": "cache_write_5m",
    _CACHE_WRITE_1H: "cache_write_1h",
    "web_search_count": "web_searches",
}
_OPTIONAL = {"speed", "inference_geo"}
"""Columns that older headers lack and that rows are told apart by."""

_USUAL = (_WORKSPACE, "usage_type", "context_window", "usage_input_tokens_cache_read", _CACHE_WRITE_1H)
"""Columns without which a header says less of the same usage."""

_REQUIRED = (_DAY, _MODEL, _KEY, _OUTPUT)


class ConsoleUsage:
    name = "console_usage_csv"
    title = "Console usage CSV"
    utc_days = True
    names_people = True

    def recognises(self, head: bytes) -> bool:
        return {"usage_date_utc", "model_version"} <= first_line(head)

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """One record per row; ``row`` is the line of the file, the header being 1."""
        lines = csv_rows(export)
        header = csv_header(lines, _REQUIRED, _COUNTS)
        missing = [f"no_{name.removeprefix('usage_input_tokens_')}" for name in _USUAL if name not in header]
        told_apart = [*sorted(set(header) & _OPTIONAL), *missing]
        if told_apart:
            # Another header tells the same usage apart more finely or less: a view of its own, added to no other.
            yield View("_".join(told_apart))
        names = [place for place, name in enumerate(header) if name not in _COUNTS]
        first_seen: dict[bytes, tuple[int, bytes]] = {}
        for number, values in lines:
            if isinstance(values, str):
                yield Problem(number, f"Row {number} was left out: {values}.")
                continue
            try:
                record = _read_row(number, header, values)
            except ValueError as error:
                yield Problem(number, f"Row {number} was left out: {error}.")
                continue
            figures = _digest(map(str, record.usage))
            first = first_seen.setdefault(_digest(values[place].strip() for place in names), (number, figures))
            yield record if first[0] == number else _repeated(record, first[0], first[1] == figures)


def _read_row(number: int, header: list[str], values: list[str]) -> UsageRecord:
    if len(values) != len(header):
        raise ValueError(f"it has {len(values)} columns where the header has {len(header)}")
    row = dict(zip(header, map(str.strip, values), strict=True))
    counts: dict[str, int] = {}
    for column, kind in _COUNTS.items():
        if column in row:
            counts[kind] = counts.get(kind, 0) + as_count(row[column] or "0", column)
    day, model = as_day(row[_DAY], _DAY), as_name(row[_MODEL], _MODEL)
    return UsageRecord(
        row=number,
        day=day,
        actor=Actor("api_key", as_name(row[_KEY] or "(no key)", _KEY)),
        model=model,
        usage=TokenUsage(**counts),
        conditions=_conditions(row),
        part=as_name(row[_WORKSPACE], _WORKSPACE) if row.get(_WORKSPACE, _DEFAULT) not in ("", _DEFAULT) else "",
    )


def _conditions(row: dict[str, str]) -> PriceConditions:
    return PriceConditions(
        speed=row.get("speed") or "standard",
        inference_geo=as_geography(row.get("inference_geo")),
        service_tier=row.get("usage_type") or "standard",
        # "≤ 200k" leaves open on which side of a limit of 100,000 tokens a request was.
        prompt_tier="long" if row.get("context_window", "").startswith((">", "200k-")) else "unknown",
    )


def _digest(words: Iterable[str]) -> bytes:
    """What stands for words in a table of all rows, as an export may have millions of them."""
    return hashlib.blake2b("\0".join(words).encode(), digest_size=12).digest()


def _repeated(record: UsageRecord, first_row: int, is_same: bool) -> Problem:
    if is_same:
        return Problem(record.row, f"Row {record.row} repeats row {first_row} and was counted once.")
    return Problem(
        record.row,
        f"Row {record.row} was left out: it is row {first_row} again with other figures "
        f"({shortened(record.model)} on {record.day}); export those days once more.",
    )
