"""How far long work is: bars on a terminal, and nothing in a pipe."""

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from bot.advice import Track
    from bot.imports import Wrap

SHOWN_FROM = 5_000_000
"""Bytes from which on an import takes long enough for a progress bar."""

_BLOCK = 65_536


@contextmanager
def import_bar(files: Sequence[Path]) -> "Iterator[Wrap]":
    """What the files are read through, in their order: the bar follows what was read of them."""
    sizes = [path.stat().st_size if path.is_file() else 0 for path in files] if _is_watched() else []
    if sum(sizes) < SHOWN_FROM:
        yield lambda _path, file: file
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    spans = dict(zip(files, zip(accumulate(sizes, initial=0), sizes, strict=False), strict=False))
    shown = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    try:
        with Progress(*shown, TransferSpeedColumn(), TimeRemainingColumn(), console=console) as progress:
            task, owner = progress.add_task("Importing", total=sum(sizes)), os.getpid()

            def wrap(path: Path, file: BinaryIO) -> BinaryIO:
                if os.getpid() != owner:
                    return file  # the bar is the parent's, which knows by its own files how far both are
                before, size = spans[path]
                # The first bytes of a file are read more than once, and of an archive the last ones first.
                return counted(file, lambda read: progress.update(task, completed=before + min(read, size)))

            yield wrap
            progress.update(task, completed=sum(sizes))
    finally:
        console.show_cursor()  # a Ctrl-C while the bar begins would leave it hidden


def track(description: str) -> "Track":
    """What shows how far a loop is; nothing for a single turn."""

    def tracked(things: Sequence[Any]) -> Iterable[Any]:
        if len(things) < 2 or not _is_watched():
            return things
        from rich.console import Console
        from rich.progress import track

        return track(things, description=description, console=Console(stderr=True), transient=True)

    return tracked


def _is_watched() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()  # a closed one is None


def counted(file: BinaryIO, tell: Callable[[int], object]) -> BinaryIO:
    """The same file; ``tell`` hears how many bytes were read of it, as often as some are."""
    return io.BufferedReader(_Counted(file, tell), _BLOCK)


class _Counted(io.RawIOBase):
    def __init__(self, file: BinaryIO, tell: Callable[[int], object]) -> None:
        self._file = file
        self._tell = tell
        self._read = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def readinto(self, buffer: Any) -> int:
        got: int = self._file.readinto(buffer)  # type: ignore[attr-defined]  # every binary file has it
        self._read += got
        self._tell(self._read)
        return got

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)
