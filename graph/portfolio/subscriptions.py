"""Subscribe to the value of a portfolio."""

import datetime as dt
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated
from uuid import UUID

import strawberry

from db.canonical import DecimalText
from db.portfolio.queries import fetch_held_instruments, fetch_portfolio_summaries
from db.portfolio.rows import PortfolioSummaryRow
from db.vocabulary import Topic
from graph.context import Context, Info
from graph.ids import global_id
from graph.mutating import own_id
from graph.pacing import Throttle
from graph.permissions import IsAuthenticated, OwnsPortfolio, guarded
from investing.notifier import wait

# This notices a process killed between a commit and its notification, and a command that notifies nobody.
LOOK_SECONDS = 10.0
CHECKED_SECONDS = 1.0

_PortfolioId = Annotated[strawberry.ID, strawberry.argument(description="The portfolio.")]


@strawberry.type(description="The value of a portfolio at one moment, in its currency.")
class PortfolioValue:
    portfolio_id: strawberry.ID = strawberry.field(description="The portfolio.")
    as_of: dt.datetime = strawberry.field(description="When it was computed.")
    cash_balance: DecimalText = strawberry.field(description="Its cash.")
    market_value: DecimalText = strawberry.field(
        description="The value of its positions at the latest prices."
    )
    total_value: DecimalText = strawberry.field(description="Cash plus positions.")
    unrealized_pnl: DecimalText = strawberry.field(description="The unrealised gain of its positions.")


@strawberry.type
class PortfolioSubscription:
    @strawberry.subscription(
        description="The value of the portfolio: first the present one, then each change by a price, a "
        "trade, a movement of cash or a correction. There are only a few events a second; the "
        "last one is never skipped.",
        extensions=[guarded(IsAuthenticated(), OwnsPortfolio("portfolio_id"))],
    )
    async def portfolio_value(
        self, info: Info, portfolio_id: _PortfolioId
    ) -> AsyncGenerator[PortfolioValue, None]:
        context, id = info.context, own_id("Portfolio", portfolio_id)
        pace = Throttle(context.services.events_per_second)
        reported: tuple[DecimalText, ...] = ()
        with (
            # Orders too: those are counted, and so found within a second whatever notification is lost.
            context.services.notifier.listening(context.viewer_id, Topic.PORTFOLIOS, Topic.ORDERS) as rings,
            context.services.watches.watching(rings) as watch,
        ):
            while True:
                await pace.wait()
                rings.clear()
                row, held = await context.retry_while_down(_look, context, id)
                if row is None:
                    return
                if watch.follow(held):
                    # A price may have moved before it was followed.
                    rings.set()
                figures = _figures(row)
                if figures != reported:
                    # A slow client may have taken minutes over the last event.
                    await context.retry_while_down(context.look_again_after, CHECKED_SECONDS)
                    reported = figures
                    yield _value(id, row)
                watch.take_all()
                await wait(rings, LOOK_SECONDS)


async def _look(context: Context, id: UUID) -> tuple[PortfolioSummaryRow | None, Sequence[UUID]]:
    async with context.reading() as connection:
        summaries = await fetch_portfolio_summaries(connection, context.viewer_id, [id])
        return summaries.get(id), await fetch_held_instruments(connection, context.viewer_id, [id])


def _figures(row: PortfolioSummaryRow) -> tuple[DecimalText, ...]:
    return row["cash_balance"], row["market_value"], row["total_value"], row["unrealized_pnl"]


def _value(id: UUID, row: PortfolioSummaryRow) -> PortfolioValue:
    cash, market, total, gain = _figures(row)
    return PortfolioValue(
        portfolio_id=global_id("Portfolio", id),
        as_of=dt.datetime.now(dt.UTC),
        cash_balance=cash,
        market_value=market,
        total_value=total,
        unrealized_pnl=gain,
    )
