"""Replay an account's years: from its plan and each day's prices to entries of the ledger."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from uuid import UUID

from db.ids import uuid7
from db.vocabulary import AccountType, RebalanceFrequency, TransactionType
from investing.demo.ledger import DemoLedger, Ids
from investing.demo.plan import AccountPlan, PortfolioPlan
from investing.demo.policy import Trader
from investing.demo.prices import Market
from investing.rules.market.corporate_actions import Split
from investing.rules.market.market_hours import NEW_YORK, closing_time
from investing.rules.trading.ledger import ZERO, Holding, trade_amount
from investing.trading.transaction_rows import CashLocation

_CENTS = Decimal("0.01")
_MONTHS_BETWEEN = {RebalanceFrequency.QUARTERLY: 3, RebalanceFrequency.YEARLY: 12}


@dataclass(frozen=True)
class TradingDay:
    """A market day: its number within the month, counted from 1, and whether it is the month's last."""

    date: dt.date
    number: int
    ends_month: bool

    @property
    def at(self) -> dt.datetime:
        """The day's close, when everything in the demo happens."""
        return closing_time(self.date)


def trading_days(dates: Sequence[dt.date]) -> Iterator[TradingDay]:
    """Yield the days of a calendar. Of the very last one it is not known whether the month continues."""
    number = 0
    previous = None
    for date, following in pairwise([*dates, None]):
        assert date is not None, "only the day after the last one is None"
        number = 1 if previous is None or previous.month != date.month else number + 1
        yield TradingDay(date, number, following is not None and following.month != date.month)
        previous = date


class PortfolioReplay:
    """The replay of a portfolio."""

    def __init__(self, plan: PortfolioPlan, ledger: DemoLedger, market: Market, withheld: Decimal) -> None:
        self.plan, self.ledger = plan, ledger
        self._market, self._withheld = market, withheld

    def is_open_on(self, date: dt.date) -> bool:
        """Return whether the portfolio's plan includes this day."""
        return self.plan.start <= date <= self.plan.end

    def open_day(self, day: TradingDay) -> None:
        """Book the splits and dividends that take effect, for what was held before."""
        for symbol, holding in self.ledger.holdings.items():
            for action in self._market.actions[symbol].get(day.date, ()) if holding.quantity else ():
                if isinstance(action, Split):
                    new, old = Decimal(action.numerator), Decimal(action.denominator)
                    self.ledger.record(
                        TransactionType.SPLIT,
                        dt.datetime.combine(day.date, dt.time(), NEW_YORK).astimezone(dt.UTC),
                        symbol=symbol,
                        quantity=new,
                        split_for=old,
                        ex_date=day.date,
                    )
                else:
                    self._pay_dividend(symbol, holding, action.amount, day.at)

    def _pay_dividend(self, symbol: str, holding: Holding, per_share: Decimal, at: dt.datetime) -> None:
        amount = _cents(trade_amount(holding.quantity, per_share))
        tax = _cents(amount * self._withheld)
        if amount:
            self.ledger.record(TransactionType.DIVIDEND, at, symbol=symbol, amount=amount)
        if tax:
            self.ledger.record(TransactionType.TAX, at, symbol=symbol, amount=tax, notes="Withholding tax")

    def trade(self, day: TradingDay) -> None:
        """Make the trades that the plan has for this day of the month."""
        trader = self._trader(day)
        if day.number == 2:
            trader.invest()
        elif day.number == 3:
            for symbol, date in self.plan.exits.items():
                if date <= day.date:
                    trader.sell_all(symbol)
            if (day.date.month - 1) % _MONTHS_BETWEEN[self.plan.rebalance] == 0:
                trader.rebalance()

    def payout(self, day: TradingDay) -> Decimal:
        """Raise what the plan pays out in December; return 0 at other times and in the first year."""
        is_due = day.number == 4 and day.date.month == 12 and day.date.year > self.plan.start.year
        return self._trader(day).raise_cash(self.plan.withdrawal) if is_due else ZERO

    def _trader(self, day: TradingDay) -> Trader:
        closes = self._market.closes
        prices = {s: closes[s][day.date] for s in self.plan.weights if day.date in closes[s]}
        exits = self.plan.exits
        weights = {s: w for s, w in self.plan.weights.items() if s not in exits or day.date < exits[s]}
        return Trader(self.ledger, weights, prices, self.plan.commission, day.at)


class AccountReplay:
    """The replay of an account: its unallotted cash and its portfolios, each with an id."""

    def __init__(self, owner_id: UUID, plan: AccountPlan, market: Market, ids: Ids, now: dt.datetime) -> None:
        self.id, self.plan, self._market = uuid7(), plan, market
        margin = plan.account_type is AccountType.MARGIN

        def ledger(portfolio_id: UUID | None) -> DemoLedger:
            location = CashLocation(
                owner_id, self.id, portfolio_id, plan.currency, ZERO, margin, plan.time_zone
            )
            return DemoLedger(location, market, ids, now)

        self.ledger = ledger(None)
        self.portfolios = [
            PortfolioReplay(portfolio, ledger(uuid7()), market, plan.withheld)
            for portfolio in plan.portfolios
        ]

    def run(self, report: Callable[[], None]) -> None:
        """Replay every day; call `report` at the end of each."""
        for day in trading_days(self.dates()):
            self._replay_day(day)
            report()

    def dates(self) -> list[dt.date]:
        """Return the days that are replayed."""
        plans = self.plan.portfolios
        symbols = [symbol for plan in plans for symbol in plan.weights]
        return self._market.days(symbols, min(plan.start for plan in plans), max(plan.end for plan in plans))

    def _replay_day(self, day: TradingDay) -> None:
        portfolios = [portfolio for portfolio in self.portfolios if portfolio.is_open_on(day.date)]
        for portfolio in portfolios:
            portfolio.open_day(day)
        if day.number == 1:
            self._open_account(day.at)
            self._fund("Monthly savings", {p: p.plan.monthly for p in portfolios}, day.at)
        for portfolio in portfolios:
            if day.number in (2, 3):
                portfolio.trade(day)
            self._withdraw(portfolio, portfolio.payout(day), day.at)
        last = {p: p.plan.at_last for p in portfolios if p.plan.at_last and p.plan.end == day.date}
        self._fund("Savings to be invested", last, day.at)
        if day.ends_month:
            self._settle(day)

    def _open_account(self, at: dt.datetime) -> None:
        if not self.ledger.transactions:
            amount = self.plan.initial_balance
            self.ledger.record(TransactionType.DEPOSIT, at, amount=amount, notes="Initial balance")

    def _fund(self, notes: str, amounts: Mapping[PortfolioReplay, Decimal], at: dt.datetime) -> None:
        if amounts:
            total = sum(amounts.values(), ZERO)
            self.ledger.record(TransactionType.DEPOSIT, at, amount=total, notes=notes)
        for portfolio, amount in amounts.items():
            _transfer(self.ledger, portfolio.ledger, amount, at)

    def _withdraw(self, portfolio: PortfolioReplay, amount: Decimal, at: dt.datetime) -> None:
        if amount:
            _transfer(portfolio.ledger, self.ledger, amount, at)
            self.ledger.record(TransactionType.WITHDRAWAL, at, amount=amount, notes="Yearly payout")

    def _settle(self, day: TradingDay) -> None:
        """Book interest at the end of a quarter and the fee at the end of a year."""
        interest = _cents(self.ledger.cash * self.plan.interest / 4)
        if day.date.month % 3 == 0 and interest:
            self.ledger.record(TransactionType.INTEREST, day.at, amount=interest)
        if day.date.month == 12:
            fee = self.plan.yearly_fee
            self.ledger.record(TransactionType.FEE, day.at, amount=fee, notes="Account fee")


def _transfer(source: DemoLedger, target: DemoLedger, amount: Decimal, at: dt.datetime) -> None:
    transfer_id = uuid7()
    source.record(TransactionType.TRANSFER_OUT, at, amount=amount, transfer_id=transfer_id)
    target.record(TransactionType.TRANSFER_IN, at, amount=amount, transfer_id=transfer_id)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENTS, ROUND_HALF_UP)
