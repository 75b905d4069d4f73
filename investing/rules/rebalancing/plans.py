"""What a rebalance is about: what is held, by which rules, towards which targets, and the plan that follows.

Amounts are in the portfolio's currency, quantities in shares, prices for one share, weights fractions of the
portfolio's total value (cash and positions together).
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
NO_TERMS = BrokerFees()


@dataclass(frozen=True)
class CurrentHolding:
    """What is held of an instrument, nothing where it is only a target. `price` is its quote.

    `reserved` is what open sales hold back of the quantity, `incoming` what open purchases may still bring.
    `cost` is its cost on average, `lots` are what is left of its purchases, oldest first.
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

    A position is in its band while its drift is neither more than `drift_band` (of the total value) nor more
    than `relative_drift_band` x its target; without either band every drift is traded. `cash_reserve`,
    `max_trade`, `max_turnover` and `max_position_size` are fractions of the total value, `minimum_trade` is
    an amount. `tax_aware` sells losses first where not all can be sold.
    """

    fees: BrokerFees = NO_TERMS
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
    """The weight that an instrument has, and that it ought to have. `drift` is the first less the second."""

    symbol: str
    current_weight: Decimal
    target_weight: Decimal

    @property
    def drift(self) -> Decimal:
        """How far it is above its target; negative below it."""
        return self.current_weight - self.target_weight


@dataclass(frozen=True)
class PlannedTrade:
    """One market order of a plan, estimated from its quote.

    `estimated_price` has the slippage in it, and `estimated_amount` is quantity x that price.
    `estimated_cost` is the commission and what slippage takes. A sale's gain is told both ways that the
    ledger will report it, on average cost and first in first out, after commission; a purchase gains 0.
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
        """What it does to cash."""
        amount = self.estimated_amount
        return (amount if self.side is OrderSide.SELL else -amount) - self.commission


@dataclass(frozen=True)
class Skipped:
    """A position that is off its target and stays so, with the reason."""

    symbol: str
    reason: SkipReason


@dataclass(frozen=True)
class Plan:
    """What a rebalance would do now. Sells come before buys.

    The target weights and `cash_weight` add up to 1 exactly, and so do the current ones with
    `current_cash_weight`. `turnover` is what is traded, buys and sells together, as a fraction of `value`,
    the total value before: selling everything for something else is 2. `hash` stands for all that the plan
    rests on.
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
    """One text for all that a plan rests on and leads to, whatever the order it was given in."""
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
