"""Renaming a symbol: the company is the same, only what the exchange calls it is not."""

import asyncio
import re

from db.market.renaming import rename
from investing.rules.refusals import InvalidInput, NameTaken, UnknownInstrument

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.^=_-]{0,31}")


def rename_symbol(owner_url: str, old: str, new: str) -> None:
    """Gives the instrument `old` the symbol `new`; positions, history and prices stay with it.

    `owner_url` is the database for the owner of the tables. Raises InvalidInput for a symbol that cannot be
    one, UnknownInstrument without `old`, and NameTaken where another instrument has `new`. Runs an event loop
    of its own.
    """
    if not _SYMBOL.fullmatch(new):
        raise InvalidInput(
            f"{new} is no symbol: 1 to 32 of A to Z, 0 to 9 and .^=_-, a letter or digit first."
        )
    done = asyncio.run(rename(owner_url, old, new))
    if done is False:
        raise UnknownInstrument(f"There is no instrument {old}.", symbol=old)
    if done is None:
        raise NameTaken(f"There is an instrument {new} already.")
