"""Snapshots by the definition of before: an upgrade marks all of them, and a refresh makes them anew."""

import asyncio

from alembic import command
from alembic.script import ScriptDirectory

from db.schema import _config
from db.sessions import Sessions
from investing.portfolio.snapshots import refresh_due
from tests.investing.portfolio.days import expected, fetch, stored
from tests.investing.portfolio.test_snapshots import day, marks
from tests.investing.trading.world import make_world


async def test_all_are_computed_anew(sessions: Sessions, superuser_url: str, owner_url: str) -> None:
    world = await make_world(sessions, superuser_url, portfolios=2)
    await world.buy(0, "10", "10")
    await refresh_due(sessions)
    config = _config(owner_url)
    earlier = ScriptDirectory.from_config(config).get_revision("0016").down_revision
    assert isinstance(earlier, str)
    await asyncio.to_thread(command.downgrade, config, earlier)
    # By the other definition nor do they hold.
    assert await marks(world) == [day(-1000)] * 2
    await fetch(superuser_url, "UPDATE portfolios SET snapshots_stale_from = NULL")
    await fetch(superuser_url, "DELETE FROM performance_work")
    await asyncio.to_thread(command.upgrade, config, "head")
    assert await marks(world) == [day(-1000)] * 2
    # What others know of trades that were there before is not told anew.
    assert await refresh_due(sessions) == 2
    assert await marks(world) == [None] * 2
    for id in world.portfolios:
        assert await stored(superuser_url, id) == await expected(superuser_url, id)
