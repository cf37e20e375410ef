"""Several workspaces in one installation: each brings its token by Slack's OAuth flow and has rows of its own.

Every request and every turn of the jobs runs in the ``Installation`` of one workspace, whose database reads and writes
that workspace's rows alone.
"""

import base64
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec.structs import replace
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackTokenRotationError
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.installation_store import Installation as Installed
from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.sqlalchemy import SQLAlchemyOAuthStateStore
from slack_sdk.oauth.token_rotation import TokenRotator
from sqlalchemy import Dialect, Text, TypeDecorator

from bot.app import Installation, background_threads
from bot.policy import Policies, delete_old
from bot.settings import Secret, Settings, SettingsProblem
from bot.slack.app_manifest import REDIRECT_PATH
from bot.slack.scopes import SCOPES
from bot.store.database import Database, open_database
from bot.store.workspaces import Workspace, known_workspaces, remember_installed

if TYPE_CHECKING:
    from slack_bolt import App

INSTALL_PATH = "/slack/install"
STATE_SECONDS = 600
"""An installation that somebody begins must be finished within ten minutes, and once."""

SECRETS = {"bot_token", "bot_refresh_token", "user_token", "user_refresh_token", "incoming_webhook_url"}
"""The columns of Slack's SDK that let somebody act in a workspace."""

ROTATED_MINUTES = 120
"""A token that expires is exchanged so long before."""

logger = logging.getLogger(__name__)


class Workspaces:
    """All workspaces that installed the app."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.settings = settings
        self.clock = clock
        self._made: dict[str, tuple[str, Installation]] = {}
        self._executors: dict[str, ThreadPoolExecutor] = {}

    @cached_property
    def database(self) -> Database:
        """The database of all of them."""
        return open_database(self.settings.database)

    @cached_property
    def store(self) -> "InstallationStore":
        return InstallationStore(self._client_id, self.settings.secret("SLACK_CLIENT_SECRET"), self.database)

    @property
    def _client_id(self) -> str:
        return self.settings.client_id or ""

    def oauth_app(self) -> "App":
        """The Bolt app that installs: it answers GET INSTALL_PATH and REDIRECT_PATH alone."""
        from slack_bolt import App
        from slack_bolt.oauth import OAuthFlow
        from slack_bolt.oauth.oauth_settings import OAuthSettings

        api_url = self.settings.api_url
        slack = api_url.removesuffix("/").removesuffix("/api")
        flow = OAuthFlow(
            client=WebClient(base_url=api_url),
            settings=OAuthSettings(
                client_id=self._client_id,
                client_secret=self.settings.secret("SLACK_CLIENT_SECRET"),
                scopes=list(SCOPES),
                redirect_uri=self.settings.public_url + REDIRECT_PATH if self.settings.public_url else None,
                install_path=INSTALL_PATH,
                redirect_uri_path=REDIRECT_PATH,
                authorization_url=f"{slack}/oauth/v2/authorize",
                installation_store=self.store,
                state_store=SQLAlchemyOAuthStateStore(STATE_SECONDS, self.database.engine),
                state_expiration_seconds=STATE_SECONDS,
            ),
        )
        return App(signing_secret=self.settings.secret("SLACK_SIGNING_SECRET"), oauth_flow=flow)

    def of(self, team_id: str) -> Installation | None:
        """One workspace's installation, with a token that holds for a while; None where the app is not installed."""
        workspace = self._workspace(team_id)
        return self._installation(workspace) if workspace else None

    def all(self) -> list[Installation]:
        """Every workspace that has the app now."""
        found = (self._installation(workspace) for workspace in known_workspaces(self.database))
        return [one for one in found if one is not None]

    def chosen(self) -> Installation:
        """The workspace that CLAUDECOST_WORKSPACE names, or the only one. Raises SettingsProblem."""
        known = [workspace.team_id for workspace in known_workspaces(self.database)]
        wanted = self.settings.workspace or (known[0] if len(known) == 1 else None)
        found = self.of(wanted) if wanted else None
        if found is None:
            if not known:
                where = f"{self.settings.public_url or ''}{INSTALL_PATH}"
                raise SettingsProblem(f"No workspace has installed the app so far; open {where} to do that.")
            named = f"{wanted} has not installed the app" if wanted else "CLAUDECOST_WORKSPACE is not set"
            raise SettingsProblem(f"{named}; workspaces are {', '.join(known)}.")
        return found

    def forget(self, team_id: str, at: float | None = None) -> None:
        """The app was removed from a workspace: its tokens are, too, and its jobs rest. Its usage stays.

        ``at`` is when, in seconds since 1970: a removal before the newest installation is late news.
        """
        workspace = self._workspace(team_id)
        if workspace is None:
            return
        bot = self._stored_bot(workspace)
        if bot is not None and at is not None and at < bot.installed_at:
            logger.info("%s had removed the app before it was installed again", team_id)
            return
        for enterprise_id in {workspace.enterprise_id, None}:
            self.store.delete_all(enterprise_id=enterprise_id, team_id=team_id)
        logger.info("%s removed the app", team_id)

    def delete_old(self, now: datetime) -> None:
        """Delete what the policy of each workspace does not keep, whether it has the app now or not."""
        for workspace in known_workspaces(self.database):
            rows = self._database_of(workspace)
            policies = Policies(self.settings, lambda rows=rows: rows)  # type: ignore[misc]
            delete_old(rows, policies.read(), now)

    def close(self) -> None:
        """End what was begun."""
        for executor in self._executors.values():
            executor.shutdown(wait=True)
        for _, installation in self._made.values():
            installation.answers.write()
        self.database.close()

    def _workspace(self, team_id: str) -> Workspace | None:
        return next((one for one in known_workspaces(self.database) if one.team_id == team_id), None)

    def _installation(self, workspace: Workspace) -> Installation | None:
        bot = self._bot(workspace)
        if bot is None:
            return None
        token = str(bot.bot_token)
        made_with, found = self._made.get(workspace.team_id, (None, None))
        if found is None or made_with != token:
            # The token was exchanged: what is under way ends with the old one, on the same threads.
            threads = self._executors.setdefault(workspace.team_id, background_threads())
            rows = self._database_of(workspace)
            ids = (workspace.team_id, workspace.enterprise_id or "")
            found = Installation(self._settings_of(workspace, token), self.clock, rows, threads, ids)
            self._made[workspace.team_id] = (token, found)
        return found

    def _stored_bot(self, workspace: Workspace) -> Bot | None:
        try:
            return self.store.find_bot(enterprise_id=workspace.enterprise_id, team_id=workspace.team_id)
        except InvalidToken:
            logger.error(
                "the token of %s was stored under another SLACK_CLIENT_SECRET; install the app again at %s%s",
                workspace.team_id,
                self.settings.public_url or "",
                INSTALL_PATH,
            )
            return None

    def _bot(self, workspace: Workspace) -> Bot | None:
        bot = self._stored_bot(workspace)
        if bot is None or bot.bot_token_expires_at is None:
            return bot
        rotator = TokenRotator(
            client_id=self._client_id,
            client_secret=self.settings.secret("SLACK_CLIENT_SECRET"),
            client=WebClient(base_url=self.settings.api_url),
        )
        try:
            rotated = rotator.perform_bot_token_rotation(bot=bot, minutes_before_expiration=ROTATED_MINUTES)
        except (SlackTokenRotationError, SlackApiError, OSError) as error:
            # Another process may have exchanged it a moment ago: a refresh token works once.
            logger.warning("the token of %s was not exchanged: %s", workspace.team_id, error)
            return self._stored_bot(workspace)
        if rotated is None:
            return bot
        if self._stored_bot(workspace) is None:
            return None  # removed while its token was exchanged
        self.store.save_bot(rotated)
        return rotated

    def _database_of(self, workspace: Workspace) -> Database:
        return Database(self.database.connections, workspace.id)

    def _settings_of(self, workspace: Workspace, token: str) -> Settings:
        """The settings of one workspace: who installed the app is an admin, and feeds of the settings are nobody's."""
        installer = (workspace.installer,) if workspace.installer else ()
        own = {
            "slack_bot_token": Secret(token),
            "admins": (*self.settings.admins, *installer),
            "digest_channel": None,
            "admin_key": None,
            "watch_folder": None,
            "otlp_token": None,
        }
        return replace(self.settings, **own)


class EncryptedText(TypeDecorator[str]):
    """Text that stands encrypted in the database. Reading raises InvalidToken where the key is another one."""

    impl = Text
    cache_ok = True

    def __init__(self, fernet: Fernet) -> None:
        super().__init__()
        self._fernet = fernet

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value and self._fernet.encrypt(value.encode()).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return value and self._fernet.decrypt(value).decode()


class InstallationStore(SQLAlchemyInstallationStore):
    """Slack's store of installations, with encrypted tokens; it also gives each workspace its number.

    The key follows from the client secret, which is not in the database: who reads a copy of it has no token.
    """

    def __init__(self, client_id: str, client_secret: str, database: Database) -> None:
        super().__init__(client_id, database.engine)
        self.database = database
        key = HKDF(hashes.SHA256(), length=32, salt=None, info=b"claudecost tokens").derive(client_secret.encode())
        encrypted = EncryptedText(Fernet(base64.urlsafe_b64encode(key)))
        for table in (self.bots, self.installations):
            for name in SECRETS & set(table.c.keys()):
                table.c[name].type = encrypted

    def save(self, installation: Installed) -> None:
        if installation.team_id is None:
            raise ValueError("an organisation cannot install the app as a whole; install it in each workspace")
        super().save(installation)
        team_id, installer = str(installation.team_id), installation.user_id
        remember_installed(self.database, team_id, installation.enterprise_id, installer)
        logger.info("%s installed the app", installation.team_id)
