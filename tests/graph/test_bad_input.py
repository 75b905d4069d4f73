"""Bad input gets a clear coded error: never an internal one, never a traceback."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.graph.conftest import Api
from tests.graph.doing import cash, key, mutate, open_account, open_portfolio, record, refused
from tests.graph.stored import Stored


@pytest.fixture(scope="module")
def api(register: Callable[[], Api], stored: Stored) -> Api:
    stored.instrument("AAPL", "10")
    return register()


@pytest.fixture(scope="module")
def account_id(api: Api) -> str:
    return open_account(api, initialBalance="1000")


@pytest.fixture(scope="module")
def portfolio_id(api: Api, account_id: str) -> str:
    return open_portfolio(api, account_id)


@pytest.mark.parametrize(
    "query",
    [
        "{ nothing }",
        "{ me { nothing } }",
        "{ me { accounts(nothing: 1) { totalCount } } }",
        "{ me",
        "query Q($a: Nothing) { me { id } }",
        "{ node(id: 7.5) { id } }",
        '{ me { accounts(first: "one") { totalCount } } }',
        "{ me { accounts(first: 2147483648) { totalCount } } }",
        "{ me { accounts(first: 99999999999999999999999999) { totalCount } } }",
        '{ instrument(symbol: "\\ud800") { id } }',
        "{ instrument(symbol: 7) { id } }",
        "mutation { deposit { userErrors { code } } }",
        'mutation { createAccount(input: {name: "A", nothing: 1}) { userErrors { code } } }',
        'mutation { createAccount(input: {name: "A", currency: "usd"}) { userErrors { code } } }',
        'mutation { createAccount(input: {name: "A", currency: "DOLLAR"}) { userErrors { code } } }',
        'mutation { createAccount(input: {name: "A", broker: NOBODY}) { userErrors { code } } }',
        'mutation { createAccount(input: {name: "A", broker: "PAPER"}) { userErrors { code } } }',
        'mutation { createAccount(input: {name: "A", initialBalance: 1}) { userErrors { code } } }',
        'mutation { createAccount(input: {name: "A", initialBalance: 1.5}) { userErrors { code } } }',
        'mutation { createAccount(input: {name: "A", isPaper: "yes"}) { userErrors { code } } }',
    ],
)
def test_documents(api: Api, query: str) -> None:
    answer = api.post(query)
    assert "data" not in answer
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}


@pytest.mark.parametrize("executed_at", ["0001-01-01T00:00:00Z", "0001-01-01T13:59:59Z"])
def test_the_first_instants_have_no_day_west_of_here(api: Api, portfolio_id: str, executed_at: str) -> None:
    given = {"type": "DEPOSIT", "amount": "1", "executedAt": executed_at, "idempotencyKey": key()}
    query = "mutation($input: RecordTransactionInput!) { recordTransaction(input: $input) { __typename } }"
    assert api.codes(query, input={"portfolioId": portfolio_id, **given}) == ["BAD_USER_INPUT"]


NOT_IDS = ["", "x", "7", "VXNlcjox", "Portfolio:1", "a" * 100_000, "é", "UG9ydGZvbGlvOg==", "=", "Og=="]


@pytest.mark.parametrize("id", NOT_IDS)
def test_malformed_ids(api: Api, account_id: str, id: str) -> None:
    assert api.codes("query($id: ID!) { node(id: $id) { id } }", id=id) == ["BAD_USER_INPUT"]
    assert api.codes("query($id: ID!) { nodes(ids: [$id]) { id } }", id=id) == ["BAD_USER_INPUT"]
    archive = "mutation($id: ID!) { archivePortfolio(input: { portfolioId: $id }) { userErrors { code } } }"
    assert api.codes(archive, id=id) == ["BAD_USER_INPUT"]
    given = {"accountId": id, "amount": "1", "idempotencyKey": key()}
    deposit = "mutation($input: CashInput!) { deposit(input: $input) { userErrors { code } } }"
    assert api.codes(deposit, input=given) == ["BAD_USER_INPUT"]


def test_ids_of_another_type(api: Api, account_id: str, portfolio_id: str) -> None:
    assert refused(cash(api, "deposit", portfolio_id, "1"))["field"] == ["input", "accountId"]
    wrong = cash(api, "deposit", account_id, "1", portfolioId=account_id)
    assert refused(wrong) == refused(cash(api, "deposit", account_id, "1", portfolioId=api.user_id))
    assert (refused(wrong)["code"], refused(wrong)["field"]) == ("NOT_FOUND", ["input", "portfolioId"])
    archived = refused(mutate(api, "archivePortfolio", "portfolio { id }", portfolioId=account_id))
    assert (archived["code"], archived["field"]) == ("NOT_FOUND", ["input", "portfolioId"])


DECIMALS: list[Any] = [
    1,
    1.5,
    True,
    None,
    [],
    "",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e5",
    "1E-3",
    "1" * 29,
    "1" * 19,
    "1." + "1" * 61,
    " 1",
    "1 ",
    "1\n",
    "1_000",
    "1,5",
    "+1",
    ".5",
    "1.",
    "٣",
    "\uff11",
    "0x10",
]


@pytest.mark.parametrize("amount", DECIMALS, ids=repr)
def test_decimals(api: Api, account_id: str, amount: Any) -> None:
    query = "mutation($input: CashInput!) { deposit(input: $input) { userErrors { code } } }"
    given = {"accountId": account_id, "amount": amount, "idempotencyKey": key()}
    assert api.codes(query, input=given) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize(
    "moment",
    [
        "2024-05-01T12:00:00",
        "2024-05-01",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-00:01",
        "2024-05-01T12:00:00+24:00",
        "2024-05-01T12:00:00+5",
        "2024-05-01T12:00:00+05",
        "2024-05-01T12:00:00+05:00:00",
        "2024-05-01T12:00:60Z",
        "2024-05-01 12:00:00Z",
        "2024-05-01T12:00:00.1234567Z",
        "2024-02-30T12:00:00Z",
        "٢٠٢٤-05-01T12:00:00Z",
        1714564800,
        "",
    ],
)
def test_instants(api: Api, portfolio_id: str, moment: Any) -> None:
    query = """mutation($input: RecordTransactionInput!) {
        recordTransaction(input: $input) { userErrors { code } } }"""
    given = {"portfolioId": portfolio_id, "type": "FEE", "amount": "1", "idempotencyKey": key()}
    assert api.codes(query, input={**given, "executedAt": moment}) == ["BAD_USER_INPUT"]


def test_the_last_instant_there_is_is_in_the_future(api: Api, portfolio_id: str) -> None:
    error = refused(record(api, portfolio_id, "FEE", "9999-12-31T23:59:59+00:00", amount="1"))
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "executedAt"])


@pytest.mark.parametrize("day", ["2023-02-30", "20230201", "2023-2-1", "2023-W05-1", "0000-01-01", "", 5])
def test_days(api: Api, day: Any) -> None:
    query = """query($day: Date) { instrument(symbol: "AAPL") { priceHistory(from: $day) { totalCount } } }"""
    assert api.codes(query, day=day) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("idempotency_key", ["", "1", "x" * 100_000])
def test_idempotency_keys(api: Api, account_id: str, idempotency_key: str) -> None:
    error = refused(cash(api, "deposit", account_id, "1", idempotencyKey=idempotency_key))
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "idempotencyKey"])


@pytest.mark.parametrize("symbol", ["NOTHING", pytest.param("É" * 5_000, id="long")])
def test_unknown_symbols_are_repeated_only_so_far(
    api: Api, account_id: str, portfolio_id: str, symbol: str
) -> None:
    shown = symbol if len(symbol) <= 40 else symbol[:40] + "…"
    order = {"side": "BUY", "type": "MARKET", "quantity": "1", "idempotencyKey": key()}
    trade = {"quantity": "1", "price": "1"}
    payloads = [
        mutate(api, "placeOrder", "order { id }", portfolioId=portfolio_id, symbol=symbol, **order),
        record(api, portfolio_id, "BUY", "2024-05-01", symbol=symbol, **trade),
        mutate(api, "createWatchlist", "watchlist { id }", name="Some", symbols=[symbol]),
        mutate(
            api,
            "createPortfolio",
            "portfolio { id }",
            accountId=account_id,
            name="Own",
            strategy="CUSTOM",
            targetWeights=[{"symbol": symbol, "weight": "1"}],
        ),
        mutate(
            api,
            "createAlertRule",
            "alertRule { id }",
            name="Rule",
            kind="PRICE_ABOVE",
            symbol=symbol,
            threshold="1",
        ),
    ]
    for payload in payloads:
        error = refused(payload)
        assert error["message"] == f"There is no instrument {shown}."
        assert (error["code"], error["symbol"]) == ("UNKNOWN_INSTRUMENT", shown)
    twice = [{"symbol": symbol, "weight": "0.1"}] * 2
    given = {"accountId": account_id, "name": "Own", "strategy": "CUSTOM", "targetWeights": twice}
    error = refused(mutate(api, "createPortfolio", "portfolio { id }", **given))
    assert error["message"] == f"{shown} is there twice."


def test_what_the_ledger_cannot_hold(api: Api, account_id: str, portfolio_id: str) -> None:
    most = "999999999999999999.9999999999"
    other = open_account(api, "Rich", initialBalance=most)
    assert refused(cash(api, "deposit", other, "0.0000000001"))["field"] == ["input", "amount"]
    full = {"symbol": "AAPL", "quantity": most, "amount": "1"}
    assert record(api, portfolio_id, "TRANSFER_IN", "2024-05-01", **full)["userErrors"] == []
    again = {"symbol": "AAPL", "quantity": "1", "amount": "1"}
    assert refused(record(api, portfolio_id, "TRANSFER_IN", "2024-05-02", **again))["code"] == "INVALID_INPUT"
    split = {"symbol": "AAPL", "quantity": "2"}
    assert refused(record(api, portfolio_id, "SPLIT", "2024-05-02", **split))["code"] == "INVALID_INPUT"
    sold = {"symbol": "AAPL", "quantity": most, "price": most}
    assert refused(record(api, portfolio_id, "SELL", "2024-05-02", **sold))["code"] == "INVALID_INPUT"
    fee = {"amount": most, "commission": most}
    assert refused(record(api, portfolio_id, "FEE", "2024-05-02", **fee))["code"] == "INVALID_INPUT"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"   ", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b"\xff\xfe", 400),
        (b'{"query": 7}', 400),
        (b'{"query": ""}', 400),
        (b'{"query": "{ me { id } }", "variables": []}', 400),
        (b'{"query": "{ me { id } }", "variables": {"a": "\\ud800"}}', 400),
        (b'{"query": "{ me { id } }", "variables": {"a": NaN}}', 400),
        (b"[" * 100_000, 400),
        (b'{"query": "' + b"x" * 3_000_000 + b'"}', 413),
        # A body that is a request is answered with 200, whatever becomes of its document.
        (json.dumps({"query": "{ me " * 5_000}).encode(), 200),
        (json.dumps({"query": "{ me { accounts " * 30 + "{ id }" + "} }" * 30}).encode(), 200),
    ],
    ids=range(15),
)
def test_bodies(api: Api, body: bytes, status: int) -> None:
    response = api.send(body)
    assert response.status_code == status
    assert "data" not in response.json()
    codes = {error["extensions"]["code"] for error in response.json()["errors"]}
    assert codes in ({"BAD_USER_INPUT"}, {"QUERY_TOO_COMPLEX"})


def test_deep_variables_that_nothing_uses(api: Api) -> None:
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    response = api.send(b'{"query": "{ me { id } }", "variables": ' + deep + b"}")
    assert response.json()["data"] == {"me": {"id": api.user_id}}
