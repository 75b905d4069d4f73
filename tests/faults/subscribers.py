"""Subscribers to alerts: they reconnect to any server after a fault, and remember what they were told."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from db.notifier.transport import PostgresTransport
from db.sessions import Session, Sessions, open_sessions
from db.vocabulary import AlertKind, AlertSeverity, Topic
from investing.alerts.following import BEFORE_THE_FIRST, StreamPosition
from investing.alerts.raising import NewAlert, raise_alerts
from tests.faults.cluster import Cluster
from tests.waiting import PATIENCE

FOLLOW = "subscription($after: String) { alerts(after: $after) { cursor alert { title } } }"
START = StreamPosition(BEFORE_THE_FIRST, 0).cursor


@asynccontextmanager
async def subscribed(
    port: int, token: str, query: str = FOLLOW, after: str | None = START
) -> AsyncIterator[ClientConnection]:
    """A socket with one subscription under way."""
    url = f"ws://127.0.0.1:{port}/graphql"
    async with connect(
        url,
        subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
        proxy=None,
        compression=None,
        open_timeout=PATIENCE,
        close_timeout=1,
    ) as socket:
        payload: dict[str, Any] = {"authorization": f"Bearer {token}"}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        async with asyncio.timeout(PATIENCE):
            assert json.loads(await socket.recv())["type"] == "connection_ack"
        payload = {"query": query, "variables": {"after": after}}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        yield socket


@dataclass
class Subscriber:
    """One client. `told` are the titles in the order they came, `at` when each came first."""

    user_id: UUID
    token: str
    port: Callable[[], int]
    cursor: str = START
    told: list[str] = field(default_factory=list)
    at: dict[str, float] = field(default_factory=dict)
    connections: int = 0
    socket: ClientConnection | None = None

    async def run(self) -> None:
        """Follows for ever, whatever happens to the line or the server."""
        while True:
            try:
                async with subscribed(self.port(), self.token, after=self.cursor) as self.socket:
                    self.connections += 1
                    async for text in self.socket:
                        if not self._take(json.loads(text)):
                            break
            except (OSError, WebSocketException, AssertionError):
                pass
            finally:
                self.socket = None
            await asyncio.sleep(0.02 + random.random() * 0.2)

    def cut(self) -> None:
        """Resets the line, in the middle of whatever it carries."""
        if self.socket is not None:
            self.socket.transport.abort()

    def _take(self, message: Any) -> bool:
        """Whether the stream goes on."""
        if message["type"] != "next" or message["payload"].get("errors"):
            errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
            assert errors[0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR", errors
            return False
        event = message["payload"]["data"]["alerts"]
        title = event["alert"]["title"]
        self.told.append(title)
        self.at.setdefault(title, time.monotonic())
        self.cursor = event["cursor"]
        return True


@dataclass
class Raiser:
    """Raises alerts as a worker does; one whose commit nobody answered is raised again under a new title."""

    sessions: Sessions
    line: PostgresTransport
    committed: dict[str, float] = field(default_factory=dict)
    unanswered: int = 0
    _number: int = 0

    async def alert(self, user_id: UUID, count: int = 1, message: str = "", hold: float = 0) -> None:
        """So many in one transaction, until one is answered; held open for a while once it has numbers."""
        while True:
            titles = [f"{self._number + place}" for place in range(count)]
            self._number += count
            alerts = [
                NewAlert(AlertKind.CASH_BELOW, AlertSeverity.INFO, title, message or title, {})
                for title in titles
            ]

            async def work(session: Session, alerts: Sequence[NewAlert] = alerts) -> None:
                await raise_alerts(session, user_id, alerts)
                await asyncio.sleep(hold)

            try:
                await self.sessions.transact(user_id, work)
            except Exception:
                self.unanswered += 1
                await asyncio.sleep(0.1)
                continue
            now = time.monotonic()
            self.committed.update(dict.fromkeys(titles, now))
            try:
                await self.line.publish([(user_id, Topic.ALERTS)])
            except Exception:
                self.unanswered += 1
            return


@asynccontextmanager
async def raiser(cluster: Cluster) -> AsyncIterator[Raiser]:
    """On connections of its own."""
    url = cluster.url("graphfolio_app")
    async with open_sessions(url, size=6) as sessions:
        yield Raiser(sessions, PostgresTransport(sessions, url))


@asynccontextmanager
async def running(subscribers: Sequence[Subscriber]) -> AsyncIterator[None]:
    """All of them, for as long as the block lasts."""
    tasks = [asyncio.create_task(subscriber.run()) for subscriber in subscribers]
    try:
        yield
        assert not [task for task in tasks if task.done()], "a subscriber has given up"
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        faults = [one for one in ended if not isinstance(one, asyncio.CancelledError)]
        assert faults == []
