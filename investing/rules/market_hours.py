"""Which day a moment belongs to, and when a day's closing price is known."""

import datetime as dt
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def closing_time(date: dt.date) -> dt.datetime:
    """The instant of the New York close, 16:00 there: 21:00 UTC in winter, 20:00 UTC in summer.

    Half days, which end at 13:00, are not told apart. Source: New York Stock Exchange, core trading session.
    """
    return dt.datetime.combine(date, dt.time(16), NEW_YORK).astimezone(dt.UTC)


def trading_day(instant: dt.datetime) -> dt.date:
    """The day in New York that the instant is of."""
    return instant.astimezone(NEW_YORK).date()
