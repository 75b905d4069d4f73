"""The demo's projections are those that posting its transactions one by one, as in trading, would store."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from db.account.writes import insert_account
from db.ids import uuid7
from db.portfolio.writes import insert_portfolio
from db.sessions import Sessions, open_sessions
from db.trading.ledger import LedgerTransaction
from db.trading.ledger_reads import find_portfolios
from db.vocabulary import TransactionType
from db.writing import raw_connection_of
from investing.rules.trading.entries import entry_of
from investing.trading.posting import post_entry
from investing.trading.transaction_rows import CashLocation
from tests.market_rows import rows

PROJECTED = """
    SELECT i.symbol, s.quantity, s.cost_basis, s.realized_pnl, p.cash_balance, array_agg(
        ROW (l.opened_at, l.remaining_quantity, l.remaining_cost)::text
        ORDER BY l.opened_at, l.transaction_id)
    FROM positions s JOIN instruments i ON i.id = s.instrument_id
    JOIN portfolios p ON p.id = s.portfolio_id
    JOIN lots l ON (l.portfolio_id, l.instrument_id) = (s.portfolio_id, s.instrument_id)
    WHERE s.portfolio_id = $1 GROUP BY s.owner_id, s.id, p.owner_id, p.id, i.id ORDER BY i.symbol
"""
DELTAS = """
    SELECT type, executed_at, cash_delta, quantity_delta, realized_pnl FROM transactions
    WHERE portfolio_id = $1 ORDER BY executed_at, id
"""


async def ledger(url: str, portfolio_id: UUID) -> list[Mapping[str, Any]]:
    connection = await asyncpg.connect(url)
    try:
        query = "SELECT * FROM transactions WHERE portfolio_id = $1 ORDER BY executed_at, id"
        return [dict(row) for row in await connection.fetch(query, portfolio_id)]
    finally:
        await connection.close()


async def post_again(sessions: Sessions, owner_id: UUID, transactions: list[Mapping[str, Any]]) -> UUID:
    """A new portfolio in a new account, with the same transactions posted to it; its id."""
    account_id, portfolio_id = uuid7(), uuid7()
    account = {"name": "Again", "broker": "PAPER", "account_type": "CASH", "currency": "USD"}
    portfolio = {
        "name": "Again",
        "currency": "USD",
        "margin": False,
        "strategy": "EQUAL_WEIGHT",
        "risk_tolerance": Decimal(0),
        "max_position_size": Decimal(1),
        "rebalance_frequency": "YEARLY",
    }
    async with sessions.begin(owner_id) as session:
        await insert_account(session, owner_id, account_id, account)
        ids = {"owner_id": owner_id, "id": portfolio_id, "account_id": account_id}
        await insert_portfolio(session, {**ids, **portfolio})
        ledger = LedgerTransaction(await raw_connection_of(session), owner_id)
        for row in transactions:
            if row["is_automatic"]:
                # It is the instrument's, and comes with the first purchase before it.
                continue
            type = TransactionType(row["type"])
            facts = {name: row[name] for name in ("quantity", "price", "split_for")}
            entry = entry_of(
                uuid7(),
                type,
                row["executed_at"],
                row["executed_at"],
                has_symbol=row["instrument_id"] is not None,
                amount=None if type is TransactionType.SPLIT else row["amount"],
                commission=row["commission"],
                **facts,
            )
            found = await find_portfolios(ledger.connection, owner_id, [portfolio_id])
            place = CashLocation.of_portfolio(owner_id, found[portfolio_id])
            await post_entry(ledger, place, entry, instrument_id=row["instrument_id"], now=True)
            await ledger.flush()
    return portfolio_id


def test_posting_one_by_one_stores_the_same(superuser_url: str, app_url: str) -> None:
    name = "Technology, 2000 to 2013"  # the one with splits and dividends
    [(owner_id, stored)] = rows(superuser_url, "SELECT owner_id, id FROM portfolios WHERE name = $1", name)

    async def again() -> UUID:
        async with open_sessions(app_url, size=1) as sessions:
            return await post_again(sessions, owner_id, await ledger(superuser_url, stored))

    posted = asyncio.run(again())
    assert rows(superuser_url, PROJECTED, posted) == rows(superuser_url, PROJECTED, stored)
    assert rows(superuser_url, DELTAS, posted) == rows(superuser_url, DELTAS, stored)
