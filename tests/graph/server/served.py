"""A tiny schema of the transport's own, and a real server around it on a free loopback port."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import strawberry
import uvicorn
from graphql import GraphQLError
from starlette.applications import Starlette
from strawberry.scalars import JSON

from graph.errors import BadUserInput, Unauthenticated
from graph.server.app import build_app
from graph.server.client import ClientConnection
from graph.server.slow_clients import patience
from runtime.services import Readiness


@dataclass
class Signals:
    """What a test tells the server's thread."""

    logins_ended: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)


async def signalled(event: threading.Event) -> None:
    """Wait for a signal of another thread."""
    while not event.is_set():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


@dataclass
class TinyContext:
    """A context that knows a few tokens, and tells what became of it.

    `short-0.4` is good for 0.4 seconds, and `good-for-a-moment` until the test ends all logins.
    """

    token: str | None
    client: ClientConnection
    signals: Signals = field(default_factory=Signals)
    expires_at: datetime | None = None
    closings: int = 0
    events: int = 0

    async def viewer(self) -> str | None:
        if self.token is None:
            return None
        if self.token == "broken":
            raise RuntimeError("a secret cause")
        if self.token.startswith("short-"):
            self.expires_at = datetime.now(UTC) + timedelta(seconds=float(self.token[6:]))
        elif not self.token.startswith("good"):
            raise Unauthenticated("The token is not good.")
        return "viewer"

    async def row_counts(self) -> None:
        """Nobody's rows are known: every document is counted by its pages."""

    @contextlib.asynccontextmanager
    async def login(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        await self.viewer()
        yield self._ended

    async def _ended(self) -> None:
        if self.token != "good-for-a-moment":
            await asyncio.Event().wait()
        await signalled(self.signals.logins_ended)

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closings += 1


Info = strawberry.Info[TinyContext, None]


@strawberry.type
class Position:
    symbol: str
    quantity: int


@strawberry.type
class PositionConnection:
    nodes: list[Position]


@strawberry.type
class UserError:
    code: str
    message: str


@strawberry.type
class User:
    username: str

    @strawberry.field
    def positions(self, first: int | None = None, last: int | None = None) -> PositionConnection:
        return PositionConnection(nodes=[Position(symbol="AAPL", quantity=3)][: first or 50])

    @strawberry.field
    def friend(self) -> "User":
        return User(username="friend")


@strawberry.enum
class Side(Enum):
    BUY = "BUY"
    SELL = "SELL"


@strawberry.type
class Query:
    @strawberry.field
    async def me(self, info: Info) -> User | None:
        name = await info.context.viewer()
        return User(username=name) if name else None

    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"Hello, {name}!"

    @strawberry.field
    def context_id(self, info: Info) -> str:
        return str(id(info.context))

    @strawberry.field
    def client(self, info: Info) -> list[str | None]:
        client = info.context.client
        return [client.ip_address, client.user_agent, client.request_id]

    @strawberry.field
    def add(self, number: int, side: Side = Side.BUY) -> int:
        return number + 1

    @strawberry.field
    async def slow(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"

    @strawberry.field
    async def held(self, info: Info) -> str:
        await signalled(info.context.signals.go_on)
        return "done"

    @strawberry.field
    def crash(self) -> str | None:
        raise RuntimeError("a secret cause")

    @strawberry.field
    def uncoded(self) -> str | None:
        raise GraphQLError("a secret cause")

    @strawberry.field
    def coded(self) -> str | None:
        raise BadUserInput("Not like this.", field="name")

    @strawberry.field
    def unwritable(self) -> JSON:
        return JSON({"a secret cause"})

    @strawberry.field
    def private(self) -> str:
        raise Unauthenticated


@strawberry.input
class LoginInput:
    username: str
    password: str


@strawberry.input
class RefreshTokenInput:
    refresh_token: str


@strawberry.input
class LogoutInput:
    refresh_token: str


@strawberry.type
class AuthPayload:
    user: User | None = None
    access_token: str | None = None
    refresh_token: str | None = None
    expires_at: datetime | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class LogoutPayload:
    user_errors: list[UserError] = strawberry.field(default_factory=list)


def _logged_in(name: str, number: int) -> AuthPayload:
    expires_at = datetime.now(UTC) + timedelta(minutes=10)
    return AuthPayload(
        user=User(username=name),
        access_token=f"good-{number}",
        refresh_token=f"refresh-{number}",
        expires_at=expires_at,
    )


@strawberry.type
class Mutation:
    @strawberry.mutation
    def login(self, input: LoginInput) -> AuthPayload:
        if input.password != "secret":
            return AuthPayload(user_errors=[UserError(code="BAD_CREDENTIALS", message="Wrong password.")])
        return _logged_in(input.username, 1)

    @strawberry.mutation
    def refresh_token(self, input: RefreshTokenInput) -> AuthPayload:
        return _logged_in("viewer", int(input.refresh_token.split("-")[1]) + 1)

    @strawberry.mutation
    def logout(self, input: LogoutInput) -> LogoutPayload:
        return LogoutPayload()


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int, every: float = 0.0) -> AsyncGenerator[int, None]:
        for number in range(1, to + 1):
            await asyncio.sleep(every)
            yield number

    @strawberry.subscription
    async def flood(self, info: Info, size: int) -> AsyncGenerator[str, None]:
        while True:
            info.context.events += 1
            yield "x" * size

    @strawberry.subscription
    async def broken(self) -> AsyncGenerator[int, None]:
        yield 1
        raise RuntimeError("a secret cause")


schema = strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription)


@dataclass
class Served:
    """A running server, and every context that it opened."""

    url: str
    opened: list[TinyContext] = field(default_factory=list)
    signals: Signals = field(default_factory=Signals)

    @property
    def socket_url(self) -> str:
        return self.url.replace("http", "ws", 1) + "/graphql"


@contextlib.contextmanager
def serve(app: Starlette, **settings: Any) -> Iterator[str]:
    """Run an application on a free loopback port, in a thread of its own, and yield its address."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_config=None,
        timeout_graceful_shutdown=2,
        ws_max_size=80_000,
        **{**patience(), **settings},
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive(), "the server did not stop"


@contextlib.contextmanager
def serve_tiny(**settings: Any) -> Iterator[Served]:
    """Serve the tiny schema with the settings given."""
    opened: list[TinyContext] = []
    signals = Signals()

    def open_context(token: str | None, client: ClientConnection) -> TinyContext:
        context = TinyContext(token, client, signals)
        opened.append(context)
        return context

    async def ready() -> Readiness:
        return Readiness(True)

    app = build_app(**{"schema": schema, "open_context": open_context, "ready": ready, **settings})
    with serve(app) as url:
        yield Served(url, opened, signals)
