"""GraphQL over WebSocket: the endpoint of the protocol graphql-transport-ws, and its origin check."""

from collections.abc import Collection
from dataclasses import dataclass, field

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.http.websocket_origin import is_same_origin, normalize_origin

from graph.errors import Throttled
from graph.server.budgets import ADDRESS_FACTOR
from graph.server.client import client_of
from graph.server.operations import Operations
from graph.server.session import Session

SUBPROTOCOL = "graphql-transport-ws"


@dataclass(frozen=True)
class GraphQLOverWebSocket:
    """The WebSocket side of the endpoint, an ASGI application."""

    operations: Operations
    allowed_origins: Collection[str] = field(default_factory=frozenset)
    init_seconds: float = 10
    most_operations: int = 50
    max_message_bytes: int = 64 * 1024

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket until either side closes it."""
        socket = WebSocket(scope, receive, send)
        if not self._is_welcome(socket):
            # Closing before accepting answers the handshake with 403.
            await socket.close(1008)
            return
        if SUBPROTOCOL not in socket.scope["subprotocols"]:
            await socket.accept()
            await socket.close(4406, "Subprotocol not acceptable")
            return
        client, budgets = client_of(socket), self.operations.budgets
        session = Session(
            socket,
            self.operations,
            client,
            self.init_seconds,
            self.most_operations,
            self.max_message_bytes,
        )
        if budgets is None:
            await socket.accept(SUBPROTOCOL)
            await session.serve()
            return
        # Sockets that nobody has logged in to yet count as well, by their address.
        try:
            budgets.open_socket(client.ip_address, ADDRESS_FACTOR)
        except Throttled:
            await socket.close(1013)
            return
        try:
            await socket.accept(SUBPROTOCOL)
            await session.serve()
        finally:
            budgets.close_socket(client.ip_address)

    def _is_welcome(self, socket: WebSocket) -> bool:
        """Return whether the origin is allowed: browsers apply no CORS to a WebSocket."""
        origin = socket.headers.get("origin")
        if origin is None or is_same_origin(origin, socket.headers.get("host")):
            return True
        return "*" in self.allowed_origins or normalize_origin(origin) in self.allowed_origins
