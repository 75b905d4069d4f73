"""A portfolio's whole ledger as CSV."""

from typing import Annotated

import strawberry

from graph.context import Info
from graph.ids import id_of
from graph.loaders.portfolio import PortfolioById
from graph.permissions import IsAuthenticated, guarded
from investing.trading.exporting import export_csv

_PortfolioId = Annotated[strawberry.ID, strawberry.argument(description="The portfolio's id.")]


@strawberry.type
class TradingQuery:
    @strawberry.field(
        description="All transactions of a portfolio as CSV; importing it into an empty portfolio recreates "
        "the ledger. Null if you have no such portfolio.",
        extensions=[guarded(IsAuthenticated())],
    )
    async def export_transactions(self, info: Info, portfolio_id: _PortfolioId) -> str | None:
        id = id_of("Portfolio", portfolio_id)
        if id is None or await info.context.loader(PortfolioById).load(id) is None:
            return None
        pieces = export_csv(info.context.services.sessions, info.context.viewer_id, id)
        return "".join([piece async for piece in pieces])
