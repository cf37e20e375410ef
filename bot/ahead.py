"""Reading many files in two processes: a child reads some of them while its parent stores what was read before.

Each takes the next file that nobody took, from a pipe of numbers, so that both are busy to the end. What the child read
goes through a temporary file, so that it need not wait for its parent, which may be storing.
"""

import os
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import accumulate
from pathlib import Path
from select import select
from struct import Struct
from typing import NoReturn, TypeVar

WORTH_IT = 20_000_000
"""Bytes in all from which on a child saves more time than it takes to begin."""

_Read = TypeVar("_Read")
_NUMBER, _HEADER = Struct("=I"), Struct("=IQ")
"""The number of a path; the same, and how many bytes were said of it."""

_AT_ONCE = 1_000
"""Files of one child: their numbers fit into the smallest pipe there is."""


def read_ahead(read: Callable[[Path], _Read], paths: Sequence[Path]) -> Iterator[_Read]:
    """What ``read`` makes of each path, in their order, as ``map`` does, where that is enough by ``map`` itself.

    What a child that is gone has taken and not told is read here, so that all errors are raised here.
    """
    is_alone = len(paths) < 2 or (os.cpu_count() or 1) < 2 or not hasattr(os, "fork")
    sizes = accumulate(path.stat().st_size for path in paths if path.is_file())
    if is_alone or not any(size >= WORTH_IT for size in sizes):
        yield from map(read, paths)
        return
    for start in range(0, len(paths), _AT_ONCE):
        yield from _read_by_two(read, paths[start : start + _AT_ONCE])


def _read_by_two(read: Callable[[Path], _Read], paths: Sequence[Path]) -> Iterator[_Read]:
    import pickle  # once for both, and not for the few files of most imports
    from tempfile import TemporaryFile

    with ExitStack() as ends:
        try:
            said = ends.enter_context(TemporaryFile(buffering=0)).fileno()
            free, (told, telling) = _numbers(len(paths)), os.pipe()
            for end in (free, told):
                ends.callback(os.close, end)
            with ExitStack() as of_child:
                of_child.callback(os.close, telling)
                child = _fork()
                if child == 0:
                    os.close(told)
                    _tell_all(lambda path: pickle.dumps(read(path)), paths, free, telling, said)
        except OSError:  # as where no folder may be written to, or no process be begun
            yield from map(read, paths)
            return
        ends.callback(os.waitpid, child, 0)
        ends.callback(os.kill, child, signal.SIGKILL)
        answers = _Answers(told, said)
        known: dict[int, _Read] = {}
        for number, path in enumerate(paths):
            while number not in known:
                taken = None if answers.has_one() else _take(free)
                if taken is not None:
                    known[taken] = read(paths[taken])
                elif (answer := answers.next()) is not None:
                    known[answer[0]] = pickle.loads(answer[1])  # noqa: S301 - a process of our own wrote it
                else:
                    known[number] = read(path)
            yield known.pop(number)


def _fork() -> int:
    with warnings.catch_warnings():
        # Other threads may hold locks for ever in a child. Those that there are draw a progress bar, which it has not.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _numbers(count: int) -> int:
    """A pipe from which either process takes the numbers below ``count``, each of them once."""
    reading, writing = os.pipe()
    os.write(writing, b"".join(map(_NUMBER.pack, range(count))))
    os.close(writing)
    return reading


def _take(free: int) -> int | None:
    number = os.read(free, _NUMBER.size)
    return int(_NUMBER.unpack(number)[0]) if number else None


def _tell_all(read: Callable[[Path], bytes], paths: Sequence[Path], free: int, telling: int, said: int) -> NoReturn:
    """What the child does: it ends where its parent is gone, and without doing what its parent does at its end."""
    with suppress(BaseException):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # its parent says what comes of Ctrl-C
        while (number := _take(free)) is not None:
            found = read(paths[number])
            rest = memoryview(found)
            while rest:
                rest = rest[os.write(said, rest) :]
            os.write(telling, _HEADER.pack(number, len(found)))
    os._exit(0)


class _Answers:
    """What a child said: how much of which path, from a pipe, and the rest one after the other, from a file."""

    def __init__(self, told: int, said: int) -> None:
        self._told = told
        self._said = said
        self._taken = 0
        self._is_over = False

    def has_one(self) -> bool:
        """Whether one is there, or the last one was."""
        return self._is_over or bool(select([self._told], [], [], 0)[0])

    def next(self) -> tuple[int, bytes] | None:
        """The number of a path and what the child read; None where it is gone. Waits for it."""
        header = b"" if self._is_over else os.read(self._told, _HEADER.size)
        if not header:
            self._is_over = True
            return None
        number, size = _HEADER.unpack(header)
        found = os.pread(self._said, size, self._taken)
        self._taken += size
        return number, found
