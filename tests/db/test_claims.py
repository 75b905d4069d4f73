"""Claims of work: each piece is somebody's alone for as long as the lease, and due again afterwards."""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from db.claims import CHECKS, DELIVERIES, ORDERS, QUEUES, SCHEDULES, SPLITS, WorkQueue, claim
from db.sessions import Sessions

Queue = WorkQueue[Any]
Key = tuple[object, ...]

LEASE = 60.0
_NAMES = [queue.table for queue in QUEUES]


def keys(queue: Queue, count: int, owner_id: UUID | None = None) -> list[Key]:
    """Return keys of pieces of work, one owner's or each of an owner of its own."""
    first = [owner_id or uuid.uuid4() for _ in range(count)]
    if queue is SPLITS:
        return [(id, dt.date(2024, 5, 1)) for id in sorted(first)]
    return [(id, uuid.uuid4())[: len(queue.key)] for id in first]


async def fill(url: str, queue: Queue, work: Sequence[Key]) -> None:
    """Make this all the work of the queue, due by a second each after the other, the last one just now."""
    connection = await asyncpg.connect(url)
    try:
        # What the work is about is not asked for here.
        await connection.execute("SET session_replication_role = 'replica'")
        await connection.execute(f"DELETE FROM {queue.table}")
        columns, places = ", ".join(queue.key), ", ".join(f"${n + 2}" for n in range(len(queue.key)))
        await connection.executemany(
            f"INSERT INTO {queue.table} (due_at, {columns}) "
            f"VALUES (now() - make_interval(secs => $1::int), {places})",
            [(len(work) - n, *key) for n, key in enumerate(work)],
        )
    finally:
        await connection.close()


async def claimed(sessions: Sessions, queue: Queue, lease: float = LEASE, most: int = 10) -> list[Key]:
    return [found[: len(queue.key)] for found in await claim(sessions, queue, lease, most)]


@pytest.mark.parametrize("queue", QUEUES, ids=_NAMES)
async def test_what_is_claimed_is_nobody_elses(sessions: Sessions, superuser_url: str, queue: Queue) -> None:
    work = keys(queue, 2)
    await fill(superuser_url, queue, work)
    assert sorted(await claimed(sessions, queue)) == sorted(work)
    assert await claimed(sessions, queue) == []


@pytest.mark.parametrize("queue", QUEUES, ids=_NAMES)
async def test_what_is_being_claimed_is_left_to_whoever_claims_it(
    sessions: Sessions, superuser_url: str, queue: Queue
) -> None:
    first, second = work = keys(queue, 2)
    await fill(superuser_url, queue, work)
    other = await asyncpg.connect(superuser_url)
    try:
        async with other.transaction():
            await other.execute(f"SELECT FROM {queue.table} WHERE {queue.key[0]} = $1 FOR UPDATE", first[0])
            assert await claimed(sessions, queue) == [second]
        assert await claimed(sessions, queue) == [first]
    finally:
        await other.close()


async def test_it_is_due_again_when_the_lease_is_over(sessions: Sessions, superuser_url: str) -> None:
    work = keys(ORDERS, 1)
    await fill(superuser_url, ORDERS, work)
    assert await claimed(sessions, ORDERS, lease=0) == work
    assert await claimed(sessions, ORDERS) == work


async def test_the_oldest_comes_first(sessions: Sessions, superuser_url: str) -> None:
    work = keys(CHECKS, 3)
    await fill(superuser_url, CHECKS, work)
    assert sorted(await claimed(sessions, CHECKS, most=2)) == sorted(work[:2])
    assert await claimed(sessions, CHECKS, most=2) == work[2:]


async def test_attempts_are_counted(sessions: Sessions, superuser_url: str) -> None:
    await fill(superuser_url, SCHEDULES, keys(SCHEDULES, 1))
    (first,) = await claim(sessions, SCHEDULES, 0, 1)
    (second,) = await claim(sessions, SCHEDULES, 0, 1)
    assert (first.attempts, second.attempts) == (1, 2)
    assert (first.scheduled_at, first.drift_at) == (None, None)


async def test_owners_take_turns(sessions: Sessions, superuser_url: str) -> None:
    busy, many, one = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    work = [
        key
        for owner_id, count in ((busy, 1), (many, 3), (one, 1))
        for key in keys(DELIVERIES, count, owner_id)
    ]
    await fill(superuser_url, DELIVERIES, work)
    found = await claim(sessions, DELIVERIES, LEASE, 10, [busy])
    assert sorted(found) == sorted([work[1], work[2], work[4]])
    assert [one.owner_id for one in await claim(sessions, DELIVERIES, LEASE, 10, [busy])] == [many]
