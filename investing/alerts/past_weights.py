"""Weights and drifts of past days: the ledger replayed day by day, as for snapshots, with the closes."""

import asyncio
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
from investing.market.close_shifts import shifts_of
from investing.rules.market.market_hours import day_of
from investing.rules.rebalancing.weights import Aims, Worth, past_drifts

Day = tuple[dt.date, Decimal]


class BacktestSubject(NamedTuple):
    """What a history is of: an instrument, a portfolio, or an instrument in a portfolio."""

    portfolio_id: UUID | None
    symbol: str | None


Histories = Mapping[BacktestSubject, Sequence[Day]]


async def past_weights(actor: Actor, new: NewAlertRule, start: dt.date, end: dt.date) -> Histories:
    """What a rule on weights or drifts would have seen from one day to another, by portfolio and symbol.

    A day on which something was held that had no price yet is left out. A portfolio with weights of its
    owner's own is taken to have always aimed at those of today; any other aimed at what its last complete
    rebalance until then had reached.
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
        aims = _aims(portfolio, [row for row in rebalanced if row["portfolio_id"] == id])
        # In a thread, as snapshots.
        histories |= await asyncio.to_thread(_histories, new, id, rows, aims, symbols)
    return histories


def _aims(portfolio: AimsRow, rebalanced: Sequence[RebalancedRow]) -> list[Aims]:
    if portfolio["strategy"] == Strategy.CUSTOM:
        return [Aims(dt.date.min, weights_stored(portfolio["target_weights"]))]
    zone = portfolio["time_zone"]
    return [Aims(day_of(row["ended_at"], zone), weights_stored(row["new_weights"])) for row in rebalanced]


def _histories(
    new: NewAlertRule, id: UUID, rows: Sequence[WorthRow], aims: Sequence[Aims], symbols: Mapping[str, str]
) -> dict[BacktestSubject, list[Day]]:
    days = (_worth(row, symbols) for row in rows)
    found = past_drifts(days, aims) if new.kind is AlertKind.DRIFT else ((d.date, d.weights) for d in days)
    known = {new.symbol} if new.symbol is not None else set(symbols.values())
    histories: dict[BacktestSubject, list[Day]] = {}
    for date, values in found:
        for symbol, value in values.items():
            if symbol in known:
                histories.setdefault(BacktestSubject(id, symbol), []).append((date, value))
    return histories


def _worth(row: WorthRow, symbols: Mapping[str, str]) -> Worth:
    held = orjson.loads(row["market_values"])
    values = {symbols[instrument_id]: Decimal(value) for instrument_id, value in held.items()}
    return Worth(row["date"], Decimal(row["cash_value"]), values)
