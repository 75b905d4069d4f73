"""Weights and drifts on past days: the ledger replayed day by day with the closes, as for snapshots."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import orjson

from db.alerts.queries import fetch_aims, fetch_rebalanced, fetch_symbols
from db.alerts.rows import AimsRow, RebalancedRow
from db.portfolio.replay import fetch_worth
from db.portfolio.rows import WorthRow
from db.vocabulary import AlertKind, Strategy
from investing.actor import Actor
from investing.alerts.portfolio_snapshot import weights_stored
from investing.alerts.rules import NewAlertRule
from investing.background import run_apart
from investing.market.close_shifts import shifts_of
from investing.rules.market.market_hours import day_of
from investing.rules.rebalancing.weights import DayValues, PastTargets, past_drifts

Day = tuple[dt.date, Decimal]


class BacktestSubject(NamedTuple):
    """What a history is about: an instrument, a portfolio, or an instrument in a portfolio."""

    portfolio_id: UUID | None
    symbol: str | None


Histories = Mapping[BacktestSubject, Sequence[Day]]


async def past_weights(actor: Actor, new: NewAlertRule, start: dt.date, end: dt.date) -> Histories:
    """Return what a rule on weights or drifts would have seen between two days, by portfolio and symbol.

    A day on which something held had no price yet is left out. A portfolio with custom weights is assumed to
    have always had its current targets; any other had those of its last completed rebalance before the day.
    """
    async with actor.sessions.reading(actor.id) as connection:
        symbols = {str(id): symbol for id, symbol in (await fetch_symbols(connection, actor.id)).items()}
        portfolios = await fetch_aims(connection, actor.id)
        rebalanced = await fetch_rebalanced(connection, actor.id)
    histories: dict[BacktestSubject, list[Day]] = {}
    for portfolio in portfolios:
        id = portfolio["id"]
        if new.portfolio_id not in (None, id):
            continue
        zone = portfolio["time_zone"]
        async with actor.sessions.reading(actor.id) as connection:
            shifts = await shifts_of(connection, [zone])
            rows = await fetch_worth(connection, actor.id, id, zone, (start, end), shifts)
        past_targets = _past_targets(portfolio, [row for row in rebalanced if row["portfolio_id"] == id])
        histories |= await run_apart(actor.id, _histories, new, id, rows, past_targets, symbols)
    return histories


def _past_targets(portfolio: AimsRow, rebalanced: Sequence[RebalancedRow]) -> list[PastTargets]:
    if portfolio["strategy"] == Strategy.NONE:
        return []
    if portfolio["strategy"] == Strategy.CUSTOM:
        return [PastTargets(dt.date.min, weights_stored(portfolio["target_weights"]))]
    zone = portfolio["time_zone"]
    return [
        PastTargets(day_of(row["ended_at"], zone), weights_stored(row["new_weights"])) for row in rebalanced
    ]


def _histories(
    new: NewAlertRule,
    id: UUID,
    rows: Sequence[WorthRow],
    past_targets: Sequence[PastTargets],
    symbols: Mapping[str, str],
) -> dict[BacktestSubject, list[Day]]:
    days = (_day_values(row, symbols) for row in rows)
    found = (
        past_drifts(days, past_targets)
        if new.kind is AlertKind.DRIFT
        else ((d.date, d.weights) for d in days)
    )
    known = {new.symbol} if new.symbol is not None else set(symbols.values())
    histories: dict[BacktestSubject, list[Day]] = {}
    for date, values in found:
        for symbol, value in values.items():
            if symbol in known:
                histories.setdefault(BacktestSubject(id, symbol), []).append((date, value))
    return histories


def _day_values(row: WorthRow, symbols: Mapping[str, str]) -> DayValues:
    held = orjson.loads(row["market_values"])
    values = {symbols[instrument_id]: Decimal(value) for instrument_id, value in held.items()}
    return DayValues(row["date"], Decimal(row["cash_value"]), values)
