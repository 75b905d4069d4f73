"""What fails again and again is told once, and once more when it works again."""

import logging


class Outage:
    """Whether something works, one line in the log for each change. `what` it is fits before `again.`"""

    def __init__(self, logger: logging.Logger, what: str) -> None:
        self._logger = logger
        self._what = what
        self._is_on = False

    def begins(self, reason: str) -> None:
        """It has failed."""
        if not self._is_on:
            self._logger.error("%s", reason)
        self._is_on = True

    def ends(self) -> None:
        """It has worked."""
        if self._is_on:
            self._logger.warning("%s again.", self._what)
        self._is_on = False
