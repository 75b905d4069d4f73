"""One worker process, started at its first question, which answers one question at a time over pipes.

A message is four bytes of length, most significant first, followed by that many bytes of JSON.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson

PROGRAM = Path(__file__).with_name("program.py")

# One thread per worker, so that a question uses one core and leaves the others to the server.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "",
}


class WorkerDied(Exception):
    """The process ended before it answered."""


class Worker:
    """A process that answers. Its pipes are read in a thread, whatever event loop the server uses."""

    def __init__(self, seconds: float, start_seconds: float) -> None:
        self._seconds = seconds
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="optimiser")

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    async def ask(self, question: Mapping[str, object]) -> Mapping[str, Any]:
        """Return the answer. Raise WorkerDied, or TimeoutError after killing a process that took too long."""
        if self.pid is None:
            await self._within(self._start_seconds, self._start)
        answer: Mapping[str, Any] = await self._within(self._seconds, self._exchange, question)
        return answer

    async def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._kill()
        await asyncio.to_thread(self._thread.shutdown)
        if self._process is not None:
            await asyncio.to_thread(self._forget, self._process)

    async def _within(self, seconds: float, work: Any, *arguments: Any) -> Any:
        running = asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        try:
            done, _ = await asyncio.wait({running}, timeout=seconds)
        except asyncio.CancelledError:
            self._kill()
            # Nobody waits for it any more: how the thread ends with its process is no news.
            running.add_done_callback(_ignore)
            raise
        if not done:
            # The thread that waits for the answer then reads the end of the pipe.
            self._kill()
            await asyncio.wait({running})
            running.exception()
            raise TimeoutError
        return running.result()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _start(self) -> None:
        if self._process is not None:
            self._forget(self._process)
        self._process = subprocess.Popen(
            # -P: do not search the program's folder for modules.
            [sys.executable, "-P", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_ENVIRONMENT},
            # Ctrl-C must reach only the server, which then ends its workers itself.
            start_new_session=True,
        )
        self._read()

    def _exchange(self, question: Mapping[str, object]) -> Any:
        body = orjson.dumps(question)
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(len(body).to_bytes(4, "big") + body)
            self._process.stdin.flush()
        except OSError:
            raise WorkerDied from None
        return self._read()

    def _read(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        head = self._process.stdout.read(4)
        size = int.from_bytes(head, "big")
        body = self._process.stdout.read(size)
        if len(head) < 4 or len(body) < size:
            self._process.kill()
            self._process.wait()
            raise WorkerDied
        return orjson.loads(body)

    @staticmethod
    def _forget(process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    # Buffered data that cannot be written any more is lost with the process.
                    continue


def _ignore(ended: asyncio.Future[Any]) -> None:
    """Take the exception of something whose result nobody wants, so that it is not logged as forgotten."""
    if not ended.cancelled():
        ended.exception()
