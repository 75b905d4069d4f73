"""What can be read of transactions, orders and imports."""

from collections.abc import Mapping

from db.codes import RejectionCode
from db.entities import Entity, Figure, Many, One
from db.trading.queries import (
    IMPORTS,
    LOT_USES,
    ORDERS_OF_PORTFOLIO,
    TRANSACTIONS_OF_ACCOUNT,
    TRANSACTIONS_OF_ORDER,
)

_KNOWN_CODES = ", ".join(f"'{code.value}'" for code in RejectionCode)

ENTITIES: Mapping[str, Entity] = {
    "transactions": Entity(
        TRANSACTIONS_OF_ACCOUNT,
        figures={
            "realized_pnl": Figure(
                "t.realized_pnl", variants={"AVERAGE_COST": "t.realized_pnl", "FIFO": "t.realized_pnl_fifo"}
            ),
        },
        ones={
            "instrument": One("instruments", on="t.instrument_id", optional=True),
            "account": One("accounts", on="t.account_id"),
            "portfolio": One("portfolios", on="t.portfolio_id", optional=True),
            "order": One("orders", on="t.order_id", optional=True),
            "reverses": One("transactions", on="t.reverses_id", optional=True),
            "reversed_by": One("transactions", on="t.id", key="t.reverses_id", optional=True),
        },
        lists={"lot_uses": Many("lot_uses", LOT_USES)},
    ),
    "lot_uses": Entity(LOT_USES, ones={"source": One("transactions", on="t.lot_transaction_id")}),
    "orders": Entity(
        ORDERS_OF_PORTFOLIO,
        figures={
            # A broker's own code is not one of ours.
            "known_rejection_code": Figure(
                f"CASE WHEN t.rejection_code IN ({_KNOWN_CODES}) THEN t.rejection_code "
                "WHEN t.rejection_code IS NOT NULL THEN 'OTHER' END"
            ),
        },
        ones={
            "instrument": One("instruments", on="t.instrument_id"),
            "portfolio": One("portfolios", on="t.portfolio_id"),
        },
        lists={"transactions": Many("transactions", TRANSACTIONS_OF_ORDER)},
    ),
    "imports": Entity(IMPORTS, ones={"portfolio": One("portfolios", on="t.portfolio_id")}),
}
