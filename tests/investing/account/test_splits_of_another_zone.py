"""An account that moves to another time zone: its splits begin as if it had always been there."""

import asyncio
import datetime as dt
import uuid
from decimal import Decimal as D
from typing import Any

import asyncpg
import pytest

from db.sessions import Sessions
from db.vocabulary import AccountType, Broker, OrderSide, OrderType, TimeInForce, TransactionType
from investing.account.service import NewAccount, change_account, create_account
from investing.brokers.paper import PaperBroker
from investing.market.splits import record_split
from investing.rules.errors import InsufficientShares, InvalidInput
from investing.rules.trading.orders import BrokerFees, OrderRequest
from investing.rules.trading.splits import SplitRatio
from investing.trading.placing import NewOrder
from investing.trading.split_work import Splitting
from tests.faults.waiting import until
from tests.investing.exchange import Exchange
from tests.investing.trading.desks import desk_of
from tests.investing.trading.world import START, World, make_world, open_portfolio
from tests.waiting import PATIENCE

WAITING = """SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock')"""
TOKYO, NEW_YORK = "Asia/Tokyo", "America/New_York"
EX_DATE = dt.date(2023, 3, 10)
IN_TOKYO = dt.datetime(2023, 3, 9, 15, tzinfo=dt.UTC)
IN_NEW_YORK = dt.datetime(2023, 3, 10, 5, tzinfo=dt.UTC)

STANDING = """
SELECT is_automatic, executed_at, quantity_delta::int AS more FROM transactions t
WHERE owner_id = $1 AND type = 'SPLIT' AND reverses_id IS NULL
    AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)
ORDER BY executed_at, id
"""


def at(text: str) -> float:
    """The days from the world's start to an instant of March 2023."""
    return (dt.datetime.fromisoformat(f"2023-03-{text}Z") - START) / dt.timedelta(days=1)


@pytest.fixture
async def world(sessions: Sessions, superuser_url: str, exchange: Exchange) -> Any:
    """A user with two portfolios of an account in New York. After the test `verify` finds nothing."""
    made = await make_world(sessions, superuser_url, portfolios=2)
    made.symbol = await exchange.listed()
    yield made
    assert [line for line in await made.differences() if str(made.actor.id) in line] == []


async def move(world: World, time_zone: str) -> None:
    """Another time zone for the account."""
    await change_account(world.actor, world.account_id, time_zone=time_zone)


async def split(world: World, new: str = "2", old: str = "1", ex_date: dt.date = EX_DATE) -> None:
    """Records a split, and has it reach every holding."""
    await record_split(world.actor, world.symbol, SplitRatio(ex_date, D(new), D(old)))
    await Splitting(world.actor.sessions, BrokerFees()).post_due()


async def state(world: World) -> list[tuple[bool, dt.datetime, int]]:
    """The splits that stand: automatic, when, and how many shares more."""
    return [tuple(row.values()) for row in await world.rows(STANDING)]


async def quantity(world: World, place: int = 0) -> D:
    """What a portfolio holds."""
    return (await world.position(place))[0]


async def test_portfolios_that_shares_went_to_are_locked_in_the_same_order(
    world: World, superuser_url: str
) -> None:
    """A change of zone waits for a portfolio of another account without holding one that comes after it."""
    zone = NewAccount("B", Broker.PAPER, AccountType.CASH, "USD", D(0), True)
    account_id = await create_account(world.actor, zone)
    world.portfolios.append(await open_portfolio(world.actor, account_id, "later"))
    first, *_, later = world.portfolios
    assert first < later
    await world.record(TransactionType.DEPOSIT, 0, amount="1000", at=2, symbol=None)
    await world.buy(1, "10", "10", at=2)
    await world.move(2, "4", 2, 0)
    await split(world)
    connection = await asyncpg.connect(superuser_url)
    lock = "SELECT FROM portfolios WHERE id = $1 FOR NO KEY UPDATE NOWAIT"
    async with connection.transaction():
        await connection.execute(lock, first)
        moving = asyncio.create_task(change_account(world.actor, account_id, time_zone=TOKYO))

        async def is_waiting() -> bool:
            return bool(await connection.fetchval(WAITING))

        await until(is_waiting, PATIENCE)
        await connection.execute(lock, later)
    await moving
    await connection.close()
    assert (await quantity(world, 0), await quantity(world, 2)) == (D(8), D(12))


async def test_shares_bought_between_the_two_midnights_are_split(world: World) -> None:
    await move(world, TOKYO)
    await split(world)
    # 01:00 on the 10th in Tokyo, where these are new shares; 11:00 on the 9th in New York.
    await world.buy(at("09T16:00"), "10", "10")
    assert (await quantity(world), await state(world)) == (D(10), [])
    await move(world, NEW_YORK)
    assert (await quantity(world), await state(world)) == (D(20), [(True, IN_NEW_YORK, 10)])
    await move(world, TOKYO)
    assert (await quantity(world), await state(world)) == (D(10), [])


async def test_what_was_split_is_split_at_the_new_instant(world: World) -> None:
    """However often it moves; what was sold in between was of the shares of its place then."""
    await world.buy(at("01T12:00"), "10", "10")
    await split(world)
    assert await state(world) == [(True, IN_NEW_YORK, 10)]
    await world.sell(at("09T20:00"), "4", "10")
    assert (await quantity(world), await state(world)) == (D(12), [(True, IN_NEW_YORK, 6)])
    for _ in range(5):
        await move(world, TOKYO)
        assert (await quantity(world), await state(world)) == (D(16), [(True, IN_TOKYO, 10)])
        assert await world.differences() == []
        await move(world, NEW_YORK)
        assert (await quantity(world), await state(world)) == (D(12), [(True, IN_NEW_YORK, 6)])
        assert await world.differences() == []
    await move(world, "America/Chicago")
    in_chicago = IN_NEW_YORK + dt.timedelta(hours=1)
    assert (await quantity(world), await state(world)) == (D(12), [(True, in_chicago, 6)])
    # The job, an earlier entry and the same zone once more change nothing.
    await Splitting(world.actor.sessions, BrokerFees()).post_due()
    await move(world, "America/Chicago")
    await world.buy(at("01T11:00"), "1", "10")
    assert (await quantity(world), await state(world)) == (D(14), [(True, in_chicago, 7)])
    rows = await world.rows("SELECT count(*) AS n FROM transactions WHERE owner_id = $1 AND type = 'SPLIT'")
    assert rows[0]["n"] == 23


async def test_a_sale_that_needs_the_split_refuses_the_other_zone(world: World) -> None:
    await move(world, TOKYO)
    await world.buy(at("01T12:00"), "10", "10")
    await split(world)
    sold = await world.sell(at("09T20:00"), "15", "10")
    told = (
        rf"^The SELL of 15 {world.symbol} on 2023-03-09 needs more shares than there are with the splits at "
        r"America/New_York's midnights: 10\. Reverse that transaction first, or keep the time zone\.$"
    )
    with pytest.raises(InsufficientShares, match=told) as refused:
        await change_account(world.actor, world.account_id, name="B", time_zone=NEW_YORK)
    facts = (refused.value.field, refused.value.on_date, refused.value.transaction_id)
    assert facts == (("timeZone",), dt.date(2023, 3, 9), sold)
    assert (refused.value.required, refused.value.available) == (D(15), D(10))
    assert (await quantity(world), await state(world)) == (D(5), [(True, IN_TOKYO, 10)])
    (account,) = await world.rows("SELECT name, time_zone FROM accounts WHERE owner_id = $1")
    assert account == {"name": "A", "time_zone": TOKYO}
    await world.reverse(sold)
    await move(world, NEW_YORK)
    assert (await quantity(world), await state(world)) == (D(20), [(True, IN_NEW_YORK, 10)])


async def test_shares_that_an_order_has_reserved_refuse_it_too(world: World, exchange: Exchange) -> None:
    await move(world, TOKYO)
    await world.buy(at("09T14:00"), "10", "10")
    await split(world)
    await world.sell(at("09T20:00"), "10", "10")
    await exchange.quote(world.symbol, "10")
    request = OrderRequest(OrderSide.SELL, OrderType.LIMIT, D(10), None, D(90), TimeInForce.GTC)
    desk = desk_of(world.actor.sessions, PaperBroker(world.actor.sessions, BrokerFees()))
    order = await desk.place(
        world.actor, NewOrder(world.portfolios[0], world.symbol, request), str(uuid.uuid4())
    )
    # In New York all ten old shares were sold, and nothing is left that could be for sale.
    with pytest.raises(InsufficientShares, match="no open order has reserved: cancel one first") as refused:
        await move(world, NEW_YORK)
    assert refused.value.field == ("timeZone",)
    await desk.cancel(world.actor, order)
    await move(world, NEW_YORK)
    assert await quantity(world) == 0


async def test_a_reverse_split_that_leaves_too_little(world: World) -> None:
    await world.buy(at("01T12:00"), "10", "10")
    await split(world, "1", "10")
    await world.sell(at("09T20:00"), "10", "10")
    with pytest.raises(InsufficientShares, match=r"The SELL of 10 .* on 2023-03-10 needs") as refused:
        await move(world, TOKYO)
    assert refused.value.available == 1


async def test_what_its_owner_took_back_stays_so(world: World) -> None:
    await world.buy(at("01T12:00"), "10", "10")
    await split(world)
    (row,) = await world.rows("SELECT id FROM transactions WHERE owner_id = $1 AND is_automatic")
    await world.reverse(row["id"])
    await move(world, TOKYO)
    assert (await quantity(world), await state(world)) == (D(10), [])
    # After a move as well.
    await move(world, NEW_YORK)
    await split(world, "3", "1", EX_DATE + dt.timedelta(days=30))
    await move(world, TOKYO)
    (row,) = await world.rows(STANDING.replace("SELECT", "SELECT id,", 1))
    await world.reverse(row["id"])
    await move(world, NEW_YORK)
    await world.buy(at("02T12:00"), "1", "10")
    assert (await quantity(world), await state(world)) == (D(11), [])


async def test_ones_own_entry_stays_where_it_is(world: World) -> None:
    await world.buy(at("01T12:00"), "10", "10")
    own = dt.datetime(2023, 3, 13, 15, tzinfo=dt.UTC)
    await world.split(at("13T15:00"), "2", "1")
    await split(world)
    await move(world, TOKYO)
    assert (await quantity(world), await state(world)) == (D(20), [(False, own, 10)])


async def test_shares_that_went_to_another_portfolio_follow(world: World) -> None:
    await world.buy(at("01T12:00"), "10", "10")
    await split(world)
    await world.move(at("09T20:00"), "4")
    await world.sell(at("20T12:00"), "8", "10", at=1)
    assert [await quantity(world, place) for place in (0, 1)] == [12, 0]
    # In Tokyo 4 of 20 new shares went, which are too few for a sale of eight.
    with pytest.raises(InsufficientShares, match="The SELL of 8"):
        await move(world, TOKYO)
    assert [await quantity(world, place) for place in (0, 1)] == [12, 0]


async def test_an_entry_at_the_edge_of_seven_days(world: World) -> None:
    """On the 17th in New York it is the same split; on the 18th in Tokyo it is another, as ever there."""
    await world.buy(at("01T12:00"), "10", "10")
    await world.split(at("17T20:00"), "2", "1")
    await split(world)
    assert await quantity(world) == 20
    await move(world, TOKYO)
    assert await quantity(world) == 40
    await move(world, NEW_YORK)
    assert await quantity(world) == 20


async def test_one_that_has_not_begun_there_is_posted_when_it_does(world: World, exchange: Exchange) -> None:
    """A split of today or of yesterday is due again, for the job to see when it begins in the other zone."""
    today = dt.datetime.now(dt.UTC).astimezone(dt.timezone(dt.timedelta(hours=-5))).date()
    await world.record(TransactionType.TRANSFER_IN, 1, "10", amount="100")
    await split(world, ex_date=today - dt.timedelta(days=1))
    work = (
        "SELECT count(*) FROM split_work w JOIN instruments i ON i.id = w.instrument_id WHERE i.symbol = $1"
    )
    assert await exchange.value(work, world.symbol) == 0
    await move(world, TOKYO)
    assert await exchange.value(work, world.symbol) == 1
    await Splitting(world.actor.sessions, BrokerFees()).post_due()
    assert await exchange.value(work, world.symbol) == 0
    assert await quantity(world) == 20


async def test_another_zone_with_no_split_needs_nothing_else(world: World) -> None:
    await world.buy(at("01T12:00"), "10", "10")
    await move(world, TOKYO)
    with pytest.raises(InvalidInput):
        await move(world, "Mars/Olympus")
    assert await quantity(world) == 10
