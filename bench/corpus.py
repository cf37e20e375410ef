"""Made-up Claude Code transcripts with everything that real ones have: written from a seed, with no prompt in them.

Lines have the fields of Claude Code 2.1.330 in their order. As in real ones, responses are four tenths of the bytes, a
response is one to three lines, one for each block of its content, and text is full of quotes and line ends that JSON
escapes; one in three asks for two tools at once, whose results come as two lines.
"""

import json
import random
import uuid
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
    session = _uuid(chosen)
    for turn in range(turns):
        at += timedelta(seconds=chosen.randint(5, 400))
        for _ in range(chosen.choice([1, 1, 2])):
            yield _line(_user(chosen, at, session, padding))
        at += timedelta(seconds=chosen.randint(1, 60))
        yield from _response(chosen, f"{number}-{turn}-{chosen.randint(0, 10**9)}", session, at, padding)


def _user(chosen: random.Random, at: datetime, session: str, padding: int) -> dict[str, Any]:
    words = " ".join(
        chosen.choices(["the", "file", '"quoted"', "päth\\to", "line\nbreak", "usage"], k=padding * 3 // 4)
    )
    entry = {
        "parentUuid": _uuid(chosen),
        "isSidechain": False,
        "promptId": _uuid(chosen),
        "type": "user",
        "message": {"role": "user", "content": [{"tool_use_id": "toolu_01", "type": "tool_result", "content": words}]},
        "uuid": _uuid(chosen),
        "timestamp": _time(at),
        **_surroundings(session),
    }
    if chosen.random() < 0.05:  # a subagent's result, which tells what it used
        usage = {"input_tokens": 5, "output_tokens": 7, "service_tier": "standard"}
        entry["toolUseResult"] = {"status": "completed", "totalTokens": 12, "usage": usage}
    return entry


def _response(chosen: random.Random, key: str, session: str, at: datetime, padding: int) -> Iterator[str]:
    kind = chosen.random()
    model = "<synthetic>" if kind < 0.02 else chosen.choice(MODELS)
    usage: dict[str, Any] = {
        "input_tokens": chosen.randint(0, 40),
        "cache_creation_input_tokens": chosen.randint(0, 9000),
        "cache_read_input_tokens": chosen.randint(0, 150_000),
        "output_tokens": chosen.randint(1, 3000),
    }
    is_old = kind <= 0.15
    if not is_old:
        long = chosen.randint(0, usage["cache_creation_input_tokens"])
        short = usage["cache_creation_input_tokens"] - long
        is_fast = model == "claude-opus-5-5" and kind > 0.9
        usage |= {
            "output_tokens_details": {"thinking_tokens": 0},
            "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
            "service_tier": "standard",
            "cache_creation": {"ephemeral_1h_input_tokens": long, "ephemeral_5m_input_tokens": short},
            "inference_geo": "global",
            "iterations": [],
            "speed": "fast" if is_fast else "standard",
            "fallback_credit": None,
        }
    request = {} if 0.03 < kind < 0.05 else {"requestId": f"req_{key}"}
    blocks = chosen.randint(1, 3)
    for block in range(blocks):
        text = " ".join(chosen.choices(["some", "words", '"quoted"', "line\nend"], k=padding // 5))
        # Older versions wrote counts that grow from line to line.
        is_partial = block < blocks - 1 and kind < 0.5
        output = min(1, usage["output_tokens"]) if is_partial else usage["output_tokens"]
        yield _line(
            {
                "parentUuid": _uuid(chosen),
                "isSidechain": False,
                "message": {
                    "id": f"msg_{key}",
                    "type": "message",
                    "role": "assistant",
                    "model": model,
                    "content": [{"type": "text", "text": text}],
                    "stop_reason": "end_turn",
                    "stop_sequence": None,
                    "usage": {**usage, "output_tokens": output},
                },
                **({} if is_old else {"apiBlockIndex": block}),
                **request,
                "type": "assistant",
                "uuid": _uuid(chosen),
                "timestamp": _time(at),
                **_surroundings(session),
            }
        )
    if kind > 0.97:  # a subagent's transcript repeats it
        message = {"id": f"msg_{key}", "role": "assistant", "model": model, "usage": usage}
        said = {"isSidechain": True, "message": message, **request, "type": "assistant", "timestamp": _time(at)}
        yield _line({**said, **_surroundings(session)})


def _surroundings(session: str) -> dict[str, str]:
    place = {"userType": "external", "entrypoint": "cli", "cwd": "/home/dev/project", "sessionId": session}
    return {**place, "version": "2.1.330", "gitBranch": "main"}


def _uuid(chosen: random.Random) -> str:
    return str(uuid.UUID(int=chosen.getrandbits(128), version=4))


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
