"""The state of live feeds: which is due and who runs it, what came of it, and which sources have fallen silent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from heapq import merge
from typing import Any, NamedTuple

from bot.store.builder import sa, tables
from bot.store.bulk import select_rows
from bot.store.connection import Connection
from bot.store.database import Database
from bot.store.upsert import insert_new
from bot.store.values import instant

MIN_ARRIVALS = 5
"""With fewer arrivals nobody can say what is usual for a source."""

MIN_DAYS = 3
"""So many days they must be of."""

MANY_ARRIVALS = 10
"""So many nobody makes by hand: of two days they say enough for a silence of a whole working day."""

REGULAR_DAYS = 10
"""Of arrivals on so many days the longest pause is left out: it may have been an outage, and the others say enough."""

LATELY = timedelta(days=21)
MIN_SILENCE = timedelta(hours=6)
NOTHING_NEW = timedelta(days=3)
"""Working time for which nobody wonders that a feed is answered with nothing new; then its key may see nothing more."""


FED_BY = {
    "claude_code_analytics_api": "Anthropic Admin API, usage",
    "analytics_cost": "Anthropic Admin API, cost (beta)",
}
"""The feed of each source that has one of its own, by name."""


class FeedState(NamedTuple):
    """One feed: when it last began, succeeded and failed, why, when it is due again, and the newest day it brought."""

    name: str
    started_at: datetime | None = None
    succeeded_at: datetime | None = None
    failed_at: datetime | None = None
    problem: str | None = None
    next_at: datetime | None = None
    newest_day: date | None = None
    received: int = 0

    @property
    def is_running(self) -> bool:
        """Whether a run began and has not ended yet."""
        ended = max(filter(None, (self.succeeded_at, self.failed_at)), default=None)
        return self.started_at is not None and (ended is None or self.started_at > ended)

    @property
    def is_failing(self) -> bool:
        """Whether the last run that ended failed."""
        return self.failed_at is not None and (self.succeeded_at is None or self.failed_at > self.succeeded_at)


class SilentSource(NamedTuple):
    """A source that brought something regularly and has not for longer than was ``usual`` on working days.

    ``last_at`` is when it last brought something, or when its feed last answered that there is nothing new.
    """

    name: str
    last_at: datetime
    usual: timedelta

    def is_given_up(self, now: datetime) -> bool:
        """Whether it has been silent for LATELY longer than anybody would wait for it."""
        return now - self.last_at > LATELY + 2 * self.usual


def _columns() -> list[sa.Column[Any]]:
    return [tables.feeds.c[name] for name in FeedState._fields]


def claim_feed(
    database: Database, name: str, now: datetime, until: datetime, *, latest: datetime, is_forced: bool = False
) -> FeedState | None:
    """Take a feed's next run if it is due and nobody else has taken it; its state before that run.

    It is due again after ``until`` if nothing is heard of the run. A run that is said to be due after the ``latest``
    moment that there can be was planned by a clock that was ahead, and is due as well. With ``is_forced`` it is taken
    whether it is due or not, because a person asks for it.
    """
    table = tables.feeds.c
    mine = (table.workspace_id == database.workspace_id, table.name == name)
    with database.write() as connection:
        row = {"workspace_id": database.workspace_id, "name": name, "received": 0}
        insert_new(connection, tables.feeds, row, "workspace_id", "name")
        before = connection.execute(sa.select(*_columns()).where(*mine)).one()
        due = sa.or_(table.next_at.is_(None), table.next_at <= now, table.next_at > latest)
        taken = (
            sa.update(tables.feeds).where(*mine, *([] if is_forced else [due])).values(started_at=now, next_at=until)
        )
        is_mine = connection.execute(taken).rowcount == 1
    return FeedState(*before) if is_mine else None


def hold_feed(database: Database, name: str, until: datetime) -> None:
    """Keep a feed to the process that runs it for longer: it is not due before ``until``."""
    _change(database, name, {"next_at": until})


def feed_succeeded(
    database: Database,
    name: str,
    now: datetime,
    next_at: datetime,
    newest_day: date | None,
    received: int,
    problem: str | None = None,
) -> None:
    """Keep that a run brought ``received`` rows, the newest of a day, and the first problem among what it brought."""
    _change(database, name, {"succeeded_at": now, "problem": problem, **_ended(next_at, newest_day, received)})


def feed_failed(
    database: Database,
    name: str,
    now: datetime,
    next_at: datetime,
    problem: str,
    newest_day: date | None = None,
    received: int = 0,
) -> None:
    """Keep why a run did not bring everything."""
    _change(database, name, {"failed_at": now, "problem": problem, **_ended(next_at, newest_day, received)})


def _ended(next_at: datetime, newest_day: date | None, received: int) -> dict[str, Any]:
    values: dict[str, Any] = {"next_at": next_at, "received": tables.feeds.c.received + received}
    if newest_day is None:
        return values
    known = tables.feeds.c.newest_day
    is_newer = sa.or_(known.is_(None), known < newest_day)
    return {**values, "newest_day": sa.case((is_newer, sa.literal(newest_day, known.type)), else_=known)}


def is_brought_otherwise(database: Database, source: str, path: str) -> bool:
    """Whether anything of a source came from elsewhere than the paths that begin like this one."""
    query = (
        sa.select(tables.imports.c.id)
        .join(tables.sources, tables.imports.c.source_id == tables.sources.c.id)
        .where(
            tables.imports.c.workspace_id == database.workspace_id,
            tables.sources.c.name == source,
            tables.imports.c.path.not_like(f"{path}%"),
        )
        .limit(1)
    )
    with database.read() as connection:
        return connection.execute(query).first() is not None


class Came(NamedTuple):
    """When a path was imported last without any row left out, and when last with any row; None where never."""

    whole_at: datetime | None
    told_at: datetime | None


def last_imports(database: Database, source: str, path: str, since: datetime, until: datetime) -> dict[str, Came]:
    """How each of the paths of a source that begin like this one came between two moments."""
    table = tables.imports.c
    is_whole, has_rows = table.rejected == 0, table.accepted + table.unchanged + table.restated > 0
    query = (
        sa.select(
            table.path,
            *(
                sa.func.max(sa.case((what, table.imported_at))).label(name)
                for what, name in zip((is_whole, has_rows), Came._fields, strict=True)
            ),
        )
        .join(tables.sources, table.source_id == tables.sources.c.id)
        .where(
            table.workspace_id == database.workspace_id,
            tables.sources.c.name == source,
            table.path.startswith(path, autoescape=True),
            table.imported_at.between(since, until),
        )
        .group_by(table.path)
    )
    with database.read() as connection:
        return {path: Came(*moments) for path, *moments in connection.execute(query)}


class Arrival(NamedTuple):
    """When something came last, and the newest day of all that came."""

    at: datetime
    newest_day: date | None


def last_arrival(database: Database, path: str) -> Arrival | None:
    """What came under a path, as all does that is sent to us; None where nothing ever came that could be read."""
    table = tables.imports.c
    came = (
        table.workspace_id == database.workspace_id,
        table.path == path,
        table.accepted + table.unchanged + table.restated > 0,
        table.last_day.is_not(None),
    )
    # The newest by each index, where a maximum would look through all that ever came.
    latest, newest = (
        sa.select(column).where(*came).order_by(column.desc()).limit(1)
        for column in (table.imported_at, table.last_day)
    )
    with database.read() as connection:
        at, newest_day = connection.execute(latest).scalar(), connection.execute(newest).scalar()
    return None if at is None else Arrival(at, newest_day)


def last_problem(database: Database, path: str, since: datetime) -> str | None:
    """What was wrong last with what came under a path since a moment; None where nothing was."""
    imports, problems = tables.imports.c, tables.import_problems.c
    query = (
        sa.select(problems.problem)
        .join_from(tables.import_problems, tables.imports, problems.import_id == imports.id)
        .where(imports.workspace_id == database.workspace_id, imports.path == path, imports.imported_at > since)
        .order_by(imports.imported_at.desc(), problems.id.desc())
        .limit(1)
    )
    with database.read() as connection:
        found: str | None = connection.execute(query).scalar()
    return found


def feed_states(database: Database) -> list[FeedState]:
    """Every feed that ever ran, by name."""
    query = (
        sa.select(*_columns()).where(tables.feeds.c.workspace_id == database.workspace_id).order_by(tables.feeds.c.name)
    )
    with database.read() as connection:
        return [FeedState(*row) for row in connection.execute(query)]


def silent_sources(
    database: Database,
    now: datetime,
    worked: Callable[[datetime, datetime], timedelta],
    reader_of: Callable[[str], str],
) -> list[SilentSource]:
    """Sources that have brought nothing for longer than one and a half times the longest pause lately.

    Pauses are ``worked`` time between two moments: nobody is surprised by a night that is like the others, nor by a
    weekend. What one reader reads is one source, as an export that gains a column becomes another view of it. A source
    whose feed is answered is not silent, if with nothing new: on a day off there is none. Nothing new for longer than
    NOTHING_NEW is a silence all the same.
    """
    found, views = [], defaultdict(list)
    with database.read() as connection:
        moment = int(now.timestamp())
        answered: dict[str | None, int] = dict(select_rows(connection, _ANSWERED, (database.workspace_id, moment)))
        for source_id, name in select_rows(connection, _SOURCES, [database.workspace_id]):
            views[reader_of(name)].append((database.workspace_id, source_id))
        for name, sources_of in views.items():
            arrivals = merge(*(_arrivals(connection, source, now) for source in sources_of), reverse=True)
            last = next(arrivals, None)
            if last is None:
                continue
            last_at, answered_at = instant(last), instant(max(last, answered.get(FED_BY.get(name), last)))
            last_at = answered_at if worked(last_at, answered_at) <= NOTHING_NEW else last_at
            silence = worked(last_at, now) if now - last_at >= MIN_SILENCE else timedelta(0)
            usual = _longest_pause(last, arrivals, silence, worked) if silence > MIN_SILENCE else None
            if usual is not None:
                found.append(SilentSource(name, last_at, usual))
    return sorted(found)


def _longest_pause(
    last: int, arrivals: Iterator[int], silence: timedelta, worked: Callable[[datetime, datetime], timedelta]
) -> timedelta | None:
    """The longest usual pause between ``last`` and the ``arrivals`` before it, of which the newest comes first.

    Where LATELY has too few, as of a weekly export, so many count as say enough. None where a pause shows that a
    silence is nothing unusual, and where there are too few to say.
    """
    second, longest, later, since = timedelta(0), timedelta(0), last, last - int(LATELY.total_seconds())
    hours, days = {last // 3600}, {last // 86400}

    def is_enough() -> bool:
        is_often = len(hours) >= MANY_ARRIVALS and len(days) > 1 and silence > timedelta(days=1)
        return is_often or (len(hours) >= MIN_ARRIVALS and len(days) >= MIN_DAYS)

    for earlier in arrivals:
        if earlier <= since and is_enough():
            break
        if timedelta(seconds=later - earlier) > second:
            _, second, longest = sorted((second, longest, worked(instant(earlier), instant(later))))
            if silence <= _bound(second):
                return None
        later = earlier
        hours.add(earlier // 3600)
        days.add(earlier // 86400)
    usual = second if len(days) >= REGULAR_DAYS else longest
    return usual if is_enough() and silence > _bound(usual) else None


def _bound(usual: timedelta) -> timedelta:
    """How long a silence may be that is as good as usual."""
    return max(usual * 3 / 2, usual + timedelta(hours=1))


def _arrivals(connection: Connection, source: tuple[int, int], now: datetime) -> Iterator[int]:
    """When a source brought something, the newest first, and nothing that a clock that was ahead has put there.

    Most are asked for the newest alone.
    """
    found = select_rows(connection, _NEWEST, (*source, int(now.timestamp())))
    while found:
        yield from (at for (at,) in found)
        found = select_rows(connection, _EARLIER, (*source, found[-1][0]))


# Every digest asks these; the query builder takes longer to ask than they take to answer.
_SOURCES = "SELECT id, name FROM sources WHERE workspace_id = ?"
_ANSWERED = "SELECT name, succeeded_at FROM feeds WHERE workspace_id = ? AND succeeded_at <= ?"
_NEWS = "SELECT imported_at FROM imports WHERE workspace_id = ? AND source_id = ? AND accepted + restated > 0"
_NEWEST = f"{_NEWS} AND imported_at <= ? ORDER BY imported_at DESC LIMIT 1"
_EARLIER = f"{_NEWS} AND imported_at < ? ORDER BY imported_at DESC LIMIT 200"


def _change(database: Database, name: str, values: dict[str, Any]) -> None:
    mine = (tables.feeds.c.workspace_id == database.workspace_id, tables.feeds.c.name == name)
    with database.write() as connection:
        row = {"workspace_id": database.workspace_id, "name": name, "received": 0}
        insert_new(connection, tables.feeds, row, "workspace_id", "name")
        connection.execute(sa.update(tables.feeds).where(*mine).values(**values))
