"""The quick way to put a fill on the ledger: as `investing.trading.orders.fill`, with two statements."""

from uuid import UUID

from db.locks import lock_portfolio_of_order
from db.sessions import Sessions
from db.trading import batch_writes as writes
from db.trading import quick
from db.vocabulary import OrderStatus, Topic, TransactionType
from db.write_batch import WriteBatch
from db.writing import RawConnection
from investing.actor import RequestOrigin
from investing.audit import add_note
from investing.brokers.protocol import Fill
from investing.rules.trading.ledger import overtaking
from investing.rules.trading.orders import OPEN
from investing.trading.orders import OrderRow, changed_by, entry_of, filled_by, noted
from investing.trading.posting import CashLocation, FillReference
from investing.trading.quick import Released, post_quickly

_OVERTAKING = (overtaking(TransactionType.BUY), overtaking(TransactionType.SELL))


async def fill_quickly(
    sessions: Sessions,
    owner_id: UUID,
    client: RequestOrigin,
    execution: Fill,
    broker_order_id: str | None = None,
) -> OrderStatus | None:
    """Puts a fill on the ledger, once however often it is told. Where the order stands now.

    None where there is no such order any more. Raises NotQuick with nothing done, and the ledger's refusals.
    """
    order_id = execution.client_order_id

    async def work(connection: RawConnection) -> OrderStatus | None:
        row = await quick.for_fill(
            connection, owner_id, order_id, execution.id, execution.executed_at, _OVERTAKING
        )
        if row is None:
            return None
        if row["status"] not in OPEN or row["is_executed"]:
            return OrderStatus(row["status"])
        order = {**row, "id": order_id, "reserved_cash": row["order_reserved_cash"]}
        parts = WriteBatch()
        status = await _add_fill(
            connection, parts, owner_id, client, (row, order), execution, broker_order_id
        )
        await parts.write(connection)
        return status

    status = await sessions.write(owner_id, lock_portfolio_of_order(owner_id, order_id), work)
    sessions.announce(owner_id, Topic.PORTFOLIOS)
    return status


async def _add_fill(
    connection: RawConnection,
    parts: WriteBatch,
    owner_id: UUID,
    client: RequestOrigin,
    found: tuple[quick.Row, OrderRow],
    execution: Fill,
    broker_order_id: str | None,
) -> OrderStatus:
    row, order = found
    filled = filled_by(order, row["filled_value"], execution)
    # What the order had reserved is free for it now.
    free = {**row, "reserved_cash": row["reserved_cash"] - filled.released_cash}
    await post_quickly(
        connection,
        parts,
        CashLocation.of_portfolio(owner_id, free),
        entry_of(order, execution, filled.amount),
        row,
        fills=FillReference(order["id"], execution.id),
        released=Released(filled.released_cash, filled.released_quantity),
        now=True,
    )
    writes.change_order(parts, owner_id, order["id"], changed_by(order, filled, broker_order_id))
    if filled.status not in OPEN:
        writes.end_work(parts, owner_id, order["id"])
    word = filled.status.lower()
    reported = noted(order, symbol=order["symbol"], execution=execution.id)
    add_note(parts, owner_id, client, f"order.{word}", "Order", order["id"], **reported)
    return filled.status
