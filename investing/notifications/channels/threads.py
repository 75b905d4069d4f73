"""Threads for what knows no other way to wait, and may hang."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

ResultT = TypeVar("ResultT")


async def apart(work: Callable[[], ResultT]) -> ResultT:
    """What `work` returns or raises, done in a thread of its own.

    Nobody waits for the thread where this is cancelled: it takes no place from those that come after it, as
    it would in a pool, and it does not hold up the end of the process, which joins the threads of pools.
    """
    done: Future[ResultT] = Future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(result)

    # From here on it cannot be cancelled, which would make a result that comes later an error.
    done.set_running_or_notify_cancel()
    threading.Thread(target=run, name="notifications", daemon=True).start()
    return await asyncio.wrap_future(done)
