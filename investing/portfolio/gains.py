"""What each position gained over a performance, and what that added to the return."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from db.portfolio.gains import GainDay, GainScope, fetch_gains
from db.portfolio.rows import GainRow
from db.sessions import Connection
from db.vocabulary import PerformanceFigure
from investing.background import run_apart
from investing.market.close_shifts import shifts_of
from investing.portfolio.performance import Performance
from investing.rules.performance.contribution import rounded_to_total, weights
from investing.rules.performance.returns import WIDE, ZERO


@dataclass(frozen=True, slots=True)
class Gain:
    """What a position gained, and what that added to the return; the instrument is None for cash."""

    instrument_id: UUID | None
    gain: Decimal
    contribution: Decimal


async def read_gains(
    connection: Connection, owner_id: UUID, performances: Sequence[Performance]
) -> list[list[Gain] | None]:
    """Read the gains of each performance, largest contribution first; they add up to its return.

    An item is None if the figures say why, or if an entry was added in between, so that they would not add
    up. It takes one statement, whatever the number of performances.
    """
    known = [one for one in performances if _has_contributions(one)]
    # Each is a scope of its own in the statement, even if two are of the same portfolio.

    def scopes() -> list[GainScope]:
        return [_requested(performance, UUID(int=n)) for n, performance in enumerate(known)]

    requested = await run_apart(owner_id, scopes) if known else []
    rows: dict[UUID, list[GainRow]] = {}
    if requested:
        shifts = await shifts_of(connection, {one.time_zone for one in requested})
        for row in await fetch_gains(connection, owner_id, requested, shifts):
            rows.setdefault(row["scope_id"], []).append(row)

    def computed() -> dict[int, list[Gain] | None]:
        return {id(one): _gains(one, rows.get(UUID(int=n), [])) for n, one in enumerate(known)}

    found = await run_apart(owner_id, computed) if known else {}
    return [found.get(id(performance)) for performance in performances]


def _has_contributions(performance: Performance) -> bool:
    refused = {one.figure for one in performance.figures.unavailable}
    return performance.scope is not None and PerformanceFigure.CONTRIBUTIONS not in refused


def _requested(performance: Performance, number: UUID) -> GainScope:
    scope, points = performance.scope, performance.points
    assert scope is not None
    first = points[0].date
    if len(points) > 1 and points[1].date == first and first > dt.date.min:
        # The whole first day counts, so it begins at the end of the day before.
        first -= dt.timedelta(days=1)
    days = [GainDay(first, None)]
    for date, of_day in weights(points):
        days.append(GainDay(date, None if date in performance.valued else of_day[0]))
    return GainScope(number, scope.time_zone, scope.portfolio_ids, scope.account_ids, days)


def _gains(performance: Performance, rows: Sequence[GainRow]) -> list[Gain] | None:
    total = performance.figures.time_weighted_return
    assert total is not None, "contributions are available only with the return"
    gains: dict[UUID | None, Decimal] = defaultdict(lambda: ZERO)
    parts: dict[UUID | None, Decimal] = defaultdict(lambda: ZERO)
    for row in rows:
        gains[row["instrument_id"]] = Decimal(row["gain"])
        parts[row["instrument_id"]] = Decimal(row["contribution"])
    for date, of_day in weights(performance.points):
        if date in performance.valued:
            for part, weight in zip(performance.valued[date].parts, of_day, strict=True):
                for instrument_id, gain in part.gains.items():
                    gains[instrument_id] += gain
                    parts[instrument_id] = WIDE.fma(gain, weight, parts[instrument_id])
    ids = [id for id, gain in gains.items() if gain or round(parts[id], 10)]
    shared = rounded_to_total(total, [parts[id] for id in ids])
    if shared is None:
        return None
    found = [Gain(id, gains[id], part) for id, part in zip(ids, shared, strict=True)]
    return sorted(found, key=lambda gain: gain.contribution, reverse=True)
