"""Importing exports: a path becomes files, a file becomes stored records, and a report says what happened."""

import os
from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from bot.exports.containers import opened
from bot.exports.formats import reader_named, recognise
from bot.exports.reader import Export, Reader, Reading, ReadingContext, UnreadableExport
from bot.pricing import PriceBook
from bot.spend.days import ONE_DAY
from bot.spend.records import Problem, UsageRecord
from bot.store.database import Database
from bot.store.read_files import FileState, ReadFile, find_read_file, remember_read_file
from bot.store.recording import AlertPolicy, DayChange, Recorded, record
from bot.store.tally import Tally

FIRST_DAY = date(2023, 1, 1)
"""No usage is older: the first Claude came in March 2023."""


ADDITIVE_FORMATS = ("transcripts",)
"""Formats of single requests that only ever add: reading an unchanged file again can change nothing."""


class FileReport(NamedTuple):
    """What became of one file. ``refused`` is the sentence for a file that was not imported at all."""

    path: str
    format: str | None
    recorded: Recorded
    problems: list[Problem]
    refused: str | None = None

    @property
    def rows(self) -> int:
        """How many rows of it are stored."""
        return self.recorded.accepted + self.recorded.unchanged + self.recorded.restated

    @property
    def changes(self) -> list[DayChange]:
        """Days whose team total moved, with the total before and after."""
        return self.recorded.changes


class Importer:
    """Imports files into one database, under one time zone, price book and alert policy."""

    def __init__(self, database: Database, zone: ZoneInfo, book: PriceBook, policy: AlertPolicy) -> None:
        self.database = database
        self.zone = zone
        self.book = book
        self.policy = policy

    def import_path(
        self,
        path: Path,
        now: datetime,
        format_name: str | None = None,
        person: str | None = None,
        *,
        keep: bool = True,
        is_remembered: bool = False,
        wrap: Callable[[BinaryIO], BinaryIO] = lambda file: file,
    ) -> Iterator[FileReport]:
        """Import one file, or each file of an archive: all of it or, with ``keep=False``, nothing.

        Never raises for what is wrong with a file: the report says it. A transcript that was read to its end and has
        not changed is not read again, nor with ``is_remembered`` any other file; its rows are reported as unchanged.
        The file is read through ``wrap``, which may show how far it is.
        """
        try:
            state = _file_state(path, f"{self.zone.key} {person or ''} {format_name or ''}")
            known = find_read_file(self.database, state) if state else None
            if known is not None and (is_remembered or known.format in ADDITIVE_FORMATS):
                yield _unchanged(path, known)
                return
            with opened(path, wrap) as exports:
                for export in exports:
                    shown = str(path) if export.name in (path.name, path.name.removesuffix(".gz")) else export.name
                    report = self.import_export(export, now, format_name, person, shown=shown, keep=keep)
                    yield report
                    if state and keep and report.format and not report.problems and export.name == path.name:
                        remember_read_file(self.database, state, report.format, report.rows, report.recorded.days)
        except OSError as error:
            yield _refused(str(path), f"{path} cannot be read: {error.strerror or error}.")
        except UnreadableExport as error:
            yield _refused(str(path), f"{path} was not imported: {error}.")

    def import_export(
        self,
        export: Export,
        now: datetime,
        format_name: str | None = None,
        person: str | None = None,
        *,
        shown: str | None = None,
        whole_days: Collection[date] = (),
        keep: bool = True,
    ) -> FileReport:
        """Import one opened file. Of ``whole_days`` it is known to hold everything: rows that it lacks are removed."""
        path = shown or export.name
        try:
            reader = reader_named(format_name) if format_name else recognise(export)
            if person is not None and reader.names_people:
                raise UnreadableExport(
                    f"--person does not go with the {reader.title}, which names people or keys itself"
                )
            tally, problems = self._read(reader, export, person)
            if format_name and not (tally.rows or whole_days or reader.recognises(export.head())):
                raise UnreadableExport(f"nothing in it is a {reader.title}")
        except UnreadableExport as error:
            return _refused(path, f"{path} was not imported: {error}.")
        return self.store(reader.name, tally, problems, path, now, whole_days=whole_days, keep=keep)

    def store(
        self,
        source: str,
        tally: Tally,
        problems: list[Problem],
        path: str,
        now: datetime,
        *,
        whole_days: Collection[date] = (),
        is_stream: bool = False,
        keep: bool = True,
    ) -> FileReport:
        """Store what was read and report it. What a stream brings within some minutes is logged as one arrival."""
        recorded = record(
            self.database,
            source,
            tally,
            problems,
            path,
            now,
            self.policy,
            self.book,
            whole_days=whole_days,
            is_stream=is_stream,
            keep=keep,
        )
        return FileReport(path, source, recorded, problems)

    def tally_of(self, reading: Reading) -> tuple[Tally, list[Problem]]:
        """Add up what a reader finds, without what cannot be: days to come, and days before there was a Claude."""
        tally = Tally()
        problems: list[Problem] = []
        latest = self.policy.today + ONE_DAY
        for found in reading:
            if isinstance(found, Problem):
                problems.append(found)
            elif isinstance(found, UsageRecord) and found.day > latest:
                problems.append(Problem(found.row, f"Row {found.row} was left out: {found.day} is in the future."))
            elif isinstance(found, UsageRecord) and found.day < FIRST_DAY:
                problems.append(Problem(found.row, f"Row {found.row} was left out: {found.day} is before Claude."))
            else:
                tally.add(found)
        return tally, problems

    def context(self, person: str | None = None) -> ReadingContext:
        """What readers need besides the file."""
        return ReadingContext(self.zone, self.book, person)

    def _read(self, reader: Reader, export: Export, person: str | None) -> tuple[Tally, list[Problem]]:
        return self.tally_of(reader.read(export, self.context(person)))


def _file_state(path: Path, settings: str) -> FileState | None:
    """What tells a file from a changed one; None for what is no plain file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    if not path.is_file():
        return None
    shown = os.fsencode(path.absolute()).decode("utf-8", "backslashreplace")
    return FileState(shown, stat.st_size, stat.st_mtime_ns, settings)


def _unchanged(path: Path, known: ReadFile) -> FileReport:
    return FileReport(str(path), known.format, Recorded(0, known.rows, 0, known.days, [], []), [])


def _refused(path: str, sentence: str) -> FileReport:
    return FileReport(path, None, Recorded(0, 0, 0, [], [], []), [], sentence)
