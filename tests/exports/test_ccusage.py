"""Against ccusage 20: on generated transcripts both come to the same tokens, day by day and model by model.

Intended differences, each for a reason, so that the corpus has none of them or the comparison leaves them out:

- US-only inference: ccusage takes the standard price; tokens are the same, and dollars are not compared here.
- Lines without a message id: ccusage counts each, even the same line in two files; we count equal lines once.
- ``<synthetic>`` answers: ccusage has their tokens in its totals and not in its models; we have no use for them.
- Lines of one message without a request id: ccusage counts those of each time; we count the message once, as each of
  its content blocks is a line of its own time. A line with an empty message id counts here, and not there.
- Of lines of one request that say the same at several times the first counts; with ccusage, the one it reads first.
- Cache writes of which the split says less than the total: ccusage takes the split, we take the total.
- Requests that were refused before any output are not billed, and nothing of them counts here.
- Summaries, and answers that a model began and another one gave, are billed beside the counts of a response: they count
  here, and not there.
- A line that is damaged in the text of its content alone may count here, as it was paid for, and does not there.
- A model of fast mode: ccusage calls it "…-fast"; we call it by its name and keep the speed beside it.
"""

import json
import os
import subprocess
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from bench.corpus import write_corpus
from bot.exports.containers import files_below
from bot.imports import Importer
from bot.pricing import PriceBook
from bot.store.database import Database
from bot.store.tables import usage_daily, usage_lines
from tests.npm import NODE, npm_package
from tests.transcripts import tangled
from tests.usage import NOW, POLICY

VERSION = "20.0.24"

pytestmark = pytest.mark.xdist_group("ccusage")


def by_ccusage(folder: Path) -> dict[tuple[str, str], tuple[int, ...]]:
    program = npm_package("ccusage", VERSION) / "node_modules" / "ccusage" / "src" / "cli.js"
    command: list[str | Path] = [
        NODE,
        program,
        "claude",
        "daily",
        "--json",
        "--offline",
        "--breakdown",
        "--timezone",
        "UTC",
    ]
    environment = {"PATH": f"{NODE.parent}:{os.environ['PATH']}", "HOME": str(folder), "CLAUDE_CONFIG_DIR": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[tuple[str, str], tuple[int, ...]] = {}
    for row in json.loads(done.stdout)["daily"]:
        for used in row["modelBreakdowns"]:
            counts = [used[f"{kind}Tokens"] for kind in ("input", "output", "cacheRead", "cacheCreation")]
            found[row["date"], used["modelName"]] = tuple(counts)
    return found


def by_us(database: Database, folder: Path, book: PriceBook) -> dict[tuple[str, str], tuple[int, ...]]:
    importer = Importer(database, ZoneInfo("UTC"), book, POLICY)
    for report in importer.import_files(files_below(folder / "projects"), NOW):
        assert (report.refused, report.problems) == (None, [])
    used, line = usage_daily.c, usage_lines.c
    columns = (used.input, used.output, used.cache_read, used.cache_write_5m + used.cache_write_1h)
    query = select(used.day, line.model, line.speed, *map(func.sum, columns))
    query = query.join_from(usage_daily, usage_lines).group_by(used.day, line.model, line.speed)
    with database.read() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    return {
        (day.isoformat(), f"{model}-fast" if speed == "fast" else model): tuple(map(int, counts))
        for day, model, speed, *counts in rows
        if any(counts)
    }


@pytest.mark.parametrize("seed", range(5))
def test_both_come_to_the_same_tokens(database: Database, tmp_path: Path, book: PriceBook, seed: int) -> None:
    write_corpus(tmp_path, files=12, turns=40, seed=seed, padding=5)
    ours = by_us(database, tmp_path, book)
    assert len(ours) > 20
    assert ours == by_ccusage(tmp_path)


@pytest.mark.parametrize("seed", range(8))
def test_any_mix_of_requests_and_subagents_comes_to_the_same(
    database: Database, tmp_path: Path, book: PriceBook, seed: int
) -> None:
    chosen = Random(seed)
    for number in range(40):
        path = tmp_path / "projects" / "p" / f"{number}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Ids of ten files each, so that they meet in some.
        messages = "".join(chr(ord("a") + number // 10 * 6 + place) for place in range(6))
        path.write_text(tangled(chosen, 8, messages), encoding="utf-8")
    assert by_us(database, tmp_path, book) == by_ccusage(tmp_path)


def test_advisors_and_subagents_that_are_told_of_in_other_lines_count(
    database: Database, tmp_path: Path, book: PriceBook
) -> None:
    """An advisor's part is not in the counts of the response; a subagent's line may come within one of the session."""
    advice = {"type": "advisor_message", "model": "claude-opus-5-5", "input_tokens": 3000, "output_tokens": 4000}
    own = {"type": "message", "input_tokens": 10, "output_tokens": 5}

    def line(message: str, day: int, iterations: object = (), **outer: object) -> dict[str, Any]:
        usage = {"input_tokens": 10, "output_tokens": 5, "iterations": iterations}
        said = {"id": message, "role": "assistant", "model": "claude-sonnet-5-5", "usage": usage}
        at = f"2026-11-{day:02}T10:00:00.000Z"
        return {"type": "assistant", "requestId": f"r{message}", "timestamp": at, "message": said, **outer}

    def progress(inner: object) -> dict[str, Any]:
        data = {"type": "agent_progress", "message": inner}
        return {"type": "progress", "sessionId": "s", "timestamp": "2026-11-09T10:00:00.000Z", "data": data}

    nameless = line("g", 7)
    del nameless["type"], nameless["message"]["role"]
    lines = [
        line("a", 1, [own, advice]),
        line("a", 1),
        line("b", 2, [own, advice, advice]),
        line("b", 2, [own, advice, advice], isSidechain=True),
        line("c", 3, [own, {**advice, "model": None}, {**advice, "type": "other"}, {"type": ["x"]}, {}, "x"]),
        line("d", 4, {"type": "advisor_message"}),
        progress(line("e", 5)),
        line("e", 5, isSidechain=True),
        progress(line("f", 6)),
        progress('text of a hook with "usage"'),
        nameless,
    ]
    path = tmp_path / "projects" / "p" / "s.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in lines), encoding="utf-8")
    ours = by_us(database, tmp_path, book)
    assert ours["2026-11-02", "claude-opus-5-5"] == (6000, 8000, 0, 0)
    assert ours == by_ccusage(tmp_path)


def test_every_attempt_that_is_billed_counts_by_the_model_that_made_it(
    database: Database, tmp_path: Path, book: PriceBook
) -> None:
    """As in Claude's documentation, "Refusals and fallback" and "Compaction"; the response's counts leave them out."""
    split = {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 0}
    declined = {"type": "message", "model": "claude-opus-5-5", "input_tokens": 3, "output_tokens": 50}
    declined |= {"cache_creation_input_tokens": 400, "cache_creation": split, "cache_read_input_tokens": 7000}
    served = {"input_tokens": 2, "output_tokens": 90, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 7400}
    answer = {"type": "fallback_message", "model": "claude-sonnet-5-5", **served}
    summary = {"type": "compaction", "input_tokens": 9000, "output_tokens": 600}
    own = {"type": "message", "input_tokens": 2, "output_tokens": 90}
    refused = {"input_tokens": 412, "output_tokens": 0}

    def line(message: str, day: int, usage: dict[str, Any], reason: str = "end_turn") -> str:
        said = {"id": message, "model": "claude-sonnet-5-5", "stop_reason": reason, "usage": usage}
        at = f"2026-11-{day:02}T10:00:00.000Z"
        return json.dumps({"type": "assistant", "requestId": f"r{message}", "timestamp": at, "message": said})

    lines = [
        # The split of the model that declined stands beside the counts of the one that answered.
        line("a", 1, {**served, "cache_creation": split, "iterations": [declined, answer]}),
        line("b", 2, {**served, "iterations": [{**declined, "output_tokens": 0}, answer]}),
        line("c", 3, {**served, "iterations": [summary, own]}),
        line("d", 4, refused, "refusal"),
        line("e", 5, {**refused, "output_tokens": 8}, "refusal"),
        line("f", 6, {**refused, "iterations": [declined, {**answer, **refused}]}, "refusal"),
    ]
    path = tmp_path / "projects" / "p" / "s.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines), encoding="utf-8")
    assert by_us(database, tmp_path, book) == {
        ("2026-11-01", "claude-opus-5-5"): (3, 50, 7000, 400),
        ("2026-11-01", "claude-sonnet-5-5"): (2, 90, 7400, 0),
        ("2026-11-02", "claude-sonnet-5-5"): (2, 90, 7400, 0),
        ("2026-11-03", "claude-sonnet-5-5"): (9002, 690, 7400, 0),
        ("2026-11-05", "claude-sonnet-5-5"): (412, 8, 0, 0),
        ("2026-11-06", "claude-opus-5-5"): (3, 50, 7000, 400),
    }
