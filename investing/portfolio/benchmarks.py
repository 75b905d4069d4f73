"""Read the benchmarks that performances are compared with."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from db.portfolio import performance as stored
from db.sessions import Connection
from investing.rules.market.market_hours import NEW_YORK, closing_instant, day_of
from investing.rules.performance.benchmark import BenchmarkPrice
from investing.rules.performance.series import Point


@dataclass(frozen=True, slots=True)
class Benchmark:
    """An instrument to compare with: its currency, its exchange, and its prices in order."""

    currency: str
    exchange: str | None
    prices: Sequence[BenchmarkPrice]

    def prices_for(self, points: Sequence[Point], time_zone: str) -> Sequence[BenchmarkPrice]:
        """Return the prices by the days of a time zone.

        The first day's price also says when the market closed.
        """
        first = points[0].date if points else None
        return [_price_in(price, self.exchange, time_zone, first) for price in self.prices]


def _price_in(
    price: BenchmarkPrice, exchange: str | None, time_zone: str, first: dt.date | None
) -> BenchmarkPrice:
    if time_zone == NEW_YORK.key and price.date != first:
        return price
    closed_at = closing_instant(exchange, price.date)
    if closed_at is None:
        return price
    return BenchmarkPrice(day_of(closed_at, time_zone), price.close, price.adjusted, closed_at)


async def read_benchmarks(
    connection: Connection, owner_id: UUID, requested: Sequence[tuple[str, dt.date, dt.date]]
) -> dict[str, Benchmark]:
    """Return each benchmark by the symbol that the owner knows it by.

    Its prices go from before the earliest requested day to the latest. A symbol without prices is left out.
    """
    wanted: dict[str, tuple[str, dt.date, dt.date]] = {}
    for symbol, since, until in requested:
        _, first, last = wanted.get(symbol, (symbol, since, until))
        wanted[symbol] = (symbol, min(first, since), max(last, until))
    found: dict[str, Benchmark] = {}
    prices: dict[str, list[BenchmarkPrice]] = {}
    for row in await stored.fetch_benchmarks(connection, owner_id, list(wanted.values())):
        symbol, adjusted = row["symbol"], row["adjusted_close"]
        bars = prices.setdefault(symbol, [])
        bars.append(
            BenchmarkPrice(
                row["date"], Decimal(row["close"]), None if adjusted is None else Decimal(adjusted)
            )
        )
        found[symbol] = Benchmark(row["currency"], row["exchange"], bars)
    return found
