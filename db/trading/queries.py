"""Reading orders and transactions."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import cast
from uuid import UUID

from db.account.days import between_days, day_of
from db.models.trading import IS_OPEN
from db.pages import Join, Key, Listing, columns
from db.sessions import Connection, Row
from db.trading.listing_rows import ListedImportRow, ListedOrderRow, ListedTransactionRow, LotUseRow

_ZONE = "(SELECT a.time_zone FROM accounts a WHERE a.owner_id = $1 AND a.id = t.account_id)"

TRANSACTIONS_OF_ACCOUNT = Listing(
    row=ListedTransactionRow,
    name="transactions",
    columns=columns(
        "id account_id portfolio_id instrument_id order_id type quantity price amount commission "
        "currency cash_delta quantity_delta realized_pnl executed_at is_automatic notes cost_delta "
        "realized_pnl_fifo reverses_id import_id",
        symbol="i.symbol",
    ),
    table="transactions",
    joins={"i": Join("instruments", "i.id = t.instrument_id", left=True)},
    order=(
        Key("executed_at", "t.executed_at", dt.datetime.fromisoformat),
        Key("id", "t.id", UUID),
    ),
    descending=True,
    parent="t.account_id",
    filters={
        "types": "t.type = ANY({}::text[])",
        "symbols": "i.symbol = ANY({}::text[])",
        "account_ids": "t.account_id = ANY({}::uuid[])",
        "portfolio_ids": "t.portfolio_id = ANY({}::uuid[])",
        **between_days("t.executed_at", _ZONE),
    },
)
TRANSACTIONS_OF_PORTFOLIO = replace(TRANSACTIONS_OF_ACCOUNT, parent="t.portfolio_id")
TRANSACTIONS_OF_ORDER = replace(TRANSACTIONS_OF_ACCOUNT, parent="t.order_id")

TRANSACTIONS_OF_POSITION = replace(
    TRANSACTIONS_OF_ACCOUNT,
    joins={
        **TRANSACTIONS_OF_ACCOUNT.joins,
        "p": Join(
            "positions",
            "p.owner_id = t.owner_id AND p.portfolio_id = t.portfolio_id "
            "AND p.instrument_id = t.instrument_id",
        ),
    },
    parent="p.id",
)

IMPORTS = Listing(
    row=ListedImportRow,
    name="imports",
    columns=columns(
        "id portfolio_id created_at format transaction_count reversed_at",
    ),
    table="imports",
    order=(Key("id", "t.id", UUID),),
    descending=True,
    parent="t.owner_id",
    # An import that wrote nothing is kept for its idempotency key alone.
    condition="t.transaction_count > 0",
)

# Neither a reversal nor the entry that it reverses counts in a gain.
_COUNTS = """t.reverses_id IS NULL AND NOT EXISTS (
    SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)"""
_DAY = day_of("t.executed_at", _ZONE)

SALES = replace(
    TRANSACTIONS_OF_PORTFOLIO,
    name="sales",
    condition=f"t.type = 'SELL' AND {_COUNTS}",
    filters=between_days("t.executed_at", _ZONE),
)

_GAINS_OF_SALES = f"""
SELECT t.portfolio_id, count(*)::int AS sales, sum(t.realized_pnl) AS realized_pnl,
       sum(t.realized_pnl_fifo) AS realized_pnl_fifo, sum(t.amount) AS amount, sum(t.commission) AS commission
FROM transactions t
WHERE t.owner_id = $1 AND t.portfolio_id = ANY($2::uuid[]) AND t.type = 'SELL' AND {_COUNTS}
      AND ($3::date IS NULL OR {_DAY} >= $3) AND ($4::date IS NULL OR {_DAY} <= $4)
GROUP BY 1
"""

_HELD_BEFORE = f"""
SELECT t.id, h.quantity, h.cost
FROM transactions t
CROSS JOIN LATERAL (
    SELECT coalesce(sum(e.quantity_delta), 0) AS quantity, coalesce(sum(e.cost_delta), 0) AS cost
    FROM transactions e
    WHERE e.owner_id = $1 AND e.portfolio_id = t.portfolio_id AND e.instrument_id = t.instrument_id
          AND (e.executed_at, e.id) < (t.executed_at, t.id) AND e.reverses_id IS NULL
          AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = e.id)
) h
WHERE t.owner_id = $1 AND t.id = ANY($2::uuid[]) AND t.type = 'SELL' AND {_COUNTS}
"""


async def fetch_gains_of_sales(
    connection: Connection,
    owner_id: UUID,
    portfolio_ids: Sequence[UUID],
    since: dt.date | None,
    until: dt.date | None,
) -> dict[UUID, Row]:
    """Return by portfolio the gains of its sales between two days, by each method, and the sales' totals.

    A portfolio without sales is missing.
    """
    rows = await connection.fetch(_GAINS_OF_SALES, owner_id, portfolio_ids, since, until)
    return {row["portfolio_id"]: row for row in rows}


async def fetch_held_before(
    connection: Connection, owner_id: UUID, transaction_ids: Sequence[UUID]
) -> dict[UUID, Row]:
    """Return the `quantity` and average `cost` of the position just before each of these sales.

    Missing for an entry that is no sale, or is reversed, or is a reversal.
    """
    return {row["id"]: row for row in await connection.fetch(_HELD_BEFORE, owner_id, transaction_ids)}


_ZONE_OF_PORTFOLIO = """(SELECT a.time_zone FROM portfolios p
    JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
    WHERE p.owner_id = $1 AND p.id = t.portfolio_id)"""

ORDERS_OF_PORTFOLIO = Listing(
    row=ListedOrderRow,
    name="orders",
    columns=columns(
        "id portfolio_id instrument_id side type status quantity filled_quantity notional "
        "time_in_force expires_at limit_price average_fill_price reserved_cash submitted_at "
        "updated_at version rejection_reason rejection_code rejection_facts",
        symbol="i.symbol",
        remaining_quantity="t.quantity - t.filled_quantity",
    ),
    table="orders",
    joins={"i": Join("instruments", "i.id = t.instrument_id")},
    order=(
        Key("submitted_at", "t.submitted_at", dt.datetime.fromisoformat),
        Key("id", "t.id", UUID),
    ),
    descending=True,
    parent="t.portfolio_id",
    filters={
        "statuses": "t.status = ANY({}::text[])",
        "symbols": "i.symbol = ANY({}::text[])",
        **between_days("t.submitted_at", _ZONE_OF_PORTFOLIO),
    },
)
ORDERS_OF_REBALANCE = replace(ORDERS_OF_PORTFOLIO, parent="t.rebalance_id")

_VERSIONS = f"""
SELECT id, version, {IS_OPEN} OR updated_at > clock_timestamp() - interval '2 minutes' AS is_live
FROM orders
WHERE owner_id = $1 AND ($2::uuid[] IS NULL OR portfolio_id = ANY($2))
      AND ({IS_OPEN} OR updated_at > clock_timestamp() - interval '2 minutes' OR id = ANY($3::uuid[]))
ORDER BY id
"""


async def fetch_order_versions(
    connection: Connection, owner_id: UUID, portfolio_ids: Sequence[UUID] | None, order_ids: Sequence[UUID]
) -> Sequence[Row]:
    """Return `id` and `version` of the orders that are open, that changed recently, or that are named.

    They are those of all portfolios where none are given. Recently is two minutes, longer than any
    transaction lasts, so that one which commits late is still seen; a follower of an order names it, and so
    sees it however long ago it last looked. `is_live` is false for one that needs to be followed no more.
    """
    return await connection.fetch(_VERSIONS, owner_id, portfolio_ids, order_ids)


LOT_USES = Listing(
    row=LotUseRow,
    name="lotUses",
    columns=columns(
        "lot_transaction_id lot_number gain",
        opened_at="l.opened_at",
        quantity="-t.quantity_delta",
        cost="-t.cost_delta",
    ),
    table="lot_uses",
    joins={
        "l": Join(
            "lots",
            "l.owner_id = t.owner_id AND l.transaction_id = t.lot_transaction_id AND l.number = t.lot_number",
        )
    },
    order=(
        Key("opened_at", "l.opened_at", dt.datetime.fromisoformat),
        Key("lot_transaction_id", "t.lot_transaction_id", UUID),
        Key("lot_number", "t.lot_number", int),
    ),
    parent="t.transaction_id",
)


async def fetch_reversals(
    connection: Connection, owner_id: UUID, transaction_ids: Sequence[UUID]
) -> dict[UUID, ListedTransactionRow]:
    """Return the reversals of these transactions, by the reversed transaction."""
    rows = await connection.fetch(
        f"SELECT {TRANSACTIONS_OF_ACCOUNT.selected} FROM {TRANSACTIONS_OF_ACCOUNT.source} "
        "WHERE t.owner_id = $1 AND t.reverses_id = ANY($2::uuid[])",
        owner_id,
        transaction_ids,
    )
    return cast("dict[UUID, ListedTransactionRow]", {row["reverses_id"]: row for row in rows})
