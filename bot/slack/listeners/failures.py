"""When a listener raises: the person gets one sentence with a reference, the log gets the facts under it."""

import functools
import logging
import secrets
from collections.abc import Callable
from typing import Any

from slack_bolt import BoltRequest, BoltResponse, Respond

from bot.slack.blocks.help import failure_message
from bot.slack.blocks.message import Message

logger = logging.getLogger(__name__)


def answers_failures(listener: Callable[..., None]) -> Callable[..., None]:
    """Make a listener that runs after the acknowledgement answer its own failures; Bolt would only log them."""

    @functools.wraps(listener)
    def answering(*args: Any, respond: Respond, **kwargs: Any) -> None:
        try:
            listener(*args, respond=respond, **kwargs)
        except Exception:
            respond(**_sentence(_log_failure(listener.__name__)))

    return answering


def answer_failure(error: Exception, request: BoltRequest) -> BoltResponse:
    """Bolt's error handler: the acknowledgement itself carries the sentence."""
    reference = _log_failure(str(request.body.get("command") or request.body.get("type") or "request"), error)
    return BoltResponse(status=200, body=_sentence(reference), headers={"content-type": ["application/json"]})


def failed_message(what: str) -> Message:
    """What to say where an exception is being handled; the log has it under the same reference."""
    return failure_message(_log_failure(what))


def _log_failure(what: str, error: Exception | None = None) -> str:
    reference = secrets.token_hex(4)
    logger.error("%s failed, reference %s", what, reference, exc_info=error or True)
    return reference


def _sentence(reference: str) -> dict[str, Any]:
    message = failure_message(reference)
    return {"response_type": "ephemeral", "text": message.text, "blocks": message.blocks}
