"""Writing usage: what a file says becomes daily rows, roll-ups and alerts owed, in one transaction."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select, update

from bot.pricing import PriceBook
from bot.spend.records import SESSION, THIS_MACHINE, Actor, Problem
from bot.store.alerting import AlertPolicy, owe_alerts
from bot.store.bulk import Row, batches, insert_rows, replace_rows, run_in, run_sql, select_in, select_rows, uncollected
from bot.store.database import Database
from bot.store.identity import KEY_USER, actor_ids, is_claude_code_key, known_actors, learn_members
from bot.store.people import ERASED
from bot.store.quantities import COUNTS, LINE
from bot.store.ranges import Span, every_span, refresh_ranges
from bot.store.rollups import DayRollup, Rollups
from bot.store.tables import (
    day_number,
    import_problems,
    imports,
    instant,
    number_day,
    seen_requests,
    session_days,
    sources,
    usage_daily,
    usage_lines,
    usage_ranges,
)
from bot.store.tally import NOT_STATED, Line, SingleRequest, Tally, Values, fullness
from bot.store.upsert import insert_missing, upsert

_BLOCKS = "ccusage_block"
RETOLD = {
    "copilot_csv": ("billing",),
    "litellm_activity": ("vendor",),
    _BLOCKS: ("model", "speed"),
}
"""Sources of which a row may come again with another word for what it is: by the columns of its line that change."""

OLDER_BY = timedelta(hours=1)
"""An export that is so much older than another one of the same days cannot take away what that one says."""

ONE_ARRIVAL = timedelta(minutes=10)
_FEW_ACTORS = 200
_COUNT_NAMES = ", ".join(column.name for column in COUNTS(usage_daily))
_DAILY = (
    f"SELECT actor_id, line_id, {_COUNT_NAMES}, reported_usd FROM usage_daily "  # noqa: S608
    "WHERE workspace_id = ? AND day = ? AND source_id = ?"
)
_REQUEST = f"SELECT {', '.join(column.name for column in seen_requests.columns)} FROM seen_requests"  # noqa: S608
_ORGANIZATION_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$|\borg[-_]\S+$", re.IGNORECASE)
"""At the end of a part, of sources that are asked for one organization's day as a whole."""

_KEY, _AT, _SIDECHAIN, _DAY, _ACTOR, _LINE = 2, 3, 4, 6, 7, 8
"""Where these stand in a row of seen_requests; the counts and the reported dollars follow."""


class DayChange(NamedTuple):
    """The team's total of a day before and after an import, in US dollars."""

    day: date
    before: Decimal
    after: Decimal


class Recorded(NamedTuple):
    """What a file did: rows that are new, rows that were there already, and rows whose figures changed.

    Of files that are stored together, the last one carries the ``changes`` of all.
    """

    accepted: int
    unchanged: int
    restated: int
    days: list[date]
    changes: list[DayChange]
    ranges: list[tuple[date, date]]
    outdated: int = 0
    """Rows among the unchanged that say less than a newer export, and do not count."""


class FileTally(NamedTuple):
    """What one file said: its rows added up, and the rows that were left out."""

    path: str
    tally: Tally
    problems: list[Problem]
    written_at: datetime | None = None
    """When the file was exported; None for what is no file."""


class _Counted(NamedTuple):
    new: int = 0
    same: int = 0
    restated: int = 0

    def plus(self, other: "_Counted") -> "_Counted":
        return _Counted(self.new + other.new, self.same + other.same, self.restated + other.restated)


_Touched = dict[int, set[int]]
"""Actors whose usage changed, by day number."""


def record(
    database: Database,
    source: str,
    files: Sequence[FileTally],
    now: datetime,
    policy: AlertPolicy,
    book: PriceBook,
    *,
    whole_days: Collection[date] = (),
    is_stream: bool = False,
    keep: bool = True,
) -> list[Recorded]:
    """Store what files of one source said and say of each what it changed, in their order.

    All or nothing; the same file again changes nothing. Single requests are kept once each, at their fullest. Other
    records replace the row of the same source, day, actor, model, conditions and part; of ``whole_days`` the rows that
    the file lacks are removed. With ``keep=False`` everything is worked out and undone.
    """
    with uncollected(), database.write_usage() as connection:
        name = _source_name(connection, database.workspace_id, source, files[0].tally)
        writer = _Writer(connection, database.workspace_id, name, book)
        writer.is_stream, writer.is_kept = is_stream, keep
        written = [min(file.written_at, now) for file in files if file.written_at is not None]
        writer.written_at = min(written) if len(written) == len(files) and written[0] < now - OLDER_BY else None
        writer.whole_days = {day_number(day) for day in whole_days}
        recorded = writer.store([file.tally for file in files])
        writer.log(files, now, recorded)
        if writer.touched_people:
            owe_alerts(connection, database.workspace_id, writer.touched_people, policy, now)
        if not keep:
            connection.rollback()
    return recorded


def rebuild_rollups(database: Database, book: PriceBook) -> None:
    """Work out every roll-up again, as after a change of the price book."""
    table = usage_daily.c
    query = select(table.day).where(table.workspace_id == database.workspace_id).distinct().order_by(table.day)
    with database.write_usage() as connection:
        rollups = Rollups(connection, database.workspace_id, book)
        for day in connection.execute(query).scalars().all():
            rollups.of(day, (), is_whole_day=True).refresh()
        refresh_ranges(rollups, every_span(connection, database.workspace_id))


class _Part(NamedTuple):
    """One file's tally, with the ids of its actors and lines by their place."""

    tally: Tally
    actor_of: list[int]
    line_of: list[int]


class _Writer:
    """Files on their way into the tables of one source."""

    def __init__(self, connection: Connection, workspace_id: int, source: str, book: PriceBook) -> None:
        self.connection = connection
        self.workspace_id = workspace_id
        self.book = book
        self.rollups = Rollups(connection, workspace_id, book)
        self.source = source
        self.source_id = source_id(connection, workspace_id, source)
        self.touched_people: set[tuple[date, int]] = set()
        self.before: dict[date, Decimal] = {}
        self.person_of: dict[int, int] = {}
        self.whole_days: set[int] = set()
        self.spans: set[Span] = set()
        self.written_at: datetime | None = None
        self.outdated = 0
        self._newest: dict[int, int | None] = {}
        """When the newest export of a day was written, once that was asked for."""

        self.holders: dict[int, int] = {}
        """For actors of a file the one under whom its rows may be stored already: nobody, or an erased key's owner."""

        self.is_stream, self.is_kept = False, True

    def store(self, tallies: Sequence[Tally]) -> list[Recorded]:
        learned = [learn_members(self.connection, self.workspace_id, tally.members, self.book) for tally in tallies]
        actors_named = dict.fromkeys(actor for tally in tallies for actor in tally.actors)
        known = actor_ids(self.connection, self.workspace_id, actors_named, self.book)
        kept = {line: _storable(line) for tally in tallies for line in tally.lines}
        ids = _line_ids(self.connection, set(kept.values()))
        line_ids = {line: ids[stored] for line, stored in kept.items()}
        parts = [
            _Part(tally, [known[actor] for actor in tally.actors], [line_ids[line] for line in tally.lines])
            for tally in tallies
        ]
        self.holders = self._holders(known)
        counts = self._store_requests(parts)
        for place, part in enumerate(parts):
            counted = counts[place].plus(self._store_dailies(part)).plus(self._store_ranges(part))
            if not (part.tally.actors or counted.new):
                # A directory; exports of usage that also teach who is who count their usage alone.
                counted = _Counted(learned[place], len(part.tally.members) - learned[place])
            counts[place] = counted
            self._store_sessions(part)
        refresh_ranges(self.rollups, self.spans)
        recorded = [
            Recorded(*counted, tally.days, [], tally.periods) for counted, tally in zip(counts, tallies, strict=True)
        ]
        after = {day: self.rollups.day_usd(day) for day in self.before}
        changes = [DayChange(d, self.before[d], after[d]) for d in sorted(after) if self.before[d] != after[d]]
        return [*recorded[:-1], recorded[-1]._replace(changes=changes, outdated=self.outdated)]

    def log(self, files: Sequence[FileTally], now: datetime, recorded: Sequence[Recorded]) -> None:
        if self.is_stream and self._is_logged_as_one(files[0], now, recorded[0]):
            return  # a stream brings one body at a time
        ids = [
            select_rows(self.connection, _LOG, (self.workspace_id, self.source_id, *_logged(file, now, what)))[0][0]
            for file, what in zip(files, recorded, strict=True)
        ]
        problems = [
            {"import_id": import_id, "row": problem.row, "problem": problem.problem.replace("\0", "�")}
            for import_id, file in zip(ids, files, strict=True)
            for problem in file.problems
        ]
        if problems:
            self.connection.execute(insert(import_problems), problems)

    def _is_logged_as_one(self, file: FileTally, now: datetime, recorded: Recorded) -> bool:
        """Add to what came from the same place a moment ago: a stream of small bodies is one arrival, not thousands."""
        table = imports.c
        query = (
            select(table.id, table.first_day, table.last_day)
            .where(
                table.workspace_id == self.workspace_id,
                table.source_id == self.source_id,
                table.path == file.path,
                table.imported_at > now - ONE_ARRIVAL,
            )
            .order_by(table.id.desc())
            .limit(1)
        )
        last = None if file.problems else self.connection.execute(query).first()
        if last is None:
            return False
        days = sorted({*recorded.days, *filter(None, (last.first_day, last.last_day))})
        self.connection.execute(
            update(imports)
            .where(table.id == last.id)
            .values(
                accepted=table.accepted + recorded.accepted,
                unchanged=table.unchanged + recorded.unchanged,
                restated=table.restated + recorded.restated,
                first_day=days[0] if days else None,
                last_day=days[-1] if days else None,
            )
        )
        return True

    def _rollup(self, day: int, actor_ids: Iterable[int]) -> DayRollup:
        """The roll-ups of a day before these actors' usage changes; the day's total is remembered."""
        when = number_day(day)
        people_ids = self._people_of(set(actor_ids))
        if when not in self.before:
            self.before[when] = self.rollups.day_usd(when)
        self.touched_people |= {(when, person) for person in people_ids}
        return self.rollups.of(when, people_ids)

    def _people_of(self, actor_ids: set[int]) -> set[int]:
        missing = sorted(actor_ids - self.person_of.keys())
        self.person_of |= {row[0]: row[1] for row in select_in(self.connection, _PERSON_OF, (), missing)}
        return {self.person_of[actor] for actor in actor_ids}

    def _store_sessions(self, part: _Part) -> None:
        """What a file says of a day's sessions takes the place of what was said."""
        rows = [
            {
                "workspace_id": self.workspace_id,
                "day": number_day(day),
                "source_id": self.source_id,
                "actor_id": part.actor_of[actor],
                "sessions": count,
            }
            for (day, actor), count in sorted(part.tally.sessions.items())
        ]
        for some in batches(rows, 1000):
            upsert(self.connection, session_days, list(some))

    # Sources that restate whole rows

    def _store_dailies(self, part: _Part) -> _Counted:
        tally, actor_of, line_of = part
        counted = _Counted()
        empty = set(self.whole_days)
        for day, (actors, lines, values, records) in tally.dailies():
            empty.discard(day)
            *counts, reported = values
            actor_ids, line_ids = map(actor_of.__getitem__, actors), map(line_of.__getitem__, lines)
            stated = [None if usd == NOT_STATED else usd for usd in reported]
            rows: list[Row] = list(zip(actor_ids, line_ids, *counts, stated, strict=True))
            more = {}
            if max(records, default=1) > 1:
                more = {row[:2]: count for row, count in zip(rows, records, strict=True) if count > 1}
            rows.sort()
            counted = counted.plus(self._store_day(day, rows, more))
        for day in sorted(empty):
            counted = counted.plus(self._store_day(day, [], {}))
        return counted

    def _holders(self, actors: Mapping[Actor, int]) -> dict[int, int]:
        """Who may hold the rows of some actors so far: see ``holders``."""
        found = {}
        if len(actors) == 1:
            (actor_id,) = actors.values()
            nobody = known_actors(self.connection, self.workspace_id, {THIS_MACHINE}).get(THIS_MACHINE)
            whose = select_rows(self.connection, "SELECT linked_by FROM actors WHERE id = ?", [nobody])
            if nobody is not None and nobody != actor_id and whose == [(None,)]:
                found[actor_id] = nobody
        keys = [actor_id for actor, actor_id in actors.items() if is_claude_code_key(actor)]
        return found | dict(select_in(self.connection, _KEY_OWNERS, (KEY_USER, f"{ERASED}%"), keys))

    def _store_day(self, day: int, rows: list[Row], more: Mapping[Row, int]) -> _Counted:
        """Store the rows that a file has of a day, in the order of their actors and lines.

        Rows whose actor and line are in ``more`` are the sum of so many records, all others of one.
        """
        is_whole, source_day = day in self.whole_days, (self.workspace_id, day, self.source_id)
        records = len(rows) + sum(more.values()) - len(more)
        stored = self._existing_dailies(day, None if is_whole else {row[0] for row in rows})
        if stored == rows:
            return _Counted(same=records)
        existing = {row[:2]: row for row in stored}
        new, changed = [] if stored else rows, []
        same = restated = 0
        for row in rows if stored else ():
            key = row[:2]
            before = existing.pop(key, None)
            if before is None:
                new.append(row)
            elif before == row or self._is_outdated(row[2:], before[2:], day):
                same += more.get(key, 1)
            else:
                restated += more.get(key, 1)
                changed.append(row)
        gone = self._gone(existing, rows) if is_whole else []
        removed = len(gone)
        gone += self._told_before(day, rows, new, existing)
        if new or changed or gone:
            rollup = self._rollup(day, [*(row[0] for row in (*new, *changed)), *(actor for actor, _ in gone)])
            for key in gone:
                run_sql(self.connection, _DELETE_DAILY, (*source_day, *key))
            insert_rows(self.connection, usage_daily, new, source_day)
            replace_rows(self.connection, usage_daily, changed, source_day)
            rollup.refresh([(self.source_id, *row) for row in new] if rollup.was_empty else None)
        return _Counted(records - same - restated, same, restated + removed)

    def _told_before(self, day: int, rows: list[Row], new: list[Row], existing: Mapping[Row, Row]) -> list[Row]:
        """The actors and lines of stored rows that a file says in another way, or under another name.

        ``existing`` are those of the file's actors that it does not have.
        """
        found: set[Row] = set()
        if existing and self.source in RETOLD and not self._is_older(day):
            kinds = self._kinds({key[1] for key in existing} | {row[1] for row in rows}, *RETOLD[self.source])
            told = {(row[0], kinds[row[1]]) for row in rows}
            found |= {key for key in existing if (key[0], kinds[key[1]]) in told}
        holders = {self.holders[row[0]] for row in rows if row[0] in self.holders}
        held = self._existing_dailies(day, holders) if holders and new else []
        same = {(self.holders[row[0]], *row[1:]) for row in new if row[0] in self.holders}
        found |= {row[:2] for row in held if row in same}
        if self.source == _BLOCKS:
            found |= self._old_blocks(rows, [*existing.values(), *held])
        return sorted(found)

    def _old_blocks(self, rows: list[Row], stored: list[Row]) -> set[Row]:
        """Stored rows of older versions, which added up the blocks of a day, that these blocks come to as well."""
        sql = "SELECT id FROM usage_lines WHERE part = 'blocks' AND id IN"
        old = {line_id for (line_id,) in select_in(self.connection, sql, (), sorted({row[1] for row in stored}))}
        kinds = self._kinds(old | {row[1] for row in rows}, "part")
        whole: dict[tuple[int, int], list[Row]] = defaultdict(list)
        for row in rows:
            whole[row[0], kinds[row[1]]].append(row[2:])
        sums = {(kind, *_sum(some)) for (_, kind), some in whole.items()}
        return {row[:2] for row in stored if row[1] in old and (kinds[row[1]], *row[2:]) in sums}

    def _is_outdated(self, values: Row, before: Row, day: int) -> bool:
        """Whether an older export would take away from what is stored of a day."""
        if _size(values) >= _size(before) or not self._is_older(day):
            return False
        self.outdated += 1
        return True

    def _is_older(self, day: int) -> bool:
        """Whether another export of the source, that was written long after this one, told of a day as well."""
        if self.written_at is None:
            return False
        if day not in self._newest:
            sql = (
                "SELECT MAX(written_at) FROM imports "
                "WHERE workspace_id = ? AND source_id = ? AND first_day <= ? AND last_day >= ?"
            )
            ((self._newest[day],),) = select_rows(self.connection, sql, (self.workspace_id, self.source_id, day, day))
        newest = self._newest[day]
        return newest is not None and self.written_at < instant(newest) - OLDER_BY

    def _gone(self, missing: Iterable[Row], rows: list[Row]) -> list[Row]:
        """Which of the actors and lines that an answer about a whole day lacks are gone: those of its organization."""
        keys = list(missing)
        if not keys:
            return []
        sql = "SELECT id, part FROM usage_lines WHERE id IN"
        parts = select_in(self.connection, sql, (), sorted({key[1] for key in keys} | {row[1] for row in rows}))
        organization = {line_id: match[0] for line_id, part in parts if (match := _ORGANIZATION_ID.search(part))}
        if len(set(organization.values())) < 2:
            return keys
        said = {organization.get(row[1]) for row in rows}
        return [key for key in keys if organization.get(key[1]) in said]

    def _existing_dailies(self, day: int, actors_of_file: set[int] | None) -> list[Row]:
        """What is stored of a day, as rows without what is the same in all, in the order of the primary key.

        Of some actors only, unless they are many.
        """
        fixed = (self.workspace_id, day, self.source_id)
        if actors_of_file is None or len(actors_of_file) > _FEW_ACTORS:
            return sorted(select_rows(self.connection, _DAILY, fixed))
        return sorted(select_in(self.connection, f"{_DAILY} AND actor_id IN", fixed, sorted(actors_of_file)))

    # Sources that know single requests

    def _store_requests(self, parts: list[_Part]) -> list[_Counted]:
        former = {key: one.request.former for part in parts for key, one in part.tally.requests.items()}
        existing = self._existing_requests({*former, *filter(None, former.values())})
        first = set(existing)
        source = (self.workspace_id, self.source_id)
        rows: dict[bytes, Row] = {}
        touched: _Touched = defaultdict(set)
        series: set[bytes] = set()
        counts: list[_Counted] = []
        for tally, actor_of, line_of in parts:
            named = {actor_of[place] for actor, place in tally.actors.items() if actor.kind == "email"}
            new = same = 0
            for said, one in tally.requests.items():
                actor_id = actor_of[one.actor]
                key = self._stored_key(said, one.request.former, actor_id, existing)
                before = existing.get(key)
                if before is None:
                    new += 1
                elif _replaces(one, actor_id, actor_id in named, before) and not (
                    one.request.restates and self._is_outdated(_stored(one.values), before[_LINE + 1 :], one.day)
                ):
                    touched[before[_DAY]].add(before[_ACTOR])
                    touched[one.day].add(actor_id)
                else:
                    same += 1
                    continue
                _, at, is_sidechain, counting, restates, _ = one.request
                stored = _stored(one.values)
                row = (*source, key, _milliseconds(at), is_sidechain, counting, one.day, actor_id, line_of[one.line])
                rows[key] = existing[key] = (*row, *stored)
                if counting is not None:
                    series.add(counting)
                if counting is not None or restates:
                    # Reports restate, and may hold the same day as a whole as well, which their requests replace.
                    touched[one.day].add(actor_id)
            counts.append(_Counted(new, same, len(tally.requests) - new - same))
        self._touch_later_days(series, touched)
        added = [rows[key] for key in sorted(rows.keys() - first)]
        grown = _sums([row for row in added if row[_ACTOR] not in touched.get(row[_DAY], ())])
        # Roll-ups look at the day as it was before, so they are made before anything is written.
        days = sorted(touched.keys() | grown.keys())
        rollups = [self._rollup(day, {*touched.get(day, ()), *(a for a, _ in grown.get(day, ()))}) for day in days]
        if self.is_kept or touched:
            insert_rows(self.connection, seen_requests, added)
        replace_rows(self.connection, seen_requests, [rows[key] for key in sorted(rows.keys() & first)])
        self._add_up_requests(touched)
        for day in sorted(grown):
            self._add_to_day(day, grown[day])
        for rollup in rollups:
            rollup.refresh()
        return counts

    def _stored_key(self, key: bytes, former: bytes | None, actor_id: int, existing: Mapping[bytes, Row]) -> bytes:
        """The key that a request is stored under, or will be."""
        is_known = former is not None and key not in existing and former in existing
        return former if former is not None and is_known and existing[former][_ACTOR] == actor_id else key

    def _existing_requests(self, keys: Iterable[bytes]) -> dict[bytes, Row]:
        where, mine = f"{_REQUEST} WHERE workspace_id = ? AND source_id = ?", (self.workspace_id, self.source_id)
        if not select_rows(self.connection, f"{where} LIMIT 1", mine):
            return {}  # as at the first import, where looking each of them up would be in vain
        found = select_in(self.connection, f"{where} AND key IN", mine, sorted(keys))
        return {bytes(row[_KEY]): row for row in found}

    def _touch_later_days(self, series: set[bytes], touched: _Touched) -> None:
        """A count since a start also decides what is left for the days after it."""
        where = "SELECT day, actor_id FROM seen_requests WHERE workspace_id = ? AND source_id = ? AND series IN"
        for day, actor_id in select_in(self.connection, where, (self.workspace_id, self.source_id), sorted(series)):
            touched[day].add(actor_id)

    def _add_to_day(self, day: int, sums: dict[tuple[int, int], Row]) -> None:
        """Requests that are new, and of which nothing was known before, are added to what the day has."""
        stored = {row[:2]: row[2:] for row in self._existing_dailies(day, {actor for actor, _ in sums})}
        keys, source_day = sorted(sums), (self.workspace_id, day, self.source_id)
        new = [(*key, *sums[key]) for key in keys if key not in stored]
        insert_rows(self.connection, usage_daily, new, source_day)
        grown = [(*key, *_sum([sums[key], stored[key]])) for key in keys if key in stored]
        replace_rows(self.connection, usage_daily, grown, source_day)

    def _add_up_requests(self, touched: _Touched) -> None:
        """Make usage_daily of the touched days and actors the sum of their requests again."""
        for day, used_by in touched.items():
            for some in batches(sorted(used_by), _FEW_ACTORS):
                self._add_up_day(day, some)

    def _add_up_day(self, day: int, actor_ids: Any) -> None:
        places = ", ".join("?" * len(actor_ids))
        fixed = [self.workspace_id, self.source_id, day]
        known = f"workspace_id = ? AND source_id = ? AND day = ? AND actor_id IN ({places})"
        run_sql(self.connection, f"DELETE FROM usage_daily WHERE {known}", [*fixed, *actor_ids])  # noqa: S608
        columns = [column.name for column in COUNTS(seen_requests)]
        sums = ", ".join(f"SUM({name})" for name in (*columns, "reported_usd"))
        single = f"SELECT day, actor_id, line_id, {', '.join(columns)}, reported_usd FROM seen_requests WHERE {known}"  # noqa: S608
        parts, values = f"{single} AND series IS NULL", [*fixed, *actor_ids]
        if select_rows(self.connection, f"{single} AND series IS NOT NULL LIMIT 1", values):
            parts = f"{parts} UNION ALL {self._counted_since(known, columns)}"
            values = [*values, self.workspace_id, self.source_id, *values, day]
        rows = select_rows(
            self.connection,
            f"SELECT actor_id, line_id, {sums} FROM ({parts}) AS used GROUP BY actor_id, line_id",  # noqa: S608
            values,
        )
        used = [tuple(None if value is None else int(value) for value in row) for row in rows]
        source_day = (self.workspace_id, day, self.source_id)
        insert_rows(self.connection, usage_daily, sorted(used, key=lambda row: row[:2]), source_day)

    def _counted_since(self, known: str, columns: list[str]) -> str:
        """SQL for the shares of a day of what counts up since a start, with the columns of single requests."""
        # What counted up since a start before this day was used on the days before.
        earlier = ", ".join(f"{name} - COALESCE(LAG({name}) OVER since, 0) AS {name}" for name in columns)
        reported = "reported_usd - COALESCE(LAG(reported_usd) OVER since, 0) AS reported_usd"
        counting = (
            f"SELECT day, actor_id, line_id, {earlier}, {reported} FROM seen_requests "  # noqa: S608
            "WHERE workspace_id = ? AND source_id = ? AND series IN (SELECT series FROM seen_requests "
            f"WHERE {known} AND series IS NOT NULL) WINDOW since AS (PARTITION BY series ORDER BY day)"
        )
        return f"SELECT * FROM ({counting}) AS counted WHERE day = ?"  # noqa: S608

    # Sources that know no days

    def _store_ranges(self, part: _Part) -> _Counted:
        tally, actor_of, line_of = part
        new: list[Row] = []
        changed: list[Row] = []
        counted = _Counted()
        chains = {(key.start, key.until) for key in tally.ranges}
        stored = {chain: self._existing_ranges(*chain) for chain in chains}
        source = (self.workspace_id, self.source_id)
        rows = sorted(
            (*source, key.start, key.until, actor_of[key.actor], line_of[key.line], *values)
            for key, values in tally.ranges.items()
        )
        replaced = self._replaced_ranges([row[2:6] for row in rows], stored, is_sessions=tally.view == SESSION)
        gone: list[Row] = []
        for row in rows:
            start, until, actor_id, line_id = row[2:6]
            before, others = stored[start, until].get((actor_id, line_id)), replaced[row[2:6]]
            is_known_later = any((other[1], other[0]) > (until, start) for other in others)
            if is_known_later or before == row[6:]:
                counted = counted.plus(_Counted(same=1))
                continue
            counted = counted.plus(_Counted(restated=1) if before or others else _Counted(new=1))
            (new if before is None else changed).append((*row[:6], *_stored(row[6:])))
            gone += others
        for key in gone:
            run_sql(self.connection, _DELETE_RANGE, (*source, *key))
        insert_rows(self.connection, usage_ranges, new)
        replace_rows(self.connection, usage_ranges, changed)
        spans = {Span(until, start, self.source_id) for start, until, *_ in (*gone, *chains)}
        if new or changed:
            self.spans |= spans
            if tally.view != SESSION:
                for start in sorted({span.start for span in spans}):
                    self._tell_days_apart(start)
        return counted

    def _replaced_ranges(
        self, keys: list[Row], stored: Mapping[tuple[int, int], Iterable[Row]], *, is_sessions: bool
    ) -> dict[Row, list[Row]]:
        """By start, until, actor and line of a new row the same of stored ones that say the same in another way.

        These differ in billing alone, or are of the same session, which has gone on.
        """
        if is_sessions:
            sql = "SELECT start, until, actor_id, line_id FROM usage_ranges WHERE workspace_id = ? AND source_id = ?"
            actors = sorted({key[2] for key in keys})
            mine = (self.workspace_id, self.source_id)
            rows = list(select_in(self.connection, f"{sql} AND actor_id IN", mine, actors))
            same: Callable[[Row], Row] = itemgetter(2, 3)
        else:
            rows = [(*chain, *key) for chain, total in stored.items() for key in total]
            kinds = self._kinds({key[3] for key in (*keys, *rows)}, "billing")
            same = lambda key: (*key[:3], kinds[key[3]])  # noqa: E731
        others: dict[Row, list[Row]] = defaultdict(list)
        for key in set(rows).difference(keys):
            others[same(key)].append(key)
        return {key: others.pop(same(key), []) for key in keys}

    def _existing_ranges(self, start: int, until: int) -> dict[tuple[int, int], Values]:
        sql = (
            f"SELECT actor_id, line_id, {_COUNT_NAMES}, reported_usd FROM usage_ranges "  # noqa: S608
            "WHERE workspace_id = ? AND source_id = ? AND start = ? AND until = ?"
        )
        rows = select_rows(self.connection, sql, (self.workspace_id, self.source_id, start, until))
        return {(row[0], row[1]): (*row[2:-1], NOT_STATED if row[-1] is None else row[-1]) for row in rows}

    def _tell_days_apart(self, start: int) -> None:
        """Make days of totals that start on the same day and end on successive ones."""
        sql = "SELECT DISTINCT until FROM usage_ranges WHERE workspace_id = ? AND source_id = ? AND start = ?"
        ends = sorted(row[0] for row in select_rows(self.connection, sql, (self.workspace_id, self.source_id, start)))
        stored = [self._existing_ranges(start, end) for end in ends]
        kinds = self._kinds({line_id for total in stored for _, line_id in total}, "billing")
        if any(len({(actor_id, kinds[line_id]) for actor_id, line_id in total}) < len(total) for total in stored):
            kinds = {line_id: line_id for line_id in kinds}  # one report itself tells them apart
        # One day what a seat covers, the next day paid for: the same usage all the same.
        totals = [{(who, kinds[line]): values for (who, line), values in total.items()} for total in stored]
        lines = [{(actor_id, kinds[line_id]): line_id for actor_id, line_id in sorted(total)} for total in stored]
        line_of = dict(zip((start, *ends), lines, strict=False))  # a total's last day begins where the one before ends
        actor_ids = {actor_id for total in stored for actor_id, _ in total}
        for day, rows in day_differences(start, ends, totals).items():
            self._replace_day(day, {(key[0], line_of[day][key]): values for key, values in rows.items()}, actor_ids)

    def _kinds(self, line_ids: set[int], *without: str) -> dict[int, int]:
        """For each line the first of those that differ in some columns alone."""
        every = (column.name for column in (*LINE, usage_lines.c.part, usage_lines.c.vendor))
        columns = [name for name in every if name not in without]
        sql = f"SELECT id, {', '.join(columns)} FROM usage_lines WHERE id IN"  # noqa: S608
        first: dict[Row, int] = {}
        found = sorted(select_in(self.connection, sql, (), sorted(line_ids)))
        return {row[0]: first.setdefault(row[1:], row[0]) for row in found}

    def _replace_day(self, day: int, rows: dict[tuple[int, int], Values], actor_ids: set[int]) -> None:
        """Make what a source says of some actors' day exactly these rows."""
        before = [row for row in self._existing_dailies(day, actor_ids) if row[0] in actor_ids]
        wanted = [(*key, *_stored(rows[key])) for key in sorted(rows)]
        if before == wanted:
            return  # as most days of a chain, of which the newest total tells the last one alone
        rollup = self._rollup(day, {row[0] for row in (*before, *wanted)})
        source_day = (self.workspace_id, day, self.source_id)
        run_in(self.connection, _DELETE_ACTORS_DAY, source_day, sorted({row[0] for row in before}))
        insert_rows(self.connection, usage_daily, wanted, source_day)
        rollup.refresh()


_DELETE_RANGE = (
    "DELETE FROM usage_ranges WHERE workspace_id = ? AND source_id = ? "
    "AND start = ? AND until = ? AND actor_id = ? AND line_id = ?"
)
_DELETE_ACTORS_DAY = "DELETE FROM usage_daily WHERE workspace_id = ? AND day = ? AND source_id = ? AND actor_id IN"
_DELETE_DAILY = (
    "DELETE FROM usage_daily WHERE workspace_id = ? AND day = ? AND source_id = ? AND actor_id = ? AND line_id = ?"
)
_KEY_OWNERS = (
    "SELECT actors.id, owner.id FROM actors JOIN actors AS owner ON owner.person_id = actors.person_id "
    "AND owner.kind = ? WHERE actors.name LIKE ? AND actors.id IN"
)
_PERSON_OF = "SELECT id, person_id FROM actors WHERE id IN"


def day_differences(
    start: int, ends: list[int], totals: list[dict[tuple[int, int], Values]]
) -> dict[int, dict[tuple[int, int], Values]]:
    """The days that totals since ``start`` tell apart: those whose neighbours end one day apart.

    ``ends`` are the days after the last of each total, ascending. Where a later total is smaller, the later one is
    right: the earlier ones are cut down to it, so that the days always add up to the newest total.
    """
    found: dict[int, dict[tuple[int, int], Values]] = {}
    cut = totals[-1:]
    for total in reversed(totals[:-1]):
        following = cut[0]
        cut.insert(0, {key: _smaller(values, following[key]) for key, values in total.items() if key in following})
    before: dict[tuple[int, int], Values] = {}
    since = start
    for end, total in zip(ends, cut, strict=True):
        if (number_day(end) - number_day(since)).days == 1:
            found[since] = {
                key: difference
                for key, values in total.items()
                if any((difference := _difference(values, before.get(key)))[:-1]) or difference[-1] > 0
            }
        before, since = total, end
    return found


def _sums(requests: list[Row]) -> dict[int, dict[tuple[int, int], Row]]:
    """Counts and stated nanodollars of rows of seen_requests, by day, then actor and line."""
    found: dict[tuple[int, int, int], list[Row]] = defaultdict(list)
    for row in requests:
        found[row[_DAY], row[_ACTOR], row[_LINE]].append(row[9:])
    by_day: dict[int, dict[tuple[int, int], Row]] = defaultdict(dict)
    for (day, actor_id, line_id), rows in found.items():
        by_day[day][actor_id, line_id] = _sum(rows)
    return by_day


def _sum(rows: list[Row]) -> Row:
    """Column by column, as SQL adds up: what is None does not count, and only nothing but None comes to None."""
    stated = ([value for value in column if value is not None] for column in zip(*rows, strict=True))
    return tuple(sum(values) if values else None for values in stated)


def _smaller(one: Values, other: Values) -> Values:
    return tuple(min(mine, theirs) for mine, theirs in zip(one, other, strict=True))


def _difference(values: Values, before: Values | None) -> Values:
    if before is None:
        return values
    counts = (mine - theirs for mine, theirs in zip(values[:-1], before[:-1], strict=True))
    is_stated = values[-1] != NOT_STATED
    return (*counts, values[-1] - max(before[-1], 0) if is_stated else NOT_STATED)


_LOGGED = "path, imported_at, written_at, accepted, rejected, unchanged, restated, first_day, last_day"
_LOG = (
    f"INSERT INTO imports (workspace_id, source_id, {_LOGGED}) "  # noqa: S608
    f"VALUES (?, ?, {', '.join('?' * len(_LOGGED.split(',')))}) RETURNING id"
)


def _logged(file: FileTally, now: datetime, what: Recorded) -> Row:
    written_at = None if file.written_at is None else int(min(file.written_at, now).timestamp())
    counts = (what.accepted, len(file.problems), what.unchanged, what.restated)
    days = (min(what.days, default=None), max(what.days, default=None))
    ends = (None if day is None else day_number(day) for day in days)
    return (file.path, int(now.timestamp()), written_at, *counts, *ends)


def _source_name(connection: Connection, workspace_id: int, format_name: str, tally: Tally) -> str:
    """The source that a file is of: its format, and which view of the usage, or whose where there are several.

    The organization whose reports came first needs no name in that of the source.
    """
    if not tally.view:
        return format_name
    named = f"{format_name}_{tally.view}"
    if not tally.is_of_one_organization:
        return named
    where = "FROM imports JOIN sources ON sources.id = source_id WHERE imports.workspace_id = ? AND name = ?"
    values = (workspace_id, format_name)
    is_first = not select_rows(connection, f"SELECT 1 {where} LIMIT 1", values)
    is_theirs = f"SELECT 1 {where} AND LOWER(path) LIKE ? LIMIT 1"
    return format_name if is_first or select_rows(connection, is_theirs, (*values, f"%{tally.view}%")) else named


def source_id(connection: Connection, workspace_id: int, name: str) -> int:
    """The id of a source, made where it is new."""
    sql, values = "SELECT id FROM sources WHERE workspace_id = ? AND name = ?", (workspace_id, name)
    found = select_rows(connection, sql, values)
    if not found:
        insert_missing(connection, sources, [{"workspace_id": workspace_id, "name": name}], "workspace_id", "name")
        found = select_rows(connection, sql, values)
    return int(found[0][0])


def _storable(line: Line) -> Line:
    """PostgreSQL holds no text with a NUL in it."""
    return tuple(word.replace("\0", "�") for word in line) if any("\0" in word for word in line) else line


def _line_ids(connection: Connection, wanted: Iterable[Line]) -> dict[Line, int]:
    columns = (*LINE, usage_lines.c.part, usage_lines.c.vendor)
    lines = sorted(wanted)
    found = _known_lines(connection, lines, columns)
    missing = [line for line in lines if line not in found]
    if missing:
        names = [column.name for column in columns]
        insert_missing(connection, usage_lines, [dict(zip(names, line, strict=True)) for line in missing], *names)
        found = _known_lines(connection, lines, columns)
    return found


def _known_lines(connection: Connection, lines: list[Line], columns: tuple[Any, ...]) -> dict[Line, int]:
    names = ", ".join(column.name for column in columns)
    sql = f"SELECT id, {names} FROM usage_lines WHERE model IN"  # noqa: S608
    wanted = set(lines)
    found = {row[1:]: row[0] for row in select_in(connection, sql, [], sorted({line[0] for line in lines}))}
    return {line: line_id for line, line_id in found.items() if line in wanted}


def _size(values: Row) -> tuple[int, int]:
    """Tokens and stated nanodollars of six counts and a cost."""
    return sum(values[:5]), values[6] or 0


def _stored(values: Values) -> tuple[Any, ...]:
    return (*values[:-1], None if values[-1] == NOT_STATED else values[-1])


def _replaces(one: SingleRequest, actor_id: int, is_person: bool, before: Row) -> bool:
    """A fuller version replaces; so does the same one once it is said whose it is, or on which day of a new zone."""
    *values, reported = before[_LINE + 1 :]
    kept = (*values, NOT_STATED if reported is None else reported)
    if one.request.restates and kept != one.values:
        return True
    is_fuller = fullness(one.request.sidechain, one.values) > fullness(bool(before[_SIDECHAIN]), kept)
    is_claimed = actor_id != before[_ACTOR] and is_person
    is_moved = one.day != before[_DAY] and _milliseconds(one.request.at) == before[_AT]
    return is_fuller or is_claimed or is_moved


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
