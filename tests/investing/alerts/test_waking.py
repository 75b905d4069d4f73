"""Rules on portfolios are woken by whatever is committed that moves one, and by prices of what it holds."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from decimal import Decimal
from uuid import UUID

import pytest

from db.market.ticks import Tick
from db.sessions import Sessions, open_sessions
from db.vocabulary import AlertKind, Topic, TransactionType
from investing.account.service import change_account, move_cash
from investing.account.transfers import transfer_cash
from investing.actor import Actor
from investing.alerts import portfolios
from investing.alerts.portfolio_snapshot import PortfolioSnapshot, QuotedPosition, WatchedPortfolio, rule_of
from investing.alerts.portfolios import PortfolioWatch
from investing.alerts.rules import change_rule, delete_rule
from investing.alerts.snapshot_cache import SnapshotCache
from investing.brokers.paper import PaperBroker
from investing.market.ticker import Ticker
from investing.market.ticks import apply_ticks
from investing.portfolio.service import change_portfolio, set_portfolio_active
from investing.portfolio.snapshots import refresh
from investing.rules.errors import InsufficientCash
from investing.rules.trading.orders import BrokerFees
from investing.trading.formats.csv_rows import read_csv
from investing.trading.importing import import_rows
from tests.investing.alerts.test_portfolios import holding, rule, told
from tests.investing.exchange import Exchange
from tests.investing.rebalancing.running import aim, firm
from tests.investing.trading.desks import buy, desk_of, key
from tests.investing.trading.world import make_world
from tests.waiting import PATIENCE

NEVER = 3600.0
"""No look comes by itself while a test runs."""
IMPORT = b"type,amount,executed_at\nDEPOSIT,1,2020-03-01T12:00:00Z\n"


class Wakened:
    """Wakes the watch of the test that runs."""

    watch: PortfolioWatch | None = None

    def notify(self, owner_id: UUID, topic: Topic) -> None:
        """Pass on what is about portfolios."""
        if self.watch is not None and topic is Topic.PORTFOLIOS:
            self.watch.wake(owner_id)


WAKENED = Wakened()


@pytest.fixture(scope="module")
async def sessions(app_url: str) -> AsyncIterator[Sessions]:
    """Connections that tell the watch what they commit, as in a server."""
    async with open_sessions(app_url, notifier=WAKENED) as opened:
        yield opened


@pytest.fixture
def watch(sessions: Sessions) -> Iterator[PortfolioWatch]:
    """A watch that the commits of these sessions wake."""
    WAKENED.watch = PortfolioWatch(sessions, again_seconds=NEVER)
    yield WAKENED.watch
    WAKENED.watch = None


async def test_whatever_moves_a_portfolio_says_so(
    sessions: Sessions, exchange: Exchange, superuser_url: str, watch: PortfolioWatch
) -> None:
    world = await make_world(sessions, superuser_url, portfolios=2)
    actor, account, (first, second) = world.actor, world.account_id, world.portfolios

    async def cash(type: TransactionType, amount: str) -> None:
        await move_cash(actor, type, account, first, Decimal(amount), key(), None)

    async def wakes(does: Callable[[], Awaitable[object]]) -> bool:
        watch._woken.clear()
        await does()
        return actor.id in watch._woken

    assert await wakes(lambda: cash(TransactionType.DEPOSIT, "10"))
    assert await wakes(lambda: cash(TransactionType.WITHDRAWAL, "5"))
    assert await wakes(lambda: transfer_cash(actor, account, first, second, Decimal(1), key(), None))
    assert await wakes(lambda: world.buy(2, "10", "1"))
    # Of before what is there already.
    assert await wakes(lambda: world.sell(3, "1", "1"))
    assert await wakes(lambda: world.buy(1, "1", "1"))
    moved = await world.move(4, "2")
    assert await wakes(lambda: world.move(5, "2"))
    assert await wakes(lambda: world.reverse(moved))
    assert await wakes(lambda: import_rows(actor, first, list(read_csv(IMPORT))))
    assert await wakes(lambda: refresh(sessions, actor.id, first))
    symbol = await exchange.listed("10")
    desk = desk_of(sessions, PaperBroker(sessions, BrokerFees()))
    assert await wakes(lambda: desk.place(actor, buy(first, symbol, "1"), key()))
    assert await wakes(lambda: aim(actor, first, {symbol: "0.5"}))
    paper = firm(exchange, PaperBroker(sessions, BrokerFees()))
    await exchange.quote("ABC", "1")
    assert await wakes(lambda: paper.rebalance(actor, first))
    assert await wakes(lambda: set_portfolio_active(actor, first, False))
    assert await wakes(lambda: set_portfolio_active(actor, first, True))
    id = await rule(actor, "CASH_BELOW", "1")
    assert await wakes(lambda: change_rule(actor, id, {"threshold": Decimal(2)}))
    assert await wakes(lambda: rule(actor, "DRAWDOWN", "0.5"))

    assert not await wakes(lambda: change_account(actor, account, name="B"))
    with pytest.raises(InsufficientCash):
        await wakes(lambda: cash(TransactionType.WITHDRAWAL, "100000000"))
    assert watch._woken == set()


async def test_a_fill_is_looked_at_by_whom_it_wakes(
    sessions: Sessions, exchange: Exchange, watch: PortfolioWatch
) -> None:
    actor, portfolio_id = await exchange.trader("1000")
    nobody, other = await exchange.trader("1000")
    symbol = await exchange.listed("10")
    desk = desk_of(sessions, PaperBroker(sessions, BrokerFees()))
    await rule(actor, "CASH_BELOW", "100")
    await watch.check_due()
    await watch.check_woken()
    await desk.place(actor, buy(portfolio_id, symbol, "80"), key())
    assert await watch.check_woken() == 1
    assert await told(sessions, actor) == []
    # Whoever has no rules costs no look.
    await desk.place(nobody, buy(other, symbol, "99"), key())
    assert await watch.check_woken() == 0
    await desk.place(actor, buy(portfolio_id, symbol, "11"), key())
    assert (await watch.check_woken(), await watch.check_woken()) == (1, 0)
    assert await told(sessions, actor) == [("CASH_BELOW", "P low on cash", "90")]


async def tick(sessions: Sessions, symbol: str, price: str, *watches: PortfolioWatch) -> None:
    """A price comes to these processes."""
    ticker = Ticker(sessions)
    for watch in watches:
        ticker.follow(watch.follow)
    await apply_ticks(sessions, ticker, [Tick(symbol, Decimal(price), dt.datetime.now(dt.UTC))])


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every price is held against every book, however lately the last one was."""
    monkeypatch.setattr(portfolios, "VALUED_SECONDS", 0.0)


async def test_a_price_wakes_whom_it_changes_something_for(
    sessions: Sessions, exchange: Exchange, at_once: None
) -> None:
    actor, _, symbol = await holding(sessions, exchange, "1000", "50")
    other, _, another = await holding(sessions, exchange, "1000", "50")
    await rule(actor, "PORTFOLIO_VALUE_BELOW", "900", hysteresis=Decimal(50))
    # Cash does not follow prices.
    await rule(other, "CASH_BELOW", "100")
    watch = PortfolioWatch(sessions, again_seconds=NEVER)
    await watch.check_due()
    looks = []
    for price in ("8.1", "7.9", "7.8", "9", "9.1", "7.5"):
        await tick(sessions, symbol, price, watch)
        await tick(sessions, another, "1", watch)
        looks.append((price, await watch.check_prices()))
    # It fires at 895, is armed again at 950, and fires again at 875; nothing else is asked of the database.
    assert looks == [("8.1", 0), ("7.9", 1), ("7.8", 0), ("9", 1), ("9.1", 0), ("7.5", 1)]
    assert [value for _, _, value in await told(sessions, actor)] == ["895", "875"]


async def test_weights_and_drift_follow_prices(sessions: Sessions, exchange: Exchange, at_once: None) -> None:
    actor, portfolio_id, symbol = await holding(sessions, exchange, "1000", "50")
    await change_portfolio(actor, portfolio_id, {"strategy": "CUSTOM", "target_weights": {symbol: "0.5"}})
    await rule(actor, "POSITION_WEIGHT", "0.6")
    await rule(actor, "DRIFT", "0.15")
    watch = PortfolioWatch(sessions, again_seconds=NEVER)
    await watch.check_due()
    for price in ("10.1", "20", "20.1"):
        await tick(sessions, symbol, price, watch)
        await watch.check_prices()
    assert await told(sessions, actor) == [
        ("POSITION_WEIGHT", f"{symbol} weighs 66.67 %", "0.6666666667"),
        ("DRIFT", f"{symbol} drifted by 16.67 %", "0.1666666667"),
    ]


async def test_a_price_that_comes_while_somebody_looks(
    sessions: Sessions, exchange: Exchange, at_once: None
) -> None:
    """What was read before it is held against it afterwards, also at the first look of a process."""
    actor, _, symbol = await holding(sessions, exchange, "1000", "50")
    await rule(actor, "PORTFOLIO_VALUE_BELOW", "900")
    watch = PortfolioWatch(sessions, again_seconds=NEVER)
    watch.wake(actor.id)
    await watch.check_woken()
    (book,) = [kept.snapshot for kept in watch._snapshot_cache._kept.values()]
    fresh = PortfolioWatch(sessions, again_seconds=NEVER)
    await tick(sessions, symbol, "7", fresh)
    assert await fresh.check_prices() == 0
    fresh._snapshot_cache.keep(actor.id, book, 0.0)
    assert await fresh.check_prices() == 1
    assert [value for _, _, value in await told(sessions, actor)] == ["850"]


async def test_of_several_processes_one_tells(sessions: Sessions, exchange: Exchange, at_once: None) -> None:
    actor, _, symbol = await holding(sessions, exchange, "1000", "50")
    await rule(actor, "PORTFOLIO_VALUE_BELOW", "900")
    watches = [PortfolioWatch(sessions, again_seconds=0.0) for _ in range(4)]
    for watch in watches:
        watch.wake(actor.id)
        assert await watch.check_woken() == 1
    await tick(sessions, symbol, "7.9", *watches)
    assert sum(await asyncio.gather(*(watch.check_prices() for watch in watches))) >= 1
    await tick(sessions, symbol, "7.8", *watches)
    await asyncio.gather(*(watch.check_prices() for watch in watches))
    assert [value for _, _, value in await told(sessions, actor)] == ["895"]


async def test_a_rule_that_is_gone(sessions: Sessions, exchange: Exchange, at_once: None) -> None:
    """What a process knows of it still fires nothing, and is forgotten then."""
    actor, _, symbol = await holding(sessions, exchange, "1000", "50")
    id = await rule(actor, "PORTFOLIO_VALUE_BELOW", "900")
    watch = PortfolioWatch(sessions, again_seconds=NEVER)
    watch.wake(actor.id)
    assert (await watch.check_woken(), len(watch._snapshot_cache)) == (1, 1)
    await delete_rule(actor, id)
    await tick(sessions, symbol, "1", watch)
    assert (await watch.check_prices(), len(watch._snapshot_cache)) == (1, 0)
    assert await told(sessions, actor) == []


async def number_told(sessions: Sessions, actor: Actor, number: int) -> None:
    """Waits until so many alerts are there."""
    while True:
        if len(await told(sessions, actor)) == number:
            return
        await asyncio.sleep(0.02)


async def test_at_work(
    sessions: Sessions, exchange: Exchange, watch: PortfolioWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it running, with no look of its own: a fill, then a price, each told at once."""
    monkeypatch.setattr(portfolios, "EVERY_SECONDS", NEVER)
    actor, portfolio_id = await exchange.trader("1000")
    symbol = await exchange.listed("10")
    await rule(actor, "CASH_BELOW", "100")
    await rule(actor, "PORTFOLIO_VALUE_BELOW", "900")
    desk = desk_of(sessions, PaperBroker(sessions, BrokerFees()))
    running = asyncio.create_task(watch.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await desk.place(actor, buy(portfolio_id, symbol, "95"), key())
            await number_told(sessions, actor, 1)
            await tick(sessions, symbol, "8", watch)
            await number_told(sessions, actor, 2)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [(kind, value) for kind, _, value in await told(sessions, actor)] == [
        ("CASH_BELOW", "50"),
        ("PORTFOLIO_VALUE_BELOW", "810"),
    ]


OWNER, OTHER, APPLE, PEAR = (uuid.UUID(int=n) for n in range(1, 5))


def book(instrument_id: UUID, kind: AlertKind = AlertKind.PORTFOLIO_VALUE_BELOW) -> PortfolioSnapshot:
    row = {
        "id": OWNER,
        "kind": kind,
        "threshold": Decimal(1),
        "hysteresis": Decimal(0),
        "cooldown_seconds": 0,
        "time_zone": None,
        "portfolio_id": None,
        "symbol": None,
    }
    held = [QuotedPosition(instrument_id, "A", Decimal(1), Decimal(1), None)]
    portfolio = WatchedPortfolio(OWNER, "P", "USD", Decimal(0), {}, held, None)
    return PortfolioSnapshot([rule_of(row)], [portfolio], {"A": instrument_id})


def test_an_owner_is_due_once_a_second_and_only_for_what_they_hold() -> None:
    def due(now: float, *moved: UUID) -> list[UUID]:
        return [owner for owner, _ in snapshot_cache.due(moved, now)]

    snapshot_cache = SnapshotCache(1.0)
    snapshot_cache.keep(OWNER, book(APPLE), 100.0)
    snapshot_cache.keep(OTHER, book(PEAR), 100.0)
    # Prices may have come while they were read.
    assert (due(100.9), snapshot_cache.has_more) == ([], True)
    assert (due(101.0), snapshot_cache.has_more) == ([OWNER, OTHER], False)
    assert due(102.5, APPLE) == [OWNER]
    # Ticks that come within the second are one, and it is not forgotten.
    assert (due(102.6, APPLE), due(103.4, APPLE), snapshot_cache.has_more) == ([], [], True)
    assert (due(103.5), due(103.6), snapshot_cache.has_more) == ([OWNER], [], False)
    assert due(104, UUID(int=9)) == []
    snapshot_cache.keep(OWNER, book(PEAR), 105.0)
    assert (sorted(due(106.0, PEAR)), due(108.0, APPLE)) == ([OWNER, OTHER], [])
    # Others have looked since: they know better.
    snapshot_cache.forget(before=105.0)
    assert due(110.0, PEAR) == [OWNER]
    snapshot_cache.keep(OWNER, None, 111.0)
    assert (due(113.0, PEAR), len(snapshot_cache), snapshot_cache._holders) == ([], 0, {})
    snapshot_cache.keep(OWNER, book(APPLE, AlertKind.CASH_BELOW), 114.0)
    assert (due(116.0, APPLE), len(snapshot_cache)) == ([], 1)
