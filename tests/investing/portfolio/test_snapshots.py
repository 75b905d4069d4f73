"""Snapshots follow the ledger and the prices: marked by whatever changes them, computed from the mark on."""

import asyncio
import datetime as dt
import random
import uuid
from collections.abc import Awaitable, Callable
from decimal import Decimal
from uuid import UUID

import pytest

from db.claims import SNAPSHOTS, claim
from db.market.bars import DailyBar, bar_load
from db.sessions import Session, Sessions
from db.vocabulary import TransactionType
from investing.account.transfers import transfer_cash
from investing.portfolio.snapshots import refresh, refresh_due, refresh_within
from investing.rules.errors import DomainError
from investing.rules.market.market_hours import market_day
from tests.investing.portfolio.days import days, expected, fetch, stored
from tests.investing.trading.ledgers import import_csv
from tests.investing.trading.world import World, make_world, on

D = Decimal
FIRST = market_day(on(0))


def day(n: int) -> dt.date:
    """The day so many days after the first."""
    return FIRST + dt.timedelta(days=n)


async def price(owner_url: str, closes: dict[int, str], symbol: str = "ABC") -> None:
    """Imports closes, by the number of their day."""
    async with bar_load(owner_url) as load:
        bars = [DailyBar(symbol, day(n), None, None, None, D(c), None, None) for n, c in closes.items()]
        await load.stage(bars)
        await load.store()


async def marks(world: World) -> list[dt.date | None]:
    """From which day on the snapshots of each of the user's portfolios are stale."""
    query = "SELECT id, snapshots_stale_from AS mark FROM portfolios WHERE owner_id = $1"
    found = {row["id"]: row["mark"] for row in await world.rows(query)}
    return [found[id] for id in world.portfolios]


async def refresh_all(world: World) -> None:
    # Twice: the trades of one tell the others what an instrument costs.
    for id in world.portfolios * 2:
        await refresh(world.actor.sessions, world.actor.id, id)
    assert await marks(world) == [None] * len(world.portfolios)


@pytest.fixture
async def world(sessions: Sessions, superuser_url: str, owner_url: str) -> World:
    """Two portfolios with a million each, and ABC at 10, 11, 12 and so on for ten days."""
    made = await make_world(sessions, superuser_url, portfolios=2)
    await fetch(superuser_url, "DELETE FROM price_bars")
    await price(owner_url, {n: str(10 + n) for n in range(10)})
    return made


async def test_the_days_of_a_portfolio(world: World, superuser_url: str) -> None:
    await world.buy(0, "100", "9.5", "5")
    await world.record(TransactionType.WITHDRAWAL, 2, amount="1000", symbol=None)
    await world.sell(3, "100", "13")
    await refresh_all(world)
    deposit, *found = await stored(superuser_url, world.portfolios[0])
    assert (deposit.date, deposit.total_value, deposit.net_flow) == (day(-1000), D(1000000), D(1000000))
    cash = D(1000000) - 955
    assert [(s.date, s.cash_value, s.positions_value, s.net_flow, s.num_positions) for s in found] == [
        (day(0), cash, D(1000), D(0), 1),
        (day(1), cash, D(1100), D(0), 1),
        (day(2), cash - 1000, D(1200), D(-1000), 1),
        # Sold: nothing is held any more, so what ABC costs later makes no day.
        (day(3), cash + 300, D(0), D(0), 0),
    ]
    assert found[0].daily_return == D("0.000045")
    # What leaves at noon leaves at the price of the day before: 100 are earned on the rest.
    assert found[2].daily_return == (D(100) / (cash + 1100 - 1000)).quantize(D("1E-10"))


async def test_a_day_ends_at_midnight_in_new_york(world: World, superuser_url: str) -> None:
    # 04:30 UTC of the second day is 23:30 of the first one there.
    await world.record(TransactionType.DEPOSIT, (16.5) / 24, amount="1", symbol=None)
    await refresh_all(world)
    assert (await stored(superuser_url, world.portfolios[0]))[-1].date == day(0)


async def test_a_position_without_a_price_is_no_loss(
    world: World, owner_url: str, superuser_url: str
) -> None:
    # Shares that came in tell no price, and two days before the first close there is none.
    await world.record(TransactionType.TRANSFER_IN, -2, "100", amount="0")
    await world.sell(1, "100", "11")
    await refresh_all(world)
    _, came, priced, sold = await stored(superuser_url, world.portfolios[0])
    assert (came.date, came.positions_value, came.unpriced_positions) == (day(-2), D(0), 1)
    assert (came.daily_return, came.cumulative_return, came.max_drawdown) == (None, None, None)
    # From zero to a price is no gain either, and what is not known for a day is not known for the whole.
    assert (priced.daily_return, priced.unpriced_positions) == (None, 0)
    assert (sold.daily_return, sold.cumulative_return) == (D("0.0000999001"), None)
    await price(owner_url, {-2: "10"})
    assert await marks(world) == [day(-2), None]
    await refresh_all(world)
    *_, sold = await stored(superuser_url, world.portfolios[0])
    assert sold.cumulative_return == D("0.0000999001")


async def test_what_never_had_a_close_is_worth_its_last_trade(world: World, superuser_url: str) -> None:
    await world.buy(-2, "100", "10")
    await refresh_all(world)
    _, bought, *_ = await stored(superuser_url, world.portfolios[0])
    assert (bought.date, bought.positions_value) == (day(-2), D(1000))
    assert (bought.unpriced_positions, bought.stale_positions, bought.daily_return) == (0, 1, D(0))


async def test_a_trade_of_before_a_split_is_worth_less_a_share(world: World, superuser_url: str) -> None:
    await world.buy(-6, "10", "100")
    await world.split(-5, "4", "2")
    await world.split(-4, "5", "1")
    await world.record(TransactionType.WITHDRAWAL, -3, amount="1000", symbol=None)
    await world.split(-3, "1", "2")
    await refresh_all(world)
    found = (await stored(superuser_url, world.portfolios[0]))[1:5]
    # 10, 20, 100 and 50 shares, which nothing has a close of; at the withdrawal there are 100 at 10.
    assert [(s.positions_value, s.daily_return) for s in found] == [(D(1000), D(0))] * 4
    assert found[-1].flows[0].before == 1000000


Deed = Callable[[World], Awaitable[object]]


async def _reverse_the_buy(world: World) -> None:
    query = "SELECT id FROM transactions WHERE owner_id = $1 AND portfolio_id = $2 AND type = 'BUY'"
    (row, *_) = await world.rows(query, world.portfolios[0])
    await world.reverse(row["id"])


async def _move_cash(world: World) -> None:
    source, target = world.portfolios
    await transfer_cash(world.actor, world.account_id, source, target, D(5), str(uuid.uuid4()), None)


DEEDS: dict[str, tuple[Deed, int | None, int | None]] = {
    "a purchase": (lambda w: w.buy(5, "1", "10"), 5, None),
    "a deposit": (lambda w: w.record(TransactionType.DEPOSIT, 4, amount="1", symbol=None), 4, None),
    "a dividend": (lambda w: w.record(TransactionType.DIVIDEND, 3, amount="1"), 3, None),
    "a split, without any cash": (lambda w: w.split(6, "2", "1"), 6, None),
    "shares from elsewhere": (lambda w: w.record(TransactionType.TRANSFER_IN, 7, "1", amount="0"), 7, None),
    "shares to another portfolio": (lambda w: w.move(8, "1"), 8, 8),
    "a reversal": (_reverse_the_buy, 0, None),
    "an import": (
        lambda w: import_csv(
            w.actor,
            w.portfolios[0],
            f"BUY,ABC,1,10,,,,{on(7).isoformat()},\nBUY,ABC,1,10,,,,{on(2).isoformat()},\n",
        ),
        2,
        None,
    ),
}


@pytest.mark.parametrize("name", DEEDS)
async def test_whatever_is_posted_lowers_the_mark(world: World, superuser_url: str, name: str) -> None:
    await world.buy(0, "100", "10")
    await refresh_all(world)
    deed, *marked = DEEDS[name]
    await deed(world)
    expected_marks = [None if n is None else day(n) for n in marked]
    assert await marks(world) == expected_marks
    await deed_of_later(world)
    assert await marks(world) == expected_marks
    await refresh_all(world)
    for id in world.portfolios:
        assert await stored(superuser_url, id) == await expected(superuser_url, id)


async def deed_of_later(world: World) -> None:
    """A later entry, which raises no mark."""
    await world.record(TransactionType.INTEREST, 9, amount="1", symbol=None)


async def test_cash_between_portfolios_marks_both(world: World, superuser_url: str) -> None:
    await refresh_all(world)
    await _move_cash(world)
    today = market_day(dt.datetime.now(dt.UTC))
    assert await marks(world) == [today, today]
    await refresh_all(world)
    flows = [(await stored(superuser_url, id))[-1].net_flow for id in world.portfolios]
    assert flows == [-5, 5]


async def test_a_split_rounds_the_same_whichever_lots_there_are(world: World, superuser_url: str) -> None:
    """An entry before a transfer changes which lots went, and not how many shares a split makes of them."""
    await world.buy(0, "0.000000000000000001", "10")
    await world.buy(1, "0.000000000000000001", "10")
    await world.move(3, "0.000000000000000002")
    await world.split(5, "3", "2", at=1)
    await refresh_all(world)
    # One lot of two in place of two lots of one: 3 shares both times, since rounding is the position's.
    await world.buy(-1, "0.000000000000000002", "10")
    assert await marks(world) == [day(-1), None]
    await refresh_all(world)
    for id in world.portfolios:
        assert await stored(superuser_url, id) == await expected(superuser_url, id)


async def test_from_the_mark_on_as_from_the_start(world: World, owner_url: str, superuser_url: str) -> None:
    """A few dozen entries, prices and refreshes in any order; the end is what the plain way makes of it."""
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    for _ in range(40):
        when, at = chance.randrange(0, 30) + chance.random(), chance.randrange(2)
        deed = chance.randrange(7)
        try:
            if deed < 2:
                await world.buy(when, str(chance.randrange(1, 50)), str(chance.randrange(5, 20)), "1", at=at)
            elif deed == 2:
                await world.sell(when, str(chance.randrange(1, 20)), str(chance.randrange(5, 20)), at=at)
            elif deed == 3:
                await world.move(when, str(chance.randrange(1, 9)), at, 1 - at)
            elif deed == 4:
                type = chance.choice((TransactionType.DEPOSIT, TransactionType.WITHDRAWAL))
                await world.record(type, when, amount=str(chance.randrange(1, 900000)), symbol=None, at=at)
            elif deed == 5:
                n = chance.randrange(0, 30)
                await price(owner_url, {n: str(chance.randrange(5, 20)), n + 1: "9.87654321"})
            else:
                await refresh(world.actor.sessions, world.actor.id, world.portfolios[at])
        except DomainError:
            continue
    await refresh_all(world)
    for id in world.portfolios:
        assert await stored(superuser_url, id) == await expected(superuser_url, id), seed


async def test_ids_stay_and_a_second_refresh_writes_nothing(world: World, superuser_url: str) -> None:
    await world.buy(0, "100", "10")
    await refresh_all(world)
    rows = "SELECT id, date, xmin::text FROM performance_history WHERE portfolio_id = $1 ORDER BY date"
    before = await fetch(superuser_url, rows, world.portfolios[0])
    mark = "UPDATE portfolios SET snapshots_stale_from = '2000-01-01' WHERE id = $1"
    await fetch(superuser_url, mark, world.portfolios[0])
    await refresh_all(world)
    assert await fetch(superuser_url, rows, world.portfolios[0]) == before
    assert not await refresh(world.actor.sessions, world.actor.id, world.portfolios[0])
    await world.buy(5, "1", "10")
    await refresh_all(world)
    after = await fetch(superuser_url, rows, world.portfolios[0])
    assert [row[:2] for row in after] == [row[:2] for row in before]
    assert [a == b for a, b in zip(after, before, strict=True)] == [row[1] < day(5) for row in before]


async def test_a_day_that_is_none_any_more_goes(world: World, superuser_url: str) -> None:
    await world.buy(2, "100", "10")
    await refresh_all(world)
    assert len(await stored(superuser_url, world.portfolios[0])) == 9
    await _reverse_the_buy(world)
    await refresh_all(world)
    # Nor does that of the purchase stay: nothing on it stands.
    assert [s.date for s in await stored(superuser_url, world.portfolios[0])] == [day(-1000)]


async def test_broken_off_it_leaves_what_was(world: World, superuser_url: str) -> None:
    await world.buy(0, "100", "10")
    await refresh_all(world)
    before = await stored(superuser_url, world.portfolios[0])
    await world.buy(1, "100", "10")

    async def broken_off(session: Session) -> None:
        await refresh_within(session, world.actor.id, world.portfolios[0])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await world.actor.sessions.transact(world.actor.id, broken_off)
    assert await stored(superuser_url, world.portfolios[0]) == before
    assert await marks(world) == [day(1), None]
    work = "SELECT count(*) FROM performance_work WHERE portfolio_id = $1"
    assert await fetch(superuser_url, work, world.portfolios[0]) == [(1,)]


async def test_nothing_is_posted_meanwhile(world: World, superuser_url: str) -> None:
    await world.buy(0, "100", "10")
    async with world.actor.sessions.begin(world.actor.id) as session:
        await refresh_within(session, world.actor.id, world.portfolios[0])
        posting = asyncio.ensure_future(world.buy(1, "100", "10"))
        done, _ = await asyncio.wait([posting], timeout=0.3)
        assert done == set()
    await posting
    assert (await marks(world))[0] == day(1)


async def test_prices_mark_those_who_held_what_changed(
    world: World, owner_url: str, superuser_url: str
) -> None:
    await world.buy(2, "10", "10")
    await world.buy(0, "10", "10", at=1)
    await world.sell(4, "10", "10", at=1)
    await refresh_all(world)
    await price(owner_url, {n: str(10 + n) for n in range(10)})
    assert await marks(world) == [None, None], "the same prices again change nothing"
    await price(owner_url, {7: "100"})
    assert await marks(world) == [day(7), None], "the other one had sold everything by then"
    await price(owner_url, {10: "20"})
    assert await marks(world) == [day(7), None]
    await price(owner_url, {-5: "3"})
    assert await marks(world) == [day(2), day(0)], "but not before it was bought"
    await refresh_all(world)
    for id in world.portfolios:
        assert await stored(superuser_url, id) == await expected(superuser_url, id)


async def test_stale_portfolios_are_found_whoever_owns_them(
    sessions: Sessions, superuser_url: str, world: World
) -> None:
    other = await make_world(sessions, superuser_url)
    await fetch(superuser_url, "DELETE FROM performance_work")
    for one in (world, other):
        await refresh_all(one)
        await one.buy(0, "1", "10")
    assert await refresh_due(sessions, 1) == 1
    assert await refresh_due(sessions, 10) == 1
    assert await refresh_due(sessions, 10) == 0
    assert [await marks(one) for one in (world, other)] == [[None, None], [None]]


async def test_several_at_once_share_the_work(sessions: Sessions, superuser_url: str, world: World) -> None:
    others = [await make_world(sessions, superuser_url) for _ in range(4)]
    await fetch(
        superuser_url,
        "DELETE FROM performance_work WHERE owner_id <> ALL($1)",
        [w.actor.id for w in (world, *others)],
    )
    counts = await asyncio.gather(*(refresh_due(sessions, 10) for _ in range(3)))
    assert sum(counts) == 6
    assert [await marks(one) for one in others] == [[None]] * 4


async def test_what_a_dead_process_had_claimed_is_due_again(
    sessions: Sessions, superuser_url: str, world: World
) -> None:
    await fetch(superuser_url, "DELETE FROM performance_work WHERE owner_id <> $1", world.actor.id)
    assert len(await claim(sessions, SNAPSHOTS, 60, 10)) == 2
    assert await refresh_due(sessions, 10) == 0
    await fetch(superuser_url, "UPDATE performance_work SET due_at = now()")
    assert await refresh_due(sessions, 10) == 2


async def test_one_that_fails_keeps_no_other_waiting(
    sessions: Sessions, superuser_url: str, owner_url: str, world: World
) -> None:
    """Worth more than a column holds: it stays marked, and the next one is done."""
    await fetch(superuser_url, "DELETE FROM performance_work WHERE owner_id <> $1", world.actor.id)
    await world.record(TransactionType.TRANSFER_IN, 0, "100000000000000000", amount="0")
    assert await refresh_due(sessions, 10) == 2
    assert await marks(world) == [day(-1000), None]


async def test_a_stranger_refreshes_nothing(sessions: Sessions, superuser_url: str, world: World) -> None:
    stranger = await make_world(sessions, superuser_url)
    assert not await refresh(sessions, stranger.actor.id, world.portfolios[0])
    assert await stored(superuser_url, world.portfolios[0]) == []


def test_the_plain_way_by_hand() -> None:
    """What the other tests compare with, once against figures from paper."""
    abc, id = UUID(int=1), UUID(int=2)
    entries = [
        (dt.datetime(2024, 1, 2, 21, tzinfo=dt.UTC), "DEPOSIT", id, None, D(100), D(0)),
        (dt.datetime(2024, 1, 3, 21, tzinfo=dt.UTC), "BUY", id, abc, D(-60), D(6), D(10)),
        (dt.datetime(2024, 1, 6, 21, tzinfo=dt.UTC), "TRANSFER_OUT", id, abc, D(0), D(-2)),
    ]
    bars = [(abc, dt.date(2024, 1, n), D(n * 10)) for n in (1, 4, 5)]
    found = days(id, entries, bars)
    # On the third there is no close: the six shares are worth what they were bought for.
    assert [(d.date.day, d.cash_value, d.positions_value, d.net_flow, d.stale_positions) for d in found] == [
        (2, D(100), D(0), D(100), 0),
        (3, D(40), D(60), D(0), 1),
        (4, D(40), D(240), D(0), 0),
        (5, D(40), D(300), D(0), 0),
        (6, D(40), D(200), D(-100), 1),
    ]
