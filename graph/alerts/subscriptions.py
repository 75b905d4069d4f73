"""Subscribe to the viewer's alerts, from any of them on, without a gap."""

from collections.abc import AsyncGenerator
from typing import Annotated
from uuid import UUID

import strawberry

from db.vocabulary import Topic
from graph.alerts.severities import MinSeverity, at_least
from graph.alerts.types import Alert
from graph.context import Context, Info
from graph.errors import BadUserInput, ResyncRequired
from graph.loaders.portfolio import PortfolioById
from graph.mutating import own_id
from graph.permissions import IsAuthenticated, OwnsPortfolio, guarded
from investing.alerts.following import (
    AlertFilter,
    AlertPage,
    InvalidCursor,
    PositionLost,
    StreamPosition,
    latest_position,
    next_page,
)
from investing.notifier import wait

CHECKED_SECONDS = 1.0

_After = Annotated[
    str | None,
    strawberry.argument(
        description="The cursor of the last event that you received, or `alertsCursor` of the user: "
        "everything after it is delivered first. If left out, only new alerts are delivered."
    ),
]
_PortfolioId = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only those about this portfolio.")
]


@strawberry.type(description="An alert of the stream, with its cursor.")
class AlertEvent:
    cursor: str = strawberry.field(
        description="The position of this alert in the stream. Keep the last one to resume after it: it is "
        "valid on every server, for as long as the alerts after it are kept."
    )
    alert: Alert = strawberry.field(description="The alert.")


@strawberry.type
class AlertSubscription:
    @strawberry.subscription(
        description="Your alerts: those after `after`, oldest first, and then new ones as they happen; each "
        "at least once, in order. If the stream cannot resume after the cursor, it ends with the "
        "error RESYNC_REQUIRED, whose `reason` is PURGED or REPLACED; resume from its "
        "`oldestCursor` or `latestCursor`.",
        extensions=[guarded(IsAuthenticated(), OwnsPortfolio("portfolio_id"))],
    )
    async def alerts(
        self,
        info: Info,
        after: _After = None,
        min_severity: MinSeverity = None,
        portfolio_id: _PortfolioId = None,
    ) -> AsyncGenerator[AlertEvent, None]:
        context = info.context
        only = None if portfolio_id is None else own_id("Portfolio", portfolio_id)
        wanted = AlertFilter(at_least(min_severity), only)
        with context.services.notifier.listening(context.viewer_id, Topic.ALERTS) as changed:
            position = await _start(context, after)
            while True:
                page = await context.retry_while_down(_page, context, position, wanted)
                for row in page.rows:
                    # A slow client may have taken minutes over the last event.
                    is_checked = await context.retry_while_down(context.look_again_after, CHECKED_SECONDS)
                    if (
                        is_checked
                        and only is not None
                        and not await context.retry_while_down(_has, context, only)
                    ):
                        return
                    yield AlertEvent(
                        cursor=StreamPosition(page.position.epoch, row["seq"]).cursor,
                        alert=Alert.from_row(row),
                    )
                position = page.position
                if not page.is_full:
                    await wait(changed)


async def _start(context: Context, after: str | None) -> StreamPosition:
    if after is None:
        async with context.reading() as connection:
            return await latest_position(connection, context.viewer_id)
    try:
        return StreamPosition.of(after)
    except InvalidCursor:
        raise BadUserInput("This is not a cursor of this stream.") from None


async def _page(context: Context, position: StreamPosition, wanted: AlertFilter) -> AlertPage:
    try:
        async with context.reading() as connection:
            return await next_page(connection, context.viewer_id, position, wanted)
    except PositionLost as lost:
        raise ResyncRequired(
            "What came after this cursor is not all there any more.",
            reason="PURGED" if lost.is_purged else "REPLACED",
            oldestCursor=lost.oldest.cursor,
            latestCursor=lost.latest.cursor,
        ) from None


async def _has(context: Context, portfolio_id: UUID) -> bool:
    return await context.loader(PortfolioById).load(portfolio_id) is not None
