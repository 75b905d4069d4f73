"""Measure what a trade costs: 16 writers on one portfolio and on 1,000, against one hand-written statement.

    python -m bench.trades [TRADES] [ROUNDS]

The figure is the total CPU time of one trade (server process and PostgreSQL), as a multiple of `bench.limit`,
with the targets interleaved in one run on a durable PostgreSQL of its own. Every response is checked, and
`verify` runs at the end.
"""

import asyncio
import datetime as dt
import os
import platform
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graph.ids import global_id
from tests.faults.cluster import Cluster, children, free_port, running_cluster
from tests.faults.intents import Intent, Place
from tests.faults.proof import differences
from tests.faults.proxy import Proxy
from tests.faults.servers import fleet
from tests.faults.wire import Lost, Wire
from tests.faults.world import World

WRITERS = 16
TICK = os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).resolve().parents[1]
Body = Callable[[uuid.UUID], dict[str, Any]]

_PORTFOLIOS = """WITH p AS (
    INSERT INTO portfolios (owner_id, id, account_id, name, currency, margin, strategy, risk_tolerance,
                            max_position_size, rebalance_frequency, cash_balance)
    SELECT $1, gen_random_uuid(), a.id, 'Of the bench ' || n, 'USD', false, 'EQUAL_WEIGHT', 0.5, 1,
           'MONTHLY', 10000000
    FROM accounts a, generate_series(1, $2) n WHERE a.owner_id = $1
    RETURNING id, account_id
), t AS (
    INSERT INTO transactions (owner_id, id, account_id, portfolio_id, type, amount, commission, currency,
                              cash_delta, quantity_delta, executed_at)
    SELECT $1, gen_random_uuid(), account_id, id, 'DEPOSIT', 10000000, 0, 'USD', 10000000, 0,
           now() - interval '1 year' FROM p
)
SELECT id FROM p"""


@dataclass
class Target:
    """One way to trade: where requests go, what they contain, and what they have cost, in seconds of CPU."""

    name: str
    pid: int
    port: int
    token: str | None
    body: Body
    server: float = 0
    database: float = 0
    trades: int = 0
    answers: set[str] = field(default_factory=set)

    @property
    def milliseconds(self) -> float:
        """Return the CPU time of one trade."""
        return (self.server + self.database) * 1000 / self.trades


def cpu(pid: int) -> float:
    """Return the seconds of CPU that a process and its ended children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICK


def database_cpu(cluster: Cluster) -> float:
    """Return the seconds of CPU that PostgreSQL has used with all its processes."""
    return sum(cpu(pid) for pid in (cluster.pid, *children(cluster.pid)))


async def load(cluster: Cluster, target: Target, portfolios: list[uuid.UUID], trades: int) -> None:
    """Make so many trades with all writers at once, and add what they cost to the target."""
    waiting = [portfolios[n % len(portfolios)] for n in range(trades)]

    async def write() -> None:
        wire = Wire()
        while waiting:
            answer = await wire.post(target.port, target.body(waiting.pop()), target.token)
            target.answers.add(checked(answer))
        wire.close()

    before = cpu(target.pid), database_cpu(cluster)
    await asyncio.gather(*(write() for _ in range(WRITERS)))
    target.server += cpu(target.pid) - before[0]
    target.database += database_cpu(cluster) - before[1]
    target.trades += trades


def checked(answer: dict[str, Any]) -> str:
    """Return the id of the trade in a response, and fail if it has none."""
    if "id" in answer:
        assert answer["id"], answer
        return str(answer["id"])
    (payload,) = answer["data"].values()
    assert payload["userErrors"] == [], payload
    done = payload.get("transaction") or payload["order"]
    assert done.get("status", "FILLED") == "FILLED", done
    return str(done["id"])


def bodies(place: Place, symbol: str, now: Callable[[], str]) -> dict[str, Body]:
    """Return the bodies of the three ways to buy one share at 10."""

    def limit(portfolio: uuid.UUID) -> dict[str, Any]:
        given = {"portfolio": str(portfolio), "symbol": symbol, "quantity": "1", "price": "10"}
        return {**given, "key": str(uuid.uuid4())}

    def given(portfolio: uuid.UUID) -> dict[str, Any]:
        named = {"portfolioId": global_id("Portfolio", portfolio), "symbol": symbol, "quantity": "1"}
        return {**named, "idempotencyKey": str(uuid.uuid4())}

    def record(portfolio: uuid.UUID) -> dict[str, Any]:
        trade = {"type": "BUY", "price": "10", "executedAt": now()}
        return Intent(place, "recordTransaction", given(portfolio) | trade).body

    def order(portfolio: uuid.UUID) -> dict[str, Any]:
        return Intent(place, "placeOrder", given(portfolio) | {"side": "BUY"}).body

    return {"one statement": limit, "recordTransaction": record, "placeOrder": order}


async def main(cluster: Cluster, trades: int, rounds: int) -> None:
    """Run all targets on one portfolio and on 1,000, and print a table."""
    async with fleet(cluster, cluster.port, broker_timeout_seconds=30) as servers:
        world = World(cluster, servers, Proxy(0))
        place = await world.person(portfolios=1)
        (symbol,) = await world.listed(1)
        found = await cluster.rows(_PORTFOLIOS, place.user_id, 1001)
        one, *many = [row["id"] for row in found]
        # As PostgreSQL does by itself within a minute; until then its plans are guesses.
        await cluster.rows("ANALYZE")
        with Bare(cluster, place) as (process, port):
            await until_there(port)
            print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {trades} trades x {rounds}")
            print("| portfolios | | server ms | PostgreSQL ms | total | ratio |\n|---|---|---|---|---|---|")
            for portfolios in ([one], many):
                targets = []
                for name, body in bodies(place, symbol, now).items():
                    is_limit = name == "one statement"
                    pid = process.pid if is_limit else servers.servers[0].pid
                    where = port if is_limit else servers.servers[0].port
                    targets.append(Target(name, pid, where, None if is_limit else place.token, body))
                for target in targets:
                    await load(cluster, target, portfolios, 50)
                    target.server = target.database = target.trades = 0
                for _ in range(rounds):
                    for target in targets:
                        await load(cluster, target, portfolios, trades)
                for target in targets:
                    report(target, targets[0], len(portfolios))
        found_wrong = await differences(world)
        assert found_wrong == [], found_wrong[:3]


def report(target: Target, limit: Target, portfolios: int) -> None:
    """Print one line of the table."""
    assert len(target.answers) == target.trades + 50, "a response came twice"
    parts = [target.server * 1000 / target.trades, target.database * 1000 / target.trades]
    # A few trades may cost less than the resolution of the CPU clock.
    ratio = f"{target.milliseconds / limit.milliseconds:.2f}" if limit.milliseconds else "unknown"
    print(
        f"| {portfolios} | {target.name} | {parts[0]:.2f} | {parts[1]:.2f} "
        f"| {target.milliseconds:.2f} | {ratio} |",
        flush=True,
    )


def now() -> str:
    """Return this moment in the format of the API."""
    return dt.datetime.now(dt.UTC).isoformat()


class Bare:
    """The process of `bench.limit`."""

    def __init__(self, cluster: Cluster, place: Place) -> None:
        self._port = free_port()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.limit", str(self._port), str(place.user_id)],
            cwd=ROOT,
            env={**os.environ, "LIMIT_URL": cluster.url("graphfolio_app")},
        )

    def __enter__(self) -> tuple[subprocess.Popen[bytes], int]:
        return self._process, self._port

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


async def until_there(port: int) -> None:
    """Wait until the process of `bench.limit` answers."""
    for _ in range(200):
        try:
            await Wire().get(port, "/")
            return
        except Lost:
            await asyncio.sleep(0.05)
    raise TimeoutError


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    with running_cluster() as running:
        asyncio.run(main(running, *(numbers or [300, 4])))
