"""The command line as scripts use it: JSON documents, exit codes, sentences."""

import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bot.__main__ import main
from bot.playground.generate_export import LAST_DAY, MAIN_FILE, RESTATED_FILE
from bot.store.bulk import run_sql
from bot.store.database import connect
from tests.conftest import SAMPLES
from tests.ports import free_port


class Shell:
    """Runs ``python -m bot`` with an empty HOME and no setting but those given."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), "CLAUDECOST_TIMEZONE": "UTC", **settings}

    def run(self, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "bot", *words]
        folder = Path(__file__).parents[1]
        environment = {**self.environment, **settings}
        return subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd=folder
        )

    def json(self, *words: str, code: int = 0) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout, parse_float=_no_float)


def _no_float(text: str) -> None:
    raise AssertionError(f"{text} is a float")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def stored(tmp_path: Path, database_url: str) -> Shell:
    """A shell with an empty database, once on each of the two kinds."""
    return Shell(tmp_path, DATABASE_URL=database_url)


class TestAsk:
    def test_the_document(self, shell: Shell) -> None:
        assert shell.json("ask", "500k", "in", "80k", "out", "opus", "--on", "2026-11-23") == {
            "model": "claude-opus-5-5",
            "total_usd": "3.60",
            "lines": [
                {"kind": "input", "tokens": 500000, "usd_per_mtok": "4.00", "usd": "2.00"},
                {"kind": "output", "tokens": 80000, "usd_per_mtok": "20.00", "usd": "1.60"},
            ],
            "prices_as_of": "2026-11-22",
            "assumptions": [
                "“opus” means Opus 5.5, the newest Opus on 2026-11-23.",
                # 0.5 x $0.10 + 0.08 x $0.50 = $0.09
                "Priced as one request; Haiku 5.5 costs more when a prompt is over 100,000 tokens. "
                "In requests of at most 100,000 tokens each it is $0.09.",
            ],
            "alternatives": [
                {"model": "claude-sonnet-5-5", "total_usd": "1.80"},
                {"model": "claude-haiku-5-5", "total_usd": "0.45"},
                {"model": "claude-fable-5-2", "total_usd": "7.20"},
            ],
        }

    def test_an_alias_means_what_it_meant_that_day(self, shell: Shell) -> None:
        found = shell.json("ask", "500k in 80k out opus", "--on", "2026-03-28")
        assert (found["model"], found["total_usd"]) == ("claude-opus-4-6", "4.50")

    def test_every_kind_has_its_name(self, shell: Shell) -> None:
        words = "1k in 1k out 1k cached 1k cache write 5m 1k cache write 1h 2 searches opus 5.5"
        lines = shell.json("ask", words)["lines"]
        assert [line["kind"] for line in lines] == [
            "input",
            "output",
            "cache_read",
            "cache_write_5m",
            "cache_write_1h",
            "web_search",
        ]
        for line in lines:
            assert int(line["tokens"]) * float(line["usd_per_mtok"]) / 10**6 == pytest.approx(float(line["usd"]))

    def test_an_unknown_model_is_refused(self, shell: Shell) -> None:
        done = shell.run("ask", "1m", "in", "gpt-9")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("No price for the model “gpt-9”. Known models: fable 5.2")
        assert done.stderr.rstrip().endswith("Try: claudecost ask 1m in opus")
        refused = shell.json("ask", "1m in gpt-9", code=2)
        assert refused.keys() == {"refusal", "try"}
        assert refused["try"] == "1m in opus"

    def test_a_wrong_day_is_refused(self, shell: Shell) -> None:
        done = shell.run("ask", "1m in", "--on", "yesterday")
        assert done.returncode == 2
        assert done.stderr.startswith("--on is “yesterday”; expected a day such as")
        assert shell.json("ask", "1m in", "--on", "2026-13-01", code=2)["try"] == "500k in 80k out opus"


class TestImport:
    FILES = (
        ("claude_code_analytics_api/doc_guide_2026-08-21.json", "claude_code_analytics_api", 1, 0, "1.41"),
        ("claude_code_analytics_api/api_reference.json", "claude_code_analytics_api", 2, 0, "2.28"),
        ("claude_code_analytics_api/fixture_l6e_user_actor.json", "claude_code_analytics_api", 1, 0, "10.25"),
        # 46,981 x 5 + 15,969 x 6.25 + 16,932 x 25 = 758,011.25; 100 x 5 + 50 x 25 = 1,750; per million
        ("console_usage_csv/usage_2026-08.csv", "console_usage_csv", 2, 0, "0.75976125"),
        # the file's own totalCostUSD
        ("transcripts/cc_2.1.330_single", "transcripts", 2, 0, "0.049048"),
        # 0.12 + 0.34 + 0.56 + 0.03 + 0.04, as their lines state; two lines without a timestamp
        ("transcripts/ccusage_fixture", "transcripts", 5, 2, "1.09"),
    )

    @pytest.mark.parametrize(("sample", "name", "accepted", "rejected", "usd"), FILES)
    def test_samples_and_the_same_again(
        self, stored: Shell, sample: str, name: str, accepted: int, rejected: int, usd: str
    ) -> None:
        path, code = str(SAMPLES / sample), 1 if rejected else 0
        first = stored.json("import", path, code=code)["files"]
        assert {file["format"] for file in first} == {name}
        assert sum(file["accepted"] for file in first) == accepted
        assert sum(file["rejected"] for file in first) == rejected
        assert sum(len(file["problems"]) for file in first) == rejected
        total = stored.json("spend")
        assert total["total_usd"] == usd
        again = stored.json("import", path, code=code)["files"]
        assert sum(file["unchanged"] for file in again) == accepted
        assert sum(file["accepted"] + file["restated"] for file in again) == 0
        assert stored.json("spend") == total

    def test_the_document(self, stored: Shell) -> None:
        path = str(SAMPLES / "console_usage_csv" / "usage_2026-08.csv")
        assert stored.json("import", path, "--dry-run") == {
            "files": [
                {
                    "path": path,
                    "format": "console_usage_csv",
                    "accepted": 2,
                    "rejected": 0,
                    "unchanged": 0,
                    "restated": 0,
                    "days": ["2026-08-05"],
                    "problems": [],
                }
            ]
        }
        nothing = stored.json("spend")
        assert (nothing["total_usd"], nothing["from"], nothing["to"]) == ("0.00", None, None)

    @pytest.mark.parametrize("sample", [sample for sample, _, _, rejected, _ in FILES if not rejected])
    def test_a_dry_run_leaves_no_file_and_says_what_the_import_then_does(self, tmp_path: Path, sample: str) -> None:
        data, passing = tmp_path / "100% of data?", tmp_path / "100% passing?"
        for folder in (data, passing):
            folder.mkdir()
        shell = Shell(tmp_path, CLAUDECOST_DATA_DIR=str(data), TMPDIR=str(passing))
        dry = shell.json("import", str(SAMPLES / sample), "--dry-run")
        assert [*data.iterdir(), *passing.iterdir()] == []
        assert shell.json("import", str(SAMPLES / sample)) == dry
        assert [*data.iterdir()] != []

    def test_a_problem_has_its_row_and_makes_exit_code_1(self, stored: Shell, tmp_path: Path) -> None:
        text = (SAMPLES / "console_usage_csv" / "usage_2026-08.csv").read_text(encoding="utf-8")
        broken = tmp_path / "broken.csv"
        broken.write_text(text.replace("46981", "many"), encoding="utf-8")
        (file,) = stored.json("import", str(broken), code=1)["files"]
        assert (file["accepted"], file["rejected"]) == (1, 1)
        assert file["problems"] == [
            {
                "row": 2,
                "problem": "Row 2 was left out: usage_input_tokens_no_cache is “many”; "
                "expected a whole number of 0 or more.",
            }
        ]

    def test_a_refused_file_does_not_keep_the_others_out(self, stored: Shell, tmp_path: Path) -> None:
        other = tmp_path / "other.csv"
        other.write_text("hello,world\n")
        done = stored.run("import", str(other), str(SAMPLES / "console_usage_csv"))
        assert done.returncode == 2
        assert "other.csv was not imported: it starts with “hello,world”" in done.stderr
        assert stored.json("spend")["total_usd"] == "0.75976125"

    def test_what_is_no_export_in_a_folder_does_not_refuse_the_folder(self, stored: Shell, tmp_path: Path) -> None:
        folder = tmp_path / "projects"
        shutil.copytree(SAMPLES / "transcripts" / "cc_2.1.330_single", folder / "a")
        (folder / "a" / "empty.jsonl").touch()
        (folder / "a" / "sessions-index.json").write_text("{}")
        done = stored.run("import", str(folder), "--person", "dana@example.com")
        assert (done.returncode, done.stderr) == (0, "")
        (folder / "notes.csv").write_text("hello,world\n")
        done = stored.run("import", str(folder), "--person", "dana@example.com")
        assert done.returncode == 1
        assert "notes.csv was not imported" in done.stderr

    def test_usage_of_the_future_is_a_problem(self, stored: Shell, tmp_path: Path) -> None:
        text = (SAMPLES / "console_usage_csv" / "usage_2026-08.csv").read_text(encoding="utf-8")
        future = tmp_path / "future.csv"
        future.write_text(text.replace("2026-08-05", "2099-01-01"), encoding="utf-8")
        (file,) = stored.json("import", str(future), code=1)["files"]
        assert (file["accepted"], file["rejected"]) == (0, 2)
        assert file["problems"][0]["problem"] == "Row 2 was left out: 2099-01-01 is in the future."

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (
                [str(SAMPLES / "console_usage_csv" / "usage_2026-08.csv"), "--person", "dana@example.com"],
                "the Console usage CSV names people or keys itself: leave --person out.",
            ),
            (["README.md", "--format", "console_usage_csv"], "its header has no column usage_date_utc"),
            (
                ["nowhere.csv"],
                "nowhere.csv cannot be read: No such file or directory. Name a file or folder that is there",
            ),
            (["README.md", "--format", "xml"], "“xml” is no format; formats are admin_cost_report,"),
            (["README.md", "--person", "dana"], "--person is “dana”; expected an e-mail address"),
        ],
    )
    def test_refusals_are_one_sentence(self, stored: Shell, words: list[str], said: str) -> None:
        done = stored.run("import", *words)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr


@pytest.fixture
def stocked(stored: Shell) -> Shell:
    """A shell whose database has the bundled team export."""
    assert stored.run("import", str(MAIN_FILE)).returncode == 0
    return stored


class TestReports:
    def test_spend_adds_up_in_every_grouping(self, stocked: Shell) -> None:
        for by in ("person", "day", "model", "source", "person,day,model,source"):
            found = stocked.json("spend", "--by", by)
            cents = sum(round(float(row["usd"]) * 100) for row in found["rows"])
            assert cents == round(float(found["total_usd"]) * 100)
            assert set(found["rows"][0]) - {"unpriced_tokens"} == {*by.split(","), "usd"}

    def test_spend_of_a_period_is_half_open(self, stocked: Shell) -> None:
        day = stocked.json("spend", "--from", "2026-11-18", "--to", "2026-11-19", "--by", "day")
        assert [row["day"] for row in day["rows"]] == ["2026-11-18"]
        assert (day["from"], day["to"]) == ("2026-11-18", "2026-11-19")
        assert day["tokens"].keys() == {
            "input",
            "output",
            "cache_read",
            "cache_write_5m",
            "cache_write_1h",
            "web_search",
        }
        empty = stocked.run("spend", "--from", "2026-11-18", "--to", "2026-11-18")
        assert empty.returncode == 2
        assert "--to is the day after the last one" in empty.stderr

    def test_spend_agrees_with_the_export_itself(self, stocked: Shell) -> None:
        cents, unpriced = 0, 0
        for page in json.loads(MAIN_FILE.read_text(encoding="utf-8")):
            for entry in (entry for record in page["data"] for entry in record["model_breakdown"]):
                if "estimated_cost" in entry:
                    cents += entry["estimated_cost"]["amount"]
                else:
                    unpriced += sum(entry["tokens"].values())
        found = stocked.json("spend")
        assert (found["total_usd"], found["unpriced_tokens"]) == (f"{cents / 100:.2f}", unpriced)
        assert unpriced > 0

    def test_a_restatement_is_told(self, stocked: Shell) -> None:
        (file,) = stocked.json("import", str(RESTATED_FILE))["files"]
        assert (file["accepted"], file["restated"], file["days"]) == (0, 3, ["2026-11-18"])
        done = stocked.run("import", str(RESTATED_FILE))
        assert "20 unchanged" not in done.stdout
        assert "23 unchanged, 0 restated" in done.stdout

    def test_alerts(self, stocked: Shell) -> None:
        found = stocked.json("alerts", "--day", LAST_DAY.isoformat())
        assert found["day"] == "2026-11-19"
        assert found["alerts"][0] == {
            "person": "freya@example.com",
            "usd": "29.18",
            "limit_usd": "12.00",
            "step": "2x",
        }
        assert len(found["alerts"]) == 3
        said = stocked.run("alerts", "--day", LAST_DAY.isoformat()).stdout
        assert "On 2026-11-19 (UTC day); list price estimate, price book of 2026-11-22" in said
        assert "UTC days, list price estimate, price book of 2026-11-22" in stocked.run("spend").stdout
        assert "the newest day stored is 2026-11-19" in stocked.run("alerts", "--day", "2026-11-22").stdout

    def test_digest(self, stocked: Shell) -> None:
        found = stocked.json("digest", "--day", LAST_DAY.isoformat())
        spent = stocked.json("spend", "--from", "2026-11-19", "--to", "2026-11-20")
        assert (found["day"], found["zone"], found["total_usd"]) == ("2026-11-19", "UTC", spent["total_usd"])
        assert found["over_limit"] == 3
        assert found["unpriced_models"] == ["claude-zephyr-9"]
        assert found["message"]["text"].startswith("Claude Code spend · Thu 19 Nov")
        assert found["message"]["blocks"][0]["type"] == "header"

    def test_the_digest_is_labelled_by_the_sources_of_its_day(self, stocked: Shell) -> None:
        transcript = str(SAMPLES / "transcripts" / "cc_2.1.330_single")
        paris = {"CLAUDECOST_TIMEZONE": "Europe/Paris"}
        assert stocked.run("import", transcript, **paris).returncode == 0
        assert "Thu 19 Nov (UTC day)" in stocked.run("digest", "--day", "2026-11-19", **paris).stdout
        assert "Sun 22 Nov (Europe/Paris day)" in stocked.run("digest", "--day", "2026-11-22", **paris).stdout

    @pytest.mark.parametrize("day", ["0001-01-05", "9999-12-31"])
    def test_days_outside_of_usage_are_refused(self, stocked: Shell, day: str) -> None:
        done = stocked.run("digest", "--day", day)
        assert done.returncode == 2
        assert "is no day of usage" in done.stderr

    def test_posting_needs_a_token(self, stocked: Shell) -> None:
        done = stocked.run("digest", "--post", "C0ENG")
        assert done.returncode == 2
        assert done.stderr.startswith("SLACK_BOT_TOKEN is not set. Example: SLACK_BOT_TOKEN=xoxb-")

    def test_an_unknown_team_or_group_is_refused(self, stocked: Shell) -> None:
        assert "No team is called “core”" in stocked.run("digest", "--team", "core").stderr
        assert "--by names “colour”" in stocked.run("spend", "--by", "day,colour").stderr


def test_prices_of_a_day(shell: Shell) -> None:
    found = shell.json("prices", "--on", "2026-03-28")
    assert found["aliases"]["opus"] == "claude-opus-4-6"
    opus = next(model for model in found["models"] if model["model"] == "claude-opus-4-6")
    assert (opus["input_usd_per_mtok"], opus["cache_write_1h_usd_per_mtok"]) == ("5.00", "10.00")
    assert opus["fast"]["output_usd_per_mtok"] == "150.00"
    assert opus["source"]
    assert all(model["from"] <= "2026-03-28" for model in found["models"])
    assert "claude-opus-5-5" in shell.run("prices").stdout


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("CLAUDECOST_TIMEZONE", "Mars/Base", "CLAUDECOST_TIMEZONE is wrong: it is no IANA time zone, such as"),
            ("CLAUDECOST_LIMIT_USD", "-3", "CLAUDECOST_LIMIT_USD is wrong: it must be over 0. Example"),
            ("CLAUDECOST_DIGEST_CHANNEL", "general", "CLAUDECOST_DIGEST_CHANNEL is wrong"),
            ("CLAUDECOST_DIGEST_TIME", "9 o'clock", "CLAUDECOST_DIGEST_TIME is wrong"),
            ("SLACK_BOT_TOKEN", "xapp-secret", "SLACK_BOT_TOKEN is wrong: it does not start with xoxb-. Example"),
            ("SLACK_SIGNING_SECRET", "short", "SLACK_SIGNING_SECRET is wrong"),
            ("DATABASE_URL", "sqlite:////proc/no/x.db", "The folder of /proc/no/x.db cannot be made:"),
            ("DATABASE_URL", f"sqlite:///{SAMPLES.parent / 'emulate-slack.yaml'}", "The database sqlite:///"),
            ("DATABASE_URL", "postgresql://u@127.0.0.1:abc/x", "DATABASE_URL is not a database URL"),
            ("DATABASE_URL", "postgresql+psycopg2://u@127.0.0.1:1/x", "The database postgresql+psycopg://"),
            ("SLACK_BOT_TOKEN", "xoxb-…", "SLACK_BOT_TOKEN is wrong: it is an example, not a token"),
            ("SLACK_APP_TOKEN", "xapp-", "SLACK_APP_TOKEN is wrong: it is an example, not a token"),
            ("SLACK_API_URL", "http://[bad/", "SLACK_API_URL is wrong: it is no http or https address"),
            ("CLAUDECOST_BIND", "127.0.0.1:99999", "CLAUDECOST_BIND is wrong: it is no address and port"),
            ("CLAUDECOST_DIGEST_TIME", "23:59:50", "CLAUDECOST_DIGEST_TIME is wrong: it is no time on the clock"),
            ("CLAUDECOST_DIGEST_TIME", "09:00+02:00", "CLAUDECOST_DIGEST_TIME is wrong: it is no time on the clock"),
            ("DATABASE_URL", "sqlite://", "DATABASE_URL is wrong: it names no file, so nothing would be kept."),
            ("DATABASE_URL", "sqlite:///file:x?mode=memory&uri=true", "DATABASE_URL is wrong: it names no file"),
            ("DATABASE_URL", "sqlite:///:memory:?x=1", "DATABASE_URL is wrong: it names no file"),
            ("CLAUDECOST_PLANS", "/no/plans", "CLAUDECOST_PLANS is wrong: /no/plans cannot be read (No such file or"),
            ("CLAUDECOST_PRICES", "/no/prices", "CLAUDECOST_PRICES is wrong: /no/prices cannot be read (No such file"),
            ("DATABASE_URL", "mysql://x/y", "DATABASE_URL names mysql; SQLite and PostgreSQL are supported."),
        ],
    )
    def test_a_wrong_one_is_named_without_its_value(self, shell: Shell, name: str, value: str, said: str) -> None:
        done = shell.run("spend", **{name: value})
        assert done.returncode == 2
        assert done.stderr.startswith(said)
        assert "secret" not in done.stderr

    def test_run_names_what_is_missing(self, shell: Shell) -> None:
        done = shell.run("run")
        assert done.returncode == 2
        assert "SLACK_BOT_TOKEN is not set. Example: SLACK_BOT_TOKEN=xoxb-" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("content", ["a=[[", "a=" + "[" * 50_000])
    def test_a_book_that_cannot_be_read_stops_the_start(self, shell: Shell, tmp_path: Path, content: str) -> None:
        path = tmp_path / "plans.toml"
        path.write_text(content, encoding="utf-8")
        settings = {"CLAUDECOST_PLANS": str(path), "SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "0" * 32}
        settings |= {"SLACK_API_URL": "http://127.0.0.1:1/", "CLAUDECOST_BIND": f"127.0.0.1:{free_port()}"}
        for command in ("run", "web", "worker"):
            done = shell.run(command, **settings)
            assert (done.returncode, done.stderr.startswith(f"{path} is no TOML: ")) == (2, True)
        assert f"TODO plan book: {path} is no TOML: " in shell.run("doctor", **settings).stdout

    def test_doctor_says_what_to_do(self, shell: Shell) -> None:
        done = shell.run("doctor")
        assert done.returncode == 1
        assert "ok   database: sqlite:///" in done.stdout
        assert "TODO last import: none so far\n     to do: run claudecost import FILE" in done.stdout
        assert "TODO Slack: SLACK_BOT_TOKEN is not set" in done.stdout

    @pytest.mark.parametrize(("stated", "is_told"), [("4.90", False), ("5.10", False), ("4.89", True), ("2.50", True)])
    def test_doctor_says_where_stated_costs_are_not_list_prices(
        self, shell: Shell, tmp_path: Path, stated: str, is_told: bool
    ) -> None:
        """A million of Opus 5 are $5 at list price: 2 % of that are ten cents."""
        log = {"request_id": "r", "model": "claude-opus-5", "startTime": "2026-11-05T10:00:00Z", "api_key": "k"}
        told = json.dumps([{**log, "prompt_tokens": 10**6, "spend": float(stated)}])
        (tmp_path / "logs.json").write_text(told, encoding="utf-8")
        shell.run("import", str(tmp_path / "logs.json"))
        said = f"over the 30 days to 2026-11-05 sources stated ${stated} for what is $5.00 at list price"
        assert (said in shell.run("doctor").stdout) is is_told

    @pytest.mark.parametrize(("cents", "is_told"), [(1125, False), (1500, False), (1530, False), (1531, True)])
    def test_doctor_knows_that_cache_writes_may_have_been_for_an_hour(
        self, shell: Shell, tmp_path: Path, cents: int, is_told: bool
    ) -> None:
        """A million tokens of Opus 5 input are $5, and written to the cache $6.25 or, for an hour, $10: 11.25 to 15."""
        tokens = {"input": 10**6, "output": 0, "cache_read": 0, "cache_creation": 10**6}
        used = {"model": "claude-opus-5", "tokens": tokens, "estimated_cost": {"currency": "USD", "amount": cents}}
        actor = {"type": "user_actor", "email_address": "dana@example.com"}
        row = {"date": "2026-11-05T00:00:00Z", "actor": actor, "customer_type": "api", "model_breakdown": [used]}
        path = tmp_path / "page.json"
        path.write_text(json.dumps({"data": [row], "has_more": False}), encoding="utf-8")
        shell.run("import", str(path))
        said = shell.run("doctor").stdout
        assert ("for what is $11.25 at list price\n     to do: find what is wrong by" in said) is is_told

    def test_migrate_says_the_revision(self, shell: Shell) -> None:
        assert shell.run("migrate").stdout == "The schema is at revision 0010.\n"


@pytest.mark.parametrize(
    "words", [("spend", "--by", "colour"), ("ask", "bananas", "--json"), ("import", "/nope"), ("nonsense",)]
)
def test_a_refusal_stays_one_where_nobody_can_hear_it(shell: Shell, words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "bot", *words]
        folder = Path(__file__).parents[1]
        done = subprocess.run(
            command, env=shell.environment, stdout=subprocess.DEVNULL, stderr=full, timeout=60, cwd=folder
        )
    assert done.returncode == 2


def test_nothing_but_the_document_is_printed_where_standard_error_is_closed(shell: Shell, tmp_path: Path) -> None:
    words = f"{shlex.quote(sys.executable)} -m bot import /nope {shlex.quote(str(tmp_path))} --json 2>&-"
    (tmp_path / "junk.csv").write_text("junk\n", encoding="utf-8")
    done = subprocess.run(
        ["sh", "-c", words],
        env=shell.environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    assert (done.returncode, json.loads(done.stdout)["files"][0]["path"]) == (2, "/nope")


def test_names_stay_apart_in_json_whatever_the_output_is_encoded_in(shell: Shell, tmp_path: Path) -> None:
    rows = "".join(f"2026-11-05,claude-opus-5,{key},1000000,0\n" for key in ("zoé", "zoè"))
    header = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens"
    (tmp_path / "usage.csv").write_text(f"{header}\n{rows}", encoding="utf-8")
    shell.run("import", str(tmp_path / "usage.csv"))
    for encoding in ("ascii", "latin-1", "utf-8"):
        done = shell.run("spend", "--by", "person", "--json", PYTHONIOENCODING=encoding)
        found = {row["person"] for row in json.loads(done.stdout)["rows"]}
        assert found == {"unassigned (zoé)", "unassigned (zoè)"}


@pytest.mark.parametrize("words", [("explain", "NAME", "2026-11-03"), ("link", "NAME", "bo@example.com")])
def test_a_name_that_is_no_text_is_quoted(shell: Shell, words: tuple[str, ...]) -> None:
    done = shell.run(*(os.fsdecode(b"zo\xe9@example.com") if word == "NAME" else word for word in words))
    assert (done.returncode, done.stderr) == (
        2,
        "“zo\\xe9@example.com” is not UTF-8 text, as names here are; write it in UTF-8.\n",
    )


def test_json_quotes_what_is_no_text_with_another_character(shell: Shell) -> None:
    done = shell.run("spend", "--by", os.fsdecode(b"\xffx"), "--json")
    assert (done.returncode, json.loads(done.stdout)["refusal"].split(";")[0]) == (2, "--by names “?x”")


def test_standard_input_is_a_path_that_was_named(shell: Shell, tmp_path: Path) -> None:
    """A refused file that was named makes the command a refusal, whatever else was taken."""
    sample = SAMPLES / "console_claude_code_csv"
    command = [sys.executable, "-m", "bot", "import", str(sample), "-"]
    folder = Path(__file__).parents[1]
    done = subprocess.run(
        command, env=shell.environment, input="junk", capture_output=True, text=True, timeout=60, cwd=folder
    )
    assert (done.returncode, "accepted" in done.stdout) == (2, True)


def test_demo_tells_the_whole_story(shell: Shell) -> None:
    done = shell.run("demo", DATABASE_URL="postgresql://never/used", SLACK_BOT_TOKEN="xoxb-never-used")
    assert done.returncode == 0, done.stderr
    for said in (
        "$3.60  on Claude Opus 5.5",
        "Claude Code spend · Thu 19 Nov (UTC day)",
        "3 people reached the daily limit",
        "claude-zephyr-9",
        "key or machine that no person is assigned to",
        "You passed $24.00 (2 times your limit) on Thu 19 Nov: $29.18",
        "2026-11-18: $67.40 → $70.64",
    ):
        assert said in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("said", ["database or disk is full", "could not extend file: No space left on device"])
def test_a_full_disk_is_called_one(
    said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As SQLite and as PostgreSQL say it."""

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError(said)

    monkeypatch.setenv("CLAUDECOST_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("bot.imports.record", full)
    monkeypatch.setattr("sys.argv", ["claudecost", "import", str(SAMPLES / "console_usage_csv")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"The disk of the database is full ({said}). Nothing was changed; make room there and try again.\n"
    )


def test_what_a_database_refuses_is_said_in_one_line(stored: Shell, database_url: str) -> None:
    assert stored.run("import", str(SAMPLES / "console_usage_csv")).returncode == 0
    database = connect(database_url)
    with database.write() as connection:
        run_sql(connection, "ALTER TABLE settings RENAME TO away", ())
    try:
        for command in (["spend"], ["import", str(SAMPLES / "console_usage_csv")]):
            done = stored.run(*command)
            assert done.returncode == 2
            assert re.fullmatch(r"The database refused: [^\n]*settings[^\n]*\. Look if [^\n]*\n", done.stderr)
    finally:
        with database.write() as connection:
            run_sql(connection, "ALTER TABLE away RENAME TO settings", ())
        database.close()


def test_an_import_needs_no_standard_error(shell: Shell, tmp_path: Path) -> None:
    export = tmp_path / "a.csv"
    export.write_text("usage_date_utc,model,api_key,cost_usd\n2026-11-05,claude-opus-5,k,1.25\n", encoding="utf-8")
    command = ["sh", "-c", f"exec {sys.executable} -m bot import {export} 2>&-"]
    folder = Path(__file__).parents[1]
    done = subprocess.run(command, env=shell.environment, stdout=subprocess.PIPE, text=True, timeout=60, cwd=folder)
    assert (done.returncode, "1 accepted" in done.stdout) == (0, True)


def test_help_comes_fast(shell: Shell) -> None:
    """0.4 s is the promise; the processor's time, and the best of five, tell it apart from a busy machine."""
    took = []
    for _ in range(5):
        before = os.times()
        assert "demo" in shell.run("--help").stdout
        after = os.times()
        took.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert 0 < min(took) < 0.4


def test_the_history_of_a_model(shell: Shell) -> None:
    rows = shell.json("prices", "--history", "opus 4.6")["rows"]
    assert [row["from"] for row in rows] == ["2026-02-05", "2026-03-13", "2026-06-29"]
    assert [row["fast"] is not None for row in rows] == [True, True, False]
    assert rows[0]["long_prompt"]["over_tokens"] == 200000
    assert "One price for every" in shell.run("prices", "--history", "opus 4.6").stdout
    assert shell.run("prices", "--history", "gpt-9").returncode == 2


def test_a_teams_own_prices_reach_every_command(stored: Shell, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[discounts]]\nmodel = "opus"\npercent = "50"\n')
    answer = stored.run("ask", "500k in 80k out opus", "--json", CLAUDECOST_PRICES=str(own))
    assert json.loads(answer.stdout)["total_usd"] == "1.80"
    stored.run("import", str(SAMPLES / "console_usage_csv"))
    assert stored.json("spend")["total_usd"] == "0.75976125"
    assert json.loads(stored.run("spend", "--json", CLAUDECOST_PRICES=str(own)).stdout)["total_usd"] == "0.379880625"
    digest = stored.run("digest", "--day", "2026-08-05", CLAUDECOST_PRICES=str(own)).stdout
    assert "$0.38" in digest
    assert "Contract price estimate, price book of 2026-11-22" in digest
    own.write_text('[[discounts]]\nmodel = "opera"\npercent = "50"\n')
    done = stored.run("ask", "5k in", CLAUDECOST_PRICES=str(own))
    assert (done.returncode, done.stdout) == (2, "")
    assert "discounts.0.model is wrong: it is 'opera'" in done.stderr


def test_everything_is_in_the_one_file_when_a_command_has_ended(shell: Shell, tmp_path: Path) -> None:
    """As people copy it, the journal of writes beside it would be forgotten."""
    export, data = tmp_path / "usage.csv", tmp_path / "data"
    header = "usage_date_utc,model_version,api_key,workspace,usage_input_tokens_no_cache,usage_output_tokens"
    export.write_text(f"{header}\n2026-11-19,claude-opus-5-5,app,Default,1000000,0\n", encoding="utf-8")
    for words in (("import", str(export)), ("spend",)):
        assert shell.run(*words, CLAUDECOST_DATA_DIR=str(data)).returncode == 0
        assert [path.name for path in data.iterdir()] == ["claudecost.db"]
    copied = tmp_path / "copied"
    copied.mkdir()
    (copied / "claudecost.db").write_bytes((data / "claudecost.db").read_bytes())
    assert "$4.00" in shell.run("spend", CLAUDECOST_DATA_DIR=str(copied)).stdout


def test_collect_says_what_came_and_what_did_not(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "good.csv").write_text(
        "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens\n"
        "2026-11-05,claude-opus-5,k,1000000,0\n2026-11-05,claude-opus-5,k2,many,0\n",
        encoding="utf-8",
    )
    (folder / "bad.json").write_text('{"what": "ever"}', encoding="utf-8")
    for path in folder.iterdir():
        os.utime(path, (1_790_000_000, 1_790_000_000))
    done = shell.run("collect", CLAUDECOST_WATCH_FOLDER=str(folder))
    assert done.returncode == 1
    assert "watched folder: 1 rows are new or changed, the newest of 2026-11-05" in done.stdout
    assert "many" in done.stderr
    assert "bad.json was not imported" in done.stderr
    doctor = shell.run("doctor", CLAUDECOST_WATCH_FOLDER=str(folder)).stdout
    assert "bad.json was not imported" in doctor
    assert re.search(
        r"last success \S+ \d\d:\d\d UTC, newest day 2026-11-05, 1 row so far, next run \S+ \d\d:\d\d UTC", doctor
    )


def test_one_json_document_also_where_nothing_can_be_posted(stored: Shell) -> None:
    done = stored.run("digest", "--day", "2026-08-05", "--post", "C0123456789", "--json")
    assert done.returncode == 2
    assert list(json.loads(done.stdout)) == ["refusal"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("",), "is no name for a team"),
        (("red\x1b[31m",), "is no name for a team"),
        (("core", "--lead", "@dana"), "--lead is “@dana”; expected a Slack user id"),
    ],
)
def test_a_team_takes_names_that_can_be_shown(shell: Shell, words: tuple[str, ...], said: str) -> None:
    done = shell.run("team", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "\x1b" not in done.stderr


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_import_says_so_and_keeps_what_was_done(shell: Shell, tmp_path: Path) -> None:
    done, running = tmp_path / "a.csv", tmp_path / "b.jsonl"
    done.write_text("usage_date_utc,model,api_key,cost_usd\n2026-11-05,claude-opus-5,k,1.25\n", encoding="utf-8")
    os.mkfifo(running)  # to be opened, and never to be read to an end
    command = [sys.executable, "-m", "bot", "import", str(done), str(running)]
    folder = Path(__file__).parents[1]
    process = subprocess.Popen(
        command,
        env=shell.environment,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        preexec_fn=_heed_interrupts,  # what runs in the background of a shell is told not to, and so are its children
    )
    deadline = time.monotonic() + 30
    while shell.json("spend")["total_usd"] != "1.25" and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (2, "\nInterrupted. What was finished before is kept.\n")
    assert shell.json("spend")["total_usd"] == "1.25"


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def _interrupted_while_a_module_loads(*_: object, **__: object) -> None:
    try:
        raise KeyboardInterrupt
    finally:
        raise AttributeError("module 'sqlalchemy' has no attribute 'exc'")


@pytest.mark.parametrize(
    ("broken", "what", "said"),
    [
        ("bot.cli.app", _interrupted, "Interrupted. What was finished before is kept.\n"),
        ("bot.cli.app", _interrupted_while_a_module_loads, "Interrupted. What was finished before is kept.\n"),
        ("bot.cli.main", _interrupted, "Interrupted before anything began.\n"),
    ],
)
def test_an_interrupted_start_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: str, what: Any, said: str
) -> None:
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)
    monkeypatch.setattr("atexit.register", lambda *_: None)  # the tests go on
    monkeypatch.setattr("sys.argv", ["claudecost", "spend"])
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "reconfigure", lambda **_: None, raising=False)
    monkeypatch.setattr(broken, what)
    with pytest.raises(SystemExit, match="2"):
        main()
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(("code", "status"), [("3", 3), ("0", 0), ("None", 0), ("'said'", 1)])
def test_what_a_command_began_ends_before_it_does(shell: Shell, code: str, status: int) -> None:
    script = (
        "import atexit, sys, threading, time, bot.cli\n"
        "def late():\n"
        "    time.sleep(0.2)\n"
        "    print('thread')\n"
        "def run():\n"
        "    threading.Thread(target=late).start()\n"
        "    atexit.register(print, 'handler')\n"
        "    print('command')\n"
        f"    sys.exit({code})\n"
        "bot.cli.main = run\n"
        "from bot.__main__ import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=shell.environment,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[1],
    )
    assert (done.returncode, done.stdout) == (status, "command\nthread\nhandler\n")


def test_a_database_that_another_process_holds_is_said(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "held.db"
    url = f"sqlite:///{path}"
    assert shell.run("migrate", DATABASE_URL=url).returncode == 0
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    done = shell.run("import", str(SAMPLES / "console_cost_csv"), DATABASE_URL=f"{url}?timeout=1")
    holder.close()
    assert done.returncode == 2
    assert done.stderr.endswith("database is locked. Another process holds it: try again in a minute.\n"), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "redirection", "said"),
    [
        (["prices"], ">&-", ""),
        (["prices", "--json"], ">&-", ""),
        (["spend", "--from", "never", "--json"], ">&-", "“never”"),
        (["prices", "--json"], ">/dev/full", "The output cannot be read or written: No space left on device. Name "),
        (["spend", "--from", "never", "--json"], ">/dev/full", "“never”"),
        (["import", "-"], "<&-", "standard input is closed; name a file, or pipe one in."),
    ],
)
def test_closed_and_full_streams_are_no_traceback(shell: Shell, words: list[str], redirection: str, said: str) -> None:
    command = f"{shlex.join([sys.executable, '-m', 'bot', *words])} {redirection}"
    folder = Path(__file__).parents[1]
    done = subprocess.run(
        ["sh", "-c", command], env=shell.environment, capture_output=True, text=True, timeout=60, cwd=folder
    )
    assert done.returncode == (2 if said else 0)
    assert said in done.stderr
    assert done.stderr.count("\n") <= 1, done.stderr


@pytest.mark.parametrize(
    ("on", "said"), [("", "--on is “”; expected a day such as 2026-11-19."), ("20261119", None), ("2026-11-19", None)]
)
def test_the_day_of_prices_in_any_iso_form(shell: Shell, on: str, said: str | None) -> None:
    done = shell.run("ask", "--on", on, "1m in opus on 2026-11-19" if said is None else "1m in opus")
    assert done.returncode == (0 if said is None else 2)
    assert (said or "") in done.stderr


def test_a_source_that_takes_a_day_from_another_is_told(shell: Shell, tmp_path: Path) -> None:
    """$100 that a report states for the organization, and then $5 of one person: people's usage is known now."""
    bucket = {"starting_at": "2026-11-05T00:00:00Z", "ending_at": "2026-11-06T00:00:00Z"}
    cost = {"amount": "10000", "currency": "USD", "description": "all", "model": "claude-opus-5"}
    report, daily = tmp_path / "cost.json", tmp_path / "daily.json"
    report.write_text(json.dumps({"data": [{**bucket, "results": [cost]}], "has_more": False}), encoding="utf-8")
    used = {"modelName": "claude-opus-5", "inputTokens": 1_000_000, "outputTokens": 0, "cost": 5}
    daily.write_text(json.dumps({"daily": [{"date": "2026-11-05", "modelBreakdowns": [used]}]}), encoding="utf-8")
    assert "another source" not in shell.run("import", str(report)).stdout
    words = ("import", str(daily), "--person", "dana@example.com")
    (dry,) = shell.json(*words, "--dry-run")["files"]
    assert dry["changes"] == [{"day": "2026-11-05", "before_usd": "100.00", "after_usd": "5.00"}]
    said = shell.run(*words).stdout
    assert "  2026-11-05: $100.00 → $5.00, as another source speaks for the day now\n" in said
    assert "another source" not in shell.run(*words).stdout
    said = shell.run("spend").stdout
    assert "$5.00 from 2026-11-05" in said
    assert (
        "Not in it: $95.00 that reports of the organization as a whole say more than is known of its people on 1 day. "
        "claudecost explain organization 2026-11-05 shows the last of them.\n"
    ) in said
    assert "$100.00, from admin_cost_report" in shell.run("explain", "organization", "2026-11-05").stdout
    assert "Not in it" not in shell.run("spend", "--from", "2026-11-06", "--to", "2026-11-07").stdout


def test_everything_moves_to_another_database(stored: Shell, tmp_path: Path) -> None:
    stored.run("import", str(SAMPLES / "console_usage_csv"))
    old = stored.environment["DATABASE_URL"]
    new = {"DATABASE_URL": f"sqlite:///{tmp_path}/new.db"}
    done = stored.run("migrate", "--from", old, **new)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"[\d,]+ rows were copied to .*new\.db\.\nThe schema is at revision \d{4}\.\n", done.stdout)
    assert stored.run("spend", "--json", **new).stdout == stored.run("spend", "--json").stdout
    for url, said in (
        (old, "is in use already (there is something in "),
        (new["DATABASE_URL"], "is the database of the settings itself"),
        (f"sqlite:///{tmp_path}/none.db", "There is no database at"),
        ("mysql://x/y", "SQLite and PostgreSQL are supported"),
    ):
        done = stored.run("migrate", "--from", url, **new)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr


def test_spend_of_some_days_says_that_a_total_of_more_is_not_in_it(shell: Shell, tmp_path: Path) -> None:
    used = {"modelName": "claude-opus-5", "inputTokens": 1_000_000, "outputTokens": 0, "cost": 5}
    path = tmp_path / "usage.json"
    path.write_text(json.dumps({"monthly": [{"month": "2026-10", "modelBreakdowns": [used]}]}), encoding="utf-8")
    shell.run("import", str(path))
    total = "total of 2026-10-01 to 2026-11-01 (that day not counted)"
    some = ("spend", "--from", "2026-10-05", "--to", "2026-10-20")
    assert (
        f"Of these days alone nothing is told. A {total} holds some of them: ask for all.\n" in shell.run(*some).stdout
    )
    path.write_text(json.dumps({"daily": [{"date": "2026-10-07", "modelBreakdowns": [used]}]}), encoding="utf-8")
    shell.run("import", str(path))
    said = shell.run(*some).stdout
    assert "$5.00 from 2026-10-05" in said
    assert "Not in it" not in said  # the day says as much as the month
    used["inputTokens"] = 2_000_000
    path.write_text(json.dumps({"monthly": [{"month": "2026-10", "modelBreakdowns": [used]}]}), encoding="utf-8")
    shell.run("import", str(path))
    assert f"Not in it: what is told of more days together, such as the {total}.\n" in shell.run(*some).stdout
    assert "Not in it" not in shell.run("spend").stdout


def test_import_asks_whose_usage_is_that_names_nobody(shell: Shell, tmp_path: Path) -> None:
    used = {"modelName": "claude-opus-5", "inputTokens": 1_000_000, "outputTokens": 0, "cost": 5}
    path = tmp_path / "daily.json"
    path.write_text(json.dumps({"daily": [{"date": "2026-11-05", "modelBreakdowns": [used]}]}), encoding="utf-8")
    asked = "What names nobody is counted for “this machine”, as one person's. Say whose it is"
    assert asked in shell.run("import", str(path)).stdout
    assert asked not in shell.run("import", str(path), "--json").stdout
    linked = "this machine is {} from now on, with all its history.\n"
    assert shell.run("link", "this machine", "dana@example.com").stdout == linked.format("dana@example.com")
    assert asked not in shell.run("import", str(path)).stdout
    meant = "Nobody had that address before. If you meant dana@example.com, link it to that.\n"
    assert shell.run("link", "this machine", "dana@exmaple.com").stdout == linked.format("dana@exmaple.com") + meant
    done = shell.run("erase", "dana@example.com")  # nobody answers
    assert done.returncode == 2
    assert done.stderr.endswith("Nothing was erased; say --yes where nobody can be asked.\n")
