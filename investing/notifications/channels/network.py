"""Connections to the public internet only, whatever a name resolves to."""

import ipaddress
import logging
import socket
from collections.abc import Iterable, Sequence
from functools import partial

import httpcore

from investing.notifications.channels.protocol import Undelivered
from investing.notifications.channels.threads import in_thread
from investing.rules.notifications.addresses import Address, is_public

# httpcore logs addresses and headers at the level DEBUG.
logging.getLogger("httpcore").setLevel(logging.WARNING)


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """Resolve a name once, check its addresses, and connect to one of these very addresses.

    A name that resolves differently the second time (DNS rebinding) gains nothing: there is no second time.
    TLS still verifies the name, because that happens in the layer above. `allow_private` permits every
    address.
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
        """Connect to the first address of the host that accepts. Raise Undelivered."""
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
        """Return the host's addresses. Raise Undelivered if one of them is not public."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            # In a thread of its own, because a name server may be slow.
            found = await in_thread(look_up)
        except (OSError, UnicodeError):
            raise Undelivered("The receiver's name cannot be resolved.") from None
        addresses = [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]
        unique = list(dict.fromkeys(addresses))
        if not self._allow_private and not all(is_public(address) for address in unique):
            raise Undelivered("The receiver is at a private address.", is_final=True)
        return unique
