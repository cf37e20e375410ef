"""Which lines of a transcript are looked at, against the plain reading of the same bytes line by line."""

import json
from io import BytesIO
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exports import response_lines as scanner
from bot.exports.reader import ReadingContext
from bot.exports.response_lines import look_through
from bot.exports.transcripts import TRANSCRIPTS
from bot.pricing import PriceBook
from bot.spend.records import Problem, RequestRows
from tests.usage import as_export

RESPONSE = b'{"sessionId":"s","message":{"id":"m","usage":{"input_tokens":1}},"type":"assistant"}'
PROMPT = b'{"type":"user","message":{"content":"how much \\"usage\\" is that?"}}'
RESULT = b'{"type":"user","message":{"content":[{"usage":{"input_tokens":5}}]}}'
TOOL = b'{"type":"user","message":{"content":[]},"toolUseResult":{"usage":{"input_tokens":5}}}'
GLUED = b'{"type":"user","toolUseResult":{"usage":{"input_to' + RESPONSE
ODD = b'{"type":"user","message":{"usage":{"input_tokens":5}},"toolUseResult":{"usage":{"input_tokens":5}}}'
BEFORE = b'{"type":"user","toolUseResult":{"usage":1},"message":{"usage":{"input_tokens":5}}}'
LATE = b'{"message":{"usage":{"input_tokens":5}},"type":"user"}'
OTHER = b'{"type":"summary","summary":"done"}'
CUT = b'sage":{"input_tokens":1}}}'
kinds = st.sampled_from(
    [
        RESPONSE,
        PROMPT,
        RESULT,
        TOOL,
        ODD,
        GLUED,
        BEFORE,
        LATE,
        OTHER,
        CUT,
        b"",
        b"   ",
        b"[1]",
        b'"usage"',
        b"\xef\xbb\xbf{}",
        b"{",
        b"{}\r",
        b"{\r",
    ]
)


def response_lines(data: bytes) -> list[tuple[int, bytes | None]]:
    found: list[tuple[int, bytes | None]] = []

    def take(row: int, line: memoryview | None, _outline: bytearray | None) -> bool:
        found.append((row, None if line is None else bytes(line)))
        return row % 2 == 0

    pauses = sum(1 for _ in look_through(BytesIO(data), take))
    assert pauses == sum(row % 2 == 0 for row, _ in found)
    return found


def plainly(data: bytes) -> list[tuple[int, bytes]]:
    """Every line that names a usage, other than what a tool said, is no whole object, or has no line break."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [
        (row, line)
        for row, line in enumerate(lines, start=1)
        if (b'"usage"' in line or not (line.startswith(b"{") and line.endswith((b"}", b"}\r"))) or row == len(lines))
        and line
        and (line != TOOL or row == len(lines))
    ]


@given(lines=st.lists(kinds, max_size=30), size=st.integers(4, 200), ended=st.booleans(), bom=st.booleans())
def test_the_lines_that_matter_are_found_wherever_the_buffer_ends(
    lines: list[bytes], size: int, ended: bool, bom: bool
) -> None:
    data = (b"\xef\xbb\xbf" if bom else b"") + b"\n".join(lines) + (b"\n" if ended else b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanner, "_BUFFER", size)
        patch.setattr(scanner, "_LONG", 1)
        found = [(row, line or b"") for row, line in response_lines(data)]
    assert found == plainly(data)


@pytest.mark.parametrize("ended", [True, False])
def test_a_line_that_never_ends_is_passed_over_before_it_fills_the_memory(
    monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    monkeypatch.setattr(scanner, "_BUFFER", 1024)
    monkeypatch.setattr(scanner, "MAX_LINE", 8192)
    long = b'{"message":"' + b"x" * 30_000
    prompt = b'{"type":"user","message":"' + b"x" * 30_000
    lines = [RESPONSE, long, RESPONSE, prompt, RESPONSE, *([RESPONSE] if ended else [long])]
    found = response_lines(b"\n".join(lines))
    assert found == [(1, RESPONSE), (2, None), (3, RESPONSE), (5, RESPONSE), (6, RESPONSE if ended else None)]


def outline(line: bytes) -> bytes | None:
    found: list[bytes | None] = []

    def take(_row: int, _line: memoryview | None, outline: bytearray | None) -> bool:
        found.append(None if outline is None else bytes(outline))
        return False

    assert not [*look_through(BytesIO(line + b"\n"), take)]
    return found[0]


def test_an_outline_has_all_but_what_was_said() -> None:
    said = b'"content":[{"type":"text","text":"a \\"quoted\\" \\n }"}],"stop_reason":null,'
    line = b'{"isSidechain":false,"message":{"id":"m",%b"usage":{"input_tokens":1}},"type":"assistant"}'
    assert outline(line % said) == line % b""


@pytest.mark.parametrize(
    "content",
    [
        b'"said {"',
        b"[]",
        b'[{"type":"tool_use","input":{"command":"ls"}}]',
        b'[{"text":"a"},{"text":"b"}]',
        b'[{"text":"{"}]',
        b'[[{"text":"a"}]]',
        # A hole, behind which it may be another line that goes on.
        b'[{"text":"' + bytes(40) + b'"}]',
        # One line cut in its text, and the next one, cut as well, written onto it.
        b'[{"text":"cut{"message":{"content":"',
    ],
)
def test_what_else_stands_in_a_line_is_left_to_whoever_decodes_it(content: bytes) -> None:
    assert outline(b'{"message":{"id":"m","content":%b,"usage":{"input_tokens":1}}}' % content) is None


blocks = st.lists(
    st.sampled_from(
        [
            {"type": "text", "text": 'some "words" \\ }],"usage"'},
            {"type": "text", "text": "{ braces }"},
            {"type": "thinking", "thinking": "hm", "signature": "c2lnbmVk"},
            {"type": "tool_use", "input": {"content": [{"text": "x"}], "usage": 5}},
            {"type": "text", "text": "x", "usage": {"input_tokens": 9}},
        ]
    ),
    max_size=2,
)
lines = st.fixed_dictionaries(
    {
        "isSidechain": st.booleans(),
        "message": st.fixed_dictionaries(
            {
                "id": st.sampled_from(["a", "b", ""]),
                "role": st.just("assistant"),
                "model": st.sampled_from(["claude-opus-5-5", "claude-sonnet-5-5", "<synthetic>", None]),
                "content": blocks | st.just("said"),
                "stop_reason": st.sampled_from(["end_turn", "refusal"]),
                "usage": st.fixed_dictionaries({"input_tokens": st.integers(0, 3), "output_tokens": st.integers(0, 3)}),
            }
        ),
        "requestId": st.sampled_from(["r1", "r2", None]),
        "type": st.just("assistant"),
        "timestamp": st.sampled_from(["2026-11-05T10:00:00Z", "2026-11-05T11:00:00Z", "2026-11-06T10:00:00Z", None]),
    }
)


@given(entries=st.lists(lines, min_size=1, max_size=8), seed=st.integers(0, 99), cut=st.integers(0, 400))
def test_outlines_change_nothing_of_what_is_read(
    book: PriceBook, entries: list[dict[str, Any]], seed: int, cut: int
) -> None:
    """Whatever is said, in whichever order fields stand, and where one line is cut and the next written onto it."""
    chosen = Random(seed)
    for entry in entries:
        if chosen.random() < 0.2:
            entry["message"] = dict(chosen.sample(sorted(entry["message"].items()), len(entry["message"])))
    said = [json.dumps(entry, separators=(",", ":")) for entry in entries]
    said[0] = said[0][: -cut or None]
    data = said[0] + ("" if cut else "\n") + "\n".join(said[1:]) + "\n"
    found = []
    for is_outlined in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not is_outlined:
                patch.setattr(scanner, "_outline", lambda *_: None)
            context = ReadingContext(ZoneInfo("UTC"), book)
            found.append([*TRANSCRIPTS.read(as_export(data), context)])
    assert found[0] == found[1]


def test_a_response_whose_text_is_damaged_counts(book: PriceBook) -> None:
    """It was paid for, and its text is not looked at."""
    message = {"id": "m", "model": "claude-opus-5-5", "content": [{"text": "TEXT"}], "usage": {"output_tokens": 7}}
    line = json.dumps({"message": message, "timestamp": "2026-11-05T10:00:00Z"}, separators=(",", ":"))
    for damage in ("a\tb", "\\x", 'a "quote"'):
        export = as_export(line.replace("TEXT", damage) + "\n")
        (rows,) = TRANSCRIPTS.read(export, ReadingContext(ZoneInfo("UTC"), book))
        assert isinstance(rows, RequestRows)
        assert [counts for _, _, counts, *_ in rows.requests] == [(0, 7, 0, 0, 0, 0)]


TEXT = '"content":[{"type":"text","text":"said"}]'
USAGE = '"usage":{"input_tokens":3,"output_tokens":OUT}'
MODEL = '"model":"claude-opus-5-5"'


@pytest.mark.parametrize(
    ("message", "output", "said"),
    [
        (f'"id":"m",{MODEL},{TEXT},{USAGE}', 7, ("m", (3, 7, 0, 0, 0, 0))),
        # Names that stand behind the text are found there.
        (f'{TEXT},"id":"m",{MODEL},{USAGE}', 7, ("m", (3, 7, 0, 0, 0, 0))),
        (f'"id":"m",{TEXT},{MODEL},{USAGE}', 7, ("m", (3, 7, 0, 0, 0, 0))),
        (f'{MODEL},{TEXT},"id":"m",{USAGE}', 7, ("m", (3, 7, 0, 0, 0, 0))),
        # A refusal before any output is free.
        (f'"id":"m",{MODEL},{TEXT},"stop_reason":"refusal",{USAGE}', 0, None),
        (f'"id":"m",{MODEL},{TEXT},"stop_reason":"end_turn",{USAGE}', 0, ("m", (3, 0, 0, 0, 0, 0))),
        # What is wrong is told, of each line.
        (f'"id":"m","model":" ",{TEXT},{USAGE}', 7, "model is empty"),
        (f'"id":"m",{TEXT},{USAGE}', 7, "it has no model"),
    ],
)
def test_all_of_a_line_is_looked_at_where_its_outline_does_not_tell(
    book: PriceBook, message: str, output: int, said: tuple[str, tuple[int, ...]] | str | None
) -> None:
    line = f'{{"message":{{{message}}},"requestId":"r","type":"assistant","timestamp":"2026-11-05T10:00:00Z"}}\n'
    data = line.replace("OUT", str(output)) * 2
    assert outline(data.split("\n")[0].encode()) is not None
    found = [*TRANSCRIPTS.read(as_export(data), ReadingContext(ZoneInfo("UTC"), book))]
    if isinstance(said, str):
        assert [one.problem for one in found if isinstance(one, Problem)] == [
            f"Line {row} was left out: {said}." for row in (1, 2)
        ]
    else:
        rows = [one for one in found if isinstance(one, RequestRows)]
        requests = [(told_apart, counts) for of_day in rows for _, _, counts, _, told_apart, _, _ in of_day.requests]
        assert requests == ([] if said is None else [said])


def test_an_advisor_without_a_name_is_told_beside_what_counts(book: PriceBook) -> None:
    usage = '"usage":{"output_tokens":7,"iterations":[{"type":"advisor_message","model":" ","output_tokens":5}]}'
    message = f'"id":"m",{MODEL},{TEXT},{usage}'
    line = f'{{"message":{{{message}}},"timestamp":"2026-11-05T10:00:00Z"}}\n'
    problem, rows = TRANSCRIPTS.read(as_export(line), ReadingContext(ZoneInfo("UTC"), book))
    assert isinstance(problem, Problem)
    assert isinstance(rows, RequestRows)
    assert [counts for _, _, counts, *_ in rows.requests] == [(0, 7, 0, 0, 0, 0)]
