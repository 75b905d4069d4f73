"""A market of the tests' own, and portfolios to trade from."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from db.sessions import open_sessions
from db.trading.verification import verify_all
from investing.trading.desk import Desk
from runtime.services import trading_config_of
from settings import Settings
from tests.graph.conftest import Api
from tests.investing.ticks import apply_tick

PLACE = """mutation($input: PlaceOrderInput!) { placeOrder(input: $input) {
  order { id side type status symbol instrument { symbol } quantity filledQuantity remainingQuantity
          notional timeInForce limitPrice
          averageFillPrice reservedCash version rejectionCode rejectionReason
          portfolio { cashBalance reservedCash availableCash
                      positions { nodes { symbol quantity reservedQuantity costBasis } } }
          transactions { nodes { type symbol quantity price amount commission cashDelta quantityDelta } } }
  userErrors { __typename code message field
    ... on Shortage { required available shortfall }
    ... on UnknownInstrument { symbol }
    ... on NoPrice { symbol instrument { symbol lastPrice } }
    ... on PositionTooLarge { symbol weight maxPositionSize largestValue }
    ... on CurrencyMismatch { expected actual }
    ... on OrderRejected { brokerCode }
    ... on BrokerUnavailable { broker } } } }"""

CANCEL = """mutation($id: ID!) { cancelOrder(input: {orderId: $id}) {
  order { id status filledQuantity remainingQuantity version reservedCash
          portfolio { cashBalance reservedCash
                      positions { nodes { symbol quantity reservedQuantity } } } }
  userErrors { __typename code field ... on OrderNotOpen { status } } } }"""


@dataclass(frozen=True)
class Market:
    """Instruments whose prices the tests set, from a process of its own as it were."""

    app_url: str
    superuser_url: str

    def list(self, symbol: str, price: str | None = None, currency: str = "USD") -> str:
        """A new instrument, whose symbol nobody else uses: its whole symbol."""
        symbol = f"{symbol}-{uuid.uuid4().hex[:6].upper()}"
        asyncio.run(self._list(symbol, currency))
        if price is not None:
            self.tick(symbol, price)
        return symbol

    async def _list(self, symbol: str, currency: str) -> None:
        connection = await asyncpg.connect(self.superuser_url)
        await connection.execute(
            "INSERT INTO instruments (id, symbol, name, asset_class, currency) "
            "VALUES ($1, $2, $2, 'EQUITY', $3)",
            uuid.uuid4(),
            symbol,
            currency,
        )
        await connection.close()

    def tick(self, symbol: str, price: str, as_of: dt.datetime | None = None, **settings: Any) -> bool:
        """A price arrives; what rests is matched with it."""

        async def run() -> bool:
            async with self.desk(**settings) as desk:
                when = as_of or dt.datetime.now(dt.UTC)
                return await apply_tick(desk._sessions, desk, symbol, Decimal(price), when)

        return asyncio.run(run())

    @asynccontextmanager
    async def desk(self, **settings: Any) -> AsyncIterator[Desk]:
        """A desk like the server's, with settings of its own."""
        async with open_sessions(self.app_url, size=2) as sessions:
            yield Desk(sessions, trading_config_of(Settings(_env_file=None, **settings), sessions))


@pytest.fixture(scope="module")
def market(app_url: str, superuser_url: str) -> Market:
    return Market(app_url, superuser_url)


@dataclass(frozen=True)
class Trader:
    """A user with one portfolio."""

    api: Api
    account_id: str
    portfolio_id: str

    def place(self, symbol: str, side: str = "BUY", key: str | None = None, **given: Any) -> Any:
        """The payload of an order."""
        given = {
            "portfolioId": self.portfolio_id,
            "symbol": symbol,
            "side": side,
            "idempotencyKey": key or str(uuid.uuid4()),
            **given,
        }
        return self.api.data(PLACE, input=given)["placeOrder"]

    def placed(self, symbol: str, side: str = "BUY", **given: Any) -> Any:
        """The order of a payload without errors."""
        payload = self.place(symbol, side, **given)
        assert payload["userErrors"] == []
        return payload["order"]

    def refused(self, symbol: str, side: str = "BUY", **given: Any) -> Any:
        """The one error of a payload without an order, but for its message."""
        payload = self.place(symbol, side, **given)
        assert payload["order"] is None
        (error,) = payload["userErrors"]
        assert error.pop("message")
        return error

    def cancel(self, id: str) -> Any:
        """The payload of a cancellation."""
        return self.api.data(CANCEL, id=id)["cancelOrder"]

    def order(self, id: str) -> Any:
        """The order as it is now."""
        return self.api.data(
            """query($id: ID!) { node(id: $id) { ... on Order {
                 status filledQuantity remainingQuantity averageFillPrice reservedCash version
                 portfolio { cashBalance reservedCash positions { nodes { quantity reservedQuantity } } }
                 transactions { nodes { quantity price commission } } } } }""",
            id=id,
        )["node"]


@pytest.fixture(scope="module")
def trader(register: Callable[[], Api]) -> Callable[..., Trader]:
    """Makes a user with a portfolio that has this cash."""

    def make(cash: str = "1000", *, max_size: str = "1", **account: Any) -> Trader:
        api = register()
        account_id = api.data(
            """mutation($input: CreateAccountInput!) { createAccount(input: $input) { account { id } } }""",
            input={"name": "A", "initialBalance": cash, **account},
        )["createAccount"]["account"]["id"]
        portfolio_id = api.data(
            """mutation($input: CreatePortfolioInput!) {
                 createPortfolio(input: $input) { portfolio { id } userErrors { message } } }""",
            input={
                "accountId": account_id,
                "name": "P",
                "strategy": "EQUAL_WEIGHT",
                "initialCash": cash,
                "maxPositionSize": max_size,
            },
        )["createPortfolio"]["portfolio"]["id"]
        return Trader(api, account_id, portfolio_id)

    return make


@pytest.fixture(scope="module", autouse=True)
def nothing_differs(app_url: str) -> Iterator[None]:
    """After a module of trades everything stored follows from the transactions and the open orders."""
    yield

    async def differences() -> Any:
        async with open_sessions(app_url, size=2) as sessions:
            return (await verify_all(sessions, lambda step, done, total: None)).differences

    assert asyncio.run(differences()) == []
