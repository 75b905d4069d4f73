"""Reading destinations and deliveries."""

from uuid import UUID

from db.notifications.rows import DeliveryRow, DestinationRow
from db.pages import Key, Listing, columns

_BY_ID = (Key("id", "t.id", UUID),)

# The ciphertext is not among the columns: an address is never read for display.
DESTINATIONS = Listing(
    row=DestinationRow,
    name="notificationDestinations",
    columns=columns(
        "id name kind hint confirmed_at is_active failures last_sent_at created_at",
    ),
    table="notification_destinations",
    order=_BY_ID,
    parent="t.owner_id",
)

DELIVERIES = Listing(
    row=DeliveryRow,
    name="deliveries",
    columns=columns(
        "id alert_id channel status attempts next_attempt_at last_error sent_at created_at",
        is_digested="t.digest_id IS NOT NULL",
    ),
    table="deliveries",
    order=_BY_ID,
    parent="t.alert_id",
    # Digests and confirmations are internal to the server.
    condition="t.alert_id IS NOT NULL",
)
