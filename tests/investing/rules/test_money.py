"""Rounding: once, exactly where PostgreSQL rounds, whatever the number of digits and whichever thread."""

import asyncio
import threading
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from investing.rules.money import (
    PLACES,
    QUANTITY_PLACES,
    has_places,
    part_of_total,
    product,
    quantity_for,
    quotient,
    share,
)

D = Decimal
LARGEST = "999999999999999999"
quantities = st.decimals(QUANTITY_PLACES, LARGEST, places=18)
amounts = st.decimals(PLACES, LARGEST, places=10)


def rounded(exact: Fraction, places: int) -> Fraction:
    """Halves away from zero; what is rounded here is above it."""
    return Fraction(int(exact * 10**places + Fraction(1, 2)), 10**places)


@settings(max_examples=50, derandomize=True, database=None)
@given(quantities, amounts, quantities)
def test_one_rounding_of_what_is_exact(quantity: Decimal, amount: Decimal, whole: Decimal) -> None:
    """38 digits by 28 and by 38, against fractions that lose nothing."""
    a, q, w = Fraction(amount), Fraction(quantity), Fraction(whole)
    assert Fraction(product(quantity, amount)) == rounded(q * a, 10)
    assert Fraction(quotient(amount, whole)) == rounded(a / w, 10)
    assert Fraction(share(amount, quantity, whole)) == rounded(a * q / w, 10)
    assert Fraction(share(whole, quantity, amount, QUANTITY_PLACES)) == rounded(w * q / a, 18)
    assert Fraction(quantity_for(amount, whole)) == Fraction(int(a / w * 10**18), 10**18)


@settings(max_examples=30, derandomize=True, database=None)
@given(st.lists(st.tuples(quantities, amounts), min_size=1, max_size=20))
def test_parts_of_a_total_add_up_to_it(trades: list[tuple[Decimal, Decimal]]) -> None:
    total, parts = D(0), []
    for quantity, price in trades:
        parts.append(part_of_total(total, quantity * price))
        total += quantity * price
    exact = sum((Fraction(q) * Fraction(p) for q, p in trades), Fraction(0))
    assert Fraction(sum(parts)) == rounded(exact, 10)


def test_the_smallest_there_are() -> None:
    assert product(D("0.000000000000000001"), D(50000000)) == D("0.0000000001")
    assert product(D("0.000000000000000001"), D(49999999)) == 0
    assert has_places(D("1.10000000000000"))
    assert not has_places(D("0.00000000001"))
    assert has_places(D("0.000000000000000001"), QUANTITY_PLACES)
    assert not has_places(D("0.0000000000000000001"), QUANTITY_PLACES)


def test_sums_are_exact_in_every_thread_and_task() -> None:
    """36 digits, where Python's own 28 would lose the last eight."""
    one, smallest = D(LARGEST), D("0.000000000000000001")
    found: list[Decimal] = []

    def add() -> None:
        found.append(one + smallest)

    async def in_tasks() -> None:
        await asyncio.gather(asyncio.to_thread(add), asyncio.get_running_loop().run_in_executor(None, add))
        add()

    thread = threading.Thread(target=add)
    thread.start()
    thread.join()
    asyncio.run(in_tasks())
    assert found == [D("999999999999999999.000000000000000001")] * 4
