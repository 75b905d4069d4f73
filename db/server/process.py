"""PostgreSQL's programs as children of this process, which do not outlive it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from db.server.address import PORT, DatabaseUnavailable
from db.server.binaries import Binaries
from db.server.log import open_log, read_from, refused

START_SECONDS = 120.0
"""The time limit of a start, in seconds; only a start that replays much log after a crash comes near it."""
STOP_SECONDS = 10.0
NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class RunsAs:
    """The user that PostgreSQL runs as; numbers only where root has to change into it."""

    uid: int | None = None
    gid: int | None = None

    def own(self, folder: Path) -> None:
        """Change the owner of `folder` to that user."""
        if self.uid is not None and self.gid is not None:
            os.chown(folder, self.uid, self.gid)


def spawn(
    argv: Sequence[str | Path],
    user: RunsAs,
    folders: Sequence[Path],
    *,
    dies_with_parent: bool,
    keep: Sequence[int] = (),
    stdin: int = subprocess.DEVNULL,
    output: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start a program of PostgreSQL as `user`, in a session of its own, with the descriptors in `keep`."""
    plan: dict[str, object] = {
        "argv": [str(part) for part in argv],
        "uid": user.uid,
        "gid": user.gid,
        "folders": [str(folder) for folder in folders],
        "dies_with": os.getpid() if dies_with_parent else None,
    }
    return subprocess.Popen(
        _script(plan),
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=_environment(),
        start_new_session=True,
        pass_fds=keep,
    )


def can_die_with_parent() -> bool:
    """Return whether the kernel signals a child on the death of its parent.

    The kernel means the *thread* that started the child, so only the main thread qualifies.
    """
    return sys.platform == "linux" and threading.current_thread() is threading.main_thread()


def _script(plan: dict[str, object]) -> list[str]:
    return [sys.executable, "-I", "-S", "-B", str(CHILD), json.dumps(plan)]


def _environment() -> dict[str, str]:
    # PostgreSQL gets none of this process's settings: not PGPORT or PGDATA, no locale, and no secret.
    passed = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
    return {name: os.environ[name] for name in passed if name in os.environ} | {"LC_ALL": "C", "TZ": "UTC"}


@dataclass
class Server:
    """A running server that this process started, and therefore stops."""

    process: subprocess.Popen[bytes]
    watched_by: subprocess.Popen[bytes] | None = None
    pipe: int | None = None

    def stop(self) -> None:
        """Stop it by a fast shutdown, then an immediate one, then SIGKILL; each step has a time limit."""
        steps = ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 3.0))
        for number, seconds in steps:
            if self.process.poll() is not None:
                break
            self.process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        if self.watched_by is not None and self.pipe is not None:
            with suppress(BrokenPipeError):
                os.write(self.pipe, b"q")
            os.close(self.pipe)
            self.watched_by.wait()


def start_server(
    binaries: Binaries,
    data: Path,
    sockets: Path,
    log: Path,
    user: RunsAs,
    *,
    durable: bool,
    watcher: bool,
    keep: Sequence[int],
) -> Server:
    """Start `postgres` on `data` and return once it accepts connections.

    Raises `DatabaseUnavailable` with the last line of its log if it refuses to start.
    """
    settings = [
        "listen_addresses=",
        f'unix_socket_directories="{sockets}"',
        "unix_socket_permissions=0700",
        *(() if durable else NOT_DURABLE),
    ]
    argv: list[str | Path] = [binaries.postgres, "-D", data, "-p", str(PORT)]
    for setting in settings:
        argv += ["-c", setting]
    output = open_log(log)
    try:
        begin = os.fstat(output).st_size
        process = spawn(argv, user, [data, sockets], dies_with_parent=not watcher, keep=keep, output=output)
    finally:
        os.close(output)
    server = Server(process)
    try:
        if watcher:
            _watch(server, user)
        _wait_until_ready(process, data, log, begin)
    except BaseException:
        server.stop()
        raise
    return server


def _watch(server: Server, user: RunsAs) -> None:
    reading, writing = os.pipe()
    plan: dict[str, object] = {"pipe": reading, "pid": server.process.pid, "uid": user.uid, "gid": user.gid}
    try:
        server.watched_by = subprocess.Popen(
            _script(plan),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_environment(),
            # A Ctrl-C at the terminal goes to the whole group, and the watcher has to outlive it.
            start_new_session=True,
            pass_fds=[reading],
        )
        server.pipe = writing
    except BaseException:
        os.close(writing)
        raise
    finally:
        os.close(reading)


def _wait_until_ready(process: subprocess.Popen[bytes], data: Path, log: Path, begin: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while postmaster_status(data) != (process.pid, "ready"):
        if process.poll() is not None:
            raise refused(data, read_from(log, begin))
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(
                f"The embedded PostgreSQL was not ready within {START_SECONDS:g} seconds; see {log}."
            )
        time.sleep(0.005)


def postmaster_status(data: Path) -> tuple[int, str] | None:
    """Return the process id and status word in `postmaster.pid`, or None if there is none to read."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return int(lines[0]), lines[7].strip()
    except (FileNotFoundError, ValueError, IndexError):
        return None
