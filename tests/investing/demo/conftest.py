"""A database of the module's with the demo in it."""

import pytest

from investing.demo.service import DemoOutcome, set_up_demo


@pytest.fixture(scope="module")
def demo(app_url: str, owner_url: str) -> DemoOutcome:
    return set_up_demo(app_url, owner_url, None, lambda step, done, total: None)
