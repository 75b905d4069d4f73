"""A TCP proxy on the loopback that can cut what goes through it, refuse more, or swallow everything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum


class Mode(Enum):
    """What the proxy does with its connections."""

    PASS = "pass"
    BLACK_HOLE = "black hole"
    """Connections are taken and stay open, and nothing comes out at the other end."""
    REFUSE = "refuse"
    """New connections are reset at once."""


class Proxy:
    """Passes bytes on to one port. Every change of mode works on the connections that are open as well."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._mode = Mode.PASS
        self._flowing.set()
        self.port = 0

    @property
    def mode(self) -> Mode:
        """What it does now."""
        return self._mode

    def set(self, mode: Mode) -> None:
        """From now on; what a black hole has swallowed comes out once it passes again."""
        self._mode = mode
        if mode is Mode.BLACK_HOLE:
            self._flowing.clear()
        else:
            self._flowing.set()

    def cut(self) -> int:
        """Resets every connection, in the middle of whatever it carries: how many that were."""
        number = len(self._open) // 2
        for writer in list(self._open):
            writer.transport.abort()
        return number

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode is Mode.REFUSE:
            writer.transport.abort()
            return
        self._open.add(writer)
        further: asyncio.StreamWriter | None = None
        try:
            await self._flowing.wait()
            further_reader, further = await asyncio.open_connection("127.0.0.1", self._target)
            self._open.add(further)
            await asyncio.wait(
                [
                    asyncio.ensure_future(self._pump(reader, further)),
                    asyncio.ensure_future(self._pump(further_reader, writer)),
                ]
            )
        except OSError:
            pass
        finally:
            for one in (writer, further):
                if one is not None:
                    self._open.discard(one)
                    one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes on until either end has gone, and then ends the other one."""
        try:
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort() if self._mode is Mode.REFUSE else writer.close()


@asynccontextmanager
async def proxied(target: int) -> AsyncIterator[Proxy]:
    """A proxy to a port of the loopback, for as long as the block lasts."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.set(Mode.PASS)
        proxy.cut()
        await asyncio.sleep(0.05)
