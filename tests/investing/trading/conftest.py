"""A user with instruments, and portfolios for one test each."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from db.sessions import Sessions
from investing.actor import Actor
from tests.investing.trading.ledgers import differences, make_instruments, make_portfolio, make_user


@pytest.fixture(scope="module")
async def actor(sessions: Sessions, superuser_url: str) -> Actor:
    """A user, with instruments in dollars and one in euros."""
    await make_instruments(superuser_url, "USD", "ABC", "XYZ", "MSFT", "VTI")
    await make_instruments(superuser_url, "EUR", "SAP")
    return await make_user(superuser_url, sessions)


@pytest.fixture
async def portfolio_id(actor: Actor) -> AsyncIterator[UUID]:
    """An empty portfolio, after whose test `verify` finds nothing."""
    yield await make_portfolio(actor)
    assert await differences(actor) == []
