"""Returns: of a sub-period, linked and per year, and the statistics of their variation.

A sub-period ends at each external flow and at each day's end; its return is r = V_end / V_start - 1, with
V_start after the flow at its beginning and V_end before the one at its end. Linked, these make the
time-weighted return (GIPS 2020, "time-weighted rate of return"), which deposits and withdrawals do not
change.

All figures are Decimals with ten places, halves rounded away from zero; a figure that is not available is
None.
"""

import datetime as dt
from decimal import ROUND_HALF_UP, Context, Decimal

from investing.rules.money import LIMIT, PLACES

DAYS_PER_YEAR = 252
"""Trading days, by which deviations and means of daily returns are annualised.

`investing.rules.performance.frequency` decides how many periods a year any other series has.
"""

# Wide enough that sums of squares of stored returns are exact.
WIDE = Context(prec=80, rounding=ROUND_HALF_UP)
ZERO, ONE = Decimal(0), Decimal(1)
_CALENDAR_YEAR = 365


def growth(start: Decimal, end: Decimal) -> Decimal | None:
    """Return 1 + r of a sub-period, None if it did not begin above zero."""
    return WIDE.divide(end, start) if start > 0 else None


def stored(value: Decimal) -> Decimal | None:
    """Round to ten places; return None for a number that no column could hold."""
    return WIDE.quantize(value, PLACES) if abs(value) < LIMIT else None


def is_a_year(start: dt.date, end: dt.date) -> bool:
    """Return whether there are at least 365 days between the two, as an annualised figure needs (GIPS)."""
    return (end - start).days >= _CALENDAR_YEAR


def annualized(total_return: Decimal, start: dt.date, end: dt.date) -> Decimal | None:
    """Return (1 + R) ^ (365 / days) - 1; None under a year.

    Source: Global Investment Performance Standards (GIPS) for Firms, 2020: returns for periods of less than
    one year must not be annualised.
    """
    if not is_a_year(start, end):
        return None
    years = WIDE.divide(Decimal((end - start).days), Decimal(_CALENDAR_YEAR))
    if total_return <= -1:
        return stored(-ONE)
    return stored(WIDE.subtract(WIDE.power(ONE + total_return, WIDE.divide(ONE, years)), ONE))


def periodic_rate(yearly: Decimal, periods_per_year: int) -> Decimal:
    """Return the rate of a period that compounds to a yearly rate: (1 + y) ^ (1 / periods) - 1.

    It is not rounded. `yearly` is a fraction above -1.
    """
    return WIDE.subtract(WIDE.power(ONE + yearly, WIDE.divide(ONE, Decimal(periods_per_year))), ONE)


class Statistics:
    """Sums over the returns of periods, `periods_per_year` of which make a year.

    `risk_free` is a rate per period.
    """

    def __init__(self, risk_free: Decimal = ZERO, periods_per_year: int = DAYS_PER_YEAR) -> None:
        self._risk_free = risk_free
        self._root_of_year = WIDE.sqrt(Decimal(periods_per_year))
        self._count = 0
        self._sum = self._squares = self._downside = ZERO

    def add(self, value: Decimal) -> None:
        """Add the return of one more period, a fraction at ten places."""
        below = min(WIDE.subtract(value, self._risk_free), ZERO)
        self._count += 1
        self._sum = WIDE.add(self._sum, value)
        self._squares = WIDE.fma(value, value, self._squares)
        self._downside = WIDE.fma(below, below, self._downside)

    def volatility(self) -> Decimal | None:
        """Return the sample standard deviation (n - 1) of the returns x sqrt(periods per year)."""
        deviation = self._deviation()
        return None if deviation is None else stored(WIDE.multiply(deviation, self._root_of_year))

    def sharpe_ratio(self) -> Decimal | None:
        """Return the mean excess return over its standard deviation x sqrt(periods per year).

        Source: W. F. Sharpe, The Sharpe Ratio, Journal of Portfolio Management, 1994.
        """
        return self._per_unit_of(self._deviation())

    def sortino_ratio(self) -> Decimal | None:
        """Return the mean excess return over the downside deviation x sqrt(periods per year).

        The downside deviation is the root of the mean, over all n returns and not only the poor ones, of the
        square of each one's shortfall from the risk-free rate. Source: F. A. Sortino and L. N. Price,
        Performance Measurement in a Downside Risk Framework, Journal of Investing, 1994.
        """
        if self._count < 2:
            return None
        return self._per_unit_of(WIDE.sqrt(WIDE.divide(self._downside, Decimal(self._count))))

    def _deviation(self) -> Decimal | None:
        if self._count < 2:
            return None
        n = Decimal(self._count)
        # n x sum of squares - square of the sum is exact, so that equal returns deviate by exactly 0.
        spread = WIDE.subtract(WIDE.multiply(n, self._squares), WIDE.multiply(self._sum, self._sum))
        return WIDE.sqrt(WIDE.divide(spread, n * (n - 1)))

    def _per_unit_of(self, risk: Decimal | None) -> Decimal | None:
        if not risk:
            return None
        excess = WIDE.subtract(WIDE.divide(self._sum, Decimal(self._count)), self._risk_free)
        return stored(WIDE.multiply(WIDE.divide(excess, risk), self._root_of_year))
