"""Placing and cancelling orders."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

import strawberry

from graph.context import Info
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.permissions import IsAuthenticated, OwnsOrder, OwnsPortfolio
from graph.trading.loaders import OrderById
from graph.trading.types import Order
from graph.user_errors import user_error
from graph.vocabulary import OrderSide, OrderType, TimeInForce
from investing.idempotency import load
from investing.rules.trading.orders import OrderRequest
from investing.trading.placing import NewOrder


@strawberry.input(description="An order to place: so many shares, or shares for so much cash.")
class PlaceOrderInput:
    portfolio_id: strawberry.ID = strawberry.field(description="The portfolio that trades.")
    symbol: str = strawberry.field(description="The instrument's symbol.")
    side: OrderSide = strawberry.field(description="Which way it trades.")
    type: OrderType = strawberry.field(description="At what price it may trade.", default=OrderType.MARKET)
    quantity: Decimal | None = strawberry.field(
        description="How many shares, also parts of one. Either this or notional.", default=None
    )
    notional: Decimal | None = strawberry.field(
        description="How much cash to trade, in the portfolio's currency: a BUY costs no more than that, "
        "commission included. The quantity follows from the limit, or from the quote, and has 18 places. A "
        "SELL whose notional is exactly what the position is worth at that price, its `marketValue` for a "
        "MARKET order, sells all of it; what open orders have reserved is left out.",
        default=None,
    )
    limit_price: Decimal | None = strawberry.field(
        description="The worst price, for a LIMIT order.", default=None
    )
    time_in_force: TimeInForce = strawberry.field(
        description="How long it stays open.", default=TimeInForce.DAY
    )
    idempotency_key: strawberry.ID = strawberry.field(
        description="A UUID of your own: a retry with the same one does nothing more."
    )


@strawberry.input(description="An order to cancel.")
class CancelOrderInput:
    order_id: strawberry.ID = strawberry.field(description="The order.")


@strawberry.type(
    description="The order as it is now, or why there is none. Where the broker refused it, there are both."
)
class OrderPayload(Payload):
    order: Order | None = strawberry.field(description="The order.", default=None)

    @classmethod
    async def load(cls, info: Info, id: UUID) -> "OrderPayload":
        """The payload with the order of this row id."""
        row = await info.context.loader(OrderById).load_existing(id)
        facts = row["rejection_facts"]
        errors = [] if facts is None else [user_error(load(facts), ("input",))]
        return cls(order=Order.from_row(row), user_errors=errors)


@strawberry.type
class OrderMutation:
    @strawberry.mutation(
        description="Places an order. Cash or shares that it needs are held back until it ends, so that no "
        "two orders spend the same.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("input", "portfolio_id", locked=True))],
    )
    async def place_order(self, info: Info, input: Annotated[PlaceOrderInput, INPUT]) -> OrderPayload:
        request = OrderRequest(
            side=input.side,
            type=input.type,
            quantity=input.quantity,
            notional=input.notional,
            limit_price=input.limit_price,
            time_in_force=input.time_in_force,
        )
        new = NewOrder(own_id("Portfolio", input.portfolio_id), input.symbol, request)
        id = await info.context.desk.place(actor_of(info.context), new, input.idempotency_key)
        return await OrderPayload.load(info, id)

    @strawberry.mutation(
        description="Ends an open order; what is filled already stays.",
        extensions=[Guard(IsAuthenticated(), OwnsOrder("input", "order_id"))],
    )
    async def cancel_order(self, info: Info, input: Annotated[CancelOrderInput, INPUT]) -> OrderPayload:
        id = own_id("Order", input.order_id)
        await info.context.desk.cancel(actor_of(info.context), id)
        # What the guard has read was the order before.
        info.context.forget()
        return await OrderPayload.load(info, id)
