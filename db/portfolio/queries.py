"""Reading portfolios, their positions and their performance."""

import datetime as dt
from collections.abc import Sequence
from typing import cast
from uuid import UUID

from db.pages import Key, Listing, plain_text
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
    columns="""t.id, t.account_id, t.name, t.currency, t.strategy, t.risk_tolerance, t.max_position_size,
        t.auto_rebalance, t.rebalance_frequency, t.drift_band, t.symbols, t.target_weights, t.cash_balance,
        t.reserved_cash, t.cash_balance - t.reserved_cash AS available_cash,
        t.fractional_shares, t.minimum_trade, t.relative_drift_band, t.cash_reserve, t.max_trade,
        t.max_turnover, t.look_back_days, t.tax_aware, t.is_active, t.created_at, t.snapshots_stale_from""",
    source="portfolios t",
    order=(Key("id", "t.id", UUID),),
    parent="t.account_id",
    filters={"is_active": "t.is_active = {}"},
)

# Prices are stored once, in quotes: the value of a position is computed when it is read. Without a quote it
# is valued at its owner's last trade.
POSITIONS = Listing(
    row=ListedPositionRow,
    name="positions",
    columns="""t.id, t.portfolio_id, t.instrument_id, i.symbol, i.asset_class, i.currency, t.quantity,
        t.reserved_quantity, t.cost_basis, t.realized_pnl, t.realized_pnl_fifo, t.price AS current_price,
        t.price_as_of, t.price_source,
        CASE WHEN t.quantity > 0 THEN round(t.cost_basis / t.quantity, 10) ELSE 0 END AS average_cost,
        t.market_value, t.market_value - t.cost_basis AS unrealized_pnl,
        round((t.market_value - t.cost_basis) / nullif(t.cost_basis, 0), 10) AS unrealized_return""",
    source="position_values t JOIN instruments i ON i.id = t.instrument_id",
    order=(Key("symbol", "i.symbol", plain_text),),
    parent="t.portfolio_id",
    condition="t.quantity > 0",
)

LOTS = Listing(
    row=ListedLotRow,
    name="lots",
    columns="""t.id, t.transaction_id, t.number, t.opened_at, t.remaining_quantity AS quantity,
        t.remaining_cost AS cost""",
    source="""lots t JOIN positions p ON p.owner_id = t.owner_id AND p.portfolio_id = t.portfolio_id
        AND p.instrument_id = t.instrument_id""",
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
    columns="""t.id, t.portfolio_id, t.date, t.total_value, t.cash_value, t.positions_value, t.net_flow,
        t.daily_return, t.cumulative_return, t.sharpe_ratio, t.sortino_ratio, t.volatility, t.max_drawdown,
        t.num_positions AS position_count, t.unpriced_positions AS unpriced_position_count""",
    source="performance_history t",
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
