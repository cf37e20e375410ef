"""How fast transcripts come in, against ccusage 20's native program in the same run: ``python -m bench.imports``.

Whole processes, start included, on a made-up corpus. Ratios are taken round by round and the median is printed.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.corpus import write_corpus
from tests.npm import npm_package

VERSION = "20.0.24"
ROUNDS = 3
SIZES = (
    ("100 MB", 45, 192, {"read": "wall 0.85"}),
    (
        "1 GB",
        450,
        192,
        {"read": "wall 0.60, CPU 0.35", "stored": "wall 0.80", "again": "wall 0.10", "appended": "wall 0.12"},
    ),
)
"""Name, files, turns of each, and what is to be reached."""


class Cost(NamedTuple):
    """What a process took, in seconds."""

    wall: float
    cpu: float


def main() -> None:
    warm_up()
    for name, files, turns, goals in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            corpus = Path(folder)
            size = write_corpus(corpus, files, turns, seed=7, padding=800)
            print(f"{name}: {size / 1e6:,.0f} MB in {files} files")
            compare(corpus, goals)


def compare(corpus: Path, goals: Mapping[str, str]) -> None:
    """Print each way of importing beside ccusage's daily report of the same files."""
    found: dict[str, list[tuple[float, float]]] = {"read": [], "stored": [], "again": [], "appended": []}
    for _ in range(ROUNDS):
        theirs = run([str(native()), "claude", "daily", "--json", "--offline"], corpus)
        with tempfile.TemporaryDirectory() as home:
            importing = [sys.executable, "-m", "bot", "import", str(corpus / "projects"), "--json"]
            for what, command in (("read", [*importing, "--dry-run"]), ("stored", importing), ("again", importing)):
                ours = run(command, Path(home))
                found[what].append((ours.wall / theirs.wall, ours.cpu / theirs.cpu))
            append(corpus)
            ours = run(importing, Path(home))
            found["appended"].append((ours.wall / theirs.wall, ours.cpu / theirs.cpu))
    for what, ratios in found.items():
        wall, cpu = (statistics.median(column) for column in zip(*ratios, strict=True))
        goal = f" (goal: {goals[what]})" if what in goals else ""
        print(f"  {what}: {wall:.2f} x ccusage's wall time, {cpu:.2f} x its CPU time{goal}")


def warm_up() -> None:
    """Let Python keep our modules compiled, as where people run them: without, each start compiles them anew."""
    with tempfile.TemporaryDirectory() as home:
        corpus = Path(home)
        write_corpus(corpus, 1, 10, seed=7)
        run([sys.executable, "-m", "bot", "import", str(corpus / "projects")], corpus)


def run(command: Sequence[str], home: Path) -> Cost:
    """Run a command to its end, with ``home`` as its HOME and as Claude Code's folder."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**inherited, "HOME": str(home), "CLAUDE_CONFIG_DIR": str(home)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def append(corpus: Path) -> None:
    """Add a new session of about a megabyte."""
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(Path(folder), 1, 100, seed=int(time.time() * 1000) % 10**9, padding=800)
        for path in Path(folder).rglob("*.jsonl"):
            (corpus / "projects" / path.name).write_bytes(path.read_bytes())


def native() -> Path:
    """ccusage's own program, without the launcher."""
    folder = npm_package("ccusage", VERSION) / "node_modules" / "@ccusage"
    program = next(path for path in folder.rglob("ccusage") if path.is_file())
    program.chmod(0o755)  # npm leaves that to the launcher
    return program


if __name__ == "__main__":
    main()
