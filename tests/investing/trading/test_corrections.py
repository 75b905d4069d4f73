"""Entries of the past, reversals and transfers with exact figures, on a real PostgreSQL."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Coroutine
from decimal import Decimal as D
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from db.sessions import Sessions
from db.vocabulary import AccountType, Broker, TransactionType
from investing.account.service import NewAccount, create_account
from investing.account.transfers import transfer_cash
from investing.portfolio.service import set_portfolio_active
from investing.rules.errors import (
    AlreadyReversed,
    CurrencyMismatch,
    InsufficientCash,
    InsufficientShares,
    InvalidInput,
    NotFound,
    PortfolioInactive,
)
from tests.investing.trading.world import World, forget, make_world, on, open_portfolio


@pytest.fixture
async def world(sessions: Sessions, superuser_url: str) -> AsyncIterator[World]:
    """A user with two portfolios; whatever was done with them, `verify` agrees."""
    made = await make_world(sessions, superuser_url, portfolios=2)
    yield made
    assert await made.differences() == []
    await forget(made, superuser_url)


async def test_a_purchase_of_the_past_changes_later_gains(world: World) -> None:
    await world.buy(5, "10", "20")
    sale = await world.sell(9, "10", "30")
    assert await world.position() == (D(0), D(0), D(100), D(100))
    await world.buy(1, "10", "10", "1")
    # 20 shares for 301 by then: 149.5 on average; the oldest ten cost 101.
    assert await world.position() == (D(10), D("150.5"), D("149.5"), D(199))
    assert await world.lots() == [(on(5), D(10), D(200))]
    assert await world.uses(sale) == [(D(-10), D(-101), D(199))]


async def test_an_entry_before_a_split(world: World) -> None:
    await world.buy(1, "10", "10")
    split = await world.split(5, "3", "2")
    sale = await world.sell(7, "12", "20")
    before = await world.buy(3, "0.333333333333333333", "30")
    # The split's shares follow from what was held: 10.333333333333333333 x 1.5, lot by lot, to 18 places.
    assert await world.uses(split) == [(D(5), D(0), None), (D("0.166666666666666667"), D(0), None)]
    (row,) = await world.rows(
        "SELECT quantity_delta FROM transactions WHERE owner_id = $1 AND id = $2", split
    )
    assert D(row["quantity_delta"]) == D("5.166666666666666667")
    assert await world.lots() == [(on(1), D(3), D(20)), (on(3), D("0.5"), D(10))]
    assert await world.uses(sale) == [(D(-12), D(-80), D(160))]
    await world.reverse(before)
    assert await world.position() == (D(3), D(20), D(160), D(160))


async def test_a_split_of_the_past(world: World) -> None:
    await world.buy(1, "10", "10")
    await world.sell(5, "10", "30")
    await world.split(3, "2", "1")
    assert await world.position() == (D(10), D(50), D(250), D(250))
    with pytest.raises(InsufficientShares, match="on 2020-01-06"):
        await world.split(4, "1", "4")


async def test_what_would_leave_too_little_later_names_the_day(world: World) -> None:
    first = await world.buy(1, "10", "10")
    await world.sell(7, "8", "10")
    with pytest.raises(InsufficientShares, match=r"^8 shares are needed on 2020-01-08") as refused:
        await world.sell(3, "2.5", "10")
    assert (refused.value.available, refused.value.on_date) == (D("7.5"), dt.date(2020, 1, 8))
    with pytest.raises(InsufficientShares) as refused:
        await world.reverse(first)
    assert (refused.value.required, refused.value.available) == (D(8), D(0))
    assert await world.position() == (D(2), D(20), D(0), D(0))


async def test_cash_of_the_past_is_missing_on_its_day(world: World) -> None:
    await world.buy(5, "1", "1000000")
    late = await world.record(TransactionType.DEPOSIT, 9, amount="500", symbol=None)
    with pytest.raises(InsufficientCash) as refused:
        await world.record(TransactionType.FEE, 1, amount="400", symbol=None)
    assert (refused.value.on_date, refused.value.shortfall) == (dt.date(2020, 1, 6), D(400))
    await world.record(TransactionType.FEE, 9, amount="400", symbol=None)
    with pytest.raises(InsufficientCash) as refused:
        await world.reverse(late)
    assert (refused.value.available, refused.value.required) == (D(100), D(500))


async def test_a_reversal_undoes_all_that_followed(world: World) -> None:
    await world.buy(1, "10", "10", "1")
    wrong = await world.buy(2, "10", "99")
    sale = await world.sell(3, "12", "20", "1")
    with pytest.raises(InsufficientShares, match="on 2020-01-04"):
        await world.reverse(wrong)
    await world.buy(2.5, "10", "9")
    reversal = await world.reverse(wrong)
    assert await world.uses(sale) == [
        (D(-10), D(-101), D("98.1666666667")),
        (D(-2), D(-18), D("21.8333333333")),
    ]
    assert await world.position() == (D(8), D("76.4"), D("124.4"), D(120))
    rows = await world.rows(
        "SELECT type, executed_at, quantity, amount, cash_delta, quantity_delta, cost_delta "
        "FROM transactions WHERE owner_id = $1 AND id = $2",
        reversal,
    )
    assert rows == [
        {
            "type": "BUY",
            "executed_at": on(2),
            "quantity": "10",
            "amount": "990",
            "cash_delta": "990",
            "quantity_delta": "-10",
            "cost_delta": "-990",
        }
    ]
    assert await world.rows("SELECT FROM lots WHERE owner_id = $1 AND transaction_id = $2", wrong) == []
    with pytest.raises(AlreadyReversed):
        await world.reverse(wrong)
    with pytest.raises(InvalidInput, match=r"^This is a reversal itself"):
        await world.reverse(reversal)
    with pytest.raises(NotFound):
        await world.reverse(uuid.uuid4())


async def test_a_reversed_sale_gives_its_lots_back(world: World) -> None:
    await world.buy(1, "10", "10")
    sale = await world.sell(3, "4", "20", "1")
    assert await world.position() == (D(6), D(60), D(39), D(39))
    await world.reverse(sale)
    assert await world.position() == (D(10), D(100), D(0), D(0))
    assert await world.uses(sale) == []
    (cash,) = await world.rows("SELECT cash_balance FROM portfolios WHERE owner_id = $1 AND name = 'P0'")
    assert D(cash["cash_balance"]) == D(999_900)


async def test_moved_shares_keep_lots_and_cost(world: World) -> None:
    await world.buy(1, "3", "10", "0.01")
    await world.buy(2, "4", "11.1111111111")
    into = await world.move(5, "5")
    # 74.4544444444 for 7 shares: five of them cost 53.1817460317 on average, 52.2322222222 by lots.
    assert await world.position() == (D(2), D("21.2726984127"), D(0), D(0))
    assert await world.position(1) == (D(5), D("53.1817460317"), D(0), D(0))
    assert await world.lots() == [(on(2), D(2), D("22.2222222222"))]
    assert await world.lots(1) == [(on(1), D(3), D("30.01")), (on(2), D(2), D("22.2222222222"))]
    await world.buy(3, "1", "7", at=1)
    sale = await world.sell(8, "4", "20", at=1)
    assert await world.uses(sale) == [
        (D(-3), D("-30.01"), D("29.99")),
        (D(-1), D("-11.1111111111"), D("8.8888888889")),
    ]
    # Reversed from either side, and refused while what came in is needed.
    with pytest.raises(InsufficientShares, match="on 2020-01-09"):
        await world.reverse(into)
    await world.reverse(sale)
    await world.reverse(into)
    assert await world.position() == (D(7), D("74.4544444444"), D(0), D(0))
    assert await world.position(1) == (D(1), D(7), D(0), D(0))


async def test_an_entry_before_a_transfer_goes_on_where_the_shares_went(world: World) -> None:
    await world.buy(2, "10", "20")
    await world.move(5, "6")
    await world.split(6, "2", "1", at=1)
    sale = await world.sell(7, "9", "15", at=1)
    back = await world.move(8, "3", 1, 0)
    assert (await world.uses(sale), await world.lots()) == (
        [(D(-9), D(-90), D(45))],
        [(on(2), D(4), D(80)), (on(2), D(3), D(30))],
    )
    await world.buy(1, "4", "5")
    # Four of the six that left are of the first day now, and of the twelve after the split eight.
    assert await world.uses(sale) == [(D(-8), D(-20), D(100)), (D(-1), D(-10), D(5))]
    assert await world.lots() == [(on(2), D(8), D(160)), (on(2), D(3), D(30))]
    assert await world.lots(1) == []
    quantity, cost, average, _ = await world.position()
    assert (quantity, cost) == (D(11), D("149.2857142857"))
    assert average == D(0)
    assert (await world.position(1))[:3] == (D(0), D(0), D("64.2857142857"))
    await world.reverse(back)
    assert await world.lots(1) == [(on(2), D(3), D(30))]


async def test_transfers_that_are_refused(world: World) -> None:
    await world.buy(1, "3", "10")
    with pytest.raises(InsufficientShares):
        await world.move(5, "3.1")
    with pytest.raises(InsufficientShares, match="on 2020-01-01"):
        await world.move(0, "1")
    with pytest.raises(InvalidInput, match=r"^Shares are moved from one portfolio to another"):
        await world.move(5, "1", 0, 0)
    euros = await create_account(
        world.actor, NewAccount("E", Broker.PAPER, AccountType.CASH, "EUR", D(0), True)
    )
    world.portfolios.append(await open_portfolio(world.actor, euros, "E"))
    with pytest.raises(CurrencyMismatch) as refused:
        await world.move(5, "1", 0, 2)
    assert (refused.value.field, refused.value.expected) == (("toPortfolioId",), "EUR")
    world.portfolios[2] = uuid.uuid4()
    with pytest.raises(NotFound):
        await world.move(5, "1", 0, 2)
    into = await world.move(6, "1")
    await set_portfolio_active(world.actor, world.portfolios[1], False)
    for refused_by in (world.move(5, "1"), world.reverse(into)):
        with pytest.raises(PortfolioInactive):
            await refused_by
    assert (await world.position())[:2] == (D(2), D(20))


async def test_a_transfer_of_cash_is_reversed_on_both_sides(world: World) -> None:
    id = await transfer_cash(
        world.actor, world.account_id, world.portfolios[0], None, D(250), str(uuid.uuid4()), None
    )
    await world.reverse(id)
    rows = await world.rows(
        "SELECT unallotted_cash AS cash FROM accounts WHERE owner_id = $1 "
        "UNION ALL SELECT cash_balance FROM portfolios WHERE owner_id = $1 AND name = 'P0'"
    )
    assert [D(row["cash"]) for row in rows] == [D(0), D(1_000_000)]
    with pytest.raises(AlreadyReversed):
        await world.reverse(id)


async def test_only_a_split_may_change_how_many_shares_it_made(world: World, app_url: str) -> None:
    bought = await world.buy(1, "3", "10")
    connection = await asyncpg.connect(app_url)
    await connection.execute("SELECT set_config('app.user_id', $1, false)", str(world.actor.id))
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="is no split"):
        await connection.execute("UPDATE transactions SET quantity_delta = 4 WHERE id = $1", bought)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("UPDATE transactions SET amount = 4 WHERE id = $1", bought)
    await connection.close()


async def test_changes_side_by_side_never_wait_for_each_other(sessions: Sessions, superuser_url: str) -> None:
    world = await make_world(sessions, superuser_url, portfolios=3)
    for at in range(3):
        await world.buy(1, "1000", "10", at=at)
    steps = []
    for turn in range(3):
        for source, target in ((0, 1), (1, 0), (1, 2), (2, 0)):
            steps.append(world.move(10 + turn, "1.5", source, target))
            steps.append(world.buy(2 + turn, "0.25", "3", at=source))
            steps.append(world.sell(3 + turn, "0.5", "11", at=target))
    one_of_eight = asyncio.Semaphore(8)

    async def done(step: Coroutine[Any, Any, UUID]) -> None:
        async with one_of_eight:
            await step

    await asyncio.gather(*(done(step) for step in steps))
    held = [(await world.position(at))[0] for at in range(3)]
    assert sum(held) == D(3000) + 12 * D("0.25") - 12 * D("0.5")
    assert await world.differences() == []
    await forget(world, superuser_url)
