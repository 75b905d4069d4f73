"""Bound the cost of readers that stall, and disconnect them after a while.

An application does not notice them: it waits for a buffer that is never emptied, and a transport that is
closed waits for the same buffer. So uvicorn's own protocols are given a time limit here.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

STALL_SECONDS = 20.0
"""How long a connection may read nothing of what waits for it, in seconds."""
LOOKS = 5
"""How often it is checked within that time."""
PING_SECONDS = 10.0
"""How often a WebSocket is pinged, and how long it has to answer, in seconds."""
REQUEST_SECONDS = 30.0
"""How long a request may take to arrive, headers and body, in seconds."""
_REQUEST_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
UNSENT_BYTES = 32 * 1024
"""How many unsent bytes the kernel may hold."""
WAITING_BYTES = 16 * 1024
"""How many more bytes may wait before nothing more is produced for this connection."""


class StallTimeout(asyncio.Protocol):
    """Disconnects a connection that reads nothing of what waits for it, or that cannot be closed."""

    transport: asyncio.Transport
    _looking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound the buffers: else the kernel alone would take megabytes before anybody noticed."""
        super().connection_made(transport)
        limit_unsent(transport)
        self.transport.set_write_buffer_limits(WAITING_BYTES)

    def pause_writing(self) -> None:
        """Note that the buffer is full: from now on some of it has to be read."""
        super().pause_writing()
        self._lose_patience()

    def resume_writing(self) -> None:
        """Note that the reader has caught up."""
        super().resume_writing()
        self._be_patient()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching: there is nothing left to disconnect."""
        self._be_patient()
        super().connection_lost(exc)

    def _lose_patience(self) -> None:
        self._be_patient()
        self._look_again(self.transport.get_write_buffer_size(), asyncio.get_running_loop().time())

    def _look_again(self, least: int, since: float) -> None:
        look = asyncio.get_running_loop().call_later(STALL_SECONDS / LOOKS, self._look, least, since)
        self._looking = look

    def _look(self, least: int, since: float) -> None:
        """Disconnect if no less than `least` bytes have waited `since` then: a slow reader takes some."""
        left, now = self.transport.get_write_buffer_size(), asyncio.get_running_loop().time()
        if left < least:
            self._look_again(left, now)
        elif now - since < STALL_SECONDS:
            self._look_again(least, since)
        else:
            hang_up(self.transport)

    def _be_patient(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None


class StallTimeoutHTTP(StallTimeout, HttpToolsProtocol):
    """HTTP, and with it server-sent events. A request has to arrive whole within `REQUEST_SECONDS`."""

    _is_whole = False
    _hurrying: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._hurry()

    def data_received(self, data: bytes) -> None:
        """Take what has arrived, and wait for the rest of a request that has only begun."""
        super().data_received(data)
        if self._is_whole:
            if self._hurrying is not None:
                self._stop_hurrying()
        elif self._hurrying is None and not self.transport.is_closing():
            self._hurry()

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        self._is_whole = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note that a request has arrived."""
        self._is_whole = True
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over; WebSockets have limits of their own."""
        self._is_whole = True
        self._stop_hurrying()
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting for a request."""
        self._stop_hurrying()
        super().connection_lost(exc)

    def _hurry(self) -> None:
        self._hurrying = asyncio.get_running_loop().call_later(REQUEST_SECONDS, self._too_late)

    def _stop_hurrying(self) -> None:
        if self._hurrying is not None:
            self._hurrying.cancel()
            self._hurrying = None

    def _too_late(self) -> None:
        self._hurrying = None
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and self.cycle.response_started:
            # Something of an earlier request is still being sent, such as a stream: it goes on.
            self._hurry()
            return
        self.transport.write(_REQUEST_TIMEOUT)
        self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        """Close the idle connection: no more is requested, so the answers have to be read now."""
        super().timeout_keep_alive_handler()
        self._lose_patience()


class StallTimeoutWebSocket(StallTimeout, WebSocketsSansIOProtocol):
    """WebSocket."""

    async def send(self, message: Any) -> None:
        """Send as usual, but limit the time that the client has to take the closing frame."""
        await super().send(message)
        if message["type"] == "websocket.close":
            self._lose_patience()

    def keepalive_timeout(self) -> None:
        """Disconnect: without an answer to a ping, what is still in the buffer will not be read either."""
        super().keepalive_timeout()
        hang_up(self.transport)


def hang_up(transport: asyncio.Transport) -> None:
    """Close a connection at once, and leave no unsent data in the kernel."""
    connection = transport.get_extra_info("socket")
    # Its descriptor is gone where the client was faster.
    with suppress(OSError, ValueError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def limit_unsent(transport: asyncio.BaseTransport) -> None:
    """Let the kernel take little more than it can send; without effect if it has no such option."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    connection = transport.get_extra_info("socket")
    if (
        option is not None
        and connection is not None
        and connection.family != getattr(socket, "AF_UNIX", None)
    ):
        with suppress(OSError, ValueError):
            connection.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)


def patience() -> dict[str, Any]:
    """Return the settings of uvicorn that belong to these protocols.

    Messages are not compressed: that would cost every idle subscriber its own window of 20 KB or more, and
    alerts are short.
    """
    return {
        "http": StallTimeoutHTTP,
        "ws": StallTimeoutWebSocket,
        "ws_ping_interval": PING_SECONDS,
        "ws_ping_timeout": PING_SECONDS,
        "ws_per_message_deflate": False,
    }
