"""Loaders of destinations and deliveries."""

from db.notifications.queries import DELIVERIES, DESTINATIONS
from db.notifications.rows import DeliveryRow, DestinationRow
from graph.loaders import ById, CountsOf, PagesOf


class NotificationDestinationById(ById[DestinationRow]):
    listing = DESTINATIONS


class NotificationDestinationsByUser(PagesOf[DestinationRow]):
    listing = DESTINATIONS


class NotificationDestinationCountByUser(CountsOf):
    listing = DESTINATIONS


class DeliveryById(ById[DeliveryRow]):
    listing = DELIVERIES


class DeliveriesByAlert(PagesOf[DeliveryRow]):
    listing = DELIVERIES


class DeliveryCountByAlert(CountsOf):
    listing = DELIVERIES
