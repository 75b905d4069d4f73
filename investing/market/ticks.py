"""A price arrives: the quote moves, and resting orders are matched with it."""

import datetime as dt
from decimal import Decimal

from db.market.writes import save_quote
from db.sessions import Sessions
from investing.rules.money import LIMIT
from investing.rules.refusals import InvalidInput, UnknownInstrument
from investing.trading.desk import Desk


async def apply_tick(sessions: Sessions, desk: Desk, symbol: str, price: Decimal, as_of: dt.datetime) -> bool:
    """Makes this the quote and fills what it crosses. Whether it is news.

    A tick that is not newer than the quote changes nothing. The price is in the instrument's currency, above
    zero. Raises UnknownInstrument and InvalidInput.
    """
    if not 0 < price < LIMIT:
        raise InvalidInput("A price is above zero.", ("price",))
    async with sessions.begin(None) as session:
        is_news = await save_quote(session, symbol, price, as_of)
    if is_news is None:
        raise UnknownInstrument(f"There is no instrument {symbol}.", ("symbol",), symbol=symbol)
    if is_news:
        await desk.attend()
    return is_news
