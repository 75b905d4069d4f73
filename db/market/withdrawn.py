"""Removing a split of an instrument, and undoing its effect on price levels and quotes.

Everything runs in one transaction of the owner of the tables: the application may not remove a split.
"""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text

from db.market.splits import rewind_quote
from db.sessions import APP_ROLE, Session


async def lock_instrument(session: Session, symbol: str, owner_id: UUID | None) -> UUID | None:
    """Return the id of the shared instrument with this symbol, or of the owner's own, and lock splits.

    Nobody else records splits of any instrument until the transaction ends.
    """
    await session.execute(text("LOCK TABLE split_work IN SHARE ROW EXCLUSIVE MODE"))
    owner = "owner_id IS NOT DISTINCT FROM CAST(:owner AS uuid)"
    sql = f"SELECT id FROM instruments WHERE symbol = :symbol AND {owner}"
    found: UUID | None = (await session.execute(text(sql), {"symbol": symbol, "owner": owner_id})).scalar()
    return found


async def remove_split(session: Session, instrument_id: UUID, ex_date: dt.date) -> None:
    """Remove the instrument's split of a day, and the work of posting it.

    A quote that it has changed is converted back to the day before.
    """
    await rewind_quote(session, instrument_id, ex_date)
    key = {"instrument": instrument_id, "day": ex_date}
    where = "instrument_id = :instrument AND ex_date = :day"
    await session.execute(text(f"DELETE FROM split_work WHERE {where}"), key)
    # The one statement that the application's role may not run.
    await session.execute(text("SET LOCAL ROLE NONE"))
    await session.execute(text(f"DELETE FROM instrument_splits WHERE {where}"), key)
    await session.execute(text(f"SET LOCAL ROLE {APP_ROLE}"))


async def find_users(session: Session) -> Sequence[UUID]:
    """Return all users in the order of their ids."""
    return (await session.execute(text("SELECT DISTINCT user_id FROM logins ORDER BY 1"))).scalars().all()


_BACK = """
UPDATE {table} SET
    threshold = greatest(round((threshold * :quantity)::numeric(400, 60) / :split_for, 10), 0.0000000001),
    hysteresis = round((hysteresis * :quantity)::numeric(400, 60) / :split_for, 10),
    followed_splits = array_remove(followed_splits, :day)
WHERE owner_id = :owner AND instrument_id = :instrument AND kind IN ('PRICE_ABOVE', 'PRICE_BELOW')
    AND :day = ANY(followed_splits)
"""


async def take_levels_back(
    session: Session,
    owner_id: UUID,
    instrument_id: UUID,
    ex_date: dt.date,
    quantity: Decimal,
    split_for: Decimal,
) -> None:
    """Undo the split in the owner's price levels that have followed it, except for what was rounded away."""
    given = {
        "owner": owner_id,
        "instrument": instrument_id,
        "day": ex_date,
        "quantity": quantity,
        "split_for": split_for,
    }
    for table in ("alert_rules", "alert_watches"):
        await session.execute(text(_BACK.format(table=table)), given)
