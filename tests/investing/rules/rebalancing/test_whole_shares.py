"""Whole shares: the plan that comes nearest to its targets of all that the cash pays for."""

import datetime as dt
import itertools
import random
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from db.vocabulary import SkipReason, Strategy
from investing.rules.money import product
from investing.rules.rebalancing.nearest import Option, nearest
from investing.rules.rebalancing.planning import make_plan
from investing.rules.rebalancing.plans import ZERO, CurrentHolding, Plan, PlanRules
from investing.rules.trading.lots import TaxLot
from investing.rules.trading.orders import BrokerFees

D = Decimal
FREE = BrokerFees()


def held(prices: Sequence[str], quantities: Sequence[str] = ()) -> list[CurrentHolding]:
    """AAA, BBB and so on at these prices, and what is held of each, nothing if left out."""
    owned = [*quantities, *["0"] * (len(prices) - len(quantities))]
    return [
        CurrentHolding(chr(65 + n) * 3, UUID(int=n + 1), D(quantity), D(price), lots=lots(quantity))
        for n, (price, quantity) in enumerate(zip(prices, owned, strict=True))
    ]


def lots(quantity: str) -> tuple[TaxLot, ...]:
    """One lot that has cost nothing."""
    bought = dt.datetime(2020, 1, 2, tzinfo=dt.UTC)
    return (TaxLot(UUID(int=1), bought, D(quantity), ZERO),) if D(quantity) else ()


def plan(
    holdings: Sequence[CurrentHolding],
    weights: Sequence[str],
    cash: str,
    fees: BrokerFees = FREE,
    **rules: object,
) -> Plan:
    """The plan in whole shares towards these weights of AAA, BBB and so on."""
    wanted = {one.symbol: D(weight) for one, weight in zip(holdings, weights, strict=True)}
    settings = PlanRules(fees=fees, fractional=False, **rules)  # type: ignore[arg-type]
    return make_plan(Strategy.CUSTOM, wanted, holdings, D(cash), ZERO, settings)


def moves(made: Plan) -> dict[str, int]:
    """Shares by symbol, those sold below zero."""
    return {t.symbol: int(t.quantity) if t.side == "BUY" else -int(t.quantity) for t in made.trades}


THIRDS = ["0.3333333333"] * 3


def test_thirds() -> None:
    """1000.03 in thirds: 333.7 + 334.11 + 303.03 = 970.84 leaves 29.19, where rounding down leaves 70.33."""
    made = plan(held(["33.37", "7.77", "101.01"]), THIRDS, "1000.03")
    assert moves(made) == {"AAA": 10, "BBB": 43, "CCC": 3}
    assert made.cash_after == D("29.19")


@pytest.mark.parametrize(
    ("prices", "owned", "weights", "cash", "fees", "expected", "left"),
    [
        # 50 each: one of 52 costs two of the others. |48 - 50| + |52 - 50| = 4, where 50 stay idle else.
        (["1", "52"], [], ["0.5", "0.5"], "100", FREE, {"AAA": 48, "BBB": 1}, "0"),
        # Ten at 10 and no cash: a sixth one is sold to buy one at 52. |40 - 50| + |52 - 50| = 12, not 50.
        (["10", "52"], ["10"], ["0.5", "0.5"], "0", FREE, {"AAA": -6, "BBB": 1}, "8"),
        # A commission of 1 on either, and 51 has to be there as well as 48 + 1: 47 it is.
        (["1", "51"], [], ["0.5", "0.5"], "100", BrokerFees(D(1)), {"AAA": 47, "BBB": 1}, "0"),
        # 1 % slippage: 49 x 1.01 + 50 x 1.01 = 99.99, and 50 x 1.01 twice is too much.
        (
            ["1", "1"],
            [],
            ["0.5", "0.5"],
            "100",
            BrokerFees(slippage=D("0.01")),
            {"AAA": 49, "BBB": 50},
            "0.01",
        ),
        # Exactly half a share too much or too little: the larger investment, where cash is there.
        (["10"], [], ["0.25"], "100", FREE, {"AAA": 3}, "70"),
        (["10"], ["10"], ["0.25"], "0", FREE, {"AAA": -7}, "70"),
        # All of it, but for the part of a share that nobody trades here.
        (["10"], ["2.5"], ["0"], "0", FREE, {"AAA": -2}, "20"),
        # A tenth of a share is none.
        (["1000"], [], ["0.1"], "1000", FREE, {}, "1000"),
    ],
)
def test_by_hand(
    prices: list[str],
    owned: list[str],
    weights: list[str],
    cash: str,
    fees: BrokerFees,
    expected: dict[str, int],
    left: str,
) -> None:
    made = plan(held(prices, owned), weights, cash, fees)
    assert moves(made) == expected
    assert made.cash_after == D(left)


def test_why_not() -> None:
    made = plan(held(["1000", "30", "40"]), ["0.1", "0.4", "0.5"], "50")
    # One at 40 is nearest: |0 - 5| + |0 - 20| + |40 - 25| = 40; one at 30 makes 5 + 10 + 25 = 40 as well, and
    # invests less.
    assert moves(made) == {"CCC": 1}
    assert {one.symbol: one.reason for one in made.skipped} == {
        "AAA": SkipReason.LESS_THAN_A_SHARE,
        "BBB": SkipReason.NO_CASH,
    }
    worthless = plan(held(["0", "30"], ["5"]), ["0.5", "0.5"], "60")
    assert moves(worthless) == {"BBB": 1}
    assert [(one.symbol, one.reason) for one in worthless.skipped] == [("AAA", SkipReason.WORTHLESS)]
    # What is worth nothing already has the weight that it is to have.
    assert plan(held(["0"], ["5"]), ["0"], "60").skipped == ()


def test_limits_hold_in_whole_shares() -> None:
    """Nearest is four of 26 %; none may be larger than a quarter, or be traded by more than a fifth."""
    holdings = held(["26", "26", "26", "26"])
    quarters = ["0.25"] * 4
    assert moves(plan(holdings, quarters, "100")) == {"AAA": 1, "BBB": 1, "CCC": 1}
    assert moves(plan(holdings, quarters, "100", max_position_size=D("0.25"))) == {}
    assert moves(plan(holdings, quarters, "105", max_trade=D("0.2"))) == {}
    # One is too small a trade; two of each of two are nearer than nothing at all, and three are not.
    assert moves(plan(holdings, quarters, "105", minimum_trade=D(27))) == {"AAA": 2, "BBB": 2}
    assert moves(plan(holdings, quarters, "105", minimum_trade=D(53))) == {}


def test_a_cheap_share_gives_way_by_as_many_as_it_takes() -> None:
    """500 each at 0.01 and 900, a commission of 1 on either order: with one at 900 there is 1000 - 901 - 1 =
    98 for the other. |900 - 500| + |98 - 500| = 802 is further off than the 500 of having none.

    With 300 and 700 it is 200 + 202, nearer than 700: 30,000 shares become 9,800.
    """
    made = plan(held(["0.01", "900"]), ["0.5", "0.5"], "1000", BrokerFees(D(1)))
    assert moves(made) == {"AAA": 50000}
    made = plan(held(["0.01", "900"]), ["0.3", "0.7"], "1000", BrokerFees(D(1)))
    assert moves(made) == {"AAA": 9800, "BBB": 1}
    assert made.cash_after == 0


def every_plan(
    made: Plan, holdings: Sequence[CurrentHolding], cash: Decimal, fees: BrokerFees
) -> Iterator[list[Decimal]]:
    """[sum of misses, what is sold less what is bought] of every plan that cash pays for."""
    gaps = {target.symbol: target.target_weight * made.value for target in made.targets}
    ranges = []
    for one in holdings:
        gap = product(gaps[one.symbol], D(1)) - product(one.quantity, one.price)
        most = int(gap / one.price) + 1 if gap > 0 else int(one.quantity)
        ranges.append([(gap, one, n if gap > 0 else -n) for n in range(most + 1)])
    for chosen in itertools.product(*ranges):
        spent = misses = invested = ZERO
        for gap, one, n in chosen:
            price = one.price * (1 + (fees.slippage if n > 0 else -fees.slippage))
            commission = fees.commission_per_order if n else ZERO
            if n and abs(n) * price <= commission:
                break
            spent += n * price + commission
            misses += abs(gap - n * one.price)
            invested += n * one.price
        else:
            if spent <= cash:
                yield [misses, -invested]


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(
    st.lists(
        st.tuples(
            st.decimals("3", "90", places=2), st.integers(0, 4), st.sampled_from(["0", "0.2", "0.3", "0.5"])
        ),
        min_size=1,
        max_size=3,
    ),
    st.decimals("0", "150", places=2),
    st.sampled_from([FREE, BrokerFees(D(1)), BrokerFees(D("0.5"), slippage=D("0.01"))]),
)
def test_no_plan_is_nearer(given: list[tuple[Decimal, int, str]], cash: Decimal, fees: BrokerFees) -> None:
    holdings = held([str(price) for price, _, _ in given], [str(quantity) for _, quantity, _ in given])
    assume(cash + sum(one.quantity * one.price for one in holdings) > 0)
    weights = [weight for _, _, weight in given]
    assume(sum(map(D, weights)) <= 1)
    made = plan(holdings, weights, str(cash), fees)
    holdings = [one for one in holdings if one.symbol in {target.symbol for target in made.targets}]
    after = moves(made)
    assert made.cash_after >= 0
    targets = {target.symbol: product(target.target_weight, made.value) for target in made.targets}
    ours = [
        sum(
            (
                abs((one.quantity + after.get(one.symbol, 0)) * one.price - targets[one.symbol])
                for one in holdings
            ),
            ZERO,
        ),
        -sum((after.get(one.symbol, 0) * one.price for one in holdings), ZERO),
    ]
    assert ours == min(every_plan(made, holdings, cash, fees))


@settings(max_examples=100, derandomize=True, deadline=None, database=None)
@given(
    st.lists(
        st.lists(st.tuples(*[st.integers(-9, 30)] * 3, st.integers(0, 3)), min_size=1, max_size=4),
        min_size=1,
        max_size=5,
    ),
    st.integers(-10, 60),
)
def test_the_best_of_any_options(given: list[list[tuple[int, int, int, int]]], cash: int) -> None:
    """Also of options that have nothing to do with each other: nothing is taken for granted."""
    choices = [
        [
            Option(D(n), spent, abs(misses), worth, strays)
            for n, (spent, misses, worth, strays) in enumerate(one)
        ]
        for one in given
    ]

    def score(chosen: Sequence[Option]) -> tuple[int, int, int]:
        return (
            sum(one.misses for one in chosen),
            -sum(one.worth for one in chosen),
            sum(one.strays for one in chosen),
        )

    fitting = [score(some) for some in itertools.product(*choices) if sum(one.cash for one in some) <= cash]
    if not fitting:
        with pytest.raises(ValueError, match="no options fit"):
            nearest(choices, cash)
        return
    found = nearest(choices, cash)
    assert sum(one.cash for one in found) <= cash
    assert score(found) == min(fitting)


@pytest.mark.parametrize("seed", range(3))
def test_three_hundred_holdings(seed: int) -> None:
    """Quickly, and nearer than by rounding down what each has of the cash after its commission."""
    dice = random.Random(seed)
    prices = [f"{dice.uniform(5, 900):.2f}" for _ in range(300)]
    holdings = [CurrentHolding(f"S{n}", UUID(int=n + 1), ZERO, D(price)) for n, price in enumerate(prices)]
    weights = [str(D(1) / 300)[:12]] * 300
    begun = time.process_time()
    made = plan(holdings, weights, "1000000", BrokerFees(D("0.35")))
    assert time.process_time() - begun < 5
    assert made.cash_after >= 0
    goal = D(weights[0]) * 1000000
    bought = {trade.symbol: trade.quantity for trade in made.trades}
    misses = sum(abs(bought.get(one.symbol, ZERO) * one.price - goal) for one in holdings)
    # Rounding to the nearest is the least there can be; rounding down misses half a share more of many.
    least = sum(min(goal % one.price, one.price - goal % one.price) for one in holdings)
    assert least <= misses < least * D("1.02")
