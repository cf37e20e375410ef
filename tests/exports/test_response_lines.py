"""Which lines of a transcript are looked at, against the plain reading of the same bytes line by line."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exports import response_lines as scanner
from bot.exports.response_lines import look_through

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

    def take(row: int, line: memoryview | None) -> bool:
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
