"""What the log says: never a secret, and of an outage one line."""

import logging
import sqlite3
import sys

import pytest

from bot.logs import LogFormatter


def logged(message: str, error: Exception | None = None) -> str:
    raised = None
    if error is not None:
        try:
            raise error
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
    assert secret not in logged("failed", ValueError(secret))


def test_a_hint_is_no_secret() -> None:
    hint = "set ANTHROPIC_ADMIN_KEY to an Admin key (sk-ant-admin…)"
    assert logged(hint) == hint


def test_of_an_outage_the_log_has_its_words_and_no_traceback() -> None:
    gone = sqlite3.OperationalError("unable to open database file\nand more")
    assert logged("a turn failed", gone) == "a turn failed\nunable to open database file"
    assert "Traceback" in logged("a turn failed", sqlite3.IntegrityError("FOREIGN KEY constraint failed"))
