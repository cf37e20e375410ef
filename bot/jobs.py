"""The jobs, each one turn that anybody may call at any time: plan what is owed, then send what is due."""

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

from slack_sdk.errors import SlackApiError

from bot.ledger import Ledger
from bot.slack.blocks.digest import digest_message
from bot.slack.blocks.message import Message
from bot.slack.blocks.notice import notice_message, silence_sentence
from bot.slack.blocks.personal import alert_message
from bot.slack.delivery import Sender, Undeliverable
from bot.slack.directory import Directory
from bot.slack.errors import classify
from bot.spend.alerts import MAX_AGE_DAYS, step_reached
from bot.spend.days import ONE_DAY, due_at, spend_day
from bot.store import deliveries
from bot.store.deliveries import ALERT, NOTICE, Delivery
from bot.store.feeds import silent_sources
from bot.store.identity import BY_SLACK, link_actor, possible_addresses
from bot.store.people import person_by_id
from bot.store.settings import read_setting, write_setting

MAX_DOMAINS = 3
"""Domains of the team's addresses at which the owner of a key is looked for."""

logger = logging.getLogger(__name__)


class Subscription(NamedTuple):
    """A channel that gets the digest of the day before, each day at a time on the clock of ``zone``."""

    channel: str
    at: time
    zone: ZoneInfo


def digest_due(subscription: Subscription, now: datetime) -> date | None:
    """The day whose digest is owed at ``now``: yesterday, from the due time on until the local day ends; else None.

    After an outage this is still one digest, of the newest day, not one for each day that was missed.
    """
    today = spend_day(now, subscription.zone)
    return today - ONE_DAY if due_at(today, subscription.at, subscription.zone) <= now else None


class Jobs:
    """One installation's turns. Every process may run them at once: the database decides who sends what."""

    def __init__(
        self,
        ledger: Ledger,
        sender: Sender,
        directory: Directory,
        subscriptions: list[Subscription],
        admins: Sequence[str] = (),
    ) -> None:
        self.ledger = ledger
        self.sender = sender
        self.subscriptions = subscriptions
        self.admins = admins
        self.directory = directory

    def tick(self, now: datetime) -> int:
        """One turn of everything; returns how many messages went out. Late, twice or after a crash it does the same."""
        self.plan_digests(now)
        return self.sender.send_due(now)

    def plan_digests(self, now: datetime) -> None:
        """Owe each subscribed channel the digest that is due."""
        for subscription in self.subscriptions:
            day = digest_due(subscription, now)
            if day is not None:
                # Yesterday's digest is news until midnight; then the next one is.
                midnight = due_at(day + 2 * ONE_DAY, time(0), subscription.zone)
                deliveries.owe_digest(self.ledger.database, subscription.channel, day, now, midnight)

    def watch_sources(self, now: datetime) -> None:
        """Owe each admin one message about a source that has fallen silent."""
        for source in silent_sources(self.ledger.database, now):
            about = f"silent:{source.name}:{int(source.last_at.timestamp())}"
            text = silence_sentence(source.name, source.last_at.astimezone(self.ledger.zone), source.usual)
            for admin in self.admins:
                deliveries.owe_notice(self.ledger.database, about, admin, text, spend_day(now, self.ledger.zone), now)

    def find_owners(self, now: datetime) -> int:
        """Ask Slack who is behind the keys that nobody is known for; each address is asked for once a day."""
        database, found = self.ledger.database, 0
        asked = f"asked_slack:{now.astimezone(UTC).date()}"
        known = set((read_setting(database, asked) or "").split())
        for key, addresses in possible_addresses(database, MAX_DOMAINS).items():
            for address in addresses:
                if address in known:
                    continue
                try:
                    is_theirs = self.directory.has_address(address)
                except (SlackApiError, OSError) as error:
                    logger.warning("Slack could not be asked for the owners of keys: %s", classify(error).code)
                    return found
                known.add(address)
                write_setting(database, asked, " ".join(sorted(known)))
                if is_theirs:
                    link_actor(database, key, address, BY_SLACK, self.ledger.book)
                    logger.info("%s is %s, says Slack", key, address)
                    found += 1
                    break
        return found


class Composer:
    """Makes the message of a delivery from what is stored at the moment of sending."""

    def __init__(self, ledger: Ledger, directory: Directory) -> None:
        self.ledger = ledger
        self.directory = directory

    def __call__(self, delivery: Delivery, now: datetime) -> tuple[str, Message]:
        if delivery.kind == ALERT:
            return self._alert(delivery, now)
        if delivery.kind == NOTICE:
            text = str((delivery.payload or {}).get("text", ""))
            return self.directory.direct_channel(delivery.target), notice_message(text)
        return delivery.target, digest_message(self.ledger.digest(delivery.day, now))

    def _alert(self, delivery: Delivery, now: datetime) -> tuple[str, Message]:
        person = person_by_id(self.ledger.database, int(delivery.target))
        if person is None:
            raise Undeliverable("expired", "the person's data were removed")
        if (spend_day(now, self.ledger.zone) - delivery.day).days > MAX_AGE_DAYS:
            raise Undeliverable("expired", f"{delivery.day} is too long ago for an alert")
        own = self.ledger.own_day(person, delivery.day)
        limit, step = self.ledger.limit_of(person), delivery.step or 1
        reached = step_reached(own.amount.usd, limit)
        if reached is None or reached < step:
            raise Undeliverable("expired", f"the day was restated below {step}x the limit before it was told")
        if any(step < other <= reached for other in self.ledger.alert_steps(person, delivery.day)):
            raise Undeliverable("expired", "a higher step is told instead")
        channel = self.directory.direct_channel(self.directory.slack_user_of(person))
        return channel, alert_message(own, limit, step, self.ledger.book.label)
