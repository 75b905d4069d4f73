"""Text that cannot be stored, is too long, or is no name: refused, wherever it stands."""

from collections.abc import Callable

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


WITH_TEXT = [
    "query($text: String!) { instrument(symbol: $text) { id } }",
    "query($text: String) { instruments(search: $text) { totalCount } }",
    "query($text: String) { instruments(after: $text) { totalCount } }",
    "query($text: ID!) { node(id: $text) { id } }",
    "mutation($text: String!) { createAccount(input: {name: $text}) { userErrors { code } } }",
    "mutation($text: String!) { createWatchlist(input: {name: $text, symbols: []}) { userErrors { code } } }",
    """mutation($text: String!) {
       createWatchlist(input: {name: "A", symbols: [$text]}) { userErrors { code } } }""",
    """mutation($text: String!) {
       login(input: {username: $text, password: "long enough"}) { userErrors { code } } }""",
    'mutation($text: String!) { login(input: {username: "abc", password: $text}) { userErrors { code } } }',
    "mutation($text: String!) { logout(input: {refreshToken: $text}) { userErrors { code } } }",
    """mutation($text: String!) { createPortfolio(input: {accountId: "ID", name: "A", strategy: CUSTOM,
       targetWeights: [{symbol: $text, weight: "1"}]}) { userErrors { code } } }""",
]


@pytest.mark.parametrize("query", WITH_TEXT)
def test_no_text_holds_nul(api: Api, query: str) -> None:
    assert api.codes(query, text="a\x00b") == ["BAD_USER_INPUT"]
    assert api.codes(query, text={"a\x00b": "1"}) == ["BAD_USER_INPUT"]
    declaration, _, rest = query.partition(")")
    literal = declaration.partition("(")[0] + rest
    for escape in ("\\u0000", "\\u{0}", "\\\\\\u0000", "\x00"):
        assert api.codes(literal.replace("$text", f'"a{escape}b"')) == ["BAD_USER_INPUT"]


def test_a_backslash_before_u0000_is_just_text(api: Api) -> None:
    assert api.data('{ instrument(symbol: "\\\\u0000") { id } }') == {"instrument": None}
    assert api.data("query($s: String!) { instrument(symbol: $s) { id } }", s="\\u0000") == {
        "instrument": None
    }


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "x" * 100_000, "a\u202eb", "a\nb", "a\x7fb"])
def test_names(api: Api, account_id: str, name: str) -> None:
    of_account = refused(mutate(api, "createAccount", "account { id }", name=name))
    of_watchlist = refused(mutate(api, "createWatchlist", "watchlist { id }", name=name, symbols=[]))
    given = {"accountId": account_id, "name": name, "strategy": "EQUAL_WEIGHT"}
    of_portfolio = refused(mutate(api, "createPortfolio", "portfolio { id }", **given))
    assert of_account == of_watchlist == of_portfolio
    assert (of_account["code"], of_account["field"]) == ("INVALID_INPUT", ["input", "name"])


def test_long_notes(api: Api, account_id: str, portfolio_id: str) -> None:
    long = "x" * 2001
    assert refused(cash(api, "deposit", account_id, "1", notes=long))["field"] == ["input", "notes"]
    moved = {"accountId": account_id, "toPortfolioId": portfolio_id, "amount": "1", "idempotencyKey": key()}
    error = refused(mutate(api, "transferCash", "transaction { id }", notes=long, **moved))
    assert error["field"] == ["input", "notes"]
    error = refused(record(api, portfolio_id, "INTEREST", "2024-05-01", amount="1", notes=long))
    assert error["field"] == ["input", "notes"]
