"""The last questions of each person with their answers, for nobody's eyes but theirs."""

import logging
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from bot.store.database import Database
from bot.store.tables import answers

KEPT = 3

logger = logging.getLogger(__name__)


class Answered(NamedTuple):
    """A question as it was asked, and its answer in one line."""

    question: str
    answer: str


def keep_answer(database: Database, slack_user_id: str, answered: Answered) -> None:
    """Keep an answer; of the same question the newer one, and of all the last KEPT. A failure is logged alone."""
    mine = (answers.c.workspace_id == database.workspace_id, answers.c.slack_user_id == slack_user_id)
    row = {"workspace_id": database.workspace_id, "slack_user_id": slack_user_id, **answered._asdict()}
    try:
        with database.write() as connection:
            connection.execute(delete(answers).where(*mine, answers.c.question == answered.question))
            connection.execute(insert(answers).values(**row))
            kept = select(answers.c.id).where(*mine).order_by(answers.c.id.desc()).limit(KEPT)
            newest = connection.execute(kept).scalars().all()
            connection.execute(delete(answers).where(*mine, answers.c.id.not_in(newest)))
    except SQLAlchemyError as error:
        logger.warning("an answer was given and is not kept: %s", error)


def last_answers(database: Database, slack_user_id: str) -> list[Answered]:
    """The last answers of a person, the newest first."""
    query = (
        select(answers.c.question, answers.c.answer)
        .where(answers.c.workspace_id == database.workspace_id, answers.c.slack_user_id == slack_user_id)
        .order_by(answers.c.id.desc())
        .limit(KEPT)
    )
    with database.read() as connection:
        return [Answered(*row) for row in connection.execute(query)]


def forget_answers(connection: Connection, workspace_id: int, slack_user_id: str) -> None:
    """Remove what a person asked."""
    connection.execute(
        delete(answers).where(answers.c.workspace_id == workspace_id, answers.c.slack_user_id == slack_user_id)
    )
