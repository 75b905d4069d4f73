"""What it costs to write the ledger, without a clock: the exact round trips."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable
from decimal import Decimal
from typing import TypeVar

import pytest

from db.sessions import Sessions, open_sessions
from db.vocabulary import OrderSide, TransactionType
from investing.account.service import move_cash
from investing.account.transfers import transfer_cash
from investing.brokers.paper import PaperBroker
from investing.rules.trading.orders import BrokerFees
from investing.trading.undoing import reverse_import
from tests.investing.exchange import Exchange
from tests.investing.trading.desks import buy, desk_of, facts, key, order
from tests.investing.trading.ledgers import import_csv
from tests.investing.trading.test_cost import counted
from tests.investing.trading.world import World, make_world, on
from tests.round_trips import Trips, watched

ResultT = TypeVar("ResultT")


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


async def count(trips: tuple[Trips, Sessions], act: Awaitable[ResultT]) -> tuple[int, ResultT]:
    """Return how many round trips an act takes, none of which goes over a session, and its result."""
    noted, _ = trips
    with noted.counting() as sent, counted() as general:
        result = await act
    assert general["statements"] == 0
    return len(sent), result


async def test_entries_of_the_past(trips: tuple[Trips, Sessions], superuser_url: str) -> None:
    _, sessions = trips
    await warm(sessions, superuser_url)
    world = await make_world(sessions, superuser_url, portfolios=2)
    for day in (0, 5):
        await world.buy(day, "10", "1")
    await world.sell(11, "5", "2")
    found = {
        "buy": (await count(trips, world.buy(9, "1", "2")))[0],
        "sell": (await count(trips, world.sell(8, "1", "2")))[0],
        "move": (await count(trips, world.move(12, "2")))[0],
        "split": (await count(trips, world.split(14, "2", "1")))[0],
        "reverse": (await count(trips, world.reverse(await world.buy(15, "1", "2"))))[0],
        # Restarted or not: the second portfolio, where shares went since, comes after the first.
        "reach": (await count(trips, world.reverse(await world.buy(6, "1", "2"))))[0],
    }
    assert found == {"buy": 11, "sell": 10, "move": 12, "split": 17, "reverse": 15, "reach": 18}
    assert await world.differences() == []


async def test_cash(trips: tuple[Trips, Sessions], superuser_url: str) -> None:
    """Begin with the locks, read with the key, write, commit."""
    _, sessions = trips
    world = await warm(sessions, superuser_url)
    actor, account_id, portfolio_id = world.actor, world.account_id, world.portfolios[0]
    for type, place in (
        (TransactionType.DEPOSIT, None),
        (TransactionType.DEPOSIT, portfolio_id),
        (TransactionType.WITHDRAWAL, portfolio_id),
    ):
        trips_of, _ = await count(trips, move_cash(actor, type, account_id, place, Decimal(10), key(), None))
        assert trips_of == 4
    trips_of, _ = await count(
        trips, transfer_cash(actor, account_id, None, portfolio_id, Decimal(10), key(), None)
    )
    assert trips_of == 4
    assert await world.differences() == []


async def test_imports(trips: tuple[Trips, Sessions], superuser_url: str) -> None:
    _, sessions = trips
    world = await warm(sessions, superuser_url)
    text = "".join(f"BUY,{world.symbol},1,3,,,,2021-01-{day:02d}T12:00:00Z,\n" for day in range(1, 11))
    trips_of, report = await count(trips, import_csv(world.actor, world.portfolios[0], text))
    assert (trips_of, report.written) == (16, True)
    assert report.import_id is not None
    trips_of, _ = await count(trips, reverse_import(world.actor, report.import_id, key()))
    assert trips_of == 18
    assert await world.differences() == []


async def test_an_order_that_rests(trips: tuple[Trips, Sessions], superuser_url: str) -> None:
    _, sessions = trips
    exchange = Exchange(sessions, superuser_url)
    actor, portfolio_id = await exchange.trader("1000")
    desk = desk_of(sessions, PaperBroker(sessions, BrokerFees()))
    symbol = await exchange.listed("10")
    await desk.place(actor, buy(portfolio_id, symbol, "1"), key())
    resting = buy(portfolio_id, symbol, "1", "5")
    trips_of, id = await count(trips, desk.place(actor, resting, key()))
    # Placed in four, two at the broker, accepted in four.
    assert trips_of == 10
    trips_of, _ = await count(trips, desk.cancel(actor, id))
    # Found in three, seven at the broker, ended in four.
    assert trips_of == 14
    assert await exchange.differences() == []


async def test_more_is_locked_in_order(trips: tuple[Trips, Sessions], superuser_url: str) -> None:
    """Shares went to a portfolio whose id is lower: the transaction restarts and locks that first."""
    noted, sessions = trips
    world = await make_world(sessions, superuser_url, portfolios=2)
    await world.buy(0, "10", "1", at=1)
    await world.move(5, "4", source=1, target=0)
    with noted.counting() as sent:
        await world.buy(3, "10", "2", at=1)
    ends = [number for number, kind in enumerate(kinds(sent)) if kind in ("BEGIN", "ROLLBACK", "COMMIT")]
    assert [kinds(sent)[number] for number in ends] == ["BEGIN", "ROLLBACK", "BEGIN", "COMMIT"]
    # Nothing was written until then.
    assert not any(statement.startswith("WITH part_0") for statement in sent[: ends[1]])
    locked = [part.rpartition(", ")[2] for part in sent[ends[2]].split(";") if "lock_portfolio" in part]
    assert locked == [f"'{id}')" for id in world.portfolios]
    assert await world.lots() == [(on(0), Decimal(4), Decimal(4))]
    assert await world.differences() == []


async def test_two_pasts_that_reach_each_other(trips: tuple[Trips, Sessions], superuser_url: str) -> None:
    """Each entry changes what the other portfolio was given: they wait for one another, and both stand."""
    _, sessions = trips
    world = await make_world(sessions, superuser_url, portfolios=2)
    for at in (0, 1):
        await world.buy(0, "10", "1", at=at)
        await world.move(5 + at, "4", source=at, target=1 - at)
    for day in (1, 2, 3):
        await asyncio.gather(*(world.buy(day, "1", "2", at=at) for at in (1, 0)))
    assert [(await world.position(at))[0] for at in (0, 1)] == [13, 13]
    assert await world.differences() == []
