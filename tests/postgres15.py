"""PostgreSQL 15, the oldest version that is supported, from Debian's package where that is installed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BINARIES = Path("/usr/lib/postgresql/15/bin")
INSTALLED = (BINARIES / "initdb").exists() and (BINARIES / "postgres").exists()


@contextmanager
def postgres15() -> Iterator[str]:
    """A fresh cluster on a private socket, as `nobody` below root; yields the superuser's address.

    Nothing of it outlives the block. Raises `RuntimeError` with the server's log where it does not start.
    """
    # A short path, because a socket's may have no more than 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="gf15-", dir="/tmp"))
    data = folder / "data"
    log = folder / "log"
    server: subprocess.Popen[bytes] | None = None
    try:
        uid = gid = None
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            uid, gid = nobody.pw_uid, nobody.pw_gid
            os.chown(folder, uid, gid)
        initdb: list[str | Path] = [
            BINARIES / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "--no-sync",
            "--no-instructions",
        ]
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        groups: list[int] | None = None if uid is None else []
        with log.open("wb") as output:
            subprocess.run(
                [*initdb, *options],
                check=True,
                user=uid,
                group=gid,
                extra_groups=groups,
                stdout=output,
                stderr=output,
                cwd="/",
            )
            settings = [f"unix_socket_directories={folder}", "listen_addresses=", "fsync=off"]
            settings += ["synchronous_commit=off", "full_page_writes=off"]
            argv: list[str | Path] = [BINARIES / "postgres", "-D", data, "-p", "5432"]
            for setting in settings:
                argv += ["-c", setting]
            server = subprocess.Popen(
                argv, user=uid, group=gid, extra_groups=groups, stdout=output, stderr=output, cwd="/"
            )
        _wait(server, data, log)
        yield f"postgresql://postgres@/postgres?host={folder}&port=5432"
    finally:
        if server is not None:
            # An immediate shutdown, which also ends every backend; nothing in there is kept.
            server.send_signal(signal.SIGQUIT)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: subprocess.Popen[bytes], data: Path, log: Path) -> None:
    deadline = time.monotonic() + 60
    pid_file = data / "postmaster.pid"
    while not (pid_file.exists() and pid_file.read_text().rstrip().endswith("ready")):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL 15 did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.01)
