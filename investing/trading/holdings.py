"""Holdings of an instrument in the database: rolled back to an entry, and posted again from there.

What came after the entry is taken back by its stored deltas and lot uses, so only the newest history is read.
Then the entry and everything later are posted, also in portfolios that shares were transferred to since.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from db.ids import uuid7
from db.trading import history
from db.trading.ledger import LedgerTransaction
from db.trading.ledger_reads import HoldingState
from db.trading.ledger_writes import add_reversals
from db.vocabulary import TransactionType
from investing.rules.errors import InsufficientShares
from investing.rules.trading.ledger import ZERO, Entry, Holding, Moved, Posting, post, take_back
from investing.rules.trading.lots import LotChange, LotKey
from investing.trading.changes import DueSplit, HoldingChange, Splits, load_splits
from investing.trading.conversions import load_ratios
from investing.trading.locking import hold_reached
from investing.trading.projections import ProjectionDiff
from investing.trading.stored_lots import load_lots
from investing.trading.transaction_rows import CashLocation, transaction_row

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
    reserved: dict[UUID, Decimal]
    """What open orders have reserved, by portfolio."""
    due: Sequence[DueSplit] = ()
    """The instrument's splits that have to be posted where something is held on their ex-dates."""
    automatic: dict[UUID, Posting] = field(default_factory=dict)
    """How the automatic splits to write were posted."""
    ratios: Mapping[UUID, Fraction] = field(default_factory=dict)
    """By transfer, how many shares of its target one share of its source is: see `conversions`."""
    outdated: Collection[UUID] = ()
    """The automatic entries that are not posted again, because they do not agree with the current splits."""
    current: HoldingChange | None = None
    """The entry that is just being posted: if it is refused, the entry that is not possible."""
    _moving: dict[UUID, Moved] = field(default_factory=dict)

    def post(self, new: Iterable[HoldingChange] = (), without: Collection[UUID] = ()) -> dict[UUID, Posting]:
        """Post the new entries and all later ones except `without`; return the new postings.

        A due split is posted with them if something is held then. Raise InsufficientShares and InvalidInput,
        with the day, if an entry is no longer possible, and InsufficientShares if it would take shares that
        open orders have reserved.
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
        """Check first what only today's shares can cover, so that a refusal mentions the open orders."""
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

    def release(self, portfolio_id: UUID, quantity: Decimal) -> None:
        """Note that so many shares are no longer reserved."""
        self.reserved[portfolio_id] = self.reserved.get(portfolio_id, ZERO) - quantity

    def save(self, ledger: LedgerTransaction) -> None:
        """Add changed positions, lots, uses and gains, and automatic splits, to what is written."""
        self.save_automatic(ledger)
        self.derived.save(ledger, self.instrument_id, self.by_portfolio)
        self.mark_restated(ledger)

    def mark_restated(self, ledger: LedgerTransaction) -> None:
        """Mark any portfolio's snapshots as stale from splits on that now move another number of shares."""
        restated = set(self.derived.restated())
        for change in self.later:
            if change.entry.id in restated:
                ledger.change_portfolio(change.portfolio_id, since=change.entry.executed_at)

    def save_automatic(self, ledger: LedgerTransaction) -> None:
        """Add the transactions of the due splits that were posted, and mark what they make stale.

        Outdated ones are reversed.
        """
        if self.outdated:
            outdated = {id: uuid7() for id in self.outdated}
            add_reversals(ledger.batch, ledger.owner_id, outdated, is_automatic=True)
            for change in self.later:
                if change.entry.id in outdated:
                    ledger.change_portfolio(change.portfolio_id, since=change.entry.executed_at)
        for split in self.due:
            entry, posting = split.change.entry, self.automatic.get(split.change.entry.id)
            if posting is None:
                continue
            portfolio_id = split.change.portfolio_id
            place = CashLocation(
                self.owner_id,
                split.account_id,
                portfolio_id,
                split.currency,
                ZERO,
                margin=False,
                time_zone=split.time_zone,
            )
            ledger.add_transaction(transaction_row(place, entry, posting, self.instrument_id, None))
            ledger.change_portfolio(portfolio_id, since=entry.executed_at)


async def load_holdings(
    ledger: LedgerTransaction,
    instrument_id: UUID,
    starts: history.Starts,
    new: Collection[HoldingChange] = (),
    *,
    without: Collection[UUID] = (),
    with_splits: bool = True,
    aligned: bool = False,
    known: HoldingState | None = None,
) -> Holdings:
    """Return the holdings as they were at `starts`, for posting these entries; lock their portfolios.

    They include the splits of the instrument that are due from there on, unless `with_splits` is false; the
    entries `without` are about to be reversed. With `aligned`, automatic entries that do not agree with the
    current splits are taken back too. Portfolios that shares were transferred to later are locked here.
    `known` is what has already been read of the one holding: if nothing comes after the entry, only the lots
    remain to be read.
    """
    if known is not None and not known.is_overtaken and not known.is_before_split:
        rows: Sequence[history.LaterEntry] = ()
        splits = Splits()
        (portfolio_id,) = starts
        stored, reserved = _known(portfolio_id, known)
    else:
        starts, rows = await _load_later(ledger, instrument_id, starts)
        splits = Splits()
        if with_splits:
            automatic = {row.id for row in rows if row.is_automatic} if aligned else None
            splits = await load_splits(ledger, instrument_id, starts, new, without, automatic)
        positions = await history.find_positions(
            ledger.connection, ledger.owner_id, instrument_id, list(starts)
        )
        stored = {row.portfolio_id: _holding(row) for row in positions}
        reserved = {row.portfolio_id: row.reserved_quantity for row in positions}
    due, gone = splits.due, {*without, *splits.outdated}
    uses = await _uses(ledger, [row.id for row in rows])
    later = [_change(row, uses) for row in rows]
    lots = await load_lots(
        ledger,
        instrument_id,
        {
            id: [c.entry for c in (*later, *new, *(s.change for s in due)) if c.portfolio_id == id]
            for id in starts
        },
        {c.entry.id for c in later} | {use.lot.transaction_id for c in later for use in _posting(c).uses},
        {id: holding.quantity for id, holding in stored.items()},
    )
    before = {id: dataclasses.replace(holding) for id, holding in stored.items()}
    derived = ProjectionDiff(before, dict(lots), {change.entry.id: change.stored for change in later})
    holdings = {id: stored.get(id) or Holding() for id in starts}
    for id, holding in holdings.items():
        holding.lots = [lot for portfolio_id, lot in lots.values() if portfolio_id == id]
        take_back(holding, [(c.entry.id, _posting(c)) for c in later if c.portfolio_id == id])
    outs = await _outs_before(ledger, later)
    moved = await _moved(ledger, outs)
    remaining = [change for change in (*later, *new) if change.entry.id not in gone]
    ratios = await load_ratios(ledger, instrument_id, remaining, outs, gone)
    return Holdings(
        ledger.owner_id,
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


async def _load_later(
    ledger: LedgerTransaction, instrument_id: UUID, starts: history.Starts
) -> tuple[history.Starts, Sequence[history.LaterEntry]]:
    """Return what comes after these places, and after those that shares were transferred to later."""
    key = (ledger.connection, ledger.owner_id, instrument_id)
    rows = await history.share_changes(*key, starts)
    if any(row.transfer_id is not None and row.type == TransactionType.TRANSFER_OUT for row in rows):
        starts = await hold_reached(ledger, instrument_id, starts)
        rows = await history.share_changes(*key, starts)
    return starts, rows


def _known(portfolio_id: UUID, known: HoldingState) -> tuple[dict[UUID, Holding], dict[UUID, Decimal]]:
    if known.held_quantity is None:
        return {}, {}
    assert known.held_cost is not None
    assert known.held_gain is not None
    assert known.held_gain_fifo is not None
    assert known.held_reserved is not None
    holding = Holding(known.held_quantity, known.held_cost, known.held_gain, known.held_gain_fifo)
    return {portfolio_id: holding}, {portfolio_id: known.held_reserved}


def _posting(change: HoldingChange) -> Posting:
    assert change.stored is not None, "what came later is stored"
    return change.stored


async def _uses(ledger: LedgerTransaction, ids: Sequence[UUID]) -> dict[UUID, list[LotChange]]:
    found: dict[UUID, list[LotChange]] = defaultdict(list)
    if ids:
        for row in await history.find_uses(ledger.connection, ledger.owner_id, ids):
            key = LotKey(row.lot_transaction_id, row.lot_number)
            found[row.transaction_id].append(
                LotChange(key, row.opened_at, row.quantity_delta, row.cost_delta, row.gain)
            )
    return found


def _change(row: history.LaterEntry, uses: Mapping[UUID, list[LotChange]]) -> HoldingChange:
    entry = Entry(
        id=row.id,
        type=TransactionType(row.type),
        executed_at=row.executed_at,
        amount=row.amount,
        commission=row.commission,
        quantity=row.quantity,
        price=row.price,
        split_for=row.split_for,
        of_shares=True,
        time_zone=row.time_zone,
        is_automatic=row.is_automatic,
    )
    stored = Posting(
        cash_delta=row.cash_delta,
        quantity_delta=row.quantity_delta,
        realized_pnl=row.realized_pnl,
        cost_delta=row.cost_delta,
        realized_pnl_fifo=row.realized_pnl_fifo,
        uses=tuple(uses.get(row.id, ())),
    )
    return HoldingChange(row.portfolio_id, entry, row.transfer_id, stored)


def _holding(row: history.HeldRow) -> Holding:
    return Holding(row.quantity, row.cost_basis, row.realized_pnl, row.realized_pnl_fifo)


async def _outs_before(ledger: LedgerTransaction, later: Sequence[HoldingChange]) -> Sequence[history.OutRow]:
    """Return the outgoing sides, which are not posted again, of transfers that come in later."""
    out = {c.transfer_id for c in later if c.entry.type is TransactionType.TRANSFER_OUT}
    into = [c.transfer_id for c in later if c.entry.type is TransactionType.TRANSFER_IN and c.transfer_id]
    wanted = [id for id in into if id not in out]
    return await history.find_outs(ledger.connection, ledger.owner_id, wanted) if wanted else ()


async def _moved(ledger: LedgerTransaction, outs: Sequence[history.OutRow]) -> dict[UUID, Moved]:
    """Return what these outgoing sides moved, by transfer."""
    uses = await _uses(ledger, [row.id for row in outs])
    return {row.transfer_id: Moved(-row.cost_delta, tuple(uses[row.id])) for row in outs}
