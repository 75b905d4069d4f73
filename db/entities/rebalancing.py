"""What can be read of rebalances and their legs."""

from collections.abc import Mapping

from db.codes import LegReason
from db.entities import Entity, Figure, Many, One
from db.entities.portfolio import weights
from db.rebalancing.queries import LEGS, REBALANCES
from db.trading.queries import ORDERS_OF_REBALANCE

_KNOWN = ", ".join(f"'{reason.value}'" for reason in LegReason)
# The same as `investing.rules.rebalancing.legs.parse_reason`: a code, a colon and a sentence.
_HAS_CODE = f"t.reason LIKE '%: %' AND split_part(t.reason, ': ', 1) IN ({_KNOWN})"

ENTITIES: Mapping[str, Entity] = {
    "rebalances": Entity(
        REBALANCES,
        ones={"portfolio": One("portfolios", on="t.portfolio_id")},
        lists={"orders": Many("orders", ORDERS_OF_REBALANCE), "legs": Many("legs", LEGS)},
        few={name: weights(f"t.{name}") for name in ("old_weights", "new_weights", "target_weights")},
    ),
    "legs": Entity(
        LEGS,
        figures={
            "reason_code": Figure(
                f"CASE WHEN {_HAS_CODE} THEN split_part(t.reason, ': ', 1) "
                "WHEN t.reason IS NOT NULL THEN 'OTHER' END"
            ),
            "reason_message": Figure(
                f"CASE WHEN {_HAS_CODE} THEN substr(t.reason, strpos(t.reason, ': ') + 2) ELSE t.reason END"
            ),
        },
        ones={
            "instrument": One("instruments", on="t.instrument_id"),
            "order": One("orders", on="t.order_id", optional=True),
        },
    ),
}
