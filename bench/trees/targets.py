"""The servers that are compared, each a process of its own on one core, all on the same database."""

import asyncio
import base64
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from bench.trees.database import Filled
from bench.trees.load import Client, WrongAnswer, request
from bench.trees.peers import Peers
from bench.trees.shapes import POSTGRAPHILE, STANDARD, Dialect, Shape
from investing.auth.keys import KeyRing
from settings import Settings

ROOT = Path(__file__).resolve().parents[2]
POOL_SIZE = 10
START_SECONDS = 30.0
COMPILER = "GRAPHFOLIO_COMPILER"

GRAPHFOLIO = {
    # The peers log nothing, watch no prices and run no jobs.
    "GRAPHFOLIO_LOG_LEVEL": "warning",
    "GRAPHFOLIO_FEED": "none",
    "GRAPHFOLIO_WORKER": "false",
    # One user of a shape stands for many, as it does at the peers.
    "GRAPHFOLIO_OPERATIONS_PER_USER": "0",
    "GRAPHFOLIO_SECONDS_PER_USER": "0",
    "GRAPHFOLIO_SEND_NOTIFICATIONS": "false",
    # Half of them read, as many as the others have.
    "GRAPHFOLIO_POOL_SIZE": str(2 * POOL_SIZE),
    # The longest that there is: every round issues new tokens.
    "GRAPHFOLIO_ACCESS_TOKEN_MINUTES": "60",
    # The slowest way takes longer than the standard for the largest tree.
    "GRAPHFOLIO_OPERATION_TIMEOUT_SECONDS": "150",
    # 100,000 positions are 23 MB.
    "GRAPHFOLIO_MAX_QUERY_COST": str(10**9),
    "GRAPHFOLIO_MAX_ANSWER_BYTES": str(10**9),
}
"""How Graphfolio is set, beside whether the compiler answers."""


@dataclass
class Target:
    """One server that runs."""

    key: str
    label: str
    port: int
    process: subprocess.Popen[bytes]
    client: Client
    dialect: Dialect = STANDARD
    is_peer: bool = False
    failures: dict[str, str] = field(default_factory=dict)
    """What went wrong, by shape; it is not measured any further there."""

    @property
    def pid(self) -> int:
        """Return the id of its process."""
        return self.process.pid

    def headers(self, shape: Shape, user_id: str, token: str) -> dict[str, str]:
        """Return the headers that say whose tree is read; a peer is told, unless it checks the token too."""
        if self.is_peer and shape.token == "header":
            return {"x-user-id": user_id}
        return {"authorization": f"Bearer {token}"}


@dataclass(frozen=True)
class Command:
    """How a server is started: its program, and what it is told by the environment."""

    key: str
    label: str
    arguments: Sequence[str | Path]
    environment: Mapping[str, str]
    dialect: Dialect = STANDARD
    is_peer: bool = False


def has_compiler() -> bool:
    """Return whether this version has the setting that turns the compiler on and off."""
    return COMPILER in Settings.settings_names().values()


def commands(database: Filled, ring: KeyRing, peers: Peers | None, folder: Path) -> list[Command]:
    """Return how each target is started; `{port}` stands for its port."""
    key = ring.signing_secret.hex()
    limit = {"LIMIT_URL": database.url, "LIMIT_KEY": key, "LIMIT_POOL": str(POOL_SIZE)}
    found = [Command("limit", "the limit", [sys.executable, "-m", "bench.trees.limit", "{port}"], limit)]
    for name, label, choice in (
        ("graphfolio", "Graphfolio", "on"),
        ("resolvers", "Graphfolio, resolvers only", "off"),
    ):
        serve: list[str | Path] = [sys.executable, ROOT / "graphfolio.py", "serve", "--port", "{port}"]
        own = {
            **GRAPHFOLIO,
            "DATABASE_URL": database.url,
            "GRAPHFOLIO_DATA_DIR": str(folder / name),
            "GRAPHFOLIO_TOKEN_KEYS": _setting(ring),
            "GRAPHFOLIO_SEALING_KEYS": _setting(ring),
            COMPILER: choice,
        }
        found.append(Command(name, label, serve, own))
    if peers is not None:
        told = {
            "PEER_SOCKETS": database.sockets,
            "PEER_KEY": key,
            "PEER_POOL": str(POOL_SIZE),
            "NODE_ENV": "production",
        }
        for name, label in peers.labels.items():
            dialect = POSTGRAPHILE if name == "postgraphile" else STANDARD
            program: list[str | Path] = [peers.node, peers.folder / f"{name}.js", "{port}"]
            found.append(Command(name, label, program, told, dialect, is_peer=True))
    return found


def _setting(ring: KeyRing) -> str:
    return f"{ring.active}:{base64.b64encode(ring.signing_secret).decode()}"


def new_ring() -> KeyRing:
    """Return a key that every server checks tokens by."""
    return KeyRing("bench", {"bench": secrets.token_bytes(32)})


@contextmanager
def running(command: Command, core: set[int], folder: Path) -> Iterator[Target]:
    """Yield a server on this core for as long as the block lasts; its log is in the folder."""
    port = _free_port()
    with (folder / f"{command.key}.log").open("wb") as log:
        process = _spawn(command, port, core, log)
        try:
            yield Target(
                command.key,
                command.label,
                port,
                process,
                Client(port),
                command.dialect,
                command.is_peer,
            )
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _spawn(command: Command, port: int, core: set[int], log: IO[bytes]) -> subprocess.Popen[bytes]:
    arguments = [str(part).format(port=port) for part in command.arguments]
    mine = os.sched_getaffinity(0)
    # A process begins on the cores of the one that starts it, with every thread of its own.
    os.sched_setaffinity(0, core)
    try:
        return subprocess.Popen(
            arguments,
            cwd=ROOT,
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    finally:
        os.sched_setaffinity(0, mine)


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


async def until_there(target: Target, folder: Path, token: str) -> None:
    """Wait until a server answers. Raise WrongAnswer with the end of its log if it does not."""
    body = json.dumps({"query": "{ __typename }"}).encode()
    wanted = request("start", target.port, {"authorization": f"Bearer {token}"}, body)
    loop = asyncio.get_running_loop()
    until = loop.time() + START_SECONDS
    while True:
        try:
            await target.client.ask(wanted)
            return
        except (OSError, WrongAnswer) as error:
            target.client.close()
            if target.process.poll() is not None or loop.time() > until:
                log = (folder / f"{target.key}.log").read_text(errors="replace")[-2_000:]
                raise WrongAnswer(f"{target.label} does not start: {error}\n{log}") from error
            await asyncio.sleep(0.1)
