"""Subscribe to a rebalance until it ends."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

import strawberry

from db.vocabulary import RebalanceStatus, Topic
from graph.context import Info
from graph.loaders.rebalancing import RebalanceById
from graph.mutating import own_id
from graph.permissions import IsAuthenticated, OwnsRebalance, guarded
from graph.rebalancing.types import Rebalance
from investing.notifier import wait

POLL_SECONDS = 1.0

_Id = Annotated[strawberry.ID, strawberry.argument(description="The rebalance's id.")]


@strawberry.type
class RebalancingSubscription:
    @strawberry.subscription(
        description="The rebalance as it is now, and then each change of its legs until it has ended. "
        "Changes in quick succession may be combined.",
        extensions=[guarded(IsAuthenticated(), OwnsRebalance("rebalance_id"))],
    )
    async def rebalance_progress(self, info: Info, rebalance_id: _Id) -> AsyncGenerator[Rebalance, None]:
        context = info.context
        id = own_id("Rebalance", rebalance_id)
        known: tuple[Any, ...] = ()
        with context.services.notifier.listening(context.viewer_id, Topic.ORDERS) as changed:
            while True:
                await context.retry_while_down(context.recheck_login)
                row = await context.retry_while_down(context.loader(RebalanceById).load, id)
                if row is None:
                    return
                now = row["status"], row["legs_ended"], row["legs_changed_at"]
                if now != known:
                    known = now
                    yield Rebalance.from_row(row)
                if row["status"] != RebalanceStatus.RUNNING:
                    return
                # Changes of other processes are not announced here, so the database is read every second too.
                await wait(changed, POLL_SECONDS)
