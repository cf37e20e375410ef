"""A large Console usage CSV read by column comes to exactly what it comes to row by row, or is read row by row."""

import io
from collections.abc import Iterator
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.exports import usage_columns
from bot.exports.console_usage import ConsoleUsage
from bot.exports.reader import Export, ReadingContext, UnreadableExport
from bot.imports import Importer
from bot.pricing import PriceBook
from bot.spend.records import Problem, UsageRows, View
from bot.store.database import connect
from bot.store.tally import Tally
from tests.usage import NOW, POLICY

DAY, MODEL, KEY, WORKSPACE = "usage_date_utc", "model_version", "api_key", "workspace"
INPUT, OUTPUT = "usage_input_tokens_no_cache", "usage_output_tokens"
READ, SHORT, LONG = (f"usage_input_tokens_cache_{kind}" for kind in ("read", "write_5m", "write_1h"))
HEADER = [DAY, MODEL, KEY, WORKSPACE, "usage_type", "context_window", INPUT, READ, SHORT, LONG, OUTPUT]
GOOD = ["2026-11-01", "claude-opus-5-5", "ci", "Default", "standard", "≤ 200k", "1000", "20", "3", "4", "50"]

VALUES: dict[str, list[str]] = {
    DAY: ["2026-11-01", "2026-11-02", "2026-11-02T00:00:00Z", " 2026-11-03", "2027-01-01", "2019-01-01", "soon", ""],
    MODEL: ["claude-opus-5-5", "claude-haiku-5-5", " claude-haiku-5-5", "x  y", ""],
    KEY: ["ci", "claude_code_key_dana_abcd", "ci ", "", "=1+1"],
    WORKSPACE: ["Default", "", "Research", "Ré\u00a0s"],
    "usage_type": ["standard", "batch", ""],
    "context_window": ["≤ 200k", "> 200k", "200k-1M"],
    "token_id": ["a", "b", " a", "\u2003b", ""],
}
COUNTS = [
    "0",
    "5",
    "12.5",
    "",
    " 7",
    "-1",
    "1e3",
    "9999999999999",
    "99999999999999",
    "007",
    "NaN",
    "٣",
    "0x10",
    "1_000",
]
FEW_WRONG = ["1", "2", "30", "400", "5000", "60000", "700000", "8000000", "0", "12.5"]


@pytest.fixture(autouse=True)
def by_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_columns, "MANY_BYTES", 0)
    monkeypatch.setattr(usage_columns, "_CHUNK", 300)


def context(book: PriceBook) -> ReadingContext:
    return ReadingContext(ZoneInfo("UTC"), book)


def told(tally: Tally, problems: list[Problem]) -> dict[str, Any]:
    """Everything that a tally says, whatever the order in which it learnt it."""
    actors, lines = list(tally.actors), list(tally.lines)
    rows = [
        (day, actors[actor], lines[line], tuple(values), records)
        for day, (of, on, columns, made_of) in tally.dailies()
        for actor, line, records, *values in zip(of, on, made_of, *columns, strict=True)
    ]
    return {
        "rows": sorted(rows),
        "days": tally.days,
        "count": tally.rows,
        "not kept": tally.not_kept,
        "view": tally.view,
        "who and what": ({*actors}, {*lines}),
        "problems": problems,
    }


def both_ways(importer: Importer, content: bytes) -> tuple[Any, Any]:
    """What a file comes to by column and row by row: what it says, or why it is refused."""
    found: list[Any] = []
    for many in (0, 10**9):
        usage_columns.MANY_BYTES = many
        try:
            reading = ConsoleUsage().read(Export("usage.csv", io.BytesIO(content), NOW), importer.context())
            found.append(told(*importer.tally_of(reading)))
        except UnreadableExport as error:
            found.append(str(error))
    return found[0], found[1]


def is_read_by_column(content: str, book: PriceBook) -> bool:
    export = Export("usage.csv", io.BytesIO(content.encode()), NOW)
    return any(isinstance(one, UsageRows) for one in ConsoleUsage().read(export, context(book)))


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """A CSV of this format with whatever may be wrong with one: most are nearly in order."""
    header = [
        *HEADER,
        *draw(st.sampled_from([[], [], ["token_id"], ["web_search_count"], ["token_id", "speed"], ["token_id", "b"]])),
    ]
    is_wild = draw(st.booleans())
    counts = COUNTS if is_wild else FEW_WRONG
    rows = []
    for number in range(draw(st.integers(0, 12))):
        row = []
        for name in header:
            known = VALUES.get(name)
            if known is None:
                row.append("" if name == "speed" else draw(st.sampled_from(counts)))
            elif is_wild:
                row.append(draw(st.sampled_from(known)))
            else:
                row.append(f"key{number}" if name == KEY else draw(st.sampled_from(known[:2])))
        text = ",".join(row)
        if draw(st.integers(0, 9)) == 0:
            text = draw(
                st.sampled_from(
                    [
                        text + ",",
                        text.rpartition(",")[0],
                        *("", "   ", "\u00a0", "," * (len(header) - 1), " , ,\u00a0"),
                        f'"{text}"',
                        text + "\r",
                    ]
                )
            )
        rows.append(text)
    if rows and draw(st.integers(0, 5)) == 0:
        rows.append(draw(st.sampled_from(rows)))
    end = draw(st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"]))
    first = draw(st.sampled_from([[], [], [], [""], ["  ", ""]]))
    text = end.join([*first, ",".join(header), *rows]) + draw(st.sampled_from(["", end, end * 2]))
    start = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"]))
    return start + text.encode() + draw(st.sampled_from([b"", b"", b"", b"\xff"]))


@pytest.fixture
def importer(book: PriceBook) -> Importer:
    return Importer(connect("sqlite://"), ZoneInfo("UTC"), book, POLICY, date(2026, 11, 2))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=tables())
def test_both_ways_come_to_the_same(importer: Importer, content: bytes) -> None:
    by_column, by_row = both_ways(importer, content)
    assert by_column == by_row


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (0, "yesterday", "Row 3 was left out: usage_date_utc is “yesterday”; expected a day such as 2026-08-05."),
        (1, "", "Row 3 was left out: model_version is empty."),
        (6, "12.5", f"Row 3 was left out: {INPUT} is “12.5”; expected a whole number of 0 or more."),
        (10, "-5", f"Row 3 was left out: {OUTPUT} is “-5”; expected a whole number of 0 or more."),
        (10, "5,5", "Row 3 was left out: it has 12 columns where the header has 11."),
        (0, "2030-01-01", "Row 3 was left out: 2030-01-01 is in the future."),
        (0, "2020-01-01", "Row 3 was left out: 2020-01-01 is before Claude."),
    ],
)
def test_a_row_that_is_wrong_costs_itself_and_is_named(
    importer: Importer, book: PriceBook, place: int, value: str, said: str
) -> None:
    wrong = [*GOOD[:2], "other", *GOOD[3:]]
    wrong[place] = value
    lines = [HEADER, [*GOOD[:2], "first", *GOOD[3:]], wrong, GOOD]
    content = "\n".join(map(",".join, lines))
    assert is_read_by_column(content, book)
    reading = ConsoleUsage().read(Export("usage.csv", io.BytesIO(content.encode()), NOW), context(book))
    tally, problems = Importer(importer.database, ZoneInfo("UTC"), book, POLICY).tally_of(reading)
    assert [problem.problem for problem in problems] == [said]
    # Twice 1000 + 20 + 3 + 4 + 50 tokens.
    assert sum(sum(column) for _, day in tally.dailies() for column in day.values[:6]) == 2 * 1077


@pytest.mark.parametrize(("before", "end", "row"), [("", "\n", 3), ("\n\n", "\n", 5), ("", "\r\n", 3), ("", "\r", 3)])
def test_lines_are_counted_from_the_first_however_they_end(importer: Importer, before: str, end: str, row: int) -> None:
    lines = [HEADER, GOOD, [*GOOD[:-1], "-5"], [*GOOD[:2], "dana", *GOOD[3:]]]
    content = before + end.join(map(",".join, lines))
    importer.first_kept = date(2026, 1, 1)
    by_column, by_row = both_ways(importer, content.encode())
    assert by_column == by_row
    assert by_column["count"] == 2
    assert [problem.row for problem in by_column["problems"]] == [row]


def test_rows_that_only_a_newer_column_tells_apart_add_up(book: PriceBook, importer: Importer) -> None:
    lines = [[*HEADER, "token_id"], [*GOOD, "a"], [*GOOD, "b"], [*GOOD[:2], "dana", *GOOD[3:], "a"]]
    content = "\n".join(map(",".join, lines))
    assert is_read_by_column(content, book)
    importer.first_kept = date(2026, 1, 1)
    reading = ConsoleUsage().read(Export("usage.csv", io.BytesIO(content.encode()), NOW), importer.context())
    tally, _ = importer.tally_of(reading)
    ((_, day),) = tally.dailies()
    assert {actor.name: (day.values[0][row], day.records[row]) for actor, row in zip_actors(tally, day.actors)} == {
        "ci": (2000, 2),
        "dana": (1000, 1),
    }


def zip_actors(tally: Tally, places: Any) -> Iterator[tuple[Any, int]]:
    actors = list(tally.actors)
    return ((actors[place], row) for row, place in enumerate(places))


@pytest.mark.parametrize(
    "line", ['"2026-11-02",x,y,z,a,b,1,2,3,4,5', ",".join(GOOD), ",".join([" 2026-11-01", *GOOD[1:]])]
)
def test_where_there_is_a_doubt_it_is_read_row_by_row(book: PriceBook, line: str) -> None:
    content = "\n".join([",".join(HEADER), ",".join(GOOD), line])
    assert not is_read_by_column(content, book)
    reading = ConsoleUsage().read(Export("usage.csv", io.BytesIO(content.encode()), NOW), context(book))
    assert len([one for one in reading if not isinstance(one, View)]) == 2


@pytest.mark.parametrize("lines", ["\n" * 300, (",".join(GOOD[:-1]) + "\n\n\n") * 6])
def test_many_lines_that_are_no_rows_are_told_one_by_one(
    book: PriceBook, monkeypatch: pytest.MonkeyPatch, lines: str
) -> None:
    """Column by column each of them would take many times its size in memory."""
    monkeypatch.setattr(usage_columns, "_CHUNK", 10_000)
    content = "\n".join([",".join(HEADER), ",".join(GOOD), lines])
    assert is_read_by_column(content, book)
    monkeypatch.setattr(usage_columns, "_FEW", 10)
    assert not is_read_by_column(content, book)


def test_a_file_of_rows_that_repeat_each_other_is_left_before_all_of_it_is_in_memory(book: PriceBook) -> None:
    content = "\n".join([",".join(HEADER), *[",".join(GOOD)] * 1000]).encode()
    asked: list[int] = []

    class File(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(self.tell())
            return super().read(size)

    reading = ConsoleUsage().read(Export("usage.csv", File(content), NOW), context(book))
    assert next(one for one in reading if not isinstance(one, View)) is not None
    assert max(asked) < len(content) / 10


@pytest.mark.parametrize(("longest", "is_by_column"), [(200, True), (100, False)])
def test_a_line_that_is_too_long_row_by_row_is_so_by_column(
    book: PriceBook, monkeypatch: pytest.MonkeyPatch, longest: int, is_by_column: bool
) -> None:
    monkeypatch.setattr(usage_columns, "MAX_CSV_LINE", longest)
    lines = [",".join([f"2026-11-0{day}", *GOOD[1:]]) for day in (1, 2, 3)]
    lines[1] = lines[1].replace(",ci,", f",{'c' * 60},")
    assert max(map(len, lines)) in range(101, 150)
    assert is_read_by_column("\n".join([",".join(HEADER), *lines]), book) is is_by_column


def test_without_polars_it_is_read_row_by_row(book: PriceBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    content = "\n".join([",".join(HEADER), ",".join(GOOD)])
    assert not is_read_by_column(content, book)
