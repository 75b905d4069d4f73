"""From a portfolio's daily values to the rows of `performance_history`."""

import dataclasses
from collections.abc import Iterable
from uuid import UUID

from db.demo.writes import Rows
from db.ids import uuid7
from investing.rules.performance import Day, Snapshot, snapshots

_FIGURES = tuple(field.name for field in dataclasses.fields(Snapshot))


def snapshot_rows(owner_id: UUID, portfolio_id: UUID, days: Iterable[Day]) -> Rows:
    """One row for each day. Raises ValueError where dates do not ascend."""
    return [
        {
            "owner_id": owner_id,
            "id": uuid7(),
            "portfolio_id": portfolio_id,
            **{name: getattr(snapshot, name) for name in _FIGURES},
        }
        for snapshot in snapshots(days)
    ]
