"""Made-up Claude Code transcripts with everything that real ones have: written from a seed, with no prompt in them.

As in real ones, responses are four tenths of the bytes, and text is full of quotes and line ends that JSON escapes.
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

MODELS = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5-20251001", "claude-sonnet-4-6"]
START = datetime(2026, 11, 1, 9, tzinfo=UTC)


def write_corpus(folder: Path, files: int, turns: int, seed: int, padding: int = 40) -> int:
    """Write ``files`` sessions of about ``turns`` turns below a folder; returns how many bytes that is."""
    chosen = random.Random(seed)
    heads: list[str] = []
    size = 0
    for number in range(files):
        lines = list(_session(chosen, number, turns, padding))
        if heads and chosen.random() < 0.06:
            lines = heads + lines  # a resumed session begins with a copy of an older one
        path = folder / "projects" / f"project-{number % 7}" / f"session-{seed}-{number}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "\n".join(lines) + "\n"
        path.write_text(text, encoding="utf-8")
        size += len(text)
        heads = lines[: chosen.randint(1, 12)]
    return size


def _session(chosen: random.Random, number: int, turns: int, padding: int) -> Iterator[str]:
    at = START + timedelta(hours=chosen.randint(0, 400))
    session = f"s{number}"
    for turn in range(turns):
        at += timedelta(seconds=chosen.randint(5, 400))
        yield _line({"type": "user", "timestamp": _time(at), "sessionId": session, "message": _user(chosen, padding)})
        at += timedelta(seconds=chosen.randint(1, 60))
        yield from _response(chosen, f"{number}-{turn}-{chosen.randint(0, 10**9)}", session, at, padding)


def _user(chosen: random.Random, padding: int) -> dict[str, Any]:
    words = " ".join(chosen.choices(["the", "file", '"quoted"', "päth\\to", "line\nbreak", "usage"], k=padding))
    result = {"type": "tool_result", "content": words, "usage": {"input_tokens": 5, "output_tokens": 7}}
    return {"role": "user", "content": [result]}


def _response(chosen: random.Random, key: str, session: str, at: datetime, padding: int) -> Iterator[str]:
    kind = chosen.random()
    model = "<synthetic>" if kind < 0.02 else chosen.choice(MODELS)
    usage: dict[str, Any] = {
        "input_tokens": chosen.randint(0, 40),
        "output_tokens": chosen.randint(1, 3000),
        "cache_read_input_tokens": chosen.randint(0, 150_000),
        "cache_creation_input_tokens": chosen.randint(0, 9000),
    }
    if kind > 0.15:
        long = chosen.randint(0, usage["cache_creation_input_tokens"])
        short = usage["cache_creation_input_tokens"] - long
        usage["cache_creation"] = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
        usage["service_tier"] = "standard"
    if model == "claude-opus-5-5" and kind > 0.9:
        usage["speed"] = "fast"
    entry: dict[str, Any] = {
        "type": "assistant",
        "timestamp": _time(at),
        "sessionId": session,
        "uuid": f"u{key}",
        "requestId": f"req_{key}",
        "message": {"id": f"msg_{key}", "role": "assistant", "model": model, "usage": usage},
    }
    if 0.03 < kind < 0.05:
        del entry["requestId"]
    blocks = chosen.randint(1, 3)
    for block in range(blocks):
        part = json.loads(json.dumps(entry))
        part["uuid"] = f"u{key}-{block}"
        if block < blocks - 1 and kind < 0.5:
            part["message"]["usage"]["output_tokens"] = min(1, usage["output_tokens"])  # older versions count on
        text = " ".join(chosen.choices(["some", "words", '"quoted"', "line\nend"], k=padding // 4))
        part["message"]["content"] = [{"type": "text", "text": text}]
        yield _line(part)
    if kind > 0.97:
        yield _line({**entry, "isSidechain": True, "uuid": f"u{key}-s"})


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
