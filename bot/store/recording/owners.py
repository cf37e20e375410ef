"""Whose a file is that names nobody: of totals and days only the person tells, as they know no single requests.

A file that is imported without a person and later with one, or the other way round, is still the same usage. It is
known by rows that are equal to the last token; those that have grown in between then go along with them.
"""

import operator
from typing import NamedTuple

from bot.spend.records import SESSION, THIS_MACHINE
from bot.store.bulk import Row, replace_rows, run_sql, select_in, select_rows
from bot.store.columns import USAGE_DAILY, USAGE_RANGES
from bot.store.identity import known_actors
from bot.store.ranges import Span
from bot.store.recording.source import COUNT_NAMES, DELETE_DAILY, DELETE_RANGE, Part, Source, as_stored


class _Row(NamedTuple):
    """A stored row: the day, or the range of days, that it is of, and what it says."""

    span: tuple[int, ...]
    actor_id: int
    line_id: int
    values: Row


def settled(source: Source, part: Part) -> Part:
    """A part with the person whose it is. What nobody's file brought of it before is theirs from now on."""
    if len(part.tally.actors) != 1 or not (part.tally.ranges or any(True for _ in part.tally.dailies())):
        return part
    nobody = known_actors(source.connection, source.workspace_id, {THIS_MACHINE}).get(THIS_MACHINE)
    if nobody is None:
        return part
    (actor_id,) = part.actor_of
    owners = _owners(source, nobody)
    if owners is not None and actor_id not in owners:
        return part
    told, stored = _told(part), _stored(source, part)
    is_of_sessions = part.tally.view == SESSION
    known = {_what(row, is_of_sessions): row for row in told}
    # A session is told by its name, whatever was added to it; of days and weeks the same tokens are.
    both = [(row, now) for row in stored if any(row.values) and (now := known.get(_what(row, is_of_sessions)))]
    same = {row.actor_id for row, now in both if is_of_sessions or row.values[:6] == now.values[:6]}
    # What goes on never shrinks: a day that does is of somebody else. Of a session there may be an older file.
    shrunk = {row for row, now in both if any(map(operator.lt, now.values[:6], row.values[:6])) and not is_of_sessions}
    nobodys = [row for row, _ in both if row.actor_id == nobody and row not in shrunk]
    if actor_id != nobody:
        if nobody in same:
            _hand_over(source, nobodys, actor_id, stored, is_of_sessions)
        return part
    people = same - {nobody} - {row.actor_id for row in shrunk}
    people = people if owners is None else people & owners
    if not people:
        return part
    _hand_over(source, nobodys, min(people), stored, is_of_sessions)
    return part._replace(actor_of=[min(people)])


def _owners(source: Source, nobody: int) -> set[int] | None:
    """The actors of the person that a machine was linked to, itself among them; None while it is nobody's."""
    sql = (
        "SELECT actors.id, machine.linked_by FROM actors JOIN actors AS machine "
        "ON machine.person_id = actors.person_id WHERE machine.id = ?"
    )
    rows = select_rows(source.connection, sql, [nobody])
    return None if rows[0][1] is None else {actor_id for actor_id, _ in rows}


def _what(row: _Row, is_of_sessions: bool) -> tuple[object, ...]:
    """What tells a row from the others of its actor: of sessions, which go on, that is not the time."""
    return (row.line_id,) if is_of_sessions and len(row.span) > 1 else (row.span, row.line_id)


def _told(part: Part) -> set[_Row]:
    """What the file says, of nobody in particular."""
    tally, line_of = part.tally, part.line_of
    found = {
        _Row((key.start, key.until), 0, line_of[key.line], as_stored(values)) for key, values in tally.ranges.items()
    }
    for day, rows in tally.dailies():
        each = zip(*rows.values, strict=True)
        found |= {
            _Row((day,), 0, line_of[line], as_stored(values)) for line, values in zip(rows.lines, each, strict=True)
        }
    return found


def _stored(source: Source, part: Part) -> list[_Row]:
    """What the source has of the days and lines of a file."""
    found = [
        _Row((day,), actor_id, line_id, tuple(values))
        for day, _ in part.tally.dailies()
        for actor_id, line_id, *values in source.dailies(day, None)
    ]
    lines = sorted({part.line_of[key.line] for key in part.tally.ranges})
    rows = select_in(source.connection, _RANGES, source.key, lines)
    return [*found, *(_Row(tuple(row[:2]), row[2], row[3], tuple(row[4:])) for row in rows)]


def _hand_over(source: Source, rows: list[_Row], actor_id: int, stored: list[_Row], is_of_sessions: bool) -> None:
    """Make rows somebody's; where there are such of theirs already, the larger ones stay."""
    mine = {_what(row, is_of_sessions): row for row in stored if row.actor_id == actor_id}
    for row in rows:
        own = mine.get(_what(row, is_of_sessions), row)
        larger = max(own, row, key=lambda one: (sum(one.values[:5]), one.actor_id == actor_id))
        if len(row.span) > 1:
            for one in {row, own}:
                run_sql(source.connection, DELETE_RANGE, (*source.key, *one.span, one.actor_id, one.line_id))
                source.spans.add(Span(one.span[1], one.span[0], source.id))
            kept = (*source.key, *larger.span, actor_id, row.line_id, *larger.values)
            replace_rows(source.connection, USAGE_RANGES, [kept])
            continue
        (day,) = row.span
        rollup, source_day = source.rollup(day, [row.actor_id, actor_id]), source.day_key(day)
        run_sql(source.connection, DELETE_DAILY, (*source_day, row.actor_id, row.line_id))
        replace_rows(source.connection, USAGE_DAILY, [(actor_id, row.line_id, *larger.values)], source_day)
        rollup.refresh()


_RANGES = (
    f"SELECT start, until, actor_id, line_id, {COUNT_NAMES}, reported_usd FROM usage_ranges "  # noqa: S608
    "WHERE workspace_id = ? AND source_id = ? AND line_id IN"
)
