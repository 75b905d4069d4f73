"""The direct way: a plain POST goes from the socket to its statement, or its mutation; the rest is passed on.

Whatever this does not know goes on to the application as if this were not here, body and all. What it answers
has the same bytes and headers as there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.compiler.answering import HasPlaces
from graph.compiler.selecting import NotCompiled
from graph.server.access import AccessLine
from graph.server.client import COST_HEADER, DEVICE_TOKEN, client_of, is_on, request_id_of
from graph.server.compiled import NOT_COMPILED
from graph.server.envelope import HEADERS
from graph.server.errors import RequestRefused
from graph.server.negotiation import EVENT_STREAM, GRAPHQL_JSON, JSON, negotiate
from graph.server.operations import Answer, Operations
from graph.server.requests import GraphQLRequest

_COST_HEADER = COST_HEADER.encode()
_DEVICE_TOKEN = DEVICE_TOKEN.encode()
_MOST_ACCEPTS = 64
_HEADERS = ((b"cache-control", b"no-store"), *HEADERS.items())
_CONTENT_TYPES = {
    media_type: (b"content-type", f"{media_type}; charset=utf-8".encode())
    for media_type in (JSON, GRAPHQL_JSON)
}
_JSON_TYPES = frozenset({b"application/json", b"application/json; charset=utf-8"})
_KEYS = frozenset({"query", "variables", "operationName"})


@dataclass(frozen=True, slots=True)
class _Head:
    """What the headers of a plain POST say."""

    token: bytes
    media_type: str
    wants_cost: bool


class DirectOperations:
    """An ASGI application in front of another one: answers known queries, and mutations, by itself."""

    def __init__(
        self,
        app: ASGIApp,
        operations: Operations,
        path: str,
        max_body_bytes: int,
        *,
        cross_origin: bool,
    ) -> None:
        self._app = app
        self._operations = operations
        self._path = path
        self._max_body_bytes = max_body_bytes
        self._cross_origin = cross_origin
        self._accepts: dict[bytes, str | None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http" or scope["path"] != self._path or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        head = self._head(scope["headers"])
        if head is None:
            await self._app(scope, receive, send)
            return
        message = await receive()
        body = message.get("body", b"")
        request = None
        if not message.get("more_body") and len(body) <= self._max_body_bytes:
            request = _request(body)
        if request is None:
            await self._app(scope, _again(message, receive), send)
            return
        # Whether the client is still there is not watched: one statement is all that is done for it.
        answered = await self._answer(scope, request, head)
        if answered is None:
            await self._app(scope, _again(message, receive), send)
            return
        answer, device_token = answered
        await _respond(send, answer, head.media_type, request_id_of(scope), device_token)

    def _head(self, headers: list[tuple[bytes, bytes]]) -> _Head | None:
        token, content_type, media_type, wants_cost = b"", b"", JSON, False
        for name, value in headers:
            if name == b"authorization":
                if token:
                    return None
                token = value
            elif name == b"content-type":
                if content_type:
                    return None
                content_type = value
            elif name == b"accept":
                accepted = self._accepted(value)
                if accepted is None:
                    return None
                media_type = accepted
            elif name == _COST_HEADER:
                wants_cost = is_on(value.decode("latin-1"))
            elif name == b"content-encoding" or (name == b"origin" and self._cross_origin):
                return None
        if content_type not in _JSON_TYPES or token[:7] != b"Bearer " or b" " in token[7:]:
            return None
        return _Head(token[7:], media_type, wants_cost)

    def _accepted(self, value: bytes) -> str | None:
        """Return the media type of an answer, None for one that is not given here."""
        if value not in self._accepts:
            if len(self._accepts) >= _MOST_ACCEPTS:
                self._accepts.clear()
            try:
                chosen = negotiate(value.decode("latin-1"))
            except RequestRefused:
                chosen = EVENT_STREAM
            self._accepts[value] = None if chosen == EVENT_STREAM else chosen
        return self._accepts[value]

    async def _answer(
        self, scope: Scope, request: GraphQLRequest, head: _Head
    ) -> tuple[Answer, str | None] | None:
        """Return the answer of a compiled query or of a mutation; None for a request that is passed on.

        With it goes the token by which the device of a login is to be recognised, if one was issued.
        """
        try:
            return await self._compiled(scope, request, head), None
        except HasPlaces:
            # That may take a while, in which the client may leave.
            return None
        except NotCompiled as reason:
            not_compiled = str(reason)
        if self._operations.schema.operation_of(request.query, request.operation_name)[1] == "mutation":
            # It ends even if its client leaves.
            client, token = client_of(HTTPConnection(scope)), head.token.decode("latin-1")
            answer = await self._operations.run(request, token, client, not_compiled=not_compiled)
            return answer, client.device.issued
        scope["state"][NOT_COMPILED] = not_compiled
        return None

    async def _compiled(self, scope: Scope, request: GraphQLRequest, head: _Head) -> Answer:
        request_id = request_id_of(scope)
        line = AccessLine(self._operations.schema, request, request_id)
        token, address = head.token.decode("latin-1"), scope["client"]
        visit = None
        try:
            visit = await self._operations.enter(token, address[0] if address else None)
            answer = await self._operations.run_compiled(
                request, token, None, line, wants_cost=head.wants_cost
            )
        except (HasPlaces, NotCompiled):
            raise
        except Exception as error:
            answer = self._operations.failure(error, request_id)
        finally:
            self._operations.leave(visit, line)
        line.answered(answer.status, answer.body)
        line.write(None)
        return answer


def _request(body: bytes) -> GraphQLRequest | None:
    """Return the request of a plain body; None for anything that has to be looked at more closely."""
    # U+0000, which PostgreSQL cannot store, in any of its spellings.
    if b"\\u0000" in body or b"\\u{" in body:
        return None
    try:
        payload: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if payload.__class__ is not dict or not payload.keys() <= _KEYS:
        return None
    query, variables, name = payload.get("query"), payload.get("variables"), payload.get("operationName")
    if query.__class__ is not str or not (name is None or name.__class__ is str):
        return None
    if not (variables is None or variables.__class__ is dict):
        return None
    return GraphQLRequest(query, variables, name)


def _again(message: Message, receive: Receive) -> Receive:
    """Return a `receive` that gives the message once more, and then what comes after it."""
    seen: list[Mapping[str, Any]] = [message]

    async def receive_again() -> Any:
        return seen.pop() if seen else await receive()

    return receive_again


async def _respond(
    send: Send, answer: Answer, media_type: str, request_id: str, device_token: str | None
) -> None:
    body = answer.encode(request_id)
    status = answer.status if media_type != JSON else 200
    headers = [
        _CONTENT_TYPES[media_type],
        *_HEADERS,
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id.encode()),
    ]
    if device_token is not None:
        headers.append((_DEVICE_TOKEN, device_token.encode()))
    if answer.retry_after is not None:
        headers.append((b"retry-after", b"%d" % answer.retry_after))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
