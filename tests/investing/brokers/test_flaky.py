"""The same protocol over a line on which every third answer is lost."""

import pytest

from db.sessions import Sessions
from investing.brokers.paper import PaperBroker
from investing.brokers.protocol import BrokerClient
from investing.rules.trading.orders import BrokerFees
from tests.investing.brokers.flaky import FlakyBroker
from tests.investing.brokers.protocol_suite import *  # noqa: F403


@pytest.fixture(scope="module")
def broker(sessions: Sessions) -> BrokerClient:
    return FlakyBroker(PaperBroker(sessions, BrokerFees(), report_again_seconds=0.5), rate=1 / 3)
