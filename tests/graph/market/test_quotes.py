"""quotes: the latest price of each symbol, a few a second at the most, and never the last one left out."""

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.graph.conftest import Api
from tests.graph.stored import Stored
from tests.graph.streams import follow

FOLLOW = "subscription($symbols: [String!]!) { quotes(symbols: $symbols) { symbol price asOf } }"

TICK = """INSERT INTO quotes (instrument_id, price, as_of)
SELECT id, $2::text::numeric, clock_timestamp() FROM instruments WHERE symbol = $1
ON CONFLICT (instrument_id) DO UPDATE SET price = excluded.price, as_of = excluded.as_of"""


async def listed(stored: Stored, **prices: str) -> None:
    for symbol, price in prices.items():
        await asyncio.to_thread(stored.instrument, symbol, price)


async def tick(stored: Stored, symbol: str, price: str) -> None:
    await asyncio.to_thread(stored.rows, TICK, symbol, price)


async def test_first_what_is_and_then_what_moves(register: Callable[[], Api], stored: Stored) -> None:
    api = await asyncio.to_thread(register)
    await listed(stored, QA="10.5", QB="20", QC="30")
    async with follow(api, FOLLOW, symbols=["QB", "QA", "QB"]) as stream:
        first = await stream.some(2)
        assert [(quote["symbol"], quote["price"]) for quote in first] == [("QA", "10.5"), ("QB", "20")]
        await tick(stored, "QC", "31")
        await tick(stored, "QB", "21.25")
        moved = await stream.next()
        assert (moved["symbol"], moved["price"]) == ("QB", "21.25")
        assert moved["asOf"] > first[1]["asOf"]
        assert await stream.is_silent(1.5)


async def test_prices_in_between_are_left_out_and_the_last_one_never(
    register: Callable[[], Api], stored: Stored
) -> None:
    """Two symbols move a hundred times each in two seconds: five events a second, and both end right."""
    api = await asyncio.to_thread(register)
    await listed(stored, QD="1", QE="1")
    async with follow(api, FOLLOW, symbols=["QD", "QE"]) as stream:
        await stream.some(2)
        begun = time.monotonic()

        async def move() -> None:
            for price in range(1, 101):
                await tick(stored, "QD", str(price))
                await tick(stored, "QE", str(-price + 1001))

        moving = asyncio.create_task(move())
        last: dict[str, str] = {}
        events = 0
        while last != {"QD": "100", "QE": "901"}:
            quote = await stream.next()
            last[quote["symbol"]] = quote["price"]
            events += 1
        await moving
        took = time.monotonic() - begun
        assert 2 <= events <= took * 5 + 2
        assert await stream.is_silent(1.5)


async def test_what_cannot_be_followed(register: Callable[[], Api], stored: Stored) -> None:
    api = await asyncio.to_thread(register)
    await listed(stored, QF="1")
    wrong: list[tuple[list[Any], str]] = [
        (["QF", "NONE"], "There is no instrument NONE."),
        ([], "Follow 1 to 100 symbols."),
        (["QF"] * 101, "Follow 1 to 100 symbols."),
    ]
    for symbols, message in wrong:
        async with follow(api, FOLLOW, symbols=symbols) as stream:
            (error,) = await stream.errors()
        assert (error["message"], error["extensions"]) == (
            message,
            {"code": "BAD_USER_INPUT", "field": "symbols"},
        )


async def test_an_instrument_without_a_price_is_told_once_it_has_one(
    register: Callable[[], Api], stored: Stored
) -> None:
    api = await asyncio.to_thread(register)
    await asyncio.to_thread(stored.instrument, "QG")
    async with follow(api, FOLLOW, begins=True, symbols=["QG"]) as stream:
        await tick(stored, "QG", "7")
        assert Decimal((await stream.next())["price"]) == 7
