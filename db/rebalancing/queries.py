"""Reading rebalances and their legs."""

from uuid import UUID

from db.pages import Join, Key, Listing, columns, sequence_number
from db.rebalancing.rows import RebalanceLegRow, RebalanceRow

_LEGS = "FROM rebalance_legs l WHERE l.owner_id = $1 AND l.rebalance_id = t.id"

REBALANCES = Listing(
    row=RebalanceRow,
    name="rebalances",
    columns=columns(
        "id portfolio_id strategy status trigger old_weights new_weights target_weights plan_hash "
        "turnover total_cost trades_executed started_at completed_at failure_reason",
        leg_count=f"(SELECT count(*) {_LEGS})",
        legs_ended=f"(SELECT count(*) {_LEGS} AND l.status NOT IN ('PLANNED', 'SUBMITTED'))",
        legs_changed_at=f"(SELECT max(l.updated_at) {_LEGS})",
    ),
    table="rebalance_history",
    order=(Key("id", "t.id", UUID),),
    descending=True,
    parent="t.portfolio_id",
)

LEGS = Listing(
    row=RebalanceLegRow,
    name="legs",
    columns=columns(
        "rebalance_id number instrument_id side quantity filled_quantity status order_id reason",
        symbol="i.symbol",
    ),
    table="rebalance_legs",
    joins={"i": Join("instruments", "i.id = t.instrument_id")},
    order=(Key("number", "t.number", sequence_number),),
    parent="t.rebalance_id",
)
