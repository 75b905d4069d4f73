"""Transactions over plain connections: whose they are, what they hold, and that they leave nothing behind."""

import asyncio
import threading
import time
import uuid
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from db.locks import lock_portfolio
from db.sessions import Sessions, open_sessions
from db.write_batch import WriteBatch
from db.writing import Lock, RawConnection
from tests.conftest import Postgres, execute
from tests.db.test_sessions import VIEWER, end_all

NOWHERE = lock_portfolio(UUID(int=1), UUID(int=2))
INSERT = "INSERT INTO users (id, username, email, password_hash) VALUES ({}, {}, {}, '')"


@pytest.fixture
async def narrow(app_url: str) -> AsyncIterator[Sessions]:
    """One connection of each kind."""
    async with open_sessions(app_url, size=1) as opened:
        yield opened


async def viewer_of(connection: RawConnection) -> str:
    return str(await connection.fetchval(VIEWER))


async def test_each_transaction_has_its_viewer(narrow: Sessions) -> None:
    for viewer in (uuid.uuid4(), uuid.uuid4()):
        assert await narrow.write(viewer, NOWHERE, viewer_of) == str(viewer)
        async with narrow.broker_writers.begin(None) as connection:
            assert await viewer_of(connection) == ""
        async with narrow._writers.plain() as connection:
            assert await viewer_of(connection) == ""
            assert await connection.fetchval("SELECT current_user") == "graphfolio_app"


def test_a_lock_is_made_of_ids_alone() -> None:
    class Disguised(UUID):
        def __str__(self) -> str:
            return "'; DROP TABLE users; --"

        __repr__ = __str__

    id = Disguised(int=7)
    assert Lock("lock", id).sql == "EXECUTE lock ('00000000-0000-0000-0000-000000000007')"
    with pytest.raises(AttributeError):
        Lock("lock", "'; DROP TABLE users; --")  # type: ignore[arg-type]


async def add(connection: RawConnection, *users: UUID) -> None:
    """Several rows by one statement."""
    parts = WriteBatch()
    for user in users:
        parts.add(INSERT, user, str(user), str(user))
    await parts.write(connection)


async def test_an_exception_undoes_the_transaction(narrow: Sessions) -> None:
    user = uuid.uuid4()

    async def add_and_fail(connection: RawConnection) -> None:
        await add(connection, user)
        raise RuntimeError

    async def count(connection: RawConnection) -> int:
        return int(await connection.fetchval("SELECT count(*) FROM users"))

    with pytest.raises(RuntimeError):
        await narrow.write(user, NOWHERE, add_and_fail)
    assert await narrow.write(user, NOWHERE, count) == 0
    await narrow.write(user, NOWHERE, lambda connection: add(connection, user))
    assert await narrow.write(user, NOWHERE, count) == 1


async def test_one_part_that_fails_undoes_all(narrow: Sessions) -> None:
    user, other = uuid.uuid4(), uuid.uuid4()
    # The policy refuses the second.
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await narrow.write(user, NOWHERE, lambda connection: add(connection, user, other))
    async with narrow.reading(user) as reading:
        assert await reading.fetchval("SELECT count(*) FROM users") == 0


async def test_after_a_restart_of_the_server(
    narrow: Sessions, postgres: Postgres, database_name: str
) -> None:
    user = uuid.uuid4()
    for pause in (0.1, 0, 0.1):
        assert await narrow.write(user, NOWHERE, viewer_of) == str(user)
        await end_all(postgres, database_name)
        await asyncio.sleep(pause)
    assert await narrow.write(user, NOWHERE, viewer_of) == str(user)


async def test_a_connection_that_ended_unseen(
    narrow: Sessions, postgres: Postgres, database_name: str
) -> None:
    """Its end is not read yet when a transaction begins on it: nothing was done, and it begins anew."""
    user = uuid.uuid4()
    for _ in range(3):
        assert await narrow.write(user, NOWHERE, viewer_of) == str(user)
        # The loop stands still meanwhile.
        ending = threading.Thread(target=lambda: asyncio.run(end_all(postgres, database_name)))
        ending.start()
        ending.join()
        time.sleep(0.1)  # noqa: ASYNC251
    assert await narrow.write(user, NOWHERE, viewer_of) == str(user)


@pytest.mark.parametrize("again", [None, 0, 1, 2, 5])
async def test_cancelled_anywhere_it_leaves_no_transaction(
    narrow: Sessions, superuser_url: str, again: int | None
) -> None:
    """Once, or a second time while the first is being cleared up after so many turns of the loop."""
    one, other = uuid.uuid4(), uuid.uuid4()

    async def sleep(connection: RawConnection) -> None:
        await connection.execute("SELECT pg_sleep(60)")

    cut = 0
    for steps in range(24):
        writing = asyncio.ensure_future(narrow.write(one, NOWHERE, sleep))
        for _ in range(steps):
            await asyncio.sleep(0 if steps < 12 else 0.001)
        cut += writing.cancel()
        for _ in range(again or 0):
            await asyncio.sleep(0)
        if again is not None:
            writing.cancel()
        await asyncio.wait([writing])
        assert await narrow.write(other, NOWHERE, viewer_of) == str(other)
    assert cut == 24
    connection = await asyncpg.connect(superuser_url)
    idle = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' "
        "AND application_name = 'graphfolio' AND datname = current_database()"
    )
    await connection.close()
    assert idle == 0


async def test_of_two_that_wait_for_each_other_one_tries_anew(sessions: Sessions, superuser_url: str) -> None:
    users = [uuid.uuid4(), uuid.uuid4()]
    connection = await asyncpg.connect(superuser_url)
    for user in users:
        await connection.execute(
            "INSERT INTO users (id, username, email, password_hash) VALUES ($1, $2, $2, '')", user, str(user)
        )
    await connection.close()
    await execute(superuser_url, "ALTER TABLE users DISABLE ROW LEVEL SECURITY")
    tries: list[UUID] = []
    both_hold_one, one_is_done = asyncio.Barrier(2), asyncio.Event()

    async def grow(first: UUID, second: UUID) -> None:
        async def work(plain: RawConnection) -> None:
            tries.append(first)
            if len(tries) > 2:
                # The victim could be quicker than the one that waits for its row, and be it again.
                await one_is_done.wait()
            update = "UPDATE users SET full_name = username WHERE id = $1"
            await plain.execute(update, first)
            if len(tries) <= 2:
                await both_hold_one.wait()
            await plain.execute(update, second)

        await sessions.write(first, NOWHERE, work)
        one_is_done.set()

    try:
        await asyncio.gather(grow(*users), grow(*users[::-1]))
    finally:
        await execute(superuser_url, "ALTER TABLE users ENABLE ROW LEVEL SECURITY")
    assert len(tries) == 3
