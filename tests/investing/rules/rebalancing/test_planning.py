"""Plans: from weights to trades, whatever is held and however it may be traded."""

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from db.vocabulary import OrderSide, SkipReason, Strategy
from investing.rules.errors import WorthNothing
from investing.rules.money import PLACES, product
from investing.rules.rebalancing.planning import is_in_band, make_plan
from investing.rules.rebalancing.plans import ONE, ZERO, CurrentHolding, Plan, PlanRules
from investing.rules.trading.lots import TaxLot
from investing.rules.trading.orders import BrokerFees

BOUGHT = dt.datetime(2020, 1, 2, tzinfo=dt.UTC)
SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE"]


def lots_of(parts: Sequence[tuple[Decimal, Decimal]]) -> tuple[TaxLot, ...]:
    """Lots of these quantities and costs, a day apart."""
    return tuple(
        TaxLot(UUID(int=number + 1), BOUGHT + dt.timedelta(days=number), quantity, cost)
        for number, (quantity, cost) in enumerate(parts)
    )


def held(
    symbol: str, quantity: str, price: str, *parts: tuple[str, str], reserved: str = "0", incoming: str = "0"
) -> CurrentHolding:
    """Something held, in one lot at its price or in the lots that are given."""
    shares, quote = Decimal(quantity), Decimal(price)
    lots = [(Decimal(q), Decimal(c)) for q, c in parts] or ([(shares, shares * quote)] if shares else [])
    return CurrentHolding(
        symbol=symbol,
        instrument_id=UUID(int=SYMBOLS.index(symbol) + 1),
        quantity=shares,
        price=quote,
        reserved=Decimal(reserved),
        incoming=Decimal(incoming),
        cost=sum((cost for _, cost in lots), ZERO),
        lots=lots_of(lots),
    )


def plan(
    weights: Mapping[str, str],
    holdings: Sequence[CurrentHolding],
    cash: str = "0",
    reserved_cash: str = "0",
    **rules: Any,
) -> Plan:
    """The plan of a CUSTOM portfolio; amounts in the rules may be texts."""
    given: dict[str, Any] = {
        name: Decimal(value) if isinstance(value, str) else value for name, value in rules.items()
    }
    return make_plan(
        Strategy.CUSTOM,
        {symbol: Decimal(weight) for symbol, weight in weights.items()},
        holdings,
        Decimal(cash),
        Decimal(reserved_cash),
        PlanRules(**given),
    )


def trades(made: Plan) -> list[tuple[str, str, Decimal]]:
    """Side, symbol and quantity of each trade."""
    return [(trade.side.value, trade.symbol, trade.quantity) for trade in made.trades]


def skipped(made: Plan) -> dict[str, SkipReason]:
    """The reasons by symbol."""
    return {one.symbol: one.reason for one in made.skipped}


def figures(text: str) -> tuple[Decimal, ...]:
    """Several decimals of one text."""
    return tuple(map(Decimal, text.split()))


def test_from_one_to_another_sells_first() -> None:
    holdings = [held("BBB", "10", "30", ("4", "80"), ("6", "240")), held("AAA", "0", "10")]
    made = plan(
        {"AAA": "0.5", "BBB": "0.4"}, holdings, "700", fees=BrokerFees(Decimal(1), ZERO, Decimal("0.01"))
    )
    assert made.value == 1000
    # 500 of AAA at 10, and BBB from 300 to 400.
    assert trades(made) == [("BUY", "AAA", Decimal(50)), ("BUY", "BBB", Decimal("3.333333"))]
    made = plan({"AAA": "0.8"}, holdings, "700", fees=BrokerFees(Decimal(1), ZERO, Decimal("0.01")))
    assert trades(made) == [("SELL", "BBB", Decimal(10)), ("BUY", "AAA", Decimal(80))]
    sale, purchase = made.trades
    assert (sale.estimated_price, sale.estimated_amount) == figures("29.7 297")
    # One of commission, and 0.3 of slippage on each of ten shares.
    assert (sale.commission, sale.estimated_cost, sale.cash_delta) == figures("1 4 296")
    assert (purchase.estimated_price, purchase.estimated_amount) == figures("10.1 808")
    assert (purchase.estimated_cost, purchase.cash_delta) == figures("9 -809")
    # Both lots cost 320 together: everything is sold, so that both methods agree.
    assert (sale.estimated_realized_pnl, sale.estimated_realized_pnl_fifo) == figures("-24 -24")
    assert (made.estimated_cost, made.cash_after) == figures("13 187")
    assert made.turnover == Decimal("1.105")
    assert (made.cash_weight, made.current_cash_weight) == figures("0.2 0.7")


def test_the_gain_of_a_part_is_told_both_ways() -> None:
    made = plan({"BBB": "0.5"}, [held("BBB", "10", "30", ("4", "80"), ("6", "240"))])
    (sale,) = made.trades
    assert (sale.side, sale.quantity) == (OrderSide.SELL, Decimal(5))
    # 150 for five: on average they cost 32 each, and first in first out 4 x 20 + 1 x 40.
    assert (made.estimated_realized_pnl, made.estimated_realized_pnl_fifo) == figures("-10 30")


def test_the_absolute_band_leaves_what_is_near() -> None:
    holdings = [held("AAA", "44", "10"), held("BBB", "56", "10")]
    assert trades(plan({"AAA": "0.5", "BBB": "0.5"}, holdings, drift_band="0.06")) == []
    made = plan({"AAA": "0.5", "BBB": "0.5"}, holdings, drift_band="0.06")
    assert skipped(made) == {"AAA": SkipReason.IN_BAND, "BBB": SkipReason.IN_BAND}
    made = plan({"AAA": "0.5", "BBB": "0.5"}, holdings, drift_band="0.0599")
    assert trades(made) == [("SELL", "BBB", Decimal(6)), ("BUY", "AAA", Decimal(6))]


def test_the_narrower_of_two_bands_counts() -> None:
    holdings = [held("AAA", "70", "10"), held("BBB", "6", "10"), held("CCC", "24", "10")]
    weights = {"AAA": "0.67", "BBB": "0.09", "CCC": "0.24"}
    assert trades(plan(weights, holdings, drift_band="0.05")) == []
    # A third of its target is missing of BBB, which is more than a quarter of it; AAA is 4.5 % off its own.
    made = plan(weights, holdings, drift_band="0.05", relative_drift_band="0.25")
    assert skipped(made) == {"AAA": SkipReason.IN_BAND, "BBB": SkipReason.NO_CASH}
    made = plan(weights, holdings, "1000", drift_band="0.05", relative_drift_band="0.25")
    assert [symbol for _, symbol, _ in trades(made)] == ["AAA", "BBB", "CCC"]


def test_cash_out_of_its_band_is_put_to_work() -> None:
    weights = dict.fromkeys(SYMBOLS, "0.2")
    # Each is missing a fifth, which is in its band of a quarter; cash is not.
    made = plan(weights, [held(symbol, "0", "10") for symbol in SYMBOLS], "1000", drift_band="0.25")
    assert trades(made) == [("BUY", symbol, Decimal(20)) for symbol in SYMBOLS]
    # Only what cash has too little of is sold, and not all that is above its target.
    holdings = [held("AAA", "53", "10"), held("BBB", "53", "10")]
    made = plan({"AAA": "0.45", "BBB": "0.45"}, holdings, "-60", drift_band="0.1")
    assert made.current_cash_weight == Decimal("-0.06")
    assert trades(made) == [("SELL", "AAA", Decimal(8)), ("SELL", "BBB", Decimal(8))]
    assert made.cash_after == 100


def test_cash_pays_for_everything_and_leaves_the_reserve() -> None:
    fees = BrokerFees(Decimal(2), Decimal("0.05"), Decimal("0.02"))
    holdings = [held("AAA", "0", "10"), held("BBB", "0", "7")]
    made = plan({"AAA": "0.5", "BBB": "0.5"}, holdings, "1000", "100", cash_reserve="0.1", fees=fees)
    assert [target.target_weight for target in made.targets] == [Decimal("0.45"), Decimal("0.45")]
    assert Decimal(200) <= made.cash_after < Decimal("200.001")
    whole = plan(
        {"AAA": "0.5", "BBB": "0.5"},
        holdings,
        "1000",
        "100",
        cash_reserve="0.1",
        fees=fees,
        fractional=False,
    )
    # Of 800 each has half: 38.8 and 55.4 shares. 39 and 55 cost 799.2, 39 and 56 would be more than 800.
    assert [trade.quantity for trade in whole.trades] == [39, 55]
    assert whole.cash_after == 1000 - (39 * Decimal("10.25") + 2) - (55 * Decimal("7.19") + 2)


def test_little_cash_goes_to_the_few_that_it_is_enough_for() -> None:
    holdings = [held("AAA", "100", "10"), held("BBB", "2", "90"), held("CCC", "1", "90")]
    made = plan({"AAA": "0.4", "BBB": "0.3", "CCC": "0.3"}, holdings, "100", fractional=False, buy_only=True)
    assert trades(made) == [("BUY", "CCC", Decimal(1))]
    assert skipped(made) == {"AAA": SkipReason.BUY_ONLY, "BBB": SkipReason.NO_CASH}


def test_buy_only_invests_the_cash_whatever_the_bands() -> None:
    holdings = [held("AAA", "60", "10"), held("BBB", "36", "10")]
    made = plan({"AAA": "0.5", "BBB": "0.5"}, holdings, "40", drift_band="0.2", buy_only=True)
    assert trades(made) == [("BUY", "BBB", Decimal(4))]
    assert trades(plan({"AAA": "0.5", "BBB": "0.5"}, holdings, "40", drift_band="0.2")) == []


def test_what_open_orders_trade_the_same_way_counts_as_traded() -> None:
    made = plan({"AAA": "0.5"}, [held("AAA", "20", "10", incoming="10")], "800")
    assert trades(made) == [("BUY", "AAA", Decimal(20))]
    made = plan({"AAA": "0.5"}, [held("AAA", "20", "10", incoming="30")], "800")
    assert skipped(made) == {"AAA": SkipReason.OPEN_ORDERS}
    made = plan({"AAA": "0.5"}, [held("AAA", "100", "10", reserved="20")])
    assert trades(made) == [("SELL", "AAA", Decimal(30))]
    made = plan(
        {"BBB": "0.5"}, [held("AAA", "100", "10", reserved="20"), held("BBB", "0", "10")], fractional=False
    )
    assert trades(made) == [("SELL", "AAA", Decimal(80)), ("BUY", "BBB", Decimal(50))]


def test_trades_that_are_not_worth_it() -> None:
    holdings = [held("AAA", "51", "10"), held("BBB", "49", "10")]
    even = {"AAA": "0.5", "BBB": "0.5"}
    assert skipped(plan(even, holdings, minimum_trade="10.01")) == {
        "AAA": SkipReason.BELOW_MINIMUM,
        "BBB": SkipReason.BELOW_MINIMUM,
    }
    assert set(skipped(plan(even, holdings, fees=BrokerFees(Decimal(10)))).values()) == {
        SkipReason.COSTS_TOO_MUCH
    }
    off = [held("AAA", "51", "20"), held("BBB", "50.5", "20")]
    assert skipped(plan(even, off, fractional=False))["BBB"] is SkipReason.LESS_THAN_A_SHARE


def test_next_to_nothing() -> None:
    """A target that is no amount any more has its reason, and a purchase on a loan that slows to none."""
    made = plan({"AAA": "0.000001"}, [held("AAA", "0", "0.01"), held("BBB", "0.000001", "0.01")], "0")
    assert skipped(made)["AAA"] is SkipReason.LESS_THAN_A_SHARE
    holdings = [held("AAA", "0", "0.01"), held("BBB", "5.388444", "799.91")]
    made = plan({"AAA": "0.000003"}, holdings, "-0.01", fractional=False, max_turnover="0.01")
    assert skipped(made)["AAA"] is SkipReason.TURNOVER_LIMIT


def test_limits_of_a_trade_and_of_them_all() -> None:
    holdings = [held("AAA", "60", "10"), held("BBB", "40", "10"), held("CCC", "0", "10")]
    made = plan({"CCC": "1"}, holdings, max_trade="0.25")
    assert trades(made) == [
        ("SELL", "AAA", Decimal(25)),
        ("SELL", "BBB", Decimal(25)),
        ("BUY", "CCC", Decimal(25)),
    ]
    made = plan({"CCC": "1"}, holdings, max_turnover="1")
    assert [(side, symbol) for side, symbol, _ in trades(made)] == [
        ("SELL", "AAA"),
        ("SELL", "BBB"),
        ("BUY", "CCC"),
    ]
    assert Decimal("0.9999") < made.turnover <= 1
    quantities = [quantity for _, _, quantity in trades(made)]
    assert all(
        abs(quantity - wanted) < Decimal("0.001")
        for quantity, wanted in zip(quantities, (30, 20, 50), strict=True)
    )


def test_losses_are_sold_first_where_not_all_can_be() -> None:
    holdings = [
        held("AAA", "50", "10", ("50", "100")),
        held("BBB", "50", "10", ("50", "900")),
        held("CCC", "0", "10"),
    ]
    made = plan({"CCC": "1"}, holdings, max_turnover="1", tax_aware=True)
    assert [(side, symbol) for side, symbol, _ in trades(made)] == [("SELL", "BBB"), ("BUY", "CCC")]
    assert skipped(made)["AAA"] is SkipReason.TURNOVER_LIMIT
    assert made.estimated_realized_pnl < -399


def test_the_cap_holds_once_costs_are_paid() -> None:
    fees = BrokerFees(Decimal(5), ZERO, Decimal("0.01"))
    holdings = [held("AAA", "0", "10"), held("BBB", "0", "10"), held("CCC", "0", "10")]
    made = plan(dict.fromkeys(SYMBOLS[:2], "0.4"), holdings, "1000", max_position_size="0.4", fees=fees)
    left = made.value - made.estimated_cost
    assert all(trade.quantity * 10 <= Decimal("0.4") * left for trade in made.trades)
    assert all(trade.quantity > Decimal("39.2") for trade in made.trades)


def test_nothing_to_weigh() -> None:
    with pytest.raises(WorthNothing) as caught:
        plan({"AAA": "1"}, [held("AAA", "0", "10")], "0")
    assert caught.value.total_value == 0
    with pytest.raises(WorthNothing):
        plan({"AAA": "1"}, [held("AAA", "1", "10")], "-10")


BASE: dict[str, Any] = {"weights": {"AAA": "0.5", "BBB": "0.4"}, "cash": "100", "reserved_cash": "10"}


@pytest.mark.parametrize(
    "changed",
    [
        {"weights": {"AAA": "0.5", "BBB": "0.41"}},
        {"cash": "100.0000000001"},
        {"reserved_cash": "9"},
        {"holdings": [held("AAA", "5", "10.01"), held("BBB", "5", "10")]},
        {"holdings": [held("AAA", "5", "10", ("5", "51")), held("BBB", "5", "10")]},
        {"holdings": [held("AAA", "5", "10", reserved="1"), held("BBB", "5", "10")]},
        {"holdings": [held("AAA", "5", "10"), held("BBB", "6", "10")]},
        {"drift_band": "0.5"},
        {"buy_only": True},
        {"fees": BrokerFees(Decimal(1))},
    ],
    ids=str,
)
def test_the_hash_tells_what_has_moved(changed: dict[str, Any]) -> None:
    base = BASE | {"holdings": [held("AAA", "5", "10"), held("BBB", "5", "10")]}
    same = plan(**base | {"cash": "100.00", "holdings": base["holdings"][::-1]})
    assert plan(**base).hash == same.hash != plan(**base | changed).hash
    other = make_plan(
        Strategy.EQUAL_WEIGHT,
        {"AAA": Decimal("0.5"), "BBB": Decimal("0.4")},
        base["holdings"],
        Decimal(100),
        Decimal(10),
        PlanRules(),
    )
    assert other.hash != same.hash


fractions = st.decimals("0.01", "1", places=2)
amounts = st.decimals("0", "5000", places=2)


@st.composite
def holdings(draw: st.DrawFn) -> list[CurrentHolding]:
    found = []
    for symbol in SYMBOLS[: draw(st.integers(1, 5))]:
        parts = draw(st.lists(st.tuples(st.decimals("0.000001", "300", places=6), amounts), max_size=3))
        if draw(st.booleans()):
            parts = [(Decimal(int(quantity) + 1), cost) for quantity, cost in parts]
        quantity = sum((quantity for quantity, _ in parts), ZERO)
        found.append(
            CurrentHolding(
                symbol=symbol,
                instrument_id=UUID(int=SYMBOLS.index(symbol) + 1),
                quantity=quantity,
                price=draw(st.decimals("0.01", "800", places=2)),
                reserved=min(quantity, draw(st.one_of(st.just(ZERO), st.decimals("0", "300", places=3)))),
                incoming=draw(st.one_of(st.just(ZERO), st.decimals("0", "30", places=3))),
                cost=sum((cost for _, cost in parts), ZERO),
                lots=lots_of(parts),
            )
        )
    return found


@st.composite
def weights(draw: st.DrawFn) -> dict[str, Decimal]:
    left = Decimal(draw(st.sampled_from(["1", "1", "0.9", "0.3"])))
    found = {}
    for symbol in SYMBOLS:
        found[symbol] = min(left, draw(st.decimals("0", "0.6", places=6)))
        left -= found[symbol]
    return found


@st.composite
def plan_rules(draw: st.DrawFn) -> PlanRules:
    maybe = st.one_of(st.none(), fractions)
    return PlanRules(
        fees=BrokerFees(
            draw(st.sampled_from([ZERO, ONE, Decimal("4.95")])),
            draw(st.sampled_from([ZERO, Decimal("0.005")])),
            draw(st.sampled_from([ZERO, Decimal("0.001"), Decimal("0.05")])),
            draw(st.sampled_from([None, Decimal(7)])),
        ),
        fractional=draw(st.booleans()),
        minimum_trade=draw(st.sampled_from([ZERO, Decimal(50)])),
        drift_band=draw(maybe),
        relative_drift_band=draw(maybe),
        cash_reserve=draw(st.sampled_from([ZERO, Decimal("0.05"), Decimal("0.5")])),
        max_position_size=draw(st.sampled_from([ONE, Decimal("0.6")])),
        max_trade=draw(maybe),
        max_turnover=draw(maybe),
        tax_aware=draw(st.booleans()),
        buy_only=draw(st.booleans()),
    )


@settings(max_examples=400, deadline=None)
@given(holdings(), weights(), amounts, fractions, st.sampled_from(["CASH", "LOAN"]), plan_rules())
def test_what_every_plan_keeps_to(
    held: list[CurrentHolding],
    weights: dict[str, Decimal],
    cash: Decimal,
    reserved_part: Decimal,
    kind: str,
    rules: PlanRules,
) -> None:
    cash = -cash / 4 if kind == "LOAN" else cash
    reserved_cash = product(max(cash, ZERO), reserved_part - Decimal("0.01"))
    known = {one.symbol: one for one in held}
    weights = {symbol: weight for symbol, weight in weights.items() if symbol in known}
    value = cash + sum((product(one.quantity, one.price) for one in held), ZERO)
    assume(value > 0)
    made = make_plan(Strategy.CUSTOM, weights, held, cash, reserved_cash, rules)

    targets = {target.symbol: target for target in made.targets}
    assert sum((target.target_weight for target in made.targets), made.cash_weight) == 1
    assert sum((target.current_weight for target in made.targets), made.current_cash_weight) == 1
    assert made.cash_weight >= rules.cash_reserve
    assert all(
        abs(target.target_weight - weights[symbol]) <= rules.cash_reserve
        for symbol, target in targets.items()
    )

    sides = [trade.side for trade in made.trades]
    assert sides == sorted(sides, key=lambda side: side is OrderSide.BUY)
    assert len({trade.symbol for trade in made.trades}) == len(made.trades)
    sells = [trade for trade in made.trades if trade.side is OrderSide.SELL]
    buys = [trade for trade in made.trades if trade.side is OrderSide.BUY]
    assert not (rules.buy_only and sells)

    brought = sum((trade.cash_delta for trade in sells), ZERO)
    spendable = cash - reserved_cash - product(rules.cash_reserve, value) + brought
    spent = -sum((trade.cash_delta for trade in buys), ZERO)
    assert spent <= max(ZERO, spendable)
    assert made.cash_after == cash + brought - spent
    assert made.turnover * value <= sum((t.estimated_amount for t in made.trades), ZERO) + PLACES * value
    if rules.max_turnover is not None:
        assert sum((trade.estimated_amount for trade in made.trades), ZERO) <= rules.max_turnover * value
    for trade in made.trades:
        one, target = known[trade.symbol], targets[trade.symbol]
        assert trade.quantity > 0
        assert trade.estimated_amount >= rules.minimum_trade
        assert rules.fractional or trade.quantity == int(trade.quantity)
        if rules.max_trade is not None:
            assert trade.estimated_amount <= rules.max_trade * value + PLACES
        moved = trade.quantity if trade.side is OrderSide.BUY else -trade.quantity
        # Towards the target, and never beyond it but for the last part of a share that is sold; in whole
        # shares by a share that is bought, and by sales that pay for one that comes nearer to its target.
        worth = product(one.quantity + moved, one.price)
        wanted = product(target.target_weight, value)
        if trade.side is OrderSide.SELL:
            assert trade.quantity <= one.quantity - one.reserved
            assert target.drift > 0
            assert not rules.fractional or worth > wanted - one.price
        else:
            assert target.drift < 0
            assert worth < wanted + (PLACES * 2 if rules.fractional else one.price)
            if rules.max_position_size < 1:
                most = rules.max_position_size * (value - made.estimated_cost)
                assert product(one.quantity + one.incoming + moved, one.price) <= most + PLACES
    is_quiet = (
        rules.drift_band is None or abs(made.current_cash_weight - made.cash_weight) <= rules.drift_band
    )
    if is_quiet and not rules.buy_only:
        assert not [trade for trade in made.trades if is_in_band(targets[trade.symbol], rules)]
    reasons = {one.symbol for one in made.skipped}
    assert len(reasons) == len(made.skipped)
    assert not reasons & {trade.symbol for trade in made.trades}
    for symbol, target in targets.items():
        assert target.drift == 0 or symbol in reasons or symbol in {t.symbol for t in made.trades}


@settings(max_examples=200, deadline=None)
@given(holdings(), weights(), amounts)
def test_without_limits_and_costs_a_plan_reaches_its_targets(
    held: list[CurrentHolding], weights: dict[str, Decimal], cash: Decimal
) -> None:
    held = [dataclasses.replace(one, reserved=ZERO, incoming=ZERO) for one in held]
    known = {one.symbol: one for one in held}
    weights = {symbol: weight for symbol, weight in weights.items() if symbol in known}
    assume(cash + sum((one.quantity * one.price for one in held), ZERO) > 0)
    made = make_plan(Strategy.CUSTOM, weights, held, cash, ZERO, PlanRules())
    after = {one.symbol: one.quantity for one in held}
    for trade in made.trades:
        after[trade.symbol] += trade.quantity if trade.side is OrderSide.BUY else -trade.quantity
    for target in made.targets:
        one = known[target.symbol]
        # The smallest part of a share, or of the two that pay for each other.
        assert abs(after[one.symbol] * one.price - target.target_weight * made.value) <= Decimal("0.01")
    assert abs(made.cash_after - made.cash_weight * made.value) <= Decimal("0.01")
