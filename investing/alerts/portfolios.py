"""Rules on portfolios, checked as soon as something changes the portfolio, and regularly every few seconds.

Whoever commits a change of a portfolio wakes the watch of its own process (`wake`). Prices are compared in
memory with what the last check read (`follow`), and only owners for whom they change something are checked. A
check reads, and locks the owner's rules if they would change, so that each crossing fires once, however many
processes check. What a killed process leaves undone is found by the regular check, which one process claims
for all: the state of every rule is stored.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from db.alerts import portfolio_checks, rules
from db.claims import CHECKS, claim
from db.market.ticks import QuoteRow
from db.outages import Faults, Outage
from db.sessions import Sessions, is_away
from db.writing import raw_connection_of
from investing.alerts.portfolio_snapshot import PortfolioSnapshot, read_snapshot, rule_of
from investing.alerts.raising import NewAlert, raise_alerts
from investing.alerts.snapshot_cache import SnapshotCache
from investing.alerts.wording import alert_of
from investing.rules.alerts.conditions import PORTFOLIO_KINDS

logger = logging.getLogger("graphfolio.alerts")

AGAIN_SECONDS = 5.0
EVERY_SECONDS = 1.0
COMMITS_SECONDS = 0.1
PRICES_SECONDS = 0.25
VALUED_SECONDS = 1.0
"""An owner's portfolios are compared with prices at most this often, however often they tick."""
KEPT_ROUNDS = 3
"""After this many rounds that others have claimed, a snapshot is dropped: their processes have newer ones."""
AT_ONCE = 100
ABREAST = 4
"""How many owners are checked at a time, so that connections are left for clients."""
_PER_SLICE = 50


class PortfolioWatch:
    """Check the portfolios of every owner who has rules on them.

    There is one per process, in any number of processes.
    """

    def __init__(self, sessions: Sessions, again_seconds: float = AGAIN_SECONDS) -> None:
        """Create a watch that checks each owner's portfolios every `again_seconds`, whatever happens."""
        self._sessions = sessions
        self._again_seconds = again_seconds
        self._outage = Outage(logger, "Checking portfolios")
        self.outages = (self._outage,)
        self._faults = Faults(logger)
        self._woken: set[UUID] = set()
        self._is_woken = asyncio.Event()
        self._prices: dict[UUID, QuoteRow] = {}
        self._moved: set[UUID] = set()
        self._has_moved = asyncio.Event()
        self._snapshot_cache = SnapshotCache(VALUED_SECONDS)

    def wake(self, owner_id: UUID) -> None:
        """Note that something was committed that changes the owner's portfolios or the rules on them."""
        self._woken.add(owner_id)
        self._is_woken.set()

    def follow(self, quotes: Sequence[QuoteRow]) -> None:
        """Note that prices have moved; the latest of each instrument counts."""
        for quote in quotes:
            self._prices[quote.instrument_id] = quote
            self._moved.add(quote.instrument_id)
        self._has_moved.set()

    async def run(self) -> None:
        """Run for ever, from scratch. The next regular check finds what an outage left undone."""
        self._snapshot_cache = SnapshotCache(VALUED_SECONDS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._loop(self._is_woken, self.check_woken, COMMITS_SECONDS))
            tasks.create_task(self._loop(self._has_moved, self.check_prices, PRICES_SECONDS))
            tasks.create_task(self._loop(None, self.check_due, EVERY_SECONDS))

    async def check_due(self) -> int:
        """Check every owner who is due, in one round; return how many."""
        self._snapshot_cache.forget(before=_clock() - KEPT_ROUNDS * self._again_seconds)
        checked = 0
        while claimed := await claim(self._sessions, CHECKS, self._again_seconds, AT_ONCE):
            await self._check_owners([check.owner_id for check in claimed])
            checked += len(claimed)
            if len(claimed) < AT_ONCE:
                break
        # The other checks may find nothing to ask the database for.
        self._outage.over()
        return checked

    async def check_woken(self) -> int:
        """Check the owners who were woken and have rules; return how many."""
        woken, self._woken = self._woken, set()
        owners = await portfolio_checks.with_checks(self._sessions, woken) if woken else []
        await self._check_owners(owners)
        return len(owners)

    async def check_prices(self) -> int:
        """Compare the cached snapshots with the prices that have moved, and check the owners they affect.

        Return how many owners were checked.
        """
        moved, self._moved = self._moved, set()
        now, affected = dt.datetime.now(dt.UTC), []
        for number, (owner_id, snapshot) in enumerate(self._snapshot_cache.due(moved, _clock()), 1):
            if snapshot.changes(now, self._prices):
                affected.append(owner_id)
            if number % _PER_SLICE == 0:
                # Let the other tasks of the process run.
                await asyncio.sleep(0)
        await self._check_owners(affected, are_affected=True)
        if self._snapshot_cache.has_more:
            self._has_moved.set()
        return len(affected)

    async def _loop(
        self, woken: asyncio.Event | None, work: Callable[[], Awaitable[object]], pause: float
    ) -> None:
        while True:
            if woken is not None:
                await woken.wait()
                woken.clear()
            with self._outage.lasting():
                await work()
            await asyncio.sleep(pause)

    async def _check_owners(self, owners: Sequence[UUID], *, are_affected: bool = False) -> None:
        for start in range(0, len(owners), ABREAST):
            checks = [self._check_owner(owner, are_affected) for owner in owners[start : start + ABREAST]]
            for failure in await asyncio.gather(*checks, return_exceptions=True):
                if failure is not None:
                    raise failure

    async def _check_owner(self, owner_id: UUID, is_affected: bool) -> None:
        """Check one owner's portfolios; a fault there does not hold up the others."""
        begun = _clock()
        try:
            snapshot = await (_decide_owner if is_affected else _read_owner)(self._sessions, owner_id)
        except Exception as error:
            if is_away(error):
                raise
            self._faults.met(error, "The portfolios of user %s could not be checked.", owner_id)
            return
        self._snapshot_cache.keep(owner_id, snapshot, begun)
        if self._snapshot_cache.has_more:
            self._has_moved.set()


async def _read_owner(sessions: Sessions, owner_id: UUID) -> PortfolioSnapshot | None:
    """Read the owner's portfolios, and decide if something changes. Return None if there are no rules."""
    async with sessions.reading(owner_id) as connection:
        found = await portfolio_checks.rules_of(connection, owner_id, PORTFOLIO_KINDS)
        snapshot = (
            await read_snapshot(connection, owner_id, [rule_of(row) for row in found]) if found else None
        )
    if snapshot is not None and not snapshot.changes(dt.datetime.now(dt.UTC)):
        return snapshot
    return await _decide_owner(sessions, owner_id)


async def _decide_owner(sessions: Sessions, owner_id: UUID) -> PortfolioSnapshot | None:
    snapshot, _ = await check_portfolios(sessions, owner_id, dt.datetime.now(dt.UTC))
    return snapshot


async def check_portfolios(
    sessions: Sessions, owner_id: UUID, now: dt.datetime
) -> tuple[PortfolioSnapshot | None, int]:
    """Check the owner's portfolios against the rules on them.

    Returns what was read, None for an owner without such rules, and how many alerts were raised.
    """
    async with sessions.begin(owner_id) as session:
        found = await rules.lock_rules(session, owner_id, kinds=PORTFOLIO_KINDS, active=True)
        if not found:
            await portfolio_checks.end_look(session, owner_id)
            return None, 0
        connection = await raw_connection_of(session)
        snapshot = await read_snapshot(connection, owner_id, [rule_of(row) for row in found])
        alerts: list[NewAlert] = []
        for change in snapshot.changes(now):
            state = change.step.state
            snapshot.states[change.key] = state
            if change.step.fires:
                alerts.append(alert_of(change.rule.row, change.seen))
            await portfolio_checks.save_state(
                session, owner_id, *change.key, state.is_armed, state.quiet_until
            )
        if alerts:
            await rules.note_fired(session, owner_id, {alert.rule_id for alert in alerts if alert.rule_id})
            await raise_alerts(session, owner_id, alerts)
    return snapshot, len(alerts)


def _clock() -> float:
    return asyncio.get_running_loop().time()
