"""Place an order: check, reserve and write it, in one transaction. Nothing here calls a broker."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from db.ids import uuid7
from db.locks import Locks
from db.trading import ledger_writes as writes
from db.trading import order_reads as reads
from db.trading.ledger import LedgerTransaction
from db.trading.orders import OrderRow
from db.vocabulary import OrderSide, OrderStatus, OrderType
from investing.actor import Actor, RequestOrigin
from investing.brokers.registry import Brokers
from investing.idempotency import Intent, once_knowing
from investing.rules.errors import (
    AccountInactive,
    InsufficientCash,
    InsufficientShares,
    NoPrice,
    NotFound,
    PortfolioInactive,
)
from investing.rules.trading import orders as rules
from investing.rules.trading.orders import ZERO, OrderRequest, SizedOrder
from investing.trading.orders import note_order
from investing.trading.recording import check_instrument


@dataclass(frozen=True)
class NewOrder:
    """An order as its owner places it."""

    portfolio_id: UUID
    symbol: str
    request: OrderRequest


@dataclass(frozen=True)
class PartOf:
    """The rebalance that an order is a leg of, and the id that the order therefore has.

    Its plan has respected maxPositionSize, which is not checked again at the current price.
    """

    rebalance_id: UUID
    order_id: UUID


@dataclass(frozen=True)
class TradingConfig:
    """The server's settings for placing orders."""

    brokers: Brokers
    quote_max_age: dt.timedelta | None = None
    patience: dt.timedelta = dt.timedelta(seconds=5)


async def place(
    ledger: LedgerTransaction,
    client: RequestOrigin,
    new: NewOrder,
    trading_config: TradingConfig,
    now: dt.datetime,
    *,
    part_of: PartOf | None = None,
    facts: reads.OrderFacts | None = None,
) -> OrderRow:
    """Create an order that is reserved, PENDING, and not with the broker yet; lock the portfolio.

    `facts` is what has been read already. Raise NotFound, PortfolioInactive, AccountInactive,
    BrokerUnavailable, UnknownInstrument, CurrencyMismatch, NoPrice, StalePrice, InvalidInput,
    PositionTooLarge, InsufficientCash and InsufficientShares.
    """
    key = (ledger.connection, ledger.owner_id, new.portfolio_id)
    if facts is None:
        facts = _there(await reads.for_order(*key, None, new.symbol))
    exposure = None
    if part_of is None and facts.instrument_id is not None and _is_limited(new, facts):
        exposure = await reads.find_exposure(*key, facts.instrument_id)
    sized = _size(new, facts, exposure, trading_config, now)
    order = _order(uuid7() if part_of is None else part_of.order_id, new, facts, sized, now)
    if sized.reserved_cash:
        ledger.change_portfolio(new.portfolio_id, reserved=sized.reserved_cash)
    if sized.reserved_quantity:
        ledger.reserve_shares(new.portfolio_id, order.instrument_id, sized.reserved_quantity)
    row = order._asdict() | {
        "owner_id": ledger.owner_id,
        "notional": new.request.notional,
        "submitted_at": now,
        "rebalance_id": None if part_of is None else part_of.rebalance_id,
    }
    del row["symbol"]
    writes.add_order(ledger.batch, row, _due_at(trading_config, now))
    note_order(ledger, client, "placed", order.id, order)
    return order


async def place_once(
    actor: Actor, intent: Intent, new: NewOrder, trading_config: TradingConfig
) -> tuple[UUID, OrderRow | None]:
    """Do the same in a transaction of its own, once for the intent.

    Return the order's id, and the order if it was placed just now.
    """

    async def read(ledger: LedgerTransaction) -> reads.OrderFacts:
        key = (ledger.connection, ledger.owner_id, new.portfolio_id, intent.key)
        return _there(await reads.for_order(*key, new.symbol))

    async def decide(ledger: LedgerTransaction, facts: reads.OrderFacts) -> tuple[UUID, OrderRow]:
        now = dt.datetime.now(dt.UTC)
        order = await place(ledger, actor.client, new, trading_config, now, facts=facts)
        return order.id, order

    locks = Locks.of(portfolios=[new.portfolio_id])
    made = await once_knowing(actor.sessions, intent, locks, read, decide)
    return made.id, made.result


def _due_at(trading_config: TradingConfig, now: dt.datetime) -> dt.datetime:
    # By then whoever places it has an answer, or is gone.
    return now + trading_config.patience * 2


def _there(facts: reads.OrderFacts | None) -> reads.OrderFacts:
    if facts is None:
        raise NotFound("There is no such portfolio.", ("portfolioId",))
    return facts


def _is_limited(new: NewOrder, facts: reads.OrderFacts) -> bool:
    return new.request.side is OrderSide.BUY and facts.max_position_size < 1


def _size(
    new: NewOrder,
    facts: reads.OrderFacts,
    exposure: reads.Exposure | None,
    trading_config: TradingConfig,
    now: dt.datetime,
) -> SizedOrder:
    """Return the order with its quantity and reservations; `exposure` is known if it is limited.

    Raise what `place` does.
    """
    if not facts.is_active:
        raise PortfolioInactive
    if not facts.account_is_active:
        raise AccountInactive("The account is archived: restore it first.", ("portfolioId",))
    fees = trading_config.brokers.named(facts.broker).fees
    check_instrument(new.symbol, facts.instrument_currency, facts.currency)
    price = _price(new, facts, trading_config, now)
    sized = rules.size_order(new.request, price, fees, facts.free_quantity)
    field = "quantity" if new.request.notional is None else "notional"
    if exposure is not None:
        value_after = (exposure.quantity + sized.quantity) * price
        rules.check_size(new.symbol, value_after, exposure.total_value, facts.max_position_size, field=field)
    _check_there(facts, sized, field)
    return sized


def _price(
    new: NewOrder, facts: reads.OrderFacts, trading_config: TradingConfig, now: dt.datetime
) -> Decimal:
    if new.request.type is OrderType.LIMIT:
        assert new.request.limit_price is not None, "checked before"
        return new.request.limit_price
    if facts.price is None or facts.as_of is None:
        message = f"There is no price of {new.symbol}, which a MARKET order needs: give a limit price."
        raise NoPrice(message, ("symbol",), symbol=new.symbol)
    rules.check_fresh(new.symbol, facts.as_of, now, trading_config.quote_max_age)
    return facts.price


def _check_there(facts: reads.OrderFacts, sized: SizedOrder, field: str) -> None:
    cash = facts.cash_balance - facts.reserved_cash
    if sized.reserved_cash > cash and not facts.margin:
        raise InsufficientCash(
            f"{sized.reserved_cash.normalize():f} is needed, {cash.normalize():f} is there that no open "
            "order has reserved.",
            (field,),
            required=sized.reserved_cash,
            available=cash,
        )
    free = facts.free_quantity
    if sized.reserved_quantity > free:
        raise InsufficientShares(
            f"{sized.quantity.normalize():f} shares are to be sold, {free.normalize():f} are there "
            "that no open order has reserved.",
            (field,),
            required=sized.quantity,
            available=free,
        )


def _order(id: UUID, new: NewOrder, facts: reads.OrderFacts, sized: SizedOrder, now: dt.datetime) -> OrderRow:
    assert facts.instrument_id is not None, "checked before"
    assert facts.asset_class is not None, "an instrument has an asset class"
    expires_at = rules.expires_at(
        new.request.time_in_force,
        now,
        asset_class=facts.asset_class,
        exchange=facts.exchange,
        time_zone=facts.time_zone,
    )
    return OrderRow(
        id=id,
        client_order_id=id,
        portfolio_id=new.portfolio_id,
        instrument_id=facts.instrument_id,
        symbol=new.symbol,
        broker=facts.broker,
        broker_order_id=None,
        side=new.request.side.value,
        type=new.request.type.value,
        status=OrderStatus.PENDING.value,
        time_in_force=new.request.time_in_force.value,
        quantity=sized.quantity,
        filled_quantity=ZERO,
        limit_price=new.request.limit_price,
        worst_price=sized.worst_price,
        reserved_cash=sized.reserved_cash,
        expires_at=expires_at,
    )
