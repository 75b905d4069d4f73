"""The rebalancer: find targets outside any transaction, start a rebalance, and carry it out to its end."""

import logging
from collections.abc import Mapping
from uuid import UUID

from db.claims import REBALANCES, claim
from db.outages import Faults
from db.sessions import Session, Sessions, is_away
from db.vocabulary import RebalanceTrigger, Strategy, Topic
from investing.actor import Actor, RequestOrigin
from investing.idempotency import find_kept, once_in_session
from investing.rebalancing.optimiser.pool import Optimiser
from investing.rebalancing.order_by_order import step
from investing.rebalancing.starting import LEASE, Run, start
from investing.rebalancing.targets import Targets, find_targets
from investing.rules.errors import DomainError, OptimiserBusy, OptimiserFailed
from investing.trading.desk import NOBODY, Desk
from investing.trading.placing import TradingConfig

logger = logging.getLogger("graphfolio.rebalancing")
AT_ONCE = 20
_FIELD = "rebalancePortfolio"


class Rebalancer:
    """Rebalance portfolios. There is one per process, in any number of processes."""

    def __init__(
        self, sessions: Sessions, trading_config: TradingConfig, desk: Desk, optimiser: Optimiser
    ) -> None:
        self._sessions = sessions
        self._trading_config = trading_config
        self._desk = desk
        self._optimiser = optimiser
        self._faults = Faults(logger)

    async def rebalance(
        self,
        actor: Actor,
        portfolio_id: UUID,
        strategy: Strategy | None,
        plan_hash: str | None,
        idempotency_key: str,
    ) -> UUID:
        """Rebalance once for the key; return the rebalance's id. On paper it has ended when this returns.

        At a broker, everything is placed that can be, and the jobs continue it. Raise InvalidInput,
        IdempotencyMismatch and what `find_targets` and `start` raise.
        """
        arguments: Mapping[str, object] = {
            "portfolio": portfolio_id,
            "strategy": strategy,
            "plan_hash": plan_hash,
        }
        known = await find_kept(self._sessions, actor.id, idempotency_key, _FIELD, arguments)
        if known is not None:
            return known
        targets = await self.targets(actor.id, portfolio_id, strategy)
        run = Run(portfolio_id, RebalanceTrigger.MANUAL, plan_hash)

        async def effect(session: Session) -> UUID:
            if isinstance(targets, DomainError):
                raise targets
            return await start(session, actor.id, actor.client, run, targets, self._trading_config)

        id = await once_in_session(self._sessions, actor.id, idempotency_key, _FIELD, arguments, effect)
        await self.advance(actor.id, actor.client, id)
        return id

    async def targets(
        self, owner_id: UUID, portfolio_id: UUID, strategy: Strategy | None
    ) -> Targets | DomainError:
        """Return the target weights, or why there are none.

        Raise OptimiserBusy or OptimiserFailed, after which a retry may succeed.
        """
        try:
            return await find_targets(self._sessions, self._optimiser, owner_id, portfolio_id, strategy)
        except (OptimiserBusy, OptimiserFailed):
            raise
        except DomainError as domain_error:
            return domain_error

    async def advance(self, owner_id: UUID, client: RequestOrigin, id: UUID) -> None:
        """Do what can be done now, until the rebalance has ended or waits for its broker."""
        while True:
            next_order = await self._sessions.transact(
                owner_id, lambda session: step(session, owner_id, client, id, self._trading_config)
            )
            self._desk.notifier.notify(owner_id, Topic.ORDERS)
            if next_order.placed is None:
                return
            await self._desk.submit(owner_id, client, next_order.placed)

    async def advance_all(self) -> int:
        """Continue every rebalance that is waiting, of dead processes too; this is a job. Return how many."""
        count = 0
        lease = LEASE.total_seconds()
        while work := await claim(self._sessions, REBALANCES, lease, AT_ONCE):
            count += len(work)
            for owner_id, id in work:
                try:
                    await self.advance(owner_id, NOBODY, id)
                except Exception as error:
                    if is_away(error):
                        raise
                    # It is due again when the lease ends. One rebalance must not hold up the others.
                    self._faults.met(error, "Something went wrong with the rebalance %s.", id)
        return count
