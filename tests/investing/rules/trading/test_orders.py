"""What orders reserve, how they are matched, and where they may go."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.models.trading import IS_OPEN
from db.vocabulary import BrokerOrderStatus, OrderSide, OrderStatus, OrderType, TimeInForce
from investing.rules.errors import InvalidInput, PositionTooLarge, StalePrice
from investing.rules.money import product as rounded
from investing.rules.trading.filling import OrderState, after_fill
from investing.rules.trading.matching import MatchedFill, OpenOrder, match_fill
from investing.rules.trading.orders import (
    OPEN,
    ZERO,
    BrokerFees,
    OrderRequest,
    SizedOrder,
    check_fresh,
    check_size,
    expires_at,
    may_become,
    size_order,
    status_of,
)

D = Decimal
BUY, SELL = OrderSide.BUY, OrderSide.SELL
MARKET, LIMIT = OrderType.MARKET, OrderType.LIMIT
TERMS = BrokerFees(D("1.5"), D("0.01"), D("0.002"))


def request(
    side: OrderSide,
    type: OrderType,
    quantity: str | None,
    notional: str | None = None,
    limit: str | None = None,
) -> OrderRequest:
    return OrderRequest(
        side,
        type,
        None if quantity is None else D(quantity),
        None if notional is None else D(notional),
        None if limit is None else D(limit),
        TimeInForce.DAY,
    )


@pytest.mark.parametrize(
    ("asked", "fees", "sized_order"),
    [
        # 100 x 10 x 1.002 + 1.5 + 100 x 0.01
        (request(BUY, MARKET, "100"), TERMS, SizedOrder(D(100), D("10.02"), D("1004.5"), D(0))),
        (request(BUY, LIMIT, "100", limit="10"), TERMS, SizedOrder(D(100), None, D("1002.5"), D(0))),
        (request(BUY, MARKET, "100"), BrokerFees(), SizedOrder(D(100), D(10), D(1000), D(0))),
        # (1000 - 1.5) / (10.02 + 0.01), rounded down to 18 places: 997.5044865403788634... and
        # 0.9955134596211366... make 998.5, each rounded.
        (
            request(BUY, MARKET, None, "1000"),
            TERMS,
            SizedOrder(D("99.551345962113659022"), D("10.02"), D(1000), D(0)),
        ),
        # 100 / 33.37, rounded down to 18 places.
        (
            request(BUY, LIMIT, None, "100", "33.37"),
            BrokerFees(),
            SizedOrder(D("2.996703626011387473"), None, D(100), D(0)),
        ),
        (request(SELL, MARKET, "100"), BrokerFees(), SizedOrder(D(100), None, D(0), D(100))),
        # The sale pays for its own commission, if it is never below 2.5 / 100 a share.
        (request(SELL, MARKET, "100"), TERMS, SizedOrder(D(100), D("0.0250000001"), D(0), D(100))),
        # It might not: the commission is reserved.
        (request(SELL, MARKET, "0.1"), TERMS, SizedOrder(D("0.1"), None, D("1.501"), D("0.1"))),
        (request(SELL, LIMIT, None, "50", "10"), BrokerFees(), SizedOrder(D(5), None, D(0), D(5))),
    ],
)
def test_what_an_order_reserves(asked: OrderRequest, fees: BrokerFees, sized_order: SizedOrder) -> None:
    assert size_order(asked, asked.limit_price or D(10), fees) == sized_order


def test_a_notional_of_what_is_held_sells_all_of_it() -> None:
    """Also where the price has moved since the purchase, and with slippage: the market value is the quote's.

    2.996703626011387473 x 41.03 = 122.95474977524722801719, which has ten places as a market value: over
    41.03 that is only 2.9967036260102364...
    """
    held = D("2.996703626011387473")
    value = rounded(held, D("41.03"))
    assert value == D("122.9547497752")
    asked = request(SELL, MARKET, None, str(value))
    for fees in (BrokerFees(), BrokerFees(slippage=D("0.001")), TERMS):
        assert size_order(asked, D("41.03"), fees, held).quantity == held
    # At the limit the value is the limit's: 3 x 7 = 21.
    assert size_order(request(SELL, LIMIT, None, "21", "7"), D(7), BrokerFees(), D(3)).quantity == D(3)
    # One unit more or less is a quantity like any other: 122.9547497751 / 41.03, rounded down.
    less = size_order(request(SELL, MARKET, None, "122.9547497751"), D("41.03"), BrokerFees(), held)
    assert less.quantity == D("2.996703626007799171")
    assert size_order(asked, D("41.03"), BrokerFees(), ZERO).quantity == D("2.996703626010236412")


@pytest.mark.parametrize(
    ("asked", "price", "words"),
    [
        (request(BUY, MARKET, "1"), "0", "Nothing can be bought at a price of 0: give a limit price."),
        (
            request(BUY, MARKET, None, "1"),
            "0",
            "Nothing can be bought at a price of 0: give a limit price.",
        ),
        (
            request(SELL, MARKET, None, "1"),
            "0",
            "At a price of 0 no shares bring in cash: give the quantity.",
        ),
        # 1E-18 x 10 rounds to nothing, and so would be had for nothing.
        (
            request(BUY, MARKET, "0.000000000000000001"),
            "10",
            "So few shares cost less than 0.0000000001: buy more of them.",
        ),
        # 1E-10 / 1E9 is less than 1E-18.
        (
            request(BUY, MARKET, None, "0.0000000001"),
            "1000000000",
            "This notional does not pay for the smallest part of a share.",
        ),
    ],
)
def test_an_order_that_comes_to_nothing(asked: OrderRequest, price: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        size_order(asked, D(price), BrokerFees(), D(1))
    assert str(refused.value) == words


def test_what_is_worth_nothing_is_sold_for_nothing() -> None:
    """Of 5 shares at 0 the sale brings 0; its commission has to be there in cash."""
    assert size_order(request(SELL, MARKET, "5"), D(0), BrokerFees()) == SizedOrder(D(5), None, D(0), D(5))
    assert size_order(request(SELL, MARKET, "5"), D(0), BrokerFees(D(1))) == SizedOrder(
        D(5), None, D(1), D(5)
    )
    resting = OpenOrder(SELL, MARKET, D(5), D(0), None, None, D(0))
    assert match_fill(resting, D(0), BrokerFees(D(1))) == MatchedFill(D(5), D(0), D(1))
    # A resting purchase waits until there is a price again.
    assert match_fill(OpenOrder(BUY, LIMIT, D(5), D(0), D(3), None, D(0)), D(0), BrokerFees()) is None
    dust = D("0.000000000000000001")
    assert size_order(request(SELL, MARKET, str(dust)), D(10), BrokerFees()) == SizedOrder(
        dust, None, D(0), dust
    )


def test_fills_are_parts_of_one_rounded_trade() -> None:
    """10 @ 10 with slippage 0.001 and commission 1, 4 shares a tick: 101.1 is reserved, and 101.1 is paid.

    4 x 10.01 + 0.4 = 40.44 twice, then 2 x 10.01 + 0.2 = 20.22.
    """
    fees = BrokerFees(D(1), slippage=D("0.001"), shares_per_tick=D(4))
    sized_order = size_order(request(BUY, MARKET, "10"), D(10), fees)
    assert sized_order == SizedOrder(D(10), D("10.01"), D("101.1"), D(0))
    assert list(fills(sized_order, request(BUY, MARKET, "10"), [D(10)] * 3, fees)) == [
        (D("40.04"), D("0.4"), D("60.66"), D("10.01")),
        (D("40.04"), D("0.4"), D("20.22"), D("10.01")),
        (D("20.02"), D("0.2"), D(0), D("10.01")),
    ]


def test_a_better_price_frees_what_it_saves() -> None:
    """1 of 3 shares at a time, limit 3.3333333333, prices 3.3333333333, 1.1111111111 and 3.3333333333, 1 x 3
    commission: of 9.9999999999 + 1 each fill leaves exactly what the rest may still cost.

    Quantities of a third make the totals 1.1111111111, 1.48148148147 and 2.59259259257 and so on: the second
    fill costs 1.4814814815 - 1.1111111111, the third 2.5925925926 - 1.4814814815.
    """
    third = "0.333333333333333333"
    fees = BrokerFees(D(1), shares_per_tick=D(third))
    asked = request(BUY, LIMIT, "0.999999999999999999", limit="3.3333333333")
    sized_order = size_order(asked, D("3.3333333333"), fees)
    assert sized_order.reserved_cash == D("4.3333333333")
    prices = [D("3.3333333333"), D("1.1111111111"), D("3.3333333333")]
    assert list(fills(sized_order, asked, prices, fees)) == [
        (D("1.1111111111"), D("0.3333333333"), D("2.8888888889"), D("3.3333333333")),
        (D("0.3703703704"), D("0.3333333334"), D("1.4444444444"), D("2.2222222222")),
        (D("1.1111111111"), D("0.3333333333"), D(0), D("2.5925925926")),
    ]


def fills(
    sized_order: SizedOrder, asked: OrderRequest, quotes: list[Decimal], fees: BrokerFees
) -> Iterator[tuple[Decimal, Decimal, Decimal, Decimal]]:
    """What the fill of each quote costs, its commission, what stays reserved, and the average price."""
    filled = paid = value = ZERO
    reserved = sized_order.reserved_cash
    for quote in quotes:
        resting = OpenOrder(
            asked.side,
            asked.type,
            sized_order.quantity,
            filled,
            asked.limit_price,
            sized_order.worst_price,
            paid,
        )
        fill = match_fill(resting, quote, fees)
        assert fill is not None
        highest_price = (asked.limit_price or sized_order.worst_price) if asked.side is BUY else None
        state = OrderState(asked.side, sized_order.quantity, filled, reserved, value, highest_price)
        after = after_fill(state, fill.quantity, fill.price, fill.commission)
        assert after.released_cash == reserved - after.reserved_cash
        yield after.amount, fill.commission, after.reserved_cash, after.average_price
        value += fill.quantity * fill.price
        filled, paid, reserved = after.filled, paid + fill.commission, after.reserved_cash
        if filled == sized_order.quantity:
            return


amounts = st.decimals("0.0001", "10000", places=10)
quantities = st.decimals("0.0001", "10000", places=18)


@given(
    quantity=quantities,
    price=amounts,
    quotes=st.lists(st.decimals("0.5", "1", places=4), min_size=1, max_size=4),
    fees=st.builds(
        BrokerFees,
        st.decimals("0", "20", places=4),
        st.decimals("0", "1", places=6),
        st.decimals("0", "0.1", places=6),
        st.decimals("0.1", "10000", places=4),
    ),
    side=st.sampled_from([BUY, SELL]),
    type=st.sampled_from([MARKET, LIMIT]),
    cash_only_notional=st.booleans(),
)
def test_no_fill_costs_more_than_was_reserved_for_it(
    quantity: Decimal,
    price: Decimal,
    quotes: list[Decimal],
    fees: BrokerFees,
    side: OrderSide,
    type: OrderType,
    cash_only_notional: bool,
) -> None:
    notional = quantity * 10 + 100 if cash_only_notional and side is BUY else None
    if notional is not None:
        notional = rounded(notional, D(1))
    asked = OrderRequest(
        side,
        type,
        None if notional is not None else quantity,
        notional,
        price if type is LIMIT else None,
        TimeInForce.DAY,
    )
    sized_order = size_order(asked, price, fees)
    assert notional is None or sized_order.reserved_cash <= notional
    cash = sized_order.reserved_cash
    # A purchase at better and better prices down to half; a sale at the quote itself.
    past = [rounded(price, part) if side is BUY else price for part in quotes]
    told = list(fills(sized_order, asked, [past[n % len(past)] for n in range(200)], fees))
    paid = D(0)
    for amount, commission, reserved, _ in told:
        cash += (-amount if side is BUY else amount) - commission
        paid += commission
        # No overdraft: what stays reserved is there, and of a sale nothing is owed for a moment.
        assert cash >= reserved >= 0
    if len(told) < 200:
        assert (told[-1][2], paid) == (D(0), fees.commission(sized_order.quantity))
    if side is BUY and len(told) < 200 and set(quotes) == {D(1)}:
        assert cash == 0


def test_the_size_of_a_position() -> None:
    check_size("ABC", D(500), D(1000), D("0.5"))
    check_size("ABC", D(5000), D(1000), D(1))
    with pytest.raises(PositionTooLarge) as refused:
        check_size("ABC", D("500.01"), D(1000), D("0.5"))
    assert (refused.value.weight, refused.value.largest_value) == (D("0.50001"), D(500))
    with pytest.raises(PositionTooLarge) as refused:
        check_size("ABC", D(1), D(0), D("0.5"))
    assert refused.value.weight is None


def test_a_quote_may_be_too_old() -> None:
    now = dt.datetime(2024, 5, 2, 12, tzinfo=dt.UTC)
    check_fresh("ABC", now - dt.timedelta(days=4000), now, None)
    check_fresh("ABC", now - dt.timedelta(hours=24), now, dt.timedelta(hours=24))
    with pytest.raises(StalePrice):
        check_fresh("ABC", now - dt.timedelta(hours=24, seconds=1), now, dt.timedelta(hours=24))


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2024-05-02T12:00:00+00:00", "2024-05-02T20:00:00+00:00"),
        ("2024-05-02T20:00:00+00:00", "2024-05-03T20:00:00+00:00"),
        # Friday evening, and Saturday, to Monday.
        ("2024-05-03T20:00:01+00:00", "2024-05-06T20:00:00+00:00"),
        ("2024-05-04T12:00:00+00:00", "2024-05-06T20:00:00+00:00"),
        ("2024-12-02T12:00:00+00:00", "2024-12-02T21:00:00+00:00"),
        # Still the day before in New York.
        ("2024-05-03T02:00:00+00:00", "2024-05-03T20:00:00+00:00"),
        # 12:59 and 14:00 in New York on a half day, which ends at 13:00 there.
        ("2024-11-29T17:59:00+00:00", "2024-11-29T18:00:00+00:00"),
        ("2024-11-29T19:00:00+00:00", "2024-12-02T21:00:00+00:00"),
        ("2024-07-03T18:00:00+00:00", "2024-07-05T20:00:00+00:00"),
        # Good Friday, and a day of mourning.
        ("2024-03-28T21:00:00+00:00", "2024-04-01T20:00:00+00:00"),
        ("2025-01-09T12:00:00+00:00", "2025-01-10T21:00:00+00:00"),
    ],
)
def test_a_day_order_ends_at_the_next_close_of_its_market(now: str, end: str) -> None:
    placed = dt.datetime.fromisoformat(now)
    for zone in ("America/New_York", "Asia/Tokyo"):
        traded = {"asset_class": "EQUITY", "exchange": "nasdaq", "time_zone": zone}
        assert expires_at(TimeInForce.DAY, placed, **traded) == dt.datetime.fromisoformat(end)
        assert expires_at(TimeInForce.GTC, placed, **traded) is None


@pytest.mark.parametrize(
    ("asset_class", "exchange", "time_zone", "now", "end"),
    [
        # Around the clock, at weekends as well: midnight in Tokyo is 15:00 UTC.
        ("CRYPTO", None, "Asia/Tokyo", "2024-05-04T12:00:00+00:00", "2024-05-04T15:00:00+00:00"),
        ("CRYPTO", "NASDAQ", "Asia/Tokyo", "2024-05-04T15:00:00+00:00", "2024-05-05T15:00:00+00:00"),
        # Hours that are not known; the night in which the clock goes forward has 23 hours.
        ("EQUITY", "XETRA", "Europe/Berlin", "2024-01-09T23:30:00+00:00", "2024-01-10T23:00:00+00:00"),
        ("EQUITY", None, "Europe/Berlin", "2024-03-30T23:30:00+00:00", "2024-03-31T22:00:00+00:00"),
        ("FUND", "", "America/New_York", "2024-11-29T19:00:00+00:00", "2024-11-30T05:00:00+00:00"),
    ],
)
def test_without_known_hours_a_day_order_ends_with_the_accounts_day(
    asset_class: str, exchange: str | None, time_zone: str, now: str, end: str
) -> None:
    placed = dt.datetime.fromisoformat(now)
    found = expires_at(
        TimeInForce.DAY, placed, asset_class=asset_class, exchange=exchange, time_zone=time_zone
    )
    assert found == dt.datetime.fromisoformat(end)


def test_where_an_order_may_go() -> None:
    for now, then in product(OrderStatus, OrderStatus):
        if now not in OPEN:
            assert not may_become(now, then)
    assert may_become(OrderStatus.PENDING, OrderStatus.FILLED)
    assert may_become(OrderStatus.UNKNOWN, OrderStatus.REJECTED)
    assert not may_become(OrderStatus.PARTIALLY_FILLED, OrderStatus.REJECTED)
    assert not may_become(OrderStatus.ACCEPTED, OrderStatus.PENDING)
    assert all(not may_become(now, OrderStatus.PENDING) for now in OrderStatus)


def test_the_database_means_the_same_by_open() -> None:
    assert {status for status in OrderStatus if f"'{status}'" in IS_OPEN} == OPEN


@pytest.mark.parametrize(
    ("broker", "filled", "is_due", "status"),
    [
        (BrokerOrderStatus.OPEN, 0, False, OrderStatus.ACCEPTED),
        (BrokerOrderStatus.OPEN, 1, False, OrderStatus.PARTIALLY_FILLED),
        (BrokerOrderStatus.CANCELLED, 1, False, OrderStatus.CANCELLED),
        (BrokerOrderStatus.CANCELLED, 1, True, OrderStatus.EXPIRED),
        (BrokerOrderStatus.CANCELLED, 2, True, OrderStatus.FILLED),
        (BrokerOrderStatus.REJECTED, 0, False, OrderStatus.REJECTED),
    ],
)
def test_where_an_order_stands(
    broker: BrokerOrderStatus, filled: int, is_due: bool, status: OrderStatus
) -> None:
    assert status_of(broker, D(filled), D(2), is_due=is_due) is status
