"""An owner's portfolios and the rules on them, as one check read them, compared in memory.

What is found here is decided again in the database under a lock (`portfolios`), because a snapshot may be a
moment old.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from db.alerts import portfolio_checks
from db.market.ticks import QuoteRow
from db.vocabulary import AlertKind, Strategy
from db.writing import RawConnection
from investing.alerts.stored import cooldown_of, threshold_of
from investing.alerts.wording import RuleValue
from investing.rules.alerts.conditions import Cooldown, RuleDecision, RuleState, Threshold, drawdown, step
from investing.rules.money import product
from investing.rules.rebalancing.weights import drifts_of, weights_of

_PRICED = frozenset({AlertKind.PORTFOLIO_VALUE_BELOW, AlertKind.POSITION_WEIGHT, AlertKind.DRIFT})
"""The kinds that a price can fire."""

Row = Any
"""A database row, through the session or the raw connection."""
Key = tuple[UUID, UUID, UUID | None]
"""The key of a rule's state: the rule, a portfolio, and an instrument in it."""
Prices = Mapping[UUID, QuoteRow]
"""The latest prices that were reported, by instrument."""


class QuotedPosition(NamedTuple):
    """A position, and its quote when it was read."""

    instrument_id: UUID
    symbol: str
    quantity: Decimal
    price: Decimal | None
    as_of: dt.datetime | None

    def value(self, prices: Prices) -> Decimal | None:
        """Return its value at the newer price; None without one."""
        reported = prices.get(self.instrument_id)
        price = self.price
        if reported is not None and (self.as_of is None or reported.as_of > self.as_of):
            price = reported.price
        return None if price is None else product(self.quantity, price)


class ReturnIndex(NamedTuple):
    """A portfolio's time-weighted index at its last snapshot, and its highest value until then."""

    level: Decimal
    peak: Decimal
    date: dt.date


class WatchedPortfolio(NamedTuple):
    """A portfolio that is not archived."""

    id: UUID
    name: str
    currency: str
    cash: Decimal
    targets: Mapping[str, Decimal]
    held: Sequence[QuotedPosition]
    returns: ReturnIndex | None


class Rule(NamedTuple):
    """A rule's row, and what its values are compared with."""

    row: Row
    kind: AlertKind
    threshold: Threshold
    cooldown: Cooldown

    def is_on(self, portfolio: WatchedPortfolio) -> bool:
        """Return whether the rule applies to this portfolio."""
        return self.row["portfolio_id"] in (None, portfolio.id)


class RuleChange(NamedTuple):
    """A value that changes a rule's state or fires it."""

    rule: Rule
    key: Key
    seen: RuleValue
    step: RuleDecision


@dataclass(frozen=True)
class PortfolioSnapshot:
    """What one check read. `instruments` has the ids of all symbols that a value can be about."""

    rules: Sequence[Rule]
    portfolios: Sequence[WatchedPortfolio]
    instruments: Mapping[str, UUID]
    states: dict[Key, RuleState] = field(default_factory=dict)

    @property
    def followed(self) -> frozenset[UUID]:
        """The instruments whose prices can change something."""
        priced = [rule for rule in self.rules if rule.kind in _PRICED]
        return frozenset(
            held.instrument_id
            for portfolio in self.portfolios
            if any(rule.is_on(portfolio) for rule in priced)
            for held in portfolio.held
        )

    def changes(self, now: dt.datetime, prices: Prices = {}) -> list[RuleChange]:  # noqa: B006 - nobody writes it
        """Compare everything with the rules, at these prices if they are newer than the snapshot's."""
        found: list[RuleChange] = []
        for portfolio in self.portfolios:
            values = [(held.symbol, held.value(prices)) for held in portfolio.held]
            for rule in self.rules:
                if rule.is_on(portfolio):
                    found += self._changes(rule, self._seen(rule, portfolio, values), now)
        # In the order of the rules, whatever the portfolio: alerts are raised in this order.
        order = {rule.row["id"]: index for index, rule in enumerate(self.rules)}
        found.sort(key=lambda change: order[change.key[0]])
        return found

    def _changes(self, rule: Rule, values: Iterable[RuleValue], now: dt.datetime) -> Iterator[RuleChange]:
        for seen in values:
            assert seen.portfolio_id is not None, "it is a portfolio's value"
            key = (rule.row["id"], seen.portfolio_id, seen.instrument_id)
            before = self.states.get(key, RuleState())
            decision = step(rule.threshold, rule.cooldown, before, seen.value, now)
            if decision.fires or decision.state != before:
                yield RuleChange(rule, key, seen, decision)

    def _seen(
        self, rule: Rule, portfolio: WatchedPortfolio, values: Sequence[tuple[str, Decimal | None]]
    ) -> Iterator[RuleValue]:
        """Yield each value that the rule is compared with; none if it is not known."""
        whole: dict[str, Any] = {
            "currency": portfolio.currency,
            "subject": portfolio.name,
            "portfolio_id": portfolio.id,
        }
        if rule.kind is AlertKind.CASH_BELOW:
            yield RuleValue(value=portfolio.cash, **whole)
        elif rule.kind is AlertKind.DRAWDOWN:
            if (index := portfolio.returns) is not None:
                figures: dict[str, Any] = {"index": index.level, "peak": index.peak, "date": str(index.date)}
                yield RuleValue(value=drawdown(index.level, index.peak), figures=figures, **whole)
        else:
            known = {symbol: value for symbol, value in values if value is not None}
            if len(known) < len(values):
                # Without a price the value of a position is not known, and neither is the total.
                return
            total = sum(known.values(), portfolio.cash)
            if rule.kind is AlertKind.PORTFOLIO_VALUE_BELOW:
                yield RuleValue(value=total, **whole)
            else:
                yield from self._of_positions(rule, portfolio, known, total)

    def _of_positions(
        self, rule: Rule, portfolio: WatchedPortfolio, held: Mapping[str, Decimal], total: Decimal
    ) -> Iterator[RuleValue]:
        weights, targets = weights_of(held, total), portfolio.targets
        values = weights
        if rule.kind is AlertKind.DRIFT:
            values = drifts_of(weights, targets) if targets and total > 0 else {}
        for symbol, value in values.items():
            if rule.row["symbol"] in (None, symbol) and symbol in self.instruments:
                yield RuleValue(
                    value=value,
                    currency=portfolio.currency,
                    subject=symbol,
                    portfolio_id=portfolio.id,
                    instrument_id=self.instruments[symbol],
                    figures={
                        "weight": weights.get(symbol),
                        "target": targets.get(symbol),
                        "totalValue": total,
                    },
                )


def rule_of(row: Row) -> Rule:
    """Return a rule from its row."""
    return Rule(row, AlertKind(row["kind"]), threshold_of(row), cooldown_of(row))


async def read_snapshot(
    connection: RawConnection, owner_id: UUID, rules: Sequence[Rule]
) -> PortfolioSnapshot:
    """Read the owner's portfolios as they are now, for these rules, and the states of the rules."""
    kinds = {rule.kind for rule in rules}
    indexes: dict[UUID, ReturnIndex] = {}
    if AlertKind.DRAWDOWN in kinds:
        for row in await portfolio_checks.returns_of(connection, owner_id):
            index = ReturnIndex(Decimal(row["level"]), Decimal(row["peak"]), row["date"])
            indexes[row["portfolio_id"]] = index
    portfolios = [
        _watched(row, indexes.get(row["id"]))
        for row in await portfolio_checks.portfolios_of(connection, owner_id)
    ]
    instruments = {held.symbol: held.instrument_id for p in portfolios for held in p.held}
    if AlertKind.DRIFT in kinds:
        wanted = {symbol for portfolio in portfolios for symbol in portfolio.targets} - set(instruments)
        if wanted:
            instruments |= await portfolio_checks.ids_of_symbols(connection, owner_id, sorted(wanted))
    states = {
        (row["rule_id"], row["portfolio_id"], row["instrument_id"]): RuleState(
            row["is_armed"], row["quiet_until"]
        )
        for row in await portfolio_checks.standings_of(connection, owner_id)
    }
    return PortfolioSnapshot(rules, portfolios, instruments, states)


def _watched(row: Row, index: ReturnIndex | None) -> WatchedPortfolio:
    columns = (row[name] for name in ("instrument_ids", "symbols", "quantities", "prices", "as_ofs"))
    held = [
        QuotedPosition(id, symbol, Decimal(quantity), None if price is None else Decimal(price), as_of)
        for id, symbol, quantity, price, as_of in zip(*columns, strict=True)
    ]
    cash = Decimal(row["cash_balance"])
    return WatchedPortfolio(row["id"], row["name"], row["currency"], cash, targets_of(row), held, index)


def targets_of(portfolio: Row) -> dict[str, Decimal]:
    """Return the target weights of a portfolio: custom ones, or those of its last completed rebalance.

    A portfolio without a strategy has none.
    """
    if portfolio["strategy"] == Strategy.NONE:
        return {}
    is_custom = portfolio["strategy"] == Strategy.CUSTOM
    return weights_stored(portfolio["target_weights"] if is_custom else portfolio["rebalanced_to"])


def weights_stored(weights: Mapping[str, object] | None) -> dict[str, Decimal]:
    """Return stored weights by symbol."""
    return {symbol: Decimal(str(weight)) for symbol, weight in (weights or {}).items()}
