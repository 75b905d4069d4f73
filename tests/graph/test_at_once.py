"""The same at the same moment: names, idempotency keys and cash, with as many clients as it takes."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.graph.conftest import Api
from tests.graph.doing import cash, key, mutate, open_account, open_portfolio, recorded, refused


@pytest.fixture(scope="module")
def api(register: Callable[[], Api]) -> Api:
    return register()


def at_once(number: int, ask: Callable[[int], Any]) -> list[Any]:
    """The payloads of so many clients."""
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(ask, range(number)))


def codes(payloads: list[Any]) -> Counter[str]:
    """How often each code came, with OK for what was done."""
    return Counter(
        payload["userErrors"][0]["code"] if payload["userErrors"] else "OK" for payload in payloads
    )


ONE_OF_EIGHT = Counter({"NAME_TAKEN": 7, "OK": 1})


def test_a_name_is_given_once(api: Api) -> None:
    accounts = at_once(8, lambda _: mutate(api, "createAccount", "account { id }", name="The same"))
    assert codes(accounts) == ONE_OF_EIGHT
    lists = at_once(8, lambda _: mutate(api, "createWatchlist", "watchlist { id }", name="Same", symbols=[]))
    assert codes(lists) == ONE_OF_EIGHT
    account_id = open_account(api, "Of portfolios")
    given = {"accountId": account_id, "name": "The same", "strategy": "EQUAL_WEIGHT"}
    portfolios = at_once(8, lambda _: mutate(api, "createPortfolio", "portfolio { id }", **given))
    assert codes(portfolios) == ONE_OF_EIGHT


def test_a_new_name_is_given_once(api: Api) -> None:
    accounts = [open_account(api, f"Before {n}") for n in range(8)]
    renamed = at_once(
        8, lambda n: mutate(api, "updateAccount", "account { id }", accountId=accounts[n], name="After")
    )
    assert codes(renamed) == ONE_OF_EIGHT
    portfolios = [open_portfolio(api, accounts[0], f"Before {n}") for n in range(8)]
    renamed = at_once(
        8,
        lambda n: mutate(api, "updatePortfolio", "portfolio { id }", portfolioId=portfolios[n], name="After"),
    )
    assert codes(renamed) == ONE_OF_EIGHT
    lists = [
        mutate(api, "createWatchlist", "watchlist { id }", name=f"Before {n}", symbols=[])["watchlist"]["id"]
        for n in range(8)
    ]
    renamed = at_once(
        8, lambda n: mutate(api, "updateWatchlist", "watchlist { id }", watchlistId=lists[n], name="After")
    )
    assert codes(renamed) == ONE_OF_EIGHT


def test_one_key_one_effect(api: Api) -> None:
    account_id, same = open_account(api, "Of a key"), key()
    payloads = at_once(20, lambda _: cash(api, "deposit", account_id, "5", idempotencyKey=same))
    assert codes(payloads) == Counter({"OK": 20})
    assert len({payload["transaction"]["id"] for payload in payloads}) == 1
    assert balance(api, account_id) == "5"
    other = refused(cash(api, "deposit", account_id, "6", idempotencyKey=same))
    assert (other["code"], other["field"]) == ("IDEMPOTENCY_MISMATCH", ["input", "idempotencyKey"])
    assert refused(cash(api, "withdraw", account_id, "5", idempotencyKey=same))["code"] == other["code"]
    assert balance(api, account_id) == "5"


def test_a_refusal_is_kept_with_its_key(api: Api) -> None:
    account_id, same = open_account(api, "Of a refusal"), key()
    first = refused(cash(api, "withdraw", account_id, "5", idempotencyKey=same))
    assert (first["code"], first["shortfall"]) == ("INSUFFICIENT_CASH", "5")
    cash(api, "deposit", account_id, "100")
    assert refused(cash(api, "withdraw", account_id, "5", idempotencyKey=same)) == first
    assert balance(api, account_id) == "100"


@pytest.mark.parametrize("place", ["account", "portfolio"])
def test_cash_goes_out_once(api: Api, place: str) -> None:
    account_id = open_account(api, f"Cash of the {place}", initialBalance="100")
    where = {}
    if place == "portfolio":
        where = {"portfolioId": open_portfolio(api, account_id, initialCash="100")}
    payloads = at_once(16, lambda _: cash(api, "withdraw", account_id, "10", **where))
    assert codes(payloads) == Counter({"OK": 10, "INSUFFICIENT_CASH": 6})
    assert balance(api, account_id) == "0"


def test_transfers_in_both_directions(api: Api) -> None:
    account_id = open_account(api, "To and fro", initialBalance="100")
    ends = [open_portfolio(api, account_id, str(n), initialCash="50") for n in range(2)]

    def move(n: int) -> Any:
        given = {"fromPortfolioId": ends[n % 2], "toPortfolioId": ends[1 - n % 2], "idempotencyKey": key()}
        return mutate(api, "transferCash", "transaction { id }", accountId=account_id, amount="1", **given)

    assert codes(at_once(16, move)) == Counter({"OK": 16})
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Portfolio { cashBalance } } }"
    assert api.data(query, ids=ends)["nodes"] == [{"cashBalance": "50"}] * 2


def test_entries_of_one_position(api: Api, register: Callable[[], Api], stored: Any) -> None:
    stored.instrument("AAPL", "10")
    portfolio_id = open_portfolio(api, open_account(api, "Trades", initialBalance="160"), initialCash="160")
    days = [f"20{20 + n // 8}-01-0{n % 8 + 1}" for n in range(16)]
    recorded(api, portfolio_id, "DEPOSIT", "2019-01-01", amount="160")
    bought = {"symbol": "AAPL", "quantity": "1", "price": "10"}
    at_once(16, lambda n: recorded(api, portfolio_id, "BUY", days[n], **bought))
    query = """query($id: ID!) { node(id: $id) { ... on Portfolio {
        cashBalance positions { nodes { quantity costBasis } } } } }"""
    assert api.data(query, id=portfolio_id)["node"] == {
        "cashBalance": "160",
        "positions": {"nodes": [{"quantity": "16", "costBasis": "160"}]},
    }


def balance(api: Api, account_id: str) -> str:
    """All the cash of an account."""
    query = "query($id: ID!) { node(id: $id) { ... on Account { cashBalance } } }"
    return str(api.data(query, id=account_id)["node"]["cashBalance"])
