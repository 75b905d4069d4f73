"""Creating, changing, deleting and testing alert rules, and acknowledging alerts."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graph.alerts.inputs import (
    CreateAlertRuleInput,
    DeleteAlertRuleInput,
    TestAlertRuleInput,
    UpdateAlertRuleInput,
)
from graph.alerts.types import Alert, AlertRule
from graph.context import Info
from graph.loaders.alerts import AlertById, AlertRuleById
from graph.loaders.portfolio import PortfolioById
from graph.market.types import Instrument, instrument_with_symbol
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.permissions import IsAuthenticated, OwnsAlert, OwnsAlertRule, OwnsPortfolio
from graph.portfolio.types import Portfolio
from investing.alerts import acknowledging, rules
from investing.alerts.backtest import Firing, try_rule


@strawberry.input(description="Alerts to acknowledge.")
class AcknowledgeAlertsInput:
    ids: list[strawberry.ID] = strawberry.field(description="The alerts, at most 500.")


@strawberry.type(description="The alert rule as it is now, or the reasons why nothing was done.")
class AlertRulePayload(Payload):
    alert_rule: AlertRule | None = strawberry.field(description="The rule.", default=None)


@strawberry.type(description="The id of the deleted alert rule, or the reasons why nothing was deleted.")
class DeleteAlertRulePayload(Payload):
    deleted_id: strawberry.ID | None = strawberry.field(
        description="The id of what was deleted.", default=None
    )


@strawberry.type(description="The acknowledged alerts, or the reasons why none was acknowledged.")
class AcknowledgeAlertsPayload(Payload):
    alerts: list[Alert] = strawberry.field(
        description="The alerts, in the order of the input.", default_factory=list
    )


@strawberry.type(description="A day on which an alert rule would have fired.")
class AlertRuleFiring:
    portfolio_id: strawberry.Private[UUID | None]
    date: dt.date = strawberry.field(description="The day.")
    value: Decimal = strawberry.field(description="The value on that day, in the unit of the threshold.")
    threshold: Decimal = strawberry.field(description="The threshold that was passed.")
    symbol: str | None = strawberry.field(
        description="The instrument whose price or weight it is; null for a whole portfolio's value."
    )

    @strawberry.field(description="The instrument whose price or weight it is.")
    async def instrument(self, info: Info) -> Instrument | None:
        return await instrument_with_symbol(info, self.symbol)

    @strawberry.field(description="The portfolio whose value or weight it is; null for a price.")
    async def portfolio(self, info: Info) -> Portfolio | None:
        if self.portfolio_id is None:
            return None
        return Portfolio.from_row(await info.context.loader(PortfolioById).load_existing(self.portfolio_id))

    @classmethod
    def of(cls, firing: Firing) -> "AlertRuleFiring":
        """Return the firing as clients see it."""
        return cls(
            portfolio_id=firing.target.portfolio_id,
            date=firing.date,
            value=firing.value,
            threshold=firing.threshold,
            symbol=firing.target.symbol,
        )


@strawberry.type(
    description="When the alert rule would have fired, or the reasons why it could not be tested."
)
class TestAlertRulePayload(Payload):
    __test__ = False

    firings: list[AlertRuleFiring] = strawberry.field(
        description="The days, oldest first, at most 1,000.", default_factory=list
    )
    days: int = strawberry.field(
        description="The number of days that were tested, counted for each portfolio.", default=0
    )
    has_more: bool = strawberry.field(
        description="Whether there are more than 1,000 such days.", default=False
    )


async def _rule(info: Info, id: UUID) -> AlertRulePayload:
    row: Any = await info.context.loader(AlertRuleById).load(id)
    return AlertRulePayload(alert_rule=AlertRule.from_row(row))


@strawberry.type
class AlertMutation:
    @strawberry.mutation(
        description="Creates an alert rule.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("input", "portfolio_id"))],
    )
    async def create_alert_rule(
        self, info: Info, input: Annotated[CreateAlertRuleInput, INPUT]
    ) -> AlertRulePayload | None:
        return await _rule(info, await rules.create_rule(actor_of(info.context), input.rule()))

    @strawberry.mutation(
        description="Changes an alert rule, or switches it on or off.",
        extensions=[Guard(IsAuthenticated(), OwnsAlertRule("input", "alert_rule_id"))],
    )
    async def update_alert_rule(
        self, info: Info, input: Annotated[UpdateAlertRuleInput, INPUT]
    ) -> AlertRulePayload | None:
        rule_id = own_id("AlertRule", input.alert_rule_id)
        await rules.change_rule(actor_of(info.context), rule_id, input.changes())
        return await _rule(info, rule_id)

    @strawberry.mutation(
        description="Deletes an alert rule; its alerts are kept.",
        extensions=[Guard(IsAuthenticated(), OwnsAlertRule("input", "alert_rule_id"))],
    )
    async def delete_alert_rule(
        self, info: Info, input: Annotated[DeleteAlertRuleInput, INPUT]
    ) -> DeleteAlertRulePayload | None:
        await rules.delete_rule(actor_of(info.context), own_id("AlertRule", input.alert_rule_id))
        return DeleteAlertRulePayload(deleted_id=input.alert_rule_id)

    @strawberry.mutation(
        description="Tests when a rule like this would have fired, using the daily closes of its instrument "
        "or the portfolio's performanceHistory. Weights are computed from the transactions and "
        "the closes; days on which something held had no price yet are left out. Drift is "
        "measured from today's target weights if the strategy is CUSTOM, and otherwise from the "
        "weights that the last completed rebalance before that day had reached. Nothing is "
        "created and nothing is sent. Active hours are ignored, because a day has no time.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("input", "portfolio_id"))],
    )
    async def test_alert_rule(
        self, info: Info, input: Annotated[TestAlertRuleInput, INPUT]
    ) -> TestAlertRulePayload | None:
        outcome = await try_rule(actor_of(info.context), input.rule(), input.from_, input.to)
        return TestAlertRulePayload(
            firings=[AlertRuleFiring.of(firing) for firing in outcome.firings],
            days=outcome.days,
            has_more=outcome.has_more,
        )

    @strawberry.mutation(
        description="Acknowledges alerts: all of them, or none. An alert that was acknowledged before keeps "
        "its time.",
        extensions=[Guard(IsAuthenticated(), OwnsAlert("input", "ids"))],
    )
    async def acknowledge_alerts(
        self, info: Info, input: Annotated[AcknowledgeAlertsInput, INPUT]
    ) -> AcknowledgeAlertsPayload | None:
        ids = [own_id("Alert", id) for id in input.ids]
        await acknowledging.acknowledge_alerts(actor_of(info.context), ids)
        rows = await info.context.loader(AlertById).load_many(ids)
        return AcknowledgeAlertsPayload(alerts=[Alert.from_row(row) for row in rows if row is not None])
