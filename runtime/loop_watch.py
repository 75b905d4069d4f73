"""Watch the event loop: log what ran when it was blocked, because everybody who is connected waited then."""

import asyncio
import logging
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

logger = logging.getLogger("graphfolio.runtime")

PERIOD = 0.05
"""How many seconds pass between two looks at the loop."""

_ROOT = str(Path(__file__).parent.parent)
_MOST_FRAMES = 5


class LoopWatch:
    """Asks the event loop for a sign of life from a thread of its own, and logs the ones that came late."""

    def __init__(self, most_seconds: float) -> None:
        self._most = most_seconds

    async def run(self) -> None:
        """Watch the loop that runs this, for ever."""
        loop, thread_id, ended = asyncio.get_running_loop(), threading.get_ident(), threading.Event()
        executor = ThreadPoolExecutor(1, thread_name_prefix="loop watch")
        try:
            await loop.run_in_executor(executor, self._watch, loop, thread_id, ended)
        finally:
            ended.set()
            executor.shutdown(wait=False)

    def _watch(self, loop: asyncio.AbstractEventLoop, thread_id: int, ended: threading.Event) -> None:
        while not ended.wait(PERIOD):
            alive = threading.Event()
            began = time.perf_counter()
            loop.call_soon_threadsafe(alive.set)
            if alive.wait(self._most):
                continue
            place = _place(thread_id)
            while not alive.wait(PERIOD):
                if ended.is_set():
                    return
            blocked_ms = round((time.perf_counter() - began) * 1000)
            logger.warning("the event loop was blocked", extra={"blocked_ms": blocked_ms, "by": place})


def _place(thread_id: int) -> str:
    """Return where a thread is now: the innermost calls of this project's own code, the innermost first."""
    stack = traceback.extract_stack(sys._current_frames().get(thread_id))
    own = [frame for frame in stack if frame.filename.startswith(_ROOT) and ".venv" not in frame.filename]
    innermost = [stack[-1], *reversed(own)] if stack else []
    places = (f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in innermost)
    return " < ".join(list(dict.fromkeys(places))[:_MOST_FRAMES])
