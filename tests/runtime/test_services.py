"""Nothing dies unseen: every service of a real server fails once, and then does its work again."""

import asyncio
import datetime as dt
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette

from db.market.ticks import QuoteRow, Tick
from db.notifier.transport import PostgresTransport
from db.sessions import Sessions
from db.vocabulary import AlertKind, AlertSeverity, DestinationKind, Strategy, Topic
from graph.server import main
from graph.server.main import build_server
from investing.alerts import portfolios, prices
from investing.alerts.rules import NewAlertRule, create_rule
from investing.auth.encryption import SecretBox
from investing.auth.keys import KeyRing
from investing.notifications.destinations import Destinations
from investing.rebalancing.optimiser.pool import Problem
from investing.rebalancing.optimiser.worker import Worker
from runtime import services
from runtime.services import Runtime
from runtime.supervisor import Restarts, Service, Supervisor, _settle
from settings import Settings
from tests.investing.exchange import Exchange
from tests.investing.trading.desks import buy, key, status
from tests.waiting import PATIENCE

SERVICES = {
    "database health": True,
    "notifier": True,
    "ticker": True,
    "price feed": True,
    "price watch": False,
    "portfolio watch": False,
    "orders": False,
    "optimiser": False,
    "loop watch": False,
    "notification sender": False,
    "scheduler": False,
}
"""Every service, and whether the process is not ready while it fails."""


class Saboteur(Supervisor):
    """A supervisor whose services raise a KeyError, as a bug in their loop would, when the test says so."""

    def __init__(self, restarts: Restarts) -> None:
        super().__init__(restarts)
        self.strikes: dict[str, asyncio.Event] = {}

    def start(self, service: Service) -> None:
        strike = self.strikes[service.name] = asyncio.Event()

        async def run() -> None:
            work, struck = asyncio.ensure_future(service.run()), asyncio.create_task(strike.wait())
            try:
                await asyncio.wait({work, struck}, return_when=asyncio.FIRST_COMPLETED)
                if not strike.is_set():
                    await work
                    return
            finally:
                for task in (work, struck):
                    task.cancel()
                await asyncio.gather(work, struck, return_exceptions=True)
            strike.clear()
            raise KeyError(service.name)

        super().start(replace(service, run=run))

    def settle(self, name: str) -> None:
        """Go on as if the service had run well for a while."""
        for supervised in self._supervised:
            if supervised.service.name == name:
                _settle(supervised)


@dataclass
class World:
    """A server, what it runs, and another process on the same database."""

    runtime: Runtime
    saboteur: Saboteur
    client: httpx.AsyncClient
    here: Exchange
    elsewhere: Exchange
    secret_box: SecretBox
    database_url: str
    seen: list[QuoteRow] = field(default_factory=list)

    async def ready(self) -> tuple[int, list[str]]:
        """What `/ready` answers to this machine."""
        answer = await self.client.get("/ready")
        return answer.status_code, answer.json()["degraded"]


async def until(found: Callable[[], Awaitable[bool]], every: float = 0.02) -> None:
    """Ask until it is so."""
    async with asyncio.timeout(PATIENCE):
        while not await found():  # noqa: ASYNC110
            await asyncio.sleep(every)


@asynccontextmanager
async def _started(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    running: list[Runtime] = []
    opened = services.background_services

    @asynccontextmanager
    async def noted(*arguments: Any, **options: Any) -> AsyncIterator[Runtime]:
        async with opened(*arguments, **options) as runtime:
            running.append(runtime)
            yield runtime

    monkeypatch.setattr(main, "background_services", noted)
    async with app.router.lifespan_context(app):
        yield running[0]


@pytest.fixture(scope="module")
async def world(app_url: str, superuser_url: str, sessions: Sessions) -> AsyncIterator[World]:
    settings = Settings(_env_file=None, feed="replay", replay_speed=20, login_attempts=0, loop_warning_ms=20)
    secret_box = SecretBox(KeyRing.generate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "Supervisor", Saboteur)
        # So that the test does not wait for what a user would wait a second for.
        patch.setattr(prices, "POLL_SECONDS", 0.1)
        patch.setattr(portfolios, "AGAIN_SECONDS", 3600.0)
        app = build_server(
            settings,
            app_url,
            KeyRing.generate(),
            secret_box=secret_box,
            hasher=PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1),
            restarts=Restarts(first=0.02, longest=0.1, settled=3600),
        )
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with (
            _started(app, patch) as runtime,
            httpx.AsyncClient(transport=transport, base_url="http://server") as client,
        ):
            saboteur = runtime.supervisor
            assert isinstance(saboteur, Saboteur)
            here = Exchange(runtime.sessions, superuser_url)
            elsewhere = Exchange(sessions, superuser_url)
            world = World(runtime, saboteur, client, here, elsewhere, secret_box, app_url)
            runtime.evaluator.ticker.follow(world.seen.extend)
            yield world


async def database_health(world: World) -> None:
    """It finds out that the database answers."""
    health = world.runtime.sessions._health
    health.is_available = False

    async def answers() -> bool:
        return health.is_available

    await until(answers)


async def notifier(world: World) -> None:
    """Another process's announcement wakes who waits here; of a topic that is not counted."""
    owner_id = uuid4()
    transport = PostgresTransport(world.elsewhere.sessions, world.database_url)
    with world.runtime.notifier.listening(owner_id, Topic.PORTFOLIOS) as event:

        async def is_woken() -> bool:
            await transport.publish([(owner_id, Topic.PORTFOLIOS)])
            return event.is_set()

        await until(is_woken)


async def ticker(world: World) -> None:
    """A price that another process has stored is told to followers here."""
    symbol = await world.elsewhere.listed("12.5")

    async def is_told() -> bool:
        return any(quote.symbol == symbol for quote in world.seen)

    await until(is_told)


async def price_feed(world: World) -> None:
    """The feed holds its lease."""
    query = "SELECT leased_until FROM market_feeds WHERE name = 'replay'"
    before = await world.elsewhere.value(query)

    async def is_renewed() -> bool:
        return await world.elsewhere.value(query) != before

    await until(is_renewed)


async def price_watch(world: World) -> None:
    """An alert fires at a price."""
    actor, _ = await world.here.trader("1")
    symbol = await world.here.listed("10")
    given: Any = {"symbol": symbol, "threshold": Decimal(20), "severity": AlertSeverity.WARNING}
    await create_rule(actor, NewAlertRule(name="Dear", kind=AlertKind.PRICE_ABOVE, **given))
    await world.runtime.evaluator.ingest.apply([Tick(symbol, Decimal(21), dt.datetime.now(dt.UTC), None)])
    await _alert(world, actor.id)


async def portfolio_watch(world: World) -> None:
    """An alert fires at a fill."""
    actor, portfolio_id = await world.here.trader("1000")
    symbol = await world.here.listed("10")
    given: Any = {"threshold": Decimal(900), "severity": AlertSeverity.WARNING}
    await create_rule(actor, NewAlertRule(name="Low", kind=AlertKind.CASH_BELOW, **given))
    await world.runtime.desk.place(actor, buy(portfolio_id, symbol, "20"), key())
    await _alert(world, actor.id)


async def _alert(world: World, owner_id: object) -> None:
    async def fired() -> bool:
        return await world.here.value("SELECT count(*) FROM alerts WHERE owner_id = $1", owner_id) == 1

    await until(fired)


async def orders(world: World) -> None:
    """An open order is filled at a price that another process has stored."""
    actor, portfolio_id = await world.here.trader("1000")
    symbol = await world.here.listed("10")
    id = await world.runtime.desk.place(actor, buy(portfolio_id, symbol, "20", "9"), key())
    await world.elsewhere.quote(symbol, "8")

    async def is_filled() -> bool:
        return bool(await status(world.here, id) == "FILLED")

    await until(is_filled)


async def optimiser(world: World) -> None:
    """A question is answered."""
    problem = Problem(Strategy.MIN_VARIANCE, {"AAA": [0.01]}, Decimal(1), Decimal(1))
    assert await world.runtime.optimiser.weights(uuid4(), problem) == {"AAA": Decimal(1)}


async def notification_sender(world: World) -> None:
    """The message that confirms a destination is on its way; here is no SMTP server, so it fails there."""
    actor, _ = await world.here.trader("1")
    destinations = Destinations(world.secret_box, allow_private=True, mail=True)
    await destinations.create(actor, "mail", DestinationKind.EMAIL, "somebody@example.org")

    async def is_tried() -> bool:
        query = "SELECT attempts FROM deliveries WHERE owner_id = $1"
        return await world.here.value(query, actor.id) == 1

    await until(is_tried)


async def scheduler(world: World) -> None:
    """A job runs at its time."""
    query = "SELECT max(last_run) FROM pgqueuer_schedules"
    before = await world.elsewhere.value(query)

    async def has_run() -> bool:
        return await world.elsewhere.value(query) != before

    await until(has_run, 0.1)


async def loop_watch(world: World) -> None:
    """It tells that the loop was blocked."""
    told: list[logging.LogRecord] = []

    class Teller(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record)

    handler = Teller()
    logger = logging.getLogger("graphfolio.runtime")
    logger.addHandler(handler)

    async def is_told() -> bool:
        # The loop itself, and so everybody.
        time.sleep(0.1)  # noqa: ASYNC251
        return any(record.getMessage() == "the event loop was blocked" for record in told)

    await until(is_told)
    logger.removeHandler(handler)


PROOFS: Mapping[str, Callable[[World], Awaitable[None]]] = {
    proof.__name__.replace("_", " "): proof
    for proof in (
        database_health,
        notifier,
        ticker,
        price_feed,
        price_watch,
        portfolio_watch,
        orders,
        optimiser,
        notification_sender,
        scheduler,
        loop_watch,
    )
}


async def test_every_service_is_struck_below(world: World) -> None:
    assert set(world.saboteur.strikes) == set(SERVICES) == set(PROOFS)
    assert await world.ready() == (200, [])


@pytest.mark.parametrize(("name", "is_critical"), SERVICES.items())
async def test_it_fails_once_and_does_its_work_again(
    world: World,
    name: str,
    is_critical: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ask(_: Worker, question: Mapping[str, object]) -> Mapping[str, object]:
        return {"weights": {"AAA": "1"}}

    monkeypatch.setattr(Worker, "ask", ask)
    world.saboteur.strikes[name].set()

    async def is_told() -> bool:
        code, degraded = await world.ready()
        return (code, degraded) == (503 if is_critical else 200, [name])

    await until(is_told, 0.005)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == f"The service {name} failed; it begins anew in 0.02 s."
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError

    await PROOFS[name](world)
    # Others may have noticed it, such as that the database did not answer for a moment.
    await until(is_told)
    world.saboteur.settle(name)
    assert await world.ready() == (200, [])
