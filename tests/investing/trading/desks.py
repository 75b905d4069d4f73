"""Desks for the tests, and what they place."""

import asyncio
import datetime as dt
import uuid
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.locks import Locks
from db.sessions import Sessions
from db.trading.ledger import LedgerTransaction, transact
from db.vocabulary import Broker as BrokerName
from db.vocabulary import OrderSide, OrderType, TimeInForce
from investing.actor import Actor
from investing.brokers.protocol import BrokerClient
from investing.brokers.registry import Brokers
from investing.rules.trading.orders import OrderRequest
from investing.trading.desk import Desk
from investing.trading.placing import NewOrder, TradingConfig, place
from tests.investing.exchange import Exchange

OPEN = ("PENDING", "ACCEPTED", "PARTIALLY_FILLED", "UNKNOWN")


def trading_config(
    broker: BrokerClient, patience: float = 5.0, max_age: dt.timedelta | None = None
) -> TradingConfig:
    return TradingConfig(Brokers({BrokerName.PAPER: broker}), max_age, dt.timedelta(seconds=patience))


def desk_of(sessions: Sessions, broker: BrokerClient, patience: float = 5.0) -> Desk:
    return Desk(sessions, trading_config(broker, patience))


def buy(portfolio_id: UUID, symbol: str, quantity: str, limit: str | None = None) -> NewOrder:
    return order(portfolio_id, symbol, OrderSide.BUY, quantity, limit)


def order(
    portfolio_id: UUID, symbol: str, side: OrderSide, quantity: str, limit: str | None = None
) -> NewOrder:
    type = OrderType.MARKET if limit is None else OrderType.LIMIT
    price = None if limit is None else Decimal(limit)
    return NewOrder(
        portfolio_id, symbol, OrderRequest(side, type, Decimal(quantity), None, price, TimeInForce.DAY)
    )


async def placed_at(actor: Actor, new: NewOrder, config: TradingConfig, now: dt.datetime) -> UUID:
    """Place an order at that time, without a word to its broker."""

    async def act(ledger: LedgerTransaction) -> UUID:
        return (await place(ledger, actor.client, new, config, now)).id

    return await transact(actor.sessions, actor.id, Locks.of(portfolios=[new.portfolio_id]), act)


def key() -> str:
    return str(uuid.uuid4())


async def status(exchange: Exchange, id: UUID) -> Any:
    return await exchange.value("SELECT status FROM orders WHERE id = $1", id)


async def facts(exchange: Exchange, actor: Actor) -> Any:
    """The user's cash, reserved cash, shares, reserved shares and number of trades."""
    return await exchange.value(
        "SELECT row_to_json(f) FROM (SELECT sum(cash_balance)::text AS cash, "
        " sum(reserved_cash)::text AS held,"
        " (SELECT coalesce(sum(quantity), 0)::text FROM positions WHERE owner_id = $1) AS shares,"
        " (SELECT count(*) FROM transactions WHERE owner_id = $1 AND order_id IS NOT NULL) AS trades"
        " FROM portfolios WHERE owner_id = $1) f",
        actor.id,
    )


async def attended(desk: Desk, exchange: Exchange, actor: Actor, seconds: float = 30) -> None:
    """Attends until the user has no order whose state is not known."""
    async with asyncio.timeout(seconds):
        while await exchange.value(
            "SELECT count(*) FROM orders WHERE owner_id = $1 AND status IN ('PENDING', 'UNKNOWN')", actor.id
        ):
            await desk._guarded(desk.attend(), "a round")
            await asyncio.sleep(0.1)
