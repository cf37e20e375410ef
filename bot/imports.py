"""Importing exports: a path becomes files, a file becomes stored records, and a report says what happened."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.exports.formats import reader_named, recognise
from bot.exports.reader import Reader, ReadingContext, UnreadableExport
from bot.pricing import PriceBook
from bot.spend.days import ONE_DAY
from bot.spend.records import Problem, UsageRecord
from bot.store.database import Database
from bot.store.recording import AlertPolicy, DayChange, Recorded, record

SUFFIXES = (".json", ".jsonl", ".csv")


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

    def import_file(
        self, path: Path, now: datetime, format_name: str | None = None, person: str | None = None, *, keep: bool = True
    ) -> FileReport:
        """Import one file, all of it or, with ``keep=False``, nothing. Never raises for what is wrong with the file."""
        try:
            data = path.read_bytes()
            reader = reader_named(format_name) if format_name else recognise(data)
            if person is not None and reader.names_people:
                raise UnreadableExport(
                    f"--person does not go with the {reader.title}, which names people or keys itself"
                )
            records, problems = self._read(reader, data, person)
        except OSError as error:
            return _refused(path, f"{path} cannot be read: {error.strerror or error}.")
        except UnreadableExport as error:
            return _refused(path, f"{path} was not imported: {error}.")
        recorded = record(
            self.database, reader.name, records, problems, str(path), now, self.policy, self.book, keep=keep
        )
        return FileReport(str(path), reader.name, recorded, problems)

    def _read(self, reader: Reader, data: bytes, person: str | None) -> tuple[list[UsageRecord], list[Problem]]:
        records: list[UsageRecord] = []
        problems: list[Problem] = []
        for found in reader.read(data, ReadingContext(self.zone, self.book, person)):
            if isinstance(found, Problem):
                problems.append(found)
            elif found.day > self.policy.today + ONE_DAY:
                problems.append(Problem(found.row, f"Row {found.row} was left out: {found.day} is in the future."))
            else:
                records.append(found)
        return records, problems


def files_below(path: Path) -> Iterator[Path]:
    """The path itself, or every export file in and below a folder, in name order; empty files are passed over.

    Claude Code keeps files of its own beside the transcripts; those are no exports either.
    """
    if not path.is_dir():
        yield path
        return
    for found in sorted(path.rglob("*")):
        is_own = found.name.endswith((".meta.json", "sessions-index.json"))
        if found.suffix.lower() in SUFFIXES and not is_own and found.is_file() and found.stat().st_size:
            yield found


def _refused(path: Path, sentence: str) -> FileReport:
    days: list[date] = []
    return FileReport(str(path), None, Recorded(0, 0, 0, days, []), [], sentence)
