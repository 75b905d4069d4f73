"""Ledgers from before lots knew what used them: the migration works out what the ledger would have stored."""

import asyncio
import uuid
from decimal import Decimal

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory

from db.schema import _config
from db.sessions import Sessions, open_sessions
from db.trading.verification import verify_all
from db.vocabulary import TransactionType
from tests.investing.trading.world import World, make_world

STORED = (
    "SELECT transaction_id, lot_transaction_id, lot_number, quantity_delta, cost_delta, gain FROM lot_uses "
    "ORDER BY 1, 2",
    "SELECT id, quantity_delta, cost_delta, realized_pnl, realized_pnl_fifo FROM transactions ORDER BY id",
    "SELECT id, quantity, cost_basis, realized_pnl, realized_pnl_fifo FROM positions ORDER BY id",
    "SELECT id, transaction_id, number, opened_at, remaining_quantity, remaining_cost FROM lots ORDER BY id",
)


async def _trade(world: World) -> None:
    for at in (0, 1):
        await world.buy(1, "3.1234567891", "10.0000000003", "1.01", at)
        await world.buy(3, "1.7", "9.99", at=at)
        await world.sell(4, "4.0000000001", "12.3456789", "1", at)
        await world.split(5, "3", "2", at)
        await world.record(TransactionType.TRANSFER_OUT, 6, "0.1", at=at)
        await world.record(TransactionType.TRANSFER_IN, 7, "5", amount="33.33", at=at)
        await world.sell(8, "2.2222222222", "7", at=at)
        await world.record(TransactionType.DIVIDEND, 9, amount="3", at=at)


async def _stored(url: str) -> list[list[tuple[object, ...]]]:
    connection = await asyncpg.connect(url)
    try:
        return [[tuple(row) for row in await connection.fetch(query)] for query in STORED]
    finally:
        await connection.close()


async def test_what_was_there_before_is_filled_in(
    sessions: Sessions, superuser_url: str, owner_url: str, app_url: str
) -> None:
    for _ in range(2):
        await _trade(await make_world(sessions, superuser_url, portfolios=2))
    before = await _stored(superuser_url)
    assert [len(rows) for rows in before] == [4 * 6, 4 * 9, 4, 4 * 3]
    config = _config(owner_url)
    earlier = ScriptDirectory.from_config(config).get_revision("0005").down_revision
    assert isinstance(earlier, str)
    await asyncio.to_thread(command.downgrade, config, earlier)
    await asyncio.to_thread(command.upgrade, config, "head")
    assert await _stored(superuser_url) == before
    async with open_sessions(app_url) as opened:
        found = await verify_all(opened, lambda step, done, total: None)
    assert (found.users, found.differences) == (2, [])


async def test_the_server_sees_its_viewer_s_uses_alone(superuser_url: str, app_url: str) -> None:
    connection = await asyncpg.connect(app_url)
    assert await connection.fetchval("SELECT count(*) FROM lot_uses") == 0
    owner = await asyncpg.connect(superuser_url)
    ((id, total), *_) = await owner.fetch("SELECT owner_id, count(*) FROM lot_uses GROUP BY 1")
    await connection.execute("SELECT set_config('app.user_id', $1, false)", str(id))
    assert await connection.fetchval("SELECT count(*) FROM lot_uses") == total == 12
    ((*key,),) = await connection.fetch(
        "SELECT transaction_id, lot_transaction_id, lot_number FROM lot_uses LIMIT 1"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await connection.execute(
            "INSERT INTO lot_uses VALUES ($1, $2, $3, $4, $5, 0, NULL)", uuid.uuid4(), *key, Decimal(1)
        )
    await connection.close()
    await owner.close()
