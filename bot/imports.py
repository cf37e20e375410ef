"""Importing exports: a path becomes files, a file becomes stored records, and a report says what happened."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from shlex import quote
from stat import S_ISREG
from typing import BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from bot.exports.containers import STDIN, DamagedMember, opened
from bot.exports.reader import Export, Reader, Reading, ReadingContext, UnreadableExport
from bot.exports.transcripts import TRANSCRIPTS
from bot.pricing import PriceBook
from bot.spend.days import ONE_DAY
from bot.spend.records import AlsoHolds, Member, Problem, RequestRows, Sessions, UsageRecord, UsageRows
from bot.store.alerting import AlertPolicy
from bot.store.database import Database
from bot.store.hidden_names import is_erased, names_erased
from bot.store.read_files import FileState, ReadFile, find_read_files, remember_read_files
from bot.store.recording import DayChange, FileTally, Recorded, record
from bot.store.tally import SumTooLarge, Tally

FIRST_DAY = date(2023, 1, 1)
"""No usage is older: the first Claude came in March 2023."""


ADDITIVE_FORMATS = ("transcripts",)
"""Formats of single requests that only ever add: reading an unchanged file again can change nothing."""

ARCHIVE = "archive"
"""What an archive is remembered as, once each of its files was read; and a file that is no export."""

MANY = ".jsonl"
"""What files of such formats end in. Archives may hold more than what fits into memory at once."""

STORED_TOGETHER = 20_000
"""Rows of such files from which on they are stored: enough to share the work, few enough to lose at a Ctrl-C."""

MAX_PROBLEMS = 20_000
"""Bad rows of a file that are told of one by one."""

HOPELESS = 400_000
"""So many more, and not one good row, and the rest of a file is not looked at."""


MORE_PAGES = "its last page says that more follow: import them as well, or some of it is missing"
"""What is said of a file of which ``has_more`` is set."""


class FileReport(NamedTuple):
    """What became of one file. ``refused`` is the sentence for a file that was not imported at all.

    ``not_kept`` counts rows that are older than usage is kept. ``has_more`` is set where the file is not all of an
    answer: its last page names another one. ``still`` is what was wrong with a file that has not
    changed since and was not read again.
    """

    path: str
    format: str | None
    recorded: Recorded
    problems: list[Problem]
    refused: str | None = None
    not_kept: int = 0
    still: str | None = None
    has_more: bool = False

    @property
    def rejected(self) -> int:
        """How many rows of it were left out."""
        return sum(problem.rows for problem in self.problems)

    @property
    def rows(self) -> int:
        """How many rows of it are stored."""
        return self.recorded.accepted + self.recorded.unchanged + self.recorded.restated

    @property
    def first_problem(self) -> str | None:
        """The first thing that is wrong with it, in a sentence that names it."""
        return self.refused or _first_problem(self.path, self.problems) or self.still

    @property
    def changes(self) -> list[DayChange]:
        """Days whose team total moved, with the total before and after."""
        return self.recorded.changes

    @property
    def outdated(self) -> str:
        """That some of the unchanged rows do not count, which is no problem; nothing where all do."""
        rows = self.recorded.outdated
        what = "1 row says" if rows == 1 else f"{rows:,} rows say"
        return f"{what} something else than a newer export of the same days, which counts" if rows else ""

    @property
    def moved(self) -> list[DayChange]:
        """Those with a total before: by rows that changed, or down, as another source speaks for the day now."""
        return [one for one in self.changes if one.before and (self.recorded.restated or one.after < one.before)]

    @property
    def why_moved(self) -> str:
        """The end of a sentence about days that moved though none of their rows changed."""
        if self.recorded.restated:
            return ""
        if self.recorded.ranges:
            return ", as successive reports tell it apart now"
        return ", as another source speaks for the day now"


class FileRead(NamedTuple):
    """A file that was read and is to be stored. ``state`` is set where it need not be read again while unchanged."""

    path: str
    format: str
    tally: Tally
    problems: list[Problem]
    state: FileState | None
    written_at: datetime | None
    is_packed: bool = False
    """Whether it lay in an archive with others."""

    @property
    def first_problem(self) -> str | None:
        """The first thing that is wrong with it, in a sentence that names it."""
        return _first_problem(self.path, self.problems)


Wrap = Callable[[Path, BinaryIO], BinaryIO]
Found = list[FileRead | FileReport]
"""What is in one file."""

ReadAll = Callable[[Callable[[Path], Found], Sequence[Path]], Iterator[Found]]


class Importer:
    """Imports files into one database, under one time zone, price book and alert policy."""

    def __init__(
        self,
        database: Database,
        zone: ZoneInfo,
        book: PriceBook,
        policy: AlertPolicy,
        first_kept: date | None = None,
    ) -> None:
        """``first_kept`` is the first day whose usage is kept; None where all is."""
        self.first_kept = first_kept or FIRST_DAY
        self.database = database
        self.zone = zone
        self.book = book
        self.policy = policy

    def import_files(
        self,
        paths: Iterable[Path],
        now: datetime,
        format_name: str | None = None,
        person: str | None = None,
        *,
        keep: bool = True,
        is_remembered: bool = False,
        is_passing: bool = False,
        wrap: Wrap = lambda _path, file: file,
        read_all: ReadAll = map,
    ) -> Iterator[FileReport]:
        """Import files, and each file of an archive, one by one: all of it or, with ``keep=False``, nothing.

        Never raises for what is wrong with a file: the report says it. A transcript that was read to its end and has
        not changed is not read again, nor with ``is_remembered`` any other file; its rows are reported as unchanged.
        With ``is_passing`` files lie where they are for as long as this takes, and go by their bare names.
        Transcripts are many and small, so some are stored in one transaction, and ``read_all`` reads them, which
        may do so in several at once. Files are read through ``wrap``, which may show how far they are.
        """
        paths = list(paths)
        settings = f"{self.zone.key} {person or ''} {format_name or ''}"
        # Nothing is kept of whoever was erased, not even that a file was read as theirs, or bears their name.
        is_kept = not is_passing and (person is None or not is_erased(self.database, person))
        states = {path: state for path in paths if is_kept and (state := _file_state(path, settings))}
        named = [path for path, state in states.items() if "@" in state.path]
        for path in [path for path in named if names_erased(self.database, states[path].path)]:
            del states[path]
        known = find_read_files(self.database, states.values())

        unchanged = {
            path: known[state]
            for path, state in states.items()
            if state in known and (is_remembered or _is_sound_and_additive(known[state]))
        }

        def read_files(path: Path) -> Iterator[FileRead | FileReport]:
            shown = _shown(Path(path.name) if is_passing else path)
            return self._read_files(
                path, shown, states.get(path), format_name, person, wrap, is_remembered=is_remembered
            )

        many = read_all(
            lambda path: list(read_files(path)),
            [path for path in paths if path.suffix == MANY and path not in unchanged],
        )
        waiting: list[FileRead | FileReport] = []
        rows = 0
        for path in paths:
            if path in unchanged:
                waiting.append(_unchanged(path, unchanged[path]))
                continue
            is_settled, problem = True, None
            for read in next(many) if path.suffix == MANY else read_files(path):
                waiting.append(read)
                problem = problem or read.first_problem
                if isinstance(read, FileReport):
                    is_settled = is_settled and os.access(path, os.R_OK)
                    continue
                is_settled = is_settled and read.is_packed and not read.tally.is_ahead
                rows += read.tally.rows
                if read.format not in ADDITIVE_FORMATS or rows >= STORED_TOGETHER:
                    yield from self._store_waiting(waiting, now, keep)
                    waiting, rows = [], 0
            state = states.get(path)
            if state and is_remembered and is_settled and keep:
                yield from self._store_waiting(waiting, now, keep)
                waiting, rows = [], 0
                remember_read_files(self.database, [(state, ReadFile(ARCHIVE, 0, [], problem))])
        yield from self._store_waiting(waiting, now, keep)

    def import_path(self, path: Path, now: datetime, *, is_passing: bool = False) -> Iterator[FileReport]:
        """Import one file, or each file of an archive; see ``import_files``."""
        return self.import_files([path], now, is_passing=is_passing)

    def import_export(
        self,
        export: Export,
        now: datetime,
        format_name: str,
        *,
        whole_days: Collection[date] = (),
    ) -> FileReport:
        """Import one opened file. Of ``whole_days`` it is known to hold everything: rows that it lacks are removed."""
        try:
            read = self._read(export, export.name, None, format_name, None)
        except UnreadableExport as error:
            return _refused(export.name, f"{export.name} was not imported: {error}.")
        # What could not be read may be what is stored: then nothing is taken for gone.
        whole = () if read.problems else whole_days
        try:
            return self.store(
                read.format, read.tally, read.problems, export.name, now, whole_days=whole, written_at=now
            )
        except Exception as error:
            if not is_overflow(error):
                raise
            return _refused(export.name, f"{export.name} was not imported: {TOO_LARGE}.")

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
        written_at: datetime | None = None,
    ) -> FileReport:
        """Store what was read and report it. What a stream brings within some minutes is logged as one arrival."""
        files = [FileTally(path, tally, problems, written_at)]
        (recorded,) = record(
            self.database, source, files, now, self.policy, self.book, whole_days=whole_days, is_stream=is_stream
        )
        return FileReport(path, source, recorded, problems)

    def tally_of(self, reading: Reading, *, is_row_by_row: bool = False) -> tuple[Tally, list[Problem]]:
        """Add up what a reader finds, without what cannot be: days to come, and days before there was a Claude.

        Raises UnreadableExport where one that finds its records ``is_row_by_row`` finds nothing but problems for long.
        """
        tally = Tally()
        problems = _Problems(tally if is_row_by_row else None)
        latest = self.policy.today + ONE_DAY
        first, add = max(self.first_kept, FIRST_DAY), tally.add_usage
        for found in reading:
            if isinstance(found, UsageRecord):
                if first <= found.day <= latest:
                    add(found)
                elif found.day > latest or found.day < FIRST_DAY:
                    tally.is_ahead |= found.day > latest
                    problems.append(_impossible(found.row, found.day, latest))
                elif (found.until or found.day) <= first:
                    tally.not_kept += 1
                else:
                    add(found)
            elif isinstance(found, Problem):
                problems.append(found)
            elif isinstance(found, UsageRows | RequestRows):
                self._add_rows(found, tally, problems)
            elif not isinstance(found, Sessions) or self.first_kept <= found.day <= latest:
                tally.add(found)
        if problems.found or tally.rows or tally.not_kept:
            tally.covered = None  # it says something of its days, or would if that could be read
        return tally, problems.listed()

    def _add_rows(self, found: UsageRows | RequestRows, tally: Tally, problems: "_Problems") -> None:
        """The same of many rows of one day."""
        latest = self.policy.today + ONE_DAY
        if found.day > latest or found.day < FIRST_DAY:
            tally.is_ahead |= found.day > latest
            for row in found.rows:
                problems.append(_impossible(row, found.day, latest))
        elif found.day < self.first_kept:
            tally.not_kept += sum(found.made_of)
        else:
            tally.add_rows(found)

    def context(self, person: str | None = None) -> ReadingContext:
        """What readers need besides the file."""
        return ReadingContext(self.zone, self.book, person)

    def _read_files(
        self,
        path: Path,
        whole: str,
        state: FileState | None,
        format_name: str | None,
        person: str | None,
        wrap: Wrap,
        *,
        is_remembered: bool,
    ) -> Iterator[FileRead | FileReport]:
        """What the file that is shown as ``whole`` holds.

        It is remembered where it is one export, which is sound or need not be read again.
        """
        try:
            with opened(path, lambda file: wrap(path, file)) as exports:
                for export in exports:
                    if isinstance(export, DamagedMember):
                        name = _printable(export.name)
                        yield _refused(name, f"{name} in {whole} was not imported: {export.why}.")
                        continue
                    is_whole_file = export.name == path.name
                    is_packed = not is_whole_file and export.name != path.name.removesuffix(".gz")
                    shown = _printable(export.name) if is_packed else whole
                    try:
                        read = self._read(export, shown, None if is_packed else state, format_name, person)
                        if (other := read.tally.also_holds) is not None and format_name:
                            read.problems.append(_left_out(other, format_name))
                        elif other is not None:
                            *first, read = self._with_other(read, other, export, person)
                            yield from (one._replace(is_packed=is_packed) for one in first)
                        if format_name and not read.tally.rows:
                            _check_format(export, format_name)
                        is_done = not read.problems or (is_remembered and not read.tally.is_ahead)
                        yield read._replace(state=read.state if is_done else None, is_packed=is_packed)
                    except UnreadableExport as error:
                        where = f"{shown} in {whole}" if is_packed and path != STDIN else shown
                        yield _refused(shown, f"{where} was not imported: {error}.")
        except OSError as error:
            yield _refused(whole, f"{whole} cannot be read: {error.strerror or error}. {_UNREADABLE}")
        except UnreadableExport as error:
            yield _refused(whole, f"{whole} was not imported: {error}.")

    def _with_other(self, read: FileRead, other: AlsoHolds, export: Export, person: str | None) -> list[FileRead]:
        """What was read of a file and what another reader reads in it, or one of them where the other is nothing.

        Only the last one is remembered, and not where that would hide what is wrong with the first.
        """
        export.file.seek(0)
        try:
            second = self._read(export, read.path, read.state, other.reader, person)
        except UnreadableExport as error:
            left_out = Problem(0, f"Its {other.what} were left out: {error}.", 0)
            return [read._replace(problems=[*read.problems, left_out])]
        if not (second.tally.rows or second.problems):
            return [read]
        if not (read.tally.rows or read.problems):
            return [second]
        return [read._replace(state=None), second._replace(state=None if read.problems else read.state)]

    def _read(
        self,
        export: Export,
        shown: str,
        state: FileState | None,
        format_name: str | None,
        person: str | None,
    ) -> FileRead:
        """Read one opened file. Raises UnreadableExport."""
        reader = _reader(export, format_name)
        if person is not None and reader.names_people:
            raise UnreadableExport(f"the {reader.title} names people or keys itself: leave --person out")
        try:
            is_row_by_row = reader.name not in ADDITIVE_FORMATS  # what transcripts come to is known at their end
            tally, problems = self.tally_of(reader.read(export, self.context(person)), is_row_by_row=is_row_by_row)
        except SumTooLarge as error:
            raise UnreadableExport(TOO_LARGE) from error
        except OverflowError as error:
            raise UnreadableExport("a day in it is beyond the calendar") from error
        # What names nobody is one person's: another one's newer export says nothing of theirs.
        written_at = export.written_at if reader.names_people else None
        return FileRead(shown, reader.name, tally, problems, state, written_at)

    def _store_waiting(
        self, waiting: Sequence[FileRead | FileReport], now: datetime, keep: bool
    ) -> Iterator[FileReport]:
        """Store what was read, all of one format, and report everything in its order."""
        reads = [one for one in waiting if isinstance(one, FileRead)]
        stored: list[Recorded | None] = []
        for format_name, some in groupby(reads, key=lambda read: read.format):
            files = [FileTally(read.path, read.tally, read.problems, read.written_at) for read in some]
            stored += self._record(format_name, files, now, keep=keep)
        remembered = []
        results = iter(stored)
        for one in waiting:
            if isinstance(one, FileReport):
                yield one
                continue
            recorded = next(results)
            if recorded is None:
                yield _refused(one.path, f"{one.path} was not imported: {TOO_LARGE}.")
                continue
            problems = [*one.problems, *_readdressed(recorded.readdressed)]
            not_kept, has_more = one.tally.not_kept, one.tally.has_more
            report = FileReport(one.path, one.format, recorded, problems, not_kept=not_kept, has_more=has_more)
            if one.state and keep:
                # What the stored usage makes of it may be settled without the file.
                read = ReadFile(one.format, report.rows, report.recorded.days, one.first_problem)
                remembered.append((one.state, read))
            yield report
        remember_read_files(self.database, remembered)

    def _record(self, format_name: str, files: list[FileTally], now: datetime, *, keep: bool) -> list[Recorded | None]:
        """Store files together, or where their figures are too large for that one by one; None for those that are."""
        try:
            return [*record(self.database, format_name, files, now, self.policy, self.book, keep=keep)]
        except Exception as error:
            if not is_overflow(error):
                raise
            if len(files) == 1:
                return [None]
            return [one for file in files for one in self._record(format_name, [file], now, keep=keep)]


class _Problems:
    """What is wrong with a file: row by row up to MAX_PROBLEMS of them, and then how many more there are."""

    def __init__(self, tally: Tally | None) -> None:
        self.tally = tally
        self.found: list[Problem] = []
        self.further = 0
        self.first = 0

    def append(self, problem: Problem) -> None:
        if len(self.found) < MAX_PROBLEMS:
            self.found.append(problem)
            return
        self.further += 1
        if self.further == HOPELESS and self.tally is not None and not self.tally.rows:
            first = self.found[0].problem.rstrip(".")
            raise UnreadableExport(f"none of its first {HOPELESS + MAX_PROBLEMS:,} rows can be read, as: {first}")
        self.first = min(self.first or problem.row, problem.row)

    def listed(self) -> list[Problem]:
        """All of them in the order of their rows."""
        found = sorted(self.found, key=lambda problem: problem.row)
        if self.further:
            rows = f"{self.further:,} more rows were left out, of which row {self.first:,} is the first"
            found.append(Problem(self.first, f"{rows}; the rows before say what is wrong.", self.further))
        return found


_UNREADABLE = "Name a file or folder that is there and may be read."
TOO_LARGE = "its figures add up to more than can be stored, so one of them is wrong; mend it or export it again"


def _reader(export: Export, format_name: str | None) -> Reader:
    """The reader of a file. Raises UnreadableExport."""
    if format_name is None and (
        TRANSCRIPTS.is_certain(export.first_line()) or TRANSCRIPTS.is_certain(export.head())  # mostly the first tells
    ):
        return TRANSCRIPTS
    from bot.exports.formats import reader_named, recognise  # all readers, where a file is none of the most common ones

    return reader_named(format_name) if format_name else recognise(export)


def _left_out(other: AlsoHolds, format_name: str) -> Problem:
    return Problem(
        0, f"The {other.what} in it were left out: --format says {format_name}; without it they count too.", 0
    )


def _readdressed(members: Iterable[tuple[Member, str]]) -> list[Problem]:
    """What to do about addresses that have changed, so that nobody is counted under both: once, of several accounts."""
    once: dict[tuple[str, str], Member] = {}
    for member, before in members:
        once.setdefault((before, member.email), member)
    return [
        Problem(
            member.row,
            f"Account {member.account} of {member.email} is {before}'s here. If that is the same person, run: "
            f"claudecost link {quote(before)} {quote(member.email)}",
            0,
        )
        for (before, _), member in once.items()
    ]


def is_overflow(error: Exception) -> bool:
    """Whether a sum is larger than the 64 bits of a database, as Python, SQLite or PostgreSQL say it."""
    return isinstance(error, OverflowError) or any(
        words in str(error) for words in ("integer overflow", "bigint out of range", "integer out of range")
    )


def _check_format(export: Export, format_name: str) -> None:
    """Raises UnreadableExport for a file without any row that looks like another format than was said."""
    from bot.exports.formats import reader_named

    reader = reader_named(format_name)
    if not reader.recognises(export.head()):
        raise UnreadableExport(f"nothing in it is of the format {reader.title}; without --format its content tells")


def _file_state(path: Path, settings: str) -> FileState | None:
    """What tells a file from a changed one; None for what is no plain file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    if not S_ISREG(stat.st_mode):
        return None
    return FileState(_shown(path.absolute()), stat.st_size, stat.st_mtime_ns, settings)


def _shown(path: Path) -> str:
    """A path as text, also where its name is in no encoding."""
    return _printable(os.fsencode(path).decode("utf-8", "backslashreplace"))


def _printable(name: str) -> str:
    """A name that moves no cursor and breaks no line."""
    if name.isprintable():
        return name
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in name)


def _impossible(row: int, day: date, latest: date) -> Problem:
    return Problem(row, f"Row {row} was left out: {day} is {'in the future' if day > latest else 'before Claude'}.")


def _first_problem(path: str, problems: Sequence[Problem]) -> str | None:
    return f"{path}: {problems[0].problem}" if problems else None


def _is_sound_and_additive(read: ReadFile) -> bool:
    """Whether to read it again could change nothing."""
    return read.format in ADDITIVE_FORMATS and read.problem is None


def _unchanged(path: Path, known: ReadFile) -> FileReport:
    recorded = Recorded(0, known.rows, 0, known.days, [], [])
    return FileReport(_shown(path), known.format, recorded, [], still=known.problem)


def _refused(path: str, sentence: str) -> FileReport:
    return FileReport(path, None, Recorded(0, 0, 0, [], [], []), [], sentence)
