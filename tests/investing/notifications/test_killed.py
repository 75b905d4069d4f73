"""Senders killed with SIGKILL in the middle: every alert arrives, and doubles have the same delivery id."""

import asyncio
import base64
import os
import random
import secrets
import subprocess
import sys
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest

from investing.auth.encryption import SecretBox
from investing.auth.keys import KeyRing
from tests.conftest import on_one_server
from tests.faults.waiting import until
from tests.investing.notifications.post import Post
from tests.investing.notifications.receivers import HttpReceiver

ROOT = Path(__file__).resolve().parents[3]
SEED = "GRAPHFOLIO_FAULTS_SEED"
LEASE = 2.0


class Processes:
    """Two senders on one database; one that is killed has a successor at once."""

    def __init__(self, url: str, keys: str) -> None:
        self._url, self._keys = url, keys
        self.running = [self.spawn(), self.spawn()]

    def spawn(self) -> "subprocess.Popen[bytes]":
        """A new one."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.investing.notifications.sending", self._url, str(LEASE)],
            cwd=ROOT,
            env={**os.environ, "KEYS": self._keys},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )

    async def begun(self, place: int) -> None:
        """Waits until it sends: killing one that only starts would prove nothing."""
        output = self.running[place].stdout
        assert output is not None
        assert await asyncio.to_thread(output.readline) == b"sending\n"

    def kill(self, place: int) -> None:
        """SIGKILL."""
        with self.running[place] as process:
            process.kill()


@on_one_server
@pytest.mark.parametrize(
    ("alerts", "kills"),
    [(40, 4), pytest.param(1_000, 200, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])],
)
async def test_every_alert_arrives(
    post: Post, receiver: HttpReceiver, app_url: str, alerts: int, kills: int
) -> None:
    seed = int(os.environ.get(SEED) or secrets.randbits(32))
    print(f"{SEED}={seed}")
    rng = random.Random(seed)
    keys = "test:" + base64.b64encode(secrets.token_bytes(32)).decode()
    post.secret_box = SecretBox(lambda: KeyRing.parse(keys))
    await post.confirmed("hook", receiver.url)
    receiver.delay = 0.05
    ids: list[UUID] = []
    processes = Processes(app_url, keys)
    try:
        async with asyncio.timeout(3000):
            for kill in range(kills):
                place = rng.randrange(2)
                await processes.begun(place)
                before = len(receiver.requests)
                # Raised only now, so that there is something to send at every kill.
                for _ in range(alerts * (kill + 1) // kills - len(ids)):
                    ids.append(await post.alert("hook"))
                # Somewhere in this handful of requests: before, in or after one, as it comes.
                await receiver.until(lambda before=before: len(receiver.requests) > before)  # type: ignore[misc]
                await asyncio.sleep(rng.random() / 10)
                processes.kill(place)
                processes.running[place] = processes.spawn()

            async def is_empty() -> bool:
                return not await post.work()

            await until(is_empty, 600, 0.1)
    finally:
        for place in range(2):
            processes.kill(place)
    deliveries = {str(row["id"]): str(row["alert_id"]) for row in await post.deliveries()}
    assert sorted(deliveries.values()) == sorted(map(str, ids))
    told = [(request.id, request.json["data"]["id"]) for request in receiver.requests]
    # At least once each, and whatever came twice came with the id of its delivery.
    assert {id: alert for id, alert in told} == deliveries
    assert set(told) == set(deliveries.items())
    assert {status for status, _, _ in await post.statuses()} == {"SENT"}
    counts = Counter(id for id, _ in told)
    attempts = {str(row["id"]): row["attempts"] for row in await post.deliveries()}
    # Each was counted before it was made, also those that a kill cut off.
    assert {id: count for id, count in counts.items() if count > attempts[id]} == {}
    doubles, cut = len(told) - alerts, sum(attempts.values()) - alerts
    print(f"{alerts} alerts, {kills} kills: {cut} attempts more than alerts, {doubles} doubles")
