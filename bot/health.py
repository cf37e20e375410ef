"""How an installation is doing, as a page of metrics for Prometheus."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as METRICS_TYPE
from prometheus_client.registry import Collector

from bot.app import Installation
from bot.exports.formats import RECEIVED
from bot.store.deliveries import count_by_state
from bot.store.feeds import FeedState, feed_states, last_arrival
from bot.store.quantities import stored_period

__all__ = ["METRICS_TYPE", "metrics_page"]


def metrics_page(installation: Installation, now: datetime) -> bytes:
    """The figures of this moment, read from the database: any process answers alike."""
    registry = CollectorRegistry()
    registry.register(_Health(installation, now))
    return generate_latest(registry)


class _Health(Collector):
    def __init__(self, installation: Installation, now: datetime) -> None:
        self.installation = installation
        self.now = now

    def describe(self) -> Iterator[Metric]:
        """Nothing: what there is to tell depends on what is stored."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        installation, now = self.installation, self.now
        yield from self._feeds()
        silent = GaugeMetricFamily(
            "claudecost_source_silent_seconds", "Silent for longer than usual", labels=["source"]
        )
        for source in installation.ledger.silent_sources(now):
            silent.add_metric([source.name], (now - source.last_at).total_seconds())
        yield silent
        waiting = GaugeMetricFamily("claudecost_deliveries", "Messages owed to Slack, by state", labels=["state"])
        for state, count in count_by_state(installation.database).items():
            waiting.add_metric([state], count)
        yield waiting
        stored = stored_period(installation.database)
        if stored is not None:
            age = (installation.today() - stored.end).days + 1
            yield GaugeMetricFamily("claudecost_newest_day_age_days", "Age of the newest day with usage", age)

    def _feeds(self) -> Iterator[Metric]:
        since = _of_feeds("last_success_seconds", "Seconds since the feed's last success")
        following = _of_feeds("next_run_seconds", "Seconds until the feed's next run")
        failing = _of_feeds("failing", "1 if the feed's last run failed")
        lag = _of_feeds("lag_days", "Days between today and the newest day that the feed has brought")
        rows = CounterMetricFamily("claudecost_feed_rows", "Rows that the feed ever brought", labels=["feed"])
        installation, now, today = self.installation, self.now, self.installation.today()
        known = {state.name: state for state in feed_states(installation.database)}
        for feed in installation.feeds.feeds:
            state = known.get(feed.name, FeedState(feed.name))
            since.add_metric([state.name], _seconds(state.succeeded_at, now))
            failing.add_metric([state.name], state.is_failing)
            rows.add_metric([state.name], state.received)
            if state.next_at is not None:
                following.add_metric([state.name], (state.next_at - now).total_seconds())
            if state.newest_day is not None:
                lag.add_metric([state.name], (today - state.newest_day).days)
        if installation.settings.otlp_token is not None:
            last = last_arrival(installation.database, RECEIVED)
            since.add_metric([RECEIVED], _seconds(None if last is None else last.at, now))
            if last is not None and last.newest_day is not None:
                lag.add_metric([RECEIVED], (today - last.newest_day).days)
        yield from (since, following, failing, rows, lag)


def _of_feeds(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"claudecost_feed_{name}", text, labels=["feed"])


def _seconds(since: datetime | None, now: datetime) -> float:
    """Seconds since a time; not a number where that never was."""
    return float("nan") if since is None else (now - since).total_seconds()
