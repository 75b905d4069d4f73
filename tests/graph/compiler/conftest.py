"""Somebody who owns something in every table, of the kind that is easily written wrong."""

from collections.abc import AsyncIterator, Iterator

import pytest

from investing.auth.encryption import SecretBox
from investing.auth.keys import KeyRing
from tests.conftest import execute
from tests.graph.compiler import nasty
from tests.graph.compiler.both import Both, started
from tests.graph.conftest import built
from tests.graph.ownership import people
from tests.graph.ownership.asking import Caller
from tests.graph.ownership.conftest import MARKET
from tests.graph.ownership.people import Person


@pytest.fixture(scope="module")
async def market(superuser_url: str) -> None:
    await execute(superuser_url, *MARKET)


@pytest.fixture(scope="module")
def caller(server_url: str) -> Iterator[Caller]:
    line = Caller(server_url)
    yield line
    line.close()


@pytest.fixture(scope="module")
def person(caller: Caller, superuser_url: str, market: None) -> Person:
    """They own something in every table, and nasty things beside."""
    return nasty.given(people.settle(people.register(caller), superuser_url), superuser_url)


@pytest.fixture(scope="module")
async def both(app_url: str, ring: KeyRing, secret_box: SecretBox) -> AsyncIterator[Both]:
    found = Both(built(app_url, ring, secret_box), built(app_url, ring, secret_box, compiler=False))
    async with started(found.compiling, found.resolving):
        yield found
