"""A real nats-server on the loopback, that can be killed or frozen and comes back on the same port."""

import json
import signal
import socket
import subprocess
import sysconfig
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.cluster import free_port
from tests.waiting import PATIENCE

_PROGRAM = Path(sysconfig.get_path("scripts"), "nats-server")


class NatsServer:
    """One port, and the server on it."""

    def __init__(self, *options: str) -> None:
        self.port, self._monitor = free_port(), free_port()
        self._options = ("--http_port", str(self._monitor), *options)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, login: str = "") -> str:
        """Its address, with `user:password@` or `token@` if wanted."""
        return f"nats://{login}127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    @property
    def listeners(self) -> int:
        """How many clients have a subscription."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._monitor}/connz", timeout=PATIENCE) as answer:
            return sum(client["subscriptions"] > 0 for client in json.load(answer)["connections"])

    def start(self) -> None:
        """Starts it, and waits until it takes connections."""
        argv = [str(_PROGRAM), "--addr", "127.0.0.1", "--port", str(self.port), *self._options]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self._process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)

    def kill(self) -> None:
        """SIGKILL; nothing where it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self, frozen: bool) -> None:
        """Stops it where it stands, its connections open; or lets it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)


@contextmanager
def nats(*options: str) -> Iterator[NatsServer]:
    """A server that runs, for as long as the block lasts."""
    server = NatsServer(*options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
