"""Convert replayed accounts to the rows that are stored of a user."""

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import UUID

from db.demo.writes import Rows, Tree
from db.ids import uuid7
from db.vocabulary import AccountType
from investing.demo.ledger import Ids
from investing.demo.plan import UserPlan
from investing.demo.prices import Market
from investing.demo.replay import AccountReplay, PortfolioReplay
from investing.rules.names import checked_name
from investing.rules.portfolio.portfolio_settings import check_fraction, check_symbols, check_targets


def build_tree(
    owner_id: UUID, plan: UserPlan, market: Market, now: dt.datetime, report: Callable[[int, int], None]
) -> Tree:
    """Replay the user's accounts and return all resulting rows; `report` is called with the days done.

    Raise what real trading raises if the plan is not possible.
    """
    ids = Ids()
    replays = [AccountReplay(owner_id, account, market, ids, now) for account in plan.accounts]
    total = sum(len(replay.dates()) for replay in replays)
    done_days = 0

    def one_more() -> None:
        nonlocal done_days
        done_days += 1
        if done_days % 100 == 0 or done_days == total:
            report(done_days, total)

    tree = Tree()
    for replay in replays:
        replay.run(one_more)
        tree.accounts.append(_account_row(owner_id, replay))
        tree.transactions += replay.ledger.transactions
        for portfolio in replay.portfolios:
            row = _portfolio_row(replay, portfolio)
            tree.portfolios.append(row)
            if row["auto_rebalance"]:
                # Without a scheduled time, which the job that checks it first computes.
                due = {"owner_id": owner_id, "portfolio_id": row["id"], "due_at": dt.datetime.now(dt.UTC)}
                tree.dues.append(due)
            tree.transactions += portfolio.ledger.transactions
            tree.positions += portfolio.ledger.positions()
            tree.lots += portfolio.ledger.lots()
            tree.lot_uses += portfolio.ledger.lot_uses
    tree.watchlists, tree.watchlist_items = _watchlist_rows(owner_id, plan, market)
    return tree


def _account_row(owner_id: UUID, replay: AccountReplay) -> dict[str, Any]:
    plan = replay.plan
    return {
        "owner_id": owner_id,
        "id": replay.id,
        "name": checked_name(plan.name),
        "broker": plan.broker.value,
        "account_type": plan.account_type.value,
        "currency": plan.currency,
        "time_zone": plan.time_zone,
        "initial_balance": plan.initial_balance,
        "unallotted_cash": replay.ledger.cash,
        "is_paper": True,
    }


def _portfolio_row(replay: AccountReplay, portfolio: PortfolioReplay) -> dict[str, Any]:
    plan, location = portfolio.plan, portfolio.ledger.location
    check_symbols(list(plan.weights))
    check_targets(plan.strategy, plan.target_weights)
    check_fraction(plan.risk_tolerance, "riskTolerance", zero=True)
    check_fraction(plan.max_position_size, "maxPositionSize", zero=False)
    return {
        "owner_id": location.owner_id,
        "id": _id(portfolio),
        "account_id": replay.id,
        "name": checked_name(plan.name),
        "currency": location.currency,
        "margin": replay.plan.account_type is AccountType.MARGIN,
        "strategy": plan.strategy.value,
        "risk_tolerance": plan.risk_tolerance,
        "max_position_size": plan.max_position_size,
        "auto_rebalance": plan.auto_rebalance,
        "rebalance_frequency": plan.rebalance.value,
        "drift_band": plan.drift_band,
        "symbols": list(plan.weights),
        "target_weights": plan.target_weights,
        "cash_balance": portfolio.ledger.cash,
        # Its snapshots are computed once everything is stored.
        "snapshots_stale_from": plan.start,
    }


def _watchlist_rows(owner_id: UUID, plan: UserPlan, market: Market) -> tuple[Rows, Rows]:
    lists = [{"owner_id": owner_id, "id": uuid7(), "name": checked_name(name)} for name in plan.watchlists]
    items = [
        {
            "owner_id": owner_id,
            "watchlist_id": row["id"],
            "place": location,
            "instrument_id": market.ids[symbol],
        }
        for row, symbols in zip(lists, plan.watchlists.values(), strict=True)
        for location, symbol in enumerate(symbols)
    ]
    return lists, items


def _id(portfolio: PortfolioReplay) -> UUID:
    id = portfolio.ledger.location.portfolio_id
    assert id is not None, "a portfolio's ledger has a portfolio id"
    return id
