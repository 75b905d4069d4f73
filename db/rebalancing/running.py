"""Writing rebalances as they run: the record, its legs, and the work of continuing them.

Everything runs in the caller's transaction, which has locked the portfolio before anything of it changes.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, insert, select, text, update

from db.market.symbols import MEANT
from db.models import Instrument, Order, Portfolio, Quote, Rebalance, RebalanceLeg, RebalanceWork
from db.rebalancing.rows import LegRow, LockedRebalanceRow, TotalsRow, VenueRow
from db.sessions import Session


async def hold_quotes(session: Session, instrument_ids: Sequence[UUID]) -> dict[UUID, Decimal]:
    """Lock the quotes of these instruments until the transaction ends, and return their prices.

    A tick that arrives meanwhile waits; transactions that only read, or take the same lock, do not.
    """
    statement = (
        select(Quote.instrument_id, Quote.price)
        .where(Quote.instrument_id.in_(instrument_ids))
        .order_by(Quote.instrument_id)
        .with_for_update(read=True)
    )
    return {row.instrument_id: row.price for row in await session.execute(statement)}


async def find_venues(session: Session, instrument_ids: Sequence[UUID]) -> dict[UUID, VenueRow]:
    """Return what decides when an order ends, `asset_class` and `exchange`, by instrument."""
    statement = select(Instrument.id, Instrument.asset_class, Instrument.exchange)
    found = await session.execute(statement.where(Instrument.id.in_(instrument_ids)))
    return cast("dict[UUID, VenueRow]", {row["id"]: row for row in found.mappings()})


async def find_universe(
    session: Session, owner_id: UUID, portfolio_id: UUID, symbols: Sequence[str]
) -> list[UUID]:
    """Return the ids of the instruments that the portfolio holds or that have one of these symbols."""
    found = await session.execute(
        text(
            "SELECT instrument_id FROM positions WHERE owner_id = :owner AND portfolio_id = :portfolio "
            "AND quantity > 0 UNION SELECT id FROM "
            f"{MEANT.format(symbols=':symbols', owner=':owner')} meant"
        ),
        {"owner": owner_id, "portfolio": portfolio_id, "symbols": list(symbols)},
    )
    return list(found.scalars())


_WEIGHTS = """
WITH s AS (SELECT total_value FROM portfolio_summary
           WHERE owner_id = :owner AND portfolio_id = :portfolio AND total_value > 0)
SELECT i.symbol, round(t.market_value / s.total_value, 10) AS weight
FROM s JOIN position_values t ON t.owner_id = :owner AND t.portfolio_id = :portfolio AND t.quantity > 0
    AND t.price IS NOT NULL
JOIN instruments i ON i.id = t.instrument_id
ORDER BY i.symbol
"""


async def find_weights(session: Session, owner_id: UUID, portfolio_id: UUID) -> dict[str, Decimal]:
    """Return the weights of the priced positions, by symbol; empty where the portfolio is worth nothing."""
    found = await session.execute(text(_WEIGHTS), {"owner": owner_id, "portfolio": portfolio_id})
    return {row.symbol: row.weight for row in found}


async def find_running(session: Session, owner_id: UUID, portfolio_id: UUID) -> UUID | None:
    """Return the rebalance of this portfolio that has not ended, if there is one."""
    statement = select(Rebalance.id).where(
        Rebalance.owner_id == owner_id,
        Rebalance.portfolio_id == portfolio_id,
        Rebalance.status == "RUNNING",
    )
    found: UUID | None = (await session.execute(statement)).scalar_one_or_none()
    return found


async def insert_rebalance(session: Session, values: Mapping[str, Any]) -> None:
    """Add the record of a rebalance."""
    await session.execute(insert(Rebalance).values(**values))


async def insert_legs(session: Session, legs: Sequence[Mapping[str, Any]]) -> None:
    """Add the trades that the rebalance is to make."""
    if legs:
        await session.execute(insert(RebalanceLeg), [dict(leg) for leg in legs])


async def lock_rebalance(session: Session, owner_id: UUID, id: UUID) -> LockedRebalanceRow | None:
    """Return the record of a rebalance, locked until the transaction ends; its portfolio is locked before."""
    statement = select(*Rebalance.__table__.columns).where(Rebalance.owner_id == owner_id, Rebalance.id == id)
    return cast(
        "LockedRebalanceRow | None",
        (await session.execute(statement.with_for_update(key_share=True))).mappings().one_or_none(),
    )


async def find_portfolio_of(session: Session, owner_id: UUID, id: UUID) -> UUID | None:
    """Return the portfolio of a rebalance."""
    statement = select(Rebalance.portfolio_id).where(Rebalance.owner_id == owner_id, Rebalance.id == id)
    found: UUID | None = (await session.execute(statement)).scalar_one_or_none()
    return found


async def find_portfolio_name(session: Session, owner_id: UUID, portfolio_id: UUID) -> str:
    """Return the name of a portfolio."""
    statement = select(Portfolio.name).where(Portfolio.owner_id == owner_id, Portfolio.id == portfolio_id)
    name: str = (await session.execute(statement)).scalar_one()
    return name


async def update_rebalance(session: Session, owner_id: UUID, id: UUID, values: Mapping[str, Any]) -> None:
    """Change a locked record."""
    await session.execute(
        update(Rebalance).where(Rebalance.owner_id == owner_id, Rebalance.id == id).values(**values)
    )


async def find_legs(session: Session, owner_id: UUID, id: UUID) -> Sequence[LegRow]:
    """Return the legs in order, each with its symbol and, where it has an order, the result of the order."""
    statement = (
        select(
            RebalanceLeg.number,
            RebalanceLeg.instrument_id,
            RebalanceLeg.side,
            RebalanceLeg.quantity,
            RebalanceLeg.filled_quantity,
            RebalanceLeg.quote_price,
            RebalanceLeg.status,
            RebalanceLeg.order_id,
            RebalanceLeg.reason,
            Instrument.symbol,
            Order.status.label("order_status"),
            Order.filled_quantity.label("order_filled"),
            Order.rejection_code,
            Order.rejection_reason,
        )
        .join(Instrument, Instrument.id == RebalanceLeg.instrument_id)
        .outerjoin(Order, (Order.owner_id == owner_id) & (Order.id == RebalanceLeg.order_id))
        .where(RebalanceLeg.owner_id == owner_id, RebalanceLeg.rebalance_id == id)
        .order_by(RebalanceLeg.number)
    )
    return cast("Sequence[LegRow]", (await session.execute(statement)).mappings().all())


async def update_leg(
    session: Session, owner_id: UUID, id: UUID, number: int, values: Mapping[str, Any]
) -> None:
    """Change a leg of a locked rebalance."""
    await session.execute(
        update(RebalanceLeg)
        .where(
            RebalanceLeg.owner_id == owner_id, RebalanceLeg.rebalance_id == id, RebalanceLeg.number == number
        )
        .values(**values)
    )


_TOTALS = """
SELECT coalesce(sum(t.amount), 0) AS traded,
       coalesce(sum(t.commission + round(CASE l.side WHEN 'BUY' THEN t.price - l.quote_price
                                         ELSE l.quote_price - t.price END * t.quantity, 10)), 0) AS cost,
       count(DISTINCT l.number) AS trades
FROM rebalance_legs l
JOIN transactions t ON t.owner_id = :owner AND t.order_id = l.order_id
WHERE l.owner_id = :owner AND l.rebalance_id = :id
"""


async def find_totals(session: Session, owner_id: UUID, id: UUID) -> TotalsRow:
    """Return the totals of the legs.

    `traded` is what they traded, `cost` what that cost (commissions, and the difference to the plan's quotes
    where prices were worse), and `trades` how many trades were made.
    """
    return cast(
        "TotalsRow", (await session.execute(text(_TOTALS), {"owner": owner_id, "id": id})).mappings().one()
    )


async def set_work(session: Session, owner_id: UUID, id: UUID, due_at: dt.datetime | None) -> None:
    """Set when the rebalance is continued next; None once it has ended."""
    mine = (RebalanceWork.owner_id == owner_id, RebalanceWork.rebalance_id == id)
    if due_at is None:
        await session.execute(delete(RebalanceWork).where(*mine))
    else:
        await session.execute(update(RebalanceWork).where(*mine).values(due_at=due_at))


async def insert_work(session: Session, owner_id: UUID, id: UUID, due_at: dt.datetime) -> None:
    """Make the rebalance due for continuing from then on, unless the process that began it is done before."""
    await session.execute(insert(RebalanceWork).values(owner_id=owner_id, rebalance_id=id, due_at=due_at))
