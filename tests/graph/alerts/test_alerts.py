"""Alerts over the API: as they come, how many there are, and taking note of them."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from graph.ids import global_id
from tests.graph.conftest import Api
from tests.graph.doing import mutate, open_account, open_portfolio, refused
from tests.graph.stored import Stored, row_id

ALERT = """id kind severity title message metrics { name value } priceAsOf date symbol acknowledgedAt
  rule { name } portfolio { name }"""


@pytest.fixture
def api(register: Callable[[], Api], stored: Stored) -> Api:
    stored.instrument("AAPL", "10")
    return register()


def alerts(api: Api, arguments: str = "first: 50") -> Any:
    return api.data(f"{{ me {{ alerts({arguments}) {{ totalCount nodes {{ {ALERT} }} }} }} }}")["me"][
        "alerts"
    ]


def rule(api: Api, name: str, kind: str, threshold: str, **given: Any) -> str:
    given = {"cooldownSeconds": 0, **given}
    made = mutate(
        api, "createAlertRule", "alertRule { id }", name=name, kind=kind, threshold=threshold, **given
    )
    assert made["userErrors"] == []
    return str(made["alertRule"]["id"])


def waited(api: Api, count: int) -> list[Any]:
    """The alerts, newest first, as soon as there are so many: the server raises them by itself."""
    deadline = time.monotonic() + 30
    nodes: list[Any] = []
    while len(nodes) < count:
        assert time.monotonic() < deadline, nodes
        time.sleep(0.1)
        nodes = alerts(api)["nodes"]
    assert len(nodes) == count
    return nodes


def test_the_server_watches_by_itself(api: Api, stored: Stored) -> None:
    """Rules that are passed when they are made fire at once, and a price that comes in fires others."""
    portfolio_id = open_portfolio(api, open_account(api, initialBalance="100"), initialCash="100")
    rule(api, "Dear", "PRICE_ABOVE", "10", symbol="AAPL", severity="CRITICAL")
    rule(api, "Poor", "CASH_BELOW", "200", portfolioId=portfolio_id)
    (poor,) = waited(api, 1)
    poor.pop("id")
    assert poor == {
        "kind": "CASH_BELOW",
        "severity": "WARNING",
        "title": "Portfolio low on cash",
        "message": "Portfolio has 100 USD in cash, less than 200 USD.",
        "metrics": [{"name": "threshold", "value": "200"}, {"name": "value", "value": "100"}],
        "priceAsOf": None,
        "date": None,
        "symbol": None,
        "acknowledgedAt": None,
        "rule": {"name": "Poor"},
        "portfolio": {"name": "Portfolio"},
    }
    stored.rows("UPDATE quotes SET price = 10.01, as_of = as_of + interval '1 s'")
    dear, _ = waited(api, 2)
    assert dear["priceAsOf"] == "2024-05-31T20:00:01.000000Z"
    assert {metric["name"]: metric["value"] for metric in dear["metrics"]} == {
        "price": "10.01",
        "threshold": "10",
        "value": "10.01",
    }
    assert (dear["title"], dear["symbol"], dear["rule"]) == ("AAPL above 10 USD", "AAPL", {"name": "Dear"})
    assert alerts(api, "kind: PRICE_ABOVE")["totalCount"] == 1
    assert alerts(api, "kind: DRIFT")["totalCount"] == 0
    assert alerts(api, f'portfolioId: "{portfolio_id}"')["totalCount"] == 1
    assert alerts(api, f'portfolioId: "{api.user_id}"')["totalCount"] == 0
    assert alerts(api, 'since: "2000-01-01T00:00:00Z"')["totalCount"] == 2
    assert alerts(api, 'since: "2999-01-01T00:00:00Z"')["totalCount"] == 0
    rules = api.data("{ me { alertRules { nodes { name lastFiredAt } } } }")["me"]["alertRules"]["nodes"]
    assert [(found["name"], found["lastFiredAt"] is not None) for found in rules] == [
        ("Dear", True),
        ("Poor", True),
    ]


COUNTS = "{ me { alertCounts { info warning critical total } } }"


def test_taking_note(api: Api, register: Callable[[], Api], stored: Stored) -> None:
    for at in range(3):
        rule(api, str(at), "PRICE_ABOVE", str(at + 1), symbol="AAPL", severity=["INFO", "CRITICAL"][at % 2])
    newest = waited(api, 3)
    counts = api.data(COUNTS)["me"]["alertCounts"]
    assert counts == {"info": 2, "warning": 0, "critical": 1, "total": 3}
    ids = [alert["id"] for alert in newest]
    payload = mutate(api, "acknowledgeAlerts", "alerts { id acknowledgedAt }", ids=[ids[2], ids[0], ids[2]])
    assert payload["userErrors"] == []
    assert [alert["id"] for alert in payload["alerts"]] == [ids[2], ids[0], ids[2]]
    first = payload["alerts"][0]["acknowledgedAt"]
    assert first is not None
    assert api.data(COUNTS)["me"]["alertCounts"]["total"] == 1
    # Again, with one more: those that were noted keep their time.
    payload = mutate(api, "acknowledgeAlerts", "alerts { id acknowledgedAt }", ids=ids)
    assert payload["alerts"][2]["acknowledgedAt"] == first
    assert payload["alerts"][1]["acknowledgedAt"] > first
    assert api.data(COUNTS)["me"]["alertCounts"]["total"] == 0
    noted = "SELECT count(*) FROM audit_log WHERE action = 'alert.acknowledged' AND owner_id = $1"
    assert stored.value(noted, row_id(api.user_id or "")) == 3


def test_of_another_none_is_noted(api: Api, register: Callable[[], Api], stored: Stored) -> None:
    rule(api, "Dear", "PRICE_ABOVE", "1", symbol="AAPL")
    (mine,) = waited(api, 1)
    stranger = register()
    rule(stranger, "Dear", "PRICE_ABOVE", "1", symbol="AAPL")
    (theirs,) = waited(stranger, 1)
    missing = global_id("Alert", row_id(theirs["id"]).__class__(int=1))
    answers = []
    for other in (theirs["id"], missing):
        payload = mutate(api, "acknowledgeAlerts", "alerts { id }", ids=[mine["id"], other])
        assert payload.pop("alerts") == []
        answers.append(refused(payload))
    assert answers[0] == answers[1]
    assert (answers[0]["code"], answers[0]["field"]) == ("NOT_FOUND", ["input", "ids"])
    assert alerts(api, "acknowledged: true")["totalCount"] == 0
    assert alerts(stranger, "acknowledged: true")["totalCount"] == 0
    payload = mutate(api, "acknowledgeAlerts", "alerts { id }", ids=[mine["id"]] * 501)
    assert payload.pop("alerts") == []
    assert refused(payload)["code"] == "INVALID_INPUT"
    assert mutate(api, "acknowledgeAlerts", "alerts { id }", ids=[]) == {"alerts": [], "userErrors": []}
