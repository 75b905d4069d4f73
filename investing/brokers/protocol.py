"""The protocol of a broker: four calls and a queue of fills. Nothing else knows which broker it talks to.

A broker keeps one order per client order id, however often that is submitted. Its answers may be lost: a
client that gets none looks the order up by its client order id.
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
    """The broker did not answer, so it is not known whether it did what it was asked to."""


@dataclass(frozen=True)
class BrokerOrderRequest:
    """An order for a broker. The quantity is in shares, prices are per share.

    `worst_price` protects a MARKET order: the broker never fills it beyond that. `instrument_id` tells the
    paper broker which of two instruments a symbol means if one is a user's own; other brokers know only
    symbols.
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
    """One fill; `id` is the broker's own, and the same each time the fill is reported."""

    id: str
    client_order_id: UUID
    quantity: Decimal
    price: Decimal
    commission: Decimal
    executed_at: dt.datetime


@dataclass(frozen=True)
class Rejection:
    """Why a broker rejected an order: a code for programs and a sentence for people."""

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
    """A connection to a broker. Every method raises Ambiguous if the answer was lost."""

    @property
    def fees(self) -> BrokerFees:
        """What the broker charges, which determines what an order has to reserve."""

    async def submit(self, request: BrokerOrderRequest) -> BrokerOrder:
        """Place an order. The same client order id again returns the existing order."""

    async def cancel(self, client_order_id: UUID) -> BrokerOrder:
        """Cancel an order and return how it ended: it may have been filled first.

        After this the client order id never trades again, even if the broker had never received it.
        """

    async def find(self, client_order_id: UUID) -> BrokerOrder | None:
        """Return the order, or None if the broker does not have it."""

    async def executions(self, most: int = 500) -> Sequence[Fill]:
        """Return fills of any order that are not yet acknowledged; they are reported until they are."""

    async def acknowledge(self, executions: Sequence[Fill]) -> None:
        """Confirm that these fills have arrived."""


@runtime_checkable
class AtomicBroker(Protocol):
    """What a broker may be able to do besides: trade in its client's own database transaction.

    With such a broker a client need not go order by order: what the transaction does happens completely or
    not at all.
    """

    async def fill_all(
        self, session: Session, requests: Sequence[BrokerOrderRequest]
    ) -> Sequence[BrokerOrder]:
        """Fill MARKET orders completely, in this order, and return each as filled or rejected.

        `executions` does not report these fills: whoever commits the transaction has them.
        """
