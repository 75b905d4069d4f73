"""What a trade of today costs, without a clock: the exact round trips."""

import uuid
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from db.sessions import Sessions, open_sessions
from db.vocabulary import OrderSide, TransactionType
from investing.brokers.paper import PaperBroker
from investing.rules.trading.orders import BrokerFees
from tests.investing.exchange import Exchange
from tests.investing.trading.desks import buy, desk_of, facts, key, order
from tests.investing.trading.test_cost import counted
from tests.investing.trading.world import World, make_world
from tests.round_trips import Trips, watched


@pytest.fixture
async def trips(app_url: str) -> AsyncIterator[tuple[Trips, Sessions]]:
    """Connections whose round trips are counted."""
    with watched() as noted:
        async with open_sessions(app_url, size=2) as opened:
            yield noted, opened


async def warm(sessions: Sessions, superuser_url: str) -> World:
    """A world on connections that know all their statements."""
    world = await make_world(sessions, superuser_url)
    await world.buy(0, "1", "1")
    await world.sell(1, "1", "1")
    await world.buy(2, "10", "3")
    return world


def kinds(sent: list[str]) -> list[str]:
    """The first word of each statement."""
    return [statement.split(maxsplit=1)[0].rstrip(";") for statement in sent]


async def test_recording_a_buy(trips: tuple[Trips, Sessions], superuser_url: str) -> None:
    noted, sessions = trips
    world = await warm(sessions, superuser_url)
    with noted.counting() as sent, counted() as general:
        await world.buy(3, "2", "4")
    # Begin with the viewer and the lock, read, write, commit.
    assert kinds(sent) == ["BEGIN", "SELECT", "WITH", "COMMIT"]
    assert "EXECUTE lock_portfolio" in sent[0]
    assert general["statements"] == 0
    assert await world.differences() == []


async def test_recording_a_sell(trips: tuple[Trips, Sessions], superuser_url: str) -> None:
    noted, sessions = trips
    world = await warm(sessions, superuser_url)
    with noted.counting() as sent, counted() as general:
        await world.sell(3, "2", "4")
    # The oldest lots as well.
    assert kinds(sent) == ["BEGIN", "SELECT", "SELECT", "WITH", "COMMIT"]
    assert general["statements"] == 0
    assert await world.differences() == []


async def test_a_buy_before_other_buys(trips: tuple[Trips, Sessions], superuser_url: str) -> None:
    """As where many write at once, and their instants are not in the order in which they come."""
    noted, sessions = trips
    world = await warm(sessions, superuser_url)
    await world.buy(5, "1", "4")
    with noted.counting() as sent, counted() as general:
        await world.buy(4, "2", "4")
    # The lowest cash of the days after it as well.
    assert kinds(sent) == ["BEGIN", "SELECT", "WITH", "WITH", "COMMIT"]
    assert general["statements"] == 0
    assert await world.differences() == []


@pytest.mark.parametrize(
    ("type", "more"),
    [(TransactionType.DIVIDEND, 0), (TransactionType.DEPOSIT, 0), (TransactionType.WITHDRAWAL, 0)],
)
async def test_recording_cash(
    trips: tuple[Trips, Sessions], superuser_url: str, type: TransactionType, more: int
) -> None:
    noted, sessions = trips
    world = await warm(sessions, superuser_url)
    symbol = "ABC" if type is TransactionType.DIVIDEND else None
    with noted.counting() as sent, counted() as general:
        await world.record(type, 3, amount="5", symbol=symbol)
    assert kinds(sent) == ["BEGIN", "SELECT", "WITH", "COMMIT"]
    assert general["statements"] == 0
    assert await world.differences() == []


async def test_what_is_refused(trips: tuple[Trips, Sessions], superuser_url: str) -> None:
    """It is known before anything is written; its key is."""
    noted, sessions = trips
    world = await warm(sessions, superuser_url)
    with noted.counting() as sent, counted() as general:
        with pytest.raises(Exception, match="11 shares are needed"):
            await world.sell(3, "11", "4")
    assert kinds(sent) == ["BEGIN", "SELECT", "SELECT", "WITH", "COMMIT"]
    assert sent[3].startswith("WITH part_0 AS (INSERT INTO idempotency_keys")
    assert general["statements"] == 0


@pytest.mark.parametrize(("side", "lots"), [(OrderSide.BUY, 0), (OrderSide.SELL, 1)])
async def test_an_order_on_paper(
    trips: tuple[Trips, Sessions], superuser_url: str, side: OrderSide, lots: int
) -> None:
    noted, sessions = trips
    exchange = Exchange(sessions, superuser_url)
    actor, portfolio_id = await exchange.trader("1000")
    symbol = await exchange.listed("10")
    desk = desk_of(sessions, PaperBroker(sessions, BrokerFees()))
    await desk.place(actor, buy(portfolio_id, symbol, "5"), key())
    with noted.counting() as sent, counted() as general:
        id = await desk.place(actor, order(portfolio_id, symbol, side, "2"), key())
    placed = ["BEGIN", "SELECT", "WITH", "COMMIT"]
    at_the_broker = ["SELECT", "WITH"]
    filled = ["BEGIN", "SELECT", *["SELECT"] * lots, "WITH", "COMMIT"]
    assert kinds(sent) == placed + at_the_broker + filled
    assert general["statements"] == 0
    assert await exchange.value("SELECT status FROM orders WHERE id = $1", id) == "FILLED"
    assert await exchange.value("SELECT count(*) FROM order_work WHERE order_id = $1", id) == 0
    told = await facts(exchange, actor)
    assert '"held":"0.0000000000"' in told
    assert await exchange.differences() == []


async def test_an_order_whose_size_is_limited(trips: tuple[Trips, Sessions], superuser_url: str) -> None:
    """What the portfolio holds and wants already is read as well."""
    noted, sessions = trips
    exchange = Exchange(sessions, superuser_url)
    actor, portfolio_id = await exchange.trader("1000")
    await exchange.run(
        "UPDATE portfolios SET max_position_size = $1 WHERE id = $2", Decimal("0.5"), portfolio_id
    )
    symbol = await exchange.listed("10")
    desk = desk_of(sessions, PaperBroker(sessions, BrokerFees()))
    await desk.place(actor, buy(portfolio_id, symbol, "5"), key())
    with noted.counting() as sent:
        await desk.place(actor, buy(portfolio_id, symbol, "2"), str(uuid.uuid4()))
    assert len(sent) == 11
    assert await exchange.differences() == []
