"""Contributions: what each position, or each month, added to a time-weighted return.

In one sub-period, a position's contribution is its gain over the capital at the beginning: the denominator of
the sub-period's return. Over several, each contribution is multiplied by what the portfolio had grown to
before it, so that what a position earned first goes on earning with everything else:

    C_i = sum over t of I_(t-1) x gain_(i,t) / V_t,  with I the index that begins with 1, V_t the capital

A gain in a sub-period without capital is among the gains and contributes nothing.

Since I_t - I_(t-1) = I_(t-1) x r_t, the contributions add up to I_T - 1, the time-weighted return, exactly
and without a residual. This is the linking of the Groupe de Recherche en Attribution de Performance (Synthese
des modeles d'attribution de performance, 1997) for a return that is compared with nothing; see also C.
Bonafede, S. Foresti and P. Matheos, A Multi-Period Linking Algorithm That Has Stood the Test of Time, Journal
of Performance Measurement, 2002. Carino's logarithmic coefficients divide the same sum differently; they are
not defined for a day on which everything is lost.
"""

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

from db.vocabulary import Period
from investing.rules.money import PLACES
from investing.rules.performance.returns import ONE, WIDE, ZERO, growth, stored
from investing.rules.performance.series import Point, growths, sub_periods

# The precision of a weight: enough for the sum over ten thousand days to be right to ten places.
_WEIGHT = Context(prec=40)


def weights(points: Sequence[Point]) -> list[tuple[dt.date, tuple[Decimal, ...]]]:
    """Return what a unit of gain adds to the return in each sub-period of each day after the first point.

    That is I_(t-1) / V_t, and 0 if there was no capital. It is valid only if no day lost more than everything
    or began below zero.
    """
    found = []
    index = ONE
    for before, point in itertools.pairwise(points):
        of_day = []
        for start, end in sub_periods(before.total_value, point.flows, point.total_value):
            grown = growth(start, end)
            of_day.append(ZERO if grown is None else _WEIGHT.divide(index, start))
            index = index if grown is None else WIDE.multiply(index, grown)
        found.append((point.date, tuple(of_day)))
    return found


def rounded_to_total(total: Decimal, parts: Sequence[Decimal]) -> list[Decimal] | None:
    """Round the parts to ten places so that they add up exactly to the total, which has ten places.

    The rounding difference goes to the largest part, where it matters least. Return None if the parts do not
    belong to this total, because the difference is more than rounding.
    """
    rounded = [WIDE.quantize(part, PLACES) for part in parts]
    left = total - sum(rounded, ZERO)
    if abs(left) > PLACES * (len(parts) + 1):
        return None
    if left:
        largest = max(range(len(rounded)), key=lambda n: abs(rounded[n]))
        rounded[largest] += left
    return rounded


@dataclass(frozen=True, slots=True)
class PeriodReturn:
    """A calendar month or year, or the part of it that is within the range.

    `contribution` is what it added to the return of the whole range; the return is None if there was no
    capital.
    """

    first: dt.date
    start_value: Decimal
    end_value: Decimal
    net_flow: Decimal
    time_weighted_return: Decimal | None
    contribution: Decimal


def by_period(points: Sequence[Point], period: Period) -> list[PeriodReturn]:
    """Return the periods after the first point that have at least one day.

    Their contributions add up exactly to the return.
    """
    found: list[PeriodReturn] = []
    index, opened = ONE, ONE
    start, flow, linked = points[0].total_value, ZERO, False
    for n, (point, day) in enumerate(growths(points), 1):
        if day.growth is not None:
            index, linked = WIDE.multiply(index, max(day.growth, ZERO)), True
        flow += point.net_flow
        if n + 1 == len(points) or _first(points[n + 1].date, period) != _first(point.date, period):
            own = stored(WIDE.subtract(WIDE.divide(index, opened), ONE)) if linked and opened else None
            gained = WIDE.subtract(index, opened)
            found.append(
                PeriodReturn(_first(point.date, period), start, point.total_value, flow, own, gained)
            )
            opened, start, flow, linked = index, point.total_value, ZERO, False
    return _rounded(found, WIDE.subtract(index, ONE))


def _rounded(periods: list[PeriodReturn], total: Decimal) -> list[PeriodReturn]:
    parts = rounded_to_total(WIDE.quantize(total, PLACES), [period.contribution for period in periods])
    assert parts is not None, "the differences of an index add up to its change"
    return [
        PeriodReturn(p.first, p.start_value, p.end_value, p.net_flow, p.time_weighted_return, contribution)
        for p, contribution in zip(periods, parts, strict=True)
    ]


def _first(date: dt.date, period: Period) -> dt.date:
    return date.replace(day=1) if period is Period.MONTH else date.replace(month=1, day=1)
