"""The embedded server is kept running: it is started again if it ends although nobody stopped it."""

import logging
import signal
import threading
import time
from collections.abc import Callable

from db.server.address import DatabaseUnavailable
from db.server.process import Server

logger = logging.getLogger("graphfolio.database")

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
SETTLED_SECONDS = 10.0
"""A server that has lived for so long is started again at once, as the first one is; others after a pause."""
SHARED_SECONDS = 1.0
"""How often to look whether a server that another process has started meanwhile still runs."""
END_SECONDS = 15.0


class Keeper:
    """Keeps a server that this process started, until `stop`.

    It waits in a thread of its own, which is also the parent of every further server: the kernel ends a
    server with the thread that started it.
    """

    def __init__(self, server: Server, restart: Callable[[], Server | None]) -> None:
        """Initialize with `restart`, which starts a server at the same address, or finds another process's.

        It returns None for the latter, and raises DatabaseUnavailable or OSError if there is neither.
        """
        self._server: Server | None = server
        self._restart = restart
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="embedded PostgreSQL", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the server and the thread; one that is being started is stopped as soon as it runs."""
        self._stopping.set()
        server = self._server
        if server is not None:
            server.stop()
        self._thread.join(END_SECONDS)

    def _keep(self) -> None:
        pause, began = 0.0, time.monotonic()
        while not self._stopping.is_set():
            if self._server is None:
                self._stopping.wait(SHARED_SECONDS)
            else:
                code = self._server.process.wait()
                if self._stopping.is_set():
                    return
                logger.error("The embedded PostgreSQL %s. It is started again.", _how(code))
                # What watched it for the death of this process ends, too.
                self._server.stop()
                if time.monotonic() - began >= SETTLED_SECONDS:
                    pause = 0.0
                self._stopping.wait(pause)
                pause = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
            self._server = self._started_again()
            began = time.monotonic()
        if self._server is not None:
            self._server.stop()

    def _started_again(self) -> Server | None:
        """Try until there is a server, or until `stop`; log only the first failure."""
        pause, failed = FIRST_PAUSE, False
        while not self._stopping.is_set():
            try:
                return self._restart()
            except (DatabaseUnavailable, OSError) as error:
                if not failed:
                    logger.error("The embedded PostgreSQL cannot be started again: %s", error)
                failed = True
            self._stopping.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        return None


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with the exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by the signal {-code}"
