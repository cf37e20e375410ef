"""Exports dropped into the bot's messages: who may, what is fetched, and what is said."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from bot.playground.demo import ADMIN, Stage
from bot.playground.dispatch import send_event, send_interaction
from bot.playground.generate_export import MAIN_FILE
from bot.slack.access import NOT_ADMIN
from bot.slack.uploads import MAX_BYTES, Refused, fetched
from tests.slack.test_http import ask, whispered

DM = "D014"
CSV = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens\n"
ROW = "2026-11-18,claude-opus-5,ci,1000000,0\n"


def drop(stage: Stage, data: bytes, name: str = "usage.csv", user: str = ADMIN, **more: Any) -> dict[str, Any]:
    """Drop a file into the bot's messages; returns the bot's message once it is no longer at work."""
    workspace = stage.workspace
    file_id = workspace.new_file(name)
    workspace.keep_file(file_id, data)
    file = {
        "id": file_id,
        "name": name,
        "size": len(data),
        "url_private_download": f"{stage.slack_url}/files/{file_id}",
        **more,
    }
    channel = workspace.direct_channel(user)
    event = {"type": "message", "subtype": "file_share", "channel_type": "im", "channel": channel, "user": user}
    before = len(workspace.messages.get(channel, []))
    send_event(stage.app_url, {**event, "files": [file], "ts": "1"})
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        said = workspace.messages.get(channel, [])[before:]
        if said and not said[0]["text"].startswith("Importing"):
            return said[0]
        time.sleep(0.01)
    raise AssertionError("nothing came of it")


def test_an_export_is_imported_and_reported_in_the_same_message(stage: Stage) -> None:
    message = drop(stage, (CSV + ROW + "nonsense,,,x,y\n").encode())
    assert message["text"] == "Imported 1 file of 1"
    said = json.dumps(message["blocks"])
    assert "*usage.csv* (console_usage_csv): 1 accepted, 1 rejected, 0 unchanged, 0 restated" in said
    assert "Row 3" in said
    assert len(stage.workspace.messages[DM]) == 1
    # 1M x $5 of Opus 5
    assert stage.installation.ledger.spend(None, None, ()).total.usd == 5


def test_the_same_again_changes_nothing(stage: Stage) -> None:
    data = MAIN_FILE.read_bytes()
    drop(stage, data, MAIN_FILE.name)
    before = stage.installation.ledger.spend(None, None, ()).total.usd
    assert " 0 accepted, 0 rejected, 342 unchanged" in json.dumps(drop(stage, data, MAIN_FILE.name)["blocks"])
    assert stage.installation.ledger.spend(None, None, ()).total.usd == before


def test_nobody_else_imports(stage: Stage) -> None:
    assert drop(stage, (CSV + ROW).encode(), user="U001")["text"] == NOT_ADMIN
    assert stage.installation.ledger.spend(None, None, ()).period is None


def test_what_is_no_export_is_said(stage: Stage) -> None:
    message = drop(stage, b"dear diary", "<!channel>*diary*.txt")
    said = json.dumps(message["blocks"])
    assert "was not imported" in said
    assert "<!channel>" not in said
    assert "/tmp" not in said


def choose(stage: Stage, user: str, *files: dict[str, Any]) -> bytes:
    """Submit the window of “import” with some files; the acknowledgement."""
    values = {"files": {"chosen": {"type": "file_input", "files": list(files)}}}
    view = {
        "id": "V1",
        "type": "modal",
        "callback_id": "import_files",
        "private_metadata": "",
        "state": {"values": values},
    }
    return send_interaction(stage.app_url, {"type": "view_submission", "user": {"id": user}, "view": view})


def kept(stage: Stage, data: bytes, name: str) -> dict[str, Any]:
    file_id = stage.workspace.new_file(name)
    stage.workspace.keep_file(file_id, data)
    url = f"{stage.slack_url}/files/{file_id}"
    return {"id": file_id, "name": name, "size": len(data), "url_private_download": url}


class TestWindow:
    def test_it_opens_for_admins(self, stage: Stage) -> None:
        ask(stage, "import", 13)
        deadline = time.monotonic() + 5
        while not stage.workspace.views and time.monotonic() < deadline:
            time.sleep(0.01)
        (view,) = stage.workspace.views
        assert [block["element"]["type"] for block in view["blocks"] if block["type"] == "input"] == ["file_input"]

    def test_what_is_chosen_is_imported_and_reported_in_the_bot_s_messages(self, stage: Stage) -> None:
        files = [kept(stage, (CSV + ROW).encode(), "a.csv"), kept(stage, b"dear diary", "b.txt")]
        assert choose(stage, ADMIN, *files) == b""
        deadline = time.monotonic() + 10
        said: list[str] = []
        while time.monotonic() < deadline and (len(said) < 2 or any(one.startswith("Importing") for one in said)):
            said = [one["text"] for one in stage.workspace.messages.get(DM, [])]
            time.sleep(0.01)
        assert said == ["Imported 1 file of 1", "Imported 0 files of 1"]
        # 1M x $5 of Opus 5
        assert stage.installation.ledger.spend(None, None, ()).total.usd == 5

    def test_nobody_else_imports_by_it(self, stage: Stage) -> None:
        answer = choose(stage, "U001", kept(stage, (CSV + ROW).encode(), "a.csv"))
        assert json.loads(answer)["errors"] == {"files": NOT_ADMIN}
        assert b"Choose at least one file" in choose(stage, ADMIN)
        assert stage.installation.ledger.spend(None, None, ()).period is None
        assert stage.workspace.messages == {}


def test_nobody_else_is_told_how(stage: Stage) -> None:
    ask(stage, "import", 1)
    assert whispered(stage)[0]["text"] == NOT_ADMIN


class TestFetching:
    @pytest.mark.parametrize(
        "url",
        [
            "https://files.slack.com.evil.example/f",
            "http://files.slack.com/f",
            "https://evil.example/files.slack.com",
            "https://files.slack.com@evil.example/f",
            "https://files.slack.com:8443/f",
            "https://api.slack.com/f",
            "file:///etc/passwd",
            "http://[broken",
            "",
        ],
    )
    def test_the_token_goes_to_slack_alone(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="“x.csv” is no file that Slack keeps"):
            fetched({"name": "x.csv", "url_private_download": url}, "xoxb-1", "https://slack.com/api/", tmp_path)

    def test_too_large_is_refused_by_what_slack_says_and_by_what_comes(self, stage: Stage) -> None:
        said = json.dumps(drop(stage, b"x", size=MAX_BYTES + 1)["blocks"], ensure_ascii=False)
        assert "“usage.csv” is over 20 MB" in said
        said = json.dumps(drop(stage, b"x" * (MAX_BYTES + 1), size=1)["blocks"], ensure_ascii=False)
        assert "“usage.csv” is over 20 MB" in said

    def test_a_log_in_page_is_no_export(self, stage: Stage, tmp_path: Path) -> None:
        file_id = stage.workspace.new_file("x.csv")
        file = {"name": "x.csv", "url_private_download": f"{stage.slack_url}/files/{file_id}"}
        with pytest.raises(Refused, match="the app needs the scope files:read"):
            fetched(file, "xoxb-wrong", f"{stage.slack_url}/api/", tmp_path)

    def test_a_file_that_is_gone(self, stage: Stage, tmp_path: Path) -> None:
        file = {"name": "../../x.csv", "url_private_download": f"{stage.slack_url}/files/F9"}
        with pytest.raises(Refused, match=r"“x.csv” could not be fetched from Slack \(HTTP 404\)"):
            fetched(file, "xoxb-playground-bot", f"{stage.slack_url}/api/", tmp_path)
