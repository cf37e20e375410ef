"""Against a Slack Web API that this project did not write: what was sent is found by reading it back."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.app import Installation
from bot.settings import settings_of
from bot.spend.records import Actor
from bot.store import deliveries
from bot.store.alerting import AlertPolicy
from bot.store.deliveries import all_deliveries
from tests.slack.emulate import TOKEN, emulated_slack
from tests.usage import DAY, opus_for, store, used

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)

pytestmark = pytest.mark.xdist_group("emulate")


@pytest.fixture
def slack_url() -> Iterator[str]:
    with emulated_slack() as url:
        yield url


@pytest.fixture
def client(slack_url: str) -> WebClient:
    return WebClient(token=TOKEN, base_url=slack_url)


def channel_named(client: WebClient, name: str) -> str:
    return next(str(c["id"]) for c in client.conversations_list()["channels"] if c["name"] == name)


def history(client: WebClient, channel: str) -> list[dict[str, Any]]:
    return list(client.conversations_history(channel=channel, include_all_metadata=True)["messages"])


def keyed(messages: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return [m for m in messages if (m.get("metadata") or {}).get("event_payload", {}).get("key") == key]


@pytest.fixture
def bot(database_url: str, slack_url: str, client: WebClient) -> Iterator[Installation]:
    settings = settings_of(
        {
            "SLACK_BOT_TOKEN": TOKEN,
            "SLACK_API_URL": slack_url,
            "DATABASE_URL": database_url,
            "CLAUDECOST_DIGEST_CHANNEL": channel_named(client, "eng"),
        }
    )
    installation = Installation(settings, clock=lambda: NOW)
    yield installation
    installation.database.close()


def test_digest_and_alert_are_found_in_slack(bot: Installation, client: WebClient) -> None:
    channel = bot.settings.digest_channel or ""
    policy = AlertPolicy(Decimal(12), NOW.date())
    store(bot.database, used(opus_for("18.40"), actor=Actor("email", "alice@example.com")), policy=policy)
    for _ in range(3):
        bot.jobs.tick(NOW)
    assert [delivery.state for delivery in all_deliveries(bot.database)] == ["sent", "sent"]

    digests = keyed(history(client, channel), f"digest:{channel}:2026-11-19")
    assert len(digests) == 1
    assert "$18.40 across 1 person" in digests[0]["text"]
    assert digests[0]["blocks"][0]["type"] == "header"

    # The picture was uploaded, and late data edit the same message.
    (shown,) = [block for block in digests[0]["blocks"] if block["type"] == "image"]
    assert client.files_info(file=shown["slack_file"]["id"])["file"]["mimetype"] == "image/png"
    store(bot.database, used(opus_for("20"), actor=Actor("email", "alice@example.com")), policy=policy)
    assert bot.jobs.correct_digests(datetime(2026, 11, 20, 10, 42, tzinfo=UTC)) == 1
    (edited,) = keyed(history(client, channel), f"digest:{channel}:2026-11-19")
    assert edited["ts"] == digests[0]["ts"]
    assert "Corrected 10:42: $18.40 → $20.00" in json.dumps(edited["blocks"], ensure_ascii=False)

    alice = str(client.users_lookupByEmail(email="alice@example.com")["user"]["id"])
    direct = str(client.conversations_open(users=alice)["channel"]["id"])
    alerts = keyed(history(client, direct), "alert:P1:2026-11-19:1x")
    assert alerts[0]["text"] == "You passed $12.00 on Thu 19 Nov: $18.40"


def test_a_digest_whose_answer_was_lost_is_found_and_not_sent_again(bot: Installation, client: WebClient) -> None:
    """The outbox says "sending": Slack may have it. Once it has, once it has not."""
    channel = channel_named(client, "eng")
    for number, reached_slack in enumerate((True, False), start=1):
        day = DAY.replace(day=number)
        key = deliveries.digest_key(channel, day)
        deliveries.owe_digest(bot.database, channel, day, NOW)
        claimed = deliveries.claim(bot.database, "a process that died", NOW)
        assert claimed is not None
        deliveries.start_sending(bot.database, claimed, channel, {"text": "x"}, NOW, deliveries.Told())
        if reached_slack:
            metadata = {"event_type": "claudecost_delivery", "event_payload": {"key": key}}
            client.chat_postMessage(channel=channel, text="x", metadata=metadata)
        later = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
        bot.jobs.sender.send_due(later)
        assert len(keyed(history(client, channel), key)) == 1
        found = deliveries.find_delivery(bot.database, key)
        assert found is not None
        assert found.state == "sent"
