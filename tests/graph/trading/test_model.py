"""Promise 4: whatever is done over the API, the server's figures are those of a plain ledger, to the digit.

A state machine does things by chance, to a real server on a real database and to the model, and compares
cash, reservations, quantities, average cost, lots and realised gains after every step.
"""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.graph.conftest import Api
from tests.graph.doing import cash, mutate, open_account, open_portfolio, record
from tests.graph.doing import key as new_key
from tests.graph.stored import Stored, row_id
from tests.graph.trading.conftest import Market, Trader
from tests.graph.trading.plain_ledger import Book, Impossible, Line, Order, rounded

NO = {"INSUFFICIENT_CASH", "INSUFFICIENT_SHARES", "INVALID_INPUT"}
STATE = """query($id: ID!) { node(id: $id) { ... on Portfolio { cashBalance reservedCash
  account { unallottedCash }
  positions { nodes { symbol quantity reservedQuantity averageCost costBasis realizedPnl } } } } }"""
_LOTS = """SELECT i.symbol, l.remaining_quantity, l.remaining_cost
FROM lots l JOIN instruments i ON i.id = l.instrument_id
WHERE l.portfolio_id = $1 AND l.remaining_quantity > 0 ORDER BY l.opened_at, l.transaction_id"""
_GAINS = """SELECT i.symbol, t.realized_pnl FROM transactions t JOIN instruments i ON i.id = t.instrument_id
WHERE t.portfolio_id = $1 AND t.type = 'SELL' ORDER BY t.executed_at, t.id"""

PLACES = st.sampled_from([0, 1])
SYMBOLS = st.sampled_from([0, 1])
SIDES = st.sampled_from(["BUY", "SELL"])
DAYS = st.integers(1, 28 * 12 - 1)
AMOUNTS = st.decimals("0.01", "3000", places=2)
QUANTITIES = st.decimals("0.0001", "60", places=4)
PRICES = st.decimals("0.01", "30", places=2)


class Trading(RuleBasedStateMachine):
    """Two portfolios of one account, two instruments, and the model of both."""

    register: ClassVar[Callable[[], Api]]
    market: ClassVar[Market]
    stored: ClassVar[Stored]

    @initialize()
    def open(self) -> None:
        # Somebody new each time, so that no login ends on the way.
        self.api = type(self).register()
        self.account = open_account(self.api, new_key(), initialBalance="1000")
        self.portfolios = [open_portfolio(self.api, self.account, f"P{n}") for n in range(2)]
        self.books = [Book(), Book()]
        self.unallotted = Decimal(1000)
        self.symbols = [self.market.list("M", "10") for _ in range(2)]
        self.prices = [Decimal(10)] * 2
        self.step = 0
        self.taken: set[tuple[int, int]] = set()
        for n in range(2):
            self.recorded(n, 0, "DEPOSIT", Decimal(5000))

    @rule(where=PLACES, amount=AMOUNTS, out=st.booleans())
    def moves_cash(self, where: int, amount: Decimal, out: bool) -> None:
        given = {"portfolioId": self.portfolios[where]}
        payload = cash(self.api, "withdraw" if out else "deposit", self.account, str(amount), **given)
        self.agree(payload, where, Line(self.now(), "CASH", -amount if out else amount))

    @rule(where=PLACES, amount=AMOUNTS, out=st.booleans())
    def transfers_cash(self, where: int, amount: Decimal, out: bool) -> None:
        ends = (self.portfolios[where], None) if out else (None, self.portfolios[where])
        given = {"fromPortfolioId": ends[0], "toPortfolioId": ends[1], "idempotencyKey": new_key()}
        given |= {"accountId": self.account, "amount": str(amount)}
        payload = mutate(self.api, "transferCash", "transaction { id }", **given)
        if not out and amount > self.unallotted:
            assert payload["userErrors"][0]["code"] == "INSUFFICIENT_CASH"
            return
        if self.agree(payload, where, Line(self.now(), "CASH", -amount if out else amount)):
            self.unallotted += amount if out else -amount

    @rule(where=PLACES, day=DAYS, type=st.sampled_from(["DEPOSIT", "FEE", "INTEREST"]), amount=AMOUNTS)
    def records_cash(self, where: int, day: int, type: str, amount: Decimal) -> None:
        self.recorded(where, day, type, amount)

    def recorded(self, where: int, day: int, type: str, amount: Decimal) -> None:
        moment = self.moment(where, day)
        payload = record(self.api, self.portfolios[where], type, _instant(moment[1]), amount=str(amount))
        self.agree(payload, where, Line(moment, type, -amount if type == "FEE" else amount))

    @rule(where=PLACES, day=DAYS, side=SIDES, which=SYMBOLS, quantity=QUANTITIES, price=PRICES)
    def records_a_trade(
        self, where: int, day: int, side: str, which: int, quantity: Decimal, price: Decimal
    ) -> None:
        symbol, moment = self.symbols[which], self.moment(where, day)
        given = {"symbol": symbol, "quantity": str(quantity), "price": str(price)}
        payload = record(self.api, self.portfolios[where], side, _instant(moment[1]), **given)
        amount = rounded(quantity * price)
        change = -amount if side == "BUY" else amount
        self.agree(payload, where, Line(moment, side, change, symbol, quantity))

    @rule(where=PLACES, day=DAYS, which=SYMBOLS, ratio=st.sampled_from([(2, 1), (3, 2), (7, 3)]))
    def records_a_split(self, where: int, day: int, which: int, ratio: tuple[int, int]) -> None:
        symbol, moment = self.symbols[which], self.moment(where, day)
        given = {"symbol": symbol, "quantity": str(ratio[0]), "splitFor": str(ratio[1])}
        payload = record(self.api, self.portfolios[where], "SPLIT", _instant(moment[1]), **given)
        self.agree(payload, where, Line(moment, "SPLIT", Decimal(0), symbol, ratio=ratio))

    @rule(where=PLACES, side=SIDES, which=SYMBOLS, quantity=QUANTITIES, limit=st.none() | PRICES)
    def places_an_order(
        self, where: int, side: str, which: int, quantity: Decimal, limit: Decimal | None
    ) -> None:
        symbol, book, price = self.symbols[which], self.books[where], self.prices[which]
        trader = Trader(self.api, self.account, self.portfolios[where])
        given = {"quantity": str(quantity)}
        if limit is not None:
            given |= {"type": "LIMIT", "limitPrice": str(limit), "timeInForce": "GTC"}
        payload = trader.place(symbol, side, **given)
        order = Order("", symbol, side, quantity, price if limit is None else limit)
        if side == "BUY":
            fits = order.quantity * order.limit <= book.cash - book.reserved_cash
        else:
            fits = quantity <= book.holding(symbol).quantity - book.reserved_shares(symbol)
        assert bool(payload["order"]) is fits, payload
        if not fits:
            assert payload["userErrors"][0]["code"] in NO
            return
        order.id = payload["order"]["id"]
        book.orders.append(order)
        self.match(which)

    @rule(which=SYMBOLS, price=PRICES)
    def ticks(self, which: int, price: Decimal) -> None:
        self.market.tick(self.symbols[which], str(price))
        self.prices[which] = price
        for where, order in self.match(which):
            self.await_fill(where, order)

    @rule(where=PLACES, pick=st.integers(0, 20))
    def cancels(self, where: int, pick: int) -> None:
        orders = self.books[where].orders
        if orders:
            order = orders.pop(pick % len(orders))
            payload = Trader(self.api, self.account, self.portfolios[where]).cancel(order.id)
            assert payload["order"]["status"] == "CANCELLED"

    # Two rules more have their place here once the API has them: `reverses` (reverseTransaction: the line
    # goes and everything is worked out anew) and `transfers_shares` (lots and cost go along).

    def match(self, which: int) -> list[tuple[int, Order]]:
        """Fills what crosses the price, as old orders first."""
        filled = []
        for where, book in enumerate(self.books):
            for order in list(book.orders):
                if order.symbol != self.symbols[which] or not order.crosses(self.prices[which]):
                    continue
                book.orders.remove(order)
                amount = rounded(order.quantity * self.prices[which])
                change = -amount if order.side == "BUY" else amount
                book.lines.append(Line(self.now(), order.side, change, order.symbol, order.quantity))
                filled.append((where, order))
        return filled

    def await_fill(self, where: int, order: Order) -> None:
        """The server's own desk may be the one that has taken the fill, and still be at it."""
        trader = Trader(self.api, self.account, self.portfolios[where])
        deadline = time.monotonic() + 10
        while trader.order(order.id)["status"] != "FILLED":
            assert time.monotonic() < deadline, order
            time.sleep(0.02)

    def now(self) -> tuple[int, int]:
        self.step += 1
        return (1, self.step)

    def moment(self, where: int, day: int) -> tuple[int, int]:
        """That day, or the next one on which nothing has happened yet."""
        while (where, day) in self.taken:
            day += 1
        self.taken.add((where, day))
        return (0, day)

    def agree(self, payload: Any, where: int, line: Line) -> bool:
        """The server and the model both say yes, or both say no."""
        try:
            self.books[where].add(line)
        except Impossible:
            assert payload["userErrors"], (line, "was accepted")
            assert payload["userErrors"][0]["code"] in NO
            return False
        assert payload["userErrors"] == [], line
        return True

    @invariant()
    def everything_is_equal(self) -> None:
        for book, portfolio in zip(self.books, self.portfolios, strict=True):
            found = self.api.data(STATE, id=portfolio)["node"]
            assert Decimal(found["cashBalance"]) == book.cash
            assert Decimal(found["reservedCash"]) == book.reserved_cash
            assert Decimal(found["account"]["unallottedCash"]) == self.unallotted
            positions = {position["symbol"]: position for position in found["positions"]["nodes"]}
            lots = self.stored.rows(_LOTS, row_id(portfolio))
            gains = self.stored.rows(_GAINS, row_id(portfolio))
            for symbol in self.symbols:
                _compare(book, symbol, positions.get(symbol), _of(symbol, lots), _of(symbol, gains))


def _compare(book: Book, symbol: str, found: Any, lots: list[Any], gains: list[Any]) -> None:
    wanted = book.holding(symbol)
    assert lots == [(lot.quantity, lot.cost) for lot in wanted.lots]
    assert gains == [(gain,) for gain in wanted.gains]
    if not wanted.quantity:
        assert found is None
        return
    assert {name: Decimal(value) for name, value in found.items() if name != "symbol"} == {
        "quantity": wanted.quantity,
        "reservedQuantity": book.reserved_shares(symbol),
        "averageCost": rounded(wanted.cost / wanted.quantity),
        "costBasis": wanted.cost,
        "realizedPnl": wanted.gained,
    }


def _of(symbol: str, rows: list[tuple[Any, ...]]) -> list[Any]:
    return [row[1:] for row in rows if row[0] == symbol]


def _instant(day: int) -> str:
    """An instant of the past for the n-th day, months of 28 days."""
    years, rest = divmod(day, 28 * 12)
    return f"{2010 + years}-{rest // 28 + 1:02}-{rest % 28 + 1:02}T12:00:00Z"


@pytest.mark.parametrize(
    ("examples", "steps"),
    [
        pytest.param(8, 20, id="short"),
        pytest.param(2_000, 50, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
    ],
)
def test_the_server_is_the_plain_ledger(
    register: Callable[[], Api], market: Market, stored: Stored, examples: int, steps: int
) -> None:
    class Machine(Trading):
        pass

    Machine.register, Machine.market, Machine.stored = staticmethod(register), market, stored
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=examples < 100,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Machine, settings=chosen)
