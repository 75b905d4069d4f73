"""One fresh database for each module of tests."""

from collections.abc import Iterator

import pytest

from tests.market_database import market_database


@pytest.fixture(scope="module", name="market_database")
def _market_database() -> Iterator[str]:
    with market_database() as url:
        yield url


@pytest.fixture(scope="module")
def owner_url(market_database: str) -> str:
    """The owner's way into a migrated database without any data."""
    return market_database
