"""The desk: places orders, calls brokers outside any transaction, and follows open orders."""

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from db.claims import ORDERS, claim
from db.locks import NO_LOCKS, Locks
from db.outages import Faults, Outage
from db.sessions import Session, Sessions, is_away
from db.trading import ledger_writes as writes
from db.trading import orders as rows
from db.trading.ledger import LedgerTransaction, transact
from db.trading.orders import OrderRow
from db.vocabulary import OrderStatus, Topic
from db.writing import UncheckedLogin, raw_connection_of
from investing.actor import Actor, RequestOrigin
from investing.alerts.events import raise_for_rejection
from investing.brokers.protocol import Ambiguous, BrokerClient, BrokerOrder, Fill
from investing.idempotency import Intent
from investing.notifier import Notifier, wait
from investing.rules.errors import BrokerUnavailable, NotFound, OrderNotOpen
from investing.rules.trading.orders import OPEN, check_order_request
from investing.trading import orders, placing
from investing.trading.placing import NewOrder, TradingConfig

logger = logging.getLogger("graphfolio.trading")
ResultT = TypeVar("ResultT")
NOBODY = RequestOrigin()
LEASE_SECONDS = 30.0
AT_ONCE = 100
ABREAST = 4
"""How many orders are looked up at a time: few enough that clients still get a connection."""


class Desk:
    """Everything between an order and its broker. One for each server process; any number may run."""

    def __init__(
        self, sessions: Sessions, trading_config: TradingConfig, notifier: Notifier | None = None
    ) -> None:
        """Create the desk. `notifier` announces changes to whoever follows orders, here and elsewhere."""
        self._sessions = sessions
        self._trading_config = trading_config
        self.notifier = notifier or Notifier()
        self._asking = Outage(logger, "Asking a broker")
        self._attending = Outage(logger, "Attending to the open orders")
        self.outages = (self._asking, self._attending)
        self._faults = Faults(logger)

    async def place(self, actor: Actor, new: NewOrder, idempotency_key: str) -> UUID:
        """Place an order, once for the key, and return its id.

        A MARKET order is normally filled when this returns. Raise InvalidInput, IdempotencyMismatch and what
        `investing.trading.placing.place` raises.
        """
        check_order_request(new.request)
        arguments = {"portfolio": new.portfolio_id, "symbol": new.symbol, **vars(new.request)}
        intent = Intent.of(actor.id, idempotency_key, "placeOrder", arguments, actor.login)
        id, placed = await placing.place_once(actor, intent, new, self._trading_config)
        self.notifier.notify(actor.id, Topic.ORDERS)
        if placed is not None:
            await self._ask(actor.id, actor.client, placed)
        else:
            await self._wait_while_pending(actor.id, id)
        return id

    async def submit(self, owner_id: UUID, client: RequestOrigin, id: UUID) -> None:
        """Send a placed order to its broker, and write the answer."""
        order = await self._find(owner_id, id)
        assert order is not None, "it was just placed"
        await self._ask(owner_id, client, order)

    async def cancel(self, actor: Actor, id: UUID) -> None:
        """Cancel an open order, and release what it has reserved.

        Raise NotFound; OrderNotOpen for an order that has ended, even just now; and BrokerUnavailable if the
        broker does not answer, in which case the order stays open.
        """
        order = await self._find(actor.id, id, actor.login)
        if order is None:
            raise NotFound("There is no such order.", ("orderId",))
        if order.status not in OPEN:
            raise _not_open(order.status)
        try:
            state = await self._answer(self._trading_config.brokers.named(order.broker).cancel(id))
        except Ambiguous:
            message = "The broker does not answer: the order may still trade. Try again."
            raise BrokerUnavailable(message, ("orderId",), broker=order.broker) from None
        status = await self._follow(actor.id, actor.client, state)
        if status is not OrderStatus.CANCELLED:
            raise _not_open(status or OrderStatus.CANCELLED)

    async def attend(self) -> None:
        """Run one round: post fills that were reported, then check open orders that are due.

        Any process may do it, or all of them at the same time.
        """
        for broker in self._trading_config.brokers.all():
            await self._guarded(self._take_fills(broker), "the fills of a broker")
        while work := await claim(self._sessions, ORDERS, LEASE_SECONDS, AT_ONCE):
            for some in range(0, len(work), ABREAST):
                await asyncio.gather(
                    *(
                        self._guarded(self._look_up(owner_id, id), f"order {id}")
                        for owner_id, id in work[some : some + ABREAST]
                    )
                )
            if len(work) < AT_ONCE:
                return

    async def run(self, every_seconds: float = 1.0) -> None:
        """Attend to the open orders for ever; after an outage the next round tries again."""
        while True:
            with self._attending.survived():
                await self.attend()
            await asyncio.sleep(every_seconds)

    async def _ask(self, owner_id: UUID, client: RequestOrigin, order: OrderRow) -> None:
        broker = self._trading_config.brokers.named(order.broker)
        try:
            state = await self._answer(broker.submit(orders.request_of(order)))
        except Ambiguous:
            await self._write(owner_id, order.id, lambda it: orders.set_unknown(it, client, order.id))
        else:
            await self._follow(owner_id, client, state)

    async def _look_up(self, owner_id: UUID, id: UUID) -> None:
        """Compare an open order with the broker's state of it, and end it if its time is up."""
        order = await self._find(owner_id, id)
        if order is None or order.status not in OPEN:
            await self._set_work(owner_id, id, None)
            return
        broker = self._trading_config.brokers.named(order.broker)
        is_over = order.expires_at is not None and order.expires_at <= dt.datetime.now(dt.UTC)
        state: BrokerOrder | None
        try:
            if is_over:
                state = await self._answer(broker.cancel(id))
            else:
                state = await self._answer(broker.find(id))
                if state is None and order.status in (OrderStatus.PENDING, OrderStatus.UNKNOWN):
                    # Looked up first, and the broker keeps one order for an id: this cannot buy twice.
                    state = await self._answer(broker.submit(orders.request_of(order)))
        except Ambiguous:
            soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
            await self._write(owner_id, id, lambda it: orders.set_unknown(it, NOBODY, id))
            await self._set_work(owner_id, id, soon)
            return
        if state is None:
            logger.error("The broker %s does not know the order %s any more.", order.broker, id)
            return
        await self._follow(owner_id, NOBODY, state)

    async def _take_fills(self, broker: BrokerClient) -> None:
        while executions := await self._answer(broker.executions()):
            owners = await rows.owners_of(self._sessions, [e.client_order_id for e in executions])
            arrived = []
            for execution in executions:
                # An order that is not open any more has all its fills.
                owner_id = owners.get(execution.client_order_id)
                if owner_id is None or await self._guarded(
                    self._fill(owner_id, NOBODY, execution), f"execution {execution.id}"
                ):
                    arrived.append(execution)
            await self._answer(broker.acknowledge(arrived))
            if len(arrived) < len(executions):
                return

    async def _fill(
        self, owner_id: UUID, client: RequestOrigin, execution: Fill, broker_order_id: str | None = None
    ) -> OrderStatus | None:
        return await self._write(
            owner_id,
            execution.client_order_id,
            lambda ledger: orders.fill(ledger, client, execution, broker_order_id),
        )

    async def _follow(self, owner_id: UUID, client: RequestOrigin, state: BrokerOrder) -> OrderStatus | None:
        """Write what the broker reports: each fill, then the order's status."""
        status: OrderStatus | None = None
        for execution in state.executions:
            status = await self._fill(owner_id, client, execution, state.broker_order_id)
        if status is OrderStatus.FILLED:
            return status
        settled = await self._settle(owner_id, client, state)
        return None if settled is None else settled.status

    async def _settle(
        self, owner_id: UUID, client: RequestOrigin, state: BrokerOrder
    ) -> orders.Settled | None:
        if state.rejection is None:
            id = state.client_order_id
            return await self._write(owner_id, id, lambda ledger: orders.settle(ledger, client, state))

        # Together with its alert, which is written over a session.
        async def reject(session: Session) -> orders.Settled | None:
            ledger = LedgerTransaction(await raw_connection_of(session), owner_id)
            settled = await orders.settle(ledger, client, state)
            await ledger.flush()
            if settled is not None and settled.rejected is not None:
                order, reason, code = settled.rejected
                await raise_for_rejection(session, owner_id, order._asdict(), reason, code)
            return settled

        settled = await self._sessions.transact(owner_id, reject)
        self.notifier.notify(owner_id, Topic.ORDERS)
        return settled

    async def _write(
        self, owner_id: UUID, id: UUID, act: Callable[[LedgerTransaction], Awaitable[ResultT]]
    ) -> ResultT:
        """Act on an order, in a transaction that has locked its portfolio."""
        result = await transact(self._sessions, owner_id, Locks(order=id), act)
        self.notifier.notify(owner_id, Topic.ORDERS)
        return result

    async def _set_work(self, owner_id: UUID, id: UUID, due_at: dt.datetime | None) -> None:
        async def act(ledger: LedgerTransaction) -> None:
            writes.set_work(ledger.batch, owner_id, id, due_at)

        await self._write(owner_id, id, act)

    async def _find(self, owner_id: UUID, id: UUID, login: UncheckedLogin | None = None) -> OrderRow | None:
        async def act(ledger: LedgerTransaction) -> OrderRow | None:
            return await rows.find_order(ledger.connection, owner_id, id)

        return await transact(self._sessions, owner_id, NO_LOCKS, act, login)

    async def _answer(self, requested: Awaitable[ResultT]) -> ResultT:
        """Return the broker's answer. Raise Ambiguous if there is none, whatever went wrong on the way."""
        try:
            async with asyncio.timeout(self._trading_config.patience.total_seconds()):
                answer = await requested
        except Ambiguous:
            raise
        except Exception as error:
            self._asking.began(error)
            raise Ambiguous from error
        self._asking.over()
        return answer

    async def _guarded(self, work: Awaitable[object], what: str) -> bool:
        """Return whether the work was done; log a fault, so that one order does not hold up others.

        Raise what is not caused by the order, such as an outage of the database.
        """
        try:
            await work
        except Ambiguous:
            # Logged where it happened; what is still to do is due again by itself.
            return False
        except Exception as error:
            if is_away(error):
                raise
            self._faults.met(error, "Something went wrong with %s.", what)
            return False
        return True

    async def _wait_while_pending(self, owner_id: UUID, id: UUID) -> None:
        """Wait for the answer to the first attempt, where a retry comes while it is under way."""
        deadline = asyncio.get_running_loop().time() + self._trading_config.patience.total_seconds()
        with self.notifier.listening(owner_id, Topic.ORDERS) as event:
            while asyncio.get_running_loop().time() < deadline:
                order = await self._find(owner_id, id)
                if order is None or order.status != OrderStatus.PENDING:
                    return
                await wait(event, 0.2)


def _not_open(status: str) -> OrderNotOpen:
    return OrderNotOpen(f"The order has ended: it is {status}.", ("orderId",), status=status)
