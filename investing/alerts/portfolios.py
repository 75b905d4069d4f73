"""Rules on portfolios: looked at as soon as something has moved the portfolio, and every few seconds anyway.

Whoever commits what moves a portfolio wakes the watch of its own process (`wake`). Prices are held against
what the last look read, in memory (`follow`), and only whom they change something for is looked at. A look
reads, and locks the owner's rules where they would change, so that each crossing fires once, however many
processes look. What a killed process leaves is found by the look of every few seconds, which one process
claims for all: where a rule stands is stored.
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
"""An owner's portfolios are held against prices at most once in so long, however often they tick."""
KEPT_LOOKS = 3
"""A book is forgotten after so many times in which others have looked: their processes know better now."""
AT_ONCE = 100
ABREAST = 4
"""So many owners are looked at at a time, so that clients still find a connection."""
_AT_A_STRETCH = 50


class PortfolioWatch:
    """Looks at the portfolios of whoever has rules on them. One for each process; any number may run."""

    def __init__(self, sessions: Sessions, again_seconds: float = AGAIN_SECONDS) -> None:
        """An owner's portfolios are looked at every so many seconds, whatever happens."""
        self._sessions = sessions
        self._again_seconds = again_seconds
        self._outage = Outage(logger, "Looking at portfolios")
        self.outages = (self._outage,)
        self._faults = Faults(logger)
        self._woken: set[UUID] = set()
        self._is_woken = asyncio.Event()
        self._prices: dict[UUID, QuoteRow] = {}
        self._moved: set[UUID] = set()
        self._has_moved = asyncio.Event()
        self._snapshot_cache = SnapshotCache(VALUED_SECONDS)

    def wake(self, owner_id: UUID) -> None:
        """Something is committed that moves the owner's portfolios, or changes the rules on them."""
        self._woken.add(owner_id)
        self._is_woken.set()

    def follow(self, quotes: Sequence[QuoteRow]) -> None:
        """Prices have moved. Of each the latest wins."""
        for quote in quotes:
            self._prices[quote.instrument_id] = quote
            self._moved.add(quote.instrument_id)
        self._has_moved.set()

    async def run(self) -> None:
        """Watch for ever, from scratch. The look of every few seconds finds what an outage left undone."""
        self._snapshot_cache = SnapshotCache(VALUED_SECONDS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._for_ever(self._is_woken, self.catch_up, COMMITS_SECONDS))
            tasks.create_task(self._for_ever(self._has_moved, self.value, PRICES_SECONDS))
            tasks.create_task(self._for_ever(None, self.attend, EVERY_SECONDS))

    async def attend(self) -> int:
        """One round: everybody who is due. How many."""
        self._snapshot_cache.forget(before=_clock() - KEPT_LOOKS * self._again_seconds)
        looked = 0
        while claimed := await claim(self._sessions, CHECKS, self._again_seconds, AT_ONCE):
            await self._look([check.owner_id for check in claimed])
            looked += len(claimed)
            if len(claimed) < AT_ONCE:
                break
        return looked

    async def catch_up(self) -> int:
        """Looks at those who were woken and have rules. How many."""
        woken, self._woken = self._woken, set()
        owners = await portfolio_checks.with_checks(self._sessions, woken) if woken else []
        await self._look(owners)
        return len(owners)

    async def value(self) -> int:
        """Holds what this process knows of against the prices that have moved, and looks at whom they change
        something for. How many.
        """
        moved, self._moved = self._moved, set()
        now, crossed = dt.datetime.now(dt.UTC), []
        for number, (owner_id, book) in enumerate(self._snapshot_cache.due(moved, _clock()), 1):
            if book.changes(now, self._prices):
                crossed.append(owner_id)
            if number % _AT_A_STRETCH == 0:
                # Nobody else in the process waits for long.
                await asyncio.sleep(0)
        await self._look(crossed, are_crossed=True)
        if self._snapshot_cache.has_more:
            self._has_moved.set()
        return len(crossed)

    async def _for_ever(
        self, woken: asyncio.Event | None, work: Callable[[], Awaitable[object]], pause: float
    ) -> None:
        while True:
            if woken is not None:
                await woken.wait()
                woken.clear()
            with self._outage.survived():
                await work()
            await asyncio.sleep(pause)

    async def _look(self, owners: Sequence[UUID], *, are_crossed: bool = False) -> None:
        for some in range(0, len(owners), ABREAST):
            looks = [self._guarded(owner, are_crossed) for owner in owners[some : some + ABREAST]]
            for failure in await asyncio.gather(*looks, return_exceptions=True):
                if failure is not None:
                    raise failure

    async def _guarded(self, owner_id: UUID, is_crossed: bool) -> None:
        """Look at one owner's portfolios; a fault there keeps nobody else's waiting."""
        begun = _clock()
        try:
            book = await (_decided if is_crossed else _looked)(self._sessions, owner_id)
        except Exception as error:
            if is_away(error):
                raise
            self._faults.met(error, "The portfolios of user %s could not be looked at.", owner_id)
            return
        self._snapshot_cache.keep(owner_id, book, begun)
        if self._snapshot_cache.has_more:
            self._has_moved.set()


async def _looked(sessions: Sessions, owner_id: UUID) -> PortfolioSnapshot | None:
    """Reads the owner's portfolios, and decides where they change something. None without any rules."""
    async with sessions.reading(owner_id) as connection:
        found = await portfolio_checks.rules_of(connection, owner_id, PORTFOLIO_KINDS)
        book = await read_snapshot(connection, owner_id, [rule_of(row) for row in found]) if found else None
    if book is not None and not book.changes(dt.datetime.now(dt.UTC)):
        return book
    return await _decided(sessions, owner_id)


async def _decided(sessions: Sessions, owner_id: UUID) -> PortfolioSnapshot | None:
    book, _ = await check_portfolios(sessions, owner_id, dt.datetime.now(dt.UTC))
    return book


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
        book = await read_snapshot(connection, owner_id, [rule_of(row) for row in found])
        alerts: list[NewAlert] = []
        for change in book.changes(now):
            stands = change.step.state
            book.standings[change.key] = stands
            if change.step.fires:
                alerts.append(alert_of(change.rule.row, change.seen))
            await portfolio_checks.save_state(
                session, owner_id, *change.key, stands.is_armed, stands.quiet_until
            )
        if alerts:
            await rules.note_fired(session, owner_id, {alert.rule_id for alert in alerts if alert.rule_id})
            await raise_alerts(session, owner_id, alerts)
    return book, len(alerts)


def _clock() -> float:
    return asyncio.get_running_loop().time()
