"""Logging of long-running processes: who, what and when, never a secret."""

import logging
import re

_SECRETS = re.compile(r"xox[a-z]-[\w-]+|xapp-[\w-]+|sk-ant-[\w-]{8,}|https://hooks\.slack\.com/\S+")


class _WithoutSecrets(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _SECRETS.sub("[secret]", super().format(record))


def configure_logging() -> None:
    """Log to stderr from INFO on; the Slack libraries from WARNING on, as below that they print what people wrote."""
    handler = logging.StreamHandler()
    handler.setFormatter(_WithoutSecrets("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in ("slack_sdk", "apscheduler", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Its only warnings are about how the app is put together, which is on purpose.
    logging.getLogger("slack_bolt").setLevel(logging.ERROR)
