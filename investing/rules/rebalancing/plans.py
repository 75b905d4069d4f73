"""The types of a rebalance: current holdings, rules and targets, and the plan that follows from them.

Amounts are in the portfolio's currency, quantities in shares, prices per share, and weights are fractions of
the portfolio's total value (cash and positions together).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from enum import Enum
from uuid import UUID

from db.canonical import decimal
from db.vocabulary import OrderSide, SkipReason, Strategy
from investing.rules.trading.lots import TaxLot
from investing.rules.trading.orders import BrokerFees

ZERO = Decimal(0)
ONE = Decimal(1)
NO_FEES = BrokerFees()


@dataclass(frozen=True)
class CurrentHolding:
    """What is held of an instrument, 0 if it is only a target. `price` is its quote.

    `reserved` is the part of the quantity that open sales hold back, `incoming` what open purchases may still
    add. `cost` is the cost by the average method, `lots` are what is left of the purchases, oldest first.
    """

    symbol: str
    instrument_id: UUID
    quantity: Decimal
    price: Decimal
    reserved: Decimal = ZERO
    incoming: Decimal = ZERO
    cost: Decimal = ZERO
    lots: tuple[TaxLot, ...] = ()


@dataclass(frozen=True)
class PlanRules:
    """How targets become trades.

    A position is within its band while its drift is at most `drift_band` (of the total value) and at most
    `relative_drift_band` x its target; without either band every drift is traded. `cash_reserve`,
    `max_trade`, `max_turnover` and `max_position_size` are fractions of the total value, `minimum_trade` is
    an amount. `tax_aware` sells losses first if not everything can be sold.
    """

    fees: BrokerFees = NO_FEES
    fractional: bool = True
    minimum_trade: Decimal = ZERO
    drift_band: Decimal | None = None
    relative_drift_band: Decimal | None = None
    cash_reserve: Decimal = ZERO
    max_position_size: Decimal = ONE
    max_trade: Decimal | None = None
    max_turnover: Decimal | None = None
    tax_aware: bool = False
    buy_only: bool = False


@dataclass(frozen=True)
class WeightTarget:
    """The weight that an instrument has and the one that it should have.

    `drift` is the first minus the second.
    """

    symbol: str
    current_weight: Decimal
    target_weight: Decimal

    @property
    def drift(self) -> Decimal:
        """How far the weight is above its target; negative below it."""
        return self.current_weight - self.target_weight


@dataclass(frozen=True)
class PlannedTrade:
    """One market order of a plan, estimated from its quote.

    `estimated_price` includes slippage, and `estimated_amount` is quantity x that price. `estimated_cost` is
    the commission and the slippage. A sale's gain is given in both ways that the ledger will report it, by
    average cost and first in first out, after commission; a purchase gains 0.
    """

    symbol: str
    instrument_id: UUID
    side: OrderSide
    quantity: Decimal
    estimated_price: Decimal
    estimated_amount: Decimal
    commission: Decimal
    estimated_cost: Decimal
    estimated_realized_pnl: Decimal = ZERO
    estimated_realized_pnl_fifo: Decimal = ZERO

    @property
    def cash_delta(self) -> Decimal:
        """How the trade changes cash, commission included."""
        amount = self.estimated_amount
        return (amount if self.side is OrderSide.SELL else -amount) - self.commission


@dataclass(frozen=True)
class Skipped:
    """A position that is off its target and is not traded, with the reason."""

    symbol: str
    reason: SkipReason


@dataclass(frozen=True)
class Plan:
    """What a rebalance would do now. Sells come before buys.

    The target weights and `cash_weight` add up to exactly 1, and so do the current ones with
    `current_cash_weight`. `turnover` is what is traded, buys and sells together, as a fraction of `value`,
    the total value before: selling everything for something else is 2. `hash` identifies everything that the
    plan is based on.
    """

    strategy: Strategy
    targets: tuple[WeightTarget, ...]
    cash_weight: Decimal
    current_cash_weight: Decimal
    trades: tuple[PlannedTrade, ...]
    skipped: tuple[Skipped, ...]
    value: Decimal
    turnover: Decimal
    estimated_cost: Decimal
    estimated_realized_pnl: Decimal
    estimated_realized_pnl_fifo: Decimal
    cash_after: Decimal
    hash: str


def hash_of(
    strategy: Strategy,
    weights: Mapping[str, Decimal],
    held: Sequence[CurrentHolding],
    cash: Decimal,
    reserved_cash: Decimal,
    rules: PlanRules,
    trades: Sequence[PlannedTrade],
) -> str:
    """Return a hash of everything that a plan is based on and leads to.

    It does not depend on the order of the holdings.
    """
    facts = {
        "strategy": strategy,
        "weights": dict(weights),
        "held": [asdict(one) for one in sorted(held, key=lambda one: one.symbol)],
        "cash": [cash, reserved_cash],
        "rules": asdict(rules),
        "trades": [asdict(trade) for trade in trades],
    }
    return hashlib.sha256(json.dumps(facts, default=_text, sort_keys=True).encode()).hexdigest()


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return decimal(value)
    return str(value.value if isinstance(value, Enum) else value)
