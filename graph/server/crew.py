"""Those who work in a process beside answering: the desk, the evaluator of alerts, the rebalancer and, if
wanted, the jobs.
"""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from db.doorbells.line import PostgresLine
from db.jobs.rounds import run_rounds
from db.sessions import Sessions, open_sessions
from db.vocabulary import Broker, Topic
from graph.server.sending import sender_of, vault_of
from investing.alerts.evaluator import Evaluator
from investing.auth.sealing import Vault
from investing.brokers.paper import PaperBroker
from investing.brokers.registry import Brokers
from investing.doorbell import Doorbell, Line
from investing.jobs.work import jobs_of
from investing.market.feeds.replay import Replay
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
    evaluator: Evaluator
    bell: Doorbell


@asynccontextmanager
async def at_work(
    settings: Settings, sessions: Sessions, url: str, vault: Vault, *, jobs: bool
) -> AsyncIterator[Crew]:
    """The crew at work: open orders and alert rules are attended, and with `jobs` so are those.

    `url` is the database's, to listen at for what other processes announce. In the end it drains.
    """
    house = house_of(settings, sessions)
    bell = Doorbell()
    desk = Desk(sessions, house, bell)
    evaluator = Evaluator(sessions, desk)

    def announce(owner_id: UUID, topic: Topic) -> None:
        bell.ring(owner_id, topic)
        if topic is Topic.PORTFOLIOS:
            evaluator.portfolios.wake(owner_id)

    sessions.announce = announce
    optimiser = Optimiser(workers=settings.optimiser_workers, seconds=settings.optimiser_timeout_seconds)
    rebalancer = Rebalancer(sessions, house, desk, optimiser)
    crew = Crew(house, desk, optimiser, rebalancer, evaluator, bell)
    stop = asyncio.Event()
    running = [desk.run(), evaluator.run(), bell.run(line_of(settings, sessions, url), sessions)]
    if settings.send_notifications:
        running.append(sender_of(settings, sessions, vault).run())
    if settings.feed == "replay":
        running.append(Replay(sessions, settings.replay_speed).run(evaluator.floor))
    attending = [asyncio.create_task(work) for work in running]
    rounds = asyncio.create_task(_rounds(settings, sessions, crew, stop)) if jobs else None
    try:
        yield crew
    finally:
        stop.set()
        if rounds is not None:
            await asyncio.wait({rounds}, timeout=DRAIN_SECONDS)
            rounds.cancel()
        for task in attending:
            task.cancel()
        await asyncio.gather(*attending, *([rounds] if rounds else []), return_exceptions=True)
        await optimiser.close()


async def work(settings: Settings, url: str, stop: asyncio.Event) -> None:
    """A process that does nothing but work, until it is told to stop."""
    async with (
        open_sessions(url, size=settings.pool_size, watched=True) as sessions,
        at_work(settings, sessions, url, vault_of(settings), jobs=True),
    ):
        await stop.wait()


async def _rounds(settings: Settings, sessions: Sessions, crew: Crew, stop: asyncio.Event) -> None:
    jobs = jobs_of(
        sessions,
        crew.house,
        crew.rebalancer,
        drift_every=dt.timedelta(minutes=float(settings.drift_check_minutes)),
        alerts_kept=dt.timedelta(days=settings.alert_retention_days),
    )
    await run_rounds(sessions, jobs, stop)


def line_of(settings: Settings, sessions: Sessions, url: str) -> Line:
    """What carries rings to other processes, by the settings."""
    if settings.doorbell_url is None:
        return PostgresLine(sessions, settings.listen_url or url)
    from investing.nats_line import NatsLine

    return NatsLine(settings.doorbell_url.get_secret_value())


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
