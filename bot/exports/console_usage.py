"""Console usage CSV: the export of the Claude Console's usage page, in its headers of 2025 and 2026.

Days are UTC days, there are no dollars, and people appear as API keys. A row is told apart by every column that is not
a count. Rows that our words do not tell apart (a column of a newer header) are added up within a file, so that a later
export of the same days replaces an earlier one.
"""

import hashlib
from array import array
from collections.abc import Callable, Iterator
from datetime import date
from operator import itemgetter
from typing import BinaryIO

from bot.exports.reader import (
    MAX_DIGITS,
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
from bot.exports.usage_columns import Layout, Name, is_large, usage_rows
from bot.pricing import PriceConditions, TokenUsage
from bot.spend.records import NO_KEY, Actor, Problem, UsageRecord, UsageRows, View

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

_KNOWN = {_MODEL, _KEY, _WORKSPACE, "usage_type", "context_window", *_OPTIONAL}
"""Columns whose words a record has; few stand in many rows."""

_REQUIRED = (_DAY, _MODEL, _KEY, _INPUT, _OUTPUT)


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
        header = csv_header(lines, _REQUIRED, (*_REQUIRED, *_COUNTS))
        missing = [f"no_{name.removeprefix('usage_input_tokens_')}" for name in _USUAL if name not in header]
        told_apart = [*sorted(set(header) & _OPTIONAL), *missing]
        if told_apart:
            # Another header tells the same usage apart more finely or less: a view of its own, added to no other.
            yield View("_".join(told_apart))
        found = _Rows(header).by_column(export.file) if is_large(export.file) else None
        yield from _Rows(header).records(lines) if found is None else found


class _Rows:
    """Rows under one header. Few names stand in many rows, so each is read once."""

    def __init__(self, header: list[str]) -> None:
        self.header = header
        self.day_at = header.index(_DAY)
        self.named_at = [place for place, name in enumerate(header) if name in _KNOWN]
        others_at = [p for p, name in enumerate(header) if name != _DAY and name not in _KNOWN | _COUNTS.keys()]
        counted_at = [place for place, name in enumerate(header) if name in _COUNTS]
        self.counted_at = sorted(counted_at, key=lambda place: TokenUsage._fields.index(_COUNTS[header[place]]))
        self.kinds = [TokenUsage._fields.index(_COUNTS[header[place]]) for place in self.counted_at]
        self.has_all_kinds = self.kinds == list(range(len(TokenUsage._fields)))
        self.name_of, self.counts_of = _picker(self.named_at), _picker(self.counted_at)
        self.others_of = _picker(others_at) if others_at else None
        self.others_at = others_at
        self.names: dict[str, Name] = {}
        self.first_rows: dict[int | bytes, int] = {}
        """The rows that were seen: places in the two arrays."""

        self.row_numbers, self.figures = array("q"), array("q")

    def by_column(self, file: BinaryIO) -> list[UsageRows | Problem] | None:
        """The same as ``records``, of a file that stands behind its header, where there is no doubt; else it stays."""
        layout = Layout(len(self.header), self.day_at, self.named_at, self.others_at, self.counted_at, self.kinds)

        def read_row(number: int, line: str) -> UsageRecord | Problem:
            return next(self.records(iter([(number, line.split(","))])))

        place = file.tell()
        file.seek(0)
        head = file.read(place)
        if b"\r" in head.replace(b"\r\n", b""):
            return None  # lines end in another way, and what was read so far holds more than the header
        found = usage_rows(file, head.count(b"\n") + 1, layout, self._name, read_row)
        if found is None:
            file.seek(place)
        return found

    def records(self, lines: Iterator[tuple[int, list[str] | str]]) -> Iterator[UsageRecord | Problem]:
        """One record per row; of rows that only repeat another one, a problem."""
        for number, values in lines:
            try:
                if isinstance(values, str):
                    raise ValueError(values)
                if len(values) != len(self.header):
                    raise ValueError(f"it has {len(values)} columns where the header has {len(self.header)}")
                usage = self._usage(values)
                day = as_day(values[self.day_at].strip(), _DAY)
                # No value holds a line break.
                name = self._name("\n".join(self.name_of(values)))
            except ValueError as error:
                yield Problem(number, f"Row {number} was left out: {error}.")
                continue
            record = UsageRecord(number, day, name.actor, name.model, usage, name.conditions, part=name.part)
            place = self.first_rows.setdefault(self._identity(name, day, values), len(self.row_numbers))
            if place == len(self.row_numbers):
                self.row_numbers.append(number)
                self.figures.append(hash(usage))
                yield record
            else:
                yield _repeated(record, self.row_numbers[place], self.figures[place] == hash(usage))

    def _identity(self, name: Name, day: date, values: list[str]) -> int | bytes:
        """What tells a row apart: every column that is no count. Of others than are known, millions may differ."""
        identity = name.number << 32 | day.toordinal()
        if self.others_of is None:
            return identity
        others = "\n".join(map(str.strip, self.others_of(values)))
        return hashlib.blake2b(f"{identity}\n{others}".encode(), digest_size=12).digest()

    def _usage(self, values: list[str]) -> TokenUsage:
        texts = self.counts_of(values)
        joined = "".join(texts)
        # Looked at together where nothing is wrong with any of them, else one by one to say which.
        is_plain = self.has_all_kinds and joined.isdigit() and joined.isascii() and "" not in texts
        if is_plain and len(max(texts, key=len)) <= MAX_DIGITS:
            return TokenUsage._make(map(int, texts))
        counts = [0] * len(TokenUsage._fields)
        for text, kind, place in zip(texts, self.kinds, self.counted_at, strict=True):
            counts[kind] += as_count(text.strip() or "0", self.header[place])
        return TokenUsage(*counts)

    def _name(self, joined: str) -> Name:
        found = self.names.get(joined)
        if found is None:
            words = [word.strip() for word in joined.split("\n")]
            stripped = "\n".join(words)
            found = self.names.get(stripped) or self._read_name(len(self.names), words)
            self.names[joined] = self.names[stripped] = found
        return found

    def _read_name(self, number: int, words: list[str]) -> Name:
        row = dict(zip((self.header[place] for place in self.named_at), words, strict=True))
        model = as_name(row[_MODEL], _MODEL)
        actor = Actor("api_key", as_name(row[_KEY] or NO_KEY, _KEY))
        workspace = row.get(_WORKSPACE, _DEFAULT)
        part = as_name(workspace, _WORKSPACE) if workspace not in ("", _DEFAULT) else ""
        return Name(number, actor, model, _conditions(row), part)


def _picker(places: list[int]) -> Callable[[list[str]], tuple[str, ...]]:
    """Picks the values at these places, always as a tuple."""
    if len(places) == 1:
        return lambda values: (values[places[0]],)
    return itemgetter(*places)


def _conditions(row: dict[str, str]) -> PriceConditions:
    return PriceConditions(
        speed=row.get("speed") or "standard",
        inference_geo=as_geography(row.get("inference_geo")),
        service_tier=row.get("usage_type") or "standard",
        # "≤ 200k" leaves open on which side of a limit of 100,000 tokens a request was.
        prompt_tier="long" if row.get("context_window", "").startswith((">", "200k-")) else "unknown",
    )


def _repeated(record: UsageRecord, first_row: int, is_same: bool) -> Problem:
    if is_same:
        return Problem(record.row, f"Row {record.row} repeats row {first_row} and was counted once.")
    return Problem(
        record.row,
        f"Row {record.row} was left out: it is row {first_row} again with other figures "
        f"({shortened(record.model)} on {record.day}); export those days once more.",
    )
