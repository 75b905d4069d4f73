"""Alerts in one tab of GraphiQL by rules made in another, and those of a time in which no server ran."""

from tests.graph.server.explorer import Tab

FOLLOW = """subscription Follow($after: String) {
  alerts(after: $after) {
    cursor
    alert { severity title metrics { name value } rule { name } }
  }
}"""
CREATE = """mutation Watch($input: CreateAlertRuleInput!) {
  createAlertRule(input: $input) { alertRule { name isActive } userErrors { message } }
}"""


def watch(rules: Tab, name: str, symbol: str, below: str) -> None:
    """Makes a rule on a price."""
    given = {"name": name, "kind": "PRICE_BELOW", "symbol": symbol, "threshold": below}
    made = rules.run(CREATE, input={**given, "severity": "CRITICAL"})["createAlertRule"]
    assert made == {"alertRule": {"name": name, "isActive": True}, "userErrors": []}


def told(watching: Tab, name: str, price: str) -> str:
    """Waits until the tab shows the alert of that rule at that price: its cursor."""
    event = watching.event()["alerts"]
    assert event["alert"]["rule"] == {"name": name}
    assert event["alert"]["severity"] == "CRITICAL"
    assert {"name": "price", "value": price} in event["alert"]["metrics"]
    return str(event["cursor"])
