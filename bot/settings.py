"""The settings: read here from the environment and ``.env``, and nowhere else."""

import os
import re
from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from dotenv import dotenv_values
from platformdirs import user_data_dir
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from bot.spend.alerts import DEFAULT_LIMIT_USD, QuietHours, read_quiet_hours
from bot.spend.workdays import UnknownCountry, WorkCalendar

EXAMPLES = {
    "SLACK_BOT_TOKEN": "xoxb-… (Slack app page, OAuth & Permissions)",
    "SLACK_APP_TOKEN": "xapp-… (Slack app page, Basic Information, App-Level Tokens, scope connections:write)",
    "SLACK_SIGNING_SECRET": "32 hexadecimal characters (Slack app page, Basic Information)",
    "SLACK_CLIENT_ID": "1234567890.1234567890 (Slack app page, Basic Information; for several workspaces)",
    "SLACK_CLIENT_SECRET": "32 hexadecimal characters (Slack app page, Basic Information)",
    "SLACK_API_URL": "https://slack.com/api/",
    "DATABASE_URL": "postgresql://user:password@host/name",
    "CLAUDECOST_URL": "https://claudecost.example.com (where Slack and browsers reach this installation)",
    "CLAUDECOST_WORKSPACE": "T0123456789 (which of several workspaces a command on this machine is about)",
    "CLAUDECOST_TIMEZONE": "Europe/Paris",
    "CLAUDECOST_DATA_DIR": "/var/lib/claudecost",
    "CLAUDECOST_LIMIT_USD": "12.00",
    "CLAUDECOST_PRICES": "/etc/claudecost/prices.toml",
    "CLAUDECOST_PLANS": "/etc/claudecost/plans.toml",
    "CLAUDECOST_HOLIDAYS": "DE-BY",
    "CLAUDECOST_DIGEST_CHANNEL": "C0123456789",
    "CLAUDECOST_DIGEST_TIME": "09:00",
    "CLAUDECOST_DIGEST_WEEKDAYS": "12345 (1 for Monday)",
    "CLAUDECOST_BUDGET_USD": "4000",
    "CLAUDECOST_QUIET_HOURS": "21:00-07:00, or off",
    "CLAUDECOST_PICTURE": "image, native or off",
    "CLAUDECOST_NAMES": "true (digests name who passed the limit, in groups of five and more)",
    "CLAUDECOST_RETENTION_DAYS": "400 (older usage is deleted; at least 90)",
    "CLAUDECOST_BIND": "127.0.0.1:3000",
    "CLAUDECOST_ADMINS": "U0123456789,U9876543210",
    "CLAUDECOST_SLACK_ADMINS": "true (the workspace's own admins are admins here too)",
    "CLAUDECOST_WATCH_FOLDER": "/var/lib/claudecost/exports",
    "CLAUDECOST_OTLP_TOKEN": "at least 16 characters that nobody can guess",
    "CLAUDECOST_COST_BETA": "true",
    "ANTHROPIC_ADMIN_KEY": "sk-ant-admin01-… (Claude Console, Settings, Admin keys)",
    "ANTHROPIC_BASE_URL": "https://api.anthropic.com",
    "PORT": "3000",
}


CHANNEL_ID = r"^[CG][A-Z0-9_]+$"
WORKDAYS = frozenset(range(1, 6))


class SettingsProblem(Exception):
    """A setting is missing or wrong; one sentence that names it and shows an example."""


def _zone(value: Any) -> ZoneInfo:
    said = str(value).strip()
    try:
        return ZoneInfo(said)
    except (ValueError, KeyError, OSError):
        known = next((name for name in available_timezones() if name.lower() == said.lower()), None)
    if known is None:
        raise ValueError("it is no IANA time zone, such as Europe/Paris or UTC")
    return ZoneInfo(known)


def _token(prefix: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(prefix):
            raise ValueError(f"it does not start with {prefix}")
        if not value.get_secret_value().isascii() or value.get_secret_value() == prefix:
            raise ValueError("it is an example, not a token")
        return value

    return AfterValidator(check)


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("it is no address and port")
    return value


def _base_url(value: str) -> str:
    try:
        if urlsplit(value).scheme in ("http", "https") and urlsplit(value).hostname:
            return value
    except ValueError:
        pass
    raise ValueError("it is no http or https address")


def _database_url(value: str) -> str:
    if re.fullmatch(r"sqlite(\+\w+)?:/{0,3}(\?.*|.*:memory:.*|.*\bmode=memory\b.*)?", value.strip()):
        raise ValueError("it names no file, so nothing would be kept")
    return value


def _file(value: Path) -> Path:
    try:
        value.expanduser().open("rb").close()
    except OSError as error:
        raise ValueError(f"{value} cannot be read ({error.strerror})") from error
    return value.expanduser()


def _without_slash(value: str) -> str:
    return value.rstrip("/")


def _user_ids(value: Any) -> tuple[str, ...]:
    ids = tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else tuple(value)
    wrong = next((user for user in ids if not re.fullmatch(r"[UW][A-Z0-9]+", user)), None)
    if wrong is not None:
        raise ValueError(f"{wrong[:20]} is no Slack user id")
    return ids


def _country(value: str) -> str:
    try:
        WorkCalendar(value)
    except UnknownCountry as error:
        raise ValueError(str(error).rstrip(".")) from None
    return value


def _weekdays(value: Any) -> frozenset[int]:
    if isinstance(value, str) and re.fullmatch(r"[1-7]{1,7}", value.strip()):
        return frozenset(map(int, value.strip()))
    if isinstance(value, frozenset):
        return value
    raise ValueError("it takes digits from 1 for Monday to 7 for Sunday")


def _quiet_hours(value: Any) -> Any:
    return read_quiet_hours(value) if isinstance(value, str) else value


def _clock_time(value: time) -> time:
    if value.tzinfo is not None or value.second or value.microsecond:
        raise ValueError("it is no time on the clock of CLAUDECOST_TIMEZONE in hours and minutes")
    return value


Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
Country = Annotated[str, AfterValidator(_country)]
Usd = Annotated[Decimal, Field(gt=0, lt=10**9, decimal_places=9)]
Days = Annotated[int, Field(ge=90, le=3650)]
Quiet = Annotated[QuietHours | None, BeforeValidator(_quiet_hours)]
Picture = Literal["image", "native", "off"]


def _named(name: str, default: Any = None, **limits: Any) -> Any:
    return Field(default, validation_alias=name, validate_default=False, **limits)


_WHY = {
    "string_pattern_mismatch": "it is no id of a channel",
    "too_short": "it is too short",
    "decimal_parsing": "it is no number",
    "finite_number": "it is no number",
    "decimal_max_places": "it has more than nine decimals",
    "greater_than": "it must be over {gt}",
    "greater_than_equal": "it must be at least {ge}",
    "less_than": "it must be under {lt}",
    "less_than_equal": "it must be at most {le}",
    "int_parsing": "it is no whole number",
    "time_parsing": "it is no time",
    "bool_parsing": "it is neither true nor false",
}
_PREFIX = "CLAUDECOST_"
_ESCAPED = str.maketrans({sign: quote(sign) for sign in "%?#"})
"""What would mean something else in the URL of a file."""


def reason(wrong: Mapping[str, Any]) -> str:
    """Why pydantic refused a value, in our words where it has its own."""
    ours = _WHY.get(wrong["type"])
    return ours.format_map(wrong.get("ctx") or {}) if ours else str(wrong["msg"]).removeprefix("Value error, ")


def _given() -> dict[str, str]:
    """What the environment says, and ``.env`` where the environment does not; a blank value counts as not set.

    Raises SettingsProblem for a misspelt name, which would otherwise leave a setting at its default without a word.
    """
    said = [*(dotenv_values(".env").items() if Path(".env").is_file() else ()), *os.environ.items()]
    for name, _ in sorted(said):
        if name.upper().startswith(_PREFIX) and name.upper() not in EXAMPLES:
            near = get_close_matches(name.upper(), EXAMPLES, 1)
            hint = f"Did you mean {near[0]}?" if near else f"The settings are {', '.join(EXAMPLES)}."
            raise SettingsProblem(f"{name} is no setting. {hint}")
    return {name.upper(): value for name, value in said if value}


class Settings(BaseModel):
    """All settings. Secrets print as stars."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    slack_bot_token: Annotated[SecretStr, _token("xoxb-")] | None = _named("SLACK_BOT_TOKEN")
    slack_app_token: Annotated[SecretStr, _token("xapp-")] | None = _named("SLACK_APP_TOKEN")
    slack_signing_secret: SecretStr | None = _named("SLACK_SIGNING_SECRET", min_length=16)
    client_id: str | None = _named("SLACK_CLIENT_ID", min_length=3)
    slack_client_secret: SecretStr | None = _named("SLACK_CLIENT_SECRET", min_length=4)
    slack_api_url: Annotated[str, AfterValidator(_base_url)] = _named("SLACK_API_URL", "https://slack.com/api/")
    database_url: Annotated[str, AfterValidator(_database_url)] | None = _named("DATABASE_URL")
    public_url: Annotated[str, AfterValidator(_base_url), AfterValidator(_without_slash)] | None = _named(
        "CLAUDECOST_URL"
    )
    workspace: str | None = _named("CLAUDECOST_WORKSPACE", pattern=r"^T[A-Z0-9]+$")
    timezone: Zone = _named("CLAUDECOST_TIMEZONE", ZoneInfo("UTC"))
    data_dir: Path = _named("CLAUDECOST_DATA_DIR", Path(user_data_dir("claudecost", appauthor=False)))
    limit_usd: Usd = _named("CLAUDECOST_LIMIT_USD", DEFAULT_LIMIT_USD)
    prices: Annotated[Path, AfterValidator(_file)] | None = _named("CLAUDECOST_PRICES")
    plans: Annotated[Path, AfterValidator(_file)] | None = _named("CLAUDECOST_PLANS")
    holidays: Country = _named("CLAUDECOST_HOLIDAYS", "")
    digest_channel: str | None = _named("CLAUDECOST_DIGEST_CHANNEL", pattern=CHANNEL_ID)
    digest_time: Annotated[time, AfterValidator(_clock_time)] = _named("CLAUDECOST_DIGEST_TIME", time(9))
    digest_weekdays: Annotated[frozenset[int], BeforeValidator(_weekdays)] = _named(
        "CLAUDECOST_DIGEST_WEEKDAYS", WORKDAYS
    )
    budget_usd: Usd | None = _named("CLAUDECOST_BUDGET_USD")
    quiet_hours: Quiet = _named("CLAUDECOST_QUIET_HOURS", QuietHours(time(21), time(7)))
    picture: Picture = _named("CLAUDECOST_PICTURE", "image")
    names: bool = _named("CLAUDECOST_NAMES", False)
    retention_days: Days | None = _named("CLAUDECOST_RETENTION_DAYS")
    bind: Annotated[str, AfterValidator(_address)] | None = _named("CLAUDECOST_BIND")
    admins: Annotated[tuple[str, ...], BeforeValidator(_user_ids)] = _named("CLAUDECOST_ADMINS", ())
    slack_admins: bool = _named("CLAUDECOST_SLACK_ADMINS", False)
    watch_folder: Path | None = _named("CLAUDECOST_WATCH_FOLDER")
    otlp_token: SecretStr | None = _named("CLAUDECOST_OTLP_TOKEN", min_length=16)
    cost_beta: bool = _named("CLAUDECOST_COST_BETA", False)
    admin_key: SecretStr | None = _named("ANTHROPIC_ADMIN_KEY", min_length=16)
    anthropic_url: Annotated[str, AfterValidator(_base_url)] = _named("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
    port: int | None = _named("PORT", gt=0, lt=65536)

    @property
    def is_shared(self) -> bool:
        """Whether several workspaces install the app by OAuth, each with a token of its own."""
        return self.client_id is not None and self.slack_bot_token is None

    @property
    def database(self) -> str:
        """The database URL in force: the one given, or a SQLite file in the data directory."""
        file = str(self.data_dir.expanduser().absolute() / "claudecost.db")
        return self.database_url or f"sqlite:///{file.translate(_ESCAPED)}"

    @property
    def api_url(self) -> str:
        """The base of Slack's Web API, with the slash that clients expect at its end."""
        return self.slack_api_url.rstrip("/") + "/"

    @property
    def address(self) -> str:
        """Where HTTP is served: as bound, or on every address of the PORT that a platform assigned."""
        return self.bind or (f"0.0.0.0:{self.port}" if self.port else "127.0.0.1:3000")

    def secret(self, name: str) -> str:
        """The value of a secret setting by its environment name. Raises SettingsProblem where it is not set."""
        value: SecretStr | None = getattr(self, name.lower())
        if value is None:
            raise SettingsProblem(f"{name} is not set. Example: {name}={EXAMPLES[name]}")
        return value.get_secret_value()


def load_settings() -> Settings:
    """Read the settings. Raises SettingsProblem that names each wrong one and shows an example."""
    try:
        return Settings.model_validate(_given())
    except UnicodeDecodeError as error:
        raise SettingsProblem(".env is not UTF-8 text; save it as UTF-8.") from error
    except ValidationError as error:
        sentences = []
        for wrong in error.errors(include_input=False, include_url=False):
            name = str(wrong["loc"][0])
            sentences.append(f"{name} is wrong: {reason(wrong)}. Example: {name}={EXAMPLES.get(name, '')}")
        raise SettingsProblem(" ".join(sentences)) from error
