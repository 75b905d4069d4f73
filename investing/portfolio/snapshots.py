"""Keeping snapshots current: from the first stale day on, in one transaction, or not at all.

Whoever changes a portfolio's past or its prices lowers its mark in the same transaction, and only this clears
it, with the portfolio locked: a process that dies on the way leaves the old snapshots and the mark.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.portfolio import snapshots as stored
from db.sessions import Session, Sessions
from investing.rules.performance import Day, Snapshot, snapshots

logger = logging.getLogger("graphfolio.portfolio")

_DAY = tuple(field.name for field in dataclasses.fields(Day))
_FIGURES = tuple(field.name for field in dataclasses.fields(Snapshot))

LEASE_SECONDS = 60.0
"""How long others leave a claimed portfolio alone: longer than any refresh takes."""


async def refresh(sessions: Sessions, owner_id: UUID, portfolio_id: UUID) -> bool:
    """Computes the portfolio's snapshots anew from its stale day on. Whether there was anything to do.

    Nothing happens to the portfolio meanwhile: it is locked, and trades of it wait.
    """

    async def work(session: Session) -> bool:
        return await refresh_within(session, owner_id, portfolio_id)

    return await sessions.transact(owner_id, work)


async def refresh_within(session: Session, owner_id: UUID, portfolio_id: UUID) -> bool:
    """The same in the caller's transaction, which acts for the owner."""
    since = await stored.lock_stale(session, owner_id, portfolio_id)
    if since is None:
        return False
    past = _days(await stored.find_past(session, owner_id, portfolio_id, since))
    days = _days(await stored.find_days(session, owner_id, portfolio_id, since))
    # In a thread, so that a server's other requests go on while ten years are counted.
    rows = await asyncio.to_thread(_rows, owner_id, portfolio_id, days, past)
    await stored.replace_snapshots(session, owner_id, portfolio_id, since, rows)
    await stored.clear_stale(session, owner_id, portfolio_id)
    return True


async def refresh_due(
    sessions: Sessions, at_most: int = 100, report: Callable[[int], None] = lambda done: None
) -> int:
    """Refreshes stale portfolios of any owners, one after another. How many it took on; 0 if none is due.

    Several processes share the work: each claims what no other has. One that was claimed by a process which
    died is due again after a minute. `report` is told how many are done.
    """
    done = 0
    while done < at_most:
        claimed = await stored.claim_work(sessions, LEASE_SECONDS, 1)
        if not claimed:
            break
        for owner_id, portfolio_id in claimed:
            try:
                await refresh(sessions, owner_id, portfolio_id)
            except Exception as error:
                # One portfolio that cannot be computed keeps nobody else's waiting; it is due again later.
                logger.error("Portfolio %s could not be refreshed.", portfolio_id, exc_info=error)
        done += 1
        report(done)
    return done


def _days(rows: Sequence[Mapping[Any, Any]]) -> list[Day]:
    return [Day(**{name: row[name] for name in _DAY}) for row in rows]


def _rows(owner_id: UUID, portfolio_id: UUID, days: list[Day], past: list[Day]) -> list[dict[str, Any]]:
    return [
        {
            "owner_id": owner_id,
            "id": uuid7(),
            "portfolio_id": portfolio_id,
            **{name: getattr(snapshot, name) for name in _FIGURES},
        }
        for snapshot in snapshots(days, past=past)
    ]
