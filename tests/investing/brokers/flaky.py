"""A real broker on a bad line: now and then an answer is lost, before or after it did what it was asked."""

import random
from collections.abc import Awaitable, Sequence
from typing import TypeVar
from uuid import UUID

from investing.brokers.protocol import Ambiguous, BrokerClient, BrokerOrder, BrokerOrderRequest, Fill
from investing.rules.trading.orders import BrokerFees

ResultT = TypeVar("ResultT")


class FlakyBroker:
    """Passes everything on to a broker; `rate` of the calls fail, half of them before and half after."""

    def __init__(self, broker: BrokerClient, rate: float, seed: int = 1) -> None:
        self._broker = broker
        self._random = random.Random(seed)
        self.rate = rate
        self.lost_before = 0
        self.lost_after = 0
        self.submitted: list[UUID] = []

    @property
    def fees(self) -> BrokerFees:
        return self._broker.fees

    async def submit(self, request: BrokerOrderRequest) -> BrokerOrder:
        self.submitted.append(request.client_order_id)
        return await self._over_the_line(self._broker.submit(request))

    async def cancel(self, client_order_id: UUID) -> BrokerOrder:
        return await self._over_the_line(self._broker.cancel(client_order_id))

    async def find(self, client_order_id: UUID) -> BrokerOrder | None:
        return await self._over_the_line(self._broker.find(client_order_id))

    async def executions(self, most: int = 500) -> Sequence[Fill]:
        return await self._over_the_line(self._broker.executions(most))

    async def acknowledge(self, executions: Sequence[Fill]) -> None:
        await self._over_the_line(self._broker.acknowledge(executions))

    async def _over_the_line(self, asked: Awaitable[ResultT]) -> ResultT:
        fate = self._random.random()
        if fate < self.rate / 2:
            self.lost_before += 1
            asked.close()  # type: ignore[attr-defined]
            raise Ambiguous
        answer = await asked
        if fate < self.rate:
            self.lost_after += 1
            raise Ambiguous
        return answer
