"""A real installation in the stand-in for a Slack workspace, over HTTP on 127.0.0.1."""

from collections.abc import Iterator

import pytest

from bot.playground.demo import Stage, staged, team_workspace


@pytest.fixture(autouse=True)
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack's limit of one message a second and channel, which the stand-in does not have."""
    monkeypatch.setattr("bot.slack.delivery.PACE", 0.0)


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    with staged(team_workspace(), database_url) as opened:
        yield opened
