"""What a server refuses for the size of its answer, and what it must not refuse."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.graph.conftest import Api
from tests.graph.stored import Stored, row_id
from tests.graph.test_estimates import FREEZE, WHOLE_TREE

SYMBOLS = [f"S{number:02}" for number in range(24)]


@pytest.fixture(scope="module")
def investor(stored: Stored, register: Callable[[], Api]) -> Api:
    """Someone with six portfolios of 24 positions and 500 transactions each."""
    for symbol in SYMBOLS:
        stored.instrument(symbol, "12.5")
    api = register()
    assert api.user_id is not None
    stored.tree(row_id(api.user_id), 3, 2, SYMBOLS, 500)
    return api


def refusal(answer: dict[str, Any]) -> Any:
    """The facts of an answer that is nothing but a refusal."""
    assert set(answer) == {"errors"}
    (error,) = answer["errors"]
    return error["extensions"]


def test_a_document_that_would_stop_everybody_is_refused(investor: Api, nobody: Api) -> None:
    for _ in range(2):
        assert refusal(investor.post(FREEZE)) == {
            "code": "QUERY_TOO_COMPLEX",
            "measure": "cost",
            "figure": 4_993_372,
            "limit": 500_000,
        }
    assert [error["extensions"]["code"] for error in nobody.post(FREEZE)["errors"]] == ["UNAUTHENTICATED"]
    few = FREEZE.replace("first: 500", "first: 20")
    assert len(investor.data(few)["instruments"]["nodes"]) == 24


def test_the_whole_tree_with_the_largest_pages_is_answered(investor: Api, nobody: Api) -> None:
    accounts = investor.data(WHOLE_TREE)["me"]["accounts"]["nodes"]
    portfolios = [portfolio for account in accounts for portfolio in account["portfolios"]["nodes"]]
    assert len(portfolios) == 6
    for portfolio in portfolios:
        assert len(portfolio["positions"]["edges"]) == 24
        assert len(portfolio["transactions"]["nodes"]) == 500
    assert [error["extensions"]["code"] for error in nobody.post(WHOLE_TREE)["errors"]] == ["UNAUTHENTICATED"]
