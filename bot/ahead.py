"""Reading many files in two processes: a child reads some of them while its parent stores what was read before.

Each takes the next file that nobody took, from a pipe of numbers, so that both are busy to the end.
"""

import os
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from select import select
from struct import Struct
from typing import NoReturn, TypeVar

WORTH_IT = 20_000_000
"""Bytes in all from which on a child saves more time than it takes to begin."""

_Read = TypeVar("_Read")
_NUMBER, _HEADER = Struct("=I"), Struct("=IQ")
_AT_ONCE = 1_000
"""Files of one child: their numbers fit into the smallest pipe there is."""

_HELD = 1024 * 1024
"""Bytes by which a child may be ahead of what its parent has taken from it."""


def read_ahead(read: Callable[[Path], _Read], paths: Sequence[Path]) -> Iterator[_Read]:
    """What ``read`` makes of each path, in their order, as ``map`` does, where that is enough by ``map`` itself.

    What a child that is gone has taken and not told is read here, so that all errors are raised here.
    """
    sizes = (path.stat().st_size for path in paths if path.is_file())
    is_alone = len(paths) < 2 or (os.cpu_count() or 1) < 2 or not hasattr(os, "fork")
    if is_alone or sum(sizes) < WORTH_IT:
        yield from map(read, paths)
        return
    for start in range(0, len(paths), _AT_ONCE):
        yield from _read_by_two(read, paths[start : start + _AT_ONCE])


def _read_by_two(read: Callable[[Path], _Read], paths: Sequence[Path]) -> Iterator[_Read]:
    import pickle  # once for both, and not for the few files of most imports

    free, (told, telling) = _numbers(len(paths)), os.pipe()
    with warnings.catch_warnings():
        # Other threads may hold locks for ever in a child. Those that there are draw a progress bar, which it has not.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(told)
        _tell_all(lambda path: pickle.dumps(read(path)), paths, free, telling)
    os.close(telling)
    known: dict[int, _Read] = {}
    try:
        for number, path in enumerate(paths):
            while number not in known:
                is_told = bool(select([told], [], [], 0)[0])
                taken = None if is_told else _take(free)
                if taken is not None:
                    known[taken] = read(paths[taken])
                elif (answer := _receive(told)) is not None:
                    known[answer[0]] = pickle.loads(answer[1])  # noqa: S301 - a process of our own wrote it
                else:
                    known[number] = read(path)
            yield known.pop(number)
    finally:
        os.close(free)
        os.close(told)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _numbers(count: int) -> int:
    """A pipe from which either process takes the numbers below ``count``, each of them once."""
    reading, writing = os.pipe()
    os.write(writing, b"".join(map(_NUMBER.pack, range(count))))
    os.close(writing)
    return reading


def _take(free: int) -> int | None:
    number = os.read(free, _NUMBER.size)
    return int(_NUMBER.unpack(number)[0]) if number else None


def _tell_all(read: Callable[[Path], bytes], paths: Sequence[Path], free: int, telling: int) -> NoReturn:
    """What the child does: it ends where its parent is gone, and without doing what its parent does at its end."""
    with suppress(BaseException):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # its parent says what comes of Ctrl-C
        _widen(telling)
        while (number := _take(free)) is not None:
            said = read(paths[number])
            rest = memoryview(_HEADER.pack(number, len(said)) + said)
            while rest:
                rest = rest[os.write(telling, rest) :]
    os._exit(0)


def _widen(pipe: int) -> None:
    with suppress(ImportError, AttributeError, OSError):  # as on other systems than Linux
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _HELD)


def _receive(told: int) -> tuple[int, bytes] | None:
    """A number and what the child read; None where the child is gone."""
    header = _read_exactly(told, _HEADER.size)
    if header is None:
        return None
    number, size = _HEADER.unpack(header)
    said = _read_exactly(told, size)
    return None if said is None else (number, said)


def _read_exactly(pipe: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(pipe, min(size, _HELD))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
