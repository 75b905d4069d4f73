"""Subscriptions over a real WebSocket, for tests that follow something."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.graph.conftest import Api
from tests.waiting import PATIENCE


class Stream:
    """One subscription on a socket of its own."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def message(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(seconds):
            message: dict[str, Any] = json.loads(await self.socket.recv())
            return message

    async def next(self, seconds: float = PATIENCE) -> Any:
        """The value of the one field of the next event."""
        message = await self.message(seconds)
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        (value,) = message["payload"]["data"].values()
        return value

    async def some(self, number: int) -> list[Any]:
        """The values of so many events."""
        return [await self.next() for _ in range(number)]

    async def errors(self) -> list[Any]:
        """The errors that the stream ends with."""
        message = await self.message()
        errors: list[Any] = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
        return errors

    async def is_silent(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        try:
            await self.message(seconds)
        except TimeoutError:
            return True
        return False

    async def closing(self, seconds: float = PATIENCE) -> tuple[int | None, str | None]:
        """The code and the reason that the server closes with, within so long and with no event before."""
        async with asyncio.timeout(seconds):
            try:
                while True:
                    message = json.loads(await self.socket.recv())
                    assert "data" not in message["payload"] or message["payload"]["data"] is None, message
            except ConnectionClosed:
                return self.socket.close_code, self.socket.close_reason


@asynccontextmanager
async def following(
    server: str, token: str | None, query: str, begins: bool = False, **variables: Any
) -> AsyncIterator[Stream]:
    """Follow a subscription; where it tells only of changes after its start, wait until it has `begun`."""
    url = server.replace("http://", "ws://") + "/graphql"
    async with connect(url, subprotocols=["graphql-transport-ws"], proxy=None) as socket:  # type: ignore[list-item]
        payload = {"authorization": f"Bearer {token}"} if token else {}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        asked = {"query": query, "variables": variables}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": asked}))
        if begins:
            await begun(server, token)
        yield Stream(socket)


async def begun(server: str, token: str | None) -> None:
    """Wait until a subscription that was sent before this is under way.

    Nothing says when that is; but a server that has answered so many queries since has begun it too, however
    busy the machine is.
    """
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False, verify=False) as client:
        for _ in range(20):
            await client.post(f"{server}/graphql", json={"query": "{ me { id } }"}, headers=headers)


def follow(api: Api, query: str, begins: bool = False, **variables: Any) -> Any:
    """As `following`, for a client of the tests."""
    return following(api.url, api.token, query, begins, **variables)
