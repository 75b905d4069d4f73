"""Orders over the API: placed, filled, rested, cancelled and refused."""

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from db.sessions import open_sessions
from db.vocabulary import Broker, OrderSide, OrderType, TimeInForce
from graph.ids import parse_global_id
from investing.actor import Actor, RequestOrigin
from investing.brokers.paper import PaperBroker
from investing.brokers.protocol import BrokerOrder, BrokerOrderRequest
from investing.brokers.registry import Brokers
from investing.rules.trading.orders import BrokerFees, OrderRequest
from investing.trading.desk import Desk
from investing.trading.placing import NewOrder, TradingConfig
from tests.graph.conftest import Api
from tests.graph.doing import archive
from tests.graph.trading.conftest import Market, Trader
from tests.investing.ticks import save_quote

Make = Callable[..., Trader]


def test_a_market_order_is_filled_when_it_answers(trader: Make, market: Market) -> None:
    someone, abc = trader(), market.list("ABC", "12.5")
    assert without(someone.placed(abc, quantity="4.5"), "id") == {
        "side": "BUY",
        "type": "MARKET",
        "status": "FILLED",
        "symbol": abc,
        "instrument": {"symbol": abc},
        "quantity": "4.5",
        "filledQuantity": "4.5",
        "remainingQuantity": "0",
        "notional": None,
        "timeInForce": "DAY",
        "limitPrice": None,
        "averageFillPrice": "12.5",
        "reservedCash": "0",
        "version": 2,
        "rejectionCode": None,
        "rejectionReason": None,
        "portfolio": {
            "cashBalance": "943.75",
            "reservedCash": "0",
            "availableCash": "943.75",
            "positions": {
                "nodes": [{"symbol": abc, "quantity": "4.5", "reservedQuantity": "0", "costBasis": "56.25"}]
            },
        },
        "transactions": {
            "nodes": [
                {
                    "type": "BUY",
                    "symbol": abc,
                    "quantity": "4.5",
                    "price": "12.5",
                    "amount": "56.25",
                    "commission": "0",
                    "cashDelta": "-56.25",
                    "quantityDelta": "4.5",
                }
            ]
        },
    }
    sold = someone.placed(abc, "SELL", quantity="1.5")
    assert (sold["status"], sold["averageFillPrice"]) == ("FILLED", "12.5")
    assert sold["portfolio"]["cashBalance"] == "962.5"
    assert sold["portfolio"]["positions"]["nodes"][0]["quantity"] == "3"


def test_a_notional_buys_what_it_pays_for(trader: Make, market: Market) -> None:
    someone, abc = trader(), market.list("ABC", "3")
    order = someone.placed(abc, notional="1000")
    assert (order["quantity"], order["notional"]) == ("333.333333333333333333", "1000")
    assert order["portfolio"]["cashBalance"] == "0"
    refused = someone.refused(abc, notional="1")
    assert (refused["__typename"], refused["field"]) == ("InsufficientCash", ["input", "notional"])


def test_a_limit_order_rests_until_a_tick_crosses_it(trader: Make, market: Market) -> None:
    someone, abc = trader(), market.list("ABC", "10")
    order = someone.placed(abc, type="LIMIT", quantity="50", limitPrice="9.5", timeInForce="GTC")
    assert (order["status"], order["version"], order["reservedCash"]) == ("ACCEPTED", 2, "475")
    assert order["portfolio"]["cashBalance"] == "1000"
    assert order["portfolio"]["availableCash"] == "525"
    assert market.tick(abc, "9.6")
    assert someone.order(order["id"])["status"] == "ACCEPTED"
    assert market.tick(abc, "9.25")
    filled = someone.order(order["id"])
    assert (filled["status"], filled["averageFillPrice"], filled["version"]) == ("FILLED", "9.25", 3)
    assert filled["portfolio"]["cashBalance"] == "537.5"
    assert filled["portfolio"]["reservedCash"] == "0"


def test_an_older_tick_is_no_news(trader: Make, market: Market) -> None:
    someone, abc = trader(), market.list("ABC", "10")
    order = someone.placed(abc, type="LIMIT", quantity="1", limitPrice="9", timeInForce="GTC")
    assert not market.tick(abc, "5", dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    assert someone.order(order["id"])["status"] == "ACCEPTED"
    assert someone.placed(abc, quantity="1")["averageFillPrice"] == "10"


def test_two_open_orders_cannot_spend_the_same(trader: Make, market: Market) -> None:
    someone, abc = trader(), market.list("ABC", "10")
    someone.placed(abc, type="LIMIT", quantity="90", limitPrice="9", timeInForce="GTC")
    assert someone.refused(abc, quantity="20") == {
        "__typename": "InsufficientCash",
        "code": "INSUFFICIENT_CASH",
        "field": ["input", "quantity"],
        "required": "200",
        "available": "190",
        "shortfall": "10",
    }
    withdrawal = """mutation($input: CashInput!) { withdraw(input: $input) {
        userErrors { ... on InsufficientCash { available } } } }"""
    given = {
        "accountId": someone.account_id,
        "portfolioId": someone.portfolio_id,
        "amount": "190.01",
        "idempotencyKey": str(uuid.uuid4()),
    }
    assert someone.api.data(withdrawal, input=given)["withdraw"]["userErrors"] == [{"available": "190"}]
    given |= {"amount": "190", "idempotencyKey": str(uuid.uuid4())}
    assert someone.api.data(withdrawal, input=given)["withdraw"]["userErrors"] == []


def test_two_open_sales_cannot_take_the_same(trader: Make, market: Market) -> None:
    someone, abc = trader(), market.list("ABC", "10")
    someone.placed(abc, quantity="30")
    resting = someone.placed(abc, "SELL", type="LIMIT", quantity="20", limitPrice="12", timeInForce="GTC")
    assert resting["portfolio"]["positions"]["nodes"][0]["reservedQuantity"] == "20"
    assert someone.refused(abc, "SELL", quantity="10.5") == {
        "__typename": "InsufficientShares",
        "code": "INSUFFICIENT_SHARES",
        "field": ["input", "quantity"],
        "required": "10.5",
        "available": "10",
        "shortfall": "0.5",
    }
    recorded = """mutation($input: RecordTransactionInput!) { recordTransaction(input: $input) {
        userErrors { __typename ... on InsufficientShares { required available } } } }"""
    given = {
        "portfolioId": someone.portfolio_id,
        "type": "SELL",
        "symbol": abc,
        "quantity": "11",
        "price": "10",
        "executedAt": dt.datetime.now(dt.UTC).isoformat(),
        "idempotencyKey": str(uuid.uuid4()),
    }
    assert someone.api.data(recorded, input=given)["recordTransaction"]["userErrors"] == [
        {"__typename": "InsufficientShares", "required": "11", "available": "10"}
    ]
    split = given | {"type": "SPLIT", "quantity": "1", "splitFor": "2", "idempotencyKey": str(uuid.uuid4())}
    del split["price"]
    assert someone.api.data(recorded, input=split)["recordTransaction"]["userErrors"] == [
        {"__typename": "InsufficientShares", "required": "15", "available": "10"}
    ]
    assert market.tick(abc, "12.01")
    assert someone.order(resting["id"])["portfolio"]["positions"]["nodes"] == [
        {"quantity": "10", "reservedQuantity": "0"}
    ]


def test_cancelling_releases_what_is_left(trader: Make, market: Market) -> None:
    someone, abc = trader(), market.list("ABC", "10")
    order = someone.placed(abc, type="LIMIT", quantity="50", limitPrice="9", timeInForce="GTC")
    cancelled = someone.cancel(order["id"])
    assert cancelled["userErrors"] == []
    assert without(cancelled["order"], "id") == {
        "status": "CANCELLED",
        "filledQuantity": "0",
        "remainingQuantity": "50",
        "version": 3,
        "reservedCash": "0",
        "portfolio": {"cashBalance": "1000", "reservedCash": "0", "positions": {"nodes": []}},
    }
    for id, status in ((order["id"], "CANCELLED"), (someone.placed(abc, quantity="1")["id"], "FILLED")):
        assert someone.cancel(id) == {
            "order": None,
            "userErrors": [
                {
                    "__typename": "OrderNotOpen",
                    "code": "ORDER_NOT_OPEN",
                    "field": ["input", "orderId"],
                    "status": status,
                }
            ],
        }


def test_an_order_is_filled_in_parts_with_commission_and_slippage(trader: Make, market: Market) -> None:
    someone, abc = trader(), market.list("ABC", "10")
    fees: dict[str, Any] = {
        "paper_shares_per_tick": "20",
        "paper_commission_per_order": "1",
        "paper_slippage": "0.01",
    }
    order = someone.placed(abc, type="LIMIT", quantity="50", limitPrice="9", timeInForce="GTC")
    assert order["reservedCash"] == "450"
    # Filled by a process with other terms: the price is so far below the limit that the commission is paid.
    market.tick(abc, "8", **fees)
    partly = someone.order(order["id"])
    assert (partly["status"], partly["filledQuantity"]) == ("PARTIALLY_FILLED", "20")
    assert partly["transactions"]["nodes"] == [{"quantity": "20", "price": "8.08", "commission": "0.4"}]
    assert (partly["reservedCash"], partly["portfolio"]["reservedCash"]) == ("270", "270")
    assert partly["portfolio"]["cashBalance"] == "838"
    cancelled = someone.cancel(order["id"])["order"]
    assert (cancelled["status"], cancelled["remainingQuantity"]) == ("CANCELLED", "30")
    assert cancelled["portfolio"]["reservedCash"] == "0"


def test_every_refusal_is_a_type_of_its_own(trader: Make, market: Market) -> None:
    someone, abc, priceless = trader(max_size="0.5"), market.list("ABC", "10"), market.list("NIL")
    assert someone.refused("NOBODY", quantity="1") == {
        "__typename": "UnknownInstrument",
        "code": "UNKNOWN_INSTRUMENT",
        "field": ["input", "symbol"],
        "symbol": "NOBODY",
    }
    assert someone.refused(priceless, quantity="1") == {
        "__typename": "NoPrice",
        "code": "NO_PRICE",
        "field": ["input", "symbol"],
        "symbol": priceless,
        "instrument": {"symbol": priceless, "lastPrice": None},
    }
    assert someone.refused(abc, quantity="60") == {
        "__typename": "PositionTooLarge",
        "code": "POSITION_TOO_LARGE",
        "field": ["input", "quantity"],
        "symbol": abc,
        "weight": "0.6",
        "maxPositionSize": "0.5",
        "largestValue": "500",
    }
    assert someone.refused(market.list("EUR", "1", "EUR"), quantity="1") == {
        "__typename": "CurrencyMismatch",
        "code": "CURRENCY_MISMATCH",
        "field": ["input", "symbol"],
        "expected": "USD",
        "actual": "EUR",
    }
    assert someone.refused(abc, "SELL", quantity="1")["__typename"] == "InsufficientShares"
    elsewhere = trader(broker="ALPACA")
    assert elsewhere.refused(abc, quantity="1") == {
        "__typename": "BrokerUnavailable",
        "code": "BROKER_UNAVAILABLE",
        "field": ["input", "portfolioId"],
        "broker": "ALPACA",
    }
    archive(someone.api, someone.portfolio_id)
    assert someone.refused(abc, quantity="1") == {
        "__typename": "PortfolioInactive",
        "code": "PORTFOLIO_INACTIVE",
        "field": ["input", "portfolioId"],
    }


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "quantity"),
        ({"quantity": "1", "notional": "1"}, "quantity"),
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "-1"}, "quantity"),
        ({"notional": "0"}, "notional"),
        ({"quantity": "1", "type": "LIMIT"}, "limitPrice"),
        ({"quantity": "1", "limitPrice": "1"}, "limitPrice"),
        ({"quantity": "1", "type": "LIMIT", "limitPrice": "0"}, "limitPrice"),
        ({"quantity": "999999999999999999", "type": "LIMIT", "limitPrice": "9999"}, "quantity"),
        ({"quantity": "0.000000000000000001"}, "quantity"),
    ],
)
def test_what_makes_no_sense(trader: Make, market: Market, given: dict[str, Any], field: str) -> None:
    error = trader().refused(market.list("ABC", "10"), **given)
    assert (error["__typename"], error["field"]) == ("InvalidInput", ["input", field])


def test_a_retry_gets_other_fields_of_the_same_order(trader: Make, market: Market) -> None:
    someone, abc, key = trader(), market.list("ABC", "10"), str(uuid.uuid4())
    first = someone.placed(abc, quantity="1", key=key)
    given = {
        "portfolioId": someone.portfolio_id,
        "symbol": abc,
        "side": "BUY",
        "quantity": "1",
        "idempotencyKey": key,
    }
    again = someone.api.data(
        """mutation($input: PlaceOrderInput!) { placeOrder(input: $input) {
             order { id expiresAt portfolio { orders { totalCount } } } } }""",
        input=given,
    )["placeOrder"]["order"]
    assert (again["id"], again["portfolio"]["orders"]["totalCount"]) == (first["id"], 1)
    assert someone.refused(abc, quantity="2", key=key)["__typename"] == "IdempotencyMismatch"


@pytest.mark.parametrize("keys", [1, pytest.param(500, marks=[pytest.mark.soak, pytest.mark.timeout(0)])])
def test_fifty_at_once_with_one_key_are_one_order(trader: Make, market: Market, keys: int) -> None:
    someone, abc = trader("10000"), market.list("ABC", "10")
    with ThreadPoolExecutor(50) as pool:
        for done in range(1, keys + 1):
            key = str(uuid.uuid4())
            places = [pool.submit(someone.placed, abc, quantity="1", key=key) for _ in range(50)]
            orders = [place.result() for place in places]
            assert {(order["id"], order["status"]) for order in orders} == {(orders[0]["id"], "FILLED")}
            assert orders[0]["portfolio"]["cashBalance"] == str(10_000 - 10 * done)


def test_another_users_order_and_portfolio_are_not_there(trader: Make, market: Market) -> None:
    someone, other, abc = trader(), trader(), market.list("ABC", "10")
    order = someone.placed(abc, type="LIMIT", quantity="1", limitPrice="9", timeInForce="GTC")
    for id in (order["id"], "T3JkZXI6MDE5MDAwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAw"):
        assert other.cancel(id) == {
            "order": None,
            "userErrors": [
                {"__typename": "NotFound", "code": "NOT_FOUND", "field": ["input", "orderId"]},
            ],
        }
    stranger = Trader(other.api, someone.account_id, someone.portfolio_id)
    assert stranger.refused(abc, quantity="1") == {
        "__typename": "NotFound",
        "code": "NOT_FOUND",
        "field": ["input", "portfolioId"],
    }
    assert someone.order(order["id"])["status"] == "ACCEPTED"


class LateBroker(PaperBroker):
    """The price has risen by the time that the order arrives."""

    async def submit(self, request: BrokerOrderRequest) -> BrokerOrder:
        async with self._sessions.begin(None) as session:
            await save_quote(session, request.symbol, Decimal("10.5"), dt.datetime.now(dt.UTC))
        return await super().submit(request)


def test_what_the_broker_refuses_is_an_order_and_an_error(trader: Make, market: Market) -> None:
    someone, abc, key = trader(), market.list("ABC", "10"), str(uuid.uuid4())
    owner_id, portfolio_id = (
        parse_global_id(id)[1] for id in (someone.api.user_id or "", someone.portfolio_id)
    )
    request = OrderRequest(OrderSide.BUY, OrderType.MARKET, Decimal(1), None, None, TimeInForce.DAY)

    async def place_late() -> None:
        async with open_sessions(market.app_url, size=2) as sessions:
            brokers = Brokers({Broker.PAPER: LateBroker(sessions, BrokerFees())})
            actor = Actor(owner_id, sessions, RequestOrigin())
            await Desk(sessions, TradingConfig(brokers)).place(
                actor, NewOrder(portfolio_id, abc, request), key
            )

    asyncio.run(place_late())
    # A retry, which finds the same.
    payload = someone.place(abc, quantity="1", key=key)
    order = payload["order"]
    assert (order["status"], order["rejectionCode"], order["version"]) == ("REJECTED", "PRICE_MOVED", 2)
    assert order["portfolio"]["availableCash"] == "1000"
    message = f"The price of {abc} moved beyond what was reserved, to 10.5."
    assert order["rejectionReason"] == message
    assert payload["userErrors"] == [
        {
            "__typename": "OrderRejected",
            "code": "ORDER_REJECTED",
            "field": None,
            "message": message,
            "brokerCode": "PRICE_MOVED",
        }
    ]


def test_nobody_places_an_order(nobody: Api) -> None:
    query = """mutation { placeOrder(input: {portfolioId: "x", symbol: "A", side: BUY, quantity: "1",
                                             idempotencyKey: "k"}) { userErrors { code } } }"""
    assert nobody.codes(query) == ["UNAUTHENTICATED"]


def without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    """The values but for these."""
    return {name: value for name, value in values.items() if name not in names}
