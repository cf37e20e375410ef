"""What every reader of exports has in common: its shape, and how counts, days and money are checked."""

import csv
import hashlib
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import islice, pairwise
from typing import Annotated, Any, BinaryIO, NamedTuple, Protocol, TypeVar
from unicodedata import normalize
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Raw, Struct

from bot.pricing import PriceBook
from bot.spend.records import THIS_MACHINE, Actor, MorePages, Problem, Record

MAX_COUNT = 10**13
MAX_DIGITS = 13
MAX_USD = Decimal(10**9)
_MAX_CENTS = MAX_USD * 100
MAX_NAME = 200
MAX_DOCUMENT = 224 * 1024 * 1024
"""A JSON document is decoded as a whole, so its size bounds the memory; line by line formats have no limit."""

_VALUE_BYTES, _FEW_VALUES = 8, 100_000
"""Bytes that a value takes on the average with its name, at least, in a document of more than a few (Claude's exports
have 24 to 29): what is made of smaller ones is no export, and takes many times its size in memory."""

_LAST_SECOND = int(datetime(3000, 1, 1, tzinfo=UTC).timestamp())
"""Of which, and of all later ones, some systems know no date."""

HEAD_BYTES = 65536
MAX_LINE = 64 * 1024 * 1024
MAX_CSV_LINE = 4 * 1024 * 1024
MAX_EMPTY = 1_000_000
"""Empty lines after one another, of a table."""

_BROKEN_LINES, _BROKEN_SIZE = 20, 65536
"""Lines and characters of one row, of a table whose values hold line breaks."""

NOTHING = ", \t\r\n"
"""Of what a line of a table consists in which no cell says anything, as spreadsheets leave them."""

_UNCLOSED = "a quote in it does not end"

NANO = Decimal("0.000000001")
STATED = "stated"
"""The part that sets requests with a stated cost apart from those without: a day's row is all stated or all not."""

SYNTHETIC = "<synthetic>"
"""The model of what Claude Code says itself, as of an error; nothing of it is billed."""

BOM = b"\xef\xbb\xbf"

Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Reading = Iterator[Record | Problem]
_T = TypeVar("_T")


class UnreadableExport(Exception):
    """A whole file that is refused; one sentence that quotes it and says what to do."""


class Export(NamedTuple):
    """One file to read. ``name`` is its name where it came from; ``file`` stands at its start and can seek.

    ``written_at`` is when it was exported, as far as anybody knows: the date of the file.
    """

    name: str
    file: BinaryIO
    written_at: datetime

    def head(self) -> bytes:
        """Its first bytes, by which formats are told apart, without a byte order mark."""
        self.file.seek(0)
        head = self.file.read(HEAD_BYTES).removeprefix(BOM)
        self.file.seek(0)
        return head

    def first_line(self) -> bytes:
        """As much of its first line as there is in its head."""
        self.file.seek(0)
        line = self.file.readline(HEAD_BYTES).removeprefix(BOM).rstrip(b"\n")
        self.file.seek(0)
        return line

    def content(self) -> bytes:
        """All of it. Raises UnreadableExport where it is too large to be one document."""
        data = self.file.read(MAX_DOCUMENT + 1)
        if len(data) > MAX_DOCUMENT:
            raise UnreadableExport(f"it is one document of over {MAX_DOCUMENT // 2**20} MB; export fewer days")
        return data

    def document(self) -> bytes:
        """All of a JSON text, without a byte order mark and outer blanks, and with whole characters."""
        content = self.content()
        check_values(content)
        return whole_characters(content.removeprefix(BOM).strip())


class ReadingContext(NamedTuple):
    """What a reader needs besides the file.

    ``zone`` puts instants on spend days; ``person`` is whose usage it is where the format does not say;
    ``book`` knows at which prompt size a model's price changes.
    """

    zone: ZoneInfo
    book: PriceBook
    person: str | None = None

    @property
    def someone(self) -> Actor:
        """The person that was said, or the machine that the file is from."""
        return email_actor(self.person) if self.person else THIS_MACHINE


class Reader(Protocol):
    """One export format. ``name`` is the ``--format`` word and the name of the source in the database.

    ``utc_days`` says that its days are UTC days; ``names_people`` that it says whose usage a row is.
    """

    name: str
    title: str
    utc_days: bool
    names_people: bool

    def recognises(self, head: bytes) -> bool:
        """Whether the first bytes of a file (up to 64 KiB, without a byte order mark) are of this format."""

    def read(self, export: Export, context: ReadingContext) -> Reading:
        """The records and problems of one file, in its order. Raises UnreadableExport if none of it can be read."""


class Page(Struct, kw_only=True):
    """What every page of an API has, whatever it holds."""

    has_more: Any = None
    next_page: Any = None

    @property
    def is_last(self) -> bool:
        """Whether it names no other page."""
        return self.has_more is not True and (self.has_more is False or not self.next_page)


def more_pages(pages: Sequence[Page]) -> Iterator[MorePages]:
    """Says it where the last page of a file names another one: the first of an answer is easily taken for all of it."""
    if pages and not pages[-1].is_last:
        yield MorePages()


_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)


def whole_characters(json: bytes) -> bytes:
    """JSON in which half a character, as programs leave where they cut a text in two, is a replacement character."""
    if b"\\ud" not in json and b"\\uD" not in json:
        return json
    return _ESCAPES.sub(lambda escape: b"\\ufffd" if escape["half"] else escape[0], json)


def check_values(document: bytes, each: int = _VALUE_BYTES) -> None:
    """Raises UnreadableExport for one whose values take so few bytes ``each`` that they can be none of an export."""
    if (values := document.count(b",")) > _FEW_VALUES + len(document) // each:
        raise UnreadableExport(f"it holds {values:,} values in {len(document):,} bytes, as no export does")


def decoded(data: bytes, kind: type[_T], what: str) -> _T:
    """JSON as a typed value. Raises UnreadableExport that says what it was taken for."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableExport(f"it is no {what}, or it was cut short: {shortened(error)}") from error


def decoded_pages(data: bytes, kind: type[_T], what: str) -> list[_T]:
    """One page, a list of pages, or page after page as a loop of requests writes them. Raises UnreadableExport."""
    if data[:1] == b"[":
        return decoded(data, list[kind], what)  # type: ignore[valid-type]
    return [decoded(page, kind, what) for page in documents(data)]


def canonical(json: bytes) -> bytes:
    """JSON without white space and in one order, which is the same however it was written. Raises DecodeError."""
    return msgspec.json.encode(msgspec.json.decode(json), order="sorted")


def documents(data: bytes) -> list[bytes]:
    """The JSON objects that follow one another: between two of one document there is always a comma."""
    if _is_json(data):
        return [data]
    # Within a text there is no line end as such, but there may be all else.
    lines = re.split(rb"(?<=\})[ \t\r]*\n\s*(?=\{)", data)
    return [document for line in lines for document in _in_one_line(line)]


def _in_one_line(line: bytes) -> list[bytes]:
    found = re.split(rb"(?<=\})\s*(?=\{)", line)
    if len(found) == 1 or all(map(_is_json, found)):
        return found
    text, decoder, ends = line.decode("utf-8", "surrogateescape"), json.JSONDecoder(), [0]
    while ends[-1] < len(text):
        try:
            ends.append(decoder.raw_decode(text, ends[-1])[1])
            ends[-1] += len(_BLANKS.match(text, ends[-1])[0])  # type: ignore[index]  # it always matches
        except (ValueError, RecursionError):
            ends.append(len(text))
    return [text[start:end].encode("utf-8", "surrogateescape") for start, end in pairwise(ends)]


_BLANKS = re.compile(r"\s*")


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data, type=Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def csv_rows(export: Export) -> Iterator[tuple[int, list[str] | str]]:
    """Line numbers from 1 with their values, or with what is wrong with a line that is no CSV; the header first.

    Lines of nothing but empty cells are passed over. A row whose quotes hold line breaks goes on in the next lines, if
    it then has as many columns as the header; so an unclosed quote costs its own line and not the rest of the file.
    """
    lines = enumerate((line for raw in _lines(export.file) for line in raw.split("\r")), start=1)
    ahead: deque[tuple[int, str]] = deque()
    last = width = 0
    while (found := ahead.popleft() if ahead else next(lines, None)) is not None:
        number, line = found
        if number - last > MAX_EMPTY:
            raise UnreadableExport(f"after line {last:,} it has over {MAX_EMPTY:,} empty lines; export it again")
        if not line.strip(NOTHING).strip():
            continue
        last = number
        try:
            # Without a quote there is nothing to know about CSV but the comma.
            values = line.split(",") if '"' not in line else next(csv.reader([line], strict=True))
        except csv.Error as error:
            broken = _broken(line, ahead, lines, width)
            if broken is None:
                yield number, f"it is no CSV: {_UNCLOSED if _is_unclosed(error) else error}"
                continue
            values = broken
        width = width or len(values)
        yield number, values


def _broken(line: str, ahead: deque[tuple[int, str]], lines: Iterator[tuple[int, str]], width: int) -> list[str] | None:
    """The values of a row that goes on in the next lines, which are taken then; None where it does not.

    ``ahead`` are lines that were looked at before, and those that are looked at now.
    """
    text = line
    for taken in range(1, _BROKEN_LINES):
        if taken > len(ahead):
            ahead.extend(islice(lines, 1))
        if taken > len(ahead) or len(text) + len(ahead[taken - 1][1]) > _BROKEN_SIZE:
            return None
        text = f"{text} {ahead[taken - 1][1]}"  # what names hold of a line break is a blank
        try:
            values = next(csv.reader([text], strict=True))
        except csv.Error as error:
            if _is_unclosed(error):
                continue
            return None
        if len(values) == width:
            for _ in range(taken):
                ahead.popleft()
            return values
        return None
    return None


def _is_unclosed(error: csv.Error) -> bool:
    return "unexpected end of data" in str(error)


def _lines(file: BinaryIO) -> Iterator[str]:
    """Lines of UTF-8 text, without their ends and the byte order mark. Raises UnreadableExport for other bytes."""
    position = 0
    for raw in iter(lambda: file.readline(MAX_CSV_LINE), b""):
        line = raw.removeprefix(BOM) if position == 0 else raw
        try:
            yield line.removesuffix(b"\n").removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            place = position + error.start
            raise UnreadableExport(
                f"it is not UTF-8 text (byte {place}); export it again, or save it as CSV UTF-8"
            ) from error
        position += len(raw)


def csv_header(
    rows: Iterator[tuple[int, list[str] | str]], required: Iterable[str], unique: Iterable[str]
) -> list[str]:
    """The column names of the first row. Raises UnreadableExport where a column is missing or stands there twice."""
    _, values = next(rows, (0, "it is empty"))
    if isinstance(values, str):
        raise UnreadableExport(values)
    header = [value.strip() for value in values]
    missing = [name for name in required if name not in header]
    if missing:
        raise UnreadableExport(f"its header has no column {', '.join(missing)}")
    doubled = sorted({name for name in unique if header.count(name) > 1})
    if doubled:
        raise UnreadableExport(f"its header has the column {', '.join(doubled)} more than once")
    return header


def csv_dicts(
    export: Export, required: Iterable[str], unique: Iterable[str] | None = None, *, each_once: bool = False
) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Line numbers with the row by column, stripped, or with what is wrong with it.

    With ``each_once`` that is also to repeat another row word for word.
    """
    seen: dict[bytes, int] = {}
    required = list(required)
    rows = csv_rows(export)
    header = csv_header(rows, required, required if unique is None else unique)
    for number, values in rows:
        if isinstance(values, str):
            yield number, values
        elif len(values) != len(header):
            yield number, f"it has {len(values)} columns where the header has {len(header)}"
        elif each_once and (first := seen.setdefault(_digest(values), number)) != number:
            yield number, f"it repeats row {first}, which was counted"
        else:
            yield number, dict(zip(header, (value.strip() for value in values), strict=True))


def _digest(values: list[str]) -> bytes:
    return hashlib.blake2b("\n".join(values).encode("utf-8", "surrogatepass"), digest_size=12).digest()


def first_line(head: bytes) -> set[str]:
    """The column names of a CSV's first bytes."""
    line = head.lstrip(NOTHING.encode()).split(b"\n", 1)[0].decode("utf-8", "replace")
    return {name.strip().strip('"') for name in line.split(",")}


def has_keys(head: bytes, *names: str) -> bool:
    """Whether the first bytes of a JSON document hold these keys."""
    return head.lstrip()[:1] in (b"{", b"[") and all(f'"{name}"'.encode() in head for name in names)


def as_count(text: str, field: str) -> int:
    """A count written in plain digits. Raises ValueError with a sentence."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{field} is “{shortened(text)}”; expected a whole number of 0 or more")
    if len(text) > MAX_DIGITS:
        raise ValueError(f"{field} is “{shortened(text)}”; a count has at most {MAX_DIGITS} digits")
    return int(text)


@lru_cache(maxsize=4096)
def as_day(text: str, field: str) -> date:
    """The day of "2026-08-05", "2026-08-05T00:00:00Z" or "2026-08-05 00:00:00". Raises ValueError with a sentence."""
    match = re.fullmatch(r"(2\d{3}-\d{2}-\d{2})(?:[T ]00:00:00(?:\.0+)?(?:Z|\+00:00)?)?", text.strip(), re.ASCII)
    try:
        if match:
            return date.fromisoformat(match[1])
    except ValueError:
        pass
    raise ValueError(f"{field} is “{shortened(text)}”; expected a day such as 2026-08-05")


def as_instant(text: str, field: str) -> datetime:
    """An ISO 8601 time with its zone. Raises ValueError with a sentence."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"its {field} “{shortened(text)}” is no ISO 8601 time") from None
    if at.tzinfo is None:
        raise ValueError(f"its {field} “{shortened(text)}” has no zone")
    return of_this_age(at, field)


def of_this_age(at: datetime, field: str) -> datetime:
    """A moment that some zone's calendar may put on another day or into another month. Raises ValueError."""
    if not 2000 <= at.year < 3000:
        raise ValueError(f"its {field} “{at.isoformat()}” is of no year in which there was usage")
    return at


def as_milliseconds(text: str | int, field: str) -> datetime:
    """The instant of a count of milliseconds since 1970. Raises ValueError with a sentence."""
    if not re.fullmatch(r"\d{12,14}", str(text), re.ASCII):
        raise ValueError(f"{field} is “{shortened(text)}”; expected milliseconds since 1970")
    if int(text) // 1000 >= _LAST_SECOND:
        raise ValueError(f"{field} is “{text}”, of no year in which there was usage")
    return datetime.fromtimestamp(int(text) // 1000, UTC).replace(microsecond=int(text) % 1000 * 1000)


@lru_cache(maxsize=65536)
def as_name(text: str, field: str) -> str:
    """A name without control characters and outer blanks. Raises ValueError with a sentence if nothing is left."""
    if text.isascii() and text.isprintable() and len(text) <= MAX_NAME:
        name = text if "  " not in text and text[:1] != " " and text[-1:] != " " else " ".join(text.split())
    else:
        name = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_NAME]
    if not name:
        raise ValueError(f"{field} is empty")
    return name


def as_dollars(text: str, field: str, *, thousands: bool = False) -> Decimal:
    """Dollars in plain decimal digits, cut to nanodollars. Raises ValueError with a sentence."""
    digits = text.replace(",", "") if thousands and re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text, re.ASCII) else text
    if not re.fullmatch(r"\d{1,12}(\.\d{1,30})?(e-?\d{1,2})?", digits, re.ASCII):
        raise ValueError(f"{field} is “{shortened(text)}”; expected dollars of 0 or more such as 12.34")
    return money(Decimal(digits), field)


def money(usd: Decimal, field: str) -> Decimal:
    """Dollars that a source states, cut to nanodollars. Raises ValueError for what no bill can say."""
    if not usd.is_finite() or not 0 <= usd < MAX_USD:
        raise ValueError(f"its {field} is {shortened(usd)}; expected 0 or more, and less than {MAX_USD:,}")
    return usd.quantize(NANO)


def cents(amount: Decimal, field: str) -> Decimal:
    """Dollars from cents that a source states. Raises ValueError for what no bill can say."""
    if not amount.is_finite() or not 0 <= amount < _MAX_CENTS:
        raise ValueError(f"its {field} is {shortened(amount)} cents; expected 0 or more, and less than {_MAX_CENTS:,}")
    return (amount / 100).quantize(NANO)


def text_cents(text: str, field: str) -> Decimal:
    """Dollars from a decimal string of cents ("123.78912" is $1.2378912). Raises ValueError with a sentence."""
    if not re.fullmatch(r"\d{1,14}(\.\d{1,30})?", text, re.ASCII):
        raise ValueError(f"its {field} is “{shortened(text)}”; expected cents of 0 or more as a decimal string")
    try:
        return cents(Decimal(text), field)
    except InvalidOperation as error:
        raise ValueError(f"its {field} is “{shortened(text)}”") from error


def as_geography(text: str | None) -> str:
    """The inference geography as prices know it: "us", or "global" where nothing else is said."""
    named = (text or "").strip().lower()
    return "global" if named in ("", "global", "not_available", "none", "null") else named


def shortened(text: object, at_most: int = 60) -> str:
    """A value from outside, cut for use in a sentence."""
    words = " ".join(str(text)[:400].split())
    return words if len(words) <= at_most else f"{words[:at_most]}…"


def email_actor(address: str) -> Actor:
    """The actor behind an e-mail address, which is compared without letter case, and however an accent is encoded."""
    return Actor("email", normalize("NFC", address.strip().lower()))


def error_said(head: bytes) -> str | None:
    """What an error answer of an API says, where that was saved in place of usage, bare or wrapped."""
    try:
        body: Any = msgspec.json.decode(head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(body, list) and body:
        body = body[0]
    for step in ("body", "error"):
        body = body.get(step, body) if isinstance(body, dict) else body
    said = body.get("message") if isinstance(body, dict) and "type" in body else None
    return shortened(said) if isinstance(said, str) and said else None


def why(error: Exception, raw: Raw | bytes) -> str:
    """What is wrong with a piece of JSON in words that quote it: msgspec says where, and the value is looked up."""
    match = re.fullmatch(r"(?P<what>.*) - at `\$(?P<path>[^`]*)`", str(error))
    if not isinstance(error, msgspec.ValidationError) or match is None:
        return shortened(error, 200)
    place = match["path"].strip(".")
    try:
        value: Any = msgspec.json.decode(raw)
        for step in re.findall(r"[^.\[\]]+", place):
            value = value[int(step)] if isinstance(value, list) else value[step]
    except (msgspec.DecodeError, LookupError, TypeError, ValueError, RecursionError):
        return shortened(error, 200)
    what = match["what"].replace("`", "").replace(" | null", "")
    return f"{place} is “{shortened(msgspec.json.encode(value).decode())}”: {what[0].lower()}{what[1:]}"
