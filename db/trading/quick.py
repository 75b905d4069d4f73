"""What a trade of today has to know, read by one statement each over a plain connection.

The portfolio is locked before, with the transaction's first words (`db.writing`). Every statement names the
owner. `is_overtaken` says that something later on the ledger would have to be posted again.
"""

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.market.splits import MARKET_TODAY, QUOTE_TODAY
from db.market.symbols import MEANT_BY_ONE
from db.trading.orders import EXPOSURE
from db.trading.writes import LOWEST_CASH
from db.writing import RawConnection

Row = Mapping[str, Any]

_PORTFOLIO = "SELECT FROM portfolios WHERE owner_id = {owner} AND id = {portfolio} FOR NO KEY UPDATE"
# The portfolio of an order never changes; whoever changes an order has locked its portfolio.
_LOCK_OF_ORDER = """SELECT FROM portfolios WHERE owner_id = {owner} AND id =
    (SELECT portfolio_id FROM orders WHERE owner_id = {owner} AND id = {order}) FOR NO KEY UPDATE"""

_PORTFOLIO = """p.id, p.account_id, p.currency, p.margin, p.cash_balance, p.reserved_cash, p.is_active,
    a.is_active AS account_is_active, a.time_zone"""
_HELD = """h.quantity AS held_quantity, h.reserved_quantity AS held_reserved, h.cost_basis AS held_cost,
    h.realized_pnl AS held_gain, h.realized_pnl_fifo AS held_gain_fifo"""
_KEY = "k.field AS key_field, k.arguments_hash AS key_hash, k.outcome AS key_outcome"

_OVERTAKEN = """EXISTS (SELECT FROM transactions t
    WHERE t.owner_id = $1 AND t.portfolio_id = p.id AND t.instrument_id = {instrument}
        AND t.executed_at >= {since} AND t.type = ANY({types})) AS is_overtaken"""

_MEANT = MEANT_BY_ONE.format(symbol="$4", owner="$1")
# Generous by a day on either side, for every time zone: the general way looks again.
_BEFORE_SPLIT = f"""EXISTS (SELECT FROM instrument_splits s
    WHERE s.instrument_id = {{instrument}} AND s.ex_date >= ({{since}} AT TIME ZONE 'UTC')::date - 1
        AND s.ex_date <= {MARKET_TODAY}) AS is_before_split"""

_FOR_ENTRY = f"""
SELECT {_PORTFOLIO}, {_HELD}, {_KEY}, i.id AS instrument_id, i.symbol, i.currency AS instrument_currency,
    i.price_basis, {_OVERTAKEN.format(instrument="i.id", since="$5", types="$6::text[]")},
    {_BEFORE_SPLIT.format(instrument="i.id", since="$5")},
    EXISTS (SELECT FROM transactions t WHERE t.owner_id = $1 AND t.portfolio_id = p.id
        AND t.executed_at > $5) AS is_followed
FROM portfolios p
JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
LEFT JOIN {_MEANT} i ON true
LEFT JOIN positions h ON h.owner_id = $1 AND h.portfolio_id = p.id AND h.instrument_id = i.id
LEFT JOIN idempotency_keys k ON k.owner_id = $1 AND k.key = $3
WHERE p.owner_id = $1 AND p.id = $2
"""

_FOR_ORDER = f"""
SELECT {_PORTFOLIO}, {_KEY}, p.max_position_size, a.broker,
    i.id AS instrument_id, i.symbol, i.currency AS instrument_currency, i.asset_class, i.exchange,
    {QUOTE_TODAY} AS price, q.as_of,
    coalesce(h.quantity - h.reserved_quantity, 0) AS free_quantity
FROM portfolios p
JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
LEFT JOIN {_MEANT} i ON true
LEFT JOIN quotes q ON q.instrument_id = i.id
LEFT JOIN positions h ON h.owner_id = $1 AND h.portfolio_id = p.id AND h.instrument_id = i.id
LEFT JOIN idempotency_keys k ON k.owner_id = $1 AND k.key = $3
WHERE p.owner_id = $1 AND p.id = $2
"""

_OVERTAKEN_FILL = _OVERTAKEN.format(
    instrument="o.instrument_id",
    since="$4",
    types="CASE o.side WHEN 'BUY' THEN $5::text[] ELSE $6::text[] END",
)

_FOR_FILL = f"""
SELECT {_PORTFOLIO}, {_HELD}, i.symbol,
    o.id AS order_id, o.side, o.status, o.instrument_id, o.quantity, o.filled_quantity, o.broker_order_id,
    o.limit_price, o.worst_price,
    o.reserved_cash AS order_reserved_cash,
    EXISTS (SELECT FROM transactions t WHERE t.owner_id = $1 AND t.execution_id = $3) AS is_executed,
    coalesce((SELECT sum(t.quantity * t.price) FROM transactions t
        WHERE t.owner_id = $1 AND t.order_id = o.id), 0) AS filled_value,
    {_OVERTAKEN_FILL},
    {_BEFORE_SPLIT.format(instrument="o.instrument_id", since="$4")}
FROM orders o
JOIN portfolios p ON p.owner_id = $1 AND p.id = o.portfolio_id
JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
JOIN instruments i ON i.id = o.instrument_id
LEFT JOIN positions h ON h.owner_id = $1 AND h.portfolio_id = p.id AND h.instrument_id = o.instrument_id
WHERE o.owner_id = $1 AND o.id = $2
"""

# The running sum tells which of them a sale reaches; the limit is what keeps a long list from being read.
_OLDEST_LOTS = """
SELECT transaction_id, number, opened_at, remaining_quantity, remaining_cost
FROM (SELECT l.*, sum(remaining_quantity) OVER (ORDER BY opened_at, transaction_id, number)
             - remaining_quantity AS before
      FROM (SELECT transaction_id, number, opened_at, remaining_quantity, remaining_cost FROM lots
            WHERE owner_id = $1 AND portfolio_id = $2 AND instrument_id = $3 AND remaining_quantity > 0
            ORDER BY opened_at, transaction_id, number LIMIT 200) l) oldest
WHERE before < $4 ORDER BY opened_at, transaction_id, number
"""


def _positional(sql: str, *names: str) -> str:
    """SQL with the names of parameters, as the other way to write has it, for a plain connection."""
    for place, name in enumerate(names, 1):
        sql = re.sub(rf"(?<!:):{name}\b", f"${place}", sql)
    return sql


_LOWEST = _positional(
    LOWEST_CASH.format(
        portfolio="= :portfolio",
        now="SELECT cash_balance FROM portfolios WHERE owner_id = :owner AND id = :portfolio",
    ),
    "owner",
    "account",
    "portfolio",
    "since",
)
_EXPOSURE = _positional(EXPOSURE, "owner", "portfolio", "instrument")


async def for_entry(
    connection: RawConnection,
    owner_id: UUID,
    portfolio_id: UUID,
    key: UUID,
    symbol: str | None,
    since: dt.datetime,
    overtaking: Collection[str],
) -> Row | None:
    """The locked portfolio, the instrument and what is held of it, and what the key stands for already.

    `is_overtaken` tells of later entries of these types in the holding, `is_followed` of any at all in the
    portfolio, `is_before_split` of a split of the instrument that the entry may come before.
    """
    types = list(overtaking)
    return await _fetch(connection, _FOR_ENTRY, owner_id, portfolio_id, key, symbol, since, types)


async def for_order(
    connection: RawConnection, owner_id: UUID, portfolio_id: UUID, key: UUID, symbol: str
) -> Row | None:
    """The locked portfolio with its broker, the instrument with its quote, what is free of the holding."""
    return await _fetch(connection, _FOR_ORDER, owner_id, portfolio_id, key, symbol)


async def for_fill(
    connection: RawConnection,
    owner_id: UUID,
    order_id: UUID,
    execution_id: str,
    executed_at: dt.datetime,
    overtaking: tuple[Collection[str], Collection[str]],
) -> Row | None:
    """The order in its locked portfolio, and what is held; `overtaking` are types for a BUY and for a SELL.

    `reserved_cash` is the portfolio's, `order_reserved_cash` what of it the order has.
    """
    types = (list(overtaking[0]), list(overtaking[1]))
    return await _fetch(connection, _FOR_FILL, owner_id, order_id, execution_id, executed_at, *types)


async def oldest_lots(
    connection: RawConnection, owner_id: UUID, portfolio_id: UUID, instrument_id: UUID, quantity: Decimal
) -> Sequence[Row]:
    """The oldest open lots that hold so many shares together, or 200 of them where it takes more."""
    rows = await connection.fetch(_OLDEST_LOTS, owner_id, portfolio_id, instrument_id, quantity)
    return [dict(row) for row in rows]


async def lowest_cash_since(
    connection: RawConnection, owner_id: UUID, account_id: UUID, portfolio_id: UUID, since: dt.datetime
) -> Row:
    """The portfolio's lowest cash balance from then on, and when that was."""
    row = await _fetch(connection, _LOWEST, owner_id, account_id, portfolio_id, since)
    assert row is not None, "there is always a balance"
    return row


async def exposure(connection: RawConnection, owner_id: UUID, portfolio_id: UUID, instrument_id: UUID) -> Row:
    """`quantity`, held and still to be bought by open orders, and the portfolio's `total_value`."""
    row = await _fetch(connection, _EXPOSURE, owner_id, portfolio_id, instrument_id)
    assert row is not None, "a portfolio has a summary"
    return row


async def _fetch(connection: RawConnection, sql: str, *values: object) -> Row | None:
    row = await connection.fetchrow(sql, *values)
    return None if row is None else dict(row)
