"""Where prices come in, whoever brings them: saved here, and everything is done that follows from them."""

from collections.abc import Sequence

from db.market.ticks import Tick
from db.sessions import Sessions
from investing.alerts.prices import PriceWatch
from investing.market.ticker import Ticker
from investing.market.ticks import Applied, apply_ticks
from investing.trading.desk import Desk


class PriceIngest:
    """Belongs to one event loop."""

    def __init__(self, sessions: Sessions, ticker: Ticker, watch: PriceWatch, desk: Desk | None) -> None:
        """Without a desk, resting orders wait for the server's, which looks each second."""
        self._sessions = sessions
        self._watch = watch
        self._desk = desk
        self.ticker = ticker
        ticker.follow(watch.follow)

    async def apply(self, ticks: Sequence[Tick]) -> Applied:
        """Quotes move, rules are held against them and resting orders are matched. The ticks were checked.

        Waits while alerts are behind: whoever brings prices faster than they can be told is slowed down.
        """
        await self._watch.relief()
        applied = await apply_ticks(self._sessions, self.ticker, ticks)
        if applied.news and self._desk is not None:
            await self._desk.attend()
        return applied
