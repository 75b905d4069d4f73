"""Trading in one tab of GraphiQL and watching in another, at the prices of the demo."""

import uuid
from pathlib import Path
from typing import Any

from tests.graph.server.explorer import Tab

FOLLOW = """subscription {
  orderUpdates { id status filledQuantity version }
}"""
PLACE = """mutation Place($order: PlaceOrderInput!) {
  placeOrder(input: $order) {
    order {
      id status filledQuantity averageFillPrice version
      portfolio { availableCash }
    }
    userErrors {
      __typename
      ... on InsufficientCash { required available shortfall }
    }
  }
}"""
CANCEL = """mutation Cancel($order: ID!) {
  cancelOrder(input: { orderId: $order }) {
    order {
      id status filledQuantity averageFillPrice version
      portfolio { availableCash }
    }
    userErrors { __typename }
  }
}"""


def trade_and_watch(trading: Tab, watching: Tab, portfolio_id: str, buy: str, pictures: Path) -> None:
    """Buys by the README's mutation, sells, spends too much, tries again with the same key, and cancels what
    rests; the second tab shows each order as it becomes, and nothing else.
    """
    desk = _Desk(trading, watching, portfolio_id)
    watching.follow(FOLLOW)
    bought = trading.run(buy, portfolio=portfolio_id, key=str(uuid.uuid4()))["placeOrder"]
    id = desk.tells(bought, "FILLED", "1.16152112806931958", 2)
    assert bought["order"] == {
        "id": id,
        "status": "FILLED",
        "quantity": "1.16152112806931958",
        "averageFillPrice": "430.47",
        "portfolio": {"availableCash": "1000.0548166"},
    }
    key = str(uuid.uuid4())
    sold = desk.place(side="SELL", quantity="1", idempotencyKey=key)
    assert sold == _payload(sold, "FILLED", "1", "430.47", 2, "1430.5248166")
    desk.tells(sold, "FILLED", "1", 2)
    _nothing_is_told(desk, key, sold, pictures)
    resting = desk.place(side="BUY", type="LIMIT", quantity="2", limitPrice="400", timeInForce="GTC")
    assert resting == _payload(resting, "ACCEPTED", "0", None, 2, "630.5248166")
    id = desk.tells(resting, "ACCEPTED", "0", 2)
    cancelled = trading.run(CANCEL, order=id)["cancelOrder"]
    assert cancelled == _payload(resting, "CANCELLED", "0", None, 3, "1430.5248166")
    desk.tells(cancelled, "CANCELLED", "0", 3)
    watching.page.screenshot(path=pictures / "watching.png")
    # An order may be told while it is pending, too.
    assert [order for order in desk.events if order["status"] != "PENDING"] == desk.told


def _nothing_is_told(desk: "_Desk", key: str, sold: Any, pictures: Path) -> None:
    """Neither of what cannot be paid, nor of an order that was there already."""
    before = desk.events
    assert desk.place(side="BUY", quantity="10") == {
        "order": None,
        "userErrors": [
            {
                "__typename": "InsufficientCash",
                "required": "4304.7",
                "available": "1430.5248166",
                "shortfall": "2874.1751834",
            }
        ],
    }
    desk.trading.page.screenshot(path=pictures / "trading.png")
    assert desk.place(side="SELL", quantity="1", idempotencyKey=key) == sold
    # Longer than the server takes at most to look whether there is something to tell.
    desk.watching.page.wait_for_timeout(1_500)
    assert desk.events == before


class _Desk:
    """Both tabs, and what the second one has shown so far."""

    def __init__(self, trading: Tab, watching: Tab, portfolio_id: str) -> None:
        self.trading, self.watching, self._portfolio_id = trading, watching, portfolio_id
        self.told: list[dict[str, Any]] = []

    def place(self, **order: str) -> Any:
        """The payload of an order of AAPL, as the first tab shows it."""
        given = {"portfolioId": self._portfolio_id, "symbol": "AAPL", "idempotencyKey": str(uuid.uuid4())}
        return self.trading.run(PLACE, order={**given, **order})["placeOrder"]

    def tells(self, payload: Any, status: str, filled: str, version: int) -> str:
        """The second tab shows the payload's order like this. The order's id."""
        id: str = payload["order"]["id"]
        self.told.append({"id": id, "status": status, "filledQuantity": filled, "version": version})
        self.watching.until_shown({"data": {"orderUpdates": self.told[-1]}})
        return id

    @property
    def events(self) -> list[Any]:
        """All orders that the second tab was told of."""
        told = (frame for frame in self.watching.frames if frame["type"] == "next")
        return [frame["payload"]["data"]["orderUpdates"] for frame in told]


def _payload(like: Any, status: str, filled: str, price: str | None, version: int, cash: str) -> Any:
    """The payload with the same order in this state."""
    order = {"id": like["order"]["id"], "status": status, "filledQuantity": filled, "version": version}
    order |= {"averageFillPrice": price, "portfolio": {"availableCash": cash}}
    return {"order": order, "userErrors": []}
