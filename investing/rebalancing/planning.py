"""Plans: what a rebalance would do now. A dry run writes nothing and locks nothing."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.rebalancing.planning import find_all_lots, find_held, find_rebalanced
from db.rebalancing.rows import PlannedHoldingRow
from db.sessions import Session, Sessions
from db.vocabulary import Strategy
from investing.background import run_apart
from investing.rebalancing.optimiser.pool import Optimiser
from investing.rebalancing.targets import Targets, find_targets
from investing.rules.errors import CurrencyMismatch, NoPrice, NotFound, UnknownInstrument
from investing.rules.rebalancing.planning import make_plan
from investing.rules.rebalancing.plans import CurrentHolding, Plan, PlanRules
from investing.rules.trading.lots import TaxLot
from investing.rules.trading.orders import check_fresh
from investing.trading.placing import TradingConfig


async def plan_portfolio(
    sessions: Sessions,
    optimiser: Optimiser,
    trading_config: TradingConfig,
    owner_id: UUID,
    portfolio_id: UUID,
    strategy: Strategy | None,
    *,
    buy_only: bool = False,
) -> Plan:
    """Return what a rebalance would do now, by the portfolio's strategy or another one.

    Raise what `find_targets` and `plan_in` raise.
    """
    targets = await find_targets(sessions, optimiser, owner_id, portfolio_id, strategy)
    async with sessions.begin(owner_id) as session:
        portfolio = await find_rebalanced(session, owner_id, portfolio_id)
        if portfolio is None:
            raise NotFound("There is no such portfolio.", ("portfolioId",))
        return await plan_in(session, owner_id, portfolio, targets, trading_config, buy_only=buy_only)


async def plan_in(
    session: Session,
    owner_id: UUID,
    portfolio: Mapping[Any, Any],
    targets: Targets,
    trading_config: TradingConfig,
    *,
    buy_only: bool = False,
) -> Plan:
    """Return the plan towards these targets, in the caller's transaction.

    `portfolio` is a row of `find_rebalanced`, locked by a caller that will carry the plan out. Raise
    UnknownInstrument, CurrencyMismatch, NoPrice or StalePrice for anything that is held or has a target,
    BrokerUnavailable or WorthNothing.
    """
    rules = rules_of(portfolio, trading_config, buy_only=buy_only)
    rows = await find_held(session, owner_id, portfolio["id"], list(targets.weights))
    _check_prices(rows, targets, portfolio["currency"], trading_config)
    lots: dict[UUID, list[TaxLot]] = defaultdict(list)
    for row in await find_all_lots(session, owner_id, portfolio["id"]):
        lots[row["instrument_id"]].append(
            TaxLot(
                row["transaction_id"],
                row["opened_at"],
                row["remaining_quantity"],
                row["remaining_cost"],
                row["number"],
            )
        )
    held = [
        CurrentHolding(
            symbol=row["symbol"],
            instrument_id=row["instrument_id"],
            quantity=row["quantity"],
            price=_known(row["price"]),
            reserved=row["reserved_quantity"],
            incoming=row["incoming_quantity"],
            cost=row["cost_basis"],
            lots=tuple(lots[row["instrument_id"]]),
        )
        for row in rows
    ]
    return await run_apart(
        owner_id,
        make_plan,
        targets.strategy,
        targets.weights,
        held,
        portfolio["cash_balance"],
        portfolio["reserved_cash"],
        rules,
    )


def rules_of(portfolio: Mapping[Any, Any], trading_config: TradingConfig, *, buy_only: bool) -> PlanRules:
    """Return the portfolio's settings and its broker's fees. Raise BrokerUnavailable."""
    return PlanRules(
        fees=trading_config.brokers.named(portfolio["broker"]).fees,
        fractional=portfolio["fractional_shares"],
        minimum_trade=portfolio["minimum_trade"],
        drift_band=portfolio["drift_band"],
        relative_drift_band=portfolio["relative_drift_band"],
        cash_reserve=portfolio["cash_reserve"],
        max_position_size=portfolio["max_position_size"],
        max_trade=portfolio["max_trade"],
        max_turnover=portfolio["max_turnover"],
        tax_aware=portfolio["tax_aware"],
        buy_only=buy_only,
    )


def _check_prices(
    rows: Sequence[PlannedHoldingRow], targets: Targets, currency: str, trading_config: TradingConfig
) -> None:
    found = {row["symbol"] for row in rows}
    for symbol in targets.weights:
        if symbol not in found:
            raise UnknownInstrument.named(symbol)
    now = dt.datetime.now(dt.UTC)
    for row in rows:
        if row["currency"] != currency:
            raise CurrencyMismatch(
                f"{row['symbol']} trades in {row['currency']}, the portfolio is in {currency}.",
                expected=currency,
                actual=row["currency"],
            )
        if row["price"] is None or row["as_of"] is None:
            message = f"There is no price of {row['symbol']}, which a plan needs."
            raise NoPrice(message, symbol=row["symbol"])
        check_fresh(row["symbol"], row["as_of"], now, trading_config.quote_max_age)


def _known(price: Decimal | None) -> Decimal:
    assert price is not None, "a plan is refused for what has no price"
    return price
