"""A disabled user gets nothing more from any stream, although nothing notifies the server of it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from db.notifier.transport import PostgresTransport
from db.sessions import Sessions
from graph.alerts import subscriptions as of_alerts
from graph.market import subscriptions as of_quotes
from graph.portfolio import subscriptions as of_values
from tests.graph.alerts.conftest import Recipient
from tests.graph.conftest import Api
from tests.graph.doing import open_account, open_portfolio, recorded
from tests.graph.market.test_quotes import tick
from tests.graph.stored import Stored
from tests.graph.streams import Stream, follow

ALERTS = "subscription { alerts { alert { title } } }"
QUOTES = 'subscription { quotes(symbols: ["OUT"]) { price } }'
VALUES = "subscription($portfolio: ID!) { portfolioValue(portfolioId: $portfolio) { marketValue } }"
SHUT_OUT = "UPDATE users SET is_active = false WHERE username = $1 RETURNING true"


@pytest.fixture(autouse=True)
def _each_event_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (of_alerts, of_quotes, of_values):
        monkeypatch.setattr(stream, "CHECKED_SECONDS", 0.0)


@pytest.fixture
async def api(register: Callable[[], Api]) -> Api:
    return await asyncio.to_thread(register)


async def shut_out(
    api: Api, stored: Stored, stream: Stream, happens: Callable[[], Awaitable[object]]
) -> None:
    """Shut the user out behind the server's back, have something happen, and see that it is not sent."""
    assert await asyncio.to_thread(stored.rows, SHUT_OUT, api.username) == [(True,)]
    await happens()
    (error,) = await stream.errors()
    assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_of_alerts(api: Api, stored: Stored, sessions: Sessions, app_url: str) -> None:
    recipient = Recipient(api, sessions, PostgresTransport(sessions, app_url))
    async with follow(api, ALERTS, begins=True) as stream:
        await recipient.alert()
        assert await stream.next() == {"alert": {"title": "alert 1"}}
        await shut_out(api, stored, stream, recipient.alert)


async def test_of_prices(api: Api, stored: Stored) -> None:
    await asyncio.to_thread(stored.instrument, "OUT", "10")
    async with follow(api, QUOTES) as stream:
        assert await stream.next() == {"price": "10"}
        await shut_out(api, stored, stream, lambda: tick(stored, "OUT", "11"))


async def test_of_a_portfolios_value(api: Api, stored: Stored) -> None:
    def set_up() -> str:
        stored.instrument("OUT", "10")
        portfolio = open_portfolio(api, open_account(api))
        recorded(api, portfolio, "DEPOSIT", "2024-01-01", amount="10")
        recorded(api, portfolio, "BUY", "2024-01-02", symbol="OUT", quantity="1", price="1")
        return portfolio

    portfolio = await asyncio.to_thread(set_up)
    async with follow(api, VALUES, portfolio=portfolio) as stream:
        assert await stream.next() == {"marketValue": "10"}
        await shut_out(api, stored, stream, lambda: tick(stored, "OUT", "12"))
