"""A server's own commits wake its rules on portfolios: nobody waits for the look of every few seconds."""

import asyncio
from collections.abc import Callable

from tests.graph.conftest import Api, now
from tests.graph.doing import cash, mutate, open_account, open_portfolio, recorded
from tests.graph.stored import Stored
from tests.graph.streams import follow

FOLLOW = "subscription { alerts { alert { title } } }"
NOT_NOW = "UPDATE alert_checks SET due_at = now() + interval '1 h'"


async def test_a_withdrawal_and_a_trade(register: Callable[[], Api], stored: Stored) -> None:
    def set_up() -> tuple[Api, str, str]:
        api = register()
        stored.instrument("WOKEN", "10")
        account = open_account(api, initialBalance="1000")
        portfolio = open_portfolio(api, account, initialCash="1000")
        for name, kind, threshold in (("Low", "CASH_BELOW", "900"), ("Heavy", "POSITION_WEIGHT", "0.5")):
            rule = {"name": name, "kind": kind, "threshold": threshold}
            assert mutate(api, "createAlertRule", "alertRule { id }", **rule)["userErrors"] == []
        stored.run(NOT_NOW)
        return api, account, portfolio

    api, account, portfolio = await asyncio.to_thread(set_up)
    async with follow(api, FOLLOW, begins=True) as stream:
        await asyncio.to_thread(cash, api, "withdraw", account, "150", portfolioId=portfolio)
        assert (await stream.next())["alert"] == {"title": "Portfolio low on cash"}
        await asyncio.to_thread(
            lambda: recorded(api, portfolio, "BUY", now(), symbol="WOKEN", quantity="50", price="1")
        )
        assert await stream.is_silent(0.5)
        await asyncio.to_thread(stored.run, "UPDATE quotes SET price = 20, as_of = clock_timestamp()")
        assert (await stream.next())["alert"] == {"title": "WOKEN weighs 55.56 %"}
