"""The alert evaluation of one process: prices, rules on prices, and rules on portfolios."""

from db.sessions import Sessions
from investing.alerts.portfolios import PortfolioWatch
from investing.alerts.prices import PriceWatch
from investing.market.ticker import Ticker
from investing.prices.ingest import PriceIngest
from investing.trading.desk import Desk


class Evaluator:
    """The alert evaluation; one per process, in any number of processes.

    `ingest` is where this process takes prices in. Its parts run separately: `ticker.run`, `watch_prices` and
    `portfolios.run`.
    """

    def __init__(self, sessions: Sessions, desk: Desk | None) -> None:
        self.ticker = Ticker(sessions)
        self.prices = PriceWatch(sessions)
        self.portfolios = PortfolioWatch(sessions)
        self.ticker.follow(self.portfolios.follow)
        self.ingest = PriceIngest(sessions, self.ticker, self.prices, desk)

    async def watch_prices(self) -> None:
        """Evaluate the rules on prices for ever."""
        # The last prices first: a rule that is read before them would not be compared with them.
        await self.ready()
        await self.prices.run()

    async def ready(self) -> None:
        """Wait until the last prices are known."""
        await self.ticker.ready()
