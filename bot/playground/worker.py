"""One turn of the jobs in a process of its own, for the playground to kill: python -m bot.playground.worker."""

import sys
from datetime import datetime

from bot.app import Installation
from bot.playground.demo import stage_settings


def main(database_url: str, slack_url: str, now: str) -> None:
    moment = datetime.fromisoformat(now)
    installation = Installation(stage_settings(database_url, slack_url), clock=lambda: moment)
    installation.jobs.tick(moment)
    installation.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
