"""What tests of performance share: a market made by hand, and snapshots brought up to date."""

import asyncio
import datetime as dt
from collections.abc import Callable

import pytest

from db.sessions import open_sessions
from investing.portfolio.snapshots import refresh_due
from tests.graph.conftest import Api
from tests.graph.portfolio.performing import FIRST
from tests.graph.stored import Stored


@pytest.fixture(scope="module")
def refresh(app_url: str) -> Callable[[], None]:
    """Brings all snapshots up to date, as the job does."""

    def run() -> None:
        async def work() -> None:
            async with open_sessions(app_url, size=2) as sessions:
                await refresh_due(sessions)

        asyncio.run(work())

    return run


@pytest.fixture(scope="module")
def market(stored: Stored) -> None:
    """ABC rises by 1 % a day and falls by half on one, XYZ stays, and BENCH goes half the way of ABC."""
    for symbol in ("ABC", "XYZ", "BENCH", "LATE", "LONG"):
        stored.instrument(symbol)
    stored.instrument("EURO", currency="EUR")
    stored.bars("ABC", FIRST, ["100", "101", "102", "51", "60", "102", "103"])
    stored.bars("XYZ", FIRST, ["10"] * 7)
    stored.bars("LONG", FIRST, ["100", "103"] * 7)
    stored.bars("BENCH", FIRST, ["100", "100.5", "101", "75", "80", "101", "101.5"])
    stored.bars("LATE", FIRST + dt.timedelta(days=3), ["1"] * 4)
    stored.bars("EURO", FIRST, ["1"] * 7)


@pytest.fixture
def api(register: Callable[[], Api]) -> Api:
    return register()
