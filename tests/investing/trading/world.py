"""A user with cash and portfolios on a real database, and short words for what they do."""

import datetime as dt
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from db.sessions import Sessions
from db.trading.verification import verify_all
from db.vocabulary import AccountType, Broker, RebalanceFrequency, Strategy, TransactionType
from investing.account.service import NewAccount, create_account
from investing.actor import Actor, RequestOrigin
from investing.portfolio.service import NewPortfolio, create_portfolio
from investing.trading.recording import TransactionRequest, record_transaction
from investing.trading.reversing import reverse_transaction
from investing.trading.share_transfers import ShareTransfer, transfer_shares

START = dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)


def on(day: float) -> dt.datetime:
    """So many days after the first."""
    return START + dt.timedelta(days=day)


def decimal(text: str | None) -> Decimal | None:
    """The number that a text is."""
    return None if text is None else Decimal(text)


@dataclass
class World:
    """One user; their portfolios by place. Every entry is about the instrument `symbol`."""

    actor: Actor
    portfolios: list[UUID]
    account_id: UUID
    symbol: str = "ABC"

    async def record(
        self,
        type: TransactionType,
        day: float,
        quantity: str | None = None,
        price: str | None = None,
        *,
        amount: str | None = None,
        commission: str = "0",
        split_for: str | None = None,
        at: int = 0,
        symbol: str | None = "ABC",
    ) -> UUID:
        """Records a transaction in the portfolio at this place."""
        record = TransactionRequest(
            portfolio_id=self.portfolios[at],
            type=type,
            symbol=self.symbol if symbol else None,
            quantity=decimal(quantity),
            price=decimal(price),
            amount=decimal(amount),
            commission=Decimal(commission),
            split_for=decimal(split_for),
            executed_at=on(day),
            notes=None,
        )
        return await record_transaction(self.actor, record, str(uuid.uuid4()))

    async def buy(self, day: float, quantity: str, price: str, commission: str = "0", at: int = 0) -> UUID:
        """A purchase."""
        return await self.record(TransactionType.BUY, day, quantity, price, commission=commission, at=at)

    async def sell(self, day: float, quantity: str, price: str, commission: str = "0", at: int = 0) -> UUID:
        """A sale."""
        return await self.record(TransactionType.SELL, day, quantity, price, commission=commission, at=at)

    async def split(self, day: float, new: str, old: str, at: int = 0) -> UUID:
        """A split."""
        return await self.record(TransactionType.SPLIT, day, new, split_for=old, at=at)

    async def move(self, day: float, quantity: str, source: int = 0, target: int = 1) -> UUID:
        """Moves shares; the id of the transaction that comes in."""
        transfer = ShareTransfer(
            self.portfolios[source], self.portfolios[target], self.symbol, Decimal(quantity), on(day), None
        )
        return await transfer_shares(self.actor, transfer, str(uuid.uuid4()))

    async def reverse(self, id: UUID) -> UUID:
        """Reverses a transaction."""
        return await reverse_transaction(self.actor, id, None, str(uuid.uuid4()))

    async def rows(self, sql: str, *arguments: object) -> Sequence[Mapping[str, Any]]:
        """Rows of the user's; `$1` is the user."""
        async with self.actor.sessions.reading(self.actor.id) as connection:
            return [dict(row) for row in await connection.fetch(sql, self.actor.id, *arguments)]

    async def position(self, at: int = 0) -> tuple[Decimal, ...]:
        """Quantity, cost basis, and the gains on average cost and first in first out."""
        rows = await self.rows(
            "SELECT quantity, cost_basis, realized_pnl, realized_pnl_fifo FROM positions "
            "WHERE owner_id = $1 AND portfolio_id = $2",
            self.portfolios[at],
        )
        return tuple(Decimal(value) for row in rows for value in row.values())

    async def lots(self, at: int = 0) -> list[tuple[dt.datetime, Decimal, Decimal]]:
        """The open lots, oldest first: when they were bought, quantity and cost."""
        rows = await self.rows(
            "SELECT opened_at, remaining_quantity, remaining_cost FROM lots WHERE owner_id = $1 "
            "AND portfolio_id = $2 AND remaining_quantity > 0 ORDER BY opened_at, transaction_id, number",
            self.portfolios[at],
        )
        return [
            (row["opened_at"], Decimal(row["remaining_quantity"]), Decimal(row["remaining_cost"]))
            for row in rows
        ]

    async def uses(self, id: UUID) -> list[tuple[Decimal, Decimal, Decimal | None]]:
        """What a transaction did to lots, oldest first: quantity, cost and gain."""
        rows = await self.rows(
            "SELECT u.quantity_delta, u.cost_delta, u.gain FROM lot_uses u JOIN lots l ON l.owner_id = $1 "
            "AND l.transaction_id = u.lot_transaction_id AND l.number = u.lot_number "
            "WHERE u.owner_id = $1 AND u.transaction_id = $2 "
            "ORDER BY l.opened_at, l.transaction_id, l.number",
            id,
        )
        return [
            (Decimal(row["quantity_delta"]), Decimal(row["cost_delta"]), decimal(row["gain"])) for row in rows
        ]

    async def differences(self) -> Sequence[str]:
        """What `verify` finds."""
        return (await verify_all(self.actor.sessions, lambda step, done, total: None)).differences


async def make_world(sessions: Sessions, superuser_url: str, *, portfolios: int = 1) -> World:
    """A new user with cash in each of their portfolios, given long before the first day."""
    id, name = uuid.uuid4(), secrets.token_hex(6)
    connection = await asyncpg.connect(superuser_url)
    await connection.execute(
        "INSERT INTO users (id, username, email, password_hash) VALUES ($1, $2, $3, '')",
        id,
        name,
        f"{name}@example.org",
    )
    await connection.execute("INSERT INTO logins VALUES ($2, $1)", id, name)
    await connection.execute(
        "INSERT INTO instruments (id, symbol, name, asset_class, currency) "
        "VALUES ($1, 'ABC', 'ABC', 'EQUITY', 'USD') ON CONFLICT DO NOTHING",
        uuid.uuid4(),
    )
    await connection.close()
    actor = Actor(id, sessions, RequestOrigin())
    account_id = await create_account(
        actor, NewAccount("A", Broker.PAPER, AccountType.CASH, "USD", Decimal(0), True)
    )
    world = World(
        actor, [await open_portfolio(actor, account_id, f"P{i}") for i in range(portfolios)], account_id
    )
    for at in range(portfolios):
        await world.record(TransactionType.DEPOSIT, -1000, amount="1000000", at=at, symbol=None)
    return world


async def open_portfolio(actor: Actor, account_id: UUID, name: str) -> UUID:
    """A portfolio of an account."""
    return await create_portfolio(
        actor,
        NewPortfolio(
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
        ),
    )


async def forget(world: World, superuser_url: str) -> None:
    """Takes the user out of those that `verify` looks at."""
    connection = await asyncpg.connect(superuser_url)
    await connection.execute("DELETE FROM logins WHERE user_id = $1", world.actor.id)
    await connection.close()
