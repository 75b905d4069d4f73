"""Splits of instruments: recording one, and the job that has it reach every holder, order and level.

The job goes through the users in slices, each user in transactions of their own. Whatever it does for one is
marked in the transaction that does it, by the entry's own id and by the day that orders and levels are for: a
process that dies, or two at once, do everything once.
"""

import datetime as dt
import logging
from uuid import UUID

from db.alerts import rules
from db.claims import SPLITS, claim
from db.market import splits as stored
from db.market.splits import Work
from db.outages import Faults
from db.sessions import Sessions, is_away
from db.trading.splits import find_reached
from investing.actor import Actor
from investing.audit import note
from investing.rules.errors import DomainError, InvalidInput, UnknownInstrument
from investing.rules.market.market_hours import market_day
from investing.rules.trading.orders import BrokerFees
from investing.rules.trading.splits import SplitRatio, check_split
from investing.trading.splitting import follow

logger = logging.getLogger("graphfolio.splits")

LEASE_SECONDS = 60.0
SLICE = 100
"""Users between two notes of how far a process has come."""

AGAIN = dt.timedelta(minutes=1)
FURTHEST = dt.timedelta(days=366)
EARLIEST = dt.date(1900, 1, 1)
"""No price is older, and some days before the first of the calendar cannot be told."""


async def record_split(actor: Actor, symbol: str, split: SplitRatio) -> UUID:
    """Record that an instrument splits, or did; return the instrument's id. The caller is an administrator.

    Holders, orders and levels follow by the job: at once where the ex-date has begun. To record a split again
    does nothing more. Raise InvalidInput for no ratio, for one that contradicts what is known and for a split
    that is known under a day near by, and UnknownInstrument.
    """
    check_split(split)
    now = dt.datetime.now(dt.UTC)
    if split.ex_date < EARLIEST:
        raise InvalidInput(f"The ex-date is before {EARLIEST}.", ("exDate",))
    if split.ex_date > market_day(now) + FURTHEST:
        raise InvalidInput("The ex-date is more than a year away.", ("exDate",))
    async with actor.sessions.begin(actor.id) as session:
        id = await stored.find_instrument(session, symbol)
        if id is None:
            raise UnknownInstrument(
                f"There is no shared instrument {symbol}; splits of a user's own come in by "
                "import-prices --user.",
                ("symbol",),
                symbol=symbol,
            )
        await stored.lock_splits(session)
        known = [SplitRatio(**row) for row in await stored.find_splits(session, id)]
        if _is_known(split, known, symbol):
            return id
        await stored.insert_split(session, id, split.ex_date, split.quantity, split.split_for)
        facts = {"symbol": symbol, "exDate": split.ex_date, "ratio": str(split)}
        await note(session, actor.id, actor.client, "split.recorded", "Instrument", id, **facts)
    return id


def _is_known(split: SplitRatio, known: list[SplitRatio], symbol: str) -> bool:
    """Return whether this very split is known. Raise InvalidInput for one that cannot be beside another."""
    for other in known:
        is_same = other.is_same(split.ex_date, split.quantity, split.split_for)
        if other.ex_date == split.ex_date:
            if is_same:
                return True
            raise InvalidInput(f"{symbol} has a split of {other} on that day.", ("exDate",))
        if is_same:
            raise InvalidInput(
                f"{symbol} has this split on {other.ex_date}: within seven days it is the same one.",
                ("exDate",),
            )
    return False


class Splitting:
    """The job of one process, which shares it with all others."""

    def __init__(self, sessions: Sessions, fees: BrokerFees) -> None:
        """`fees` are those of the paper broker, whose open orders follow."""
        self._sessions = sessions
        self._fees = fees
        self._faults = Faults(logger)

    async def post_due(self) -> None:
        """Have every split whose ex-date has begun reach whom it concerns, until none is left."""
        while claimed := await claim(self._sessions, SPLITS, LEASE_SECONDS, 1):
            async with self._sessions.begin(None) as session:
                await stored.follow_quotes(session)
            await self._slice(await stored.find_work(self._sessions, claimed[0]))

    async def _slice(self, work: Work) -> None:
        owners = await stored.find_owners(self._sessions, work.after_owner, SLICE)
        again_at: dt.datetime | None = None
        for owner_id in owners:
            next_at = await self._reach(owner_id, work)
            if next_at is not None:
                again_at = next_at if again_at is None else min(again_at, next_at)
        async with self._sessions.begin(None) as session:
            if len(owners) == SLICE:
                await stored.go_on_after(session, work, owners[-1], again_at)
            else:
                await stored.end_round(session, work, again_at)

    async def _reach(self, owner_id: UUID, work: Work) -> dt.datetime | None:
        """See to one owner; return when they have to be seen to again, None for never."""
        try:
            return await self._reached(owner_id, work)
        except Exception as error:
            if is_away(error):
                raise
            # Once for all of its holders, who may be thousands with the same fault.
            self._faults.met(error, "A split of %s could not be posted for a user.", work.instrument_id)
            return dt.datetime.now(dt.UTC) + AGAIN

    async def _reached(self, owner_id: UUID, work: Work) -> dt.datetime | None:
        async with self._sessions.begin(owner_id) as session:
            reached = await find_reached(session, owner_id, work.instrument_id, work.ex_date)
            if work.symbol is None and (reached["trades"] or reached["watches"]):
                # The quote of an instrument of one's own is its owner's to change.
                await stored.follow_quotes(session)
        again_at: dt.datetime | None = reached["next_begin"]
        if reached["trades"] and not await self._follow(owner_id, work):
            again_at = dt.datetime.now(dt.UTC) + AGAIN
        if reached["watches"]:
            async with self._sessions.begin(owner_id) as session:
                ids = await rules.rules_of_instrument(session, owner_id, work.instrument_id)
                await rules.follow_splits(session, owner_id, ids)
        return again_at

    async def _follow(self, owner_id: UUID, work: Work) -> bool:
        """Post the split to an owner's holdings and orders; return whether nothing is left to do."""
        key = (owner_id, work.instrument_id, work.ex_date, self._fees)
        try:
            return await self._sessions.transact(owner_id, lambda session: follow(session, *key))
        except DomainError as domain_error:
            # Later entries do not fit the holding after the split: `verify` tells of it until they do.
            logger.warning("A split of %s does not fit a holding: %s", work.symbol, domain_error.message)
            return True
