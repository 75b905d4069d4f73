"""The server put together: services opened at its start, closed at its end."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from starlette.applications import Starlette

from db.doorbells.line import PostgresLine
from db.sessions import Sessions, open_sessions
from db.vocabulary import Broker
from graph.context import Context, Services
from graph.schema import build_schema
from graph.server.app import build_app
from graph.server.client import Client
from investing.alerts.evaluator import Evaluator
from investing.auth.keys import KeyRing
from investing.auth.passwords import Passwords
from investing.auth.service import Door
from investing.auth.tokens import AccessTokens
from investing.brokers.paper import PaperBroker
from investing.brokers.registry import Brokers
from investing.doorbell import Doorbell
from investing.market.feeds.replay import Replay
from investing.market.watches import Watches
from investing.rules.orders import Terms
from investing.trading.desk import Desk
from investing.trading.placing import House
from settings import Settings


def build_server(
    settings: Settings, url: str, ring: KeyRing, *, hasher: PasswordHasher | None = None
) -> Starlette:
    """The application on the database at `url`, with the key ring that signs its tokens.

    `hasher` takes the place of argon2id's own parameters.
    """
    opened: list[Services] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        passwords = Passwords(hasher, at_once=settings.passwords_at_once)
        tokens = AccessTokens(
            ring,
            settings.token_issuer,
            settings.token_audience,
            dt.timedelta(minutes=settings.access_token_minutes),
        )
        try:
            async with open_sessions(url, size=settings.pool_size, watched=True) as sessions:
                door = Door(sessions, tokens, passwords, dt.timedelta(days=settings.refresh_token_days))
                bell = Doorbell()
                sessions.announce = bell.ring
                desk = Desk(sessions, house_of(settings, sessions), bell)
                evaluator = Evaluator(sessions, desk)
                watches = Watches(evaluator.ticker)
                rate = settings.stream_events_per_second
                opened.append(Services(sessions, door, desk, evaluator.floor, bell, watches, rate))
                line = PostgresLine(sessions, settings.listen_url or url)
                running = [desk.run(), evaluator.run(), bell.run(line)]
                if settings.feed == "replay":
                    running.append(Replay(sessions, settings.replay_speed).run(evaluator.floor))
                tasks = [asyncio.create_task(work) for work in running]
                try:
                    yield
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
                opened.clear()
        finally:
            passwords.close()

    def open_context(token: str | None, client: Client) -> Context:
        return Context(opened[0], token, client)

    async def ready() -> bool:
        return await opened[0].sessions.is_ready()

    return build_app(
        schema=build_schema(),
        open_context=open_context,
        ready=ready,
        lifespan=lifespan,
        allowed_origins=settings.allowed_origins,
        operation_timeout_seconds=settings.operation_timeout_seconds,
    )


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
