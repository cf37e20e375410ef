"""The live feeds: each one run that anybody may call at any time, and says what it brought."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from bot.exports.containers import files_below
from bot.exports.reader import Export
from bot.imports import FileReport, Importer
from bot.sources.admin_api import AdminApi, AnswerProblem, FeedProblem, recent_days
from bot.spend.days import ONE_DAY, Period
from bot.store.database import Database
from bot.store.feeds import FeedState, claim_feed, feed_failed, feed_succeeded, is_brought_otherwise

REVISITED_DAYS = 4
"""Today and the three days before are fetched again each time, as the API restates them; after a pause, all since."""

BACKFILLED_DAYS = 90
_COST_RANGE = 30
_COST, _COST_FROM = "analytics_cost", "cost from "
_SETTLED = timedelta(seconds=10)
"""A file that was written to more recently may still be growing."""

logger = logging.getLogger(__name__)

Progress = Callable[[Sequence[date]], Iterable[date]]


class Brought(NamedTuple):
    """What one run brought: rows that are new or changed, the newest day among all, and what could not be read."""

    rows: int
    newest_day: date | None
    problems: list[str]


@dataclass(frozen=True)
class Feed:
    """One feed: its name, how often it runs, and what a run does, given the state before it."""

    name: str
    every: timedelta
    run: Callable[[datetime, FeedState | None, Progress], Brought]


class Feeds:
    """The feeds of one installation. Every process may call ``collect``: the database decides who runs what."""

    def __init__(self, database: Database, feeds: Sequence[Feed]) -> None:
        self.database = database
        self.feeds = feeds

    def collect(
        self,
        now: datetime,
        progress: Progress = lambda days: days,
        *,
        is_forced: bool = False,
        tell: Callable[[str, Brought], None] = lambda name, brought: None,
    ) -> int:
        """Run what is due; returns how many feeds ran. A failure is kept with its reason, and the others go on.

        ``tell`` hears what each brought.
        """
        ran = 0
        for feed in self.feeds:
            before = claim_feed(self.database, feed.name, now, feed.every, is_forced=is_forced)
            if before is None:
                continue
            ran += 1
            try:
                brought = feed.run(now, before, progress)
            except (FeedProblem, OSError) as error:
                logger.warning("%s brought nothing: %s", feed.name, error)
                feed_failed(self.database, feed.name, now, str(error))
            else:
                first = brought.problems[0] if brought.problems else None
                feed_succeeded(self.database, feed.name, now, brought.newest_day, brought.rows, first)
                tell(feed.name, brought)
                for problem in brought.problems:
                    logger.warning("%s: %s", feed.name, problem)
        return ran


def usage_feed(api: AdminApi, importer: Callable[[], Importer]) -> Feed:
    """Claude Code's usage from the Admin API: the last days again each hour, at first the last 90."""

    def run(now: datetime, before: FeedState | None, progress: Progress) -> Brought:
        def fetch(day: date) -> FileReport:
            export = _pages_export(f"usage of {day}", api.claude_code_usage(day), now)
            return importer().import_export(export, now, "claude_code_analytics_api", whole_days=[day])

        return _fetched(fetch, progress(_days_to_fetch(now, before)))

    return Feed("Anthropic Admin API, usage", timedelta(hours=1), run)


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

    return Feed("Anthropic Admin API, cost (beta)", timedelta(hours=4), run)


def folder_feed(folder: Path, importer: Callable[[], Importer]) -> Feed:
    """Files that appear or change in a folder; one that is still being written to is left for the next time."""

    def run(now: datetime, _before: FeedState | None, _progress: Progress) -> Brought:
        if not folder.is_dir():
            raise FeedProblem(f"{folder} is no folder; see CLAUDECOST_WATCH_FOLDER.")
        settled_at = now.timestamp() - _SETTLED.total_seconds()
        settled = [path for path in files_below(folder) if path.stat().st_mtime <= settled_at]
        return _brought(importer().import_files(settled, now, is_remembered=True))

    return Feed("watched folder", timedelta(minutes=1), run)


def _days_to_fetch(now: datetime, before: FeedState | None) -> list[date]:
    """The last days, oldest first: since three before the last success, or the last 90 where there was none."""
    today = now.astimezone(UTC).date()
    last = before.succeeded_at if before is not None else None
    paused = BACKFILLED_DAYS if last is None else max(0, (today - last.astimezone(UTC).date()).days)
    return recent_days(today, min(paused + REVISITED_DAYS, BACKFILLED_DAYS))


def _pages_export(name: str, pages: Iterator[bytes], now: datetime) -> Export:
    """All pages as one file, so that a day is taken as a whole or not at all."""
    return Export(name, BytesIO(b"[" + b",".join(pages) + b"]"), now)


def _fetched(fetch: Callable[[date], FileReport], starts: Iterable[date]) -> Brought:
    """What all answers brought. Raises FeedProblem at the end if one could not be read: it is fetched again."""
    reports, problems = [], []
    for start in starts:
        try:
            report = fetch(start)
        except AnswerProblem as error:
            problems.append(str(error))
        else:
            reports.append(report)
            problems += [f"{report.refused} It is tried again."] if report.refused else []
    if problems:
        raise FeedProblem(problems[0])
    return _brought(reports)


def _brought(reports: Iterable[FileReport]) -> Brought:
    rows, newest, problems = 0, None, []
    for report in reports:
        rows += report.recorded.accepted + report.recorded.restated
        newest = max(filter(None, (newest, *report.recorded.days[-1:])), default=None)
        problems += [report.refused] if report.refused else [problem.problem for problem in report.problems]
    return Brought(rows, newest, problems)
