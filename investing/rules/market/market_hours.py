"""The day that an instant belongs to, when a market day ends, and when its closing price is known."""

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

from investing.rules.market.market_holidays import CLOSE, early_closes

NEW_YORK = ZoneInfo("America/New_York")
NEW_YORK_EXCHANGES = frozenset(
    {
        *("NYSE", "XNYS", "NEW YORK STOCK EXCHANGE"),
        *("NASDAQ", "XNAS", "XNGS", "XNMS", "XNCM", "NASDAQGS", "NASDAQGM", "NASDAQCM"),
        *("NYSE ARCA", "NYSEARCA", "ARCA", "ARCX"),
        *("NYSE AMERICAN", "NYSE MKT", "NYSE AMEX", "AMEX", "XASE"),
        *("BATS", "BZX", "CBOE BZX", "CBOE US"),
        *("IEX", "IEXG"),
    }
)
"""Names and MICs (ISO 10383), in capitals, of the American exchanges that trade in New York's hours."""


def trades_in_new_york(exchange: str | None) -> bool:
    """Return whether an exchange, given by name or MIC in any case, has New York's days and hours."""
    return exchange is not None and _plain(exchange) in NEW_YORK_EXCHANGES


@lru_cache(maxsize=1024)
def _plain(exchange: str) -> str:
    return " ".join(exchange.replace("-", " ").replace("_", " ").upper().split())


def closing_time(date: dt.date) -> dt.datetime:
    """Return the instant of the New York close on a date.

    It is 16:00 there, which is 21:00 UTC in winter and 20:00 UTC in summer; on half days it is 13:00. A day
    without trading gets the close that it would have had. Source: New York Stock Exchange, core trading
    session, and `market_holidays`.
    """
    time = early_closes(date.year).get(date, CLOSE)
    return dt.datetime.combine(date, time, NEW_YORK).astimezone(dt.UTC)


def closing_instant(exchange: str | None, date: dt.date) -> dt.datetime | None:
    """Return when the exchange closes on that day; None if its hours are not known.

    A price of a market whose hours are not known counts at the end of the account's day.
    """
    return closing_time(date) if trades_in_new_york(exchange) else None


def day_of(instant: dt.datetime, time_zone: str) -> dt.date:
    """Return the day that an instant belongs to in an IANA time zone, from midnight to midnight there.

    In SQL it is `(executed_at AT TIME ZONE time_zone)::date`.
    """
    try:
        return instant.astimezone(ZoneInfo(time_zone)).date()
    except OverflowError:
        return dt.date.min if instant.year == dt.MINYEAR else dt.date.max


def end_of_day(date: dt.date, time_zone: str) -> dt.datetime:
    """Return the first instant after a day in an IANA time zone: the next midnight there, in UTC.

    Where the clocks skip that midnight, it is the instant at which they do so.
    """
    midnight = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), ZoneInfo(time_zone))
    return midnight.astimezone(dt.UTC)


def market_day(instant: dt.datetime) -> dt.date:
    """Return the calendar day in New York, from midnight to midnight there, that an instant belongs to.

    It is the day of prices. What happens after the close still belongs to that day, and weekend days are days
    of their own. An account's day is `day_of`, by the account's time zone.
    """
    try:
        return instant.astimezone(NEW_YORK).date()
    except OverflowError:
        # In New York the calendar's first hours in UTC would belong to the day before its first.
        return dt.date.min


def start_of_day(date: dt.date, time_zone: str) -> dt.datetime:
    """Return the first instant of a day in an IANA time zone, in UTC: the inverse of `day_of`.

    Where the clocks skip midnight, it is the instant at which they do so; where they show midnight twice, the
    first of the two. Raise OverflowError if the calendar of UTC has no such instant.
    """
    return dt.datetime.combine(date, dt.time(), ZoneInfo(time_zone)).astimezone(dt.UTC)
