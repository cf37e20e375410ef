"""The jobs, each one turn that anybody may call at any time: plan what is owed, then send what is due."""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from slack_sdk.errors import SlackApiError

from bot.advice import Advisor
from bot.exports.formats import source_title
from bot.ledger import Ledger, OwnDay
from bot.pricing.money import rounded
from bot.schedule import caught_up, digest_due
from bot.slack.blocks.digest import digest_message
from bot.slack.blocks.message import Block, Message, counted, image, short_day
from bot.slack.blocks.notice import notice_message, silence_sentence
from bot.slack.blocks.personal import alert_message
from bot.slack.blocks.plans import own_plan_in_a_line, plans_in_a_line
from bot.slack.blocks.trend import trend_block, trend_in_words
from bot.slack.delivery import Composed, Postponed, Sender, Undeliverable
from bot.slack.directory import Directory
from bot.slack.errors import Meaning, classify
from bot.spend.alerts import MAX_AGE_DAYS, newly_reached, read_quiet_hours, step_reached
from bot.spend.amounts import Amount
from bot.spend.days import ONE_DAY, Period, spend_day
from bot.spend.digest import DAILY, MONTHLY, DigestFacts, is_correction
from bot.store import deliveries
from bot.store.alerting import AlertPolicy
from bot.store.deliveries import ALERT, NOTICE, SILENT, TOO_LATE, Delivery, Scope
from bot.store.identity import BY_SLACK, contest_key, possible_addresses
from bot.store.linking import link_actor
from bot.store.people import Person, addresses_of_team, person_by_email, person_by_id, wishes_of
from bot.store.quantities import last_day_before
from bot.store.settings import read_setting, write_setting
from bot.store.subscriptions import Subscription, all_subscriptions
from bot.store.teams import TOO_SMALL, find_team

CORRECTED_FOR = timedelta(days=3)
"""For so long after it was sent a digest is edited where its total changes."""

TOLD_FOR = timedelta(days=3)
"""Days whose failures the admins are told of; older ones are history, also for a new admin."""

LOOKED_BACK = timedelta(days=90)
"""Digests and failures of so many days are remembered: of an outage that was longer, nothing is caught up."""

MAY_WORK_LATER = (Meaning.RETRY, Meaning.UNCERTAIN, Meaning.INSTALLATION)
MOST_ADVISED = 500
"""People up to whom a monthly digest looks for a better mix of plans: of thousands that takes longer than a lease."""

NOT_THERE = ("not_in_channel", "channel_not_found")
"""What Slack says of a channel that the app is not in; of a private one, that there is none."""

QUIET = "it waits until the person's quiet hours are over"

MAX_LISTED = 10
"""People whom an admin's message lists."""

MAX_DOMAINS = 3
"""Domains of the team's addresses at which the owner of a key is looked for."""

logger = logging.getLogger(__name__)


class Jobs:
    """One installation's turns. Every process may run them at once: the database decides who sends what."""

    def __init__(
        self,
        ledger: Ledger,
        sender: Sender,
        composer: "Composer",
        directory: Directory,
        settled: Callable[[], list[Subscription]],
        admins: Sequence[str] = (),
    ) -> None:
        self.ledger = ledger
        self.sender = sender
        self.composer = composer
        self.settled = settled
        self.admins = admins
        self.directory = directory

    def tick(self, now: datetime) -> int:
        """One turn of everything; returns how many messages went out. Late, twice or after a crash it does the same."""
        is_planned = self.plan_digests(now)
        sent = self.sender.send_due(now)
        if not is_planned:
            self.plan_digests(now)
            sent += self.sender.send_due(now)
        self.tell_failures(now)
        return sent

    def tell_failures(self, now: datetime) -> None:
        """Owe each admin one message about each digest, and each person, that no message reaches by itself."""
        database = self.ledger.database
        if not self.admins:
            return
        today = spend_day(now, self.ledger.zone)
        seen: dict[tuple[str, str], Delivery] = {}
        unreached: dict[str, dict[str, date]] = defaultdict(dict)
        for delivery in deliveries.digests_and_failures(database, today - LOOKED_BACK):
            before = seen.get((delivery.kind, delivery.target))
            seen[delivery.kind, delivery.target] = delivery
            if delivery.state not in ("failed", "held") and not delivery.is_late:
                continue
            if delivery.kind == ALERT:
                if delivery.day >= today - TOLD_FOR:
                    unreached[delivery.problem or delivery.state][delivery.target] = delivery.day
                continue
            if before is not None and before.problem == delivery.problem:
                continue  # a channel that is gone is said once
            if delivery.day < today - TOLD_FOR:
                continue
            what = self.ledger.what(delivery)
            is_outside = any(code in (delivery.problem or "") for code in NOT_THERE)
            following = (
                "the next digest tells its days as well" if delivery.covers.edition == DAILY else "then send it again"
            )
            invite = f" Invite the app to that channel with /invite; {following}." if is_outside else ""
            text = f"The {what} was not sent: {delivery.problem}.{invite} claudecost doctor lists what waits."
            self._tell_admins(f"{delivery.state}:{delivery.key}", text, now, delivery.key)
        for problem, targets in unreached.items():
            self._tell_unreached(problem, targets, now)

    def _tell_unreached(self, problem: str, targets: dict[str, date], now: datetime) -> None:
        """Owe each admin one message about people whom no alert reaches, once for each of them.

        ``targets`` are their ids, each with the last day that no alert about came.
        """
        database, name = self.ledger.database, f"unreached:{problem}"
        known = set((read_setting(database, name) or "").split())
        new = sorted(targets.keys() - known, key=int)
        if not new:
            return
        people = [person_by_id(database, int(target)) for target in new]
        labels = sorted(person.label for person in people if person is not None)
        more = f" and {len(labels) - MAX_LISTED:,} more" if len(labels) > MAX_LISTED else ""
        listed = f"{', '.join(labels[:MAX_LISTED])}{more}"
        who = f"{counted(len(labels), 'person', 'people')} ({listed})"
        text = f"No alert reaches {who}: {problem}. Slack finds people by the address of their profile"
        if problem.startswith(TOO_LATE):
            days = " and ".join(map(short_day, sorted({targets[target] for target in new})))
            text = f"An alert about {days} did not reach {who}: {problem}. The next one that is due is sent as usual"
        text += "; claudecost doctor lists what waits."
        if labels:
            which = hashlib.blake2b(" ".join(new).encode(), digest_size=8).hexdigest()
            self._tell_admins(f"{name}:{which}", text, now)
        write_setting(database, name, " ".join(sorted(known | targets.keys(), key=int)))

    def plan_digests(self, now: datetime) -> bool:
        """Owe each subscribed channel the digest that is due.

        False where one waits until it is known whether Slack has an older one: else a day may be told by nobody.
        """
        database, policy, is_all = self.ledger.database, self.ledger.policy(), True
        for subscription in [*self.settled(), *all_subscriptions(database)]:
            due = digest_due(subscription, now, policy.calendar, policy.timezone)
            if due is None:
                continue
            channel, edition, team = subscription.channel, subscription.edition, subscription.team
            told = deliveries.told_digests(database, channel, due.day - LOOKED_BACK, edition, team, now)
            told_to = _told_to(told)
            start = caught_up(due, told_to, subscription).start
            # With another clock a day can be due that lies before the first that was told.
            first = min((one.covers.start for one in told if one.is_planned), default=date.max)
            is_told = told_to is not None and first <= due.day <= told_to
            if is_told or any(one.day == due.day and one.covers.start <= start for one in told):
                continue
            if any(one.is_unsettled(now) for one in told):
                is_all = False
                continue
            if subscription.skips_unchanged:
                if not self._has_usage(start, due.day, team, edition):
                    continue
                if start < due.start:
                    start = self._first_used(Period(start, due.start), team) or due.start
            covered = Scope(edition, start, team)
            deliveries.owe_digest(database, channel, due.day, now, due.expires_at, covered)
        return is_all

    def _has_usage(self, start: date, day: date, name: str, edition: str = DAILY) -> bool:
        team = find_team(self.ledger.database, name) if name else None
        found = self.ledger.digest(day, start=start, edition=edition, team=team).amount
        return found is not None and found != Amount()

    def _first_used(self, period: Period, name: str) -> date | None:
        """The first day of a period on which anything was used."""
        return next((day for day in period.days if self._has_usage(day, day, name)), None)

    def correct_digests(self, now: datetime) -> int:
        """Edit the digests of the last days whose total has changed by enough; returns how many.

        The change is recorded once Slack has it: after a crash in between, the same edit is made again.
        """
        database, corrected = self.ledger.database, 0
        for delivery in deliveries.correctable(database, now - CORRECTED_FOR):
            if delivery.members != self.composer.members(delivery):
                continue  # somebody came or went: the difference would be what they spent
            facts = self.composer.digest_facts(delivery, now)
            if facts.amount is None and delivery.usd is None and not facts.is_idle:
                self._tell_no_data(delivery, now)
            said = _correction(delivery, facts, now.astimezone(self.ledger.zone))
            # After an edit that nobody knows the end of, another total may be shown than the one that is known.
            if said is None and not delivery.is_edit_uncertain:
                continue
            if not deliveries.claim_correction(database, delivery, now):
                continue
            failure = self.sender.edit(delivery, self.composer.digest(facts, said))
            if failure is not None and failure.meaning in MAY_WORK_LATER:
                is_uncertain = bool(delivery.is_edit_uncertain) or failure.meaning is Meaning.UNCERTAIN
                deliveries.release_correction(database, delivery, is_uncertain=is_uncertain)
                continue
            deliveries.mark_corrected(database, delivery, facts.told_usd, now, is_partial=facts.is_unfinished)
            if failure is None:
                corrected += 1
            else:
                self._tell_admins(
                    f"not-corrected:{delivery.key}:{facts.told_usd}",
                    f"The digest of {delivery.day} in {delivery.channel} could not be edited ({failure.code}). "
                    f"{said or 'It may show a total that does not hold any more'}.",
                    now,
                )
        return corrected

    def _tell_no_data(self, delivery: Delivery, now: datetime) -> None:
        """Owe each admin one message about days that a digest had no data for, unless they know why.

        They do where a source is silent since, and where the digests before had no data either.
        """
        covered = Period(delivery.covers.start, delivery.day + ONE_DAY)
        if delivery.covers.team or not self.ledger.calendar.working_days(covered):
            return  # a team may well have used nothing, and nobody need have worked at a weekend
        silent = (one for one in self.ledger.silent_sources(now) if not one.is_given_up(now))
        if any(spend_day(one.last_at, self.ledger.zone) <= delivery.day for one in silent):
            return
        text = (
            f"The digest of {delivery.day} had no usage data to tell. Import the day's export within "
            f"{CORRECTED_FOR.days} days of the message, and it is edited; claudecost doctor says how the feeds are."
        )
        known_to = last_day_before(self.ledger.database, covered.start)
        self._tell_admins(f"no-data:since:{known_to}", text, now)

    def _tell_admins(self, about: str, text: str, now: datetime, failed: str | None = None) -> None:
        """Owe each admin one message, unless they were told the same already."""
        for admin in self.admins:
            today = spend_day(now, self.ledger.zone)
            deliveries.owe_notice(self.ledger.database, about, admin, text, today, now, failed)

    def watch_sources(self, now: datetime) -> None:
        """Owe each admin one message about a source that has fallen silent."""
        for source in self.ledger.silent_sources(now):
            about = f"{SILENT}{source.name}:{int(source.last_at.timestamp())}"
            last_at = source.last_at.astimezone(self.ledger.zone)
            text = silence_sentence(source_title(source.name), last_at, self.ledger.zone.key, source.usual)
            self._tell_admins(about, text, now)

    def find_owners(self, now: datetime) -> int:
        """Ask Slack who is behind the keys that nobody is known for; each address is asked for once a day.

        A key that may be two people's stays nobody's, until an admin says whose it is.
        """
        database, found = self.ledger.database, 0
        asked = f"asked_slack:{now.astimezone(UTC).date()}"
        known = set((read_setting(database, asked) or "").split())
        for key, addresses in possible_addresses(database, MAX_DOMAINS).items():
            if known.issuperset(addresses):
                continue
            try:
                theirs = [address for address in addresses if self.directory.has_address(address)]
            except (SlackApiError, OSError) as error:
                logger.warning("Slack could not be asked for the owners of keys: %s", classify(error).code)
                return found
            known.update(addresses)
            write_setting(database, asked, " ".join(sorted(known)))
            if len(theirs) == 1:
                policy = AlertPolicy(self.ledger.limit_usd, spend_day(now, self.ledger.zone))
                link_actor(database, key, theirs[0], BY_SLACK, self.ledger.book, policy, now)
                logger.info("%s is %s, says Slack", key, theirs[0])
                found += 1
            elif theirs:
                contest_key(database, key)
        return found


def _told_to(told: list[Delivery]) -> date | None:
    """The day to which digests have told every day, from the planned ones on; None without a planned one.

    What was posted by hand, or sent again, counts where no day lies untold before it. What a channel did not take, as
    while the app was not in it, is told by the next one that it takes.
    """
    taken = [one for one in told if one.state != "failed"]
    found = max((one.day for one in taken if one.is_planned), default=None)
    for one in sorted(taken, key=lambda one: one.day):
        if found is not None and one.covers.start <= found + ONE_DAY:
            found = max(found, one.day)
    return found


def _correction(delivery: Delivery, facts: DigestFacts, at: datetime) -> str | None:
    """What an edit of a digest says of itself; None if nothing is to be corrected."""
    before, after = (None if usd is None else rounded(usd) for usd in (delivery.usd, facts.told_usd))
    if is_correction(delivery.usd, facts.told_usd) and before != after:
        return f"Corrected {at:%H:%M}: {before or 'no total'} → {after or 'no total'}"
    if delivery.is_partial and not facts.is_unfinished:
        return f"Complete since {at:%H:%M}"
    return None


class Composer:
    """Makes the message of a delivery from what is stored at the moment of sending."""

    def __init__(
        self,
        ledger: Ledger,
        directory: Directory,
        upload: Callable[[bytes, str], str],
        advisor: Advisor | None = None,
    ) -> None:
        """``upload`` takes a picture and its name and returns Slack's file id."""
        self.ledger = ledger
        self.directory = directory
        self.upload = upload
        self.advisor = advisor

    def __call__(self, delivery: Delivery, now: datetime) -> Composed:
        if delivery.kind == ALERT:
            return self._alert(delivery, now)
        if delivery.kind == NOTICE:
            about = delivery.key.removeprefix("notice:")
            silent = (f"{SILENT}{one.name}:{int(one.last_at.timestamp())}:" for one in self.ledger.silent_sources(now))
            if about.startswith(SILENT) and not any(map(about.startswith, silent)):
                raise Undeliverable("expired", "the source has brought something since")
            said = delivery.payload or {}
            message = notice_message(
                str(said.get("text", "")), said.get("failed"), is_for_admins=said.get("is_for_admins", True)
            )
            return Composed(self.directory.direct_channel(delivery.target), message)
        team = find_team(self.ledger.database, delivery.covers.team) if delivery.covers.team else None
        if team is not None and self.ledger.tells_too_much(team):
            raise Undeliverable("expired", f"{team.name}: {TOO_SMALL[0].lower()}{TOO_SMALL[1:-1]}")
        facts = self.digest_facts(delivery, now)
        told = self.digest(facts), facts.told_usd, facts.is_unfinished
        return Composed(delivery.target, *told, self.members(delivery))

    def members(self, delivery: Delivery) -> str | None:
        """A hash of who is in the team whose digest it is, by which addresses; None where it is everybody's."""
        team = find_team(self.ledger.database, delivery.covers.team) if delivery.covers.team else None
        if team is None:
            return None
        ids = addresses_of_team(self.ledger.database, team.id)
        return hashlib.blake2b(repr(ids).encode(), digest_size=8).hexdigest()

    def digest_facts(self, delivery: Delivery, now: datetime) -> DigestFacts:
        """The facts of a digest as they are now."""
        edition, start, name = delivery.covers
        team = find_team(self.ledger.database, name) if name else None
        return self.ledger.digest(delivery.day, now, start=start, edition=edition, team=team)

    def digest(self, facts: DigestFacts, corrected: str | None = None) -> Message:
        """A digest with its picture; if the picture cannot be made or uploaded, it goes out without."""
        return digest_message(facts, corrected=corrected, picture=self._picture(facts), plans=self._plans_line(facts))

    def _plans_line(self, facts: DigestFacts) -> str | None:
        if facts.edition != MONTHLY or facts.amount is None or self.advisor is None:
            return None
        try:
            found = self.advisor.mix(facts.day, facts.team, MOST_ADVISED)
        except Exception as error:
            # As with the picture: it is a help.
            logger.warning("the digest goes out without a line on plans: %s", error)
            return None
        return plans_in_a_line(found) if found else None

    def _picture(self, facts: DigestFacts) -> Block | None:
        picture = self.ledger.policy().picture
        if facts.amount is None or picture == "off" or not any(day.models for day in facts.trend):
            return None
        if picture == "native":
            return trend_block(facts)
        from bot.slack.charts import png, trend_spec

        try:
            return image(self.upload(png(trend_spec(facts)), f"spend-{facts.day}.png"), trend_in_words(facts))
        except Exception as error:
            # A picture is a help, and no reason to keep back the figures.
            logger.warning("the digest goes out without its picture: %s", error)
            return None

    def _alert(self, delivery: Delivery, now: datetime) -> Composed:
        person = person_by_id(self.ledger.database, int(delivery.target))
        if person is not None and person.email is not None:
            # An address that was linked to another one since then is that person's.
            person = person_by_email(self.ledger.database, person.email)
        if person is None:
            raise Undeliverable("expired", "the person's data were removed")
        if (spend_day(now, self.ledger.zone) - delivery.day).days > MAX_AGE_DAYS:
            if delivery.problem == QUIET:  # who sleeps through it has asked for that: no admin need hear of it
                raise Undeliverable("expired", "it waited for the end of the person's quiet hours, and is too late now")
            before = f"; before that: {delivery.problem}" if delivery.problem else ""
            raise Undeliverable("expired", f"{TOO_LATE}{before}")
        wishes = wishes_of(self.ledger.database, person.id)
        if not wishes.allow(delivery.day):
            raise Undeliverable("expired", "the person does not want to be told about that day")
        own = self.ledger.own_day(person, delivery.day)
        limit, step = self.ledger.limit_of(person), delivery.step or 1
        reached = step_reached(own.amount.usd, limit)
        if reached is None or reached < step:
            self._owe_lower(person, delivery, own, limit, now)
            raise Undeliverable("expired", f"the day is below {step}x the limit by now")
        if any(step < other <= reached for other in self.ledger.alert_steps(person, delivery.day)):
            raise Undeliverable("expired", "a higher step is told instead")
        if deliveries.is_told_elsewhere(self.ledger.database, delivery, person.id):
            raise Undeliverable("expired", "the person hears of it under another address")
        user = self.directory.slack_user_of(person)
        quiet = self.ledger.policy().quiet_hours if wishes.quiet_hours is None else read_quiet_hours(wishes.quiet_hours)
        until = quiet.until(now, self.directory.zone_of(user, self.ledger.zone)) if quiet else None
        if until is not None:
            raise Postponed(until, QUIET)
        channel = self.directory.direct_channel(user)
        found = self.advisor.for_person(person.email, delivery.day) if self.advisor and person.email else None
        plan = own_plan_in_a_line(found)
        return Composed(channel, alert_message(own, limit, step, self.ledger.book.label, plan=plan))

    def _owe_lower(self, person: Person, delivery: Delivery, own: OwnDay, limit: Decimal, now: datetime) -> None:
        """A step that was owed is reached no more; a lower one that nobody told may well be."""
        told = self.ledger.alert_steps(person, delivery.day) - {delivery.step}
        lower = newly_reached(own.amount.usd, limit, told)
        if lower is not None:
            database = self.ledger.database
            with database.write() as connection:
                deliveries.owe_alert(connection, database.workspace_id, person.id, delivery.day, lower, now)
