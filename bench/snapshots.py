"""Measure how long ten years of snapshots take: all of them, and after an entry dated 2,000 days ago.

    python -m bench.snapshots [TRANSACTIONS] [ROUNDS]

Wall time on a durable PostgreSQL of its own, with 20 symbols that have a price each weekday.
"""

import asyncio
import datetime as dt
import os
import platform
import sys
import time
import uuid
from collections.abc import Awaitable
from decimal import Decimal

from db.sessions import open_sessions
from db.vocabulary import TransactionType
from investing.portfolio.snapshots import refresh
from investing.trading.recording import TransactionRequest, record_transaction
from tests.faults.cluster import Cluster, running_cluster
from tests.investing.portfolio.long_history import make_history
from tests.investing.trading.world import World


async def seconds(work: Awaitable[object]) -> float:
    """Return how many seconds the work takes."""
    started = time.perf_counter()
    await work
    return time.perf_counter() - started


async def edit(world: World, days_ago: int) -> None:
    """Record a purchase of one share so many days before the end of the history."""
    at = dt.datetime(2023, 12, 29, 15, tzinfo=dt.UTC) - dt.timedelta(days=days_ago)
    record = TransactionRequest(
        world.portfolios[0], TransactionType.BUY, world.symbol, Decimal(1), Decimal(100), None, Decimal(1),
        None, at, None,
    )  # fmt: skip
    await record_transaction(world.actor, record, str(uuid.uuid4()))


async def main(cluster: Cluster, transactions: int, rounds: int) -> None:
    """Print a table."""
    owner_url, superuser_url = cluster.url("graphfolio_owner"), cluster.url("postgres")
    async with open_sessions(cluster.url("graphfolio_app"), size=2) as sessions:
        world = await make_history(sessions, superuser_url, owner_url, transactions)
        mine = (sessions, world.actor.id, world.portfolios[0])
        print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {transactions} transactions")
        print("| | seconds |\n|---|---|")
        print(f"| the whole history | {await seconds(refresh(*mine)):.2f} |")
        for days_ago in (2000, 200, 0):
            taken = []
            for _ in range(rounds):
                entry = await seconds(edit(world, days_ago))
                taken.append((entry, await seconds(refresh(*mine))))
            entry, after = (sum(column) / rounds for column in zip(*taken, strict=True))
            print(f"| an entry of {days_ago} days ago | {entry:.2f} + {after:.2f} |", flush=True)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    with running_cluster() as running:
        asyncio.run(main(running, *(numbers or [10000, 3])))
