"""Commands about a person's own figures and wishes, and about their team's."""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from slack_sdk import WebClient

from bot.advice import Advisor
from bot.ask import Refusal
from bot.ledger import Ledger
from bot.pricing.money import shown
from bot.slack.access import NOT_LEAD, NOT_MEMBER, NOT_TEAM, Access
from bot.slack.blocks.answer import refusal_message
from bot.slack.blocks.digest import digest_message
from bot.slack.blocks.explanation import explanation_message
from bot.slack.blocks.menu import menu_message
from bot.slack.blocks.message import Message, section, short_day
from bot.slack.blocks.personal import (
    comparison_message,
    no_own_spend_message,
    own_period_message,
    own_spend_message,
)
from bot.slack.blocks.plans import no_usage_message, own_recommendation_message, team_recommendation_message
from bot.slack.directory import Directory
from bot.slack.listeners.replies import Command, Reply, first_word, say, say_lines, words_after
from bot.spend.alerts import OFF, read_limit, read_quiet_hours
from bot.spend.days import ONE_DAY, Period
from bot.store.audit import note_look
from bot.store.people import AmbiguousName, person_by_email, set_wishes, team_of
from bot.store.teams import MIN_TEAM, TOO_SMALL, Team, find_team

COMPARED_DAYS = 30
USUAL = ("usual", "default")
"""Takes back a limit or quiet hours of one's own."""

ONE_PERSON = "A team of one person has no recommendation of its own: they ask for theirs with “recommend”."
EXPLAIN_EXAMPLE = "explain 2026-11-19"


class Own:
    """The listeners of what is a person's own. Everything asks Slack who it is, so each answer follows later."""

    def __init__(
        self,
        ledger: Ledger,
        directory: Directory,
        access: Access,
        advisor: Advisor,
        clock: Callable[[], datetime],
        today: Callable[[], date],
        question: Callable[[Reply, Command], None],
        look_again: Callable[[int], None],
    ) -> None:
        """``look_again`` lets a person's alerts follow what they wish from now on."""
        self.look_again = look_again
        self.ledger = ledger
        self.directory = directory
        self.access = access
        self.advisor = advisor
        self.clock = clock
        self.today = today
        self.question = question

    def show_menu(self, reply: Reply, command: Command, _client: WebClient) -> None:
        """The bare command: one's own numbers, and what can be done."""
        email = self.directory.email_of(command["user_id"])
        own = self.ledger.own_spend(email, self.today()) if email else None
        say(
            reply,
            menu_message(own, self.today(), self.ledger.book.label, is_admin=self.access.is_admin(command["user_id"])),
        )

    def show_spend(self, reply: Reply, command: Command, _client: WebClient) -> None:
        """The spend of the person who asks, and of nobody else."""
        email = self.directory.email_of(command["user_id"])
        named = _named_period(str(command["text"]), self.today())
        if named is None and words_after(command):
            said = Refusal(
                f"“{words_after(command)}” is no time that I can add up: today, yesterday, week, month.", "me week"
            )
            say(reply, refusal_message(said))
            return
        if email and named is not None:
            period, what = named
            found = self.ledger.own_period(email, period)
            label = self.ledger.book.label
            say(reply, own_period_message(found, what, label) if found else no_own_spend_message(email))
            return
        own = self.ledger.own_spend(email, self.today()) if email else None
        if own is None:
            say(reply, no_own_spend_message(email))
        else:
            say(
                reply,
                own_spend_message(own, self.today(), self.ledger.book.label, self.ledger.looks_at(own.latest.person)),
            )

    def compare(self, reply: Reply, command: Command, _client: WebClient) -> None:
        """What one's own last days would have cost on other models; with a question, its answer."""
        if words_after(command):
            self.question(reply, {**command, "text": words_after(command)})
            return
        email = self.directory.email_of(command["user_id"])
        end = self.today() + ONE_DAY
        found = self.ledger.own_comparison(email, Period(end - COMPARED_DAYS * ONE_DAY, end)) if email else None
        say(
            reply,
            comparison_message(found, COMPARED_DAYS, self.ledger.book.label) if found else no_own_spend_message(email),
        )

    def show_digest(self, reply: Reply, command: Command, _client: WebClient) -> None:
        """The digest of yesterday or of the day that is named, for the person who asks alone."""
        if not self.access.is_member(command["user_id"]):
            say_lines(reply, NOT_MEMBER)
            return
        day = _named_day(command["text"], self.today() - ONE_DAY)
        if day is None:
            refusal = Refusal(f"“{words_after(command)}” is no day of a digest.", f"digest {self.today()}")
            say(reply, refusal_message(refusal))
        else:
            say(reply, digest_message(self.ledger.digest(day, self.clock())))

    def show_team(self, reply: Reply, command: Command, _client: WebClient) -> None:
        """Yesterday of a team, by default of one's own; its people, its lead and admins see it."""
        user, name = command["user_id"], words_after(command)
        if not self.access.is_member(user):
            say_lines(reply, NOT_MEMBER)
            return
        own = self._team_of(user)
        if not name and own is None:
            say(reply, refusal_message(Refusal("You are in no team; claudecost team makes one.", "digest")))
            return
        team = find_team(self.ledger.database, name or own or "")
        is_own = team is not None and team.name == own
        if not is_own and not self.access.advises_team(user, team):
            say_lines(reply, NOT_TEAM)
        elif team is None:
            say(reply, refusal_message(Refusal(f"No team is called “{name}”.", "team")))
        elif self._tells_too_much(team, is_own=is_own):
            say_lines(reply, TOO_SMALL)
        else:
            say(reply, digest_message(self.ledger.digest(self.today() - ONE_DAY, self.clock(), team=team)))

    def _tells_too_much(self, team: Team, *, is_own: bool) -> bool:
        """Whether whoever asks could tell what somebody else spent: of two by their own figure, of one at once."""
        is_alone = is_own and self.ledger.tells_too_much(team, fewest=2)
        return not is_alone and self.ledger.tells_too_much(team, fewest=MIN_TEAM if is_own else 2)

    def show_recommendation(self, reply: Reply, command: Command, client: WebClient) -> None:
        """The plan that fits whoever asks; with “team”, and for leads and admins alone, the mix for a team.

        With “picture” it is drawn and sent to them directly, as Slack shows no fresh upload in such an answer.
        """
        words = str(command["text"]).split()[1:]
        if words[:1] == ["team"]:
            say(reply, self._team_recommendation(command["user_id"], " ".join(words[1:]) or None))
            return
        if words and words != ["picture"]:
            say(reply, refusal_message(Refusal(f"I could not read “{' '.join(words)}”.", "recommend")))
            return
        email = self.directory.email_of(command["user_id"])
        found = self.advisor.for_person(email, self.today()) if email else None
        say(reply, own_recommendation_message(found) if found else no_usage_message())
        if words and found and found.people[0].recommended is not None:
            from bot.slack.charts import png, recommendation_spec

            drawn = png(recommendation_spec(found.people[0], found.plans))
            channel = self.directory.direct_channel(command["user_id"])
            client.files_upload_v2(file=drawn, filename="plans.png", title="What a month costs", channel=channel)

    def explain(self, reply: Reply, command: Command, _client: WebClient) -> None:
        """Where one's own figure of a day comes from; of somebody else for admins, and then that person sees it."""
        user, words = command["user_id"], str(command["text"]).split()[1:]
        email = self.directory.email_of(user)
        day = _named_day(f"explain {words[0] if words else ''}", self.today() - ONE_DAY)
        if day is None or len(words) > 2:
            refusal = Refusal(f"“{words_after(command)}” is no day, or no day and person.", EXPLAIN_EXAMPLE)
            say(reply, refusal_message(refusal))
            return
        asked = (self.directory.address_in(words[1]) or words[1]) if len(words) == 2 else email
        is_own = len(words) < 2 or (email is not None and str(asked).lower() == email.lower())
        if not is_own and not self.access.is_admin(user):
            say_lines(reply, "Only admins look at another person's day (CLAUDECOST_ADMINS), and that person sees it.")
            return
        try:
            found = self.ledger.explain(asked, day) if asked else None
        except AmbiguousName as error:
            say(reply, refusal_message(Refusal(str(error), EXPLAIN_EXAMPLE)))
            return
        if found is None:
            say(reply, no_own_spend_message(email) if is_own else _nobody(asked))
            return
        if not is_own:
            note_look(self.ledger.database, self.clock(), user, found.person.id, f"your figures of {day}")
        say(reply, explanation_message(found, self.ledger.book.label))

    def change_alerts(self, reply: Reply, command: Command, _client: WebClient) -> None:
        """“limit 20”, “mute 3d”, “unmute”, “quiet 21:00-07:00”: what a person wants for their own alerts."""
        word, said = first_word(command), words_after(command).lower()
        email = self.directory.email_of(command["user_id"])
        person = person_by_email(self.ledger.database, email) if email else None
        if person is None:
            say(reply, no_own_spend_message(email))
            return
        changed = _alert_change(word, said, self.today())
        if changed is None:
            example = {"limit": "limit 20", "quiet": "quiet 21:00-07:00"}.get(word, "mute 3d")
            say(reply, refusal_message(Refusal(f"I could not read “{command['text'].strip()}”.", example)))
            return
        values, sentence = changed
        set_wishes(self.ledger.database, person.id, **values)
        self.look_again(person.id)
        say(reply, Message(sentence, [section(sentence)]))

    def _team_recommendation(self, user: str, name: str | None) -> Message:
        team = find_team(self.ledger.database, name) if name else None
        if not self.access.advises_team(user, team):
            return Message(NOT_LEAD, [section(NOT_LEAD)])
        if team is not None and self._tells_too_much(team, is_own=team.name == self._team_of(user)):
            return Message(ONE_PERSON, [section(ONE_PERSON)])
        found = self.advisor.for_team(self.today(), name)
        if found is None:
            return refusal_message(Refusal(f"No team is called “{name}”.", "recommend team"))
        return team_recommendation_message(found, name or "the workspace")

    def _team_of(self, user: str) -> str | None:
        """The name of somebody's own team."""
        email = self.directory.email_of(user)
        person = person_by_email(self.ledger.database, email) if email else None
        return team_of(self.ledger.database, person.id) if person else None


def _nobody(name: str | None) -> Message:
    return refusal_message(Refusal(f"Nobody is called “{name}” here.", EXPLAIN_EXAMPLE))


def _named_period(text: str, today: date) -> tuple[Period, str] | None:
    """The period after “me”, and how it is said; None where none is named."""
    word = " ".join(text.lower().split()[1:])
    tomorrow = today + ONE_DAY
    return {
        "today": (Period(today, tomorrow), "today"),
        "yesterday": (Period(today - ONE_DAY, today), "yesterday"),
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
        return (
            ({"muted_until": None, "planned_day": None, "planned_before": None}, "You hear of expensive days again.")
            if not said
            else None
        )
    if word == "limit" and said in USUAL:
        return {"limit_usd": None}, "Your limit is the one of your team or of everybody here again."
    if word == "limit":
        match = re.fullmatch(r"\$? ?(\S+?) ?(?:\$|usd|dollars?)?(?: a day)?", said, re.ASCII)
        usd = read_limit(match[1]) if match else None
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
    if said in USUAL:
        return {"quiet_hours": None}, "Your alerts wait as everybody's do here."
    try:
        hours = read_quiet_hours(said)
    except ValueError:
        return None
    if hours is None:
        return {"quiet_hours": OFF}, "Your alerts come at any hour now."
    sentence = f"Your alerts wait from {hours.start:%H:%M} to {hours.end:%H:%M} on your own clock."
    return {"quiet_hours": str(hours)}, sentence
