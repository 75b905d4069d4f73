"""A light client of HTTP/1.1: connections that are kept, and answers that are compared byte for byte."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

WAIT_SECONDS = 180.0


class WrongAnswer(Exception):
    """A server answered something else than it should have, or nothing."""


@dataclass(frozen=True)
class Request:
    """One request as it goes over the wire, and what it is about: the same name has the same answer."""

    name: str
    data: bytes


def request(name: str, port: int, headers: Mapping[str, str], body: bytes) -> Request:
    """Return a POST of a GraphQL operation."""
    lines = [
        "POST /graphql HTTP/1.1",
        f"host: 127.0.0.1:{port}",
        "content-type: application/json",
        "accept: application/json",
        f"content-length: {len(body)}",
        *(f"{key}: {value}" for key, value in headers.items()),
    ]
    return Request(name, ("\r\n".join(lines) + "\r\n\r\n").encode() + body)


class _Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        # Of the answer that is arriving: where its body begins, and how long it is; None for chunks.
        self._begin = -1
        self._length: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none by inheritance.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WrongAnswer(f"the connection was lost: {error}"))

    def send(self, data: bytes) -> asyncio.Future[bytes]:
        """Send a request; the result is the body of its answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return self._answer

    def close(self) -> None:
        """Close the connection."""
        assert self._transport is not None
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._begin < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._begin = end + 4
            head = bytes(self._buffer[:end]).lower()
            self._length = _content_length(head)
            if not head.startswith((b"http/1.1 200", b"http/1.0 200")):
                self._finish(WrongAnswer(bytes(self._buffer[:2_000]).decode(errors="replace")))
                return
        if self._length is not None:
            if len(self._buffer) >= self._begin + self._length:
                self._finish(bytes(self._buffer[self._begin : self._begin + self._length]))
        elif self._buffer.endswith(b"0\r\n\r\n"):
            body = _unchunked(self._buffer, self._begin)
            if body is not None:
                self._finish(body)

    def _finish(self, result: bytes | Exception) -> None:
        self._buffer.clear()
        self._begin = -1
        assert self._answer is not None
        if isinstance(result, Exception):
            self._answer.set_exception(result)
        else:
            self._answer.set_result(result)


def _content_length(head: bytes) -> int | None:
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        return None
    return int(head[at + 17 :].split(b"\r\n", 1)[0])


def _unchunked(buffer: bytearray, at: int) -> bytes | None:
    """Return the body of all chunks, or None if the last one is not there yet."""
    parts: list[bytes] = []
    while True:
        line = buffer.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(bytes(buffer[at:line]).split(b";")[0], 16)
        if size == 0:
            return b"".join(parts)
        if len(buffer) < line + 2 + size + 2:
            return None
        parts.append(bytes(buffer[line + 2 : line + 2 + size]))
        at = line + 2 + size + 2


@dataclass
class Client:
    """One server's connections. An answer that differs from the first one of its name is an error."""

    port: int
    known: dict[str, bytes] = field(default_factory=dict)
    _idle: list[_Connection] = field(default_factory=list)

    async def connections(self, count: int) -> list[_Connection]:
        """Return so many connections, and open those that are missing."""
        loop = asyncio.get_running_loop()
        while len(self._idle) < count:
            _, made = await loop.create_connection(_Connection, "127.0.0.1", self.port)
            self._idle.append(made)
        return self._idle[:count]

    async def reopen(self, count: int) -> None:
        """Open so many connections anew: Node closes those that were idle for five seconds."""
        self.close()
        await self.connections(count)

    def close(self) -> None:
        """Close every connection."""
        while self._idle:
            self._idle.pop().close()

    async def ask(self, wanted: Request) -> bytes:
        """Return the answer to one request, whatever it is."""
        (connection,) = await self.connections(1)
        async with asyncio.timeout(WAIT_SECONDS):
            return await connection.send(wanted.data)

    async def load(self, requests: Sequence[Request], connections: int, seconds: float) -> list[float]:
        """Send requests over so many connections for a while; return how long each took, in seconds.

        Each connection sends at least one, and the next one as soon as it has its answer. Raise WrongAnswer.
        """
        until = time.perf_counter() + seconds
        took: list[float] = []

        async def work(connection: _Connection, mine: Sequence[Request]) -> None:
            at = 0
            while True:
                wanted = mine[at % len(mine)]
                at += 1
                begun = time.perf_counter()
                answer = await connection.send(wanted.data)
                ended = time.perf_counter()
                took.append(ended - begun)
                self.check(wanted, answer)
                if ended >= until:
                    return

        opened = await self.connections(connections)
        try:
            async with asyncio.timeout(seconds + WAIT_SECONDS), asyncio.TaskGroup() as group:
                for number, connection in enumerate(opened):
                    mine = requests[number % len(requests) :: connections] or requests
                    group.create_task(work(connection, mine))
        except ExceptionGroup as errors:
            self.close()
            raise errors.exceptions[0] from None
        except TimeoutError:
            self.close()
            raise WrongAnswer(f"no answer within {WAIT_SECONDS:.0f} s") from None
        return took

    def check(self, wanted: Request, answer: bytes) -> None:
        """Raise WrongAnswer unless this is the known answer, which the first one of a name becomes."""
        known = self.known.setdefault(wanted.name, answer)
        if answer != known:
            raise WrongAnswer(f"{wanted.name} has another answer than before: {answer[:300]!r}")
