"""Instruments whose prices a test sets, and users with a portfolio, straight in the database."""

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

import asyncpg

from db.sessions import Connection, Row, Sessions
from db.trading.verification import verify_all
from db.vocabulary import AccountType, RebalanceFrequency, Strategy
from db.vocabulary import Broker as BrokerName
from investing.account.service import NewAccount, create_account
from investing.actor import Actor, RequestOrigin
from investing.portfolio.service import NewPortfolio, create_portfolio
from tests.investing.ticks import save_quote


@dataclass(frozen=True)
class Exchange:
    """A market of the tests' own."""

    sessions: Sessions
    superuser_url: str

    async def listed(self, price: str | None = None) -> str:
        """A new instrument: its symbol."""
        symbol = f"X{uuid.uuid4().hex[:8].upper()}"
        await self.run(
            "INSERT INTO instruments (id, symbol, name, asset_class, currency) "
            "VALUES ($1, $2, $2, 'EQUITY', 'USD')",
            uuid.uuid4(),
            symbol,
        )
        if price is not None:
            await self.quote(symbol, price)
        return symbol

    async def quote(self, symbol: str, price: str) -> None:
        """A new price; nobody is told."""
        async with self.sessions.begin(None) as session:
            await save_quote(session, symbol, Decimal(price), dt.datetime.now(dt.UTC))

    async def run(self, statement: str, *arguments: object) -> None:
        """A statement by the superuser, whom no policy holds."""
        connection = await asyncpg.connect(self.superuser_url)
        await connection.execute(statement, *arguments)
        await connection.close()

    async def value(self, query: str, *arguments: object) -> object:
        """The first value that a query of the superuser's finds."""
        connection = await asyncpg.connect(self.superuser_url)
        try:
            return await connection.fetchval(query, *arguments)
        finally:
            await connection.close()

    async def trader(self, cash: str) -> tuple[Actor, UUID]:
        """A user, and the id of their one portfolio, which has this cash."""
        id = uuid.uuid4()
        name = f"u{id.hex[:8]}"
        await self.run(
            "INSERT INTO users (id, username, email, password_hash) VALUES ($1, $2, $2, '')", id, name
        )
        await self.run("INSERT INTO logins VALUES ($1, $2)", name, id)
        actor = Actor(id, self.sessions, RequestOrigin())
        account = NewAccount("A", BrokerName.PAPER, AccountType.CASH, "USD", Decimal(cash), True)
        account_id = await create_account(actor, account)
        portfolio = NewPortfolio(
            account_id=account_id,
            name="P",
            strategy=Strategy.EQUAL_WEIGHT,
            risk_tolerance=Decimal("0.5"),
            max_position_size=Decimal(1),
            auto_rebalance=False,
            rebalance_frequency=RebalanceFrequency.MONTHLY,
            drift_band=None,
            initial_cash=Decimal(cash),
            symbols=None,
            target_weights=None,
        )
        return actor, await create_portfolio(actor, portfolio)

    async def differences(self) -> list[str]:
        """What `verify` finds."""
        return list((await verify_all(self.sessions, lambda step, done, total: None)).differences)


async def alert_sequence(connection: Connection, owner_id: UUID) -> Row | None:
    """Return the `epoch` of the owner's alerts, the `seq` of the newest and `purged_seq`."""
    sql = "SELECT epoch, seq, purged_seq FROM alert_sequences WHERE owner_id = $1"
    return await connection.fetchrow(sql, owner_id)
