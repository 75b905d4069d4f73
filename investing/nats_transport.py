"""NATS as the notifier's transport, for when one database's NOTIFY is not enough.

It is imported only if it is configured, because its client takes a tenth of a second to import.
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
# How much may wait here until it is passed on; more is dropped, and found by polling the counters.
_WAITING_PAGES = 4096
_WAITING_BYTES = 1024 * 1024

Fail = Callable[[Exception], Awaitable[None]]


class NatsTransport:
    """One connection, which both listens and publishes."""

    def __init__(self, url: str) -> None:
        """Create a transport.

        `url` is `nats://host:4222` or `tls://host:4222`, with `user:password@` or `token@`.
        """
        parts = urlsplit(url)
        self._address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        name = unquote(parts.username or "")
        self._password = None if parts.password is None else unquote(parts.password)
        # A user name without a password is a token.
        self._user = None if self._password is None else name
        self._token = (name or None) if self._password is None else None
        self._connection: tuple[Client, Fail] | None = None

    async def listen(
        self,
        received: Callable[[Collection[Subject]], None],
        connected: Callable[[], None] = lambda: None,
    ) -> None:
        """Pass on what is published until the connection breaks; then raise OSError, without the password.

        `connected` is called again and again while nothing is missed. The client connects once and is
        discarded: the caller reconnects, as with every transport, so nothing is buffered for a server that is
        down. The server is pinged now and then; the client's own pings would
        wait for ever for what could not be sent.
        """
        client = Client()
        # For this connection only: the client may report the end of one after the next has begun.
        broken: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

        async def fail(error: Exception) -> None:
            # Whatever the client reports, it may receive nothing from then on.
            if not broken.done() and not isinstance(error, SlowConsumerError):
                broken.set_result(error)

        async def take(message: Msg) -> None:
            received(list(subjects_on(message.data.decode(errors="replace"))))

        try:
            await self._connect(client, fail)
            await client.subscribe(
                SUBJECT, cb=take, pending_msgs_limit=_WAITING_PAGES, pending_bytes_limit=_WAITING_BYTES
            )
            self._connection = client, fail
            while not broken.done():
                await client.rtt(_ALIVE_SECONDS)
                _raise_if_cancelled()
                connected()
                await asyncio.wait({broken}, timeout=_ALIVE_SECONDS)
            raise broken.result()
        except (Error, OSError) as error:
            # The first error says more than those that follow from it.
            cause = broken.result() if broken.done() else error
            raise ConnectionError(f"{self._address}: {str(cause) or 'no answer'}") from error
        finally:
            self._connection = None
            with suppress(OSError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await client.close()

    async def publish(self, subjects: Collection[Subject]) -> None:
        """Publish to every process that listens, including this one; to none if the connection is broken.

        `listen` reports that it is broken, once.
        """
        if self._connection is None:
            return
        client, fail = self._connection
        try:
            for page in pages(subjects):
                await client.publish(SUBJECT, page.encode())
            # Notifications until this is answered are sent together, so nothing piles up at a slow server.
            await client.flush(_ALIVE_SECONDS)
        except Error as error:
            await fail(error)
        _raise_if_cancelled()

    async def _connect(self, client: Client, fail: Fail) -> None:
        """Connect, trying twice, which ends within ten seconds."""

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
            # Nothing is buffered, and no call waits inside the client, where it could not be cancelled.
            pending_size=0,
            user=self._after_tls(client, self._user),
            password=self._after_tls(client, self._password),
            token=self._after_tls(client, self._token),
        )
        self._check_tls(client)

    def _after_tls(self, client: Client, secret: str | None) -> Callable[[], str] | None:
        """Give the client a secret only when it is about to send it.

        So `tls://` never sends one in the clear.
        """
        if secret is None:
            return None

        def secret_after_check() -> str:
            self._check_tls(client)
            return secret

        return secret_after_check

    def _check_tls(self, client: Client) -> None:
        """Raise ConnectionError if `tls://` is configured and the server, or somebody in between, has no TLS.

        The client itself would continue without it: it uses TLS only if the server says so.
        """
        if self._address.startswith("tls:") and not client._server_info.get("tls_required"):
            raise ConnectionError("the server has no TLS")


def _raise_if_cancelled() -> None:
    """Raise CancelledError if this task was cancelled inside the client, which swallows that.

    Otherwise a process that ends would wait for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
