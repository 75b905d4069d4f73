"""One WebSocket's session: the messages of graphql-transport-ws, and the running operations."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from graph.errors import CodedError, Throttled
from graph.server.access import log_refused
from graph.server.client import COST_HEADER, ClientConnection, bearer_token, is_on
from graph.server.errors import RequestRefused, internal
from graph.server.lifetime import LifeOver, Lifetime, watched
from graph.server.operations import Answer, Operations
from graph.server.requests import GraphQLRequest, request_from

# An answer is JSON already, and is not read back only to be written again.
NEXT = b'{"id":%b,"type":"next","payload":%b}'

CLOSE_SECONDS = 5


class Closed(Exception):
    """The session is over, with the close code that tells the client why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Session:
    """Serves one accepted WebSocket. Each operation is a task with a context of its own."""

    def __init__(
        self,
        socket: WebSocket,
        operations: Operations,
        client: ClientConnection,
        init_seconds: float,
        most_operations: int,
        max_message_bytes: int,
    ) -> None:
        self._socket = socket
        self._operations = operations
        self._client = client
        self._init_seconds = init_seconds
        self._most_operations = most_operations
        self._max_message_bytes = max_message_bytes
        self._token: str | None = None
        self._initialised = False
        self._started = 0
        self._running: dict[str, asyncio.Task[None]] = {}
        # Also those that the client has completed, whose id is free, until they have cleaned up.
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Read messages until the session ends, then end the operations that are still running."""
        try:
            async with AsyncExitStack() as stack:
                try:
                    async with asyncio.timeout(self._init_seconds):
                        life = await self._initialise(stack)
                except TimeoutError:
                    raise Closed(4408, "Connection initialisation timeout") from None
                await self._listen(life)
        except WebSocketDisconnect:
            pass
        except Closed as closed:
            log_refused(self._client, closed.code, "CLOSED")
            # First, so that nothing is sent after the end, however long that takes.
            await self._end_operations()
            await self._close(closed.code, closed.reason)
        except Exception as error:
            internal(self._client.request_id, error)
            await self._close(1011, "Internal error")
        finally:
            await self._end_operations()

    async def _listen(self, life: Lifetime) -> None:
        """Handle messages for as long as the login is valid."""
        try:
            async with life.within():
                while True:
                    await self._handle(await self._receive())
        except LifeOver as over:
            raise Closed(4403, str(over)) from None

    async def _initialise(self, stack: AsyncExitStack) -> Lifetime:
        """Wait for connection_init; return the lifetime of its login, kept on the stack."""
        while True:
            message = await self._receive()
            if message["type"] != "connection_init":
                await self._handle(message)
                continue
            payload = message.get("payload")
            if payload is not None and not isinstance(payload, dict):
                raise Closed(4400, "Invalid connection_init payload")
            payload = payload or {}
            if is_on(payload.get(COST_HEADER)):
                self._client = replace(self._client, wants_cost=True)
            try:
                self._token = bearer_token(payload.get("authorization", payload.get("Authorization")))
                watching = watched(self._operations, self._token, self._client)
                life = await stack.enter_async_context(watching)
                self._count(stack)
            except CodedError as error:
                raise Closed(4403, error.message[:100]) from None
            self._initialised = True
            await self._send({"type": "connection_ack"})
            return life

    def _count(self, stack: AsyncExitStack) -> None:
        """Count this socket among its user's, for as long as it lasts. Raise Throttled."""
        budgets, user_id = self._operations.budgets, self._operations.user_id_of(self._token)
        if budgets is not None and user_id is not None:
            budgets.open_socket(user_id)
            stack.callback(budgets.close_socket, user_id)

    async def _receive(self) -> dict[str, Any]:
        event = await self._socket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code", 1005))
        text = event.get("text")
        if text is None:
            raise Closed(4400, "A message must be text")
        data = text.encode("utf-8", "surrogatepass")
        if len(data) > self._max_message_bytes:
            raise Closed(1009, "The message is too large")
        try:
            message = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise Closed(4400, "A message must be JSON") from None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise Closed(4400, "A message must be an object with a type")
        return message

    async def _handle(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                pass
            case "subscribe":
                await self._subscribe(message)
            case "complete":
                task = self._running.pop(_id_of(message), None)
                if task is not None:
                    task.cancel()
            case "connection_init":
                raise Closed(4429, "Too many initialisation requests")
            case _:
                raise Closed(4400, "The type of the message is unknown")

    async def _subscribe(self, message: dict[str, Any]) -> None:
        if not self._initialised:
            raise Closed(4401, "Unauthorized")
        id_ = _id_of(message)
        if id_ in self._running:
            raise Closed(4409, f"Subscriber for {id_[:60]} already exists")
        try:
            operation = request_from(message.get("payload"))
        except RequestRefused as refused:
            raise Closed(4400, str(refused)) from None
        if len(self._running) >= self._most_operations:
            error = Throttled(f"One connection runs at most {self._most_operations} operations at a time.")
            await self._send({"id": id_, "type": "error", "payload": [dict(error.formatted)]})
            return
        task = asyncio.create_task(self._run(id_, operation))
        self._running[id_] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, id_: str, operation: GraphQLRequest) -> None:
        self._started += 1
        client = replace(self._client, request_id=f"{self._client.request_id}.{self._started}")
        try:
            async with aclosing(self._answers(operation, client)) as answers:
                async for answer in answers:
                    if not answer.executed:
                        self._forget(id_)
                        await self._send({"id": id_, "type": "error", "payload": answer.body["errors"]})
                        return
                    await self._send_text(NEXT % (orjson.dumps(id_), answer.encode(client.request_id)))
                    # Sending does not wait while there is room: a client that catches up on a page of events
                    # would delay all others for as long as all of them take.
                    await asyncio.sleep(0)
            self._forget(id_)
            await self._send({"id": id_, "type": "complete"})
        except WebSocketDisconnect:
            # The reader notices it too, and ends the session.
            pass
        except Exception as error:
            internal(client.request_id, error)
        finally:
            self._forget(id_)

    async def _answers(
        self, operation: GraphQLRequest, client: ClientConnection
    ) -> AsyncGenerator[Answer, None]:
        if not await self._operations.is_subscription(operation, client):
            yield await self._operations.run(operation, self._token, client)
            return
        async with aclosing(self._operations.subscribe(operation, self._token, client)) as answers:
            async for answer in answers:
                yield answer

    def _forget(self, id_: str) -> None:
        """Free an id for its next use, unless that has begun already."""
        if self._running.get(id_) is asyncio.current_task():
            del self._running[id_]

    async def _send(self, message: dict[str, Any]) -> None:
        await self._send_text(orjson.dumps(message))

    async def _send_text(self, message: bytes) -> None:
        try:
            await self._socket.send_text(message.decode())
        except RuntimeError:
            # The socket was closed by another task meanwhile.
            raise WebSocketDisconnect(1006) from None

    async def _close(self, code: int, reason: str) -> None:
        # A closing frame has room for 123 bytes.
        reason = reason.encode()[:120].decode(errors="ignore")
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
            # A client that reads nothing would delay even the end.
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._socket.close(code, reason)

    async def _end_operations(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _id_of(message: dict[str, Any]) -> str:
    id_ = message.get("id")
    if not isinstance(id_, str) or not id_:
        raise Closed(4400, "The message has no id")
    return id_
