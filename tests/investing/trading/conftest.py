"""After a module of trades everything stored follows from the transactions and the open orders."""

from collections.abc import AsyncIterator

import pytest

from tests.investing.exchange import Exchange


@pytest.fixture(scope="module", autouse=True)
async def nothing_differs(exchange: Exchange) -> AsyncIterator[None]:
    yield
    assert await exchange.differences() == []
