"""A PostgreSQL of the harness's own on TCP loopback, durable, that can be killed and comes back."""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg

from db.schema import upgrade
from db.server.binaries import find_binaries
from db.server.cluster import make_cluster
from db.server.process import RunsAs, postmaster_status, spawn
from tests.faults.waiting import until
from tests.waiting import PATIENCE

_ACCESS = "host all all 127.0.0.1/32 trust\n"


def free_port() -> int:
    """A port of the loopback that nobody listens on just now."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def children(pid: int) -> list[int]:
    """The processes that this one started and that live; none where it has gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


class Cluster:
    """One data folder and the server on it, which any number of kills may end."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.data = folder / "data"
        self.port = free_port()
        self._binaries = find_binaries()
        self._settings = ("fsync=on", "synchronous_commit=on", *settings)
        self._user = _ordinary()
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._user.own(folder)
        with (folder / "lock").open("w") as lock:
            make_cluster(self._binaries, self.data, self._user, lock.fileno(), durable=True)
        (self.data / "pg_hba.conf").write_text(_ACCESS)

    def url(self, role: str = "postgres", port: int | None = None) -> str:
        """The database's address for a role; with another port, through a proxy."""
        return f"postgresql://{role}@127.0.0.1:{port or self.port}/graphfolio"

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        assert self._process is not None
        return self._process.pid

    def spawn(self) -> None:
        """Starts the server without waiting; from the main thread, with which it dies."""
        argv: list[str | Path] = [self._binaries.postgres, "-D", self.data, "-p", str(self.port)]
        for setting in ("listen_addresses=127.0.0.1", "unix_socket_directories=", *self._settings):
            argv += ["-c", setting]
        with self._log.open("ab") as log:
            self._process = spawn(argv, self._user, [self.data], dies_with_parent=True, output=log.fileno())

    @property
    def is_ready(self) -> bool:
        """Whether it takes connections."""
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        return postmaster_status(self.data) == (self._process.pid, "ready")

    @property
    def is_up(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    async def started(self, seconds: float = 60) -> None:
        """Starts it and waits, while everything else goes on."""
        self.spawn()

        async def ready() -> bool:
            return self.is_ready

        await until(ready, seconds, 0.01)

    def kill(self, rng: random.Random | None = None) -> None:
        """SIGKILL, and it is gone with all its processes.

        With a source of chance the postmaster or one of the others goes first, and whoever is left has a
        moment more, as in a crash.
        """
        assert self._process is not None
        family = children(self.pid)
        if rng is not None and family and rng.random() < 0.5:
            _kill(rng.choice(family))
            time.sleep(rng.random() * 0.02)
        # Stopped first, so that it makes no other while they are counted: one that is left over would keep
        # its successor from starting.
        self._process.send_signal(signal.SIGSTOP)
        while _state(self.pid) not in "TZ":
            time.sleep(0.0005)
        family = list({*family, *children(self.pid)})
        self._process.kill()
        if rng is not None:
            time.sleep(rng.random() * 0.005)
        for pid in family:
            _kill(pid)
        self._process.wait()
        deadline = time.monotonic() + PATIENCE
        while any(_lives(pid) for pid in family) and time.monotonic() < deadline:
            time.sleep(0.002)
        # Its number may be somebody else's by now, which PostgreSQL would take for a living server.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """Ends it as an operator does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(PATIENCE)

    def freeze(self, frozen: bool) -> None:
        """Stops all its processes where they stand, or lets them go on."""
        for pid in (self.pid, *children(self.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    async def rows(self, query: str, *arguments: object) -> list[Any]:
        """All rows of a statement of the superuser's, whom no policy holds."""
        connection = await asyncpg.connect(self.url(), timeout=PATIENCE)
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()


@contextmanager
def running_cluster(*settings: str) -> Iterator[Cluster]:
    """A migrated database on a running server; nothing of it outlives the block."""
    # Not below pytest's own folder, which the server's user may not pass.
    folder = Path(tempfile.mkdtemp(prefix="gf-faults-"))
    folder.chmod(0o755)
    cluster = Cluster(folder, *settings)
    try:
        cluster.spawn()
        deadline = time.monotonic() + 60
        while not cluster.is_ready:
            assert time.monotonic() < deadline, "PostgreSQL took too long to start"
            time.sleep(0.01)
        upgrade(cluster.url("graphfolio_owner"))
        yield cluster
    finally:
        if cluster._process is not None:
            cluster.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _ordinary() -> RunsAs:
    if os.geteuid() != 0:
        return RunsAs()
    nobody = pwd.getpwnam("nobody")
    return RunsAs(nobody.pw_uid, nobody.pw_gid)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _state(pid: int) -> str:
    """A process's state, as /proc has it; Z, as of one that is dead already, where there is none."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "Z"


def _lives(pid: int) -> bool:
    return _state(pid) != "Z"
