"""Apply another time zone to an account's ledger, on which splits then begin at other instants.

Automatic entries are reversed and posted again, transfers are converted and everything later is posted again,
as if the account had always had the new time zone.
"""

from uuid import UUID

from db.market.splits import add_recent_work
from db.sessions import Session
from db.trading.ledger import LedgerTransaction
from db.trading.splits import SplitHolding, find_split_holdings, find_starts
from db.writing import raw_connection_of
from investing.rules.errors import DomainError, InsufficientShares, InvalidInput
from investing.trading.holdings import Holdings, load_holdings
from investing.trading.locking import hold_reached

_FIELD = ("timeZone",)
_FIRST_ID = UUID(int=0)


async def move_splits(session: Session, owner_id: UUID, account_id: UUID, time_zone: str) -> None:
    """Post the splits of all that an account has ever held again; it already has its new time zone.

    The caller has locked its portfolios. Raise InsufficientShares or InvalidInput, with the day and the
    transaction, if a later entry is not possible in the new time zone.
    """
    ledger = LedgerTransaction(await raw_connection_of(session), owner_id)
    held = await find_split_holdings(ledger.connection, owner_id, account_id)
    for row in held:
        found = await find_starts(ledger.connection, owner_id, row.instrument_id, row.first_day)
        starts = {id: (at, _FIRST_ID) for id, at in found.items()}
        await hold_reached(ledger, row.instrument_id, starts)
        holdings = await load_holdings(ledger, row.instrument_id, starts, aligned=True)
        try:
            holdings.post()
        except (InsufficientShares, InvalidInput) as domain_error:
            raise _with_entry(domain_error, holdings, row, time_zone) from None
        holdings.save(ledger)
        await ledger.flush()
    if held:
        await add_recent_work(session, [row.instrument_id for row in held])


def _with_entry(
    domain_error: DomainError, holdings: Holdings, row: SplitHolding, time_zone: str
) -> DomainError:
    """Return the error with the entry that is not possible in the new time zone."""
    domain_error.field = _FIELD
    if holdings.current is None:
        # Open orders have reserved the shares, and the error says so.
        return domain_error
    entry = holdings.current.entry
    quantity = "" if entry.quantity is None else f" of {entry.quantity.normalize():f}"
    what = f"The {entry.type}{quantity} {row.symbol} on {entry.day}"
    advice = "Reverse that transaction first, or keep the time zone."
    if isinstance(domain_error, InsufficientShares):
        return InsufficientShares(
            f"{what} needs more shares than there are with the splits at {time_zone}'s midnights: "
            f"{domain_error.available.normalize():f}. {advice}",
            _FIELD,
            required=domain_error.required,
            available=domain_error.available,
            on_date=entry.day,
            transaction_id=entry.id,
        )
    return InvalidInput(f"{what} is not possible in {time_zone}: {domain_error.message} {advice}", _FIELD)
