"""Attempts to come in are counted, over all processes, and only those that were wrong."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator

import asyncpg
import pytest

from db.auth.attempts import purge_attempts
from db.sessions import Sessions
from investing.auth.attempts import SPAN, Attempts, TooManyAttempts
from tests.faults.waiting import until
from tests.waiting import PATIENCE

WAITING = """SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock')"""
HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
async def attempts(sessions: Sessions, superuser_url: str) -> AsyncIterator[Attempts]:
    yield Attempts(sessions, 3)
    connection = await asyncpg.connect(superuser_url)
    await connection.execute("DELETE FROM login_attempts")
    await connection.close()


async def tries(attempts: Attempts, count: int, name: str, address: str | None) -> int:
    """How many of so many attempts in one moment were let in."""
    found = await asyncio.gather(
        *(attempts.login(name, address) for _ in range(count)), return_exceptions=True
    )
    refused = [one for one in found if isinstance(one, BaseException)]
    assert all(isinstance(one, TooManyAttempts) for one in refused), refused
    return count - len(refused)


async def test_one_address_has_so_many_for_one_name(attempts: Attempts, sessions: Sessions) -> None:
    assert await tries(attempts, 20, "ada", HERE) == 3
    with pytest.raises(TooManyAttempts) as refused:
        # Another process, with another count of its own.
        await Attempts(sessions, 3).login("ada", HERE)
    # A third of ten minutes until the next one.
    assert 190 < refused.value.seconds <= 200
    assert str(refused.value) == f"Too many attempts: try again in {refused.value.seconds} seconds."
    # Neither another name nor another address is any the worse for it.
    assert await tries(attempts, 20, "ben", HERE) == 3
    assert await tries(attempts, 20, "ada", THERE) == 3


async def test_one_name_has_so_many_from_anywhere(attempts: Attempts) -> None:
    found = [await tries(attempts, 4, "ada", f"192.0.2.{n}") for n in range(1, 15)]
    assert found == [3] * 10 + [0] * 4


async def test_one_address_has_so_many_for_all_names(attempts: Attempts) -> None:
    found = [await tries(attempts, 4, f"user-{n}", HERE) for n in range(14)]
    assert found == [3] * 10 + [0] * 4


async def test_who_had_to_wait_for_others_is_let_in(attempts: Attempts, superuser_url: str) -> None:
    """Whose statement begins first may come last, after two others: it is the third all the same."""
    await attempts.login("ada", HERE)
    connection = await asyncpg.connect(superuser_url)
    await connection.execute("BEGIN; SELECT FROM login_attempts FOR UPDATE")
    last = asyncio.create_task(attempts.login("ada", HERE))

    async def is_waiting() -> bool:
        return bool(await connection.fetchval(WAITING))

    await until(is_waiting, PATIENCE)
    # As two attempts leave it that have begun since.
    two = "UPDATE login_attempts SET full_until = clock_timestamp() + $1::interval * 2"
    await connection.execute(two, SPAN / 3)
    await connection.execute("COMMIT")
    await last
    await connection.close()


async def test_who_is_right_may_come_as_often_as_they_like(attempts: Attempts) -> None:
    for _ in range(50):
        attempt = await attempts.login("ada", HERE)
        await attempt.refund()
    assert await tries(attempts, 20, "ada", HERE) == 3


async def test_attempts_come_back(attempts: Attempts, superuser_url: str) -> None:
    assert await tries(attempts, 5, "ada", HERE) == 3
    connection = await asyncpg.connect(superuser_url)
    for passed, left in ((SPAN / 3, 1), (SPAN / 3 * 2, 2), (SPAN * 9, 3)):
        await connection.execute("UPDATE login_attempts SET full_until = full_until - $1::interval", passed)
        assert await tries(attempts, 5, "ada", HERE) == left
    await connection.close()


async def test_what_is_over_is_deleted(attempts: Attempts, sessions: Sessions, superuser_url: str) -> None:
    await tries(attempts, 5, "ada", HERE)
    connection = await asyncpg.connect(superuser_url)
    await purge_attempts(sessions)
    assert await connection.fetchval("SELECT count(*) FROM login_attempts") == 3
    await connection.execute("UPDATE login_attempts SET full_until = $1", dt.datetime.now(dt.UTC))
    await purge_attempts(sessions)
    assert await connection.fetchval("SELECT count(*) FROM login_attempts") == 0
    await connection.close()


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        (None, "no address", True),
    ],
)
async def test_an_address_is_what_one_client_has(
    attempts: Attempts, one: str | None, other: str, is_same: bool
) -> None:
    assert await tries(attempts, 5, "ada", one) == 3
    assert await tries(attempts, 5, "ada", other) == (0 if is_same else 3)


async def test_registrations_are_counted_by_themselves(attempts: Attempts) -> None:
    for _ in range(30):
        await attempts.registration(HERE)
    with pytest.raises(TooManyAttempts):
        await attempts.registration(HERE)
    await attempts.registration(THERE)
    await attempts.registration(None)
    assert await tries(attempts, 5, "ada", HERE) == 3


async def test_none_is_no_limit(sessions: Sessions) -> None:
    assert await tries(Attempts(sessions, 0), 200, "ada", HERE) == 200
