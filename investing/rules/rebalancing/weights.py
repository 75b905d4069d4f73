"""Weights of positions, and how far they are from where they should be: now, and on days of the past."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from investing.rules.money import quotient

ZERO = Decimal(0)


def weights_of(values: Mapping[str, Decimal], total: Decimal) -> dict[str, Decimal]:
    """Each position's part of the portfolio's total value; nothing where that is not above zero."""
    return {symbol: quotient(value, total) for symbol, value in values.items()} if total > 0 else {}


def drifts_of(weights: Mapping[str, Decimal], targets: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """How far each weight is from its target, up or down; what is held without a target should not be."""
    symbols = sorted({*weights, *targets})
    return {symbol: abs(weights.get(symbol, ZERO) - targets.get(symbol, ZERO)) for symbol in symbols}


class Worth(NamedTuple):
    """What a portfolio had at a day's end, in its currency; `values` of all positions, by symbol."""

    date: dt.date
    cash: Decimal
    values: Mapping[str, Decimal]

    @property
    def weights(self) -> dict[str, Decimal]:
        """Each position's."""
        return weights_of(self.values, sum(self.values.values(), self.cash))


class Aims(NamedTuple):
    """Weights that a portfolio aimed at from a day on."""

    since: dt.date
    targets: Mapping[str, Decimal]


def past_drifts(days: Iterable[Worth], aims: Iterable[Aims]) -> Iterator[tuple[dt.date, dict[str, Decimal]]]:
    """The drifts of each day from what was aimed at then; both ascend by date.

    A day before the first aim, or on which the portfolio was worth nothing, has none.
    """
    coming = iter(aims)
    following = next(coming, None)
    targets: Mapping[str, Decimal] = {}
    for day in days:
        while following is not None and following.since <= day.date:
            targets, following = following.targets, next(coming, None)
        if targets and sum(day.values.values(), day.cash) > 0:
            yield day.date, drifts_of(day.weights, targets)
