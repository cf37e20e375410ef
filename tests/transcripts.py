"""Lines of transcripts as Claude Code would hardly write them: few messages, and requests and subagents in any mix."""

import json
from random import Random


def tangled(chosen: Random, lines: int, messages: str = "abcd") -> str:
    """Text of a transcript of 1 to ``lines`` lines. A message is of one model, and its copies may grow.

    Lines without a request id have one time a message: ccusage takes them for other responses at another time.
    """
    found = []
    for _ in range(chosen.randint(1, lines)):
        message, request = chosen.choice(messages), chosen.choice(["r1", "r2", "r3", None])
        seconds = 0 if request is None else chosen.randint(0, 59)
        counts = {"input_tokens": chosen.choice((10, 20)), "output_tokens": 1000 + 100 * chosen.randint(0, 9) + seconds}
        entry = {
            "sessionId": "s",
            "isSidechain": chosen.choice((True, False, None)),
            "message": {"id": message, "role": "assistant", "model": _MODELS[ord(message) % 2], "usage": counts},
            "requestId": request,
            "type": "assistant",
            "timestamp": f"2026-11-{ord(message) % 4 + 1:02}T10:00:{seconds:02}.000Z",
        }
        found.append(
            json.dumps({key: value for key, value in entry.items() if value is not None}, separators=(",", ":"))
        )
    return "\n".join(found) + "\n"


_MODELS = ("claude-sonnet-5-5", "claude-opus-5-5")
