"""Performance of portfolios, accounts and users: read the days, ask the rules.

Days that are waiting to be computed anew are left out: what is told ends on the day before them.
"""

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from db.portfolio import performance as stored
from db.portfolio.performance import Scope, ScopeKind, Weighted
from db.sessions import Connection, Row
from db.vocabulary import PerformanceFigure
from db.vocabulary import UnavailableReason as Reason
from investing.rules.benchmark import Price
from investing.rules.contribution import shared_out, weights
from investing.rules.figures import Figures, measure, nothing
from investing.rules.series import Point

__all__ = ["Asked", "Gain", "Performance", "ScopeKind", "read_benchmarks", "read_gains", "read_performances"]

_SECOND_DAY = dt.date.min + dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """Between which days, None for as many as there are; `risk_free` is a rate per year."""

    start: dt.date | None
    end: dt.date | None
    risk_free: Decimal


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """A scope over its days, the first of which is where the figures begin; no scope where it has nothing."""

    scope: Scope | None
    points: Sequence[Point]
    figures: Figures
    risk_free: Decimal = Decimal(0)

    @property
    def currency(self) -> str | None:
        """The currency of its amounts, None where there are several."""
        return min(self.scope.currencies) if self.scope and len(self.scope.currencies) == 1 else None

    @property
    def stale_from(self) -> dt.date | None:
        """The first day that waits to be computed anew."""
        return self.scope.stale_from if self.scope else None


async def read_performances(
    connection: Connection, owner_id: UUID, kind: ScopeKind, asked: Sequence[tuple[UUID, Asked]]
) -> list[Performance]:
    """The performance of each scope. All that are asked the same share one statement, after one for all."""
    found: dict[tuple[UUID, Asked], Performance] = {}
    # One snapshot: what moves between two places of a scope must be seen in both or in none.
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        scopes = await stored.fetch_scopes(connection, owner_id, kind, list({id for id, _ in asked}))
        for question in dict.fromkeys(question for _, question in asked):
            its = {id: scopes.get(id) for id, same in asked if same == question}
            read = await _read(connection, owner_id, its, question)
            found.update(((id, question), performance) for id, performance in read.items())
    return [found[key] for key in asked]


async def _read(
    connection: Connection, owner_id: UUID, scopes: Mapping[UUID, Scope | None], asked: Asked
) -> dict[UUID, Performance]:
    readable = [(s, _until(s, asked)) for s in scopes.values() if s is not None and len(s.currencies) == 1]
    rows = await stored.fetch_points(connection, owner_id, readable, asked.start)

    def measured() -> dict[UUID, Performance]:
        days: dict[UUID, list[Point]] = {}
        for row in rows:
            days.setdefault(row["scope_id"], []).append(_point(row))
        return {id: _performance(scope, days.get(id, []), asked) for id, scope in scopes.items()}

    # In a thread, so that other requests go on while years are counted.
    return await asyncio.to_thread(measured)


def _performance(scope: Scope | None, points: list[Point], asked: Asked) -> Performance:
    if scope is not None and len(scope.currencies) > 1:
        return Performance(scope, points, nothing(Reason.SEVERAL_CURRENCIES))
    if not points and scope is not None and scope.stale_from is not None:
        return Performance(scope, points, nothing(Reason.STALE))
    return Performance(scope, points, measure(points, asked.risk_free), asked.risk_free)


def _until(scope: Scope, asked: Asked) -> dt.date:
    until = asked.end or stored.FOREVER
    if scope.stale_from is None:
        return until
    # There is no day before the calendar's first.
    return min(until, max(scope.stale_from, _SECOND_DAY) - dt.timedelta(days=1))


def _point(row: Row) -> Point:
    return Point(
        row["date"], Decimal(row["total_value"]), Decimal(row["net_flow"]), row["unpriced_positions"]
    )


@dataclass(frozen=True, slots=True)
class Gain:
    """What a position gained, and what that added to the return; the instrument is None for cash."""

    instrument_id: UUID | None
    gain: Decimal
    contribution: Decimal


async def read_gains(
    connection: Connection, owner_id: UUID, performances: Sequence[Performance]
) -> list[list[Gain] | None]:
    """The gains of each, largest contribution first; they add up to its return.

    None where the figures say why, or where an entry came in between, so that they would not. One statement,
    whatever the number.
    """
    asked = [_weighted(performance) for performance in performances]
    rows: dict[int, list[Row]] = {}
    known = [one for one in asked if one is not None]
    # Each is a scope of its own to the statement, also where two are of one portfolio.
    numbered = [Weighted(_numbered(one.scope, n), one.days) for n, one in enumerate(known)]
    if numbered:
        for row in await stored.fetch_gains(connection, owner_id, numbered):
            rows.setdefault(row["scope_id"].int, []).append(row)
    answers = iter(range(len(known)))
    return [
        None if one is None else _gains(performance, rows.get(next(answers), []))
        for one, performance in zip(asked, performances, strict=True)
    ]


def _weighted(performance: Performance) -> Weighted | None:
    refused = {one.figure for one in performance.figures.unavailable}
    if performance.scope is None or PerformanceFigure.CONTRIBUTIONS in refused:
        return None
    by_day = dict(weights(performance.points))
    days = [(point.date, by_day.get(point.date, Decimal(0))) for point in performance.points]
    return Weighted(performance.scope, days)


def _numbered(scope: Scope, number: int) -> Scope:
    return Scope(UUID(int=number), scope.currencies, None, scope.portfolio_ids, scope.account_ids)


def _gains(performance: Performance, rows: Sequence[Row]) -> list[Gain] | None:
    total = performance.figures.time_weighted_return
    assert total is not None, "where contributions can be had, the return can"
    rows = [row for row in rows if Decimal(row["gain"])]
    parts = shared_out(total, [Decimal(row["contribution"]) for row in rows])
    if parts is None:
        return None
    found = [
        Gain(row["instrument_id"], Decimal(row["gain"]), part) for row, part in zip(rows, parts, strict=True)
    ]
    return sorted(found, key=lambda gain: gain.contribution, reverse=True)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """An instrument to compare with: its currency, and its prices in order."""

    currency: str
    prices: Sequence[Price]


async def read_benchmarks(
    connection: Connection, asked: Sequence[tuple[str, dt.date, dt.date]]
) -> dict[str, Benchmark]:
    """By symbol the prices from the last one before the earliest day on; none for a symbol without."""
    wanted: dict[str, tuple[str, dt.date, dt.date]] = {}
    for symbol, since, until in asked:
        _, first, last = wanted.get(symbol, (symbol, since, until))
        wanted[symbol] = (symbol, min(first, since), max(last, until))
    found: dict[str, Benchmark] = {}
    prices: dict[str, list[Price]] = {}
    for row in await stored.fetch_benchmarks(connection, list(wanted.values())):
        symbol, adjusted = row["symbol"], row["adjusted_close"]
        bars = prices.setdefault(symbol, [])
        bars.append(
            Price(row["date"], Decimal(row["close"]), None if adjusted is None else Decimal(adjusted))
        )
        found[symbol] = Benchmark(row["currency"], bars)
    return found
