"""One transaction of an owner's ledger: what it has locked, how it reads, and what it writes.

Lock, read, decide, write: writes are gathered row by row and sent as one statement, so that a refusal is
known before anything is written. No row may be written twice by one statement: the changes that several
entries make to a portfolio, an account or a reservation are added up here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from db.locks import NO_LOCKS, Locks
from db.sessions import Sessions
from db.trading import ledger_writes as writes
from db.vocabulary import Topic
from db.write_batch import WriteBatch
from db.writing import RawConnection, UncheckedLogin

ResultT = TypeVar("ResultT")
Row = Mapping[str, object]
"""Values by column."""

ZERO = Decimal(0)


class LocksNeeded(Exception):
    """More must be locked, in the common order of locks: the transaction restarts with these locks.

    Nothing was written.
    """

    def __init__(self, locks: Locks) -> None:
        super().__init__(locks)
        self.locks = locks


@dataclass
class _PortfolioChange:
    cash: Decimal = ZERO
    reserved: Decimal = ZERO
    since: dt.datetime | None = None


class LedgerTransaction:
    """An open transaction; the caller commits it, after `flush`."""

    def __init__(
        self,
        connection: RawConnection,
        owner_id: UUID,
        locks: Locks = NO_LOCKS,
        *,
        may_begin_anew: bool = False,
    ) -> None:
        """Initialize with the `locks` that are taken already.

        `may_begin_anew` says that the caller handles LocksNeeded.
        """
        self.connection = connection
        self.owner_id = owner_id
        self.is_written = False
        """Whether anything has been sent already."""
        self.has_posted = False
        """Whether a portfolio's past or present has changed."""
        self._locks = locks
        self._may_begin_anew = may_begin_anew
        self._begin()

    def _begin(self) -> None:
        self.batch = WriteBatch()
        self._transactions: list[Row] = []
        self._portfolios: dict[UUID, _PortfolioChange] = {}
        self._accounts: dict[UUID, Decimal] = {}
        self._positions: dict[tuple[UUID, UUID], writes.PositionWrite] = {}
        self._reserved: dict[tuple[UUID, UUID], Decimal] = {}
        self._lots: list[writes.LotWrite] = []
        self._uses: list[writes.UseWrite] = []
        self._figures: list[writes.FiguresWrite] = []
        self._gone_uses: list[tuple[UUID, UUID, int]] = []
        self._gone_lots: list[tuple[UUID, int]] = []

    def forget(self) -> None:
        """Discard all gathered writes."""
        assert not self.is_written, "what is refused is known before anything is written"
        self.has_posted = False
        self._begin()

    async def hold_order(self, id: UUID, portfolio_id: UUID) -> bool:
        """Lock the portfolio of an order as well; return whether it was not locked before."""
        if self._locks.order == id:
            self._locks = Locks(self._locks.accounts, self._locks.portfolios | {portfolio_id})
        return await self.hold([portfolio_id])

    async def hold(self, portfolios: Collection[UUID], accounts: Collection[UUID] = ()) -> bool:
        """Lock these as well; return whether any of them was not locked before.

        A caller that has read what is locked only now reads it again. Raises LocksNeeded where the order of
        locks requires that all are taken again from the start.
        """
        missing = Locks(
            frozenset(accounts) - self._locks.accounts, frozenset(portfolios) - self._locks.portfolios
        )
        if not missing.accounts and not missing.portfolios:
            return False
        locks = Locks(self._locks.accounts | missing.accounts, self._locks.portfolios | missing.portfolios)
        if self._may_begin_anew and not self._come_after(missing):
            raise LocksNeeded(locks)
        for id in sorted(missing.accounts):
            await self.connection.execute(_LOCK_ACCOUNT, self.owner_id, id)
        if missing.portfolios:
            await self.connection.execute(_LOCK_PORTFOLIOS, self.owner_id, list(missing.portfolios))
        self._locks = locks
        return True

    def _come_after(self, missing: Locks) -> bool:
        """Return whether these come after all that is locked, in the order that every writer uses."""
        held = self._locks
        if missing.accounts and (
            held.portfolios or max(held.accounts, default=UUID(int=0)) > min(missing.accounts)
        ):
            return False
        return not missing.portfolios or not held.portfolios or max(held.portfolios) < min(missing.portfolios)

    def add_transaction(self, row: Row) -> None:
        """Add an entry to the ledger."""
        self._transactions.append(row)

    def change_portfolio(
        self,
        portfolio_id: UUID,
        *,
        cash: Decimal = ZERO,
        reserved: Decimal = ZERO,
        since: dt.datetime | None = None,
    ) -> None:
        """Add to a portfolio's cash, and to the part of it that is reserved.

        Where something was posted, `since` is its instant, from whose day on the snapshots are stale: every
        posting calls this, even if no cash moves.
        """
        change = self._portfolios.setdefault(portfolio_id, _PortfolioChange())
        change.cash += cash
        change.reserved += reserved
        if since is not None:
            change.since = since if change.since is None else min(change.since, since)
            self.has_posted = True

    def change_account(self, account_id: UUID, cash: Decimal) -> None:
        """Add to the unallotted cash of an account."""
        self._accounts[account_id] = self._accounts.get(account_id, ZERO) + cash

    def reserve_shares(self, portfolio_id: UUID, instrument_id: UUID, quantity: Decimal) -> None:
        """Add to the reserved quantity of a holding; a negative quantity reduces it."""
        key = (portfolio_id, instrument_id)
        self._reserved[key] = self._reserved.get(key, ZERO) + quantity

    def save_positions(self, rows: Sequence[writes.PositionWrite]) -> None:
        """Write the present positions."""
        for row in rows:
            key = (row.portfolio_id, row.instrument_id)
            assert key not in self._positions, "a holding is posted once in a statement"
            self._positions[key] = row

    def save_lots(self, rows: Sequence[writes.LotWrite], gone: Sequence[tuple[UUID, int]]) -> None:
        """Write the present lots, and delete those that are `gone`."""
        self._lots += rows
        self._gone_lots += gone

    def save_uses(self, rows: Sequence[writes.UseWrite], gone: Sequence[tuple[UUID, UUID, int]]) -> None:
        """Write the present effects of transactions on lots, and delete the uses that are `gone`."""
        self._uses += rows
        self._gone_uses += gone

    def save_figures(self, rows: Sequence[writes.FiguresWrite]) -> None:
        """Write the derived figures of later transactions."""
        self._figures += rows

    async def flush(self) -> None:
        """Send all gathered writes as one statement."""
        self._gather()
        if self.batch:
            self.is_written = True
            await self.batch.write(self.connection)
        self._begin()

    def _gather(self) -> None:
        parts, owner_id = self.batch, self.owner_id
        writes.add_transactions(parts, self._transactions)
        writes.save_figures(parts, owner_id, self._figures)
        writes.save_positions(
            parts, [row for key, row in self._positions.items() if not self._reserved.get(key)]
        )
        for key, quantity in self._reserved.items():
            if key in self._positions and quantity:
                writes.save_position(parts, self._positions[key], quantity)
            elif quantity:
                writes.reserve_shares(parts, (owner_id, *key), quantity)
        writes.save_lots(parts, self._lots)
        writes.save_uses(parts, self._uses)
        writes.delete_uses(parts, owner_id, self._gone_uses)
        writes.delete_lots(parts, owner_id, self._gone_lots)
        for id, cash in self._accounts.items():
            writes.change_account(parts, (owner_id, id), cash)
        for id, change in self._portfolios.items():
            if change.cash or change.reserved or change.since:
                writes.change_portfolio(parts, (owner_id, id), change.cash, change.reserved, change.since)


_LOCK_ACCOUNT = "SELECT FROM accounts WHERE owner_id = $1 AND id = $2 FOR NO KEY UPDATE"
_LOCK_PORTFOLIOS = """
SELECT FROM portfolios WHERE owner_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""


async def transact(
    sessions: Sessions,
    owner_id: UUID,
    locks: Locks,
    work: Callable[[LedgerTransaction], Awaitable[ResultT]],
    login: UncheckedLogin | None = None,
) -> ResultT:
    """Run the work in one transaction that begins with the locks and ends with its writes; return its result.

    A `login` is checked before the work begins: raise LoginEnded. The transaction is retried after a deadlock
    or serialization failure, and where more has to be locked. What was posted is announced once it is
    committed.
    """

    async def run(connection: RawConnection) -> tuple[ResultT, bool]:
        ledger = LedgerTransaction(connection, owner_id, locks, may_begin_anew=True)
        result = await work(ledger)
        await ledger.flush()
        return result, ledger.has_posted

    while True:
        try:
            result, has_posted = await sessions.write(owner_id, locks.lock(owner_id), run, login)
        except LocksNeeded as needed:
            locks = needed.locks
        else:
            if has_posted:
                sessions.announce(owner_id, Topic.PORTFOLIOS)
            return result
