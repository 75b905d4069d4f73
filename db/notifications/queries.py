"""Reading destinations and deliveries."""

from uuid import UUID

from db.notifications.rows import DeliveryRow, DestinationRow
from db.pages import Key, Listing

_BY_ID = (Key("id", "t.id", UUID),)

# The ciphertext is not among the columns: an address is never read for display.
DESTINATIONS = Listing(
    row=DestinationRow,
    name="notificationDestinations",
    columns="""t.id, t.name, t.kind, t.hint, t.confirmed_at, t.is_active, t.failures, t.last_sent_at,
        t.created_at""",
    source="notification_destinations t",
    order=_BY_ID,
    parent="t.owner_id",
)

DELIVERIES = Listing(
    row=DeliveryRow,
    name="deliveries",
    columns="""t.id, t.alert_id, t.channel, t.status, t.attempts, t.next_attempt_at, t.last_error, t.sent_at,
        t.digest_id IS NOT NULL AS is_digested, t.created_at""",
    source="deliveries t",
    order=_BY_ID,
    parent="t.alert_id",
    # Digests and confirmations are internal to the server.
    condition="t.alert_id IS NOT NULL",
)
