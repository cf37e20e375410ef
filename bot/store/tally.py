"""What one file says, added up by day, actor and line while it is being read: small, whatever the file's size."""

import marshal
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from bot.pricing import PriceConditions
from bot.spend.records import (
    ANTHROPIC,
    API,
    Actor,
    AlsoHolds,
    Covered,
    Member,
    MorePages,
    Record,
    Request,
    RequestRow,
    RequestRows,
    UsageRecord,
    UsageRows,
    View,
    request_of,
)
from bot.store.values import day_number, number_day, to_nano

NOT_STATED = -1
"""Stands for a cost that a source does not state, so that values compare and add as plain integers."""


class SumTooLarge(Exception):
    """Figures of a file add up to more than 64 bits hold."""


Line = tuple[str, ...]
Values = tuple[int, ...]
"""The six counts in the order of TokenUsage, then the reported nanodollars or NOT_STATED."""

_WIDTH = 8
_LINE_BITS = 24
_LINE_MASK = (1 << _LINE_BITS) - 1


class SingleRequest(Struct, frozen=True, gc=False):
    """One request, with the places of its actor and line in the tally."""

    request: Request
    day: int
    actor: int
    line: int
    values: Values


class DayRequests:
    """Single requests of one day and actor, with the place of each one's line by the place of its name.

    ``told_apart`` is what tells each of them from others, and ``sums`` are, by the places of names, the six counts and
    the stated nanodollars of all of them. Most are looked at no further, so another process unpacks the rest then only.
    """

    def __init__(self, day: int, actor: int, lines: list[int], requests: list[RequestRow]) -> None:
        self.day, self.actor, self.lines = day, actor, lines
        self.told_apart = [told_apart for _, _, _, _, told_apart, _, _ in requests]
        self.sums = _sums(requests)
        self._rows: list[RequestRow] | bytes = requests

    def __getstate__(self) -> tuple[Any, ...]:
        # Without looking for equal parts, of which there are next to none.
        return self.day, self.actor, self.lines, self.told_apart, self.sums, marshal.dumps(self._rows, 2)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.day, self.actor, self.lines, self.told_apart, self.sums, self._rows = state

    @property
    def rows(self) -> list[RequestRow]:
        """All that is known of each."""
        if isinstance(self._rows, bytes):
            rows: list[RequestRow] = marshal.loads(self._rows)  # noqa: S302 - a process of our own wrote it
            self._rows = rows
        return self._rows

    def one(self, place: int) -> SingleRequest:
        """One of them by itself."""
        _, name, counts, nano, told_apart, request, at = self.rows[place]
        values = (*counts, NOT_STATED if nano is None else nano)
        return SingleRequest(request_of(told_apart, request, at), self.day, self.actor, self.lines[name], values)


class RangeKey(NamedTuple):
    """Whose and what a total of several days is."""

    start: int
    until: int
    actor: int
    line: int


class DayRows(NamedTuple):
    """The rows of one day, column by column: places of actors and lines, ``Values``, and how many records made each."""

    actors: Sequence[int]
    lines: Sequence[int]
    values: Sequence[Sequence[int]]
    records: Sequence[int]


class Tally:
    """Adds records up. ``actors`` and ``lines`` are told apart by their place in these lists."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.actors: dict[Actor, int] = {}
        self.lines: dict[Line, int] = {}
        self.requests: dict[bytes | str, SingleRequest] = {}
        self.day_requests: list[DayRequests] = []
        """Those that came together, none of which is among the others."""

        self.ranges: dict[RangeKey, Values] = {}
        self.members: list[Member] = []
        self.sessions: Counter[tuple[int, int]] = Counter()
        """Sessions by day and place of the actor."""

        self.not_kept = 0
        """Rows that were read and are older than usage is kept."""

        self.has_more = False
        """Whether the file says that more pages follow, which it does not hold."""

        self.also_holds: AlsoHolds | None = None
        self.is_ahead = False
        """Whether rows were left out that are of days to come: read again then, they count."""

        self.view = ""
        self.is_of_one_organization = False
        self.covered: Covered | None = None
        """The days of which the file says that nobody used anything."""

        self.is_of_usage = False
        """Whether it tells of usage, even if none of it can be read: not only who is who."""

        self._places: dict[int, dict[int, int]] = {}
        """By day, then actor and line."""

        self._values = array("q")
        """Row after row, at the places: the values and how many records they are the sum of."""

        self._whole: dict[int, DayRows] = {}
        """Days that were added column by column, and nothing else of them."""

        self._said: list[Line] = []
        """The lines by their places."""

        self._unstated_of: dict[int, int] = {}
        self._named: tuple[object, dict[int, tuple[int, int]]] = (None, {})
        """The last names that came with columns, and the places of actor and line of each."""

        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Add one record, or one member of a directory, or take note of the view that the file holds, or its days."""
        if isinstance(record, UsageRecord):
            self.add_usage(record)
        elif isinstance(record, UsageRows | RequestRows):
            self.add_rows(record)
        elif isinstance(record, View):
            self.view, self.is_of_one_organization = record
        elif isinstance(record, Covered):
            self.covered, self.is_of_usage = record, True
        elif isinstance(record, Member):
            self.members.append(record)
        elif isinstance(record, MorePages):
            self.has_more = True
        elif isinstance(record, AlsoHolds):
            self.also_holds = record
        else:
            actor = self.actors.setdefault(record.actor, len(self.actors))
            self.sessions[day_number(record.day), actor] += record.sessions

    def add_usage(self, record: UsageRecord) -> None:
        """Add one record of usage."""
        actor = self.actors.setdefault(record.actor, len(self.actors))
        said = (record.model, *record.conditions, record.billing, record.part, record.vendor)
        line = self._line(said)
        reported, day = record.reported_usd, day_number(record.day)
        values = (*record.usage, NOT_STATED if reported is None else to_nano(reported))
        if record.request is not None:
            self._add_request(SingleRequest(record.request, day, actor, line, values))
        elif record.until is not None:
            self._add_range(RangeKey(day, day_number(record.until), actor, line), values)
        else:
            self._add_daily(day, actor, line, values)

    def add_rows(self, rows: UsageRows | RequestRows) -> None:
        """Add the rows of one day that a source tells together."""
        if isinstance(rows, RequestRows):
            actor = self.actors.setdefault(rows.actor, len(self.actors))
            lines = [self._places_of(rows.actor, *name)[1] for name in rows.names]
            self.day_requests.append(DayRequests(day_number(rows.day), actor, lines, rows.requests))
            return
        if self._named[0] is not rows.names:
            self._named = rows.names, {}
        places, day = self._named[1], day_number(rows.day)
        # Names of rows that are left out are nobody's.
        for name in sorted(set(rows.name) - places.keys()):
            places[name] = self._places_of(*rows.names[name])
        actors, lines = ([places[name][side] for name in rows.name] for side in (0, 1))
        found = DayRows(actors, lines, [*rows.counts, array("q", [NOT_STATED]) * len(actors)], rows.made_of)
        if day in self._places or day in self._whole or len(set(places.values())) < len(places):
            self._add_each(day, found)
        else:
            self._whole[day] = found

    def every_request(self) -> Iterator[SingleRequest]:
        """The single requests, also those that came together."""
        yield from self.requests.values()
        for some in self.day_requests:
            yield from map(some.one, range(len(some.told_apart)))

    @property
    def days(self) -> list[date]:
        """The days that any record is of, in order; ranges have none."""
        numbers = self._places.keys() | self._whole.keys() | {one.day for one in self.requests.values()}
        numbers |= {some.day for some in self.day_requests}
        return [number_day(number) for number in sorted(numbers)]

    @property
    def periods(self) -> list[tuple[date, date]]:
        """The ranges that totals without days are of, in order: first day, and the day after the last."""
        return sorted({(number_day(key.start), number_day(key.until)) for key in self.ranges})

    @property
    def rows(self) -> int:
        """How many rows the tally came to."""
        columns = sum(len(day.actors) for day in self._whole.values())
        requests = len(self.requests) + sum(len(some.told_apart) for some in self.day_requests)
        return columns + len(self._values) // _WIDTH + requests + len(self.ranges) + len(self.members)

    def dailies(self) -> Iterator[tuple[int, DayRows]]:
        """The days in order, with their rows."""
        for day in sorted(self._places.keys() | self._whole.keys()):
            if day in self._whole:
                yield day, self._whole[day]
                continue
            starts = self._places[day]
            first, last = next(iter(starts.values())), next(reversed(starts.values()))
            if last - first == (len(starts) - 1) * _WIDTH:
                flat = self._values[first : last + _WIDTH].tolist()  # as where a file goes day by day
            else:
                flat = [value for start in starts.values() for value in self._values[start : start + _WIDTH]]
            *values, records = (flat[column::_WIDTH] for column in range(_WIDTH))
            actors, lines = [key >> _LINE_BITS for key in starts], [key & _LINE_MASK for key in starts]
            yield day, DayRows(actors, lines, values, records)

    def _places_of(self, actor: Actor, model: str, conditions: PriceConditions, part: str) -> tuple[int, int]:
        line = (model, *conditions, API, part, ANTHROPIC)
        return self.actors.setdefault(actor, len(self.actors)), self._line(line)

    def _line(self, said: Line) -> int:
        line = self.lines.setdefault(said, len(self.lines))
        if line == len(self._said):
            self._said.append(said)
        return line

    def _add_each(self, day: int, rows: DayRows) -> None:
        for actor, line, made_of, *values in zip(rows.actors, rows.lines, rows.records, *rows.values, strict=True):
            self._add_daily(day, actor, line, tuple(values), made_of)

    def _add_daily(self, day: int, actor: int, line: int, values: Values, made_of: int = 1) -> None:
        starts = self._places.get(day)
        if starts is None:
            starts = self._places[day] = {}
            if day in self._whole:
                self._add_each(day, self._whole.pop(day))
        start = starts.setdefault(actor << _LINE_BITS | line, len(self._values))
        if start == len(self._values):
            self._values.extend((*values, made_of))  # each of them was read as a count of at most 13 digits
            return
        *before, records = self._values[start : start + _WIDTH]
        if _is_nothing(values) or _is_nothing(before):
            added = (*(before if _is_nothing(values) else values), records + made_of)
        elif _is_stated(values) == _is_stated(before):
            added = (*_added(tuple(before), values), records + made_of)
        elif _is_stated(before):
            self._add_daily(day, actor, self._unstated(line), values, made_of)
            return
        else:
            self._add_daily(day, actor, self._unstated(line), tuple(before), records)
            added = (*values, made_of)
        try:
            self._values[start : start + _WIDTH] = array("q", added)
        except OverflowError as error:
            raise SumTooLarge from error

    def _add_range(self, key: RangeKey, values: Values) -> None:
        before = self.ranges.setdefault(key, values)
        if before is values:
            return
        if _is_nothing(values) or _is_nothing(before):
            self.ranges[key] = before if _is_nothing(values) else values
            return
        if _is_stated(values) == _is_stated(before):
            self.ranges[key] = _added(before, values)
            return
        stated, unstated = (values, before) if _is_stated(values) else (before, values)
        self.ranges[key] = stated
        self._add_range(key._replace(line=self._unstated(key.line)), unstated)

    def _unstated(self, line: int) -> int:
        """The line of what has no stated cost beside usage of ``line`` that has: it is priced by itself."""
        if line not in self._unstated_of:
            *said, part, vendor = self._said[line]
            self._unstated_of[line] = self._line((*said, unstated(part), vendor))
        return self._unstated_of[line]

    def _add_request(self, one: SingleRequest) -> None:
        key = one.request.name or one.request.key
        before = self.requests.setdefault(key, one)
        if before is one:
            return
        if one.request.restates:
            # Two rows of one bucket that nothing tells apart are two parts of it.
            self.requests[key] = replace(one, values=_added(before.values, one.values))
            return
        mine, theirs = (fullness(each.request.sidechain, each.values) for each in (one, before))
        if mine > theirs or (mine == theirs and one.request.at < before.request.at):
            self.requests[key] = one


def _sums(requests: Iterable[RequestRow]) -> list[tuple[int, tuple[int | None, ...]]]:
    counts_of: dict[int, list[tuple[int, ...]]] = defaultdict(list)
    stated: dict[int, int] = {}
    for _, name, counts, nano, _, _, _ in requests:
        counts_of[name].append(counts)
        if nano is not None:
            stated[name] = stated.get(name, 0) + nano
    return [(name, (*map(sum, zip(*some, strict=True)), stated.get(name))) for name, some in counts_of.items()]


def fullness(sidechain: bool, values: Values) -> tuple[bool, int, int, Values]:
    """Of lines of one response the final one goes before partial ones, and any before a subagent's copy of it."""
    return not sidechain, sum(values[:5]), values[1], values


def unstated(part: str) -> str:
    """The part of usage without a stated cost, beside usage of ``part`` that has one."""
    return f"{_UNSTATED}{part}"


def with_cost(part: str) -> str:
    """The part beside which ``unstated`` made another one; else ``part`` itself."""
    return part.removeprefix(_UNSTATED)


_UNSTATED = "unstated  "
"""Two blanks follow one another in no name of an export."""


def _is_nothing(values: Sequence[int]) -> bool:
    """Whether it is no usage at no cost, which changes nothing of what it stands beside."""
    return not any(values[:-1]) and values[-1] <= 0


def _is_stated(values: Sequence[int]) -> bool:
    return values[-1] != NOT_STATED


def _added(one: Values, other: Values) -> Values:
    counts = (mine + theirs for mine, theirs in zip(one[:-1], other[:-1], strict=True))
    # A cost that is stated for only some of the rows would pass for the cost of all of them.
    return (*counts, one[-1] + other[-1] if _is_stated(one) and _is_stated(other) else NOT_STATED)
