"""Correcting by reversal: an entry with the other sign, and all that followed from the first one undone."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.sessions import Session
from db.trading.writes import find_transaction, find_transfer, insert_transaction, is_reversed
from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.audit import note
from investing.idempotency import once
from investing.rules.errors import (
    AlreadyReversed,
    InsufficientCash,
    InsufficientShares,
    InvalidInput,
    NotFound,
)
from investing.rules.trading.entries import changes_shares, check_notes
from investing.rules.trading.splits import FIRST_PLACE, first_affected
from investing.trading.holdings import Holdings, load_holdings
from investing.trading.locking import PlaceKey, lock_places, lock_reached
from investing.trading.posting import CashLocation, check_cash, check_later_cash, move_cash

_DELTAS = ("cash_delta", "quantity_delta", "cost_delta", "realized_pnl", "realized_pnl_fifo")
_SAME = (
    "owner_id",
    "account_id",
    "portfolio_id",
    "instrument_id",
    "transfer_id",
    "type",
    "quantity",
    "price",
    "amount",
    "commission",
    "split_for",
    "currency",
    "executed_at",
)
_FIELD = ("transactionId",)

Row = Mapping[Any, Any]


async def reverse_transaction(
    actor: Actor, transaction_id: UUID, notes: str | None, idempotency_key: str
) -> UUID:
    """Takes a transaction back, from its own day on. The id of the one that reverses it.

    Both sides of a transfer between one's own places are reversed together. Raises InvalidInput for a
    reversal and for the fill of an order, AlreadyReversed, NotFound, Inactive, InsufficientCash and
    InsufficientShares with the day on which it would leave too little, and IdempotencyMismatch.
    """
    check_notes(notes)

    async def effect(session: Session) -> UUID:
        try:
            return await _reverse(session, actor, transaction_id, notes)
        except (InsufficientCash, InsufficientShares) as domain_error:
            # Of some later entry, whose figures are no part of what was asked for.
            domain_error.field = _FIELD
            raise

    arguments = {"transaction": transaction_id, "notes": notes}
    return await once(actor.sessions, actor.id, idempotency_key, "reverseTransaction", arguments, effect)


async def _reverse(session: Session, actor: Actor, id: UUID, notes: str | None) -> UUID:
    requested = await find_transaction(session, actor.id, id)
    if requested is None:
        raise NotFound("There is no such transaction.", _FIELD)
    if requested["reverses_id"] is not None:
        raise InvalidInput("This is a reversal itself: record the transaction again instead.", _FIELD)
    if requested["order_id"] is not None:
        raise InvalidInput("This is a trade that a broker made for an order: it cannot be reversed.", _FIELD)
    rows: Sequence[Row] = [requested]
    if requested["transfer_id"] is not None:
        rows = await find_transfer(session, actor.id, requested["transfer_id"])
    places = await _lock(session, actor.id, rows)
    # Asked once the places are locked, where whoever reverses it has waited.
    if await is_reversed(session, actor.id, id):
        raise AlreadyReversed("This transaction has been reversed already.", _FIELD)
    holdings = await _without(session, actor.id, rows)
    # Read again: an entry before it may have changed what follows from it until the places were locked.
    rows = [await find_transaction(session, actor.id, row["id"]) or row for row in rows]
    new_ids = {row["id"]: uuid7() for row in rows}
    for row in rows:
        await insert_transaction(session, _reversal(row, new_ids[row["id"]], notes))
    if holdings is not None:
        await holdings.save(session)
    for row in rows:
        place = places[row["account_id"], row["portfolio_id"]]
        await _return_cash(session, place, row)
    await note(
        session, actor.id, actor.client, "transaction.reversed", "Transaction", id, reversal=new_ids[id]
    )
    return new_ids[id]


async def _lock(session: Session, owner_id: UUID, rows: Sequence[Row]) -> dict[PlaceKey, CashLocation]:
    starts = _starts(rows)
    if starts:
        await lock_reached(session, owner_id, rows[0]["instrument_id"], starts)
    return await lock_places(session, owner_id, [(row["account_id"], row["portfolio_id"]) for row in rows])


def _starts(rows: Sequence[Row]) -> dict[UUID, tuple[dt.datetime, UUID]]:
    """Return from where on holdings change."""
    return {row["portfolio_id"]: first_changed(row) for row in rows if changes_shares(row)}


def first_changed(row: Row) -> tuple[dt.datetime, UUID]:
    """Return the place of the ledger from which on a holding changes if this transaction is reversed.

    Without its owner's entry a split is posted on its ex-date, which may be some days before; and without
    quantities that are adjusted already, all that came before them is as it was traded.
    """
    if row["is_split_adjusted"]:
        return FIRST_PLACE
    if row["type"] == TransactionType.SPLIT:
        return first_affected(row["executed_at"])
    return row["executed_at"], row["id"]


async def _without(session: Session, owner_id: UUID, rows: Sequence[Row]) -> Holdings | None:
    """The holdings posted again without these transactions; None where they are of cash alone."""
    starts = _starts(rows)
    if not starts:
        return None
    ids = [row["id"] for row in rows]
    holdings = await load_holdings(session, owner_id, rows[0]["instrument_id"], starts, without=ids)
    holdings.post(without=ids)
    return holdings


def _reversal(row: Row, id: UUID, notes: str | None) -> dict[str, Any]:
    return {
        **{name: row[name] for name in _SAME},
        **{name: None if row[name] is None else -row[name] for name in _DELTAS},
        "id": id,
        "reverses_id": row["id"],
        "notes": notes,
    }


async def _return_cash(session: Session, place: CashLocation, row: Row) -> None:
    delta = -row["cash_delta"]
    checked = delta < 0 and not place.margin
    if checked:
        check_cash(place.cash, delta)
    if delta or row["quantity_delta"]:
        await move_cash(session, place, delta, row["executed_at"])
    if checked:
        await check_later_cash(session, place, row["executed_at"], delta)
