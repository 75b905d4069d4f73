"""Rename a symbol, when an exchange gives the same company another one."""

import asyncio
from uuid import UUID

from db.market.renaming import rename
from investing.rules.errors import NameTaken, UnknownInstrument
from investing.rules.names import checked_symbol


def rename_symbol(owner_url: str, old: str, new: str, owner_id: UUID | None = None) -> None:
    """Give the shared instrument `old`, or a user's own, the symbol `new`; everything about it is kept.

    `owner_url` is the database URL of the owner of the tables. Raise InvalidInput if `new` is not a symbol,
    UnknownInstrument if there is no `old`, and NameTaken if another instrument has `new`: a shared one, one
    of the user's own or, for a shared one, anybody's own, because that user could hold both and not tell them
    apart. It runs an event loop of its own.
    """
    found = asyncio.run(rename(owner_url, old, checked_symbol(new), owner_id))
    if not found.is_there:
        raise UnknownInstrument.named(old)
    if found.is_taken:
        raise NameTaken(f"There is already an instrument {new}.")
    if found.owners:
        raise NameTaken(
            f"{found.owners} of the users {'has' if found.owners == 1 else 'have'} an instrument {new} of "
            "their own: give it another symbol first, with --user."
        )
