"""Splits by hand: prices of one day for shares of another, orders and levels, and which two are the same."""

import datetime as dt
from decimal import Decimal as D
from uuid import UUID

import pytest

from db.vocabulary import OrderSide, PriceBasis
from investing.rules.errors import InvalidInput
from investing.rules.trading.splits import (
    RestingOrder,
    SplitRatio,
    automatic_id,
    check_split,
    close_on,
    order_after,
    restated,
)


def day(number: int) -> dt.date:
    """A day of January 2024."""
    return dt.date(2024, 1, number)


FOUR = SplitRatio(day(10), D(4), D(1))
REVERSE = SplitRatio(day(20), D(1), D(3))


def test_a_price_follows_every_split_between_two_days() -> None:
    both = [REVERSE, FOUR]
    assert restated(D(30), both, day(9), day(9)) == D(30)
    # On the ex-date itself a share is a new one.
    assert restated(D(30), both, day(9), day(10)) == D("7.5")
    assert restated(D(30), both, day(10), day(19)) == D(30)
    # 30 / 4 x 3, and back.
    assert restated(D(30), both, day(9), day(20)) == D("22.5")
    assert restated(D("22.5"), both, day(20), day(9)) == D(30)
    assert restated(D(1), [SplitRatio(day(10), D(3), D(2))], day(1), day(30)) == D("0.666666666666666667")


@pytest.mark.parametrize(
    ("basis", "bar", "wanted", "expected"),
    [
        # A raw close of 33.36 the day before 4:1 is 8.34 of the day after; never anything on its own day.
        (PriceBasis.RAW, 9, 9, "33.36"),
        (PriceBasis.RAW, 9, 15, "8.34"),
        (PriceBasis.RAW, 15, 9, "133.44"),
        # An adjusted close is for a share of day 15, the newest: of day 9 it is four times that.
        (PriceBasis.SPLIT_ADJUSTED, 9, 9, "133.44"),
        (PriceBasis.SPLIT_ADJUSTED, 9, 15, "33.36"),
        (PriceBasis.ADJUSTED, 9, 12, "33.36"),
        # The split of day 20 is later than the series: its closes know nothing of it.
        (PriceBasis.ADJUSTED, 15, 25, "100.08"),
    ],
)
def test_a_close_by_what_its_series_is_adjusted_for(
    basis: PriceBasis, bar: int, wanted: int, expected: str
) -> None:
    assert close_on(D("33.36"), basis, [FOUR, REVERSE], day(bar), day(15), day(wanted)) == D(expected)


def test_the_same_split_is_known_by_its_ratio_and_seven_days() -> None:
    assert FOUR.is_same(day(17), D(8), D(2))
    assert FOUR.is_same(day(3), D(4), D(1))
    assert not FOUR.is_same(day(18), D(4), D(1))
    assert not FOUR.is_same(day(10), D(1), D(4))


def bought(
    quantity: str, limit: str | None, filled: str = "0", side: OrderSide = OrderSide.BUY
) -> RestingOrder:
    """An open order."""
    return RestingOrder(side, D(quantity), D(filled), None if limit is None else D(limit), None)


def test_an_open_order_follows() -> None:
    assert order_after(bought("100", "30"), FOUR, whole_shares=False) == bought("400", "7.5")
    # 40 are traded and stay 40: 60 more old ones are 240.
    assert order_after(bought("100", "30", "40"), FOUR, whole_shares=False) == bought("280", "7.5", "40")
    # A buyer's limit goes down at the tenth place and a seller's up, so that 10 / 3 x 3 is not above 10.
    three = SplitRatio(day(10), D(3), D(1))
    assert order_after(bought("1", "20"), three, whole_shares=True) == bought("3", "6.6666666666")
    sold = order_after(bought("1", "20", side=OrderSide.SELL), three, whole_shares=True)
    assert sold == bought("3", "6.6666666667", side=OrderSide.SELL)


def test_an_order_that_may_not_be_what_a_split_makes_of_it_ends() -> None:
    assert order_after(bought("4", "10"), REVERSE, whole_shares=False) == bought("1.333333333333333333", "30")
    assert order_after(bought("4", "10"), REVERSE, whole_shares=True) is None
    assert order_after(bought("4.5", "10"), REVERSE, whole_shares=True) == bought("1.5", "30")
    assert order_after(bought("0.000000000000000001", "10"), REVERSE, whole_shares=False) is None
    assert order_after(bought("1", "0.0000000001"), FOUR, whole_shares=False) is None


def test_an_automatic_entry_has_one_id_and_sorts_first() -> None:
    ids = [automatic_id(UUID(int=n), UUID(int=7), day(10)) for n in range(100)]
    assert len(set(ids)) == 100
    assert automatic_id(UUID(int=5), UUID(int=7), day(10)) == ids[5]
    assert {id.version for id in ids} == {7}
    assert max(ids) < UUID("018cc000-0000-7000-8000-000000000000")


@pytest.mark.parametrize(
    ("quantity", "split_for", "field"),
    [("0", "1", "quantity"), ("2", "-1", "splitFor"), ("2", "2", "quantity"), ("NaN", "1", "quantity"),
     ("10001", "1", "quantity"), ("1.00000000001", "1", "quantity")],
)  # fmt: skip
def test_a_ratio_that_is_none(quantity: str, split_for: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_split(SplitRatio(day(1), D(quantity), D(split_for)))
    assert refused.value.field == (field,)
