"""Measure how long the heaviest permitted operations keep everybody else waiting.

    python -m bench.loop [TRANSACTIONS]

One server process on a PostgreSQL of its own. While each operation runs, another client asks for
`{ __typename }` over and over: its longest wait is how long the event loop was blocked, or worked off what
was due at once. The server's own loop watch, set to 10 ms, says by what.
"""

import asyncio
import os
import platform
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
from graphql import get_introspection_query

from db.sessions import open_sessions
from graph.ids import global_id
from investing.auth.administration import set_password
from investing.portfolio.snapshots import refresh_due
from tests.faults.cluster import Cluster, running_cluster
from tests.faults.servers import Server, fleet
from tests.faults.wire import Wire
from tests.faults.world import PASSWORD
from tests.investing.portfolio.long_history import SYMBOLS, make_history

_LOGIN = "mutation($input: LoginInput!) { login(input: $input) { accessToken } }"
_CREATE = "mutation($input: CreatePortfolioInput!) { createPortfolio(input: $input) { portfolio { id } } }"
_IMPORT = """mutation($input: ImportTransactionsInput!) { importTransactions(input: $input) {
  okCount outcomes { line status userError { message } } userErrors { message } } }"""
_TRY = """mutation($input: TestAlertRuleInput!) { testAlertRule(input: $input) {
  days hasMore firings { date value } userErrors { message } } }"""
_FIGURES = """timeWeightedReturn moneyWeightedReturn volatility sharpeRatio sortinoRatio
  maxDrawdown { depth } contributions { gain contribution } periods { timeWeightedReturn }"""
_EXPLAIN = "explain(figure: VOLATILITY) { value subPeriods(first: 500) { nodes { date return endValue } } }"
_BARS = """INSERT INTO price_bars (instrument_id, date, close, adjusted_close)
  SELECT id, day::date, 100 + (extract(epoch from day)::bigint / 86400 * 7919) % 90,
    100 + (extract(epoch from day)::bigint / 86400 * 7919) % 90
  FROM instruments, generate_series('1987-01-05'::timestamp, '2023-12-29', '1 day') AS day
  WHERE symbol = 'LONG00' ON CONFLICT DO NOTHING"""
_QUOTES = """INSERT INTO quotes (instrument_id, price, as_of)
  SELECT id, 100, now() FROM instruments ON CONFLICT DO NOTHING"""


class Client:
    """One user's connection to the server."""

    def __init__(self, server: Server, token: str | None = None) -> None:
        self.server, self.token = server, token
        self._wire = Wire()

    async def ask(self, query: str, **variables: Any) -> Any:
        """Return the whole answer."""
        return await self._wire.post(
            self.server.port, {"query": query, "variables": variables}, self.token, timeout=180
        )

    async def data(self, query: str, **variables: Any) -> Any:
        """Return the data of an answer without errors."""
        answer = await self.ask(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]


def monster(fields: int) -> str:
    """Return a document that validation compares field by field: fragments that all reach one another."""
    parts = ["query Monster { me { ...F0 } }"]
    for n in range(fields):
        following = f"...F{n + 1}" if n + 1 < fields else ""
        names = " ".join(f"a{n}x{i}: username" for i in range(1))
        parts.append(f"fragment F{n} on User {{ {names} username id email createdAt {following} }}")
    return "\n".join(parts)


def wide() -> str:
    """Return a document with as many fields and tokens as are permitted."""
    body = " ".join(
        ["id name currency"] + ["positions(first: 1) { nodes { id symbol quantity averageCost weight } }"]
    )
    accounts = " ".join(
        f"a{n}: accounts(first: 1) {{ nodes {{ id name portfolios(first: 1) {{ nodes {{ {body} }} }} }} }}"
        for n in range(37)
    )
    return f"query Wide {{ me {{ {accounts} }} }}"


def deposits(months: int) -> Iterator[dict[str, Any]]:
    """Yield monthly purchases and the deposits that pay for them."""
    for n in range(months):
        at = f"{2004 + n // 12}-{n % 12 + 1:02}-03T15:00:00Z"
        yield {"type": "DEPOSIT", "amount": "1000", "executedAt": at}
        yield {
            "type": "BUY", "symbol": SYMBOLS[n % 20], "quantity": "5", "price": "100.5", "executedAt": at,
        }  # fmt: skip


async def _shorter(client: Client, waits: list[float]) -> None:
    while True:
        began = time.perf_counter()
        answer = await client.ask("{ __typename }")
        waits.append(time.perf_counter() - began)
        assert answer["data"], answer
        await asyncio.sleep(0.002)


def _blocked(log: str) -> tuple[int, str]:
    """Return the longest blockage in a piece of the log, in milliseconds, and by what."""
    found = [(0, "")]
    for line in log.splitlines():
        if line.startswith("{"):
            entry = orjson.loads(line)
            if "blocked_ms" in entry:
                found.append((entry["blocked_ms"], entry["by"]))
    return max(found)


async def measure(name: str, client: Client, other: Client, query: str, **variables: Any) -> None:
    """Run one operation beside a client of small ones; print a line of the table."""
    waits: list[float] = []
    seen = len(client.server.log)
    small = asyncio.create_task(_shorter(other, waits))
    await asyncio.sleep(0.1)
    began = time.perf_counter()
    answer = await client.ask(query, **variables)
    took = time.perf_counter() - began
    small.cancel()
    await asyncio.gather(small, return_exceptions=True)
    await asyncio.sleep(0.2)
    blocked, by = _blocked(client.server.log[seen:])
    size = len(orjson.dumps(answer))
    errors = answer.get("errors", [{}])[0].get("message", "")[:60]
    waits.sort()
    print(
        f"| {name} | {took * 1000:.0f} | {max(waits) * 1000:.0f} | {waits[len(waits) // 2] * 1000:.1f} | "
        f"{blocked} | {size} | {errors} {by} |",
        flush=True,
    )


@asynccontextmanager
async def _world(cluster: Cluster, transactions: int) -> AsyncIterator[tuple[Client, Client, str]]:
    owner_url, superuser_url = cluster.url("graphfolio_owner"), cluster.url("postgres")
    async with open_sessions(cluster.url("graphfolio_app"), size=2) as sessions:
        world = await make_history(sessions, superuser_url, owner_url, transactions)
        connection = await asyncpg.connect(superuser_url)
        await connection.execute(_BARS)
        await connection.execute(_QUOTES)
        await connection.execute("ANALYZE")
        name = await connection.fetchval("SELECT username FROM users WHERE id = $1", world.actor.id)
        await connection.close()
        await set_password(sessions, name, PASSWORD)
        async with fleet(
            cluster, cluster.port, loop_warning_ms=10, log_format="json", worker=False, pool_size=8
        ) as running:
            server = running.servers[0]
            given = {"username": name, "password": PASSWORD}
            token = (await Client(server).data(_LOGIN, input=given))["login"]["accessToken"]
            client = Client(server, token)
            account_id = global_id("Account", world.account_id)
            for n in range(6):
                given = {"accountId": account_id, "name": f"Monthly {n}", "initialCash": "0"}
                made = (await client.data(_CREATE, input=given))["createPortfolio"]["portfolio"]
                rows = list(deposits(239))
                key = str(uuid.uuid4())
                given = {"portfolioId": made["id"], "rows": rows, "idempotencyKey": key}
                done = await client.data(_IMPORT, input=given)
                assert done["importTransactions"]["okCount"] == len(rows), done
            await refresh_due(sessions, 1000)
            connection = await asyncpg.connect(superuser_url)
            await connection.execute("ANALYZE")
            await connection.close()
            yield client, Client(server), global_id("Portfolio", world.portfolios[0])


async def main(cluster: Cluster, transactions: int) -> None:
    """Print a table."""
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {transactions} transactions")
    print("| operation | ms | others' longest wait, ms | their median | blocked, ms | bytes | by |")
    print("|---|---|---|---|---|---|---|")
    async with _world(cluster, transactions) as (client, other, id):
        alert = {
            "name": "tried", "kind": "PRICE_ABOVE", "threshold": "150", "symbol": "LONG00", "from": "1987-01-01",
            "to": "2023-12-29", "cooldownSeconds": 0, "portfolioId": None,
        }  # fmt: skip
        weights = {**alert, "kind": "POSITION_WEIGHT", "threshold": "0.05", "symbol": None, "portfolioId": id}
        one = f'{{ node(id: "{id}") {{ ... on Portfolio {{ performance {{ %s }} }} }} }}'
        await measure("introspection", client, other, get_introspection_query())
        await measure("introspection again", client, other, get_introspection_query())
        await measure("monster of fragments", client, other, monster(35))
        await measure("the widest document", client, other, wide())
        await measure("performance of a portfolio, 10 years", client, other, one % _FIGURES)
        await measure("its explanation", client, other, one % _EXPLAIN)
        both = one % f'benchmark {{ beta }} {_EXPLAIN}'
        await measure("compared", client, other, both.replace("performance", 'performance(benchmark: "LONG00")'))
        await measure("performance of a user, 7 portfolios", client, other, f"{{ me {{ performance {{ {_FIGURES} }} }} }}")
        every = f"{{ me {{ accounts {{ nodes {{ portfolios {{ nodes {{ performance {{ {_FIGURES} }} }} }} }} }} }} }}"
        await measure("performance of each portfolio", client, other, every)
        await measure("testAlertRule, a price, 36 years", client, other, _TRY, input=alert)
        await measure("testAlertRule, daily moves", client, other, _TRY, input={**alert, "kind": "DAILY_MOVE", "threshold": "0.05"})
        await measure("testAlertRule, weights", client, other, _TRY, input=weights)
        await measure("exportTransactions", client, other, f'{{ exportTransactions(portfolioId: "{id}") }}')
        rows = list(deposits(239)) * 2
        given = {"portfolioId": id, "rows": rows, "idempotencyKey": str(uuid.uuid4())}
        await measure("importTransactions, dry, 956 rows", client, other, _IMPORT, input={**given, "dryRun": True})
        await measure("importTransactions, 956 rows", client, other, _IMPORT, input=given)
        await measure("rebalancePlan", client, other, f'{{ node(id: "{id}") {{ ... on Portfolio {{ rebalancePlan(strategy: EQUAL_WEIGHT) {{ trades {{ symbol quantity }} }} }} }} }}')
        many = " ".join(f"h{n}: priceHistory(first: 500) {{ nodes {{ date close }} }}" for n in range(10))
        await measure("prices, 10 x 500", client, other, f'{{ instrument(symbol: "LONG00") {{ {many} }} }}')


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with running_cluster() as running:
        asyncio.run(main(running, number))
