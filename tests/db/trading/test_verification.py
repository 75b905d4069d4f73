"""`verify` finds nothing in what the ledger wrote, and everything that was changed behind its back."""

import datetime as dt
import uuid
from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest

from db.sessions import Sessions
from db.trading.verification import verify_all
from db.vocabulary import AccountType, Broker, RebalanceFrequency, Strategy, TransactionType
from investing.account.service import NewAccount, create_account
from investing.actor import Actor
from investing.auth.types import Client
from investing.portfolio.service import NewPortfolio, create_portfolio
from investing.trading.recording import Record, record_transaction

DAY = dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)


def quiet(step: str, done: int, total: int) -> None:
    """Reports nothing."""


@pytest.fixture(scope="module")
async def actor(sessions: Sessions, superuser_url: str) -> Actor:
    """A user with one instrument to trade."""
    id = uuid.uuid4()
    connection = await asyncpg.connect(superuser_url)
    await connection.execute(
        "INSERT INTO users (id, username, email, password_hash) VALUES ($1, 'u', 'u@example.org', '')", id
    )
    await connection.execute("INSERT INTO logins VALUES ('u', $1)", id)
    await connection.execute(
        "INSERT INTO instruments (id, symbol, name, asset_class, currency) "
        "VALUES ($1, 'ABC', 'ABC', 'EQUITY', 'USD')",
        uuid.uuid4(),
    )
    await connection.close()
    return Actor(id, sessions, Client())


@pytest.fixture(scope="module")
async def portfolio_id(actor: Actor) -> UUID:
    """A portfolio with every kind of entry, some of them back-dated."""
    account_id = await create_account(
        actor, NewAccount("A", Broker.PAPER, AccountType.CASH, "USD", Decimal(100_000), True)
    )
    new = NewPortfolio(
        account_id=account_id,
        name="P",
        strategy=Strategy.EQUAL_WEIGHT,
        risk_tolerance=Decimal("0.5"),
        max_position_size=Decimal(1),
        auto_rebalance=False,
        rebalance_frequency=RebalanceFrequency.MONTHLY,
        drift_band=None,
        initial_cash=Decimal(90_000),
        symbols=None,
        target_weights=None,
    )
    id = await create_portfolio(actor, new)
    await record(actor, id, 0, TransactionType.TRANSFER_IN, None, None, amount="100000")
    await record(actor, id, 1, TransactionType.BUY, "3.1234567891", "10.0000000003", commission="1.01")
    await record(actor, id, 5, TransactionType.BUY, "7", "11.37", commission="0.99")
    await record(actor, id, 9, TransactionType.SELL, "4.5", "12.5", commission="1")
    await record(actor, id, 3, TransactionType.BUY, "1.7", "9.99")
    await record(actor, id, 7, TransactionType.SELL, "0.3333333333", "12")
    await record(actor, id, 20, TransactionType.SPLIT, "3", None, split_for="2")
    await record(actor, id, 21, TransactionType.TRANSFER_OUT, "1", None)
    await record(actor, id, 22, TransactionType.DIVIDEND, None, None, amount="3.21")
    await record(actor, id, 23, TransactionType.SELL, "2", "8.5")
    return id


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


async def record(
    actor: Actor,
    portfolio_id: UUID,
    day: int,
    type: TransactionType,
    quantity: str | None,
    price: str | None,
    *,
    amount: str | None = None,
    commission: str = "0",
    split_for: str | None = None,
) -> None:
    """One transaction, so many days after the first."""
    cash = type is TransactionType.TRANSFER_IN
    await record_transaction(
        actor,
        Record(
            portfolio_id=portfolio_id,
            type=type,
            symbol=None if cash else "ABC",
            quantity=_decimal(quantity),
            price=_decimal(price),
            amount=_decimal(amount),
            commission=Decimal(commission),
            split_for=_decimal(split_for),
            executed_at=DAY + dt.timedelta(days=day),
            notes=None,
        ),
        str(uuid.uuid4()),
    )


async def test_the_ledger_agrees_with_its_transactions(
    sessions: Sessions, actor: Actor, portfolio_id: UUID
) -> None:
    found = await verify_all(sessions, quiet)
    assert found.differences == []
    # The account's deposit, both sides of the portfolio's initial cash, and ten of its own.
    assert (found.users, found.transactions) == (1, 13)


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ("UPDATE portfolios SET cash_balance = cash_balance + 0.0000000001", ["cash of portfolio"]),
        ("UPDATE accounts SET unallotted_cash = unallotted_cash + 1", ["unallotted cash of account"]),
        (
            "UPDATE positions SET quantity = quantity + 1",
            ["quantity of position", "replayed quantity of position"],
        ),
        ("UPDATE positions SET cost_basis = cost_basis + 0.0000000001", ["cost basis of position"]),
        ("UPDATE positions SET realized_pnl = realized_pnl + 1", ["realized gain of position"]),
        (
            "UPDATE lots SET remaining_quantity = remaining_quantity + 1 WHERE remaining_quantity > 0 "
            "AND opened_at = (SELECT max(opened_at) FROM lots)",
            ["quantity of the lot of transaction"],
        ),
        (
            "DELETE FROM lots WHERE opened_at = (SELECT max(opened_at) FROM lots)",
            ["cost of the lot of transaction", "quantity of the lot of transaction"],
        ),
        (
            "UPDATE transactions SET realized_pnl = 0 WHERE type = 'SELL' AND quantity = 2",
            ["realized gain of transaction"],
        ),
    ],
)
async def test_every_change_behind_its_back_is_found(
    sessions: Sessions,
    superuser_url: str,
    actor: Actor,
    portfolio_id: UUID,
    change: str,
    lines: list[str],
) -> None:
    connection = await asyncpg.connect(superuser_url)
    table = change.split()[2 if change.startswith("DELETE") else 1]
    await connection.execute(f"CREATE TABLE kept AS TABLE {table}")
    # No trigger and no cascade: each change is found by itself.
    await connection.execute("SET session_replication_role = replica")
    try:
        await connection.execute(change)
        found = await verify_all(sessions, quiet)
        kinds = sorted({kind for kind in lines for line in found.differences if f": {kind} " in line})
        assert kinds == sorted(lines)
        assert len(found.differences) == len(lines)
    finally:
        await connection.execute(f"DELETE FROM {table}")
        await connection.execute(f"INSERT INTO {table} SELECT * FROM kept")
        await connection.execute("DROP TABLE kept")
        await connection.close()
    assert (await verify_all(sessions, quiet)).differences == []
