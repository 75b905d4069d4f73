"""Connections: whose they are, that they come back after the server's restart, and that none leaks."""

import asyncio
import uuid

import asyncpg
import pytest
from sqlalchemy import text

from db.sessions import Session, Sessions, open_sessions
from db.writing import raw_connection_of
from tests.conftest import Postgres, execute
from tests.faults.waiting import until
from tests.waiting import PATIENCE

VIEWER = "SELECT current_setting('app.user_id', true)"


async def end_all(postgres: Postgres, database_name: str) -> None:
    """Ends every connection of the server's role, as a restart would."""
    await execute(
        postgres.superuser_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{database_name}' AND application_name = 'graphfolio'",
    )


async def test_a_connection_acts_for_one_viewer_at_a_time(app_url: str) -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    async with open_sessions(app_url, size=1) as sessions:
        for viewer in (one, other, None, one, one):
            async with sessions.reading(viewer) as connection:
                assert await connection.fetchval(VIEWER) == str(viewer or "")
                assert await connection.fetchval("SELECT current_user") == "graphfolio_app"
        async with sessions.begin(other) as session:
            assert (await session.execute(text(VIEWER))).scalar_one() == str(other)
        async with sessions.begin(None) as session:
            assert (await session.execute(text(VIEWER))).scalar_one() == ""


async def test_an_exception_undoes_the_transaction(sessions: Sessions) -> None:
    user = uuid.uuid4()
    insert = text("INSERT INTO users (id, username, email, password_hash) VALUES (:id, 'a', 'a', '')")

    async def insert_and_fail() -> None:
        async with sessions.begin(user) as session:
            await session.execute(insert, {"id": user})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await insert_and_fail()
    async with sessions.reading(user) as connection:
        assert await connection.fetchval("SELECT count(*) FROM users") == 0
    async with sessions.begin(user) as session:
        await session.execute(insert, {"id": user})
    async with sessions.reading(user) as connection:
        assert await connection.fetchval("SELECT count(*) FROM users") == 1


async def test_both_doors_work_after_a_restart_of_the_server(
    sessions: Sessions, postgres: Postgres, database_name: str
) -> None:
    user = uuid.uuid4()
    for _ in range(3):
        async with sessions.reading(user) as connection:
            assert await connection.fetchval(VIEWER) == str(user)
        async with sessions.begin(user) as session:
            assert (await session.execute(text(VIEWER))).scalar_one() == str(user)
        await end_all(postgres, database_name)
        await asyncio.sleep(0.1)


async def test_a_cancelled_operation_leaves_no_viewer_and_no_transaction(
    app_url: str, superuser_url: str
) -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    async with open_sessions(app_url, size=2) as sessions:

        async def read(viewer: uuid.UUID) -> None:
            async with sessions.reading(viewer) as connection:
                await connection.fetchval("SELECT pg_sleep(0.05)")

        async def write(viewer: uuid.UUID) -> None:
            async with sessions.begin(viewer) as session:
                await session.execute(text("SELECT pg_sleep(0.05)"))

        for delay in range(20):
            tasks = [asyncio.create_task(work(one)) for work in (read, write) for _ in range(2)]
            await asyncio.sleep(delay / 400)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            async with sessions.reading(other) as connection:
                assert await connection.fetchval(VIEWER) == str(other)
        connection = await asyncpg.connect(superuser_url)

        async def all_have_ended() -> bool:
            idle_in_transaction = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'graphfolio' "
                "AND state LIKE 'idle in transaction%' AND datname = current_database()"
            )
            return bool(idle_in_transaction == 0)

        await until(all_have_ended, PATIENCE)
        await connection.close()


@pytest.mark.parametrize("is_raw", [False, True], ids=["session", "its connection"])
async def test_of_two_that_wait_for_each_other_the_one_that_is_ended_tries_anew(
    sessions: Sessions, superuser_url: str, is_raw: bool
) -> None:
    """Also where the work writes over the session's own connection, as the ledger does."""
    users = [uuid.uuid4(), uuid.uuid4()]
    for user in users:
        await execute(
            superuser_url,
            f"INSERT INTO users (id, username, email, password_hash, full_name) "
            f"VALUES ('{user}', '{user}', '{user}', '', '')",
        )
    await execute(superuser_url, "ALTER TABLE users DISABLE ROW LEVEL SECURITY")
    tries: list[uuid.UUID] = []
    both_hold_one = asyncio.Barrier(2)
    one_is_done = asyncio.Event()

    async def append(session: Session, id: uuid.UUID) -> None:
        update = "UPDATE users SET full_name = full_name || 'x' WHERE id = "
        if is_raw:
            await (await raw_connection_of(session)).execute(update + "$1", id)
        else:
            await session.execute(text(update + ":id"), {"id": id})

    async def add(first: uuid.UUID, second: uuid.UUID) -> None:
        async def work(session: Session) -> None:
            tries.append(first)
            # Without this the new try may take its row back before the other one, which has
            # waited for it, wakes: then one of them is ended once more.
            if len(tries) > 2:
                await one_is_done.wait()
            await append(session, first)
            if len(tries) <= 2:
                await both_hold_one.wait()
            await append(session, second)

        await sessions.transact(first, work)
        one_is_done.set()

    try:
        await asyncio.gather(add(*users), add(*users[::-1]))
    finally:
        await execute(superuser_url, "ALTER TABLE users ENABLE ROW LEVEL SECURITY")
    assert len(tries) == 3
    connection = await asyncpg.connect(superuser_url)
    counted = await connection.fetch("SELECT full_name FROM users WHERE id = ANY($1)", users)
    await connection.close()
    assert [row["full_name"] for row in counted] == ["xx", "xx"]
