"""What can be read of destinations and deliveries."""

from collections.abc import Mapping

from db.entities import Entity
from db.notifications.queries import DELIVERIES, DESTINATIONS

ENTITIES: Mapping[str, Entity] = {
    "notification_destinations": Entity(DESTINATIONS),
    "deliveries": Entity(DELIVERIES),
}
