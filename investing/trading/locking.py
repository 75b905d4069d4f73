"""Locking all that a change of the past reaches, from the top of the tree down and by id."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from db.sessions import Session
from db.trading import history
from db.trading.writes import lock_account, lock_portfolio
from investing.rules.errors import Inactive, NotFound
from investing.trading.posting import CashLocation

PlaceKey = tuple[UUID, UUID | None]
"""An account and one of its portfolios, or None for its unallotted cash."""


async def lock_reached(
    session: Session, owner_id: UUID, instrument_id: UUID, starts: history.Starts
) -> dict[UUID, Mapping[Any, Any]]:
    """Locks the portfolios of `starts` and those that shares went to later. The rows of those that exist."""
    return await lock_all_reached(session, owner_id, {instrument_id: starts})


async def lock_all_reached(
    session: Session, owner_id: UUID, starts: Mapping[UUID, history.Starts]
) -> dict[UUID, Mapping[Any, Any]]:
    """The same for several instruments.

    All are locked by id, so that two who do this never wait for each other. Where a transfer that ends
    meanwhile adds one, the locks are given up with their savepoint, and all are locked again.
    """
    while True:
        wanted = await _reached(session, owner_id, starts)
        savepoint = await session.begin_nested()
        rows = [await lock_portfolio(session, owner_id, id) for id in sorted(wanted)]
        if wanted.issuperset(await _reached(session, owner_id, starts)):
            await savepoint.commit()
            return {row["id"]: row for row in rows if row is not None}
        await savepoint.rollback()


async def _reached(session: Session, owner_id: UUID, starts: Mapping[UUID, history.Starts]) -> set[UUID]:
    found: set[UUID] = set()
    for instrument_id, its_starts in starts.items():
        found.update(its_starts, await history.reached(session, owner_id, instrument_id, its_starts))
    return found


async def lock_places(
    session: Session, owner_id: UUID, keys: Sequence[PlaceKey]
) -> dict[PlaceKey, CashLocation]:
    """Locks accounts and portfolios that are there and not archived. Raises Inactive."""
    places: dict[PlaceKey, CashLocation] = {}
    for account_id in sorted({account_id for account_id, portfolio_id in keys if portfolio_id is None}):
        account = check_active(await lock_account(session, owner_id, account_id), "account")
        places[account_id, None] = CashLocation.of_account(owner_id, account)
    for id in sorted({portfolio_id for _, portfolio_id in keys if portfolio_id is not None}):
        portfolio = check_active(await lock_portfolio(session, owner_id, id), "portfolio")
        places[portfolio["account_id"], id] = CashLocation.of_portfolio(owner_id, portfolio)
    return places


def check_active(row: Mapping[Any, Any] | None, kind: str, field: tuple[str, ...] = ()) -> Mapping[Any, Any]:
    """The row of an account or a portfolio. Raises NotFound without one and Inactive for an archived one."""
    if row is None:
        raise NotFound(f"There is no such {kind}.", field)
    if not row["is_active"]:
        raise Inactive(f"The {kind} is archived: restore it first.", field)
    return row
