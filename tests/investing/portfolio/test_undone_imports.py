"""Snapshots after an import was taken back: those of before it, to the last figure."""

from db.sessions import Sessions
from investing.trading.undoing import undo_import
from tests.investing.portfolio.days import stored
from tests.investing.portfolio.test_snapshots import price, refresh_all
from tests.investing.trading.ledgers import import_csv
from tests.investing.trading.world import make_world, on


async def test_as_if_it_had_never_been(sessions: Sessions, superuser_url: str, owner_url: str) -> None:
    """Own: 10 @ 10 on day 1. Imported: 5 @ 11 on day 3 and a fee on day 6, both of which have a price, and
    interest on day 8, on which nothing else is.
    """
    world = await make_world(sessions, superuser_url)
    await world.buy(1, "10", "10")
    await price(owner_url, {1: "10", 2: "11", 3: "12", 6: "11"})
    await refresh_all(world)
    before = await stored(superuser_url, world.portfolios[0])
    rows = f"BUY,ABC,5,11,,,,{on(3).isoformat()},\nFEE,,,,3,,,{on(6).isoformat()},\n"
    rows += f"INTEREST,,,,2,,,{on(8).isoformat()},\n"
    report = await import_csv(world.actor, world.portfolios[0], rows)
    await refresh_all(world)
    assert await stored(superuser_url, world.portfolios[0]) != before
    assert report.import_id is not None
    await undo_import(world.actor, report.import_id)
    await refresh_all(world)
    assert await stored(superuser_url, world.portfolios[0]) == before
