"""`verify` finds nothing in what the ledger wrote, and everything that was changed behind its back."""

import re

import asyncpg
import pytest

from db.sessions import Sessions
from db.trading.verification import verify_all
from db.vocabulary import TransactionType
from tests.investing.trading.world import World, make_world


def cooldown(step: str, done: int, total: int) -> None:
    """Reports nothing."""


@pytest.fixture(scope="module")
async def world(sessions: Sessions, superuser_url: str) -> World:
    """Two portfolios with every kind of entry, some of them back-dated, reversed or transferred."""
    made = await make_world(sessions, superuser_url, portfolios=2)
    await made.buy(1, "3.1234567891", "10.0000000003", "1.01")
    await made.buy(5, "7", "11.37", "0.99")
    await made.sell(9, "4.5", "12.5", "1")
    await made.buy(3, "1.7", "9.99")
    await made.sell(7, "0.3333333333", "12")
    await made.split(20, "3", "2")
    await made.record(TransactionType.TRANSFER_OUT, 21, "1")
    await made.record(TransactionType.DIVIDEND, 22, amount="3.21")
    await made.sell(23, "2", "8.5")
    await made.reverse(await made.sell(8, "0.25", "13"))
    await made.buy(23.5, "1.1", "10")
    await made.move(24, "8")
    await made.sell(25, "0.75", "14", at=1)
    return made


async def test_the_ledger_agrees_with_its_transactions(sessions: Sessions, world: World) -> None:
    found = await verify_all(sessions, cooldown)
    assert found.differences == []
    # A deposit for each portfolio, ten entries, a sale with its reversal, two of a transfer, and a sale.
    assert (found.users, found.transactions) == (1, 17)


FIRST = "(SELECT portfolio_id FROM lots GROUP BY 1 ORDER BY count(*) DESC LIMIT 1)"
OPEN = "remaining_quantity > 0 AND number = 1"
IN = "UPDATE transactions SET {} WHERE type = 'TRANSFER_IN' AND instrument_id IS NOT NULL"
USED = "WHERE gain IS NOT NULL AND transaction_id = (SELECT id FROM transactions WHERE type = 'SELL' AND {})"


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (
            f"UPDATE portfolios SET cash_balance = cash_balance + 0.0000000001 WHERE id = {FIRST}",
            ["cash of portfolio"],
        ),
        ("UPDATE accounts SET unallotted_cash = unallotted_cash + 1", ["unallotted cash of account"]),
        (
            f"UPDATE positions SET quantity = quantity + 1 WHERE portfolio_id = {FIRST}",
            ["quantity of position", "replayed quantity of position"],
        ),
        (
            f"UPDATE positions SET cost_basis = cost_basis + 0.0000000001 WHERE portfolio_id = {FIRST}",
            ["cost basis of position"],
        ),
        (
            f"UPDATE positions SET realized_pnl = realized_pnl + 1 WHERE portfolio_id = {FIRST}",
            ["realized gain of position"],
        ),
        (
            f"UPDATE positions SET realized_pnl_fifo = 0 WHERE portfolio_id = {FIRST}",
            ["realized gain by FIFO of position"],
        ),
        (
            f"UPDATE lots SET remaining_quantity = remaining_quantity + 1 WHERE {OPEN}",
            ["quantity of the lot of transaction"],
        ),
        (
            f"UPDATE lots SET remaining_cost = remaining_cost - 0.0000000001 WHERE {OPEN}",
            ["cost of the lot of transaction"],
        ),
        (
            f"UPDATE lots SET opened_at = opened_at + interval '1 day' WHERE {OPEN}",
            ["age in seconds of the lot of transaction"],
        ),
        (
            f"DELETE FROM lots WHERE {OPEN}",
            ["cost of the lot of transaction", "quantity of the lot of transaction"],
        ),
        (
            f"UPDATE portfolios SET reserved_cash = 0.0000000001 WHERE id = {FIRST}",
            ["reserved cash of portfolio"],
        ),
        (
            f"UPDATE positions SET reserved_quantity = 0.0000000001 WHERE portfolio_id = {FIRST}",
            ["reserved quantity of position"],
        ),
        (
            "INSERT INTO orders (owner_id, id, portfolio_id, instrument_id, client_order_id, side, type, "
            "status, quantity, filled_quantity) SELECT owner_id, portfolio_id, portfolio_id, instrument_id, "
            "portfolio_id, 'SELL', 'MARKET', 'CANCELLED', 1, 0.5 FROM positions "
            f"WHERE portfolio_id = {FIRST}",
            ["filled quantity of order"],
        ),
        (
            "UPDATE lot_uses SET quantity_delta = quantity_delta - 1 " + USED.format("quantity = 0.75"),
            ["quantity taken from a lot by transaction"],
        ),
        (
            "UPDATE lot_uses SET cost_delta = 0 " + USED.format("quantity = 0.75"),
            ["cost taken from a lot by transaction"],
        ),
        (
            "UPDATE lot_uses SET gain = NULL " + USED.format("quantity = 0.75"),
            ["gain on a lot of transaction"],
        ),
        (
            "DELETE FROM lot_uses " + USED.format("quantity = 0.75"),
            [
                "cost taken from a lot by transaction",
                "gain on a lot of transaction",
                "quantity taken from a lot by transaction",
            ],
        ),
        (
            "UPDATE transactions SET realized_pnl = 0 WHERE type = 'SELL' AND quantity = 2",
            ["realized gain of transaction"],
        ),
        (
            "UPDATE transactions SET realized_pnl_fifo = 0 WHERE type = 'SELL' AND quantity = 2",
            ["realized gain by FIFO of transaction"],
        ),
        (
            "UPDATE transactions SET cost_delta = cost_delta - 1 WHERE type = 'DIVIDEND'",
            ["cost of transaction"],
        ),
        (
            IN.format("cost_delta = cost_delta + 1"),
            ["cost in transfer of transaction", "cost of transaction"],
        ),
        (
            "UPDATE transactions SET realized_pnl = 0, realized_pnl_fifo = NULL, cost_delta = 0 "
            "WHERE reverses_id IS NOT NULL",
            ["cost of reversal", "realized gain by FIFO of reversal", "realized gain of reversal"],
        ),
    ],
)
async def test_every_change_behind_its_back_is_found(
    sessions: Sessions,
    superuser_url: str,
    world: World,
    change: str,
    lines: list[str],
) -> None:
    connection = await asyncpg.connect(superuser_url)
    table = change.split()[1 if change.startswith("UPDATE") else 2]
    await connection.execute(f"CREATE TABLE kept AS TABLE {table}")
    # No trigger and no cascade: each change is found by itself.
    await connection.execute("SET session_replication_role = replica")
    try:
        await connection.execute(change)
        found = await verify_all(sessions, cooldown)
        kinds = [re.sub(r"user \S+: (.+) \S{36} is .*", r"\1", line) for line in found.differences]
        assert sorted(kinds) == lines
    finally:
        await connection.execute(f"DELETE FROM {table}")
        await connection.execute(f"INSERT INTO {table} SELECT * FROM kept")
        await connection.execute("DROP TABLE kept")
        await connection.close()
    assert (await verify_all(sessions, cooldown)).differences == []
