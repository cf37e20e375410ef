"""The lines of a transcript that may hold a response, found without decoding the others.

One buffer is filled again and again: fresh memory for every line costs more than looking through it does.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from ahocorasick_rs import BytesAhoCorasick

from bot.exports.reader import BOM, MAX_LINE

_BUFFER = 256 * 1024
_NAME = b'"usage"'
_USAGE = BytesAhoCorasick([_NAME])
_BRACE, _CLOSED = ord("{"), ord("}")


def response_lines(file: BinaryIO) -> Iterator[tuple[int, memoryview | None]]:
    """Line numbers from 1, with the lines that name a usage, those that are no whole JSON object, and an unended one.

    Each line is valid until the next one is asked for. A key in quotes cannot stand inside a JSON string, where its
    quotes would be escaped: without it there is no usage, whatever else the line says. What is no object is for the
    caller to say so. None stands for a line of more than MAX_LINE bytes that is not of the user.
    """
    buffer = bytearray(_BUFFER)
    row = kept = 0
    while True:
        view = memoryview(buffer)
        got = file.readinto(view[kept:])  # type: ignore[attr-defined]  # every binary file but typeshed's BinaryIO has it
        filled = kept + got
        # Up to the end of the last whole line, or to the end of the file.
        end = buffer.rfind(b"\n", 0, filled) + 1 if got else filled
        find = buffer.find
        start = len(BOM) if row == 0 and buffer.startswith(BOM, 0, end) else 0
        for _, usage, _ in _usages(view, end):
            # Further ones of the same line lie behind it; the last one, behind all of them, is of none.
            while start <= usage and start < end:
                row += 1
                stop = find(b"\n", start, end)
                if stop < 0:
                    stop = end
                if (
                    usage < stop
                    or stop == end  # without a line break: it may have been cut behind a brace
                    or buffer[start] != _BRACE
                    or (buffer[stop - 1] != _CLOSED and not _is_closed(view[start:stop]))
                ):
                    yield row, view[start:stop]
                start = stop + 1
        if not got:
            return
        kept = filled - end
        if kept == len(buffer):
            if kept < MAX_LINE:
                buffer = buffer + bytes(kept)
                continue
            row += 1
            if not is_of_user(buffer):
                yield row, None
            kept = _next_line(file, buffer)
        else:
            buffer[:kept] = buffer[end:filled]


def _is_closed(line: memoryview) -> bool:
    return bytes(line).rstrip().endswith(b"}")


def _usages(view: memoryview, end: int) -> Iterable[tuple[int, int, int]]:
    """Where usages are named before ``end``, each as the second of three, and then ``end``.

    A buffer that a long line made larger is looked through piece by piece.
    """
    last = 0, end, end
    if end <= _BUFFER:
        return [*_USAGE.find_matches_as_indexes(view[:end]), last]
    pieces = ((start, view[start : min(start + _BUFFER + len(_NAME) - 1, end)]) for start in range(0, end, _BUFFER))
    found = (
        (0, start + place, start) for start, piece in pieces for _, place, _ in _USAGE.find_matches_as_indexes(piece)
    )
    return chain(found, [last])


def _next_line(file: BinaryIO, buffer: bytearray) -> int:
    """Read on to the end of a line, so that the buffer begins with what follows it; returns how many bytes that is."""
    while got := file.readinto(buffer):  # type: ignore[attr-defined]
        end = buffer.find(b"\n", 0, got) + 1
        if end:
            buffer[: got - end] = buffer[end:got]
            return int(got - end)
    return 0


def is_of_user(line: bytes | bytearray) -> bool:
    """Whether a line says before any second brace that it is of the user, whatever else is wrong with it."""
    inner = line.find(_BRACE, 1)
    return line.startswith(b"{") and line.find(b'"type":"user"', 0, inner if inner > 0 else len(line)) >= 0
