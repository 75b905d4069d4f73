"""Lock everything that a change of the past reaches, from the top of the tree down and by id."""

from collections.abc import Mapping
from typing import Protocol, TypeVar
from uuid import UUID

from db.trading import history
from db.trading.ledger import LedgerTransaction
from investing.rules.errors import AccountInactive, NotFound, PortfolioInactive


class Archivable(Protocol):
    """Something that can be archived."""

    @property
    def is_active(self) -> bool: ...


RowT = TypeVar("RowT", bound=Archivable)


async def hold_reached(
    ledger: LedgerTransaction, instrument_id: UUID, starts: history.Starts
) -> history.Starts:
    """Lock the portfolios of `starts` and those that shares went to later; return where each changes from."""
    return (await hold_all_reached(ledger, {instrument_id: starts}))[instrument_id]


async def hold_all_reached(
    ledger: LedgerTransaction, starts: Mapping[UUID, history.Starts]
) -> Mapping[UUID, history.Starts]:
    """Do the same for several instruments."""
    while True:
        reached: dict[UUID, history.Starts] = {}
        for id, its_starts in starts.items():
            reached[id] = await history.reached(ledger.connection, ledger.owner_id, id, its_starts)
        # Once they are locked, for a transfer that ended meanwhile may have added one.
        if not await ledger.hold({id for places in (*starts.values(), *reached.values()) for id in places}):
            return reached


def check_active(row: RowT | None, kind: str, field: tuple[str, ...] = ()) -> RowT:
    """Return the row of an account or a portfolio.

    Raise NotFound if there is none, and AccountInactive or PortfolioInactive if it is archived.
    """
    if row is None:
        raise NotFound(f"There is no such {kind}.", field)
    if not row.is_active:
        inactive = AccountInactive if kind == "account" else PortfolioInactive
        raise inactive(f"The {kind} is archived: restore it first.", field)
    return row
