"""Connections that lead to the public internet only, whatever a name resolves to."""

import ipaddress
import logging
import socket
from collections.abc import Iterable, Sequence
from functools import partial

import httpcore

from investing.notifications.channels.protocol import Undelivered
from investing.notifications.channels.threads import apart
from investing.rules.notifications.addresses import Address, is_public

# They print addresses and headers where somebody logs at the level DEBUG.
logging.getLogger("httpcore").setLevel(logging.WARNING)


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """Resolves a name once, looks at where it leads, and connects to that very address.

    A name that answers differently the second time (DNS rebinding) gains nothing: there is no second time.
    TLS still asks for the name, because that is checked above this. `allow_private` allows every address.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address of the host that takes one. Raises Undelivered."""
        last: Exception | None = None
        for address in await self.resolve(host, port):
            try:
                return await self._plain.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        assert last is not None, "a resolved name has an address"
        raise last

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """The host's addresses. One that is not public refuses them all. Raises Undelivered."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            # Apart, because somebody's slow name server may take its time.
            found = await apart(look_up)
        except (OSError, UnicodeError):
            raise Undelivered("The receiver's name does not resolve.") from None
        addresses = [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]
        unique = list(dict.fromkeys(addresses))
        if not self._allow_private and not all(is_public(address) for address in unique):
            raise Undelivered("The receiver is at a private address.", is_final=True)
        return unique
