"""All that watches for alerts in one process: prices, rules on them, and rules on portfolios."""

from db.sessions import Sessions
from investing.alerts.portfolios import PortfolioWatch
from investing.alerts.prices import PriceWatch
from investing.market.ticker import Ticker
from investing.prices.ingest import PriceIngest
from investing.trading.desk import Desk


class Evaluator:
    """One for each process; any number may run. `ingest` is where this process takes prices.

    What it consists of runs by itself: `ticker.run`, `watch_prices` and `portfolios.run`.
    """

    def __init__(self, sessions: Sessions, desk: Desk | None) -> None:
        self.ticker = Ticker(sessions)
        self.prices = PriceWatch(sessions)
        self.portfolios = PortfolioWatch(sessions)
        self.ticker.follow(self.portfolios.follow)
        self.ingest = PriceIngest(sessions, self.ticker, self.prices, desk)

    async def watch_prices(self) -> None:
        """Watch the rules on prices for ever."""
        # The last prices first: a rule that is read before them would not be held against them.
        await self.ready()
        await self.prices.run()

    async def ready(self) -> None:
        """Wait until the last prices are known."""
        await self.ticker.ready()
