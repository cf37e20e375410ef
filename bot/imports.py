"""Importing exports: a path becomes files, a file becomes stored records, and a report says what happened."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.exports.containers import opened
from bot.exports.formats import reader_named, recognise
from bot.exports.reader import Export, Reader, ReadingContext, UnreadableExport
from bot.pricing import PriceBook
from bot.spend.days import ONE_DAY
from bot.spend.records import Problem, UsageRecord
from bot.store.database import Database
from bot.store.recording import AlertPolicy, DayChange, Recorded, record
from bot.store.tally import Tally

FIRST_DAY = date(2023, 1, 1)
"""No usage is older: the first Claude came in March 2023."""


class FileReport(NamedTuple):
    """What became of one file. ``refused`` is the sentence for a file that was not imported at all."""

    path: str
    format: str | None
    recorded: Recorded
    problems: list[Problem]
    refused: str | None = None

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
        self, path: Path, now: datetime, format_name: str | None = None, person: str | None = None, *, keep: bool = True
    ) -> Iterator[FileReport]:
        """Import one file, or each file of an archive: all of it or, with ``keep=False``, nothing.

        Never raises for what is wrong with a file: the report says it.
        """
        try:
            with opened(path) as exports:
                for export in exports:
                    shown = str(path) if export.name in (path.name, path.name.removesuffix(".gz")) else export.name
                    yield self._import(export, shown, now, format_name, person, keep=keep)
        except OSError as error:
            yield _refused(str(path), f"{path} cannot be read: {error.strerror or error}.")
        except UnreadableExport as error:
            yield _refused(str(path), f"{path} was not imported: {error}.")

    def _import(
        self, export: Export, path: str, now: datetime, format_name: str | None, person: str | None, *, keep: bool
    ) -> FileReport:
        try:
            reader = reader_named(format_name) if format_name else recognise(export)
            if person is not None and reader.names_people:
                raise UnreadableExport(
                    f"--person does not go with the {reader.title}, which names people or keys itself"
                )
            tally, problems = self._read(reader, export, person)
            if format_name and not (tally.rows or problems or reader.recognises(export.head())):
                raise UnreadableExport(f"nothing in it is a {reader.title}")
        except UnreadableExport as error:
            return _refused(path, f"{path} was not imported: {error}.")
        recorded = record(self.database, reader.name, tally, problems, path, now, self.policy, self.book, keep=keep)
        return FileReport(path, reader.name, recorded, problems)

    def _read(self, reader: Reader, export: Export, person: str | None) -> tuple[Tally, list[Problem]]:
        tally = Tally()
        problems: list[Problem] = []
        latest = self.policy.today + ONE_DAY
        for found in reader.read(export, ReadingContext(self.zone, self.book, person)):
            if isinstance(found, Problem):
                problems.append(found)
            elif isinstance(found, UsageRecord) and found.day > latest:
                problems.append(Problem(found.row, f"Row {found.row} was left out: {found.day} is in the future."))
            elif isinstance(found, UsageRecord) and found.day < FIRST_DAY:
                problems.append(Problem(found.row, f"Row {found.row} was left out: {found.day} is before Claude."))
            else:
                tally.add(found)
        return tally, problems


def _refused(path: str, sentence: str) -> FileReport:
    return FileReport(path, None, Recorded(0, 0, 0, [], [], []), [], sentence)
