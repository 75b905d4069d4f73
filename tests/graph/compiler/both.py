"""One database and one login, asked both ways: with the compiler, and by the resolvers alone."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from starlette.applications import Starlette

from graph.compiler.selecting import NotCompiled
from graph.server.operations import Operations

Headers = Sequence[tuple[bytes, bytes]]


class Response(NamedTuple):
    """What a client receives."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def comparable(self) -> bytes:
        """The body, with its errors in a fixed order."""
        if b'"errors"' not in self.body:
            return self.body
        # Fields are resolved at the same time: their errors come in any order.
        answer = json.loads(self.body)
        answer["errors"] = sorted(answer.get("errors", ()), key=json.dumps)
        return json.dumps(answer).encode()


async def respond(
    app: Any, parts: Sequence[bytes], headers: Headers, *, path: str = "/graphql", method: str = "POST"
) -> Response:
    """The response of an application to a body in these parts."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": list(headers),
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    coming = [
        {"type": "http.request", "body": part, "more_body": number < len(parts) - 1}
        for number, part in enumerate(parts)
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        if not coming:
            # The client waits for its answer.
            await asyncio.Event().wait()
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(each.get("body", b"") for each in sent[1:])
    return Response(sent[0]["status"], dict(sent[0]["headers"]), body)


def _request(
    token: str | None, query: str, variables: Mapping[str, Any] | None, more: Mapping[str, Any]
) -> tuple[bytes, Headers]:
    headers = [
        (b"content-type", b"application/json"),
        (b"accept", b"application/graphql-response+json"),
        (b"x-request-id", b"one-and-the-same"),
    ]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    return json.dumps({"query": query, "variables": variables, **more}).encode(), headers


@dataclass(frozen=True)
class Both:
    """Two applications on one database."""

    compiling: Starlette
    resolving: Starlette

    async def ask(
        self, token: str | None, query: str, variables: Mapping[str, Any] | None = None, **more: Any
    ) -> tuple[Response, Response]:
        """The responses of both to the same request."""
        body, headers = _request(token, query, variables, more)
        return await respond(self.compiling, [body], headers), await respond(self.resolving, [body], headers)

    async def compiled(
        self, token: str | None, query: str, variables: Mapping[str, Any] | None = None
    ) -> Response:
        """The response of the one that compiles alone."""
        body, headers = _request(token, query, variables, {})
        return await respond(self.compiling, [body], headers)

    @property
    def operations(self) -> Operations:
        """What the one that compiles runs."""
        direct = self.compiling.direct  # type: ignore[attr-defined]
        operations: Operations = direct._operations
        return operations

    async def left(
        self, owner_id: UUID, query: str, variables: Mapping[str, Any], name: str | None = None
    ) -> str | None:
        """Why the compiler leaves an operation of a user's to the resolvers; None if it takes it."""
        compiled = self.operations.compiled
        assert compiled is not None
        rows = await compiled.services().row_counts.of(owner_id)
        try:
            plan, _ = compiled.compiler.plan_of(query, name, variables, rows)
            compiled.compiler.planner.compiled(plan, variables)
        except NotCompiled as reason:
            return str(reason)
        return None


@asynccontextmanager
async def started(*apps: Starlette) -> AsyncIterator[None]:
    """Applications between their start and their stop, on this loop."""
    if not apps:
        yield
        return
    first, *others = apps
    async with first.router.lifespan_context(first), started(*others):
        yield
