"""The composition root: settings become a database, a ledger, a Slack app and jobs that belong together."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from bot.imports import Importer
from bot.policy import Policies, Policy, PolicyProblem, delete_old
from bot.pricing import PriceBook, default_price_book, price_book_with
from bot.settings import Settings
from bot.spend.days import spend_day
from bot.store.alerting import AlertPolicy, look_again
from bot.store.database import Database, open_database
from bot.store.recording import rebuild_rollups
from bot.store.rollups import ROLLUP_RULE
from bot.store.settings import read_setting, write_setting

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from slack_bolt import App
    from slack_bolt.authorization import AuthorizeResult
    from slack_sdk import WebClient

    from bot.advice import Advisor
    from bot.feeds import Feeds
    from bot.jobs import Jobs
    from bot.ledger import Ledger
    from bot.pricing.plans import PlanBook
    from bot.slack.access import Access
    from bot.slack.directory import Directory
    from bot.slack.listeners.calculator import Calculator
    from bot.slack.listeners.identities import Identities
    from bot.slack.listeners.router import Router
    from bot.slack.listeners.settings import SettingsWindow
    from bot.slack.listeners.uploads import Uploads
    from bot.store.answers import Answers
    from bot.store.subscriptions import Subscription


class Installation(Struct, dict=True, eq=False):
    """Everything one installation runs, put together from its settings; each part is made when first used.

    Slack and the feeds are loaded by the parts that need them: most commands need neither, and start in half the time.
    """

    settings: Settings
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    rows: Database | None = None
    """The rows of one workspace, where a database serves several."""

    threads: "ThreadPoolExecutor | None" = None
    """Where listeners work, where it outlives this installation."""

    slack_ids: tuple[str, str] | None = None
    """Slack's ids of the workspace and of its organisation (or nothing), once they are known."""

    @cached_property
    def database(self) -> Database:
        """The database, its schema and roll-ups up to date."""
        database = self.rows or open_database(self.settings.database)
        policies = Policies(self.settings, lambda: database)
        try:
            policy = policies.read()
        except PolicyProblem:
            policy = policies()  # without what cannot be read any more
        _follow_price_book(database, self.book, policy, self.clock())
        return database

    @cached_property
    def book(self) -> PriceBook:
        """The price book, changed by the team's own file where there is one."""
        return price_book_with(self.settings.prices) if self.settings.prices else default_price_book()

    @cached_property
    def ledger(self) -> "Ledger":
        from bot.ledger import Ledger

        return Ledger(self.database, self.book, self.policy)

    @cached_property
    def policy(self) -> Policies:
        """What holds now: the settings, and what admins chose in their place."""
        return Policies(self.settings, lambda: self.database)

    @cached_property
    def plan_book(self) -> "PlanBook":
        """The plan book, changed by the team's own file where there is one."""
        from bot.pricing.plans import default_plan_book, plan_book_with

        return plan_book_with(self.settings.plans) if self.settings.plans else default_plan_book()

    @cached_property
    def advisor(self) -> "Advisor":
        from bot.advice import Advisor

        return Advisor(self.database, self.book, self.plan_book, lambda: self.policy().calendar)

    @cached_property
    def posting(self) -> "WebClient":
        from bot.slack.clients import posting_client

        return posting_client(self.settings.secret("SLACK_BOT_TOKEN"), self.settings.api_url)

    @cached_property
    def reading(self) -> "WebClient":
        from bot.slack.clients import reading_client

        return reading_client(self.settings.secret("SLACK_BOT_TOKEN"), self.settings.api_url)

    @cached_property
    def directory(self) -> "Directory":
        from bot.slack.directory import Directory

        return Directory(self.database, self.reading, lambda: self.slack_ids)

    @cached_property
    def jobs(self) -> "Jobs":
        from bot.jobs import Composer, Jobs
        from bot.slack.delivery import Sender
        from bot.slack.pictures import uploader

        composer = Composer(self.ledger, self.directory, uploader(self.posting), self.advisor)
        sender = Sender(self.database, self.posting, self.reading, composer)
        return Jobs(self.ledger, sender, composer, self.directory, self.settled, self.settings.admins)

    @cached_property
    def feeds(self) -> "Feeds":
        """The feeds that the settings ask for."""
        from bot.feeds import Feeds, cost_feed, folder_feed, usage_feed
        from bot.sources.admin_api import AdminApi

        found, stopped = [], threading.Event()
        if self.settings.admin_key is not None:
            api = AdminApi(self.settings.admin_key.value, self.settings.anthropic_url, stopped=stopped)
            found.append(usage_feed(api, self.importer))
            if self.settings.cost_beta:
                found.append(cost_feed(api, self.importer))
        if self.settings.watch_folder is not None:
            found.append(folder_feed(self.settings.watch_folder.expanduser(), self.importer))
        return Feeds(self.database, found, stopped)

    @cached_property
    def answers(self) -> "Answers":
        """The last questions of each person."""
        from bot.store.answers import Answers

        return Answers(lambda: self.database, self.background.submit)

    @cached_property
    def background(self) -> "ThreadPoolExecutor":
        """Where listeners work that answer after the acknowledgement."""
        return self.threads or background_threads()

    def close(self) -> None:
        """End what was begun: answers under way are given first."""
        self.background.shutdown(wait=True)
        self.answers.write()
        self.database.close()

    def settled(self) -> "list[Subscription]":
        """The digests that the settings ask for, where the channel itself does not ask for the same."""
        from bot.store.subscriptions import Subscription, all_subscriptions

        settings, channel = self.settings, self.settings.digest_channel
        if channel is None:
            return []
        found = Subscription(channel, settings.digest_time, self.policy().timezone, settings.digest_weekdays)
        return [] if any(found.is_same(one) for one in all_subscriptions(self.database)) else [found]

    def delete_old(self, now: datetime) -> int:
        """Delete usage that is older than the policy keeps; returns how many rows. Raises where it cannot be read."""
        return delete_old(self.database, self.policy.read(), now)

    def today(self) -> date:
        """The spend day of this moment."""
        return spend_day(self.clock(), self.policy().timezone)

    def importer(self) -> Importer:
        """An importer that owes alerts by today's limit."""
        database = self.database  # first: where that fails, what admins chose cannot be read for the same reason
        policy, today = self.policy(), self.today()
        return Importer(database, policy.timezone, self.book, self.alert_policy(), policy.first_kept(today))

    def look_again(self, person_id: int | None = None) -> None:
        """Let a person's alerts, or everybody's, follow their limit, quiet hours and mute from now on."""
        with self.database.write_usage() as connection:
            look_again(connection, self.database.workspace_id, self.alert_policy(), self.clock(), person_id)

    def alert_policy(self) -> AlertPolicy:
        """What alerts are owed by now."""
        return AlertPolicy(self.policy().limit_usd, self.today())

    def slack_app(self, *, is_socket_mode: bool) -> "App":
        """The Bolt app with every listener; the same one for Socket Mode and HTTP."""
        from logging import getLogger

        from slack_bolt import App

        from bot.slack.clients import unauthorized_client
        from bot.slack.listeners import register
        from bot.slack.listeners.actions import Actions
        from bot.slack.listeners.home import Home

        secret = None if is_socket_mode else self.settings.secret("SLACK_SIGNING_SECRET")
        app = App(
            client=unauthorized_client(self.settings.api_url),
            # Bolt would ask Slack who the bot is before it answers the first command.
            authorize=_authorize_with(self.settings.secret("SLACK_BOT_TOKEN")),
            signing_secret=secret,
            # Answers leave with the acknowledgement; Bolt's other mode polls and adds 10 ms to each.
            process_before_response=True,
            request_verification_enabled=not is_socket_mode,
            logger=getLogger("slack_bolt"),
            listener_executor=self.background,
        )
        self.policy()  # questions go by what is known of it, and ask nothing themselves
        home = Home(
            self.ledger,
            self.directory,
            self.clock,
            self.today,
            self.settled,
            self.access,
            self.identities.give,
            self.answers,
            self.look_again,
        )
        actions = Actions(
            self.ledger, self.directory, self.access, self.today, home.publish, self.look_again, self.advisor
        )
        register(app, self.router, actions, home, self.calculator, self.uploads, self.settings_window)
        return app

    @cached_property
    def identities(self) -> "Identities":
        from bot.slack.listeners.identities import Identities

        return Identities(self.database, self.book, self.directory, self.access, self.clock, self.alert_policy)

    @cached_property
    def uploads(self) -> "Uploads":
        from bot.slack.listeners.uploads import Uploads

        token, api_url = self.settings.secret("SLACK_BOT_TOKEN"), self.settings.api_url
        return Uploads(self.importer, self.access, self.hasty_access, self.directory, self.clock, token, api_url)

    @cached_property
    def calculator(self) -> "Calculator":
        from bot.slack.listeners.calculator import Calculator

        return Calculator(self.book, self.today)

    @cached_property
    def settings_window(self) -> "SettingsWindow":
        from bot.slack.listeners.settings import SettingsWindow

        return SettingsWindow(self.database, self.policy, self.access, self.hasty_access, self.clock)

    @cached_property
    def access(self) -> "Access":
        """Who may do what."""
        from bot.slack.access import Access

        return Access(self.directory, self.settings.admins, follows_slack=self.settings.slack_admins)

    @cached_property
    def hasty_access(self) -> "Access":
        """The same before an acknowledgement: where Slack does not say at once who it is, they may not."""
        from bot.slack.access import Access
        from bot.slack.clients import hasty_client
        from bot.slack.directory import Directory

        client = hasty_client(self.settings.secret("SLACK_BOT_TOKEN"), self.settings.api_url)
        directory = Directory(self.database, client, lambda: self.slack_ids)
        return Access(directory, self.settings.admins, follows_slack=self.settings.slack_admins)

    @cached_property
    def router(self) -> "Router":
        """Every command by its first word."""
        from bot.slack.listeners.channels import Channels
        from bot.slack.listeners.commands import Questions
        from bot.slack.listeners.own import Own
        from bot.slack.listeners.router import Router
        from bot.slack.subscribing import Defaults

        def defaults() -> Defaults:
            return Defaults(self.settings.digest_time, self.policy().timezone)

        def today() -> date:
            return spend_day(self.clock(), self.policy.last.timezone)

        questions = Questions(self.book, self.plan_book, today, lambda: words, self.answers.keep)
        answer, again = questions.answer, self.look_again
        own = Own(self.ledger, self.directory, self.access, self.advisor, self.clock, self.today, answer, again)
        channels = Channels(self.database, self.clock, defaults, self.settled, self.access, self.ledger.tells_too_much)
        instant = {"help": questions.show_help, "article": questions.show_article, "plans": questions.show_plans}
        slow = {
            "": own.show_menu,
            "calculator": self.calculator.show,
            "me": own.show_spend,
            "compare": own.compare,
            "digest": own.show_digest,
            "team": own.show_team,
            "recommend": own.show_recommendation,
            "explain": own.explain,
            "limit": own.change_alerts,
            "mute": own.change_alerts,
            "unmute": own.change_alerts,
            "quiet": own.change_alerts,
            "subscribe": channels.subscribe,
            "unsubscribe": channels.unsubscribe,
            "subscriptions": channels.list_them,
            "link": self.identities.link,
            "import": self.uploads.show,
            "settings": self.settings_window.show,
            "changes": self.settings_window.show_changes,
        }
        words = (*instant, *slow)
        return Router(questions.answer, instant, slow)


def background_threads() -> "ThreadPoolExecutor":
    """Threads for the listeners of one workspace."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(max_workers=5, thread_name_prefix="listener")


def _authorize_with(token: str) -> "Callable[..., AuthorizeResult]":
    from slack_bolt.authorization import AuthorizeResult

    def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=token)

    return authorize


def _follow_price_book(database: Database, book: PriceBook, policy: Policy, now: datetime) -> None:
    """Work the roll-ups out again if they were priced with another price book, or made by an older rule.

    Recent days may reach a limit by that, and by another limit than held when the app last ran.
    """
    rolled_up_with, limit = f"{book.fingerprint} {ROLLUP_RULE}", str(policy.limit_usd)
    before = read_setting(database, "price_book"), read_setting(database, "usual_limit")
    if before == (rolled_up_with, limit):
        return
    if before[0] != rolled_up_with:
        rebuild_rollups(database, book)
    alerts = AlertPolicy(policy.limit_usd, spend_day(now, policy.timezone))
    with database.write_usage() as connection:
        look_again(connection, database.workspace_id, alerts, now)
    write_setting(database, "price_book", rolled_up_with)
    write_setting(database, "usual_limit", limit)
