"""Reading in two processes comes to the same as in one, whatever becomes of the child."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from bot import ahead
from bot.ahead import read_ahead
from bot.pricing import default_price_book
from bot.store.database import Database
from tests.exports.test_samples import NOW, importer
from tests.transcripts import tangled


@pytest.fixture(autouse=True)
def children(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The processes that were begun, of which none may be left."""
    begun: list[int] = []
    fork = os.fork

    def counted() -> int:
        begun.append(fork())
        return begun[-1]

    monkeypatch.setattr(ahead, "WORTH_IT", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "fork", counted)
    yield begun
    for child in begun:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    made = [tmp_path / f"{number}.jsonl" for number in range(40)]
    for number, path in enumerate(made):
        path.write_text(str(number), encoding="utf-8")
    return made


def read(path: Path) -> tuple[int, int, bytes]:
    time.sleep(0.002)
    return int(path.read_text(encoding="utf-8")), os.getpid(), b"x" * 50_000


def in_child(act: Callable[[Path], object]) -> Callable[[Path], int]:
    """A reading that does something else in a child."""
    parent = os.getpid()

    def reading(path: Path) -> int:
        if os.getpid() != parent:
            act(path)
        return read(path)[0]

    return reading


def test_both_read_and_the_order_is_that_of_the_paths(paths: list[Path]) -> None:
    found = list(read_ahead(read, paths))
    assert [number for number, *_ in found] == list(range(40))
    assert len({process for _, process, _ in found}) == 2


def test_more_files_than_numbers_fit_into_a_pipe(
    paths: list[Path], children: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "_AT_ONCE", 15)
    assert [number for number, *_ in read_ahead(read, paths)] == list(range(40))
    assert len(children) == 3


def test_what_a_child_took_that_is_gone_is_read_here(paths: list[Path]) -> None:
    def die(path: Path) -> None:
        if path.stem > "2":
            os._exit(1)

    assert list(read_ahead(in_child(die), paths)) == list(range(40))


def test_an_error_of_a_child_is_raised_here(paths: list[Path]) -> None:
    def fail(path: Path) -> int:
        if path.stem == "20":
            raise KeyError(path.stem)
        return read(path)[0]

    with pytest.raises(KeyError, match="20"):
        list(read_ahead(fail, paths))


def test_a_child_that_waits_ends_with_those_who_no_longer_want_it(paths: list[Path]) -> None:
    reading = read_ahead(in_child(lambda path: time.sleep(60 if path == paths[1] else 0)), paths[:2])
    assert next(reading) == 0
    reading.close()  # type: ignore[attr-defined]  # it is a generator


def test_few_bytes_and_a_single_processor_are_read_by_one(
    paths: list[Path], children: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "WORTH_IT", 1_000)
    assert len(list(read_ahead(read, paths))) == 40
    monkeypatch.setattr(ahead, "WORTH_IT", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert len(list(read_ahead(read, paths))) == 40
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert len(list(read_ahead(read, paths[:1]))) == 1
    assert children == []


def test_an_import_by_two_says_and_stores_the_same(tmp_path: Path, database: Database, children: list[int]) -> None:
    chosen = Random(20)
    files = [tmp_path / f"{number}.jsonl" for number in range(30)]
    for path in files:
        path.write_text(tangled(chosen, 12), encoding="utf-8")
    files[7].write_text("nonsense\n", encoding="utf-8")
    files[9].write_text('{"sessionId": "s", "type": "assistant", "message": {"usage"\n', encoding="utf-8")
    importing = importer(database, default_price_book())
    by_one = list(importing.import_files(files, NOW, keep=False))
    assert list(importing.import_files(files, NOW, keep=False, read_all=read_ahead)) == by_one
    assert list(importing.import_files(files, NOW, read_all=read_ahead)) == by_one
    again = list(importing.import_files(files, NOW))
    assert [report.recorded.accepted for report in again] == [0] * 30
    assert [report.rows for report in again] == [report.rows for report in by_one]
    assert len(children) == 2


def lowest_unused() -> int:
    """The number of the file that would be opened next: a higher one, where files were left open."""
    found = os.dup(0)
    os.close(found)
    return found


@pytest.mark.parametrize("refused", ["tempfile.TemporaryFile", "os.fork"])
def test_where_no_file_or_process_can_be_made_one_reads_them_all(
    paths: list[Path], children: list[int], monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    def refuse(**_: object) -> object:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(refused, refuse)
    before = lowest_unused()
    assert [number for number, *_ in read_ahead(read, paths)] == list(range(40))
    assert lowest_unused() == before
    assert children == []


def test_what_a_child_cannot_write_down_is_read_here(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the disk is full."""
    parent, write = os.getpid(), os.write

    def refuse(to: int, data: bytes) -> int:
        if os.getpid() != parent and len(data) > 100:
            raise OSError(28, "No space left on device")
        return write(to, data)

    monkeypatch.setattr(os, "write", refuse)
    found = list(read_ahead(read, paths))
    assert [number for number, *_ in found] == list(range(40))
    assert {process for _, process, _ in found} == {parent}
