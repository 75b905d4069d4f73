"""What can be read of a portfolio, its positions, their lots, and its snapshots."""

from collections.abc import Mapping

from db.entities import Entity, Few, Figure, Many, One, derived
from db.pages import columns
from db.portfolio.queries import LOTS, PORTFOLIOS, POSITIONS, SNAPSHOTS
from db.rebalancing.queries import REBALANCES
from db.trading.queries import ORDERS_OF_PORTFOLIO, TRANSACTIONS_OF_PORTFOLIO

LEFT_OUT_ORDER = "{t}.symbol, {t}.currency, {t}.instrument_id"


def left_out(condition: str, and_also: str = "") -> str:
    """Return the source of what the totals of some portfolios `p` leave out: positions without a price."""
    positions = f"""SELECT DISTINCT h.instrument_id, w.symbol, w.currency FROM portfolios p
        JOIN position_values h ON h.owner_id = $1 AND h.portfolio_id = p.id AND h.quantity > 0
            AND h.price IS NULL
        JOIN instruments w ON w.id = h.instrument_id
        WHERE p.owner_id = $1 AND {condition}"""
    return f"({positions}{' UNION ALL ' if and_also else ''}{and_also}) {{t}}"


def weights(column: str) -> Few:
    """Return the list of weights that a column stores by symbol; null where it is null."""
    source = f"(SELECT w.key AS symbol, w.value::numeric AS weight FROM jsonb_each_text({column}) w) {{t}}"
    return Few("weights", source=source, order='{t}.symbol COLLATE "C"', unless=f"{column} IS NULL")


_FIFO = """(SELECT coalesce(sum(w.realized_pnl_fifo), 0) FROM positions w
    WHERE w.owner_id = $1 AND w.portfolio_id = t.id)"""

_CASH_WEIGHT = """(SELECT 1 - coalesce(sum(round(w.market_value / s.total_value, 10)), 0)
    FROM position_values w WHERE w.owner_id = $1 AND w.portfolio_id = t.id AND s.total_value > 0
    HAVING s.total_value > 0)"""

_WEIGHT = """(SELECT round(t.market_value / w.total_value, 10) FROM portfolio_summary w
    WHERE w.owner_id = $1 AND w.portfolio_id = t.portfolio_id AND w.total_value > 0)"""

# The total value is the sum over the whole list and the cash: the list is read anyway.
_SHARE = """round(t.market_value
    / nullif(greatest(coalesce({whole}, 0) + {parent.cash_balance}, 0), 0), 10)"""

ENTITIES: Mapping[str, Entity] = {
    "portfolios": Entity(
        PORTFOLIOS,
        figures={
            "market_value": Figure("s.market_value"),
            "total_value": Figure("s.total_value"),
            "cost_basis": Figure("s.cost_basis"),
            "unrealized_pnl": Figure("s.unrealized_pnl"),
            "position_count": Figure("s.position_count"),
            "unpriced_position_count": Figure("s.unpriced_position_count"),
            "realized_pnl": Figure(
                "s.realized_pnl", variants={"AVERAGE_COST": "s.realized_pnl", "FIFO": _FIFO}
            ),
            "cash_weight": Figure(_CASH_WEIGHT),
        },
        laterals={"s": "SELECT w.* FROM portfolio_summary w WHERE w.owner_id = $1 AND w.portfolio_id = t.id"},
        ones={"account": One("accounts", on="t.account_id")},
        lists={
            "positions": Many("positions", POSITIONS),
            "transactions": Many("transactions", TRANSACTIONS_OF_PORTFOLIO),
            "orders": Many("orders", ORDERS_OF_PORTFOLIO),
            "performance_history": Many("snapshots", SNAPSHOTS),
            "rebalances": Many("rebalances", REBALANCES),
        },
        few={
            "target_weights": weights("t.target_weights"),
            "unavailable": Few("left_out", source=left_out("p.id = t.id"), order=LEFT_OUT_ORDER),
        },
    ),
    "positions": Entity(
        POSITIONS,
        figures={
            "realized_pnl": Figure(
                "t.realized_pnl", variants={"AVERAGE_COST": "t.realized_pnl", "FIFO": "t.realized_pnl_fifo"}
            ),
            "weight": Figure(_WEIGHT, whole="sum(t.market_value) OVER ()", share=_SHARE),
        },
        ones={
            "instrument": One("instruments", on="t.instrument_id"),
            "portfolio": One("portfolios", on="t.portfolio_id"),
        },
        lists={"lots": Many("lots", LOTS)},
    ),
    "lots": Entity(LOTS, ones={"transaction": One("transactions", on="t.transaction_id")}),
    "snapshots": Entity(SNAPSHOTS),
    "left_out": Entity(
        derived(
            {
                "instrument_id": "t.instrument_id",
                "symbol": "t.symbol",
                "currency": "t.currency",
                "field": "CASE WHEN t.instrument_id IS NULL THEN 'totalValue' ELSE 'marketValue' END",
                "reason": "CASE WHEN t.instrument_id IS NULL THEN 'NO_RATE' ELSE 'NO_PRICES' END",
                "date": "NULL::date",
            }
        ),
        ones={"instrument": One("instruments", on="t.instrument_id", optional=True)},
    ),
    "weights": Entity(derived(columns("symbol weight"))),
}
