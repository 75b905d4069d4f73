"""Codes as clients see them."""

import pytest

from db.codes import RejectionCode
from graph.codes import rejection_code_of


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (None, None),
        ("PRICE_MOVED", RejectionCode.PRICE_MOVED),
        ("SPLIT", RejectionCode.SPLIT),
        ("40310000", RejectionCode.OTHER),
        ("", RejectionCode.OTHER),
    ],
)
def test_a_brokers_own_code_is_other(stored: str | None, expected: RejectionCode | None) -> None:
    assert rejection_code_of(stored) is expected
