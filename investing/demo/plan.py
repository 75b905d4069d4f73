"""The plan of a demo user: accounts, portfolios, and what is done with them month by month."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from db.vocabulary import AccountType, Broker, RebalanceFrequency, Strategy


@dataclass(frozen=True, kw_only=True)
class PortfolioPlan:
    """A portfolio and its habits. Amounts are in US dollars.

    On the first trading day of a month it is given `monthly`, on the second that is invested by `weights`,
    every few months (`rebalance`) it is rebalanced to them, and each December `withdrawal` is paid out. On
    its last day it is given `at_last`, which stays uninvested, so that whoever tries the demo has something
    to spend. `exits` are symbols that are sold for good, and the day from which on. All symbols have prices
    of one kind, raw or adjusted, which end on `end`.
    """

    name: str
    strategy: Strategy
    weights: Mapping[str, Decimal]
    start: dt.date
    end: dt.date
    monthly: Decimal
    rebalance: RebalanceFrequency
    withdrawal: Decimal = Decimal(0)
    at_last: Decimal = Decimal(0)
    commission: Decimal = Decimal("1.00")
    exits: Mapping[str, dt.date] = field(default_factory=dict)
    risk_tolerance: Decimal = Decimal("0.5")
    max_position_size: Decimal = Decimal("0.4")
    auto_rebalance: bool = False
    drift_band: Decimal | None = None

    @property
    def target_weights(self) -> dict[str, str] | None:
        """The weights as they are stored; only CUSTOM has any."""
        if self.strategy is not Strategy.CUSTOM:
            return None
        return {symbol: str(weight) for symbol, weight in self.weights.items()}


@dataclass(frozen=True, kw_only=True)
class AccountPlan:
    """An account. What it starts with pays its yearly fee, and earns interest each quarter.

    `interest` is per year. `withheld` is the fraction of a dividend that is withheld as tax.
    """

    name: str
    account_type: AccountType
    initial_balance: Decimal
    yearly_fee: Decimal
    interest: Decimal
    withheld: Decimal
    portfolios: Sequence[PortfolioPlan]
    broker: Broker = Broker.PAPER
    currency: str = "USD"
    time_zone: str = "America/New_York"


@dataclass(frozen=True, kw_only=True)
class UserPlan:
    """A user, and the watchlists that they keep."""

    username: str
    email: str
    full_name: str
    accounts: Sequence[AccountPlan]
    watchlists: Mapping[str, Sequence[str]]

    @property
    def symbols(self) -> list[str]:
        """Every symbol that is held at some time or watched."""
        held = {s for account in self.accounts for p in account.portfolios for s in p.weights}
        return sorted(held.union(*self.watchlists.values()))


def equal(*symbols: str) -> dict[str, Decimal]:
    """Return the same weight for each symbol."""
    return {symbol: Decimal(1) for symbol in symbols}
