"""Holdings of an instrument as the database has them: rolled back to an entry, and posted again from there.

What came after the entry is taken back by its stored deltas and lot uses, newest history alone; then the
entry and all that is later are posted, also in portfolios that shares were transferred to since.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.sessions import Session
from db.trading import history
from db.trading.undoing import reverse_automatic
from db.trading.writes import add_portfolio_cash, insert_transaction, lock_portfolio
from db.vocabulary import TransactionType
from investing.rules.errors import InsufficientShares
from investing.rules.trading.ledger import ZERO, Entry, Holding, Moved, Posting, post, take_back
from investing.rules.trading.lots import LotChange, LotKey, TaxLot
from investing.trading.changes import DueSplit, HoldingChange, Splits, load_splits
from investing.trading.conversions import load_ratios
from investing.trading.projections import ProjectionChanges, ProjectionDiff
from investing.trading.stored_lots import load_lots

OUT = (TransactionType.SELL, TransactionType.TRANSFER_OUT)


@dataclass
class Holdings:
    """The holdings of one instrument just before the given entries, and what came after those."""

    owner_id: UUID
    instrument_id: UUID
    by_portfolio: dict[UUID, Holding]
    later: Sequence[HoldingChange]
    moved: Mapping[UUID, Moved]
    derived: ProjectionDiff
    reserved: Mapping[UUID, Decimal]
    """What open orders have reserved, by portfolio."""
    due: Sequence[DueSplit] = ()
    """The instrument's splits that have to be posted where something is held on their ex-dates."""
    ratios: Mapping[UUID, Fraction] = field(default_factory=dict)
    """By transfer how many of the shares of the portfolio that it reaches one share is: see `conversions`."""
    outdated: Collection[UUID] = ()
    """The automatic entries that are not posted again, because the splits of now do not make them."""
    automatic: dict[UUID, Posting] = field(default_factory=dict)
    """How those were posted that are to be written."""
    current: HoldingChange | None = None
    """What is just being posted: where that is refused, the entry that cannot stand."""
    _moving: dict[UUID, Moved] = field(default_factory=dict)

    def post(self, new: Iterable[HoldingChange] = (), without: Collection[UUID] = ()) -> dict[UUID, Posting]:
        """Posts the new entries, and again all that came after them but those `without`. The new postings.

        A due split is posted with them where something is held then. Raises InsufficientShares and
        InvalidInput, with the day, where an entry cannot stand any more, and InsufficientShares where it
        would take shares that open orders have reserved.
        """
        new = list(new)
        self._check_newest(new)
        postings = {}
        gone = {*without, *self.outdated}
        remaining = (change for change in self.later if change.entry.id not in gone)
        due = {split.change.entry.id for split in self.due}
        changes = (*remaining, *new, *(split.change for split in self.due))
        for change in sorted(changes, key=lambda change: change.entry.place):
            self.current = change
            if change.entry.id in due:
                self._post_due(change)
                continue
            posting = self._post(change)
            self.derived.note(change.portfolio_id, change.entry.id, posting)
            if change.stored is None:
                postings[change.entry.id] = posting
        self.current = None
        for portfolio_id, holding in self.by_portfolio.items():
            before = self._stored_quantity(portfolio_id)
            self._check_reserved(portfolio_id, before - holding.quantity, before)
        return postings

    def _post_due(self, change: HoldingChange) -> None:
        if self.by_portfolio[change.portfolio_id].quantity:
            self.note_automatic(change, self._post(change))

    def note_automatic(self, change: HoldingChange, posting: Posting) -> None:
        """Keep how a due split is posted."""
        self.derived.note(change.portfolio_id, change.entry.id, posting)
        self.automatic[change.entry.id] = posting

    def _check_newest(self, new: Iterable[HoldingChange]) -> None:
        """Checks first what only today's shares can give, as a refusal that tells of the open orders."""
        busy = {change.portfolio_id for change in self.later}
        for change in new:
            if change.entry.type in OUT and change.portfolio_id not in busy:
                held = self.by_portfolio[change.portfolio_id].quantity
                self._check_reserved(change.portfolio_id, change.entry.quantity or ZERO, held)

    def _stored_quantity(self, portfolio_id: UUID) -> Decimal:
        stored = self.derived.positions.get(portfolio_id)
        return ZERO if stored is None else stored.quantity

    def _check_reserved(self, portfolio_id: UUID, out: Decimal, held: Decimal) -> None:
        reserved = self.reserved.get(portfolio_id, ZERO)
        available = held - reserved
        if reserved and out > 0 and out > available:
            raise InsufficientShares(
                f"{out.normalize():f} shares would go, {available.normalize():f} are there that no open "
                "order has reserved: cancel one first.",
                ("quantity",),
                required=out,
                available=available,
            )

    def _post(self, change: HoldingChange) -> Posting:
        moved = None
        if change.transfer_id is not None and change.entry.type is TransactionType.TRANSFER_IN:
            moved = self._moving.get(change.transfer_id) or self.moved[change.transfer_id]
            moved = dataclasses.replace(moved, ratio=self.ratios.get(change.transfer_id, moved.ratio))
        posting = post(self.by_portfolio[change.portfolio_id], change.entry, moved)
        if change.transfer_id is not None and change.entry.type is TransactionType.TRANSFER_OUT:
            self._moving[change.transfer_id] = Moved.by(posting)
        return posting

    @classmethod
    def now(
        cls,
        owner_id: UUID,
        instrument_id: UUID,
        portfolio_id: UUID,
        stored: Holding | None,
        lots: Sequence[TaxLot],
        reserved: Decimal,
    ) -> "Holdings":
        """One portfolio's holding as it is stored, None for none, with its oldest lots; nothing is later."""
        before = {} if stored is None else {portfolio_id: stored}
        derived = ProjectionDiff(before, {lot.key: (portfolio_id, lot) for lot in lots}, {})
        holding = Holding() if stored is None else dataclasses.replace(stored, lots=list(lots))
        return cls(
            owner_id, instrument_id, {portfolio_id: holding}, (), {}, derived, {portfolio_id: reserved}
        )

    def changes(self) -> ProjectionChanges:
        """What of positions, lots, uses and gains has changed."""
        return self.derived.changes(self.owner_id, self.instrument_id, self.by_portfolio)

    async def save(self, session: Session) -> None:
        """Writes positions, lots, uses and gains, where they changed; new transactions must be there.

        Before them the automatic splits, which nobody else writes.
        """
        await self.insert_automatic(session)
        await self.derived.save(session, self.owner_id, self.instrument_id, self.by_portfolio)

    async def insert_automatic(self, session: Session) -> None:
        """Write the transactions of the due splits that were posted, and mark what they make stale.

        Those that are outdated are reversed first.
        """
        # Posting loads holdings.
        from investing.trading.posting import CashLocation, transaction_row

        await reverse_automatic(session, self.owner_id, {id: uuid7() for id in self.outdated})
        for change in self.later:
            if change.entry.id in self.outdated:
                at = change.entry.executed_at
                await add_portfolio_cash(session, self.owner_id, change.portfolio_id, ZERO, at)
        for split in self.due:
            entry, posting = split.change.entry, self.automatic.get(split.change.entry.id)
            if posting is None:
                continue
            place = CashLocation(
                self.owner_id,
                split.account_id,
                split.change.portfolio_id,
                split.currency,
                ZERO,
                margin=False,
                time_zone=split.time_zone,
            )
            row = transaction_row(place, entry, posting, self.instrument_id, None)
            await insert_transaction(session, row)
            portfolio_id = split.change.portfolio_id
            await add_portfolio_cash(session, self.owner_id, portfolio_id, ZERO, entry.executed_at)


async def load_holdings(
    session: Session,
    owner_id: UUID,
    instrument_id: UUID,
    starts: history.Starts,
    new: Collection[HoldingChange] = (),
    *,
    without: Collection[UUID] = (),
    with_splits: bool = True,
    aligned: bool = False,
) -> Holdings:
    """The holdings as they were at `starts`, for posting these entries. The caller has locked the portfolios.

    With them the splits of the instrument that are due from there on, unless not `with_splits`; the entries
    `without` are about to be reversed. With `aligned` automatic entries that the splits of now do not make
    are taken back too. Portfolios that shares were transferred to later are locked here, unless the caller
    has done it.
    """
    rows = await history.share_changes(session, owner_id, instrument_id, starts)
    if any(row["transfer_id"] is not None and row["type"] == TransactionType.TRANSFER_OUT for row in rows):
        starts = await history.reached(session, owner_id, instrument_id, starts)
        for id in sorted(starts):
            await lock_portfolio(session, owner_id, id)
        rows = await history.share_changes(session, owner_id, instrument_id, starts)
    splits = Splits()
    if with_splits:
        automatic = {row["id"] for row in rows if row["is_automatic"]} if aligned else None
        splits = await load_splits(session, owner_id, instrument_id, starts, new, without, automatic)
    due, gone = splits.due, {*without, *splits.outdated}
    uses = await _uses(session, owner_id, [row["id"] for row in rows])
    later = [_change(row, uses) for row in rows]
    positions = await history.find_positions(session, owner_id, instrument_id, list(starts))
    stored = {row["portfolio_id"]: _holding(row) for row in positions}
    lots = await load_lots(
        session,
        owner_id,
        instrument_id,
        {
            id: [c.entry for c in (*later, *new, *(s.change for s in due)) if c.portfolio_id == id]
            for id in starts
        },
        {c.entry.id for c in later} | {use.lot.transaction_id for c in later for use in _posting(c).uses},
    )
    before = {id: dataclasses.replace(holding) for id, holding in stored.items()}
    derived = ProjectionDiff(before, dict(lots), {change.entry.id: change.stored for change in later})
    holdings = {id: stored.get(id) or Holding() for id in starts}
    for id, holding in holdings.items():
        holding.lots = [lot for portfolio_id, lot in lots.values() if portfolio_id == id]
        take_back(holding, [(c.entry.id, _posting(c)) for c in later if c.portfolio_id == id])
    outs = await _outs_before(session, owner_id, later)
    moved = await _moved(session, owner_id, outs)
    reserved = {row["portfolio_id"]: row["reserved_quantity"] for row in positions}
    remaining = [change for change in (*later, *new) if change.entry.id not in gone]
    ratios = await load_ratios(session, owner_id, instrument_id, remaining, outs, gone)
    return Holdings(
        owner_id,
        instrument_id,
        holdings,
        later,
        moved,
        derived,
        reserved,
        due,
        ratios=ratios,
        outdated=splits.outdated,
    )


def _posting(change: HoldingChange) -> Posting:
    assert change.stored is not None, "what came later is stored"
    return change.stored


async def _uses(session: Session, owner_id: UUID, ids: Sequence[UUID]) -> dict[UUID, list[LotChange]]:
    found: dict[UUID, list[LotChange]] = defaultdict(list)
    if ids:
        for row in await history.find_uses(session, owner_id, ids):
            key = LotKey(row["lot_transaction_id"], row["lot_number"])
            found[row["transaction_id"]].append(
                LotChange(key, row["opened_at"], row["quantity_delta"], row["cost_delta"], row["gain"])
            )
    return found


def _change(row: Mapping[Any, Any], uses: Mapping[UUID, list[LotChange]]) -> HoldingChange:
    entry = Entry(
        id=row["id"],
        type=TransactionType(row["type"]),
        executed_at=row["executed_at"],
        amount=row["amount"],
        commission=row["commission"],
        quantity=row["quantity"],
        price=row["price"],
        split_for=row["split_for"],
        of_shares=True,
        time_zone=row["time_zone"],
        is_automatic=row["is_automatic"],
    )
    stored = Posting(
        cash_delta=row["cash_delta"],
        quantity_delta=row["quantity_delta"],
        realized_pnl=row["realized_pnl"],
        cost_delta=row["cost_delta"],
        realized_pnl_fifo=row["realized_pnl_fifo"],
        uses=tuple(uses.get(row["id"], ())),
    )
    return HoldingChange(row["portfolio_id"], entry, row["transfer_id"], stored)


def _holding(row: Mapping[Any, Any]) -> Holding:
    return Holding(row["quantity"], row["cost_basis"], row["realized_pnl"], row["realized_pnl_fifo"])


async def _outs_before(
    session: Session, owner_id: UUID, later: Sequence[HoldingChange]
) -> Sequence[Mapping[Any, Any]]:
    """Return the outgoing sides, which are not posted again, of transfers that come in later."""
    out = {c.transfer_id for c in later if c.entry.type is TransactionType.TRANSFER_OUT}
    into = [c.transfer_id for c in later if c.entry.type is TransactionType.TRANSFER_IN and c.transfer_id]
    wanted = [id for id in into if id not in out]
    return await history.find_outs(session, owner_id, wanted) if wanted else ()


async def _moved(session: Session, owner_id: UUID, outs: Sequence[Mapping[Any, Any]]) -> dict[UUID, Moved]:
    """Return what these outgoing sides moved, by transfer."""
    uses = await _uses(session, owner_id, [row["id"] for row in outs])
    return {row["transfer_id"]: Moved(-row["cost_delta"], tuple(uses[row["id"]])) for row in outs}
