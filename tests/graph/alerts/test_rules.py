"""Alert rules over the API: making, changing, deleting and trying them."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from tests.graph.conftest import Api
from tests.graph.doing import ERRORS, mutate, open_account, open_portfolio, recorded, refused, weights
from tests.graph.stored import Stored, row_id

RULE = """alertRule { id name kind severity threshold hysteresis symbol cooldownSeconds channels isActive
  lastFiredAt activeHours { start end timeZone weekdays } portfolio { name } }"""

TRY = f"""mutation($input: TestAlertRuleInput!) {{ testAlertRule(input: $input) {{
    days hasMore firings {{ date value threshold symbol portfolio {{ name }} }} {ERRORS} }} }}"""


@pytest.fixture(scope="module")
def api(register: Callable[[], Api], stored: Stored) -> Api:
    # No price: nothing fires by itself.
    stored.instrument("AAPL")
    return register()


@pytest.fixture(scope="module")
def portfolio_id(api: Api) -> str:
    return open_portfolio(api, open_account(api, initialBalance="1000"), initialCash="1000")


def create(api: Api, **given: Any) -> Any:
    return mutate(api, "createAlertRule", RULE, **{"name": "Mine", **given})


def test_a_rule_with_all_that_it_may_have(api: Api, stored: Stored) -> None:
    for name in ("phone", "mail"):
        hook = {"name": name, "kind": "WEBHOOK", "address": "https://example.org/"}
        mutate(api, "createNotificationDestination", "notificationDestination { id }", **hook)
    hours = {"start": "22:00", "end": "06:30", "timeZone": "Europe/Berlin", "weekdays": ["SUNDAY", "MONDAY"]}
    made = create(
        api,
        name=" Apple is dear ",
        kind="PRICE_ABOVE",
        severity="CRITICAL",
        threshold="150.5",
        hysteresis="5",
        symbol="AAPL",
        cooldownSeconds=60,
        channels=["phone", "mail"],
        activeHours=hours,
    )
    assert made["userErrors"] == []
    rule = made["alertRule"]
    id = rule.pop("id")
    assert rule == {
        "name": "Apple is dear",
        "kind": "PRICE_ABOVE",
        "severity": "CRITICAL",
        "threshold": "150.5",
        "hysteresis": "5",
        "symbol": "AAPL",
        "cooldownSeconds": 60,
        "channels": ["phone", "mail"],
        "isActive": True,
        "lastFiredAt": None,
        "activeHours": {**hours, "weekdays": ["MONDAY", "SUNDAY"]},
        "portfolio": None,
    }
    watches = "SELECT trim_scale(threshold)::text, is_armed FROM alert_watches WHERE rule_id = $1"
    assert stored.rows(watches, row_id(id)) == [("150.5", True)]
    changes: dict[str, Any] = {"threshold": "160", "activeHours": None, "severity": "INFO", "channels": []}
    changed = mutate(api, "updateAlertRule", RULE, alertRuleId=id, **changes)["alertRule"]
    assert changed == {
        **rule,
        "id": id,
        "threshold": "160",
        "activeHours": None,
        "severity": "INFO",
        "channels": [],
    }
    assert stored.rows(watches, row_id(id)) == [("160", True)]
    off = mutate(api, "updateAlertRule", RULE, alertRuleId=id, isActive=False, name="Off")["alertRule"]
    assert (off["isActive"], off["name"], off["cooldownSeconds"]) == (False, "Off", 60)
    assert stored.rows(watches, row_id(id)) == []
    delete = """mutation($id: ID!) { deleteAlertRule(input: { alertRuleId: $id }) {
      deletedId userErrors { code field } } }"""
    assert api.data(delete, id=id)["deleteAlertRule"] == {"deletedId": id, "userErrors": []}
    assert refused(api.data(delete, id=id)["deleteAlertRule"]) == {
        "code": "NOT_FOUND",
        "field": ["input", "alertRuleId"],
    }
    noted = "SELECT action FROM audit_log WHERE entity_id = $1 ORDER BY id"
    assert [action for (action,) in stored.rows(noted, row_id(id))] == [
        "alertRule.created",
        "alertRule.changed",
        "alertRule.changed",
        "alertRule.deleted",
    ]


def test_what_is_left_out(api: Api, portfolio_id: str) -> None:
    rule = create(api, name="Low", kind="CASH_BELOW", threshold="1", portfolioId=portfolio_id)["alertRule"]
    assert rule.pop("id")
    assert rule == {
        "name": "Low",
        "kind": "CASH_BELOW",
        "severity": "WARNING",
        "threshold": "1",
        "hysteresis": "0",
        "symbol": None,
        "cooldownSeconds": 3600,
        "channels": [],
        "isActive": True,
        "lastFiredAt": None,
        "activeHours": None,
        "portfolio": {"name": "Portfolio"},
    }
    event = create(api, name="No", kind="ORDER_REJECTED")["alertRule"]
    assert (event["threshold"], event["portfolio"]) == (None, None)


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"kind": "PRICE_ABOVE", "threshold": "1"}, "INVALID_INPUT", "symbol"),
        ({"kind": "PRICE_ABOVE", "symbol": "NONE", "threshold": "1"}, "UNKNOWN_INSTRUMENT", "symbol"),
        ({"kind": "PRICE_ABOVE", "symbol": "AAPL"}, "INVALID_INPUT", "threshold"),
        ({"kind": "DAILY_MOVE", "symbol": "AAPL", "threshold": "5"}, "INVALID_INPUT", "threshold"),
        ({"kind": "CASH_BELOW", "threshold": "1", "cooldownSeconds": -1}, "INVALID_INPUT", "cooldownSeconds"),
        ({"kind": "CASH_BELOW", "threshold": "1", "channels": ["a", "a"]}, "INVALID_INPUT", "channels"),
        ({"kind": "CASH_BELOW", "threshold": "1", "symbol": "AAPL"}, "INVALID_INPUT", "symbol"),
        ({"kind": "DRIFT", "threshold": "0.1", "hysteresis": "0.1"}, "INVALID_INPUT", "hysteresis"),
        ({"kind": "ORDER_REJECTED", "name": "  "}, "INVALID_INPUT", "name"),
        (
            {"kind": "ORDER_REJECTED", "activeHours": {"start": "10:00", "end": "10:00"}},
            "INVALID_INPUT",
            "activeHours.end",
        ),
        ({"kind": "CASH_BELOW"}, "INVALID_INPUT", "threshold"),
        ({"kind": "ORDER_REJECTED", "threshold": "1"}, "INVALID_INPUT", "threshold"),
    ],
)
def test_what_is_wrong_is_said(api: Api, given: dict[str, Any], code: str, field: str) -> None:
    error = refused(create(api, **given))
    assert (error["code"], ".".join(error["field"])) == (code, f"input.{field}")
    answer = api.data(TRY, input={"name": "T", **given, "from": "2024-01-01", "to": "2024-02-01"})
    assert [tried["code"] for tried in answer["testAlertRule"]["userErrors"]] == [code]


@pytest.mark.parametrize("time", ["9:00", "24:00", "09:60", "09:00:00", "", 9])
def test_what_is_no_time_of_day(api: Api, time: Any) -> None:
    given = {"name": "T", "kind": "ORDER_REJECTED", "activeHours": {"start": time, "end": "10:00"}}
    create = "mutation($input: CreateAlertRuleInput!) { createAlertRule(input: $input) { __typename } }"
    assert api.codes(create, input=given) == ["BAD_USER_INPUT"]


def test_events_have_no_threshold(api: Api) -> None:
    for name, given in (("Left out", {}), ("Null", {"threshold": None}), ("Zero", {"threshold": "0"})):
        rule = create(api, name=name, kind="ORDER_REJECTED", **given)["alertRule"]
        assert (rule["name"], rule["threshold"]) == (name, None)


def test_a_name_is_unique_among_ones_own(api: Api, register: Callable[[], Api]) -> None:
    first = create(api, name="Once", kind="ORDER_REJECTED")["alertRule"]
    second = create(api, name="Twice", kind="ORDER_REJECTED")["alertRule"]
    assert refused(create(api, name=" Once", kind="ORDER_REJECTED"))["code"] == "NAME_TAKEN"
    error = refused(mutate(api, "updateAlertRule", RULE, alertRuleId=second["id"], name="Once"))
    assert (error["code"], error["field"]) == ("NAME_TAKEN", ["input", "name"])
    same = mutate(api, "updateAlertRule", RULE, alertRuleId=first["id"], name="Once")
    assert same["alertRule"]["name"] == "Once"
    assert create(register(), name="Once", kind="ORDER_REJECTED")["userErrors"] == []
    error = refused(mutate(api, "updateAlertRule", RULE, alertRuleId=first["id"], severity=None))
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "severity"])
    error = refused(mutate(api, "updateAlertRule", RULE, alertRuleId=first["id"], threshold="7"))
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "threshold"])


def attempt(api: Api, start: str = "2024-01-01", end: str = "2024-12-31", **given: Any) -> Any:
    answer = api.data(TRY, input={"name": "T", **given, "from": start, "to": end})["testAlertRule"]
    assert answer["userErrors"] == []
    return answer


def test_trying_on_past_prices(api: Api, stored: Stored) -> None:
    stored.instrument("IBM")
    stored.bars("IBM", dt.date(2024, 1, 1), ["100", "111", "112", "100", "90", "95", "120"])
    before = stored.value("SELECT count(*) FROM alert_rules")
    above: dict[str, Any] = {"kind": "PRICE_ABOVE", "symbol": "IBM", "cooldownSeconds": 0}
    found = attempt(api, **above, threshold="110")
    assert found == {
        "days": 7,
        "hasMore": False,
        "firings": [
            {"date": "2024-01-02", "value": "111", "threshold": "110", "symbol": "IBM", "portfolio": None},
            {"date": "2024-01-07", "value": "120", "threshold": "110", "symbol": "IBM", "portfolio": None},
        ],
        "userErrors": [],
    }

    def days(**given: Any) -> list[str]:
        return [firing["date"][-2:] for firing in attempt(api, **given)["firings"]]

    assert days(**{**above, "cooldownSeconds": 6 * 86400}, threshold="110") == ["02"]
    assert days(**above, threshold="110", hysteresis="20") == ["02", "07"]
    assert days(**above, threshold="110", hysteresis="20.1") == ["02"]
    assert days(**above, threshold="110", start="2024-01-03", end="2024-01-06") == ["03"]
    move: dict[str, Any] = {"kind": "DAILY_MOVE", "symbol": "IBM", "cooldownSeconds": 0}
    assert days(**move, threshold="0.1") == ["02", "04", "07"]
    assert days(**move, threshold="0.1", start="2024-01-04") == ["04", "07"]
    # A level is for a share of today.
    stored.rows(
        "INSERT INTO instrument_splits SELECT id, '2024-01-04', 5, 1 FROM instruments WHERE symbol = 'IBM'"
    )
    # 111 / 5 on the second day, and above 21 ever since.
    assert [firing["value"] for firing in attempt(api, **above, threshold="21")["firings"]] == ["22.2"]
    stored.rows("DELETE FROM instrument_splits")
    # By adjusted closes where there are any.
    stored.rows("UPDATE price_bars SET adjusted_close = 100")
    assert days(**move, threshold="0.1") == []
    assert stored.value("SELECT count(*) FROM alert_rules") == before
    assert stored.value("SELECT count(*) FROM alerts") == 0


def test_trying_on_a_past_portfolio(api: Api, portfolio_id: str, stored: Stored) -> None:
    rows = [("1000", "500", "0"), ("900", "50", "-0.1"), ("1100", "500", "0.1"), ("980", "5", "-0.02")]
    for day, (total, cash, cumulative) in enumerate(rows):
        stored.rows(
            "INSERT INTO performance_history (owner_id, id, portfolio_id, date, total_value, cash_value, "
            "positions_value, net_flow, cumulative_return, num_positions) SELECT owner_id, "
            "gen_random_uuid(), id, '2024-02-01'::date + $2::int, $3::text::numeric, $4::text::numeric, "
            "0, 0, $5::text::numeric, 0 FROM portfolios WHERE id = $1",
            row_id(portfolio_id),
            day,
            total,
            cash,
            cumulative,
        )

    def days(kind: str, threshold: str, **given: Any) -> list[tuple[str, str]]:
        found = attempt(api, kind=kind, threshold=threshold, cooldownSeconds=0, **given)
        assert {firing["portfolio"]["name"] for firing in found["firings"]} <= {"Portfolio"}
        return [(firing["date"][-2:], firing["value"]) for firing in found["firings"]]

    assert days("PORTFOLIO_VALUE_BELOW", "1000") == [("02", "900"), ("04", "980")]
    assert days("CASH_BELOW", "100", portfolioId=portfolio_id) == [("02", "50"), ("04", "5")]
    assert days("DRAWDOWN", "0.09") == [("02", "0.1"), ("04", "0.1090909091")]
    # The peak is known from before the first day.
    assert days("DRAWDOWN", "0.09", start="2024-02-04") == [("04", "0.1090909091")]


Firings = tuple[int, list[tuple[str, str | None, str]]]


def weighed(api: Api, portfolio_id: str, kind: str, threshold: str, **given: Any) -> Firings:
    """How many days there were; day of the month, symbol and value of each firing."""
    asked: dict[str, Any] = {
        "kind": kind,
        "threshold": threshold,
        "cooldownSeconds": 0,
        "portfolioId": portfolio_id,
    }
    found = attempt(api, **asked, **given)
    return found["days"], [(f["date"][-2:], f["symbol"], f["value"]) for f in found["firings"]]


def bought(api: Api, portfolio_id: str, day: str, symbol: str, quantity: str, price: str) -> None:
    recorded(api, portfolio_id, "BUY", f"2024-03-{day}", symbol=symbol, quantity=quantity, price=price)


def closes(stored: Stored) -> None:
    for symbol in ("WA", "WB"):
        stored.instrument(symbol)
        stored.rows(
            "DELETE FROM price_bars b USING instruments i WHERE i.id = b.instrument_id AND symbol = $1",
            symbol,
        )
    stored.bars("WA", dt.date(2024, 3, 4), ["100", "120", "160", "80", "100"])
    stored.bars("WB", dt.date(2024, 3, 6), ["20", "20", "40"])


def test_trying_on_past_weights(register: Callable[[], Api], stored: Stored) -> None:
    """Transactions times closes; a day on which something held has no price yet is left out."""
    api = register()
    closes(stored)
    targets = weights({"WA": "0.5", "WB": "0.25"})
    id = open_portfolio(api, open_account(api), strategy="CUSTOM", targetWeights=targets)
    recorded(api, id, "DEPOSIT", "2024-03-01", amount="1000")
    bought(api, id, "04", "WA", "5", "100")
    # Shares that come in tell no price, as a purchase would.
    recorded(api, id, "WITHDRAWAL", "2024-03-05", amount="200")
    recorded(api, id, "TRANSFER_IN", "2024-03-05", symbol="WB", quantity="10", amount="200")
    # Worth 500 of 1000, then 800 and 200 of 1300, 400 and 200 of 900, 500 and 400 of 1200.
    assert weighed(api, id, "POSITION_WEIGHT", "0.3") == (
        4,
        [("04", "WA", "0.5"), ("08", "WB", "0.3333333333")],
    )
    again = [("04", "WA", "0.5"), ("06", "WA", "0.6153846154")]
    assert weighed(api, id, "POSITION_WEIGHT", "0.45", symbol="WA") == (4, again[:1])
    assert weighed(api, id, "POSITION_WEIGHT", "0.45", start="2024-03-05") == (3, again[1:])
    assert weighed(api, id, "POSITION_WEIGHT", "0.3", symbol="WB", end="2024-03-07") == (2, [])
    assert weighed(api, id, "DRIFT", "0.09") == (
        5,
        [("01", "WA", "0.5"), ("01", "WB", "0.25"), ("06", "WA", "0.1153846154")],
    )
    mutate(api, "updatePortfolio", "portfolio { id }", portfolioId=id, targetWeights=weights({"WA": "0.6"}))
    assert weighed(api, id, "DRIFT", "0.18", symbol="WA", start="2024-03-04") == (
        4,
        [("08", "WA", "0.1833333333")],
    )
    assert weighed(api, id, "DRIFT", "0.18", symbol="AAPL") == (0, [])


def test_trying_on_drifts_from_past_rebalances(register: Callable[[], Api], stored: Stored) -> None:
    """From what the last complete one had reached at each day, as days are counted in New York."""
    api = register()
    closes(stored)
    id = open_portfolio(api, open_account(api))
    recorded(api, id, "DEPOSIT", "2024-03-01", amount="1000")
    bought(api, id, "04", "WA", "5", "100")
    assert weighed(api, id, "DRIFT", "0.1") == (0, [])
    for ended, status, weight in (
        ("2024-03-06T03:00:00Z", "COMPLETED", "0.4"),
        ("2024-03-07T15:00:00Z", "FAILED", "0.9"),
        ("2024-03-08T15:00:00Z", "COMPLETED", "0.7"),
    ):
        stored.rows(
            "INSERT INTO rebalance_history (owner_id, id, portfolio_id, strategy, status, trigger, "
            "new_weights, turnover, total_cost, completed_at) SELECT owner_id, gen_random_uuid(), id, "
            "'EQUAL_WEIGHT', $2, 'MANUAL', $3::text::jsonb, 0, 0, $4::text::timestamptz FROM portfolios "
            "WHERE id = $1",
            row_id(id),
            status,
            f'{{"WA": "{weight}"}}',
            ended,
        )
    # 600 of 1100, 800 of 1300 and 400 of 900 from 0.4; then 500 of 1000 from 0.7.
    assert weighed(api, id, "DRIFT", "0.1") == (4, [("05", "WA", "0.1454545455"), ("08", "WA", "0.2")])
    assert weighed(api, id, "DRIFT", "0.2") == (4, [("06", "WA", "0.2153846154")])


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "ORDER_REJECTED"}, ["input", "kind"]),
        ({"kind": "CASH_BELOW", "threshold": "1", "from": "2025-01-01"}, ["input", "to"]),
    ],
)
def test_what_cannot_be_tried(api: Api, given: dict[str, Any], field: list[str]) -> None:
    asked = {"name": "T", "from": "2024-01-01", "to": "2024-12-31", **given}
    (error,) = api.data(TRY, input=asked)["testAlertRule"]["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID_INPUT", field)
