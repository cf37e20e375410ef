"""Writing usage: an export's records become daily rows, roll-ups and alerts owed, in one transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import BigInteger, Connection, and_, cast, delete, insert, literal, select, tuple_

from bot.pricing import PriceBook, TokenUsage
from bot.spend.alerts import MAX_AGE_DAYS, newly_reached
from bot.spend.amounts import Amount, amount
from bot.spend.precedence import SourceDay, fullest
from bot.spend.records import Problem, Request, UsageRecord
from bot.store import deliveries
from bot.store.database import Database
from bot.store.people import actor_ids
from bot.store.quantities import COUNTS, LINE, day_quantities, read_quantity, summed
from bot.store.tables import (
    actors,
    day_number,
    import_problems,
    imports,
    model_days,
    people,
    person_days,
    seen_requests,
    sources,
    to_nano,
    usage_daily,
    usage_lines,
)
from bot.store.upsert import BATCH, insert_missing, upsert


class DayChange(NamedTuple):
    """The team's total of a day before and after an import, in US dollars."""

    day: date
    before: Decimal
    after: Decimal


class Recorded(NamedTuple):
    """What an import did: rows that are new, rows that were there already, and rows whose figures changed."""

    accepted: int
    unchanged: int
    restated: int
    days: list[date]
    changes: list[DayChange]


class AlertPolicy(NamedTuple):
    """The limit for people without one of their own, and the day that counts as today."""

    limit_usd: Decimal
    today: date


class _DailyKey(NamedTuple):
    day: date
    actor_id: int
    line_id: int


_T = TypeVar("_T")
_Values = tuple[int, ...]
_Line = tuple[str, ...]


def record(
    database: Database,
    source: str,
    records: list[UsageRecord],
    problems: list[Problem],
    path: str,
    now: datetime,
    policy: AlertPolicy,
    book: PriceBook,
    *,
    keep: bool = True,
) -> Recorded:
    """Store one file's records and say what changed. All or nothing; the same file again changes nothing.

    Records of single requests are kept once per request, the fullest version of each. Other records replace the row of
    the same source, day, actor, model, conditions and part. With ``keep=False`` everything is worked out and undone.
    """
    with database.write_usage() as connection:
        writer = _Writer(connection, database.workspace_id, source, book)
        recorded = writer.store(records)
        writer.log(path, now, recorded, problems)
        if recorded.accepted or recorded.restated:
            _owe_alerts(connection, database.workspace_id, writer.touched_people, policy, now)
        if not keep:
            connection.rollback()
    return recorded


def rebuild_rollups(database: Database, book: PriceBook) -> None:
    """Work out every roll-up again, as after a change of the price book."""
    with database.write_usage() as connection:
        query = select(usage_daily.c.day, usage_daily.c.actor_id).where(
            usage_daily.c.workspace_id == database.workspace_id
        )
        touched = {(row.day, row.actor_id) for row in connection.execute(query.distinct())}
        _refresh(connection, database.workspace_id, touched, book)


class _Writer:
    """One file on its way into the tables of one source."""

    def __init__(self, connection: Connection, workspace_id: int, source: str, book: PriceBook) -> None:
        self.connection = connection
        self.workspace_id = workspace_id
        self.book = book
        self.source_id = self._source_id(source)
        self.touched_people: set[tuple[date, int]] = set()

    def store(self, records: list[UsageRecord]) -> Recorded:
        actor_of = actor_ids(self.connection, self.workspace_id, {record.actor for record in records})
        line_of = _line_ids(self.connection, {_line(record) for record in records})
        singles = [(record.request, record) for record in records if record.request is not None]
        dailies = [record for record in records if record.request is None]
        new, same, restated, touched = self._store_requests(singles, actor_of, line_of)
        more = self._store_dailies(dailies, actor_of, line_of)
        new, same, restated, touched = new + more[0], same + more[1], restated + more[2], touched | more[3]
        before = self._totals({day for day, _ in touched})
        self.touched_people = _refresh(self.connection, self.workspace_id, touched, self.book)
        after = self._totals({day for day, _ in touched})
        changes = [DayChange(day, before[day], after[day]) for day in sorted(after) if before[day] != after[day]]
        return Recorded(new, same, restated, sorted({record.day for record in records}), changes)

    def log(self, path: str, now: datetime, recorded: Recorded, problems: list[Problem]) -> None:
        row = imports.insert().values(
            workspace_id=self.workspace_id,
            source_id=self.source_id,
            path=path,
            imported_at=now,
            accepted=recorded.accepted,
            rejected=len(problems),
            unchanged=recorded.unchanged,
            restated=recorded.restated,
            first_day=min(recorded.days, default=None),
            last_day=max(recorded.days, default=None),
        )
        import_id = self.connection.execute(row.returning(imports.c.id)).scalar_one()
        if problems:
            self.connection.execute(
                insert(import_problems), [{"import_id": import_id, **problem._asdict()} for problem in problems]
            )

    def _source_id(self, name: str) -> int:
        insert_missing(
            self.connection, sources, [{"workspace_id": self.workspace_id, "name": name}], "workspace_id", "name"
        )
        query = select(sources.c.id).where(sources.c.workspace_id == self.workspace_id, sources.c.name == name)
        return int(self.connection.execute(query).scalar_one())

    def _totals(self, days: set[date]) -> dict[date, Decimal]:
        found = {day: Amount() for day in days}
        for quantity in day_quantities(self.connection, self.workspace_id, days):
            found[quantity.day] = found[quantity.day].plus(amount(quantity, self.book))
        return {day: cost.usd for day, cost in found.items()}

    # Sources that restate whole rows

    def _store_dailies(
        self, records: list[UsageRecord], actor_of: Mapping[Any, int], line_of: Mapping[_Line, int]
    ) -> tuple[int, int, int, set[tuple[date, int]]]:
        rows: dict[_DailyKey, _Values] = {}
        spread: dict[_DailyKey, int] = defaultdict(int)
        for record in records:
            key = _DailyKey(record.day, actor_of[record.actor], line_of[_line(record)])
            rows[key] = _added(rows.get(key), _values(record))
            spread[key] += 1
        existing = self._existing_dailies(rows)
        changed = {key: values for key, values in rows.items() if existing.get(key) != values}
        upsert(self.connection, usage_daily, [self._daily_row(key, changed[key]) for key in sorted(changed)])
        same = sum(spread[key] for key in rows if key not in changed)
        restated = sum(spread[key] for key in changed if key in existing)
        return len(records) - same - restated, same, restated, {(key.day, key.actor_id) for key in changed}

    def _existing_dailies(self, rows: Mapping[_DailyKey, _Values]) -> dict[_DailyKey, _Values]:
        table = usage_daily.c
        found: dict[_DailyKey, _Values] = {}
        for days in _batches(sorted({key.day for key in rows})):
            query = select(table.day, table.actor_id, table.line_id, *COUNTS(usage_daily), table.reported_usd).where(
                table.workspace_id == self.workspace_id, table.source_id == self.source_id, table.day.in_(days)
            )
            for day, actor_id, line_id, *counts, reported in self.connection.execute(query):
                found[_DailyKey(day, actor_id, line_id)] = (*counts, _nano(reported))
        return found

    def _daily_row(self, key: _DailyKey, values: _Values) -> dict[str, Any]:
        return {
            "workspace_id": self.workspace_id,
            "source_id": self.source_id,
            **key._asdict(),
            **_columns(values),
        }

    # Sources that know single requests

    def _store_requests(
        self, records: list[tuple[Request, UsageRecord]], actor_of: Mapping[Any, int], line_of: Mapping[_Line, int]
    ) -> tuple[int, int, int, set[tuple[date, int]]]:
        best: dict[bytes, tuple[Request, UsageRecord]] = {}
        for request, record in records:
            if request.key not in best or _fullness(request, record) > _fullness(*best[request.key]):
                best[request.key] = (request, record)
        existing = self._existing_requests(list(best))
        touched: set[tuple[date, int]] = set()
        rows, same, restated = [], 0, 0
        for key, (request, record) in best.items():
            actor_id, line_id = actor_of[record.actor], line_of[_line(record)]
            before = existing.get(key)
            if before is not None and not _replaces(request, record, actor_id, before):
                same += 1
                continue
            if before is not None:
                restated += 1
                touched.add((before.day, before.actor_id))
            touched.add((record.day, actor_id))
            rows.append(self._request_row(request, record, actor_id, line_id))
        upsert(self.connection, seen_requests, rows)
        self._add_up_requests(touched)
        return len(best) - same - restated, same, restated, touched

    def _existing_requests(self, keys: list[bytes]) -> dict[bytes, Any]:
        table = seen_requests.c
        found: dict[bytes, Any] = {}
        for some in _batches(keys):
            query = select(seen_requests).where(
                table.workspace_id == self.workspace_id, table.source_id == self.source_id, table.key.in_(some)
            )
            found.update((bytes(row.key), row) for row in self.connection.execute(query))
        return found

    def _request_row(self, request: Request, record: UsageRecord, actor_id: int, line_id: int) -> dict[str, Any]:
        return {
            "workspace_id": self.workspace_id,
            "source_id": self.source_id,
            "key": request.key,
            "at": int(request.at.timestamp() * 1000),
            "sidechain": request.sidechain,
            "day": record.day,
            "actor_id": actor_id,
            "line_id": line_id,
            **_columns(_values(record)),
        }

    def _add_up_requests(self, touched: set[tuple[date, int]]) -> None:
        """Make usage_daily of the touched days and actors the sum of their requests again."""
        daily, seen = usage_daily.c, seen_requests.c
        for some in _batches(sorted((day_number(day), actor_id) for day, actor_id in touched)):
            in_daily = tuple_(cast(daily.day, BigInteger), daily.actor_id).in_(some)
            connection = self.connection
            connection.execute(
                delete(usage_daily).where(
                    daily.workspace_id == self.workspace_id, daily.source_id == self.source_id, in_daily
                )
            )
            names = ["workspace_id", "source_id", "day", "actor_id", "line_id", *(c.name for c in COUNTS(usage_daily))]
            sums = (
                select(seen.workspace_id, seen.source_id, seen.day, seen.actor_id, seen.line_id, *summed(seen_requests))
                .where(
                    seen.workspace_id == self.workspace_id,
                    seen.source_id == self.source_id,
                    tuple_(cast(seen.day, BigInteger), seen.actor_id).in_(some),
                )
                .group_by(seen.workspace_id, seen.source_id, seen.day, seen.actor_id, seen.line_id)
            )
            connection.execute(insert(usage_daily).from_select([*names, "reported_usd"], sums))


def _refresh(
    connection: Connection, workspace_id: int, touched: set[tuple[date, int]], book: PriceBook
) -> set[tuple[date, int]]:
    """Bring both roll-ups up to date for the touched (day, actor) pairs; returns the touched (day, person) pairs."""
    person_of = {row.id: row.person_id for row in connection.execute(select(actors.c.id, actors.c.person_id))}
    by_day: dict[date, set[int]] = defaultdict(set)
    for day, actor_id in touched:
        by_day[day].add(person_of[actor_id])
    for day in sorted(by_day):
        _refresh_people(connection, workspace_id, day, by_day[day], book)
        _refresh_models(connection, workspace_id, day)
    return {(day, person_id) for day, ids in by_day.items() for person_id in ids}


def _refresh_people(connection: Connection, workspace_id: int, day: date, ids: set[int], book: PriceBook) -> None:
    table = usage_daily.c
    for some in _batches(sorted(ids)):
        query = (
            select(
                actors.c.person_id,
                table.source_id,
                sources.c.name,
                *LINE,
                *summed(usage_daily),
            )
            .join(actors, table.actor_id == actors.c.id)
            .join(sources, table.source_id == sources.c.id)
            .join(usage_lines, table.line_id == usage_lines.c.id)
            .where(table.workspace_id == workspace_id, table.day == day, actors.c.person_id.in_(some))
            .group_by(actors.c.person_id, table.source_id, sources.c.name, *LINE, table.reported_usd.is_not(None))
        )
        said: dict[int, dict[tuple[int, str], Amount]] = defaultdict(lambda: defaultdict(Amount))
        for person_id, source_id, source, *rest in connection.execute(query):
            cost = amount(read_quantity(day, rest), book)
            said[person_id][source_id, source] = said[person_id][source_id, source].plus(cost)
        connection.execute(
            delete(person_days).where(
                person_days.c.workspace_id == workspace_id, person_days.c.day == day, person_days.c.person_id.in_(some)
            )
        )
        upsert(connection, person_days, [_person_row(workspace_id, day, who, said[who]) for who in sorted(said)])


def _person_row(workspace_id: int, day: date, person_id: int, said: dict[tuple[int, str], Amount]) -> dict[str, Any]:
    best = fullest(SourceDay(source, cost.usage.tokens, cost.usd) for (_, source), cost in said.items())
    source_id, cost = next((key[0], cost) for key, cost in said.items() if key[1] == best.source)
    return {
        "workspace_id": workspace_id,
        "day": day,
        "person_id": person_id,
        "source_id": source_id,
        "tokens": cost.usage.tokens,
        "usd": cost.usd,
        "unpriced_tokens": cost.unpriced_tokens,
    }


def _refresh_models(connection: Connection, workspace_id: int, day: date) -> None:
    table, winner = usage_daily.c, person_days.c
    connection.execute(delete(model_days).where(model_days.c.workspace_id == workspace_id, model_days.c.day == day))
    reported = table.reported_usd.is_not(None)
    sums = (
        select(literal(workspace_id), table.day, table.line_id, reported, *summed(usage_daily))
        .join(actors, table.actor_id == actors.c.id)
        .join(
            person_days,
            and_(
                winner.workspace_id == table.workspace_id,
                winner.day == table.day,
                winner.person_id == actors.c.person_id,
                winner.source_id == table.source_id,
            ),
        )
        .where(table.workspace_id == workspace_id, table.day == day)
        .group_by(table.day, table.line_id, reported)
    )
    names = ["workspace_id", "day", "line_id", "is_reported", *(c.name for c in COUNTS(model_days)), "reported_usd"]
    connection.execute(insert(model_days).from_select(names, sums))


def _owe_alerts(
    connection: Connection, workspace_id: int, touched: set[tuple[date, int]], policy: AlertPolicy, now: datetime
) -> None:
    """Owe a message to each touched person with an e-mail address whose recent day reached a new step."""
    for day in sorted({day for day, _ in touched if 0 <= (policy.today - day).days <= MAX_AGE_DAYS}):
        spent = person_days.c
        query = (
            select(spent.person_id, spent.usd, people.c.limit_usd)
            .join(people, spent.person_id == people.c.id)
            .where(spent.workspace_id == workspace_id, spent.day == day, people.c.email.is_not(None))
        )
        ids = {person_id for when, person_id in touched if when == day}
        for person_id, usd, own_limit in connection.execute(query).all():
            if person_id in ids:
                told = deliveries.alert_steps(connection, workspace_id, person_id, day)
                step = newly_reached(usd, own_limit if own_limit is not None else policy.limit_usd, told)
                if step is not None:
                    deliveries.owe_alert(connection, workspace_id, person_id, day, step, now)


def _line(record: UsageRecord) -> _Line:
    return (record.model, *record.conditions, record.billing, record.part)


def _line_ids(connection: Connection, wanted: Iterable[_Line]) -> dict[_Line, int]:
    columns = (*LINE, usage_lines.c.part)
    names = [column.name for column in columns]
    insert_missing(connection, usage_lines, [dict(zip(names, line, strict=True)) for line in sorted(wanted)], *names)
    return {tuple(line): line_id for line_id, *line in connection.execute(select(usage_lines.c.id, *columns))}


def _values(record: UsageRecord) -> _Values:
    return (*record.usage, _nano(record.reported_usd))


def _nano(usd: Decimal | None) -> int:
    """Nanodollars, or -1 for "nothing stated", so that values compare and add as plain integers."""
    return -1 if usd is None else to_nano(usd)


def _added(one: _Values | None, other: _Values) -> _Values:
    if one is None:
        return other
    counts = (mine + theirs for mine, theirs in zip(one[:-1], other[:-1], strict=True))
    # A cost that is stated for only some of the rows would pass for the cost of all of them.
    return (*counts, one[-1] + other[-1] if min(one[-1], other[-1]) >= 0 else -1)


def _columns(values: _Values) -> dict[str, Any]:
    names = [column.name for column in COUNTS(usage_daily)]
    reported = None if values[-1] < 0 else Decimal(values[-1]).scaleb(-9)
    return {**dict(zip(names, values[:-1], strict=True)), "reported_usd": reported}


def _fullness(request: Request, record: UsageRecord) -> tuple[int, int, bool]:
    """Earlier lines of one response carry partial counts: the one with the most output is the final one."""
    return record.usage.output, record.usage.tokens, not request.sidechain


def _replaces(request: Request, record: UsageRecord, actor_id: int, before: Any) -> bool:
    """A fuller version replaces; so does the same one once it is said whose it is, or on which day of a new zone."""
    kept = TokenUsage(*(getattr(before, column.name) for column in COUNTS(seen_requests)))
    is_fuller = _fullness(request, record) > (kept.output, kept.tokens, not before.sidechain)
    is_claimed = actor_id != before.actor_id and record.actor.kind == "email"
    return is_fuller or is_claimed or record.day != before.day


def _batches(values: list[_T]) -> Iterable[list[_T]]:
    return (values[start : start + BATCH] for start in range(0, len(values), BATCH))
