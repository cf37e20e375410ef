"""Sources that know single requests: each is kept once, at its fullest, and a day is their sum."""

from collections import Counter, defaultdict
from collections.abc import Collection
from operator import itemgetter
from typing import Any, NamedTuple
from zlib import crc32

from bot.spend.days import ONE_DAY
from bot.spend.records import NOBODYS_OWN, Request, request_key, request_of
from bot.store.bulk import Row, batches, insert_rows, replace_rows, run_sql, select_in, select_rows
from bot.store.columns import COUNTS, SEEN_REQUESTS, USAGE_DAILY
from bot.store.recording.source import FEW_ACTORS, Counted, Part, Source, as_stored, summed
from bot.store.tally import NOT_STATED, DayRequests, SingleRequest, fullness
from bot.store.values import day_number, number_day

_REQUEST = f"SELECT {', '.join(SEEN_REQUESTS.names)} FROM seen_requests"  # noqa: S608
_KEY, _AT, _SIDECHAIN, _REQUEST_OF, _DAY, _ACTOR, _LINE = 2, 3, 4, 6, 7, 8, 9
"""Where these stand in a row of seen_requests; the counts and the reported dollars follow."""

_OF_DAYS = "SELECT key, day, actor_id FROM seen_requests WHERE workspace_id = ? AND source_id = ? AND day IN"
_OLDEST = "SELECT MIN(day) FROM seen_requests WHERE workspace_id = ? AND source_id = ?"
_ADDRESSES = "SELECT id FROM actors WHERE kind = 'email' AND id IN"
_DELETE = "DELETE FROM seen_requests WHERE workspace_id = ? AND source_id = ? AND key = ?"

_Touched = dict[int, set[int]]
"""Actors whose usage changed, by day number."""


class _Owners(NamedTuple):
    """Of the actors of a file those who are people, and those whom nobody bears; and all that are known as people."""

    people: set[int]
    nobody: set[int]
    addresses: set[int]


class _New(NamedTuple):
    """Requests of one day and actor that nothing was known of, and the ids of their lines by the place of names."""

    requests: DayRequests
    actor_id: int
    line_of: list[int]


class Requests:
    """Writes single requests; ``is_kept`` says that they will not be undone."""

    def __init__(self, source: Source, *, is_kept: bool) -> None:
        self.source = source
        self.connection = source.connection
        self.is_kept = is_kept
        self.days: set[int] = set()
        self._existing: dict[bytes, Row] = {}
        """By key what is stored, and what is to be."""

        self._addresses: set[int] = set()
        """Those of the actors that these are stored of who are addresses."""

        self._rows: dict[bytes, Row] = {}
        """What is to be stored, new or in place of another version."""

        self._new: list[_New | None] = []
        """What came together and is to be stored as well; None for what became rows meanwhile.

        To make rows and keys of all of them takes most of the time, and is needed only where they are stored.
        """

        self._place_of: dict[str | bytes, int] = {}
        """The place there of each request, by what tells it apart."""

        self._are_alone = False
        """Whether nothing else is known of what comes together."""

        self._further: dict[str, bytes] = {}
        """The keys of further requests of messages, by name, of which the first one is not stored any more."""

        self._said: set[bytes] = set()
        self._series: set[bytes] = set()
        self._touched: _Touched = defaultdict(set)

    def store(self, parts: list[Part], whole_days: set[int]) -> list[Counted]:
        """Write what files say of single requests, all of them at once; of whole days, what they lack is gone.

        Those of the whole days that are the sum of requests are in ``days`` then.
        """
        self._existing = self._find(parts)
        owners = sorted({row[_ACTOR] for row in self._existing.values()})
        self._addresses = {actor_id for (actor_id,) in select_in(self.connection, _ADDRESSES, (), owners)}
        first, touched = set(self._existing), self._touched
        self._are_alone = not (first or self._further or any(part.tally.requests for part in parts))
        counts = [self._take(part) for part in parts]
        rows = self._rows
        self._touch_later_days()
        stored = self._of_days(whole_days)
        new = [some for some in self._new if some is not None]
        told = {row[_DAY] for row in rows.values()} | {some.requests.day for some in new}
        self.days = whole_days & told | {day for _, day, _ in stored}
        gone = [one for one in stored if one[0] not in self._said]
        for _, day, actor_id in gone:
            touched[day].add(actor_id)
        counts[-1] = counts[-1].plus(Counted(restated=len(gone)))
        grown = _sums(
            [row for key, row in rows.items() if key not in first and row[_ACTOR] not in touched.get(row[_DAY], ())],
            [some for some in new if some.actor_id not in touched.get(some.requests.day, ())],
        )
        # Roll-ups look at the day as it was before, so they are made before anything is written.
        days = sorted(touched.keys() | grown.keys())
        used_by = ({*touched.get(day, ()), *(actor for actor, _ in grown.get(day, ()))} for day in days)
        rollups = [self.source.rollup(day, actors) for day, actors in zip(days, used_by, strict=True)]
        if self.is_kept or touched:
            for place in range(len(self._new)):
                self._make_rows(place)
            added = [row for key, row in rows.items() if key not in first]
            # Nearer to each other in the table, they take half the time.
            added.sort(key=itemgetter(_KEY))
            insert_rows(self.connection, SEEN_REQUESTS, [row[_KEY:] for row in added], self.source.key)
        replace_rows(self.connection, SEEN_REQUESTS, [rows[key] for key in sorted(rows.keys() & first)])
        for key, *_ in gone:
            run_sql(self.connection, _DELETE, (*self.source.key, key))
        self._add_up_requests()
        for day in sorted(grown):
            self._add_to_day(day, grown[day])
        for rollup in rollups:
            rollup.refresh()
        return counts

    def _take(self, part: Part) -> Counted:
        """Take in what one file says, beside what is stored and what the files before it said."""
        people, nobody = (
            {part.actor_of[place] for actor, place in part.tally.actors.items() if actor.kind in kinds}
            for kinds in (("email",), NOBODYS_OWN)
        )
        owners = _Owners(people, nobody, self._addresses | people)
        counted = Counted()
        for one in part.tally.requests.values():
            counted = counted.plus(self._take_one(one, part, owners))
        for some in part.tally.day_requests:
            known = self._add_new(some, part)
            counted = counted.plus(Counted(new=len(some.told_apart) - len(known)))
            for one in known:
                counted = counted.plus(self._take_one(one, part, owners))
        return counted

    def _add_new(self, some: DayRequests, part: Part) -> list[SingleRequest]:
        """Take in those of a day that nothing was known of; returns the others."""
        told_apart, place_of, here = some.told_apart, self._place_of, len(self._new)
        known: list[int] = []
        if not self._are_alone or len({*told_apart}) < len(told_apart) or not place_of.keys().isdisjoint(told_apart):
            known = self._known(told_apart)
        for place in {place_of[told_apart[one]] for one in known if told_apart[one] in place_of}:
            self._make_rows(place)
        place_of.update(dict.fromkeys(told_apart, here))
        self._new.append(_New(some, part.actor_of[some.actor], [part.line_of[line] for line in some.lines]))
        if known or not self._are_alone:  # the sums are of all of them, and what is not alone is looked up by key
            self._make_rows(here, {*known})
        return [some.one(place) for place in known]

    def _known(self, told_apart: list[str | bytes]) -> list[int]:
        """The places of those of which something is known, or said before."""
        if self._further:
            return [*range(len(told_apart))]
        known: list[int] = []
        before: set[str | bytes] = set()
        for place, one in enumerate(told_apart):
            is_stored = not self._are_alone and request_of(one, None, 0).key in self._existing
            if one in before or one in self._place_of or is_stored:
                known.append(place)
            before.add(one)
        return known

    def _make_rows(self, place: int, but: Collection[int] = ()) -> None:
        """Make rows of what came together, as something else is said of one of it, or as it is to be stored."""
        some = self._new[place]
        if some is None:
            return
        self._new[place] = None
        existing, rows, source_key = self._existing, self._rows, self.source.key
        for one, (_, name, counts, nano, told_apart, request_id, at) in enumerate(some.requests.rows):
            if one not in but:
                request = request_of(told_apart, request_id, at)
                existing[request.key] = rows[request.key] = (
                    *(*source_key, request.key, at, request.sidechain, None, _name(request)),
                    *(some.requests.day, some.actor_id, some.line_of[name], *counts, nano),
                )

    def _take_one(self, one: SingleRequest, part: Part, owners: "_Owners") -> Counted:
        request, day = one.request, one.day
        actor_id, line_id, values = part.actor_of[one.actor], part.line_of[one.line], as_stored(one.values)
        existing, key, name = self._existing, request.key, _name(request)
        if key in existing or request.former is not None or self._further:
            key = self._kept_under(request, actor_id, name, values)
        self._said.add(key)
        at, series = request.at, request.series
        row = (*self.source.key, key, at, request.sidechain, series, name, day, actor_id, line_id, *values)
        before = existing.get(key)
        if before is not None:
            is_later = not self.source.is_older(day) if request.restates else _is_fuller(one, before)
            figures = row if is_later else before
            self.source.outdated += request.restates and not is_later and values != before[_LINE + 1 :]
            is_owned_by_newer = request.restates and not is_later and before[_ACTOR] in owners.addresses
            has_owner = actor_id in owners.people and not is_owned_by_newer
            has_owner |= figures is row and actor_id not in owners.nobody
            row = _together(row, before, figures, row if has_owner else before)
            if row[_DAY:] == before[_DAY:] and row[_KEY:_REQUEST_OF] == before[_KEY:_REQUEST_OF]:
                if row != before:  # of an older version, which did not keep the name
                    self._rows[key] = existing[key] = row
                return Counted(same=1)
            self._touched[before[_DAY]].add(before[_ACTOR])
            self._touched[row[_DAY]].add(row[_ACTOR])
        self._rows[key] = existing[key] = row
        if series is not None:
            self._series.add(series)
        if series is not None or request.restates:
            # Reports restate, and may hold the same day as a whole as well, which their requests replace.
            self._touched[day].add(actor_id)
        return Counted(new=1) if before is None else Counted(restated=1)

    def _kept_under(self, request: Request, actor_id: int, name: int | None, values: Row) -> bytes:
        """The key under which a request is or will be stored.

        Under a former key several may have been one: of those that never change it is the one that says the same.
        """
        key, former, existing = request.key, request.former, self._existing
        if former is not None and key not in existing and former in existing:
            before = existing[former]
            if before[_ACTOR] == actor_id and (request.restates or before[_LINE + 1 :] == values):
                return former
        if request.name is not None and key not in existing:
            return self._further.get(request.name, key)
        if request.name is not None and _is_other(existing[key], name):
            own = request_key(request.name.encode())
            # Of those that older versions stored nobody knows which is the first.
            return own if existing[key][_REQUEST_OF] is not None or own in existing else key
        return key

    def _of_days(self, days: set[int]) -> list[tuple[bytes, int, int]]:
        """Key, day and actor of the stored requests of some days."""
        stored = select_in(self.connection, _OF_DAYS, self.source.key, sorted(days))
        return [(bytes(key), day, actor_id) for key, day, actor_id in stored]

    def _find(self, parts: list[Part]) -> dict[bytes, Row]:
        """The stored rows that may be of the requests of files, by key."""
        where, mine = f"{_REQUEST} WHERE workspace_id = ? AND source_id = ?", self.source.key
        if not select_rows(self.connection, f"{where} LIMIT 1", mine):
            return {}  # as at the first import, where looking each of them up would be in vain
        requests = [one for part in parts for one in part.tally.every_request()]
        found: dict[bytes, Row] = {}

        def look_up(keys: set[bytes]) -> None:
            for row in select_in(self.connection, f"{where} AND key IN", mine, sorted(keys)):
                found[bytes(row[_KEY])] = row

        look_up({key for one in requests for key in (one.request.key, one.request.former) if key is not None})
        again = [one.request for one in requests if one.request.key in found]
        others = {request.name for request in again if _is_other(found[request.key], _name(request))}
        # On the first days that are kept, the first request of a message may be gone with the day before.
        ((oldest,),) = select_rows(self.connection, _OLDEST, mine)
        until = day_number(number_day(oldest) + ONE_DAY)
        new = [one for one in requests if one.request.key not in found]
        times = Counter(one.request.key for one in new)  # of one message, all but the first go by their own keys
        named = {one.request.name for one in new if one.day <= until or times[one.request.key] > 1}
        own = {name: request_key(name.encode()) for name in others | named if name is not None}
        look_up(set(own.values()))
        self._further = {name: key for name, key in own.items() if name in named and key in found}
        return found

    def _touch_later_days(self) -> None:
        """A count since a start also decides what is left for the days after it."""
        where = "SELECT day, actor_id FROM seen_requests WHERE workspace_id = ? AND source_id = ? AND series IN"
        for day, actor_id in select_in(self.connection, where, self.source.key, sorted(self._series)):
            self._touched[day].add(actor_id)

    def _add_to_day(self, day: int, sums: dict[tuple[int, int], Row]) -> None:
        """Requests that are new, and of which nothing was known before, are added to what the day has."""
        stored = {row[:2]: row[2:] for row in self.source.dailies(day, {actor for actor, _ in sums})}
        keys, source_day = sorted(sums), self.source.day_key(day)
        new = [(*key, *sums[key]) for key in keys if key not in stored]
        insert_rows(self.connection, USAGE_DAILY, new, source_day)
        grown = [(*key, *summed([sums[key], stored[key]])) for key in keys if key in stored]
        replace_rows(self.connection, USAGE_DAILY, grown, source_day)

    def _add_up_requests(self) -> None:
        """Make usage_daily of the touched days and actors the sum of their requests again."""
        for day, used_by in self._touched.items():
            for some in batches(sorted(used_by), FEW_ACTORS):
                self._add_up_day(day, some)

    def _add_up_day(self, day: int, actor_ids: Any) -> None:
        places = ", ".join("?" * len(actor_ids))
        fixed = [*self.source.key, day]
        known = f"workspace_id = ? AND source_id = ? AND day = ? AND actor_id IN ({places})"
        run_sql(self.connection, f"DELETE FROM usage_daily WHERE {known}", [*fixed, *actor_ids])  # noqa: S608
        sums = ", ".join(f"SUM({name})" for name in (*COUNTS, "reported_usd"))
        single = f"SELECT day, actor_id, line_id, {', '.join(COUNTS)}, reported_usd FROM seen_requests WHERE {known}"  # noqa: S608
        parts, values = f"{single} AND series IS NULL", [*fixed, *actor_ids]
        if select_rows(self.connection, f"{single} AND series IS NOT NULL LIMIT 1", values):
            parts = f"{parts} UNION ALL {self._counted_since(known)}"
            values = [*values, *self.source.key, *values, day]
        rows = select_rows(
            self.connection,
            f"SELECT actor_id, line_id, {sums} FROM ({parts}) AS used GROUP BY actor_id, line_id",  # noqa: S608
            values,
        )
        used = [tuple(None if value is None else int(value) for value in row) for row in rows]
        source_day = self.source.day_key(day)
        insert_rows(self.connection, USAGE_DAILY, sorted(used, key=lambda row: row[:2]), source_day)

    def _counted_since(self, known: str) -> str:
        """SQL for the shares of a day of what counts up since a start, with the columns of single requests."""
        # What counted up since a start before this day was used on the days before.
        earlier = ", ".join(f"{name} - COALESCE(LAG({name}) OVER since, 0) AS {name}" for name in COUNTS)
        reported = "reported_usd - COALESCE(LAG(reported_usd) OVER since, 0) AS reported_usd"
        counting = (
            f"SELECT day, actor_id, line_id, {earlier}, {reported} FROM seen_requests "  # noqa: S608
            "WHERE workspace_id = ? AND source_id = ? AND series IN (SELECT series FROM seen_requests "
            f"WHERE {known} AND series IS NOT NULL) WINDOW since AS (PARTITION BY series ORDER BY day)"
        )
        return f"SELECT * FROM ({counting}) AS counted WHERE day = ?"  # noqa: S608


def _name(request: Request) -> int | None:
    """What is kept of a request's name, to tell it from another one of the same message."""
    return None if request.name is None else crc32(request.name.encode())


def _is_other(before: Row, name: int | None) -> bool:
    """Whether what is stored under the key of a message is, or may be, another request of the main conversation."""
    return name is not None and not before[_SIDECHAIN] and before[_REQUEST_OF] != name


def _sums(rows: list[Row], new: list[_New]) -> dict[int, dict[tuple[int, int], Row]]:
    """Counts and stated nanodollars of rows of seen_requests, and of new ones, by day, then actor and line."""
    found: dict[tuple[int, int, int], list[Row]] = defaultdict(list)
    for row in rows:
        found[row[_DAY : _LINE + 1]].append(row[_LINE + 1 :])
    for some in new:
        for name, total in some.requests.sums:
            found[some.requests.day, some.actor_id, some.line_of[name]].append(total)
    by_day: dict[int, dict[tuple[int, int], Row]] = defaultdict(dict)
    for (day, actor_id, line_id), sums in found.items():
        by_day[day][actor_id, line_id] = summed(sums)
    return by_day


def _is_fuller(one: SingleRequest, before: Row) -> bool:
    """Whether a version of a request goes before the stored one: see ``fullness``."""
    *values, reported = before[_LINE + 1 :]
    kept = (*values, NOT_STATED if reported is None else reported)
    mine, theirs = fullness(one.request.sidechain, one.values), fullness(bool(before[_SIDECHAIN]), kept)
    # Of lines that say the same, which may lie on both sides of midnight, the first counts, whichever comes first.
    is_earlier = one.request.series is None and one.request.at < before[_AT]
    return mine > theirs or (mine == theirs and is_earlier)


def _together(row: Row, before: Row, figures: Row, owner: Row) -> Row:
    """A request that came again: the figures of one version, the owner of one, and the day that its time is on now."""
    name = before[_REQUEST_OF] if row[_REQUEST_OF] is None else row[_REQUEST_OF]
    day = row[_DAY] if row[_AT] == before[_AT] else figures[_DAY]
    return (*figures[:_REQUEST_OF], name, day, owner[_ACTOR], *figures[_LINE:])
