"""Which day a moment belongs to, when a day of the market ends, and when its closing price is known."""

import datetime as dt
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
NEW_YORK_EXCHANGES = frozenset({"NYSE", "NASDAQ"})


def closing_time(date: dt.date) -> dt.datetime:
    """The instant of the New York close, 16:00 there: 21:00 UTC in winter, 20:00 UTC in summer.

    Half days, which end at 13:00, are not told apart. Source: New York Stock Exchange, core trading session.
    """
    return dt.datetime.combine(date, dt.time(16), NEW_YORK).astimezone(dt.UTC)


def closing_instant(exchange: str | None, date: dt.date) -> dt.datetime | None:
    """Return when the exchange closes on that day; None where its hours are not known.

    A price of a market whose hours are not known counts at the end of the account's day.
    """
    return closing_time(date) if exchange in NEW_YORK_EXCHANGES else None


def day_of(instant: dt.datetime, time_zone: str) -> dt.date:
    """Return the day that an instant belongs to in an IANA time zone, from midnight to midnight there.

    In SQL it is `(executed_at AT TIME ZONE time_zone)::date`.
    """
    try:
        return instant.astimezone(ZoneInfo(time_zone)).date()
    except OverflowError:
        return dt.date.min if instant.year == dt.MINYEAR else dt.date.max


def market_day(instant: dt.datetime) -> dt.date:
    """The day that an instant belongs to: the calendar's in New York, from midnight to midnight there.

    What happens after the close still counts into that day, and a weekend has days of its own. In SQL it is
    `(executed_at AT TIME ZONE 'America/New_York')::date`.
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
