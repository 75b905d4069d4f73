"""From replayed accounts to the rows that are stored of a user."""

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import UUID

from db.demo.writes import Rows, Tree
from db.ids import uuid7
from db.vocabulary import AccountType
from investing.demo.book import Ids
from investing.demo.plan import UserPlan
from investing.demo.prices import Market
from investing.demo.replay import AccountReplay, PortfolioReplay
from investing.rules.names import checked_name
from investing.rules.portfolio.portfolio_settings import check_fraction, check_symbols, check_targets


def grow_tree(
    owner_id: UUID, plan: UserPlan, market: Market, now: dt.datetime, report: Callable[[int, int], None]
) -> Tree:
    """Replays the user's accounts, and gives all rows that come of it. `report` is told the days.

    Raises what real trading raises where the plan asks for what cannot be.
    """
    ids = Ids()
    replays = [AccountReplay(owner_id, account, market, ids, now) for account in plan.accounts]
    total = sum(len(replay.dates()) for replay in replays)
    lived = 0

    def one_more() -> None:
        nonlocal lived
        lived += 1
        if lived % 100 == 0 or lived == total:
            report(lived, total)

    tree = Tree()
    for replay in replays:
        replay.run(one_more)
        tree.accounts.append(_account_row(owner_id, replay))
        tree.transactions += replay.book.transactions
        for portfolio in replay.portfolios:
            row = _portfolio_row(replay, portfolio)
            tree.portfolios.append(row)
            if row["auto_rebalance"]:
                # Without a time yet: the job that looks at it first works that out.
                due = {"owner_id": owner_id, "portfolio_id": row["id"], "due_at": dt.datetime.now(dt.UTC)}
                tree.dues.append(due)
            tree.transactions += portfolio.book.transactions
            tree.positions += portfolio.book.positions()
            tree.lots += portfolio.book.lots()
            tree.lot_uses += portfolio.book.lot_uses
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
        "unallotted_cash": replay.book.cash,
        "is_paper": True,
    }


def _portfolio_row(replay: AccountReplay, portfolio: PortfolioReplay) -> dict[str, Any]:
    plan, place = portfolio.plan, portfolio.book.place
    check_symbols(list(plan.weights))
    check_targets(plan.strategy, plan.target_weights)
    check_fraction(plan.risk_tolerance, "riskTolerance", zero=True)
    check_fraction(plan.max_position_size, "maxPositionSize", zero=False)
    return {
        "owner_id": place.owner_id,
        "id": _id(portfolio),
        "account_id": replay.id,
        "name": checked_name(plan.name),
        "currency": place.currency,
        "margin": replay.plan.account_type is AccountType.MARGIN,
        "strategy": plan.strategy.value,
        "risk_tolerance": plan.risk_tolerance,
        "max_position_size": plan.max_position_size,
        "auto_rebalance": plan.auto_rebalance,
        "rebalance_frequency": plan.rebalance.value,
        "drift_band": plan.drift_band,
        "symbols": list(plan.weights),
        "target_weights": plan.target_weights,
        "cash_balance": portfolio.book.cash,
        # Its snapshots are computed once all of it is stored.
        "snapshots_stale_from": plan.start,
    }


def _watchlist_rows(owner_id: UUID, plan: UserPlan, market: Market) -> tuple[Rows, Rows]:
    lists = [{"owner_id": owner_id, "id": uuid7(), "name": checked_name(name)} for name in plan.watchlists]
    items = [
        {"owner_id": owner_id, "watchlist_id": row["id"], "place": place, "instrument_id": market.ids[symbol]}
        for row, symbols in zip(lists, plan.watchlists.values(), strict=True)
        for place, symbol in enumerate(symbols)
    ]
    return lists, items


def _id(portfolio: PortfolioReplay) -> UUID:
    id = portfolio.book.place.portfolio_id
    assert id is not None, "a portfolio is no account"
    return id
