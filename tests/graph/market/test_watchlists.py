"""Watchlists over the API: making, changing and deleting them."""

from collections.abc import Callable

from tests.graph.conftest import Api
from tests.graph.doing import mutate, refused
from tests.graph.stored import Stored

SELECTION = "watchlist { id name symbols instruments { symbol lastPrice } }"


def test_watchlists(register: Callable[[], Api], stored: Stored) -> None:
    stored.instrument("AAPL", "10.50")
    stored.instrument("IBM")
    api = register()
    made = mutate(api, "createWatchlist", SELECTION, name="Mine", symbols=["IBM", "AAPL"])["watchlist"]
    id = made.pop("id")
    assert made == {
        "name": "Mine",
        "symbols": ["IBM", "AAPL"],
        "instruments": [{"symbol": "IBM", "lastPrice": None}, {"symbol": "AAPL", "lastPrice": "10.5"}],
    }
    assert refused(mutate(api, "createWatchlist", SELECTION, name="Mine", symbols=[]))["code"] == "NAME_TAKEN"
    error = refused(mutate(api, "createWatchlist", SELECTION, name="B", symbols=["AAPL", "NONE"]))
    assert (error["code"], error["symbol"]) == ("UNKNOWN_INSTRUMENT", "NONE")
    error = refused(mutate(api, "createWatchlist", SELECTION, name="B", symbols=["AAPL", "AAPL"]))
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "symbols"])
    assert api.data("{ me { watchlists { nodes { id } } } }")["me"]["watchlists"]["nodes"] == [{"id": id}]

    renamed = mutate(api, "updateWatchlist", SELECTION, watchlistId=id, name="Yours")["watchlist"]
    assert (renamed["name"], renamed["symbols"]) == ("Yours", ["IBM", "AAPL"])
    changed = mutate(api, "updateWatchlist", SELECTION, watchlistId=id, symbols=["AAPL"])["watchlist"]
    assert (changed["name"], changed["symbols"]) == ("Yours", ["AAPL"])
    unknown = refused(mutate(api, "updateWatchlist", SELECTION, watchlistId=id, symbols=["NONE"]))
    assert unknown["symbol"] == "NONE"
    empty = mutate(api, "updateWatchlist", SELECTION, watchlistId=id, symbols=[])
    assert empty["watchlist"]["symbols"] == []

    delete = """mutation($id: ID!) { deleteWatchlist(input: { watchlistId: $id }) {
      deletedId userErrors { code field } } }"""
    assert api.data(delete, id=id)["deleteWatchlist"] == {"deletedId": id, "userErrors": []}
    assert refused(api.data(delete, id=id)["deleteWatchlist"]) == {
        "code": "NOT_FOUND",
        "field": ["input", "watchlistId"],
    }
    assert api.data("query($id: ID!) { node(id: $id) { id } }", id=id) == {"node": None}
