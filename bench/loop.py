"""Measure how long the heaviest permitted operations keep everybody else waiting.

    python -m bench.loop [TRANSACTIONS] [PART_OF_A_NAME]

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
from tests.faults.wire import Lost, Wire
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
_OLD = """WITH old AS (INSERT INTO instruments (id, symbol, name, asset_class, currency)
    VALUES (gen_random_uuid(), 'OLD', 'OLD', 'EQUITY', 'USD') RETURNING id)
  INSERT INTO price_bars (instrument_id, date, close, adjusted_close)
  SELECT id, day::date, close, close 
    FROM old, generate_series('1987-01-05'::timestamp, '2023-12-29', '1 day') AS day,
    LATERAL (SELECT 100 + (extract(epoch FROM day)::bigint / 86400 * 7919) % 90 AS close) AS priced
  WHERE extract(isodow FROM day) < 6"""
_QUOTES = """INSERT INTO quotes (instrument_id, price, as_of)
  SELECT id, 100, now() FROM instruments ON CONFLICT DO NOTHING"""


_DAYS = {"from": "1987-01-01", "to": "2023-12-29"}


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
        ["id name currency", "positions(first: 1) { nodes { id symbol quantity averageCost weight } }"]
    )
    accounts = " ".join(
        f"a{n}: accounts(first: 1) {{ nodes {{ id portfolios(first: 1) {{ nodes {{ {body} }} }} }} }}"
        for n in range(30)
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
    try:
        answer = await client.ask(query, **variables)
    except Lost:
        print(client.server.log[-3000:])
        raise
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
        await connection.execute(_OLD)
        await connection.execute(_QUOTES)
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
            yield client, Client(server), global_id("Portfolio", world.portfolios[0])


def cases(id: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the operations, each with its name and variables; `id` is the long portfolio's."""
    portfolio = f'{{ node(id: "{id}") {{ ... on Portfolio {{ %s }} }} }}'
    yield "introspection", get_introspection_query(), {}
    yield "introspection again", get_introspection_query(), {}
    yield "fragments within fragments", monster(35), {}
    yield "the widest document", wide(), {}
    yield "a text of 240 KB in a document", f'{{ node(id: "{"x" * 240_000}") {{ id }} }}', {}
    yield "performance of a portfolio, 10 years", portfolio % f"performance {{ {_FIGURES} }}", {}
    yield "its explanation", portfolio % f"performance {{ {_EXPLAIN} }}", {}
    compared = 'performance(benchmark: "OLD")'
    yield "compared with a benchmark", portfolio % f"{compared} {{ benchmark {{ beta }} {_EXPLAIN} }}", {}
    yield "performance of a user, 7 portfolios", f"{{ me {{ performance {{ {_FIGURES} }} }} }}", {}
    every = f"accounts {{ nodes {{ portfolios {{ nodes {{ performance {{ {_FIGURES} }} }} }} }} }}"
    yield "performance of each of 7 portfolios", f"{{ me {{ {every} }} }}", {}
    alert = {"name": "tried", "threshold": "0.05", "cooldownSeconds": 0, **_DAYS}
    price = {**alert, "kind": "PRICE_ABOVE", "threshold": "150", "symbol": "OLD"}
    yield "testAlertRule, a price, 36 years", _TRY, {"input": price}
    moves = {**alert, "kind": "DAILY_MOVE", "symbol": "OLD"}
    yield "testAlertRule, daily moves, 36 years", _TRY, {"input": moves}
    weights = {**alert, "kind": "POSITION_WEIGHT", "portfolioId": id}
    yield "testAlertRule, weights, 10 years", _TRY, {"input": weights}
    yield "testAlertRule, drawdowns", _TRY, {"input": {**alert, "kind": "DRAWDOWN"}}
    yield "exportTransactions", f'{{ exportTransactions(portfolioId: "{id}") }}', {}
    rows = list(deposits(239)) * 2
    given = {"portfolioId": id, "rows": rows, "idempotencyKey": str(uuid.uuid4())}
    bad = [{**row, "type": "SELL", "symbol": "NONE", "quantity": "1", "price": "1"} for row in rows]
    yield "importTransactions, dry, 956 rows", _IMPORT, {"input": {**given, "dryRun": True}}
    yield "importTransactions, 956 bad rows", _IMPORT, {"input": {**given, "rows": bad}}
    given["idempotencyKey"] = str(uuid.uuid4())
    yield "importTransactions, 956 rows", _IMPORT, {"input": given}
    plan = "rebalancePlan(strategy: EQUAL_WEIGHT) { trades { symbol quantity } }"
    yield "rebalancePlan", portfolio % plan, {}
    many = " ".join(f"h{n}: priceHistory(first: 500) {{ nodes {{ date close }} }}" for n in range(10))
    yield "prices, 10 x 500", f'{{ instrument(symbol: "OLD") {{ {many} }} }}', {}


async def main(cluster: Cluster, transactions: int, wanted: str) -> None:
    """Print a table."""
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {transactions} transactions")
    print("| operation | ms | others' longest wait, ms | their median | blocked, ms | bytes | by |")
    print("|---|---|---|---|---|---|---|")
    async with _world(cluster, transactions) as (client, other, id):
        for name, query, variables in cases(id):
            if wanted in name:
                await measure(name, client, other, query, **variables)


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with running_cluster() as running:
        asyncio.run(main(running, number, sys.argv[2] if len(sys.argv) > 2 else ""))
