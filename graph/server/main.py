"""The assembled server: services opened at its start, closed at its end."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from argon2 import PasswordHasher
from starlette.applications import Starlette

from db.sessions import open_sessions
from graph.context import Context
from graph.limits import STANDARD as STANDARD_LIMITS
from graph.row_counts import KnownRowCounts
from graph.schema import build_schema
from graph.server.app import build_app
from graph.server.budgets import BudgetLimits
from graph.server.client import ClientConnection
from graph.services import Services
from investing.actor import RequestOrigin
from investing.auth.api_keys import ApiKeys
from investing.auth.encryption import SecretBox
from investing.auth.keys import KeyRing
from investing.auth.passwords import MOST_WAITING, Passwords
from investing.auth.service import AuthService
from investing.auth.tokens import AccessTokens
from investing.market.watches import Watches
from investing.notifications.destinations import Destinations
from investing.notifier import Notifier
from runtime.sending import secret_box_of, smtp_config_of
from runtime.services import Readiness, Runtime, background_services
from runtime.supervisor import STANDARD, Restarts
from settings import Settings


def build_server(
    settings: Settings,
    url: str,
    ring: KeyRing,
    *,
    secret_box: SecretBox | None = None,
    hasher: PasswordHasher | None = None,
    restarts: Restarts = STANDARD,
) -> Starlette:
    """Build the application on the database at `url`, with the key ring that signs its tokens.

    `secret_box` encrypts stored secrets; without one it is made from the settings at its first use. `hasher`
    takes the place of argon2id's own parameters. `restarts` say when a service that has failed is run again.
    """
    opened: list[Services] = []
    running: list[Runtime] = []
    secret_box = secret_box or secret_box_of(settings)
    smtp_config = smtp_config_of(settings)
    allow_private = settings.allow_private_destinations

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        most_waiting = MOST_WAITING if settings.login_attempts else None
        passwords = Passwords(hasher, at_once=settings.passwords_at_once, most_waiting=most_waiting)
        tokens = AccessTokens(
            ring,
            settings.token_issuer,
            settings.token_audience,
            dt.timedelta(minutes=settings.access_token_minutes),
        )
        try:
            notifier = Notifier()
            async with open_sessions(
                url,
                size=settings.pool_size,
                notifier=notifier,
                tree_seconds=settings.operation_timeout_seconds,
            ) as sessions:
                auth_service = AuthService(
                    sessions,
                    tokens,
                    passwords,
                    dt.timedelta(days=settings.refresh_token_days),
                    most_attempts=settings.login_attempts,
                    time_zone=settings.time_zone,
                )
                async with background_services(
                    settings,
                    sessions,
                    url,
                    secret_box,
                    notifier=notifier,
                    jobs=settings.worker,
                    restarts=restarts,
                ) as runtime:
                    running.append(runtime)
                    opened.append(
                        Services(
                            sessions=sessions,
                            row_counts=KnownRowCounts(sessions),
                            auth_service=auth_service,
                            desk=runtime.desk,
                            rebalancer=runtime.rebalancer,
                            trading_config=runtime.trading_config,
                            optimiser=runtime.optimiser,
                            destinations=Destinations(
                                secret_box, allow_private=allow_private, mail=smtp_config is not None
                            ),
                            api_keys=ApiKeys(secret_box),
                            ingest=runtime.evaluator.ingest,
                            notifier=runtime.notifier,
                            watches=Watches(runtime.evaluator.ticker),
                            events_per_second=settings.stream_events_per_second,
                            time_zone=settings.time_zone,
                        )
                    )
                    yield
                opened.clear()
                running.clear()
        finally:
            passwords.close()

    def open_context(token: str | None, client: ClientConnection) -> Context:
        origin = RequestOrigin(client.ip_address, client.user_agent)
        return Context(opened[0], token, origin, client.device)

    async def ready() -> Readiness:
        return await running[0].readiness()

    return build_app(
        schema=build_schema(),
        open_context=open_context,
        ready=ready,
        lifespan=lifespan,
        allowed_origins=settings.allowed_origins,
        limits=replace(STANDARD_LIMITS, cost=settings.max_query_cost, size=settings.max_answer_bytes),
        operation_timeout_seconds=settings.operation_timeout_seconds,
        services=lambda: opened[0],
        compiler=settings.compiler,
        budgets=BudgetLimits(
            settings.operations_per_user, settings.seconds_per_user, settings.sockets_per_user
        ),
    )
