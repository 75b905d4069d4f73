"""What a ledger transaction does first: its locks, and the check of a login, as prepared statements.

`db.writing` sends them together with BEGIN. Locks are taken from the top of the tree down and by id, an
account before its portfolios, so that two writers never deadlock.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from db.writing import Lock

PREPARE = """
PREPARE lock_account (uuid, uuid) AS
    SELECT FROM accounts WHERE owner_id = $1 AND id = $2 FOR NO KEY UPDATE;
PREPARE lock_portfolio (uuid, uuid) AS
    SELECT FROM portfolios WHERE owner_id = $1 AND id = $2 FOR NO KEY UPDATE;
PREPARE lock_portfolio_of_order (uuid, uuid) AS
    SELECT FROM portfolios WHERE owner_id = $1
        AND id = (SELECT portfolio_id FROM orders WHERE owner_id = $1 AND id = $2) FOR NO KEY UPDATE;
PREPARE check_login (uuid, uuid) AS
    SELECT FROM users u
    JOIN refresh_tokens s ON s.owner_id = $1 AND s.id = $2 AND s.revoked_at IS NULL
    WHERE u.id = $1 AND u.is_active
"""


class Locks(NamedTuple):
    """Accounts and portfolios of one owner that a transaction locks until it ends.

    `order` stands for the portfolio of that order, which never changes: every change of an order locks its
    portfolio first.
    """

    accounts: frozenset[UUID] = frozenset()
    portfolios: frozenset[UUID] = frozenset()
    order: UUID | None = None

    @classmethod
    def of(cls, *, accounts: Collection[UUID | None] = (), portfolios: Collection[UUID | None] = ()) -> Locks:
        """Return the locks of these accounts and portfolios; None entries are ignored."""
        return cls(
            frozenset(id for id in accounts if id is not None),
            frozenset(id for id in portfolios if id is not None),
        )

    def lock(self, owner_id: UUID) -> Lock:
        """Return the lock that takes all of them, in the order that every writer uses."""
        locks = [Lock("lock_account", owner_id, id) for id in sorted(self.accounts)]
        locks += [Lock("lock_portfolio", owner_id, id) for id in sorted(self.portfolios)]
        if self.order is not None:
            locks.append(Lock("lock_portfolio_of_order", owner_id, self.order))
        return Lock.all_of(*locks)


NO_LOCKS = Locks()


def lock_portfolio(owner_id: UUID, portfolio_id: UUID) -> Lock:
    """Return the lock that holds the portfolio until the transaction ends."""
    return Locks.of(portfolios=[portfolio_id]).lock(owner_id)
