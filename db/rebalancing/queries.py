"""Reading the history of rebalances."""

from uuid import UUID

from db.pages import Key, Listing

REBALANCES = Listing(
    name="rebalances",
    columns="""t.id, t.portfolio_id, t.strategy, t.status, t.trigger, t.old_weights, t.new_weights,
        t.turnover, t.total_cost, t.trades_executed, t.started_at, t.completed_at, t.failure_reason""",
    source="rebalance_history t",
    order=(Key("id", "t.id", UUID),),
    descending=True,
    parent="t.portfolio_id",
)
