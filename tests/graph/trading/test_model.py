"""Promise 4: whatever is done over the API, the server's figures are those of a plain ledger, to the digit.

A state machine does things by chance, to a real server on a real database and to the model, and compares
cash, reservations, quantities, average cost, lots and realised gains after every step.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.graph.conftest import Api
from tests.graph.doing import cash, mutate, open_account, open_portfolio, record
from tests.graph.doing import key as new_key
from tests.graph.stored import row_id
from tests.graph.trading.conftest import Market, Trader
from tests.graph.trading.plain_ledger import Holding, Impossible, Ledger, Line, Order, rounded
from tests.waiting import PATIENCE

NO = {"INSUFFICIENT_CASH", "INSUFFICIENT_SHARES", "INVALID_INPUT"}
GAINS = "realizedPnl fifo: realizedPnl(method: FIFO)"
STATE = f"""query($account: ID!) {{ node(id: $account) {{ ... on Account {{ unallottedCash
  portfolios {{ nodes {{ id cashBalance reservedCash {GAINS}
    positions {{ nodes {{ symbol quantity reservedQuantity averageCost costBasis {GAINS} }} }}
  }} }} }} }} }}"""
_LOTS = """SELECT l.portfolio_id, i.symbol, l.remaining_quantity, l.remaining_cost
FROM lots l JOIN instruments i ON i.id = l.instrument_id
WHERE l.portfolio_id = ANY($1) AND l.remaining_quantity > 0
ORDER BY l.opened_at, l.transaction_id, l.number"""
_GAINS = """SELECT t.portfolio_id, i.symbol, t.realized_pnl, t.realized_pnl_fifo
FROM transactions t JOIN instruments i ON i.id = t.instrument_id
WHERE t.portfolio_id = ANY($1) AND t.type = 'SELL' AND t.reverses_id IS NULL
  AND NOT EXISTS (SELECT FROM transactions r WHERE r.reverses_id = t.id)
ORDER BY t.executed_at, t.id"""

PLACES = st.sampled_from([0, 1])
ACCOUNT = 2
"""The place of the account's cash that no portfolio has been given."""
SYMBOLS = st.sampled_from([0, 1])
SIDES = st.sampled_from(["BUY", "SELL"])
DAYS = st.integers(1, 28 * 12 - 1)
AMOUNTS = st.decimals("0.01", "3000", places=2)
QUANTITIES = st.decimals("0.0001", "60", places=4)
PRICES = st.decimals("0.01", "30", places=2)


Rows = Callable[..., list[tuple[Any, ...]]]


@contextmanager
def reading(url: str) -> Iterator[Rows]:
    """All rows of a statement, over one connection: half of the time would go into opening them."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(url))

        def rows(query: str, *arguments: object) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in runner.run(connection.fetch(query, *arguments))]

        yield rows
        runner.run(connection.close())


class Trading(RuleBasedStateMachine):
    """Two portfolios of one account, two instruments, and the model of it all."""

    register: ClassVar[Callable[[], Api]]
    market: ClassVar[Market]
    rows: ClassVar[Rows]

    @initialize()
    def open(self) -> None:
        # Somebody new each time, so that no login ends on the way.
        self.api = type(self).register()
        self.account = open_account(self.api, new_key(), initialBalance="1000")
        self.portfolios = [open_portfolio(self.api, self.account, f"P{n}") for n in range(2)]
        self.ledger = Ledger(3)
        self.symbols = [self.market.list("M", "10") for _ in range(2)]
        self.prices = [Decimal(10)] * 2
        self.step = 0
        self.taken: set[tuple[int, int]] = set()
        self.reversed: list[str] = []
        self.ledger.add(Line(self.now(), ACCOUNT, "DEPOSIT", Decimal(1000)))
        for n in range(2):
            self.recorded(n, 0, "DEPOSIT", Decimal(5000))
            # Something to sell, so that most steps can be done.
            for which in range(2):
                self.records_a_trade(n, 20, "BUY", which, Decimal("33.3333"), Decimal("7.77"))
                self.records_a_trade(n, 150, "BUY", which, Decimal("45.0001"), Decimal("12.34"))

    @rule(where=PLACES, amount=AMOUNTS, out=st.booleans())
    def moves_cash(self, where: int, amount: Decimal, out: bool) -> None:
        given = {"portfolioId": self.portfolios[where]}
        payload = cash(self.api, "withdraw" if out else "deposit", self.account, str(amount), **given)
        self.agree(payload, Line(self.now(), where, "CASH", -amount if out else amount))

    @rule(where=PLACES, amount=AMOUNTS, out=st.booleans())
    def transfers_cash(self, where: int, amount: Decimal, out: bool) -> None:
        ends = (self.portfolios[where], None) if out else (None, self.portfolios[where])
        given = {"fromPortfolioId": ends[0], "toPortfolioId": ends[1], "idempotencyKey": new_key()}
        given |= {"accountId": self.account, "amount": str(amount)}
        payload = mutate(self.api, "transferCash", "transaction { id }", **given)
        self.agree(payload, Line(self.now(), where, "CASH", -amount if out else amount, to=ACCOUNT))

    @rule(where=PLACES, day=DAYS, type=st.sampled_from(["DEPOSIT", "FEE", "INTEREST"]), amount=AMOUNTS)
    def records_cash(self, where: int, day: int, type: str, amount: Decimal) -> None:
        self.recorded(where, day, type, amount)

    def recorded(self, where: int, day: int, type: str, amount: Decimal) -> None:
        moment = self.moment(day, where)
        payload = record(self.api, self.portfolios[where], type, _instant(moment[1]), amount=str(amount))
        self.agree(payload, Line(moment, where, type, -amount if type == "FEE" else amount))

    @rule(where=PLACES, day=DAYS, side=SIDES, which=SYMBOLS, quantity=QUANTITIES, price=PRICES)
    def records_a_trade(
        self, where: int, day: int, side: str, which: int, quantity: Decimal, price: Decimal
    ) -> None:
        symbol, moment = self.symbols[which], self.moment(day, where)
        given = {"symbol": symbol, "quantity": str(quantity), "price": str(price)}
        payload = record(self.api, self.portfolios[where], side, _instant(moment[1]), **given)
        amount = rounded(quantity * price)
        change = -amount if side == "BUY" else amount
        self.agree(payload, Line(moment, where, side, change, symbol, quantity))

    @rule(where=PLACES, day=DAYS, which=SYMBOLS, ratio=st.sampled_from([(2, 1), (3, 2), (7, 3)]))
    def records_a_split(self, where: int, day: int, which: int, ratio: tuple[int, int]) -> None:
        symbol, moment = self.symbols[which], self.moment(day, where)
        given = {"symbol": symbol, "quantity": str(ratio[0]), "splitFor": str(ratio[1])}
        payload = record(self.api, self.portfolios[where], "SPLIT", _instant(moment[1]), **given)
        self.agree(payload, Line(moment, where, "SPLIT", symbol=symbol, ratio=ratio))

    @rule(where=PLACES, day=st.none() | DAYS, which=SYMBOLS, quantity=QUANTITIES)
    def transfers_shares(self, where: int, day: int | None, which: int, quantity: Decimal) -> None:
        symbol, to = self.symbols[which], 1 - where
        moment = self.now() if day is None else self.moment(day, where, to)
        given = {"symbol": symbol, "quantity": str(quantity), "idempotencyKey": new_key()}
        given |= {"fromPortfolioId": self.portfolios[where], "toPortfolioId": self.portfolios[to]}
        if day is not None:
            given["executedAt"] = _instant(moment[1])
        payload = mutate(self.api, "transferShares", "transaction { id }", **given)
        self.agree(payload, Line(moment, where, "MOVE", symbol=symbol, quantity=quantity, to=to))

    @rule(pick=st.integers(0, 1000))
    def reverses(self, pick: int) -> None:
        lines = [line for line in self.ledger.lines if line.id is not None]
        line = lines[pick % len(lines)] if lines else None
        if (
            line is not None
            and line.id is not None
            and self.says_yes(self.reverse(line.id), line, remove=True)
        ):
            self.reversed.append(line.id)

    @precondition(lambda self: self.reversed)
    @rule(pick=st.integers(0, 1000))
    def reverses_again(self, pick: int) -> None:
        payload = self.reverse(self.reversed[pick % len(self.reversed)])
        assert [error["code"] for error in payload["userErrors"]] == ["ALREADY_REVERSED"]

    def reverse(self, id: str) -> Any:
        given = {"transactionId": id, "idempotencyKey": new_key()}
        return mutate(self.api, "reverseTransaction", "transaction { id }", **given)

    @rule(where=PLACES, side=SIDES, which=SYMBOLS, quantity=QUANTITIES, limit=st.none() | PRICES)
    def places_an_order(
        self, where: int, side: str, which: int, quantity: Decimal, limit: Decimal | None
    ) -> None:
        symbol, ledger, price = self.symbols[which], self.ledger, self.prices[which]
        trader = Trader(self.api, self.account, self.portfolios[where])
        given = {"quantity": str(quantity)}
        if limit is not None:
            given |= {"type": "LIMIT", "limitPrice": str(limit), "timeInForce": "GTC"}
        payload = trader.place(symbol, side, **given)
        order = Order("", where, symbol, side, quantity, price if limit is None else limit)
        if side == "BUY":
            fits = order.quantity * order.limit <= ledger.cash(where) - ledger.reserved_cash(where)
        else:
            held = ledger.holdings(symbol)[where].quantity
            fits = quantity <= held - ledger.reserved_shares(where, symbol)
        assert bool(payload["order"]) is fits, payload
        if not fits:
            assert payload["userErrors"][0]["code"] in NO
            return
        order.id = payload["order"]["id"]
        ledger.orders.append(order)
        self.match(which)

    @rule(which=SYMBOLS, price=PRICES)
    def ticks(self, which: int, price: Decimal) -> None:
        self.market.tick(self.symbols[which], str(price))
        self.prices[which] = price
        for order in self.match(which):
            self.await_fill(order)

    @rule(pick=st.integers(0, 20))
    def cancels(self, pick: int) -> None:
        orders = self.ledger.orders
        if orders:
            order = orders.pop(pick % len(orders))
            payload = Trader(self.api, self.account, self.portfolios[order.where]).cancel(order.id)
            assert payload["order"]["status"] == "CANCELLED"

    def match(self, which: int) -> list[Order]:
        """Fills what crosses the price, as old orders first."""
        filled = [
            order
            for order in self.ledger.orders
            if order.symbol == self.symbols[which] and order.crosses(self.prices[which])
        ]
        for order in filled:
            self.ledger.orders.remove(order)
            amount = rounded(order.quantity * self.prices[which])
            change = -amount if order.side == "BUY" else amount
            self.ledger.add(Line(self.now(), order.where, order.side, change, order.symbol, order.quantity))
        return filled

    def await_fill(self, order: Order) -> None:
        """The server's own desk may be the one that has taken the fill, and still be at it."""
        trader = Trader(self.api, self.account, self.portfolios[order.where])
        deadline = time.monotonic() + PATIENCE
        while trader.order(order.id)["status"] != "FILLED":
            assert time.monotonic() < deadline, order
            time.sleep(0.02)

    def now(self) -> tuple[int, int]:
        self.step += 1
        return (1, self.step)

    def moment(self, day: int, *places: int) -> tuple[int, int]:
        """That day, or the next one on which nothing has happened yet in these places."""
        while any((where, day) in self.taken for where in places):
            day += 1
        self.taken.update((where, day) for where in places)
        return (0, day)

    def agree(self, payload: Any, line: Line) -> None:
        """The server and the model both say yes to a new line, or both say no."""
        id = payload["transaction"]["id"] if payload["transaction"] else None
        self.says_yes(payload, replace(line, id=id))

    def says_yes(self, payload: Any, line: Line, *, remove: bool = False) -> bool:
        """Both have added the line, or taken it back; False where both have refused."""
        try:
            (self.ledger.remove if remove else self.ledger.add)(line)
        except Impossible:
            assert payload["userErrors"], (line, "was accepted")
            assert payload["userErrors"][0]["code"] in NO
            return False
        assert payload["userErrors"] == [], line
        return True

    @invariant()
    def everything_is_equal(self) -> None:
        account = self.api.data(STATE, account=self.account)["node"]
        assert Decimal(account["unallottedCash"]) == self.ledger.cash(ACCOUNT)
        portfolios = {portfolio["id"]: portfolio for portfolio in account["portfolios"]["nodes"]}
        ids = [row_id(id) for id in self.portfolios]
        lots, gains = type(self).rows(_LOTS, ids), type(self).rows(_GAINS, ids)
        for where, id in enumerate(self.portfolios):
            found = portfolios[id]
            assert Decimal(found["cashBalance"]) == self.ledger.cash(where)
            assert Decimal(found["reservedCash"]) == self.ledger.reserved_cash(where)
            positions = {position["symbol"]: position for position in found["positions"]["nodes"]}
            wanted = {symbol: self.ledger.holdings(symbol)[where] for symbol in self.symbols}
            for symbol, holding in wanted.items():
                reserved = self.ledger.reserved_shares(where, symbol)
                assert _of(ids[where], symbol, lots) == [(lot.quantity, lot.cost) for lot in holding.lots]
                assert _of(ids[where], symbol, gains) == holding.gains
                assert _figures(positions.get(symbol)) == _wanted(holding, reserved)
            # What closed positions gained is part of this, although they are not shown.
            assert Decimal(found["realizedPnl"]) == sum(holding.gained[0] for holding in wanted.values())
            assert Decimal(found["fifo"]) == sum(holding.gained[1] for holding in wanted.values())


def _figures(position: Any) -> dict[str, Decimal] | None:
    """A position's figures, all but its symbol."""
    if position is None:
        return None
    return {name: Decimal(value) for name, value in position.items() if name != "symbol"}


def _wanted(holding: Holding, reserved: Decimal) -> dict[str, Decimal] | None:
    """What the position of a holding must show; nothing where it is closed."""
    if not holding.quantity:
        return None
    return {
        "quantity": holding.quantity,
        "reservedQuantity": reserved,
        "averageCost": rounded(holding.cost / holding.quantity),
        "costBasis": holding.cost,
        "realizedPnl": holding.gained[0],
        "fifo": holding.gained[1],
    }


def _of(portfolio_id: UUID, symbol: str, rows: list[tuple[Any, ...]]) -> list[Any]:
    return [row[2:] for row in rows if row[:2] == (portfolio_id, symbol)]


def _instant(day: int) -> str:
    """An instant of the past for the n-th day, months of 28 days."""
    years, rest = divmod(day, 28 * 12)
    return f"{2010 + years}-{rest // 28 + 1:02}-{rest % 28 + 1:02}T12:00:00Z"


@pytest.mark.parametrize(
    ("examples", "steps"),
    [
        pytest.param(8, 25, id="short"),
        pytest.param(2_000, 50, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
    ],
)
def test_the_server_is_the_plain_ledger(
    register: Callable[[], Api], market: Market, superuser_url: str, examples: int, steps: int
) -> None:
    class Machine(Trading):
        pass

    Machine.register, Machine.market = staticmethod(register), market
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=examples < 100,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    with reading(superuser_url) as rows:
        Machine.rows = staticmethod(rows)
        run_state_machine_as_test(Machine, settings=chosen)
