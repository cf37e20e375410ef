"""An independent Slack Web API on 127.0.0.1: the npm package ``emulate``, installed once into ``.cache``."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.npm import NODE, npm_package
from tests.ports import free_port

VERSION = "0.12.2"
TOKEN = "xoxb-local-test"
SEED = Path(__file__).parents[1] / "data" / "emulate-slack.yaml"


@contextmanager
def emulated_slack() -> Iterator[str]:
    """The base URL of the Web API of a fresh workspace, its slash at the end."""
    folder = npm_package("emulate", VERSION)
    program = folder / "node_modules" / "emulate" / "dist" / "index.js"
    port = free_port()
    command: list[str | Path] = [NODE, program, "start", "--service", "slack", "--port", str(port), "--seed", SEED]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}/api/"
        finally:
            server.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("emulate did not start")
