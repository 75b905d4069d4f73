"""A sender as a part of a process: how the process ends, and what it says while its database is away."""

import asyncio
import base64
import secrets
import signal
import socket
import time
from pathlib import Path

import asyncpg
import pytest

from db.sessions import open_sessions
from db.vocabulary import DestinationKind
from investing.auth.encryption import SecretBox
from investing.auth.keys import KeyRing
from investing.notifications.sender import Sender
from tests.conftest import on_one_server
from tests.faults.waiting import until
from tests.investing.jobs.test_processes import process
from tests.investing.notifications.post import AT_ONCE, Post

# The one thing of the machine that a test cannot bring to hang: how it looks up names.
HANGING = """
import socket, time

real = socket.getaddrinfo

def hanging(host, *arguments, **named):
    if host == "hanging.example":
        time.sleep(600)
    return real(host, *arguments, **named)

socket.getaddrinfo = hanging
"""


@on_one_server
async def test_nothing_that_hangs_holds_up_the_end(
    post: Post, app_url: str, owner_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail server that takes connections and says nothing, and a name server that never answers."""
    (tmp_path / "sitecustomize.py").write_text(HANGING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    keys = f"test:{base64.b64encode(secrets.token_bytes(32)).decode()}"
    post.secret_box = SecretBox(lambda: KeyRing.parse(keys))
    await post.confirmed("mail", "holder@example.org", DestinationKind.EMAIL)
    await post.confirmed("hook", "https://hanging.example/hook")
    for _ in range(2):
        await post.alert("mail", "hook")

    async def under_way() -> bool:
        return [attempts for _, attempts, _ in await post.statuses()] == [1] * 4

    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {"smtp_host": "127.0.0.1", "smtp_port": str(silent.getsockname()[1])}
        # A `worker`: uvicorn ends `serve` with the signal itself, which joins no thread at all.
        quiet = {**settings, "log_level": "warning"}
        with process(app_url, owner_url, tmp_path, "worker", sealing_keys=keys, **quiet) as running:
            await until(under_way, 60, 0.1)
            await asyncio.sleep(0.5)
            started = time.monotonic()
            running.send_signal(signal.SIGTERM)
            output, _ = await asyncio.to_thread(running.communicate, timeout=60)
            took = time.monotonic() - started
    assert output == ""
    assert running.returncode == 0
    # 15 seconds are promised, of which requests that are under way may take 10.
    assert took < 5
    assert [status for status, _, _ in await post.statuses()] == ["PENDING"] * 4


async def test_a_database_that_is_away_is_told_once(
    app_url: str, superuser_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    def said() -> list[str]:
        return [r.getMessage() for r in caplog.records if r.name == "graphfolio.notifications"]

    async def has_said(count: int) -> None:
        async def true() -> bool:
            return len(said()) >= count

        await until(true, 30)

    superuser = await asyncpg.connect(superuser_url)
    async with open_sessions(app_url, size=2) as sessions:
        sender = Sender(sessions, SecretBox(KeyRing.generate), dict, policy=AT_ONCE)
        sending = asyncio.create_task(sender.run(0.02))
        try:
            for outage in (1, 2):
                await superuser.execute("ALTER ROLE graphfolio_app NOLOGIN")
                await superuser.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'graphfolio_app' "
                    "AND datname = current_database()"
                )
                await has_said(2 * outage - 1)
                await asyncio.sleep(0.3)
                await superuser.execute("ALTER ROLE graphfolio_app LOGIN")
                await has_said(2 * outage)
        finally:
            await superuser.execute("ALTER ROLE graphfolio_app LOGIN")
            await superuser.close()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    fails, works = said()[::2], said()[1::2]
    assert works == ["Reading the outbox works again."] * 2
    assert len(fails) == 2
    for line in fails:
        assert line.startswith("Reading the outbox does not work: ")
        assert "\n" not in line
