"""A broker of the harness's own, on a bad line: it fails before and after it has taken an order."""

import asyncio
import datetime as dt
import random
import uuid
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from db.vocabulary import BrokerOrderStatus, OrderType
from investing.brokers.protocol import Ambiguous, BrokerOrder, BrokerOrderRequest, Fill
from investing.rules.trading.orders import BrokerFees

PRICE = Decimal(10)


class BadLine:
    """Keeps its books in memory and fills every order whole at one price, once for a client order id.

    `patience` is how long its client waits for an answer, in seconds.
    """

    def __init__(self, rng: random.Random, patience: float) -> None:
        self._rng = rng
        self._patience = patience
        self._orders: dict[UUID, BrokerOrder] = {}
        self._untold: dict[str, Fill] = {}
        self.taken: Counter[UUID] = Counter()
        """How often each client order id was filled: a second time would have bought twice."""
        self.ambiguous = 0

    @property
    def fees(self) -> BrokerFees:
        return BrokerFees()

    async def submit(self, request: BrokerOrderRequest) -> BrokerOrder:
        await self._line("before")
        if request.client_order_id not in self._orders:
            self._take(request)
        await self._line("after")
        return self._orders[request.client_order_id]

    async def cancel(self, client_order_id: UUID) -> BrokerOrder:
        await self._line("before")
        burnt = BrokerOrder(client_order_id, str(uuid.uuid4()), BrokerOrderStatus.CANCELLED)
        order = self._orders.setdefault(client_order_id, burnt)
        await self._line("after")
        return order

    async def find(self, client_order_id: UUID) -> BrokerOrder | None:
        await self._line("before")
        return self._orders.get(client_order_id)

    async def executions(self, most: int = 500) -> Sequence[Fill]:
        await self._line("before")
        return list(self._untold.values())[:most]

    async def acknowledge(self, executions: Sequence[Fill]) -> None:
        await self._line("before")
        for execution in executions:
            self._untold.pop(execution.id, None)
        await self._line("after")

    def _take(self, request: BrokerOrderRequest) -> None:
        assert request.type is OrderType.MARKET
        self.taken[request.client_order_id] += 1
        now = dt.datetime.now(dt.UTC)
        fill = Fill(str(uuid.uuid4()), request.client_order_id, request.quantity, PRICE, Decimal(0), now)
        self._untold[fill.id] = fill
        self._orders[request.client_order_id] = BrokerOrder(
            request.client_order_id, str(uuid.uuid4()), BrokerOrderStatus.FILLED, [fill]
        )

    async def _line(self, when: str) -> None:
        """In a third of the calls the line fails: says so, breaks, or is silent for too long."""
        fate = self._rng.random()
        if fate > 1 / 3:
            return
        self.ambiguous += 1
        if fate < 0.02 and when == "after":
            await asyncio.sleep(self._patience * 1.5)
        elif fate < 0.15:
            raise ConnectionResetError(when)
        else:
            raise Ambiguous
