"""Logging of repeated work that can fail for a while: when an outage begins and when it ends."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

REPEATED_SECONDS = 600.0
MOST_FAULTS = 1_000

_EXPECTED = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    SQLAlchemyError,
)


class Outage:
    """The log of one kind of work, which would fill the log if it logged a failure each second.

    An outage is one of the database or the network, and is waited out. Any other error is unexpected and ends
    the work: its supervisor logs it and restarts the work.
    """

    def __init__(self, logger: logging.Logger, work: str) -> None:
        """Initialize with `work`, the beginning of a sentence: "Reading the quotes"."""
        self._logger = logger
        self._work = work
        self.is_on = False

    @contextmanager
    def survived(self) -> Iterator[None]:
        """Skip the rest of the block during an outage, for a loop to retry; raise any other error.

        The end of the block is the end of an outage. A block that may come there without having asked the
        database or the network for anything is for `lasting`.
        """
        with self.lasting():
            yield
            self.over()

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """Do the same around work that itself says when an outage is `over`: when it has had an answer."""
        try:
            yield
        except Exception as error:
            if not is_outage(error):
                raise
            self.began(error)

    def began(self, reason: Exception | str) -> None:
        """Log that the work fails: one line for an outage, with the traceback for an unexpected error."""
        if not self.is_on:
            line, surprise = (reason, None) if isinstance(reason, str) else (_line(reason), reason)
            if surprise is not None and is_outage(surprise):
                surprise = None
            self._logger.warning("%s does not work: %s", self._work, line, exc_info=surprise)
        self.is_on = True

    def over(self) -> None:
        """Log that the work succeeds again, if it had failed."""
        if self.is_on:
            self._logger.warning("%s works again.", self._work)
        self.is_on = False


class Faults:
    """The log of faults in work done for many items one by one: each fault once in ten minutes.

    An item that cannot be done is retried again and again, and must not fill the log meanwhile.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        # When each fault was last logged and how often it has occurred since, ordered by the former.
        self._known: dict[object, tuple[float, int]] = {}

    def met(self, error: BaseException, what: str, key: object) -> None:
        """Log a fault with its traceback, unless it was logged recently.

        `what` is a sentence with a placeholder for `key`, which identifies whom or what the work was for.
        """
        now, (logged_at, times) = time.monotonic(), self._known.get((what, key), (0.0, 0))
        if times and now < logged_at + REPEATED_SECONDS:
            self._known[what, key] = (logged_at, times + 1)
            return
        self._known.pop((what, key), None)
        self._known[what, key] = (now, 1)
        if len(self._known) > MOST_FAULTS:
            del self._known[next(iter(self._known))]
        again = f" It failed {times} times before." if times > 1 else ""
        self._logger.error(f"{what}%s", key, again, exc_info=error)


def is_outage(error: BaseException) -> bool:
    """Return whether a failure is the database's or the network's, and may end by itself, not a bug."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_outage, error.exceptions))
    return isinstance(error, _EXPECTED)


def is_no_outage(record: logging.LogRecord) -> bool:
    """Return whether a line is about something else: a filter for packages that log each failed attempt."""
    return record.exc_info is None or record.exc_info[1] is None or not is_outage(record.exc_info[1])


def _line(error: Exception) -> str:
    words = str(error).strip().splitlines()
    return f"{type(error).__name__}: {words[0]}" if words else type(error).__name__
