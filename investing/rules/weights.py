"""Weights of positions, and how far they are from where they should be."""

from collections.abc import Mapping
from decimal import Decimal

from investing.rules.money import quotient

ZERO = Decimal(0)


def weights_of(values: Mapping[str, Decimal], total: Decimal) -> dict[str, Decimal]:
    """Each position's part of the portfolio's total value; nothing where that is not above zero."""
    return {symbol: quotient(value, total) for symbol, value in values.items()} if total > 0 else {}


def drifts_of(weights: Mapping[str, Decimal], targets: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """How far each weight is from its target, up or down; what is held without a target should not be."""
    symbols = sorted({*weights, *targets})
    return {symbol: abs(weights.get(symbol, ZERO) - targets.get(symbol, ZERO)) for symbol in symbols}
