"""End what a client waited for when it goes before the answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

ResultT = TypeVar("ResultT")

QUICK_SECONDS = 0.25
"""Whether the client is still there is of no interest before that."""


async def while_connected(receive: Receive, work: Awaitable[ResultT], may_end: Callable[[], bool]) -> ResultT:
    """Return what the work returns. Raise ClientDisconnect if the client goes and the work `may_end`.

    The request's body must have been received. The work is cancelled where it is then.
    """
    task = asyncio.current_task()
    assert task is not None
    listener: asyncio.Task[None] | None = None
    has_left = False

    async def listen() -> None:
        nonlocal has_left
        while (await receive())["type"] != "http.disconnect":
            pass
        if may_end():
            has_left = True
            task.cancel()

    def start() -> None:
        nonlocal listener
        listener = asyncio.ensure_future(listen())

    timer = asyncio.get_running_loop().call_later(QUICK_SECONDS, start)
    try:
        return await work
    except asyncio.CancelledError:
        # Somebody else may have cancelled it too, and then it stays cancelled.
        if has_left and not task.uncancel():
            raise ClientDisconnect from None
        raise
    finally:
        timer.cancel()
        if listener is not None:
            listener.cancel()
