"""Alerts and their rules."""

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

import strawberry

from db.alerts.rows import AlertRow, AlertRuleRow
from db.canonical import DecimalText
from graph.alerts.hours import ActiveHours
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.ids import global_id
from graph.loaders import ById
from graph.loaders.alerts import AlertById, AlertRuleById
from graph.loaders.notifications import DeliveriesByAlert, DeliveryCountByAlert
from graph.loaders.portfolio import PortfolioById
from graph.loaders.rebalancing import RebalanceById
from graph.loaders.trading import OrderById
from graph.market.types import Instrument, instrument_with_id
from graph.node import Node, refetched_by
from graph.notifications.types import Delivery
from graph.portfolio.types import Portfolio
from graph.rebalancing.types import Rebalance
from graph.trading.types import Order
from graph.vocabulary import AlertKind, AlertSeverity
from investing.rules.alerts.conditions import EVENT_KINDS

_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


async def _portfolio(info: Info, row: Any) -> Portfolio | None:
    if row["portfolio_id"] is None:
        return None
    return Portfolio.from_row(await info.context.loader(PortfolioById).load_existing(row["portfolio_id"]))


async def _instrument(info: Info, row: Any) -> Instrument | None:
    if row["instrument_id"] is None:
        return None
    return await instrument_with_id(info, row["instrument_id"])


async def _told(info: Info, loader: type[ById[Any]], id: str | None) -> Any:
    return None if id is None else await info.context.loader(loader).load(UUID(id))


@strawberry.type(description="A condition that raises alerts.")
class AlertRule(Node):
    row: strawberry.Private[AlertRuleRow]
    name: str = strawberry.field(description="Its name, unique among the owner's.")
    kind: AlertKind = strawberry.field(description="What it watches.")
    severity: AlertSeverity = strawberry.field(description="The severity of its alerts.")
    threshold: DecimalText | None = strawberry.field(
        description="The price, amount or fraction beyond which it fires; null for events, such as a "
        "rejected order."
    )
    hysteresis: DecimalText = strawberry.field(
        description="How far a value must come back across the threshold before the rule can fire again."
    )
    symbol: str | None = strawberry.field(description="The instrument that it watches, if any.")
    cooldown_seconds: int = strawberry.field(
        description="For how many seconds it stays silent after it has fired."
    )
    channels: list[str] = strawberry.field(
        description="The names of the destinations that its alerts are sent to."
    )
    is_active: bool = strawberry.field(description="Whether it is switched on.")
    active_hours: ActiveHours | None = strawberry.field(description="When it may fire; null for any time.")
    last_fired_at: dt.datetime | None = strawberry.field(
        description="When it last fired; null if it never has."
    )
    created_at: dt.datetime = strawberry.field(description="When it was created.")

    @classmethod
    def from_row(cls, row: AlertRuleRow) -> Self:
        """Return the rule of a row of the list of rules."""
        return cls(
            row=row,
            id=global_id("AlertRule", row["id"]),
            name=row["name"],
            kind=AlertKind(row["kind"]),
            severity=AlertSeverity(row["severity"]),
            threshold=None if AlertKind(row["kind"]) in EVENT_KINDS else row["threshold"],
            hysteresis=row["hysteresis"],
            symbol=row["symbol"],
            cooldown_seconds=row["cooldown_seconds"],
            channels=row["channels"],
            is_active=row["is_active"],
            active_hours=ActiveHours.from_row(row),
            last_fired_at=row["last_fired_at"],
            created_at=row["created_at"],
        )

    @strawberry.field(description="The instrument that it watches, if any.")
    async def instrument(self, info: Info) -> Instrument | None:
        return await _instrument(info, self.row)

    @strawberry.field(
        description="The portfolio that it watches; null if it watches an instrument or all portfolios."
    )
    async def portfolio(self, info: Info) -> Portfolio | None:
        return await _portfolio(info, self.row)


@strawberry.type(description="A figure behind an alert.")
class AlertMetric:
    name: str = strawberry.field(description="What it is, such as price, threshold or weight.")
    value: Decimal = strawberry.field(description="The figure.")

    @classmethod
    def list_of(cls, facts: Mapping[str, str]) -> list[Self]:
        """Return the numbers among an alert's facts, by name."""
        return [
            cls(name=name, value=Decimal(text))
            for name, text in sorted(facts.items())
            if _NUMBER.fullmatch(text)
        ]


@strawberry.type(description="Something that an alert rule has reported.")
class Alert(Node):
    row: strawberry.Private[AlertRow]
    kind: AlertKind = strawberry.field(description="The kind of its rule.")
    severity: AlertSeverity = strawberry.field(description="Its severity.")
    title: str = strawberry.field(description="A short title.")
    message: str = strawberry.field(description="What happened, in one sentence.")
    metrics: list[AlertMetric] = strawberry.field(description="The figures behind it, sorted by name.")
    price_as_of: dt.datetime | None = strawberry.field(
        description="The time of the price that it is about; null if it is not about a price."
    )
    date: dt.date | None = strawberry.field(
        description="The day of the snapshot that shows the drawdown; null for other kinds."
    )
    symbol: str | None = strawberry.field(description="The instrument that it is about, if any.")
    created_at: dt.datetime = strawberry.field(description="When it happened.")
    acknowledged_at: dt.datetime | None = strawberry.field(
        description="When it was acknowledged; null if it was not."
    )

    @classmethod
    def from_row(cls, row: AlertRow) -> Self:
        """Return the alert of a row of the list of alerts."""
        facts = row["metrics"]
        return cls(
            row=row,
            id=global_id("Alert", row["id"]),
            kind=AlertKind(row["kind"]),
            severity=AlertSeverity(row["severity"]),
            title=row["title"],
            message=row["message"],
            metrics=AlertMetric.list_of(facts),
            price_as_of=dt.datetime.fromisoformat(facts["priceAsOf"]) if "priceAsOf" in facts else None,
            date=dt.date.fromisoformat(facts["date"]) if "date" in facts else None,
            symbol=row["symbol"],
            created_at=row["created_at"],
            acknowledged_at=row["acknowledged_at"],
        )

    @strawberry.field(description="The instrument that it is about, if any.")
    async def instrument(self, info: Info) -> Instrument | None:
        return await _instrument(info, self.row)

    @strawberry.field(description="The portfolio that it is about, if any.")
    async def portfolio(self, info: Info) -> Portfolio | None:
        return await _portfolio(info, self.row)

    @strawberry.field(description="The rejected order, if it is about one.")
    async def order(self, info: Info) -> Order | None:
        row = await _told(info, OrderById, self.row["metrics"].get("order"))
        return None if row is None else Order.from_row(row)

    @strawberry.field(description="The rebalance that it is about, if any.")
    async def rebalance(self, info: Info) -> Rebalance | None:
        row = await _told(info, RebalanceById, self.row["metrics"].get("rebalance"))
        return None if row is None else Rebalance.from_row(row)

    @strawberry.field(description="Its deliveries to destinations outside the API, and their status.")
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

    @strawberry.field(description="The rule that fired; null if it was deleted.")
    async def rule(self, info: Info) -> AlertRule | None:
        if self.row["rule_id"] is None:
            return None
        return AlertRule.from_row(await info.context.loader(AlertRuleById).load_existing(self.row["rule_id"]))


@strawberry.type(description="The number of alerts that are not acknowledged, by severity.")
class AlertCounts:
    info: int = strawberry.field(description="Those of severity INFO.")
    warning: int = strawberry.field(description="Those of severity WARNING.")
    critical: int = strawberry.field(description="Those of severity CRITICAL.")
    total: int = strawberry.field(description="All of them.")

    @classmethod
    def from_counts(cls, counts: Mapping[str, int]) -> Self:
        """Return the counts by severity; a missing one is 0."""
        each = {severity.value.lower(): counts.get(severity.value, 0) for severity in AlertSeverity}
        return cls(**each, total=sum(each.values()))


refetched_by("Alert", AlertById, Alert.from_row)
refetched_by("AlertRule", AlertRuleById, AlertRule.from_row)
