"""Sending what the outbox owes: each message is posted once, and looked for before it is ever posted again."""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from http.client import HTTPException
from typing import Any, NamedTuple

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.slack.blocks.message import Message
from bot.slack.clients import POST_TIMEOUT
from bot.slack.errors import Failure, Meaning, classify
from bot.store import deliveries
from bot.store.database import Database
from bot.store.deliveries import LEASE, TOO_LATE, Delivery

METADATA_EVENT = "claudecost_delivery"
PACE = 1.0
"""Seconds between two messages to one channel: Slack takes one a second."""

PICTURE_WAITS = (1, 2, 4)
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(hours=1)
INSTALLATION_WAIT = timedelta(minutes=5)
_HISTORY_MARGIN = 24 * 3600
"""Seconds by which the clocks here and at Slack may differ: a message is looked for from so long before its send."""

_LAST_SAFE_START = LEASE.total_seconds() - 2 * POST_TIMEOUT

logger = logging.getLogger(__name__)


class Undeliverable(Exception):
    """A message that must not be sent any more; the state it ends in, and one sentence that says why."""

    def __init__(self, state: str, sentence: str) -> None:
        self.state = state
        super().__init__(sentence)


class Postponed(Exception):
    """A message that must wait until a moment."""

    def __init__(self, until: datetime, why: str) -> None:
        self.until = until
        super().__init__(why)


class Composed(NamedTuple):
    """Where a message goes, what it says, and the total that it tells (None for messages that tell none).

    ``members`` is a hash of whose total it is, where it is a team's.
    """

    channel: str
    message: Message
    usd: Decimal | None = None
    is_partial: bool = False
    members: str | None = None


Compose = Callable[[Delivery, datetime], Composed]
"""Makes the message of a delivery. Raises Undeliverable, Postponed, or the Slack client's errors."""


class Looked(Enum):
    """What a look into a fully read channel found of a message."""

    FOUND = 1
    NOT_THERE = 2


class Sender:
    """Takes deliveries that are due, one at a time, and brings each to Slack effectively once."""

    def __init__(self, database: Database, posting: WebClient, reading: WebClient, compose: Compose) -> None:
        self.database = database
        self.posting = posting
        self.reading = reading
        self.compose = compose
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self._posted_at: dict[str, float] = {}

    def send_due(self, now: datetime) -> int:
        """Send everything that is due at ``now``; returns how many messages Slack took or already had."""
        sent = 0
        started = time.monotonic()
        while True:
            claimed_at = time.monotonic()
            # Each lease runs from its own claim: a long round must not hand out leases that have ended already.
            moment = now + timedelta(seconds=claimed_at - started)
            delivery = deliveries.claim(self.database, self.owner, moment)
            if delivery is None:
                return sent
            outcome = self._deliver(delivery, moment, claimed_at)
            if outcome is None:
                sent += 1
            elif outcome.meaning is Meaning.INSTALLATION:
                logger.error("Slack refuses the app (%s): nothing is sent until that is mended", outcome.code)
                return sent

    def _deliver(self, delivery: Delivery, now: datetime, claimed_at: float) -> Failure | None:
        if delivery.send_started_at is not None:
            looked = self._look_for(delivery, delivery.send_started_at, now)
            if looked is not Looked.NOT_THERE:
                return None if looked is Looked.FOUND else looked
        if delivery.expires_at is not None and now >= delivery.expires_at:
            why = f"; before that: {delivery.problem}" if delivery.problem else ""
            deliveries.close(self.database, delivery, "expired", TOO_LATE + why)
            return Failure(Meaning.TARGET, "expired")
        return self._send(delivery, now, claimed_at)

    def _send(self, delivery: Delivery, now: datetime, claimed_at: float) -> Failure | None:
        try:
            composed = self.compose(delivery, now)
        except Postponed as error:
            # Put back to a moment that is over, it would be the next one to be sent, again and again.
            deliveries.put_back(self.database, delivery, max(error.until, now + FIRST_WAIT), str(error))
            return Failure(Meaning.RETRY, str(error))
        except Undeliverable as error:
            deliveries.close(self.database, delivery, error.state, str(error))
            return Failure(Meaning.TARGET, str(error))
        except (SlackApiError, OSError, HTTPException) as error:
            return self._look_up_failed(delivery, now, classify(error))
        except Exception as error:
            # One message that cannot be made must not keep the others from being sent.
            logger.exception("%s could not be made", delivery.key)
            failure = Failure(Meaning.RETRY, f"it could not be made: {error}")
            self._failed(delivery, failure, now)
            return failure
        return self._post(delivery, composed, now, claimed_at)

    def _post(self, delivery: Delivery, composed: Composed, now: datetime, claimed_at: float) -> Failure | None:
        channel, message, usd, is_partial, members = composed
        payload: dict[str, Any] = {"text": message.text, "blocks": message.blocks}
        self._keep_pace(channel)
        told = deliveries.Told(usd, is_partial, members)
        if not deliveries.start_sending(self.database, delivery, channel, payload, now, told):
            return Failure(Meaning.RETRY, "another process took it over")
        if time.monotonic() - claimed_at > _LAST_SAFE_START:
            return Failure(Meaning.RETRY, "this process was stalled; the next one that looks sends it")
        failure = self._call(delivery, channel, payload)
        for wait, simpler in _simpler(message):
            if failure is None or failure.meaning is not Meaning.PAYLOAD:
                break
            logger.warning("Slack refused the blocks of %s (%s): trying simpler ones", delivery.key, failure.code)
            if time.monotonic() - claimed_at + wait > _LAST_SAFE_START:
                failure = failure._replace(meaning=Meaning.RETRY)
                break
            time.sleep(wait)
            failure = self._call(delivery, channel, simpler)
        if failure is not None:
            self._failed(delivery, failure, now)
        return failure

    def _keep_pace(self, channel: str) -> None:
        """Wait until this channel may get another message."""
        now = time.monotonic()
        wait = self._posted_at.get(channel, now - PACE) + PACE - now
        self._posted_at[channel] = now + max(0.0, wait)
        if wait > 0:
            time.sleep(wait)

    def edit(self, delivery: Delivery, message: Message) -> Failure | None:
        """Change a message that was sent; what came of it, None if it is changed."""
        failure = self._update(delivery, {"text": message.text, "blocks": message.blocks})
        for wait, simpler in _simpler(message):
            if failure is None or failure.meaning is not Meaning.PAYLOAD:
                break
            time.sleep(wait)
            failure = self._update(delivery, simpler)
        if failure is None:
            logger.info("corrected %s", delivery.key)
        else:
            logger.warning("%s could not be corrected: %s", delivery.key, failure.code)
        return failure

    def _update(self, delivery: Delivery, payload: dict[str, Any]) -> Failure | None:
        metadata = {"event_type": METADATA_EVENT, "event_payload": {"key": delivery.key}}
        try:
            self.posting.chat_update(channel=delivery.channel or "", ts=delivery.ts or "", metadata=metadata, **payload)
        except Exception as error:
            return classify(error)
        return None

    def _call(self, delivery: Delivery, channel: str, payload: dict[str, Any]) -> Failure | None:
        metadata = {"event_type": METADATA_EVENT, "event_payload": {"key": delivery.key}}
        try:
            answer = self.posting.chat_postMessage(
                channel=channel, metadata=metadata, unfurl_links=False, unfurl_media=False, **payload
            )
        except Exception as error:
            return classify(error)
        if not answer.get("ts") or not answer.get("channel"):
            return Failure(Meaning.UNCERTAIN, "an answer that does not say where the message is")
        deliveries.mark_sent(self.database, delivery, str(answer["channel"]), str(answer["ts"]))
        logger.info("sent %s to %s", delivery.key, channel)
        return None

    def _failed(self, delivery: Delivery, failure: Failure, now: datetime) -> None:
        problem = f"{failure.meaning.value} ({failure.code})"
        logger.warning("%s: %s", delivery.key, problem)
        if failure.meaning is Meaning.RETRY:
            deliveries.put_back(self.database, delivery, now + _wait(delivery, failure), problem)
        elif failure.meaning is Meaning.INSTALLATION:
            deliveries.put_back(self.database, delivery, now + INSTALLATION_WAIT, problem)
        elif failure.meaning is Meaning.UNCERTAIN:
            deliveries.leave_uncertain(self.database, delivery, now + FIRST_WAIT, problem)
        elif failure.meaning is Meaning.UNKNOWN:
            deliveries.close(self.database, delivery, "held", problem)
        else:
            deliveries.close(self.database, delivery, "failed", problem)

    def _look_up_failed(self, delivery: Delivery, now: datetime, failure: Failure) -> Failure:
        """A call before the post failed: whatever it means, Slack has no message of ours."""
        certain = failure._replace(meaning=Meaning.RETRY) if failure.meaning is Meaning.UNCERTAIN else failure
        self._failed(delivery, certain, now)
        # A scope that looking somebody up needs is none that posting needs: other messages go on.
        return certain._replace(meaning=Meaning.RETRY) if certain.code == "missing_scope" else certain

    def _look_for(self, delivery: Delivery, started_at: datetime, now: datetime) -> "Failure | Looked":
        """Whether an earlier attempt reached Slack (then that is recorded), or why nobody can tell now."""
        try:
            ts = self._find(delivery, started_at)
        except Exception as error:
            failure = classify(error)
            if failure.meaning in (Meaning.RETRY, Meaning.UNCERTAIN):
                deliveries.leave_uncertain(self.database, delivery, now + _wait(delivery, failure), failure.code)
            else:
                problem = f"it may have been sent, and the channel cannot be read to make sure ({failure.code})"
                deliveries.close(self.database, delivery, "held", problem)
            return failure
        if ts is None:
            return Looked.NOT_THERE
        deliveries.mark_sent(self.database, delivery, delivery.channel or "", ts)
        logger.info("%s had reached Slack already", delivery.key)
        return Looked.FOUND

    def _find(self, delivery: Delivery, started_at: datetime) -> str | None:
        """The ts of the message that carries this delivery's key, reading the channel since shortly before the send."""
        oldest = str(int(started_at.timestamp()) - _HISTORY_MARGIN)
        cursor = ""
        while True:
            page = self.reading.conversations_history(
                channel=delivery.channel or "",
                oldest=oldest,
                include_all_metadata=True,
                limit=200,
                cursor=cursor or None,
            )
            for message in page["messages"]:
                metadata = message.get("metadata") or {}
                if metadata.get("event_payload", {}).get("key") == delivery.key:
                    return str(message["ts"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return None


def _simpler(message: Message) -> Iterator[tuple[int, dict[str, Any]]]:
    """What to try after a refusal, with seconds to wait before: an upload is not ready to be shown at once."""
    plain = [block for block in message.blocks if block["type"] != "image"]
    if plain != message.blocks:
        for wait in PICTURE_WAITS:
            yield wait, {"text": message.text, "blocks": message.blocks}
        yield 0, {"text": message.text, "blocks": plain}
    yield 0, {"text": message.text}


def _wait(delivery: Delivery, failure: Failure) -> timedelta:
    if failure.retry_after is not None:
        return timedelta(seconds=failure.retry_after + 1)
    doublings: int = min(delivery.attempts - 1, 10)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)
