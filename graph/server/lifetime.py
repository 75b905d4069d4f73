"""How long a stream may last: until its token expires, or its login is ended before that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from graph.server.client import ClientConnection
from graph.server.errors import internal
from graph.server.operations import Operations


class LifeOver(Exception):
    """The login of a stream has ended; the message says how."""


class Lifetime:
    """The time that one stream has. Belongs to the task that streams."""

    def __init__(self, seconds: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._deadline = None if seconds is None else loop.time() + seconds
        self._scope: asyncio.Timeout | None = None
        self._reason = "Token expired"

    def end(self) -> None:
        """End it now, whatever it waits for."""
        self._reason = "Login ended"
        self._deadline = asyncio.get_running_loop().time()
        if self._scope is not None:
            self._scope.reschedule(self._deadline)

    @asynccontextmanager
    async def within(self) -> AsyncIterator[None]:
        """Run the block for as long as the stream has time. Raise LifeOver."""
        try:
            async with asyncio.timeout_at(self._deadline) as self._scope:
                try:
                    yield
                finally:
                    self._scope = None
        except TimeoutError:
            raise LifeOver(self._reason) from None


@asynccontextmanager
async def watched(
    operations: Operations, token: str | None, client: ClientConnection
) -> AsyncIterator[Lifetime]:
    """Yield the lifetime of a stream with this token, unlimited if there is none.

    Raise Unauthenticated for a token that is not, or no longer, valid.
    """
    if token is None:
        yield Lifetime(None)
        return
    async with operations.login(token, client) as login:
        life = Lifetime(login.seconds)

        async def watch() -> None:
            try:
                await login.ended()
            except Exception as error:
                # A stream whose login is no longer watched might go on for ever.
                internal(client.request_id, error)
            life.end()

        watching = asyncio.create_task(watch())
        try:
            yield life
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
