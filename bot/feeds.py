"""The live feeds: each one run that anybody may call at any time, and says what it brought."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from io import SEEK_END, BytesIO
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from bot.exports.containers import files_below
from bot.exports.reader import Export, shortened
from bot.imports import FileReport, Importer
from bot.sources.admin_api import AdminApi, AnswerProblem, FeedProblem, Stopped, recent_days
from bot.spend.days import ONE_DAY, Period
from bot.store.database import Database
from bot.store.feeds import (
    FED_BY,
    FeedState,
    claim_feed,
    feed_failed,
    feed_succeeded,
    hold_feed,
    is_brought_otherwise,
    last_imports,
)

REVISITED_DAYS = 4
"""Today and the three days before are fetched again each time, as the API restates them."""

BACKFILLED_DAYS = 90
"""So far back is fetched what has not come yet, at the first run as after a pause."""

_USAGE, _USAGE_OF = "claude_code_analytics_api", "usage of "
_COST_RANGE = 30
_COST, _COST_FROM = "analytics_cost", "cost from "
_SETTLED = timedelta(seconds=10)
"""A file that was written to more recently may still be growing."""

_AHEAD = timedelta(minutes=1)
LEASE = timedelta(minutes=10)
"""For so long after its last sign of life a run is taken to go on."""

PATIENCE = timedelta(minutes=2)
"""After so long a wait for answers that cannot be read, the others are left to the next run."""

logger = logging.getLogger(__name__)

Progress = Callable[[Sequence[date]], Iterable[date]]


class Brought(NamedTuple):
    """What one run brought: rows that are new or changed, the newest day among all, and what could not be read.

    ``failure`` says why something did not come, which the next run tries again; ``wrong`` is the first problem of each
    file or answer that has any, also where it was not read again.
    """

    rows: int
    newest_day: date | None
    problems: list[str]
    failure: str | None = None
    wrong: Sequence[str] = ()

    @property
    def problem(self) -> str | None:
        """What is wrong with the first of them, and how many others there are."""
        if not self.wrong:
            return None
        others = f" There are problems with {len(self.wrong) - 1:,} more." if len(self.wrong) > 1 else ""
        return f"{self.wrong[0]}{others}"


@dataclass(frozen=True)
class Feed:
    """One feed: its name, how often it runs, and what a run does, given the state before it."""

    name: str
    every: timedelta
    run: Callable[[datetime, FeedState | None, Progress], Brought]


Tell = Callable[[str, Brought], None]


class Feeds:
    """The feeds of one installation. Every process may call ``collect``: the database decides who runs what."""

    def __init__(self, database: Database, feeds: Sequence[Feed], stopped: threading.Event | None = None) -> None:
        """Once ``stopped`` is set, a run ends between two days, and is due again at once."""
        self.database = database
        self.feeds = feeds
        self.stopped = stopped or threading.Event()

    def collect(
        self,
        now: datetime,
        progress: Progress = lambda days: days,
        *,
        is_forced: bool = False,
        tell: Tell = lambda name, brought: None,
    ) -> int:
        """Run what is due; returns how many feeds ran. A failure is kept with its reason, and the others go on.

        ``tell`` hears what each brought.
        """
        return sum(self.collect_one(feed, now, progress, is_forced=is_forced, tell=tell) for feed in self.feeds)

    def collect_one(
        self,
        feed: Feed,
        now: datetime,
        progress: Progress = lambda days: days,
        *,
        is_forced: bool = False,
        tell: Tell = lambda name, brought: None,
    ) -> bool:
        """Run a feed if it is due; returns whether it was."""
        database, name, next_at = self.database, feed.name, now + feed.every
        lease = now + min(feed.every, LEASE)
        before = claim_feed(database, name, now, lease, latest=next_at + LEASE, is_forced=is_forced)
        if before is None:
            return False
        try:
            brought = feed.run(now, before, partial(self._days, name, now, progress))
        except (FeedProblem, OSError) as error:
            brought = Brought(0, None, [], str(error))
        except (Stopped, KeyboardInterrupt) as error:
            feed_failed(database, name, now, now, "It was stopped before everything had come, and goes on from there.")
            if isinstance(error, KeyboardInterrupt):
                raise
            return True
        except Exception as error:
            logger.exception("%s failed", name)
            said = f"{type(error).__name__}: {shortened(error, 100)}"
            brought = Brought(0, None, [], f"This should not happen: {said}. It is tried again; the log says where.")
        if brought.failure is not None:
            what = "did not bring everything" if brought.rows else "brought nothing"
            logger.warning("%s %s: %s", name, what, brought.failure)
            feed_failed(database, name, now, next_at, brought.failure, brought.newest_day, brought.rows)
        else:
            feed_succeeded(database, name, now, next_at, brought.newest_day, brought.rows, brought.problem)
        if brought.failure is None or brought.rows:
            tell(name, brought)
        for problem in brought.problems:
            logger.warning("%s: %s", name, problem)
        return True

    def _days(self, name: str, now: datetime, progress: Progress, days: Sequence[date]) -> Iterator[date]:
        """The days of a run, as long as it may go on. The run stays this process's while they are fetched."""
        began = held = monotonic()
        for day in progress(days):
            if self.stopped.is_set():
                raise Stopped
            if monotonic() - held > LEASE.total_seconds() / 4:
                held = monotonic()
                hold_feed(self.database, name, now + timedelta(seconds=held - began) + LEASE)
            yield day


def usage_feed(api: AdminApi, importer: Callable[[], Importer]) -> Feed:
    """Claude Code's usage from the Admin API: the last days again each hour, and those before that never came."""

    def run(now: datetime, before: FeedState | None, progress: Progress) -> Brought:
        def fetch(day: date) -> FileReport:
            export = _pages_export(f"{_USAGE_OF}{day}", api.claude_code_usage(day), now)
            return importer().import_export(export, now, _USAGE, whole_days=[day])

        days = _usage_days(importer(), now)
        brought = _fetched(fetch, progress(days))
        told = before.newest_day if before is not None else None
        if told is None and brought.newest_day is None and brought.failure is None:
            return brought._replace(wrong=[_NOTHING_YET.format(min(days)), *brought.wrong])
        if told in days and brought.failure is None and (brought.newest_day is None or brought.newest_day < told):
            return brought._replace(wrong=[_NOTHING_NOW.format(told), *brought.wrong])
        return brought

    return Feed(FED_BY[_USAGE], timedelta(hours=1), run)


def cost_feed(api: AdminApi, importer: Callable[[], Importer]) -> Feed:
    """Cost by person from the analytics beta, revised for days after."""

    def run(now: datetime, before: FeedState | None, progress: Progress) -> Brought:
        days = _days_to_fetch(now, before)

        def fetch(start: date) -> FileReport:
            end = min(start + _COST_RANGE * ONE_DAY, days[-1] + ONE_DAY)
            export = _pages_export(f"{_COST_FROM}{start}", api.analytics_cost(start, end), now)
            taking = importer()
            # No row says of which organization it is: what a file brought may be another one's.
            is_alone = not is_brought_otherwise(taking.database, _COST, _COST_FROM)
            whole = Period(start, end).days if is_alone else ()
            return taking.import_export(export, now, _COST, whole_days=whole)

        return _fetched(fetch, progress(days[::_COST_RANGE]))

    return Feed(FED_BY[_COST], timedelta(hours=4), run)


def folder_feed(folder: Path, importer: Callable[[], Importer]) -> Feed:
    """Files that appear or change in a folder; one that is still being written to is left for the next time."""

    def run(now: datetime, _before: FeedState | None, _progress: Progress) -> Brought:
        if not folder.is_dir():
            raise FeedProblem(f"{folder} is no folder; see CLAUDECOST_WATCH_FOLDER.")
        settled = [path for path in files_below(folder) if _is_settled(path, now)]
        return _brought(importer().import_files(settled, now, is_remembered=True))

    return Feed("watched folder", timedelta(minutes=1), run)


def _is_settled(path: Path, now: datetime) -> bool:
    """Whether a file was written to some seconds ago, or by a clock that is ahead.

    A log of JSON objects may never be at rest: one that ends with a whole line is read as far as it goes. What is no
    file, or cannot be read, is told of, and keeps no other back.
    """
    try:
        age = now.timestamp() - path.stat().st_mtime
        if not path.is_file() or age >= _SETTLED.total_seconds() or age < -_AHEAD.total_seconds():
            return True
        with path.open("rb") as file:
            first = file.read(1)
            file.seek(-len(first), SEEK_END)
            return first == b"{" and file.read(1) == b"\n"
    except OSError:
        return True


_NOTHING_YET = (
    "It answers that nobody used anything on {0} or later. See that ANTHROPIC_ADMIN_KEY is your organization's."
)
_NOTHING_NOW = (
    "It answers that nobody used anything on {0} or later, where it told of usage before: what is stored stays. "
    "See that ANTHROPIC_ADMIN_KEY is still your organization's."
)


def _usage_days(taking: Importer, now: datetime) -> list[date]:
    """The last days, newest first, so that a limit holds back the oldest: all that may still be restated or never came.

    A day is settled once all of it was fetched so late that it is not revisited any more. One without usage only if
    usage came with it or since: the key may be another organization's, or see nothing.
    """
    days = recent_days(now.astimezone(UTC).date(), BACKFILLED_DAYS)[::-1]
    # No day was fetched before it began, nor, but by a clock that was ahead, after now.
    came = last_imports(taking.database, _USAGE, _USAGE_OF, now - BACKFILLED_DAYS * ONE_DAY, now)
    told_at = max((one.told_at for one in came.values() if one.told_at), default=None)
    settled = {
        path
        for path, one in came.items()
        if one.whole_at is not None
        and (one.whole_at.date() - _day_of(path)).days >= REVISITED_DAYS
        and (one.told_at is not None or (told_at is not None and one.whole_at <= told_at))
    }
    open_days = [day for day in days if day >= taking.first_kept and f"{_USAGE_OF}{day}" not in settled]
    # What came once, without usage or with problems, is asked for again after what never came.
    return sorted(open_days, key=lambda day: day < days[REVISITED_DAYS - 1] and f"{_USAGE_OF}{day}" in came)


def _day_of(path: str) -> date:
    return date.fromisoformat(path.removeprefix(_USAGE_OF))


def _days_to_fetch(now: datetime, before: FeedState | None) -> list[date]:
    """The last days, oldest first: the last 90, or since three before all came and there was any usage."""
    today = now.astimezone(UTC).date()
    last = before.succeeded_at.astimezone(UTC).date() if before is not None and before.succeeded_at else None
    if before is None or last is None or before.newest_day is None or before.problem is not None:
        return recent_days(today, BACKFILLED_DAYS)
    paused = max(0, (today - min(last, before.newest_day)).days)
    return recent_days(today, min(paused + REVISITED_DAYS, BACKFILLED_DAYS))


def _pages_export(name: str, pages: Iterator[bytes], now: datetime) -> Export:
    """All pages as one file, so that a day is taken as a whole or not at all."""
    return Export(name, BytesIO(b"[" + b",".join(pages) + b"]"), now)


def _fetched(fetch: Callable[[date], FileReport], starts: Iterable[date]) -> Brought:
    """What all answers brought. One that cannot be read keeps no other back, unless they took too long."""
    reports, problems, asked, waited = [], [], 0, 0.0
    for start in starts:
        asked, began = asked + 1, monotonic()
        try:
            report = fetch(start)
        except AnswerProblem as error:
            problems.append(f"{start}: {error}")
            waited += monotonic() - began
            if waited > PATIENCE.total_seconds():
                break
        except FeedProblem as error:
            problems.insert(0, f"{start}: {error}")
            break
        else:
            reports.append(report)
            problems += [f"{report.refused} It is tried again."] if report.refused else []
    brought = _brought(report for report in reports if report.refused is None)
    if not problems:
        return brought
    several = f"{asked - len(problems):,} of {asked:,} answers came; " if asked > 1 else ""
    return brought._replace(failure=f"{several}{problems[0]}")


def _brought(reports: Iterable[FileReport]) -> Brought:
    """What files or answers brought. Their problems say in which of them they are."""
    rows, newest = 0, None
    problems: list[str] = []
    wrong: list[str] = []
    for report in reports:
        rows += report.recorded.accepted + report.recorded.restated
        newest = max(filter(None, (newest, *report.recorded.days[-1:])), default=None)
        problems += [report.refused] if report.refused else [f"{report.path}: {one.problem}" for one in report.problems]
        wrong += filter(None, [report.first_problem])
    return Brought(rows, newest, problems, wrong=wrong)
