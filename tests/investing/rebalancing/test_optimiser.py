"""The worker process: killed, stopped, overrun with questions, left behind. All of it real processes."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from db.vocabulary import Strategy
from investing.rebalancing.optimiser.pool import Optimiser, Problem
from investing.rebalancing.optimiser.worker import Worker
from investing.rules.errors import OptimiserBusy, OptimiserFailed
from tests.investing.rebalancing.conftest import SOMEBODY, answering
from tests.waiting import PATIENCE

ROOT = Path(__file__).parent.parent.parent.parent
OTHER, THIRD = UUID(int=2), UUID(int=3)
SMALL = Problem(
    Strategy.MIN_VARIANCE,
    {"AAA": [0.01, -0.01] * 20, "BBB": [0.02, 0.02, -0.02, -0.02] * 10},
    Decimal(1),
    Decimal(1),
)
# Uncorrelated, and one has twice the deviation of the other.
ANSWER = {"AAA": Decimal("0.8"), "BBB": Decimal("0.2")}


@pytest.fixture(scope="module")
async def optimiser() -> AsyncIterator[Optimiser]:
    """Patient for five seconds, and with room for three questions of a user and six of them all."""
    async with answering(Optimiser(seconds=5, most_of_one=3, most_waiting=6)) as optimiser:
        yield optimiser


@pytest.fixture
async def pid(optimiser: Optimiser) -> int:
    """The process's id, once it is warm."""
    assert await optimiser.weights(SOMEBODY, SMALL) == ANSWER
    (pid,) = pids(optimiser)
    return pid


async def asking(optimiser: Optimiser, user_id: UUID) -> "asyncio.Task[dict[str, Decimal]]":
    """A question that is under way, or waits."""
    task = asyncio.create_task(optimiser.weights(user_id, SMALL))
    await asyncio.sleep(0.1)
    return task


def pids(optimiser: Optimiser) -> list[int]:
    """Return the ids of the processes that run."""
    return [worker.pid for worker in (*optimiser._busy, *optimiser._idle) if worker.pid is not None]


async def until(found: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Waits for something to become true."""
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether there is such a process, and not only what is left of one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_one_question_of_each_user_in_turn(optimiser: Optimiser, pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    answered: list[str] = []

    async def ask(name: str, user_id: UUID) -> None:
        await optimiser.weights(user_id, SMALL)
        answered.append(name)

    tasks = []
    users = {"a": SOMEBODY, "b": OTHER, "c": THIRD}
    for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
        tasks.append(asyncio.create_task(ask(name, users[name[0]])))
        await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGCONT)
    await asyncio.gather(*tasks)
    assert answered == ["a1", "a2", "b1", "c1", "a3", "b2"]
    assert pids(optimiser) == [pid]


async def test_a_full_queue_is_refused(optimiser: Optimiser, pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    asked = [await asking(optimiser, SOMEBODY) for _ in range(4)]
    with pytest.raises(OptimiserBusy):
        await optimiser.weights(SOMEBODY, SMALL)
    asked += [await asking(optimiser, OTHER) for _ in range(3)]
    with pytest.raises(OptimiserBusy):
        await optimiser.weights(THIRD, SMALL)
    os.kill(pid, signal.SIGCONT)
    assert await asyncio.gather(*asked) == [ANSWER] * 7
    assert await optimiser.weights(THIRD, SMALL) == ANSWER


async def test_who_has_gone_is_passed_over(optimiser: Optimiser, pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    tasks = [await asking(optimiser, SOMEBODY) for _ in range(3)]
    tasks[0].cancel()
    tasks[1].cancel()
    os.kill(pid, signal.SIGCONT)
    assert await tasks[2] == ANSWER
    assert pids(optimiser) == [pid]


async def test_what_a_cancelled_question_ends_by_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The thread that reads the answer finds the process dead, and nobody waits for it any more."""
    worker = Worker(PATIENCE, PATIENCE)
    asked = asyncio.create_task(worker.ask({}))
    await until(lambda: worker.pid is not None)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await worker.stop()
    await asyncio.sleep(0)
    gc.collect()
    assert caplog.records == []


async def test_killed_while_idle(optimiser: Optimiser, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    assert await optimiser.weights(SOMEBODY, SMALL) == ANSWER
    assert pid not in pids(optimiser)


async def test_killed_at_work_is_asked_once_more(optimiser: Optimiser, pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    asked = await asking(optimiser, SOMEBODY)
    os.kill(pid, signal.SIGKILL)
    assert await asked == ANSWER
    # Killed again while it is asked once more: that was the last time.
    (pid,) = pids(optimiser)
    os.kill(pid, signal.SIGSTOP)
    asked, again = await asking(optimiser, SOMEBODY), await asking(optimiser, SOMEBODY)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: pids(optimiser) not in ([], [pid]))
    os.kill(pids(optimiser)[0], signal.SIGKILL)
    with pytest.raises(OptimiserFailed):
        await asked
    assert await again == ANSWER


async def test_too_slow_is_ended(optimiser: Optimiser, pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(OptimiserFailed):
        await optimiser.weights(SOMEBODY, SMALL)
    assert not is_running(pid)


async def test_the_end_refuses_what_waits() -> None:
    async with answering(Optimiser()) as optimiser:
        assert await optimiser.weights(SOMEBODY, SMALL) == ANSWER
        (pid,) = pids(optimiser)
        os.kill(pid, signal.SIGSTOP)
        tasks = [await asking(optimiser, SOMEBODY) for _ in range(3)]
    assert not is_running(pid)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OptimiserFailed] * 3
    assert pids(optimiser) == []


async def test_a_fault_ends_it_and_what_waits_is_answered_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever supervises it runs it again; no process is left behind, and no question is lost."""
    optimiser = Optimiser()

    def broken(_: Optimiser) -> None:
        raise KeyError("a bug")

    async def ask(_: Worker, question: Mapping[str, object]) -> Mapping[str, object]:
        return {"weights": {"AAA": "0.8", "BBB": "0.2"}}

    monkeypatch.setattr(Worker, "ask", ask)
    with monkeypatch.context() as patch:
        patch.setattr(Optimiser, "_next", broken)
        asked = await asking(optimiser, SOMEBODY)
        with pytest.raises(ExceptionGroup):
            await optimiser.run()
    assert (pids(optimiser), asked.done()) == ([], False)
    async with answering(optimiser):
        assert await asked == ANSWER


SERVER = """
import asyncio, sys
from decimal import Decimal
from uuid import UUID
import graph.server.main
from investing.rebalancing.optimiser.pool import Optimiser, Problem
from db.vocabulary import Strategy

def problem(strategy, returns):
    return Problem(strategy, returns, Decimal(1), Decimal(1))

async def main():
    optimiser = Optimiser(seconds=60)
    running = asyncio.create_task(optimiser.run())
    returns = {"AAA": [0.01, -0.01] * 20, "BBB": [0.02, 0.02, -0.02, -0.02] * 10}
    weights = await optimiser.weights(UUID(int=1), problem(Strategy.MIN_VARIANCE, returns))
    heavy = ("skfolio", "cvxpy", "sklearn", "pandas")
    print(weights["AAA"], [name for name in heavy if name in sys.modules])
    print([worker.pid for worker in (*optimiser._busy, *optimiser._idle)][0], flush=True)
    series = {f"S{i}": [hash((i, j)) % 1000 / 1e4 - 0.05 for j in range(2000)] for i in range(200)}
    await optimiser.weights(UUID(int=1), problem(Strategy.MIN_CVAR, series))
    print("too early", flush=True)

asyncio.run(main())
"""


async def test_the_server_stays_light_and_its_worker_dies_with_it() -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, cwd=ROOT, stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    try:
        assert await server.stdout.readline() == b"0.800000 []\n"
        pid = int(await server.stdout.readline())
        # In the middle of a question that takes it half a minute.
        await asyncio.sleep(1.5)
        assert is_running(pid)
    finally:
        server.kill()
        rest, _ = await server.communicate()
    assert rest == b""
    await until(lambda: not is_running(pid))
