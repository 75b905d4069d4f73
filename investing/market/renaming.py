"""Renaming a symbol: the company is the same, only what the exchange calls it is not."""

import asyncio
from uuid import UUID

from db.market.renaming import rename
from investing.rules.errors import NameTaken, UnknownInstrument
from investing.rules.names import checked_symbol


def rename_symbol(owner_url: str, old: str, new: str, owner_id: UUID | None = None) -> None:
    """Give the shared instrument `old`, or a user's own, the symbol `new`; all that is of it stays with it.

    `owner_url` is the database for the owner of the tables. Raises InvalidInput for a symbol that cannot be
    one, UnknownInstrument without `old`, and NameTaken where another instrument has `new`: a shared one, one
    of the user's own, or for a shared one anybody's own, who could hold both and not tell them apart. Runs an
    event loop of its own.
    """
    found = asyncio.run(rename(owner_url, old, checked_symbol(new), owner_id))
    if not found.is_there:
        raise UnknownInstrument(f"There is no instrument {old}.", symbol=old)
    if found.is_taken:
        raise NameTaken(f"There is an instrument {new} already.")
    if found.owners:
        raise NameTaken(
            f"{found.owners} of the users {'has' if found.owners == 1 else 'have'} an instrument {new} of "
            "their own: give it another symbol first, with --user."
        )
