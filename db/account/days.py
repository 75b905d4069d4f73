"""The day that an instant belongs to, in SQL."""


def day_of(instant: str, time_zone: str) -> str:
    """Return the SQL for the day of an instant (timestamptz) in a time zone, both given as SQL.

    It is what `investing.rules.market.market_hours.day_of` says. What would be before the first day that
    there is in Python counts into that day.
    """
    return f"greatest(({instant} AT TIME ZONE {time_zone})::date, DATE '0001-01-01')"
