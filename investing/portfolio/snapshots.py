"""Keep snapshots current: from the first stale day on, in one transaction or not at all.

Whatever changes a portfolio's past or its prices lowers its stale mark in the same transaction, and only this
module clears it, with the portfolio locked: a process that dies in between leaves the old snapshots and the
mark.
"""

import dataclasses
import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.claims import SNAPSHOTS, claim
from db.ids import uuid7
from db.outages import Faults
from db.portfolio import snapshots as stored
from db.portfolio.flow_days import FlowScope
from db.portfolio.replay import fetch_days
from db.portfolio.rows import PastSnapshotRow, ReplayedDayRow
from db.portfolio.sharing import mark_sharers
from db.sessions import Session, Sessions, is_away
from db.writing import raw_connection_of
from investing.background import run_apart
from investing.market.close_shifts import shifts_of
from investing.portfolio.valuing import read_flow_days
from investing.rules.performance.series import Flow
from investing.rules.performance.snapshots import Day, Snapshot, snapshots
from investing.rules.performance.valuation import ValuedDay

logger = logging.getLogger("graphfolio.portfolio")
_faults = Faults(logger)

_FIGURES = tuple(field.name for field in dataclasses.fields(Snapshot))

LEASE_SECONDS = 60.0
"""How long other processes leave a claimed portfolio alone, which is longer than any refresh takes."""


async def refresh(sessions: Sessions, owner_id: UUID, portfolio_id: UUID) -> bool:
    """Recompute the portfolio's snapshots from its stale day on; return whether there was anything to do.

    The portfolio is locked meanwhile, and its trades wait.
    """

    async def work(session: Session) -> bool:
        return await refresh_within(session, owner_id, portfolio_id)

    return await sessions.transact(owner_id, work)


async def refresh_within(
    session: Session, owner_id: UUID, portfolio_id: UUID, *, tell_others: bool = True
) -> bool:
    """Do the same as `refresh` in the caller's transaction, which acts for the owner.

    The owner's other portfolios that use prices of this one's trades are marked stale, unless the caller
    knows that they have already used them and says so with `tell_others`.
    """
    stale = await stored.lock_stale(session, owner_id, portfolio_id)
    if stale is None:
        return False
    since, time_zone = stale["since"], stale["time_zone"]
    connection = await raw_connection_of(session)
    past = await stored.find_past(session, owner_id, portfolio_id, since)
    shifts = await shifts_of(connection, [time_zone])
    days = await fetch_days(connection, owner_id, [portfolio_id], time_zone, since, shifts)
    scope = FlowScope(portfolio_id, time_zone, since, dt.date.max, [portfolio_id])
    valued = await read_flow_days(connection, owner_id, [scope], shifts)
    its_valued = valued.get(portfolio_id, {})
    rows = await run_apart(owner_id, _rows, owner_id, portfolio_id, days, its_valued, past)
    if tell_others:
        trades = {row["date"]: row["num_trades"] for row in rows}
        await mark_sharers(connection, owner_id, portfolio_id, time_zone, since, trades)
    await stored.replace_snapshots(session, owner_id, portfolio_id, since, rows)
    await stored.clear_stale(session, owner_id, portfolio_id)
    return True


async def refresh_due(
    sessions: Sessions, at_most: int = 100, report: Callable[[int], None] = lambda done: None
) -> int:
    """Refresh stale portfolios of any owners, one after another; return how many, 0 if none is due.

    Several processes share the work: each claims what no other has. A portfolio claimed by a process that
    died is due again after a minute. `report` is called with the number done so far.
    """
    done = 0
    while done < at_most:
        claimed = await claim(sessions, SNAPSHOTS, LEASE_SECONDS, 1)
        if not claimed:
            break
        for owner_id, portfolio_id in claimed:
            try:
                await refresh(sessions, owner_id, portfolio_id)
            except Exception as error:
                if is_away(error):
                    raise
                # A portfolio that cannot be computed must not hold up the others; it is due again later.
                _faults.met(error, "Portfolio %s could not be refreshed.", portfolio_id)
        done += 1
        report(done)
    return done


def _rows(
    owner_id: UUID,
    portfolio_id: UUID,
    days: Sequence[ReplayedDayRow],
    valued: Mapping[dt.date, ValuedDay],
    past: Sequence[PastSnapshotRow],
) -> list[dict[str, Any]]:
    trades = {row["date"]: row["num_trades"] for row in days}
    return [
        {
            "owner_id": owner_id,
            "id": uuid7(),
            "portfolio_id": portfolio_id,
            **{name: getattr(snapshot, name) for name in _FIGURES},
            "flows": _flows_text(snapshot.flows),
            "num_trades": trades[snapshot.date],
        }
        for snapshot in snapshots((_day(row, valued.get(row["date"])) for row in days), past=map(_past, past))
    ]


def _day(row: ReplayedDayRow, valued: ValuedDay | None) -> Day:
    """Return a day of the ledger, with its values at its flows."""
    unpriced = row["unpriced_positions"]
    return Day(
        date=row["date"],
        cash_value=Decimal(row["cash_value"]),
        positions_value=Decimal(row["positions_value"]),
        net_flow=Decimal(0) if valued is None else valued.net_flow,
        num_positions=row["num_positions"],
        unpriced_positions=unpriced if valued is None else max(unpriced, len(valued.unpriced)),
        stale_positions=row["stale_positions"],
        unquoted_positions=row["unquoted_positions"],
        flows=() if valued is None else valued.flows,
    )


def _past(row: PastSnapshotRow) -> Day:
    """Return a day as it is stored."""
    numbers = [Decimal(text) for text in (row["flows"] or "").split()]
    return Day(
        date=row["date"],
        cash_value=row["cash_value"],
        positions_value=row["positions_value"],
        net_flow=row["net_flow"],
        num_positions=row["num_positions"],
        unpriced_positions=row["unpriced_positions"],
        stale_positions=row["stale_positions"],
        unquoted_positions=row["unquoted_positions"],
        flows=tuple(map(Flow, numbers[::2], numbers[1::2])),
    )


def _flows_text(flows: Sequence[Flow]) -> str | None:
    return " ".join(f"{flow.before} {flow.amount}" for flow in flows) or None
