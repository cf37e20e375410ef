"""An independent Slack Web API on 127.0.0.1: the npm package ``emulate``, installed once into ``.cache``."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

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
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT) as server,
    ):
        try:
            _wait_for(port, server, log)
            yield f"http://127.0.0.1:{port}/api/"
        finally:
            server.terminate()


def _wait_for(port: int, server: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    log.seek(0)
    raise RuntimeError(f"emulate did not start: {log.read().decode(errors='replace')[-2000:]}")
