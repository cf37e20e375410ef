"""Console usage CSV: the export of the Claude Console's usage page, in its headers of 2025 and 2026.

Days are UTC days, there are no dollars, and people appear as API keys. A row is told apart by every column that is not
a count. Rows that our words do not tell apart (a column of a newer header) are added up within a file, so that a later
export of the same days replaces an earlier one. An old export without workspaces means the default one.
"""

import csv
from collections.abc import Iterator

from bot.exports.reader import (
    Reading,
    ReadingContext,
    UnreadableExport,
    as_count,
    as_day,
    as_geography,
    as_name,
    shortened,
)
from bot.pricing import PriceConditions, TokenUsage
from bot.spend.records import Actor, Problem, UsageRecord

_DAY, _MODEL, _KEY, _WORKSPACE = "usage_date_utc", "model_version", "api_key", "workspace"
_DEFAULT = "Default"
_INPUT, _OUTPUT = "usage_input_tokens_no_cache", "usage_output_tokens"
_COUNTS = {
    _INPUT: "input",
    _OUTPUT: "output",
    "usage_input_tokens_cache_read": "cache_read",
    "usage_input_tokens_cache_write_5m": "cache_write_5m",
    # The header before lifetimes were told apart; all writes were 5-minute writes then.
    "usage_input_tokens_cache_write": "cache_write_5m",
    "usage_input_tokens_cache_write_1h": "cache_write_1h",
    "web_search_count": "web_searches",
}
_REQUIRED = (_DAY, _MODEL, _KEY, _OUTPUT)


class ConsoleUsage:
    name = "console_usage_csv"
    title = "Console usage CSV"
    utc_days = True
    names_people = True

    def recognises(self, head: bytes) -> bool:
        first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0]
        return b"usage_date_utc" in first and b"model_version" in first

    def read(self, data: bytes, context: ReadingContext) -> Reading:
        """One record per row; ``row`` is the line of the file, the header being 1."""
        lines = _lines(_text(data))
        header = [name.strip() for name in next(lines)[1]]
        _check_header(header)
        first_seen: dict[tuple[str, ...], tuple[int, UsageRecord]] = {}
        for number, values in lines:
            if isinstance(values, str):
                yield Problem(number, f"Row {number} was left out: {values}.")
                continue
            try:
                record = _read_row(number, header, values)
            except ValueError as error:
                yield Problem(number, f"Row {number} was left out: {error}.")
                continue
            grain = tuple(value.strip() for name, value in zip(header, values, strict=True) if name not in _COUNTS)
            if grain in first_seen:
                yield _repeated(record, *first_seen[grain])
                continue
            first_seen[grain] = (number, record)
            yield record


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableExport(
            f"it is not UTF-8 text (byte {error.start}); export it again, or save it as CSV UTF-8"
        ) from error


def _check_header(header: list[str]) -> None:
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        raise UnreadableExport(f"its header has no column {', '.join(missing)}")
    doubled = sorted({name for name in header if name in _COUNTS and header.count(name) > 1})
    if doubled:
        raise UnreadableExport(f"its header has the column {', '.join(doubled)} more than once")


def _lines(text: str) -> Iterator[tuple[int, list[str] | str]]:
    """Line numbers with their values, or with what is wrong with a line that is no CSV. Empty lines are passed over.

    The export has no line breaks inside quotes, so an unclosed quote costs its own line and not the rest of the file.
    """
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        if line.strip():
            try:
                yield number, next(csv.reader([line], strict=True))
            except csv.Error as error:
                yield number, f"it is no CSV: {error}"


def _read_row(number: int, header: list[str], values: list[str]) -> UsageRecord:
    if len(values) != len(header):
        raise ValueError(f"it has {len(values)} columns where the header has {len(header)}")
    row = dict(zip(header, (value.strip() for value in values), strict=True))
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


def _repeated(record: UsageRecord, first_row: int, first: UsageRecord) -> Problem:
    if record.usage == first.usage:
        return Problem(record.row, f"Row {record.row} repeats row {first_row} and was counted once.")
    return Problem(
        record.row,
        f"Row {record.row} was left out: it is row {first_row} again with other figures "
        f"({shortened(record.model)} on {record.day}); export those days once more.",
    )
