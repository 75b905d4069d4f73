"""What a process does beside answering: prices, alerts, orders, notifications and, if wanted, the jobs."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from db.jobs.scheduler import run_scheduler, scheduler_outage
from db.notifier.transport import PostgresTransport
from db.sessions import Sessions, open_sessions
from db.vocabulary import Broker, Topic
from investing.auth.encryption import SecretBox
from investing.brokers.paper import PaperBroker
from investing.brokers.registry import Brokers
from investing.jobs.registry import jobs_of
from investing.notifier import Notifier, Transport
from investing.prices.evaluator import Evaluator
from investing.prices.feeds.replay import Replay
from investing.rebalancing.optimiser.pool import Optimiser
from investing.rebalancing.rebalancer import Rebalancer
from investing.rules.trading.orders import BrokerFees
from investing.trading.desk import Desk
from investing.trading.placing import TradingConfig
from runtime.loop_watch import LoopWatch
from runtime.sending import secret_box_of, sender_of
from runtime.supervisor import STANDARD, Restarts, Service, Supervisor
from settings import Settings

FINISH_SECONDS = 10.0
"""How long a job has to finish when the process is told to end; then it is cancelled and taken over."""


@dataclass(frozen=True)
class Readiness:
    """Whether this process should get requests, and the names of what does not work as it should."""

    is_ready: bool
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Runtime:
    """What a process works with beside answering, one of each."""

    sessions: Sessions
    trading_config: TradingConfig
    desk: Desk
    optimiser: Optimiser
    rebalancer: Rebalancer
    evaluator: Evaluator
    notifier: Notifier
    supervisor: Supervisor

    async def readiness(self) -> Readiness:
        """Find out whether answers are right and writes kept: by the database and the critical services."""
        is_up = await self.sessions.is_ready()
        database = () if is_up else ("database",)
        return Readiness(is_up and not self.supervisor.broken, database + self.supervisor.degraded)


@asynccontextmanager
async def background_services(
    settings: Settings,
    sessions: Sessions,
    url: str,
    secret_box: SecretBox,
    *,
    notifier: Notifier,
    jobs: bool,
    restarts: Restarts = STANDARD,
) -> AsyncIterator[Runtime]:
    """Run everything that lives as long as the process, under one supervisor; with `jobs` the scheduler too.

    `url` is the database's, to listen at for what other processes announce; the sessions notify `notifier` of
    what this one commits. At the end, running jobs may finish.
    """
    async with Supervisor(restarts) as supervisor:
        runtime = _assembled(settings, sessions, notifier, supervisor)
        notifier.follow(Topic.PORTFOLIOS, runtime.evaluator.portfolios.wake)
        for service in _services(settings, runtime, url, secret_box):
            supervisor.start(service)
        if jobs:
            supervisor.start(_scheduler(settings, runtime))
        yield runtime


async def work(settings: Settings, url: str, stop: asyncio.Event) -> None:
    """Run a worker process, which serves no requests, until it is told to stop."""
    notifier, secret_box = Notifier(), secret_box_of(settings)
    async with (
        open_sessions(url, size=settings.pool_size, notifier=notifier) as sessions,
        background_services(settings, sessions, url, secret_box, notifier=notifier, jobs=True),
    ):
        await stop.wait()


def _assembled(settings: Settings, sessions: Sessions, notifier: Notifier, supervisor: Supervisor) -> Runtime:
    trading_config = trading_config_of(settings, sessions)
    desk = Desk(sessions, trading_config, notifier)
    optimiser = Optimiser(workers=settings.optimiser_workers, seconds=settings.optimiser_timeout_seconds)
    return Runtime(
        sessions=sessions,
        trading_config=trading_config,
        desk=desk,
        optimiser=optimiser,
        rebalancer=Rebalancer(sessions, trading_config, desk, optimiser),
        evaluator=Evaluator(sessions, desk),
        notifier=notifier,
        supervisor=supervisor,
    )


def _services(settings: Settings, runtime: Runtime, url: str, secret_box: SecretBox) -> Iterator[Service]:
    """Describe what a process runs.

    A service is critical if answers would be wrong or writes lost without it.
    """
    sessions, evaluator, notifier, desk = (
        runtime.sessions,
        runtime.evaluator,
        runtime.notifier,
        runtime.desk,
    )
    ticker, prices, portfolios = evaluator.ticker, evaluator.prices, evaluator.portfolios
    transport = transport_of(settings, sessions, url)
    yield Service("database health", sessions.watch_health, is_critical=True)
    yield Service(
        "notifier",
        lambda: notifier.run(transport, sessions),
        is_critical=True,
        outages=notifier.outages,
        lesser_outages=notifier.transport_outages,
    )
    yield Service("ticker", ticker.run, is_critical=True, outages=ticker.outages)
    yield Service("price watch", evaluator.watch_prices, outages=prices.outages)
    yield Service("portfolio watch", portfolios.run, outages=portfolios.outages)
    yield Service("orders", desk.run, outages=desk.outages)
    yield Service("optimiser", runtime.optimiser.run)
    yield Service("loop watch", LoopWatch(settings.loop_warning_ms / 1000).run)
    if settings.send_notifications:
        sender = sender_of(settings, sessions, secret_box)
        yield Service("notification sender", sender.run, outages=sender.outages)
    if settings.feed == "replay":
        feed = Replay(sessions, settings.replay_speed)
        yield Service("price feed", lambda: feed.run(evaluator.ingest), True, feed.outages)


def _scheduler(settings: Settings, runtime: Runtime) -> Service:
    jobs = jobs_of(
        runtime.sessions,
        runtime.trading_config,
        runtime.rebalancer,
        drift_every=dt.timedelta(minutes=float(settings.drift_check_minutes)),
        alerts_kept=dt.timedelta(days=settings.alert_retention_days),
    )
    outage = scheduler_outage()
    return Service(
        "scheduler",
        lambda: run_scheduler(runtime.sessions, jobs, runtime.supervisor.stopping, outage),
        outages=[outage],
        finish_seconds=FINISH_SECONDS,
    )


def transport_of(settings: Settings, sessions: Sessions, url: str) -> Transport:
    """Return what carries notifications to other processes, by the settings."""
    if settings.notifier_url is None:
        return PostgresTransport(sessions, settings.listen_url or url)
    from investing.nats_transport import NatsTransport

    return NatsTransport(settings.notifier_url.get_secret_value())


def trading_config_of(settings: Settings, sessions: Sessions) -> TradingConfig:
    """Return how orders are placed here, by the settings.

    The only broker that is connected is the paper broker.
    """
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
