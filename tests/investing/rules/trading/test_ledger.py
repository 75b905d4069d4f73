"""The ledger: exact figures by hand, and any history at all against a plain model of it."""

import datetime as dt
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.ids import uuid7
from db.vocabulary import TransactionType
from investing.rules.errors import InsufficientShares, InvalidInput
from investing.rules.trading.ledger import ZERO, Entry, Holding, Posting, post, post_cash

D = Decimal
DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
T = TransactionType


def entry(type: TransactionType, quantity: str | None = None, amount: str = "0", **facts: str) -> Entry:
    """An entry of shares."""
    given: dict[str, Any] = {name: D(value) for name, value in facts.items()}
    return Entry(
        id=uuid7(),
        type=type,
        executed_at=DAY,
        amount=D(amount),
        quantity=None if quantity is None else D(quantity),
        of_shares=quantity is not None,
        **given,
    )


def posted(*entries: Entry) -> tuple[Holding, list[Posting]]:
    """A holding after some entries, and what each did."""
    holding = Holding()
    return holding, [post(holding, entry) for entry in entries]


def bare(posting: Posting) -> Posting:
    """Its deltas and gains alone; what it did to lots has tests of its own."""
    return replace(posting, uses=(), opened=())


def figures(*numbers: str) -> tuple[Decimal, ...]:
    """Exact numbers."""
    return tuple(map(D, numbers))


def lots(holding: Holding) -> list[tuple[Decimal, ...]]:
    """Quantity and cost of each lot."""
    return [(lot.quantity, lot.cost) for lot in holding.lots]


def test_buying_fees_join_the_cost_and_selling_fees_leave_the_gain() -> None:
    holding, (bought, sold) = posted(
        entry(T.BUY, "10", "100", commission="1"), entry(T.SELL, "4", "60", commission="0.5")
    )
    assert bare(bought) == Posting(D("-101"), D(10), cost_delta=D(101))
    assert bare(sold) == Posting(D("59.5"), D(-4), D("19.1"), D("-40.4"), D("19.1"))
    assert (holding.quantity, holding.cost, holding.realized_pnl) == figures("6", "60.6", "19.1")
    assert lots(holding) == [figures("6", "60.6")]


def test_average_cost_and_lots_first_in_first_out() -> None:
    holding, postings = posted(entry(T.BUY, "1", "10"), entry(T.BUY, "2", "50"), entry(T.SELL, "2", "80"))
    assert postings[-1].realized_pnl == 40
    assert (holding.quantity, holding.cost) == figures("1", "20")
    assert lots(holding) == [figures("1", "25")]


def test_a_closed_position_costs_nothing_to_the_last_digit() -> None:
    third = entry(T.SELL, "1", "0")
    holding, postings = posted(entry(T.BUY, "3", "10"), third, third, third)
    costs = [-(posting.realized_pnl or D(0)) for posting in postings[1:]]
    assert costs == [D("3.3333333333"), D("3.3333333334"), D("3.3333333333")]
    assert (holding.quantity, holding.cost) == figures("0", "0")
    assert holding.lots == []


def test_shares_transferred_carry_their_cost_and_move_no_cash() -> None:
    holding, (into, out) = posted(
        entry(T.TRANSFER_IN, "10", "70", commission="2"), entry(T.TRANSFER_OUT, "5", commission="1")
    )
    assert bare(into) == Posting(D(-2), D(10), cost_delta=D(70))
    assert bare(out) == Posting(D(-1), D(-5), cost_delta=D(-35))
    assert (holding.cost, holding.realized_pnl) == figures("35", "0")


@pytest.mark.parametrize(
    ("new", "old", "quantities"),
    [("2", "1", ["6", "2"]), ("3", "2", ["4.5", "1.5"]), ("1", "10", ["0.3", "0.1"])],
)
def test_splits_change_lots_and_no_cost(new: str, old: str, quantities: list[str]) -> None:
    bought = entry(T.BUY, "3", "30"), entry(T.BUY, "1", "20")
    holding, postings = posted(*bought, entry(T.SPLIT, new, split_for=old))
    assert [quantity for quantity, _ in lots(holding)] == [D(text) for text in quantities]
    assert [cost for _, cost in lots(holding)] == [D(30), D(20)]
    assert holding.quantity == sum(D(text) for text in quantities)
    assert bare(postings[-1]) == Posting(D(0), holding.quantity - 4)


def test_what_is_refused() -> None:
    holding, _ = posted(entry(T.BUY, "1.50", "10"))
    with pytest.raises(InsufficientShares) as refused:
        post(holding, entry(T.SELL, "2.0", "10"))
    assert str(refused.value) == "2 shares are needed on 2024-01-01, 1.5 are held."
    assert (refused.value.shortfall, refused.value.on_date) == (D("0.5"), DAY.date())
    assert (holding.quantity, holding.cost) == figures("1.5", "10")
    assert lots(holding) == [figures("1.5", "10")]
    with pytest.raises(InvalidInput, match="Nothing was held"):
        post(Holding(), entry(T.SPLIT, "2", split_for="1"))
    with pytest.raises(InvalidInput, match="leave nothing of a lot"):
        post(holding, entry(T.SPLIT, "0.000000000000000001", split_for="1000"))
    with pytest.raises(InvalidInput, match="more than the ledger can hold"):
        post(holding, entry(T.TRANSFER_IN, "999999999999999999", "1"))


@pytest.mark.parametrize(
    ("type", "delta"),
    [
        (T.DEPOSIT, "9"),
        (T.DIVIDEND, "9"),
        (T.INTEREST, "9"),
        (T.TRANSFER_IN, "9"),
        (T.WITHDRAWAL, "-11"),
        (T.FEE, "-11"),
        (T.TAX, "-11"),
        (T.TRANSFER_OUT, "-11"),
    ],
)
def test_cash(type: TransactionType, delta: str) -> None:
    assert post_cash(entry(type, amount="10", commission="1")) == Posting(D(delta))


def rounded(value: Decimal, places: str = "1E-10") -> Decimal:
    """To ten places, halves away from zero, in a context of its own."""
    with localcontext(prec=100):
        return value.quantize(D(places), ROUND_HALF_UP)


@dataclass
class PlainDays:
    """The same as a beginner would write it: one pile with an average cost, one queue of lots."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    gained: Decimal = ZERO
    queue: list[list[Decimal]] = field(default_factory=list)

    def buy(self, quantity: Decimal, cost: Decimal) -> None:
        """More shares at this cost."""
        self.quantity, self.cost = self.quantity + quantity, self.cost + cost
        self.queue.append([quantity, cost])

    def sell(self, quantity: Decimal, proceeds: Decimal) -> None:
        """Fewer shares: the average cost goes, and the oldest lots."""
        with localcontext(prec=100):
            gone = self.cost if quantity == self.quantity else rounded(self.cost * quantity / self.quantity)
            self.quantity, self.cost = self.quantity - quantity, self.cost - gone
            self.gained += proceeds - gone
            while quantity > 0:
                held, cost = self.queue[0]
                if held <= quantity:
                    self.queue.pop(0)
                    quantity -= held
                else:
                    self.queue[0] = [held - quantity, cost - rounded(cost * quantity / held)]
                    quantity = D(0)

    def split(self, new: Decimal, old: Decimal) -> None:
        """Other shares at the same cost: rounded as a whole, and the largest lot takes the difference."""
        with localcontext(prec=100):
            after = [max(rounded(quantity * new / old, "1E-18"), D("1E-18")) for quantity, _ in self.queue]
            whole = rounded(self.quantity * new / old, "1E-18")
            after[after.index(max(after))] += whole - sum(after)
        self.queue = [[quantity, cost] for quantity, (_, cost) in zip(after, self.queue, strict=True)]
        self.quantity = whole


SIZE = st.decimals("0.000000000000000001", "1000000", places=18)
COST = st.decimals("0", "1000000", places=10)
STEP = st.one_of(
    st.tuples(st.just("buy"), SIZE, COST),
    st.tuples(st.just("sell"), st.decimals("0.0001", "1", places=4), COST),
    st.tuples(st.just("split"), st.sampled_from([D(2), D(3), D("1.5")]), st.sampled_from([D(1), D(2), D(7)])),
)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(st.lists(STEP, max_size=25))
def test_any_history_is_what_the_plain_model_says(steps: list[tuple[str, Decimal, Decimal]]) -> None:
    holding, plain = Holding(), PlainDays()
    for kind, first, second in steps:
        if kind == "buy":
            post(holding, entry(T.BUY, str(first), str(second)))
            plain.buy(first, second)
        elif kind == "sell":
            # A part of what is held, and often all of it.
            quantity = rounded(plain.quantity * min(first * 2, D(1)), "1E-18")
            if not quantity:
                continue
            post(holding, entry(T.SELL, str(quantity), str(second)))
            plain.sell(quantity, second)
        elif plain.queue and rounded(plain.quantity * first / second, "1E-18") >= len(plain.queue) * D(
            "1E-18"
        ):
            post(holding, entry(T.SPLIT, str(first), split_for=str(second)))
            plain.split(first, second)
        assert (holding.quantity, holding.cost) == (plain.quantity, plain.cost)
        assert holding.realized_pnl == plain.gained
        assert [list(lot) for lot in lots(holding)] == plain.queue
        assert sum(quantity for quantity, _ in lots(holding)) == holding.quantity
        assert holding.quantity or not (holding.cost or holding.lots)
