"""Legs of a rebalance: ids, where each stands, how the whole ends, what cash buys, and drift."""

from decimal import Decimal
from uuid import UUID

import pytest

from db.codes import LegReason
from db.ids import uuid7
from db.vocabulary import LegStatus, OrderSide, OrderStatus, RebalanceStatus
from investing.rules.rebalancing.legs import (
    Leg,
    affordable,
    ending,
    largest_drift,
    leg_state,
    order_id_of,
    parse_reason,
)

REBALANCE = UUID("019a9f00-0000-7000-8000-000000000001")


def test_an_orders_id_follows_from_its_leg() -> None:
    assert order_id_of(REBALANCE, 1) == UUID("019a9f00-0000-8ed5-b9c9-6d8ecf170f63")
    assert len({order_id_of(REBALANCE, n) for n in range(1, 1000)}) == 999
    other = order_id_of(uuid7(), 1)
    assert (other.version, other.variant) == (8, "specified in RFC 4122")


@pytest.mark.parametrize(
    ("order", "filled", "leg", "reason"),
    [
        ("PENDING", "0", "SUBMITTED", None),
        ("UNKNOWN", "0", "SUBMITTED", None),
        ("PARTIALLY_FILLED", "4", "SUBMITTED", None),
        ("FILLED", "10", "FILLED", None),
        ("CANCELLED", "0", "SKIPPED", "ORDER_CANCELLED: the order ended before all of it was traded."),
        ("EXPIRED", "4", "PARTIAL", "ORDER_EXPIRED: the order ended before all of it was traded."),
        ("REJECTED", "0", "REJECTED", "CODE: why"),
    ],
)
def test_where_a_leg_stands(order: str, filled: str, leg: str, reason: str | None) -> None:
    found = leg_state(Decimal(10), OrderStatus(order), Decimal(filled), "CODE: why")
    assert found == (LegStatus(leg), reason)


def test_a_leg_that_was_given_less_keeps_the_reason() -> None:
    found = leg_state(Decimal(10), OrderStatus.FILLED, Decimal(8), None, "INSUFFICIENT_CASH: too little.")
    assert found == (LegStatus.PARTIAL, "INSUFFICIENT_CASH: too little.")


def leg(symbol: str, status: LegStatus, filled: str = "0", reason: str | None = None) -> Leg:
    return Leg(symbol, OrderSide.BUY, Decimal(10), status, Decimal(filled), reason)


def test_how_a_rebalance_ends() -> None:
    filled = leg("A", LegStatus.FILLED, "10")
    skipped = leg("B", LegStatus.SKIPPED, reason="WHY: because.")
    partial = leg("C", LegStatus.PARTIAL, "4", "LATE: it was.")
    assert ending([]) == (RebalanceStatus.COMPLETED, None)
    assert ending([filled, filled]) == (RebalanceStatus.COMPLETED, None)
    assert ending([skipped]) == (RebalanceStatus.FAILED, "BUY B SKIPPED: WHY: because.")
    assert ending([partial]) == (RebalanceStatus.PARTIAL, "BUY C PARTIAL: LATE: it was.")
    assert ending([filled, skipped, partial]) == (
        RebalanceStatus.PARTIAL,
        "BUY B SKIPPED: WHY: because.; BUY C PARTIAL: LATE: it was.",
    )


@pytest.mark.parametrize(
    ("wanted", "paid_for", "bought"),
    [("10", "12", "10"), ("10", "7.9", "7"), ("10.5", "7.9", "7.9"), ("10", "0.4", "0"), ("0.5", "-1", "0")],
)
def test_what_cash_buys(wanted: str, paid_for: str, bought: str) -> None:
    assert affordable(Decimal(wanted), Decimal(paid_for)) == Decimal(bought)


def test_drift_is_the_furthest_of_all() -> None:
    weights = {"A": Decimal("0.5"), "B": Decimal("0.1")}
    assert largest_drift(weights, {"A": Decimal("0.4"), "C": Decimal("0.3")}) == Decimal("0.3")
    assert largest_drift(weights, {"A": Decimal("0.4")}) == Decimal("0.1")
    assert largest_drift(weights, weights) == 0
    assert largest_drift({}, {}) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PRICE_MOVED: It moved: a lot.", (LegReason.PRICE_MOVED, "It moved: a lot.")),
        ("ORDER_EXPIRED: The order has ended.", (LegReason.ORDER_EXPIRED, "The order has ended.")),
        ("wash_trade: The broker's word.", (LegReason.OTHER, "wash_trade: The broker's word.")),
        ("A sentence alone.", (LegReason.OTHER, "A sentence alone.")),
        ("", (LegReason.OTHER, "")),
    ],
)
def test_a_reason_is_a_code_and_a_sentence(text: str, expected: tuple[LegReason, str]) -> None:
    assert parse_reason(text) == expected


def test_every_end_of_an_order_is_a_reason() -> None:
    for status in (OrderStatus.CANCELLED, OrderStatus.EXPIRED):
        _, reason = leg_state(Decimal(2), status, Decimal(1), None)
        assert reason is not None
        assert parse_reason(reason)[0] is LegReason[f"ORDER_{status}"]
