"""What snapshots must be, worked out the plain way: every day of the ledger from its beginning, in Python."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from investing.rules.performance.series import Flow
from investing.rules.performance.snapshots import Day, Snapshot, snapshots
from tests.investing.rules.plain_days import Line, PlainDays, worth
from tests.market_rows import rows

FIGURES = (
    "date, total_value, cash_value, positions_value, net_flow, daily_return, cumulative_return, "
    "sharpe_ratio, sortino_ratio, volatility, max_drawdown, num_positions, unpriced_positions, "
    "stale_positions, unquoted_positions, flows"
)
_ONE_DAY = dt.timedelta(days=1)
_ENTRIES = """
SELECT t.executed_at, t.type, t.portfolio_id, t.instrument_id, t.cash_delta, t.quantity_delta, t.price,
       t.transfer_id
FROM transactions t
WHERE t.owner_id = (SELECT owner_id FROM portfolios WHERE id = $1) AND t.reverses_id IS NULL
    AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = t.owner_id AND r.reverses_id = t.id)
ORDER BY t.executed_at, t.id
"""
_BARS = "SELECT instrument_id, date, close FROM price_bars ORDER BY date"
_ZONE = """SELECT a.time_zone FROM accounts a
JOIN portfolios p ON p.owner_id = a.owner_id AND p.account_id = a.id WHERE p.id = $1"""
_EXCHANGES = "SELECT id, exchange FROM instruments WHERE exchange IS NOT NULL"


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
    return [_snapshot(*row) for row in await fetch(url, query, portfolio_id)]


def _snapshot(*row: Any) -> Snapshot:
    figures = dict(zip(FIGURES.split(", "), row, strict=True))
    numbers = [Decimal(text) for text in (figures["flows"] or "").split()]
    return Snapshot(**figures | {"flows": tuple(map(Flow, numbers[::2], numbers[1::2]))})


async def expected(url: str, portfolio_id: UUID) -> list[Snapshot]:
    """The snapshots that it should have."""
    entries = await fetch(url, _ENTRIES, portfolio_id)
    bars, exchanges = await fetch(url, _BARS), await fetch(url, _EXCHANGES)
    ((zone,),) = await fetch(url, _ZONE, portfolio_id)
    return list(snapshots(days(portfolio_id, entries, bars, exchanges, zone)))


def expected_now(url: str, portfolio_id: UUID) -> list[Snapshot]:
    """The same where no event loop runs."""
    entries = rows(url, _ENTRIES, portfolio_id)
    bars, exchanges = rows(url, _BARS), rows(url, _EXCHANGES)
    ((zone,),) = rows(url, _ZONE, portfolio_id)
    return list(snapshots(days(portfolio_id, entries, bars, exchanges, zone)))


def _is_quoted(closes: set[dt.date], date: dt.date) -> bool:
    """Whether one is waited for: 10 days after the last, or three times as long as that took to come."""
    older = sorted(day for day in closes if day < date)[-2:]
    return bool(older) and (date - older[-1]).days <= max(10, 3 * (older[-1] - older[0]).days)


def days(
    portfolio_id: UUID,
    entries: list[tuple[Any, ...]],
    bars: list[tuple[Any, ...]],
    exchanges: list[tuple[Any, ...]] = [],  # noqa: B006
    zone: str = "America/New_York",
) -> list[Day]:
    """A day wherever something happened that stands, or something that is held at its end has a price of that
    day: a close or a trade, or after a trade without a close the last close again.
    """
    closes: dict[UUID, dict[dt.date, Decimal]] = {}
    for instrument_id, date, close in bars:
        closes.setdefault(instrument_id, {})[date] = close
    lines = [Line(at, kind, place, *rest) for at, kind, place, *rest in entries]
    world = PlainDays(lines, closes, dict(exchanges), zone)
    mine = [line for line in lines if line.place == portfolio_id]
    by_day: dict[dt.date, list[Line]] = {}
    for line in mine:
        by_day.setdefault(world.day(line), []).append(line)
    fresh_days = {i: {day for day, _, _ in world.of_days(i)} for i in closes}
    traded = {i: {day for _, _, day in world.trades(i)} for i in {line.instrument for line in lines} if i}
    candidates = set(by_day).union(*fresh_days.values(), *traded.values())
    today = dt.datetime.now(dt.UTC).date()
    candidates |= {day + _ONE_DAY for days in traded.values() for day in days if day < today}
    cash, held, found = Decimal(0), dict[UUID, Decimal](), list[Day]()
    for date in sorted(candidates):
        for line in by_day.get(date, ()):
            cash += line.cash
            if line.instrument is not None:
                held[line.instrument] = held.get(line.instrument, Decimal(0)) + line.quantity
        holding = {i: quantity for i, quantity in held.items() if quantity}
        fresh = [i for i in holding if date in fresh_days.get(i, ())]
        told = [i for i in holding if date in traded.get(i, ())]
        before = date - _ONE_DAY
        again = [
            i
            for i in holding
            if before in traded.get(i, ()) and before not in fresh_days.get(i, ()) and world.until(i, before)
        ]
        if date not in by_day and not (fresh or told or again):
            continue
        flows = world.flows(date, [portfolio_id]) if date in by_day else []
        prices = {i: world.price_on(date, i) for i in holding}
        found.append(
            Day(
                date=date,
                cash_value=cash,
                positions_value=sum((worth(q, prices[i]) for i, q in holding.items()), Decimal(0)),
                net_flow=sum((flow.amount for flow in flows), Decimal(0)),
                num_positions=len(holding),
                unpriced_positions=sum(price is None for price in prices.values()),
                stale_positions=len(holding) - len(fresh),
                unquoted_positions=sum(
                    i not in fresh and not _is_quoted(fresh_days.get(i, set()), date) for i in holding
                ),
                flows=tuple(flow._replace(at=None) for flow in flows),
            )
        )
    return found
