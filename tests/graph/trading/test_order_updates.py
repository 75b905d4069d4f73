"""orderUpdates over a real WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from websockets.asyncio.client import ClientConnection, connect

from tests.graph.conftest import Api
from tests.graph.streams import begun
from tests.graph.trading.conftest import Market, Trader
from tests.waiting import PATIENCE

Make = Callable[..., Trader]
FOLLOW = """subscription($portfolio: ID) { orderUpdates(portfolioId: $portfolio) {
  id status version filledQuantity portfolio { cashBalance reservedCash } } }"""


class Stream:
    """One subscription on a socket of its own."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def next(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(seconds):
            message: dict[str, Any] = json.loads(await self._socket.recv())
            return message

    async def order(self) -> dict[str, Any]:
        """The order of the next event."""
        message = await self.next()
        assert message["type"] == "next", message
        order: dict[str, Any] = message["payload"]["data"]["orderUpdates"]
        return order

    async def until(self, status: str) -> dict[str, Any]:
        """The first event of an order that stands there; changes at once may come as one event."""
        while (order := await self.order())["status"] != status:
            assert order["status"] in ("PENDING", "ACCEPTED")
        return order

    async def is_silent(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        try:
            await self.next(seconds)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def following(
    api: Api, portfolio_id: str | None = None, *, begins: bool = True
) -> AsyncIterator[Stream]:
    url = api.url.replace("http://", "ws://") + "/graphql"
    async with connect(url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        payload = {"authorization": f"Bearer {api.token}"} if api.token else {}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        asked = {"query": FOLLOW, "variables": {"portfolio": portfolio_id}}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": asked}))
        # Only changes after the start are sent.
        if begins:
            await begun(api.url, api.token)
        yield Stream(socket)


async def test_an_order_is_told_whenever_it_changes(trader: Make, market: Market) -> None:
    def set_up() -> tuple[Trader, str]:
        someone, abc = trader(), market.list("ABC", "10")
        someone.placed(abc, quantity="1")
        return someone, abc

    someone, abc = await asyncio.to_thread(set_up)
    async with following(someone.api) as all_of_them, following(someone.api, someone.portfolio_id) as one:
        limit = {"type": "LIMIT", "quantity": "10", "limitPrice": "9", "timeInForce": "GTC"}
        order = await asyncio.to_thread(someone.placed, abc, **limit)
        for stream in (all_of_them, one):
            assert await stream.until("ACCEPTED") == {
                "id": order["id"],
                "status": "ACCEPTED",
                "version": 2,
                "filledQuantity": "0",
                "portfolio": {"cashBalance": "990", "reservedCash": "90"},
            }
        # By another process, whose notifications do not arrive here.
        await asyncio.to_thread(market.tick, abc, "8")
        assert await one.until("FILLED") == {
            "id": order["id"],
            "status": "FILLED",
            "version": 3,
            "filledQuantity": "10",
            "portfolio": {"cashBalance": "910", "reservedCash": "0"},
        }
        assert (await all_of_them.until("FILLED"))["id"] == order["id"]
        assert await one.is_silent(1.5)


async def test_nobody_is_told_of_anothers_orders(trader: Make, market: Market) -> None:
    someone, other, abc = await asyncio.to_thread(lambda: (trader(), trader(), market.list("ABC", "10")))
    async with following(other.api) as stream:
        await asyncio.to_thread(someone.placed, abc, quantity="1")
        assert await stream.is_silent(2)
    for portfolio_id in (
        someone.portfolio_id,
        "UG9ydGZvbGlvOjAxOTAwMDAwLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMA==",
    ):
        async with following(other.api, portfolio_id, begins=False) as stream:
            message = await stream.next()
            errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
            assert [(error["message"], error["extensions"]["code"]) for error in errors] == [
                ("There is no such portfolio.", "BAD_USER_INPUT")
            ]


async def test_nobody_follows_without_a_login(nobody: Api) -> None:
    async with following(nobody, begins=False) as stream:
        message = await stream.next()
        errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
        assert [error["extensions"]["code"] for error in errors] == ["UNAUTHENTICATED"]


async def test_a_user_who_is_shut_out_is_told_no_more(
    trader: Make, market: Market, superuser_url: str
) -> None:
    someone, abc = await asyncio.to_thread(lambda: (trader(), market.list("ABC", "10")))
    await asyncio.to_thread(
        lambda: someone.placed(abc, type="LIMIT", quantity="1", limitPrice="9", timeInForce="GTC")
    )
    async with following(someone.api) as stream:
        connection = await asyncpg.connect(superuser_url)
        await connection.execute(
            "UPDATE users SET is_active = false WHERE username = $1", someone.api.username
        )
        await connection.close()
        await asyncio.to_thread(market.tick, abc, "8")
        message = await stream.next()
        assert message["type"] != "next" or message["payload"]["data"] is None, message
        errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
        assert errors[0]["extensions"]["code"] == "UNAUTHENTICATED"
        if message["type"] == "next":
            assert (await stream.next())["type"] == "complete"


async def test_a_change_that_commits_late_is_told(trader: Make, market: Market, superuser_url: str) -> None:
    someone, abc = await asyncio.to_thread(lambda: (trader(), market.list("ABC", "10")))
    limit = {"type": "LIMIT", "quantity": "1", "limitPrice": "9", "timeInForce": "GTC"}
    first = await asyncio.to_thread(someone.placed, abc, **limit)
    connection = await asyncpg.connect(superuser_url)
    async with following(someone.api) as stream:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "UPDATE orders SET version = version + 1 "
            "WHERE owner_id = (SELECT id FROM users WHERE username = $1)",
            someone.api.username,
        )
        # One that begins later and commits earlier is sent first, and hides the other from no one.
        second = await asyncio.to_thread(someone.placed, abc, quantity="1")
        assert (await stream.until("FILLED"))["id"] == second["id"]
        await asyncio.sleep(2)
        await transaction.commit()
        told = await stream.order()
        assert (told["id"], told["version"]) == (first["id"], 3)
    await connection.close()
