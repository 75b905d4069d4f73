"""portfolioValue: what a portfolio is worth, as prices and trades change it."""

import asyncio
from collections.abc import Callable, Collection
from decimal import Decimal

import pytest

from db.notifier.subjects import Subject
from db.notifier.transport import PostgresTransport
from db.sessions import Sessions, open_sessions
from db.vocabulary import TransactionType
from graph.portfolio import subscriptions
from investing.account.service import move_cash
from investing.actor import Actor, RequestOrigin
from investing.notifier import Notifier
from tests.graph.conftest import Api
from tests.graph.doing import cash, key, mutate, open_account, open_portfolio, recorded
from tests.graph.stored import Stored, row_id
from tests.graph.streams import follow

FOLLOW = """subscription($portfolio: ID!) { portfolioValue(portfolioId: $portfolio) {
  portfolioId cashBalance marketValue totalValue unrealizedPnl } }"""
TICK = """UPDATE quotes SET price = $2::text::numeric, as_of = clock_timestamp()
WHERE instrument_id = (SELECT id FROM instruments WHERE symbol = $1)"""


def figures(portfolio_id: str, cash: str, market: str, total: str, gain: str) -> dict[str, str]:
    return {
        "portfolioId": portfolio_id,
        "cashBalance": cash,
        "marketValue": market,
        "totalValue": total,
        "unrealizedPnl": gain,
    }


async def test_it_follows_prices_and_cash(
    register: Callable[[], Api], stored: Stored, app_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each notification: it would not look by itself before the test is over."""
    monkeypatch.setattr(subscriptions, "LOOK_SECONDS", 3600.0)

    def set_up() -> tuple[Api, str, str]:
        api = register()
        stored.instrument("PV", "12")
        stored.instrument("PW", "5")
        account = open_account(api, initialBalance="1000")
        portfolio = open_portfolio(api, account)
        recorded(api, portfolio, "DEPOSIT", "2024-01-01", amount="1000")
        recorded(api, portfolio, "BUY", "2024-01-02", symbol="PV", quantity="10", price="10")
        return api, account, portfolio

    api, account, portfolio = await asyncio.to_thread(set_up)
    async with follow(api, FOLLOW, portfolio=portfolio) as stream:
        assert await stream.next() == figures(portfolio, "900", "120", "1020", "20")
        await asyncio.to_thread(stored.rows, TICK, "PV", "15.5")
        assert await stream.next() == figures(portfolio, "900", "155", "1055", "55")
        # Of what it does not hold it hears nothing.
        await asyncio.to_thread(stored.rows, TICK, "PW", "6")
        assert await stream.is_silent(1.5)
        await asyncio.to_thread(cash, api, "withdraw", account, "100", portfolioId=portfolio)
        assert await stream.next() == figures(portfolio, "800", "155", "955", "55")
        await asyncio.to_thread(
            lambda: recorded(api, portfolio, "BUY", "2024-01-03", symbol="PW", quantity="1", price="6")
        )
        assert await stream.next() == figures(portfolio, "794", "161", "955", "55")
        await asyncio.to_thread(stored.rows, TICK, "PW", "7")
        assert await stream.next() == figures(portfolio, "794", "162", "956", "56")
        moved = await asyncio.to_thread(transfer, api, account, portfolio, "44")
        assert await stream.next() == figures(portfolio, "750", "162", "912", "56")
        await asyncio.to_thread(reverse, api, moved)
        assert await stream.next() == figures(portfolio, "794", "162", "956", "56")
        await deposit_elsewhere(app_url, api, account, portfolio, "6")
        assert await stream.next() == figures(portfolio, "800", "162", "962", "56")


def transfer(api: Api, account: str, portfolio: str, amount: str) -> str:
    """Cash to the account's unallotted; the transaction's id."""
    given = {"accountId": account, "fromPortfolioId": portfolio, "amount": amount, "idempotencyKey": key()}
    payload = mutate(api, "transferCash", "transaction { id }", **given)
    assert payload["userErrors"] == []
    return str(payload["transaction"]["id"])


def reverse(api: Api, id: str) -> None:
    """Takes a transaction back."""
    given = {"transactionId": id, "idempotencyKey": key()}
    assert mutate(api, "reverseTransaction", "transaction { id }", **given)["userErrors"] == []


class Heard(PostgresTransport):
    """A line that tells when something was said on it."""

    def __init__(self, sessions: Sessions, url: str) -> None:
        super().__init__(sessions, url)
        self.said = asyncio.Event()

    async def publish(self, subjects: Collection[Subject]) -> None:
        """As ever."""
        await super().publish(subjects)
        self.said.set()


async def deposit_elsewhere(app_url: str, api: Api, account: str, portfolio: str, amount: str) -> None:
    """A deposit by another process, whose notifier reaches the server's only through the database."""
    notifier = Notifier()
    async with open_sessions(app_url, size=2, notifier=notifier) as sessions:
        line = Heard(sessions, app_url)
        joined = asyncio.create_task(notifier.run(line, sessions))
        await asyncio.sleep(0)
        assert api.user_id is not None
        actor = Actor(row_id(api.user_id), sessions, RequestOrigin())
        where = (row_id(account), row_id(portfolio))
        await move_cash(actor, TransactionType.DEPOSIT, *where, Decimal(amount), key(), None)
        await line.said.wait()
        joined.cancel()
        await asyncio.gather(joined, return_exceptions=True)


async def test_a_few_events_a_second_and_the_last_value(register: Callable[[], Api], stored: Stored) -> None:
    def set_up() -> tuple[Api, str]:
        api = register()
        stored.instrument("PX", "1")
        portfolio = open_portfolio(api, open_account(api))
        recorded(api, portfolio, "DEPOSIT", "2024-01-01", amount="10")
        recorded(api, portfolio, "BUY", "2024-01-02", symbol="PX", quantity="1", price="1")
        return api, portfolio

    api, portfolio = await asyncio.to_thread(set_up)
    loop = asyncio.get_running_loop()
    async with follow(api, FOLLOW, portfolio=portfolio) as stream:
        assert (await stream.next())["marketValue"] == "1"
        begun = loop.time()

        async def move() -> None:
            for price in range(2, 102):
                await asyncio.to_thread(stored.rows, TICK, "PX", str(price))

        moving = asyncio.create_task(move())
        events = 1
        while (await stream.next())["marketValue"] != "101":
            events += 1
        await moving
        assert events <= (loop.time() - begun) * 5 + 1
        assert await stream.is_silent(1.5)
