"""The Slack clients: one that posts and never retries by itself, one that reads and may, and hasty ones."""

from slack_sdk import WebClient
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler

POST_TIMEOUT = 10
"""Seconds. Much shorter than a delivery's lease: a call is over before anybody else may look at the delivery."""


HASTY_TIMEOUT = 2


def posting_client(token: str, base_url: str) -> WebClient:
    """For messages: the client's default retry posts twice when only the answer was lost, so there is none."""
    return WebClient(token=token, base_url=base_url, timeout=POST_TIMEOUT, retry_handlers=[])


def unauthorized_client(base_url: str) -> WebClient:
    """For Bolt, which makes a client of it for each request, with the token of the workspace that it came from."""
    return WebClient(base_url=base_url, timeout=POST_TIMEOUT, retry_handlers=[])


def hasty_client(token: str, base_url: str) -> WebClient:
    """For what must be known before an acknowledgement, for which Slack waits three seconds: it never waits itself."""
    return WebClient(token=token, base_url=base_url, timeout=HASTY_TIMEOUT, retry_handlers=[])


def reading_client(token: str, base_url: str) -> WebClient:
    """For look-ups, which may be repeated: waits out rate limits and broken connections."""
    handlers = [ConnectionErrorRetryHandler(max_retry_count=1), RateLimitErrorRetryHandler(max_retry_count=2)]
    return WebClient(token=token, base_url=base_url, timeout=POST_TIMEOUT, retry_handlers=handlers)
