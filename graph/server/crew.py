"""Those who work in a process beside answering: the desk, the rebalancer and, if wanted, the jobs."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from db.jobs.rounds import run_rounds
from db.sessions import Sessions, open_sessions
from db.vocabulary import Broker
from investing.brokers.paper import PaperBroker
from investing.brokers.registry import Brokers
from investing.jobs.work import jobs_of
from investing.rebalancing.optimiser.pool import Optimiser
from investing.rebalancing.rebalancer import Rebalancer
from investing.rules.orders import Terms
from investing.trading.desk import Desk
from investing.trading.placing import House
from settings import Settings

DRAIN_SECONDS = 10.0
"""So long a job has to finish when the process is told to end; then it is cut off, and taken over."""


@dataclass(frozen=True)
class Crew:
    """One of each for a process."""

    house: House
    desk: Desk
    optimiser: Optimiser
    rebalancer: Rebalancer


@asynccontextmanager
async def at_work(settings: Settings, sessions: Sessions, *, jobs: bool) -> AsyncIterator[Crew]:
    """The crew at work: open orders are attended, and with `jobs` so are those. In the end it drains."""
    house = house_of(settings, sessions)
    desk = Desk(sessions, house)
    optimiser = Optimiser(workers=settings.optimiser_workers, seconds=settings.optimiser_timeout_seconds)
    crew = Crew(house, desk, optimiser, Rebalancer(sessions, house, desk, optimiser))
    stop = asyncio.Event()
    attending = asyncio.create_task(desk.run())
    rounds = asyncio.create_task(_rounds(settings, sessions, crew, stop)) if jobs else None
    try:
        yield crew
    finally:
        stop.set()
        if rounds is not None:
            await asyncio.wait({rounds}, timeout=DRAIN_SECONDS)
            rounds.cancel()
        attending.cancel()
        await asyncio.gather(attending, *([rounds] if rounds else []), return_exceptions=True)
        await optimiser.close()


async def work(settings: Settings, url: str, stop: asyncio.Event) -> None:
    """A process that does nothing but work, until it is told to stop."""
    async with (
        open_sessions(url, size=settings.pool_size, watched=True) as sessions,
        at_work(settings, sessions, jobs=True),
    ):
        await stop.wait()


async def _rounds(settings: Settings, sessions: Sessions, crew: Crew, stop: asyncio.Event) -> None:
    every = dt.timedelta(minutes=float(settings.drift_check_minutes))
    await run_rounds(sessions, jobs_of(sessions, crew.house, crew.rebalancer, every), stop)


def house_of(settings: Settings, sessions: Sessions) -> House:
    """How orders are placed here, by the settings. The one broker that is connected is the paper broker."""
    terms = Terms(
        commission_per_order=settings.paper_commission_per_order,
        commission_per_share=settings.paper_commission_per_share,
        slippage=settings.paper_slippage,
        shares_per_tick=settings.paper_shares_per_tick,
    )
    hours = settings.quote_max_age_hours
    return House(
        brokers=Brokers({Broker.PAPER: PaperBroker(sessions, terms)}),
        quote_max_age=None if hours is None else dt.timedelta(hours=float(hours)),
        patience=dt.timedelta(seconds=settings.broker_timeout_seconds),
    )
