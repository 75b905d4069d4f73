"""One database, its servers, a market and people: what every test of faults happens in."""

import random
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from graph.ids import parse_global_id
from tests.faults.cluster import Cluster
from tests.faults.intents import Intent, Place
from tests.faults.proxy import Proxy
from tests.faults.servers import Fleet
from tests.faults.waiting import until
from tests.faults.wire import Lost, Wire

PASSWORD = "correct horse battery"
FAULTS = frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT"})
"""Codes after which a client tries again with the same key."""

_REGISTER = """mutation($input: RegisterInput!) { register(input: $input) {
  accessToken user { id } userErrors { message } } }"""
_UNDECIDED = "SELECT FROM orders WHERE owner_id = ANY($1) AND status IN ('PENDING', 'UNKNOWN') LIMIT 1"
_ACCOUNT = """mutation($input: CreateAccountInput!) { createAccount(input: $input) {
  account { id } userErrors { message } } }"""
_PORTFOLIO = """mutation($input: CreatePortfolioInput!) { createPortfolio(input: $input) {
  portfolio { id } userErrors { message } } }"""


@dataclass
class World:
    """The last one of the servers is led to PostgreSQL through the proxy."""

    cluster: Cluster
    fleet: Fleet
    proxy: Proxy

    async def ask(self, query: str, token: str | None = None, **variables: Any) -> Any:
        """The data of an answer that must come, from the first server."""
        wire = Wire()
        body = {"query": query, "variables": variables}
        answer = await wire.post(self.fleet.servers[0].port, body, token)
        wire.close()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def person(self, cash: str = "100000", portfolios: int = 2) -> Place:
        """A new user with an account, whose cash is shared out evenly between it and its portfolios."""
        name = f"user-{uuid.uuid4().hex[:12]}"
        given = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        made = (await self.ask(_REGISTER, input=given))["register"]
        token = made["accessToken"]
        whole = {"name": "A", "initialBalance": str(int(cash) * (portfolios + 1))}
        account = await self.ask(_ACCOUNT, token, input=whole)
        account_id = account["createAccount"]["account"]["id"]
        ids = []
        for n in range(portfolios):
            given = {
                "accountId": account_id,
                "name": f"P{n}",
                "strategy": "EQUAL_WEIGHT",
                "initialCash": cash,
            }
            made_portfolio = await self.ask(_PORTFOLIO, token, input=given)
            ids.append(made_portfolio["createPortfolio"]["portfolio"]["id"])
        return Place(token, parse_global_id(made["user"]["id"])[1], account_id, ids)

    async def listed(self, number: int, price: str = "10") -> list[str]:
        """New instruments at this price."""
        symbols = [f"F{uuid.uuid4().hex[:8].upper()}" for _ in range(number)]
        for symbol in symbols:
            await self.cluster.rows(
                "WITH i AS (INSERT INTO instruments (id, symbol, name, asset_class, currency) "
                "VALUES ($1, $2, $2, 'EQUITY', 'USD') RETURNING id) "
                "INSERT INTO quotes (instrument_id, price, as_of) SELECT id, $3::text::numeric, now() FROM i",
                uuid.uuid4(),
                symbol,
                price,
            )
        return symbols

    async def tick(self, symbol: str, price: str) -> None:
        """A new price; the servers' desks find it within a second."""
        await self.cluster.rows(
            "UPDATE quotes SET price = $2::text::numeric, as_of = clock_timestamp() "
            "WHERE instrument_id = (SELECT id FROM instruments WHERE symbol = $1)",
            symbol,
            price,
        )

    async def settled(self, users: Iterable[UUID], seconds: float = 60) -> None:
        """Waits until the desks know where every order stands.

        What a killed server had leased is due at once, in place of after its lease of 30 seconds.
        """
        owners = list(users)
        await self.cluster.rows("UPDATE order_work SET due_at = now() WHERE owner_id = ANY($1)", owners)

        async def known() -> bool:
            return await self.cluster.rows(_UNDECIDED, owners) == []

        await until(known, seconds, 0.1)


async def attempt(
    wire: Wire, port: int, intent: Intent, rng: random.Random, drop: float = 0, timeout: float = 40
) -> bool:
    """Sends an intent once, and drops the answer with this probability. Whether an answer came."""
    drop_after = rng.random() * 0.06 if rng.random() < drop else None
    try:
        answer = await wire.post(
            port, intent.body, intent.place.token, drop_after=drop_after, timeout=timeout
        )
    except Lost:
        return False
    if "errors" in answer:
        codes = {error["extensions"]["code"] for error in answer["errors"]}
        assert codes <= FAULTS, answer["errors"]
        return False
    intent.answers.append(answer["data"][intent.name])
    return True


async def insist(
    world: World, wire: Wire, intent: Intent, rng: random.Random, *, drop: float = 0, patience: float = 60
) -> None:
    """Sends it, each time to another server by chance, until an answer comes."""

    async def sent() -> bool:
        return await attempt(wire, world.fleet.any_port(rng), intent, rng, drop)

    await until(sent, patience, rng.random() * 0.05)
