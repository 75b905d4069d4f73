"""Placing and cancelling orders."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

import strawberry

from graph.context import Info
from graph.loaders.trading import OrderById
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.permissions import IsAuthenticatedWhenWriting, OwnsOrder, OwnsPortfolio
from graph.trading.types import Order
from graph.user_errors import user_error
from graph.vocabulary import OrderSide, OrderType, TimeInForce
from investing.idempotency import load
from investing.rules.trading.orders import OrderRequest
from investing.trading.placing import NewOrder


@strawberry.input(description="An order to place, for a number of shares or an amount of cash.")
class PlaceOrderInput:
    portfolio_id: strawberry.ID = strawberry.field(description="The portfolio that trades.")
    symbol: str = strawberry.field(description="The instrument's symbol.")
    side: OrderSide = strawberry.field(description="Whether it buys or sells.")
    type: OrderType = strawberry.field(description="At what price it may trade.", default=OrderType.MARKET)
    quantity: Decimal | None = strawberry.field(
        description="The number of shares, which may be fractional. Either this or notional.", default=None
    )
    notional: Decimal | None = strawberry.field(
        description="The amount of cash to trade, in the portfolio's currency: a BUY costs no more than "
        "that, including commission. The quantity follows from the limit price or the quote and "
        "has 18 decimal places. A SELL whose notional is exactly the value of the position at "
        "that price, for a MARKET order its `marketValue`, sells all of it, except for shares "
        "that open orders have reserved.",
        default=None,
    )
    limit_price: Decimal | None = strawberry.field(
        description="The worst price, for a LIMIT order.", default=None
    )
    time_in_force: TimeInForce = strawberry.field(
        description="How long it stays open.", default=TimeInForce.DAY
    )
    idempotency_key: strawberry.ID = strawberry.field(
        description="A UUID that you choose: a retry with the same one does nothing more."
    )


@strawberry.input(description="An order to cancel.")
class CancelOrderInput:
    order_id: strawberry.ID = strawberry.field(description="The order.")


@strawberry.type(
    description="The order as it is now, or the reasons why there is none. If the broker rejected it, there "
    "are both."
)
class OrderPayload(Payload):
    order: Order | None = strawberry.field(description="The order.", default=None)

    @classmethod
    async def load(cls, info: Info, id: UUID) -> "OrderPayload":
        """Return the payload with the order of this row id."""
        row = await info.context.loader(OrderById).load_existing(id)
        facts = row["rejection_facts"]
        errors = [] if facts is None else [user_error(load(facts), ("input",))]
        return cls(order=Order.from_row(row), user_errors=errors)


@strawberry.type
class OrderMutation:
    @strawberry.mutation(
        description="Places an order. The cash or shares that it needs are reserved until it ends, so that "
        "no two orders spend the same.",
        extensions=[Guard(IsAuthenticatedWhenWriting(), OwnsPortfolio("input", "portfolio_id", locked=True))],
    )
    async def place_order(self, info: Info, input: Annotated[PlaceOrderInput, INPUT]) -> OrderPayload | None:
        request = OrderRequest(
            side=input.side,
            type=input.type,
            quantity=input.quantity,
            notional=input.notional,
            limit_price=input.limit_price,
            time_in_force=input.time_in_force,
        )
        new = NewOrder(own_id("Portfolio", input.portfolio_id), input.symbol, request)
        id = await info.context.services.desk.place(actor_of(info.context), new, input.idempotency_key)
        return await OrderPayload.load(info, id)

    @strawberry.mutation(
        description="Cancels an open order; what is already filled stays.",
        extensions=[Guard(IsAuthenticatedWhenWriting(), OwnsOrder("input", "order_id", locked=True))],
    )
    async def cancel_order(
        self, info: Info, input: Annotated[CancelOrderInput, INPUT]
    ) -> OrderPayload | None:
        id = own_id("Order", input.order_id)
        await info.context.services.desk.cancel(actor_of(info.context), id)
        return await OrderPayload.load(info, id)
