"""What a rebalance on paper costs, without a clock."""

from db.sessions import open_sessions
from investing.brokers.paper import PaperBroker
from investing.rules.trading.orders import BrokerFees
from tests.investing.exchange import Exchange
from tests.investing.rebalancing.running import aim, firm
from tests.investing.trading.test_cost import counted
from tests.round_trips import watched


async def test_each_trade_costs_two_round_trips_at_the_broker(app_url: str, superuser_url: str) -> None:
    """All of them are read by one statement, and posted by one."""
    trips = []
    with watched() as noted:
        async with open_sessions(app_url, size=2) as sessions:
            exchange = Exchange(sessions, superuser_url)
            paper = firm(exchange, PaperBroker(sessions, BrokerFees()))
            symbols = [await exchange.listed("10") for _ in range(4)]
            # The first warms the connections.
            for weights in (symbols[:1], symbols[:2], symbols):
                actor, id = await exchange.trader("1000")
                await aim(actor, id, dict.fromkeys(weights, "0.25"))
                with noted.counting() as sent, counted() as figures:
                    await paper.rebalance(actor, id)
                trips.append(len(sent) + figures["statements"])
            assert await exchange.differences() == []
    assert trips[2] - trips[1] == 4, trips
