"""The facts that an order and a fill depend on, read by one statement each over a raw connection.

As in `db.trading.ledger_reads` the portfolio is locked before, and every statement names the owner.
"""

import datetime as dt
from collections.abc import Collection
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from db.market.splits import QUOTE_TODAY
from db.models.trading import IS_OPEN
from db.trading.ledger_reads import (
    BEFORE_SPLIT,
    HELD,
    KEY,
    MEANT_BY_SYMBOL,
    OVERTAKEN,
    PORTFOLIO,
)
from db.writing import RawConnection


class OrderFacts(NamedTuple):
    """The facts for an order: its portfolio and broker, the instrument's quote, and the free quantity."""

    portfolio_id: UUID
    account_id: UUID
    currency: str
    margin: bool
    cash_balance: Decimal
    reserved_cash: Decimal
    is_active: bool
    account_is_active: bool
    time_zone: str
    key_field: str | None
    key_hash: bytes | None
    key_outcome: dict[str, Any] | None
    max_position_size: Decimal
    broker: str
    instrument_id: UUID | None
    symbol: str | None
    instrument_currency: str | None
    asset_class: str | None
    exchange: str | None
    price: Decimal | None
    as_of: dt.datetime | None
    free_quantity: Decimal


_FOR_ORDER = f"""
SELECT {PORTFOLIO}, {KEY}, p.max_position_size, a.broker,
    i.id AS instrument_id, i.symbol, i.currency AS instrument_currency, i.asset_class, i.exchange,
    {QUOTE_TODAY} AS price, q.as_of,
    coalesce(h.quantity - h.reserved_quantity, 0) AS free_quantity
FROM portfolios p
JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
LEFT JOIN {MEANT_BY_SYMBOL} i ON true
LEFT JOIN quotes q ON q.instrument_id = i.id
LEFT JOIN positions h ON h.owner_id = $1 AND h.portfolio_id = p.id AND h.instrument_id = i.id
LEFT JOIN idempotency_keys k ON k.owner_id = $1 AND k.key = $3
WHERE p.owner_id = $1 AND p.id = $2
"""


async def for_order(
    connection: RawConnection, owner_id: UUID, portfolio_id: UUID, key: UUID | None, symbol: str
) -> OrderFacts | None:
    """Return the locked portfolio with its broker, the instrument with its quote, and its free quantity."""
    row = await connection.fetchrow(_FOR_ORDER, owner_id, portfolio_id, key, symbol)
    return None if row is None else OrderFacts(**row)


class FillFacts(NamedTuple):
    """The facts for a fill: its order in the locked portfolio, and the holding of the instrument.

    `reserved_cash` is the portfolio's, `order_reserved_cash` the order's part of it; `filled_value` is
    quantity x price over all that the order has traded, not rounded.
    """

    portfolio_id: UUID
    account_id: UUID
    currency: str
    margin: bool
    cash_balance: Decimal
    reserved_cash: Decimal
    is_active: bool
    account_is_active: bool
    time_zone: str
    held_quantity: Decimal | None
    held_reserved: Decimal | None
    held_cost: Decimal | None
    held_gain: Decimal | None
    held_gain_fifo: Decimal | None
    symbol: str
    order_id: UUID
    side: str
    status: str
    instrument_id: UUID
    quantity: Decimal
    filled_quantity: Decimal
    broker_order_id: str | None
    limit_price: Decimal | None
    worst_price: Decimal | None
    order_reserved_cash: Decimal
    is_executed: bool
    filled_value: Decimal
    is_overtaken: bool
    is_before_split: bool


_OVERTAKEN_FILL = OVERTAKEN.format(
    instrument="o.instrument_id",
    since="$4",
    types="CASE o.side WHEN 'BUY' THEN $5::text[] ELSE $6::text[] END",
)

_FOR_FILL = f"""
SELECT {PORTFOLIO}, {HELD}, i.symbol,
    o.id AS order_id, o.side, o.status, o.instrument_id, o.quantity, o.filled_quantity, o.broker_order_id,
    o.limit_price, o.worst_price,
    o.reserved_cash AS order_reserved_cash,
    EXISTS (SELECT FROM transactions t WHERE t.owner_id = $1 AND t.execution_id = $3) AS is_executed,
    coalesce((SELECT sum(t.quantity * t.price) FROM transactions t
        WHERE t.owner_id = $1 AND t.order_id = o.id), 0) AS filled_value,
    {_OVERTAKEN_FILL},
    {BEFORE_SPLIT.format(instrument="o.instrument_id", since="$4")}
FROM orders o
JOIN portfolios p ON p.owner_id = $1 AND p.id = o.portfolio_id
JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
JOIN instruments i ON i.id = o.instrument_id
LEFT JOIN positions h ON h.owner_id = $1 AND h.portfolio_id = p.id AND h.instrument_id = o.instrument_id
WHERE o.owner_id = $1 AND o.id = $2
"""


async def for_fill(
    connection: RawConnection,
    owner_id: UUID,
    order_id: UUID,
    execution_id: str,
    executed_at: dt.datetime,
    overtaking: tuple[Collection[str], Collection[str]],
) -> FillFacts | None:
    """Return the order and the holding; `overtaking` are the types for a BUY, and for a SELL."""
    types = (list(overtaking[0]), list(overtaking[1]))
    row = await connection.fetchrow(_FOR_FILL, owner_id, order_id, execution_id, executed_at, *types)
    return None if row is None else FillFacts(**row)


class Exposure(NamedTuple):
    """The quantity of an instrument held, or still to be bought by open orders; and the portfolio's value."""

    total_value: Decimal
    quantity: Decimal


_EXPOSURE = f"""
SELECT s.total_value,
       coalesce((SELECT quantity FROM positions
                 WHERE owner_id = $1 AND portfolio_id = $2 AND instrument_id = $3), 0)
       + coalesce((SELECT sum(quantity - filled_quantity) FROM orders
                   WHERE owner_id = $1 AND portfolio_id = $2 AND instrument_id = $3
                         AND side = 'BUY' AND {IS_OPEN}), 0) AS quantity
FROM portfolio_summary s WHERE s.owner_id = $1 AND s.portfolio_id = $2
"""


async def find_exposure(
    connection: RawConnection, owner_id: UUID, portfolio_id: UUID, instrument_id: UUID
) -> Exposure:
    """Return the held and ordered quantity of an instrument, and the portfolio's value."""
    row = await connection.fetchrow(_EXPOSURE, owner_id, portfolio_id, instrument_id)
    assert row is not None, "a portfolio has a summary"
    return Exposure(**row)
