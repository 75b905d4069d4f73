"""Recomputing everything that is derived from the transactions, in the database, and comparing.

It is a second implementation of the ledger on purpose: it shares no line with the one that writes. Each user
is verified on a connection of their own, so that row-level security applies here as everywhere.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from db.sessions import Connection, Sessions
from db.trading.checks import CHECKS
from db.trading.replay import REPLAY


@dataclass(frozen=True)
class Verification:
    """What was verified, how long that took in seconds, and each difference in a line."""

    users: int
    transactions: int
    seconds: float
    differences: Sequence[str]


async def verify_all(sessions: Sessions, report: Callable[[str, int, int], None]) -> Verification:
    """Verify every user's cash, positions, lots, lot uses and realised gains against the transactions."""
    start = time.monotonic()
    async with sessions.reading(None) as connection:
        users = await connection.fetch("SELECT DISTINCT user_id FROM logins ORDER BY 1")
    transactions = 0
    differences: list[str] = []
    for done, row in enumerate(users):
        report("Verifying users", done, len(users))
        async with sessions.reading(row["user_id"]) as connection:
            transactions += await _verify(connection, row["user_id"], differences)
    report("Verifying users", len(users), len(users))
    return Verification(len(users), transactions, time.monotonic() - start, differences)


async def _verify(connection: Connection, owner_id: UUID, differences: list[str]) -> int:
    # One snapshot for all checks: a trade in between would look like a difference.
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute(REPLAY)
        await connection.execute(
            f"CREATE TEMPORARY TABLE replay ON COMMIT DROP AS SELECT * FROM pg_temp.replayed('{owner_id}')"
        )
        for check in CHECKS:
            for what, id, stored, recomputed in await connection.fetch(check, owner_id):
                differences.append(
                    f"user {owner_id}: {what} {id} is {stored or 0}, its transactions and orders make it "
                    f"{recomputed or 0}"
                )
        count: int = await connection.fetchval(
            "SELECT count(*) FROM transactions WHERE owner_id = $1", owner_id
        )
        return count
