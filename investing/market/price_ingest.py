"""A temporary price ingest, for a command that brings prices and ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from db.sessions import Sessions
from investing.alerts.evaluator import Evaluator
from investing.market.ingest import PriceIngest

ResultT = TypeVar("ResultT")


async def price_ingest(sessions: Sessions, work: Callable[[PriceIngest], Awaitable[ResultT]]) -> ResultT:
    """Run the work with a price ingest of its own; return once all rules that its prices crossed are decided.

    Open orders are left to the desks of the servers, which check each second.
    """
    evaluator = Evaluator(sessions, None)
    await evaluator.ready()
    await evaluator.prices.load()
    deciding = asyncio.create_task(evaluator.prices.watch())
    try:
        result = await work(evaluator.ingest)
        await evaluator.prices.drained()
        return result
    finally:
        deciding.cancel()
        await asyncio.gather(deciding, return_exceptions=True)
