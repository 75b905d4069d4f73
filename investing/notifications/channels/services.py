"""Slack, Telegram, SMS and other services, through apprise."""

import logging
from functools import partial
from typing import Any
from uuid import UUID

from investing.notifications.channels.protocol import OpenedDestination, Undelivered
from investing.notifications.channels.threads import in_thread
from investing.rules.notifications.messages import Message

# apprise logs what it sends and to which URL, and urllib3 logs paths, which are the secret of some services.
_NOISY = ("apprise", "urllib3", "requests")
_TYPES = {"INFO": "info", "WARNING": "warning", "CRITICAL": "failure"}


class AppriseChannel:
    """Send through apprise, in a thread.

    Its error texts are not kept, because they may contain the secret.
    """

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout

    async def send(self, target: OpenedDestination, message: Message, delivery_id: UUID) -> None:
        """Send one message, with the delivery's id at its end, as services have no ids. Raise Undelivered."""
        body = f"{message.text}\nDelivery {delivery_id}"
        notified = await in_thread(
            partial(self._notify, target.address, message.title, body, message.severity)
        )
        if not notified:
            raise Undelivered("The service did not accept the message.")

    def _notify(self, address: str, title: str, body: str, severity: str) -> bool:
        plugin = load(address, self._timeout)
        if plugin is None:
            raise Undelivered("The service's URL cannot be used.", is_final=True)
        return bool(plugin.notify(body=body, title=title, notify_type=_TYPES[severity], body_format="text"))


def load(address: str, timeout: float = 15) -> Any | None:
    """Return the service of a URL, None if apprise cannot read it. The first call takes half a second."""
    # Imported here, so that a server that never uses it does not load it.
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
        service_timeout=timeout,
    )
    found = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    if found is not None:
        found.socket_connect_timeout = found.socket_read_timeout = timeout
    return found
