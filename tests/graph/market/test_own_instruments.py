"""Instruments of one's own, which their owner alone sees and prices, and values at the last trade."""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from db.sessions import open_sessions
from investing.auth.administration import set_administrator
from investing.rules.market.instruments import MOST_OWN
from tests.graph.conftest import Api
from tests.graph.stored import Stored, row_id
from tests.waiting import PATIENCE

CREATE = """mutation($input: CreateInstrumentInput!) { createInstrument(input: $input) {
  instrument { id symbol name currency assetClass exchange isin isOwn lastPrice }
  userErrors { __typename code field message } } }"""
PUSH = """mutation($symbol: String!, $price: Decimal!) {
  pushQuotes(input: {ticks: [{symbol: $symbol, price: $price}]}) { accepted userErrors { code field } } }"""
RECORD = """mutation($input: RecordTransactionInput!) { recordTransaction(input: $input) {
  transaction { id instrument { id } } userErrors { code message } } }"""
LOOK = """query($symbol: String!, $id: ID!) {
  instrument(symbol: $symbol) { id isOwn lastPrice }
  instruments(search: $symbol) { totalCount nodes { id } }
  node(id: $id) { id } nodes(ids: [$id]) { id } }"""
VALUES = """query($id: ID!) { node(id: $id) { ... on Portfolio {
  marketValue totalValue unrealizedPnl unpricedPositionCount cashWeight
  unavailable { field reason currency date instrument { symbol } }
  positions { nodes { symbol quantity currentPrice priceAsOf priceSource marketValue unrealizedPnl weight
    explainUnrealizedPnl { value price { kind price } } } }
  allocation(by: SYMBOL) { slices { label value } }
  account { marketValue unavailable { field reason instrument { symbol } } } } }
  me { summary { marketValue totalValue unavailable { field reason currency instrument { symbol } } } } }"""


def create(api: Api, symbol: str, **given: Any) -> Any:
    """The payload of createInstrument."""
    made = {"symbol": symbol, "name": f"{symbol} of mine", "currency": "USD", **given}
    return api.data(CREATE, input=made)["createInstrument"]


def made(api: Api, symbol: str, **given: Any) -> Any:
    """An instrument of the API's user's own."""
    payload = create(api, symbol, **given)
    assert payload["userErrors"] == []
    return payload["instrument"]


def refused(payload: Any) -> tuple[str, list[str]]:
    """The code and the field of the one userError."""
    assert payload["instrument"] is None
    (error,) = payload["userErrors"]
    return error["code"], error["field"]


@pytest.fixture
def administrator(register: Callable[[], Api], app_url: str) -> Api:
    api = register()

    async def promote() -> None:
        async with open_sessions(app_url, size=2) as sessions:
            await set_administrator(sessions, api.username or "", True)

    asyncio.run(promote())
    return api


def open_portfolio(api: Api, currency: str = "USD", cash: str = "1000") -> str:
    """The id of a portfolio with cash, given long ago."""
    account = api.data(
        "mutation($input: CreateAccountInput!) { createAccount(input: $input) { account { id } } }",
        input={"name": uuid.uuid4().hex, "currency": currency},
    )["createAccount"]["account"]["id"]
    given = {"accountId": account, "name": "P", "strategy": "EQUAL_WEIGHT"}
    made = api.data(
        "mutation($input: CreatePortfolioInput!) { createPortfolio(input: $input) { portfolio { id } } }",
        input=given,
    )
    id: str = made["createPortfolio"]["portfolio"]["id"]
    recorded(api, id, "DEPOSIT", "2023-12-01T15:00:00Z", amount=cash)
    return id


def record(api: Api, portfolio: str, type: str, at: str, **given: Any) -> Any:
    """The payload of recordTransaction."""
    facts = {"portfolioId": portfolio, "type": type, "executedAt": at, **given}
    return api.data(RECORD, input={**facts, "idempotencyKey": str(uuid.uuid4())})["recordTransaction"]


def recorded(api: Api, portfolio: str, type: str, at: str, **given: Any) -> None:
    """Records a transaction that is accepted."""
    assert record(api, portfolio, type, at, **given)["userErrors"] == []


def test_it_is_its_owners_alone(register: Callable[[], Api]) -> None:
    """Two people with one symbol: each sees their own, and a third sees neither."""
    one, other, third = register(), register(), register()
    first = made(one, "HOUSE", exchange="None", isin="us0378331005", assetClass="OTHER")
    assert first == {
        "id": first["id"],
        "symbol": "HOUSE",
        "name": "HOUSE of mine",
        "currency": "USD",
        "assetClass": "OTHER",
        "exchange": "None",
        "isin": "US0378331005",
        "isOwn": True,
        "lastPrice": None,
    }
    second = made(other, "HOUSE", currency="EUR")
    assert second["id"] != first["id"]
    pushed = one.data(PUSH, symbol="HOUSE", price="7")["pushQuotes"]
    assert pushed == {"accepted": 1, "userErrors": []}
    for api, mine, theirs, price in ((one, first, second, "7"), (other, second, first, None)):
        seen = api.data(LOOK, symbol="HOUSE", id=theirs["id"])
        assert seen["instrument"] == {"id": mine["id"], "isOwn": True, "lastPrice": price}
        assert seen["instruments"] == {"totalCount": 1, "nodes": [{"id": mine["id"]}]}
        assert (seen["node"], seen["nodes"]) == (None, [None])
    nothing = third.data(LOOK, symbol="HOUSE", id=first["id"])
    assert nothing == third.data(LOOK.replace("HOUSE", "NOTHING"), symbol="NOTHING", id=first["id"])
    assert nothing["instruments"]["totalCount"] == 0
    assert third.data(PUSH, symbol="HOUSE", price="8")["pushQuotes"]["userErrors"] == [
        {"code": "UNKNOWN_INSTRUMENT", "field": ["input", "ticks", "0", "symbol"]}
    ]
    portfolio = open_portfolio(third)
    shares = {"symbol": "HOUSE", "quantity": "1", "price": "1"}
    unknown = record(third, portfolio, "BUY", "2024-01-02T15:00:00Z", **shares)
    assert [error["code"] for error in unknown["userErrors"]] == ["UNKNOWN_INSTRUMENT"]


def test_what_is_refused(register: Callable[[], Api], stored: Stored) -> None:
    stored.instrument("AAPL", "10")
    api = register()
    made(api, "MINE")
    for symbol in ("", " ", ".B", "A  B", "A" * 33, "A\tB", '"A"'):
        assert refused(create(api, symbol)) == ("INVALID_INPUT", ["input", "symbol"])
    for taken in ("AAPL", "MINE", " mine "):
        assert refused(create(api, taken)) == ("NAME_TAKEN", ["input", "symbol"])
    assert refused(create(api, "X1", currency="XXX")) == ("INVALID_INPUT", ["input", "currency"])
    assert refused(create(api, "X1", isin="US0378331006")) == ("INVALID_INPUT", ["input", "isin"])
    assert refused(create(api, "X1", name=" ")) == ("INVALID_INPUT", ["input", "name"])
    # Prices of what is shared are an administrator's to bring.
    assert api.codes(PUSH, symbol="AAPL", price="99") == ["FORBIDDEN"]
    assert (
        stored.value(
            "SELECT price FROM quotes q JOIN instruments i ON i.id = q.instrument_id WHERE i.symbol = 'AAPL'"
        )
        == 10
    )


def test_there_is_room_for_so_many(register: Callable[[], Api], stored: Stored) -> None:
    api, other = register(), register()
    stored.rows(
        "INSERT INTO instruments (id, symbol, name, asset_class, currency, owner_id) "
        "SELECT gen_random_uuid(), 'N' || n, 'N', 'OTHER', 'USD', $1 FROM generate_series(1, $2::int) n",
        row_id(api.user_id or ""),
        MOST_OWN - 1,
    )
    made(api, "LAST")
    payload = create(api, "MORE")
    assert payload["userErrors"] == [
        {
            "__typename": "LimitReached",
            "code": "LIMIT_REACHED",
            "field": None,
            "message": "You can have at most 1,000 instruments of your own.",
        }
    ]
    made(other, "MORE")


def test_once_for_a_key(register: Callable[[], Api], stored: Stored) -> None:
    api = register()
    key = str(uuid.uuid4())
    first = made(api, "ONCE", idempotencyKey=key)
    assert made(api, "ONCE", idempotencyKey=key) == first
    assert refused(create(api, "TWICE", idempotencyKey=key)) == (
        "IDEMPOTENCY_MISMATCH",
        ["input", "idempotencyKey"],
    )
    noted = "SELECT details FROM audit_log WHERE owner_id = $1 AND action = 'instrument.created'"
    assert len(stored.rows(noted, row_id(api.user_id or ""))) == 1


def test_an_administrators_is_shared(register: Callable[[], Api], administrator: Api) -> None:
    """Where an owner has the symbol already, it goes on meaning their own to them, and what they hold too."""
    owner, other = register(), register()
    own = made(owner, "LATER")
    portfolio = open_portfolio(owner)
    shares = {"symbol": "LATER", "quantity": "2", "price": "5"}
    recorded(owner, portfolio, "BUY", "2024-01-02T15:00:00Z", **shares)
    shared = made(administrator, "LATER")
    assert shared["isOwn"] is False
    assert administrator.data(PUSH, symbol="LATER", price="99")["pushQuotes"]["accepted"] == 1
    assert other.data(LOOK, symbol="LATER", id=shared["id"])["instrument"]["id"] == shared["id"]
    assert refused(create(other, "LATER")) == ("NAME_TAKEN", ["input", "symbol"])
    # Both are in the owner's list, and by its id the shared one can be had.
    seen = owner.data(LOOK, symbol="LATER", id=shared["id"])
    assert seen["instrument"] == {"id": own["id"], "isOwn": True, "lastPrice": None}
    assert seen["instruments"]["totalCount"] == 2
    assert seen["node"] == {"id": shared["id"]}
    sold = record(owner, portfolio, "SELL", "2024-01-03T15:00:00Z", **{**shares, "quantity": "1"})
    assert sold["transaction"]["instrument"]["id"] == own["id"]
    (position,) = owner.data(VALUES, id=portfolio)["node"]["positions"]["nodes"]
    assert (position["quantity"], position["currentPrice"], position["priceSource"]) == ("1", "5", "TRADE")


def test_valued_at_the_last_trade(register: Callable[[], Api]) -> None:
    """1000 in cash. BUY 10 @ 12.5 and 1 commission: 126 paid, worth 125, a loss of 1; 874 in cash.

    A sale of 2 @ 15 in another portfolio is the last trade: 10 x 15 = 150, and 874 + 150 = 1024. A split of
    3 for 2 there makes 15 shares at 15 x 2 / 3 = 10. A quote of 11 ends that: 165.
    """
    api = register()
    made(api, "FUND")
    one, two = open_portfolio(api), open_portfolio(api)
    shares = {"symbol": "FUND", "quantity": "10", "price": "12.5"}
    recorded(api, one, "BUY", "2024-01-02T15:00:00Z", **shares, commission="1")
    node = api.data(VALUES, id=one)["node"]
    (position,) = node["positions"]["nodes"]
    assert position == {
        "symbol": "FUND",
        "quantity": "10",
        "currentPrice": "12.5",
        "priceAsOf": "2024-01-02T15:00:00.000000Z",
        "priceSource": "TRADE",
        "marketValue": "125",
        "unrealizedPnl": "-1",
        # 125 / 999 and 874 / 999, to ten places.
        "weight": "0.1251251251",
        "explainUnrealizedPnl": {"value": "-1", "price": {"kind": "TRADE", "price": "12.5"}},
    }
    totals = (node["marketValue"], node["totalValue"], node["unrealizedPnl"], node["cashWeight"])
    assert totals == ("125", "999", "-1", "0.8748748749")
    assert {"label": "FUND", "value": "125"} in node["allocation"]["slices"]
    assert (node["unavailable"], node["unpricedPositionCount"]) == ([], 0)
    given = {"symbol": "FUND", "quantity": "4"}
    recorded(api, two, "TRANSFER_IN", "2024-01-02T15:00:00Z", **given, amount="40")
    recorded(api, two, "SELL", "2024-02-01T15:00:00Z", symbol="FUND", quantity="2", price="15")
    # What is given away at no price, or reversed, says nothing of what it is worth.
    recorded(api, two, "BUY", "2024-02-02T15:00:00Z", symbol="FUND", quantity="1", price="0")
    mistake = record(api, two, "BUY", "2024-02-03T15:00:00Z", symbol="FUND", quantity="1", price="99")
    api.data(
        "mutation($input: ReverseTransactionInput!) { reverseTransaction(input: $input) { "
        "userErrors { code } } }",
        input={"transactionId": mistake["transaction"]["id"], "idempotencyKey": str(uuid.uuid4())},
    )
    node = api.data(VALUES, id=one)["node"]
    assert (node["marketValue"], node["totalValue"]) == ("150", "1024")
    for portfolio in (one, two):
        split = {"symbol": "FUND", "quantity": "3", "splitFor": "2"}
        recorded(api, portfolio, "SPLIT", "2024-03-01T14:30:00Z", **split)
    (position,) = api.data(VALUES, id=one)["node"]["positions"]["nodes"]
    assert (position["quantity"], position["currentPrice"], position["marketValue"]) == ("15", "10", "150")
    api.data(PUSH, symbol="FUND", price="11")
    (position,) = api.data(VALUES, id=one)["node"]["positions"]["nodes"]
    assert (position["priceSource"], position["marketValue"]) == ("QUOTE", "165")


def test_what_totals_leave_out_is_told(register: Callable[[], Api]) -> None:
    """Shares that came in at a cost and were never traded have no value; nor have euros in dollars."""
    api = register()
    made(api, "GIFT")
    portfolio = open_portfolio(api)
    given = {"symbol": "GIFT", "quantity": "3", "amount": "30"}
    recorded(api, portfolio, "TRANSFER_IN", "2024-01-02T15:00:00Z", **given)
    open_portfolio(api, "EUR", "5")
    found = api.data(VALUES, id=portfolio)
    node, summary = found["node"], found["me"]["summary"]
    (position,) = node["positions"]["nodes"]
    assert [position[name] for name in ("currentPrice", "priceSource", "marketValue", "weight")] == [None] * 4
    assert (node["marketValue"], node["totalValue"], node["unpricedPositionCount"]) == ("0", "1000", 1)
    gift = {"field": "marketValue", "reason": "NO_PRICES", "instrument": {"symbol": "GIFT"}}
    assert node["unavailable"] == [{**gift, "currency": "USD", "date": None}]
    assert node["account"] == {"marketValue": "0", "unavailable": [gift]}
    assert summary == {
        "marketValue": "0",
        "totalValue": "1000",
        "unavailable": [
            {**gift, "currency": "USD"},
            {"field": "totalValue", "reason": "NO_RATE", "currency": "EUR", "instrument": None},
        ],
    }


def test_everything_else_that_takes_a_symbol(register: Callable[[], Api]) -> None:
    """Watchlist, alert rule, target weights, a paper order and an import: the owner's own, nobody else's."""
    owner, other = register(), register()
    for api in (owner, other):
        made(api, "THING")
    owner.data(PUSH, symbol="THING", price="10")
    portfolio = open_portfolio(owner)
    listed = owner.data(
        'mutation { createWatchlist(input: {name: "W", symbols: ["THING"]}) { watchlist { symbols } } }'
    )
    assert listed["createWatchlist"]["watchlist"] == {"symbols": ["THING"]}
    rule = {"name": "R", "kind": "PRICE_ABOVE", "symbol": "THING", "threshold": "12"}
    ruled = owner.data(
        "mutation($input: CreateAlertRuleInput!) { createAlertRule(input: $input) { "
        "alertRule { symbol } userErrors { message } } }",
        input=rule,
    )["createAlertRule"]
    assert ruled == {"alertRule": {"symbol": "THING"}, "userErrors": []}
    order = {"portfolioId": portfolio, "symbol": "THING", "side": "BUY", "quantity": "3"}
    placed = owner.data(
        "mutation($input: PlaceOrderInput!) { placeOrder(input: $input) { "
        "order { status symbol } userErrors { message } } }",
        input={**order, "type": "MARKET", "idempotencyKey": str(uuid.uuid4())},
    )["placeOrder"]
    assert placed == {"order": {"status": "FILLED", "symbol": "THING"}, "userErrors": []}
    rows = [
        {
            "type": "BUY",
            "symbol": "THING",
            "quantity": "1",
            "price": "9",
            "executedAt": "2024-01-01T00:00:00Z",
        }
    ]
    rows.insert(0, {"type": "DEPOSIT", "amount": "9", "executedAt": "2024-01-01T00:00:00Z"})
    imported = owner.data(
        "mutation($input: ImportTransactionsInput!) { importTransactions(input: $input) { okCount "
        "userErrors { message } } }",
        input={"portfolioId": portfolio, "rows": rows, "idempotencyKey": str(uuid.uuid4())},
    )["importTransactions"]
    assert imported == {"okCount": 2, "userErrors": []}
    weights = owner.data(
        "mutation($input: UpdatePortfolioInput!) { updatePortfolio(input: $input) { "
        "portfolio { rebalancePlan { targets { symbol targetWeight } } } userErrors { message } } }",
        input={
            "portfolioId": portfolio,
            "strategy": "CUSTOM",
            "targetWeights": [{"symbol": "THING", "weight": "0.5"}],
        },
    )["updatePortfolio"]
    assert weights["userErrors"] == []
    assert weights["portfolio"]["rebalancePlan"]["targets"] == [{"symbol": "THING", "targetWeight": "0.5"}]
    # The alert is the owner's, and comes of the owner's price.
    asked = "{ me { alerts { nodes { kind symbol metrics { name value } } } } }"
    other.data(PUSH, symbol="THING", price="99")
    owner.data(PUSH, symbol="THING", price="13")
    deadline = time.monotonic() + PATIENCE
    while not (fired := owner.data(asked)["me"]["alerts"]["nodes"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [(alert["kind"], alert["symbol"]) for alert in fired] == [("PRICE_ABOVE", "THING")]
    assert {"name": "price", "value": "13"} in fired[0]["metrics"]
    assert other.data(asked)["me"]["alerts"]["nodes"] == []
