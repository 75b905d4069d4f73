"""Rules on portfolios: looked at every few seconds, because prices, fills, cash and snapshots all move them.

Any number of processes may do this at once. Who is due is claimed in a table that says nothing else; the look
itself locks the owner's rules, so that each crossing fires once. A process that is killed has lost nothing:
where a rule stands is stored, and the next look, a few seconds later, finds what this one would have.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.alerts import looking, rules
from db.sessions import Session, Sessions
from db.vocabulary import AlertKind, Strategy
from investing.alerts.raising import NewAlert, raise_alerts
from investing.alerts.stored import bounds_of, quiet_of
from investing.alerts.wording import Seen, alert_of
from investing.rules.alerts import PORTFOLIO_KINDS, Standing, drawdown, step
from investing.rules.weights import drifts_of, weights_of

logger = logging.getLogger("graphfolio.alerts")

AGAIN_SECONDS = 5.0
EVERY_SECONDS = 1.0
AT_ONCE = 100
ABREAST = 2
"""So many owners are looked at at a time, so that clients still find a connection."""

Row = Mapping[Any, Any]
Key = tuple[UUID, UUID, UUID | None]


@dataclass(frozen=True)
class _View:
    """What an owner's portfolios are now."""

    portfolios: Sequence[Row]
    held: Mapping[UUID, Mapping[str, Decimal]]
    indexes: Mapping[UUID, Row]
    instruments: Mapping[str, UUID]


class PortfolioWatch:
    """Looks at the portfolios of whoever has rules on them. One for each process; any number may run."""

    def __init__(self, sessions: Sessions, again_seconds: float = AGAIN_SECONDS) -> None:
        """An owner's portfolios are looked at every so many seconds."""
        self._sessions = sessions
        self._again_seconds = again_seconds

    async def attend(self) -> int:
        """One round: everybody who is due. How many."""
        looked = 0
        while owners := await looking.claim_looks(self._sessions, self._again_seconds, AT_ONCE):
            for some in range(0, len(owners), ABREAST):
                await asyncio.gather(*(self._guarded(owner) for owner in owners[some : some + ABREAST]))
            looked += len(owners)
            if len(owners) < AT_ONCE:
                break
        return looked

    async def run(self) -> None:
        """Attends for ever. A fault is logged, and the next round tries again."""
        while True:
            try:
                await self.attend()
            except Exception as error:
                logger.warning("The portfolios could not be looked at.", exc_info=error)
            await asyncio.sleep(EVERY_SECONDS)

    async def _guarded(self, owner_id: UUID) -> None:
        try:
            await look_at(self._sessions, owner_id, dt.datetime.now(dt.UTC))
        except Exception as error:
            logger.warning("A user's portfolios could not be looked at.", exc_info=error)


async def look_at(sessions: Sessions, owner_id: UUID, now: dt.datetime) -> int:
    """Holds the owner's portfolios against the rules on them. How many alerts that raised."""
    async with sessions.begin(owner_id) as session:
        found = await rules.lock_rules(session, owner_id, kinds=PORTFOLIO_KINDS, active=True)
        if not found:
            await looking.end_look(session, owner_id)
            return 0
        view = await _view(session, owner_id, {AlertKind(rule["kind"]) for rule in found})
        states = await looking.states_of(session, owner_id, [rule["id"] for rule in found])
        stands = {_key(state): Standing(state["is_armed"], state["quiet_until"]) for state in states}
        alerts: list[NewAlert] = []
        for rule in found:
            for seen in _seen(rule, view):
                assert seen.portfolio_id is not None, "it is a portfolio's value"
                before = stands.get((rule["id"], seen.portfolio_id, seen.instrument_id), Standing())
                came = step(bounds_of(rule), quiet_of(rule), before, seen.value, now)
                if came.fires:
                    alerts.append(alert_of(rule, seen))
                if came.standing != before:
                    key = (rule["id"], seen.portfolio_id, seen.instrument_id)
                    stand = (came.standing.is_armed, came.standing.quiet_until)
                    await looking.save_state(session, owner_id, *key, *stand)
        if alerts:
            await rules.note_fired(session, owner_id, {alert.rule_id for alert in alerts if alert.rule_id})
            await raise_alerts(session, owner_id, alerts)
        return len(alerts)


def _key(state: Row) -> Key:
    return state["rule_id"], state["portfolio_id"], state["instrument_id"]


async def _view(session: Session, owner_id: UUID, kinds: set[AlertKind]) -> _View:
    portfolios = await looking.portfolios_of(session, owner_id)
    held: dict[UUID, dict[str, Decimal]] = {}
    instruments: dict[str, UUID] = {}
    if kinds & {AlertKind.POSITION_WEIGHT, AlertKind.DRIFT}:
        for row in await looking.positions_of(session, owner_id):
            held.setdefault(row["portfolio_id"], {})[row["symbol"]] = row["market_value"]
            instruments[row["symbol"]] = row["instrument_id"]
    if AlertKind.DRIFT in kinds:
        wanted = {symbol for row in portfolios for symbol in targets_of(row)} - set(instruments)
        instruments |= await looking.ids_of_symbols(session, sorted(wanted))
    indexes: dict[UUID, Row] = {}
    if AlertKind.DRAWDOWN in kinds:
        indexes = {row["portfolio_id"]: row for row in await looking.returns_of(session, owner_id)}
    return _View(portfolios, held, indexes, instruments)


def targets_of(portfolio: Row) -> dict[str, Decimal]:
    """The weights that a portfolio aims at: its owner's, or those of its last complete rebalance."""
    is_custom = portfolio["strategy"] == Strategy.CUSTOM
    targets = portfolio["target_weights"] if is_custom else portfolio["rebalanced_to"]
    return {symbol: Decimal(str(weight)) for symbol, weight in (targets or {}).items()}


def _seen(rule: Row, view: _View) -> Iterable[Seen]:
    """Each value that the rule is held against; none where it cannot be told."""
    for portfolio in view.portfolios:
        if rule["portfolio_id"] in (None, portfolio["id"]):
            yield from _of_portfolio(rule, portfolio, view)


def _of_portfolio(rule: Row, portfolio: Row, view: _View) -> Iterable[Seen]:
    kind, id = AlertKind(rule["kind"]), portfolio["id"]
    total = portfolio["total_value"]
    whole = {"currency": portfolio["currency"], "subject": portfolio["name"], "portfolio_id": id}
    if kind is AlertKind.CASH_BELOW:
        yield Seen(value=portfolio["cash_balance"], **whole)
    elif kind is AlertKind.DRAWDOWN:
        if (index := view.indexes.get(id)) is not None:
            figures = {"index": index["level"], "peak": index["peak"], "date": str(index["date"])}
            yield Seen(value=drawdown(index["level"], index["peak"]), figures=figures, **whole)
    elif portfolio["unpriced_position_count"]:
        # What has no price is worth nobody knows what, and so is the whole.
        return
    elif kind is AlertKind.PORTFOLIO_VALUE_BELOW:
        yield Seen(value=total, **whole)
    else:
        yield from _of_positions(rule, portfolio, view)


def _of_positions(rule: Row, portfolio: Row, view: _View) -> Iterable[Seen]:
    total = portfolio["total_value"]
    weights = weights_of(view.held.get(portfolio["id"], {}), total)
    targets = targets_of(portfolio)
    values = weights
    if rule["kind"] == AlertKind.DRIFT:
        values = drifts_of(weights, targets) if targets and total > 0 else {}
    for symbol, value in values.items():
        if rule["symbol"] in (None, symbol) and symbol in view.instruments:
            yield Seen(
                value=value,
                currency=portfolio["currency"],
                subject=symbol,
                portfolio_id=portfolio["id"],
                instrument_id=view.instruments[symbol],
                figures={"weight": weights.get(symbol), "target": targets.get(symbol), "totalValue": total},
            )
