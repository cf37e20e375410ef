"""What the log says: never a secret, and of an outage one line."""

import logging
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.logs import LogFormatter
from bot.store.bulk import select_rows
from bot.store.database import Database, connect, is_outage
from tests.ports import free_port


def logged(message: str, failing: Callable[[], object] = lambda: None) -> str:
    raised = None
    try:
        failing()
    except Exception:
        raised = sys.exc_info()
    record = logging.LogRecord("bot", logging.ERROR, __file__, 1, message, (), raised)
    return LogFormatter("%(message)s").format(record)


@pytest.mark.parametrize(
    "secret",
    ["xoxb-1-2-abc", "xapp-1-A0-9-f", "sk-ant-admin01-abcdefgh", "https://hooks.slack.com/commands/T1/2/x"],
)
def test_no_secret_is_logged(secret: str) -> None:
    assert logged(f"refused: {secret} is wrong") == "refused: [secret] is wrong"
    assert secret not in logged("failed", lambda: int(secret))


def test_a_hint_is_no_secret() -> None:
    hint = "set ANTHROPIC_ADMIN_KEY to an Admin key (sk-ant-admin…)"
    assert logged(hint) == hint


def test_of_an_outage_the_log_has_its_words_and_no_traceback(tmp_path: Path) -> None:
    def asked_of_nobody() -> None:
        with connect(f"postgresql://nobody@127.0.0.1:{free_port()}/none").read():
            pass

    closed = logged("a turn failed", lambda: sqlite3.connect(tmp_path / "none" / "none.db"))
    assert closed == "a turn failed\nunable to open database file"
    assert "Connection refused" in logged("a turn failed", asked_of_nobody)
    assert "Traceback" not in logged("a turn failed", asked_of_nobody)


def test_a_wrong_question_is_no_outage(database: Database) -> None:
    def ask() -> None:
        with database.read() as connection:
            select_rows(connection, "SELECT nothing FROM people", ())

    with pytest.raises(Exception, match="nothing") as raised:
        ask()
    assert not is_outage(raised.value)
    assert "Traceback" in logged("a turn failed", ask)
