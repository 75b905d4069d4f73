"""The quick way and the general way of one entry: the same rows, the same refusals, whichever wrote them."""

import uuid
from typing import Any

import pytest

from db.sessions import Sessions
from db.vocabulary import TransactionType
from investing.idempotency import NotQuick, once_generally
from investing.rules.errors import DomainError
from investing.trading import recording
from investing.trading.recording import TransactionRequest, record_transaction
from tests.investing.trading.world import World, decimal, make_world, on

T = TransactionType
Given = tuple[TransactionType, float, str | None, str | None, dict[str, Any]]

STORY: list[Given] = [
    (T.BUY, 1, "10", "3", {"commission": "1.5"}),
    (T.BUY, 2, "0.3333333333", "7.77", {}),
    # Before one that is there: the last but one of only purchases.
    (T.BUY, 1.5, "5", "2", {}),
    (T.TRANSFER_IN, 3, "4", None, {"amount": "11", "commission": "0.01"}),
    (T.SELL, 4, "12", "4.4", {"commission": "2"}),
    (T.SELL, 5, "99", "4", {}),
    # Before the sale, which is posted again.
    (T.BUY, 3.5, "1", "100", {}),
    (T.TRANSFER_OUT, 6, "2.5", None, {}),
    (T.SPLIT, 7, "3", None, {"split_for": "2"}),
    (T.DIVIDEND, 8, None, None, {"amount": "3.21"}),
    (T.FEE, 8, None, None, {"amount": "0.5"}),
    (T.WITHDRAWAL, 9, None, None, {"amount": "999000", "symbol": None}),
    # More than there is, more than there was on a later day, more than can be stored.
    (T.BUY, 10, "1", "5000", {}),
    (T.DEPOSIT, 20, None, None, {"amount": "5000", "symbol": None}),
    (T.WITHDRAWAL, 0.5, None, None, {"amount": "2000", "symbol": None}),
    (T.DEPOSIT, 10, None, None, {"amount": "999999999999999999", "symbol": None}),
    # Exactly what is left of each.
    (T.SELL, 11, "7", "1", {}),
    (T.BUY, 12, "-1", "1", {}),
    (T.SELL, 12, "1", None, {}),
    (T.SELL, 13, "1", "1", {"symbol": "NONE"}),
]


async def tell(world: World) -> list[Any]:
    """Plays the story, and tells what came of each entry."""
    told: list[Any] = []
    for type, day, quantity, price, more in STORY:
        options = {"symbol": world.symbol, "commission": "0", "amount": None, "split_for": None} | more
        record = TransactionRequest(
            portfolio_id=world.portfolios[0],
            type=type,
            symbol=options["symbol"],
            quantity=decimal(quantity),
            price=decimal(price),
            amount=decimal(options["amount"]),
            commission=decimal(options["commission"]) or decimal("0"),  # type: ignore[arg-type]
            split_for=decimal(options["split_for"]),
            executed_at=on(day),
            notes="a note",
        )
        key = str(uuid.uuid4())
        told.append(await outcome(world, record, key))
        # And again, under the same key: nothing more, and the same answer.
        again = await outcome(world, record, key)
        assert again == told[-1]
        told[-1] = told[-1] if isinstance(told[-1], tuple) else "done"
    return told


async def outcome(world: World, record: TransactionRequest, key: str) -> Any:
    """What came of it: an id, or a refusal with all its facts."""
    try:
        return await record_transaction(world.actor, record, key)
    except DomainError as domain_error:
        return type(domain_error).__name__, vars(domain_error)


ROWS = {
    "transactions": "SELECT type, quantity, price, amount, commission, split_for, currency, cash_delta, "
    "quantity_delta, cost_delta, realized_pnl, realized_pnl_fifo, executed_at, notes, transfer_id, order_id, "
    "execution_id, fingerprint FROM transactions WHERE owner_id = $1 ORDER BY executed_at, id",
    "positions": "SELECT quantity, cost_basis, realized_pnl, realized_pnl_fifo, reserved_quantity "
    "FROM positions WHERE owner_id = $1",
    "lots": "SELECT number, opened_at, remaining_quantity, remaining_cost FROM lots WHERE owner_id = $1 "
    "ORDER BY opened_at, transaction_id, number",
    "uses": "SELECT t.executed_at, l.opened_at, u.quantity_delta, u.cost_delta, u.gain FROM lot_uses u "
    "JOIN transactions t ON t.owner_id = $1 AND t.id = u.transaction_id "
    "JOIN lots l ON l.owner_id = $1 AND l.transaction_id = u.lot_transaction_id AND l.number = u.lot_number "
    "WHERE u.owner_id = $1 ORDER BY 1, 2, l.transaction_id",
    "portfolio": "SELECT cash_balance, reserved_cash FROM portfolios WHERE owner_id = $1",
    "audit": "SELECT action, entity_type, details, ip_address, user_agent FROM audit_log "
    "WHERE owner_id = $1 ORDER BY id",
    "keys": "SELECT field, outcome - 'id' AS outcome FROM idempotency_keys WHERE owner_id = $1 "
    "ORDER BY created_at",
}


async def rows(world: World) -> dict[str, Any]:
    """All that is stored of the user's ledger, without ids."""
    return {name: await world.rows(sql) for name, sql in ROWS.items()}


async def test_both_ways_write_the_same(
    sessions: Sessions, superuser_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = await make_world(sessions, superuser_url)
    ways: list[str] = []
    quickly, generally = recording._quickly, once_generally

    async def note_quick(*arguments: Any) -> Any:
        ways.append("quick")
        return await quickly(*arguments)

    async def note_general(*arguments: Any) -> Any:
        ways[-1] = "general"
        return await generally(*arguments)

    monkeypatch.setattr(recording, "_quickly", note_quick)
    monkeypatch.setattr(recording, "once_generally", note_general)
    told = await tell(quick)
    # Each comes twice; a retry of what went the general way is quick, since it finds its key.
    assert [way for way in ways[::2]].count("general") == 2
    assert ways[1::2] == ["quick"] * len(STORY)

    async def never(*_: Any) -> Any:
        raise NotQuick

    monkeypatch.setattr(recording, "_quickly", never)
    monkeypatch.setattr(recording, "once_generally", generally)
    general = await make_world(sessions, superuser_url)
    assert await tell(general) == told
    assert [kind if isinstance(kind, str) else kind[0] for kind in told] == [
        *["done"] * 5,
        "InsufficientShares",
        *["done"] * 6,
        "InsufficientCash",
        "done",
        "InsufficientCash",
        "InvalidInput",
        "done",
        "InvalidInput",
        "InvalidInput",
        "UnknownInstrument",
    ]
    assert await rows(quick) == await rows(general)
    assert await quick.differences() == []
