"""What ``claudecost doctor`` looks at: one line each, and what to do where something is missing."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from slack_sdk.errors import SlackApiError

from bot.app import Installation
from bot.exports.formats import RECEIVED
from bot.feeds import LEASE
from bot.jobs import QUIET
from bot.pricing.errors import PriceBookError
from bot.pricing.money import rounded
from bot.slack.blocks.message import counted
from bot.slack.errors import Meaning, classify
from bot.slack.scopes import SCOPES
from bot.slack.subscribing import in_words
from bot.spend.days import ONE_DAY
from bot.store.database import DatabaseProblem
from bot.store.deliveries import Delivery, all_deliveries
from bot.store.feeds import feed_states, last_arrival, last_problem
from bot.store.quantities import last_import
from bot.store.subscriptions import all_subscriptions

RECENT = timedelta(days=7)


class Check(NamedTuple):
    """One thing looked at. ``todo`` says what to do; empty where all is well."""

    name: str
    said: str
    todo: str = ""


def examine(installation: Installation, now: datetime) -> Iterator[Check]:
    """All checks, in the order in which things depend on each other."""
    yield Check("settings", "read")
    zone = installation.policy().timezone
    local = now.astimezone(zone)
    yield Check("time zone", f"{zone.key}, where it is {local:%Y-%m-%d %H:%M} now")
    warning = installation.book.age_warning(local.date())
    yield Check("price book", f"of {installation.book.as_of}", warning or "")
    try:
        yield Check("plan book", f"of {installation.plan_book.as_of}")
    except PriceBookError as error:
        yield Check("plan book", str(error), "mend the file that CLAUDECOST_PLANS names")
    yield from _database(installation, now)
    yield from _slack(installation)


def _database(installation: Installation, now: datetime) -> Iterator[Check]:
    try:
        shown = installation.database.shown_url
    except DatabaseProblem as error:
        yield Check("database", str(error), "mend DATABASE_URL or CLAUDECOST_DATA_DIR")
        return
    yield Check("database", f"{shown}, schema up to date")
    if installation.policy.chosen:
        yield Check("chosen in Slack", "; ".join(installation.policy.chosen))
    newest = last_import(installation.database)
    if newest is None:
        yield Check("last import", "none so far", "run claudecost import FILE")
    else:
        received = newest.imported_at.astimezone(installation.policy().timezone)
        rejected = f", {counted(newest.rejected, 'row')} left out" if newest.rejected else ""
        yield Check("last import", f"{newest.path} at {received:%Y-%m-%d %H:%M}, days to {newest.last_day}{rejected}")
    yield from _costs(installation)
    yield from _feeds(installation, now)
    recent = installation.today() - RECENT
    states = ("held", "failed", "expired", "due", "sending")
    found = all_deliveries(installation.database, states, since=recent)
    stuck = [d for d in found if d.state in ("held", "failed") or d.is_late or _is_failing(d)]
    by_problem: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in stuck:
        by_problem[delivery.problem or delivery.state].append(delivery)
    for problem, some in sorted(by_problem.items(), key=lambda item: -len(item[1])):
        last = installation.ledger.what(some[-1])
        which = f"the {last}" if len(some) == 1 else f"{len(some)}, the last is the {last}"
        yield Check("deliveries", f"not delivered: {which}: {problem}", "see README, Troubles")
    if not stuck:
        yield Check("deliveries", "none stuck")


def _is_failing(delivery: Delivery) -> bool:
    """Whether it waits because Slack refused it, and not for a person's morning."""
    return delivery.state in ("due", "sending") and delivery.problem not in (None, "", QUIET)


def _costs(installation: Installation) -> Iterator[Check]:
    found = installation.ledger.stated_beside_list(installation.today())
    if found is not None:
        stated, listed = rounded(found.stated_usd), rounded(found.list_usd)
        said = f"over the 30 days to {found.last} sources stated {stated} for what is {listed} at list price"
        look = "find what is wrong by claudecost spend --by source"
        is_less = found.stated_usd < found.list_usd
        todo = f"put a contract's discount into CLAUDECOST_PRICES, or {look}" if is_less else look
        yield Check("stated cost", said, todo)


def _feeds(installation: Installation, now: datetime) -> Iterator[Check]:
    zone = installation.policy().timezone
    known = {state.name: state for state in feed_states(installation.database)}
    for feed in installation.feeds.feeds:
        state = known.get(feed.name)
        if state is None or state.started_at is None:
            yield Check(feed.name, "has not run yet", "start claudecost run or worker, or claudecost collect")
            continue
        last = (
            f"last success {state.succeeded_at.astimezone(zone):%Y-%m-%d %H:%M %Z}"
            if state.succeeded_at
            else "no success"
        )
        lag = f", newest day {state.newest_day}" if state.newest_day else ""
        following = f", next run {state.next_at.astimezone(zone):%Y-%m-%d %H:%M %Z}" if state.next_at else ""
        is_overdue = state.next_at is not None and now - state.next_at > max(feed.every, LEASE)
        overdue = "nobody has run it since it was due: start claudecost run or worker" if is_overdue else ""
        if state.is_running and state.started_at is not None:
            last += f", running since {state.started_at.astimezone(zone):%Y-%m-%d %H:%M %Z}"
        said = f"{last}{lag}, {counted(state.received, 'row')} so far{following}"
        yield Check(feed.name, said, "; ".join(filter(None, (state.problem, overdue))))
    for source in installation.ledger.silent_sources(now):
        since = source.last_at.astimezone(zone)
        yield Check(f"source {source.name}", f"silent since {since:%Y-%m-%d %H:%M %Z}", "look at what feeds it")
    if installation.settings.otlp_token is not None:
        arrival = last_arrival(installation.database, RECEIVED)
        came = "nothing has come yet"
        if arrival is not None:
            newest = f", newest day {arrival.newest_day}" if arrival.newest_day else ""
            came = f"last came {arrival.at.astimezone(zone):%Y-%m-%d %H:%M %Z}{newest}"
        problem = last_problem(installation.database, RECEIVED, now - ONE_DAY)
        said = f"{came}; taken at {installation.settings.address}, /v1/logs and /v1/metrics"
        yield Check(
            RECEIVED, said, f"since yesterday some was not taken; look at what sends it: {problem}" if problem else ""
        )


def _slack(installation: Installation) -> Iterator[Check]:
    settings = installation.settings
    if settings.slack_bot_token is None:
        yield Check("Slack", "SLACK_BOT_TOKEN is not set", "install the app from manifest.yml and set it")
        return
    try:
        answer = installation.reading.auth_test()
    except (SlackApiError, OSError) as error:
        failure = classify(error)
        if failure.meaning is Meaning.INSTALLATION:
            yield Check("Slack", f"refuses SLACK_BOT_TOKEN: {failure.code}", "copy the Bot User OAuth Token again")
        else:
            yield Check("Slack", f"cannot be reached: {failure.code}", "check the network, a proxy, and SLACK_API_URL")
        return
    yield Check("Slack", f"signed in to {answer.get('team')} as {answer.get('user')}")
    yield _scopes(str(answer.headers.get("x-oauth-scopes") or answer.headers.get("X-OAuth-Scopes") or ""))
    if settings.slack_app_token is None and settings.slack_signing_secret is None:
        todo = "set SLACK_APP_TOKEN for Socket Mode, or SLACK_SIGNING_SECRET for HTTP"
        yield Check("commands", "neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set", todo)
    else:
        yield _commands(installation)
    if not settings.admins:
        yield Check("admins", "nobody hears of silent sources and failed messages", "set CLAUDECOST_ADMINS")
    subscriptions = [*installation.settled(), *all_subscriptions(installation.database)]
    if not subscriptions:
        todo = "set CLAUDECOST_DIGEST_CHANNEL, or /claudecost subscribe in a channel, and invite the bot there"
        yield Check("digest", "no channel gets one", todo)
    for subscription in subscriptions:
        yield Check("digest", f"goes to {subscription.channel}: {in_words(subscription)}")


def _commands(installation: Installation) -> Check:
    settings = installation.settings
    if settings.slack_app_token is None:
        return Check("commands", f"arrive by HTTP at {settings.address}")
    try:
        installation.reading.apps_connections_open(app_token=settings.secret("SLACK_APP_TOKEN"))
    except (SlackApiError, OSError) as error:
        code = classify(error).code
        return Check("commands", f"Socket Mode does not open: {code}", "check SLACK_APP_TOKEN and the manifest")
    return Check("commands", "arrive by Socket Mode")


def _scopes(granted: str) -> Check:
    if not granted:
        return Check("scopes", "Slack does not say which are granted")
    have = {scope.strip() for scope in granted.split(",")}
    missing = [f"{scope} ({why})" for scope, why in SCOPES.items() if scope not in have]
    if missing:
        return Check("scopes", f"missing {', '.join(missing)}", "update the app from manifest.yml and install it again")
    return Check("scopes", "all granted")
