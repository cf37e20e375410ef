"""Reading many files in two processes: a child reads some of them while its parent stores what was read before.

Each takes the next file that nobody took, from a pipe of numbers, so that both are busy to the end.
"""

import os
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from struct import Struct
from threading import Thread
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
    answers = _Answers(told)
    known: dict[int, _Read] = {}
    try:
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
    finally:
        os.close(free)
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


class _Answers:
    """What a child tells, taken from it by a thread: else it would wait while its parent stores."""

    def __init__(self, told: int) -> None:
        self._parts: SimpleQueue[bytes] = SimpleQueue()
        self._held = bytearray()
        self._is_over = False
        Thread(target=self._hear, args=(told,), daemon=True).start()

    def has_one(self) -> bool:
        """Whether a whole answer is there, or the last one was."""
        while not self._parts.empty():
            self._take_part()
        return self._is_over or self._size() is not None

    def next(self) -> tuple[int, bytes] | None:
        """The number of a path and what the child read; None where it is gone. Waits for it."""
        while (size := self._size()) is None:
            if self._is_over:
                return None
            self._take_part()
        number = _HEADER.unpack_from(self._held)[0]
        said = bytes(self._held[_HEADER.size : size])
        del self._held[:size]
        return number, said

    def _hear(self, told: int) -> None:
        while part := os.read(told, _HELD):
            self._parts.put(part)
        os.close(told)
        self._parts.put(b"")

    def _take_part(self) -> None:
        part = self._parts.get()
        self._held += part
        self._is_over = self._is_over or not part

    def _size(self) -> int | None:
        """Bytes of the next answer, where all of them are there."""
        if len(self._held) < _HEADER.size:
            return None
        size = _HEADER.size + int(_HEADER.unpack_from(self._held)[1])
        return size if len(self._held) >= size else None
