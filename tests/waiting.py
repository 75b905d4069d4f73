"""Waiting for what is to come true: an event, never a time that a busy machine may need longer than."""

import time
from collections.abc import Callable

PATIENCE = 60.0
"""So many seconds whatever has to happen may take: far more than it ever needs on a machine that is busy."""


def soon(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Return whether the condition comes true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
