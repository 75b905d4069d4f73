"""Loaders of alerts and their rules."""

from db.alerts.queries import ALERT_RULES, ALERTS
from graph.loaders import ById, CountsOf, PagesOf


class AlertById(ById):
    listing = ALERTS


class AlertsByUser(PagesOf):
    listing = ALERTS


class AlertCountByUser(CountsOf):
    listing = ALERTS


class AlertRuleById(ById):
    listing = ALERT_RULES


class AlertRulesByUser(PagesOf):
    listing = ALERT_RULES


class AlertRuleCountByUser(CountsOf):
    listing = ALERT_RULES
