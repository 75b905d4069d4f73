"""From amounts to quantities: how many shares a plan sells and buys within its limits and its cash."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Context, Decimal
from uuid import UUID

from db.vocabulary import OrderSide, OrderType, SkipReason, TimeInForce, TransactionType
from investing.rules.money import PLACES, product, share
from investing.rules.rebalancing.plans import (
    ONE,
    ZERO,
    CurrentHolding,
    PlannedTrade,
    PlanRules,
    Skipped,
    WeightTarget,
)
from investing.rules.trading.ledger import Entry, Holding, post, trade_amount
from investing.rules.trading.orders import OrderRequest, size_order

WHOLE = Decimal(1)
FRACTION = Decimal("1E-6")
"""The smallest fraction of a share that a plan trades, if it trades any; a whole position is sold whole."""

_DOWN = Context(prec=80, rounding=ROUND_DOWN)
_UP = Context(prec=80, rounding=ROUND_UP)
_NEVER = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_NOTHING = UUID(int=0)

Quantities = dict[str, Decimal]
"""Shares by symbol."""


@dataclass(frozen=True)
class Sizing:
    """The sizes of a plan's trades for a portfolio of this total value."""

    rules: PlanRules
    value: Decimal
    held: Mapping[str, CurrentHolding]

    def gap(self, target: WeightTarget) -> tuple[Decimal, SkipReason | None]:
        """Return the amount missing to the target at the quote, negative if there is too much.

        What open orders will trade in the same direction counts as traded; what they would trade in the other
        does not. The second value is the reason if nothing is left to do.
        """
        one = self.held[target.symbol]
        gap = product(target.target_weight, self.value) - product(one.quantity, one.price)
        if gap > 0 and not one.price:
            return ZERO, SkipReason.WORTHLESS
        if gap < 0 and self.rules.buy_only:
            return ZERO, SkipReason.BUY_ONLY
        left = gap - product(one.incoming, one.price) if gap > 0 else gap + product(one.reserved, one.price)
        if gap and left * gap <= 0:
            return ZERO, SkipReason.OPEN_ORDERS
        return left, None

    def allot(self, amounts: Mapping[str, Decimal], budget: Decimal, *, is_sale: bool) -> dict[str, Decimal]:
        """Return parts of the amounts that add up to no more than the budget.

        Each amount gets its share of it; tax-aware sales are made one after the other, losses first.
        """
        total = sum(amounts.values(), ZERO)
        if total <= budget:
            return dict(amounts)
        if not (is_sale and self.rules.tax_aware):
            return {symbol: _share_down(budget, amount, total) for symbol, amount in amounts.items()}
        allotted = {}
        for symbol in self.losses_first(amounts):
            if allotted_now := min(amounts[symbol], budget):
                allotted[symbol] = allotted_now
                budget -= allotted_now
        return allotted

    def losses_first(self, symbols: Collection[str]) -> list[str]:
        """Return the order in which a tax-aware plan sells: by gain per unit of value, first in first out."""

        def gain(symbol: str) -> tuple[Decimal, str]:
            one = self.held[symbol]
            worth = product(one.quantity, one.price)
            return (worth - sum((lot.cost for lot in one.lots), ZERO)) / worth if worth else ZERO, symbol

        return sorted(symbols, key=gain)

    def trades(
        self, gaps: Mapping[str, Decimal], spendable: Decimal
    ) -> tuple[tuple[PlannedTrade, ...], list[Skipped]]:
        """Return the trades that close these gaps, sells first, and what is not done.

        `spendable` is the cash that may be spent before anything is sold.
        """
        skipped: dict[str, SkipReason] = {}
        sells, buys = self._sized(gaps, spendable, skipped)
        limit = self.rules.max_turnover
        if limit is not None and self._traded(sells, buys) > limit * self.value:
            sells, buys = self._within_turnover(sells, buys, skipped)
            buys = self._buys(buys, self._cash(spendable, sells), SkipReason.TURNOVER_LIMIT, skipped)
        order = self.losses_first(sells) if self.rules.tax_aware else sorted(sells)
        trades = [self.trade(symbol, OrderSide.SELL, sells[symbol]) for symbol in order]
        trades += [self.trade(symbol, OrderSide.BUY, buys[symbol]) for symbol in sorted(buys)]
        return tuple(trades), [Skipped(symbol, reason) for symbol, reason in skipped.items()]

    def trade(self, symbol: str, side: OrderSide, quantity: Decimal) -> PlannedTrade:
        """Return one trade with its estimates; its gain is what the ledger would post."""
        one = self.held[symbol]
        fees = self.rules.fees
        price = fees.slipped(side, one.price)
        amount, commission = trade_amount(quantity, price), fees.commission(quantity)
        average = fifo = ZERO
        if side is OrderSide.SELL:
            holding = Holding(one.quantity, one.cost, lots=list(one.lots))
            entry = Entry(_NOTHING, TransactionType.SELL, _NEVER, amount, commission, quantity, price)
            posting = post(holding, entry)
            average, fifo = posting.realized_pnl or ZERO, posting.realized_pnl_fifo or ZERO
        return PlannedTrade(
            symbol=symbol,
            instrument_id=one.instrument_id,
            side=side,
            quantity=quantity,
            estimated_price=price,
            estimated_amount=amount,
            commission=commission,
            estimated_cost=commission + product(quantity, abs(price - one.price)),
            estimated_realized_pnl=average,
            estimated_realized_pnl_fifo=fifo,
        )

    def _sized(
        self, gaps: Mapping[str, Decimal], spendable: Decimal, skipped: dict[str, SkipReason]
    ) -> tuple[Quantities, Quantities]:
        """Return what is sold and bought to close the gaps, before the limit on the turnover."""
        sells = self._sells({symbol: -gap for symbol, gap in gaps.items() if gap < 0}, skipped)
        wanted = self._wanted({symbol: gap for symbol, gap in gaps.items() if gap > 0}, skipped)
        wanted = self._within_size(sells, wanted)
        return sells, self._buys(wanted, self._cash(spendable, sells), SkipReason.NO_CASH, skipped)

    def _sells(self, amounts: Mapping[str, Decimal], skipped: dict[str, SkipReason]) -> Quantities:
        most = self._largest_trade()
        found = {}
        for symbol, amount in amounts.items():
            one = self.held[symbol]
            free = one.quantity - one.reserved
            whole_position = amount >= product(free, one.price)
            if most is not None and amount > most:
                quantity = self._rounded(_DOWN, most / one.price)
            elif whole_position and self.rules.fractional:
                quantity = free
            else:
                quantity = min(self._rounded(_UP, amount / one.price), self._rounded(_DOWN, free))
                if most is not None and product(quantity, one.price) > most:
                    quantity -= self._step
            found[symbol] = quantity
        return self._worthwhile(OrderSide.SELL, found, skipped)

    def _wanted(self, amounts: Mapping[str, Decimal], skipped: dict[str, SkipReason]) -> Quantities:
        most = self._largest_trade()
        found = {}
        for symbol, amount in amounts.items():
            price = self.held[symbol].price
            quantity = self._rounded(_DOWN, amount / price)
            if most is not None:
                slipped = self.rules.fees.slipped(OrderSide.BUY, price)
                quantity = min(quantity, self._rounded(_DOWN, most / slipped))
            found[symbol] = quantity
        return self._worthwhile(OrderSide.BUY, found, skipped)

    def _within_size(self, sells: Quantities, wanted: Quantities) -> Quantities:
        """Reduce the purchases so that none makes a position too large once the plan's costs are paid."""
        if self.rules.max_position_size >= ONE:
            return wanted
        headroom = self._headroom(sells, wanted)
        return {
            symbol: max(ZERO, min(quantity, self._rounded(_DOWN, headroom[symbol])))
            for symbol, quantity in wanted.items()
        }

    def _headroom(self, sells: Quantities, wanted: Quantities) -> Quantities:
        """Return how many more shares of each purchase the maximum position size leaves room for."""
        costs = [
            self.trade(symbol, OrderSide.SELL, quantity).estimated_cost for symbol, quantity in sells.items()
        ]
        costs += [
            self.trade(symbol, OrderSide.BUY, quantity).estimated_cost for symbol, quantity in wanted.items()
        ]
        largest = product(self.rules.max_position_size, self.value - sum(costs, ZERO)) - PLACES
        held = {symbol: self.held[symbol] for symbol in wanted}
        return {symbol: largest / one.price - one.quantity - one.incoming for symbol, one in held.items()}

    def _buys(
        self, wanted: Quantities, cash: Decimal, reason: SkipReason, skipped: dict[str, SkipReason]
    ) -> Quantities:
        """Return as much of the purchases as the cash pays for, each its share.

        The smallest ones are skipped if their shares are too small to trade.
        """
        wanted = dict(wanted)
        while wanted:
            needs = {symbol: self._need(symbol, quantity) for symbol, quantity in wanted.items()}
            total = sum(needs.values(), ZERO)
            buys = wanted
            if total > max(cash, ZERO):
                buys = {
                    symbol: self._affordable(symbol, share(max(cash, ZERO), need, total))
                    for symbol, need in needs.items()
                }
            small = [
                symbol
                for symbol, quantity in buys.items()
                if self._objection(symbol, OrderSide.BUY, quantity)
            ]
            if not small:
                return buys
            least = min(small, key=lambda symbol: (needs[symbol], symbol))
            skipped[least] = reason
            del wanted[least]
        return {}

    def _within_turnover(
        self, sells: Quantities, buys: Quantities, skipped: dict[str, SkipReason]
    ) -> tuple[Quantities, Quantities]:
        """Reduce the trades so that their turnover stays within its limit."""
        assert self.rules.max_turnover is not None, "checked by the caller"
        traded = self._traded(sells, buys)
        limit = self.rules.max_turnover * self.value - PLACES * (len(sells) + len(buys) + 1)
        amounts = {symbol: product(quantity, self.held[symbol].price) for symbol, quantity in sells.items()}
        budget = max(ZERO, share(sum(amounts.values(), ZERO), limit, traded))
        allotted = self.allot(amounts, budget, is_sale=True)
        reduced_sells = {
            symbol: min(sells[symbol], self._rounded(_DOWN, amount / self.held[symbol].price))
            for symbol, amount in allotted.items()
        }
        skipped |= {symbol: SkipReason.TURNOVER_LIMIT for symbol in sells if symbol not in allotted}
        reduced_buys = {
            symbol: self._rounded(_DOWN, max(ZERO, _DOWN.divide(quantity * limit, traded)))
            for symbol, quantity in buys.items()
        }
        return self._worthwhile(
            OrderSide.SELL, reduced_sells, skipped, SkipReason.TURNOVER_LIMIT
        ), reduced_buys

    def _worthwhile(
        self,
        side: OrderSide,
        quantities: Quantities,
        skipped: dict[str, SkipReason],
        reason: SkipReason | None = None,
    ) -> Quantities:
        found = {}
        for symbol, quantity in quantities.items():
            objection = self._objection(symbol, side, quantity)
            if objection is None:
                found[symbol] = quantity
            else:
                skipped[symbol] = reason or objection
        return found

    def _objection(self, symbol: str, side: OrderSide, quantity: Decimal) -> SkipReason | None:
        if quantity <= 0:
            return SkipReason.LESS_THAN_A_SHARE
        fees = self.rules.fees
        amount = trade_amount(quantity, fees.slipped(side, self.held[symbol].price))
        if amount <= fees.commission(quantity):
            return SkipReason.COSTS_TOO_MUCH
        return SkipReason.BELOW_MINIMUM if amount < self.rules.minimum_trade else None

    def _cash(self, spendable: Decimal, sells: Quantities) -> Decimal:
        proceeds = (
            self.trade(symbol, OrderSide.SELL, quantity).cash_delta for symbol, quantity in sells.items()
        )
        return spendable + sum(proceeds, ZERO)

    def _traded(self, sells: Quantities, buys: Quantities) -> Decimal:
        fees, held = self.rules.fees, self.held
        amounts = [trade_amount(q, fees.slipped(OrderSide.SELL, held[s].price)) for s, q in sells.items()]
        amounts += [trade_amount(q, fees.slipped(OrderSide.BUY, held[s].price)) for s, q in buys.items()]
        return sum(amounts, ZERO)

    def _need(self, symbol: str, quantity: Decimal) -> Decimal:
        """Return what an order of this quantity reserves, which is never less than what it takes."""
        if not quantity:
            return ZERO
        request = OrderRequest(OrderSide.BUY, OrderType.MARKET, quantity, None, None, TimeInForce.DAY)
        return size_order(request, self.held[symbol].price, self.rules.fees).reserved_cash

    def _affordable(self, symbol: str, budget: Decimal) -> Decimal:
        fees = self.rules.fees
        each = fees.slipped(OrderSide.BUY, self.held[symbol].price) + fees.commission_per_share
        quantity = self._rounded(_DOWN, max(ZERO, budget - fees.commission_per_order) / each)
        while quantity > 0 and self._need(symbol, quantity) > budget:
            quantity -= self._step
        return quantity

    def _largest_trade(self) -> Decimal | None:
        limit = self.rules.max_trade
        return None if limit is None else product(limit, self.value)

    @property
    def _step(self) -> Decimal:
        return FRACTION if self.rules.fractional else WHOLE

    def _rounded(self, rounding: Context, quantity: Decimal) -> Decimal:
        return rounding.quantize(quantity, self._step)


def _share_down(budget: Decimal, amount: Decimal, total: Decimal) -> Decimal:
    return _DOWN.quantize(_DOWN.divide(_DOWN.multiply(budget, amount), total), PLACES)
