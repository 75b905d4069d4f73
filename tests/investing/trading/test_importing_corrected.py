"""Imports into a ledger with later, reversed and transferred entries come to what posting one by one does."""

import random
from collections.abc import Sequence
from decimal import Decimal

import pytest

from db.sessions import Sessions
from db.vocabulary import TransactionType
from tests.investing.trading.ledgers import exported, import_csv, refused, state, statuses
from tests.investing.trading.world import World, forget, make_world, on


async def _correct(world: World) -> None:
    """A past with everything that an import may meet: portfolio 2 has shares by way of portfolio 1."""
    await world.buy(1, "10", "10.0000000003", "1.01")
    mistake = await world.buy(2, "100", "1")
    await world.buy(4, "6.5", "11.37")
    await world.sell(6, "3.3333333333", "12.5", "1")
    await world.move(10, "5")
    await world.sell(12, "1.7", "14", at=1)
    await world.split(14, "3", "2", at=1)
    await world.move(16, "2", source=1, target=2)
    await world.reverse(mistake)
    await world.reverse(await world.move(17, "1", source=1, target=2))
    await world.reverse(await world.record(TransactionType.DEPOSIT, 3, amount="5", symbol=None))
    await world.sell(20, "1", "15", at=2)


def _row(type: TransactionType, day: float, quantity: str, price: str) -> str:
    return f"{type},ABC,{quantity},{price},,0,,{on(day).isoformat()},\n"


def _rows(seed: int) -> list[tuple[TransactionType, float, str, str]]:
    random.seed(seed)
    kinds = (TransactionType.BUY, TransactionType.BUY, TransactionType.SELL)
    return [
        (
            random.choice(kinds),
            day + 0.5,
            str(Decimal(random.randint(1, 30_000)) / 10_000),
            str(Decimal(random.randint(1, 300_000)) / 10_000),
        )
        for day in sorted(random.sample(range(0, 22), 9))
    ]


async def _states(world: World) -> Sequence[object]:
    return [await state(world.actor, portfolio_id) for portfolio_id in world.portfolios]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("at", [0, 1])
async def test_the_same_as_one_by_one(sessions: Sessions, superuser_url: str, seed: int, at: int) -> None:
    bulk = await make_world(sessions, superuser_url, portfolios=3)
    single = await make_world(sessions, superuser_url, portfolios=3)
    for world in (bulk, single):
        await _correct(world)
    rows = _rows(seed)
    report = await import_csv(
        bulk.actor, bulk.portfolios[at], "".join(_row(*row) for row in rows), skip_bad=True
    )
    assert report.written
    for (type, day, quantity, price), status in zip(rows, statuses(report), strict=True):
        if status == "OK":
            await single.record(type, day, quantity, price, at=at)
    assert await _states(bulk) == await _states(single)
    assert await bulk.differences() == []
    for world in (bulk, single):
        await forget(world, superuser_url)


async def test_what_was_reversed_is_not_brought_back(sessions: Sessions, superuser_url: str) -> None:
    world = await make_world(sessions, superuser_url)
    row = _row(TransactionType.BUY, 1, "1", "10")
    await import_csv(world.actor, world.portfolios[0], row)
    (bought,) = await world.rows("SELECT id FROM transactions WHERE owner_id = $1 AND type = 'BUY'")
    await world.reverse(bought["id"])
    before = await state(world.actor, world.portfolios[0])
    assert statuses(await import_csv(world.actor, world.portfolios[0], row)) == ["DUPLICATE"]
    assert await state(world.actor, world.portfolios[0]) == before
    assert statuses(await import_csv(world.actor, world.portfolios[0], row * 2)) == ["DUPLICATE", "OK"]
    assert await world.differences() == []


async def test_transferred_shares_are_exported_with_their_cost(
    sessions: Sessions, superuser_url: str
) -> None:
    world = await make_world(sessions, superuser_url, portfolios=2)
    await world.buy(1, "3", "10")
    await world.move(2, "1")
    text = await exported(world.actor, world.portfolios[1])
    assert "TRANSFER_IN,ABC,1,,10,0,," in text
    assert set(statuses(await import_csv(world.actor, world.portfolios[1], text))) == {"DUPLICATE"}


async def test_rows_that_a_later_transfer_needs_are_refused(sessions: Sessions, superuser_url: str) -> None:
    world = await make_world(sessions, superuser_url, portfolios=2)
    await world.buy(1, "3", "10")
    await world.move(5, "3")
    rows = _row(TransactionType.SELL, 2, "1", "10") + _row(TransactionType.BUY, 3, "1", "10")
    rows += _row(TransactionType.SELL, 4, "1", "11")
    report = await import_csv(world.actor, world.portfolios[0], rows, skip_bad=True)
    assert refused(report) == [(4, "INSUFFICIENT_SHARES")]
    assert await world.differences() == []
