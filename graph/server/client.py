"""The caller, as far as the connection identifies it."""

import ipaddress
import random
import re
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection
from starlette.types import Scope

from graph.device import Device
from graph.errors import Unauthenticated

# An id has to be unique, and need not be hard to guess.
_random = random.Random()

# What a caller may choose as its request's id: nothing that could forge a line of the log.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_LONGEST_USER_AGENT = 500
COST_HEADER = "x-graphfolio-cost"
"""With the value 1 it asks for `extensions.cost` in the answer."""
DEVICE_TOKEN = "x-device-token"
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


@dataclass(frozen=True)
class ClientConnection:
    """The other end of one connection; `request_id` is also in the answer's headers and in the log.

    `wants_cost` asks for `extensions.cost` in its answers.
    """

    ip_address: str | None
    user_agent: str | None
    request_id: str
    wants_cost: bool = False
    device: Device = field(default_factory=Device, compare=False)


def client_of(connection: HTTPConnection) -> ClientConnection:
    """Describe the caller of a request or of a WebSocket."""
    agent = connection.headers.get("user-agent")
    return ClientConnection(
        ip_address=connection.client.host if connection.client else None,
        user_agent=agent[:_LONGEST_USER_AGENT] if agent else None,
        request_id=request_id_of(connection.scope),
        wants_cost=is_on(connection.headers.get(COST_HEADER)),
        device=Device(connection.headers.get(DEVICE_TOKEN)),
    )


def is_on(value: object) -> bool:
    """Return whether a header, or an entry of a payload that stands for one, switches something on."""
    return value is True or value == 1 or (isinstance(value, str) and value.strip().lower() in ("1", "true"))


def is_local(connection: HTTPConnection) -> bool:
    """Return whether a program on this machine calls, for itself.

    A proxy on this machine calls for others; it says so in one of these headers.
    """
    if connection.client is None or any(name in connection.headers for name in _FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(connection.client.host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def request_id_of(scope: Scope) -> str:
    """Return the id of a request: the caller's, if it is valid, or a new one; the same on every call."""
    state = scope.setdefault("state", {})
    if "request_id" not in state:
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        state["request_id"] = (
            given.decode() if _REQUEST_ID.fullmatch(given) else f"{_random.getrandbits(128):032x}"
        )
    request_id: str = state["request_id"]
    return request_id


def bearer_token(header: object) -> str | None:
    """Return the token of an authorization value; None if there is no value.

    Raise Unauthenticated for anything else than `Bearer` and one word, so that a client that means to log in
    is never silently treated as anonymous.
    """
    if header is None:
        return None
    scheme, _, token = header.partition(" ") if isinstance(header, str) else ("", "", "")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or " " in token:
        raise Unauthenticated('The authorization must be "Bearer" and an access token.')
    return token
