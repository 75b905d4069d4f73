"""Which requests are the same under one idempotency key."""

import hashlib
import json
from decimal import Decimal as D
from uuid import UUID

import pytest

from investing.idempotency import Intent
from investing.rules.errors import IdempotencyMismatch

KEY = "1b4e28ba-2fa1-4d2a-883f-0016d3cca427"
OWNER = UUID(int=1)


def of(amount: object, **others: object) -> Intent:
    return Intent.of(OWNER, KEY, "deposit", {"amount": amount, "notes": None, **others})


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (D("5"), D("5.00"), True),
        (D("5"), D("05"), True),
        (D("100"), D("1E+2"), True),
        (D("0"), D("-0.00"), True),
        (D("0.1"), D("0.10000000000000000000"), True),
        (D("5"), D("5.01"), False),
        (D("5"), D("-5"), False),
        (D("5"), D("50"), False),
        # More digits than a decimal context has.
        (D("123456789012345678.123456789012345678"), D("123456789012345678.123456789012345679"), False),
        (D("5"), None, False),
        # A text is what it is.
        ("5", "5.00", False),
    ],
)
def test_decimals_are_the_same_whatever_zeros_they_have(one: object, other: object, is_same: bool) -> None:
    for first, second in ((one, other), ({"a": [one]}, {"a": [other]})):
        assert (of(first).digest == of(second).digest) is is_same


def test_a_first_attempt_of_before_is_found_by_what_was_stored_then() -> None:
    arguments = {"amount": D("5.00"), "notes": None}
    stored = hashlib.sha256(json.dumps(["deposit", arguments], default=str, sort_keys=True).encode()).digest()
    assert of(D("5.00")).again("deposit", stored, {"id": KEY}) == UUID(KEY)
    assert of(D("5.00")).again("deposit", of(D("5")).digest, {"id": KEY}) == UUID(KEY)
    for field, amount in (("withdraw", D("5.00")), ("deposit", D("5.01"))):
        intent = Intent.of(OWNER, KEY, field, {"amount": amount, "notes": None})
        with pytest.raises(IdempotencyMismatch):
            intent.again("deposit", stored, {"id": KEY})
