"""When a listener raises: the person gets one sentence with a reference, the log gets the facts under it."""

import functools
import logging
import secrets
from collections.abc import Callable
from typing import Any

from slack_bolt import BoltRequest, BoltResponse, Respond
from slack_sdk.errors import SlackApiError

from bot.slack.blocks.answer import answer_view
from bot.slack.blocks.help import failure_message, no_answer_message, no_database_message
from bot.slack.blocks.message import Message
from bot.slack.errors import Meaning, classify
from bot.store.database import is_outage

logger = logging.getLogger(__name__)


def answers_failures(listener: Callable[..., None]) -> Callable[..., None]:
    """Make a listener that runs after the acknowledgement answer its own failures; Bolt would only log them."""

    @functools.wraps(listener)
    def answering(*args: Any, respond: Respond, **kwargs: Any) -> None:
        try:
            listener(*args, respond=respond, **kwargs)
        except Exception as error:
            respond(**_whispered(failed_message(listener.__name__, error)))

    return answering


def answer_failure(error: Exception, request: BoltRequest) -> BoltResponse:
    """Bolt's error handler: the acknowledgement itself carries the sentence."""
    message = failed_message(str(request.body.get("command") or request.body.get("type") or "request"), error)
    is_window = request.body.get("type") == "view_submission"
    body = {"response_action": "update", "view": answer_view(message.blocks)} if is_window else _whispered(message)
    return BoltResponse(status=200, body=body, headers={"content-type": ["application/json"]})


def failed_message(what: str, error: Exception) -> Message:
    """What to say of an exception; the log has it under the same reference."""
    if isinstance(error, SlackApiError | OSError) and classify(error).meaning in (Meaning.RETRY, Meaning.UNCERTAIN):
        logger.warning("%s: Slack did not answer: %s", what, classify(error).code)
        return no_answer_message()
    reference = secrets.token_hex(4)
    if is_outage(error):
        logger.warning("%s failed, reference %s: %s", what, reference, str(error).partition("\n")[0])
        return no_database_message(reference)
    logger.error("%s failed, reference %s", what, reference, exc_info=error)
    return failure_message(reference)


def _whispered(message: Message) -> dict[str, Any]:
    return {"response_type": "ephemeral", "text": message.text, "blocks": message.blocks}
