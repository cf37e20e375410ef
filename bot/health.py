"""How an installation is doing, as a page of metrics for Prometheus."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST as METRICS_TYPE

from bot.app import Installation
from bot.exports.formats import RECEIVED
from bot.store.deliveries import count_by_state
from bot.store.feeds import FeedState, feed_states, last_arrival
from bot.store.quantities import stored_period

__all__ = ["METRICS_TYPE", "metrics_page"]


def metrics_page(installation: Installation, now: datetime) -> bytes:
    """The figures of this moment, read from the database: any process answers alike."""
    registry = CollectorRegistry()
    database = installation.database
    _feeds(installation, registry, now)
    silent = Gauge("claudecost_source_silent_seconds", "Silent for longer than usual", ["source"], registry=registry)
    for source in installation.ledger.silent_sources(now):
        silent.labels(source.name).set((now - source.last_at).total_seconds())
    waiting = Gauge("claudecost_deliveries", "Messages owed to Slack, by state", ["state"], registry=registry)
    for state, count in count_by_state(database).items():
        waiting.labels(state).set(count)
    stored = stored_period(database)
    if stored is not None:
        newest = Gauge("claudecost_newest_day_age_days", "Age of the newest day with usage", registry=registry)
        newest.set((installation.today() - stored.end).days + 1)
    return generate_latest(registry)


def _feeds(installation: Installation, registry: CollectorRegistry, now: datetime) -> None:
    names = {
        "claudecost_feed_last_success_seconds": "Seconds since the feed's last success",
        "claudecost_feed_next_run_seconds": "Seconds until the feed's next run",
        "claudecost_feed_failing": "1 if the feed's last run failed",
        "claudecost_feed_rows_total": "Rows that the feed ever brought",
        "claudecost_feed_lag_days": "Days between today and the newest day that the feed has brought",
    }
    gauges = {name: Gauge(name, text, ["feed"], registry=registry) for name, text in names.items()}
    known = {state.name: state for state in feed_states(installation.database)}
    for feed in installation.feeds.feeds:
        state = known.get(feed.name, FeedState(feed.name))
        since = (now - state.succeeded_at).total_seconds() if state.succeeded_at else float("nan")
        gauges["claudecost_feed_last_success_seconds"].labels(state.name).set(since)
        if state.next_at is not None:
            gauges["claudecost_feed_next_run_seconds"].labels(state.name).set((state.next_at - now).total_seconds())
        gauges["claudecost_feed_failing"].labels(state.name).set(state.is_failing)
        gauges["claudecost_feed_rows_total"].labels(state.name).set(state.received)
        if state.newest_day is not None:
            lag = (installation.today() - state.newest_day).days
            gauges["claudecost_feed_lag_days"].labels(state.name).set(lag)
    if installation.settings.otlp_token is not None:
        last = last_arrival(installation.database, RECEIVED)
        since = float("nan") if last is None else (now - last.at).total_seconds()
        gauges["claudecost_feed_last_success_seconds"].labels(RECEIVED).set(since)
        if last is not None and last.newest_day is not None:
            gauges["claudecost_feed_lag_days"].labels(RECEIVED).set((installation.today() - last.newest_day).days)
