"""Passwords wait for a thread in a queue that is fair between addresses."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from argon2 import PasswordHasher

from investing.auth.attempts import TooManyAttempts
from investing.auth.passwords import Checked, Passwords, Source
from tests.waiting import PATIENCE

RIGHT = "correct horse battery"
ATTACKER, OTHER = Source("192.0.2.1"), Source("192.0.2.2")


class Gated(PasswordHasher):
    """Checks a wrong password only when the gate lets one through, and notes what it begins."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=1024, parallelism=1)
        self.gate = threading.Semaphore(0)
        self.begun: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        text = password.decode() if isinstance(password, bytes) else password
        self.begun.append(text)
        if text != RIGHT:
            assert self.gate.acquire(timeout=PATIENCE)
        return super().verify(hash, password)


@pytest.fixture
def hasher() -> Gated:
    return Gated()


@pytest.fixture
async def gated(hasher: Gated) -> AsyncIterator[Passwords]:
    passwords = Passwords(hasher, at_once=1, most_waiting=100)
    yield passwords
    hasher.gate.release(1000)
    passwords.close()


async def flood(passwords: Passwords, count: int, source: Source) -> list["asyncio.Task[Checked]"]:
    """Wrong passwords from one source: they have all put themselves into the queue when it returns."""
    tasks = [asyncio.create_task(passwords.verify(f"{source.name} {n}", None, source)) for n in range(count)]
    for task in tasks:
        # So that nobody complains of an error that no test asks for.
        task.add_done_callback(lambda one: one.cancelled() or one.exception())
    await asyncio.sleep(0)
    return tasks


async def test_a_right_password_is_checked_while_300_wrong_ones_wait(gated: Passwords, hasher: Gated) -> None:
    wrong = await flood(gated, 300, ATTACKER)
    right = asyncio.create_task(gated.verify(RIGHT, hasher.hash(RIGHT), OTHER))
    # One is being checked, a hundred wait, and the last of them has made room for the right one.
    await asyncio.wait([wrong[100]])
    refused = [task for task in wrong if task.done()]
    assert len(refused) == 200
    assert all(isinstance(task.exception(), TooManyAttempts) for task in refused)
    # The one that is being checked, one more of the attacker's, whose turn it was, and then the right one.
    hasher.gate.release(2)
    assert await right == Checked(True)
    assert hasher.begun[:3] == ["192.0.2.1 0", "192.0.2.1 1", RIGHT]
    assert sum(not task.done() for task in wrong) == 98
    hasher.gate.release(1000)
    assert await asyncio.gather(*wrong[:100]) == [Checked(False)] * 100


async def test_known_devices_have_every_second_turn(gated: Passwords, hasher: Gated) -> None:
    wrong = [task for n in range(130) for task in await flood(gated, 1, Source(f"198.51.100.{n}"))]
    known = [
        task for n in range(3) for task in await flood(gated, 1, Source(f"203.0.113.{n}", is_known=True))
    ]
    # The newcomers are refused when every place is taken by another address, but no known device is.
    assert [task.done() for task in wrong] == [False] * 101 + [True] * 29
    hasher.gate.release(1000)
    await asyncio.gather(*wrong[:101])
    assert [one.is_right for one in await asyncio.gather(*known)] == [False] * 3
    assert hasher.begun[:7] == [
        "198.51.100.0 0",
        "203.0.113.0 0",
        "198.51.100.1 0",
        "203.0.113.1 0",
        "198.51.100.2 0",
        "203.0.113.2 0",
        "198.51.100.3 0",
    ]


async def test_who_hangs_up_frees_the_place_and_not_the_thread(gated: Passwords, hasher: Gated) -> None:
    first, second, third = await flood(gated, 3, ATTACKER)
    for task in (first, second):
        task.cancel()
    await asyncio.wait([first, second])
    hasher.gate.release(2)
    assert await third == Checked(False)
    assert hasher.begun == ["192.0.2.1 0", "192.0.2.1 2"]


async def test_the_wait_is_estimated_by_what_waits(gated: Passwords, hasher: Gated) -> None:
    assert gated.seconds_to_wait == 1
    gated._seconds = 0.5
    wrong = await flood(gated, 102, ATTACKER)
    with pytest.raises(TooManyAttempts) as refused:
        await wrong[101]
    # One is being checked and a hundred wait, each for half a second.
    assert refused.value.seconds == 51
    for task in wrong:
        task.cancel()
    await asyncio.wait(wrong)


async def test_an_error_is_the_callers(gated: Passwords) -> None:
    def fail() -> None:
        raise MemoryError

    for _ in range(2):
        with pytest.raises(MemoryError):
            await gated._in_turn(fail, ATTACKER)


async def test_whoever_waits_when_it_closes_is_cancelled(hasher: Gated) -> None:
    passwords = Passwords(hasher, at_once=1)
    tasks = await flood(passwords, 3, ATTACKER)
    hasher.gate.release(3)
    passwords.close()
    await asyncio.wait(tasks)
    assert [task.cancelled() for task in tasks] == [False, True, True]
