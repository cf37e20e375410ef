"""Which lines of a transcript are looked at, against the plain reading of the same bytes line by line."""

import json
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exports import response_lines as scanner
from bot.exports.response_lines import response_lines

RESPONSE = b'{"sessionId":"s","message":{"id":"m","usage":{"input_tokens":1}},"type":"assistant"}'
PROMPT = b'{"type":"user","message":{"content":"how much \\"usage\\" is that?"}}'
RESULT = b'{"type":"user","message":{"content":[{"usage":{"input_tokens":5}}]}}'
LATE = b'{"message":{"usage":{"input_tokens":5}},"type":"user"}'
OTHER = b'{"type":"summary","summary":"done"}'
CUT = b'sage":{"input_tokens":1}}}'
kinds = st.sampled_from(
    [
        RESPONSE,
        PROMPT,
        RESULT,
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


def plainly(data: bytes) -> list[tuple[int, bytes]]:
    """Every line that names a usage, is no whole object, or has no line break."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [
        (row, line)
        for row, line in enumerate(lines, start=1)
        if (b'"usage"' in line or not (line.startswith(b"{") and line.endswith((b"}", b"}\r"))) or row == len(lines))
        and (line or row < len(lines))  # what follows the last line break is no line
    ]


@given(lines=st.lists(kinds, max_size=30), size=st.integers(4, 200), ended=st.booleans(), bom=st.booleans())
def test_the_lines_that_matter_are_found_wherever_the_buffer_ends(
    lines: list[bytes], size: int, ended: bool, bom: bool
) -> None:
    data = (b"\xef\xbb\xbf" if bom else b"") + b"\n".join(lines) + (b"\n" if ended else b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanner, "_BUFFER", size)
        found = [(row, bytes(line or b"")) for row, line, _ in response_lines(BytesIO(data))]
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
    found = [(row, line and bytes(line)) for row, line, _ in response_lines(BytesIO(b"\n".join(lines)))]
    assert found == [(1, RESPONSE), (2, None), (3, RESPONSE), (5, RESPONSE), (6, RESPONSE if ended else None)]


def as_written(key: str, content: list[object], *, others: str = "", tokens: int = 7) -> bytes:
    """A line with its fields in Claude Code's order."""
    usage = {"input_tokens": tokens, "cache_creation": {"ephemeral_5m_input_tokens": 1}, "output_tokens": 2}
    message: dict[str, object] = {"id": key, "role": "assistant", "model": "claude-opus-5-5", "content": content}
    message |= {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage, "stop_details": None}
    head = {"parentUuid": "p", "isSidechain": False, "message": message}
    tail = {"requestId": f"req_{key}", "type": "assistant", "uuid": "u", "timestamp": "2026-11-05T05:06:23.000Z"}
    return json.dumps({**head, **tail}, separators=(",", ":")).encode().replace(b'"p"', b'"p"' + others.encode())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(['],"stop_reason":', '"usage"']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["usage", "content", "stop_reason", "message", "id", "text"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(content=st.lists(values, max_size=4))
def test_a_line_without_its_content_says_the_same(content: list[object]) -> None:
    line = as_written("msg_1", content)
    ((row, found, short),) = response_lines(BytesIO(line + b"\n"))
    assert (row, found and bytes(found)) == (1, line)
    if short is None:
        assert b"usage" in json.dumps(content).encode() or b"content" in json.dumps(content).encode()
        return
    whole = json.loads(line)
    try:
        said = json.loads(short)
    except ValueError:  # a usage in the content, which stands deeper than the line's own
        assert b'"usage"' in json.dumps(content).encode()
        return
    del whole["message"]["content"]
    assert said == whole


def test_of_a_line_that_was_cut_and_the_one_glued_to_it_nothing_is_made() -> None:
    first = as_written("msg_1", [{"type": "text", "text": "words }]} [{ and more"}, {"type": "tool_use", "input": {}}])
    second = as_written("msg_2", [{"type": "text", "text": "other"}], tokens=9)
    for end in range(1, len(first)):
        ((_, _, short),) = response_lines(BytesIO(first[:end] + second + b"\n"))
        with pytest.raises(ValueError, match=r"."):
            json.loads(short or b"")


def test_what_came_of_a_tool_is_no_response_of_its_own() -> None:
    """Its usage stands beside the message, which has none of its own."""
    result = {"status": "completed", "content": [{"type": "text"}], "totalTokens": 5, "usage": {"input_tokens": 5}}
    said = {"type": "user", "message": {"role": "user", "content": [{"type": "tool_result"}]}, "toolUseResult": result}
    line = json.dumps(said, separators=(",", ":")).encode()
    ((_, found, short),) = response_lines(BytesIO(line + b"\n"))
    assert (found and bytes(found), short) == (line, None)
