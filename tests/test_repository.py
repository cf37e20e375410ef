"""What stands around the code: manifest, lock files, layout, the bundled export."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from bot.playground.generate_export import (
    MAIN_FILE,
    RESTATED_FILE,
    TEAM,
    UNPRICED_MODEL,
    restated_page,
    team_pages,
)
from bot.slack.app_manifest import EVENTS, REMOVAL_EVENTS
from bot.slack.app_manifest import manifest as app_manifest
from bot.slack.blocks.answer import COMMAND
from bot.slack.scopes import SCOPES

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "bot").rglob("*.py"))


def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    return loaded


class TestManifest:
    def test_it_is_valid_by_slacks_published_schema(self) -> None:
        schema = json.loads((Path(__file__).parent / "data" / "slack-manifest.schema.2.0.0.json").read_text())
        assert [error.message for error in Draft7Validator(schema).iter_errors(manifest())] == []

    def test_it_names_the_command_that_the_code_listens_to(self) -> None:
        assert [command["command"] for command in manifest()["features"]["slash_commands"]] == [COMMAND]

    def test_the_file_is_what_the_command_prints_for_socket_mode(self) -> None:
        assert manifest() == app_manifest()

    def test_the_manifest_for_http_validates_and_names_the_address_everywhere(self) -> None:
        schema = json.loads((Path(__file__).parent / "data" / "slack-manifest.schema.2.0.0.json").read_text())
        found = app_manifest("https://claudecost.example.com/")
        assert [error.message for error in Draft7Validator(schema).iter_errors(found)] == []
        assert json.dumps(found).count('"https://claudecost.example.com/slack/events"') == 3
        assert not found["settings"]["socket_mode_enabled"]

    def test_every_event_is_listened_to_and_no_other(self) -> None:
        text = (ROOT / "bot" / "slack" / "listeners" / "__init__.py").read_text(encoding="utf-8")
        assert set(re.findall(r"app\.event\(\"(\w+)\"", text)) == {
            event.split(".")[0] for event in (*EVENTS, *REMOVAL_EVENTS)
        }

    def test_it_asks_for_the_scopes_that_the_code_needs_and_no_others(self) -> None:
        assert manifest()["oauth_config"]["scopes"]["bot"] == list(SCOPES)

    def test_every_slack_method_called_has_its_scope(self) -> None:
        needs = {
            "apps_connections_open": None,  # by the app token
            "auth_test": None,
            "chat_postEphemeral": "chat:write",
            "chat_postMessage": "chat:write",
            "chat_update": "chat:write",
            "files_upload_v2": "files:write",
            "views_open": None,  # by the trigger of a command or button
            "views_publish": None,
            "views_update": None,
            "conversations_open": "im:write",
            "conversations_history": "channels:history",
            "users_info": "users:read",
            "users_lookupByEmail": "users:read.email",
        }
        called = set()
        for path in SOURCES:
            if "playground" not in path.parts:
                text = path.read_text(encoding="utf-8")
                called |= set(re.findall(r"\b(?:client|posting|reading)\.([a-z]+_\w+)\b", text))
        assert called == set(needs)
        assert {scope for scope in needs.values() if scope} <= set(SCOPES)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_hashed_and_name_no_index_or_path(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^(-i|--index|--extra|--find|-e|\.|/)", text, re.MULTILINE)
    pins = re.findall(r"^[a-z][^ ]*==[^ ]+", text, re.MULTILINE)
    assert len(pins) > 20
    assert text.count("--hash=sha256:") >= len(pins)


def test_what_runs_is_pinned_alike_for_tests() -> None:
    runtime, development = (
        set(re.findall(r"^([a-z][^ ]*==[^ ]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.txt", "requirements-dev.txt")
    )
    assert runtime <= development


def test_procfile_commands_exist() -> None:
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").split("\n")
    assert [line.split(": ") for line in lines if line] == [
        ["web", "python -m bot web"],
        ["worker", "python -m bot worker"],
        ["release", "python -m bot migrate"],
    ]


def test_every_setting_is_in_the_example() -> None:
    from bot.settings import EXAMPLES, FIELDS, Settings

    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    names = set(FIELDS)
    assert names == set(EXAMPLES)
    assert [where for where, _ in FIELDS.values()] == list(Settings.__struct_fields__)
    for name in names - {"PORT", "SLACK_API_URL"}:
        assert re.search(rf"^#?{name}=", example, re.MULTILINE), name


def test_the_bundled_export_is_what_its_script_makes() -> None:
    pages = team_pages()
    assert json.loads(MAIN_FILE.read_text(encoding="utf-8")) == pages
    assert json.loads(RESTATED_FILE.read_text(encoding="utf-8")) == [restated_page(pages)]


def test_the_bundled_export_has_what_the_demo_must_show() -> None:
    pages = team_pages()
    assert len(pages) == 21
    records = [record for page in pages for record in page["data"]]
    emails = {record["actor"].get("email_address") for record in records} - {None}
    assert len(emails) == len(TEAM) == 14
    assert any(record["actor"]["type"] == "api_actor" for record in records)
    models = {entry["model"] for record in records for entry in record["model_breakdown"]}
    assert UNPRICED_MODEL in models


def test_modules_are_nouns_of_the_field() -> None:
    assert [path for path in SOURCES if path.stem in ("utils", "helpers", "common", "misc")] == []


def test_float_stands_nowhere_near_money() -> None:
    for folder in ("pricing", "ask", "spend", "store"):
        for path in (ROOT / "bot" / folder).rglob("*.py"):
            assert not re.search(r"\bfloat\b", path.read_text(encoding="utf-8")), path
    assert not re.search(r"\bfloat\(", (ROOT / "bot" / "reports.py").read_text(encoding="utf-8"))
