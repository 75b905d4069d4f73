"""The legs of a rebalance: their orders' ids, their states, and how the whole ends."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from uuid import UUID

from db.codes import LegReason
from db.vocabulary import LegStatus, OrderSide, OrderStatus, RebalanceStatus
from investing.rules.trading.orders import OPEN

ZERO = Decimal(0)

ENDED = frozenset({LegStatus.FILLED, LegStatus.PARTIAL, LegStatus.SKIPPED, LegStatus.REJECTED})
"""The statuses in which nothing more happens to a leg."""


@dataclass(frozen=True)
class Leg:
    """One trade of a rebalance, as far as it has been carried out."""

    symbol: str
    side: OrderSide
    quantity: Decimal
    status: LegStatus
    filled: Decimal = ZERO
    reason: str | None = None


def order_id_of(rebalance_id: UUID, number: int) -> UUID:
    """Return the id of a leg's order, always the same one, so that a repeated attempt cannot buy twice.

    The first 48 bits are the rebalance's, so that ids sort by time; the others are a digest (UUIDv8, RFC
    9562, section 5.8).
    """
    digest = hashlib.sha256(rebalance_id.bytes + number.to_bytes(4)).digest()
    tail = int.from_bytes(digest[:10])
    value = rebalance_id.int >> 80 << 80 | tail
    value = value & ~(0xF << 76) | 0x8 << 76
    return UUID(int=value & ~(0b11 << 62) | 0b10 << 62)


def leg_state(
    quantity: Decimal,
    order_status: OrderStatus,
    filled: Decimal,
    rejection: str | None,
    reason: str | None = None,
) -> tuple[LegStatus, str | None]:
    """Return the status of a leg whose order has this status, and why it is not filled if it is not.

    `reason` is why it was given less than its quantity, if it was.
    """
    if order_status in OPEN:
        return LegStatus.SUBMITTED, reason
    if filled >= quantity:
        return LegStatus.FILLED, None
    if order_status is OrderStatus.REJECTED:
        return LegStatus.REJECTED, rejection
    if order_status is not OrderStatus.FILLED:
        reason = f"ORDER_{order_status}: the order ended before all of it was traded."
    return (LegStatus.PARTIAL if filled else LegStatus.SKIPPED), reason


def parse_reason(text: str) -> tuple[LegReason, str]:
    """Return the code and the sentence of a leg's reason, which is stored as both with a colon between.

    A code that is a broker's own becomes OTHER, and stays in the sentence.
    """
    code, separator, sentence = text.partition(": ")
    if separator and code in frozenset(LegReason):
        return LegReason(code), sentence
    return LegReason.OTHER, text


def ending(legs: Sequence[Leg]) -> tuple[RebalanceStatus, str | None]:
    """Return how a rebalance with these legs ends, all of which have ended, and why not as planned.

    COMPLETED if every leg is filled, FAILED if nothing was traded, PARTIAL otherwise.
    """
    short = [leg for leg in legs if leg.status is not LegStatus.FILLED]
    if not short:
        return RebalanceStatus.COMPLETED, None
    reasons = "; ".join(f"{leg.side} {leg.symbol} {leg.status}: {leg.reason}" for leg in short)
    traded = any(leg.filled for leg in legs)
    return (RebalanceStatus.PARTIAL if traded else RebalanceStatus.FAILED), reasons


def affordable(wanted: Decimal, paid_for: Decimal) -> Decimal:
    """Return how much of a purchase is made if cash pays for only so much.

    A purchase of whole shares stays one of whole shares.
    """
    quantity = min(wanted, paid_for)
    if wanted == wanted.to_integral_value():
        quantity = quantity.to_integral_value(ROUND_DOWN)
    return max(quantity, ZERO)


def largest_drift(weights: Mapping[str, Decimal], targets: Mapping[str, Decimal]) -> Decimal:
    """Return how far any weight is from its target at most, up or down.

    A symbol that is not held has the weight 0.
    """
    return max(
        (abs(weights.get(symbol, ZERO) - targets.get(symbol, ZERO)) for symbol in {*weights, *targets}),
        default=ZERO,
    )
