"""Read the allocation of portfolios, accounts and users: the parts and the targets, which a rule divides."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from db.portfolio.allocation import fetch_parts, fetch_target_weights
from db.portfolio.performance import ScopeKind
from db.sessions import Connection
from db.vocabulary import AllocationDimension, TargetSource
from investing.rules.portfolio.allocation import (
    Allocation,
    AllocationPart,
    InstrumentTarget,
    TargetWeights,
    allocate,
    target_weights,
)


@dataclass
class AllocationScope:
    """All parts of a portfolio, an account or a user. Only a portfolio may have targets."""

    parts: list[AllocationPart] = field(default_factory=list)
    targets: TargetWeights | None = None

    def allocation(self, by: AllocationDimension) -> Allocation:
        """Return the parts divided by this dimension."""
        return allocate(self.parts, by, self.targets)


async def read_allocations(
    connection: Connection, owner_id: UUID, kind: ScopeKind, ids: Sequence[UUID]
) -> dict[UUID, AllocationScope]:
    """Read the parts of each scope and a portfolio's target weights; at most two statements in all."""
    found = {id: AllocationScope() for id in ids}
    for row in await fetch_parts(connection, owner_id, kind, ids):
        found[row["scope_id"]].parts.append(
            AllocationPart(
                account_id=row["account_id"],
                account=row["account"],
                currency=row["currency"],
                value=None if row["value"] is None else Decimal(row["value"]),
                portfolio_id=row["portfolio_id"],
                portfolio=row["portfolio"],
                position_id=row["position_id"],
                symbol=row["symbol"],
                asset_class=row["asset_class"],
            )
        )
    if kind is ScopeKind.PORTFOLIO:
        for id, targets in (await _targets(connection, owner_id, ids)).items():
            found[id].targets = targets
    return found


async def _targets(connection: Connection, owner_id: UUID, ids: Sequence[UUID]) -> dict[UUID, TargetWeights]:
    settings: dict[UUID, tuple[TargetSource, Decimal]] = {}
    wanted: dict[UUID, list[InstrumentTarget]] = {}
    for row in await fetch_target_weights(connection, owner_id, ids):
        id = row["portfolio_id"]
        settings[id] = TargetSource(row["source"]), Decimal(row["cash_reserve"])
        its = wanted.setdefault(id, [])
        if row["symbol"] is not None and row["weight"] is not None:
            its.append(InstrumentTarget(row["symbol"], Decimal(row["weight"]), row["asset_class"]))
    return {id: target_weights(source, wanted[id], reserve) for id, (source, reserve) in settings.items()}
