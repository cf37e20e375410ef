"""A worker that kills itself with SIGKILL at one step of its n-th delivery: python -m tests.slack.crashing_worker."""

import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.slack import delivery as sending
from bot.slack.blocks.message import Message, section
from bot.slack.clients import posting_client, reading_client
from bot.slack.delivery import Composed, Sender
from bot.store import deliveries
from bot.store.database import open_database
from bot.store.deliveries import Delivery

STEPS = ("claimed", "composed", "frozen", "posted", "marked", "never")
LEASE = timedelta(seconds=1)


def main(database_url: str, slack_url: str, step: str, number: int, seconds: int) -> None:
    deliveries.LEASE = LEASE
    sending.FIRST_WAIT = timedelta(seconds=1)
    sending._LAST_SAFE_START = 100.0
    sending.PACE = 0.0
    database = open_database(database_url)
    passed = dict.fromkeys(STEPS, 0)

    def at(reached: str) -> None:
        passed[reached] += 1
        if reached == step and passed[reached] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def compose(owed: Delivery, _now: datetime) -> Composed:
        at("claimed")
        message = Message(owed.key, [section(owed.key)])
        at("composed")
        return Composed(owed.target, message)

    real_start, real_mark = deliveries.start_sending, deliveries.mark_sent

    def start_sending(*args: Any, **kwargs: Any) -> bool:
        found = real_start(*args, **kwargs)
        at("frozen")
        return found

    def mark_sent(*args: Any, **kwargs: Any) -> bool:
        at("posted")
        found = real_mark(*args, **kwargs)
        at("marked")
        return found

    deliveries.start_sending, deliveries.mark_sent = start_sending, mark_sent
    token, url = "xoxb-playground-bot", f"{slack_url}/api/"
    sender = Sender(database, posting_client(token, url), reading_client(token, url), compose)
    sender.posting.timeout = 1
    until = time.monotonic() + seconds
    while time.monotonic() < until and deliveries.all_deliveries(database, ["due", "sending"]):
        sender.send_due(datetime.now(UTC))
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
