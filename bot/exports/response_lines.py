"""The lines of a transcript that may hold a response, found without decoding the others.

One buffer is filled again and again: fresh memory for every line costs more than looking through it does.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from ahocorasick_rs import BytesAhoCorasick

from bot.exports.reader import BOM, MAX_LINE

_BUFFER = 256 * 1024
_NAME = b'"usage"'
_USAGE, _BREAK = BytesAhoCorasick([_NAME]), BytesAhoCorasick([b"\n"])
_BRACE, _CLOSED = ord("{"), ord("}")
_CONTENT = b'"content":['
_LONG = 4096
"""Bytes of a line from which on it takes less time to look whether it is of the user than to decode it in vain."""

_Take = Callable[[int, memoryview | None, bytearray | None], bool]


def look_through(file: BinaryIO, take: _Take) -> Iterator[None]:
    """Hand the lines over that name a usage, are no whole JSON object, or have no end, with their numbers from 1.

    There are a great many, so a pause is made only behind those of which ``take`` says that it has something to tell;
    a line is valid until ``take`` is done with it. With it goes its outline where there is one (``_outline``). A key in
    quotes cannot stand inside a JSON string, where its quotes would be escaped: without it there is no usage, whatever
    else the line says. What is no object is for ``take`` to say so. None stands for a line of more than MAX_LINE bytes
    that is not of the user. Blank lines are passed over, and long ones of the user in which all usages stand behind a
    tool's result, whose own lines have them as well.
    """
    buffer = bytearray(_BUFFER)
    row = kept = start = 0
    while True:
        view = memoryview(buffer)
        got = file.readinto(view[kept:])  # type: ignore[attr-defined]  # every binary file but typeshed's BinaryIO has it
        filled = kept + got
        if row == kept == 0 and buffer.startswith(BOM, 0, filled):
            start = len(BOM)
        usages = iter(_found(_USAGE, view[:filled]))
        _, usage, _ = next(usages, _NOWHERE)
        for _, stop, _ in _found(_BREAK, view[:filled]):
            row += 1
            if usage < stop:
                is_passed_over = stop - start >= _LONG and _tells_of_a_tool(buffer, start, stop, usage)
                if not is_passed_over and take(row, view[start:stop], _outline(buffer, start, stop, usage)):
                    yield
                while usage < stop:
                    _, usage, _ = next(usages, _NOWHERE)
            elif (
                start < stop
                and (buffer[start] != _BRACE or buffer[stop - 1] != _CLOSED)
                and not _is_object(view[start:stop])
                and take(row, view[start:stop], None)
            ):
                yield
            start = stop + 1
        if not got:
            # Without a line break: it may have been cut behind a brace.
            if start < filled and take(row + 1, view[start:filled], None):
                yield
            return
        kept = filled - start
        if kept == len(buffer):
            if kept < MAX_LINE:
                buffer = buffer + bytes(kept)
                continue
            row += 1
            if not _is_of_user(buffer, 0, len(buffer)) and take(row, None, None):
                yield
            kept = _next_line(file, buffer)
        else:
            buffer[:kept] = buffer[start:filled]
        start = 0


_NOWHERE = 0, sys.maxsize, sys.maxsize


def _found(finder: BytesAhoCorasick, view: memoryview) -> Iterable[tuple[int, int, int]]:
    """What a finder says, which is of each match the pattern, the start and the end.

    A buffer that a long line made larger is taken piece by piece, as the matches of all of it may take much memory.
    """
    if len(view) <= _BUFFER:
        return finder.find_matches_as_indexes(view)
    pieces = ((start, view[start : start + _BUFFER + len(_NAME) - 1]) for start in range(0, len(view), _BUFFER))
    return (
        (pattern, start + place, start + end)
        for start, piece in pieces
        for pattern, place, end in finder.find_matches_as_indexes(piece)
        if place < _BUFFER
    )


def _outline(buffer: bytearray, start: int, stop: int, usage: int) -> bytearray | None:
    """A line without what stands from its last content up to its first usage; None where that is more than one object.

    It takes half the time to decode. Both ends of what is left out are in one object where the outline is JSON, as
    braces balance. Another line that was written into it would begin with a brace, and a hole, behind which another
    one may go on, is of zeros.
    """
    content = buffer.rfind(_BRACE, start, usage) - len(_CONTENT)
    if content <= start or buffer[content : content + len(_CONTENT)] != _CONTENT or buffer.find(0, content, usage) > 0:
        return None
    return buffer[start:content] + buffer[usage:stop]


def _tells_of_a_tool(buffer: bytearray, start: int, stop: int, usage: int) -> bool:
    """Whether a line is of the user, and its usages stand behind a tool's result, with no message behind that.

    That would be the next line's, which was written onto one that had been cut.
    """
    said = buffer.rfind(b'"toolUseResult":', start, usage) if _is_of_user(buffer, start, usage) else -1
    return said >= 0 and buffer.find(b'"message"', said, stop) < 0


def _is_of_user(buffer: bytearray, start: int, stop: int) -> bool:
    """Whether a line says before any second brace that it is of the user, whatever else is wrong with it."""
    inner = buffer.find(_BRACE, start + 1, stop)
    return buffer[start] == _BRACE and buffer.find(b'"type":"user"', start, inner if inner >= 0 else stop) >= 0


def _is_object(line: memoryview) -> bool:
    """Whether a line begins as a JSON object does, and ends as one but for blanks."""
    return line[0] == _BRACE and bytes(line).rstrip().endswith(b"}")


def _next_line(file: BinaryIO, buffer: bytearray) -> int:
    """Read on to the end of a line, so that the buffer begins with what follows it; returns how many bytes that is."""
    while got := file.readinto(buffer):  # type: ignore[attr-defined]
        end = buffer.find(b"\n", 0, got) + 1
        if end:
            buffer[: got - end] = buffer[end:got]
            return int(got - end)
    return 0
