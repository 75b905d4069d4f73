"""All that watches for alerts in one process: prices, rules on them, and rules on portfolios."""

import asyncio

from db.sessions import Sessions
from investing.alerts.portfolios import PortfolioWatch
from investing.alerts.prices import PriceWatch
from investing.market.ingest import PriceIngest
from investing.market.ticker import Ticker
from investing.trading.desk import Desk


class Evaluator:
    """One for each process; any number may run. `floor` is where this process takes prices."""

    def __init__(self, sessions: Sessions, desk: Desk | None) -> None:
        self.ticker = Ticker(sessions)
        self.prices = PriceWatch(sessions)
        self.portfolios = PortfolioWatch(sessions)
        self.ticker.follow(self.portfolios.follow)
        self.ingest = PriceIngest(sessions, self.ticker, self.prices, desk)

    async def run(self) -> None:
        """Watches for ever."""
        # The last prices first: a rule that is read before them would not be held against them.
        await self.ready()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.ticker.run())
            tasks.create_task(self.prices.run())
            tasks.create_task(self.portfolios.run())

    async def ready(self) -> None:
        """Waits until the last prices are known."""
        await self.ticker.ready()
