"""Writing usage: what a file says becomes daily rows, roll-ups and alerts owed, in one transaction."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from bot.pricing import PriceBook
from bot.store.alerting import AlertPolicy, owe_alerts
from bot.store.bulk import Row, analyze_grown, insert_missing, replace_rows, select_rows, uncollected
from bot.store.columns import SESSION_DAYS
from bot.store.database import Database
from bot.store.identity import actor_ids, learn_members
from bot.store.ranges import every_span, refresh_ranges, span_usd
from bot.store.recording.dailies import DailyRows
from bot.store.recording.lines import line_ids, source_name
from bot.store.recording.log import DayChange, FileTally, RangeChange, Recorded, log_files
from bot.store.recording.owners import settled
from bot.store.recording.requests import Requests
from bot.store.recording.source import OLDER_BY, Counted, Part, Source
from bot.store.recording.totals import Totals, tell_apart_again
from bot.store.rollups import Rollups
from bot.store.tally import Tally
from bot.store.values import day_number, number_day

__all__ = ["DayChange", "FileTally", "Recorded", "rebuild_rollups", "record"]


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
    the file lacks are removed, except where it lacks all of them: usage does not vanish, but an answer may be another
    organization's, or of a key that sees nothing. With ``keep=False`` everything is worked out and undone.
    """
    with uncollected(), database.write_usage() as connection:
        written = [min(file.written_at, now) for file in files if file.written_at is not None]
        is_old = len(written) == len(files) and written[0] < now - OLDER_BY
        name = source_name(connection, database.workspace_id, source, files[0].tally)
        writing = Source(connection, database.workspace_id, name, book, min(written) if is_old else None)
        recorded = _store(writing, [file.tally for file in files], whole_days, is_kept=keep)
        if writing.touched_people:
            owe_alerts(connection, database.workspace_id, writing.touched_people, policy, now)
        if keep:
            log_files(writing, files, now, recorded, whole_days, is_stream=is_stream)
            analyze_grown(connection)
        else:
            connection.rollback()
    return recorded


def rebuild_rollups(database: Database, book: PriceBook) -> None:
    """Work out every roll-up again, as after a change of the price book."""
    with database.write_usage() as connection:
        rollups = Rollups(connection, database.workspace_id, book)
        for (day,) in select_rows(connection, _DAYS, (database.workspace_id,)):
            rollups.of(number_day(day), (), is_whole_day=True).refresh()
        refresh_ranges(rollups, every_span(connection, database.workspace_id))


_DAYS = "SELECT DISTINCT day FROM usage_daily WHERE workspace_id = ? ORDER BY day"


def _store(source: Source, tallies: Sequence[Tally], whole_days: Collection[date], *, is_kept: bool) -> list[Recorded]:
    connection, mine, book = source.connection, source.workspace_id, source.rollups.book
    touched = source.touched_people
    learned = [learn_members(connection, mine, tally.members, book, touched) for tally in tallies]
    named = dict.fromkeys(actor for tally in tallies for actor in tally.actors)
    actors = actor_ids(connection, mine, named, book, touched)
    moved = {person_id for _, person_id in touched}
    lines = line_ids(connection, {line for tally in tallies for line in tally.lines})
    parts = [
        settled(source, Part(tally, [actors[actor] for actor in tally.actors], [lines[line] for line in tally.lines]))
        for tally in tallies
    ]
    whole = {day_number(day) for day in whole_days if any(day in tally.days for tally in tallies)}
    requests, totals = Requests(source, is_kept=is_kept), Totals(source)
    counts = requests.store(parts, whole)
    members = [member for tally in tallies for member in tally.members]
    dailies = DailyRows(source, actors, members, whole - requests.days)
    for place, part in enumerate(parts):
        counted = counts[place].plus(dailies.store(part)).plus(totals.store(part))
        if not (part.tally.actors or part.tally.is_of_usage or counted.new):
            # A directory; exports of usage that also teach who is who count their usage alone.
            new = learned[place].new
            counted = Counted(new, len(part.tally.members) - new)
        counts[place] = counted
        _store_sessions(source, part)
    refresh_ranges(source.rollups, source.spans)
    if moved:
        touched |= tell_apart_again(connection, mine, moved, book)
    recorded = [
        Recorded(*counted, tally.days, [], tally.periods, readdressed=who.readdressed)
        for counted, tally, who in zip(counts, tallies, learned, strict=True)
    ]
    days = [set(one.days) for one in recorded]
    before, after = source.before, {day: source.rollups.day_usd(day) for day in source.before}
    changes = [DayChange(day, before[day], after[day]) for day in sorted(after) if before[day] != after[day]]
    for change in changes:
        # The total of all files together is told of by one that restates the day, or else by one that has it.
        of_day = [place for place, some in enumerate(days) if change.day in some]
        restating = [place for place in of_day if recorded[place].restated]
        recorded[(restating or of_day or [-1])[-1]].changes.append(change)
    ranges = [
        RangeChange(number_day(span.start), number_day(span.until), said, now)
        for span, said in sorted(source.spans_before.items())
        if said and said != (now := span_usd(connection, mine, span))
    ]
    last = recorded[-1]
    if tallies[-1].ranges:  # days that successive totals tell apart
        last = last._replace(days=sorted({*last.days, *(change.day for change in changes)}))
    return [*recorded[:-1], last._replace(outdated=source.outdated, range_changes=ranges)]


def _store_sessions(source: Source, part: Part) -> None:
    """What a file says of a day's sessions takes the place of what was said, unless a newer one said that."""
    older: list[Row] = []
    newest: list[Row] = []
    for (day, actor), count in sorted(part.tally.sessions.items()):
        row = (*source.day_key(day), part.actor_of[actor], count)
        (older if source.is_older(day) else newest).append(row)
    insert_missing(source.connection, SESSION_DAYS, older)
    replace_rows(source.connection, SESSION_DAYS, newest)
