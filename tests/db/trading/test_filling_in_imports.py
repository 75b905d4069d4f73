"""Imports of before they could be undone: the migration finds their transactions in their reports."""

import asyncio
import uuid
from decimal import Decimal

import asyncpg
from alembic import command
from alembic.script import ScriptDirectory

from db.schema import _config
from db.sessions import Sessions, open_sessions
from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.rules.trading.import_rows import ImportRow
from investing.trading.importing import import_rows_once
from investing.trading.undoing import undo_import
from tests.investing.trading.world import make_world, on

STORED = """SELECT m.id, m.format, m.transaction_count, m.reversed_at,
    ARRAY(SELECT t.id FROM transactions t WHERE t.owner_id = m.owner_id AND t.import_id = m.id ORDER BY t.id)
    FROM imports m ORDER BY m.id"""


async def _stored(url: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(STORED)]
    finally:
        await connection.close()


async def test_imports_of_before_can_be_undone(
    sessions: Sessions, superuser_url: str, owner_url: str, app_url: str
) -> None:
    """Two rows, one of them refused; and an import that wrote nothing, which stays one."""
    world = await make_world(sessions, superuser_url)
    good = ImportRow(1, TransactionType.DEPOSIT, on(0), amount=Decimal(7))
    bad = ImportRow(2, TransactionType.WITHDRAWAL, on(0), amount=Decimal(-1))
    for rows in ([good, bad], [good]):
        given = {"skip_bad": True, "idempotency_key": str(uuid.uuid4())}
        await import_rows_once(world.actor, world.portfolios[0], rows, **given)  # type: ignore[arg-type]
    before = await _stored(superuser_url)
    assert [(row[1], row[2], len(row[4])) for row in before] == [("api", 1, 1), ("api", 0, 0)]  # type: ignore[arg-type]
    config = _config(owner_url)
    earlier = ScriptDirectory.from_config(config).get_revision("0017").down_revision
    assert isinstance(earlier, str)
    await asyncio.to_thread(command.downgrade, config, earlier)
    await asyncio.to_thread(command.upgrade, config, "head")
    assert await _stored(superuser_url) == before
    async with open_sessions(app_url) as opened:
        actor = Actor(world.actor.id, opened, world.actor.client)
        assert await undo_import(actor, before[0][0]) == 1  # type: ignore[arg-type]
