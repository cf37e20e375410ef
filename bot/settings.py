"""The settings: read here from the environment and ``.env``, and nowhere else."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from msgspec import Struct, field
from platformdirs import user_data_dir

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
PICTURES = ("image", "native", "off")


class SettingsProblem(Exception):
    """A setting is missing or wrong; one sentence that names it and shows an example."""


class Secret(Struct, frozen=True):
    """A value that nobody is to see."""

    value: str

    def __repr__(self) -> str:
        return "Secret(**********)"


def _zone(said: str) -> ZoneInfo:
    said = said.strip()
    try:
        return ZoneInfo(said)
    except (ValueError, KeyError, OSError):
        known = next((name for name in available_timezones() if name.lower() == said.lower()), None)
    if known is None:
        raise ValueError("it is no IANA time zone, such as Europe/Paris or UTC")
    return ZoneInfo(known)


def _secret(least: int) -> Callable[[str], Secret]:
    return lambda value: Secret(_long_enough(value, least))


def _long_enough(value: str, least: int) -> str:
    if len(value) < least:
        raise ValueError("it is too short")
    return value


def _token(prefix: str) -> Callable[[str], Secret]:
    def read(value: str) -> Secret:
        if not value.startswith(prefix):
            raise ValueError(f"it does not start with {prefix}")
        if not value.isascii() or value == prefix:
            raise ValueError("it is an example, not a token")
        return Secret(value)

    return read


def _id(pattern: str, what: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"it is no id of a {what}")
        return value

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    """Whole numbers between the two, both inclusive."""

    def read(value: str) -> int:
        number = _number(value)
        if number < least:
            raise ValueError(f"it must be at least {least}")
        if number > most:
            raise ValueError(f"it must be at most {most}")
        if number != int(number):
            raise ValueError("it is no whole number")
        return int(number)

    return read


def _number(value: str) -> Decimal:
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError("it is no number")
    return number


def read_usd(value: str) -> Decimal:
    """Dollars from an amount such as "12.50". Raises ValueError that says why it is none."""
    amount = _number(value)
    if amount <= 0:
        raise ValueError("it must be over 0")
    if amount >= 10**9:
        raise ValueError("it must be under 1000000000")
    if amount != round(amount, 9):
        raise ValueError("it has more than nine decimals")
    return amount


def _bool(value: str) -> bool:
    if value.strip().lower() in ("true", "t", "yes", "y", "on", "1"):
        return True
    if value.strip().lower() in ("false", "f", "no", "n", "off", "0"):
        return False
    raise ValueError("it is neither true nor false")


def _picture(value: str) -> str:
    if value not in PICTURES:
        raise ValueError(f"it takes {', '.join(PICTURES[:-1])} or {PICTURES[-1]}")
    return value


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


def _public_url(value: str) -> str:
    return _base_url(value).rstrip("/")


def _file(value: str) -> Path:
    try:
        Path(value).expanduser().open("rb").close()
    except OSError as error:
        raise ValueError(f"{value} cannot be read ({error.strerror})") from error
    return Path(value).expanduser()


def _user_ids(value: str) -> tuple[str, ...]:
    ids = tuple(word.strip() for word in value.split(",") if word.strip())
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


def _weekdays(value: str) -> frozenset[int]:
    if re.fullmatch(r"[1-7]{1,7}", value.strip()):
        return frozenset(map(int, value.strip()))
    raise ValueError("it takes digits from 1 for Monday to 7 for Sunday")


def _clock_time(value: str) -> time:
    try:
        found = time.fromisoformat(value.strip())
    except ValueError as error:
        raise ValueError("it is no time") from error
    if found.tzinfo is not None or found.second or found.microsecond:
        raise ValueError("it is no time on the clock of CLAUDECOST_TIMEZONE in hours and minutes")
    return found


_PREFIX = "CLAUDECOST_"
_ESCAPED = str.maketrans({sign: quote(sign) for sign in "%?#"})
"""What would mean something else in the URL of a file."""


def _given() -> dict[str, str]:
    """What the environment says, and ``.env`` where the environment does not; a blank value counts as not set.

    Raises SettingsProblem for a misspelt name, which would otherwise leave a setting at its default without a word.
    """
    said = [*(_dotenv() if Path(".env").is_file() else ()), *os.environ.items()]
    for name in sorted(name for name, _ in said):
        if name.upper().startswith(_PREFIX) and name.upper() not in EXAMPLES:
            from difflib import get_close_matches  # where there is something to say of it

            near = get_close_matches(name.upper(), EXAMPLES, 1)
            hint = f"Did you mean {near[0]}?" if near else f"The settings are {', '.join(EXAMPLES)}."
            raise SettingsProblem(f"{name} is no setting. {hint}")
    return {name.upper(): value for name, value in said if value}


def _dotenv() -> Iterable[tuple[str, str | None]]:
    from dotenv import dotenv_values  # where there is such a file

    return dotenv_values(".env").items()


class Settings(Struct, frozen=True, kw_only=True):
    """All settings. Secrets print as stars."""

    slack_bot_token: Secret | None = None
    slack_app_token: Secret | None = None
    slack_signing_secret: Secret | None = None
    client_id: str | None = None
    slack_client_secret: Secret | None = None
    slack_api_url: str = "https://slack.com/api/"
    database_url: str | None = None
    public_url: str | None = None
    workspace: str | None = None
    timezone: ZoneInfo = ZoneInfo("UTC")
    data_dir: Path = field(default_factory=lambda: Path(user_data_dir("claudecost", appauthor=False)))
    limit_usd: Decimal = DEFAULT_LIMIT_USD
    prices: Path | None = None
    plans: Path | None = None
    holidays: str = ""
    digest_channel: str | None = None
    digest_time: time = time(9)
    digest_weekdays: frozenset[int] = WORKDAYS
    budget_usd: Decimal | None = None
    quiet_hours: QuietHours | None = QuietHours(time(21), time(7))
    picture: str = PICTURES[0]
    names: bool = False
    retention_days: int | None = None
    bind: str | None = None
    admins: tuple[str, ...] = ()
    slack_admins: bool = False
    watch_folder: Path | None = None
    otlp_token: Secret | None = None
    cost_beta: bool = False
    admin_key: Secret | None = None
    anthropic_url: str = "https://api.anthropic.com"
    port: int | None = None

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
        found: Secret | None = getattr(self, name.lower())
        if found is None:
            raise SettingsProblem(f"{name} is not set. Example: {name}={EXAMPLES[name]}")
        return found.value


FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "SLACK_BOT_TOKEN": ("slack_bot_token", _token("xoxb-")),
    "SLACK_APP_TOKEN": ("slack_app_token", _token("xapp-")),
    "SLACK_SIGNING_SECRET": ("slack_signing_secret", _secret(16)),
    "SLACK_CLIENT_ID": ("client_id", lambda value: _long_enough(value, 3)),
    "SLACK_CLIENT_SECRET": ("slack_client_secret", _secret(4)),
    "SLACK_API_URL": ("slack_api_url", _base_url),
    "DATABASE_URL": ("database_url", _database_url),
    "CLAUDECOST_URL": ("public_url", _public_url),
    "CLAUDECOST_WORKSPACE": ("workspace", _id(r"T[A-Z0-9]+", "workspace")),
    "CLAUDECOST_TIMEZONE": ("timezone", _zone),
    "CLAUDECOST_DATA_DIR": ("data_dir", Path),
    "CLAUDECOST_LIMIT_USD": ("limit_usd", read_usd),
    "CLAUDECOST_PRICES": ("prices", _file),
    "CLAUDECOST_PLANS": ("plans", _file),
    "CLAUDECOST_HOLIDAYS": ("holidays", _country),
    "CLAUDECOST_DIGEST_CHANNEL": ("digest_channel", _id(CHANNEL_ID, "channel")),
    "CLAUDECOST_DIGEST_TIME": ("digest_time", _clock_time),
    "CLAUDECOST_DIGEST_WEEKDAYS": ("digest_weekdays", _weekdays),
    "CLAUDECOST_BUDGET_USD": ("budget_usd", read_usd),
    "CLAUDECOST_QUIET_HOURS": ("quiet_hours", read_quiet_hours),
    "CLAUDECOST_PICTURE": ("picture", _picture),
    "CLAUDECOST_NAMES": ("names", _bool),
    "CLAUDECOST_RETENTION_DAYS": ("retention_days", _whole(90, 3650)),
    "CLAUDECOST_BIND": ("bind", _address),
    "CLAUDECOST_ADMINS": ("admins", _user_ids),
    "CLAUDECOST_SLACK_ADMINS": ("slack_admins", _bool),
    "CLAUDECOST_WATCH_FOLDER": ("watch_folder", Path),
    "CLAUDECOST_OTLP_TOKEN": ("otlp_token", _secret(16)),
    "CLAUDECOST_COST_BETA": ("cost_beta", _bool),
    "ANTHROPIC_ADMIN_KEY": ("admin_key", _secret(16)),
    "ANTHROPIC_BASE_URL": ("anthropic_url", _base_url),
    "PORT": ("port", _whole(1, 65535)),
}
"""By the name in the environment the field, and what reads it: it raises ValueError that says why a value is wrong."""


def settings_of(given: Mapping[str, str]) -> Settings:
    """The settings that names of the environment say. Raises SettingsProblem that names each wrong one."""
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for name, (where, read) in FIELDS.items():
        if name in given:
            try:
                found[where] = read(given[name])
            except ValueError as error:
                wrong.append(f"{name} is wrong: {error}. Example: {name}={EXAMPLES[name]}")
    if wrong:
        raise SettingsProblem(" ".join(wrong))
    return Settings(**found)


def load_settings() -> Settings:
    """Read the settings. Raises SettingsProblem that names each wrong one and shows an example."""
    try:
        return settings_of(_given())
    except UnicodeDecodeError as error:
        raise SettingsProblem(".env is not UTF-8 text; save it as UTF-8.") from error
