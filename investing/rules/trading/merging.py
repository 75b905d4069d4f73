"""Merge many new entries into a ledger at once, by the same rules as posting them one by one.

The whole timeline from the first new entry on is replayed once, old and new entries in order of time, instead
of once for each new entry. An old entry that no longer fits is never changed: the new entries before it that
took what it needs are refused instead, and the timeline is replayed without them.
"""

import datetime as dt
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from uuid import UUID

from db.vocabulary import TransactionType
from investing.rules.errors import DomainError, InsufficientCash, InsufficientShares, InvalidInput
from investing.rules.market.market_hours import day_of
from investing.rules.trading.ledger import ZERO, Entry, Holding, Moved, Posting, post, post_cash
from investing.rules.trading.ordering import TRADES, Trade, Waiting

_TAKERS = (TransactionType.SELL, TransactionType.TRANSFER_OUT, TransactionType.SPLIT)

HoldingKey = tuple[UUID, UUID]
"""The ids of a portfolio and an instrument."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to merge, and its instrument if it has one.

    `is_fixed` means that its place within its instant is given: it does not wait for cash or shares.
    """

    entry: Entry
    instrument_id: UUID | None
    is_fixed: bool = False


@dataclass(frozen=True, slots=True)
class PastEntry:
    """An entry of shares that is already on the ledger.

    It may be in a portfolio to which shares were transferred since; `transfer_id` is set on both sides of
    such a transfer.
    """

    entry: Entry
    portfolio_id: UUID
    instrument_id: UUID
    transfer_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class PastCash:
    """A movement of cash on the ledger."""

    executed_at: dt.datetime
    delta: Decimal


@dataclass(frozen=True)
class Past:
    """The ledger that the new entries are merged into: the state before the timeline, and its old entries.

    `portfolio_id` is where the new entries go. `holdings` are those before `entries`, `cash` is that before
    `moves`. Both sequences are in the ledger's order. `splits` are due, and come first of their instant.
    `moved` is what transfers bring in, by their ids, that left another portfolio before the timeline starts.
    `time_zone` is the account's, in which errors name days. `ratios` are those of incoming transfers: see
    `Moved`.
    """

    portfolio_id: UUID
    cash: Decimal
    may_owe: bool
    holdings: Mapping[HoldingKey, Holding]
    entries: Sequence[PastEntry] = ()
    moves: Sequence[PastCash] = ()
    moved: Mapping[UUID, Moved] = field(default_factory=dict)
    ratios: Mapping[UUID, Fraction] = field(default_factory=dict)
    splits: Sequence[PastEntry] = ()
    time_zone: str = "UTC"


@dataclass
class Merged:
    """The result of a merge; new entries are given by their index in the sequence.

    `automatic` are the postings of due splits where something was held, by the entries' ids. `entries` are
    those that were posted, with the ids that they have in the ledger's order.
    """

    entries: dict[int, Entry] = field(default_factory=dict)
    postings: dict[int, Posting] = field(default_factory=dict)
    domain_errors: dict[int, DomainError] = field(default_factory=dict)
    holdings: dict[HoldingKey, Holding] = field(default_factory=dict)
    again: dict[UUID, Posting] = field(default_factory=dict)
    """The new postings of the timeline's old entries, by their ids."""
    automatic: dict[UUID, Posting] = field(default_factory=dict)


class _NoLongerFits(Exception):
    """New entries leave too little for an old one."""

    def __init__(self, domain_errors: dict[int, DomainError]) -> None:
        self.domain_errors = domain_errors


def merge(past: Past, new: Sequence[NewEntry]) -> Merged:
    """Post the new entries among the old ones.

    The new ones are in order of time and then of `ordering.order_key`, and their ids ascend. Every cash
    balance of the merged timeline is at least zero, unless cash `may_owe`, and so is every holding. Old
    entries come before new ones of the same instant. Of the new trades of one instant, the first that cash
    and shares allow always goes next, and the ids of the instant's entries are assigned in the order in which
    they were posted.
    """
    events = _timeline(past, new)
    blamed: dict[int, DomainError] = {}
    while True:
        timeline = _Timeline(past, new, blamed)
        try:
            timeline.play(events)
        except _NoLongerFits as misfit:
            blamed |= misfit.domain_errors
        else:
            return timeline.merged


_Event = PastEntry | PastCash | list[int]
"""An event of the timeline; a list has the indices of the new entries of one instant."""


def _timeline(past: Past, new: Sequence[NewEntry]) -> list[_Event]:
    # Old entries come before new ones of the same instant, as their ids are smaller; an automatic split has
    # the smallest.
    old: list[tuple[dt.datetime, _Event]] = [(event.entry.executed_at, event) for event in past.splits]
    old += [(event.entry.executed_at, event) for event in past.entries]
    old += [(event.executed_at, event) for event in past.moves]
    together = groupby(range(len(new)), key=lambda place: new[place].entry.executed_at)
    added: list[tuple[dt.datetime, _Event]] = [(instant, list(places)) for instant, places in together]
    return [event for _, event in sorted(old + added, key=lambda dated: dated[0])]


class _Timeline:
    """One replay of the timeline."""

    def __init__(self, past: Past, new: Sequence[NewEntry], blamed: Mapping[int, DomainError]) -> None:
        self._may_owe = past.may_owe
        self._time_zone = past.time_zone
        self._new = new
        self._ids: deque[UUID] = deque()
        self._cash = past.cash
        self._paid: list[int] = []
        self._portfolio_id = past.portfolio_id
        self._of_shares: dict[UUID, list[int]] = {}
        self._moved = dict(past.moved)
        self._ratios = past.ratios
        self._due = {event.entry.id for event in past.splits}
        self.merged = Merged(domain_errors=dict(blamed))
        self.merged.holdings = {
            key: replace(holding, lots=list(holding.lots)) for key, holding in past.holdings.items()
        }

    def play(self, events: Sequence[_Event]) -> None:
        """Apply all events. Raise _NoLongerFits at the first old one that fails."""
        for event in events:
            match event:
                case PastEntry() if event.entry.id in self._due:
                    self._post_due(event)
                case PastEntry():
                    self._repost(event)
                case PastCash():
                    self._move(event)
                case _:
                    self._post_instant(event)

    def _post_instant(self, places: Sequence[int]) -> None:
        """Post the new entries of one instant."""
        self._ids = deque(self._new[place].entry.id for place in places)
        left = [place for place in places if place not in self.merged.domain_errors]
        for wait, run in groupby(left, key=self._waits):
            if wait:
                self._post_trades(list(run))
            else:
                for place in run:
                    self._try(place)

    def _waits(self, place: int) -> bool:
        return self._new[place].entry.type in TRADES and not self._new[place].is_fixed

    def _post_trades(self, places: Sequence[int]) -> None:
        if len(places) == 1:
            self._try(places[0])
            return
        waiting = Waiting([self._trade(place) for place in places])
        while trade := waiting.next(None if self._may_owe else self._cash, self._held):
            self._try(trade.place)
        for trade in waiting.rest():
            self._try(trade.place)

    def _trade(self, place: int) -> Trade:
        entry, id = self._new[place].entry, self._new[place].instrument_id
        assert id is not None, "a trade has an instrument"
        is_buy = entry.type is TransactionType.BUY
        return Trade(place, id, is_buy, entry.quantity or ZERO, cash_delta_of(entry))

    def _held(self, instrument_id: UUID) -> Decimal:
        holding = self.merged.holdings.get((self._portfolio_id, instrument_id))
        return ZERO if holding is None else holding.quantity

    def _try(self, place: int) -> None:
        try:
            self._post(place)
        except DomainError as domain_error:
            self.merged.domain_errors[place] = domain_error

    def _post(self, place: int) -> None:
        entry, instrument_id = self._new[place].entry, self._new[place].instrument_id
        if entry.id != self._ids[0]:
            entry = replace(entry, id=self._ids[0])
        expected = cash_delta_of(entry)
        if expected < 0 and not self._may_owe and self._cash + expected < 0:
            raise self._short_of_cash(-expected, self._cash, entry.executed_at)
        if entry.of_shares:
            assert instrument_id is not None, "shares are shares of something"
            posting = self._post_shares(place, entry, instrument_id)
        else:
            posting = post_cash(entry)
        assert posting.cash_delta == expected, "cash never depends on what is held"
        self._cash += posting.cash_delta
        if posting.cash_delta < 0:
            self._paid.append(place)
        self._ids.popleft()
        self.merged.entries[place] = entry
        self.merged.postings[place] = posting

    def _post_shares(self, place: int, entry: Entry, instrument_id: UUID) -> Posting:
        key = (self._portfolio_id, instrument_id)
        posting = self._posted(self.merged.holdings.setdefault(key, Holding()), entry)
        self._of_shares.setdefault(instrument_id, []).append(place)
        return posting

    def _post_due(self, event: PastEntry) -> None:
        holding = self.merged.holdings.get((event.portfolio_id, event.instrument_id))
        if holding is not None and holding.quantity:
            self.merged.automatic[event.entry.id] = post(holding, event.entry)

    def _posted(self, holding: Holding, entry: Entry, moved: Moved | None = None) -> Posting:
        """Post an entry to its holding; an error names the day in the account's time zone."""
        on_date = day_of(entry.executed_at, self._time_zone)
        if entry.type is TransactionType.SPLIT and not holding.quantity and not entry.is_automatic:
            raise InvalidInput(f"Nothing was held on {on_date} that a split could change.")
        try:
            return post(holding, entry, moved)
        except InsufficientShares as domain_error:
            required, available = domain_error.required, domain_error.available
            message = f"{_plain(required)} shares are needed on {on_date}, {_plain(available)} are held."
            raise replace(domain_error, message=message, on_date=on_date) from None

    def _repost(self, event: PastEntry) -> None:
        entry, transfer_id = event.entry, event.transfer_id
        moved = None
        if transfer_id is not None and entry.type is TransactionType.TRANSFER_IN:
            moved = self._moved[transfer_id]
            moved = replace(moved, ratio=self._ratios.get(transfer_id, moved.ratio))
        holding = self.merged.holdings.setdefault((event.portfolio_id, event.instrument_id), Holding())
        try:
            posting = self._posted(holding, entry, moved)
        except DomainError as domain_error:
            raise _NoLongerFits(self._blame(event.instrument_id, domain_error)) from None
        if transfer_id is not None and entry.type is TransactionType.TRANSFER_OUT:
            self._moved[transfer_id] = Moved.by(posting)
        self.merged.again[entry.id] = posting

    def _blame(self, instrument_id: UUID, domain_error: DomainError) -> dict[int, DomainError]:
        """Return the new entries because of which an old one fails: the newest that took what is missing.

        If no shares are missing, as for a split that leaves nothing of a lot, it is the newest of all.
        """
        blamed: dict[int, DomainError] = {}
        newest_first = self._of_shares.get(instrument_id, [])[::-1]
        missing = domain_error.shortfall if isinstance(domain_error, InsufficientShares) else ZERO
        for place in newest_first:
            if missing <= 0:
                break
            if self._new[place].entry.type in _TAKERS:
                blamed[place] = replace(domain_error)
                missing -= self._new[place].entry.quantity or ZERO
        if not blamed:
            blamed = {place: replace(domain_error) for place in newest_first[:1]}
        if not blamed:
            raise domain_error
        return blamed

    def _move(self, event: PastCash) -> None:
        self._cash += event.delta
        if self._cash >= 0 or self._may_owe or not self._paid:
            return
        blamed: dict[int, DomainError] = {}
        balance = self._cash
        for place in self._payers(-balance):
            if balance >= 0:
                break
            required = -self.merged.postings[place].cash_delta
            balance += required
            blamed[place] = self._short_of_cash(required, balance, event.executed_at)
        raise _NoLongerFits(blamed)

    def _payers(self, missing: Decimal) -> list[int]:
        """Return the new entries to refuse for missing cash.

        That is the smallest one that makes up for it alone, or else the newest ones.
        """
        newest_first = self._paid[::-1]
        enough = [place for place in newest_first if -self.merged.postings[place].cash_delta >= missing]
        if not enough:
            return newest_first
        return [min(enough, key=lambda place: -self.merged.postings[place].cash_delta)]

    def _short_of_cash(self, required: Decimal, available: Decimal, when: dt.datetime) -> InsufficientCash:
        on_date = day_of(when, self._time_zone)
        return InsufficientCash(
            f"{_plain(required)} is needed on {on_date}, {_plain(available)} is available.",
            ("amount",),
            required=required,
            available=available,
            on_date=on_date,
        )


def cash_delta_of(entry: Entry) -> Decimal:
    """Return by how much an entry changes cash, which never depends on what is held."""
    match entry.type:
        case TransactionType.BUY:
            return -entry.amount - entry.commission
        case TransactionType.SELL:
            return entry.amount - entry.commission
        case _ if entry.of_shares:
            return -entry.commission
        case _:
            return post_cash(entry).cash_delta


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
