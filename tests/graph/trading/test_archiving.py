"""Archiving over the API, while orders rest."""

from collections.abc import Callable

from tests.graph.doing import archive, mutate, refused
from tests.graph.trading.conftest import Market, Trader

Make = Callable[..., Trader]


def test_what_has_open_orders_is_not_archived(trader: Make, market: Market) -> None:
    """A resting order would trade in a portfolio that accepts no more entries."""
    someone, abc = trader(), market.list("ABC", "10")
    order = someone.placed(abc, type="LIMIT", quantity="50", limitPrice="9", timeInForce="GTC")
    account = someone.api.data("{ me { accounts { nodes { id } } } }")["me"]["accounts"]["nodes"][0]["id"]
    for name, kind, id in (
        ("archivePortfolio", "portfolio", someone.portfolio_id),
        ("archiveAccount", "account", account),
    ):
        field = f"{kind}Id"
        error = refused(mutate(someone.api, name, f"{kind} {{ id }}", **{field: id}))
        assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", field])
        assert error["message"] == "One order is open. Cancel what is open first, or wait until it ends."
    someone.cancel(order["id"])
    archive(someone.api, someone.portfolio_id)
    assert mutate(someone.api, "archiveAccount", "__typename", accountId=account)["userErrors"] == []
