"""The job that applies every split of an instrument to its holders, open orders and levels.

The job goes through the users in batches, each user in transactions of their own. What it does for a user is
marked in the transaction that does it, by the entry's own id and by the day that orders and levels are for,
so that a process that dies, or two at the same time, do everything once.
"""

import datetime as dt
import logging
from uuid import UUID

from db.alerts import rules
from db.claims import SPLITS, claim
from db.locks import NO_LOCKS
from db.market import splits as stored
from db.market.splits import Work
from db.outages import Faults
from db.sessions import Session, Sessions, is_away
from db.trading.ledger import transact
from db.trading.splits import find_reached
from investing.rules.errors import DomainError
from investing.rules.trading.orders import BrokerFees
from investing.trading.splitting import follow

logger = logging.getLogger("graphfolio.splits")

LEASE_SECONDS = 60.0
BATCH = 100
"""How many users are done between two records of a process's progress."""

AGAIN = dt.timedelta(minutes=1)


class Splitting:
    """The job of one process, which shares the work with all others."""

    def __init__(self, sessions: Sessions, fees: BrokerFees) -> None:
        """Create the job. `fees` are those of the paper broker, whose open orders are adjusted."""
        self._sessions = sessions
        self._fees = fees
        self._faults = Faults(logger)

    async def post_due(self) -> int:
        """Apply every split whose ex-date has begun to everybody concerned; return the number of batches."""
        count = 0
        while claimed := await claim(self._sessions, SPLITS, LEASE_SECONDS, 1):
            async with self._sessions.begin(None) as session:
                await stored.follow_quotes(session)
            await self._apply_to_batch(await stored.find_work(self._sessions, claimed[0]))
            count += 1
        return count

    async def _apply_to_batch(self, work: Work) -> None:
        owners = await stored.find_owners(self._sessions, work.after_owner, BATCH)
        again_at: dt.datetime | None = None
        for owner_id in owners:
            next_at = await self._try_owner(owner_id, work)
            if next_at is not None:
                again_at = next_at if again_at is None else min(again_at, next_at)
        async with self._sessions.begin(None) as session:
            if len(owners) == BATCH:
                await stored.go_on_after(session, work, owners[-1], again_at)
            else:
                await stored.end_round(session, work, again_at)

    async def _try_owner(self, owner_id: UUID, work: Work) -> dt.datetime | None:
        """Apply a split for one owner; return when the owner is due again, None for never."""
        try:
            return await self._apply_to_owner(owner_id, work)
        except Exception as error:
            if is_away(error):
                raise
            # Logged once for all holders, who may be thousands with the same fault.
            self._faults.met(error, "A split of %s could not be posted for a user.", work.instrument_id)
            return dt.datetime.now(dt.UTC) + AGAIN

    async def _apply_to_owner(self, owner_id: UUID, work: Work) -> dt.datetime | None:
        async with self._sessions.begin(owner_id) as session:
            reached = await find_reached(session, owner_id, work.instrument_id, work.ex_date)
            if work.symbol is None and (reached.trades or reached.watches):
                # Only the owner may change the quote of an instrument of their own.
                await stored.follow_quotes(session)
        again_at: dt.datetime | None = reached.next_begin
        if reached.trades and not await self._post_to_holdings(owner_id, work):
            again_at = dt.datetime.now(dt.UTC) + AGAIN
        if reached.watches:

            async def follow_levels(session: Session) -> None:
                ids = await rules.rules_of_instrument(session, owner_id, work.instrument_id)
                await rules.follow_splits(session, owner_id, ids)

            await self._sessions.transact(owner_id, follow_levels)
        return again_at

    async def _post_to_holdings(self, owner_id: UUID, work: Work) -> bool:
        """Post the split to an owner's holdings and orders; return whether nothing is left to do."""
        key = (work.instrument_id, work.ex_date, self._fees)
        try:
            return await transact(self._sessions, owner_id, NO_LOCKS, lambda ledger: follow(ledger, *key))
        except DomainError as domain_error:
            # Later entries do not fit the holding after the split: `verify` reports it until they do.
            logger.warning("A split of %s does not fit a holding: %s", work.symbol, domain_error.message)
            return True
