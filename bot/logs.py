"""Logging of long-running processes: who, what and when, never a secret."""

import logging
import re
from typing import Any

_SECRETS = re.compile(r"xox[a-z]-[\w-]+|xapp-[\w-]+|sk-ant-[\w-]{8,}|https://hooks\.slack\.com/\S+")


class LogFormatter(logging.Formatter):
    """One line for each record, and the traceback of what was not foreseen; no token, key or address to post to."""

    def format(self, record: logging.LogRecord) -> str:
        return _SECRETS.sub("[secret]", super().format(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging calls it so
        """What was raised; of a database that does not answer its own words say all, however often it is asked."""
        from bot.store.database import is_outage

        return str(ei[1]).partition("\n")[0] if is_outage(ei[1]) else super().formatException(ei)


def configure_logging() -> None:
    """Log to stderr from INFO on; the Slack libraries from WARNING on, as below that they print what people wrote."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in ("slack_sdk", "apscheduler", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Its only warnings are about how the app is put together, which is on purpose.
    logging.getLogger("slack_bolt").setLevel(logging.ERROR)
