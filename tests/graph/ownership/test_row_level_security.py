"""What the database itself refuses to raw SQL as the role that the server uses."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.graph.ownership import stored
from tests.graph.ownership.conftest import World

Connection = Any

WITHOUT_AN_OWNER = {
    "alembic_version": {"SELECT"},
    "alert_checks": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "alert_watches": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "delivery_work": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "change_counters": {"SELECT", "INSERT", "UPDATE"},
    "instrument_splits": {"SELECT", "INSERT"},
    "login_attempts": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "logins": {"SELECT", "INSERT"},
    "market_feeds": {"SELECT", "INSERT", "UPDATE"},
    "order_work": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "performance_work": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "paper_executions": {"SELECT", "INSERT", "UPDATE"},
    "paper_orders": {"SELECT", "INSERT", "UPDATE"},
    "pgqueuer_log": {"SELECT"},
    "pgqueuer_schedules": {"SELECT", "INSERT", "UPDATE"},
    "rebalance_due": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "rebalance_work": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "split_work": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "users": {"SELECT", "INSERT", "UPDATE"},
}
"""The tables without an owner's policy, with all that the server may do to them; users own themselves."""

SHARED = {"instruments", "price_bars", "quotes"}
"""Tables whose rows have an owner or are everybody's."""

APPEND_ONLY = ("audit_log", "transactions")
DERIVED = {"quantity_delta", "cost_delta", "realized_pnl", "realized_pnl_fifo"}
"""What follows from the transactions before one, and so is refreshed when one of those changes."""

SECURITY = """
SELECT c.relname AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
       c.relowner::regrole::text AS owner,
       (SELECT array_agg(polname::text || ' ' || polcmd::text ORDER BY polname)
        FROM pg_policy WHERE polrelid = c.oid) AS policies
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1
"""


@pytest.fixture
async def admin(superuser_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(superuser_url)
    yield connection
    await connection.close()


@pytest.fixture
async def app(app_url: str) -> AsyncIterator[Connection]:
    """A connection of the server's role, on nobody's behalf."""
    connection = await asyncpg.connect(app_url)
    assert (
        await connection.fetchval("SELECT current_user || ' ' || session_user")
        == "graphfolio_app graphfolio_app"
    )
    yield connection
    await connection.close()


async def act_for(connection: Connection, person: Any) -> None:
    """From now on on this person's behalf."""
    await connection.execute("SELECT set_config('app.user_id', $1, false)", str(person.owner_id))


async def owners(admin: Connection) -> dict[str, str]:
    """Every table whose rows have an owner, with the column that names it."""
    return {**dict.fromkeys(await stored.owned_tables(admin), "owner_id"), "users": "id"}


async def attempt(connection: Connection, statement: str, *arguments: object) -> str:
    """What became of it, undone: the command's tag, or the error's name."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        return str(await connection.execute(statement, *arguments))
    except asyncpg.PostgresError as error:
        return type(error).__name__
    finally:
        await transaction.rollback()


async def test_every_table_is_secured(admin: Connection) -> None:
    """Enabled, forced upon the tables' owner too, and with the policy; or listed as having no owner."""
    found = {row["name"]: row for row in await admin.fetch(SECURITY)}
    owned = await owners(admin)
    assert set(found) == set(owned) | set(WITHOUT_AN_OWNER)
    for name in owned:
        row = found[name]
        policies = ["market r"] if name in SHARED else []
        policies += ["administrator r"] if name == "users" else []
        assert (row["enabled"], row["forced"], row["policies"]) == (
            True,
            True,
            sorted([*policies, "owner *"]),
        ), name
    assert {row["owner"] for row in found.values()} == {"graphfolio_owner"}
    views = await admin.fetch(
        "SELECT reloptions FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace"
    )
    assert views
    assert all(view["reloptions"] == ["security_invoker=true"] for view in views)
    definers = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
    assert await admin.fetchval(definers) == 0


async def test_nobody_sees_nothing(world: World, admin: Connection, app: Connection) -> None:
    # That of the splits is of the market alone.
    views = await admin.fetch(
        "SELECT viewname FROM pg_views WHERE schemaname = 'public' AND viewname <> 'split_factors'"
    )
    for viewer in (None, "", world.holder.missing("User")):
        if viewer is not None:
            await app.execute("SELECT set_config('app.user_id', '', false)")
        if viewer:
            missing = str(world.holder.neighbour(world.holder.owner_id))
            await app.execute("SELECT set_config('app.user_id', $1, false)", missing)
        for table in (*await owners(admin), *(view["viewname"] for view in views)):
            shared = " WHERE owner_id IS NOT NULL" if table in SHARED else ""
            assert await app.fetchval(f"SELECT count(*) FROM {table}{shared}") == 0, table
    # Whoever follows all prices sees those of everybody's own, and changes none.
    await app.execute("SELECT set_config('app.market', 'on', false)")
    for table in sorted(SHARED):
        assert await app.fetchval(f"SELECT count(*) FROM {table} WHERE owner_id IS NOT NULL") > 0
    assert await attempt(app, "UPDATE quotes SET price = 1 WHERE owner_id IS NOT NULL") == "UPDATE 0"


async def test_one_reaches_nothing_of_anothers(world: World, admin: Connection, app: Connection) -> None:
    """Another's rows are not seen, changed, deleted or made, and one's own not given away."""
    await act_for(app, world.stranger)
    holder, stranger = world.holder.owner_id, world.stranger.owner_id
    with_denied = {"InsufficientPrivilegeError"}
    for table, owner in (await owners(admin)).items():
        theirs = f"{owner} = '{holder}'"
        assert await app.fetchval(f"SELECT count(*) FROM {table} WHERE {theirs}") == 0, table
        assert await app.fetchval(f"SELECT count(*) FROM {table}") > 0, table
        column = "realized_pnl" if table == "transactions" else owner
        assert await attempt(app, f"UPDATE {table} SET {column} = {column} WHERE {theirs}") in {
            "UPDATE 0",
            *with_denied,
        }
        assert await attempt(app, f"DELETE FROM {table} WHERE {theirs}") in {"DELETE 0", *with_denied}
        record = await admin.fetchval(f"SELECT to_jsonb(t)::text FROM {table} t WHERE {theirs} LIMIT 1")
        insert = f"INSERT INTO {table} SELECT (jsonb_populate_record(null::{table}, $1::jsonb)).*"
        assert await attempt(app, insert, record) == "InsufficientPrivilegeError", table
        given_away = f"UPDATE {table} SET {owner} = '{holder}' WHERE {owner} = '{stranger}'"
        assert await attempt(app, given_away) == "InsufficientPrivilegeError", table


POINTERS = """
SELECT c.conrelid::regclass::text AS source, a.attname AS pointer, c.confrelid::regclass::text AS target,
       f.attname AS key
FROM pg_constraint c
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[2]
JOIN pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = c.confkey[2]
WHERE c.contype = 'f' AND array_length(c.conkey, 1) > 1
"""
"""Every foreign key that begins with the owner, by its second column."""


KEY_OF = {
    "delivery_work": "delivery_id",
    "watchlist_items": "watchlist_id",
    "order_work": "order_id",
    "performance_work": "portfolio_id",
    "lot_uses": "transaction_id",
    "rebalance_legs": "rebalance_id",
    "rebalance_work": "rebalance_id",
    "rebalance_due": "portfolio_id",
    "alert_watches": "rule_id",
}
"""What names a row of a table without an id."""


async def test_a_row_points_at_nothing_of_anothers(world: World, admin: Connection) -> None:
    """Not even the superuser can make a row of the stranger's point at a row of the holder's."""
    pointers = await admin.fetch(POINTERS)
    assert len(pointers) > 10
    for source, pointer, target, named in pointers:
        holder = world.holder.owner_id
        theirs = f"(SELECT {named} FROM {target} WHERE owner_id = '{holder}' ORDER BY {named} LIMIT 1)"
        key = KEY_OF.get(source, "id")
        stranger = world.stranger.owner_id
        ours = f"(SELECT {key} FROM {source} WHERE owner_id = '{stranger}' ORDER BY {key} LIMIT 1)"
        update = f"UPDATE {source} SET {pointer} = {theirs} WHERE {key} = {ours}"
        assert await attempt(admin, update) == "ForeignKeyViolationError", (source, pointer)


async def test_what_the_servers_role_may_do(world: World, admin: Connection, app: Connection) -> None:
    """It owns nothing, bypasses nothing, becomes nobody else, and writes neither history nor prices."""
    await act_for(app, world.stranger)
    role = await admin.fetchrow("SELECT * FROM pg_roles WHERE rolname = 'graphfolio_app'")
    powers = ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication")
    assert [power for power in powers if role[power]] == []
    owned = "SELECT count(*) FROM pg_class WHERE relowner = 'graphfolio_app'::regrole"
    assert await admin.fetchval(owned) == 0
    member = "SELECT count(*) FROM pg_auth_members WHERE member = 'graphfolio_app'::regrole"
    assert await admin.fetchval(member) == 0
    for become in ("graphfolio_owner", "postgres"):
        assert await attempt(app, f"SET ROLE {become}") == "InsufficientPrivilegeError"
    assert await attempt(app, "SET SESSION AUTHORIZATION graphfolio_owner") == "InsufficientPrivilegeError"
    for table in APPEND_ONLY:
        assert await attempt(app, f"DELETE FROM {table}") == "InsufficientPrivilegeError"
        assert await attempt(app, f"TRUNCATE {table}") == "InsufficientPrivilegeError"
        for column in await _columns(admin, table):
            allowed = table == "transactions" and column in DERIVED
            outcome = await attempt(app, f"UPDATE {table} SET {column} = {column}")
            assert (outcome != "InsufficientPrivilegeError") == allowed, (table, column)
    for table in await owners(admin):
        for change in ("DISABLE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY"):
            assert await attempt(app, f"ALTER TABLE {table} {change}") == "InsufficientPrivilegeError"
        assert await attempt(app, f"DROP POLICY owner ON {table}") == "InsufficientPrivilegeError"
    # Switched off, the database refuses the query rather than answer it unfiltered.
    await app.execute("SET row_security = off")
    for table in await owners(admin):
        assert await attempt(app, f"SELECT FROM {table}") == "InsufficientPrivilegeError"


@pytest.mark.parametrize("table", sorted(WITHOUT_AN_OWNER))
async def test_what_it_may_do_where_nobody_owns(admin: Connection, table: str) -> None:
    """No policy helps there, so the rights themselves are as few as they can be."""
    may = {
        right
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
        if await admin.fetchval("SELECT has_table_privilege('graphfolio_app', $1, $2)", table, right)
    }
    assert may == WITHOUT_AN_OWNER[table]


async def _columns(admin: Connection, table: str) -> list[str]:
    rows = await admin.fetch(
        "SELECT attname FROM pg_attribute "
        "WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
        table,
    )
    return [row["attname"] for row in rows]
