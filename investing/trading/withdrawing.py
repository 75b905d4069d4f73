"""Withdraw a split that was recorded wrongly from every holder, order, level and quote.

It is done in one transaction, by the owner of the tables. If a holder's later entries need the shares,
everything is left as it was or, if requested, only that holder is: `verify` reports them until they are put
right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from db.market.splits import find_splits, follow_quotes
from db.market.withdrawn import find_users, lock_instrument, remove_split, take_levels_back
from db.sessions import Session, Sessions, act_for, announce
from db.trading.ledger import LedgerTransaction
from db.trading.splits import find_reached
from db.vocabulary import Topic
from db.writing import raw_connection_of
from investing.rules.errors import DomainError, InvalidInput, UnknownInstrument
from investing.rules.trading.splits import SplitRatio
from investing.trading.splitting import unfollow

Progress = Callable[[str, int, int], None]


def _report_nothing(step: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Withdrawn:
    """From how many holders a split was removed, and how many still have it."""

    holders: int
    blocked: int


async def withdraw_split(
    sessions: Sessions,
    symbol: str,
    split: SplitRatio,
    owner_id: UUID | None = None,
    *,
    skip_blocked: bool = False,
    progress: Progress = _report_nothing,
) -> Withdrawn:
    """Remove a split of a shared instrument, or of a user's own, and everything that followed from it.

    `sessions` are the table owner's. Automatic entries are reversed and everything later is posted again;
    orders that have followed the split end; levels and quotes become what they were. Raise UnknownInstrument,
    and InvalidInput if there is no such split, or if holders' later entries need its shares, in which case
    nothing is changed. With `skip_blocked` those holders keep their entries, and only the others lose them.
    Repeating it removes the split from those of them who no longer need its shares, whatever splits there
    have been since.
    """

    async def withdraw(session: Session) -> tuple[Withdrawn, Sequence[UUID], UUID]:
        instrument_id = await lock_instrument(session, symbol, owner_id)
        if instrument_id is None:
            raise UnknownInstrument.named(symbol, ("symbol",))
        known = [SplitRatio(**row) for row in await find_splits(session, instrument_id)]
        is_known = any(other.ex_date == split.ex_date and other.ratio == split.ratio for other in known)
        if is_known:
            await remove_split(session, instrument_id, split.ex_date)
            await follow_quotes(session)
        users = await find_users(session) if owner_id is None else [owner_id]
        done = await _take_back(session, users, instrument_id, split, progress)
        _check_done(done, symbol, split, is_known=is_known, skip_blocked=skip_blocked)
        return done, users, instrument_id

    done, users, instrument_id = await sessions.transact(owner_id, withdraw)

    async def withdraw_the_rest(session: Session) -> Withdrawn:
        return await _take_back(session, users, instrument_id, split, _report_nothing)

    # Those who have meanwhile recorded a holding from before the ex-date read the split while it was there.
    more = await sessions.transact(owner_id, withdraw_the_rest)
    return Withdrawn(done.holders + more.holders, more.blocked)


def _check_done(
    done: Withdrawn, symbol: str, split: SplitRatio, *, is_known: bool, skip_blocked: bool
) -> None:
    if not is_known and done == Withdrawn(0, 0):
        raise InvalidInput(f"There is no {split} split of {symbol} on {split.ex_date}.", ("exDate",))
    if done.blocked and not skip_blocked:
        raise InvalidInput(
            f"{done.blocked} of {done.holders + done.blocked} holders have later entries that need the "
            "shares: nothing was changed. With --skip-blocked the others are put right."
        )


async def _take_back(
    session: Session,
    users: Sequence[UUID],
    instrument_id: UUID,
    split: SplitRatio,
    progress: Progress,
) -> Withdrawn:
    holders = blocked = 0
    for done, owner_id in enumerate(users):
        progress("Taking the split back", done, len(users))
        await act_for(session, owner_id)
        reached = await find_reached(session, owner_id, instrument_id, split.ex_date)
        try:
            async with session.begin_nested():
                if reached.trades:
                    ledger = LedgerTransaction(await raw_connection_of(session), owner_id)
                    if await unfollow(ledger, instrument_id, split):
                        announce(session, owner_id, Topic.PORTFOLIOS)
                        holders += 1
                if reached.watches:
                    facts = (split.ex_date, split.quantity, split.split_for)
                    await take_levels_back(session, owner_id, instrument_id, *facts)
        except DomainError:
            blocked += 1
    progress("Taking the split back", len(users), len(users))
    return Withdrawn(holders, blocked)
