"""The server put together: services opened at its start, closed at its end."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from argon2 import PasswordHasher
from starlette.applications import Starlette

from db.sessions import Sessions, open_sessions
from db.vocabulary import Broker
from graph.context import Context, Services
from graph.ids import global_id
from graph.schema import build_schema
from graph.server.app import build_app
from graph.server.client import Client
from investing.alerts.evaluator import Evaluator
from investing.auth.keys import KeyRing
from investing.auth.passwords import Passwords
from investing.auth.sealing import Vault
from investing.auth.service import Door
from investing.auth.tokens import AccessTokens
from investing.brokers.paper import PaperBroker
from investing.brokers.registry import Brokers
from investing.market.feeds.replay import Replay
from investing.notifications.carriers.relay import Relay
from investing.notifications.destinations import Destinations
from investing.notifications.sender import Sender, carriers_of
from investing.rules.deliveries import Pace
from investing.rules.orders import Terms
from investing.trading.desk import Desk
from investing.trading.placing import House
from settings import Settings


def build_server(
    settings: Settings,
    url: str,
    ring: KeyRing,
    *,
    vault: Vault | None = None,
    hasher: PasswordHasher | None = None,
) -> Starlette:
    """The application on the database at `url`, with the key ring that signs its tokens.

    `vault` seals what is stored; without one the settings say which, and it is read at its first use.
    `hasher` takes the place of argon2id's own parameters.
    """
    opened: list[Services] = []
    vault = vault or vault_of(settings)
    relay = relay_of(settings)
    anywhere = settings.allow_private_destinations

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
                desk = Desk(sessions, house_of(settings, sessions))
                evaluator = Evaluator(sessions, desk)
                destinations = Destinations(vault, anywhere=anywhere, mail=relay is not None)
                opened.append(Services(sessions, door, desk, destinations, evaluator.floor))
                running = [desk.run(), evaluator.run()]
                if settings.feed == "replay":
                    running.append(Replay(sessions, settings.replay_speed).run(evaluator.floor))
                if settings.send_notifications:
                    running.append(sender_of(settings, sessions, vault).run())
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


def vault_of(settings: Settings) -> Vault:
    """What seals stored secrets here, by the settings."""
    keys = settings.sealing_keys
    return Vault.of(None if keys is None else keys.get_secret_value(), settings.data_dir)


def relay_of(settings: Settings) -> Relay | None:
    """The SMTP server, by the settings; None where there is none."""
    if settings.smtp_host is None:
        return None
    password = settings.smtp_password
    return Relay(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_sender,
        security=settings.smtp_security,
        username=settings.smtp_username,
        password=None if password is None else password.get_secret_value(),
    )


def sender_of(settings: Settings, sessions: Sessions, vault: Vault) -> Sender:
    """What sends notifications here, by the settings. Alerts are told outside by the ids of the API."""
    pace = Pace(per_hour=settings.notifications_per_hour)
    carriers = carriers_of(
        relay=relay_of(settings),
        anywhere=settings.allow_private_destinations,
        patience=pace.patience,
    )
    return Sender(sessions, vault, carriers, partial(global_id, "Alert"), pace)


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
