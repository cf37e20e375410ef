"""Several workspaces in one database: each installs by OAuth, and none ever sees another's."""

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from slack_sdk import WebClient
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.installation_store import Installation as Installed
from sqlalchemy import text

from bot.playground.demo import NOW, team_workspace
from bot.playground.dispatch import signed_headers
from bot.playground.server import served
from bot.playground.web_api import create_web_api
from bot.playground.workspace import BOT_TOKEN, SIGNING_SECRET, TEAM_ID, Workspace
from bot.settings import Secret, Settings, SettingsProblem, settings_of
from bot.slack.app_manifest import REDIRECT_PATH
from bot.spend.records import Actor
from bot.store.deliveries import all_deliveries, owe_digest
from bot.store.subscriptions import Subscription, all_subscriptions, subscribe
from bot.web import SLACK_PATH, SharedWebApp
from bot.workspaces import INSTALL_PATH, Workspaces
from tests.slack.emulate import emulated_slack
from tests.slack.test_access import MATRIX
from tests.usage import opus_for, store, used

DAY = date(2026, 11, 19)
NOTHING = urllib.request.ProxyHandler({})
PUBLIC = "http://127.0.0.1:3100"
"""What the independent Slack knows as the app's address."""


def shared(database_url: str, api_url: str, **more: Any) -> Settings:
    return settings_of(
        {
            "SLACK_CLIENT_ID": "111.222",
            "SLACK_CLIENT_SECRET": "sekret",
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_API_URL": api_url,
            "DATABASE_URL": database_url,
            "CLAUDECOST_TIMEZONE": "Europe/Paris",
            "CLAUDECOST_PICTURE": "off",
            **more,
        }
    )


@contextmanager
def opened(chosen: Settings) -> Iterator[Workspaces]:
    workspaces = Workspaces(chosen, lambda: NOW)
    try:
        yield workspaces
    finally:
        workspaces.close()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@pytest.mark.xdist_group("emulate")
class TestInstalling:
    @pytest.fixture
    def slack_url(self) -> Iterator[str]:
        with emulated_slack() as url:
            yield url

    def install(self, app: str, slack_url: str) -> tuple[int, str]:
        """Go through the pages as a browser does; the status and the text of the last one.

        The cookie is for https alone; there is none on 127.0.0.1, so it is handed on by hand.
        """
        browser = urllib.request.build_opener(NOTHING, _NoRedirect())
        with browser.open(app + INSTALL_PATH, timeout=10) as answer:
            page, cookie = answer.read().decode(), answer.headers["set-cookie"]
        assert "Secure" in cookie
        assert "HttpOnly" in cookie
        (link,) = re.findall(r'href="([^"]+/oauth/v2/authorize[^"]+)"', page)
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(link.replace("&amp;", "&")).query)
        fields = {name: asked[name][0] for name in ("client_id", "scope", "state", "redirect_uri")}
        api = WebClient(token="xoxb-local-test", base_url=slack_url)
        user = next(one["id"] for one in api.users_list()["members"] if one["name"] == "alice")
        body = urllib.parse.urlencode({**fields, "user_id": user, "user_scope": ""}).encode()
        try:
            browser.open(slack_url.removesuffix("api/") + "oauth/v2/authorize/callback", data=body, timeout=10)
        except urllib.error.HTTPError as redirect:
            location = redirect.headers["location"].replace(PUBLIC, app)
        try:
            back = urllib.request.Request(location, headers={"cookie": cookie.split(";")[0]})
            with browser.open(back, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def test_the_flow_completes_and_the_stored_token_posts_a_digest(self, database_url: str, slack_url: str) -> None:
        with opened(shared(database_url, slack_url, CLAUDECOST_URL=PUBLIC)) as workspaces:
            with served(SharedWebApp(workspaces)) as app:
                status, page = self.install(app, slack_url)
            assert (status, "Thank you" in page) == (200, True)
            (installation,) = workspaces.all()
            # whoever installs the app looks after it
            assert len(installation.settings.admins) == 1
            # Finding and joining a channel is a person's work: the app asks for no scope for it.
            client = WebClient(token="xoxb-local-test", base_url=slack_url)
            channel = next(c["id"] for c in client.conversations_list()["channels"] if c["name"] == "eng")
            client.conversations_join(channel=channel)
            store(installation.database, used(opus_for(100), day=DAY))
            owe_digest(installation.database, channel, DAY, NOW)
            installation.jobs.sender.send_due(NOW)
            (sent,) = [one for one in all_deliveries(installation.database) if one.kind == "digest"]
            assert (sent.state, sent.problem) == ("sent", None)
            messages = client.conversations_history(channel=channel, include_all_metadata=True)["messages"]
            assert messages[0]["text"].startswith("Claude Code spend · Thu 19 Nov")

    def test_a_state_works_once_and_only_if_it_is_ours(self, database_url: str, slack_url: str) -> None:
        with (
            opened(shared(database_url, slack_url, CLAUDECOST_URL=PUBLIC)) as workspaces,
            served(SharedWebApp(workspaces)) as app,
        ):
            for query in ("code=x", "code=x&state=made-up"):
                with pytest.raises(urllib.error.HTTPError, match="400"):
                    urllib.request.build_opener(NOTHING).open(f"{app}{REDIRECT_PATH}?{query}", timeout=10)
            assert workspaces.all() == []


def installed(workspaces: Workspaces, team: str, user: str = "U014") -> None:
    """What Slack's flow leaves behind."""
    workspaces.store.save(
        Installed(app_id="A1", team_id=team, bot_token=BOT_TOKEN, bot_id="B1", bot_user_id="U0BOT", user_id=user)
    )


@contextmanager
def two(database_url: str) -> Iterator[tuple[Workspaces, Workspace, str, str]]:
    """Two workspaces that have the app, one stand-in that answers for both, and the app's address."""
    slack = team_workspace()
    with served(create_web_api(slack)) as slack_url, opened(shared(database_url, f"{slack_url}/api/")) as workspaces:
        installed(workspaces, TEAM_ID)
        installed(workspaces, "T0OTHER")
        with served(SharedWebApp(workspaces)) as app:
            yield workspaces, slack, slack_url, app


def send(app: str, body: str, content_type: str = "application/x-www-form-urlencoded") -> bytes:
    headers = {**signed_headers(body, int(time.time())), "content-type": content_type}
    request = urllib.request.Request(app + SLACK_PATH, data=body.encode(), headers=headers)
    with urllib.request.build_opener(NOTHING).open(request, timeout=10) as answer:
        received: bytes = answer.read()
    return received


def said(slack: Workspace, slack_url: str, app: str, team: str, user: str, text: str) -> str:
    """The whole answer to a command from a workspace."""
    before = len(slack.ephemeral)
    fields = {
        "command": "/claudecost",
        "text": text,
        "user_id": user,
        "team_id": team,
        "channel_id": "C0ENG",
        "response_url": f"{slack_url}/respond/{user}/C0ENG",
    }
    answer = send(app, urllib.parse.urlencode(fields))
    if answer:
        return answer.decode()
    deadline = time.monotonic() + 10
    while len(slack.ephemeral) == before and time.monotonic() < deadline:
        time.sleep(0.005)
    return json.dumps({**slack.ephemeral[-1], "at": None}, ensure_ascii=False, sort_keys=True)


class TestTwoWorkspaces:
    def test_each_has_rows_and_jobs_of_its_own(self, database_url: str) -> None:
        with two(database_url) as (workspaces, slack, *_):
            ours, theirs = workspaces.all()
            assert ours.database.workspace_id != theirs.database.workspace_id
            store(ours.database, used(opus_for(100), day=DAY))
            assert theirs.ledger.spend(None, None, ()).period is None
            subscribe(ours.database, Subscription("C0ENG", NOW.time(), ours.settings.timezone), NOW - timedelta(days=1))
            assert all_subscriptions(theirs.database) == []
            for installation in (ours, theirs):
                installation.jobs.tick(NOW)
            digests = [[one for one in all_deliveries(w.database) if one.kind == "digest"] for w in (ours, theirs)]
            assert [len(found) for found in digests] == [1, 0]
            assert len(slack.messages["C0ENG"]) == 1

    def test_a_workspace_without_the_app_gets_a_sentence(self, database_url: str) -> None:
        with two(database_url) as (_, slack, slack_url, app):
            assert "has not installed the app" in said(slack, slack_url, app, "T0NOBODY", "U001", "me")

    @pytest.mark.parametrize(
        "event", [{"type": "app_uninstalled"}, {"type": "tokens_revoked", "tokens": {"bot": ["U0BOT"]}}]
    )
    def test_one_that_removes_the_app_is_forgotten_and_its_usage_stays(
        self, database_url: str, event: dict[str, Any]
    ) -> None:
        with two(database_url) as (workspaces, *_, app):
            ours = workspaces.of(TEAM_ID)
            assert ours is not None
            store(ours.database, used(opus_for(100), day=DAY))
            body = json.dumps({"type": "event_callback", "team_id": TEAM_ID, "api_app_id": "A1", "event": event})
            send(app, body, "application/json")
            assert workspaces.of(TEAM_ID) is None
            assert len(workspaces.all()) == 1
            installed(workspaces, TEAM_ID)
            again = workspaces.of(TEAM_ID)
            assert again is not None
            assert again.ledger.spend(None, None, ()).total.usd == 100

    def test_the_first_installer_stays_the_admin_and_nobody_becomes_one_by_installing_again(
        self, database_url: str
    ) -> None:
        with two(database_url) as (workspaces, *_):
            installed(workspaces, TEAM_ID, "U002")
            found = workspaces.of(TEAM_ID)
            assert found is not None
            assert found.settings.admins == ("U014",)

    def test_rows_of_a_token_s_workspace_are_its_own_when_others_install(self, database_url: str) -> None:
        from bot.store.database import open_database
        from bot.store.workspaces import remember_single

        single = open_database(database_url)
        store(single, used(opus_for(100), day=DAY))
        with two(database_url) as (workspaces, *_):
            for theirs in workspaces.all():
                assert theirs.ledger.spend(None, None, ()).period is None
            remember_single(single, "T0FIRST", None)
            installed(workspaces, "T0FIRST")
            ours = workspaces.of("T0FIRST")
            assert ours is not None
            assert ours.ledger.spend(None, None, ()).total.usd == 100
        single.close()

    def test_a_token_of_another_workspace_sees_no_rows(self, database_url: str) -> None:
        from bot.store.database import open_database
        from bot.store.workspaces import OtherWorkspace, remember_single

        single = open_database(database_url)
        remember_single(single, "T0FIRST", None)
        remember_single(single, "T0FIRST", None)
        with pytest.raises(OtherWorkspace, match="SLACK_BOT_TOKEN is of the workspace T0SECOND"):
            remember_single(single, "T0SECOND", None)
        with two(database_url), pytest.raises(OtherWorkspace, match="what T0FIRST spent"):
            remember_single(single, TEAM_ID, None)
        single.close()

    def test_a_workspace_that_joined_an_organisation_installs_again(self, database_url: str) -> None:
        with two(database_url) as (workspaces, *_):
            before = workspaces.of(TEAM_ID)
            assert before is not None
            workspaces.store.save(
                Installed(
                    app_id="A1", enterprise_id="E1", team_id=TEAM_ID, bot_token="xoxb-new", bot_id="B1", user_id="U1"
                )
            )
            found = workspaces.of(TEAM_ID)
            assert found is not None
            assert found.settings.secret("SLACK_BOT_TOKEN") == "xoxb-new"
            assert found.database.workspace_id == before.database.workspace_id
            workspaces.forget(TEAM_ID)
            assert workspaces.of(TEAM_ID) is None

    def test_news_of_a_removal_that_come_after_the_next_installation_are_late(self, database_url: str) -> None:
        with two(database_url) as (workspaces, *_, app):
            for event_time, is_left in ((int(time.time()) - 300, True), (int(time.time()) + 5, False)):
                event = {"type": "event_callback", "team_id": TEAM_ID, "event_time": event_time}
                send(app, json.dumps({**event, "event": {"type": "app_uninstalled"}}), "application/json")
                assert (workspaces.of(TEAM_ID) is not None) is is_left

    def test_a_request_under_way_ends_on_the_threads_of_its_workspace(self, database_url: str) -> None:
        with two(database_url) as (workspaces, *_):
            before = workspaces.of(TEAM_ID)
            assert before is not None
            threads = before.background
            installed_with = workspaces.store.find_bot(enterprise_id=None, team_id=TEAM_ID)
            assert installed_with is not None
            workspaces.store.save_bot(Bot(**installed_with.to_dict_for_copying() | {"bot_token": "xoxb-other"}))
            after = workspaces.of(TEAM_ID)
            assert after is not None
            assert after is not before
            assert after.background is threads
            assert threads.submit(lambda: 5).result() == 5

    def test_usage_of_a_removed_workspace_is_not_kept_for_longer(self, database_url: str) -> None:
        with two(database_url) as (workspaces, *_):
            ours = workspaces.of(TEAM_ID)
            assert ours is not None
            store(ours.database, used(opus_for(3), day=DAY), used(opus_for(4), day=DAY - timedelta(days=200)))
            ours.policy.choose({"retention_days": "90"}, "U014", NOW)
            workspaces.forget(TEAM_ID)
            workspaces.delete_old(NOW)
            assert ours.ledger.spend(None, None, ()).total.usage.input == 750_000

    def test_a_forged_removal_is_refused(self, database_url: str) -> None:
        with two(database_url) as (workspaces, *_, app):
            body = json.dumps({"type": "event_callback", "team_id": TEAM_ID, "event": {"type": "app_uninstalled"}})
            request = urllib.request.Request(
                app + SLACK_PATH, data=body.encode(), headers={"x-slack-signature": "v0=0"}
            )
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.build_opener(NOTHING).open(request, timeout=10)
            assert len(workspaces.all()) == 2

    def test_a_command_on_this_machine_names_its_workspace(self, database_url: str) -> None:
        with two(database_url) as (workspaces, *_):
            with pytest.raises(
                SettingsProblem, match="CLAUDECOST_WORKSPACE is not set; workspaces are T0PLAYGRND, T0OTHER"
            ):
                workspaces.chosen()
            workspaces.settings = replace(workspaces.settings, workspace="T0OTHER")
            assert workspaces.chosen().database.workspace_id == 3  # 1 is kept for that of a token


class TestRotation:
    def test_a_token_is_exchanged_for_requests_and_jobs_before_it_expires(self, database_url: str) -> None:
        with two(database_url) as (workspaces, slack, *_):
            bot = workspaces.store.find_bot(enterprise_id=None, team_id=TEAM_ID)
            assert bot is not None
            fields = bot.to_dict_for_copying() | {
                "bot_refresh_token": "xoxe-1",
                "bot_token_expires_at": int(time.time()) + 60,
            }
            workspaces.store.save_bot(Bot(**fields))
            before = workspaces.of(TEAM_ID)
            assert before is not None
            assert before.settings.secret("SLACK_BOT_TOKEN") == "xoxb-rotated-1"
            assert workspaces.of(TEAM_ID) is before  # once is enough
            assert slack.called("oauth.v2.access") == 1


class TestTokensAtRest:
    def test_a_copy_of_the_database_holds_no_token(self, database_url: str) -> None:
        refresh = "xoxe-1-" + "x" * 200
        with two(database_url) as (workspaces, *_):
            bot = workspaces.store.find_bot(enterprise_id=None, team_id=TEAM_ID)
            assert bot is not None
            workspaces.store.save_bot(Bot(**bot.to_dict_for_copying() | {"bot_refresh_token": refresh}))
            found = workspaces.store.find_bot(enterprise_id=None, team_id=TEAM_ID)
            assert found is not None
            assert (found.bot_token, found.bot_refresh_token) == (BOT_TOKEN, refresh)
            with workspaces.database.read() as connection:
                for table in ("slack_bots", "slack_installations"):
                    kept = str(connection.execute(text(f"SELECT * FROM {table}")).all())
                    assert TEAM_ID in kept
                    assert "xox" not in kept

    def test_another_client_secret_asks_to_install_again(
        self, database_url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with two(database_url):
            pass
        other = replace(shared(database_url, "http://127.0.0.1:9/api/"), slack_client_secret=Secret("another"))
        with opened(other) as workspaces:
            assert workspaces.all() == []
        assert "install the app again at /slack/install" in caplog.text


# A look at somebody's day is kept, and a link is made once: their answers change with each call.
COMMANDS = [
    command for command in MATRIX if not command.startswith(("article", "changes", "link", "explain 2026-11-19 freya"))
]


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    ours=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 400), st.integers(0, 9)), min_size=1, max_size=12),
    theirs=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 400), st.integers(0, 9)), min_size=1, max_size=12),
)
def test_what_one_workspace_is_told_never_depends_on_another(
    database_url: str, ours: list[tuple[int, int, int]], theirs: list[tuple[int, int, int]]
) -> None:
    """Each command is asked before and after the other workspace's usage comes; nothing may change."""

    def bring(workspaces: Workspaces, team: str, usage: list[tuple[int, int, int]]) -> None:
        installation = workspaces.of(team)
        assert installation is not None
        people = ["ada@example.com", "freya@example.com", "noor@example.com"]
        records = [
            used(opus_for(usd), day=DAY - timedelta(days=back), actor=Actor("email", people[who % 3]), part=str(number))
            for number, (who, usd, back) in enumerate(usage)
        ]
        store(installation.database, *records, used(opus_for(3), actor=Actor("api_key", "ci-nightly")))

    emptied(database_url)
    with two(database_url) as (workspaces, slack, slack_url, app):
        bring(workspaces, TEAM_ID, ours)
        asked = [(user, command) for user in ("U001", "U014") for command in COMMANDS]
        for user, command in asked:
            said(slack, slack_url, app, TEAM_ID, user, command)  # what changes wishes has changed them by now
        before = [said(slack, slack_url, app, TEAM_ID, user, command) for user, command in asked]
        bring(workspaces, "T0OTHER", theirs)
        again = [said(slack, slack_url, app, TEAM_ID, user, command) for user, command in asked]
        assert again == before
        assert sum(Decimal(usd) for _, usd, _ in ours) + 3 == total(workspaces, TEAM_ID)
        assert sum(Decimal(usd) for _, usd, _ in theirs) + 3 == total(workspaces, "T0OTHER")


def total(workspaces: Workspaces, team: str) -> Decimal:
    installation = workspaces.of(team)
    assert installation is not None
    return installation.ledger.spend(None, None, ()).total.usd


def emptied(database_url: str) -> None:
    from bot.store.database import open_database
    from bot.store.tables import metadata

    database = open_database(database_url)
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(text(f"DELETE FROM {table.name}"))
    database.close()
