"""How a portfolio did: daily returns, what they add up to, and how bumpy the way was.

A day's return is r = (V_end + out) / (V_start + in) - 1: what came in from outside worked from the day's
beginning, what went out did so until its end. Linked from day to day that is the time-weighted return (GIPS,
"time-weighted rate of return"), which deposits and withdrawals do not move. There is no return on the first
day, which has no start value, nor on a day whose denominator is not above zero.

Every figure looks back to the first day, in one pass. The statistics are those of the daily returns as they
are stored, at ten places: their sums are exact, and whoever reads the returns can work them out again. The
return since the beginning links returns that are not rounded. A figure that cannot be had is None.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

from db.vocabulary import TransactionType
from investing.rules.money import LIMIT, PLACES

EXTERNAL = frozenset(
    {
        TransactionType.DEPOSIT,
        TransactionType.WITHDRAWAL,
        TransactionType.TRANSFER_IN,
        TransactionType.TRANSFER_OUT,
    }
)
"""What crosses a portfolio's border. Dividends, interest, fees and taxes are part of how it did."""

DAYS_PER_YEAR = 252

# Wide enough that sums of squares of stored returns are exact.
_WIDE = Context(prec=80, rounding=ROUND_HALF_UP)
_ZERO, _ONE = Decimal(0), Decimal(1)
_ROOT_OF_YEAR = _WIDE.sqrt(Decimal(DAYS_PER_YEAR))


@dataclass(frozen=True, slots=True)
class Day:
    """A portfolio at a day's end, in its currency. `net_flow` is what came in from outside less what left."""

    date: dt.date
    cash_value: Decimal
    positions_value: Decimal
    net_flow: Decimal
    num_positions: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A day and the figures since the first one. Returns and drawdown are fractions: 0.05 is 5 %.

    `volatility`, `sharpe_ratio` and `sortino_ratio` are per year of 252 days; `max_drawdown` is positive.
    """

    date: dt.date
    total_value: Decimal
    cash_value: Decimal
    positions_value: Decimal
    net_flow: Decimal
    daily_return: Decimal | None
    cumulative_return: Decimal | None
    sharpe_ratio: Decimal | None
    sortino_ratio: Decimal | None
    volatility: Decimal | None
    max_drawdown: Decimal | None
    num_positions: int


def snapshots(days: Iterable[Day], risk_free_daily: Decimal = _ZERO) -> Iterator[Snapshot]:
    """The snapshot of each day, as the days come. Raises ValueError where dates do not ascend."""
    index, statistics = _Index(), _Statistics(risk_free_daily)
    before: dt.date | None = None
    start: Decimal | None = None
    for day in days:
        if before is not None and day.date <= before:
            raise ValueError(f"days must ascend: {day.date} comes after {before}")
        total = day.cash_value + day.positions_value
        growth = None if start is None else _growth(start, total, day.net_flow)
        daily = None if growth is None else _stored(_WIDE.subtract(growth, _ONE))
        if growth is not None and daily is not None:
            index.link(growth)
            statistics.add(daily)
        yield Snapshot(
            date=day.date,
            total_value=total,
            cash_value=day.cash_value,
            positions_value=day.positions_value,
            net_flow=day.net_flow,
            daily_return=daily,
            cumulative_return=index.cumulative_return(),
            sharpe_ratio=statistics.sharpe_ratio(),
            sortino_ratio=statistics.sortino_ratio(),
            volatility=statistics.volatility(),
            max_drawdown=index.max_drawdown(),
            num_positions=day.num_positions,
        )
        before, start = day.date, total


def _growth(start: Decimal, end: Decimal, net_flow: Decimal) -> Decimal | None:
    """1 + r of a day, or None where nothing was there to grow."""
    base = start + max(net_flow, _ZERO)
    return _WIDE.divide(end + max(-net_flow, _ZERO), base) if base > 0 else None


class _Index:
    """What 1 has become, and the worst fall from its highest point so far."""

    def __init__(self) -> None:
        self._value = self._peak = _ONE
        self._worst = _ZERO
        self._linked = False

    def link(self, growth: Decimal) -> None:
        # More than everything can be lost on margin, but nothing links through a value below zero.
        self._value = _WIDE.multiply(self._value, max(growth, _ZERO))
        self._peak = max(self._peak, self._value)
        self._worst = max(self._worst, _ONE - _WIDE.divide(self._value, self._peak))
        self._linked = True

    def cumulative_return(self) -> Decimal | None:
        return _stored(_WIDE.subtract(self._value, _ONE)) if self._linked else None

    def max_drawdown(self) -> Decimal | None:
        """The largest fall of the index from a peak, as a fraction of the peak."""
        return _stored(self._worst) if self._linked else None


class _Statistics:
    """Sums over the daily returns so far, all of them exact."""

    def __init__(self, risk_free: Decimal) -> None:
        self._risk_free = risk_free
        self._count = 0
        self._sum = self._squares = self._downside = _ZERO

    def add(self, daily: Decimal) -> None:
        below = min(_WIDE.subtract(daily, self._risk_free), _ZERO)
        self._count += 1
        self._sum = _WIDE.add(self._sum, daily)
        self._squares = _WIDE.fma(daily, daily, self._squares)
        self._downside = _WIDE.fma(below, below, self._downside)

    def volatility(self) -> Decimal | None:
        """The sample standard deviation (n - 1) of daily returns x sqrt(252)."""
        deviation = self._deviation()
        return None if deviation is None else _stored(_WIDE.multiply(deviation, _ROOT_OF_YEAR))

    def sharpe_ratio(self) -> Decimal | None:
        """Mean excess return over its standard deviation x sqrt(252).

        Source: W. F. Sharpe, The Sharpe Ratio, Journal of Portfolio Management, 1994.
        """
        return self._per_unit_of(self._deviation())

    def sortino_ratio(self) -> Decimal | None:
        """Mean excess return over the downside deviation x sqrt(252).

        The downside deviation is the root of the mean over all n returns, not only the poor ones, of the
        square of what each falls short of the risk-free rate. Source: F. A. Sortino and L. N. Price,
        Performance Measurement in a Downside Risk Framework, Journal of Investing, 1994.
        """
        if self._count < 2:
            return None
        return self._per_unit_of(_WIDE.sqrt(_WIDE.divide(self._downside, Decimal(self._count))))

    def _deviation(self) -> Decimal | None:
        if self._count < 2:
            return None
        n = Decimal(self._count)
        # n x sum of squares - square of the sum: exact, so that equal returns have exactly none.
        spread = _WIDE.subtract(_WIDE.multiply(n, self._squares), _WIDE.multiply(self._sum, self._sum))
        return _WIDE.sqrt(_WIDE.divide(spread, n * (n - 1)))

    def _per_unit_of(self, risk: Decimal | None) -> Decimal | None:
        if not risk:
            return None
        excess = _WIDE.subtract(_WIDE.divide(self._sum, Decimal(self._count)), self._risk_free)
        return _stored(_WIDE.multiply(_WIDE.divide(excess, risk), _ROOT_OF_YEAR))


def _stored(value: Decimal) -> Decimal | None:
    """Rounded to ten places; None for what no column could hold."""
    return _WIDE.quantize(value, PLACES) if abs(value) < LIMIT else None
