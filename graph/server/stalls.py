"""Readers that stall: what they cost is bounded, and after a while they are hung up on.

An application sees nothing of it: it waits for a buffer that is never emptied, and a transport that is closed
waits for the same buffer. So uvicorn's own protocols are given a limit to their patience here.
"""

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

STALL_SECONDS = 15.0
"""How long a connection may take none of what waits for it."""
PING_SECONDS = 8.0
"""How often a WebSocket is asked whether it is there, and how long it has for an answer."""
UNSENT_BYTES = 32 * 1024
"""How much the kernel may hold beside the 64 KiB of uvicorn that fill up first."""


class _Impatient(asyncio.Protocol):
    """Hangs up on a connection whose buffer stays full, or that does not let itself be closed."""

    transport: asyncio.Transport
    _hanging_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bounds what the kernel takes: else it would hold megabytes before anybody noticed."""
        limit_unsent(transport)
        super().connection_made(transport)

    def pause_writing(self) -> None:
        """The buffer is full: from now on it has so long to become empty again."""
        super().pause_writing()
        self._hang_up_after(STALL_SECONDS)

    def resume_writing(self) -> None:
        """The reader has caught up."""
        super().resume_writing()
        self._be_patient()

    def connection_lost(self, exc: Exception | None) -> None:
        """There is nothing left to hang up on."""
        self._be_patient()
        super().connection_lost(exc)

    def _hang_up_after(self, seconds: float) -> None:
        self._be_patient()
        self._hanging_up = asyncio.get_running_loop().call_later(seconds, hang_up, self.transport)

    def _be_patient(self) -> None:
        if self._hanging_up is not None:
            self._hanging_up.cancel()
            self._hanging_up = None


class ImpatientHTTP(_Impatient, HttpToolsProtocol):
    """HTTP, and with it server-sent events."""

    def timeout_keep_alive_handler(self) -> None:
        """Nothing more is asked: what was answered has to be taken now."""
        super().timeout_keep_alive_handler()
        self._hang_up_after(STALL_SECONDS)


class ImpatientWebSocket(_Impatient, WebSocketsSansIOProtocol):
    """WebSocket."""

    async def send(self, message: Any) -> None:
        """As ever; but the client has only so long to take the end."""
        await super().send(message)
        if message["type"] == "websocket.close":
            self._hang_up_after(STALL_SECONDS)

    def keepalive_timeout(self) -> None:
        """No answer to a ping: what is still in the buffer will not be read either."""
        super().keepalive_timeout()
        hang_up(self.transport)


def hang_up(transport: asyncio.Transport) -> None:
    """Ends a connection in this moment, and leaves nothing of it to the kernel either."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def limit_unsent(transport: asyncio.BaseTransport) -> None:
    """Lets the kernel take little more than it can send; without effect where it has no such option."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    connection = transport.get_extra_info("socket")
    if (
        option is not None
        and connection is not None
        and connection.family != getattr(socket, "AF_UNIX", None)
    ):
        connection.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)


def patience() -> dict[str, Any]:
    """The settings of uvicorn that go with it.

    Messages are not compressed: that would cost every idle subscriber its own window of 20 KB or more, and
    alerts are short.
    """
    return {
        "http": ImpatientHTTP,
        "ws": ImpatientWebSocket,
        "ws_ping_interval": PING_SECONDS,
        "ws_ping_timeout": PING_SECONDS,
        "ws_per_message_deflate": False,
    }
