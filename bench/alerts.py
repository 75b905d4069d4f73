"""Measure what a tick costs while 100,000 rules wait for prices of 500 symbols.

    python -m bench.alerts [RULES] [SYMBOLS] [TICKS_A_SECOND] [SECONDS]

One process takes prices as from a feed, in batches of a twentieth of a second, saves them in a durable
PostgreSQL of its own, checks them against every rule and raises the alerts. Prices follow a random walk;
thresholds lie around them, so that some rules fire all the time. At the end the alerts of every rule are
compared, one by one, with those that its prices should have raised, and no number may be missing from any
user's sequence.
"""

import asyncio
import datetime as dt
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from bench.trades import cpu as cpu_of
from db.ids import uuid7
from db.market.ticks import Tick
from db.schema import upgrade
from db.server import database
from db.sessions import Sessions, open_sessions
from db.vocabulary import AlertKind
from investing.prices.evaluator import Evaluator
from investing.rules.alerts.conditions import Cooldown, RuleState, Threshold, step
from tests.faults.cluster import children

OWNERS = 200
BATCHES_A_SECOND = 20
CENT = Decimal("0.01")
NO_COOLDOWN = Cooldown(dt.timedelta(0))

Rule = tuple[UUID, UUID, str, Threshold]


async def main(rules: int, symbols: int, rate: int, seconds: int) -> int:
    """Print the figures; return 0 if every alert is right and no tick had to wait."""
    with tempfile.TemporaryDirectory(prefix="graphfolio-bench-") as folder:
        with database(None, Path(folder)) as found:
            await asyncio.to_thread(upgrade, found.owner_url)
            superuser_url = found.url.replace("graphfolio_app@", "postgres@")
            names, made = await _fill(superuser_url, rules, symbols)
            async with open_sessions(found.url) as sessions:
                return await _run(sessions, superuser_url, names, made, rate, seconds)


async def _run(
    sessions: Sessions,
    superuser_url: str,
    names: Sequence[str],
    made: Sequence[Rule],
    rate: int,
    seconds: int,
) -> int:
    evaluator = Evaluator(sessions, None)
    start = time.perf_counter()
    await evaluator.ready()
    await evaluator.prices.load()
    print(f"{len(evaluator.prices):,} rules loaded in {time.perf_counter() - start:.2f} s")
    keeping = asyncio.create_task(evaluator.prices.watch())
    walk = _walk(names, rate * seconds)
    lateness, at, batch = [], 0, rate // BATCHES_A_SECOND
    cpu, database_before, begun = time.process_time(), _database_cpu(), time.perf_counter()
    while at < len(walk):
        await asyncio.sleep(max(0.0, begun + (at + batch) / rate - time.perf_counter()))
        # All that have arrived meanwhile, as from a feed, so that a delay does not add up.
        until = min(len(walk), int((time.perf_counter() - begun) * rate))
        await evaluator.ingest.apply(walk[at:until])
        # Since the oldest of them arrived.
        lateness.append(time.perf_counter() - begun - at / rate)
        at = until
    took = time.perf_counter() - begun
    await evaluator.prices.drained()
    settled = time.perf_counter() - begun
    spent = time.process_time() - cpu
    database_spent = _database_cpu() - database_before
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    lateness.sort()
    p50, p99 = (1000 * lateness[int(len(lateness) * part)] for part in (0.5, 0.99))
    raised = await _raised(superuser_url)
    expected = _expected(made, walk)
    print(f"{len(walk):,} ticks in {took:.2f} s: {len(walk) / took:,.0f} a second")
    print(f"a tick is checked against its rules {p50:.0f} ms after it arrived (median), {p99:.0f} ms (99 %)")
    alerts = sum(map(len, raised.values()))
    print(f"{alerts:,} alerts, the last {1000 * (settled - took):.0f} ms after the last tick")
    print(f"{spent / took:.2f} cores in this process, {database_spent / took:.2f} in PostgreSQL")
    print(f"the machine's load was {os.getloadavg()[0]:.1f}")
    wrong = [id for id in {**raised, **expected} if raised.get(id, []) != expected.get(id, [])]
    gaps = await _gaps(superuser_url)
    print(f"{len(wrong)} rules raised other alerts than their prices should have; {gaps} numbers are missing")
    kept_up = took < seconds * 1.05
    print("kept up" if kept_up else "fell behind")
    return int(bool(wrong) or gaps > 0 or not kept_up)


def _database_cpu() -> float:
    """Return the seconds of CPU that PostgreSQL, a child of this process, has used with all its processes."""
    servers = children(os.getpid())
    return sum(cpu_of(pid) for server in servers for pid in (server, *children(server)))


def _walk(names: Sequence[str], count: int) -> list[Tick]:
    chance = random.Random(7)
    prices = dict.fromkeys(names, Decimal(100))
    start = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    ticks = []
    for at in range(count):
        name = names[at % len(names)]
        prices[name] = max(CENT, prices[name] + CENT * chance.randint(-30, 30))
        ticks.append(Tick(name, prices[name], start + dt.timedelta(microseconds=at)))
    return ticks


def _expected(made: Sequence[Rule], walk: Sequence[Tick]) -> dict[UUID, list[Decimal]]:
    """Return for each rule the prices at which it should have fired, evaluated on its own at every price."""
    histories: dict[str, list[Decimal]] = {}
    for tick in walk:
        histories.setdefault(tick.symbol, []).append(tick.price)
    expected: dict[UUID, list[Decimal]] = {}
    now = dt.datetime.now(dt.UTC)
    for _, id, symbol, threshold in made:
        state = RuleState()
        for price in histories.get(symbol, []):
            came = step(threshold, NO_COOLDOWN, state, price, now)
            state = came.state
            if came.fires:
                expected.setdefault(id, []).append(price)
    return expected


async def _fill(url: str, count: int, symbols: int) -> tuple[list[str], list[Rule]]:
    chance = random.Random(11)
    names = [f"S{at:04}" for at in range(symbols)]
    instruments = {name: uuid7() for name in names}
    owners = sorted(uuid7() for _ in range(OWNERS))
    made: list[Rule] = []
    for at in range(count):
        kind = AlertKind.PRICE_ABOVE if at % 2 else AlertKind.PRICE_BELOW
        away = Decimal(chance.randint(100, 5_000)) * CENT
        threshold = Decimal(100) + (away if kind is AlertKind.PRICE_ABOVE else -away)
        made.append(
            (owners[at % OWNERS], uuid7(), names[at % symbols], Threshold(kind, threshold, CENT * 50))
        )
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    await connection.copy_records_to_table(
        "instruments",
        records=[(id, name, name, "EQUITY", "USD") for name, id in instruments.items()],
        columns=["id", "symbol", "name", "asset_class", "currency"],
    )
    await connection.executemany(
        "INSERT INTO quotes VALUES ($1, 100, now() - interval '1 h')", [(id,) for id in instruments.values()]
    )
    await connection.copy_records_to_table(
        "users",
        records=[(id, str(id), str(id), "") for id in owners],
        columns=["id", "username", "email", "password_hash"],
    )
    await connection.copy_records_to_table(
        "alert_rules",
        records=[
            (o, id, str(id), b.kind.value, "INFO", b.level, b.hysteresis, instruments[s], 0)
            for o, id, s, b in made
        ],
        columns=[
            *("owner_id", "id", "name", "kind", "severity", "threshold", "hysteresis", "instrument_id"),
            "cooldown_seconds",
        ],
    )
    await connection.execute(
        "INSERT INTO alert_watches (owner_id, rule_id, instrument_id, kind, threshold, hysteresis) "
        "SELECT owner_id, id, instrument_id, kind, threshold, hysteresis FROM alert_rules"
    )
    await connection.execute("ANALYZE")
    await connection.close()
    return names, made


async def _raised(url: str) -> dict[UUID, list[Decimal]]:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    rows = await connection.fetch(
        "SELECT rule_id, (metrics->>'price')::numeric AS price FROM alerts ORDER BY seq"
    )
    await connection.close()
    raised: dict[UUID, list[Decimal]] = {}
    for row in rows:
        raised.setdefault(row["rule_id"], []).append(row["price"])
    return raised


async def _gaps(url: str) -> int:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    missing: int = await connection.fetchval(
        "SELECT coalesce(sum(gap), 0)::int "
        "FROM (SELECT max(seq) - count(*) AS gap FROM alerts GROUP BY owner_id) g"
    )
    await connection.close()
    return missing


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(asyncio.run(main(*(given + [100_000, 500, 1_000, 60][len(given) :]))))
