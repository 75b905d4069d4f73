"""Real server processes: `graphfolio.py serve`, killed with SIGKILL and started again."""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.faults.cluster import Cluster, free_port
from tests.faults.wire import Lost, Wire
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
# The processes share it, as those of one installation do; it is good for this run's throw-away database.
KEYS = "harness:" + "aGFybmVzcyBrZXkgb2YgdGhlIGZhdWx0cyB0ZXN0cyE="


class Server:
    """One process on one port; its successors have the same port."""

    def __init__(self, environment: dict[str, str], folder: Path, number: int) -> None:
        self.port = free_port()
        self._environment = {**environment, "GRAPHFOLIO_PORT": str(self.port)}
        self._log = folder / f"server-{number}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        """Starts a process without waiting."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "graphfolio.py"), "serve"],
                cwd=self._log.parent,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def environment(self) -> dict[str, str]:
        """What its processes are started with."""
        return dict(self._environment)

    @property
    def pid(self) -> int:
        """The living process's id."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has printed."""
        return self._log.read_text()

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    async def until_ready(self, seconds: float = 3 * PATIENCE) -> None:
        """Waits until it answers; one that cannot start because PostgreSQL is down is started again."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    if await Wire().get(self.port, "/ready") == 200:
                        return
                except Lost:
                    pass
                if not self.is_alive:
                    await asyncio.sleep(0.1)
                    self.spawn()
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def memory(server: Server) -> int:
    """What the process holds in memory, in KB."""
    for line in Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


class Fleet:
    """Several servers on one database."""

    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers

    def any_port(self, rng: random.Random) -> int:
        """A server's port, whether it lives or not."""
        return rng.choice(self.servers).port

    async def until_ready(self) -> None:
        """Waits for every one."""
        for server in self.servers:
            await server.until_ready()


@asynccontextmanager
async def fleet(cluster: Cluster, *ports: int, **settings: object) -> AsyncIterator[Fleet]:
    """Servers, ready: one for each port that leads it to PostgreSQL, which may be a proxy's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRAPHFOLIO_")}
    with tempfile.TemporaryDirectory(prefix="gf-servers-") as folder:
        environment = {
            **kept,
            "GRAPHFOLIO_TOKEN_KEYS": KEYS,
            "GRAPHFOLIO_DATA_DIR": folder,
            "GRAPHFOLIO_ACCESS_TOKEN_MINUTES": "60",
            "GRAPHFOLIO_BROKER_TIMEOUT_SECONDS": "2",
            # Its people all come from one address.
            "GRAPHFOLIO_LOGIN_ATTEMPTS": "0",
            # Few users stand for many here.
            "GRAPHFOLIO_OPERATIONS_PER_USER": "0",
            "GRAPHFOLIO_SECONDS_PER_USER": "0",
            "GRAPHFOLIO_SOCKETS_PER_USER": "0",
            **{f"GRAPHFOLIO_{name.upper()}": str(value) for name, value in settings.items()},
        }
        found = Fleet([])
        for number, port in enumerate(ports):
            urls = {
                "DATABASE_URL": cluster.url("graphfolio_app", port),
                "GRAPHFOLIO_OWNER_DATABASE_URL": cluster.url("graphfolio_owner", port),
            }
            found.servers.append(Server({**environment, **urls}, Path(folder), number))
        try:
            for server in found.servers:
                server.spawn()
            await found.until_ready()
            yield found
        finally:
            for server in found.servers:
                server.kill()
