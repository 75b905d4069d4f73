"""Lots by hand: what each entry does to them, and taking it back exactly."""

import copy
import datetime as dt
from dataclasses import replace
from decimal import Decimal as D
from uuid import UUID

import pytest

from db.vocabulary import TransactionType
from investing.rules.errors import InsufficientShares, InvalidInput
from investing.rules.trading.ledger import Entry, Holding, Moved, Posting, post, take_back
from investing.rules.trading.lots import LotChange, LotKey


def entry(number: int, type: TransactionType, quantity: str, amount: str = "0", fee: str = "0") -> Entry:
    """The entry of so many days after the first of January, whose id is that number too."""
    return Entry(
        id=UUID(int=number),
        type=type,
        executed_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=number),
        amount=D(amount),
        commission=D(fee),
        quantity=D(quantity),
        split_for=D(2) if type is TransactionType.SPLIT else None,
        of_shares=True,
    )


def left(holding: Holding) -> list[tuple[int, D, D]]:
    """The open lots: the purchase's number, quantity and cost."""
    return [(lot.transaction_id.int, lot.quantity, lot.cost) for lot in holding.lots]


@pytest.fixture
def holding() -> Holding:
    """10 shares for 100, and 10 for 201 with the fee: 15.05 on average."""
    made = Holding()
    post(made, entry(1, TransactionType.BUY, "10", "100"))
    post(made, entry(2, TransactionType.BUY, "10", "200", "1"))
    return made


def test_a_sale_counts_its_gain_by_both_methods(holding: Holding) -> None:
    posting = post(holding, entry(3, TransactionType.SELL, "15", "301", "1"))
    assert (posting.cash_delta, posting.quantity_delta, posting.cost_delta) == (D(300), D(-15), D("-225.75"))
    # On average 300 - 15 x 15.05; first in first out 300 - (100 + 5 x 20.1).
    assert (posting.realized_pnl, posting.realized_pnl_fifo) == (D("74.25"), D("99.5"))
    assert [(use.lot, use.quantity_delta, use.cost_delta, use.gain) for use in posting.uses] == [
        (LotKey(UUID(int=1)), D(-10), D(-100), D(100)),
        (LotKey(UUID(int=2)), D(-5), D("-100.5"), D("-0.5")),
    ]
    assert left(holding) == [(2, D(5), D("100.5"))]
    assert (holding.quantity, holding.cost) == (D(5), D("75.25"))


def test_gains_of_lots_add_up_to_the_last_digit() -> None:
    holding = Holding()
    for number in (1, 2, 3):
        post(holding, entry(number, TransactionType.BUY, "1", "1"))
    posting = post(holding, entry(4, TransactionType.SELL, "3", "10"))
    assert [use.gain for use in posting.uses] == [D("2.3333333333"), D("2.3333333333"), D("2.3333333334")]
    assert posting.realized_pnl_fifo == posting.realized_pnl == D(7)


def test_a_split_is_taken_back_exactly() -> None:
    holding = Holding()
    post(holding, entry(1, TransactionType.BUY, "0.333333333333333333", "1"))
    post(holding, entry(2, TransactionType.BUY, "0.000000000000000001", "1"))
    before = copy.deepcopy(holding)
    posting = post(holding, entry(3, TransactionType.SPLIT, "3"))
    # 0.333333333333333334 x 3 / 2 is 0.500000000000000001 as a whole; the lots alone, 0.4999999999999999995
    # and 0.0000000000000000015, both go up, and the larger one gives back what that is too much. No ratio
    # leads back from there.
    assert left(holding) == [(1, D("0.499999999999999999"), D(1)), (2, D("0.000000000000000002"), D(1))]
    assert posting.quantity_delta == D("0.166666666666666667")
    take_back(holding, [(UUID(int=3), posting)])
    assert holding == before


def split(number: int, new: str, old: str, *, automatic: bool = False) -> Entry:
    """A split of `new` shares for every `old` ones."""
    made = entry(number, TransactionType.SPLIT, new)
    return replace(made, split_for=D(old), is_automatic=automatic)


def test_a_reverse_split_makes_no_fractions_of_whole_shares() -> None:
    holding = Holding()
    for number in (1, 2, 3):
        post(holding, entry(number, TransactionType.BUY, "1", "10"))
    posting = post(holding, split(4, "1", "3"))
    # 3 shares 1 for 3 are 1: two lots of a third, rounded down, and one more digit for the oldest.
    assert (holding.quantity, posting.quantity_delta, holding.cost) == (D(1), D(-2), D(30))
    assert [lot.quantity for lot in holding.lots] == [
        D("0.333333333333333334"),
        D("0.333333333333333333"),
        D("0.333333333333333333"),
    ]
    post(holding, split(5, "3", "1"))
    assert holding.quantity == D(3)
    assert sum(lot.quantity for lot in holding.lots) == D(3)


def test_seven_for_seven_and_uneven_lots_come_back_whole() -> None:
    holding = Holding()
    for number, quantity in enumerate(("5", "1", "8"), 1):
        post(holding, entry(number, TransactionType.BUY, quantity, "10"))
    post(holding, split(4, "1", "7"))
    assert holding.quantity == D(2)
    post(holding, split(5, "7", "1"))
    assert holding.quantity == sum(lot.quantity for lot in holding.lots) == D(14)


def test_cash_in_lieu_sells_what_a_reverse_split_leaves_of_a_share() -> None:
    holding = Holding()
    post(holding, entry(1, TransactionType.BUY, "4", "12"))
    post(holding, split(2, "1", "3"))
    assert holding.quantity == D("1.333333333333333333")
    posting = post(holding, entry(3, TransactionType.SELL, "0.333333333333333333", "3"))
    # A quarter of the cost of 12 leaves with a quarter of the shares.
    assert (holding.quantity, posting.cost_delta, posting.realized_pnl) == (D(1), D(-3), D(0))


def test_an_automatic_split_of_nothing_does_nothing() -> None:
    holding = Holding()
    assert post(holding, split(1, "4", "1", automatic=True)) == Posting(D(0), D(0))
    post(holding, entry(2, TransactionType.BUY, "0.000000000000000001", "1"))
    # A hundredth of the smallest part of a share would be nothing, with a cost: the holding stays.
    assert post(holding, split(3, "1", "100", automatic=True)) == Posting(D(0), D(0))
    assert left(holding) == [(2, D("0.000000000000000001"), D(1))]


def test_a_sale_and_a_purchase_are_taken_back_together(holding: Holding) -> None:
    before = copy.deepcopy(holding)
    posted: list[tuple[UUID, Posting]] = []
    for later in (
        entry(3, TransactionType.SELL, "10", "150"),
        entry(4, TransactionType.BUY, "4", "50"),
        entry(5, TransactionType.SELL, "12", "180"),
    ):
        posted.append((later.id, post(holding, later)))
    assert left(holding) == [(4, D(2), D(25))]
    used_up = [lot for lot in before.lots if lot.transaction_id.int in (1, 2)]

    holding.lots += [replace(lot, quantity=D(0), cost=D(0)) for lot in used_up]
    take_back(holding, posted)
    assert holding == before


def test_moved_shares_keep_age_and_cost(holding: Holding) -> None:
    out = post(holding, entry(3, TransactionType.TRANSFER_OUT, "12"))
    assert out.cost_delta == D("-180.6")
    target = Holding()
    post(target, entry(2, TransactionType.BUY, "1", "7"))
    into = post(target, entry(4, TransactionType.TRANSFER_IN, "12"), Moved.by(out))
    assert (into.quantity_delta, into.cost_delta, into.cash_delta) == (D(12), D("180.6"), D(0))
    # By age: of the first day, of the second by the purchase's id, and of the second as it was moved.
    assert left(target) == [(4, D(10), D(100)), (2, D(1), D(7)), (4, D(2), D("40.2"))]
    assert [lot.number for lot in target.lots] == [0, 0, 1]
    assert target.cost + holding.cost == D(308)


def test_what_cannot_be(holding: Holding) -> None:
    before = copy.deepcopy(holding)
    with pytest.raises(InsufficientShares, match=r"^21 shares are needed on 2020-01-10, 20 are held\.$"):
        post(holding, entry(9, TransactionType.SELL, "21"))
    with pytest.raises(InvalidInput, match=r"^Nothing was held on 2020-01-10 that a split could change\.$"):
        post(Holding(), entry(9, TransactionType.SPLIT, "3"))
    with pytest.raises(InvalidInput, match=r"^The split would leave nothing of a lot"):
        post(holding, entry(9, TransactionType.SPLIT, "0.00000000000000000001"))
    assert holding == before


def test_a_use_is_a_value() -> None:
    use = LotChange(LotKey(UUID(int=1)), dt.datetime(2020, 1, 1, tzinfo=dt.UTC), D(-1), D("-1.0"))
    assert use == LotChange(LotKey(UUID(int=1), 0), dt.datetime(2020, 1, 1, tzinfo=dt.UTC), D("-1.0"), D(-1))
