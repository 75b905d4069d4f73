"""Slack, Telegram, SMS and other services, through apprise."""

import logging
from functools import partial
from typing import Any
from uuid import UUID

from investing.notifications.channels.protocol import OpenedDestination, Undelivered
from investing.notifications.channels.threads import apart
from investing.rules.notifications.messages import Message

# apprise prints what it sends and to which URL, and urllib3 the paths, which are the secret of some services.
_NOISY = ("apprise", "urllib3", "requests")
_TYPES = {"INFO": "info", "WARNING": "warning", "CRITICAL": "failure"}


class AppriseChannel:
    """Sends through apprise, in a thread. What it says of a failure is not kept: it may hold the secret."""

    def __init__(self, *, patience: float) -> None:
        self._patience = patience

    async def send(self, target: OpenedDestination, message: Message, delivery_id: UUID) -> None:
        """One message; for services without ids the delivery's stands at its end. Raises Undelivered."""
        body = f"{message.text}\nDelivery {delivery_id}"
        notified = await apart(partial(self._notify, target.address, message.title, body, message.severity))
        if not notified:
            raise Undelivered("The service did not take the message.")

    def _notify(self, address: str, title: str, body: str, severity: str) -> bool:
        plugin = load(address, self._patience)
        if plugin is None:
            raise Undelivered("The service's URL cannot be used.", is_final=True)
        return bool(plugin.notify(body=body, title=title, notify_type=_TYPES[severity], body_format="text"))


def load(address: str, patience: float = 15) -> Any | None:
    """The service behind a URL; None where apprise cannot read it. Takes half a second the first time."""
    # Imported here: a server that sends nothing through it never pays for it.
    import apprise

    for name in _NOISY:
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
    asset = apprise.AppriseAsset(
        http_redirects=False,
        secure_logging=True,
        storage_mode="memory",
        allow_templates=False,
        service_timeout=patience,
    )
    found = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    if found is not None:
        found.socket_connect_timeout = found.socket_read_timeout = patience
    return found
