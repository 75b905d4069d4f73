"""Backtest an alert rule: the rule that evaluates current prices, applied to past ones."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice, pairwise
from uuid import UUID

from db.alerts.queries import fetch_portfolio_history
from db.alerts.rows import PortfolioHistoryRow
from db.market.queries import fetch_closes
from db.market.rows import CloseRow
from db.vocabulary import AlertKind
from investing.actor import Actor
from investing.alerts.channels import known_channels
from investing.alerts.past_weights import BacktestSubject, Day, Histories, past_weights
from investing.alerts.rules import NewAlertRule, instrument_of
from investing.background import run_apart
from investing.rules.alerts.alert_settings import checked_channels
from investing.rules.alerts.conditions import (
    EVENT_KINDS,
    PRICE_KINDS,
    Cooldown,
    RuleState,
    daily_move,
    drawdown,
    step,
)
from investing.rules.errors import InvalidInput
from investing.rules.market.market_hours import closing_time
from investing.rules.names import checked_name

MOST_FIRINGS = 1_000


@dataclass(frozen=True)
class Firing:
    """A day on which the rule would have fired, the value that it would have seen, and of what."""

    date: dt.date
    value: Decimal
    threshold: Decimal
    target: BacktestSubject


@dataclass(frozen=True)
class BacktestResult:
    """The result of a backtest: at most MOST_FIRINGS firings, oldest first.

    `days` is how many values were tested.
    """

    firings: Sequence[Firing]
    days: int
    has_more: bool


async def try_rule(actor: Actor, new: NewAlertRule, start: dt.date, end: dt.date) -> BacktestResult:
    """Return when the rule would have fired between two days if created on the first. Write nothing.

    Cooldowns are counted from each day's close in New York. Raise InvalidInput, also for a kind that has no
    daily history, and UnknownInstrument.
    """
    checked_name(new.name)
    new.check()
    if end < start:
        raise InvalidInput("The last day is before the first.", ("to",))
    if new.kind in EVENT_KINDS:
        raise InvalidInput(f"{new.kind} happens or does not: there is no history to try it on.", ("kind",))
    async with actor.sessions.begin(actor.id) as session:
        checked_channels(new.channels, await known_channels(session, actor.id))
    histories: Histories
    if new.kind in PRICE_KINDS:
        histories = {BacktestSubject(None, new.symbol): await _prices(actor, new)}
    elif new.kind in (AlertKind.POSITION_WEIGHT, AlertKind.DRIFT):
        histories = await past_weights(actor, new, start, end)
    else:
        histories = await _portfolios(actor, new)
    return await run_apart(actor.id, _outcome, new, histories, start, end)


def _outcome(new: NewAlertRule, histories: Histories, start: dt.date, end: dt.date) -> BacktestResult:
    firings: list[Firing] = []
    days: set[tuple[UUID | None, dt.date]] = set()
    for target, history in histories.items():
        within = [day for day in history if start <= day[0] <= end]
        days.update((target.portfolio_id, date) for date, _ in within)
        firings += islice(_firings(new, within, target), MOST_FIRINGS + 1)
    firings.sort(key=lambda firing: firing.date)
    return BacktestResult(firings[:MOST_FIRINGS], len(days), len(firings) > MOST_FIRINGS)


def _firings(new: NewAlertRule, days: Sequence[Day], target: BacktestSubject) -> Iterator[Firing]:
    cooldown = Cooldown(dt.timedelta(seconds=new.cooldown_seconds))
    state = RuleState()
    for date, value in days:
        if new.kind is AlertKind.DAILY_MOVE:
            # A daily move starts anew each day.
            state = RuleState(quiet_until=state.quiet_until)
        decision = step(new.as_threshold, cooldown, state, value, closing_time(date))
        state = decision.state
        if decision.fires:
            yield Firing(date, value, new.threshold, target)


async def _prices(actor: Actor, new: NewAlertRule) -> list[Day]:
    async with actor.sessions.begin(actor.id) as session:
        instrument_id = await instrument_of(session, actor.id, new.symbol)
    assert instrument_id is not None, "a rule on a price has a symbol"
    async with actor.sessions.reading(actor.id) as connection:
        rows = await fetch_closes(connection, instrument_id)
    return await run_apart(actor.id, _prices_seen, new.kind, rows)


def _prices_seen(kind: AlertKind, rows: Sequence[CloseRow]) -> list[Day]:
    if kind is not AlertKind.DAILY_MOVE:
        # Like the level: per share of today, whatever splits there have been since.
        return [(row["date"], Decimal(row["comparable"])) for row in rows]
    return [(row["date"], move) for before, row in pairwise(rows) if (move := _move(before, row)) is not None]


def _move(before: CloseRow, row: CloseRow) -> Decimal | None:
    # By adjusted closes where both days have one: neither a split nor a dividend is a fall of the price.
    first, last = before["adjusted_close"], row["adjusted_close"]
    if first is None or last is None:
        first, last = before["comparable"], row["comparable"]
    return daily_move(Decimal(last), Decimal(first))


async def _portfolios(actor: Actor, new: NewAlertRule) -> Histories:
    async with actor.sessions.reading(actor.id) as connection:
        rows = await fetch_portfolio_history(connection, actor.id)
    return await run_apart(actor.id, _portfolios_seen, new, rows)


def _portfolios_seen(new: NewAlertRule, rows: Sequence[PortfolioHistoryRow]) -> Histories:
    histories: dict[BacktestSubject, list[Day]] = {}
    peaks: dict[UUID, Decimal] = {}
    for row in rows:
        id = row["portfolio_id"]
        if new.portfolio_id not in (None, id):
            continue
        value = _value(new.kind, row, peaks)
        if value is not None:
            histories.setdefault(BacktestSubject(id, None), []).append((row["date"], value))
    return histories


def _value(kind: AlertKind, row: PortfolioHistoryRow, peaks: dict[UUID, Decimal]) -> Decimal | None:
    if kind is AlertKind.PORTFOLIO_VALUE_BELOW:
        return Decimal(row["total_value"])
    if kind is AlertKind.CASH_BELOW:
        return Decimal(row["cash_value"])
    if row["cumulative_return"] is None:
        return None
    index = 1 + Decimal(row["cumulative_return"])
    # The index begins at 1, before the first day.
    peak = peaks[row["portfolio_id"]] = max(peaks.get(row["portfolio_id"], Decimal(1)), index)
    return drawdown(index, peak)
