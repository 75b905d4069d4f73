"""Which day a moment belongs to, when a day of the market ends, and when its closing price is known."""

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
"""Names and MICs (ISO 10383), in capitals, of the American exchanges that keep New York's hours."""


def trades_in_new_york(exchange: str | None) -> bool:
    """Return whether an exchange keeps New York's days and hours: by its name or its MIC, in any case."""
    return exchange is not None and _plain(exchange) in NEW_YORK_EXCHANGES


@lru_cache(maxsize=1024)
def _plain(exchange: str) -> str:
    return " ".join(exchange.replace("-", " ").replace("_", " ").upper().split())


def closing_time(date: dt.date) -> dt.datetime:
    """Return the instant of the New York close on a date: 16:00 there, which is 21:00 UTC in winter and 20:00
    UTC in summer; on half days 13:00.

    A day without trading has the close that it would have had. Source: New York Stock Exchange, core trading
    session, and `market_holidays`.
    """
    time = early_closes(date.year).get(date, CLOSE)
    return dt.datetime.combine(date, time, NEW_YORK).astimezone(dt.UTC)


def closing_instant(exchange: str | None, date: dt.date) -> dt.datetime | None:
    """Return when the exchange closes on that day; None where its hours are not known.

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

    Where the clocks skip that midnight it is the instant at which they do so.
    """
    midnight = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), ZoneInfo(time_zone))
    return midnight.astimezone(dt.UTC)


def market_day(instant: dt.datetime) -> dt.date:
    """The day that an instant belongs to: the calendar's in New York, from midnight to midnight there.

    It is the day of prices. What happens after the close still counts into that day, and a weekend has days
    of its own. An account's day is `day_of`, by the account's time zone.
    """
    try:
        return instant.astimezone(NEW_YORK).date()
    except OverflowError:
        # The first hours of the calendar are the day before them there.
        return dt.date.min


def start_of_day(date: dt.date, time_zone: str) -> dt.datetime:
    """Return the first instant of a day in an IANA time zone, in UTC: `day_of` is the way back.

    Where the clocks skip midnight it is the instant at which they do so; where they show midnight twice, the
    first of both. Raises OverflowError where the calendar of UTC has no such instant.
    """
    return dt.datetime.combine(date, dt.time(), ZoneInfo(time_zone)).astimezone(dt.UTC)
