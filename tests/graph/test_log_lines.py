"""What a real server logs of operations, of logins that fail and of ids that are not the caller's."""

import logging
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from graph.ids import global_id
from tests.graph.conftest import PASSWORD, Api
from tests.graph.doing import key, open_account, open_portfolio
from tests.graph.stored import row_id
from tests.waiting import soon

LOGIN = "mutation In($input: LoginInput!) { login(input: $input) { accessToken userErrors { code } } }"
REFRESH = "mutation($input: RefreshTokenInput!) { refreshToken(input: $input) { userErrors { code } } }"
NODE = "query Find($id: ID!) { node(id: $id) { id } }"
NODES = "query Find($ids: [ID!]!) { nodes(ids: $ids) { id } }"
ORDER = "mutation($input: PlaceOrderInput!) { placeOrder(input: $input) { userErrors { code } } }"


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "graphfolio")


def lines(caplog: pytest.LogCaptureFixture, event: str, *names: str) -> list[dict[str, Any]]:
    """These fields of each line of an event."""
    found = [vars(record) for record in caplog.records if record.getMessage() == event]
    return [{name: line[name] for name in names} for line in found]


def test_an_operation_says_whose_it_was_and_how_many_statements_it_took(
    register: Callable[[], Api], nobody: Api, caplog: pytest.LogCaptureFixture
) -> None:
    api = register()
    assert api.user_id is not None
    # The answer goes first, then the line.
    assert soon(lambda: len(lines(caplog, "operation")) == 1)
    caplog.clear()
    api.data("query Me { me { username accounts { nodes { name } } } }")
    nobody.data("{ __typename }")
    names = ("operation", "kind", "status", "statements", "user_id")
    assert soon(lambda: len(lines(caplog, "operation")) == 2)
    mine, theirs = lines(caplog, "operation", *names)
    about = {"kind": "query", "status": 200}
    assert mine == {"operation": "Me", "statements": 1, "user_id": row_id(api.user_id), **about}
    assert theirs == {"operation": None, "statements": 0, "user_id": None, **about}


def test_logins_that_fail(register: Callable[[], Api], nobody: Api, caplog: pytest.LogCaptureFixture) -> None:
    """The same line for a name that nobody has: no name, no password and no token is in it."""
    api = register()
    caplog.clear()
    for name in (api.username, f"nobody-{uuid.uuid4().hex}"):
        nobody.data(LOGIN, input={"username": name, "password": PASSWORD[::-1]})
    nobody.data(REFRESH, input={"refreshToken": f"nothing-{PASSWORD}"})
    assert lines(caplog, "login failed", "reason", "ip_address") == [
        {"reason": "wrong_credentials", "ip_address": "127.0.0.1"},
        {"reason": "wrong_credentials", "ip_address": "127.0.0.1"},
        {"reason": "refresh_token", "ip_address": "127.0.0.1"},
    ]
    written = "\n".join(str(vars(record)) for record in caplog.records if "graphfolio" in record.name)
    for secret in (api.username, PASSWORD, PASSWORD[::-1], "nobody-", "nothing-"):
        assert str(secret) not in written


@pytest.mark.parametrize(("query", "field"), [(NODE, "node"), (NODES, "nodes"), (ORDER, "placeOrder")])
def test_an_id_of_somebody_else_is_told_like_one_that_there_is_not(
    register: Callable[[], Api], caplog: pytest.LogCaptureFixture, query: str, field: str
) -> None:
    owner, other = register(), register()
    theirs = open_portfolio(owner, open_account(owner, initialBalance="10"), initialCash="10")
    none = global_id("Portfolio", uuid.uuid4())
    order: dict[str, Any] = {"symbol": "AAPL", "side": "BUY", "quantity": "1"}
    caplog.clear()
    for id in (theirs, none):
        given: dict[str, dict[str, Any]] = {
            NODE: {"id": id},
            NODES: {"ids": [id, id]},
            ORDER: {"input": {**order, "portfolioId": id, "idempotencyKey": key()}},
        }
        other.data(query, **given[query])
    names = ("field", "type_name", "ids", "id_count", "user_id", "levelno", "name")
    first, second = lines(caplog, "id not found", *names)
    times = 2 if query == NODES else 1
    assert first.pop("ids") == [str(row_id(theirs))] * times
    assert second.pop("ids") == [str(row_id(none))] * times
    assert other.user_id is not None
    assert (
        first
        == second
        == {
            "field": field,
            "type_name": "Portfolio",
            "id_count": times,
            "user_id": row_id(other.user_id),
            "levelno": logging.INFO,
            "name": "graphfolio.access",
        }
    )
