"""Administrators bring prices; nobody else does."""

import asyncio
from collections.abc import Callable

import pytest

from db.sessions import open_sessions
from investing.auth.administration import set_administrator
from tests.graph.conftest import Api
from tests.graph.doing import mutate, refused
from tests.graph.stored import Stored, row_id

SELECTION = "accepted"


@pytest.fixture(scope="module")
def administrator(register: Callable[[], Api], app_url: str) -> Api:
    api = register()

    async def promote() -> None:
        async with open_sessions(app_url, size=2) as sessions:
            await set_administrator(sessions, api.username or "", True)

    asyncio.run(promote())
    return api


def test_prices_come_in(administrator: Api, stored: Stored) -> None:
    stored.instrument("AAPL", "10.50")
    stored.instrument("IBM")
    ticks = [
        {"symbol": "AAPL", "price": "11", "asOf": "2024-06-03T14:00:00Z"},
        {"symbol": "IBM", "price": "5"},
        {"symbol": "AAPL", "price": "12", "asOf": "2024-06-03T15:00:00Z"},
        {"symbol": "AAPL", "price": "13", "asOf": "2024-06-03T14:30:00Z"},
    ]
    assert mutate(administrator, "pushQuotes", SELECTION, ticks=ticks) == {"accepted": 3, "userErrors": []}
    query = "{ instruments { nodes { symbol lastPrice } } }"
    assert administrator.data(query)["instruments"]["nodes"] == [
        {"symbol": "AAPL", "lastPrice": "12"},
        {"symbol": "IBM", "lastPrice": "5"},
    ]
    again = mutate(administrator, "pushQuotes", SELECTION, ticks=ticks[:1])
    assert again == {"accepted": 0, "userErrors": []}


def test_who_has_brought_prices_is_noted(administrator: Api, stored: Stored) -> None:
    """One entry for each push, whatever came of it; none for one that is refused."""
    for symbol in ("AAPL", "IBM"):
        stored.instrument(symbol, "10.50")
    noted = (
        "SELECT details, entity_type, user_agent IS NOT NULL FROM audit_log "
        "WHERE owner_id = $1 AND action = 'quotes.pushed' ORDER BY id OFFSET $2"
    )
    assert administrator.user_id is not None
    user = row_id(administrator.user_id)
    before = len(stored.rows(noted, user, 0))
    ticks = [{"symbol": symbol, "price": "11"} for symbol in ("IBM", "AAPL", "IBM")]
    assert mutate(administrator, "pushQuotes", SELECTION, ticks=ticks)["userErrors"] == []
    mutate(administrator, "pushQuotes", SELECTION, ticks=[*ticks, {"symbol": "NONE", "price": "1"}])
    mutate(administrator, "pushQuotes", SELECTION, ticks=[])
    assert stored.rows(noted, user, before) == [
        ('{"prices": "3", "symbols": "AAPL IBM"}', "User", True),
    ]


@pytest.mark.parametrize(
    ("tick", "code", "field"),
    [
        ({"symbol": "NONE", "price": "1"}, "UNKNOWN_INSTRUMENT", "symbol"),
        ({"symbol": "AAPL", "price": "-1"}, "INVALID_INPUT", "price"),
        ({"symbol": "AAPL", "price": "1", "asOf": "2999-01-01T00:00:00Z"}, "INVALID_INPUT", "asOf"),
    ],
)
def test_all_or_none(administrator: Api, stored: Stored, tick: dict[str, str], code: str, field: str) -> None:
    stored.instrument("AAPL", "10.50")
    payload = mutate(administrator, "pushQuotes", SELECTION, ticks=[{"symbol": "AAPL", "price": "99"}, tick])
    assert payload.pop("accepted") == 0
    error = refused(payload)
    assert (error["code"], error["field"]) == (code, ["input", "ticks", "1", field])
    query = '{ instrument(symbol: "AAPL") { lastPrice } }'
    assert administrator.data(query)["instrument"]["lastPrice"] == "10.5"


def test_it_is_for_administrators(register: Callable[[], Api], nobody: Api, stored: Stored) -> None:
    stored.instrument("AAPL", "10.50")
    document = """mutation { pushQuotes(input: {ticks: [{symbol: "AAPL", price: "99"}]}) { accepted } }"""
    assert register().codes(document) == ["FORBIDDEN"]
    assert nobody.codes(document) == ["UNAUTHENTICATED"]
    query = '{ instrument(symbol: "AAPL") { lastPrice } }'
    assert register().data(query)["instrument"]["lastPrice"] == "10.5"
