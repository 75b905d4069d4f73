"""The pool of optimiser processes: started on first use, kept running, and fair to all users.

The server never imports the optimiser. A worker that dies is started again and the question repeated once;
one that takes too long is killed. Workers end with the server, even if that is killed.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from db.vocabulary import Strategy
from investing.rebalancing.optimiser.worker import Worker, WorkerDied
from investing.rules.errors import (
    DomainError,
    NoExcessReturn,
    OptimiserBusy,
    OptimiserFailed,
    SingularCovariance,
)

logger = logging.getLogger("graphfolio.optimiser")


@dataclass(frozen=True)
class Problem:
    """What to find: the weights of a strategy, long only, none above `cap`, adding up to 1.

    `returns` are daily ones by symbol, oldest first, equally many of each. `risk_tolerance` is 0 for the
    minimum variance and 1 for the strategy's own portfolio, see `program`.
    """

    strategy: Strategy
    returns: Mapping[str, Sequence[float]]
    cap: Decimal
    risk_tolerance: Decimal


@dataclass
class _Job:
    problem: Problem
    answer: asyncio.Future[dict[str, Decimal]]


class Optimiser:
    """Worker processes and the queue before them, which takes one question of each user in turn."""

    def __init__(
        self,
        *,
        workers: int = 1,
        seconds: float = 10,
        start_seconds: float = 60,
        most_waiting: int = 100,
        most_of_one: int = 10,
    ) -> None:
        self._most_workers = workers
        self._seconds = seconds
        self._start_seconds = start_seconds
        self._most_waiting = most_waiting
        self._most_of_one = most_of_one
        self._queues: OrderedDict[UUID, deque[_Job]] = OrderedDict()
        self._idle: list[Worker] = []
        self._busy: list[Worker] = []
        self._serving: set[asyncio.Task[None]] = set()
        self._has_questions = asyncio.Event()

    async def weights(self, user_id: UUID, problem: Problem) -> dict[str, Decimal]:
        """Return the weights by symbol, at six places; they add up to 1, or a millionth less at a tight cap.

        A question waits until `run` runs. Raise OptimiserBusy if too many questions wait, OptimiserFailed if
        there was no answer or none in time, SingularCovariance or NoExcessReturn.
        """
        queue = self._queues.setdefault(user_id, deque())
        if len(queue) >= self._most_of_one or self._waiting >= self._most_waiting:
            raise OptimiserBusy
        job = _Job(problem, asyncio.get_running_loop().create_future())
        queue.append(job)
        self._has_questions.set()
        return await job.answer

    async def run(self) -> None:
        """Answer questions for ever; in the end stop the worker processes, whatever they are doing.

        Questions that wait when this is cancelled are refused; after a fault they wait for the next `run`.
        """
        # For the questions that came while this was not running.
        self._has_questions.set()
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    await self._has_questions.wait()
                    self._has_questions.clear()
                    for _ in range(min(self._waiting, self._most_workers - len(self._serving))):
                        self._serving.add(group.create_task(self._serve()))
        except asyncio.CancelledError:
            self._refuse_all()
            raise
        finally:
            for worker in self._idle:
                await worker.stop()
            self._idle.clear()

    @property
    def _waiting(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def _refuse_all(self) -> None:
        for queue in self._queues.values():
            for job in queue:
                _refuse(job, OptimiserFailed())
        self._queues.clear()

    def _next(self) -> _Job | None:
        """Return the oldest question of the user whose turn it is; the user goes to the end of the queue."""
        while self._queues:
            user_id, queue = self._queues.popitem(last=False)
            while queue:
                job = queue.popleft()
                if queue:
                    self._queues[user_id] = queue
                if not job.answer.done():
                    return job
        return None

    async def _serve(self) -> None:
        """Answer the waiting questions, and keep the worker running."""
        worker = self._idle.pop() if self._idle else Worker(self._seconds, self._start_seconds)
        self._busy.append(worker)
        try:
            while (job := self._next()) is not None:
                try:
                    await self._answer(worker, job)
                except BaseException as error:
                    _refuse(job, OptimiserFailed())
                    if not isinstance(error, Exception):
                        raise
                    logger.error("The optimiser failed.", exc_info=error)
        except BaseException:
            await worker.stop()
            raise
        finally:
            # Here and not in a callback: the next question must not count on this task to answer it.
            current = asyncio.current_task()
            assert current is not None, "this runs in a task"
            self._serving.discard(current)
            self._busy.remove(worker)
        self._idle.append(worker)

    async def _answer(self, worker: Worker, job: _Job) -> None:
        problem = job.problem
        question = {
            "strategy": problem.strategy.value,
            "symbols": list(problem.returns),
            "returns": list(problem.returns.values()),
            "cap": float(problem.cap),
            "risk_tolerance": float(problem.risk_tolerance),
        }
        reply: Mapping[str, object] | None = None
        for is_last in (False, True):
            try:
                reply = await worker.ask(question)
                break
            except TimeoutError:
                logger.warning("The optimiser took longer than %s s and was killed.", self._seconds)
                break
            except WorkerDied:
                logger.warning("The optimiser's process died%s.", " again" if is_last else "")
        if reply is None:
            _refuse(job, OptimiserFailed())
        elif "refused" in reply:
            _refuse(job, _refusal(reply))
        elif not job.answer.done():
            weights = reply["weights"]
            assert isinstance(weights, dict), "a worker's answer is refused or has weights"
            job.answer.set_result({symbol: Decimal(weight) for symbol, weight in weights.items()})


def _refuse(job: _Job, domain_error: DomainError) -> None:
    # The caller may have been cancelled, which cancels the answer.
    with contextlib.suppress(asyncio.InvalidStateError):
        job.answer.set_exception(domain_error)


def _refusal(reply: Mapping[str, object]) -> DomainError:
    match reply["refused"]:
        case SingularCovariance.code:
            symbols = reply.get("symbols")
            return SingularCovariance(symbols=tuple(symbols) if isinstance(symbols, list) else ())
        case NoExcessReturn.code:
            return NoExcessReturn()
        case _:
            logger.error("The optimiser failed: %s", reply.get("why"))
            return OptimiserFailed()
