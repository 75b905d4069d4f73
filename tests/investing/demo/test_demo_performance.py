"""Performance of the demo: figures that add up, at every level, and that an independent library finds."""

import datetime as dt
from decimal import Decimal
from uuid import UUID

import empyrical
import pandas
import pytest

from db.sessions import Sessions
from db.vocabulary import Period
from investing.portfolio.gains import read_gains
from investing.portfolio.performance import Performance, PerformanceRequest, ScopeKind, read_performances
from investing.rules.performance.contribution import by_period
from investing.rules.performance.series import daily_returns
from tests.investing.portfolio.days import fetch

D = Decimal
FIVE_YEARS = PerformanceRequest(dt.date(2017, 12, 29), dt.date(2022, 12, 28), D(0))
EVERYTHING = PerformanceRequest(None, None, D(0))
_IDS = {
    ScopeKind.PORTFOLIO: "SELECT p.id FROM portfolios p JOIN users u ON u.id = p.owner_id "
    "WHERE u.username = 'demo' ORDER BY p.id",
    ScopeKind.ACCOUNT: "SELECT a.id FROM accounts a JOIN users u ON u.id = a.owner_id "
    "WHERE u.username = 'demo' ORDER BY a.id",
    ScopeKind.USER: "SELECT id FROM users WHERE username = 'demo'",
}


async def read(
    sessions: Sessions, url: str, kind: ScopeKind, asked: PerformanceRequest
) -> tuple[UUID, list[Performance]]:
    """The demo user, and the performance of each of their portfolios or accounts, or of all."""
    ((owner_id,),) = await fetch(url, _IDS[ScopeKind.USER])
    ids = [id for (id,) in await fetch(url, _IDS[kind])]
    async with sessions.reading(owner_id) as connection:
        return owner_id, await read_performances(connection, owner_id, kind, [(id, asked) for id in ids])


@pytest.mark.parametrize("asked", [FIVE_YEARS, EVERYTHING], ids=["five years", "everything"])
@pytest.mark.parametrize("kind", ScopeKind)
async def test_contributions_add_up(
    sessions: Sessions, superuser_url: str, kind: ScopeKind, asked: PerformanceRequest
) -> None:
    owner_id, performances = await read(sessions, superuser_url, kind, asked)
    async with sessions.reading(owner_id) as connection:
        gains = await read_gains(connection, owner_id, performances)
    assert len(performances) == {ScopeKind.PORTFOLIO: 6, ScopeKind.ACCOUNT: 3, ScopeKind.USER: 1}[kind]
    for performance, its in zip(performances, gains, strict=True):
        figures = performance.figures
        if len(performance.points) == 1:
            # Technology ends in 2013: since 2017 there is no day with a return.
            assert (figures.time_weighted_return, its) == (None, None)
            continue
        assert list(figures.unavailable) == []
        assert figures.periods_per_year == 252
        assert its is not None
        assert sum(gain.contribution for gain in its) == figures.time_weighted_return
        assert figures.end_value is not None
        assert figures.start_value is not None
        assert figures.net_flow is not None
        grown = figures.end_value - figures.start_value - figures.net_flow
        assert sum(gain.gain for gain in its) == grown
        for period in Period:
            periods = by_period(performance.points, period)
            assert sum(one.contribution for one in periods) == figures.time_weighted_return
            assert sum(one.net_flow for one in periods) == figures.net_flow


async def test_an_independent_library_finds_the_same(sessions: Sessions, superuser_url: str) -> None:
    """empyrical-reloaded on the daily returns, whose figures are binary floating point."""
    _, performances = await read(sessions, superuser_url, ScopeKind.PORTFOLIO, EVERYTHING)
    for performance in performances:
        # The first day, on which nothing but money comes in, is a part of a day.
        _, *days = daily_returns(performance.points)
        index = pandas.DatetimeIndex([day.date for day in days])
        series = pandas.Series([float(day.daily) for day in days], index=index)
        figures = performance.figures
        found = {
            "time_weighted_return": empyrical.cum_returns_final(series),
            "volatility": empyrical.annual_volatility(series),
            "sharpe_ratio": empyrical.sharpe_ratio(series),
            "sortino_ratio": empyrical.sortino_ratio(series),
        }
        for name, value in found.items():
            assert float(getattr(figures, name)) == pytest.approx(value, rel=1e-6), name
        assert figures.max_drawdown is not None
        assert -float(figures.max_drawdown.depth) == pytest.approx(empyrical.max_drawdown(series), rel=1e-6)
        assert figures.best_day is not None
        assert figures.worst_day is not None
        assert (figures.best_day.date, figures.worst_day.date) == (
            series.idxmax().date(),
            series.idxmin().date(),
        )
        # The dates of the drawdown, by a plain look at the index.
        wealth = (1 + series).cumprod()
        wealth = pandas.concat([pandas.Series([1.0], index=[pandas.Timestamp(figures.start)]), wealth])
        falls = wealth / wealth.cummax() - 1
        trough = falls.idxmin()
        height = wealth[:trough].max()
        assert figures.max_drawdown.trough == trough.date()
        assert figures.max_drawdown.peak == wealth[:trough][wealth[:trough] == height].index[-1].date()
        later = wealth[trough:]
        back = later[later >= height]
        assert figures.max_drawdown.recovery == (back.index[0].date() if len(back) else None)


async def test_the_last_snapshot_says_the_same_as_the_whole(sessions: Sessions, superuser_url: str) -> None:
    """Figures since the first day are those that the snapshots carry along."""
    _, performances = await read(sessions, superuser_url, ScopeKind.PORTFOLIO, EVERYTHING)
    query = """
        SELECT DISTINCT ON (portfolio_id) portfolio_id, cumulative_return, volatility, sharpe_ratio,
               sortino_ratio, max_drawdown
        FROM performance_history ORDER BY portfolio_id, date DESC
    """
    stored = {row[0]: row[1:] for row in await fetch(superuser_url, query)}
    for performance in performances:
        figures = performance.figures
        assert performance.scope is not None
        assert figures.max_drawdown is not None
        assert stored[performance.scope.id] == (
            figures.time_weighted_return,
            figures.volatility,
            figures.sharpe_ratio,
            figures.sortino_ratio,
            round(figures.max_drawdown.depth, 10),
        )
