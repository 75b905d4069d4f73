"""What a broker is: four questions and a queue of fills. Nothing else knows which broker it talks to.

A broker keeps one order for a client order id, however often that is submitted. Its answers may be lost:
whoever gets none looks the order up by its client order id.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, runtime_checkable
from uuid import UUID

from db.sessions import Session
from db.vocabulary import BrokerOrderStatus, OrderSide, OrderType, TimeInForce
from investing.rules.trading.orders import BrokerFees


class Ambiguous(Exception):
    """The broker did not answer, so that nobody knows whether it did what it was asked."""


@dataclass(frozen=True)
class BrokerOrderRequest:
    """An order for a broker. Quantity in shares, prices for one share.

    `worst_price` protects a MARKET order: the broker never fills it beyond. `instrument_id` tells the paper
    broker which of two instruments a symbol means, where one is a user's own; others know symbols alone.
    """

    client_order_id: UUID
    symbol: str
    side: OrderSide
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None = None
    worst_price: Decimal | None = None
    instrument_id: UUID | None = None


@dataclass(frozen=True)
class Fill:
    """One fill; `id` is the broker's own, and the same whenever it tells of the fill."""

    id: str
    client_order_id: UUID
    quantity: Decimal
    price: Decimal
    commission: Decimal
    executed_at: dt.datetime


@dataclass(frozen=True)
class Rejection:
    """Why a broker refused: a word for programs and a sentence for people."""

    code: str
    reason: str


@dataclass(frozen=True)
class BrokerOrder:
    """An order as its broker has it, with every fill so far."""

    client_order_id: UUID
    broker_order_id: str
    status: BrokerOrderStatus
    executions: Sequence[Fill] = ()
    rejection: Rejection | None = None


class BrokerClient(Protocol):
    """Somebody who trades. Every method raises Ambiguous where the answer was lost."""

    @property
    def fees(self) -> BrokerFees:
        """What it takes, from which follows what an order has to reserve."""

    async def submit(self, request: BrokerOrderRequest) -> BrokerOrder:
        """Places an order. The same client order id again gives the order that is there already."""

    async def cancel(self, client_order_id: UUID) -> BrokerOrder:
        """Ends an order, and tells how it ended: it may have been filled first.

        After this the client order id never trades again, also where the broker had never heard of it.
        """

    async def find(self, client_order_id: UUID) -> BrokerOrder | None:
        """The order, or None where the broker does not have it."""

    async def executions(self, most: int = 500) -> Sequence[Fill]:
        """Fills that are not acknowledged yet, of any order; told again until they are."""

    async def acknowledge(self, executions: Sequence[Fill]) -> None:
        """Says that these fills have arrived."""


@runtime_checkable
class AtomicBroker(Protocol):
    """What a broker may be able to do beside: trade in its client's own database transaction.

    A client that finds it need not go order by order: what that transaction does happens whole or not at all.
    """

    async def fill_all(
        self, session: Session, requests: Sequence[BrokerOrderRequest]
    ) -> Sequence[BrokerOrder]:
        """Fills MARKET orders whole, in this order, and tells what came of each: filled, or rejected.

        The fills are not told again by `executions`: whoever commits the transaction has them.
        """
