"""A real installation in the stand-in for a Slack workspace, over HTTP on 127.0.0.1."""

from collections.abc import Iterator

import pytest

from bot.playground.demo import Stage, staged, team_workspace
from tests.slack.limits import problems


@pytest.fixture(autouse=True)
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack's limit of one message a second and channel, which the stand-in does not have."""
    monkeypatch.setattr("bot.slack.delivery.PACE", 0.0)


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    """The stage; whatever was said on it in a test must be what Slack takes."""
    with staged(team_workspace(), database_url) as opened:
        yield opened
    workspace = opened.workspace
    messages = [one for said in workspace.messages.values() for one in said if one.get("bot_id")]
    for said in (*messages, *workspace.ephemeral, *workspace.homes.values(), *workspace.views):
        assert problems(said) == [], said
