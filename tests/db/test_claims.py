"""Work that is due is claimed with a lease: nobody else takes it meanwhile, and somebody does after that."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sized

import asyncpg
import pytest

from db.alerts.portfolio_checks import claim_checks
from db.market import splits
from db.notifications import outbox
from db.portfolio import snapshots
from db.rebalancing import due, running
from db.sessions import Sessions
from db.trading import orders

LEASE = 60.0

Claim = Callable[[Sessions], Awaitable[int]]


def of_some(claim: Callable[[Sessions, float, int], Awaitable[Sized]]) -> Claim:
    """Claim at the most ten of what is due; return how many that are."""

    async def number(sessions: Sessions) -> int:
        return len(await claim(sessions, LEASE, 10))

    return number


async def a_split(sessions: Sessions) -> int:
    """Claim the split that is due; return how many that is."""
    return int(await splits.claim_work(sessions, LEASE) is not None)


DUE = """INSERT INTO {0} (owner_id, {1}, due_at)
    VALUES (gen_random_uuid(), gen_random_uuid(), now() - interval '1 s')"""
CLAIMS: dict[str, tuple[Claim, str]] = {
    "rebalance_work": (
        of_some(running.claim_work),
        DUE.format("rebalance_work", "rebalance_id"),
    ),
    "rebalance_due": (of_some(due.claim_due), DUE.format("rebalance_due", "portfolio_id")),
    "order_work": (of_some(orders.claim_work), DUE.format("order_work", "order_id")),
    "performance_work": (
        of_some(snapshots.claim_work),
        DUE.format("performance_work", "portfolio_id"),
    ),
    "delivery_work": (
        of_some(outbox.claim_work),
        DUE.format("delivery_work", "delivery_id"),
    ),
    "alert_checks": (
        of_some(claim_checks),
        "INSERT INTO alert_checks (owner_id, due_at) VALUES (gen_random_uuid(), now() - interval '1 s')",
    ),
    "split_work": (
        a_split,
        """WITH split AS (
            INSERT INTO instrument_splits (instrument_id, ex_date, quantity, split_for)
            VALUES (gen_random_uuid(), '2024-01-02', 2, 1) RETURNING *)
        INSERT INTO split_work (instrument_id, ex_date, due_at)
        SELECT instrument_id, ex_date, now() - interval '1 s' FROM split""",
    ),
}


@pytest.fixture
async def careless(superuser_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection on which no foreign key is checked: who owns the work is nothing to its claim."""
    connection = await asyncpg.connect(superuser_url, server_settings={"session_replication_role": "replica"})
    yield connection
    await connection.close()


@pytest.mark.parametrize("table", CLAIMS)
async def test_a_claim_is_a_lease(sessions: Sessions, careless: asyncpg.Connection, table: str) -> None:
    claim, is_due = CLAIMS[table]
    await careless.execute(f"DELETE FROM {table}")
    await careless.execute(is_due)
    # Several at once, and one after the other: one of them gets it.
    found = [*await asyncio.gather(claim(sessions), claim(sessions)), await claim(sessions)]
    assert sorted(found) == [0, 0, 1]
    left = f"SELECT extract(epoch FROM due_at - clock_timestamp()) FROM {table}"
    assert LEASE / 2 < await careless.fetchval(left) <= LEASE
    # Whoever had it is dead: once the lease is over, the next one gets it.
    await careless.execute(f"UPDATE {table} SET due_at = now() - interval '1 s'")
    assert await claim(sessions) == 1
