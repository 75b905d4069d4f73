"""Renaming a symbol: the company is the same, only what the exchange calls it is not."""

import asyncio

from db.market.renaming import rename
from investing.rules.names import checked_symbol
from investing.rules.refusals import NameTaken, UnknownInstrument


def rename_symbol(owner_url: str, old: str, new: str) -> None:
    """Gives the instrument `old` the symbol `new`; positions, history and prices stay with it.

    `owner_url` is the database for the owner of the tables. Raises InvalidInput for a symbol that cannot be
    one, UnknownInstrument without `old`, and NameTaken where another instrument has `new`. Runs an event loop
    of its own.
    """
    new = checked_symbol(new)
    done = asyncio.run(rename(owner_url, old, new))
    if done is False:
        raise UnknownInstrument(f"There is no instrument {old}.", symbol=old)
    if done is None:
        raise NameTaken(f"There is an instrument {new} already.")
