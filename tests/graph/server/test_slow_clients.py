"""A reader that takes nothing costs little, and is disconnected; its running operations end."""

import asyncio
import base64
import json
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from graph.server import slow_clients
from tests.graph.server.served import Served, serve_tiny
from tests.waiting import PATIENCE, soon

SIZE = 4_000
FLOOD = f"subscription {{ flood(size: {SIZE}) }}"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(slow_clients, "STALL_SECONDS", 1.0)
    with serve_tiny() as served:
        yield served


def connected(served: Served) -> socket.socket:
    """A connection whose own buffer is small, so that what is not read stays with the server."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", int(served.url.rpartition(":")[2])))
    return raw


def frame(message: dict[str, Any]) -> bytes:
    """A masked text frame."""
    data = json.dumps(message).encode()
    assert len(data) < 65_536
    head = bytes([0x81, 0x80 | len(data)]) if len(data) < 126 else struct.pack("!BBH", 0x81, 0xFE, len(data))
    return head + bytes(4) + data


def over_websocket(served: Served, query: str) -> socket.socket:
    """Subscribes, and reads nothing from then on."""
    raw = connected(served)
    key = base64.b64encode(os.urandom(16)).decode()
    raw.sendall(
        f"GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
    )
    assert raw.recv(2000).startswith(b"HTTP/1.1 101")
    raw.sendall(frame({"type": "connection_init"}))
    raw.sendall(frame({"type": "subscribe", "id": "1", "payload": {"query": query}}))
    return raw


def over_events(served: Served, query: str) -> socket.socket:
    """Asks for a stream of events, and reads nothing of it."""
    raw = connected(served)
    body = json.dumps({"query": query}).encode()
    raw.sendall(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Accept: text/event-stream\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    return raw


def is_reset(raw: socket.socket) -> bool:
    """Whether the server has hung up, after what had come here before."""
    raw.settimeout(PATIENCE)
    try:
        while raw.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    finally:
        raw.close()
    return False


@pytest.mark.parametrize("subscribe", [over_websocket, over_events])
def test_a_stalled_reader_is_hung_up_on(impatient: Served, subscribe: Any) -> None:
    begun = time.monotonic()
    raw = subscribe(impatient, FLOOD)
    assert soon(lambda: bool(impatient.opened) and impatient.opened[-1].closings > 0), (
        "it is still waited for"
    )
    (context,) = impatient.opened
    assert time.monotonic() - begun >= 0.9
    # What was made and not read: all of it together, in the process and in the kernel.
    assert context.events * SIZE < 96 * 1024
    assert is_reset(raw)


def test_a_slow_reader_is_not_a_stalled_one(impatient: Served) -> None:
    raw = over_events(impatient, FLOOD)
    taken = 0
    begun = time.monotonic()
    while time.monotonic() - begun < 3 or taken < 500_000:
        data = raw.recv(16_384)
        assert data, "it was hung up on"
        taken += len(data)
        time.sleep(0.02)
    assert [context.closings for context in impatient.opened] == [0]
    raw.close()


def test_a_long_answer_may_take_long(impatient: Served) -> None:
    """Two million bytes for a reader of some 500 KB/s, and a patience of one second."""
    raw = connected(impatient)
    fields = " ".join(f"a{n}: hello(name: $name)" for n in range(20))
    asked = {"query": f"query($name: String!) {{ {fields} }}", "variables": {"name": "x" * 100_000}}
    body = json.dumps(asked).encode()
    raw.sendall(
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )
    raw.settimeout(PATIENCE)
    taken, begun = 0, time.monotonic()
    while data := raw.recv(10_000):
        taken += len(data)
        time.sleep(len(data) / 500_000)
    raw.close()
    assert time.monotonic() - begun > 3
    assert taken > 2_000_000


def test_no_answer_to_a_ping_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_clients, "PING_SECONDS", 0.3)
    with serve_tiny() as served:
        begun = time.monotonic()
        raw = over_websocket(served, "subscription { count(to: 2, every: 100) }")
        assert soon(lambda: bool(served.opened) and served.opened[-1].closings > 0)
        assert time.monotonic() - begun > 0.5
        raw.close()


def test_who_does_not_take_the_end_is_hung_up_on(impatient: Served) -> None:
    """A small answer that is not read, and a rule broken: the close waits for nobody."""
    raw = over_websocket(impatient, "subscription { count(to: 1000, every: 0.001) }")
    time.sleep(0.5)
    raw.sendall(frame({"type": "nonsense"}))
    ended = select.poll()
    # Nothing is requested here: an end is sent all the same.
    ended.register(raw, 0)
    assert ended.poll(PATIENCE * 1000), "it is still waited for"
    assert is_reset(raw)


async def test_the_kernel_holds_little(impatient: Served) -> None:
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is None:
        pytest.skip("this kernel has no such option")
    server, got = None, asyncio.get_running_loop().create_future()

    class Seen(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            slow_clients.limit_unsent(transport)
            found = transport.get_extra_info("socket")
            got.set_result(found.getsockopt(socket.IPPROTO_TCP, option))

    server = await asyncio.get_running_loop().create_server(Seen, "127.0.0.1", 0)
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await got == slow_clients.UNSENT_BYTES
        writer.close()


_HEAD = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST /graphql HTTP/1.1\r\nhost: x\r\n",
        _HEAD + b"content-length: 90\r\n\r\n{",
    ],
    ids=["nothing", "headers", "body"],
)
def test_a_request_that_never_ends_is_cut(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_clients, "REQUEST_SECONDS", 0.2)
    with serve_tiny() as served, connected(served) as raw:
        raw.sendall(begun)
        raw.settimeout(PATIENCE)
        received = b""
        while data := raw.recv(4096):
            received += data
        assert received.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_a_second_request_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has arrived in time is answered, however often, on one connection."""
    monkeypatch.setattr(slow_clients, "REQUEST_SECONDS", 0.3)
    body = b'{"query": "{ hello }"}'
    head = _HEAD + b"content-length: 22\r\n\r\n"
    assert len(body) == 22
    with serve_tiny() as served, connected(served) as raw:
        raw.settimeout(PATIENCE)
        for _ in range(4):
            raw.sendall(head)
            time.sleep(0.1)
            raw.sendall(body)
            assert raw.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_second_request_that_never_ends_is_cut_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_clients, "REQUEST_SECONDS", 0.3)
    with serve_tiny() as served, connected(served) as raw:
        raw.settimeout(PATIENCE)
        raw.sendall(_HEAD + b'content-length: 22\r\n\r\n{"query": "{ hello }"}')
        assert raw.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        raw.sendall(_HEAD)
        assert raw.recv(4096).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert raw.recv(4096) == b""


async def test_a_connection_whose_client_has_gone_is_hung_up_without_an_error() -> None:
    """Its descriptor is closed by then, which an option of the socket cannot be set on."""
    lost = asyncio.Event()

    class Server(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.set_result(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            lost.set()

    loop = asyncio.get_running_loop()
    made: asyncio.Future[Any] = loop.create_future()
    server = await loop.create_server(Server, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    transport = await made
    writer.transport.abort()
    await lost.wait()
    await asyncio.sleep(0)
    assert transport.get_extra_info("socket").fileno() == -1
    slow_clients.limit_unsent(transport)
    slow_clients.hang_up(transport)
    server.close()
    await server.wait_closed()
