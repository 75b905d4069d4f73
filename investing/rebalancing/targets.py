"""Target weights of a portfolio's strategy, found outside any transaction.

CUSTOM has them from its owner, EQUAL_WEIGHT gives every symbol the same weight; both ignore the
riskTolerance. All other strategies use the optimiser, on daily returns over the portfolio's look-back.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID

from db.rebalancing.planning import (
    History,
    fetch_histories,
    fetch_newest_dates,
    fetch_returns,
    find_held,
    find_rebalanced,
)
from db.sessions import Session, Sessions
from db.vocabulary import Strategy
from investing.rebalancing.optimiser.pool import Optimiser, Problem
from investing.rules.errors import (
    AccountInactive,
    EmptyUniverse,
    InfeasibleCap,
    InsufficientHistory,
    InvalidInput,
    NoPrice,
    NoStrategy,
    NotFound,
    PortfolioInactive,
    UnknownInstrument,
)

WEIGHT_PLACES = Decimal("0.000001")
"""Equal weights have six places, rounded down; the remainder is cash."""

STALE_DAYS = dt.timedelta(days=10)
"""How long before the newest prices of a universe its common returns may end."""


@dataclass(frozen=True)
class Targets:
    """The weights of a strategy by symbol, which add up to at most 1; the rest is cash."""

    strategy: Strategy
    weights: Mapping[str, Decimal]


async def find_targets(
    sessions: Sessions, optimiser: Optimiser, owner_id: UUID, portfolio_id: UUID, strategy: Strategy | None
) -> Targets:
    """Return the target weights of a portfolio now, by its own strategy or another one.

    Raise NotFound, PortfolioInactive, AccountInactive, NoStrategy, InvalidInput for CUSTOM without weights,
    EmptyUniverse, InfeasibleCap, UnknownInstrument, NoPrice, InsufficientHistory, and what
    `Optimiser.weights` raises.
    """
    async with sessions.begin(owner_id) as session:
        portfolio = await find_rebalanced(session, owner_id, portfolio_id)
        if portfolio is None:
            raise NotFound("There is no such portfolio.", ("portfolioId",))
        if not portfolio["is_active"]:
            raise PortfolioInactive
        if not portfolio["account_is_active"]:
            raise AccountInactive("The account is archived: restore it first.", ("portfolioId",))
        chosen = strategy or Strategy(portfolio["strategy"])
        if chosen is Strategy.NONE:
            raise NoStrategy
        if chosen is Strategy.CUSTOM:
            return Targets(chosen, _custom(portfolio))
        symbols = await _universe(session, owner_id, portfolio)
    cap: Decimal = portfolio["max_position_size"]
    _check_cap(len(symbols), cap)
    if chosen is Strategy.EQUAL_WEIGHT:
        each = (Decimal(1) / len(symbols)).quantize(WEIGHT_PLACES, ROUND_DOWN)
        return Targets(chosen, dict.fromkeys(symbols, each))
    returns = await _returns(sessions, owner_id, symbols, portfolio["look_back_days"])
    problem = Problem(chosen, returns, cap, portfolio["risk_tolerance"])
    return Targets(chosen, await optimiser.weights(owner_id, problem))


def _custom(portfolio: Mapping[Any, Any]) -> dict[str, Decimal]:
    if portfolio["target_weights"] is None:
        raise InvalidInput("CUSTOM needs target weights: set the portfolio's targetWeights.", ("strategy",))
    weights = {symbol: Decimal(weight) for symbol, weight in portfolio["target_weights"].items()}
    largest = max(weights.values())
    if largest > portfolio["max_position_size"]:
        symbol = max(weights, key=lambda each: weights[each])
        raise InvalidInput(
            f"The target weight of {symbol} is {largest}, more than the portfolio's maxPositionSize of "
            f"{portfolio['max_position_size'].normalize():f}: change one of them.",
            ("strategy",),
        )
    return weights


async def _universe(session: Session, owner_id: UUID, portfolio: Mapping[Any, Any]) -> list[str]:
    wanted = portfolio["symbols"]
    if wanted:
        return sorted(wanted)
    held = await find_held(session, owner_id, portfolio["id"], ())
    if not held:
        raise EmptyUniverse
    return [row["symbol"] for row in held]


def _check_cap(positions: int, cap: Decimal) -> None:
    if positions * cap < 1:
        least = (Decimal(1) / positions).quantize(Decimal("1E-10"), "ROUND_UP")
        raise InfeasibleCap(
            f"{positions} positions of at most {cap.normalize():f} do not add up to 1: raise the portfolio's "
            "maxPositionSize, or give it more symbols.",
            positions=positions,
            max_position_size=cap,
            least_size=least,
        )


async def _returns(
    sessions: Sessions, owner_id: UUID, symbols: Sequence[str], days: int
) -> Mapping[str, Sequence[float]]:
    async with sessions.reading(owner_id) as connection:
        newest = await fetch_newest_dates(connection, owner_id, symbols)
        latest, oldest = _newest(symbols, newest)
        # More than five trading days in eight are left even after the holidays of two exchanges.
        since = oldest - dt.timedelta(days=30 + days * 8 // 5)
        returns, last = await fetch_returns(connection, owner_id, symbols, days, since)
        if last is not None and _fewest(returns) == days and latest - last <= STALE_DAYS:
            return returns
        returns, last = await fetch_returns(connection, owner_id, symbols, days)
        histories = await fetch_histories(connection, owner_id, symbols)
    available = _fewest(returns)
    if last is not None and available == days and latest - last <= STALE_DAYS:
        return returns
    # As many returns as another instrument has or, for a single one, as its number of days allows.
    complete = max((len(found) for found in returns.values()), default=0)
    if len(histories) == 1:
        complete = min(days, histories[0].days - 1)
    for symbol, found in sorted(returns.items()):
        if len(found) < complete:
            raise InsufficientHistory(
                f"The price of {symbol} was 0 on some days, after which there is no return: leave it out, or "
                "set lookBackDays.",
                symbol=symbol,
                available_days=available,
                required_days=days,
                last_date=last,
            )
    raise _too_little(histories, days, available, last)


def _fewest(returns: Mapping[str, Sequence[float]]) -> int:
    return min((len(each) for each in returns.values()), default=0)


def _newest(symbols: Sequence[str], newest: Mapping[str, dt.date | None]) -> tuple[dt.date, dt.date]:
    """Return the newest and the oldest of the days on which the instruments' prices end."""
    found = []
    for symbol in symbols:
        if symbol not in newest:
            raise UnknownInstrument.named(symbol)
        date = newest[symbol]
        if date is None:
            raise NoPrice(f"There are no daily prices of {symbol}.", symbol=symbol)
        found.append(date)
    return max(found), min(found)


def _too_little(
    histories: Sequence[History], days: int, available: int, last: dt.date | None
) -> InsufficientHistory:
    """Name the instrument that ends first if the returns are old, the shortest one if they are too few."""
    worst = min(histories, key=lambda each: (each.days, each.symbol))
    if available == days:
        worst = min(histories, key=lambda each: (each.last or dt.date.min, each.symbol))
    latest = max(each.last for each in histories if each.last is not None)
    return InsufficientHistory(
        f"{days} daily returns of all {len(histories)} instruments up to {latest} are needed, there are "
        f"{available} up to {last}; {worst.symbol} has {worst.days} prices up to {worst.last}: leave it out, "
        "or set lookBackDays.",
        symbol=worst.symbol,
        available_days=available,
        required_days=days,
        last_date=last,
    )
