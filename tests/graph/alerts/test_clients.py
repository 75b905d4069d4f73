"""The clients of docs/clients.md, taken out of the page and run: they miss nothing, whatever is cut."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from db.alerts.writes import purge
from tests.faults.proxy import Mode, Proxy, proxied
from tests.faults.waiting import until
from tests.graph.alerts.conftest import Recipient
from tests.graph.conftest import PASSWORD

PAGE = Path(__file__).parents[3] / "docs" / "clients.md"
PACKAGES = ["graphql-ws@^6", "graphql@^16", "ws@^8"]


def example(language: str) -> str:
    """The one example of the page in this language."""
    (code,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(code)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the JavaScript example imports."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not on the path: the JavaScript client is not run")
    folder = tmp_path_factory.mktemp("client")
    (folder / "package.json").write_text("{}")
    command = [npm, "install", "--no-audit", "--no-fund", "--silent", *PACKAGES]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    return folder


@pytest.fixture(params=["python", "javascript"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, list[str]]:
    """Where the example runs, and how."""
    if request.param == "python":
        (tmp_path / "client.py").write_text(example("python"))
        return tmp_path, [sys.executable, "client.py"]
    folder: Path = request.getfixturevalue("packages")
    (folder / "alerts.cursor").unlink(missing_ok=True)
    (folder / "client.mjs").write_text(example("javascript"))
    return folder, ["node", "client.mjs"]


class Running:
    """The client's process."""

    def __init__(self, process: asyncio.subprocess.Process, seen: set[str]) -> None:
        self._process = process
        self._seen = seen

    async def lines(self, number: int) -> list[str]:
        """The next lines that it prints; what a killed one had printed and not yet stored comes again."""
        assert self._process.stdout is not None
        found: list[str] = []
        async with asyncio.timeout(40):
            while len(found) < number:
                line = (await self._process.stdout.readline()).decode().strip()
                assert line, "it has given up"
                if line not in self._seen:
                    found.append(line)
                    self._seen.add(line)
        return found


@asynccontextmanager
async def running(
    command: tuple[Path, list[str]], someone: Recipient, port: int, seen: set[str]
) -> AsyncIterator[Running]:
    """The client, until it is killed."""
    folder, words = command
    assert someone.api.username is not None
    environment = os.environ | {
        "GRAPHFOLIO_URL": f"http://127.0.0.1:{port}/graphql",
        "GRAPHFOLIO_USERNAME": someone.api.username,
        "GRAPHFOLIO_PASSWORD": PASSWORD,
    }
    process = await asyncio.create_subprocess_exec(
        *words, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Running(process, seen)
        assert process.returncode is None, "it has given up"
    finally:
        process.kill()
        await process.communicate()


async def _started(folder: Path) -> None:
    """Waits until it has a cursor: from then on it misses nothing."""
    file = folder / "alerts.cursor"

    async def has_one() -> bool:
        return file.exists() and bool(file.read_text())

    await until(has_one, 40, 0.05)


async def _cut(proxy: Proxy) -> None:
    """The line is gone, and comes back a moment later."""
    proxy.set(Mode.REFUSE)
    proxy.cut()
    await asyncio.sleep(0.5)
    proxy.set(Mode.PASS)


async def test_a_client_misses_nothing(
    recipient: Callable[[], Recipient], command: tuple[Path, list[str]]
) -> None:
    someone = await asyncio.to_thread(recipient)
    seen: set[str] = set()
    port = urlsplit(someone.api.url).port
    assert port is not None
    async with proxied(port) as proxy:
        async with running(command, someone, proxy.port, seen) as client:
            await _started(command[0])
            live = await someone.alert(2)
            assert await client.lines(2) == live
            cutting = asyncio.create_task(_cut(proxy))
            await asyncio.sleep(0.2)
            missed = await someone.alert(3)
            await cutting
            assert await client.lines(3) == missed
            live = await someone.alert()
            assert await client.lines(1) == live
        missed = await someone.alert(60)
        async with running(command, someone, proxy.port, seen) as client:
            assert await client.lines(60) == missed
        await someone.alert(2)
        async with someone.sessions.begin(someone.id) as session:
            assert await purge(session, someone.id, 0, 1_000) == 68
        kept = await someone.alert(2)
        async with running(command, someone, proxy.port, seen) as client:
            assert await client.lines(2) == kept
