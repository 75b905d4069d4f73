"""While the database is away, what works all the time says so once."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from db.sessions import Sessions, open_sessions
from investing.alerts import portfolios, prices
from investing.alerts.portfolios import PortfolioWatch
from investing.alerts.prices import PriceWatch
from investing.brokers.paper import PaperBroker
from investing.market import ticker
from investing.market.ticker import Ticker
from investing.prices.feeds.replay import Replay
from investing.prices.ingest import PriceIngest
from investing.rules.trading.orders import BrokerFees
from tests.conftest import on_one_server
from tests.investing.trading.desks import desk_of

Work = Callable[[Sessions], Coroutine[Any, Any, None]]


def replay(sessions: Sessions) -> Coroutine[Any, Any, None]:
    ticker = Ticker(sessions)
    return Replay(sessions, 50.0).run(PriceIngest(sessions, ticker, PriceWatch(sessions), None))


@on_one_server
@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (lambda sessions: Ticker(sessions).run(), ["Reading the quotes"]),
        (lambda sessions: PriceWatch(sessions).run(), ["Reading the alert rules"]),
        (lambda sessions: PriceWatch(sessions).watch(), ["Reading the alert rules"]),
        (lambda sessions: PortfolioWatch(sessions).run(), ["Checking portfolios"]),
        (
            lambda sessions: desk_of(sessions, PaperBroker(sessions, BrokerFees())).run(0.02),
            ["Asking a broker", "Attending to the open orders"],
        ),
        (replay, ["The replay"]),
    ],
)
async def test_one_line(
    app_url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    work: Work,
    expected: list[str],
) -> None:
    monkeypatch.setattr(ticker, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(prices, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(portfolios, "EVERY_SECONDS", 0.02)
    caplog.set_level(logging.INFO, "graphfolio")
    async with open_sessions(app_url, size=2) as sessions:
        # As when the database does not answer: nobody gets a connection.
        sessions._health.is_available = False
        sessions._health._cut_off()
        working = asyncio.create_task(work(sessions))
        await asyncio.sleep(0.3)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    told = [record for record in caplog.records if record.name.startswith("graphfolio")]
    assert [record.getMessage().split(" does not work: ")[0] for record in told] == expected
    assert [record.exc_info for record in told] == [None] * len(told)
