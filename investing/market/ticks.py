"""Prices arrive: quotes move, resting orders are matched with them, and who follows prices is told."""

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
    """What came of ticks: every price that is news, in order, and the symbols that nobody has."""

    news: Sequence[QuoteRow]
    unknown: frozenset[str]


def check_tick(tick: Tick) -> None:
    """Raises InvalidInput for a price that is none, or of a moment that has not come."""
    if not tick.price.is_finite() or tick.price >= LIMIT:
        raise InvalidInput("A price has at most 18 digits before the point.", ("price",))
    if tick.price < 0:
        raise InvalidInput("A price is not negative.", ("price",))
    if not has_places(tick.price):
        raise InvalidInput("A price has at most 10 places.", ("price",))
    if tick.as_of > dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1):
        raise InvalidInput("asOf is in the future.", ("asOf",))


async def apply_ticks(sessions: Sessions, ticker: Ticker, ticks: Sequence[Tick]) -> Applied:
    """Makes the newest of each symbol its quote, and tells of all that are news, those in between as well.

    A tick that is not newer than its quote changes nothing. The prices are in the instruments' currencies and
    have been checked.
    """
    applied = await _save_each(sessions, ticks)
    ticker.tell(applied.news)
    return applied


async def _save_each(sessions: Sessions, ticks: Sequence[Tick]) -> Applied:
    # Those of shared instruments come on nobody's behalf, those of one's own on the owner's.
    owner_id = next((tick.owner_id for tick in ticks if tick.owner_id is not None), None)
    async with sessions.begin(owner_id) as session:
        return await save_in_order(session, ticks)


async def save_in_order(session: Session, ticks: Sequence[Tick]) -> Applied:
    """Saves ticks in the caller's transaction, however many there are of a symbol."""
    news: list[QuoteRow] = []
    unknown: frozenset[str] = frozenset()
    for some in _scheduler(ticks):
        newest = {tick.symbol: tick for tick in some}
        saved = await save_ticks(session, list(newest.values()))
        unknown |= saved.unknown
        quotes = {quote.symbol: quote for quote in saved.quotes}
        # Those of the same day in between are no quotes any more, but a price that came and went was there.
        for tick in some:
            quote = quotes.get(tick.symbol)
            if quote is not None and tick is newest[tick.symbol]:
                news.append(quote)
            elif quote is not None:
                # As the newest of its day was: for a share of today, if a split came after it.
                price = share(tick.price, quote.price, newest[tick.symbol].price)
                news.append(quote._replace(price=price, as_of=tick.as_of))
    return Applied(news, unknown)


def _scheduler(ticks: Sequence[Tick]) -> Iterator[list[Tick]]:
    """Parts in which each symbol's ticks are of one day: the next part knows the last price of it."""
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
