"""From a path to the files to read: folders, gzip, zip and standard input, with a bound on what is unpacked."""

import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from struct import Struct
from typing import IO, TYPE_CHECKING, BinaryIO, NamedTuple

from bot.exports.reader import HEAD_BYTES, Export, UnreadableExport

if TYPE_CHECKING:
    import gzip
    import zipfile

MAX_UNPACKED = 512 * 1024 * 1024
"""Bytes that one archive may unpack to. The largest real exports are a tenth of that."""

MAX_MEMBERS = 10_000
STDIN = Path("-")
SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".pb", ".bin", ".gz", ".zip")
_CHUNK = 1024 * 1024
_IN_MEMORY = 8 * 1024 * 1024
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_FIELD, _UNIX_TIMES, _UNIX_TIME = Struct("<HH"), 0x5455, Struct("<Bi")
"""Of an extra field of a zip: its kind and size; the kind that Info-ZIP keeps times in; the first of these."""

_NO_TIME = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip can hold, which programs write that know none."""


def files_below(path: Path) -> Iterator[Path]:
    """The path itself, or every export file in and below a folder, in name order; empty files are passed over.

    What a browser saved beside an older file of the same name, such as "usage (1).csv", comes after it, as the later
    of two exports holds. Claude Code keeps files of its own beside the transcripts; those are no exports either.
    """
    try:
        is_folder = path.is_dir()
    except OSError:
        is_folder = False
    if not is_folder:
        yield path
        return
    unreadable: list[Path] = []
    found: list[Path] = []
    known: set[tuple[int, int]] = set()
    tops = [path]  # and then the folders that links lead to
    for top in tops:
        for name, folders, names in os.walk(top, onerror=lambda error: unreadable.append(Path(error.filename))):
            folder = Path(name)
            stat = folder.stat()
            if (stat.st_dev, stat.st_ino) in known:
                folders.clear()
                continue
            known.add((stat.st_dev, stat.st_ino))
            tops += sorted(folder / one for one in folders if (folder / one).is_symlink())
            found += [folder / one for one in names]
    yield from sorted((file for file in found if _is_export(file)), key=_age)
    # What cannot be looked into is passed on, so that opening it says why.
    yield from unreadable


def _age(file: Path) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    """Sorts by name, and "usage.csv", "usage (1).csv", "usage (10).csv" in the order in which they were saved."""
    copied = re.fullmatch(r"(?P<stem>.+) \((?P<number>\d{1,4})\)", file.stem)
    if copied is None:
        return file.parts, 0, file.parts
    return file.with_name(copied["stem"] + file.suffix).parts, int(copied["number"]), file.parts


def _is_of_a_mac(name: str) -> bool:
    """Whether it is what macOS puts beside each file, and into each archive."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(("._", ".DS_Store"))


def _is_export(file: Path) -> bool:
    # Claude Code keeps beside its transcripts what tools returned, which may be an export of somebody else's.
    is_own = file.name.endswith((".meta.json", "sessions-index.json")) or file.parent.name == "tool-results"
    is_own = is_own or _is_of_a_mac(file.name)
    if is_own or file.suffix.lower() not in SUFFIXES:
        return False
    try:
        found = file.stat()
    except OSError:
        return False
    return S_ISREG(found.st_mode) and found.st_size > 0


class DamagedMember(NamedTuple):
    """A file in an archive that cannot be read, and why; the others can."""

    name: str
    why: str


Exports = Iterator[Export | DamagedMember]


@contextmanager
def opened(path: Path, wrap: Callable[[BinaryIO], BinaryIO] = lambda file: file) -> Iterator[Exports]:
    """The export or exports in one file: itself, or what its archive holds. Each is to be read before the next.

    The file is read through ``wrap``, which may show how far it is.

    Raises OSError where it cannot be opened, and UnreadableExport for an archive that is broken, nested or too large.
    """
    if path == STDIN:
        if sys.stdin is None:
            raise UnreadableExport("standard input is closed; name a file, or pipe one in")
        with _spooled(sys.stdin.buffer, "standard input", _too_long) as file:
            yield _inside(Export("standard input", file, datetime.now(UTC)))
        return
    with path.open("rb", buffering=HEAD_BYTES) as plain:  # the first bytes are looked at more than once
        if not plain.seekable():  # a pipe
            with _spooled(plain, path.name, _too_long) as file:
                yield _inside(Export(path.name, file, datetime.now(UTC)))
            return
        written_at = datetime.fromtimestamp(os.fstat(plain.fileno()).st_mtime, UTC)
        yield _inside(Export(path.name, wrap(plain), written_at))


def _inside(export: Export) -> Exports:
    start = _start(export.file)
    if start.startswith(_GZIP):
        import gzip  # as all that unpacks, where there is an archive

        with gzip.open(export.file) as stream, _spooled(stream, export.name, _too_large) as file:
            yield _flat(Export(export.name.removesuffix(".gz"), file, export.written_at))
    elif start.startswith((_ZIP, _EMPTY_ZIP)):
        yield from _members(export)
    else:
        yield export


_DAMAGED = (EOFError, zlib.error, NotImplementedError, RuntimeError, ValueError)
_IS_ENCRYPTED = 1
"""The bit of a member's flags."""


def _members(export: Export) -> Exports:
    import zipfile

    try:
        with zipfile.ZipFile(export.file) as archive:
            members = [
                member
                for member in archive.infolist()
                if not (member.filename.endswith("/") or _is_of_a_mac(member.filename))
            ]
            _check_members(members)
            for member in members:
                name = member.filename or "a file without a name"
                why = _why_unread(member)
                if why is not None:
                    yield DamagedMember(name, why)
                    continue
                # Asked for more than the file is said to have, Python unpacks more than that, only to drop it.
                chunk = min(_CHUNK, member.file_size + 1)
                try:
                    with archive.open(member) as stream, _spooled(stream, name, _too_large, chunk) as file:
                        yield _flat(Export(name, file, _written_at(member, export.written_at)))
                except UnreadableExport as error:
                    yield DamagedMember(name, str(error))
                except (*_DAMAGED, zipfile.BadZipFile) as error:
                    yield DamagedMember(name, f"it is damaged, so pack it again ({error})")
    except (*_DAMAGED, zipfile.BadZipFile) as error:
        raise UnreadableExport(f"it is a damaged zip archive: {error}") from error


def _why_unread(member: "zipfile.ZipInfo") -> str | None:
    """Why a file in an archive is not unpacked at all, if so.

    Of other methods than deflate Python unpacks as much as there is at once, whatever it is asked for.
    """
    import zipfile

    if member.flag_bits & _IS_ENCRYPTED:
        return "it is encrypted; unpack it, or pack it again without a password"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"it is packed by method {member.compress_type}, not by deflate; pack it again as an ordinary zip"
    return None


def _written_at(member: "zipfile.ZipInfo", otherwise: datetime) -> datetime:
    """When a file in an archive was written: a zip holds that in nobody knows whose time, and mostly in UTC as well."""
    extra = member.extra
    while len(extra) >= _FIELD.size:
        kind, size = _FIELD.unpack_from(extra)
        if kind == _UNIX_TIMES and size >= _UNIX_TIME.size and extra[_FIELD.size] & 1:
            return datetime.fromtimestamp(_UNIX_TIME.unpack_from(extra, _FIELD.size)[1], UTC)
        extra = extra[_FIELD.size + size :]
    if member.date_time == _NO_TIME:
        return otherwise
    try:
        return datetime(*member.date_time, tzinfo=UTC)
    except ValueError:
        return otherwise  # archives may leave the date out


def _check_members(members: "list[zipfile.ZipInfo]") -> None:
    if not members:
        raise UnreadableExport("it is a zip archive with no file in it")
    if len(members) > MAX_MEMBERS:
        raise UnreadableExport(f"it is a zip archive of {len(members):,} files; at most {MAX_MEMBERS:,} are read")
    size = sum(member.file_size for member in members)
    if size > MAX_UNPACKED:
        raise UnreadableExport(_too_large(f"{size // 2**20:,} MB"))


def _flat(export: Export) -> Export:
    if _start(export.file).startswith((_GZIP, _ZIP)):
        raise UnreadableExport(f"it holds another archive, {export.name}; unpack that one first")
    return export


@contextmanager
def _spooled(
    stream: "IO[bytes] | gzip.GzipFile", name: str, too_large: Callable[[str], str], chunk_size: int = _CHUNK
) -> Iterator[BinaryIO]:
    """A copy that can seek, in memory while it is small; counted while it unpacks, whatever its header promises.

    Raises UnreadableExport, with what ``too_large`` says, for one of more than MAX_UNPACKED bytes.
    """
    import gzip
    import tempfile

    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        size = 0
        try:
            while chunk := stream.read(chunk_size):
                size += len(chunk)
                if size > MAX_UNPACKED:
                    raise UnreadableExport(too_large(f"more than {MAX_UNPACKED // 2**20} MB"))
                file.write(chunk)
        except (*_DAMAGED[:2], gzip.BadGzipFile) as error:
            raise UnreadableExport(f"{name} is a damaged archive: {error}") from error
        file.seek(0)
        yield file  # type: ignore[misc]  # typeshed calls it IO[bytes], which is what a BinaryIO is


def _too_large(size: str) -> str:
    return f"it unpacks to {size}; at most {MAX_UNPACKED // 2**20} MB are read from one archive: unpack it by hand"


def _too_long(size: str) -> str:
    return f"it is {size}, the most that is read of what can be read once only: import it as a file"


def _start(file: BinaryIO) -> bytes:
    start = file.read(4)
    file.seek(0)
    return start
