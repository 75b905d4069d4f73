"""What the tests of faults share: their two sizes, and waiting for something to come true."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest


def sizes(short: int, full: int) -> pytest.MarkDecorator:
    """The argument `size`: short for every run, full for the soak."""
    soak = pytest.param(full, marks=[pytest.mark.soak, pytest.mark.timeout(0)], id="full")
    return pytest.mark.parametrize("size", [pytest.param(short, id="short"), soak])


async def until(condition: Callable[[], Awaitable[bool]], seconds: float, every: float = 0.02) -> None:
    """Waits until the condition is true. Raises TimeoutError where that takes longer."""
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(every)
