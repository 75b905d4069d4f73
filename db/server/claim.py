"""The server of a data folder, found by locks of the kernel, which no crash leaves behind.

`postgres.lock` is held during a start. `postgres.running` is held by the server itself, which inherits the
lock and so keeps it for exactly as long as one of its processes lives; its content tells other processes
where the socket is. A process id in a file could belong to anybody after a restart; a lock cannot.
"""

import fcntl
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from db.server.address import PORT, DatabaseUnavailable, user_name
from db.server.process import postmaster_status

WAIT_SECONDS = 60.0
LEAVING_SECONDS = 20.0
GRACE_SECONDS = 1.0
"""How long what is left of a killed server may take to notice by itself."""


@dataclass(frozen=True)
class Claim:
    """What the process that starts a server writes down for the others."""

    owner: int
    """The id of the process that started the server."""
    sockets: str
    """The folder of the server's socket."""


def open_lock(path: Path) -> int:
    """Open a lock file; if root makes it for another user, give it to the owner of its folder."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    folder = path.parent.stat()
    if os.geteuid() == 0 and folder.st_uid != os.fstat(descriptor).st_uid:
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


def take(descriptor: int) -> bool:
    """Take the lock if it is free, and return whether it was."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def starting(path: Path) -> Iterator[int]:
    """Make this the only process that starts a server here; yield the lock's descriptor.

    Raises `DatabaseUnavailable` where another process takes too long over it.
    """
    descriptor = open_lock(path)
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while not take(descriptor):
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"Another process has been starting the database in {path.parent} for {WAIT_SECONDS:g} "
                    "seconds; wait for it or end it."
                )
            time.sleep(0.02)
        yield descriptor
    finally:
        os.close(descriptor)


def running(descriptor: int, data: Path, ended: Path | None = None) -> Claim | None:
    """Return the server that runs on `data`, once it is ready; None if there is none, with the lock taken.

    A server whose starter died is shutting down, and is waited for. What is left of the one that had its
    socket in the folder `ended` is waited for as well, but not for long. Raises `DatabaseUnavailable` where
    there is a server that this process may not or cannot reach.
    """
    began = time.monotonic()
    deadline = began + LEAVING_SECONDS
    while not take(descriptor):
        claim = read_claim(descriptor)
        status = postmaster_status(data)
        is_ending = claim is not None and ended is not None and claim.sockets == str(ended)
        if is_ending and time.monotonic() > began + GRACE_SECONDS:
            _end_leftovers(data.with_name("postgres.running"))
        if claim is not None and not is_ending and status is not None and status[1] == "ready":
            pid = status[0]
            if _is_orphan(pid, claim):
                _tell_to_stop(pid, data)
            elif _answers(claim, data):
                return claim
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(
                f"A server runs on {data} that this process cannot reach (from another container, perhaps); "
                "stop it, or choose another folder with --data-dir."
            )
        time.sleep(0.02)
    return None


def read_claim(descriptor: int) -> Claim | None:
    """Return the claim in the file, or None if it is empty or truncated."""
    try:
        return Claim(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError):
        return None


def write_claim(descriptor: int, claim: Claim) -> None:
    """Write down who started the server and where its socket is."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(asdict(claim)).encode(), 0)


def _is_orphan(pid: int, claim: Claim) -> bool:
    if sys.platform == "linux":
        with suppress(OSError, ValueError, IndexError):
            # The second field, the name, may contain spaces and brackets; the parent is two words after it.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return int(fields[1]) != claim.owner
    try:
        os.kill(claim.owner, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _tell_to_stop(pid: int, data: Path) -> None:
    """Repeat the kernel's or the watcher's signal, in case neither sent it; only to this folder's server."""
    with suppress(OSError):
        if sys.platform == "linux" and os.readlink(f"/proc/{pid}/cwd") != str(data):
            return
        os.kill(pid, signal.SIGINT)


def _end_leftovers(lock: Path) -> None:
    """Kill the processes that still have the lock of a server whose postmaster was killed.

    A backend in the middle of a long query does not notice that, and no other server could start before its
    end. Nobody else has the file open: whoever starts a server waits for `postgres.lock` first, which this
    process holds.
    """
    if sys.platform != "linux":
        return
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            has_lock = any(os.readlink(file) == str(lock) for file in (process / "fd").iterdir())
            if has_lock and int(process.name) != os.getpid():
                os.kill(int(process.name), signal.SIGKILL)


def _answers(claim: Claim, data: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(f"{claim.sockets}/.s.PGSQL.{PORT}")
        except PermissionError as error:
            raise DatabaseUnavailable(
                f"The server on {data} was started by another user than {user_name(os.geteuid())}; "
                "start as that user, or choose another folder with --data-dir."
            ) from error
        except OSError:
            return False
    return True
