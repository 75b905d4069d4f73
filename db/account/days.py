"""The day that an instant belongs to, in SQL."""


def day_of(instant: str, time_zone: str) -> str:
    """Return the SQL for the day of an instant (timestamptz) in a time zone, both given as SQL.

    It agrees with `investing.rules.market.market_hours.day_of`. Instants before the first day that Python can
    represent count into that day.
    """
    return f"greatest(({instant} AT TIME ZONE {time_zone})::date, DATE '0001-01-01')"


def between_days(instant: str, time_zone: str) -> dict[str, str]:
    """Return the filters `from` and `to` of a list: that an instant's day is not before, or after, a day.

    A day anywhere is within a day of the same one in UTC: an index can check that before the time zone is
    applied.
    """
    day, midnight = day_of(instant, time_zone), "({0}::date::timestamp AT TIME ZONE 'UTC')"
    return {
        "from": f"{instant} >= {midnight} - interval '1 day' AND {day} >= {{0}}",
        "to": f"{instant} < {midnight} + interval '2 days' AND {day} <= {{0}}",
    }
