"""The desk after crashes, lost answers, silence and time: no order is lost, none is done twice."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import UUID

import pytest

from db.sessions import Sessions
from db.vocabulary import OrderSide, OrderType, TimeInForce
from investing.actor import Actor
from investing.brokers.paper import PaperBroker
from investing.brokers.protocol import BrokerOrder, BrokerOrderRequest
from investing.rules.errors import (
    BrokerUnavailable,
    InsufficientCash,
    InvalidInput,
    OrderNotOpen,
    StalePrice,
)
from investing.rules.trading.orders import BrokerFees, OrderRequest, size_order
from investing.trading import orders
from investing.trading.desk import Desk
from investing.trading.placing import NewOrder
from tests.investing.brokers.flaky import FlakyBroker
from tests.investing.exchange import Exchange
from tests.investing.ticks import apply_tick
from tests.investing.trading.desks import (
    attended,
    buy,
    desk_of,
    facts,
    key,
    order,
    placed_at,
    status,
    trading_config,
)


@pytest.fixture(scope="module", autouse=True)
async def nothing_differs(exchange: Exchange) -> AsyncIterator[None]:
    """After all of it everything stored follows from the transactions and the open orders."""
    yield
    assert await exchange.differences() == []


@pytest.fixture
def paper(sessions: Sessions) -> PaperBroker:
    return PaperBroker(sessions, BrokerFees())


async def crashed_before_the_broker(sessions: Sessions, actor: Actor, new: NewOrder) -> UUID:
    """What a server leaves that is killed when the order is committed and not sent yet."""
    now = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    return await placed_at(actor, new, trading_config(PaperBroker(sessions, BrokerFees())), now)


async def test_a_crash_before_the_broker(sessions: Sessions, exchange: Exchange, paper: PaperBroker) -> None:
    actor, portfolio_id = await exchange.trader("100")
    new = buy(portfolio_id, await exchange.listed("10"), "3")
    id = await crashed_before_the_broker(sessions, actor, new)
    assert await status(exchange, id) == "PENDING"
    await desk_of(sessions, paper).attend()
    assert await status(exchange, id) == "FILLED"
    assert json.loads(await facts(exchange, actor)) == {
        "cash": "70.0000000000",
        "held": "0.0000000000",
        "shares": f"3.{0:018}",
        "trades": 1,
    }


async def test_a_crash_after_the_broker(sessions: Sessions, exchange: Exchange, paper: PaperBroker) -> None:
    actor, portfolio_id = await exchange.trader("100")
    new = buy(portfolio_id, await exchange.listed("10"), "3")
    id = await crashed_before_the_broker(sessions, actor, new)
    desk = desk_of(sessions, paper)
    row = await desk._find(actor.id, id)
    assert row is not None
    await paper.submit(orders.request_of(row))
    # Two processes look after it at once.
    await asyncio.gather(desk.attend(), desk_of(sessions, paper).attend())
    await asyncio.gather(desk.attend(), desk_of(sessions, paper).attend())
    assert await status(exchange, id) == "FILLED"
    assert json.loads(await facts(exchange, actor))["trades"] == 1


async def test_an_answer_that_is_lost(sessions: Sessions, exchange: Exchange, paper: PaperBroker) -> None:
    actor, portfolio_id = await exchange.trader("100")
    broker = FlakyBroker(paper, rate=1)
    desk = desk_of(sessions, broker)
    id = await desk.place(actor, buy(portfolio_id, await exchange.listed("10"), "3"), key())
    assert await status(exchange, id) == "UNKNOWN"
    assert json.loads(await facts(exchange, actor))["held"] == "30.0000000000"
    broker.rate = 0
    await attended(desk, exchange, actor)
    assert await status(exchange, id) == "FILLED"
    assert json.loads(await facts(exchange, actor))["trades"] == 1


async def test_cancelling_what_may_never_have_arrived(
    sessions: Sessions, exchange: Exchange, paper: PaperBroker
) -> None:
    actor, portfolio_id = await exchange.trader("100")
    new = buy(portfolio_id, await exchange.listed("10"), "3")
    id = await crashed_before_the_broker(sessions, actor, new)
    desk = desk_of(sessions, paper)
    await desk.cancel(actor, id)
    await desk.attend()
    assert await status(exchange, id) == "CANCELLED"
    assert json.loads(await facts(exchange, actor))["held"] == "0.0000000000"
    with pytest.raises(OrderNotOpen):
        await desk.cancel(actor, id)


async def test_a_cancellation_whose_answer_is_lost(
    sessions: Sessions, exchange: Exchange, paper: PaperBroker
) -> None:
    actor, portfolio_id = await exchange.trader("100")
    broker = FlakyBroker(paper, rate=0)
    desk = desk_of(sessions, broker)
    id = await desk.place(actor, buy(portfolio_id, await exchange.listed("10"), "3", "9"), key())
    broker.rate = 1
    for _ in range(8):
        with pytest.raises(BrokerUnavailable):
            await desk.cancel(actor, id)
    assert broker.lost_after > 0
    broker.rate = 0
    await desk.cancel(actor, id)
    assert await status(exchange, id) == "CANCELLED"


class SilentBroker(PaperBroker):
    """Does what it is asked, and takes a second too long to say so."""

    async def submit(self, request: BrokerOrderRequest) -> BrokerOrder:
        order = await super().submit(request)
        await asyncio.sleep(1)
        return order


async def test_a_broker_that_takes_too_long(sessions: Sessions, exchange: Exchange) -> None:
    actor, portfolio_id = await exchange.trader("100")
    desk = desk_of(sessions, SilentBroker(sessions, BrokerFees()), patience=0.5)
    id = await desk.place(actor, buy(portfolio_id, await exchange.listed("10"), "3"), key())
    assert await status(exchange, id) == "UNKNOWN"
    await attended(desk, exchange, actor)
    assert await status(exchange, id) == "FILLED"
    assert json.loads(await facts(exchange, actor))["trades"] == 1


@pytest.mark.parametrize("count", [60, pytest.param(5_000, marks=[pytest.mark.soak, pytest.mark.timeout(0)])])
async def test_a_bad_line_never_buys_twice(
    sessions: Sessions, exchange: Exchange, paper: PaperBroker, count: int
) -> None:
    broker = FlakyBroker(paper, rate=1 / 3)
    desk = desk_of(sessions, broker)
    actor, portfolio_id = await exchange.trader(str(count * 20))
    symbol = await exchange.listed("10")
    at_once = asyncio.Semaphore(8)

    async def place() -> UUID:
        async with at_once:
            return await desk.place(actor, buy(portfolio_id, symbol, "1"), key())

    ids = await asyncio.gather(*(place() for _ in range(count)))
    await attended(desk, exchange, actor, 30)
    assert (min(broker.lost_before, broker.lost_after) > 0, len(set(ids))) == (True, count)
    assert json.loads(await facts(exchange, actor)) == {
        "cash": f"{count * 10}.0000000000",
        "held": "0.0000000000",
        "shares": f"{count}.{0:018}",
        "trades": count,
    }
    executed = await exchange.value(
        "SELECT count(*) FROM paper_executions WHERE client_order_id = ANY($1::uuid[])", ids
    )
    assert executed == count


async def test_a_day_order_ends_with_the_day(
    sessions: Sessions, exchange: Exchange, paper: PaperBroker
) -> None:
    actor, portfolio_id = await exchange.trader("100")
    symbol = await exchange.listed("10")
    desk = desk_of(sessions, paper)
    id = await desk.place(actor, buy(portfolio_id, symbol, "3", "9"), key())
    await exchange.run("UPDATE orders SET expires_at = now() - interval '1 s' WHERE id = $1", id)
    await exchange.run("UPDATE order_work SET due_at = now() WHERE order_id = $1", id)
    await desk.attend()
    assert await status(exchange, id) == "EXPIRED"
    assert json.loads(await facts(exchange, actor))["held"] == "0.0000000000"
    await apply_tick(sessions, desk, symbol, Decimal(8), dt.datetime.now(dt.UTC))
    assert json.loads(await facts(exchange, actor))["trades"] == 0
    assert await exchange.value("SELECT count(*) FROM order_work WHERE order_id = $1", id) == 0


async def test_a_price_that_moved_meanwhile_is_refused_by_the_broker(
    sessions: Sessions, exchange: Exchange, paper: PaperBroker
) -> None:
    actor, portfolio_id = await exchange.trader("30")
    symbol = await exchange.listed("10")
    id = await crashed_before_the_broker(sessions, actor, buy(portfolio_id, symbol, "3"))
    await exchange.quote(symbol, "10.01")
    await desk_of(sessions, paper).attend()
    assert await status(exchange, id) == "REJECTED"
    assert await exchange.value("SELECT rejection_code FROM orders WHERE id = $1", id) == "PRICE_MOVED"
    assert json.loads(await facts(exchange, actor)) == {
        "cash": "30.0000000000",
        "held": "0.0000000000",
        "shares": "0",
        "trades": 0,
    }


async def test_partial_fills_cost_what_was_reserved_and_no_more(
    sessions: Sessions, exchange: Exchange
) -> None:
    fees = BrokerFees(Decimal(1), Decimal("0.003"), Decimal("0.0007"), Decimal("0.7"))
    desk = desk_of(sessions, PaperBroker(sessions, fees))
    symbol = await exchange.listed("3.3333333333")
    request = buy(UUID(int=0), symbol, "7.7777777777").request
    # With this cash and not one digit more: 7.7777777777 x 3.3356666666 + 1 + 7.7777777777 x 0.003, which is
    # 25.9440740733 + 1.0233333333 (the slippage makes 0.0023333333 of the price).
    needed = size_order(request, Decimal("3.3333333333"), fees).reserved_cash
    assert needed == Decimal("26.9674074066")
    actor, portfolio_id = await exchange.trader(str(needed))
    id = await desk.place(actor, NewOrder(portfolio_id, symbol, request), key())
    assert await status(exchange, id) == "PARTIALLY_FILLED"
    for _ in range(11):
        await apply_tick(sessions, desk, symbol, Decimal("3.3333333333"), dt.datetime.now(dt.UTC))
    assert await status(exchange, id) == "FILLED"
    found = json.loads(await facts(exchange, actor))
    assert (found["shares"], found["held"], found["trades"]) == ("7.777777777700000000", "0.0000000000", 12)
    assert found["cash"] == "0.0000000000"


async def test_small_sums_are_whole(sessions: Sessions, exchange: Exchange) -> None:
    """101.1 pays for 10 @ 10 with slippage 0.001 and commission 1, 4 shares a tick; 100 at 33.37, sold for
    its market value at 41.03, leaves nothing behind either.

    4 x 10.01 + 0.4 = 40.44 twice and 20.22. 100 / 33.37 is 2.996703626011387473 shares, which are worth
    122.9547497752 at 41.03.
    """
    fees = BrokerFees(Decimal(1), slippage=Decimal("0.001"), shares_per_tick=Decimal(4))
    desk = desk_of(sessions, PaperBroker(sessions, fees))
    symbol = await exchange.listed("10")
    actor, portfolio_id = await exchange.trader("101.1")
    id = await desk.place(actor, buy(portfolio_id, symbol, "10"), key())
    seen = []
    for _ in range(3):
        row = f"(SELECT (filled_quantity::float, reserved_cash)::text FROM orders WHERE id = '{id}')"
        cash = "(SELECT cash_balance FROM portfolios WHERE owner_id = $1)"
        seen.append(await exchange.value(f"SELECT {row} || ' ' || {cash}", actor.id))
        await apply_tick(sessions, desk, symbol, Decimal(10), dt.datetime.now(dt.UTC))
    assert await status(exchange, id) == "FILLED"
    assert seen == [
        "(4,60.6600000000) 60.6600000000",
        "(8,20.2200000000) 20.2200000000",
        "(10,0.0000000000) 0.0000000000",
    ]
    free = desk_of(sessions, PaperBroker(sessions, BrokerFees()))
    symbol = await exchange.listed("33.37")
    actor, portfolio_id = await exchange.trader("100")
    for side, notional, price in (
        (OrderSide.BUY, "100", "33.37"),
        (OrderSide.SELL, "122.9547497752", "41.03"),
    ):
        await apply_tick(sessions, free, symbol, Decimal(price), dt.datetime.now(dt.UTC))
        request = OrderRequest(side, OrderType.MARKET, None, Decimal(notional), None, TimeInForce.DAY)
        assert await status(
            exchange, await free.place(actor, NewOrder(portfolio_id, symbol, request), key())
        ) == ("FILLED")
    assert json.loads(await facts(exchange, actor)) == {
        "cash": "122.9547497752",
        "held": "0.0000000000",
        "shares": f"0.{0:018}",
        "trades": 2,
    }


async def test_a_worthless_share_is_sold_for_nothing(sessions: Sessions, exchange: Exchange) -> None:
    """Once the quote is 0: nobody buys, also not what rests above it, and a sale brings 0 and costs 1."""
    desk = desk_of(sessions, PaperBroker(sessions, BrokerFees(Decimal(1))))
    symbol = await exchange.listed("10")
    actor, portfolio_id = await exchange.trader("40")
    await desk.place(actor, buy(portfolio_id, symbol, "2"), key())
    rests = await desk.place(actor, buy(portfolio_id, symbol, "1", limit="5"), key())
    await apply_tick(sessions, desk, symbol, Decimal(0), dt.datetime.now(dt.UTC))
    assert await status(exchange, rests) == "ACCEPTED"
    with pytest.raises(InvalidInput, match=r"^Nothing can be bought at a price of 0: give a limit price\.$"):
        await desk.place(actor, buy(portfolio_id, symbol, "1"), key())
    sale = await desk.place(actor, order(portfolio_id, symbol, OrderSide.SELL, "2"), key())
    assert await status(exchange, sale) == "FILLED"
    await desk.cancel(actor, rests)
    # 40 - 20 - 1 and - 1 for the sale.
    assert json.loads(await facts(exchange, actor)) == {
        "cash": "18.0000000000",
        "held": "0.0000000000",
        "shares": f"0.{0:018}",
        "trades": 2,
    }


async def test_selling_everything_with_no_cash_at_all(sessions: Sessions, exchange: Exchange) -> None:
    desk = desk_of(sessions, PaperBroker(sessions, BrokerFees(commission_per_order=Decimal(1))))
    symbol = await exchange.listed("10")
    actor, portfolio_id = await exchange.trader("31")
    await desk.place(actor, buy(portfolio_id, symbol, "3"), key())
    id = await desk.place(actor, order(portfolio_id, symbol, OrderSide.SELL, "3"), key())
    assert await status(exchange, id) == "FILLED"
    assert json.loads(await facts(exchange, actor))["cash"] == "29.0000000000"


async def test_a_quote_that_is_too_old(sessions: Sessions, exchange: Exchange, paper: PaperBroker) -> None:
    actor, portfolio_id = await exchange.trader("100")
    symbol = await exchange.listed("10")
    await exchange.run(
        "UPDATE quotes SET as_of = now() - interval '25 h' "
        "WHERE instrument_id = (SELECT id FROM instruments WHERE symbol = $1)",
        symbol,
    )
    desk = Desk(sessions, trading_config(paper, max_age=dt.timedelta(hours=24)))
    with pytest.raises(StalePrice) as refused:
        await desk.place(actor, buy(portfolio_id, symbol, "1"), key())
    assert refused.value.symbol == symbol
    await desk.place(actor, buy(portfolio_id, symbol, "1", "9"), key())


@pytest.mark.parametrize("rounds", [1, pytest.param(200, marks=[pytest.mark.soak, pytest.mark.timeout(0)])])
async def test_cash_for_a_hundred_is_spent_a_hundred_times(
    sessions: Sessions, exchange: Exchange, paper: PaperBroker, rounds: int
) -> None:
    symbol = await exchange.listed("10")
    desk = desk_of(sessions, paper)
    for _ in range(rounds):
        actor, portfolio_id = await exchange.trader("1000")
        answers = await asyncio.gather(
            *(attempt(desk, actor, buy(portfolio_id, symbol, "1")) for _ in range(1_000))
        )
        await attended(desk, exchange, actor)
        assert (answers.count(True), answers.count(False)) == (100, 900)
        assert json.loads(await facts(exchange, actor)) == {
            "cash": "0.0000000000",
            "held": "0.0000000000",
            "shares": f"100.{0:018}",
            "trades": 100,
        }


async def attempt(desk: Desk, actor: Actor, new: NewOrder) -> bool:
    """Whether the order was taken. Where the server is too busy, the client tries again with the same key."""
    mine = key()
    while True:
        try:
            await desk.place(actor, new, mine)
        except InsufficientCash:
            return False
        except Exception as error:
            if "QueuePool limit" not in str(error) and "lock timeout" not in str(error):
                raise
            await asyncio.sleep(0.1)
        else:
            return True
