"""A split reaches every holding of its ex-date, whenever either becomes known; once, and `verify` agrees."""

import asyncio
import datetime as dt
from decimal import Decimal as D
from typing import Any

import pytest

from db.claims import SPLITS, claim
from db.sessions import Sessions
from investing.market.splits import record_split
from investing.rules.errors import InvalidInput, UnknownInstrument
from investing.rules.market.market_hours import market_day
from investing.rules.trading.orders import BrokerFees
from investing.rules.trading.splits import SplitRatio
from investing.trading.split_work import Splitting
from investing.trading.undoing import undo_import
from tests.investing.exchange import Exchange
from tests.investing.trading.ledgers import import_csv, statuses
from tests.investing.trading.world import START, World, make_world, on

EX_DATE = market_day(on(10))
BEGIN = dt.datetime(2020, 1, 11, 5, tzinfo=dt.UTC)
"""The first instant of the ex-date in New York."""


@pytest.fixture
async def world(sessions: Sessions, superuser_url: str, exchange: Exchange) -> Any:
    """A user with two portfolios and an instrument of the test's own; after it `verify` finds nothing."""
    made = await make_world(sessions, superuser_url, portfolios=2)
    made.symbol = await exchange.listed()
    yield made
    assert [line for line in await made.differences() if str(made.actor.id) in line] == []


async def record(world: World, new: str = "4", old: str = "1", ex_date: dt.date = EX_DATE) -> None:
    """A split of the instrument."""
    await record_split(world.actor, world.symbol, SplitRatio(ex_date, D(new), D(old)))


async def post(sessions: Sessions) -> None:
    """The job's round."""
    await Splitting(sessions, BrokerFees()).post_due()


async def splits(world: World, at: int = 0) -> list[tuple[bool, dt.datetime, D]]:
    """The standing splits of a portfolio: automatic, when, and how many shares more."""
    rows = await world.rows(
        "SELECT is_automatic, executed_at, quantity_delta FROM transactions t WHERE owner_id = $1 "
        "AND portfolio_id = $2 AND type = 'SPLIT' AND reverses_id IS NULL AND NOT EXISTS "
        "(SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id) "
        "ORDER BY executed_at, id",
        world.portfolios[at],
    )
    return [(row["is_automatic"], row["executed_at"], D(row["quantity_delta"])) for row in rows]


async def quantity(world: World, at: int = 0) -> D:
    """What a portfolio holds."""
    return (await world.position(at))[0]


async def test_a_split_that_is_recorded_late_goes_back(world: World, sessions: Sessions) -> None:
    await world.buy(1, "100", "40")
    await world.sell(20, "10", "11")
    await record(world)
    await post(sessions)
    # 100 x 4 - 10; the ten cost 10 / 400 of 4000, and so gained 110 - 100.
    assert await world.position() == (D(390), D(3900), D(10), D(10))
    assert await splits(world) == [(True, BEGIN, D(300))]
    await record(world)
    await post(sessions)
    assert len(await splits(world)) == 1


async def test_it_stands_first_at_its_instant(world: World, sessions: Sessions) -> None:
    await world.buy(1, "100", "40")
    # A statement without times: bought on the ex-date, in new shares.
    days = (BEGIN - START) / dt.timedelta(days=1)
    await world.buy(days, "8", "10")
    await record(world)
    await post(sessions)
    assert await quantity(world) == D(408)


async def test_who_becomes_an_earlier_holder_gets_it_at_once(world: World, sessions: Sessions) -> None:
    await record(world)
    await post(sessions)
    await world.buy(1, "3", "40")
    assert (await quantity(world), await splits(world)) == (D(12), [(True, BEGIN, D(9))])
    # Another purchase before it: the same entry makes more of more. One after it is as it is.
    await world.buy(2, "1", "40")
    await world.buy(11, "5", "10")
    assert (await quantity(world), await splits(world)) == (D(21), [(True, BEGIN, D(12))])


async def test_shares_that_were_moved_before_it_are_split_where_they_are(
    world: World, sessions: Sessions
) -> None:
    await world.buy(1, "3", "40")
    await record(world)
    await post(sessions)
    await world.move(5, "1")
    assert [await quantity(world, at) for at in (0, 1)] == [D(8), D(4)]
    assert [await splits(world, at) for at in (0, 1)] == [[(True, BEGIN, D(6))], [(True, BEGIN, D(3))]]


async def test_ones_own_entry_near_by_is_the_same_split(world: World, sessions: Sessions) -> None:
    await world.buy(1, "3", "40")
    own = await world.split(16, "8", "2")
    await record(world)
    await post(sessions)
    assert (await quantity(world), await splits(world)) == (D(12), [(False, on(16), D(9))])
    # Taken back, the instrument's own stands in its place; that taken back too, none is posted any more.
    await world.reverse(own)
    assert await splits(world) == [(True, BEGIN, D(9))]
    (row,) = await world.rows("SELECT id FROM transactions WHERE owner_id = $1 AND is_automatic")
    await world.reverse(row["id"])
    assert (await quantity(world), await splits(world)) == (D(3), [])
    await world.buy(2, "1", "40")
    await post(sessions)
    assert (await quantity(world), await splits(world)) == (D(4), [])


async def test_one_beyond_seven_days_or_of_another_ratio_is_another(world: World, sessions: Sessions) -> None:
    await world.buy(1, "3", "40")
    await world.split(18, "4", "1")
    await world.split(9, "2", "1")
    await record(world)
    await post(sessions)
    # 3 x 2 on the 10th, x 4 on the 11th, x 4 on the 19th.
    assert await quantity(world) == D(96)


async def test_a_purchase_that_is_taken_back_and_recorded_again(world: World, sessions: Sessions) -> None:
    bought = await world.buy(1, "3", "40")
    await record(world)
    await post(sessions)
    await world.reverse(bought)
    assert (await quantity(world), await splits(world)) == (D(0), [(True, BEGIN, D(0))])
    await world.buy(2, "5", "40")
    assert (await quantity(world), await splits(world)) == (D(20), [(True, BEGIN, D(15))])


async def test_three_lots_of_one_are_one_share_and_three_again(world: World, sessions: Sessions) -> None:
    for day in (1, 2, 3):
        await world.buy(day, "1", "10")
    await record(world, "1", "3")
    await record(world, "3", "1", EX_DATE + dt.timedelta(days=30))
    await post(sessions)
    assert (await quantity(world), len(await world.lots())) == (D(3), 3)
    assert [delta for _, _, delta in await splits(world)] == [D(-2), D(2)]


async def test_two_processes_at_once_post_it_once(
    world: World, sessions: Sessions, exchange: Exchange
) -> None:
    await world.buy(1, "100", "40")
    await record(world)
    # One has died with the work in its hands: it is due again when its lease is over.
    assert len(await claim(sessions, SPLITS, 0.0, 1)) == 1
    await asyncio.gather(post(sessions), post(sessions), post(sessions))
    assert (await quantity(world), await splits(world)) == (D(400), [(True, BEGIN, D(300))])
    rows = await world.rows("SELECT count(*) AS n FROM split_work WHERE $1::uuid IS NOT NULL")
    assert rows[0]["n"] == 0
    # One died when all was done and before it could say so: another goes through it all once more.
    await exchange.run(
        "INSERT INTO split_work (instrument_id, ex_date, due_at) SELECT id, $2, now() FROM instruments "
        "WHERE symbol = $1",
        world.symbol,
        EX_DATE,
    )
    await post(sessions)
    assert (await quantity(world), len(await splits(world))) == (D(400), 1)


async def test_an_announced_split_waits_for_its_day(world: World, sessions: Sessions) -> None:
    await record(world, ex_date=market_day(dt.datetime.now(dt.UTC)) + dt.timedelta(days=2))
    await world.buy(1, "3", "40")
    await post(sessions)
    assert (await quantity(world), await splits(world)) == (D(3), [])


async def test_a_split_that_later_sales_do_not_fit(world: World, sessions: Sessions) -> None:
    await world.buy(1, "10", "10")
    await world.sell(20, "5", "10")
    await record(world, "1", "10")
    await post(sessions)
    # One share would be left for a sale of five: nothing is changed, the round ends, and `verify` tells.
    assert (await quantity(world), await splits(world)) == (D(5), [])
    (told,) = [line for line in await world.differences() if str(world.actor.id) in line]
    assert "shares after the split on 2020-01-11 of position" in told
    assert told.endswith("is 10, its transactions and orders make it 1")
    # Once the sale is put right, the next entry before it brings the split.
    (sale,) = await world.rows("SELECT id FROM transactions WHERE owner_id = $1 AND type = 'SELL'")
    await world.reverse(sale["id"])
    await world.buy(2, "10", "10")
    assert (await quantity(world), await splits(world)) == (D(2), [(True, BEGIN, D(-18))])


async def test_one_day_begins_everywhere_in_turn(world: World, sessions: Sessions) -> None:
    await world.rows("UPDATE accounts SET time_zone = 'Europe/Berlin' WHERE owner_id = $1 RETURNING id")
    await world.buy(1, "3", "40")
    await record(world)
    await post(sessions)
    assert await splits(world) == [(True, dt.datetime(2020, 1, 10, 23, tzinfo=dt.UTC), D(9))]


async def test_what_cannot_be_recorded(world: World) -> None:
    await record(world)
    for ex_date, ratio, words in (
        (EX_DATE, "5", "has a split of 4-for-1 on that day"),
        (EX_DATE + dt.timedelta(days=7), "4", "within seven days it is the same one"),
        (dt.date(2999, 1, 1), "4", "more than a year away"),
        (dt.date(1, 1, 1), "4", "is before 1900-01-01"),
    ):
        with pytest.raises(InvalidInput, match=words):
            await record(world, ratio, "1", ex_date)
    told = "^There is no shared instrument NOBODY; splits of a user's own come in by import-prices --user\\.$"
    with pytest.raises(UnknownInstrument, match=told):
        await record_split(world.actor, "NOBODY", SplitRatio(EX_DATE, D(4), D(1)))


async def test_a_file_with_the_split_in_it_and_one_without(world: World, sessions: Sessions) -> None:
    await record(world)
    await post(sessions)
    symbol = world.symbol
    bought = f"BUY,{symbol},10,40,,0,,2020-01-05T15:00:00Z,\n"
    split = "SPLIT,{symbol},{new},,,0,{old},{day}T15:00:00Z,\n"
    own = split.format(symbol=symbol, new=8, old=2, day="2020-01-14")
    sold = f"SELL,{symbol},40,10,,0,,2020-02-03T15:00:00Z,\n"
    # Its own split stands for the instrument's, told once more it is the same; 40 are there to be sold.
    twice = split.format(symbol=symbol, new=4, old=1, day="2020-01-15")
    report = await import_csv(world.actor, world.portfolios[0], bought + own + twice + sold)
    assert statuses(report) == ["OK", "OK", "DUPLICATE", "OK"]
    assert (await quantity(world), [automatic for automatic, *_ in await splits(world)]) == (D(0), [False])
    # Without it the same 40 are there, by the instrument's.
    report = await import_csv(world.actor, world.portfolios[1], bought + sold)
    assert statuses(report) == ["OK", "OK"]
    assert (await quantity(world, 1), await splits(world, 1)) == (D(0), [(True, BEGIN, D(30))])
    # A file of later brings the split that the portfolio has by then.
    assert statuses(await import_csv(world.actor, world.portfolios[1], own)) == ["DUPLICATE"]


async def test_an_import_before_it_is_taken_back_and_comes_again(world: World, sessions: Sessions) -> None:
    """The automatic entry stays and splits nothing meanwhile, and is there again with the shares."""
    await record(world)
    await post(sessions)
    bought = f"BUY,{world.symbol},10,20,,,,{on(0).isoformat()},\n"
    for _ in range(3):
        report = await import_csv(world.actor, world.portfolios[0], bought)
        assert statuses(report) == ["OK"]
        assert await quantity(world) == 40
        assert await world.differences() == []
        assert report.import_id is not None
        await undo_import(world.actor, report.import_id)
        assert await quantity(world) == 0
        assert await world.differences() == []


async def test_a_file_with_the_split_in_it_is_taken_back(world: World, sessions: Sessions) -> None:
    """Its split stood for the instrument's; without it that one is posted to what was held before."""
    await world.buy(0, "10", "100")
    own = f"SPLIT,{world.symbol},4,,,0,1,2020-01-14T15:00:00Z,\n"
    report = await import_csv(world.actor, world.portfolios[0], own)
    await record(world)
    await post(sessions)
    assert await splits(world) == [(False, dt.datetime(2020, 1, 14, 15, tzinfo=dt.UTC), D(30))]
    assert report.import_id is not None
    await undo_import(world.actor, report.import_id)
    assert (await quantity(world), await world.differences()) == (D(40), [])


async def test_a_split_that_is_refused_stands_for_none(world: World, sessions: Sessions) -> None:
    await record(world)
    await post(sessions)
    early = f"SPLIT,{world.symbol},4,,,0,1,2020-01-04T15:00:00Z,\n"
    bought = f"BUY,{world.symbol},10,10,,0,,2020-01-05T15:00:00Z,\n"
    report = await import_csv(world.actor, world.portfolios[0], early + bought, skip_bad=True)
    assert statuses(report) == ["REFUSED", "OK"]
    assert (await quantity(world), await world.differences()) == (D(40), [])
