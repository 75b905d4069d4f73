"""The servers of others, in Node: installed from npm when the benchmark runs, at the versions named here."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parent / "peers"
LABELS = {"postgraphile": "PostGraphile 5", "mercurius": "Mercurius JIT", "yoga": "Yoga JIT"}
SHOWN = ("postgraphile", "mercurius", "graphql-yoga", "graphql-jit", "graphql", "pg")
INSTALL_SECONDS = 600


@dataclass(frozen=True)
class Peers:
    """Where they are installed, and which versions."""

    folder: Path
    node: Path
    versions: dict[str, str]
    labels: dict[str, str]


class NoPeers(Exception):
    """Why the peers are left out: one line."""


def install(cache: Path, told: Callable[[str], None]) -> Peers:
    """Install what `package.json` names in the cache, unless it is there, and copy the programs beside it.

    No lock file is used or left behind. Raise NoPeers where there is no npm, or where it fails.
    """
    manifest = (SOURCE / "package.json").read_bytes()
    folder = cache / f"peers-{hashlib.sha256(manifest).hexdigest()[:12]}"
    done = folder / "installed"
    if not done.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise NoPeers("there is no npm")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_bytes(manifest)
        told("installing the peers")
        _run([npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"], folder)
        done.touch()
    for path in SOURCE.iterdir():
        shutil.copyfile(path, folder / path.name)
    node = folder / "node_modules" / "node" / "bin" / "node"
    version = _run([str(node), "--version"], folder).strip().removeprefix("v")
    versions = {"node": version} | {name: _version(folder, name) for name in SHOWN}
    return Peers(folder, node, versions, LABELS)


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoPeers(f"{Path(command[0]).name} cannot be run: {error}") from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise NoPeers(f"{Path(command[0]).name} {command[1]} failed: {lines[0]}")
    return done.stdout


def _version(folder: Path, name: str) -> str:
    version: str = json.loads((folder / "node_modules" / name / "package.json").read_text())["version"]
    return version
