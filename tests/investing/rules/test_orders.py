"""What orders reserve, how they are matched, and where they may go."""

import datetime as dt
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.trading.models import IS_OPEN
from db.vocabulary import BrokerOrderStatus, OrderSide, OrderStatus, OrderType, TimeInForce
from investing.rules.matching import Resting, fill_of
from investing.rules.money import product as rounded
from investing.rules.orders import (
    OPEN,
    Terms,
    Ticket,
    Wish,
    check_fresh,
    check_size,
    expires_at,
    may_become,
    status_of,
    still_reserved,
    ticket_of,
)
from investing.rules.refusals import PositionTooLarge, StalePrice

D = Decimal
BUY, SELL = OrderSide.BUY, OrderSide.SELL
MARKET, LIMIT = OrderType.MARKET, OrderType.LIMIT
TERMS = Terms(D("1.5"), D("0.01"), D("0.002"))


def wish(
    side: OrderSide,
    type: OrderType,
    quantity: str | None,
    notional: str | None = None,
    limit: str | None = None,
) -> Wish:
    return Wish(
        side,
        type,
        None if quantity is None else D(quantity),
        None if notional is None else D(notional),
        None if limit is None else D(limit),
        TimeInForce.DAY,
    )


@pytest.mark.parametrize(
    ("asked", "terms", "ticket"),
    [
        # 100 x 10 x 1.002 + 1.5 + 100 x 0.01
        (wish(BUY, MARKET, "100"), TERMS, Ticket(D(100), D("10.02"), D("1004.5"), D(0))),
        (wish(BUY, LIMIT, "100", limit="10"), TERMS, Ticket(D(100), None, D("1002.5"), D(0))),
        (wish(BUY, MARKET, "100"), Terms(), Ticket(D(100), D(10), D(1000), D(0))),
        # (1000 - 1.5) / (10.02 + 0.01), rounded down; all of it then stays below 1000.
        (
            wish(BUY, MARKET, None, "1000"),
            TERMS,
            Ticket(D("99.5513459621"), D("10.02"), D("999.9999999998"), D(0)),
        ),
        (wish(SELL, MARKET, "100"), Terms(), Ticket(D(100), None, D(0), D(100))),
        # The sale pays for its own commission, if it is never below 2.5 / 100 a share.
        (wish(SELL, MARKET, "100"), TERMS, Ticket(D(100), D("0.0250000001"), D(0), D(100))),
        # It might not: the commission is reserved.
        (wish(SELL, MARKET, "0.1"), TERMS, Ticket(D("0.1"), None, D("1.501"), D("0.1"))),
        (wish(SELL, LIMIT, None, "50", "10"), Terms(), Ticket(D(5), None, D(0), D(5))),
    ],
)
def test_what_an_order_reserves(asked: Wish, terms: Terms, ticket: Ticket) -> None:
    assert ticket_of(asked, D(10), terms) == ticket


amounts = st.decimals("0.0001", "10000", places=10)


@given(
    quantity=amounts,
    price=amounts,
    terms=st.builds(
        Terms,
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
    terms: Terms,
    side: OrderSide,
    type: OrderType,
    cash_only_notional: bool,
) -> None:
    notional = quantity * 10 + 100 if cash_only_notional and side is BUY else None
    if notional is not None:
        notional = rounded(notional, D(1))
    asked = Wish(
        side,
        type,
        None if notional is not None else quantity,
        notional,
        price if type is LIMIT else None,
        TimeInForce.DAY,
    )
    ticket = ticket_of(asked, price, terms)
    assert notional is None or ticket.reserved_cash <= notional
    cash = reserved = ticket.reserved_cash
    filled = paid = D(0)
    for _ in range(200):
        resting = Resting(side, type, ticket.quantity, filled, asked.limit_price, ticket.worst_price, paid)
        fill = fill_of(resting, price, terms)
        assert fill is not None
        value = rounded(fill.quantity, fill.price)
        cash += (-value if side is BUY else value) - fill.commission
        reserved = still_reserved(reserved, ticket.quantity - filled, fill.quantity)
        filled, paid = filled + fill.quantity, paid + fill.commission
        assert cash >= (reserved if side is BUY else 0)
        if filled == ticket.quantity:
            assert (reserved, paid) == (D(0), terms.commission(ticket.quantity))
            return


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
