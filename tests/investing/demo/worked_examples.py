"""The examples of docs/analytics.md, computed from the demo: by block the lines that ought to stand there."""

import datetime as dt
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from db.canonical import decimal
from db.sessions import Sessions
from db.vocabulary import AllocationDimension, Broker, Period, Strategy
from investing.brokers.paper import PaperBroker
from investing.brokers.registry import Brokers
from investing.portfolio.allocation import read_allocations
from investing.portfolio.benchmarks import read_benchmarks
from investing.portfolio.gains import read_gains
from investing.portfolio.performance import Performance, PerformanceRequest, ScopeKind, read_performances
from investing.rebalancing.optimiser.pool import Optimiser
from investing.rebalancing.planning import plan_portfolio
from investing.rebalancing.targets import find_targets
from investing.rules.performance.benchmark import compare
from investing.rules.performance.contribution import by_period
from investing.rules.performance.series import daily_returns
from investing.rules.trading.orders import BrokerFees
from investing.trading.placing import TradingConfig
from tests.investing.portfolio.days import fetch

DOCUMENT = Path(__file__).parent.parent.parent.parent / "docs" / "analytics.md"
SINCE, UNTIL = dt.date(2017, 12, 28), dt.date(2022, 12, 28)
A_DAY = dt.date(2022, 12, 1)
QUIET, CORE, TECHNOLOGY = "Quiet income", "Core, equally weighted", "Technology, 2000 to 2013"

_BLOCK = re.compile(r"^```text (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def written() -> dict[str, list[str]]:
    """The document's blocks by their names, line by line."""
    return {name: body.splitlines() for name, body in _BLOCK.findall(DOCUMENT.read_text())}


@dataclass(frozen=True)
class Demo:
    """The demo user in a database of its own."""

    sessions: Sessions
    url: str
    owner_id: UUID
    portfolios: Mapping[str, UUID]

    @classmethod
    async def find(cls, sessions: Sessions, url: str) -> "Demo":
        """Whom the database has as `demo`."""
        ((owner_id,),) = await fetch(url, "SELECT id FROM users WHERE username = 'demo'")
        rows = await fetch(url, "SELECT name, id FROM portfolios WHERE owner_id = $1", owner_id)
        return cls(sessions, url, owner_id, dict(rows))

    async def performance(self, name: str = QUIET) -> Performance:
        """Of a portfolio, over the five years."""
        asked = PerformanceRequest(SINCE, UNTIL, Decimal(0))
        async with self.sessions.reading(self.owner_id) as connection:
            (found,) = await read_performances(
                connection, self.owner_id, ScopeKind.PORTFOLIO, [(self.portfolios[name], asked)]
            )
        return found

    async def blocks(self) -> AsyncIterator[tuple[str, list[str]]]:
        """Every block but those that need the optimiser."""
        performance = await self.performance()
        for name, lines in _figures(performance).items():
            yield name, lines
        yield "benchmark", await self._benchmark(performance)
        yield "contribution", await self._contributions(performance)
        yield "allocation", await self._allocation()
        for name, lines in (await self._profits()).items():
            yield name, lines

    async def _benchmark(self, performance: Performance) -> list[str]:
        async with self.sessions.reading(self.owner_id) as connection:
            found = await read_benchmarks(connection, self.owner_id, [("SPX", SINCE, UNTIL)])
        prices = found["SPX"].prices_for(performance.points, "America/New_York")
        comparison = compare(performance.points, performance.figures, prices)
        return _lines(
            benchmarkReturn=comparison.benchmark_return,
            excessReturn=comparison.excess_return,
            beta=comparison.beta,
            correlation=comparison.correlation,
            trackingError=comparison.tracking_error,
        )

    async def _contributions(self, performance: Performance) -> list[str]:
        async with self.sessions.reading(self.owner_id) as connection:
            (gains,) = await read_gains(connection, self.owner_id, [performance])
        assert gains is not None
        symbols: dict[Any, str] = dict(await fetch(self.url, "SELECT id, symbol FROM instruments"))
        parts: list[tuple[object, ...]] = [("position", "gain", "contribution")]
        parts += [(symbols[one.instrument_id], one.gain, one.contribution) for one in gains]
        whole = sum(one.gain for one in gains), sum(one.contribution for one in gains)
        parts.append(("together", *whole))
        years = [
            (one.first.year, one.time_weighted_return, one.contribution)
            for one in by_period(performance.points, Period.YEAR)
        ]
        return [*_table(parts), "", *_table([("year", "return", "contribution"), *years])]

    async def _allocation(self) -> list[str]:
        id = self.portfolios[TECHNOLOGY]
        async with self.sessions.reading(self.owner_id) as connection:
            wholes = await read_allocations(connection, self.owner_id, ScopeKind.PORTFOLIO, [id])
        slices = wholes[id].allocation(AllocationDimension.SYMBOL).slices
        rows = [(one.label, one.value, one.weight, one.target_weight, one.drift) for one in slices]
        return _table([("slice", "value", "weight", "target", "drift"), *rows])

    async def _profits(self) -> dict[str, list[str]]:
        portfolio = self.portfolios[CORE]
        ((*held,),) = await fetch(
            self.url,
            "SELECT p.quantity, p.cost_basis, round(p.cost_basis / p.quantity, 10), q.price FROM positions p "
            "JOIN instruments i ON i.id = p.instrument_id JOIN quotes q ON q.instrument_id = i.id "
            "WHERE p.portfolio_id = $1 AND i.symbol = 'KO'",
            portfolio,
        )
        quantity, cost, average, price = held
        worth = round(quantity * price, 10)
        ((*sale,),) = await fetch(
            self.url,
            "SELECT (t.executed_at AT TIME ZONE 'America/New_York')::date, t.quantity, t.price, t.amount, "
            "t.commission, t.cost_delta, t.realized_pnl, t.realized_pnl_fifo, t.id FROM transactions t "
            "JOIN instruments i ON i.id = t.instrument_id WHERE t.portfolio_id = $1 AND i.symbol = 'KO' "
            "AND t.type = 'SELL' ORDER BY t.executed_at, t.id LIMIT 1",
            portfolio,
        )
        names = ("day", "quantity", "price", "amount", "commission", "costDelta", "average cost", "FIFO")
        uses = await fetch(
            self.url,
            "SELECT (l.opened_at AT TIME ZONE 'America/New_York')::date, -u.quantity_delta, -u.cost_delta, "
            "u.gain FROM lot_uses u JOIN lots l ON l.transaction_id = u.lot_transaction_id "
            "AND l.number = u.lot_number WHERE u.transaction_id = $1 ORDER BY l.opened_at",
            sale.pop(),
        )
        unrealized = _lines(
            quantity=quantity, costBasis=cost, averageCost=average, currentPrice=price, marketValue=worth,
            unrealizedPnl=worth - cost,
        )  # fmt: skip
        lots: list[tuple[object, ...]] = [("lot of", "quantity", "cost", "gain"), *uses]
        realized = [*_lines(**dict(zip(names, sale, strict=True))), "", *_table(lots)]
        return {"unrealized": unrealized, "realized": realized}

    async def plans(self, optimiser: Optimiser) -> AsyncIterator[tuple[str, list[str]]]:
        """The blocks that need the optimiser, whose last digits another build may not share."""
        trading_config = TradingConfig(Brokers({Broker.PAPER: PaperBroker(self.sessions, BrokerFees())}))
        plan = await plan_portfolio(
            self.sessions, optimiser, trading_config, self.owner_id, self.portfolios[TECHNOLOGY], None
        )
        traded = sum((trade.estimated_amount for trade in plan.trades), Decimal(0))
        whole = {"totalValue": plan.value, "turnover": plan.turnover}
        yield "turnover", _lines(trades=len(plan.trades), traded=traded, **whole)
        symbols: list[str] = []
        rows: list[tuple[object, ...]] = []
        for strategy in Strategy:
            if strategy in (Strategy.CUSTOM, Strategy.NONE):
                continue
            targets = await find_targets(
                self.sessions, optimiser, self.owner_id, self.portfolios[QUIET], strategy
            )
            symbols = symbols or sorted(targets.weights)
            rows.append((strategy.value, *(f"{targets.weights[symbol]:.3f}" for symbol in symbols)))
        yield "strategies", _table([("strategy", *symbols), *rows])


def _figures(performance: Performance) -> dict[str, list[str]]:
    points, figures = performance.points, performance.figures
    days = list(daily_returns(points))
    place = next(n for n, point in enumerate(points) if point.date == A_DAY)
    fall = figures.max_drawdown
    assert fall is not None
    assert figures.best_day is not None
    assert figures.worst_day is not None
    return {
        "values": _lines(
            startValue=figures.start_value, endValue=figures.end_value, netFlow=figures.net_flow
        ),
        "day": _lines(
            date=A_DAY,
            startValue=points[place - 1].total_value,
            beforeTheFlow=points[place].flows[0].before,
            netFlow=points[place].net_flow,
            endValue=points[place].total_value,
            dailyReturn=next(day.daily for day in days if day.date == A_DAY),
        ),
        "returns": _lines(
            timeWeightedReturn=figures.time_weighted_return,
            days=(points[-1].date - points[0].date).days,
            annualizedReturn=figures.annualized_return,
        ),
        "xirr": _lines(
            flows=sum(1 for point in points[1:] if point.net_flow),
            moneyWeightedReturn=figures.money_weighted_return,
        ),
        "risk": _lines(
            periods=len(figures.periods),
            periodsPerYear=figures.periods_per_year,
            volatility=figures.volatility,
            sharpeRatio=figures.sharpe_ratio,
            sortinoRatio=figures.sortino_ratio,
        ),
        "drawdown": _lines(
            depth=round(fall.depth, 10), peak=fall.peak, trough=fall.trough, recovery=fall.recovery
        ),
        "days": _lines(
            bestDay=f"{figures.best_day.date} {decimal(figures.best_day.daily)}",
            worstDay=f"{figures.worst_day.date} {decimal(figures.worst_day.daily)}",
        ),
    }


def _text(value: object) -> str:
    return decimal(value) if isinstance(value, Decimal) else str(value)


def _lines(**values: object) -> list[str]:
    return _table(list(values.items()))


def _table(rows: Sequence[Sequence[object]]) -> list[str]:
    """Columns that stand below each other, the first one to the left."""
    texts = [[_text(value) for value in row] for row in rows]
    widths = [max(len(row[n]) for row in texts) for n in range(len(texts[0]))]

    def line(row: Sequence[str]) -> str:
        others = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        return "  ".join([row[0].ljust(widths[0]), *others]).rstrip()

    return [line(row) for row in texts]
