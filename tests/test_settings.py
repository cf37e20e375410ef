"""Where settings come from: the environment, and .env where the environment says nothing."""

from datetime import time
from decimal import Decimal
from pathlib import Path

import pytest

from bot.settings import EXAMPLES, SettingsProblem, load_settings, settings_of
from bot.store.database import open_database


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The .env of an empty folder to work in, without any setting around."""
    monkeypatch.chdir(tmp_path)
    for name in EXAMPLES:
        monkeypatch.delenv(name, raising=False)
    return tmp_path / ".env"


def test_without_any_the_defaults_hold(env_file: Path) -> None:
    settings = load_settings()
    assert (settings.limit_usd, settings.timezone.key, settings.digest_time) == (Decimal(12), "UTC", time(9))
    assert (settings.slack_bot_token, settings.admins, settings.picture) == (None, (), "image")
    assert settings.address == "127.0.0.1:3000"


def test_the_environment_goes_before_the_file_and_blank_counts_as_not_set(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.write_text(
        "CLAUDECOST_LIMIT_USD=20\nCLAUDECOST_TIMEZONE='Europe/Paris' # theirs\nexport CLAUDECOST_NAMES=true\n"
        "claudecost_admins=U01, W02\nCLAUDECOST_BUDGET_USD=\nUNRELATED=1\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("CLAUDECOST_LIMIT_USD", "15.50")
    monkeypatch.setenv("CLAUDECOST_TIMEZONE", "")
    settings = load_settings()
    assert settings.limit_usd == Decimal("15.50")
    assert settings.timezone.key == "Europe/Paris"
    assert (settings.names, settings.admins, settings.budget_usd) == (True, ("U01", "W02"), None)


def test_what_is_wrong_is_said_all_at_once_and_quotes_no_secret(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.write_text("SLACK_BOT_TOKEN=xoxp-secret\nCLAUDECOST_LIMIT_USD=much\n", encoding="utf-8")
    with pytest.raises(SettingsProblem) as refused:
        load_settings()
    said = str(refused.value)
    assert "SLACK_BOT_TOKEN is wrong: it does not start with xoxb-." in said
    assert "CLAUDECOST_LIMIT_USD is wrong: it is no number. Example: CLAUDECOST_LIMIT_USD=12.00" in said
    assert "secret" not in said


@pytest.mark.parametrize("where", ["file", "environment"])
def test_a_misspelt_name_is_refused_wherever_it_stands(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "file":
        env_file.write_text("CLAUDECOST_LIMIT=20\n", encoding="utf-8")
    else:
        monkeypatch.setenv("CLAUDECOST_LIMIT", "20")
    with pytest.raises(SettingsProblem, match=r"CLAUDECOST_LIMIT is no setting\. Did you mean CLAUDECOST_LIMIT_USD\?"):
        load_settings()


def test_a_file_of_another_encoding_is_refused(env_file: Path) -> None:
    env_file.write_bytes("CLAUDECOST_HOLIDAYS=DE # Österreich".encode("latin-1"))
    with pytest.raises(SettingsProblem, match="not UTF-8"):
        load_settings()


@pytest.mark.parametrize("name", ["plain", "what?", "50%41", "a#b", "é b"])
def test_the_data_directory_is_the_one_that_was_said(tmp_path: Path, name: str) -> None:
    settings = settings_of({"CLAUDECOST_DATA_DIR": str(tmp_path / name)})
    open_database(settings.database).close()
    assert [path.parent.name for path in tmp_path.rglob("claudecost.db")] == [name]


def test_secrets_print_as_stars() -> None:
    settings = settings_of({"SLACK_BOT_TOKEN": "xoxb-1-hidden"})
    assert "hidden" not in repr(settings)
    assert settings.secret("SLACK_BOT_TOKEN") == "xoxb-1-hidden"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SLACK_CLIENT_SECRET", "abc", "it is too short"),
        ("CLAUDECOST_OTLP_TOKEN", "fifteen letters", "it is too short"),
        ("CLAUDECOST_WORKSPACE", "t012", "it is no id of a workspace"),
        ("CLAUDECOST_DIGEST_CHANNEL", "D0123", "it is no id of a channel"),
        ("CLAUDECOST_LIMIT_USD", "inf", "it is no number"),
        ("CLAUDECOST_LIMIT_USD", "0", "it must be over 0"),
        ("CLAUDECOST_BUDGET_USD", "1e9", "it must be under 1000000000"),
        ("CLAUDECOST_BUDGET_USD", "1.0000000001", "it has more than nine decimals"),
        ("CLAUDECOST_NAMES", "maybe", "it is neither true nor false"),
        ("CLAUDECOST_PICTURE", "png", "it takes image, native or off"),
        ("CLAUDECOST_RETENTION_DAYS", "89", "it must be at least 90"),
        ("CLAUDECOST_RETENTION_DAYS", "3651", "it must be at most 3650"),
        ("CLAUDECOST_RETENTION_DAYS", "90.5", "it is no whole number"),
        ("CLAUDECOST_RETENTION_DAYS", "long", "it is no number"),
        ("CLAUDECOST_DIGEST_TIME", "25:00", "it is no time"),
        ("CLAUDECOST_DIGEST_WEEKDAYS", "08", "it takes digits from 1 for Monday to 7 for Sunday"),
        ("CLAUDECOST_ADMINS", "U1,dana", "dana is no Slack user id"),
        ("PORT", "65536", "it must be at most 65535"),
    ],
)
def test_a_wrong_value_is_refused_with_the_reason(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsProblem) as refused:
        settings_of({name: value})
    assert str(refused.value) == f"{name} is wrong: {said}. Example: {name}={EXAMPLES[name]}"


@pytest.mark.parametrize(
    ("name", "value", "field", "read"),
    [
        ("CLAUDECOST_LIMIT_USD", " 12.50 ", "limit_usd", Decimal("12.5")),
        ("CLAUDECOST_NAMES", "Yes", "names", True),
        ("CLAUDECOST_SLACK_ADMINS", "0", "slack_admins", False),
        ("CLAUDECOST_RETENTION_DAYS", "90", "retention_days", 90),
        ("CLAUDECOST_RETENTION_DAYS", "3650", "retention_days", 3650),
        ("CLAUDECOST_RETENTION_DAYS", "+400.0", "retention_days", 400),
        ("CLAUDECOST_DIGEST_TIME", "08:30", "digest_time", time(8, 30)),
        ("CLAUDECOST_DIGEST_WEEKDAYS", "135", "digest_weekdays", frozenset({1, 3, 5})),
        ("CLAUDECOST_QUIET_HOURS", "off", "quiet_hours", None),
        ("CLAUDECOST_URL", "https://cost.example.com/", "public_url", "https://cost.example.com"),
        ("CLAUDECOST_WORKSPACE", "T0123", "workspace", "T0123"),
        ("PORT", "1", "port", 1),
    ],
)
def test_a_right_value_is_read(name: str, value: str, field: str, read: object) -> None:
    assert getattr(settings_of({name: value}), field) == read
