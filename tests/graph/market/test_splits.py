"""Splits over the API: recorded by administrators, posted to holders, reported if they are there already."""

import asyncio
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from db.sessions import open_sessions
from investing.auth.administration import set_administrator
from investing.rules.trading.orders import BrokerFees
from investing.trading.split_work import Splitting
from tests.graph.conftest import Api
from tests.graph.doing import key, mutate, open_account, open_portfolio, recorded
from tests.graph.stored import Stored

SPLITS = "instrument { symbol splits { exDate quantity splitFor } }"
RECORDED = "transaction { id type isAutomatic executedAt quantityDelta } warnings { code message }"


@pytest.fixture(scope="module")
def administrator(register: Callable[[], Api], app_url: str) -> Api:
    """A user who may record splits."""
    api = register()

    async def promote() -> None:
        async with open_sessions(app_url, size=1) as sessions:
            await set_administrator(sessions, api.username or "", True)

    asyncio.run(promote())
    return api


@pytest.fixture
def api(register: Callable[[], Api]) -> Api:
    """Somebody who holds things."""
    return register()


@pytest.fixture(scope="module")
def post(app_url: str) -> Callable[[], None]:
    """The job's round."""

    async def run() -> None:
        async with open_sessions(app_url, size=2) as sessions:
            await Splitting(sessions, BrokerFees()).post_due()

    return lambda: asyncio.run(run())


def split_of(api: Api, symbol: str, ex_date: str, quantity: str, **more: str) -> Any:
    return mutate(api, "recordSplit", SPLITS, symbol=symbol, exDate=ex_date, quantity=quantity, **more)


def test_an_administrator_records_it_and_holders_get_it(
    administrator: Api, api: Api, post: Callable[[], None], stored: Stored
) -> None:
    stored.instrument("FOUR", "30")
    portfolio = open_portfolio(api, open_account(api))
    recorded(api, portfolio, "DEPOSIT", "2024-01-02", amount="1000")
    recorded(api, portfolio, "BUY", "2024-01-02", symbol="FOUR", quantity="10", price="30")
    done = split_of(administrator, "FOUR", "2024-06-10", "4")
    expected = {"symbol": "FOUR", "splits": [{"exDate": "2024-06-10", "quantity": "4", "splitFor": "1"}]}
    assert done == {"instrument": expected, "userErrors": []}
    assert split_of(administrator, "FOUR", "2024-06-10", "8", splitFor="2") == done
    refused = split_of(administrator, "FOUR", "2024-06-12", "4")["userErrors"]
    assert [(error["code"], error["field"]) for error in refused] == [("INVALID_INPUT", ["input", "exDate"])]
    post()
    # One's own entry of the same split, two days later: the answer is the one that is there.
    payload = mutate(
        api,
        "recordTransaction",
        RECORDED,
        portfolioId=portfolio,
        type="SPLIT",
        symbol="FOUR",
        quantity="4",
        executedAt="2024-06-12T12:00:00Z",
        idempotencyKey=key(),
    )
    transaction = payload["transaction"]
    # Midnight in New York, where the account lives by default.
    assert (transaction["isAutomatic"], transaction["executedAt"], transaction["quantityDelta"]) == (
        True,
        "2024-06-10T04:00:00.000000Z",
        "30",
    )
    assert [warning["code"] for warning in payload["warnings"]] == ["DUPLICATE_SPLIT"]
    rows = [
        {"type": "SPLIT", "symbol": "FOUR", "quantity": "4", "executedAt": "2024-06-05T12:00:00Z"},
        {
            "type": "BUY",
            "symbol": "FOUR",
            "quantity": "1",
            "price": "32",
            "executedAt": "2024-03-01T12:00:00Z",
        },
    ]
    outcome = mutate(
        api,
        "importTransactions",
        "written duplicateCount outcomes { status }",
        portfolioId=portfolio,
        rows=rows,
        idempotencyKey=key(),
    )
    assert (outcome["written"], [row["status"] for row in outcome["outcomes"]]) == (True, ["DUPLICATE", "OK"])
    held = stored.rows(
        "SELECT quantity FROM positions p JOIN instruments i ON i.id = instrument_id WHERE symbol = 'FOUR'"
    )
    assert held == [(Decimal(44),)]


def test_who_is_no_administrator_records_none(api: Api, stored: Stored) -> None:
    stored.instrument("MINE")
    answer = api.post(
        "mutation($input: RecordSplitInput!) { recordSplit(input: $input) { userErrors { code } } }",
        input={"symbol": "MINE", "exDate": "2024-01-02", "quantity": "2"},
    )
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


def test_quantities_that_are_adjusted_already(
    administrator: Api, api: Api, post: Callable[[], None], stored: Stored
) -> None:
    stored.instrument("DONE", "30")
    split_of(administrator, "DONE", "2024-06-10", "4")
    portfolio = open_portfolio(api, open_account(api))
    recorded(api, portfolio, "DEPOSIT", "2024-01-02", amount="1000")
    row = {
        "type": "BUY",
        "symbol": "DONE",
        "quantity": "40",
        "price": "7.5",
        "executedAt": "2024-01-02T12:00:00Z",
    }
    done = mutate(
        api,
        "importTransactions",
        "written",
        portfolioId=portfolio,
        rows=[row],
        adjustedQuantities=True,
        idempotencyKey=key(),
    )
    assert done == {"written": True, "userErrors": []}
    post()
    recorded(api, portfolio, "BUY", "2024-07-01", symbol="DONE", quantity="1", price="8")
    # Where a split is on the ledger already, it would multiply what is adjusted: refused, and not wrong.
    recorded(api, portfolio, "SPLIT", "2024-08-01", symbol="DONE", quantity="2", splitFor="1")
    again = mutate(
        api,
        "importTransactions",
        "written outcomes { status userError { field } }",
        portfolioId=portfolio,
        rows=[row | {"quantity": "4"}],
        adjustedQuantities=True,
        idempotencyKey=key(),
    )
    assert (again["written"], again["outcomes"][0]["status"]) == (False, "REFUSED")
    held = stored.rows(
        "SELECT quantity FROM positions p JOIN instruments i ON i.id = instrument_id WHERE symbol = 'DONE'"
    )
    # 40 and 1, and what one's own entry made of them.
    assert held == [(Decimal(82),)]


def test_a_dividend_on_adjusted_prices_is_booked_with_a_word(api: Api, stored: Stored) -> None:
    for symbol, basis in (("FULL", "ADJUSTED"), ("HALF", "SPLIT_ADJUSTED")):
        stored.instrument(symbol)
        stored.rows("UPDATE instruments SET price_basis = $2 WHERE symbol = $1", symbol, basis)
    portfolio = open_portfolio(api, open_account(api))
    given = {
        "portfolioId": portfolio,
        "type": "DIVIDEND",
        "amount": "5",
        "executedAt": "2024-06-12T12:00:00Z",
    }
    used = key()
    for _ in "twice":
        payload = mutate(api, "recordTransaction", RECORDED, symbol="FULL", idempotencyKey=used, **given)
        assert payload["transaction"]["type"] == "DIVIDEND"
        assert [warning["code"] for warning in payload["warnings"]] == ["ADJUSTED_PRICES"]
    plain = mutate(api, "recordTransaction", RECORDED, symbol="HALF", idempotencyKey=key(), **given)
    assert plain["warnings"] == []
    row = {
        "type": "DIVIDEND",
        "symbol": "FULL",
        "amount": "6",
        "executedAt": dt.datetime(2024, 1, 2, tzinfo=dt.UTC).isoformat(),
    }
    used = key()
    for _ in "twice":
        outcome = mutate(
            api,
            "importTransactions",
            "outcomes { status warnings { code } }",
            portfolioId=portfolio,
            rows=[row],
            idempotencyKey=used,
        )
        assert outcome["outcomes"] == [{"status": "OK", "warnings": [{"code": "ADJUSTED_PRICES"}]}]
