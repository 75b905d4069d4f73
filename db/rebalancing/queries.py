"""Reading rebalances and their legs."""

from uuid import UUID

from db.pages import Key, Listing, sequence_number
from db.rebalancing.rows import RebalanceLegRow, RebalanceRow

_LEGS = "FROM rebalance_legs l WHERE l.owner_id = $1 AND l.rebalance_id = t.id"

REBALANCES = Listing(
    row=RebalanceRow,
    name="rebalances",
    columns=f"""t.id, t.portfolio_id, t.strategy, t.status, t.trigger, t.old_weights, t.new_weights,
        t.target_weights, t.plan_hash, t.turnover, t.total_cost, t.trades_executed, t.started_at,
        t.completed_at, t.failure_reason, (SELECT count(*) {_LEGS}) AS leg_count,
        (SELECT count(*) {_LEGS} AND l.status NOT IN ('PLANNED', 'SUBMITTED')) AS legs_ended,
        (SELECT max(l.updated_at) {_LEGS}) AS legs_changed_at""",
    source="rebalance_history t",
    order=(Key("id", "t.id", UUID),),
    descending=True,
    parent="t.portfolio_id",
)

LEGS = Listing(
    row=RebalanceLegRow,
    name="legs",
    columns="""t.rebalance_id, t.number, t.instrument_id, i.symbol, t.side, t.quantity, t.filled_quantity,
        t.status, t.order_id, t.reason""",
    source="rebalance_legs t JOIN instruments i ON i.id = t.instrument_id",
    order=(Key("number", "t.number", sequence_number),),
    parent="t.rebalance_id",
)
