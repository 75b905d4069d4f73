"""Recording that an instrument splits."""

import datetime as dt
from uuid import UUID

from db.market import splits as stored
from investing.actor import Actor
from investing.audit import note
from investing.rules.errors import InvalidInput, UnknownInstrument, shortened
from investing.rules.market.market_hours import market_day
from investing.rules.trading.splits import SplitRatio, check_split

FURTHEST = dt.timedelta(days=366)
EARLIEST = dt.date(1900, 1, 1)
"""No price is older, and dates near the start of the calendar cannot be converted."""


async def record_split(actor: Actor, symbol: str, split: SplitRatio) -> UUID:
    """Record that an instrument splits, or did; return the instrument's id. The caller is an administrator.

    The job applies it to holders, orders and levels, at once if the ex-date has begun. Recording a split
    again does nothing. Raise InvalidInput if the ratio is not valid, if it contradicts what is known, and if
    the split is known under a day close by; raise UnknownInstrument if there is no such instrument.
    """
    check_split(split)
    now = dt.datetime.now(dt.UTC)
    if split.ex_date < EARLIEST:
        raise InvalidInput(f"The ex-date is before {EARLIEST}.", ("exDate",))
    if split.ex_date > market_day(now) + FURTHEST:
        raise InvalidInput("The ex-date is more than a year away.", ("exDate",))
    async with actor.sessions.begin(actor.id) as session:
        id = await stored.find_instrument(session, symbol)
        if id is None:
            raise UnknownInstrument(
                f"There is no shared instrument {shortened(symbol)}; splits of a user's own come in by "
                "import-prices --user.",
                ("symbol",),
                symbol=shortened(symbol),
            )
        await stored.lock_splits(session)
        known = [SplitRatio(**row) for row in await stored.find_splits(session, id)]
        if _is_known(split, known, symbol):
            return id
        await stored.insert_split(session, id, split.ex_date, split.quantity, split.split_for)
        facts = {"symbol": symbol, "exDate": split.ex_date, "ratio": str(split)}
        await note(session, actor.id, actor.client, "split.recorded", "Instrument", id, **facts)
    return id


def _is_known(split: SplitRatio, known: list[SplitRatio], symbol: str) -> bool:
    """Return whether this very split is known. Raise InvalidInput if it contradicts another one."""
    for other in known:
        is_same = other.is_same(split.ex_date, split.quantity, split.split_for)
        if other.ex_date == split.ex_date:
            if is_same:
                return True
            raise InvalidInput(f"{symbol} has a split of {other} on that day.", ("exDate",))
        if is_same:
            raise InvalidInput(
                f"{symbol} has this split on {other.ex_date}: within seven days it is the same one.",
                ("exDate",),
            )
    return False
