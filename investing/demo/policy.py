"""How a demo portfolio trades: invests its cash, rebalances, and raises cash to pay out."""

import datetime as dt
from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal

from db.vocabulary import TransactionType
from investing.demo.ledger import DemoLedger
from investing.rules.trading.ledger import ZERO, trade_amount

INVESTED = Decimal("0.98")
"""The fraction of its cash that a portfolio invests; the rest stays for fees."""

SMALLEST_TRADE = Decimal("0.01")
"""The smallest trade of a rebalance, as a fraction of the portfolio's value."""

_SHARES = Decimal("0.0001")
_CENTS = Decimal("0.01")


class Trader:
    """Trade for one ledger at one close.

    `weights` and `prices` are by symbol; only symbols in both are traded.
    """

    def __init__(
        self,
        ledger: DemoLedger,
        weights: Mapping[str, Decimal],
        prices: Mapping[str, Decimal],
        commission: Decimal,
        at: dt.datetime,
    ) -> None:
        priced = {symbol: weight for symbol, weight in weights.items() if symbol in prices}
        whole = sum(priced.values(), ZERO)
        self._weights = {symbol: weight / whole for symbol, weight in priced.items()}
        self._ledger, self._prices, self._commission, self._at = ledger, prices, commission, at

    def invest(self) -> None:
        """Invest the cash in the symbols by their weights."""
        cash = self._ledger.cash * INVESTED
        for symbol, weight in self._weights.items():
            self._buy(symbol, cash * weight)

    def rebalance(self) -> None:
        """Rebalance each holding to its weight: first sell what is too much, then buy what is missing."""
        values = self._values()
        total = sum(values.values(), self._ledger.cash * INVESTED)
        missing = {
            symbol: total * weight - values.get(symbol, ZERO) for symbol, weight in self._weights.items()
        }
        for symbol, amount in missing.items():
            if -amount > total * SMALLEST_TRADE:
                self._sell(symbol, self._shares(-amount, symbol))
        for symbol, amount in missing.items():
            if amount > total * SMALLEST_TRADE:
                self._buy(symbol, min(amount, self._ledger.cash))

    def raise_cash(self, amount: Decimal) -> Decimal:
        """Sell the same fraction of each holding until there is enough to pay out.

        Return what can be paid out, in cents.
        """
        values = self._values()
        missing = amount + self._commission * len(values) - self._ledger.cash
        worth = sum(values.values(), ZERO)
        if missing > 0 and worth:
            for symbol, value in values.items():
                # Rounded up by the smallest fraction of a share, so that it is enough.
                wanted = self._shares(missing * value / worth, symbol) + _SHARES
                self._sell(symbol, min(wanted, self._ledger.holdings[symbol].quantity))
        return min(amount, self._ledger.cash.quantize(_CENTS, ROUND_DOWN))

    def sell_all(self, symbol: str) -> None:
        """Close a position, if there is one."""
        if symbol in self._ledger.holdings:
            self._sell(symbol, self._ledger.holdings[symbol].quantity)

    def _values(self) -> dict[str, Decimal]:
        return {
            symbol: trade_amount(holding.quantity, self._prices[symbol])
            for symbol, holding in self._ledger.holdings.items()
            if holding.quantity and symbol in self._prices
        }

    def _shares(self, amount: Decimal, symbol: str) -> Decimal:
        return (amount / self._prices[symbol]).quantize(_SHARES, ROUND_DOWN)

    def _buy(self, symbol: str, amount: Decimal) -> None:
        self._trade(TransactionType.BUY, symbol, self._shares(amount - self._commission, symbol))

    def _sell(self, symbol: str, quantity: Decimal) -> None:
        self._trade(TransactionType.SELL, symbol, quantity)

    def _trade(self, type: TransactionType, symbol: str, quantity: Decimal) -> None:
        price = self._prices[symbol]
        # A trade must be worth its commission.
        if quantity > 0 and trade_amount(quantity, price) > self._commission:
            self._ledger.record(
                type,
                self._at,
                symbol=symbol,
                quantity=quantity,
                price=price,
                commission=self._commission,
            )
