"""Buttons and windows: what they change is checked against who pressed them, as the signed request says."""

import json
import logging
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from slack_bolt import Ack, Respond
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.advice import Advisor
from bot.ask import Refusal, ask
from bot.ledger import Ledger, expected_key
from bot.pricing.money import shown
from bot.slack.access import NOT_MEMBER, Access
from bot.slack.blocks.answer import answer_message, answer_view, refusal_message
from bot.slack.blocks.digest import without_anomaly
from bot.slack.blocks.message import Message, context, section, short_day
from bot.slack.blocks.personal import (
    alert_message,
    limit_modal,
    no_own_spend_message,
    own_spend_message,
)
from bot.slack.blocks.plans import own_plan_in_a_line
from bot.slack.directory import Directory
from bot.slack.errors import classify
from bot.slack.listeners.failures import answers_failures
from bot.spend.alerts import MAX_LIMIT, read_limit
from bot.store.people import Person, person_by_email, person_by_id, plan_day, set_wishes
from bot.store.settings import write_setting

_NOT_YOURS = "This is no longer an alert of yours; /claudecost me shows your own days."
NOT_YOURS = Message(_NOT_YOURS, [section(_NOT_YOURS)])

logger = logging.getLogger(__name__)


class _Alert(NamedTuple):
    """The person and day that a button is about, and the limit and step that were told."""

    person: Person
    day: date
    limit_usd: Decimal
    step: int


class Actions:
    """The listeners of buttons and windows."""

    def __init__(
        self,
        ledger: Ledger,
        directory: Directory,
        access: Access,
        today: Callable[[], date],
        publish_home: Callable[[str, WebClient], None],
        look_again: Callable[[int], None],
        advisor: Advisor,
    ) -> None:
        """``publish_home`` makes the Home tab of a user anew; ``look_again`` lets a person's alerts follow a change."""
        self.publish_home = publish_home
        self.look_again = look_again
        self.advisor = advisor
        self.ledger = ledger
        self.directory = directory
        self.access = access
        self.today = today

    def acknowledge(self, ack: Ack) -> None:
        """Tell Slack that the button arrived."""
        ack()

    @answers_failures
    def show_own_spend(self, respond: Respond, body: dict[str, Any]) -> None:
        """The spend of whoever pressed the button, for them alone."""
        email = self.directory.email_of(body["user"]["id"])
        own = self.ledger.own_spend(email, self.today()) if email else None
        if own is None:
            _whisper(respond, no_own_spend_message(email))
            return
        looks = self.ledger.looks_at(own.latest.person)
        _whisper(respond, own_spend_message(own, self.today(), self.ledger.book.label, looks))

    @answers_failures
    def share_answer(self, respond: Respond, body: dict[str, Any]) -> None:
        """Say an answer to everybody in the channel, worked out again, with who asked."""
        try:
            answer = ask(body["actions"][0]["value"], self.today(), self.ledger.book)
        except Refusal as refusal:
            _whisper(respond, refusal_message(refusal))
            return
        message = answer_message(answer, is_shared=True)
        asked = context(f"Asked by <@{body['user']['id']}>")
        respond(text=message.text, blocks=[*message.blocks, asked], response_type="in_channel", replace_original=False)

    @answers_failures
    def note_expected(self, respond: Respond, body: dict[str, Any]) -> None:
        """A day that stood out was expected: the digest need not say so."""
        if not self.access.is_member(body["user"]["id"]):
            _whisper(respond, Message(NOT_MEMBER, [section(NOT_MEMBER)]))
            return
        day, _, team = str(body["actions"][0]["value"]).partition("|")
        write_setting(self.ledger.database, expected_key(date.fromisoformat(day), team or None), body["user"]["id"])
        # The message stays what it is, whoever's digest it is: only the line and the button go.
        said = body["message"]
        respond(text=said["text"], blocks=without_anomaly(said["blocks"]), replace_original=True)

    @answers_failures
    def plan_day(self, respond: Respond, body: dict[str, Any]) -> None:
        """No more alerts about that day."""
        alert = self._alert(body)
        if alert is None:
            _whisper(respond, NOT_YOURS)
        else:
            plan_day(self.ledger.database, alert.person.id, alert.day)
            self._settle(respond, alert, f"Planned work: nothing more about {short_day(alert.day)}")

    @answers_failures
    def mute(self, respond: Respond, body: dict[str, Any]) -> None:
        """No alerts until Monday."""
        alert = self._alert(body)
        if alert is None:
            _whisper(respond, NOT_YOURS)
        else:
            monday = self.today() + timedelta(days=8 - self.today().isoweekday())
            set_wishes(self.ledger.database, alert.person.id, muted_until=monday)
            self._settle(respond, alert, f"Muted until {short_day(monday)}; /claudecost unmute ends it")

    def open_limit(self, ack: Ack, body: dict[str, Any], client: WebClient) -> None:
        """The window for an own limit; Slack lets it be opened within seconds of the press alone."""
        ack()
        alert = self._alert(body)
        if alert is None:
            client.views_open(trigger_id=body["trigger_id"], view=answer_view(NOT_YOURS.blocks))
        else:
            container = body.get("container", {})
            where = json.dumps([body["actions"][0]["value"], container.get("channel_id"), container.get("message_ts")])
            own = self.ledger.own_day(alert.person, alert.day)
            view = limit_modal(own, self.ledger.limit_of(alert.person), where)
            client.views_open(trigger_id=body["trigger_id"], view=view)

    def check_limit(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        """Say at once what is wrong with the limit that the window holds, or close it."""
        value, _, _ = json.loads(view["private_metadata"])
        _, wrong = _chosen(view["state"]["values"])
        if self._about(value, body["user"]["id"]) is None:
            wrong = "This is not your alert"
        if wrong:
            ack(response_action="errors", errors={"own": wrong})
        else:
            ack()

    def save_limit(self, body: dict[str, Any], view: dict[str, Any], client: WebClient) -> None:
        """Keep the limit, and say so in the message that the window came from."""
        value, channel, ts = json.loads(view["private_metadata"])
        alert = self._about(value, body["user"]["id"])
        usd, _ = _chosen(view["state"]["values"])
        if alert is None or usd is None:
            return  # the window said so
        set_wishes(self.ledger.database, alert.person.id, limit_usd=usd)
        self.look_again(alert.person.id)
        changed = alert._replace(person=person_by_id(self.ledger.database, alert.person.id) or alert.person)
        if channel and ts:
            message = self._message(changed, f"Your limit is {shown(usd)} a day now")
            try:
                client.chat_update(channel=channel, ts=ts, text=message.text, blocks=message.blocks)
            except (SlackApiError, OSError) as error:
                # As where the message was deleted: the limit is kept all the same, and /claudecost me says it.
                logger.warning("an alert could not be edited: %s", classify(error).code)
        else:
            self.publish_home(body["user"]["id"], client)

    def _alert(self, body: dict[str, Any]) -> _Alert | None:
        return self._about(body["actions"][0]["value"], body["user"]["id"])

    def _about(self, value: str, user: str) -> _Alert | None:
        """What a button's value names, if it is about the person who pressed it."""
        person_id, day, limit, step = value.split("|")
        told = person_by_id(self.ledger.database, int(person_id))
        if told is None or told.email is None or told.slack_user_id != user:
            return None
        # An address that was linked to another one since then is that person's.
        person = person_by_email(self.ledger.database, told.email) or told
        return _Alert(person, date.fromisoformat(day), Decimal(limit), int(step))

    def _settle(self, respond: Respond, alert: _Alert, said: str) -> None:
        message = self._message(alert, said)
        respond(text=message.text, blocks=message.blocks, replace_original=True)

    def _message(self, alert: _Alert, said: str) -> Message:
        own, email = self.ledger.own_day(alert.person, alert.day), alert.person.email
        plan = own_plan_in_a_line(self.advisor.for_person(email, alert.day) if email else None)
        return alert_message(own, alert.limit_usd, alert.step, self.ledger.book.label, plan=plan, settled=said)


def _chosen(values: dict[str, Any]) -> tuple[Decimal | None, str]:
    """The limit that the window holds, and what is wrong where it holds none: what was written goes first."""
    written = str(values.get("own", {}).get("usd", {}).get("value") or "").strip()
    chosen = (values.get("choice", {}).get("usd", {}).get("selected_option") or {}).get("value")
    said = written or chosen
    if not said:
        return None, "Choose a limit or write one, such as 20"
    usd = read_limit(said)
    if usd is None:
        return None, f"“{said[:20]}” is no amount from $0.01 to ${MAX_LIMIT:,}; write one such as 20 or 12.50"
    return usd, ""


def _whisper(respond: Respond, message: Message) -> None:
    respond(text=message.text, blocks=message.blocks or None, response_type="ephemeral", replace_original=False)
