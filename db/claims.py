"""Claiming work from queues whose rows belong to owners not yet known to the worker.

Each queue is a table without an owner policy that holds only what is to be done and when. A claim takes due
rows for the length of its lease: no other process gets them meanwhile, and rows claimed by a process that
died are due again when the lease ends.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from db.sessions import Sessions

ClaimT = TypeVar("ClaimT", bound=tuple[object, ...])


@dataclass(frozen=True)
class WorkQueue(Generic[ClaimT]):
    """A table of work with a time `due_at`; the fields of `claim` are the columns that a claim returns."""

    table: str
    key: tuple[str, ...]
    claim: type[ClaimT]
    order: str = "due_at"
    is_counted: bool = False
    """Whether each claim adds one to the row's `attempts`."""
    takes_turns: bool = False
    """Whether owners take turns, so that an owner with much due work does not hold up the others."""


class OrderClaim(NamedTuple):
    """An open order that needs attention."""

    owner_id: UUID
    order_id: UUID


class SnapshotClaim(NamedTuple):
    """A portfolio whose snapshots are stale."""

    owner_id: UUID
    portfolio_id: UUID


class RebalanceClaim(NamedTuple):
    """A rebalance that runs at a broker and is waiting for its next step."""

    owner_id: UUID
    rebalance_id: UUID


class ScheduleClaim(NamedTuple):
    """A portfolio that rebalances automatically.

    Holds the next time of its schedule (None if not worked out yet), the next check of its drift (None
    without a drift band), and the number of consecutive faults.
    """

    owner_id: UUID
    portfolio_id: UUID
    scheduled_at: dt.datetime | None
    drift_at: dt.datetime | None
    attempts: int


class CheckClaim(NamedTuple):
    """An owner whose portfolios are to be checked against their alert rules."""

    owner_id: UUID


class DeliveryClaim(NamedTuple):
    """A notification that has to be sent."""

    owner_id: UUID
    delivery_id: UUID


class SplitClaim(NamedTuple):
    """A split to be posted to its holders, starting with the owner after `after_owner`."""

    instrument_id: UUID
    ex_date: dt.date
    after_owner: UUID | None


ORDERS = WorkQueue("order_work", ("owner_id", "order_id"), OrderClaim)
SNAPSHOTS = WorkQueue("performance_work", ("owner_id", "portfolio_id"), SnapshotClaim)
REBALANCES = WorkQueue("rebalance_work", ("owner_id", "rebalance_id"), RebalanceClaim)
SCHEDULES = WorkQueue("rebalance_due", ("owner_id", "portfolio_id"), ScheduleClaim, is_counted=True)
CHECKS = WorkQueue("alert_checks", ("owner_id",), CheckClaim)
DELIVERIES = WorkQueue("delivery_work", ("owner_id", "delivery_id"), DeliveryClaim, takes_turns=True)
SPLITS = WorkQueue("split_work", ("instrument_id", "ex_date"), SplitClaim, order="ex_date, instrument_id")

QUEUES = (ORDERS, SNAPSHOTS, REBALANCES, SCHEDULES, CHECKS, DELIVERIES, SPLITS)

_IS_DUE = "due_at <= clock_timestamp()"

# The two oldest rows of each owner, among the thousand oldest rows of owners who are not busy.
_IN_TURN = """AND ({key}) IN (
    SELECT {key} FROM (
        SELECT {key}, row_number() OVER (PARTITION BY owner_id ORDER BY due_at) AS place
        FROM (SELECT * FROM {table} WHERE {is_due} AND owner_id <> ALL($3::uuid[])
              ORDER BY due_at LIMIT 1000) oldest
    ) ranked WHERE place <= 2)"""

_CLAIM = """
UPDATE {table} w SET due_at = clock_timestamp() + make_interval(secs => $1){counted}
FROM (SELECT {key} FROM {table} WHERE {is_due} {in_turn}
      ORDER BY {order} LIMIT $2 FOR UPDATE SKIP LOCKED) due
WHERE {same}
RETURNING {columns}
"""


async def claim(
    sessions: Sessions,
    queue: WorkQueue[ClaimT],
    lease_seconds: float,
    most: int,
    busy: Collection[UUID] = (),
) -> Sequence[ClaimT]:
    """Claim up to `most` pieces of due work, and return them.

    They are due again after `lease_seconds`, unless the worker sets another time before. Where owners take
    turns, no work of the owners in `busy` is claimed.
    """
    values = (lease_seconds, most, list(busy)) if queue.takes_turns else (lease_seconds, most)
    async with sessions.nobody() as connection:
        rows = await connection.fetch(_sql(queue), *values)
    return [queue.claim(*row) for row in rows]


def _sql(queue: WorkQueue[ClaimT]) -> str:
    key = ", ".join(queue.key)
    fields: tuple[str, ...] = queue.claim._fields  # type: ignore[attr-defined]
    in_turn = _IN_TURN.format(table=queue.table, key=key, is_due=_IS_DUE) if queue.takes_turns else ""
    return _CLAIM.format(
        table=queue.table,
        key=key,
        is_due=_IS_DUE,
        in_turn=in_turn,
        order=queue.order,
        counted=", attempts = w.attempts + 1" if queue.is_counted else "",
        same=" AND ".join(f"w.{column} = due.{column}" for column in queue.key),
        columns=", ".join(f"w.{field}" for field in fields),
    )
