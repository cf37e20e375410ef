"""Sources that know no days: totals of several days, and the days that successive ones tell apart."""

import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from functools import partial, reduce
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from bot.pricing import PriceBook
from bot.pricing.cost import units
from bot.spend.days import ONE_DAY
from bot.spend.records import SESSION, SUBSCRIPTION
from bot.store.bulk import Row, insert_rows, replace_rows, run_in, run_sql, select_in, select_rows
from bot.store.columns import USAGE_DAILY, USAGE_RANGES
from bot.store.connection import Connection
from bot.store.ranges import Span, refresh_ranges, tells_days
from bot.store.recording.source import COUNT_NAMES, DELETE_RANGE, Counted, Part, Source, as_stored
from bot.store.tally import NOT_STATED, Values
from bot.store.values import day_number, number_day


class _Billed(NamedTuple):
    """What a report says of somebody's usage that was paid for, or that a seat covers."""

    actor_id: int
    line_id: int
    values: Values


_Key = tuple[int, int]
"""An actor and a kind of usage."""

_Report = dict[_Key, dict[bool, _Billed]]
"""By actor and kind of usage, and whether a seat covers it, what a report says."""

_Listed = Callable[[int, Values], int]
"""What some usage of a kind costs at list price, in units, or where it has no price its tokens."""


class Totals:
    """Writes totals of several days."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.connection = source.connection

    def store(self, part: Part) -> Counted:
        """Write what a file says of several days together."""
        tally, actor_of, line_of = part
        if not tally.ranges and tally.covered is None:
            return Counted()
        new: list[Row] = []
        changed: list[Row] = []
        counted = Counted()
        chains = {(key.start, key.until) for key in tally.ranges}
        stored = {chain: self._existing_ranges(*chain) for chain in chains}
        for start, until in chains:
            self.source.remember_span(Span(until, start, self.source.id))
        source = self.source.key
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
            if is_known_later or (before == row[6:] and not others):
                counted = counted.plus(Counted(same=1))
                continue
            counted = counted.plus(Counted(restated=1) if before or others else Counted(new=1))
            (new if before is None else changed).append((*row[:6], *as_stored(row[6:])))
            gone += others
        for key in gone:
            run_sql(self.connection, DELETE_RANGE, (*source, *key))
        insert_rows(self.connection, USAGE_RANGES, new)
        replace_rows(self.connection, USAGE_RANGES, changed)
        spans = {Span(until, start, self.source.id) for start, until, *_ in (*gone, *chains)}
        if tally.covered is not None:
            start, until = map(day_number, tally.covered)
            self.tell_days_apart(start, {until})
        if new or changed:
            self.source.spans |= spans
            if tells_days(self.source.name):
                starts = {span.start for span in spans}
                # Of days that totals with a later start tell apart, others may have been told under another name.
                for start in sorted(starts):
                    around = select_rows(self.connection, _AROUND, (*self.source.key, start, start))
                    starts.update(row[0] for row in around)
                for start in sorted(starts):
                    self.tell_days_apart(start)
        return counted

    def _replaced_ranges(
        self, keys: list[Row], stored: Mapping[tuple[int, int], Iterable[Row]], *, is_sessions: bool
    ) -> dict[Row, list[Row]]:
        """By start, until, actor and line of a new row the same of stored ones that say the same in another way.

        These differ in _RETOLD alone, or are of the same session, which has gone on.
        """
        if is_sessions:
            sql = "SELECT start, until, actor_id, line_id FROM usage_ranges WHERE workspace_id = ? AND source_id = ?"
            actors = sorted({key[2] for key in keys})
            rows = list(select_in(self.connection, f"{sql} AND actor_id IN", self.source.key, actors))
            same: Callable[[Row], Row] = itemgetter(2, 3)
        else:
            rows = [(*chain, *key) for chain, total in stored.items() for key in total]
            kinds = self.source.kinds({key[3] for key in (*keys, *rows)}, *_RETOLD)
            same = lambda key: (*key[:3], kinds[key[3]])  # noqa: E731
        left = set(rows).difference(keys)
        found = _each_once(keys, left, same)
        known = set(rows)
        new = [key for key in keys if not found[key] and key not in known]
        left -= {one for some in found.values() for one in some}
        if new and left and not is_sessions:
            # Of a row that is new under its spelling of a model, those under others that the file lacks are the same.
            spelled = self.source.kinds_however_spelled({key[3] for key in (*keys, *rows)}, *_RETOLD)
            found |= _each_once(new, left, lambda key: (*key[:3], spelled[key[3]]))
        return found

    def _existing_ranges(
        self, start: int, until: int, of: Collection[int] | None = None
    ) -> dict[tuple[int, int], Values]:
        sql = (
            f"SELECT actor_id, line_id, {COUNT_NAMES}, reported_usd FROM usage_ranges "  # noqa: S608
            "WHERE workspace_id = ? AND source_id = ? AND start = ? AND until = ?"
        )
        values = (*self.source.key, start, until)
        if of is None:
            rows = select_rows(self.connection, sql, values)
        else:
            rows = list(select_in(self.connection, f"{sql} AND actor_id IN", values, sorted(of)))
        return {(row[0], row[1]): (*row[2:-1], NOT_STATED if row[-1] is None else row[-1]) for row in rows}

    def tell_days_apart(self, start: int, empty: Collection[int] = (), of: Collection[int] | None = None) -> None:
        """Make days of totals that start on the same day and end on successive ones, of some actors or of all.

        The first of them may be without rows, such as those in ``empty``: the days after their last. What some actors'
        days are depends on all that are of the same people.
        """
        sql = "SELECT DISTINCT until FROM usage_ranges WHERE workspace_id = ? AND source_id = ? AND start = ?"
        ends = sorted(row[0] for row in select_rows(self.connection, sql, (*self.source.key, start)))
        overruled: set[int] = set()
        if ends:
            known = (row[0] for row in select_rows(self.connection, _EMPTY, (*self.source.key, start)))
            empty = {*empty, *(day_number(number_day(last) + ONE_DAY) for last in known)}
            overruled = {end for end in empty if end > ends[0]}  # by an earlier report that has rows
            ends = sorted({*(empty - overruled), *ends})
        reports = self._by_kind([self._existing_ranges(start, end, of) for end in ends])
        since_of = dict(zip((start, *ends), range(len(ends)), strict=False))  # its day begins where the one before ends
        actor_ids = {actor_id for report in reports for actor_id, _ in report}
        self._follow(reports)
        listed = self._listed(start, ends, reports)
        differences = _day_differences(start, ends, [_together(report) for report in reports], listed)
        after = [day_number(number_day(end) + ONE_DAY) for end in overruled]
        closer = self._told_closer(start, max([ends[-1], *after])) if ends else {}
        person_of = self.source.people_of(actor_ids.union(*closer.values()))
        for day in sorted(overruled - differences.keys()):
            self._replace_day(day, {}, actor_ids - closer.get(day, set()))
        for day, rows in differences.items():
            others, place = actor_ids - closer.get(day, set()), since_of[day]
            before = reports[place - 1] if place else {}
            told: dict[_Key, Values] = {}
            theirs = {person_of[who] for who in closer.get(day, ())}
            for key, values in rows.items():
                parts = reports[place][key]
                if not any(person_of[one.actor_id] in theirs for one in parts.values()):
                    told |= _apart(values, parts, before.get(key, {}), partial(listed, key[1]))
            self._replace_day(day, told, others)

    def _by_kind(self, reports: list[dict[tuple[int, int], Values]]) -> list[_Report]:
        """The totals of some reports by actor and what was used, however it was billed: by whether a seat covers it.

        What a seat covers on one day may be paid for on the next: it is the same usage all the same.
        """
        line_ids = {line_id for report in reports for _, line_id in report}
        kinds = self.source.kinds(line_ids, *_RETOLD)
        covered = {row[0] for row in select_in(self.connection, _COVERED, [SUBSCRIPTION], sorted(line_ids))}
        told = [Counter((who, kinds[line], line in covered) for who, line in report) for report in reports]
        # Those of which one report itself tells several apart stay apart.
        apart = {key[:2] for some in told for key, count in some.items() if count > 1}
        found: list[_Report] = []
        for report in reports:
            parts: _Report = defaultdict(dict)
            for (who, line_id), values in sorted(report.items()):
                kind = line_id if (who, kinds[line_id]) in apart else kinds[line_id]
                parts[who, kind][line_id in covered] = _Billed(who, line_id, values)
            found.append(parts)
        return found

    def _follow(self, reports: list[_Report]) -> None:
        """Give usage one key in all reports, where a later one calls somebody, a product or a model otherwise.

        Products that a later report does not tell apart as the one before did are put together. Whoever a later report
        does not have at all, as after they left, has used in it what they had before: their days stay, as their total
        does.
        """
        keys = {key for report in reports for key in report}
        person_of = self.source.people_of({who for who, _ in keys})
        families = self.source.kinds_however_spelled({kind for _, kind in keys}, *_RETOLD, "part")

        def family(key: _Key) -> Row:
            return person_of[key[0]], families[key[1]]

        members: dict[Row, list[_Key]] = defaultdict(list)
        for key in sorted(keys):
            members[family(key)].append(key)
        for place in range(len(reports) - 1, 0, -1):
            gone = reports[place - 1].keys() - reports[place].keys()
            come = reports[place].keys() - reports[place - 1].keys()
            by_address = _pairs(gone, come, lambda key: (person_of[key[0]], key[1]))
            gone, come = gone - by_address.keys(), come - set(by_address.values())
            renamed = by_address | _pairs(gone, come, family)
            for report in reports[:place] if renamed else ():
                for old, new in renamed.items():
                    if old in report and new not in report:
                        report[new] = report.pop(old)
            for group in _told_otherwise(reports[place - 1], reports[place], family):
                self._put_together(reports, members[group])
        for earlier, later in pairwise(reports):
            present = {person_of[who] for who, _ in later}
            later.update({key: parts for key, parts in earlier.items() if person_of[key[0]] not in present})

    def _put_together(self, reports: list[_Report], members: list[_Key]) -> None:
        """Give what a person used of a model one key in all reports, unless that would mix what is priced otherwise."""
        lines = {one.line_id for report in reports for key in members for one in report.get(key, {}).values()}
        priced_as = self.source.kinds_however_spelled(lines, "part")
        for report in reports:
            for is_covered in (False, True):
                some = [report[key][is_covered] for key in members if is_covered in report.get(key, {})]
                unstated = [priced_as[one.line_id] for one in some if one.values[-1] == NOT_STATED]
                if unstated and (len(unstated) < len(some) or len(set(unstated)) > 1):
                    return
        for report in reports:
            parts: dict[bool, _Billed] = {}
            for key in members:
                for is_covered, one in report.pop(key, {}).items():
                    before = parts.get(is_covered)
                    parts[is_covered] = before._replace(values=_added(before.values, one.values)) if before else one
            if parts:
                report[members[0]] = parts

    def _listed(self, start: int, ends: list[int], reports: list[_Report]) -> _Listed:
        found = ((kind, parts.get(False) or parts[True]) for report in reports for (_, kind), parts in report.items())
        lines = {kind: one.line_id for kind, one in found}
        prices = self.source.rollups.prices(start, lines.values(), ends[-1]) if lines else {}

        def listed(kind: int, counts: Values) -> int:
            price = prices.get(lines[kind])
            return units(counts, price) if price else sum(counts[:5])

        return listed

    def _told_closer(self, start: int, until: int) -> dict[int, set[int]]:
        """By day the actors of whom totals that start later tell it apart, whenever they are imported: those hold."""
        ends: dict[int, set[int]] = defaultdict(set)
        used_by: dict[int, set[int]] = defaultdict(set)
        for since, end, actor_id in select_rows(self.connection, _LATER, (*self.source.key, start, until)):
            ends[since].add(end)
            used_by[since].add(actor_id)
        found: dict[int, set[int]] = defaultdict(set)
        for since in ends:
            for day, end in pairwise((since, *sorted(ends[since]))):
                if _is_next_day(day, end):
                    found[day] |= used_by[since]
        return found

    def _replace_day(self, day: int, rows: dict[tuple[int, int], Values], actor_ids: set[int]) -> None:
        """Make what a source says of some actors' day exactly these rows."""
        before = [row for row in self.source.dailies(day, actor_ids) if row[0] in actor_ids]
        wanted = [(*key, *as_stored(rows[key])) for key in sorted(rows)]
        if before == wanted:
            return  # as most days of a chain, of which the newest total tells the last one alone
        rollup = self.source.rollup(day, {row[0] for row in (*before, *wanted)})
        source_day = self.source.day_key(day)
        run_in(self.connection, _DELETE_ACTORS_DAY, source_day, sorted({row[0] for row in before}))
        insert_rows(self.connection, USAGE_DAILY, wanted, source_day)
        rollup.refresh()


def tell_apart_again(
    connection: Connection, workspace_id: int, people_ids: Collection[int], book: PriceBook
) -> set[tuple[date, int]]:
    """Make the days of some people anew that totals tell apart, as whose names are decides what follows what.

    Returns the days that changed, each with the ids of the people whose they are.
    """
    actor_ids = [row[0] for row in select_in(connection, _ACTORS_OF, (), sorted(people_ids))]
    chains: dict[str, list[int]] = defaultdict(list)
    for name, start in sorted({*select_in(connection, _CHAINS, (workspace_id,), actor_ids)}):
        if tells_days(name):
            chains[name].append(start)
    touched: set[tuple[date, int]] = set()
    for name, starts in chains.items():
        source = Source(connection, workspace_id, name, book, None)
        for start in starts:
            Totals(source).tell_days_apart(start, of=actor_ids)
        refresh_ranges(source.rollups)
        touched |= source.touched_people
    return touched


_ACTORS_OF = "SELECT id FROM actors WHERE person_id IN"
_CHAINS = (
    "SELECT DISTINCT sources.name, usage_ranges.start FROM usage_ranges JOIN sources ON sources.id = source_id "
    "WHERE usage_ranges.workspace_id = ? AND actor_id IN"
)
_RETOLD = ("billing", "prompt_tier")
"""In what a later report of the same usage may differ: what a seat covers is paid for then, or the prompt is split."""

_EMPTY = (
    "SELECT DISTINCT last_day FROM imports WHERE workspace_id = ? AND source_id = ? AND first_day = ? "
    "AND accepted + unchanged + restated + rejected = 0"
)
_COVERED = "SELECT id FROM usage_lines WHERE billing = ? AND id IN"
_LATER = (
    "SELECT DISTINCT start, until, actor_id FROM usage_ranges "
    "WHERE workspace_id = ? AND source_id = ? AND start > ? AND start < ?"
)
_AROUND = "SELECT DISTINCT start FROM usage_ranges WHERE workspace_id = ? AND source_id = ? AND start < ? AND until > ?"
_DELETE_ACTORS_DAY = "DELETE FROM usage_daily WHERE workspace_id = ? AND day = ? AND source_id = ? AND actor_id IN"


def _told_otherwise(earlier: _Report, later: _Report, family: Callable[[_Key], Row]) -> list[Row]:
    """The people's models of which the later report does not tell the same products apart as the earlier one did.

    Some are gone, while others are there; or some have come, while another one came to more before.
    """
    before, now = _together(earlier), _together(later)
    there = set(map(family, now))
    gone = {family(key) for key in before.keys() - now.keys()} & there
    come = {family(key) for key in now.keys() - before.keys()}
    less = {family(key) for key in before.keys() & now.keys() if any(map(operator.lt, now[key], before[key]))}
    return sorted(gone | (come & less))


def _each_once(keys: Iterable[Row], others: Iterable[Row], same: Callable[[Row], Row]) -> dict[Row, list[Row]]:
    """For each key the others that are the same, each of which the first key of its kind has."""
    by_kind: dict[Row, list[Row]] = defaultdict(list)
    for other in others:
        by_kind[same(other)].append(other)
    return {key: by_kind.pop(same(key), []) for key in keys}


def _pairs(gone: Iterable[_Key], come: Iterable[_Key], of: Callable[[_Key], Row]) -> dict[_Key, _Key]:
    """Those of which just one is gone and one has come in its place."""
    found: dict[Row, tuple[list[_Key], list[_Key]]] = defaultdict(lambda: ([], []))
    for side, keys in enumerate((gone, come)):
        for key in keys:
            found[of(key)][side].append(key)
    return {old[0]: new[0] for old, new in found.values() if len(old) == len(new) == 1}


def _day_differences(
    start: int, ends: list[int], totals: list[dict[_Key, Values]], listed: _Listed
) -> dict[int, dict[_Key, Values]]:
    """The days that totals since ``start`` tell apart: those whose neighbours end one day apart.

    ``ends`` are the days after the last of each total, ascending. Where a later total is smaller, the later one is
    right: the earlier ones are cut down to it, so that the days always add up to the newest total.
    """
    found: dict[int, dict[_Key, Values]] = {}
    cut = totals[-1:]
    for total in reversed(totals[:-1]):
        following = cut[0]
        smaller = {
            key: _smaller(values, following[key], partial(listed, key[1]))
            for key, values in total.items()
            if key in following
        }
        cut.insert(0, smaller)
    before: dict[_Key, Values] = {}
    since = start
    for end, total in zip(ends, cut, strict=True):
        if _is_next_day(since, end):
            found[since] = {
                key: difference
                for key, values in total.items()
                if any((difference := _difference(values, before.get(key)))[:-1]) or difference[-1] > 0
            }
        before, since = total, end
    return found


def _together(report: _Report) -> dict[_Key, Values]:
    """What was used of each kind, paid for or not, and what of it a cost is stated for."""
    return {key: reduce(_added, (one.values for one in parts.values())) for key, parts in report.items()}


def _added(one: Values, other: Values) -> Values:
    counts = (mine + theirs for mine, theirs in zip(one[:-1], other[:-1], strict=True))
    return (*counts, max(one[-1], 0) + max(other[-1], 0) if max(one[-1], other[-1]) >= 0 else NOT_STATED)


def _apart(
    values: Values, parts: dict[bool, _Billed], before: dict[bool, _Billed], listed: Callable[[Values], int]
) -> dict[_Key, Values]:
    """A day's usage of one kind by line, and all its dollars: so much of it is paid for as more is than the day before.

    By what that costs at list price, as the mixture of kinds of tokens is the day's own. What was covered before and is
    paid for now stays on its day: the dollars are of the day on which they are charged.
    """
    if len(parts) == 1:
        ((one,),) = [parts.values()]
        return {(one.actor_id, one.line_id): values}
    whole = listed(values)
    more = listed(parts[False].values) - (listed(before[False].values) if False in before else 0)
    if more + 2 * listed(_A_TOKEN_EACH) >= whole:  # reports are told apart by whole tokens
        more = whole
    counts = tuple((count * max(more, 0) + whole // 2) // whole if whole else count for count in values[:-1])
    covered = tuple(count - part for count, part in zip(values[:-1], counts, strict=True))
    said = (parts[False], (*counts, max(values[-1], 0))), (parts[True], (*covered, NOT_STATED))
    return {(one.actor_id, one.line_id): row for one, row in said if any(row[:-1]) or row[-1] > 0}


_A_TOKEN_EACH = (1, 1, 1, 1, 1, 0)


def _is_next_day(day: int, end: int) -> bool:
    return number_day(day) + ONE_DAY == number_day(end)


def _smaller(one: Values, following: Values, listed: Callable[[Values], int]) -> Values:
    """A total cut down to the one that follows it.

    Where tokens were taken back, so much of the dollars stays with it as its tokens cost: the rest is of what follows.
    """
    counts = tuple(map(min, one[:-1], following[:-1]))
    usd = min(one[-1], following[-1])
    if usd > 0 and counts != one[:-1] and (whole := listed(following)):
        usd = min(usd, following[-1] * listed(counts) // whole)
    return (*counts, usd)


def _difference(values: Values, before: Values | None) -> Values:
    if before is None:
        return values
    counts = (mine - theirs for mine, theirs in zip(values[:-1], before[:-1], strict=True))
    is_stated = values[-1] != NOT_STATED
    return (*counts, values[-1] - max(before[-1], 0) if is_stated else NOT_STATED)
