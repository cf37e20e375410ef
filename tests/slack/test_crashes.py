"""Workers that die at each step of sending, beside others, and a Slack that loses answers: each message comes once."""

import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import cycle

import pytest

from bot.playground.demo import CHANNEL, team_workspace
from bot.playground.server import served
from bot.playground.web_api import create_web_api
from bot.playground.workspace import HANGS, Fault, Workspace
from bot.store.database import Database, open_database
from bot.store.deliveries import all_deliveries, owe_digest
from tests.slack.crashing_worker import STEPS

FIRST = date(2026, 1, 1)


def owe(database: Database, count: int) -> set[str]:
    """Digests of so many days."""
    for number in range(count):
        owe_digest(database, CHANNEL, FIRST + timedelta(days=number), datetime.now(UTC))
    return {delivery.key for delivery in all_deliveries(database)}


def faults(scale: int) -> list[Fault]:
    """Lost answers, timeouts (the client waits a second), errors after the fact, and rate limits."""
    post = "chat.postMessage"
    return [
        *[Fault(post, 0, keeps=True)] * (2 * scale),
        *[Fault(post, HANGS, keeps=False)] * scale,
        *[Fault(post, 500, keeps=True, body={"ok": False, "error": "internal_error"})] * scale,
        *[Fault(post, 429, keeps=False, body={"ok": False, "error": "ratelimited"}, headers={"Retry-After": "1"})]
        * scale,
    ]


def run(database_url: str, workspace: Workspace, count: int, kills: int, scale: int, seconds: int) -> None:
    """Two workers at a time until all is sent; each of the first ``kills`` dies at the next step."""
    database = open_database(database_url)
    keys = owe(database, count)
    workspace.faults += faults(scale)
    died = Counter[str]()
    deadline = time.monotonic() + seconds
    with served(create_web_api(workspace)) as slack:
        steps = cycle(STEPS[:-1])
        workers: list[tuple[str, subprocess.Popen[bytes]]] = []
        while time.monotonic() < deadline and (workers or all_deliveries(database, ["due", "sending"])):
            for step, worker in list(workers):
                if worker.poll() is not None:
                    workers.remove((step, worker))
                    died[step] += worker.returncode == -9
            while len(workers) < 2 and all_deliveries(database, ["due", "sending"]):
                step = next(steps) if sum(died.values()) < kills else "never"
                command = [sys.executable, "-m", "tests.slack.crashing_worker", database_url, slack, step, "2", "60"]
                workers.append((step, subprocess.Popen(command)))
            time.sleep(0.05)
        for _, worker in workers:
            worker.wait(60)
    states = Counter(delivery.state for delivery in all_deliveries(database))
    database.close()
    posted = Counter(message["metadata"]["event_payload"]["key"] for message in workspace.messages[CHANNEL])
    assert states == {"sent": count}
    assert set(posted) == keys
    assert {key: times for key, times in posted.items() if times > 1} == {}
    assert sum(died.values()) >= kills
    assert set(died) >= set(STEPS[: min(kills, 5)])


def test_each_message_comes_once_whenever_a_worker_dies(database_url: str) -> None:
    run(database_url, team_workspace(), count=24, kills=5, scale=1, seconds=100)


@pytest.mark.soak
def test_two_hundred_messages_and_many_deaths(database_url: str) -> None:
    """200 messages; every step killed over and over; 40 lost answers, 20 timeouts, 20 errors after, 20 rate limits."""
    run(database_url, team_workspace(), count=200, kills=60, scale=20, seconds=900)
