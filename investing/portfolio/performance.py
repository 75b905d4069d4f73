"""Performance of portfolios, accounts and users: read the days, value the flows, apply the rules.

Days that wait to be recomputed are left out: the performance ends on the day before them.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from db.portfolio import performance as stored
from db.portfolio.flow_days import FlowScope
from db.portfolio.performance import Scope, ScopeKind
from db.portfolio.pricing import Shift
from db.portfolio.replay import fetch_days
from db.portfolio.rows import PointRow
from db.sessions import Connection
from db.vocabulary import UnavailableReason as Reason
from investing.background import run_apart
from investing.market.close_shifts import shifts_of
from investing.portfolio.mixed_days import summed, without_closes
from investing.portfolio.valuing import read_flow_days
from investing.rules.performance.figures import Figures, measure, nothing
from investing.rules.performance.series import Point, with_opening
from investing.rules.performance.valuation import ValuedDay

__all__ = ["Performance", "PerformanceRequest", "ScopeKind", "read_performances"]

_ONE_DAY = dt.timedelta(days=1)
_SECOND_DAY = dt.date.min + _ONE_DAY


@dataclass(frozen=True, slots=True)
class PerformanceRequest:
    """The days of a performance, None for as many as there are; `risk_free` is a rate per year."""

    start: dt.date | None
    end: dt.date | None
    risk_free: Decimal


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """A scope over its days, the first of which is where the figures begin; no scope if it has nothing.

    If its whole first day counts, the first point is an opening: no value, on the same day. `valued` are the
    days with flows.
    """

    scope: Scope | None
    points: Sequence[Point]
    figures: Figures
    risk_free: Decimal = Decimal(0)
    valued: Mapping[dt.date, ValuedDay] = field(default_factory=dict)

    @property
    def currency(self) -> str | None:
        """The currency of its amounts, None if there are several."""
        return min(self.scope.currencies) if self.scope and len(self.scope.currencies) == 1 else None

    @property
    def stale_from(self) -> dt.date | None:
        """The first day that waits to be recomputed; None if the performance does not use stored days."""
        return self.scope.stale_from if self.scope and not self.scope.is_mixed else None


async def read_performances(
    connection: Connection,
    owner_id: UUID,
    kind: ScopeKind,
    requests: Sequence[tuple[UUID, PerformanceRequest]],
) -> list[Performance]:
    """Return the performance of each scope. Equal requests share one statement, after one for all."""
    found: dict[tuple[UUID, PerformanceRequest], Performance] = {}
    # One database snapshot: a transfer within a scope must be seen on both sides or on none.
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        scopes = await stored.fetch_scopes(connection, owner_id, kind, list({id for id, _ in requests}))
        for request in dict.fromkeys(request for _, request in requests):
            its_scopes = {id: scopes.get(id) for id, same in requests if same == request}
            read = await _read(connection, owner_id, its_scopes, request)
            found.update(((id, request), performance) for id, performance in read.items())
    return [found[key] for key in requests]


@dataclass(frozen=True, slots=True)
class _Days:
    """The days of a scope as they are read, and whether the whole first one counts."""

    scope: Scope
    rows: Sequence[PointRow]
    is_opening: bool

    @property
    def flow_scope(self) -> FlowScope:
        """The scope and the days in which to look for flows."""
        first, last = self.rows[0]["date"], self.rows[-1]["date"]
        since = first if self.is_opening else first + _ONE_DAY
        scope = self.scope
        return FlowScope(scope.id, scope.time_zone, since, last, scope.portfolio_ids, scope.account_ids)

    def points(self, valued: Mapping[dt.date, ValuedDay]) -> Sequence[Point]:
        """Return the days as the rules take them."""
        points = [_point(row, valued.get(row["date"])) for row in self.rows]
        return with_opening(points) if self.is_opening else points


async def _read(
    connection: Connection, owner_id: UUID, scopes: Mapping[UUID, Scope | None], request: PerformanceRequest
) -> dict[UUID, Performance]:
    readable = [(s, _until(s, request)) for s in scopes.values() if s is not None and len(s.currencies) == 1]
    shifts = await shifts_of(connection, {scope.time_zone for scope, _ in readable})
    days = await _read_days(connection, owner_id, readable, shifts, request.start)
    wanted = [one.flow_scope for one in days.values()]
    valued = await read_flow_days(connection, owner_id, wanted, shifts)

    def measured() -> dict[UUID, Performance]:
        return {
            id: _performance(scope, days.get(id), valued.get(id, {}), request) for id, scope in scopes.items()
        }

    return await run_apart(owner_id, measured)


async def _read_days(
    connection: Connection,
    owner_id: UUID,
    readable: Sequence[tuple[Scope, dt.date]],
    shifts: Sequence[Shift],
    start: dt.date | None,
) -> dict[UUID, _Days]:
    """Read the days of each scope that has any: stored ones, or replayed ones if the time zones differ."""
    mixed = [(scope, until) for scope, until in readable if scope.is_mixed]
    rows: dict[UUID, list[PointRow]] = {}
    # A scope with several time zones needs all days, which are cut once they are summed.
    for row in await stored.fetch_points(connection, owner_id, readable, None if mixed else start):
        rows.setdefault(row["scope_id"], []).append(row)
    for scope, until in mixed:
        ids, zone = scope.portfolio_ids, scope.time_zone
        replayed = await fetch_days(connection, owner_id, ids, zone, dt.date.min, shifts)
        places = without_closes(replayed)
        quoted = await stored.fetch_quoted_until(connection, owner_id, places, zone) if places else {}
        cash = rows.get(scope.id, [])
        rows[scope.id] = await run_apart(owner_id, summed, replayed, cash, start, until, quoted)
    found = {}
    for scope, _ in readable:
        if its_rows := rows.get(scope.id):
            found[scope.id] = _Days(scope, its_rows, start is None or its_rows[0]["date"] > start)
    return found


def _performance(
    scope: Scope | None,
    days: _Days | None,
    valued: Mapping[dt.date, ValuedDay],
    request: PerformanceRequest,
) -> Performance:
    if scope is not None and len(scope.currencies) > 1:
        return Performance(scope, [], nothing(Reason.SEVERAL_CURRENCIES))
    if days is None and scope is not None and scope.stale_from is not None:
        return Performance(scope, [], nothing(Reason.STALE))
    points = [] if days is None else days.points(valued)
    return Performance(scope, points, measure(points, request.risk_free), request.risk_free, valued)


def _until(scope: Scope, request: PerformanceRequest) -> dt.date:
    until = request.end or stored.FOREVER
    # Days replayed from the ledger are never stale.
    if scope.stale_from is None or scope.is_mixed:
        return until
    # There is no day before the calendar's first.
    return min(until, max(scope.stale_from, _SECOND_DAY) - _ONE_DAY)


def _point(row: PointRow, valued: ValuedDay | None) -> Point:
    unpriced = row["unpriced_positions"]
    return Point(
        date=row["date"],
        total_value=Decimal(row["total_value"]),
        net_flow=Decimal(0) if valued is None else valued.net_flow,
        unpriced_positions=unpriced if valued is None else max(unpriced, len(valued.unpriced)),
        flows=() if valued is None else valued.flows,
        num_positions=row["num_positions"],
        stale_positions=row["stale_positions"],
        unquoted_positions=row["unquoted_positions"],
    )
