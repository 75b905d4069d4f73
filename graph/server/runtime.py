"""Those who work in a process beside answering: the desk, the evaluator of alerts, the rebalancer and, if
wanted, the jobs.
"""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from db.jobs.scheduler import run_scheduler
from db.notifier.transport import PostgresTransport
from db.sessions import Sessions, open_sessions
from db.vocabulary import Broker, Topic
from graph.server.sending import secret_box_of, sender_of
from investing.alerts.evaluator import Evaluator
from investing.auth.encryption import SecretBox
from investing.brokers.paper import PaperBroker
from investing.brokers.registry import Brokers
from investing.jobs.registry import jobs_of
from investing.market.feeds.replay import Replay
from investing.notifier import Notifier, Transport
from investing.rebalancing.optimiser.pool import Optimiser
from investing.rebalancing.rebalancer import Rebalancer
from investing.rules.trading.orders import BrokerFees
from investing.trading.desk import Desk
from investing.trading.placing import TradingConfig
from settings import Settings

DRAIN_SECONDS = 10.0
"""So long a job has to finish when the process is told to end; then it is cut off, and taken over."""


@dataclass(frozen=True)
class Runtime:
    """One of each for a process."""

    trading_config: TradingConfig
    desk: Desk
    optimiser: Optimiser
    rebalancer: Rebalancer
    evaluator: Evaluator
    notifier: Notifier


@asynccontextmanager
async def background_services(
    settings: Settings, sessions: Sessions, url: str, secret_box: SecretBox, *, jobs: bool
) -> AsyncIterator[Runtime]:
    """The crew at work: open orders and alert rules are attended, and with `jobs` so are those.

    `url` is the database's, to listen at for what other processes announce. In the end it drains.
    """
    trading_config = trading_config_of(settings, sessions)
    notifier = Notifier()
    desk = Desk(sessions, trading_config, notifier)
    evaluator = Evaluator(sessions, desk)

    def announce(owner_id: UUID, topic: Topic) -> None:
        notifier.notify(owner_id, topic)
        if topic is Topic.PORTFOLIOS:
            evaluator.portfolios.wake(owner_id)

    sessions.announce = announce
    optimiser = Optimiser(workers=settings.optimiser_workers, seconds=settings.optimiser_timeout_seconds)
    rebalancer = Rebalancer(sessions, trading_config, desk, optimiser)
    runtime = Runtime(trading_config, desk, optimiser, rebalancer, evaluator, notifier)
    stop = asyncio.Event()
    running = [desk.run(), evaluator.run(), notifier.run(transport_of(settings, sessions, url), sessions)]
    if settings.send_notifications:
        running.append(sender_of(settings, sessions, secret_box).run())
    if settings.feed == "replay":
        running.append(Replay(sessions, settings.replay_speed).run(evaluator.ingest))
    attending = [asyncio.create_task(work) for work in running]
    rounds = asyncio.create_task(_scheduler(settings, sessions, runtime, stop)) if jobs else None
    try:
        yield runtime
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
        background_services(settings, sessions, url, secret_box_of(settings), jobs=True),
    ):
        await stop.wait()


async def _scheduler(settings: Settings, sessions: Sessions, runtime: Runtime, stop: asyncio.Event) -> None:
    jobs = jobs_of(
        sessions,
        runtime.trading_config,
        runtime.rebalancer,
        drift_every=dt.timedelta(minutes=float(settings.drift_check_minutes)),
        alerts_kept=dt.timedelta(days=settings.alert_retention_days),
    )
    await run_scheduler(sessions, jobs, stop)


def transport_of(settings: Settings, sessions: Sessions, url: str) -> Transport:
    """What carries rings to other processes, by the settings."""
    if settings.notifier_url is None:
        return PostgresTransport(sessions, settings.listen_url or url)
    from investing.nats_transport import NatsTransport

    return NatsTransport(settings.notifier_url.get_secret_value())


def trading_config_of(settings: Settings, sessions: Sessions) -> TradingConfig:
    """How orders are placed here, by the settings. The one broker that is connected is the paper broker."""
    fees = BrokerFees(
        commission_per_order=settings.paper_commission_per_order,
        commission_per_share=settings.paper_commission_per_share,
        slippage=settings.paper_slippage,
        shares_per_tick=settings.paper_shares_per_tick,
    )
    hours = settings.quote_max_age_hours
    return TradingConfig(
        brokers=Brokers({Broker.PAPER: PaperBroker(sessions, fees)}),
        quote_max_age=None if hours is None else dt.timedelta(hours=float(hours)),
        patience=dt.timedelta(seconds=settings.broker_timeout_seconds),
    )
