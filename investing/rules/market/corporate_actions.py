"""Splits and cash dividends, derived from the difference between raw and adjusted closes.

The factor of a day is k = adjusted close / raw close. It is constant on ordinary days and rises on the day on
which an action takes effect (its ex-date):

- by n on the first day of an n-for-1 split, on which the raw close also falls to about 1/n;
- by 1 + D / close on the ex-date of a cash dividend of D per share, `close` being that day's raw close.

The second line is total return with the dividend reinvested at the ex-date's close (CRSP's definition of a
holding-period return, (close + D) / close before). The bundled data follow it: it gives IBM 0.85 in May 2012
and Microsoft 3.08 in November 2004, as they were paid, where 1 - D / (close before), which other publishers
use, would give 0.8560 and 3.0295.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from itertools import pairwise

RATIO_TOLERANCE = Decimal("0.02")
"""How far the factor's jump may be from a whole ratio, which leaves room for a dividend on the same day."""

MOVE_TOLERANCE = Decimal("0.35")
"""How far the raw close's own jump may be from the ratio, which leaves room for that day's market move."""

SMALLEST_DIVIDEND = Decimal("0.001")
"""Per share, in the bar's currency. Anything less comes from the rounding of adjusted closes."""

_PLACES = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Bar:
    """One day's raw close and its close adjusted for splits and dividends, in the instrument's currency."""

    date: dt.date
    close: Decimal
    adjusted_close: Decimal


@dataclass(frozen=True, slots=True)
class Split:
    """From this day on, `denominator` old shares are `numerator` new ones: 2 and 1 for a 2-for-1 split."""

    date: dt.date
    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True)
class Dividend:
    """Cash paid for each share held before this day, the ex-date; at most four decimals."""

    date: dt.date
    amount: Decimal


def derive(bars: Sequence[Bar]) -> list[Split | Dividend]:
    """Return the actions that a series reveals, by date; a split comes before a dividend of the same day.

    The dividend of such a day is then per new share. A factor that falls without a reverse split is not an
    action that could be booked, and is ignored. Raise ValueError if the dates do not ascend or a close is not
    positive.
    """
    actions: list[Split | Dividend] = []
    for before, bar in pairwise(bars):
        if bar.date <= before.date:
            raise ValueError(f"bars must ascend by date: {bar.date} comes after {before.date}")
        if min(before.close, before.adjusted_close, bar.close, bar.adjusted_close) <= 0:
            raise ValueError(f"closes must be positive, and one up to {bar.date} is not")
        jump = (bar.adjusted_close * before.close) / (bar.close * before.adjusted_close)
        if split := _split(before, bar, jump):
            actions.append(split)
            jump = jump * split.denominator / split.numerator
        amount = (bar.close * (jump - 1)).quantize(_PLACES, ROUND_HALF_UP)
        if amount >= SMALLEST_DIVIDEND:
            actions.append(Dividend(bar.date, _plain(amount)))
    return actions


def _split(before: Bar, bar: Bar, jump: Decimal) -> Split | None:
    """Return a split if the factor and the raw close jump by the same whole ratio, up or down."""
    reverse = jump < 1
    ratio = int((1 / jump if reverse else jump).to_integral_value(ROUND_HALF_EVEN))
    if ratio < 2:
        return None
    numerator, denominator = (1, ratio) if reverse else (ratio, 1)
    whole = Decimal(numerator) / denominator
    if not _near(jump, whole, RATIO_TOLERANCE) or not _near(before.close / bar.close, whole, MOVE_TOLERANCE):
        return None
    return Split(bar.date, numerator, denominator)


SUSPECT_TOLERANCE = Decimal("0.05")
"""How far the close's own jump may be from a usual ratio, for a split that has no other evidence."""

_USUAL = (
    *(
        (Decimal(new), Decimal(old))
        for n in (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 100)
        for new, old in ((n, 1), (1, n))
    ),
    (Decimal(3), Decimal(2)),
    (Decimal(2), Decimal(3)),
    (Decimal(5), Decimal(2)),
)


def suspected(before: Decimal, close: Decimal, factor: Decimal | None) -> tuple[Decimal, Decimal] | None:
    """Return the usual ratio, as (new shares, old shares), by which a raw close jumps; None if there is none.

    `factor` is the change of k (see the module) where both days have both closes: if it is constant, the
    market itself fell that far and nothing was split. Apple lost 52 % on 29 September 2000.
    """
    for new, old in _USUAL:
        ratio = new / old
        if _near(before / close, ratio, SUSPECT_TOLERANCE):
            return (new, old) if factor is None or _near(factor, ratio, MOVE_TOLERANCE) else None
    return None


def contradicts(before: Decimal, close: Decimal, ratio: Decimal, *, is_raw: bool) -> bool:
    """Return whether a close contradicts what its series should do on the ex-date of a known split.

    A raw close falls by about the ratio, an adjusted one does not; a ratio too close to 1 proves nothing.
    """
    if _near(Decimal(1), ratio, MOVE_TOLERANCE):
        return False
    falls = _near(before / close, ratio, MOVE_TOLERANCE)
    stays = _near(before / close, Decimal(1), MOVE_TOLERANCE)
    return stays and not falls if is_raw else falls and not stays


def _near(value: Decimal, target: Decimal, tolerance: Decimal) -> bool:
    return abs(value / target - 1) <= tolerance


def _plain(amount: Decimal) -> Decimal:
    """Remove trailing zeros beyond the cents: 2.6500 becomes 2.65, 0.1000 becomes 0.10."""
    cents = amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return cents if cents == amount else amount
