"""Loaders of alerts and their rules."""

from uuid import UUID

from db.alerts.queries import ALERT_RULES, ALERTS, fetch_unacknowledged_counts
from db.alerts.rows import AlertRow, AlertRuleRow
from graph.loaders import ById, CountsOf, Loader, PagesOf


class AlertById(ById[AlertRow]):
    listing = ALERTS


class AlertsByUser(PagesOf[AlertRow]):
    listing = ALERTS


class AlertCountByUser(CountsOf):
    listing = ALERTS


class AlertRuleById(ById[AlertRuleRow]):
    listing = ALERT_RULES


class AlertRulesByUser(PagesOf[AlertRuleRow]):
    listing = ALERT_RULES


class AlertRuleCountByUser(CountsOf):
    listing = ALERT_RULES


class UnacknowledgedByUser(Loader[UUID, dict[str, int]]):
    """How many alerts of the viewer are unacknowledged, by severity; the one key is the viewer's id."""

    async def batch_load_fn(self, keys: list[UUID]) -> list[dict[str, int]]:
        async with self.login.reading() as connection:
            found = [await fetch_unacknowledged_counts(connection, key) for key in keys]
        return [{row["severity"]: row["count"] for row in rows} for rows in found]
