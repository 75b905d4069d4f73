"""NATS as the transport between notifiers, where one database's NOTIFY is not enough.

Imported only where it is wanted, because its client takes a tenth of a second.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, Error, SlowConsumerError

from db.notifier.subjects import Subject, pages, subjects_on

SUBJECT = "graphfolio.changes"
_CONNECT_SECONDS = 2
_ALIVE_SECONDS = 5
_CLOSE_SECONDS = 2
# What may wait here until it is passed on; more is dropped, and found by a look at the counters.
_UNHEARD_PAGES = 4096
_UNHEARD_BYTES = 1024 * 1024

Fail = Callable[[Exception], Awaitable[None]]


class NatsTransport:
    """One connection, which hears and says."""

    def __init__(self, url: str) -> None:
        """`url` is `nats://host:4222` or `tls://host:4222`, with `user:password@` or `token@`."""
        parts = urlsplit(url)
        self._address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        name = unquote(parts.username or "")
        self._password = None if parts.password is None else unquote(parts.password)
        # Alone it is a token.
        self._user = None if self._password is None else name
        self._token = (name or None) if self._password is None else None
        self._connection: tuple[Client, Fail] | None = None

    async def listen(self, received: Callable[[Collection[Subject]], None]) -> None:
        """Passes on what is published until the connection breaks; then raises OSError, without the password.

        The client connects once and is thrown away: whoever calls this begins anew, as with every transport,
        and so nothing is kept for a server that is down. It is asked now and then whether the server is
        there; its own way of asking would wait for ever for what could not be sent.
        """
        client = Client()
        # Of this connection alone: the client may report the end of one when the next has begun.
        broken: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

        async def fail(error: Exception) -> None:
            # Whatever the client reports, it may be deaf from then on.
            if not broken.done() and not isinstance(error, SlowConsumerError):
                broken.set_result(error)

        async def take(message: Msg) -> None:
            received(list(subjects_on(message.data.decode(errors="replace"))))

        try:
            await self._connect(client, fail)
            await client.subscribe(
                SUBJECT, cb=take, pending_msgs_limit=_UNHEARD_PAGES, pending_bytes_limit=_UNHEARD_BYTES
            )
            self._connection = client, fail
            while not broken.done():
                await client.rtt(_ALIVE_SECONDS)
                _heed_cancelling()
                await asyncio.wait({broken}, timeout=_ALIVE_SECONDS)
            raise broken.result()
        except (Error, OSError) as error:
            # What came first says more than what the client makes of it.
            cause = broken.result() if broken.done() else error
            raise ConnectionError(f"{self._address}: {str(cause) or 'no answer'}") from error
        finally:
            self._connection = None
            with suppress(OSError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await client.close()

    async def publish(self, subjects: Collection[Subject]) -> None:
        """Tells everybody who listens, this process too; nobody where the connection is broken.

        That it is broken is told by `listen`, once.
        """
        if self._connection is None:
            return
        client, fail = self._connection
        try:
            for page in pages(subjects):
                await client.publish(SUBJECT, page.encode())
            # What is notified until this is answered goes together; nothing piles up before a slow server.
            await client.flush(_ALIVE_SECONDS)
        except Error as error:
            await fail(error)
        _heed_cancelling()

    async def _connect(self, client: Client, fail: Fail) -> None:
        """Tries twice, which ends within ten seconds."""

        async def closed() -> None:
            await fail(ConnectionClosedError())

        await client.connect(
            self._address,
            name="graphfolio-notifier",
            error_cb=fail,
            closed_cb=closed,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=_CONNECT_SECONDS,
            # Nothing is kept for later, and no call waits inside of the client, where it could not be ended.
            pending_size=0,
            user=self._after_tls(client, self._user),
            password=self._after_tls(client, self._password),
            token=self._after_tls(client, self._token),
        )
        self._see_tls(client)

    def _after_tls(self, client: Client, secret: str | None) -> Callable[[], str] | None:
        """Tells the client a secret when it is about to send it, so that none leaves in the clear by `tls://`."""
        if secret is None:
            return None

        def reported() -> str:
            self._see_tls(client)
            return secret

        return reported

    def _see_tls(self, client: Client) -> None:
        """Raises ConnectionError where `tls://` is wanted and the server, or somebody before it, has none.

        The client itself would go on without: it takes TLS only where the server says so.
        """
        if self._address.startswith("tls:") and not client._server_info.get("tls_required"):
            raise ConnectionError("the server has no TLS")


def _heed_cancelling() -> None:
    """Raises CancelledError where this task was cancelled inside of the client, which swallows that.

    A process that ends would wait for ever otherwise.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
