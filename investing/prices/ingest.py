"""The one place where prices come in: they are stored, and everything that follows from them is done."""

from collections.abc import Sequence

from db.market.ticks import Tick
from db.sessions import Sessions
from investing.alerts.prices import PriceWatch
from investing.market.ticker import Ticker
from investing.market.ticks import Applied, apply_ticks
from investing.trading.desk import Desk


class PriceIngest:
    """The price ingest of one event loop."""

    def __init__(self, sessions: Sessions, ticker: Ticker, watch: PriceWatch, desk: Desk | None) -> None:
        """Create a price ingest.

        Without a desk, open orders wait for the server's, which checks every second.
        """
        self._sessions = sessions
        self._watch = watch
        self._desk = desk
        self.ticker = ticker
        ticker.follow(watch.follow)

    async def apply(self, ticks: Sequence[Tick]) -> Applied:
        """Store ticks as quotes, compare rules with them and match open orders. The ticks must be checked.

        It waits while alerts are behind, so that a source that is faster than alerts can be raised slows
        down.
        """
        await self._watch.wait_for_capacity()
        applied = await apply_ticks(self._sessions, self.ticker, ticks)
        if applied.news and self._desk is not None:
            await self._desk.attend()
        return applied
