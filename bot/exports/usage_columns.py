"""A large Console usage CSV column by column, where polars is installed: a few times as fast as row by row.

Nothing is guessed: every column is read as text, and only plain digits become counts. A row that is wrong in any way is
told by the reader of rows, in its words. Where a file cannot be taken apart like this without a doubt, as with quotes
or rows that repeat others, there is no answer, and it is to be read row by row.
"""

from array import array
from collections.abc import Callable, Iterator
from datetime import date
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from bot.exports.reader import MAX_CSV_LINE, MAX_DIGITS, NOTHING, as_day
from bot.pricing import PriceConditions, TokenUsage
from bot.spend.records import Actor, Problem, UsageRecord, UsageRows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from polars import DataFrame, Expr

MANY_BYTES = 8_000_000
"""From so many bytes on it is worth to load polars."""

_CHUNK = 16 * 1024 * 1024
_FEW = 10_000
"""Lines that are told one by one before the whole file is, which takes less memory."""

_PLAIN = rf"^[0-9]{{0,{MAX_DIGITS}}}$"
_BLANKS = r"^\s|\s$|[\x00-\x1f]"


class Name(NamedTuple):
    """What the columns of a row say that are neither counts nor the day. ``number`` is its own."""

    number: int
    actor: Actor
    model: str
    conditions: PriceConditions
    part: str


class Layout(NamedTuple):
    """Which columns are what, by their places: the day, words that make a Name, what only tells rows apart, counts.

    ``kinds`` says of each of the counts which one of TokenUsage it is.
    """

    width: int
    day: int
    names: list[int]
    others: list[int]
    counts: list[int]
    kinds: list[int]


ReadName = Callable[[str], Name]
"""From the words of a row, with line breaks between. Raises ValueError."""

ReadRow = Callable[[int, str], UsageRecord | Problem]
"""One row by itself: its line number and text."""


def is_large(file: BinaryIO) -> bool:
    """Whether a file is worth it; it goes on from where it stands."""
    place = file.tell()
    size = file.seek(0, 2)
    file.seek(place)
    return size >= MANY_BYTES


def usage_rows(
    file: BinaryIO, number: int, layout: Layout, read_name: ReadName, read_row: ReadRow
) -> list[UsageRows | Problem] | None:
    """All problems and days of a file from where it stands, on a line of this number; None where in doubt."""
    try:
        import polars
    except ImportError:
        return None
    table = _Table(polars, layout, read_name, read_row)
    try:
        while body := file.read(_CHUNK):
            body += file.readline(MAX_CSV_LINE)
            if _has_long_line(body):
                return None
            number += table.add(number, body)
        return [*sorted(table.problems), *table.days()]
    except (_Doubt, UnicodeDecodeError, polars.exceptions.PolarsError):
        return None


def _has_long_line(body: bytes) -> bool:
    """Whether a line is longer than those that are read row by row."""
    start = 0
    while len(body) - start > MAX_CSV_LINE:
        end = body.rfind(b"\n", start, start + MAX_CSV_LINE) + 1
        if not end:
            return True
        start = end
    return False


class _Doubt(Exception):
    """Something that only a reader of rows knows what to make of."""


class _Table:
    """The rows of a file that are in order, and the problems of the others."""

    def __init__(self, polars: ModuleType, layout: Layout, read_name: ReadName, read_row: ReadRow) -> None:
        self.pl: Any = polars
        self.words = polars.Categorical(polars.Categories.random())
        self.layout = layout
        self.read_name = read_name
        self.read_row = read_row
        self.problems: list[Problem] = []
        self.parts: list[DataFrame] = []
        """Days and names stay polars' own: it gives a text the same code only as long as some column has it."""

        self.day_of: dict[int, date | None] = {}
        """The day that polars' code of a text means; None where it means none. Names likewise."""

        self.name_of: dict[int, Name | None] = {}

    def add(self, number: int, body: bytes) -> int:
        """Take some lines, the first of them of this number; returns how many there were."""
        if b"\r" in body:
            body = body.replace(b"\r\n", b"\n")
        if b'"' in body or b"\r" in body or b"\0" in body:
            raise _Doubt
        count = body.count(b"\n") + (not body.endswith(b"\n"))
        if count > _FEW + len(body) // self.layout.width:
            raise _Doubt  # so many lines are empty, or have too few commas
        frame, numbers = self._frame(number, body, count)
        pl, layout = self.pl, self.layout
        part = frame.select(
            pl.Series("number", numbers, dtype=pl.Int64),
            pl.col(str(layout.day)).cast(self.words).alias("day"),
            self._joined(layout.names).cast(self.words).alias("name"),
            self._joined(layout.others).hash().alias("others"),
            pl.any_horizontal(pl.lit(False), pl.col(list(map(str, layout.others))).str.contains(_BLANKS)).alias(
                "blank"
            ),
            *(self._sum_of(kind).alias(name) for kind, name in enumerate(TokenUsage._fields)),
            pl.all_horizontal(pl.col(list(map(str, layout.counts))).str.contains(_PLAIN)).alias("is_plain"),
        )
        if part["blank"].any():
            raise _Doubt  # what differs in blanks alone does not differ
        self._learn(part)
        wrong_days = [code for code, day in self.day_of.items() if day is None]
        wrong_names = [code for code, name in self.name_of.items() if name is None]
        day, name = (pl.col(column).to_physical() for column in ("day", "name"))
        is_good = pl.col("is_plain") & ~day.is_in(wrong_days) & ~name.is_in(wrong_names)
        good = part.select(is_good).to_series()
        if not good.all():
            for at, values in zip(part.filter(~good)["number"], frame.filter(~good).iter_rows(), strict=True):
                self._take_alone(at, ",".join(values))
            part = part.filter(good)
        if not self._are_apart(part):
            raise _Doubt  # here already, before a file of nothing else is in memory
        self.parts.append(part.drop("is_plain", "blank"))
        return count

    def _are_apart(self, table: "DataFrame") -> bool:
        """Whether no row repeats another one; False as well if two that differ have the same hash."""
        day, name = (self.pl.col(column).to_physical() for column in ("day", "name"))
        identity = (day.cast(self.pl.UInt64) * 2**32 + name).hash() ^ self.pl.col("others")
        return bool(table.select(identity).to_series().n_unique() == table.height)

    def _joined(self, places: list[int]) -> "Expr":
        columns = [self.pl.col(str(place)) for place in places]
        joined: Expr = self.pl.concat_str(columns, separator="\n") if columns else self.pl.lit("")
        return joined

    def _sum_of(self, kind: int) -> "Expr":
        """The count of one kind of token: an empty one is none, and a header may have two columns of it."""
        pl = self.pl
        places = [at for at, one in zip(self.layout.counts, self.layout.kinds, strict=True) if one == kind]
        counts = [pl.col(str(at)).cast(pl.Int64, strict=False).fill_null(0) for at in places]
        summed: Expr = pl.lit(0, dtype=pl.Int64)
        if counts:
            summed = counts[0] if len(counts) == 1 else pl.sum_horizontal(counts)
        return summed

    def _frame(self, number: int, body: bytes, count: int) -> "tuple[DataFrame, range | NDArray[np.int64]]":
        """The lines as columns of text, with their numbers; those of another width are told."""
        try:
            frame = self._parsed(body)
            # polars refuses a line that is too wide, but for a comma too many at its end, and fills up one that is too
            # narrow, or blank: where no line ends in a comma, so many of them mean that each line has its own.
            ends_in_comma = b",\n" in body or body.endswith(b",")
            if frame.height == count and not ends_in_comma and body.count(b",") == count * (self.layout.width - 1):
                return frame, range(number, number + count)
        except self.pl.exceptions.PolarsError:
            pass
        import numpy as np  # as polars needs it later on

        text = np.frombuffer(body, np.uint8)
        ends = np.append(np.flatnonzero(text == ord("\n")), len(body))[:count]
        commas = np.searchsorted(np.flatnonzero(text == ord(",")), ends)
        odd = np.flatnonzero(np.diff(commas, prepend=0) != self.layout.width - 1)
        if len(odd) > _FEW:
            raise _Doubt
        regular, after = [], 0
        for line, end in zip(odd.tolist(), ends[odd].tolist(), strict=True):
            start = int(ends[line - 1]) + 1 if line else 0
            regular.append(body[after:start])
            after = end + 1
            odd_line = body[start:end].decode()
            self._take_alone(number + line, odd_line)
        frame = self._parsed(b"".join((*regular, body[after:])))
        if frame.height != count - len(odd):
            raise _Doubt
        return frame, np.delete(np.arange(number, number + count), odd)

    def _parsed(self, body: bytes) -> "DataFrame":
        pl = self.pl
        frame: DataFrame = pl.read_csv(
            body,
            has_header=False,
            schema=dict.fromkeys(map(str, range(self.layout.width)), pl.String),
            quote_char=None,
            empty_string_is_null=False,
            extra_columns="raise",
        )
        return frame

    def _take_alone(self, number: int, line: str) -> None:
        if not line.strip(NOTHING).strip():
            return
        found = self.read_row(number, line)
        if not isinstance(found, Problem):
            raise _Doubt  # it counts, whatever it looks like
        if len(self.problems) == _FEW:
            raise _Doubt
        self.problems.append(found)

    def _learn(self, part: "DataFrame") -> None:
        """Read the days and names that are new. Two texts that mean the same are a doubt."""
        for code, text in self._new(part, "day", self.day_of):
            try:
                day = as_day(text.strip(), "its day")
            except ValueError:
                self.day_of[code] = None
                continue
            if day in self.day_of.values():
                raise _Doubt
            self.day_of[code] = day
        known = {name.number for name in self.name_of.values() if name is not None}
        for code, text in self._new(part, "name", self.name_of):
            try:
                name = self.read_name(text)
            except ValueError:
                self.name_of[code] = None
                continue
            if name.number in known:
                raise _Doubt
            known.add(name.number)
            self.name_of[code] = name

    def _new(self, part: "DataFrame", column: str, known: dict[int, Any]) -> list[tuple[int, str]]:
        code = self.pl.col(column).to_physical().alias("code")
        new = part.select(code, column).unique("code").filter(~self.pl.col("code").is_in(list(known)))
        return list(new.cast({column: self.pl.String}).iter_rows())

    def days(self) -> Iterator[UsageRows]:
        """The rows that are in order, day by day."""
        if not self.parts:
            return
        pl, has_others = self.pl, bool(self.layout.others)
        table: DataFrame = pl.concat(self.parts)
        if not self._are_apart(table):
            raise _Doubt
        table = table.with_columns(pl.col("day", "name").to_physical()).drop("others")
        # In the order of names, as rows are stored.
        known = sorted((*name[1:], code) for code, name in self.name_of.items() if name is not None)
        places = {name[-1]: place for place, name in enumerate(known)}
        names = [(actor, model, conditions, part) for actor, model, conditions, part, _ in known]
        numbers = _by_day(table.select("day", "number"))
        kinds = list(TokenUsage._fields)
        if has_others:
            table = table.group_by("day", "name").agg(pl.col(kinds).sum(), pl.len().cast(pl.Int64).alias("made_of"))
        else:
            table = table.select("day", "name", *kinds, pl.lit(1, dtype=pl.Int64).alias("made_of"))
        table = table.with_columns(pl.col("name").replace_strict(places, return_dtype=pl.Int64)).sort("name")
        for code, (name, *counts, made_of) in _by_day(table).items():
            day = self.day_of[code]
            if day is not None:
                yield UsageRows(day, names, name, counts, made_of, *numbers[code])


def _by_day(table: "DataFrame") -> "dict[int, list[array[int]]]":
    """The columns of each day, told by its code in the first column."""
    table = table.sort(table.columns[0], maintain_order=True)
    columns = [array("q", column.to_numpy().tobytes()) for column in table.get_columns()[1:]]
    found, start = {}, 0
    for code, count in table.group_by(table.columns[0], maintain_order=True).len().iter_rows():
        found[code] = [column[start : start + count] for column in columns]
        start += count
    return found
