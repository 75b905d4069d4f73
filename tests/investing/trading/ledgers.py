"""A user with instruments and portfolios to import into, and ways to look at what is there."""

import datetime as dt
import secrets
import uuid
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from db.sessions import Sessions
from db.trading.verification import verify_all
from db.vocabulary import AccountType, Broker, RebalanceFrequency, Strategy
from investing.account.service import NewAccount, create_account
from investing.actor import Actor, RequestOrigin
from investing.portfolio.service import NewPortfolio, create_portfolio
from investing.trading.exporting import export_csv
from investing.trading.formats.csv_rows import COLUMNS, read_csv
from investing.trading.importing import import_rows
from investing.trading.reports import ImportReport, RowResult

START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
HEADER = ",".join(COLUMNS) + "\n"


def cooldown(step: str, done: int, total: int) -> None:
    """Reports nothing."""


async def make_user(superuser_url: str, sessions: Sessions) -> Actor:
    """A user whom no other test knows."""
    id, name = uuid.uuid4(), f"user-{secrets.token_hex(4)}"
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.execute(
            "INSERT INTO users (id, username, email, password_hash) VALUES ($1, $2, $3, '')",
            id,
            name,
            f"{name}@example.org",
        )
        await connection.execute("INSERT INTO logins VALUES ($1, $2)", name, id)
    finally:
        await connection.close()
    return Actor(id, sessions, RequestOrigin())


async def make_instruments(superuser_url: str, currency: str = "USD", *symbols: str) -> None:
    """Instruments to trade; those that are there stay."""
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.executemany(
            "INSERT INTO instruments (id, symbol, name, asset_class, currency) "
            "VALUES ($1, $2, $2, 'EQUITY', $3) ON CONFLICT DO NOTHING",
            [(uuid.uuid4(), symbol, currency) for symbol in symbols],
        )
    finally:
        await connection.close()


async def make_portfolio(actor: Actor, account_type: AccountType = AccountType.CASH) -> UUID:
    """An empty portfolio in an account of its own."""
    name = secrets.token_hex(6)
    account_id = await create_account(
        actor, NewAccount(name, Broker.PAPER, account_type, "USD", Decimal(0), True)
    )
    new = NewPortfolio(
        account_id=account_id,
        name=name,
        strategy=Strategy.EQUAL_WEIGHT,
        risk_tolerance=Decimal("0.5"),
        max_position_size=Decimal(1),
        auto_rebalance=False,
        rebalance_frequency=RebalanceFrequency.MONTHLY,
        drift_band=None,
        initial_cash=Decimal(0),
        symbols=None,
        target_weights=None,
    )
    return await create_portfolio(actor, new)


async def import_csv(actor: Actor, portfolio_id: UUID, text: str | bytes, **options: Any) -> ImportReport:
    """Imports a CSV, whose header may be left out."""
    data = text.encode() if isinstance(text, str) else text
    if not data.lower().startswith(b"type,"):
        data = HEADER.encode() + data
    return await import_rows(actor, portfolio_id, list(read_csv(data)), **options)


async def exported(actor: Actor, portfolio_id: UUID) -> str:
    """The portfolio's ledger as CSV."""
    return "".join([part async for part in export_csv(actor.sessions, actor.id, portfolio_id)])


async def state(actor: Actor, portfolio_id: UUID) -> dict[str, Any]:
    """Cash, positions, lots and gains, without ids."""
    async with actor.sessions.reading(actor.id) as connection:
        queries = {
            "cash": "SELECT cash_balance FROM portfolios WHERE owner_id = $1 AND id = $2",
            "positions": "SELECT i.symbol, p.quantity, p.cost_basis, p.realized_pnl, p.realized_pnl_fifo "
            "FROM positions p JOIN "
            "instruments i ON i.id = p.instrument_id WHERE p.owner_id = $1 AND portfolio_id = $2 ORDER BY 1",
            "lots": "SELECT i.symbol, l.opened_at, l.remaining_quantity, l.remaining_cost FROM lots l JOIN "
            "instruments i ON i.id = l.instrument_id WHERE l.owner_id = $1 AND portfolio_id = $2 "
            "ORDER BY 1, 2, l.transaction_id",
            "uses": "SELECT i.symbol, t.executed_at, l.opened_at, u.quantity_delta, u.cost_delta, u.gain "
            "FROM lot_uses u JOIN transactions t ON t.owner_id = u.owner_id AND t.id = u.transaction_id "
            "JOIN lots l ON l.owner_id = u.owner_id AND l.transaction_id = u.lot_transaction_id "
            "AND l.number = u.lot_number JOIN instruments i ON i.id = t.instrument_id "
            "WHERE u.owner_id = $1 AND t.portfolio_id = $2 ORDER BY 1, 2, t.id, 3, l.transaction_id",
            "transactions": "SELECT type, cash_delta, quantity_delta, cost_delta, realized_pnl, "
            "realized_pnl_fifo, executed_at "
            "FROM transactions WHERE owner_id = $1 AND portfolio_id = $2 ORDER BY executed_at, id",
        }
        return {
            name: [tuple(row) for row in await connection.fetch(query, actor.id, portfolio_id)]
            for name, query in queries.items()
        }


async def differences(actor: Actor) -> list[str]:
    """What `verify` finds wrong with this user's ledger."""
    found = await verify_all(actor.sessions, cooldown)
    return [line for line in found.differences if str(actor.id) in line]


def refused(report: ImportReport) -> list[tuple[int, str]]:
    """The line and the code of each refused row."""
    return [(row.line, row.domain_error.code) for row in report.outcomes if row.domain_error is not None]


def statuses(report: ImportReport) -> list[str]:
    """The status of each row."""
    return [row.status.value for row in report.outcomes]


def only(report: ImportReport) -> RowResult:
    """The outcome of the one row."""
    (outcome,) = report.outcomes
    return outcome
