"""What a trade costs over the API, without a clock: every round trip of one request."""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from investing.alerts.portfolios import PortfolioWatch
from investing.trading.desk import Desk
from tests.graph.conftest import Api
from tests.graph.doing import cash, key, mutate, open_account, open_portfolio
from tests.graph.stored import Stored
from tests.round_trips import Trips, watched

TRANSACTION = """transaction { id type symbol quantity price amount commission currency cashDelta
  quantityDelta costDelta realizedPnl fifo: realizedPnl(method: FIFO) executedAt notes }"""


@pytest.fixture(scope="module")
def trips() -> Iterator[Trips]:
    """Noted from before the server opens a connection, which looks after nothing by itself meanwhile."""

    async def rest(worker: object) -> None:
        await asyncio.Event().wait()

    with watched() as noted, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Desk, "run", rest)
        patch.setattr(PortfolioWatch, "run", rest)
        yield noted


@pytest.fixture(scope="module")
def holder(trips: Trips, register: Callable[[], Api]) -> Api:
    return register()


@pytest.fixture(scope="module")
def portfolio_id(holder: Api, stored: Stored) -> str:
    stored.instrument("AAA", "10")
    account_id = open_account(holder)
    portfolio_id = open_portfolio(holder, account_id)
    cash(holder, "deposit", account_id, "1000", portfolioId=portfolio_id)
    for side in ("BUY", "SELL"):
        trade(holder, portfolio_id, side, "2")
        place(holder, portfolio_id, side, "1")
    return portfolio_id


def trade(
    api: Api, portfolio_id: str, type: str, quantity: str, key_: str | None = None, at: str | None = None
) -> Any:
    now = at or dt.datetime.now(dt.UTC).isoformat()
    given = {"portfolioId": portfolio_id, "symbol": "AAA", "quantity": quantity, "price": "10.50"}
    more = {"type": type, "executedAt": now, "notes": "mine", "idempotencyKey": key_ or key()}
    return mutate(api, "recordTransaction", TRANSACTION, **given, **more)


def place(api: Api, portfolio_id: str, side: str, quantity: str) -> Any:
    given = {"portfolioId": portfolio_id, "symbol": "AAA", "quantity": quantity, "side": side}
    payload = mutate(api, "placeOrder", "order { id status }", **given, idempotencyKey=key())
    assert payload["order"]["status"] == "FILLED"
    return payload


def fewest(trips: Trips, act: Callable[[], object]) -> int:
    """The fewest round trips of an act, since the server's own health checks are among some of them.

    Notifications of other processes are not counted: those that follow one another at once are sent together.
    """
    counts = []
    for _ in range(3):
        with trips.counting() as sent:
            act()
        counts.append(sum("pg_notify" not in statement for statement in sent))
    return min(counts)


def test_recording(trips: Trips, holder: Api, portfolio_id: str) -> None:
    """The four of the transaction, of which the first checks the login, and one for the lots of a sale.

    Whose the portfolio is is seen where it is locked, and the answer is what was written.
    """
    assert fewest(trips, lambda: trade(holder, portfolio_id, "BUY", "3")) == 4
    assert fewest(trips, lambda: trade(holder, portfolio_id, "SELL", "1")) == 5


def test_an_order(trips: Trips, holder: Api, portfolio_id: str) -> None:
    """Placed, at the broker, filled; and the order for the answer."""
    assert fewest(trips, lambda: place(holder, portfolio_id, "BUY", "1")) == 4 + 2 + 4 + 1


@pytest.mark.parametrize("type", ["BUY", "SELL"])
def test_what_was_written_is_what_is_read(holder: Api, portfolio_id: str, type: str) -> None:
    """The answer to a trade and the one to its retry, which reads it, are the same to the letter."""
    now = dt.datetime.now(dt.timezone(dt.timedelta(hours=3))).isoformat()
    given = {
        "portfolioId": portfolio_id,
        "symbol": "AAA",
        "quantity": "0.70",
        "price": "10.1234567890",
        "commission": "0.10",
        "type": type,
        "executedAt": now,
        "idempotencyKey": key(),
    }
    first, again = (mutate(holder, "recordTransaction", TRANSACTION, **given) for _ in range(2))
    assert first["userErrors"] == []
    assert first == again


def test_the_portfolio_of_nobody(
    trips: Trips, holder: Api, portfolio_id: str, register: Callable[[], Api]
) -> None:
    """Not locked, not distinguished from a missing one, and the key can be used again."""
    stranger, key_ = register(), key()
    with trips.counting() as sent:
        payload = trade(stranger, portfolio_id, "BUY", "1", key_)
    assert [error["code"] for error in payload["userErrors"]] == ["NOT_FOUND"]
    asked = [statement for statement in sent if "pg_notify" not in statement]
    assert [statement.split()[0] for statement in asked[-3:]] == ["BEGIN;", "SELECT", "ROLLBACK"]
    account_id = open_account(stranger)
    own = open_portfolio(stranger, account_id)
    cash(stranger, "deposit", account_id, "100", portfolioId=own)
    assert trade(stranger, own, "BUY", "1", key_)["userErrors"] == []


def test_one_key_for_two_portfolios_at_once(holder: Api, portfolio_id: str) -> None:
    """Each waits for another lock: the second one learns that its key is used."""
    account_id = open_account(holder, "Another")
    other = open_portfolio(holder, account_id)
    cash(holder, "deposit", account_id, "1000", portfolioId=other)

    async def both() -> list[Any]:
        given = ("BUY", "1", key(), dt.datetime.now(dt.UTC).isoformat())
        return await asyncio.gather(
            *(asyncio.to_thread(trade, holder, id, *given) for id in (portfolio_id, other) * 3)
        )

    for _ in range(3):
        payloads = asyncio.run(both())
        done = {payload["transaction"]["id"] for payload in payloads if payload["transaction"]}
        codes = [error["code"] for payload in payloads for error in payload["userErrors"]]
        assert (len(done), codes) == (1, ["IDEMPOTENCY_MISMATCH"] * 3)
