"""A symbol that changes: the instrument, and all that is held of it, stay what they are."""

import asyncio

import asyncpg
import pytest

from db.sessions import Sessions
from investing.market.renaming import rename_symbol
from investing.rules.errors import InvalidInput, NameTaken, UnknownInstrument
from tests.investing.trading.world import World, make_world
from tests.market_rows import rows


@pytest.fixture(scope="module")
async def world(sessions: Sessions, superuser_url: str) -> World:
    made = await make_world(sessions, superuser_url)
    await made.buy(1, "3", "10")
    connection = await asyncpg.connect(superuser_url)
    await connection.execute(
        """UPDATE portfolios SET symbols = '{ABC,XYZ}', target_weights = '{"XYZ": "0.4", "ABC": "0.6"}'"""
    )
    await connection.execute(
        "INSERT INTO instruments (id, symbol, name, asset_class, currency) "
        "VALUES (gen_random_uuid(), 'XYZ', 'XYZ', 'EQUITY', 'USD')"
    )
    await connection.close()
    return made


def test_what_cannot_be_renamed(world: World, owner_url: str) -> None:
    with pytest.raises(UnknownInstrument, match=r"^There is no instrument NIL\.$"):
        rename_symbol(owner_url, "NIL", "NEW")
    for taken in ("XYZ", "ABC"):
        with pytest.raises(NameTaken, match=rf"^There is already an instrument {taken}\.$"):
            rename_symbol(owner_url, "ABC", taken)
    with pytest.raises(InvalidInput, match=r"^'a;b' is not a symbol"):
        rename_symbol(owner_url, "ABC", "a;b")
    assert rows(owner_url, "SELECT symbol FROM instruments ORDER BY 1") == [("ABC",), ("XYZ",)]


async def test_everything_stays_but_the_name(world: World, owner_url: str) -> None:
    before = await world.rows("SELECT id, instrument_id FROM positions WHERE owner_id = $1")
    await asyncio.to_thread(rename_symbol, owner_url, "ABC", "META")
    assert await world.rows("SELECT id, instrument_id FROM positions WHERE owner_id = $1") == before
    found = await world.rows(
        "SELECT i.symbol FROM transactions t JOIN instruments i ON i.id = t.instrument_id "
        "WHERE t.owner_id = $1"
    )
    assert found == [{"symbol": "META"}]
    requests = await world.rows("SELECT symbols, target_weights FROM portfolios WHERE owner_id = $1")
    assert requests == [{"symbols": ["META", "XYZ"], "target_weights": {"XYZ": "0.4", "META": "0.6"}}]
    world.symbol = "META"
    await world.sell(2, "1", "12")
    assert await world.differences() == []


async def test_ones_own_by_itself(
    world: World, sessions: Sessions, superuser_url: str, owner_url: str
) -> None:
    """A user's own changes its name alone; a shared one takes none that somebody has for their own."""
    other = await make_world(sessions, superuser_url)
    connection = await asyncpg.connect(superuser_url)
    for id in (world.actor.id, other.actor.id):
        await connection.execute(
            "INSERT INTO instruments (id, symbol, name, asset_class, currency, owner_id) "
            "VALUES (gen_random_uuid(), 'OWN', 'OWN', 'OTHER', 'USD', $1)",
            id,
        )
    await connection.execute("UPDATE portfolios SET symbols = '{OWN}', target_weights = NULL")
    await connection.close()
    for taken in ("XYZ", "OWN"):
        with pytest.raises(NameTaken, match=rf"^There is already an instrument {taken}\.$"):
            await asyncio.to_thread(rename_symbol, owner_url, "OWN", taken, other.actor.id)
    with pytest.raises(UnknownInstrument):
        await asyncio.to_thread(rename_symbol, owner_url, "OWN", "NEW")
    with pytest.raises(NameTaken, match=r"^2 of the users have an instrument OWN of their own: "):
        await asyncio.to_thread(rename_symbol, owner_url, "XYZ", "OWN")
    await asyncio.to_thread(rename_symbol, owner_url, "OWN", "HOUSE", other.actor.id)
    for one, symbol in ((world, "OWN"), (other, "HOUSE")):
        own = "SELECT symbol FROM instruments WHERE owner_id = $1"
        assert await one.rows(own) == [{"symbol": symbol}]
        requests = await one.rows("SELECT DISTINCT symbols FROM portfolios WHERE owner_id = $1")
        assert requests == [{"symbols": [symbol]}]
