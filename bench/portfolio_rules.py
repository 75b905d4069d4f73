"""Measure what rules on portfolios cost while prices move, and how soon a fill or a tick raises an alert.

    python -m bench.portfolio_rules [OWNERS] [SYMBOLS] [TICKS_A_SECOND] [SECONDS]

One process with a durable PostgreSQL of its own. Each owner has one portfolio that holds twenty of the
symbols, and three rules on it: its value, each weight, its cash. First nothing moves, then prices follow a
random walk. At the end every owner is checked once more: whatever that still finds was missed.
"""

import asyncio
import datetime as dt
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from bench.alerts import _database_cpu as database_cpu
from bench.alerts import _walk as walk
from db.ids import uuid7
from db.market.ticks import Tick
from db.schema import upgrade
from db.server import database
from db.sessions import Sessions, open_sessions
from db.vocabulary import AlertKind, OrderSide, OrderType, TimeInForce, Topic
from investing.actor import Actor, RequestOrigin
from investing.alerts.portfolios import check_portfolios
from investing.brokers.paper import PaperBroker
from investing.brokers.registry import Brokers
from investing.notifier import Notifier
from investing.prices.evaluator import Evaluator
from investing.rules.trading.orders import BrokerFees, OrderRequest
from investing.trading.desk import Desk
from investing.trading.placing import NewOrder, TradingConfig

HELD = 20
BATCHES_A_SECOND = 20
TRIES = 30
RULES = (
    (AlertKind.PORTFOLIO_VALUE_BELOW, "23900", "50"),
    (AlertKind.POSITION_WEIGHT, "0.0505", "0.0005"),
    (AlertKind.CASH_BELOW, "100", "0"),
)


class Alerts:
    """When alerts were committed, by owner."""

    def __init__(self) -> None:
        self.last = 0.0
        self._waiting: dict[UUID, asyncio.Future[float]] = {}

    def note(self, owner_id: UUID) -> None:
        """Note that an alert of this owner is committed."""
        self.last = time.perf_counter()
        waiting = self._waiting.pop(owner_id, None)
        if waiting is not None:
            waiting.set_result(self.last)

    def next(self, owner_id: UUID) -> "asyncio.Future[float]":
        """Return the future of the moment of the owner's next alert."""
        return self._waiting.setdefault(owner_id, asyncio.get_running_loop().create_future())


async def main(owners: int, symbols: int, rate: int, seconds: int) -> int:
    """Print the figures; return 0 if no alert was missed."""
    with tempfile.TemporaryDirectory(prefix="graphfolio-bench-") as folder:
        with database(None, Path(folder)) as found:
            await asyncio.to_thread(upgrade, found.owner_url)
            names = [f"S{at:04}" for at in range(symbols)]
            made = await _fill(found.url.replace("graphfolio_app@", "postgres@"), owners, names)
            notifier = Notifier()
            async with open_sessions(found.url, notifier=notifier) as sessions:
                return await _run(sessions, notifier, names, made, rate, seconds)


async def _run(
    sessions: Sessions,
    notifier: Notifier,
    names: Sequence[str],
    made: Sequence[tuple[UUID, UUID]],
    rate: int,
    seconds: int,
) -> int:
    brokers = Brokers({"PAPER": PaperBroker(sessions, BrokerFees())})  # type: ignore[dict-item]
    desk = Desk(sessions, TradingConfig(brokers))
    evaluator, committed = Evaluator(sessions, None), Alerts()

    notifier.follow(Topic.PORTFOLIOS, evaluator.portfolios.wake)
    notifier.follow(Topic.ALERTS, committed.note)
    running = asyncio.gather(evaluator.ticker.run(), evaluator.watch_prices(), evaluator.portfolios.run())
    # Every owner is checked for the first time.
    await asyncio.sleep(10)
    await _measured("nothing moves", seconds, asyncio.sleep(seconds))
    before = await _alerts(sessions, made)
    await _measured(f"{rate:,} ticks a second", seconds, _move(evaluator, names, rate, seconds))
    settled = time.perf_counter()
    # What is still waiting is decided meanwhile.
    await asyncio.sleep(10)
    late = max(0.0, committed.last - settled)
    alerts = await _alerts(sessions, made) - before
    print(f"{alerts:,} alerts, the last {late:.1f} s after the last tick")
    missed = sum([(await check_portfolios(sessions, owner, dt.datetime.now(dt.UTC)))[1] for owner, _ in made])
    print(f"{missed} alerts were missed")
    async with asyncio.timeout(60):
        await _soon(sessions, desk, evaluator, committed, made)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return int(missed > 0)


async def _alerts(sessions: Sessions, made: Sequence[tuple[UUID, UUID]]) -> int:
    count = 0
    for owner, _ in made:
        async with sessions.reading(owner) as connection:
            count += (
                await connection.fetchval("SELECT seq FROM alert_sequences WHERE owner_id = $1", owner) or 0
            )
    return count


async def _measured(what: str, seconds: int, work: Any) -> None:
    cpu, other, begun = time.process_time(), database_cpu(), time.perf_counter()
    await work
    took = time.perf_counter() - begun
    mine, theirs = (time.process_time() - cpu) / took, (database_cpu() - other) / took
    print(f"{what}: {mine:.2f} cores in this process, {theirs:.2f} in PostgreSQL")
    print(f"the machine's load was {os.getloadavg()[0]:.1f}")


async def _move(evaluator: Evaluator, names: Sequence[str], rate: int, seconds: int) -> None:
    ticks, at, begun = walk(names, rate * seconds), 0, time.perf_counter()
    while at < len(ticks):
        await asyncio.sleep(max(0.0, begun + (at + rate / BATCHES_A_SECOND) / rate - time.perf_counter()))
        until = min(len(ticks), int((time.perf_counter() - begun) * rate))
        await evaluator.ingest.apply(ticks[at:until])
        at = until


async def _soon(
    sessions: Sessions, desk: Desk, evaluator: Evaluator, committed: Alerts, made: Sequence[tuple[UUID, UUID]]
) -> None:
    """Print the time from placing an order, and from a price, to the commit of the alert."""
    fills, prices = [], []
    for owner, portfolio in made[:TRIES]:
        request = OrderRequest(OrderSide.BUY, OrderType.MARKET, Decimal(1), None, None, TimeInForce.DAY)
        actor = Actor(owner, sessions, RequestOrigin())
        raised_at, begun = committed.next(owner), time.perf_counter()
        await desk.place(actor, NewOrder(portfolio, "LAST", request), str(uuid7()))
        fills.append(await raised_at - begun)
    for at, (owner, _) in enumerate(made[TRIES : 2 * TRIES]):
        # Of the one owner who holds it.
        price = Tick(f"ONLY{at:02}", Decimal(1), dt.datetime.now(dt.UTC))
        raised_at, begun = committed.next(owner), time.perf_counter()
        await evaluator.ingest.apply([price])
        prices.append(await raised_at - begun)
        await asyncio.sleep(0.1)
    for what, taken in (("an order", fills), ("a price", prices)):
        median, worst = 1000 * statistics.median(taken), 1000 * max(taken)
        print(f"from {what} to its alert {median:.0f} ms (median), {worst:.0f} ms (longest of {TRIES})")


async def _fill(url: str, count: int, names: Sequence[str]) -> list[tuple[UUID, UUID]]:
    chance = random.Random(5)
    only = [f"ONLY{at:02}" for at in range(TRIES)]
    ids = {name: uuid7() for name in (*names, *only, "LAST")}
    made = sorted((uuid7(), uuid7()) for _ in range(count))
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)

    async def copy(table: str, columns: str, records: Sequence[tuple[Any, ...]]) -> None:
        await connection.copy_records_to_table(table, columns=columns.split(), records=records)

    await copy(
        "instruments",
        "id symbol name asset_class currency",
        [(id, name, name, "EQUITY", "USD") for name, id in ids.items()],
    )
    await connection.execute(
        "INSERT INTO quotes SELECT id, CASE WHEN symbol LIKE 'ONLY%' THEN 2000 ELSE 100 END, "
        "now() - interval '1 h' FROM instruments"
    )
    await copy(
        "users",
        "id username email password_hash",
        [(owner, str(owner), str(owner), "") for owner, _ in made],
    )
    await copy(
        "accounts",
        "owner_id id name broker account_type currency initial_balance unallotted_cash",
        [(owner, owner, "A", "PAPER", "CASH", "USD", 0, 0) for owner, _ in made],
    )
    await copy(
        "portfolios",
        "owner_id id account_id name currency margin strategy risk_tolerance max_position_size "
        "rebalance_frequency cash_balance",
        [
            (owner, id, owner, "P", "USD", False, "EQUAL_WEIGHT", Decimal("0.5"), 1, "MONTHLY", 150)
            for owner, id in made
        ],
    )
    held = []
    for at, (owner, id) in enumerate(made):
        symbols = chance.sample(list(names), HELD)
        is_alone = TRIES <= at < 2 * TRIES
        mine = [(ids[symbol], Decimal("11.5") if is_alone else Decimal(12)) for symbol in symbols]
        if is_alone:
            # Without it the value is below the threshold.
            mine.append((ids[only[at - TRIES]], Decimal(2)))
        held += [(owner, uuid7(), id, instrument, quantity, 1, 0) for instrument, quantity in mine]
    await copy("positions", "owner_id id portfolio_id instrument_id quantity cost_basis realized_pnl", held)
    rules = [
        (owner, uuid7(), kind.value, kind.value, "INFO", Decimal(threshold), Decimal(hysteresis), id, 0)
        for owner, id in made
        for kind, threshold, hysteresis in RULES
    ]
    await copy(
        "alert_rules",
        "owner_id id name kind severity threshold hysteresis portfolio_id cooldown_seconds",
        rules,
    )
    await connection.execute("INSERT INTO alert_checks (owner_id) SELECT id FROM users")
    await connection.execute("ANALYZE")
    await connection.close()
    return made


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(asyncio.run(main(*(given + [1_000, 500, 1_000, 30][len(given) :]))))
