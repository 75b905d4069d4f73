"""Alerts and their rules."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Self

import strawberry
from strawberry.scalars import JSON

from db.alerts.rows import AlertRow, AlertRuleRow
from db.canonical import DecimalText
from graph.alerts.hours import ActiveHours
from graph.alerts.loaders import AlertById, AlertRuleById
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.ids import global_id
from graph.node import Node, refetched_by
from graph.notifications.loaders import DeliveriesByAlert, DeliveryCountByAlert
from graph.notifications.types import Delivery
from graph.portfolio.loaders import PortfolioById
from graph.portfolio.types import Portfolio
from graph.vocabulary import AlertKind, AlertSeverity


async def _portfolio(info: Info, row: Any) -> Portfolio | None:
    if row["portfolio_id"] is None:
        return None
    return Portfolio.from_row(await info.context.loader(PortfolioById).load_existing(row["portfolio_id"]))


@strawberry.type(description="What a user wants to be told about.")
class AlertRule(Node):
    row: strawberry.Private[AlertRuleRow]
    name: str = strawberry.field(description="Its name, unique among the owner's.")
    kind: AlertKind = strawberry.field(description="What it watches.")
    severity: AlertSeverity = strawberry.field(description="How much its alerts matter.")
    threshold: DecimalText = strawberry.field(
        description="The price, amount or fraction that it fires beyond; 0 for what happens or does not."
    )
    hysteresis: DecimalText = strawberry.field(
        description="How far a value has to come back across the threshold before it can fire again."
    )
    symbol: str | None = strawberry.field(description="The instrument that it watches.")
    cooldown_seconds: int = strawberry.field(description="How long it is quiet after it has fired.")
    channels: list[str] = strawberry.field(description="Where its alerts are sent besides the stream.")
    is_active: bool = strawberry.field(description="Whether it fires at all.")
    active_hours: ActiveHours | None = strawberry.field(description="When it may fire; null for always.")
    last_fired_at: dt.datetime | None = strawberry.field(description="When it last fired; null for never.")
    created_at: dt.datetime = strawberry.field(description="When it was made.")

    @classmethod
    def from_row(cls, row: AlertRuleRow) -> Self:
        """The rule of a row of the list of rules."""
        return cls(
            row=row,
            id=global_id("AlertRule", row["id"]),
            name=row["name"],
            kind=AlertKind(row["kind"]),
            severity=AlertSeverity(row["severity"]),
            threshold=row["threshold"],
            hysteresis=row["hysteresis"],
            symbol=row["symbol"],
            cooldown_seconds=row["cooldown_seconds"],
            channels=row["channels"],
            is_active=row["is_active"],
            active_hours=ActiveHours.from_row(row),
            last_fired_at=row["last_fired_at"],
            created_at=row["created_at"],
        )

    @strawberry.field(description="The portfolio that it watches; null for an instrument or for all.")
    async def portfolio(self, info: Info) -> Portfolio | None:
        return await _portfolio(info, self.row)


@strawberry.type(description="Something that happened.")
class Alert(Node):
    row: strawberry.Private[AlertRow]
    kind: AlertKind = strawberry.field(description="What was watched.")
    severity: AlertSeverity = strawberry.field(description="How much it matters.")
    title: str = strawberry.field(description="What happened, in a few words.")
    message: str = strawberry.field(description="What happened, in a sentence.")
    metrics: JSON = strawberry.field(description="The figures behind it, as decimal strings.")
    symbol: str | None = strawberry.field(description="The instrument that it is about.")
    created_at: dt.datetime = strawberry.field(description="When it happened.")
    acknowledged_at: dt.datetime | None = strawberry.field(description="When its owner took note of it.")

    @classmethod
    def from_row(cls, row: AlertRow) -> Self:
        """The alert of a row of the list of alerts."""
        return cls(
            row=row,
            id=global_id("Alert", row["id"]),
            kind=AlertKind(row["kind"]),
            severity=AlertSeverity(row["severity"]),
            title=row["title"],
            message=row["message"],
            metrics=JSON(row["metrics"]),
            symbol=row["symbol"],
            created_at=row["created_at"],
            acknowledged_at=row["acknowledged_at"],
        )

    @strawberry.field(description="The portfolio that it is about.")
    async def portfolio(self, info: Info) -> Portfolio | None:
        return await _portfolio(info, self.row)

    @strawberry.field(description="Where it was sent besides the stream, and what became of that.")
    async def deliveries(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Delivery]:
        page = (first, after, last, before)
        return await connect(
            info, DeliveriesByAlert, DeliveryCountByAlert, Delivery.from_row, self.row["id"], page
        )

    @strawberry.field(description="The rule that fired; null for one that was deleted.")
    async def rule(self, info: Info) -> AlertRule | None:
        if self.row["rule_id"] is None:
            return None
        return AlertRule.from_row(await info.context.loader(AlertRuleById).load_existing(self.row["rule_id"]))


@strawberry.type(description="How many alerts nobody has taken note of.")
class AlertCounts:
    info: int = strawberry.field(description="Those that are good to know.")
    warning: int = strawberry.field(description="Those worth a look.")
    critical: int = strawberry.field(description="Those to look at now.")
    total: int = strawberry.field(description="All of them.")

    @classmethod
    def from_counts(cls, counts: Mapping[str, int]) -> Self:
        """The counts by severity; one that is missing is 0."""
        each = {severity.value.lower(): counts.get(severity.value, 0) for severity in AlertSeverity}
        return cls(**each, total=sum(each.values()))


refetched_by("Alert", AlertById, Alert.from_row)
refetched_by("AlertRule", AlertRuleById, AlertRule.from_row)
