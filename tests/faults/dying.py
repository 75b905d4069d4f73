"""Servers that kill themselves with SIGKILL at one step of the first rebalance that they are asked for.

Run as a program it imports the server once, and for each line on its standard input (JSON: `environment`,
`log`) forks one that serves, and prints its process id. Every statement of the rebalance's request, every
commit before and after, and every question to the broker before and after is a step. DYING_AT is the step,
DYING_COUNT a file that says how many there were so far; with DYING_LEGS the broker cannot trade all at once.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sqlalchemy import event
from sqlalchemy.engine import Engine

import graph.server.main  # noqa: F401  (so that no child has to import it)
from db.sessions import Session
from graphfolio import main
from investing.brokers.paper import PaperBroker
from investing.rebalancing.rebalancer import Rebalancer

_steps = 0
_dying: "asyncio.Task[Any] | None" = None


def _step(*_: object) -> None:
    global _steps
    if _dying is None or asyncio.current_task() is not _dying:
        return
    _steps += 1
    Path(os.environ["DYING_COUNT"]).write_text(str(_steps))
    if _steps == int(os.environ["DYING_AT"]):
        os.kill(os.getpid(), signal.SIGKILL)


def _around(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def stepped(*arguments: Any, **named: Any) -> Any:
        _step()
        result = await work(*arguments, **named)
        _step()
        return result

    return stepped


def _from_here(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def begun(*arguments: Any, **named: Any) -> Any:
        global _dying
        _dying = asyncio.current_task()
        return await work(*arguments, **named)

    return begun


def _serve(given: dict[str, Any]) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(given["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (0, 1, 2):
        os.dup2(log, stream)
    os.environ.clear()
    os.environ.update(given["environment"])
    event.listen(Engine, "before_cursor_execute", _step)
    changed: list[tuple[Any, str, Any]] = [
        (Session, "commit", _around),
        (PaperBroker, "submit", _around),
        (Rebalancer, "rebalance", _from_here),
    ]
    for kind, name, change in changed:
        setattr(kind, name, change(getattr(kind, name)))
    if os.environ.get("DYING_LEGS"):
        del PaperBroker.fill_all
    sys.argv = ["graphfolio", "serve"]
    os._exit(main())


if __name__ == "__main__":
    # Nobody waits for the children: they are to die.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _serve(json.loads(line))
        print(pid, flush=True)
