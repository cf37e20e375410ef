"""The slash command: a question is answered in the acknowledgement, what needs the database after it."""

import re
from collections.abc import Callable, Collection
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from slack_bolt import Ack, Respond
from slack_sdk import WebClient

from bot.advice import Advisor
from bot.ask import Refusal, ask, monthly_spend
from bot.ask.article import article_claims
from bot.ledger import Ledger
from bot.pricing import default_price_book
from bot.pricing.money import shown
from bot.pricing.plans import PlanBook
from bot.pricing.tiers import what_if
from bot.slack.blocks.answer import answer_message, refusal_message
from bot.slack.blocks.article import article_message
from bot.slack.blocks.digest import digest_message
from bot.slack.blocks.help import help_message
from bot.slack.blocks.message import Message, section, short_day
from bot.slack.blocks.personal import no_own_spend_message, own_period_message, own_spend_message
from bot.slack.blocks.plans import (
    no_usage_message,
    not_for_you_message,
    own_recommendation_message,
    plan_list_message,
    team_recommendation_message,
    what_if_message,
)
from bot.slack.directory import Directory
from bot.slack.listeners.failures import answers_failures
from bot.spend.alerts import OFF, read_quiet_hours
from bot.spend.days import ONE_DAY, Period
from bot.store.people import person_by_email, set_wishes
from bot.store.teams import find_team

WORDS = (
    "",
    "help",
    "me",
    "digest",
    "article",
    "plans",
    "recommend",
    "limit",
    "mute",
    "unmute",
    "quiet",
    "subscribe",
    "unsubscribe",
    "subscriptions",
)
"""First words that are no question. The empty one is the bare command."""


def first_word(command: dict[str, Any]) -> str:
    """The first word after the command, in lower case."""
    words = str(command.get("text") or "").split(maxsplit=1)
    return words[0].lower() if words else ""


def asks_a_question(command: dict[str, Any]) -> bool:
    """Whether the text is a cost question rather than one of WORDS."""
    return first_word(command) not in WORDS


def has_word(word: str) -> Callable[[dict[str, Any]], bool]:
    """A matcher for commands that start with a word."""

    def matches(command: dict[str, Any]) -> bool:
        return first_word(command) == word

    return matches


class Commands:
    """The listeners of the slash command; all answers are ephemeral."""

    def __init__(
        self,
        ledger: Ledger,
        directory: Directory,
        today: Callable[[], date],
        plans: PlanBook,
        advisor: Advisor,
        admins: Collection[str] = (),
    ) -> None:
        self.ledger = ledger
        self.directory = directory
        self.today = today
        self.plans = plans
        self.advisor = advisor
        self.admins = admins

    def answer_question(self, ack: Ack, command: dict[str, Any]) -> None:
        """Price the question right in the acknowledgement: it takes no database and no network."""
        try:
            message = answer_message(ask(command["text"], self.today(), self.ledger.book))
        except Refusal as refusal:
            message = refusal_message(_nearest_command(str(command["text"])) or refusal)
        _reply(ack, message)

    def show_help(self, ack: Ack) -> None:
        """Everything that can be typed."""
        _reply(ack, help_message())

    def show_article(self, ack: Ack) -> None:
        """The figures of the article on session costs beside ours."""
        _reply(ack, article_message(article_claims(default_price_book())))

    def show_plans(self, ack: Ack, command: dict[str, Any]) -> None:
        """The plans that are known, or what each would cost for a spend."""
        today, said = self.today(), " ".join(str(command["text"]).split()[1:])
        known, typical = self.plans.on(today), self.plans.typical(today)
        if not said:
            _reply(ack, plan_list_message(known, today, (typical.average, typical.p90) if typical else None))
            return
        try:
            spent = monthly_spend(said, today, self.ledger.book)
        except Refusal as refusal:
            _reply(ack, refusal_message(Refusal(refusal.sentence, "plans $6 a day")))
            return
        _reply(ack, what_if_message(spent, *what_if(spent.daily_usd, known), today))

    @answers_failures
    def show_recommendation(self, respond: Respond, command: dict[str, Any], client: WebClient) -> None:
        """The plan that fits whoever asks; with “team”, and for leads and admins alone, the mix for a team.

        With “picture” it is drawn and sent to them directly, as Slack shows no fresh upload in such an answer.
        """
        words = str(command["text"]).split()[1:]
        if words[:1] == ["team"]:
            _reply(respond, self._team_recommendation(command["user_id"], " ".join(words[1:]) or None))
            return
        if words and words != ["picture"]:
            _reply(respond, refusal_message(Refusal(f"I could not read “{' '.join(words)}”.", "recommend")))
            return
        email = self.directory.email_of(command["user_id"])
        found = self.advisor.for_person(email, self.today()) if email else None
        _reply(respond, own_recommendation_message(found) if found else no_usage_message())
        if words and found and found.people[0].recommended is not None:
            from bot.slack.charts import png, recommendation_spec

            drawn = png(recommendation_spec(found.people[0], found.plans))
            channel = self.directory.direct_channel(command["user_id"])
            client.files_upload_v2(file=drawn, filename="plans.png", title="What a month costs", channel=channel)

    def _team_recommendation(self, user: str, name: str | None) -> Message:
        team = find_team(self.ledger.database, name) if name else None
        if user not in self.admins and (team is None or team.lead != user):
            return not_for_you_message()
        found = self.advisor.for_team(self.today(), name)
        if found is None:
            return refusal_message(Refusal(f"No team is called “{name}”.", "recommend team"))
        return team_recommendation_message(found, name or "the workspace")

    @answers_failures
    def change_alerts(self, respond: Respond, command: dict[str, Any]) -> None:
        """“limit 20”, “mute 3d”, “unmute”, “quiet 21:00-07:00”: what a person wants for their own alerts."""
        word, *rest = str(command["text"]).lower().split()
        email = self.directory.email_of(command["user_id"])
        person = person_by_email(self.ledger.database, email) if email else None
        if person is None:
            _reply(respond, no_own_spend_message(email))
            return
        changed = _alert_change(word, " ".join(rest), self.today())
        if changed is None:
            example = {"limit": "limit 20", "quiet": "quiet 21:00-07:00"}.get(word, "mute 3d")
            _reply(respond, refusal_message(Refusal(f"I could not read “{command['text'].strip()}”.", example)))
            return
        values, said = changed
        set_wishes(self.ledger.database, person.id, **values)
        _reply(respond, Message(said, [section(said)]))

    def acknowledge(self, ack: Ack) -> None:
        """Tell Slack that the command arrived; the answer follows by response_url."""
        ack()

    @answers_failures
    def show_own_spend(self, respond: Respond, command: dict[str, Any]) -> None:
        """The spend of the person who asks, and of nobody else."""
        email = self.directory.email_of(command["user_id"])
        named = _named_period(str(command["text"]), self.today())
        if email and named is not None:
            period, what = named
            found = self.ledger.own_period(email, period)
            label = self.ledger.book.label
            _reply(respond, own_period_message(found, what, label) if found else no_own_spend_message(email))
            return
        own = self.ledger.own_spend(email, self.today()) if email else None
        if own is None:
            _reply(respond, no_own_spend_message(email))
        else:
            _reply(respond, own_spend_message(own, self.today(), self.ledger.book.label))

    @answers_failures
    def show_digest(self, respond: Respond, command: dict[str, Any]) -> None:
        """The digest of yesterday or of the day that is named, for the person who asks alone."""
        day = _named_day(command["text"], self.today() - ONE_DAY)
        if day is None:
            said = " ".join(command["text"].split()[1:])
            _reply(respond, refusal_message(Refusal(f"“{said}” is no day of a digest.", f"digest {self.today()}")))
        else:
            _reply(respond, digest_message(self.ledger.digest(day)))


def _nearest_command(text: str) -> Refusal | None:
    """What to say to a first word that is nearly one of WORDS."""
    first, *rest = text.split()
    near = get_close_matches(first.lower(), [word for word in WORDS if word], 1, 0.75)
    if not near:
        return None
    sentence = f"“{first[:60]}” is no command. Did you mean “{near[0]}”?"
    return Refusal(sentence, " ".join([near[0], *rest]))


def _named_period(text: str, today: date) -> tuple[Period, str] | None:
    """The period after “me”, and how it is said; None where none is named."""
    word = " ".join(text.lower().split()[1:])
    tomorrow = today + ONE_DAY
    return {
        "today": (Period(today, tomorrow), "today"),
        "week": (Period(tomorrow - 7 * ONE_DAY, tomorrow), "in the last 7 days"),
        "month": (Period(today.replace(day=1), tomorrow), f"in {today:%B}"),
    }.get(word.removeprefix("this "))


def _named_day(text: str, usual: date) -> date | None:
    """The day after the command's first word, ``usual`` where none is named, None where it cannot be read."""
    words = [word for word in text.lower().split()[1:] if word not in ("on", "of", "for")]
    if not words or words == ["yesterday"]:
        return usual
    try:
        day = date.fromisoformat(" ".join(words))
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2100 else None


def _alert_change(word: str, said: str, today: date) -> tuple[dict[str, Any], str] | None:
    """What changes of a person's alerts, and the sentence that says so; None where it cannot be read."""
    if word == "unmute":
        return ({"muted_until": None, "planned_day": None}, "You hear of expensive days again.") if not said else None
    if word == "limit":
        match = re.fullmatch(r"\$? ?(\d{1,5}(?:\.\d{1,2})?) ?(?:\$|usd|dollars?)?(?: a day)?", said, re.ASCII)
        usd = Decimal(match[1]) if match else Decimal(0)
        return ({"limit_usd": usd}, f"Your limit is {shown(usd)} a day now.") if usd else None
    if word == "quiet":
        return _quiet_change(said)
    match = re.fullmatch(r"(?:for )?(\d{1,3}) ?(d|days?|w|weeks?)", said, re.ASCII)
    days = int(match[1]) * (7 if match[2].startswith("w") else 1) if match else 0
    if not 1 <= days <= MAX_MUTED_DAYS:
        return None
    until = today + days * ONE_DAY
    return {"muted_until": until}, f"Muted until {short_day(until)}; /claudecost unmute ends it."


MAX_MUTED_DAYS = 365


def _quiet_change(said: str) -> tuple[dict[str, Any], str] | None:
    if said == "usual":
        return {"quiet_hours": None}, "Your alerts wait as everybody's do here."
    try:
        hours = read_quiet_hours(said)
    except ValueError:
        return None
    if hours is None:
        return {"quiet_hours": OFF}, "Your alerts come at any hour now."
    sentence = f"Your alerts wait from {hours.start:%H:%M} to {hours.end:%H:%M} on your own clock."
    return {"quiet_hours": str(hours)}, sentence


def _reply(reply: Ack | Respond, message: Message) -> None:
    reply(text=message.text, blocks=message.blocks, response_type="ephemeral")
