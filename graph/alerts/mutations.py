"""Making, changing, deleting and trying alert rules, and taking note of alerts."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graph.alerts.inputs import CreateAlertRuleInput, UpdateAlertRuleInput
from graph.alerts.loaders import AlertById, AlertRuleById
from graph.alerts.types import Alert, AlertRule
from graph.context import Info
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.permissions import IsAuthenticated, OwnsAlert, OwnsAlertRule, OwnsPortfolio
from graph.portfolio.loaders import PortfolioById
from graph.portfolio.types import Portfolio
from investing.alerts import acknowledging, rules
from investing.alerts.backtest import Firing, try_rule


@strawberry.input(description="Alerts to take note of.")
class AcknowledgeAlertsInput:
    ids: list[strawberry.ID] = strawberry.field(description="The alerts, at most 500.")


@strawberry.type(description="The alert rule as it is now, or why nothing was done.")
class AlertRulePayload(Payload):
    alert_rule: AlertRule | None = strawberry.field(description="The rule.", default=None)


@strawberry.type(description="The alert rule that is gone, or why it is not.")
class DeleteAlertRulePayload(Payload):
    deleted_id: strawberry.ID | None = strawberry.field(description="The id that it had.", default=None)


@strawberry.type(description="The alerts that were taken note of, or why none was.")
class AcknowledgeAlertsPayload(Payload):
    alerts: list[Alert] = strawberry.field(
        description="The alerts, in the order that they were given.", default_factory=list
    )


@strawberry.type(description="A day on which an alert rule would have fired.")
class AlertRuleFiring:
    portfolio_id: strawberry.Private[UUID | None]
    date: dt.date = strawberry.field(description="The day.")
    value: Decimal = strawberry.field(description="What it would have seen, in the threshold's unit.")
    threshold: Decimal = strawberry.field(description="The threshold that this is beyond.")
    symbol: str | None = strawberry.field(
        description="The instrument whose price or weight it is; null for a whole portfolio's value."
    )

    @strawberry.field(description="The portfolio whose value or weight it is; null for a price.")
    async def portfolio(self, info: Info) -> Portfolio | None:
        if self.portfolio_id is None:
            return None
        return Portfolio.from_row(await info.context.loader(PortfolioById).load_existing(self.portfolio_id))

    @classmethod
    def of(cls, firing: Firing) -> "AlertRuleFiring":
        """The firing as clients see it."""
        return cls(
            portfolio_id=firing.target.portfolio_id,
            date=firing.date,
            value=firing.value,
            threshold=firing.threshold,
            symbol=firing.target.symbol,
        )


@strawberry.type(description="When an alert rule would have fired, or why that cannot be told.")
class TestAlertRulePayload(Payload):
    __test__ = False

    firings: list[AlertRuleFiring] = strawberry.field(
        description="The days, oldest first, at most 1,000.", default_factory=list
    )
    days: int = strawberry.field(
        description="How many days there were to look at; for portfolios the days of each.", default=0
    )
    has_more: bool = strawberry.field(
        description="Whether there are more days than these 1,000.", default=False
    )


_Id = Annotated[strawberry.ID, strawberry.argument(description="The alert rule's id.")]
_From = Annotated[dt.date, strawberry.argument(name="from", description="The first day.")]
_To = Annotated[dt.date, strawberry.argument(name="to", description="The last day.")]


async def _rule(info: Info, id: UUID) -> AlertRulePayload:
    row: Any = await info.context.loader(AlertRuleById).load(id)
    return AlertRulePayload(alert_rule=AlertRule.from_row(row))


@strawberry.type
class AlertMutation:
    @strawberry.mutation(
        description="Makes an alert rule.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("input", "portfolio_id"))],
    )
    async def create_alert_rule(
        self, info: Info, input: Annotated[CreateAlertRuleInput, INPUT]
    ) -> AlertRulePayload:
        return await _rule(info, await rules.create_rule(actor_of(info.context), input.rule()))

    @strawberry.mutation(
        description="Changes an alert rule, or switches it off or on.",
        extensions=[Guard(IsAuthenticated(), OwnsAlertRule("id"))],
    )
    async def update_alert_rule(
        self, info: Info, id: _Id, input: Annotated[UpdateAlertRuleInput, INPUT]
    ) -> AlertRulePayload:
        rule_id = own_id("AlertRule", id)
        await rules.change_rule(actor_of(info.context), rule_id, input.changes())
        return await _rule(info, rule_id)

    @strawberry.mutation(
        description="Deletes an alert rule; the alerts that it raised stay.",
        extensions=[Guard(IsAuthenticated(), OwnsAlertRule("id"))],
    )
    async def delete_alert_rule(self, info: Info, id: _Id) -> DeleteAlertRulePayload:
        await rules.delete_rule(actor_of(info.context), own_id("AlertRule", id))
        return DeleteAlertRulePayload(deleted_id=id)

    @strawberry.mutation(
        description="When a rule like this would have fired, going by the daily closes of its instrument, or "
        "by the portfolio's performanceHistory. Weights are those that the transactions and the closes make; "
        "a day on which something held had no price yet is left out. Drift is from the target weights of "
        "today where the strategy is CUSTOM, and otherwise from what the last complete rebalance until that "
        "day had reached. Nothing is made and nothing is sent. Its hours are left out, since a day has no "
        "time.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("input", "portfolio_id"))],
    )
    async def test_alert_rule(
        self, info: Info, input: Annotated[CreateAlertRuleInput, INPUT], from_: _From, to: _To
    ) -> TestAlertRulePayload:
        outcome = await try_rule(actor_of(info.context), input.rule(), from_, to)
        return TestAlertRulePayload(
            firings=[AlertRuleFiring.of(firing) for firing in outcome.firings],
            days=outcome.days,
            has_more=outcome.has_more,
        )

    @strawberry.mutation(
        description="Takes note of alerts, all or none; what was noted before keeps its time.",
        extensions=[Guard(IsAuthenticated(), OwnsAlert("input", "ids"))],
    )
    async def acknowledge_alerts(
        self, info: Info, input: Annotated[AcknowledgeAlertsInput, INPUT]
    ) -> AcknowledgeAlertsPayload:
        ids = [own_id("Alert", id) for id in input.ids]
        await acknowledging.acknowledge_alerts(actor_of(info.context), ids)
        rows = await info.context.loader(AlertById).load_many(ids)
        return AcknowledgeAlertsPayload(alerts=[Alert.from_row(row) for row in rows if row is not None])
