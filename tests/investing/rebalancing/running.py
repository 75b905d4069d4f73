"""Rebalancers for the tests, and what is there after them."""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from db.vocabulary import Broker as BrokerName
from investing.actor import Actor
from investing.brokers.protocol import BrokerClient
from investing.brokers.registry import Brokers
from investing.portfolio.service import change_portfolio
from investing.rebalancing.optimiser.pool import Optimiser
from investing.rebalancing.rebalancer import Rebalancer
from investing.trading.desk import Desk
from investing.trading.placing import TradingConfig
from tests.investing.exchange import Exchange


@dataclass
class Firm:
    """A broker, the desk that talks to it, and the rebalancer of one process."""

    exchange: Exchange
    broker: BrokerClient
    trading_config: TradingConfig
    desk: Desk
    rebalancer: Rebalancer

    async def rebalance(
        self, actor: Actor, portfolio_id: UUID, plan_hash: str | None = None, key: str | None = None
    ) -> UUID:
        """A rebalance by the portfolio's own strategy."""
        key = key or str(uuid.uuid4())
        return await self.rebalancer.rebalance(actor, portfolio_id, None, plan_hash, key)

    async def finish(self, id: UUID, seconds: float = 60) -> None:
        """Does the rounds of the desk and of the jobs until the rebalance has ended."""
        async with asyncio.timeout(seconds):
            while await self.exchange.value("SELECT status FROM rebalance_history WHERE id = $1", id) == (
                "RUNNING"
            ):
                await self.exchange.run(
                    "UPDATE rebalance_work SET due_at = now() WHERE rebalance_id = $1", id
                )
                await self.exchange.run(
                    "UPDATE order_work SET due_at = least(due_at, now()) FROM orders o WHERE o.id = order_id "
                    "AND o.rebalance_id = $1 AND o.status IN ('PENDING', 'UNKNOWN')",
                    id,
                )
                await self.desk._guarded(self.desk.attend(), "a round")
                await self.rebalancer.advance_all()


def firm(exchange: Exchange, broker: BrokerClient) -> Firm:
    """A firm with this broker behind every paper account."""
    trading_config = TradingConfig(Brokers({BrokerName.PAPER: broker}))
    desk = Desk(exchange.sessions, trading_config)
    return Firm(
        exchange,
        broker,
        trading_config,
        desk,
        Rebalancer(exchange.sessions, trading_config, desk, Optimiser()),
    )


async def aim(actor: Actor, portfolio_id: UUID, weights: Mapping[str, str], **settings: Any) -> None:
    """Gives the portfolio target weights of its own."""
    await change_portfolio(
        actor, portfolio_id, {"strategy": "CUSTOM", "target_weights": dict(weights), **settings}
    )


async def record(exchange: Exchange, id: UUID) -> dict[str, Any]:
    """The rebalance as it is written, with texts for figures."""
    connection = await asyncpg.connect(exchange.superuser_url)
    try:
        row = await connection.fetchrow(
            """SELECT status, trigger, old_weights::text, new_weights::text, target_weights::text,
                      trim_scale(turnover)::text AS turnover, trim_scale(total_cost)::text AS total_cost,
                      trades_executed, completed_at IS NOT NULL AS ended, failure_reason
               FROM rebalance_history WHERE id = $1""",
            id,
        )
        assert row is not None
        return dict(row)
    finally:
        await connection.close()


async def legs(exchange: Exchange, id: UUID) -> list[tuple[Any, ...]]:
    """Side, symbol, quantity, filled quantity and status of each leg, in order."""
    return await rows(
        exchange,
        """SELECT side, symbol, trim_scale(quantity)::text, trim_scale(filled_quantity)::text, status
           FROM rebalance_legs l JOIN instruments i ON i.id = l.instrument_id
           WHERE rebalance_id = $1 ORDER BY number""",
        id,
    )


async def trades(exchange: Exchange, id: UUID) -> list[tuple[Any, ...]]:
    """Type, symbol, quantity, price and commission of what the rebalance traded, in order."""
    return await rows(
        exchange,
        """SELECT t.type, i.symbol, trim_scale(t.quantity)::text, trim_scale(t.price)::text,
                  trim_scale(t.commission)::text
           FROM transactions t JOIN orders o ON o.id = t.order_id JOIN instruments i ON i.id = t.instrument_id
           WHERE o.rebalance_id = $1 ORDER BY t.id""",
        id,
    )


async def holdings(exchange: Exchange, portfolio_id: UUID) -> dict[str, str]:
    """What the portfolio holds by symbol, and its cash."""
    found = await rows(
        exchange,
        """SELECT symbol, trim_scale(quantity)::text FROM positions p JOIN instruments i
           ON i.id = p.instrument_id WHERE portfolio_id = $1 AND quantity > 0
           UNION ALL SELECT 'cash', trim_scale(cash_balance)::text FROM portfolios WHERE id = $1""",
        portfolio_id,
    )
    return dict(found)


async def rows(exchange: Exchange, query: str, *arguments: object) -> list[tuple[Any, ...]]:
    """All rows of a query of the superuser's."""
    connection = await asyncpg.connect(exchange.superuser_url)
    try:
        return [tuple(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()
