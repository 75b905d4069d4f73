"""One served tiny schema for all tests of the transport that need no settings of their own."""

from collections.abc import Iterator

import pytest

from tests.graph.server.served import Served, serve_tiny


@pytest.fixture(scope="session")
def tiny() -> Iterator[Served]:
    with serve_tiny() as served:
        yield served
