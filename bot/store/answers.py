"""The last questions of each person with their answers, for nobody's eyes but theirs."""

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

from bot.store.builder import sa, tables
from bot.store.connection import Connection
from bot.store.database import Database

KEPT = 3
WRITTEN_SECONDS = 1.0
"""Answers are written so often at most."""

logger = logging.getLogger(__name__)


class Answered(NamedTuple):
    """A question as it was asked, and its answer in one line."""

    question: str
    answer: str


class Answers:
    """Keeps answers a moment after they were given: a question takes no database, however many are asked at once."""

    def __init__(self, database: Callable[[], Database], submit: Callable[[Callable[[], None]], object]) -> None:
        """``submit`` runs something on another thread."""
        self.database = database
        self.submit = submit
        self._lock = Lock()
        self._waiting: dict[str, list[Answered]] = {}
        self._next_at = 0.0

    def keep(self, slack_user_id: str, answered: Answered) -> None:
        """Remember an answer; of the same question the newer one, and of all the last KEPT."""
        with self._lock:
            others = [one for one in self._waiting.get(slack_user_id, []) if one.question != answered.question]
            self._waiting[slack_user_id] = [*others, answered][-KEPT:]
            is_due = time.monotonic() >= self._next_at
            if is_due:
                self._next_at = time.monotonic() + WRITTEN_SECONDS
        if is_due:
            self.submit(self.write)

    def write(self) -> None:
        """Store what waits. A failure is logged alone: the answers were given."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            database = self.database()
            with database.write() as connection:
                for user, answered in waiting.items():
                    _keep(connection, database.workspace_id, user, answered)
        except Exception as error:
            # A help for the Home tab, and no reason to keep a process from ending well.
            logger.warning("answers were given and are not kept: %s", error)


def _keep(connection: Connection, workspace_id: int, user: str, answered: list[Answered]) -> None:
    mine = (tables.answers.c.workspace_id == workspace_id, tables.answers.c.slack_user_id == user)
    asked = [one.question for one in answered]
    connection.execute(sa.delete(tables.answers).where(*mine, tables.answers.c.question.in_(asked)))
    rows = [{"workspace_id": workspace_id, "slack_user_id": user, **one._asdict()} for one in answered]
    connection.execute(sa.insert(tables.answers), rows)
    newest = connection.execute(
        sa.select(tables.answers.c.id).where(*mine).order_by(tables.answers.c.id.desc()).limit(KEPT)
    )
    connection.execute(sa.delete(tables.answers).where(*mine, tables.answers.c.id.not_in(newest.scalars().all())))


def last_answers(database: Database, slack_user_id: str) -> list[Answered]:
    """The last answers of a person, the newest first."""
    query = (
        sa.select(tables.answers.c.question, tables.answers.c.answer)
        .where(tables.answers.c.workspace_id == database.workspace_id, tables.answers.c.slack_user_id == slack_user_id)
        .order_by(tables.answers.c.id.desc())
        .limit(KEPT)
    )
    with database.read() as connection:
        return [Answered(*row) for row in connection.execute(query)]


def forget_answers(connection: Connection, workspace_id: int, slack_user_id: str) -> None:
    """Remove what a person asked."""
    connection.execute(
        sa.delete(tables.answers).where(
            tables.answers.c.workspace_id == workspace_id, tables.answers.c.slack_user_id == slack_user_id
        )
    )
