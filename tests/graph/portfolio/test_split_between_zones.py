"""Figures of accounts in two time zones, and shares that move between them while one ex-date begins."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from db.sessions import open_sessions
from investing.portfolio.snapshots import refresh_due
from tests.graph.conftest import Api
from tests.graph.doing import key, mutate, open_account, open_portfolio, recorded
from tests.graph.stored import Stored

FIGURES = (
    "performance { timeWeightedReturn maxDrawdown { depth } startValue endValue contributions { gain } }"
)


@pytest.mark.parametrize(
    ("source", "target", "moved"), [("Berlin", "New_York", "8"), ("New_York", "Berlin", "4")]
)
def test_a_split_between_two_zones_changes_no_return(
    register: Callable[[], Api], app_url: str, stored: Stored, source: str, target: str, moved: str
) -> None:
    """The eleventh begins at 23:00 UTC in Berlin and at 05:00 in New York; at 02:00 two fifths move."""
    api = register()
    symbol = f"FROM{source[:3].upper()}"
    id = stored.instrument(symbol)
    stored.rows("UPDATE instruments SET exchange = 'NYSE' WHERE id = $1", id)
    stored.bars(symbol, dt.date(2020, 2, 9), ["100", "100", "50", "50", "50"])
    stored.rows("INSERT INTO instrument_splits VALUES ($1, $2, 2, 1)", id, dt.date(2020, 2, 11))
    zones = {"Berlin": "Europe/Berlin", "New_York": "America/New_York"}
    places = {
        name: open_portfolio(api, open_account(api, name, timeZone=zone), name)
        for name, zone in zones.items()
    }
    recorded(api, places[source], "DEPOSIT", "2020-02-09T15:00:00Z", amount="1000")
    recorded(api, places[source], "BUY", "2020-02-09T15:30:00Z", symbol=symbol, quantity="10", price="100")
    given: dict[str, Any] = {"symbol": symbol, "quantity": moved, "executedAt": "2020-02-11T02:00:00Z"}
    selection = "transaction { quantity quantityDelta } userErrors { message }"
    sides = {"fromPortfolioId": places[source], "toPortfolioId": places[target]}
    done = mutate(api, "transferShares", selection, **sides, **given, idempotencyKey=key())
    came = {"8": "4", "4": "8"}[moved]
    assert done == {"transaction": {"quantity": moved, "quantityDelta": came}, "userErrors": []}

    async def refresh() -> None:
        async with open_sessions(app_url, size=2) as sessions:
            await refresh_due(sessions)

    asyncio.run(refresh())
    found = api.data(f"{{ me {{ {FIGURES} accounts {{ nodes {{ name {FIGURES} }} }} }} }}")["me"]
    accounts = {node["name"]: node["performance"] for node in found["accounts"]["nodes"]}
    for figures, value in (
        (found["performance"], "1000"),
        (accounts[source], "600"),
        (accounts[target], "400"),
    ):
        assert (figures["timeWeightedReturn"], figures["maxDrawdown"]["depth"]) == ("0", "0")
        assert (figures["endValue"], figures["contributions"]) == (value, [])
