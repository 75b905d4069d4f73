"""Webhooks, signed by the Standard Webhooks specification: docs/notifications.md."""

import base64
import datetime as dt
import hashlib
import hmac
import secrets
import ssl
from collections.abc import Sequence
from uuid import UUID

import certifi
import httpcore
import orjson

from investing.notifications.channels.network import PublicNetwork
from investing.notifications.channels.protocol import OpenedDestination, Undelivered
from investing.rules.notifications.deliveries import retry_after_seconds
from investing.rules.notifications.messages import Message

MOST_ANSWER_BYTES = 16 * 1024
_PREFIX = "whsec_"
_GONE = 410
_LATER = (429, 503)
"""Statuses whose Retry-After is respected: too many requests (RFC 6585) and unavailable (RFC 9110)."""


def new_signing_secret() -> str:
    """Return a secret with which a receiver verifies our signatures, in the specification's format."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(secret: str, delivery_id: UUID, timestamp: int, body: bytes) -> str:
    """Return the HMAC-SHA256 of id, timestamp and body, in base64 after its version."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class WebhookChannel:
    """Post messages as JSON. Follow no redirect, and read only the beginning of a response."""

    def __init__(self, *, allow_private: bool, timeout: float, tls: ssl.SSLContext | None = None) -> None:
        self._network = PublicNetwork(allow_private=allow_private)
        self._timeouts = {name: timeout for name in ("connect", "read", "write", "pool")}
        # Created once, because reading the certificates takes longer than sending a message.
        self._tls = tls or ssl.create_default_context(cafile=certifi.where())

    async def send(self, target: OpenedDestination, message: Message, delivery_id: UUID) -> None:
        """Send one POST; any status from 200 to 299 means success. Raise Undelivered otherwise."""
        now = dt.datetime.now(dt.UTC)
        body = orjson.dumps({"type": message.type, "timestamp": now.isoformat(), "data": dict(message.data)})
        headers = _headers(target.signing_secrets, delivery_id, int(now.timestamp()), body)
        response = await self._post(target.address, headers, body)
        if not 200 <= response.status <= 299:
            raise Undelivered(
                f"The receiver answered with the status {response.status}.",
                is_final=response.status == _GONE,
                requested=_requested(response) if response.status in _LATER else None,
            )

    async def _post(
        self, url: str, headers: list[tuple[str | bytes, str | bytes]], body: bytes
    ) -> httpcore.Response:
        """Return the response, already closed."""
        # Each message has its own pool, because messages are too rare to keep a connection open.
        try:
            async with (
                httpcore.AsyncConnectionPool(
                    ssl_context=self._tls, network_backend=self._network, max_connections=1
                ) as pool,
                pool.stream(
                    "POST", url, headers=headers, content=body, extensions={"timeout": self._timeouts}
                ) as response,
            ):
                await _read(response)
                return response
        except httpcore.TimeoutException:
            raise Undelivered("The receiver took too long.") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            # The error's own text may name the address.
            raise Undelivered(f"The receiver could not be reached: {type(error).__name__}.") from None
        except (ValueError, TypeError):
            raise Undelivered("The receiver's address cannot be used.", is_final=True) from None


def _headers(
    signing_secrets: Sequence[str], delivery_id: UUID, timestamp: int, body: bytes
) -> list[tuple[str | bytes, str | bytes]]:
    signatures = (signature(secret, delivery_id, timestamp, body) for secret in signing_secrets)
    return [
        ("content-type", "application/json"),
        ("user-agent", "Graphfolio"),
        ("webhook-id", str(delivery_id)),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", " ".join(signatures)),
    ]


def _requested(response: httpcore.Response) -> float | None:
    for name, value in response.headers:
        if name.lower() == b"retry-after":
            return retry_after_seconds(value.decode("latin-1"), dt.datetime.now(dt.UTC))
    return None


async def _read(response: httpcore.Response) -> None:
    """Read the beginning of the response, so that a receiver still writing it is not cut off at once."""
    read = 0
    async for part in response.aiter_stream():
        read += len(part)
        if read > MOST_ANSWER_BYTES:
            return
