"""A floor for a while: for a command that brings prices and ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from db.sessions import Sessions
from investing.alerts.evaluator import Evaluator
from investing.market.ingest import PriceIngest

ResultT = TypeVar("ResultT")


async def price_ingest(sessions: Sessions, work: Callable[[PriceIngest], Awaitable[ResultT]]) -> ResultT:
    """Does the work on a floor of its own, and returns when every rule that its prices crossed is decided.

    Resting orders are left to the desks of the servers, which look each second.
    """
    evaluator = Evaluator(sessions, None)
    await evaluator.ready()
    await evaluator.prices.load()
    deciding = asyncio.create_task(evaluator.prices.keep())
    try:
        result = await work(evaluator.ingest)
        await evaluator.prices.drained()
        return result
    finally:
        deciding.cancel()
        await asyncio.gather(deciding, return_exceptions=True)
