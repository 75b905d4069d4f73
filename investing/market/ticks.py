"""Apply ticks: quotes move, open orders are matched with them, and followers of prices are notified."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from db.market.ticks import QuoteRow, Tick, save_ticks
from db.sessions import Session, Sessions
from investing.market.ticker import Ticker
from investing.rules.errors import InvalidInput
from investing.rules.market.market_hours import market_day
from investing.rules.money import LIMIT, has_places, share


@dataclass(frozen=True)
class Applied:
    """The result of applying ticks: every price that is news, in order, and the unknown symbols."""

    news: Sequence[QuoteRow]
    unknown: frozenset[str]


def check_tick(tick: Tick) -> None:
    """Raise InvalidInput if a price is not valid or its time is in the future."""
    if not tick.price.is_finite() or tick.price >= LIMIT:
        raise InvalidInput("A price has at most 18 digits before the point.", ("price",))
    if tick.price < 0:
        raise InvalidInput("A price must not be negative.", ("price",))
    if not has_places(tick.price):
        raise InvalidInput("A price has at most 10 places.", ("price",))
    if tick.as_of > dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1):
        raise InvalidInput("asOf is in the future.", ("asOf",))


async def apply_ticks(sessions: Sessions, ticker: Ticker, ticks: Sequence[Tick]) -> Applied:
    """Make the newest tick of each symbol its quote, and publish all that are news, earlier ones included.

    A tick that is not newer than its quote changes nothing. The prices are in the instruments' currencies and
    must be checked.
    """
    applied = await _save_each(sessions, ticks)
    ticker.publish(applied.news)
    return applied


async def _save_each(sessions: Sessions, ticks: Sequence[Tick]) -> Applied:
    # Ticks of shared instruments are saved on nobody's behalf, those of a user's own on the owner's.
    owner_id = next((tick.owner_id for tick in ticks if tick.owner_id is not None), None)
    async with sessions.begin(owner_id) as session:
        return await save_in_order(session, ticks)


async def save_in_order(session: Session, ticks: Sequence[Tick]) -> Applied:
    """Save ticks in the caller's transaction, however many there are per symbol."""
    news: list[QuoteRow] = []
    unknown: frozenset[str] = frozenset()
    for part in _by_day(ticks):
        newest = {tick.symbol: tick for tick in part}
        saved = await save_ticks(session, list(newest.values()))
        unknown |= saved.unknown
        quotes = {quote.symbol: quote for quote in saved.quotes}
        # Earlier ticks of the same day are no longer quotes, but they are news: rules may have been crossed.
        for tick in part:
            quote = quotes.get(tick.symbol)
            if quote is not None and tick is newest[tick.symbol]:
                news.append(quote)
            elif quote is not None:
                # Scaled like the newest tick of its day: per share of today, if a split came after it.
                price = share(tick.price, quote.price, newest[tick.symbol].price)
                news.append(quote._replace(price=price, as_of=tick.as_of))
    return Applied(news, unknown)


def _by_day(ticks: Sequence[Tick]) -> Iterator[list[Tick]]:
    """Yield parts in which each symbol's ticks are of one day.

    The next part thus knows the last price of the day before.
    """
    part: list[Tick] = []
    last: dict[str, Tick] = {}
    for tick in ticks:
        before = last.get(tick.symbol)
        if before is not None and tick.as_of <= before.as_of:
            continue
        if before is not None and market_day(before.as_of) != market_day(tick.as_of):
            yield part
            part, last = [], {}
        part.append(tick)
        last[tick.symbol] = tick
    if part:
        yield part
