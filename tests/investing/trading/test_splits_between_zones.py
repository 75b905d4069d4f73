"""Shares that move between accounts of two time zones while a split has begun in one of them alone.

The split of 2 for 1 begins on 10 January 2020 at 15:00 UTC in Tokyo, and on the 11th at 05:00 in New York.
What moves at 20:00 between them is new shares in Tokyo and old ones in New York, at one cost.
"""

import datetime as dt
from decimal import Decimal as D
from typing import Any

import pytest

from db.sessions import Sessions
from db.vocabulary import AccountType, Broker, TransactionType
from investing.account.service import NewAccount, change_account, create_account
from investing.market.splits import record_split
from investing.rules.errors import InsufficientShares
from investing.rules.trading.orders import BrokerFees
from investing.rules.trading.splits import SplitRatio
from investing.trading.split_work import Splitting
from investing.trading.undoing import undo_import
from tests.investing.exchange import Exchange
from tests.investing.trading.ledgers import exported, import_csv, statuses
from tests.investing.trading.world import START, World, make_world, on, open_portfolio

EX_DATE = dt.date(2020, 1, 11)
IN_TOKYO = dt.datetime(2020, 1, 10, 15, tzinfo=dt.UTC)
IN_NEW_YORK = dt.datetime(2020, 1, 11, 5, tzinfo=dt.UTC)
NEW_YORK, TOKYO = 0, 1
"""Places of portfolios."""

_IN = TransactionType.TRANSFER_IN


def day(text: str) -> float:
    """The days from the world's start to an instant of January 2020."""
    return (dt.datetime.fromisoformat(f"2020-01-{text}:00Z") - START) / dt.timedelta(days=1)


BETWEEN = day("10T20:00")


@pytest.fixture
async def world(sessions: Sessions, superuser_url: str, exchange: Exchange) -> Any:
    """A portfolio of an account in New York, one of an account in Tokyo, and an instrument.

    After the test `verify` finds nothing.
    """
    made = await make_world(sessions, superuser_url)
    new = NewAccount("Tokyo", Broker.PAPER, AccountType.CASH, "USD", D(1_000_000), True, "Asia/Tokyo")
    made.portfolios.append(await open_portfolio(made.actor, await create_account(made.actor, new), "T"))
    made.symbol = await exchange.listed()
    yield made
    assert [line for line in await made.differences() if str(made.actor.id) in line] == []


async def split(world: World, new: str = "2", old: str = "1") -> None:
    """Records the split, and has it reach every holding."""
    await record_split(world.actor, world.symbol, SplitRatio(EX_DATE, D(new), D(old)))
    await Splitting(world.actor.sessions, BrokerFees()).post_due()


async def held(world: World) -> list[tuple[D, ...]]:
    """Quantity and cost of both portfolios."""
    return [(await world.position(at) or (D(0), D(0)))[:2] for at in (NEW_YORK, TOKYO)]


async def gift(world: World, at: int) -> None:
    """Ten shares at a cost of 1000, long before the split."""
    await world.record(_IN, 1, "10", amount="1000", at=at)


FIRST = pytest.mark.parametrize("first", ["split", "transfer"])
"""What becomes known first."""


@FIRST
async def test_new_shares_of_tokyo_are_fewer_old_ones_in_new_york(world: World, first: str) -> None:
    await gift(world, TOKYO)
    if first == "split":
        await split(world)
    await world.move(BETWEEN, "8", TOKYO, NEW_YORK)
    if first == "transfer":
        await split(world)
    # 8 of 20 new shares go, which are 4 old ones, and 8 again in the morning.
    assert await held(world) == [(D(8), D(400)), (D(12), D(600))]
    assert await world.lots(NEW_YORK) == [(on(1), D(8), D(400))]
    moved = await world.rows(
        "SELECT quantity_delta::numeric(10, 2)::text AS n, cost_delta::numeric(10, 2)::text AS c "
        "FROM transactions WHERE owner_id = $1 AND transfer_id IS NOT NULL AND instrument_id IS NOT NULL "
        "ORDER BY id"
    )
    assert [(row["n"], row["c"]) for row in moved] == [("-8.00", "-400.00"), ("4.00", "400.00")]


@FIRST
async def test_old_shares_of_new_york_are_more_new_ones_in_tokyo(world: World, first: str) -> None:
    await gift(world, NEW_YORK)
    if first == "split":
        await split(world)
    await world.move(BETWEEN, "4", NEW_YORK, TOKYO)
    if first == "transfer":
        await split(world)
    assert await held(world) == [(D(12), D(600)), (D(8), D(400))]


@pytest.mark.parametrize(("at", "moved"), [("10T14:59", "4"), ("11T05:00", "8")])
async def test_outside_of_those_hours_shares_are_the_same_in_both(world: World, at: str, moved: str) -> None:
    await gift(world, TOKYO)
    await split(world)
    await world.move(day(at), moved, TOKYO, NEW_YORK)
    assert await held(world) == [(D(8), D(400)), (D(12), D(600))]


async def test_a_reverse_split_is_rounded_once_for_all_lots(world: World) -> None:
    for _ in range(3):
        await world.record(_IN, 1, "1", amount="10", at=NEW_YORK)
    await split(world, "1", "3")
    await world.move(BETWEEN, "3", NEW_YORK, TOKYO)
    # Three lots of a third each are exactly one share.
    assert await held(world) == [(D(0), D(0)), (D(1), D(30))]
    assert len(await world.lots(TOKYO)) == 3


async def test_an_earlier_entry_posts_the_transfer_again(world: World) -> None:
    """By hand, by a file, and by what takes it back."""
    await gift(world, TOKYO)
    await split(world)
    await world.move(BETWEEN, "8", TOKYO, NEW_YORK)
    await world.record(_IN, 0, "10", amount="500", at=TOKYO)
    # 20 old shares for 1500 are 40 new ones: 8 of them cost 300.
    assert await held(world) == [(D(8), D(300)), (D(32), D(1200))]
    row = f"TRANSFER_IN,{world.symbol},20,,1500,0,,2020-01-03T12:00:00Z,\n"
    report = await import_csv(world.actor, world.portfolios[TOKYO], row)
    assert statuses(report) == ["OK"]
    assert await held(world) == [(D(8), D(300)), (D(72), D(2700))]
    assert report.import_id is not None
    await undo_import(world.actor, report.import_id)
    assert await held(world) == [(D(8), D(300)), (D(32), D(1200))]


async def test_an_export_has_what_came_in(world: World) -> None:
    await gift(world, TOKYO)
    await split(world)
    await world.move(BETWEEN, "8", TOKYO, NEW_YORK)
    text = await exported(world.actor, world.portfolios[NEW_YORK])
    world.portfolios.append(await open_portfolio(world.actor, world.account_id, "Again"))
    for at in (2, 2, NEW_YORK):
        assert {
            result.status for result in (await import_csv(world.actor, world.portfolios[at], text)).outcomes
        }
        assert (await world.position(at))[:2] == (D(8), D(400))
        assert await world.lots(at) == [(on(1) if at == NEW_YORK else on(BETWEEN), D(8), D(400))]


async def test_it_is_taken_back(world: World) -> None:
    await gift(world, TOKYO)
    await split(world)
    await world.reverse(await world.move(BETWEEN, "8", TOKYO, NEW_YORK))
    assert await held(world) == [(D(0), D(0)), (D(20), D(1000))]


async def test_shares_go_on_to_a_third_portfolio(world: World) -> None:
    world.portfolios.append(await open_portfolio(world.actor, world.account_id, "Third"))
    await gift(world, TOKYO)
    await world.move(BETWEEN, "8", TOKYO, NEW_YORK)
    await world.move(day("12T12:00"), "8", NEW_YORK, 2)
    await split(world)
    assert await held(world) == [(D(0), D(0)), (D(12), D(600))]
    assert (await world.position(2))[:2] == (D(8), D(400))


async def test_a_sale_of_more_than_the_converted_shares_is_refused(world: World) -> None:
    await gift(world, TOKYO)
    await split(world)
    await world.move(BETWEEN, "8", TOKYO, NEW_YORK)
    with pytest.raises(InsufficientShares, match="5 shares are needed on 2020-01-10, 4 are held"):
        await world.sell(day("10T21:00"), "5", "10", at=NEW_YORK)


@FIRST
async def test_ones_own_entry_decides_when_its_shares_are_new(world: World, first: str) -> None:
    """Tokyo's statement has the split three days late: until then its shares are old ones."""
    await gift(world, TOKYO)
    await world.split(day("13T12:00"), "2", "1", TOKYO)
    if first == "split":
        await split(world)
    await world.move(BETWEEN, "4", TOKYO, NEW_YORK)
    await world.move(day("12T12:00"), "2", TOKYO, NEW_YORK)
    if first == "transfer":
        await split(world)
    # 4 old ones while both are old; 2 more, which are 4 new ones in New York by then; 4 are left, and 8.
    assert await held(world) == [(D(12), D(600)), (D(8), D(400))]


async def test_ones_own_entry_that_comes_later_or_goes(world: World) -> None:
    """What moved in between is converted by what stands, whenever that was recorded."""
    await split(world)
    await gift(world, NEW_YORK)
    await world.move(day("12T12:00"), "8", NEW_YORK, TOKYO)
    assert await held(world) == [(D(12), D(600)), (D(8), D(400))]
    # Nothing was held in Tokyo on the ex-date; its statement has the split on the 13th, when 8 were 4 before.
    own = await world.split(day("13T12:00"), "2", "1", TOKYO)
    assert await held(world) == [(D(12), D(600)), (D(8), D(400))]
    await world.reverse(own)
    assert await held(world) == [(D(12), D(600)), (D(8), D(400))]


async def test_a_change_of_zone_makes_it_one_of_equal_shares(world: World) -> None:
    await gift(world, TOKYO)
    await split(world)
    await world.move(BETWEEN, "8", TOKYO, NEW_YORK)
    await change_account(world.actor, world.account_id, time_zone="Asia/Tokyo")
    assert await held(world) == [(D(8), D(400)), (D(12), D(600))]
    await change_account(world.actor, world.account_id, time_zone="America/New_York")
    assert await held(world) == [(D(8), D(400)), (D(12), D(600))]
