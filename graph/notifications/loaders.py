"""Loaders of destinations and deliveries."""

from db.notifications.queries import DELIVERIES, DESTINATIONS
from graph.loaders import ById, CountsOf, PagesOf


class NotificationDestinationById(ById):
    listing = DESTINATIONS


class NotificationDestinationsByUser(PagesOf):
    listing = DESTINATIONS


class NotificationDestinationCountByUser(CountsOf):
    listing = DESTINATIONS


class DeliveryById(ById):
    listing = DELIVERIES


class DeliveriesByAlert(PagesOf):
    listing = DELIVERIES


class DeliveryCountByAlert(CountsOf):
    listing = DELIVERIES
