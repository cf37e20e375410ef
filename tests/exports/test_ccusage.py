"""Against ccusage 20: on generated transcripts both come to the same tokens, day by day and model by model.

Intended differences, each for a reason, so that the corpus has none of them or the comparison leaves them out:

- US-only inference: ccusage takes the standard price; tokens are the same, and dollars are not compared here.
- Lines without a message id: ccusage counts each, even the same line in two files; we count equal lines once.
- ``<synthetic>`` answers: ccusage has their tokens in its totals and not in its models; we have no use for them.
- One message id under several request ids in several files: ccusage counts each request; we count the response once,
  as a session that is resumed or copied repeats it. Within one file both count each request.
- A model of fast mode: ccusage calls it "…-fast"; we call it by its name and keep the speed beside it.
"""

import json
import os
import subprocess
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bench.corpus import write_corpus
from bot.exports.containers import files_below
from bot.exports.reader import Export, ReadingContext
from bot.exports.transcripts import Transcripts
from bot.pricing import PriceBook
from bot.spend.records import Problem
from bot.store.tally import Tally
from tests.npm import NODE, npm_package
from tests.usage import NOW

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


def by_us(folder: Path, book: PriceBook) -> dict[tuple[str, str], tuple[int, ...]]:
    tally = Tally()
    context = ReadingContext(ZoneInfo("UTC"), book)
    for path in files_below(folder / "projects"):
        with path.open("rb") as file:
            for record in Transcripts().read(Export(path.name, file, NOW), context):
                assert not isinstance(record, Problem), record
                tally.add(record)
    lines = list(tally.lines)
    found: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one in tally.requests.values():
        model, speed = lines[one.line][:2]
        day = date(one.day // 10000, one.day // 100 % 100, one.day % 100).isoformat()
        counts: list[Any] = found[day, f"{model}-fast" if speed == "fast" else model]
        for place, value in enumerate((*one.values[:3], one.values[3] + one.values[4])):
            counts[place] += value
    return {key: tuple(counts) for key, counts in found.items() if any(counts)}


@pytest.mark.parametrize("seed", range(5))
def test_both_come_to_the_same_tokens(tmp_path: Path, book: PriceBook, seed: int) -> None:
    write_corpus(tmp_path, files=12, turns=40, seed=seed, padding=5)
    ours = by_us(tmp_path, book)
    assert len(ours) > 20
    assert ours == by_ccusage(tmp_path)
