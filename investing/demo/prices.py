"""The stored closes that the demo trades at, and the splits and dividends that they reveal."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from db.market.queries import fetch_closes, fetch_instruments_by_symbol
from db.sessions import Sessions
from db.vocabulary import PriceBasis
from investing.rules.errors import UnknownInstrument
from investing.rules.market.corporate_actions import Bar, Dividend, Split, derive

Action = Split | Dividend


@dataclass(frozen=True)
class Market:
    """By symbol: the instrument's id, its close of each day, and the actions that took effect on a day."""

    ids: Mapping[str, UUID]
    closes: Mapping[str, Mapping[dt.date, Decimal]]
    actions: Mapping[str, Mapping[dt.date, Sequence[Action]]]

    def days(self, symbols: Sequence[str], start: dt.date, end: dt.date) -> list[dt.date]:
        """Return the days on which any of the symbols has a price, in order."""
        every = {date for symbol in symbols for date in self.closes[symbol]}
        return sorted(date for date in every if start <= date <= end)


async def read_market(sessions: Sessions, symbols: Sequence[str]) -> Market:
    """Read the market of these symbols. Raise UnknownInstrument for one that is not stored."""
    ids, closes, actions = {}, {}, {}
    async with sessions.reading(None) as connection:
        known = await fetch_instruments_by_symbol(connection, None, symbols)
        for symbol in symbols:
            if symbol not in known:
                raise UnknownInstrument.named(symbol)
            ids[symbol] = known[symbol]["id"]
            rows = await fetch_closes(connection, ids[symbol])
            closes[symbol] = {row["date"]: Decimal(row["close"]) for row in rows}
            # No action is booked for adjusted prices, which already contain it.
            actions[symbol] = _actions(
                [
                    Bar(row["date"], closes[symbol][row["date"]], Decimal(row["adjusted_close"]))
                    for row in rows
                    if row["price_basis"] == PriceBasis.RAW and row["adjusted_close"] is not None
                ]
            )
    return Market(ids, closes, actions)


def _actions(bars: Sequence[Bar]) -> dict[dt.date, list[Action]]:
    found: dict[dt.date, list[Action]] = {}
    for action in derive(bars):
        found.setdefault(action.date, []).append(action)
    return found
