"""The clock of the process: APScheduler wakes one short turn again and again, and owns no truth."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler

TICK_SECONDS = 15
WATCH_SECONDS = 600
CORRECT_SECONDS = 120
OWNERS_SECONDS = 60
LEARN_SECONDS = 3600
DELETE_SECONDS = 3600
COLLECT_SECONDS = 30
"""Between looks at the feeds; each has an interval of its own on top."""

logger = logging.getLogger(__name__)


Turn = Callable[[datetime], object]


def start_scheduler(turns: Mapping[Turn, int], clock: Callable[[], datetime]) -> BackgroundScheduler:
    """Call each turn with ``clock()`` now and every so many seconds, in a thread of its own, never twice at once.

    Turns that were missed are made up by a single one. Stop with ``shutdown(wait=True)``: a turn under way ends first.
    """
    scheduler = BackgroundScheduler(timezone=UTC)
    for turn, seconds in turns.items():
        scheduler.add_job(
            _guarded(turn, clock, seconds),
            "interval",
            seconds=seconds,
            next_run_time=datetime.now(UTC),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )
    scheduler.start()
    return scheduler


def _guarded(turn: Turn, clock: Callable[[], datetime], seconds: int) -> Callable[[], None]:
    def call() -> None:
        try:
            turn(clock())
        except Exception:
            # The next turn starts from what is stored, so nothing is lost; a scheduler that stopped would lose it all.
            logger.exception("a turn failed and will be made again in %s s", seconds)

    return call
