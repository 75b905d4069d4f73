"""What a portfolio's settings may be."""

from decimal import Decimal
from typing import Any

import pytest

from db.vocabulary import Strategy
from investing.rules.errors import InvalidInput
from investing.rules.portfolio.portfolio_settings import check_fraction, check_symbols, check_targets


@pytest.mark.parametrize("text", ["0", "-0", "0.0000000001", "0.5", "1"])
def test_fractions(text: str) -> None:
    check_fraction(Decimal(text), "riskTolerance", zero=True)
    if Decimal(text):
        check_fraction(Decimal(text), "driftBand", zero=False)
    else:
        with pytest.raises(InvalidInput, match="above 0 and at most 1"):
            check_fraction(Decimal(text), "driftBand", zero=False)
    check_fraction(None, "driftBand", zero=False)


@pytest.mark.parametrize("text", ["-0.0000000001", "1.0000000001", "7"])
def test_what_is_no_fraction(text: str) -> None:
    for zero in (True, False):
        with pytest.raises(InvalidInput) as refused:
            check_fraction(Decimal(text), "riskTolerance", zero=zero)
        assert refused.value.field == ("riskTolerance",)


def test_symbols() -> None:
    check_symbols(None)
    check_symbols([])
    check_symbols([str(n) for n in range(500)])
    with pytest.raises(InvalidInput, match="B appears twice"):
        check_symbols(["A", "B", "C", "B"])
    with pytest.raises(InvalidInput, match="at most 500"):
        check_symbols([str(n) for n in range(501)])


def test_targets() -> None:
    weights = {"A": "0.3333333333", "B": "0.6666666667", "C": "0"}
    check_targets(Strategy.CUSTOM, weights)
    check_targets(Strategy.CUSTOM, {"A": "1.0000000000"})
    check_targets(Strategy.MIN_CVAR, None)


@pytest.mark.parametrize(
    "targets",
    [
        None,
        {},
        {"A": "1.1"},
        {"A": "-0"},
        {"A": ".5"},
        {"A": "1e-3"},
        {"A": "NaN"},
        {"A": "0.12345678901"},
        {"A": "0.5", "B": "0.5000000001"},
        {str(n): "0" for n in range(501)},
    ],
)
def test_targets_that_are_refused(targets: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_targets(Strategy.CUSTOM, targets)
    assert refused.value.field == ("targetWeights",)


def test_only_custom_has_targets() -> None:
    with pytest.raises(InvalidInput, match="Only CUSTOM has target weights"):
        check_targets(Strategy.EQUAL_WEIGHT, {"A": "1"})
