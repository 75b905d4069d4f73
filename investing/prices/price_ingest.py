"""A temporary price ingest, for a command that brings prices and ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from db.sessions import Sessions
from investing.prices.evaluator import Evaluator
from investing.prices.ingest import PriceIngest

ResultT = TypeVar("ResultT")


async def price_ingest(sessions: Sessions, work: Callable[[PriceIngest], Awaitable[ResultT]]) -> ResultT:
    """Run the work with a price ingest of its own; return once all rules that its prices crossed are decided.

    Open orders are left to the desks of the servers, which check each second.
    """
    evaluator = Evaluator(sessions, None)
    await evaluator.ready()
    await evaluator.prices.load()

    async def worked() -> ResultT:
        result = await work(evaluator.ingest)
        await evaluator.prices.drained()
        return result

    deciding, working = asyncio.create_task(evaluator.prices.watch()), asyncio.create_task(worked())
    try:
        # The rules are decided for ever or until a fault, which must end the wait for them.
        done, _ = await asyncio.wait({deciding, working}, return_when=asyncio.FIRST_COMPLETED)
        if working not in done:
            deciding.result()
        return await working
    finally:
        for task in (deciding, working):
            task.cancel()
        await asyncio.gather(deciding, working, return_exceptions=True)
