"""HTTP as the harness needs it: cheap, over one connection, and cut wherever a test wants it cut."""

import asyncio
import json
from typing import Any

from tests.waiting import PATIENCE

Answer = dict[str, Any]


class Lost(Exception):
    """No answer came: nobody knows whether the server did what it was asked."""


class Wire:
    """One client's connection to whichever server it is told to ask; kept open while the server stays."""

    def __init__(self) -> None:
        self._port: int | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(
        self,
        port: int,
        body: Answer,
        token: str | None,
        *,
        drop_after: float | None = None,
        timeout: float = PATIENCE,
    ) -> Answer:
        """The answer to one operation. With `drop_after` the line is cut so many seconds after asking.

        Raises Lost.
        """
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await self._to(port)
                writer.write(_request(body, token))
                if drop_after is not None:
                    await writer.drain()
                    await asyncio.sleep(drop_after)
                    self.close()
                    raise Lost("dropped")
                return await _read(reader)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.close()
            raise Lost(repr(error)) from error
        except BaseException:
            self.close()
            raise

    async def get(self, port: int, path: str, timeout: float = PATIENCE) -> int:
        """The status of a page."""
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(f"GET {path} HTTP/1.1\r\nhost: harness\r\nconnection: close\r\n\r\n".encode())
                status = int((await reader.readuntil(b"\r\n")).split()[1])
                writer.transport.abort()
                return status
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            raise Lost(repr(error)) from error

    def close(self) -> None:
        """Resets the connection."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _to(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if port != self._port or self._streams is None or self._streams[0].at_eof():
            self.close()
            self._streams = await asyncio.open_connection("127.0.0.1", port)
            self._port = port
        return self._streams


def _request(body: Answer, token: str | None) -> bytes:
    content = json.dumps(body).encode()
    bearer = f"authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST /graphql HTTP/1.1\r\nhost: harness\r\ncontent-type: application/json\r\n{bearer}"
        f"content-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            answer: Answer = json.loads(await reader.readexactly(int(line.partition(b":")[2])))
            return answer
    raise AssertionError(f"an answer without a length: {head!r}")
