"""rebalancePortfolio and rebalanceProgress over a real server."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from websockets.asyncio.client import connect

from tests.graph.conftest import Api
from tests.graph.doing import mutate, weights
from tests.graph.trading.conftest import Market, Trader, market, nothing_differs, trader
from tests.graph.trading.test_order_updates import Stream

__all__ = ["market", "nothing_differs", "trader"]

Make = Callable[..., Trader]

REBALANCE = """mutation($input: RebalancePortfolioInput!) { rebalancePortfolio(input: $input) {
  rebalance {
    id strategy status trigger oldWeights { symbol weight } newWeights { symbol weight }
    targetWeights { symbol weight } turnover totalCost tradesExecuted
    completedAt failureReason legCount legsEnded planHash
    legs { nodes { number symbol side quantity filledQuantity status reason message instrument { symbol }
      order { id status } } totalCount }
    orders { nodes { id symbol } }
    portfolio { id cashBalance rebalances { nodes { id } } positions { nodes { symbol quantity weight } } } }
  userErrors { __typename code field message ... on PlanChanged { planned current } } } }"""

PROGRESS = """subscription($id: ID!) { rebalanceProgress(rebalanceId: $id) {
  id status legCount legsEnded legs { nodes { status filledQuantity } } } }"""


def aim(someone: Trader, targets: dict[str, str], **settings: Any) -> None:
    """Gives the portfolio target weights of its own."""
    given = {"strategy": "CUSTOM", "targetWeights": weights(targets), **settings}
    payload = mutate(someone.api, "updatePortfolio", "__typename", portfolioId=someone.portfolio_id, **given)
    assert payload["userErrors"] == []


def rebalance(someone: Trader, **given: Any) -> Any:
    """The payload of a rebalance."""
    given = {"portfolioId": someone.portfolio_id, "idempotencyKey": str(uuid.uuid4()), **given}
    return someone.api.data(REBALANCE, input=given)["rebalancePortfolio"]


def test_a_rebalance_from_preview_to_record(trader: Make, market: Market) -> None:
    someone = trader()
    a, b = sorted([market.list("AAA", "10"), market.list("BBB", "20")])
    prices = {a: 10, b: 20}
    aim(someone, {a: "0.6", b: "0.2"})
    plan = someone.api.data(
        "query($id: ID!) { node(id: $id) { ... on Portfolio { rebalancePlan { planHash } } } }",
        id=someone.portfolio_id,
    )["node"]["rebalancePlan"]
    payload = rebalance(someone, planHash=plan["planHash"])
    assert payload["userErrors"] == []
    found = payload["rebalance"]
    orders = {node["symbol"]: node["id"] for node in found["orders"].pop("nodes")}
    quantities = {a: str(600 // prices[a]), b: str(200 // prices[b])}
    assert found.pop("portfolio") == {
        "id": someone.portfolio_id,
        "cashBalance": "200",
        "rebalances": {"nodes": [{"id": found["id"]}]},
        "positions": {
            "nodes": [
                {"symbol": s, "quantity": quantities[s], "weight": w} for s, w in ((a, "0.6"), (b, "0.2"))
            ]
        },
    }
    assert found.pop("legs") == {
        "nodes": [
            {
                "number": number,
                "symbol": symbol,
                "side": "BUY",
                "quantity": quantities[symbol],
                "filledQuantity": quantities[symbol],
                "status": "FILLED",
                "reason": None,
                "message": None,
                "instrument": {"symbol": symbol},
                "order": {"id": orders[symbol], "status": "FILLED"},
            }
            for number, symbol in enumerate((a, b), 1)
        ],
        "totalCount": 2,
    }
    assert found.pop("completedAt") is not None
    assert found.pop("id")
    assert found == {
        "strategy": "CUSTOM",
        "status": "COMPLETED",
        "trigger": "MANUAL",
        "oldWeights": [],
        "newWeights": weights({a: "0.6", b: "0.2"}),
        "targetWeights": weights({a: "0.6", b: "0.2"}),
        "turnover": "0.8",
        "totalCost": "0",
        "tradesExecuted": 2,
        "failureReason": None,
        "legCount": 2,
        "legsEnded": 2,
        "planHash": plan["planHash"],
        "orders": {},
    }


def test_a_strategy_for_this_once(trader: Make, market: Market) -> None:
    someone = trader()
    a = market.list("AAA", "10")
    aim(someone, {a: "0.5"}, symbols=[a])
    found = rebalance(someone, strategy="EQUAL_WEIGHT")["rebalance"]
    assert (found["strategy"], found["targetWeights"]) == ("EQUAL_WEIGHT", weights({a: "1"}))


def test_what_is_refused(trader: Make, market: Market) -> None:
    someone = trader()
    a = market.list("AAA", "10")
    aim(someone, {a: "0.5"})
    payload = rebalance(someone, planHash="of-another-day")
    assert payload["rebalance"] is None
    (error,) = payload["userErrors"]
    assert error.pop("message")
    assert error.pop("current")
    assert error == {
        "__typename": "PlanChanged",
        "code": "PLAN_CHANGED",
        "field": ["input", "planHash"],
        "planned": "of-another-day",
    }
    payload = rebalance(someone, idempotencyKey="no-uuid")
    assert [(e["__typename"], e["field"]) for e in payload["userErrors"]] == [
        ("InvalidInput", ["input", "idempotencyKey"])
    ]
    other = trader()
    payload = rebalance(someone, portfolioId=other.portfolio_id)
    assert [(e["__typename"], e["field"]) for e in payload["userErrors"]] == [
        ("NotFound", ["input", "portfolioId"])
    ]


async def run(superuser_url: str, statement: str, *arguments: object) -> Any:
    connection = await asyncpg.connect(superuser_url)
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()


@asynccontextmanager
async def following(api: Api, id: str) -> AsyncIterator[Stream]:
    url = api.url.replace("http://", "ws://") + "/graphql"
    async with connect(url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        payload = {"authorization": f"Bearer {api.token}"} if api.token else {}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        asked = {"query": PROGRESS, "variables": {"id": id}}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": asked}))
        yield Stream(socket)


async def progress(stream: Stream) -> Any:
    """The rebalance of the next event."""
    message = await stream.next()
    assert message["type"] == "next", message
    return message["payload"]["data"]["rebalanceProgress"]


def _done(trader: Make, market: Market) -> tuple[Trader, str]:
    someone, symbol = trader(), market.list("AAA", "10")
    aim(someone, {symbol: "1"})
    return someone, rebalance(someone)["rebalance"]["id"]


async def test_one_that_has_ended_is_told_once(trader: Make, market: Market) -> None:
    someone, id = await asyncio.to_thread(_done, trader, market)
    async with following(someone.api, id) as stream:
        assert await progress(stream) == {
            "id": id,
            "status": "COMPLETED",
            "legCount": 1,
            "legsEnded": 1,
            "legs": {"nodes": [{"status": "FILLED", "filledQuantity": "100"}]},
        }
        assert (await stream.next())["type"] == "complete"


async def test_each_change_is_told_until_the_end(trader: Make, market: Market, superuser_url: str) -> None:
    someone, id = await asyncio.to_thread(_done, trader, market)
    # As if a process that nobody here knows of were still at it.
    of_theirs = "WHERE owner_id = (SELECT id FROM users WHERE username = $1)"
    who = someone.api.username
    await run(superuser_url, f"UPDATE rebalance_history SET status = 'RUNNING' {of_theirs}", who)
    await run(
        superuser_url, f"UPDATE rebalance_legs SET status = 'SUBMITTED', filled_quantity = 0 {of_theirs}", who
    )
    async with following(someone.api, id) as stream:
        first = await progress(stream)
        assert (first["status"], first["legCount"], first["legsEnded"]) == ("RUNNING", 1, 0)
        assert await stream.is_silent(1.5)
        await run(superuser_url, f"UPDATE rebalance_legs SET filled_quantity = 40 {of_theirs}", who)
        assert (await progress(stream))["legs"]["nodes"] == [{"status": "SUBMITTED", "filledQuantity": "40"}]
        await run(
            superuser_url,
            f"UPDATE rebalance_legs SET status = 'FILLED', filled_quantity = 100 {of_theirs}",
            who,
        )
        assert (await progress(stream))["legsEnded"] == 1
        await run(superuser_url, f"UPDATE rebalance_history SET status = 'COMPLETED' {of_theirs}", who)
        assert (await progress(stream))["status"] == "COMPLETED"
        assert (await stream.next())["type"] == "complete"


async def test_nobody_follows_anothers(trader: Make, market: Market) -> None:
    _, id = await asyncio.to_thread(_done, trader, market)
    other = await asyncio.to_thread(trader)
    for wanted in (id, "UmViYWxhbmNlOjAxOTAwMDAwLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMA=="):
        async with following(other.api, wanted) as stream:
            message = await stream.next()
            errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
            assert [(error["message"], error["extensions"]["code"]) for error in errors] == [
                ("There is no such rebalance.", "BAD_USER_INPUT")
            ]


async def test_who_is_shut_out_is_told_no_more(trader: Make, market: Market, superuser_url: str) -> None:
    someone, id = await asyncio.to_thread(_done, trader, market)
    who = someone.api.username
    of_theirs = "WHERE owner_id = (SELECT id FROM users WHERE username = $1)"
    await run(superuser_url, f"UPDATE rebalance_history SET status = 'RUNNING' {of_theirs}", who)
    async with following(someone.api, id) as stream:
        assert (await progress(stream))["status"] == "RUNNING"
        await run(superuser_url, "UPDATE users SET is_active = false WHERE username = $1", who)
        message = await stream.next()
        errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
        assert errors[0]["extensions"]["code"] == "UNAUTHENTICATED"
    await run(superuser_url, f"UPDATE rebalance_history SET status = 'COMPLETED' {of_theirs}", who)
