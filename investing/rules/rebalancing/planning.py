"""From target weights to trades: what a rebalance would do, decided from values alone.

A position within its band stays as it is. Cash has the band `drift_band` too: while it is outside of it,
positions within their bands are bought or sold towards their targets as far as needed to correct that.
Rounding differences go to cash.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_DOWN, Context, Decimal

from db.vocabulary import SkipReason, Strategy
from investing.rules.errors import WorthNothing
from investing.rules.money import product, quotient
from investing.rules.rebalancing.plans import (
    ONE,
    ZERO,
    CurrentHolding,
    Plan,
    PlanRules,
    Skipped,
    WeightTarget,
    hash_of,
)
from investing.rules.rebalancing.sizing import Sizing
from investing.rules.rebalancing.whole_shares import WholeShares

_DOWN = Context(prec=80, rounding=ROUND_DOWN)
_TEN_PLACES = Decimal("1E-10")


def make_plan(
    strategy: Strategy,
    weights: Mapping[str, Decimal],
    held: Sequence[CurrentHolding],
    cash: Decimal,
    reserved_cash: Decimal,
    rules: PlanRules,
) -> Plan:
    """Return the plan that moves a portfolio towards these weights.

    The weights add up to at most 1; the rest is cash. `held` has every instrument that is held or has a
    weight. `cash` is all the cash there is, `reserved_cash` the part that open orders may still spend. Raise
    WorthNothing if the total value is not above zero.
    """
    value = cash + sum((product(one.quantity, one.price) for one in held), ZERO)
    if value <= 0:
        raise WorthNothing(total_value=value)
    held = sorted(held, key=lambda one: one.symbol)
    within = fitted(weights, ONE - rules.cash_reserve)
    targets = tuple(
        WeightTarget(one.symbol, _weight(one, value), within.get(one.symbol, ZERO))
        for one in held
        if one.quantity or within.get(one.symbol)
    )
    current_cash_weight = ONE - sum((target.current_weight for target in targets), ZERO)
    cash_weight = ONE - sum((target.target_weight for target in targets), ZERO)
    spendable = cash - reserved_cash - product(rules.cash_reserve, value)
    sizing = (Sizing if rules.fractional else WholeShares)(rules, value, {one.symbol: one for one in held})
    gaps, skipped = _gaps(sizing, targets, current_cash_weight - cash_weight)
    trades, left = sizing.trades(gaps, spendable)
    return Plan(
        strategy=strategy,
        targets=targets,
        cash_weight=cash_weight,
        current_cash_weight=current_cash_weight,
        trades=trades,
        skipped=tuple(sorted((*skipped, *left), key=lambda one: one.symbol)),
        value=value,
        turnover=quotient(sum((trade.estimated_amount for trade in trades), ZERO), value),
        estimated_cost=_sum(trade.estimated_cost for trade in trades),
        estimated_realized_pnl=_sum(trade.estimated_realized_pnl for trade in trades),
        estimated_realized_pnl_fifo=_sum(trade.estimated_realized_pnl_fifo for trade in trades),
        cash_after=cash + _sum(trade.cash_delta for trade in trades),
        hash=hash_of(strategy, weights, held, cash, reserved_cash, rules, trades),
    )


def fitted(weights: Mapping[str, Decimal], most: Decimal) -> dict[str, Decimal]:
    """Return the weights, scaled down to add up to `most` if they are more: ten places, rounded down."""
    total = sum(weights.values(), ZERO)
    if total <= most:
        return dict(weights)
    return {
        symbol: _DOWN.quantize(_DOWN.divide(_DOWN.multiply(weight, most), total), _TEN_PLACES)
        for symbol, weight in weights.items()
    }


def is_in_band(target: WeightTarget, rules: PlanRules) -> bool:
    """Return whether a position may stay as it is: its drift is within every band that is set."""
    drift = abs(target.drift)
    bands = [rules.drift_band] if rules.drift_band is not None else []
    if rules.relative_drift_band is not None:
        bands.append(product(rules.relative_drift_band, target.target_weight))
    return drift <= min(bands, default=ZERO)


def _gaps(
    sizing: Sizing, targets: Iterable[WeightTarget], cash_drift: Decimal
) -> tuple[dict[str, Decimal], list[Skipped]]:
    """Return what to buy of each instrument, or to sell if negative, as amounts at the quote."""
    rules = sizing.rules
    due: dict[str, Decimal] = {}
    in_band: dict[str, Decimal] = {}
    skipped = []
    for target in targets:
        gap, reason = sizing.gap(target)
        if reason is not None:
            skipped.append(Skipped(target.symbol, reason))
        elif gap and (rules.buy_only or not is_in_band(target, rules)):
            due[target.symbol] = gap
        elif gap:
            in_band[target.symbol] = gap
        elif target.drift:
            # So little that it is 0 as an amount.
            skipped.append(Skipped(target.symbol, SkipReason.LESS_THAN_A_SHARE))
    correcting = _correcting(sizing, due, in_band, cash_drift)
    skipped += [Skipped(symbol, SkipReason.IN_BAND) for symbol in in_band if symbol not in correcting]
    return due | correcting, skipped


def _correcting(
    sizing: Sizing, due: Mapping[str, Decimal], in_band: Mapping[str, Decimal], cash_drift: Decimal
) -> dict[str, Decimal]:
    """Return what positions within their bands trade because cash is outside its band.

    That is only as much as is needed.
    """
    band = sizing.rules.drift_band
    if band is None or abs(cash_drift) <= band:
        return {}
    surplus = product(cash_drift, sizing.value) - sum(due.values(), ZERO)
    if surplus * cash_drift <= 0:
        return {}
    candidates = {symbol: abs(gap) for symbol, gap in in_band.items() if gap * surplus > 0}
    allotted = sizing.allot(candidates, abs(surplus), is_sale=surplus < 0)
    return {symbol: amount if surplus > 0 else -amount for symbol, amount in allotted.items()}


def _weight(one: CurrentHolding, value: Decimal) -> Decimal:
    return quotient(product(one.quantity, one.price), value)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)
