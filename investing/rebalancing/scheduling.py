"""Portfolios that rebalance automatically: on the first market day of their period, and when they drift.

Drift is measured from the targets of the last run (for CUSTOM from its owner's), so that the optimiser is not
needed each time; it starts a rebalance at most once a day.
"""

import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.claims import SCHEDULES, ScheduleClaim, claim
from db.outages import Faults
from db.rebalancing import due as rows
from db.rebalancing.planning import find_rebalanced
from db.rebalancing.running import find_weights
from db.sessions import Session, Sessions, is_away
from db.vocabulary import RebalanceFrequency, RebalanceTrigger, Strategy
from investing.rebalancing.rebalancer import Rebalancer
from investing.rebalancing.starting import Run, reason_of, start, write_failure
from investing.rebalancing.targets import Targets
from investing.rules.errors import DomainError
from investing.rules.market.market_days import next_due, next_market_morning
from investing.rules.rebalancing.legs import largest_drift
from investing.trading.desk import NOBODY
from investing.trading.placing import TradingConfig

logger = logging.getLogger("graphfolio.rebalancing")
LEASE_SECONDS = 120.0
AT_ONCE = 10
MOST_ATTEMPTS = 5
"""After this many faults in a row, a run that is due is recorded as failed."""


class Schedule:
    """Start the rebalances that are due. There is one per process, in any number of processes."""

    def __init__(
        self,
        sessions: Sessions,
        trading_config: TradingConfig,
        rebalancer: Rebalancer,
        drift_every: dt.timedelta,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        """Create a schedule that checks drift every `drift_every`."""
        self._sessions = sessions
        self._trading_config = trading_config
        self._rebalancer = rebalancer
        self._drift_every = drift_every
        self._clock = clock
        self._faults = Faults(logger)

    async def start_due(self) -> int:
        """Check every portfolio that is due, and return how many; missed runs are made up for once: a job."""
        count = 0
        while found := await claim(self._sessions, SCHEDULES, LEASE_SECONDS, AT_ONCE):
            count += len(found)
            for due in found:
                try:
                    await self._check_due(due)
                except Exception as error:
                    if is_away(error):
                        raise
                    # It is due again when the lease ends. One portfolio must not hold up the others.
                    self._faults.met(error, "Portfolio %s could not be rebalanced.", due.portfolio_id)
        return count

    async def _check_due(self, due: ScheduleClaim) -> None:
        now = self._clock()
        async with self._sessions.begin(due.owner_id) as session:
            settings = await rows.find_automatic(session, due.owner_id, due.portfolio_id)
            if settings is None or not settings["auto_rebalance"]:
                await rows.delete_due(session, due.owner_id, due.portfolio_id)
                return
            trigger = await self._trigger(session, due, settings, now) if settings["is_live"] else None
            after = self._after(due, settings, trigger, now)
            if trigger is None:
                await rows.set_due(session, due.owner_id, due.portfolio_id, *after)
                return
        await self._run(due, Strategy(settings["strategy"]), trigger, after)

    async def _trigger(
        self, session: Session, due: ScheduleClaim, settings: Mapping[Any, Any], now: dt.datetime
    ) -> RebalanceTrigger | None:
        if due.scheduled_at is not None and due.scheduled_at <= now:
            return RebalanceTrigger.SCHEDULE
        if due.drift_at is None or due.drift_at > now or settings["drift_band"] is None:
            return None
        targets = await self._targets(session, due, settings)
        if targets is None:
            return None
        weights = await find_weights(session, due.owner_id, due.portfolio_id)
        return RebalanceTrigger.DRIFT if largest_drift(weights, targets) > settings["drift_band"] else None

    async def _targets(
        self, session: Session, due: ScheduleClaim, settings: Mapping[Any, Any]
    ) -> Mapping[str, Decimal] | None:
        if settings["strategy"] == Strategy.CUSTOM:
            return {symbol: Decimal(weight) for symbol, weight in (settings["target_weights"] or {}).items()}
        return await rows.find_last_targets(session, due.owner_id, due.portfolio_id, settings["strategy"])

    def _after(
        self,
        due: ScheduleClaim,
        settings: Mapping[Any, Any],
        trigger: RebalanceTrigger | None,
        now: dt.datetime,
    ) -> tuple[dt.datetime, dt.datetime | None]:
        """Return when the schedule and drift are due next."""
        scheduled_at = due.scheduled_at
        if scheduled_at is None or scheduled_at <= now:
            scheduled_at = next_due(RebalanceFrequency(settings["rebalance_frequency"]), now)
        if settings["drift_band"] is None:
            return scheduled_at, None
        if trigger is RebalanceTrigger.DRIFT:
            # If a run cannot correct the drift, the same prices would start one run after another.
            return scheduled_at, next_market_morning(now)
        return scheduled_at, now + self._drift_every

    async def _run(
        self,
        due: ScheduleClaim,
        strategy: Strategy,
        trigger: RebalanceTrigger,
        after: tuple[dt.datetime, dt.datetime | None],
    ) -> None:
        run = Run(due.portfolio_id, trigger)
        found: Targets | DomainError | str
        try:
            found = await self._rebalancer.targets(due.owner_id, due.portfolio_id, None)
            id = await self._sessions.transact(due.owner_id, self._starting(due, run, strategy, found, after))
        except Exception as error:
            if due.attempts < MOST_ATTEMPTS:
                raise
            logger.error("Portfolio %s is given up for now.", due.portfolio_id, exc_info=error)
            found = f"INTERNAL: it went wrong {due.attempts} times in a row; the server's log says how."
            id = await self._sessions.transact(due.owner_id, self._starting(due, run, strategy, found, after))
        if id is not None:
            await self._rebalancer.advance(due.owner_id, NOBODY, id)

    def _starting(
        self,
        due: ScheduleClaim,
        run: Run,
        strategy: Strategy,
        found: Targets | DomainError | str,
        after: tuple[dt.datetime, dt.datetime | None],
    ) -> Callable[[Session], Awaitable[UUID | None]]:
        """Return the work that stores the run and its next time.

        It does so in one transaction, so that neither is stored without the other.
        """

        async def work(session: Session) -> UUID | None:
            owner_id = due.owner_id
            await find_rebalanced(session, owner_id, due.portfolio_id, lock=True)
            if await rows.find_times(session, owner_id, due.portfolio_id) != (
                due.scheduled_at,
                due.drift_at,
            ):
                # Another process has done it, or the owner has changed the settings.
                return None
            await rows.set_due(session, owner_id, due.portfolio_id, *after)
            try:
                if isinstance(found, str):
                    return await write_failure(session, owner_id, NOBODY, run, strategy, found)
                if isinstance(found, DomainError):
                    raise found
                async with session.begin_nested():
                    return await start(session, owner_id, NOBODY, run, found, self._trading_config)
            except DomainError as domain_error:
                reason = reason_of(domain_error)
                return await write_failure(session, owner_id, NOBODY, run, strategy, reason)

        return work
