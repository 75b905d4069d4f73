"""The benchmark's database: filled once for a scale and kept, so that the next run begins at once."""

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from bench.trees import plan, seeds
from bench.trees.plan import Plan
from db.schema import INI, upgrade
from db.server import database
from db.server.address import APPLICATION


@dataclass(frozen=True)
class Filled:
    """A running server with the rows of a plan."""

    url: str
    """The address for the role of the application, which every target uses."""
    superuser_url: str
    pid: int
    """The postmaster's."""

    @property
    def sockets(self) -> str:
        """Return the folder of its socket."""
        return dict(parse_qsl(urlsplit(self.url).query))["host"]


def cache_folder() -> Path:
    """Return where the database and the peers are kept between runs: not in the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "graphfolio-bench"


@contextmanager
def filled_database(folder: Path, wanted: Plan, told: Callable[[str], None]) -> Iterator[Filled]:
    """Yield the database of this plan, which is filled first if there is none.

    It is kept under a name that changes with the scale, the schema and the seeds. One of another schema is
    removed, and so is half of one that was interrupted.
    """
    name = f"database-{wanted.scale:g}-"
    data = folder / f"{name}{_fingerprint()}"
    done = data / "filled"
    for old in folder.glob(f"{name}*"):
        if (old != data or not done.exists()) and not (old / "postgres" / "postmaster.pid").exists():
            shutil.rmtree(old)
    # What is read does not depend on when the disk has it, and filling takes half as long.
    with database(None, data, durable=False) as found:
        superuser_url = found.url.replace(f"{APPLICATION}@", "postgres@")
        pid = int((data / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
        if not done.exists():
            began = time.monotonic()
            upgrade(found.owner_url)
            asyncio.run(seeds.seed(superuser_url, wanted, told))
            done.touch()
            told(f"filled in {time.monotonic() - began:.0f} s")
        yield Filled(found.url, superuser_url, pid)


def _fingerprint() -> str:
    """Return a short hash of the migrations and the seeds."""
    told = hashlib.sha256()
    migrations = sorted(Path(INI).parent.glob("migrations/versions/[0-9]*.py"))
    for path in (*migrations, Path(seeds.__file__), Path(plan.__file__)):
        told.update(path.read_bytes())
    return told.hexdigest()[:12]
