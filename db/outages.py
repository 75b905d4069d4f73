"""Work that is done again and again, and at times cannot be: the log has when that begins and ends."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

SETTLED_SECONDS = 10.0

_OF_THE_DATABASE = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    SQLAlchemyError,
)


class Outage:
    """What of one kind of work is in the log. Whoever works each second would fill it otherwise."""

    def __init__(self, logger: logging.Logger, work: str) -> None:
        """`work` begins a sentence: "Reading the quotes"."""
        self._logger = logger
        self._work = work
        self.is_on = False

    @contextmanager
    def survived(self) -> Iterator[None]:
        """Does without the rest of the block where it fails; whoever is in a loop tries again."""
        try:
            yield
        except Exception as error:
            self.began(error)
        else:
            self.over()

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """The same around work that does not end: it works again when it has gone on for some seconds."""
        settled = asyncio.get_running_loop().call_later(SETTLED_SECONDS, self.over)
        try:
            yield
        except Exception as error:
            self.began(error)
        finally:
            settled.cancel()

    def began(self, reason: Exception | str) -> None:
        """The work has failed: one line where it is the database, and where it is a surprise all of it."""
        if not self.is_on:
            line, surprise = (reason, None) if isinstance(reason, str) else (_line(reason), reason)
            if isinstance(reason, _OF_THE_DATABASE):
                surprise = None
            self._logger.warning("%s does not work: %s", self._work, line, exc_info=surprise)
        self.is_on = True

    def over(self) -> None:
        """The work is done."""
        if self.is_on:
            self._logger.warning("%s works again.", self._work)
        self.is_on = False


def _line(error: Exception) -> str:
    words = str(error).strip().splitlines()
    return f"{type(error).__name__}: {words[0]}" if words else type(error).__name__
