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
