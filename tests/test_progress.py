"""The bar of an import counts what was read of all files, however each of them is read."""

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import pytest
from rich.progress import Progress

from bot import progress
from bot.exports.containers import DamagedMember, opened
from bot.progress import counted, import_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes that the bar was at, one after the other."""
    found: list[int] = []
    update = Progress.update

    def noted(self: Progress, task: int, *, completed: int) -> None:
        found.append(completed)
        update(self, task, completed=completed)  # type: ignore[arg-type]  # rich has a type of its own for it

    monkeypatch.setattr(Progress, "update", noted)
    monkeypatch.setattr(progress, "SHOWN_FROM", 1)
    return found


def read_through(files: list[Path]) -> None:
    with contextlib.redirect_stderr(Terminal()), import_bar(files) as wrap:
        for path in files:
            with opened(path, partial(wrap, path)) as exports:
                for export in exports:
                    assert not isinstance(export, DamagedMember)
                    export.head()
                    export.head()
                    while export.file.read(50_000):
                        pass


def test_the_bar_goes_on_from_file_to_file(tmp_path: Path, shown: list[int]) -> None:
    files = [tmp_path / f"{number}.jsonl" for number in range(3)]
    for path in files:
        path.write_bytes(b"x" * 300_000)
    read_through(files)
    assert shown == sorted(shown)
    assert shown[0] <= 65_536
    assert shown[-1] == 900_000
    assert len(set(shown)) > 10


def test_the_bar_of_an_archive_ends_at_its_size(tmp_path: Path, shown: list[int]) -> None:
    """Its last bytes are read first, and some of them again."""
    packed = tmp_path / "a.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.jsonl", os.urandom(400_000))
    read_through([packed])
    assert shown == sorted(shown)
    assert max(shown) == packed.stat().st_size


def test_a_counted_file_is_the_same_file(tmp_path: Path) -> None:
    path, told = tmp_path / "a", list[int]()
    path.write_bytes(b"one\ntwo\n" + b"three " * 50_000)
    with path.open("rb") as plain:
        file = counted(plain, told.append)
        assert file.seekable()
        assert file.readline() == b"one\n"
        assert (file.tell(), file.seek(0), file.read(3)) == (4, 0, b"one")
        buffer = bytearray(5)
        assert file.readinto(buffer) == 5  # type: ignore[attr-defined]  # every binary file has it
        assert buffer == b"\ntwo\n"
        assert len(file.read()) == 300_000
    assert told == sorted(told)
    assert told[-1] >= 300_008


def test_a_terminal_shows_the_bar_and_a_pipe_does_not(tmp_path: Path) -> None:
    for number in range(6):
        line = f'{{"type":"user","sessionId":"s{number}","message":{{"content":"{"x" * 1_000_000}"}}}}\n'
        (tmp_path / f"{number}.jsonl").write_text(line, encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "TERM": "xterm"}
    command = [sys.executable, "-m", "bot", "import", str(tmp_path)]
    folder = Path(__file__).parents[1]
    piped = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60)
    assert (piped.returncode, piped.stderr) == (0, "")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        said = b""
        try:
            while part := terminal.read(4096):
                said += part
        except OSError:
            pass  # as Linux says that the other end is closed
        assert process.wait(timeout=60) == 0
    sizes = re.findall(r"([\d.]+)/6\.0 MB", said.decode())
    assert sizes[-1] == "6.0"
    assert sizes == sorted(sizes, key=float)


def test_a_bar_that_is_interrupted_as_it_begins_leaves_no_hidden_cursor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SHOWN_FROM", 1)
    monkeypatch.setenv("TERM", "xterm")

    def begin(self: Progress) -> None:
        self.console.show_cursor(False)
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "start", begin)
    (tmp_path / "a.csv").write_text("some")
    terminal = Terminal()
    with contextlib.redirect_stderr(terminal), pytest.raises(KeyboardInterrupt), import_bar([tmp_path / "a.csv"]):
        pass
    assert terminal.getvalue() == "\x1b[?25l\x1b[?25h"
