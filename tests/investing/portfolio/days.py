"""What snapshots must be, worked out the plain way: every day of the ledger from its beginning, in Python."""

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from investing.rules.performance import Day, Snapshot, snapshots
from tests.market_rows import rows

FIGURES = (
    "date, total_value, cash_value, positions_value, net_flow, daily_return, cumulative_return, "
    "sharpe_ratio, sortino_ratio, volatility, max_drawdown, num_positions, unpriced_positions"
)
_EXTERNAL = ("DEPOSIT", "WITHDRAWAL", "TRANSFER_IN", "TRANSFER_OUT")
_PLACES = Decimal("1E-10")


async def fetch(url: str, query: str, *arguments: object) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def stored(url: str, portfolio_id: UUID) -> list[Snapshot]:
    """The snapshots that the database has."""
    query = f"SELECT {FIGURES} FROM performance_history WHERE portfolio_id = $1 ORDER BY date"
    return [Snapshot(*row) for row in await fetch(url, query, portfolio_id)]


async def expected(url: str, portfolio_id: UUID) -> list[Snapshot]:
    """The snapshots that it should have."""
    entries = await fetch(
        url,
        "SELECT executed_at, type, instrument_id, cash_delta, quantity_delta FROM transactions "
        "WHERE portfolio_id = $1 ORDER BY executed_at, id",
        portfolio_id,
    )
    bars = await fetch(url, "SELECT instrument_id, date, close FROM price_bars ORDER BY date")
    return list(snapshots(days(entries, bars)))


def expected_now(url: str, portfolio_id: UUID) -> list[Snapshot]:
    """The same where no event loop runs."""
    entries = rows(
        url,
        "SELECT executed_at, type, instrument_id, cash_delta, quantity_delta FROM transactions "
        "WHERE portfolio_id = $1 ORDER BY executed_at, id",
        portfolio_id,
    )
    bars = rows(url, "SELECT instrument_id, date, close FROM price_bars ORDER BY date")
    return list(snapshots(days(entries, bars)))


def days(entries: list[tuple[Any, ...]], bars: list[tuple[Any, ...]]) -> list[Day]:
    """A day wherever something happened, or something that is held at its end has a bar."""
    by_day: dict[dt.date, list[tuple[Any, ...]]] = {}
    for entry in entries:
        by_day.setdefault(entry[0].astimezone(ZoneInfo("America/New_York")).date(), []).append(entry)
    closes: dict[dt.date, dict[UUID, Decimal]] = {}
    for instrument_id, date, close in bars:
        closes.setdefault(date, {})[instrument_id] = close
    cash, held, prices, found = Decimal(0), dict[UUID, Decimal](), dict[UUID, Decimal](), list[Day]()
    for date in sorted(by_day.keys() | closes.keys()):
        prices.update(closes.get(date, {}))
        flow, moved = Decimal(0), dict[UUID, Decimal]()
        for _, type, instrument_id, cash_delta, quantity_delta in by_day.get(date, ()):
            cash += cash_delta
            flow += cash_delta if type in _EXTERNAL else 0
            if instrument_id is not None:
                held[instrument_id] = held.get(instrument_id, Decimal(0)) + quantity_delta
                if type in _EXTERNAL:
                    moved[instrument_id] = moved.get(instrument_id, Decimal(0)) + quantity_delta
        holding = {id: quantity for id, quantity in held.items() if quantity}
        if date not in by_day and not holding.keys() & closes[date].keys():
            continue
        worth = sum((_worth(quantity, prices.get(id)) for id, quantity in holding.items()), Decimal(0))
        flow += sum((_worth(quantity, prices.get(id)) for id, quantity in moved.items()), Decimal(0))
        needed = holding.keys() | {id for id, quantity in moved.items() if quantity}
        unpriced = len([id for id in needed if id not in prices])
        found.append(Day(date, cash, worth, flow, len(holding), unpriced))
    return found


def _worth(quantity: Decimal, price: Decimal | None) -> Decimal:
    if price is None:
        return Decimal(0)
    return (quantity * price).quantize(_PLACES, ROUND_HALF_UP)
