"""One story of entries and refusals, each told twice under its key: today, of the past, in between."""

import uuid
from typing import Any

from db.sessions import Sessions
from db.vocabulary import TransactionType
from investing.rules.errors import DomainError
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


async def test_told_twice_it_is_recorded_once(sessions: Sessions, superuser_url: str) -> None:
    world = await make_world(sessions, superuser_url)
    reported = await tell(world)
    assert [kind if isinstance(kind, str) else kind[0] for kind in reported] == [
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
    recorded = await world.rows("SELECT count(*)::int AS n FROM transactions WHERE owner_id = $1")
    assert recorded[0]["n"] == 1 + [kind for kind in reported].count("done")
    kept = await world.rows(
        "SELECT count(*)::int AS n, count(*) FILTER (WHERE outcome ? 'refused')::int AS refused "
        "FROM idempotency_keys WHERE owner_id = $1"
    )
    assert dict(kept[0]) == {"n": 1 + len(STORY), "refused": 7}
    assert await world.differences() == []
