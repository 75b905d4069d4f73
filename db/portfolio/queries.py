"""Reading portfolios, their positions and their performance."""

import datetime as dt
from collections.abc import Sequence
from typing import cast
from uuid import UUID

from db.pages import Join, Key, Listing, columns, plain_text
from db.portfolio.rows import (
    ListedLotRow,
    ListedPortfolioRow,
    ListedPositionRow,
    PortfolioSummaryRow,
    SnapshotRow,
)
from db.sessions import Connection

PORTFOLIOS = Listing(
    row=ListedPortfolioRow,
    name="portfolios",
    columns=columns(
        "id account_id name currency strategy risk_tolerance max_position_size auto_rebalance "
        "rebalance_frequency drift_band symbols target_weights cash_balance reserved_cash "
        "fractional_shares minimum_trade relative_drift_band cash_reserve max_trade max_turnover "
        "look_back_days tax_aware is_active created_at snapshots_stale_from",
        available_cash="t.cash_balance - t.reserved_cash",
    ),
    table="portfolios",
    order=(Key("id", "t.id", UUID),),
    parent="t.account_id",
    filters={"is_active": "t.is_active = {}"},
)

# Prices are stored once, in quotes: the value of a position is computed when it is read. Without a quote it
# is valued at its owner's last trade.
POSITIONS = Listing(
    row=ListedPositionRow,
    name="positions",
    columns=columns(
        "id portfolio_id instrument_id quantity reserved_quantity cost_basis realized_pnl "
        "realized_pnl_fifo price_as_of price_source market_value",
        symbol="i.symbol",
        asset_class="i.asset_class",
        currency="i.currency",
        current_price="t.price",
        average_cost="CASE WHEN t.quantity > 0 THEN round(t.cost_basis / t.quantity, 10) ELSE 0 END",
        unrealized_pnl="t.market_value - t.cost_basis",
        unrealized_return="round((t.market_value - t.cost_basis) / nullif(t.cost_basis, 0), 10)",
    ),
    table="position_values",
    joins={"i": Join("instruments", "i.id = t.instrument_id")},
    order=(Key("symbol", "i.symbol", plain_text),),
    parent="t.portfolio_id",
    condition="t.quantity > 0",
)

LOTS = Listing(
    row=ListedLotRow,
    name="lots",
    columns=columns(
        "id transaction_id number opened_at",
        quantity="t.remaining_quantity",
        cost="t.remaining_cost",
    ),
    table="lots",
    joins={
        "p": Join(
            "positions",
            "p.owner_id = t.owner_id AND p.portfolio_id = t.portfolio_id "
            "AND p.instrument_id = t.instrument_id",
        )
    },
    order=(
        Key("opened_at", "t.opened_at", dt.datetime.fromisoformat),
        Key("transaction_id", "t.transaction_id", UUID),
        Key("number", "t.number", int),
    ),
    parent="p.id",
    condition="t.remaining_quantity > 0",
)

SNAPSHOTS = Listing(
    row=SnapshotRow,
    name="performance",
    columns=columns(
        "id portfolio_id date total_value cash_value positions_value net_flow daily_return "
        "cumulative_return sharpe_ratio sortino_ratio volatility max_drawdown",
        position_count="t.num_positions",
        unpriced_position_count="t.unpriced_positions",
    ),
    table="performance_history",
    order=(Key("date", "t.date", dt.date.fromisoformat),),
    parent="t.portfolio_id",
    filters={"from": "t.date >= {}", "to": "t.date <= {}"},
)


async def fetch_portfolio_summaries(
    connection: Connection, owner_id: UUID, portfolio_ids: Sequence[UUID]
) -> dict[UUID, PortfolioSummaryRow]:
    """Return each portfolio's row of the view portfolio_summary."""
    rows = await connection.fetch(
        "SELECT * FROM portfolio_summary WHERE owner_id = $1 AND portfolio_id = ANY($2::uuid[])",
        owner_id,
        portfolio_ids,
    )
    return cast("dict[UUID, PortfolioSummaryRow]", {row["portfolio_id"]: row for row in rows})


async def fetch_fifo_gains(
    connection: Connection, owner_id: UUID, portfolio_ids: Sequence[UUID]
) -> dict[UUID, str]:
    """Return what the sales of each portfolio gained, first in first out; missing without positions."""
    rows = await connection.fetch(
        "SELECT portfolio_id, sum(realized_pnl_fifo) AS gain FROM positions "
        "WHERE owner_id = $1 AND portfolio_id = ANY($2::uuid[]) GROUP BY portfolio_id",
        owner_id,
        portfolio_ids,
    )
    return {row["portfolio_id"]: row["gain"] for row in rows}


async def fetch_weights(
    connection: Connection, owner_id: UUID, portfolio_ids: Sequence[UUID]
) -> dict[UUID, dict[UUID, str]]:
    """Return the weights of each portfolio's priced positions, by position: market value over total value.

    Empty for a portfolio whose total value is not above zero: it has no weights.
    """
    rows = await connection.fetch(
        """
        WITH s AS MATERIALIZED (
            SELECT portfolio_id, total_value FROM portfolio_summary
            WHERE owner_id = $1 AND portfolio_id = ANY($2::uuid[]) AND total_value > 0
        )
        SELECT s.portfolio_id, t.id, round(t.market_value / s.total_value, 10) AS weight
        FROM s
        JOIN position_values t ON t.owner_id = $1 AND t.portfolio_id = s.portfolio_id
            AND t.market_value IS NOT NULL
        """,
        owner_id,
        portfolio_ids,
    )
    weights: dict[UUID, dict[UUID, str]] = {}
    for row in rows:
        weights.setdefault(row["portfolio_id"], {})[row["id"]] = row["weight"]
    return weights


async def fetch_cash_weights(
    connection: Connection, owner_id: UUID, portfolio_ids: Sequence[UUID]
) -> dict[UUID, str]:
    """Return what each portfolio's weights leave of 1, so that with cash they add up to exactly 1."""
    rows = await connection.fetch(
        """
        SELECT s.portfolio_id,
               1 - (SELECT coalesce(sum(round(t.market_value / s.total_value, 10)), 0)
                    FROM position_values t
                    WHERE t.owner_id = $1 AND t.portfolio_id = s.portfolio_id) AS cash_weight
        FROM portfolio_summary s
        WHERE s.owner_id = $1 AND s.portfolio_id = ANY($2::uuid[]) AND s.total_value > 0
        """,
        owner_id,
        portfolio_ids,
    )
    return {row["portfolio_id"]: row["cash_weight"] for row in rows}


async def fetch_held_instruments(
    connection: Connection, owner_id: UUID, portfolio_ids: Sequence[UUID]
) -> Sequence[UUID]:
    """Return the instruments that any of the portfolios holds."""
    rows = await connection.fetch(
        "SELECT DISTINCT instrument_id FROM positions "
        "WHERE owner_id = $1 AND portfolio_id = ANY($2::uuid[]) AND quantity > 0",
        owner_id,
        portfolio_ids,
    )
    return [row["instrument_id"] for row in rows]
