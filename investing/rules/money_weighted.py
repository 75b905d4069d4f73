"""The money-weighted return: the one yearly rate at which every payment grew to what is there at the end.

It is called XIRR after the spreadsheet function, with days / 365 as the exponent. It is an approximation by
nature, a root that is searched for, and so the one figure that is worked out in floating point.
"""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

import pyxirr

from db.vocabulary import UnavailableReason
from investing.rules.returns import stored

Payments = Sequence[tuple[dt.date, Decimal]]

# Rates that the search for a second root looks at: from -99.99 % to a millionfold, closer where rates are.
_GRID = [-0.9999, -0.999, -0.99, *(n / 100 for n in range(-98, 300)), *(3 * 1.05**n for n in range(260))]


def money_weighted(payments: Payments) -> Decimal | UnavailableReason:
    """The rate of these payments by day, negative what is put in and positive what comes out, as a fraction.

    Two payments of the same day may be given one by one. The reason where there is no rate, or none that is
    the only one.

    Source: Microsoft Excel's XIRR, as pyxirr computes it. That it is the only root follows where what is
    invested, compounded at that rate, is never less than nothing before the end (C. S. Soper, The Marginal
    Efficiency of Capital: A Further Note, Economic Journal, 1959); elsewhere others are searched for.
    """
    daily = _by_day(payments)
    if not any(amount < 0 for _, amount in daily) or not any(amount > 0 for _, amount in daily):
        return UnavailableReason.NO_CASH_FLOWS
    roots = _roots(daily)
    if len(roots) > 1:
        return UnavailableReason.SEVERAL_ROOTS
    if not roots:
        return UnavailableReason.NO_ROOT
    rate = stored(Decimal(repr(roots[0])))
    return UnavailableReason.OUT_OF_RANGE if rate is None else rate


def _by_day(payments: Payments) -> list[tuple[dt.date, float]]:
    days: dict[dt.date, Decimal] = {}
    for date, amount in payments:
        days[date] = days.get(date, Decimal(0)) + amount
    return [(date, float(amount)) for date, amount in sorted(days.items())]


def _roots(daily: list[tuple[dt.date, float]]) -> list[float]:
    """The only root, or as many as show themselves."""
    dates, amounts = [date for date, _ in daily], [amount for _, amount in daily]
    root = pyxirr.xirr(dates, amounts)
    if root is not None and root > -1 and _is_invested_throughout(daily, root):
        return [root]
    values = [_value(daily, rate) for rate in _GRID]
    roots = [
        _GRID[n] for n in range(len(_GRID) - 1) if (values[n] > 0) != (values[n + 1] > 0) or values[n] == 0
    ]
    if len(roots) == 1 and root is not None:
        return [root]
    return roots


def _is_invested_throughout(daily: list[tuple[dt.date, float]], rate: float) -> bool:
    """Whether what is invested, compounded at the rate, is above zero on every day before the last."""
    first = daily[0][0]
    balance = 0.0
    for date, amount in daily[:-1]:
        balance += amount * (1 + rate) ** (-(date - first).days / 365)
        if balance >= 0:
            return False
    return True


def _value(daily: list[tuple[dt.date, float]], rate: float) -> float:
    """What the payments are worth on the middle day at this rate: zero at a root."""
    middle = daily[len(daily) // 2][0]
    total = 0.0
    for date, amount in daily:
        exponent = (middle - date).days / 365
        try:
            total += amount * (1 + rate) ** exponent
        except OverflowError:
            total += amount * float("inf")
    return total
