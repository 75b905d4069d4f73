"""Splits change no return: of whichever closes, on whichever day and in whichever time zone."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.graph.conftest import Api
from tests.graph.doing import key, mutate, open_account, open_portfolio, recorded
from tests.graph.portfolio.performing import FIRST, at, day, invested, portfolios
from tests.graph.stored import Stored

D = Decimal


def test_a_benchmark_on_raw_closes_follows_its_splits(
    api: Api, refresh: Callable[[], None], market: None, stored: Stored
) -> None:
    # 100 to 22.25 with 28 new shares for each old one: 22.25 x 28 / 100 - 1 = 5.23. By the closes -77.75 %.
    id = stored.instrument("SPLITS")
    stored.bars("SPLITS", FIRST, ["100", "100", "100", "100", "3.6", "22.2", "22.25"])
    stored.rows("INSERT INTO instrument_splits VALUES ($1, $2, 28, 1)", id, FIRST + dt.timedelta(days=4))
    invested(api)
    refresh()
    found = portfolios(api, **{"from": day(0), "to": day(6), "benchmark": "SPLITS"})["One"]
    assert found["benchmark"]["benchmarkReturn"] == "5.23"


@pytest.mark.parametrize("basis", ["RAW", "SPLIT_ADJUSTED"])
def test_splits_change_no_return_whatever_the_closes_are_adjusted_for(
    api: Api, refresh: Callable[[], None], market: None, stored: Stored, basis: str
) -> None:
    # 10 shares at 40, 4 for 1 on the fifth day, and 11 for a new one: 40 x 11 / 400 - 1 = 0.1 both ways. The
    # seventh day has no bar of its own: the raw close of the fourth is carried over the split to the fifth.
    closes = ["40", "40", "40", "40"] if basis == "RAW" else ["10"] * 4
    symbol = f"B{basis[:3]}"
    id = stored.instrument(symbol)
    stored.rows("UPDATE instruments SET price_basis = $2 WHERE id = $1", id, basis)
    stored.bars(symbol, FIRST, closes)
    stored.bars(symbol, FIRST + dt.timedelta(days=5), ["11", "11"])
    stored.rows("INSERT INTO instrument_splits VALUES ($1, $2, 4, 1)", id, FIRST + dt.timedelta(days=4))
    portfolio = open_portfolio(api, open_account(api, "Split"), "Split")
    recorded(api, portfolio, "DEPOSIT", at(0), amount="400")
    recorded(api, portfolio, "BUY", at(0), symbol=symbol, quantity="10", price="40")
    recorded(api, portfolio, "DEPOSIT", at(4), amount="1")
    recorded(api, portfolio, "WITHDRAWAL", at(4), amount="1")
    refresh()
    found = portfolios(api, **{"from": day(0), "to": day(6)})["Split"]
    assert (found["timeWeightedReturn"], found["maxDrawdown"]["depth"]) == ("0.1", "0")


def _passing_flows(api: Api, portfolio: str) -> None:
    """On each of the days around the ex-date, and in the night before it."""
    for at_ in ("10T15", "11T03", "11T15", "12T15", "13T12", "13T18"):
        recorded(api, portfolio, "DEPOSIT", f"2020-02-{at_}:00:00Z", amount="1000")
        recorded(api, portfolio, "WITHDRAWAL", f"2020-02-{at_}:00:01Z", amount="1000")


def test_a_split_changes_no_return_where_user_and_account_live_in_other_zones(
    register: Callable[[], Api], refresh: Callable[[], None], market: None, stored: Stored
) -> None:
    """In Berlin the ex-date, the eleventh, begins at 18:00 of the tenth in New York, where the user's days
    end six hours later: what is held at the end of the tenth there are new shares already.
    """
    api = register()
    id = stored.instrument("ZONED")
    stored.rows("UPDATE instruments SET exchange = 'NYSE' WHERE id = $1", id)
    stored.bars("ZONED", dt.date(2020, 2, 9), ["100", "100", "50", "50"])
    stored.rows("INSERT INTO instrument_splits VALUES ($1, $2, 2, 1)", id, dt.date(2020, 2, 11))
    account = open_account(api, "Berlin", timeZone="Europe/Berlin")
    portfolio = open_portfolio(api, account, "Zoned")
    recorded(api, portfolio, "DEPOSIT", "2020-02-09T15:00:00Z", amount="1000")
    recorded(api, portfolio, "BUY", "2020-02-09T15:30:00Z", symbol="ZONED", quantity="10", price="100")
    _passing_flows(api, portfolio)
    refresh()
    figures = "performance { timeWeightedReturn maxDrawdown { depth } endValue contributions { gain } }"
    query = f"{{ me {{ {figures} accounts {{ nodes {{ {figures} }} }} }} }}"
    user = api.data(query)["me"]
    (its,) = user.pop("accounts")["nodes"]
    for found in (user["performance"], its["performance"]):
        assert (found["timeWeightedReturn"], found["maxDrawdown"]["depth"]) == ("0", "0")
        assert (found["endValue"], found["contributions"]) == ("1000", [])


def test_shares_that_come_in_on_the_ex_date_are_new_ones(
    register: Callable[[], Api], refresh: Callable[[], None], market: None, stored: Stored
) -> None:
    """Nothing was held before, so no split is posted; the last close is one for an old share all the same."""
    api = register()
    id = stored.instrument("COMES")
    stored.rows("UPDATE instruments SET exchange = 'NYSE' WHERE id = $1", id)
    stored.bars("COMES", dt.date(2020, 2, 10), ["100", "50", "50"])
    stored.rows("INSERT INTO instrument_splits VALUES ($1, $2, 2, 1)", id, dt.date(2020, 2, 11))
    portfolio = open_portfolio(api, open_account(api, "Comes"), "Comes")
    recorded(
        api, portfolio, "TRANSFER_IN", "2020-02-11T16:00:00Z", symbol="COMES", quantity="20", amount="1000"
    )
    refresh()
    figures = "performance { netFlow endValue timeWeightedReturn }"
    query = f"{{ me {{ {figures} accounts {{ nodes {{ {figures} }} }} }} }}"
    user = api.data(query)["me"]
    (its,) = user.pop("accounts")["nodes"]
    expected = {"netFlow": "1000", "endValue": "1000", "timeWeightedReturn": "0"}
    assert (user["performance"], its["performance"]) == (expected, expected)


@pytest.mark.parametrize("way", ["dated later", "adjusted quantities"])
def test_a_split_changes_no_return_whichever_day_its_owner_has_it(
    register: Callable[[], Api], refresh: Callable[[], None], market: None, stored: Stored, way: str
) -> None:
    """Prices are new from the ex-date on; shares are new from the owner's entry on, or have always been."""
    api = register()
    symbol = way[:5].strip().upper()
    id = stored.instrument(symbol)
    stored.rows("UPDATE instruments SET exchange = 'NYSE' WHERE id = $1", id)
    stored.bars(symbol, dt.date(2020, 2, 9), ["100", "100", "50", "50", "50", "50"])
    stored.rows("INSERT INTO instrument_splits VALUES ($1, $2, 2, 1)", id, dt.date(2020, 2, 11))
    portfolio = open_portfolio(api, open_account(api, way), way)
    recorded(api, portfolio, "DEPOSIT", "2020-02-09T15:00:00Z", amount="1000")
    rows = [{"type": "BUY", "symbol": symbol, "quantity": "10", "price": "100"}]
    if way == "dated later":
        rows.append({"type": "SPLIT", "symbol": symbol, "quantity": "2"})
    else:
        rows = [{"type": "BUY", "symbol": symbol, "quantity": "20", "price": "50"}]
    days = ("2020-02-09T15:30:00Z", "2020-02-13T15:00:00Z")
    given: dict[str, Any] = {"rows": [row | {"executedAt": at} for row, at in zip(rows, days, strict=False)]}
    more = {"adjustedQuantities": way != "dated later", "idempotencyKey": key()}
    mutate(api, "importTransactions", "written", portfolioId=portfolio, **given, **more)
    _passing_flows(api, portfolio)
    refresh()
    figures = "performance { timeWeightedReturn maxDrawdown { depth } endValue contributions { gain } }"
    found = api.data(f"{{ me {{ {figures} accounts {{ nodes {{ {figures} }} }} }} }}")["me"]
    (its,) = found.pop("accounts")["nodes"]
    expected = {
        "timeWeightedReturn": "0",
        "maxDrawdown": {"depth": "0"},
        "endValue": "1000",
        "contributions": [],
    }
    assert (found["performance"], its["performance"]) == (expected, expected)
