"""The clock of the process: APScheduler wakes one short turn again and again, and owns no truth."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler

TICK_SECONDS = 15

logger = logging.getLogger(__name__)


def start_scheduler(
    tick: Callable[[datetime], object], clock: Callable[[], datetime], seconds: int = TICK_SECONDS
) -> BackgroundScheduler:
    """Call ``tick(clock())`` now and every few seconds, in a thread of its own, never twice at once.

    Turns that were missed are made up by a single one. Stop with ``shutdown(wait=True)``: a turn under way ends first.
    """

    def turn() -> None:
        try:
            tick(clock())
        except Exception:
            # The next turn starts from what is stored, so nothing is lost; a scheduler that stopped would lose it all.
            logger.exception("a turn failed and will be made again in %s s", seconds)

    scheduler = BackgroundScheduler(timezone=UTC)
    scheduler.add_job(
        turn,
        "interval",
        seconds=seconds,
        next_run_time=datetime.now(UTC),
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )
    scheduler.start()
    return scheduler
