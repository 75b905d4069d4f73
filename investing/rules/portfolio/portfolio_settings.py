"""Validation of a portfolio's settings."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from db.vocabulary import Strategy
from investing.rules.errors import InvalidInput, shortened

MOST_SYMBOLS = 500
LOOK_BACK_DAYS = range(30, 7561)
"""How many daily returns a strategy may look back on: six weeks to thirty years."""

_WEIGHT = re.compile(r"[01](\.\d{1,10})?", re.ASCII)


def check_fraction(value: Decimal | None, field: str, *, zero: bool) -> None:
    """Check that a value is a fraction of the whole: 0 to 1, with 0 itself only where `zero` allows it.

    None is not checked. Raise InvalidInput otherwise.
    """
    if value is not None and not (0 <= value <= 1 and (zero or value)):
        raise InvalidInput(
            f"This must be a fraction {'from' if zero else 'above'} 0 {'to' if zero else 'and at most'} 1.",
            (field,),
        )


def check_planning(settings: Mapping[str, Any]) -> None:
    """Check the settings that decide how weights become trades, given by column.

    Absent ones are not checked. Raise InvalidInput for the first one that is not valid.
    """
    check_fraction(settings.get("relative_drift_band"), "relativeDriftBand", zero=False)
    check_fraction(settings.get("max_trade"), "maxTrade", zero=False)
    reserve = settings.get("cash_reserve")
    check_fraction(reserve, "cashReserve", zero=True)
    if reserve == 1:
        raise InvalidInput("A reserve of 1 leaves nothing to invest.", ("cashReserve",))
    smallest = settings.get("minimum_trade")
    if smallest is not None and smallest < 0:
        raise InvalidInput("The minimum trade is an amount of 0 or more; 0 sets none.", ("minimumTrade",))
    turnover = settings.get("max_turnover")
    if turnover is not None and not 0 < turnover <= 2:
        raise InvalidInput(
            "Turnover must be above 0 and at most 2: all sold, and all bought.", ("maxTurnover",)
        )
    days = settings.get("look_back_days")
    if days is not None and days not in LOOK_BACK_DAYS:
        first, last = LOOK_BACK_DAYS[0], LOOK_BACK_DAYS[-1]
        raise InvalidInput(f"A look-back has {first} to {last} daily returns.", ("lookBackDays",))


def check_symbols(symbols: Sequence[str] | None) -> None:
    """Check a universe of symbols; raise InvalidInput if it is too long or has a symbol twice."""
    if symbols is None:
        return
    if len(symbols) > MOST_SYMBOLS:
        raise InvalidInput(f"A list has at most {MOST_SYMBOLS} symbols.", ("symbols",))
    if len(set(symbols)) < len(symbols):
        twice = next(symbol for symbol in symbols if symbols.count(symbol) > 1)
        raise InvalidInput(f"{shortened(twice)} appears twice.", ("symbols",))


def check_automatic(strategy: Strategy, auto_rebalance: bool) -> None:
    """Check that a portfolio that is rebalanced automatically has a strategy. Raise InvalidInput if not."""
    if auto_rebalance and strategy is Strategy.NONE:
        raise InvalidInput(
            "Without a strategy a portfolio cannot rebalance automatically: choose one, or switch "
            "autoRebalance off.",
            ("strategy",),
        )


def check_targets(strategy: Strategy, targets: Mapping[str, str] | None) -> None:
    """Check target weights by symbol: decimal strings from 0 to 1 that leave the rest of 1 to cash.

    CUSTOM needs them, and no other strategy has them. Raise InvalidInput otherwise.
    """
    where = ("targetWeights",)
    if strategy is not Strategy.CUSTOM:
        if targets is not None:
            raise InvalidInput(f"Only CUSTOM has target weights: leave them out for {strategy}.", where)
        return
    if not targets:
        raise InvalidInput("CUSTOM needs target weights: a symbol and a weight for each.", where)
    if len(targets) > MOST_SYMBOLS:
        raise InvalidInput(f"There are at most {MOST_SYMBOLS} target weights.", where)
    for symbol, weight in targets.items():
        if not _WEIGHT.fullmatch(weight) or Decimal(weight) > 1:
            raise InvalidInput(
                f"The weight of {shortened(symbol)} is from 0 to 1, with at most 10 decimals.", where
            )
    total = sum(Decimal(weight) for weight in targets.values())
    if total > 1:
        raise InvalidInput(f"The target weights add up to {total}, which is more than 1.", where)


def check_no_open_orders(count: int, field: str) -> None:
    """Raise InvalidInput if orders are open: they would trade in what is archived."""
    if count:
        orders = "One order is" if count == 1 else f"{count} orders are"
        raise InvalidInput(f"{orders} open. Cancel what is open first, or wait until it ends.", (field,))
