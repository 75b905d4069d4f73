"""What transactions did to tax lots is their owner's alone, as row-level security sees it."""

import uuid
from decimal import Decimal

import asyncpg
import pytest

from db.sessions import Sessions
from tests.investing.trading.world import make_world


async def test_the_server_sees_its_viewer_s_uses_alone(
    sessions: Sessions, superuser_url: str, app_url: str
) -> None:
    for _ in range(2):
        world = await make_world(sessions, superuser_url)
        await world.buy(1, "3", "10")
        await world.sell(2, "1", "12")
    connection = await asyncpg.connect(app_url)
    assert await connection.fetchval("SELECT count(*) FROM lot_uses") == 0
    await connection.execute("SELECT set_config('app.user_id', $1, false)", str(world.actor.id))
    assert await connection.fetchval("SELECT count(*) FROM lot_uses") == 1
    ((*key,),) = await connection.fetch(
        "SELECT transaction_id, lot_transaction_id, lot_number FROM lot_uses LIMIT 1"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await connection.execute(
            "INSERT INTO lot_uses VALUES ($1, $2, $3, $4, $5, 0, NULL)", uuid.uuid4(), *key, Decimal(1)
        )
    await connection.close()
