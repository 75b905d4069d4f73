"""A price that arrives at once, for tests that have a desk and no feed."""

import datetime as dt
from decimal import Decimal

from db.market.ticks import Tick, save_ticks
from db.sessions import Session, Sessions
from investing.market.ticker import Ticker
from investing.market.ticks import apply_ticks, check_tick
from investing.trading.desk import Desk


async def save_quote(session: Session, symbol: str, price: Decimal, as_of: dt.datetime) -> None:
    """Make this the quote, unless it has a newer one; nobody is told."""
    await save_ticks(session, [Tick(symbol, price, as_of)])


async def apply_tick(sessions: Sessions, desk: Desk, symbol: str, price: Decimal, as_of: dt.datetime) -> bool:
    """Make this the quote and fill what it crosses; return whether it is news."""
    tick = Tick(symbol, price, as_of)
    check_tick(tick)
    applied = await apply_ticks(sessions, Ticker(sessions), [tick])
    assert not applied.unknown
    if applied.news:
        await desk.attend()
    return bool(applied.news)
