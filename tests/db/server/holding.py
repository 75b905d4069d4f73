"""Real processes that hold real servers, and looking at what is left of them."""

import asyncio
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg

from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
ORDINARY = pwd.getpwnam("daemon").pw_uid
NAMELESS = 54321


class Holder:
    """One process with one server; `told` is what it printed."""

    def __init__(self, process: subprocess.Popen[str], data_dir: Path) -> None:
        self.process = process
        self.data = data_dir / "postgres"

    @property
    def told(self) -> dict[str, Any]:
        """What the process printed, waiting for it."""
        if "_told" not in self.__dict__:
            assert self.process.stdout is not None
            self._told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return self._told

    @property
    def url(self) -> str:
        """The application's address."""
        assert "error" not in self.told, self.told["error"]
        return str(self.told["url"])

    @property
    def owner_url(self) -> str:
        """The owner's address."""
        return self.url.replace("graphfolio_app@", "graphfolio_owner@")

    @property
    def superuser_url(self) -> str:
        """The superuser's address."""
        return self.url.replace("graphfolio_app@", "postgres@")

    @property
    def sockets(self) -> Path:
        """The folder of the socket."""
        return Path(parse_qs(urlsplit(self.url).query)["host"][0])

    @property
    def postmaster(self) -> int:
        """The server's process id."""
        assert self.url
        return int((self.data / "postmaster.pid").read_text().split("\n")[0])

    def kill(self) -> None:
        """End the process as a crash does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End the input and wait for the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


@contextmanager
def holding(
    data_dir: Path,
    *flags: str,
    before: Sequence[str] = (),
    python: str = sys.executable,
    user: int | None = None,
    environment: dict[str, str] | None = None,
    path: Sequence[Path] = (),
) -> Iterator[Holder]:
    """Run `holder.py`, as another user or below another command if asked."""
    packages = [*path, ROOT, *(Path(entry) for entry in sys.path if entry.endswith("site-packages"))]
    process = subprocess.Popen(
        [*before, python, str(ROOT / "tests/db/server/holder.py"), str(data_dir), *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        cwd="/",
        env={
            **os.environ,
            **(environment or {}),
            "PYTHONPATH": os.pathsep.join(map(str, packages)),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )
    try:
        yield Holder(process, data_dir)
    finally:
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    """The rows of one statement."""

    async def work() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url, timeout=PATIENCE)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(work())


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def listing(folder: Path) -> dict[str, bytes | None]:
    """Every path below `folder` with its bytes, to show that nothing has changed."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that any user may pass; pytest's own is for its user alone."""
    folder = Path(tempfile.mkdtemp(prefix="gf test "))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@cache
def python_for(user: int) -> str | None:
    """An interpreter of this version that `user` can run together with our packages, or None."""
    for candidate in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        packages = [entry for entry in sys.path if entry.endswith("site-packages")]
        code = f"import sys; sys.path[:0] = {[str(ROOT), *packages]!r}; import asyncpg, db.server.embedded"
        try:
            tried = subprocess.run(
                [candidate, "-I", "-B", "-c", code],
                user=user,
                group=user,
                extra_groups=[],
                capture_output=True,
                cwd="/",
            )
        except OSError:
            continue
        if tried.returncode == 0:
            return candidate
    return None
