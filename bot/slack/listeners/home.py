"""The Home tab, made anew whenever somebody opens it."""

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from slack_bolt import Ack
from slack_sdk import WebClient

from bot.ledger import Ledger
from bot.pricing.money import rounded
from bot.slack.access import Access
from bot.slack.blocks.answer import answer_view
from bot.slack.blocks.home import ASSIGN_BLOCK, HIDE, WEEK, Health, Own, home_view
from bot.slack.blocks.message import context, section
from bot.slack.directory import Directory
from bot.slack.subscribing import in_words
from bot.spend.days import ONE_DAY, Period
from bot.store.answers import Answers, last_answers
from bot.store.audit import last_entries, note_change
from bot.store.deliveries import NOT_ARRIVED, all_deliveries, reopen
from bot.store.feeds import feed_states
from bot.store.identity import UnknownIdentity, unassigned
from bot.store.people import person_by_email, remember_slack_user, set_wishes, wishes_of
from bot.store.quantities import last_import
from bot.store.subscriptions import Subscription, all_subscriptions

RECENT = timedelta(days=30)

logger = logging.getLogger(__name__)


class Home:
    """The listeners of the Home tab."""

    def __init__(
        self,
        ledger: Ledger,
        directory: Directory,
        clock: Callable[[], datetime],
        today: Callable[[], date],
        settled: Callable[[], list[Subscription]],
        access: Access,
        give: Callable[[str, str, str, str], None],
        answers: Answers,
        look_again: Callable[[int], None],
    ) -> None:
        """``give`` links a name to an address for somebody, who says which kind of name.

        ``look_again`` lets a person's alerts follow what they wish from now on.
        """
        self.look_again = look_again
        self.ledger = ledger
        self.directory = directory
        self.clock = clock
        self.today = today
        self.settled = settled
        self.access = access
        self.give = give
        self.answers = answers

    def acknowledge(self, ack: Ack) -> None:
        """Tell Slack that it arrived."""
        ack()

    def show(self, event: dict[str, Any], client: WebClient) -> None:
        """Publish the tab for whoever opened it."""
        if event.get("tab", "home") == "home":
            self.publish(event["user"], client)

    def unmute(self, body: dict[str, Any], client: WebClient) -> None:
        """Alerts come again."""
        user = body["user"]["id"]
        email = self.directory.email_of(user)
        person = person_by_email(self.ledger.database, email) if email else None
        if person is not None:
            set_wishes(self.ledger.database, person.id, muted_until=None, planned_day=None, planned_before=None)
            self.look_again(person.id)
        self.publish(user, client)

    def change_name(self, body: dict[str, Any], client: WebClient) -> None:
        """Keep one's own name out of digests, or let it be said again."""
        user = body["user"]["id"]
        email = self.directory.email_of(user)
        person = person_by_email(self.ledger.database, email) if email else None
        if person is not None:
            set_wishes(self.ledger.database, person.id, hides_name=body["actions"][0]["value"] == HIDE)
        self.publish(user, client)

    def assign(self, body: dict[str, Any], client: WebClient) -> None:
        """An admin chose whose a name is."""
        user, action = body["user"]["id"], body["actions"][0]
        kind, _, name = str(action["block_id"]).removeprefix(ASSIGN_BLOCK).partition("|")
        if self.access.is_admin(user):
            email = self.directory.email_of(str(action["selected_user"]))
            wrong = "" if email else "Nobody of this workspace whose e-mail address I can see; nothing was changed."
            try:
                if email is not None:
                    self.give(name, email, user, kind)
            except UnknownIdentity as error:
                wrong = str(error)
            if wrong:
                client.views_open(trigger_id=body["trigger_id"], view=answer_view([section(wrong)]))
        self.publish(user, client)

    def send_again(self, body: dict[str, Any], client: WebClient) -> None:
        """An admin wants a message sent that was not delivered; the next turn does it."""
        user, key = body["user"]["id"], str(body["actions"][0]["value"])
        if self.access.is_admin(user):
            reopen(self.ledger.database, key, self.clock())
            note_change(self.ledger.database, self.clock(), user, f"sent {key} again")
        if body.get("view", {}).get("type") == "home":
            self.publish(user, client)
        elif body.get("message") and self.access.is_admin(user):
            said = body["message"]
            blocks = [block for block in said["blocks"] if block["type"] != "actions"]
            blocks.append(context(f"<@{user}> had it sent again"))
            channel, ts = body["container"]["channel_id"], body["container"]["message_ts"]
            client.chat_update(channel=channel, ts=ts, text=said["text"], blocks=blocks)

    def publish(self, user: str, client: WebClient) -> None:
        """Make the tab of somebody anew."""
        try:
            email = self.directory.email_of(user)
            health = self._health() if self.access.is_admin(user) else None
            names = self.ledger.policy().names
            view = home_view(self._own(user, email), self.today(), self.ledger.book.label, health, names=names)
            client.views_publish(user_id=user, view=view)
        except Exception:
            # Nobody waits for an answer here: the tab stays as it was, and the log says why.
            logger.exception("the Home tab of %s could not be made", user)

    def _own(self, user: str, email: str | None) -> Own:
        database, today = self.ledger.database, self.today()
        self.answers.write()
        answers = last_answers(database, user)
        spend = self.ledger.own_spend(email, today) if email else None
        if email is None or spend is None:
            return Own(email, None, None, None, answers)
        # The tab's buttons are about whoever opened it: that is known from here on.
        remember_slack_user(database, spend.latest.person.id, user)
        wishes = wishes_of(database, spend.latest.person.id)
        week = self.ledger.own_period(email, Period(today - (WEEK - 1) * ONE_DAY, today + ONE_DAY))
        return Own(email, spend, wishes, week, answers, self.ledger.looks_at(spend.latest.person))

    def _health(self) -> Health:
        database, now, zone = self.ledger.database, self.clock(), self.ledger.zone
        feeds = [
            f"{state.name}: {state.problem if state.is_failing else f'newest day {state.newest_day}'}"
            for state in feed_states(database)
        ]
        newest = last_import(database)
        if newest is not None:
            at = newest.imported_at.astimezone(zone)
            feeds.append(f"last import: {newest.source} at {at:%Y-%m-%d %H:%M}, days to {newest.last_day}")
        feeds += [
            f"{source.name} is silent since {source.last_at.astimezone(zone):%Y-%m-%d %H:%M}"
            for source in self.ledger.silent_sources(now)
        ]
        since = self.today() - RECENT
        stuck = [one for one in all_deliveries(database, NOT_ARRIVED, since) if one.state != "expired" or one.is_late]
        return Health(
            feeds,
            [f"{one.channel}: {in_words(one)}" for one in [*self.settled(), *all_subscriptions(database)]],
            [(entry.actor, rounded(entry.usd)) for entry in unassigned(database, since)],
            [(one.key, f"{self.ledger.what(one)}: {one.problem or ''}") for one in stuck],
            [one._replace(at=one.at.astimezone(zone)) for one in last_entries(database)],
            f"{self.ledger.book.label}; unassigned and not delivered of the last {RECENT.days} days",
        )
