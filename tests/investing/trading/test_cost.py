"""What an entry of the past costs: as much as what comes after it, however long the history before is."""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal as D
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from db.sessions import Sessions, open_sessions
from tests.investing.trading.world import World, make_world, on
from tests.round_trips import watched

SHORT, LONG = 50, 2000

_HISTORY = """
INSERT INTO transactions (owner_id, id, account_id, portfolio_id, instrument_id, type, quantity, price,
                          amount, commission, currency, cash_delta, quantity_delta, cost_delta, executed_at)
SELECT $1, given.id, $2, $3, i.id, 'BUY', 1, 1, 1, 0, 'USD', -1, 1, 1,
       $5::timestamptz - n * interval '1 minute'
FROM unnest($4::uuid[]) WITH ORDINALITY AS given(id, n), instruments i WHERE i.symbol = 'ABC'
"""
_LOTS = """
INSERT INTO lots (owner_id, id, portfolio_id, instrument_id, transaction_id, number, opened_at,
                  remaining_quantity, remaining_cost)
SELECT owner_id, id, portfolio_id, instrument_id, id, 0, executed_at, 1, 1 FROM transactions
WHERE owner_id = $1 AND type = 'BUY'
"""


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count the statements over sessions of what runs inside."""
    figures: Counter[str] = Counter()

    def executed(*_: Any) -> None:
        figures["statements"] += 1

    event.listen(Engine, "after_cursor_execute", executed)
    try:
        yield figures
    finally:
        event.remove(Engine, "after_cursor_execute", executed)


async def _world(sessions: Sessions, superuser_url: str, length: int) -> World:
    """So many purchases of long ago, all of whose lots are open, and ten entries after them."""
    world = await make_world(sessions, superuser_url)
    connection = await asyncpg.connect(superuser_url)
    ids = [uuid.uuid4() for _ in range(length)]
    history = (world.actor.id, world.account_id, world.portfolios[0], ids, on(0))
    await connection.execute(_HISTORY, *history)
    await connection.execute(
        "INSERT INTO positions (owner_id, id, portfolio_id, instrument_id, quantity, cost_basis, "
        "realized_pnl, realized_pnl_fifo) SELECT $1, $2, $3, id, $4, $4, 0, 0 "
        "FROM instruments WHERE symbol = 'ABC'",
        world.actor.id,
        uuid.uuid4(),
        world.portfolios[0],
        D(length),
    )
    await connection.execute(_LOTS, world.actor.id)
    await connection.execute(
        "UPDATE portfolios SET cash_balance = cash_balance - $2 WHERE owner_id = $1",
        world.actor.id,
        D(length),
    )
    await connection.close()
    for day in range(10, 20, 2):
        await world.buy(day, "3", "2")
        await world.sell(day + 1, "2", "3")
    return world


@pytest.mark.parametrize("kind", ["buy", "sell"])
async def test_the_history_before_costs_nothing(app_url: str, superuser_url: str, kind: str) -> None:
    trips, written = {}, {}
    with watched() as noted:
        async with open_sessions(app_url, size=1) as sessions:
            for length in (SHORT, LONG):
                world = await _world(sessions, superuser_url, length)
                trade = world.buy if kind == "buy" else world.sell
                with noted.counting() as sent, counted() as figures:
                    await trade(9, "1", "4")
                assert figures["statements"] == 0
                trips[length], written[length] = len(sent), noted.written
    # Begun with the lock, read; what is later, the splits that are due, what is held, uses, lots; the later
    # cash of a purchase; written, committed.
    assert trips[SHORT] == trips[LONG] == TRIPS[kind]
    assert written[SHORT] == written[LONG] <= 200


TRIPS = {"buy": 11, "sell": 10}


async def test_the_last_entries_cost_the_same_after_any_history(app_url: str, superuser_url: str) -> None:
    with watched() as noted:
        async with open_sessions(app_url, size=1) as sessions:
            world = await _world(sessions, superuser_url, LONG)
            for trade, day, trips in ((world.buy, 30, 4), (world.sell, 31, 5)):
                with noted.counting() as sent, counted() as figures:
                    await trade(day, "1", "4")
                assert (len(sent), figures["statements"]) == (trips, 0)
            assert await world.differences() == []
    assert dt.datetime.now(dt.UTC) > on(31)
