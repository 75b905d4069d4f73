"""By how many days closes count later in a time zone."""

import datetime as dt
from collections.abc import Iterable, Sequence

from db.portfolio.pricing import Shift, fetch_exchanges
from db.sessions import Connection
from investing.background import run_apart
from investing.rules.market.market_hours import NEW_YORK
from investing.rules.performance.close_shifts import closes_later


async def shifts_of(connection: Connection, time_zones: Iterable[str]) -> list[Shift]:
    """Read by how many days closes are moved in these zones; no statement for New York's alone."""
    others = sorted(set(time_zones) - {NEW_YORK.key})
    if not others:
        return []
    exchanges = await fetch_exchanges(connection)
    until = dt.datetime.now(dt.UTC).year + 1
    # The first time it looks at each day of sixty years, for whoever comes first.
    return await run_apart(_shifts, _shifts, others, exchanges, until)


def _shifts(time_zones: Sequence[str], exchanges: Sequence[str], until: int) -> list[Shift]:
    return [
        Shift(zone, exchange, *later)
        for zone in time_zones
        for exchange in exchanges
        for later in closes_later(exchange, zone, until)
    ]
