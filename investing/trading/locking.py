"""Locking all that a change of the past reaches, from the top of the tree down and by id."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from db.sessions import Session
from db.trading import history
from db.trading.writes import lock_account, lock_portfolio
from investing.rules.refusals import Inactive, NotFound
from investing.trading.posting import Place

PlaceKey = tuple[UUID, UUID | None]
"""An account and one of its portfolios, or None for its unallotted cash."""


async def lock_reached(
    session: Session, owner_id: UUID, instrument_id: UUID, starts: history.Starts
) -> dict[UUID, Mapping[Any, Any]]:
    """Locks the portfolios of `starts` and those that shares went to later. The rows of those that exist.

    Looked up before anything is locked, so that all are locked by id. A transfer of that very moment may
    add one, which is then locked out of turn: PostgreSQL ends a deadlock that comes of it, and nothing is
    written.
    """
    reached = await history.reached(session, owner_id, instrument_id, starts)
    rows = [await lock_portfolio(session, owner_id, id) for id in sorted({*reached, *starts})]
    return {row["id"]: row for row in rows if row is not None}


async def lock_places(session: Session, owner_id: UUID, keys: Sequence[PlaceKey]) -> dict[PlaceKey, Place]:
    """Locks accounts and portfolios that are there and not archived. Raises Inactive."""
    places: dict[PlaceKey, Place] = {}
    for account_id in sorted({account_id for account_id, portfolio_id in keys if portfolio_id is None}):
        account = check_active(await lock_account(session, owner_id, account_id), "account")
        places[account_id, None] = Place.of_account(owner_id, account)
    for id in sorted({portfolio_id for _, portfolio_id in keys if portfolio_id is not None}):
        portfolio = check_active(await lock_portfolio(session, owner_id, id), "portfolio")
        places[portfolio["account_id"], id] = Place.of_portfolio(owner_id, portfolio)
    return places


def check_active(row: Mapping[Any, Any] | None, kind: str, field: tuple[str, ...] = ()) -> Mapping[Any, Any]:
    """The row of an account or a portfolio. Raises NotFound without one and Inactive for an archived one."""
    if row is None:
        raise NotFound(f"There is no such {kind}.", field)
    if not row["is_active"]:
        raise Inactive(f"The {kind} is archived: restore it first.", field)
    return row
