"""Weights of positions and their drift from the targets, now and on past days."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from investing.rules.money import quotient

ZERO = Decimal(0)


def weights_of(values: Mapping[str, Decimal], total: Decimal) -> dict[str, Decimal]:
    """Return each position's fraction of the portfolio's total value; nothing if that is not above zero."""
    return {symbol: quotient(value, total) for symbol, value in values.items()} if total > 0 else {}


def drifts_of(weights: Mapping[str, Decimal], targets: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return how far each weight is from its target, up or down.

    The target of a symbol that has none is 0, and so is the weight of one that is not held.
    """
    symbols = sorted({*weights, *targets})
    return {symbol: abs(weights.get(symbol, ZERO) - targets.get(symbol, ZERO)) for symbol in symbols}


class DayValues(NamedTuple):
    """A portfolio at a day's end, in its currency; `values` are those of all positions, by symbol."""

    date: dt.date
    cash: Decimal
    values: Mapping[str, Decimal]

    @property
    def weights(self) -> dict[str, Decimal]:
        """The weight of each position."""
        return weights_of(self.values, sum(self.values.values(), self.cash))


class PastTargets(NamedTuple):
    """The target weights of a portfolio from a day on."""

    since: dt.date
    targets: Mapping[str, Decimal]


def past_drifts(
    days: Iterable[DayValues], past_targets: Iterable[PastTargets]
) -> Iterator[tuple[dt.date, dict[str, Decimal]]]:
    """Yield each day's drifts from the targets that applied then; both inputs ascend by date.

    A day before the first targets, or on which the portfolio was worth nothing, has none.
    """
    coming = iter(past_targets)
    following = next(coming, None)
    targets: Mapping[str, Decimal] = {}
    for day in days:
        while following is not None and following.since <= day.date:
            targets, following = following.targets, next(coming, None)
        if targets and sum(day.values.values(), day.cash) > 0:
            yield day.date, drifts_of(day.weights, targets)
