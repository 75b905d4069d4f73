"""The market that tests of services trade on."""

import pytest

from db.sessions import Sessions
from tests.investing.exchange import Exchange


@pytest.fixture(scope="module")
def exchange(sessions: Sessions, superuser_url: str) -> Exchange:
    return Exchange(sessions, superuser_url)
