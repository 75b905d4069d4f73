"""Quantities that are adjusted for a split and such as were traded before it: never both, in either order."""

import datetime as dt
from decimal import Decimal as D
from typing import Any

import pytest

from db.sessions import Sessions
from investing.market.splits import record_split
from investing.rules.errors import InvalidInput
from investing.rules.trading.orders import BrokerFees
from investing.rules.trading.splits import SplitRatio
from investing.trading.split_work import Splitting
from investing.trading.undoing import undo_import
from tests.investing.exchange import Exchange
from tests.investing.trading.ledgers import import_csv, statuses
from tests.investing.trading.world import World, make_world

EX_DATE = dt.date(2020, 1, 11)
RAW = (
    r"^The portfolio's quantities before 2020-01-11 are adjusted for the split of that day already: give "
    r"these as adjusted as well, by an import, or reverse those first\.$"
)


@pytest.fixture
async def world(sessions: Sessions, superuser_url: str, exchange: Exchange) -> Any:
    """A user with two portfolios and an instrument of the test's own."""
    made = await make_world(sessions, superuser_url, portfolios=2)
    made.symbol = await exchange.listed()
    return made


async def split(world: World, ex_date: dt.date = EX_DATE) -> None:
    """Records a split of 2 for 1, and has it reach every holding."""
    await record_split(world.actor, world.symbol, SplitRatio(ex_date, D(2), D(1)))
    await Splitting(world.actor.sessions, BrokerFees()).post_due()


async def bring(world: World, *rows: str, adjusted: bool = False) -> list[str]:
    """Imports rows of type, quantity and day; what came of each, or why not."""
    text = "".join(
        f"{type},{world.symbol},{quantity},{price},,,{old},2020-01-{day}T12:00:00Z,\n"
        for type, quantity, day in map(str.split, rows)
        for price, old in [("", "1") if type == "SPLIT" else ("10", "")]
    )
    found = await import_csv(
        world.actor, world.portfolios[0], text, adjusted_quantities=adjusted, skip_bad=True
    )
    told = zip(statuses(found), found.outcomes, strict=True)
    return [str(result.domain_error or status) for status, result in told]


async def told(world: World) -> list[str]:
    """What `verify` says of the user."""
    return [line for line in await world.differences() if str(world.actor.id) in line]


async def quantity(world: World) -> D:
    """What the first portfolio holds."""
    return (await world.position())[0]


async def test_raw_ones_are_refused_beside_adjusted_ones(world: World) -> None:
    await split(world)
    assert await bring(world, "BUY 20 05", adjusted=True) == ["OK"]
    for day in (0, 2, 9.6):
        with pytest.raises(InvalidInput, match=RAW) as refused:
            await world.buy(day, "10", "10")
        assert refused.value.field == ("quantity",)
    with pytest.raises(InvalidInput, match=RAW):
        await world.sell(5, "5", "10")
    (bad, good) = await bring(world, "BUY 10 04", "BUY 7 12")
    assert (bad.startswith("The portfolio's quantities before 2020-01-11"), good) == (True, "OK")
    # From the ex-date on a share is a share; and more adjusted ones come in as ever.
    await world.buy(9.8, "1", "10")
    assert await bring(world, "BUY 2 03", "SELL 4 06", adjusted=True) == ["OK", "OK"]
    assert (await quantity(world), await told(world)) == (D(26), [])


async def test_adjusted_ones_are_refused_beside_raw_ones(world: World) -> None:
    await split(world)
    await world.buy(1, "10", "10")
    refused = "The portfolio has a split of 2020-01-11 after this, which would multiply"
    (bad, good) = await bring(world, "BUY 20 05", "BUY 7 12", adjusted=True)
    assert (bad.startswith(refused), good) == (True, "OK")
    # Also where all of them are sold by then, so that no split was posted.
    await bring(world, "SELL 10 06")
    assert (await quantity(world), await told(world)) == (D(7), [])


async def test_closed_raw_positions_count_as_well(world: World) -> None:
    await split(world)
    assert await bring(world, "BUY 10 02", "SELL 10 03") == ["OK", "OK"]
    (bad,) = await bring(world, "BUY 20 05", adjusted=True)
    assert bad == (
        "The portfolio has quantities before the split of 2020-01-11 as they were traded: reverse them "
        "first, or import this as it was traded."
    )
    assert (await quantity(world), await told(world)) == (D(0), [])


async def test_a_split_of_ones_own_does_not_multiply_adjusted_ones(world: World) -> None:
    await split(world)
    # Nor one in the very file.
    words = "The portfolio's quantities before 2020-01-11 are adjusted for the split of that day already"
    (good, bad) = await bring(world, "BUY 20 05", "SPLIT 2 12", adjusted=True)
    assert (good, bad) == ("OK", "The quantities are adjusted for this split already: leave it out.")
    with pytest.raises(InvalidInput, match=words):
        await world.split(12, "2", "1")
    (bad,) = await bring(world, "SPLIT 2 12")
    assert bad.startswith(words)
    assert (await quantity(world), await told(world)) == (D(20), [])


async def test_once_the_adjusted_ones_are_gone_raw_ones_are_split(world: World) -> None:
    await split(world)
    found = await import_csv(
        world.actor,
        world.portfolios[0],
        f"BUY,{world.symbol},20,10,,,,2020-01-05T12:00:00Z,\n",
        adjusted_quantities=True,
    )
    assert found.import_id is not None
    await undo_import(world.actor, found.import_id)
    await world.buy(1, "10", "10")
    assert (await quantity(world), await told(world)) == (D(20), [])


async def test_who_took_the_split_back_may_have_both(world: World) -> None:
    """As the refusal says: their quantities are adjusted, whoever recorded them."""
    await split(world)
    await world.buy(1, "20", "10")
    (row,) = await world.rows("SELECT id FROM transactions WHERE owner_id = $1 AND is_automatic")
    await world.reverse(row["id"])
    assert await bring(world, "BUY 6 05", adjusted=True) == ["OK"]
    await world.buy(2, "1", "10")
    assert (await quantity(world), await told(world)) == (D(27), [])


async def test_a_split_that_becomes_known_after_both(world: World) -> None:
    """Nothing can be refused any more: the split is not posted, and `verify` says of what."""
    await bring(world, "BUY 20 05", adjusted=True)
    bought = await world.buy(1, "10", "10")
    await split(world)
    (line,) = await told(world)
    assert "shares not adjusted for the split on 2020-01-11, beside adjusted ones, of position" in line
    assert line.endswith("is 10, its transactions and orders make it 20")
    await world.reverse(bought)
    assert (await quantity(world), await told(world)) == (D(20), [])


async def test_shares_that_come_from_a_portfolio_of_raw_ones_are_adjusted(world: World) -> None:
    await split(world)
    await bring(world, "BUY 20 05", adjusted=True)
    await world.buy(1, "10", "10", at=1)
    await world.move(6, "4", 1, 0)
    # Four old shares of six that stay, which are twelve after the split.
    assert [await quantity(world), (await world.position(1))[0]] == [28, 12]
    await world.move(7, "10", 0, 1)
    assert [await quantity(world), (await world.position(1))[0]] == [18, 22]
    assert await told(world) == []


async def test_a_split_that_becomes_known_after_such_a_move(world: World) -> None:
    await bring(world, "BUY 20 05", adjusted=True)
    await world.buy(1, "10", "10", at=1)
    await world.move(6, "4", 1, 0)
    await split(world)
    assert [await quantity(world), (await world.position(1))[0]] == [28, 12]
    assert await told(world) == []
