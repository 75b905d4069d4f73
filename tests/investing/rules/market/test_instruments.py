"""Symbols, currencies and ISINs that can be, and such that cannot."""

import pytest

from investing.rules.errors import InvalidInput
from investing.rules.market.instruments import checked_currency, checked_isin


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        # Apple's: U = 30, S = 28, so 3 0 2 8 0 3 7 8 3 3 1 0 0 5. From the right, every second doubled:
        # 5 + 0 + 0 + 2 + 3 + 6 + 8 + (1+4) + 3 + 0 + 8 + 4 + 0 + 6 = 50.
        ("US0378331005", "US0378331005"),
        (" us0378331005 ", "US0378331005"),
        ("DE0007164600", "DE0007164600"),
        ("GB0002634946", "GB0002634946"),
        ("", None),
        (None, None),
    ],
)
def test_isins(given: str | None, kept: str | None) -> None:
    assert checked_isin(given) == kept


@pytest.mark.parametrize(
    "given", ["US0378331006", "US0378313005", "0378331005", "US037833100X", "US03783310055", "ÜS0378331005"]
)
def test_what_is_no_isin(given: str) -> None:
    with pytest.raises(InvalidInput, match="is not an ISIN") as refused:
        checked_isin(given)
    assert refused.value.field == ("isin",)


def test_currencies() -> None:
    assert [checked_currency(code) for code in ("USD", "EUR", "JPY", "XAU")] == ["USD", "EUR", "JPY", "XAU"]
    for code in ("XXX", "XTS", "usd", "DEM", "", "US"):
        with pytest.raises(InvalidInput, match=r"is not a currency code of ISO 4217\.$"):
            checked_currency(code)
