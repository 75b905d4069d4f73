"""Subscribe to the viewer's orders as they change."""

from collections.abc import AsyncGenerator, Sequence
from typing import Annotated
from uuid import UUID

import strawberry

from db.sessions import Row
from db.trading.queries import fetch_order_versions
from db.vocabulary import Topic
from graph.context import Info
from graph.loaders.portfolio import PortfolioById
from graph.loaders.trading import OrderById
from graph.mutating import own_id
from graph.permissions import IsAuthenticated, OwnsPortfolio, guarded
from graph.trading.types import Order
from investing.notifier import wait

_PortfolioId = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Only orders of this portfolio; all of yours if left out."),
]


async def _versions(info: Info, portfolio_id: UUID | None, known: Sequence[UUID]) -> Sequence[Row]:
    async with info.context.reading() as connection:
        only = None if portfolio_id is None else [portfolio_id]
        return await fetch_order_versions(connection, info.context.viewer_id, only, known)


@strawberry.type
class TradingSubscription:
    @strawberry.subscription(
        description="Each of your orders as it is after each change from now on. Changes in quick succession "
        "may be combined; `version` counts them.",
        extensions=[guarded(IsAuthenticated(), OwnsPortfolio("portfolio_id"))],
    )
    async def order_updates(
        self, info: Info, portfolio_id: _PortfolioId = None
    ) -> AsyncGenerator[Order, None]:
        context = info.context
        only = None if portfolio_id is None else own_id("Portfolio", portfolio_id)
        with context.services.notifier.listening(context.viewer_id, Topic.ORDERS) as event:
            known = {row["id"]: row["version"] for row in await _versions(info, only, [])}
            while True:
                await wait(event)
                context.forget()
                portfolios = context.loader(PortfolioById)
                if only is not None and await context.retry_while_down(portfolios.load, only) is None:
                    return
                found = await context.retry_while_down(_versions, info, only, list(known))
                changed = [row["id"] for row in found if row["version"] > known.get(row["id"], 0)]
                known = {
                    row["id"]: known.get(row["id"], 0)
                    for row in found
                    if row["is_live"] or row["id"] in changed
                }
                for id in changed:
                    # A slow client may have taken minutes over the last event.
                    await context.retry_while_down(context.recheck_login)
                    row = await context.retry_while_down(context.loader(OrderById).load, id)
                    if row is not None:
                        known[id] = row["version"]
                        yield Order.from_row(row)
